//! The engine's one linear stream of events. Window, command line and `--json` all consume it.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

/// How many events a slow observer may lag behind before it misses some; it is told how many it missed.
const BUFFER: usize = 4096;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// Branches, commits or settings of a clone changed.
    CloneChanged {
        /// The clone's id.
        clone: String,
    },
    /// Statements arrived or were made here.
    StatementsAdded {
        /// The clone's id.
        clone: String,
        /// How many.
        count: u32,
    },
    /// A run began.
    RunStarted {
        /// The run's id.
        run: String,
        /// What it does, in words.
        title: String,
    },
    /// A run has something to say.
    RunProgress {
        /// The run's id.
        run: String,
        /// One line, safe to show.
        text: String,
    },
    /// A run ended.
    RunEnded {
        /// The run's id.
        run: String,
        /// Its status word.
        status: String,
        /// What came of it, in words.
        summary: String,
    },
    /// A change began to need the person at this machine.
    NeedsMe {
        /// The clone's id.
        clone: String,
        /// The change.
        change: String,
        /// Its title.
        title: String,
    },
    /// An apply ended.
    ApplyEnded {
        /// The clone's id.
        clone: String,
        /// The change.
        change: String,
        /// Whether everything was applied.
        ok: bool,
        /// What came of it, in words.
        text: String,
    },
    /// Something that must not pass unseen: the shared log was rewound, a clone cannot be watched.
    Alarm {
        /// The clone's id.
        clone: String,
        /// What happened.
        message: String,
    },
}

/// An event with its place in the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequenced {
    /// Counts from 1 for each process.
    pub seq: u64,
    /// What happened.
    pub event: Event,
}

/// The stream.
#[derive(Debug)]
pub struct Events {
    sender: broadcast::Sender<Sequenced>,
    last: AtomicU64,
}

impl Default for Events {
    fn default() -> Self {
        Self { sender: broadcast::channel(BUFFER).0, last: AtomicU64::new(0) }
    }
}

impl Events {
    /// Sends an event to every observer there is.
    pub fn emit(&self, event: Event) {
        let seq = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        // No observer is no fault: a command line run without --json has none.
        let _ = self.sender.send(Sequenced { seq, event });
    }

    /// All events from now on.
    #[must_use]
    pub fn observe(&self) -> broadcast::Receiver<Sequenced> {
        self.sender.subscribe()
    }
}
