//! The one core behind the window. It opens while the window is already being drawn; commands wait for it.

use std::sync::Arc;

use countersign_api::{ApiError, Host};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tauri::ipc::Response;
use tokio::sync::SetOnce;

/// The core, as soon as it is open.
#[derive(Default)]
pub(crate) struct Core(SetOnce<Result<Arc<Host>, ApiError>>);

impl Core {
    /// Makes the core, or the reason why there is none, known to every command that waits.
    pub(crate) fn set(&self, opened: Result<Arc<Host>, ApiError>) {
        // It is opened once; a second answer could only repeat the first.
        let _ = self.0.set(opened);
    }

    /// Waits until the core is open.
    pub(crate) async fn host(&self) -> Result<Arc<Host>, ApiError> {
        self.0.wait().await.clone()
    }
}

/// Runs one command on a task of its own, so that a fault in it ends that command only, and with an answer.
pub(crate) async fn answer<Args, Output, Running>(
    core: &Core,
    args: Value,
    command: impl FnOnce(Arc<Host>, Args) -> Running,
) -> Result<Response, ApiError>
where
    Args: DeserializeOwned,
    Output: Serialize + Send + 'static,
    Running: Future<Output = Result<Output, ApiError>> + Send + 'static,
{
    let host = core.host().await?;
    let args =
        serde_json::from_value(args).map_err(|error| ApiError::usage(format!("the arguments do not fit: {error}")))?;
    let output =
        tokio::spawn(command(host, args)).await.map_err(|_| ApiError::bug("the command ended unexpectedly"))??;
    let text = serde_json::to_string(&output)
        .map_err(|error| ApiError::bug(format!("failed to write the answer: {error}")))?;
    Ok(Response::new(text))
}
