//! Blocking work (Git, files, cryptography) off the async threads.

use crate::error::EngineError;

/// Runs `work` where blocking is allowed.
pub(crate) async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, EngineError>
where
    T: Send + 'static,
    E: Into<EngineError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Into::into),
        Err(error) => Err(EngineError::Defect(error.to_string())),
    }
}
