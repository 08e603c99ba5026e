//! The use cases: watch clones, list the queue, plan and seal, show, approve, judge, merge, apply, audit.
//!
//! [`Engine`] is one process's view of one data directory. It speaks to observers through one linear stream of
//! [`event::Event`]s and to callers through plain async functions; window, command line and deploy runner use the same.
//!
//! | module | holds |
//! | --- | --- |
//! | [`place`] | watched clones: add, list, remove, open |
//! | [`trunk`], [`facts`] | what trunk and a change say, read from Git alone |
//! | [`changes`] | changes with the gate's verdict |
//! | [`attention`] | where a change stands and whom it needs |
//! | [`shared_log`] | statements in, statements out |
//! | [`dry_run`], [`tooling`] | planning and sealing, on the deploy runner |
//! | [`review`] | opening a sealed plan |
//! | [`decide`] | sign, refuse, revoke, merge |
//! | [`apply`], [`agent`] | the deploy runner's apply |
//! | [`audit`] | every statement with its verification |
//! | [`keys`] | the keys and the device of this data directory |
//! | [`watch`] | noticing what moves |
//! | [`demo`] | a world to try it all in |

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod agent;
pub mod apply;
pub mod attention;
pub mod audit;
mod blocking;
pub mod changes;
pub mod decide;
pub mod demo;
pub mod dry_run;
pub mod error;
pub mod event;
pub mod facts;
mod files;
pub mod keys;
pub mod place;
pub mod review;
pub mod runs;
pub mod shared_log;
pub mod tooling;
pub mod trunk;
pub mod watch;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_seal::identity::DeviceIdentity;
use countersign_store::Store;
use jiff::Timestamp;
use tokio::sync::broadcast;

use crate::blocking::blocking;
pub use crate::error::{EngineError, ErrorKind};
use crate::event::{Event, Events, Sequenced};
use crate::facts::TreeMemory;

/// The file that holds this device's age identity.
const DEVICE_FILE: &str = "device.key";

/// One process's view of one data directory. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    data_dir: PathBuf,
    store: Store,
    events: Events,
    identity: DeviceIdentity,
    trees: TreeMemory,
    opened: Mutex<review::Opened>,
    judged: Mutex<changes::Memory>,
    previews: Mutex<HashMap<String, decide::Preview>>,
    runs: runs::Runs,
    needing_me: Mutex<Option<std::collections::BTreeSet<(String, String)>>>,
    /// Held while statements are exchanged, so that two of this process's exchanges do not race.
    exchange: tokio::sync::Mutex<()>,
}

impl Engine {
    /// Opens the data directory, making it when it is not there, with this device's identity.
    ///
    /// # Errors
    /// Fails when the directory, the database or the identity cannot be used.
    pub async fn open(data_dir: &Path) -> Result<Self, EngineError> {
        let store = Store::open(data_dir).await?;
        let data_dir = data_dir.canonicalize().map_err(|source| EngineError::Io {
            doing: "find the data directory",
            path: data_dir.to_owned(),
            source,
        })?;
        let file = data_dir.join(DEVICE_FILE);
        let identity =
            blocking(move || if file.exists() { DeviceIdentity::load(&file) } else { DeviceIdentity::create(&file) })
                .await?;
        store.mark_interrupted(now()).await?;
        let inner = Inner {
            data_dir,
            store,
            events: Events::default(),
            identity,
            trees: TreeMemory::default(),
            opened: Mutex::default(),
            judged: Mutex::default(),
            previews: Mutex::default(),
            runs: runs::Runs::default(),
            needing_me: Mutex::default(),
            exchange: tokio::sync::Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The data directory, absolute.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.inner.data_dir
    }

    /// All events from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Sequenced> {
        self.inner.events.observe()
    }

    /// The record on this machine.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// This device's age identity.
    #[must_use]
    pub fn identity(&self) -> &DeviceIdentity {
        &self.inner.identity
    }

    pub(crate) fn emit(&self, event: Event) {
        self.inner.events.emit(event);
    }

    pub(crate) fn trees(&self) -> &TreeMemory {
        &self.inner.trees
    }
}

/// The one place where the clock is read.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// A lock whose data stays usable after a panic elsewhere: every section that holds it leaves it whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
