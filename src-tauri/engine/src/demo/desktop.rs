//! The demo opened from the window: its runner lives as long as the window does, in its own data directory with its own
//! key.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Begin, DEMO_SETTING, prepare, world};
use crate::Engine;
use crate::error::EngineError;
use crate::runs::Kind;

/// How often the runner looks without having noticed anything.
const EVERY: Duration = Duration::from_secs(30);

/// The demo world behind a window.
pub struct DesktopDemo;

impl DesktopDemo {
    /// Builds the world in the data directory (or opens the one that is there), takes your place in it and starts its
    /// runner.
    ///
    /// # Errors
    /// Fails when the world cannot be built; what was built is cleared at the next try.
    pub async fn open(engine: &Engine) -> Result<(), EngineError> {
        let run = engine.begin(Kind::Demo, "Build the demo world".to_owned(), None, None);
        let (teller, told) = (engine.clone(), run.clone());
        let done = Self::build(engine, &mut |line| teller.progress(&told, line)).await;
        engine.end(&run, done.as_ref().map(|()| "the demo world is ready".to_owned()));
        done
    }

    async fn build(engine: &Engine, say: &mut (dyn FnMut(&str) + Send)) -> Result<(), EngineError> {
        let world = world(&engine.data_dir().join("demo"), Begin::WithWhatIsThere, say).await?;
        let runner_dir = world.runner.data_dir.clone();
        let rounds =
            || -> Pin<Box<dyn Future<Output = Result<(), EngineError>> + Send>> { Box::pin(round(runner_dir.clone())) };
        prepare(&world, engine.clone(), &rounds, say).await?;
        Self::run_runner(engine, world.runner.data_dir);
        Ok(())
    }

    /// Starts the runner of a demo world that this data directory's window built before.
    ///
    /// # Errors
    /// Fails when the settings cannot be read.
    pub async fn resume(engine: &Engine) -> Result<(), EngineError> {
        let dir: Option<PathBuf> = engine.store().setting(DEMO_SETTING).await?;
        let own = dir.filter(|dir| dir.starts_with(engine.data_dir()));
        if let Some(world) = own.and_then(|dir| super::world::open(&dir).ok().flatten()) {
            Self::run_runner(engine, world.runner.data_dir);
        }
        Ok(())
    }

    fn run_runner(engine: &Engine, data_dir: PathBuf) {
        let window = engine.clone();
        tokio::spawn(async move {
            let Ok(runner) = Engine::open(&data_dir).await else { return };
            let failed = runner
                .agent(EVERY, &CancellationToken::new(), &mut |round| {
                    if let Err(error) = round {
                        tracing::warn!(%error, "the demo's runner could not finish a round");
                    }
                })
                .await;
            if let Err(error) = failed {
                let message = format!("the demo's runner stopped: {error}");
                window.emit(crate::event::Event::Alarm { clone: String::new(), message });
            }
        });
    }
}

async fn round(data_dir: PathBuf) -> Result<(), EngineError> {
    Engine::open(&data_dir).await?.agent_round().await.map(drop)
}
