//! What the scenarios share: the demo world, prepared as `countersign demo` prepares it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test that asked")]

pub mod window;

use std::path::PathBuf;
use std::pin::Pin;

use countersign_engine::demo::{self, Begin, Demo};
use countersign_engine::{Engine, EngineError};

/// A prepared demo world in a directory that goes with it.
pub struct Prepared {
    /// The world and its persons.
    pub demo: Demo,
    /// The directory.
    pub dir: tempfile::TempDir,
}

/// Builds a world, lets its runner plan every change and the teammate sign.
///
/// # Errors
/// Fails when any step does.
pub async fn prepared() -> Result<Prepared, EngineError> {
    let dir = tempfile::tempdir().map_err(|source| EngineError::Io {
        doing: "make a directory in",
        path: std::env::temp_dir(),
        source,
    })?;
    let world = demo::world(&dir.path().join("world"), Begin::WithWhatIsThere, &mut |_| {}).await?;
    let runner = world.runner.data_dir.clone();
    let you = Engine::open(&world.you.data_dir).await?;
    let demo = demo::prepare(&world, you, &|| runner_round(runner.clone()), &mut |_| {}).await?;
    Ok(Prepared { demo, dir })
}

/// One round of the runner whose data directory this is.
#[must_use]
pub fn runner_round(data_dir: PathBuf) -> Pin<Box<dyn Future<Output = Result<(), EngineError>> + Send>> {
    Box::pin(async move {
        for step in Engine::open(&data_dir).await?.agent_round().await? {
            step.outcome?;
        }
        Ok(())
    })
}
