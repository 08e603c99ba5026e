//! One list of commands and events for every host: the Tauri window, `countersign serve` and the command line.
//!
//! [`for_each_command!`] is the list. Hosts build their adapters from it, so a command without an adapter does not
//! compile; the TypeScript that the window calls with is generated from it. Every query names the cache tags its answer
//! belongs to, every mutation and event the tags it makes stale.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod commands;
#[allow(missing_docs, reason = "fields of plain data are documented by their names")]
pub mod dto;
mod error;
mod events;
mod list;
pub mod typescript;

pub use error::{ApiError, ErrorCode};
pub use events::{EventMessage, EventStream, message};
pub use list::{COMMANDS, CommandKind, CommandSpec, Tag, dispatch};

use countersign_engine::Engine;
use countersign_engine::demo::DesktopDemo;

/// What a command runs against.
#[derive(Clone)]
pub struct Host {
    /// The engine of this process.
    pub engine: Engine,
}

impl Host {
    /// Opens a data directory, starts watching its clones, and resumes the demo's runner if it has one.
    ///
    /// # Errors
    /// Fails when the directory, the database or the identity cannot be used.
    pub async fn open(data_dir: &std::path::Path) -> Result<Self, ApiError> {
        let engine = Engine::open(data_dir).await?;
        engine.keep_watching();
        DesktopDemo::resume(&engine).await?;
        Ok(Self { engine })
    }

    /// All events from now on.
    #[must_use]
    pub fn events(&self) -> EventStream {
        EventStream::over(self.engine.events())
    }

    /// A host over `engine`.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }
}
