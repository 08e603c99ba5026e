//! Noticing what moves: refs and HEAD of the watched clones, and of remotes that are directories of this machine.
//!
//! Watching is by the system's notifications; nothing is polled. Objects and working files do not wake it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use tokio::sync::mpsc;

use crate::Engine;
use crate::error::EngineError;
use crate::event::Event;
use crate::place::Place;

/// How long notifications are gathered: Git writes a lock file, renames it and writes a log, all for one move.
const GATHER: Duration = Duration::from_millis(120);

/// Watches every clone of an engine.
pub struct Watcher {
    debouncer: Debouncer<RecommendedWatcher, RecommendedCache>,
    moved: mpsc::UnboundedReceiver<Moved>,
    watched: BTreeSet<PathBuf>,
}

/// What moved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moved {
    /// The clone itself.
    Clone(String),
    /// The clone's remote, a directory of this machine.
    Remote(String),
}

impl Watcher {
    /// Watches all clones there are now; [`Watcher::follow`] takes in those added later.
    ///
    /// # Errors
    /// [`EngineError::Watch`] when the system refuses, such as when its limit of watches is reached.
    pub async fn start(engine: &Engine) -> Result<Self, EngineError> {
        let (sender, moved) = mpsc::unbounded_channel();
        let roots: std::sync::Arc<std::sync::Mutex<BTreeMap<PathBuf, Moved>>> = std::sync::Arc::default();
        let known = std::sync::Arc::clone(&roots);
        let debouncer = new_debouncer(GATHER, None, move |result: DebounceEventResult| {
            let Ok(events) = result else { return };
            let known = crate::lock(&known);
            let all: BTreeSet<Moved> = events
                .iter()
                // Reading a ref is told too; answering it by reading again would never rest.
                .filter(|event| !event.kind.is_access())
                .flat_map(|event| event.paths.iter())
                .filter(|path| matters(path))
                .filter_map(|path| {
                    known.iter().find(|(root, _)| path.starts_with(root)).map(|(_, moved)| moved.clone())
                })
                .collect();
            for one in all {
                // The receiver is gone when the watcher is being dropped.
                let _ = sender.send(one);
            }
        })
        .map_err(|error| EngineError::Watch { path: PathBuf::new(), detail: error.to_string() })?;
        let mut watcher = Self { debouncer, moved, watched: BTreeSet::new() };
        for (_, place) in engine.places().await? {
            let Ok(place) = place else { continue };
            watcher.add(&place, &roots)?;
        }
        Ok(watcher)
    }

    fn add(&mut self, place: &Place, roots: &std::sync::Mutex<BTreeMap<PathBuf, Moved>>) -> Result<(), EngineError> {
        let identity = place.git.identity()?;
        self.watch(identity.common_dir, Moved::Clone(place.id()), roots)?;
        let remote = identity.remote.map(|remote| PathBuf::from(remote.url.trim_start_matches("file://")));
        if let Some(dir) = remote.filter(|dir| dir.is_absolute() && dir.is_dir()) {
            let git = if dir.join(".git").is_dir() { dir.join(".git") } else { dir };
            self.watch(git, Moved::Remote(place.id()), roots)?;
        }
        Ok(())
    }

    fn watch(
        &mut self,
        git_dir: PathBuf,
        moved: Moved,
        roots: &std::sync::Mutex<BTreeMap<PathBuf, Moved>>,
    ) -> Result<(), EngineError> {
        let git_dir = git_dir.canonicalize().unwrap_or(git_dir);
        crate::lock(roots).insert(git_dir.clone(), moved);
        for (dir, mode) in
            [(git_dir.clone(), RecursiveMode::NonRecursive), (git_dir.join("refs"), RecursiveMode::Recursive)]
        {
            if !self.watched.insert(dir.clone()) {
                continue;
            }
            self.debouncer
                .watch(&dir, mode)
                .map_err(|error| EngineError::Watch { path: dir, detail: error.to_string() })?;
        }
        Ok(())
    }

    /// Waits until something moved.
    pub async fn moved(&mut self) -> Option<Moved> {
        let first = self.moved.recv().await?;
        // Whatever came at the same time is answered by the same look.
        while self.moved.try_recv().is_ok() {}
        Some(first)
    }

    /// Every move, one by one.
    async fn next(&mut self) -> Option<Moved> {
        self.moved.recv().await
    }
}

/// A stranger's text for a notification: on one line, without what a terminal or a screen would act on.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .filter(|c| {
            !c.is_control() && !matches!(c, '\u{200E}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        })
        .collect()
}

/// Lock files come and go with every move; what they leave behind is what counts.
fn matters(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let in_refs = path.components().any(|part| part.as_os_str() == "refs");
    !name.ends_with(".lock") && (in_refs || matches!(name, "HEAD" | "packed-refs" | "config"))
}

impl Engine {
    /// Watches until the returned task is dropped: a moved clone is announced, a moved local remote is fetched. Begins anew
    /// when clones are added or removed.
    pub fn keep_watching(&self) -> tokio::task::JoinHandle<()> {
        let engine = self.clone();
        tokio::spawn(async move {
            loop {
                if let Err(error) = engine.watch_until_clones_change().await {
                    engine.emit(Event::Alarm { clone: String::new(), message: error.to_string() });
                    // Nothing can be watched: the person refreshes by hand until clones change.
                    let mut events = engine.events();
                    while !matches!(events.recv().await.map(|e| e.event), Ok(Event::CloneChanged { .. })) {}
                }
            }
        })
    }

    async fn watch_until_clones_change(&self) -> Result<(), EngineError> {
        let mut watcher = Watcher::start(self).await?;
        let clones = self.clones().await?;
        let mut events = self.events();
        self.announce_what_needs_me().await;
        loop {
            tokio::select! {
                moved = watcher.next() => match moved {
                    Some(Moved::Clone(clone)) => self.clone_moved(clone).await,
                    Some(Moved::Remote(clone)) => self.remote_moved(&clone).await,
                    None => return Ok(()),
                },
                event = events.recv() => {
                    let changed = matches!(event.map(|e| e.event), Ok(Event::CloneChanged { .. }));
                    if changed && self.clones().await? != clones {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn clone_moved(&self, clone: String) {
        self.emit(Event::CloneChanged { clone });
        self.announce_what_needs_me().await;
    }

    async fn remote_moved(&self, clone: &str) {
        let Ok(place) = self.place(clone).await else { return };
        let fetched = async {
            self.fetch_quietly(&place).await?;
            self.exchange(&place).await
        };
        if let Err(error) = fetched.await {
            tracing::warn!(%error, clone, "a moved remote could not be fetched");
        }
        self.clone_moved(clone.to_owned()).await;
    }

    /// Tells of changes that need the person at this machine and did not at the last look.
    async fn announce_what_needs_me(&self) {
        let Ok(places) = self.places().await else { return };
        let mut needing = BTreeMap::new();
        for (_, place) in places {
            let Ok(place) = place else { continue };
            let Ok(view) = self.clone_view(&place).await else { continue };
            for change in view.needing_me() {
                needing.insert((place.id(), change.change.id.to_string()), one_line(&change.change.title));
            }
        }
        let keys: BTreeSet<(String, String)> = needing.keys().cloned().collect();
        let before = crate::lock(&self.inner.needing_me).replace(keys);
        // At the first look everything is old.
        let Some(before) = before else { return };
        for ((clone, change), title) in needing {
            if !before.contains(&(clone.clone(), change.clone())) {
                self.emit(Event::NeedsMe { clone, change, title });
            }
        }
    }
}
