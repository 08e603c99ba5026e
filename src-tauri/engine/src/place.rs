//! Watched clones.

use std::path::{Path, PathBuf};

use countersign_forge::{Forge, PlainGit};
use countersign_git::program::GitProgram;
use countersign_git::{Clone, remote};
use countersign_store::clones::{CloneId, CloneKind, NewClone, WatchedClone};

use crate::blocking::blocking;
use crate::error::EngineError;
use crate::event::Event;
use crate::runs::Kind;
use crate::{Engine, now};

/// A watched clone, opened.
#[derive(Debug, std::clone::Clone)]
pub struct Place {
    /// What is recorded of it.
    pub info: WatchedClone,
    /// The clone.
    pub git: Clone,
    /// Its remote.
    pub forge: PlainGit,
}

impl Place {
    fn open(info: WatchedClone) -> Result<Self, EngineError> {
        let git = Clone::open(&info.path)?;
        let forge = PlainGit::new(git.clone(), None);
        Ok(Self { info, git, forge })
    }

    /// The clone's id as text.
    #[must_use]
    pub fn id(&self) -> String {
        self.info.id.to_string()
    }

    /// What tells one remote from another in the record.
    pub(crate) async fn remote_url(&self) -> Result<String, EngineError> {
        let git = self.git.clone();
        let remote = blocking(move || git.remote()).await?;
        Ok(remote.map_or_else(String::new, |remote| remote.url))
    }
}

impl Engine {
    /// Every watched clone, as recorded; the directory of one may be gone.
    ///
    /// # Errors
    /// Fails when the record cannot be read.
    pub async fn clones(&self) -> Result<Vec<WatchedClone>, EngineError> {
        Ok(self.store().clones().await?)
    }

    /// Every watched clone, opened, with the reason for each that cannot be.
    ///
    /// # Errors
    /// Fails when the record cannot be read.
    pub async fn places(&self) -> Result<Vec<(WatchedClone, Result<Place, EngineError>)>, EngineError> {
        let clones = self.clones().await?;
        Ok(clones.into_iter().map(|info| (info.clone(), Place::open(info))).collect())
    }

    /// The watched clone of this id or name.
    ///
    /// # Errors
    /// [`EngineError::NoSuchClone`]; [`EngineError::Open`] when its directory is gone or damaged.
    pub async fn place(&self, wanted: &str) -> Result<Place, EngineError> {
        let clones = self.clones().await?;
        let found = clones.into_iter().find(|clone| clone.id.to_string() == wanted || clone.name == wanted);
        Place::open(found.ok_or_else(|| EngineError::NoSuchClone(wanted.to_owned()))?)
    }

    /// Watches the clone in `dir`.
    ///
    /// # Errors
    /// [`EngineError::Open`] when `dir` is no clone; the record's reason when it is watched already.
    pub async fn add_clone(&self, dir: &Path, kind: CloneKind) -> Result<WatchedClone, EngineError> {
        let asked = dir.to_owned();
        let (path, remote) = blocking(move || {
            let git = Clone::open(&asked).or_else(|_| Clone::discover(&asked))?;
            let identity = git.identity()?;
            let top = identity.worktree.unwrap_or(identity.common_dir);
            let path =
                top.canonicalize().map_err(|source| EngineError::Io { doing: "find", path: top.clone(), source })?;
            Ok::<_, EngineError>((path, identity.remote))
        })
        .await?;
        let name = path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy()).into_owned();
        let remote = remote.map(|remote| remote.name);
        let id = self.store().add_clone(&NewClone { path, kind, name, remote, added_at: now() }).await?;
        self.emit(Event::CloneChanged { clone: id.to_string() });
        Ok(self.store().clone_by_id(id).await?)
    }

    /// Clones `url` into `into` (or a directory of the data directory) and watches it. Progress goes to the stream.
    ///
    /// # Errors
    /// The remote's reason; Git removes what it had begun.
    pub async fn clone_url(
        &self,
        url: &str,
        into: Option<PathBuf>,
        kind: CloneKind,
    ) -> Result<WatchedClone, EngineError> {
        let name = url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or("clone");
        let name = name.strip_suffix(".git").unwrap_or(name).to_owned();
        let dir = into.unwrap_or_else(|| self.data_dir().join("clones").join(&name));
        let run = self.begin(Kind::Clone, format!("Clone {name}"), None, None);
        let (url, engine, handle) = (url.to_owned(), self.clone(), run.clone());
        let target = dir.clone();
        let cloned = blocking(move || {
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent).map_err(|source| EngineError::Io {
                    doing: "make",
                    path: parent.to_owned(),
                    source,
                })?;
            }
            let mut say = |line: &str| engine.progress(&handle, line);
            remote::clone_from(&GitProgram::default(), &url, &target, &mut say)
                .map_err(|error| EngineError::Forge(error.into()))
        })
        .await;
        self.end(&run, cloned.as_ref().map(|_| "cloned".to_owned()));
        cloned?;
        self.add_clone(&dir, kind).await
    }

    /// Stops watching a clone. Its directory and everything recorded stay.
    ///
    /// # Errors
    /// [`EngineError::NoSuchClone`].
    pub async fn remove_clone(&self, wanted: &str) -> Result<(), EngineError> {
        let clones = self.clones().await?;
        let is_wanted = |clone: &&WatchedClone| {
            clone.id.to_string() == wanted || clone.name == wanted || clone.path == Path::new(wanted)
        };
        let id: CloneId = clones
            .iter()
            .find(is_wanted)
            .map(|clone| clone.id)
            .ok_or_else(|| EngineError::NoSuchClone(wanted.to_owned()))?;
        self.store().remove_clone(id).await?;
        self.emit(Event::CloneChanged { clone: id.to_string() });
        Ok(())
    }

    /// Fetches a clone's branches and exchanges statements with its remote.
    ///
    /// # Errors
    /// The remote's reason; everything that was there before stays usable.
    pub async fn refresh(&self, place: &Place) -> Result<(), EngineError> {
        let run = self.begin(Kind::Fetch, format!("Fetch {}", place.info.name), None, None);
        self.may_repeat_fetch(&run, place.id());
        let done = self.fetch_and_exchange(place, &run).await;
        self.end(&run, done.as_ref().map(|()| "up to date".to_owned()));
        self.emit(Event::CloneChanged { clone: place.id() });
        done
    }

    async fn fetch_and_exchange(&self, place: &Place, run: &crate::runs::Run) -> Result<(), EngineError> {
        self.fetch(place, run).await?;
        self.exchange(place).await
    }

    async fn fetch(&self, place: &Place, run: &crate::runs::Run) -> Result<(), EngineError> {
        let (forge, engine, run) = (place.forge.clone(), self.clone(), run.clone());
        blocking(move || forge.fetch(&mut |line| engine.progress(&run, line))).await
    }

    /// Fetches branches without a run of its own, as a step of something larger.
    ///
    /// # Errors
    /// The remote's reason.
    pub(crate) async fn fetch_quietly(&self, place: &Place) -> Result<(), EngineError> {
        let forge = place.forge.clone();
        blocking(move || forge.fetch(&mut |_| {})).await
    }
}
