//! What a command works on: the data directory, the clone that `-C` names, the change that an id names.

use std::path::{Path, PathBuf};

use countersign_api::{Host, dto};
use countersign_domain::names::ChangeId;
use countersign_engine::changes::{ChangeView, CloneView};
use countersign_engine::place::Place;
use countersign_engine::{Engine, EngineError};

use crate::args::Global;
use crate::failure::Failure;

/// An open data directory.
pub(crate) struct Session {
    pub(crate) host: Host,
    clone_dir: Option<PathBuf>,
}

/// A change with the clone it is in.
pub(crate) struct Found {
    pub(crate) place: Place,
    pub(crate) clone: CloneView,
    pub(crate) id: ChangeId,
}

impl Session {
    pub(crate) async fn open(global: &Global) -> Result<Self, Failure> {
        let engine = Engine::open(&data_dir(global)?).await?;
        Ok(Self { host: Host::new(engine), clone_dir: global.clone_dir.clone() })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.host.engine
    }

    /// The directory that `-C` names.
    pub(crate) fn clone_dir(&self) -> Option<&Path> {
        self.clone_dir.as_deref()
    }

    /// The id of the watched clone that `-C` names; none without `-C`.
    pub(crate) async fn narrowed(&self) -> Result<Option<String>, Failure> {
        let Some(dir) = &self.clone_dir else { return Ok(None) };
        let found = self.watched_in(dir).await?;
        let none = || {
            Failure::usage(format!("no watched clone is in {}", dir.display()))
                .hint("`countersign clone list` names the watched clones, `countersign clone add DIR` adds one")
        };
        found.ok_or_else(none).map(Some)
    }

    /// The id of the innermost watched clone that `dir` lies in.
    async fn watched_in(&self, dir: &Path) -> Result<Option<String>, Failure> {
        let dir = std::path::absolute(dir).and_then(|dir| dir.canonicalize());
        let dir = dir.map_err(|error| Failure::usage(format!("failed to find the directory of -C: {error}")))?;
        let clones = self.engine().clones().await?;
        let inside = clones.iter().filter(|clone| dir.starts_with(&clone.path));
        Ok(inside.max_by_key(|clone| clone.path.components().count()).map(|clone| clone.id.to_string()))
    }

    /// The change of this id: in the clone of `-C`, else in any clone; where several have one of that id, in the clone
    /// that this is run in.
    pub(crate) async fn find(&self, id: &str) -> Result<Found, Failure> {
        let narrowed = self.narrowed().await?;
        let found = match self.engine().find_change(narrowed.as_deref(), id).await {
            Err(error @ EngineError::AmbiguousChange { .. }) => match self.watched_in(Path::new(".")).await? {
                Some(here) => self.engine().find_change(Some(&here), id).await?,
                None => return Err(error.into()),
            },
            found => found?,
        };
        let (place, clone, id) = found;
        Ok(Found { place, clone, id })
    }

    /// Fetches the clone of `-C`, or every watched clone.
    ///
    /// # Errors
    /// The first remote's reason: what could not be fetched must not be judged as if it had been.
    pub(crate) async fn fetch(&self) -> Result<(), Failure> {
        let narrowed = self.narrowed().await?;
        for (info, place) in self.engine().places().await? {
            if narrowed.as_ref().is_none_or(|wanted| *wanted == info.id.to_string()) {
                self.engine().refresh(&place?).await?;
            }
        }
        Ok(())
    }
}

impl Found {
    pub(crate) fn view(&self) -> Result<&ChangeView, Failure> {
        self.clone.change(&self.id).ok_or_else(|| EngineError::NoSuchChange(self.id.to_string()).into())
    }

    /// The change as the commands of the api name it.
    pub(crate) fn reference(&self) -> dto::ChangeRef {
        dto::ChangeRef { clone: self.place.id(), change: self.id.to_string() }
    }

    /// Refuses when `wanted` is given and is not the newest commit.
    pub(crate) fn must_be_at(&self, wanted: Option<&str>) -> Result<(), Failure> {
        let head = self.view()?.change.head.as_str();
        let fits = wanted.is_none_or(|wanted| wanted.len() >= 7 && head.starts_with(wanted));
        if fits {
            return Ok(());
        }
        let wanted = countersign_domain::names::quoted(wanted.unwrap_or_default());
        let message = format!("the newest commit of {} is {head}, not {wanted}", self.id);
        Err(Failure::not_now(message)
            .kept("nothing was signed and nothing was changed")
            .hint(format!("look at it again with `countersign change show {}`", self.id)))
    }
}

/// The data directory: `--data-dir` or its variable, else `countersign` in the user's data directory.
pub(crate) fn data_dir(global: &Global) -> Result<PathBuf, Failure> {
    if let Some(dir) = &global.data_dir {
        return Ok(dir.clone());
    }
    let none = || {
        Failure::usage("there is no home directory to keep the record in")
            .hint("name a directory with --data-dir or COUNTERSIGN_DATA_DIR")
    };
    Ok(dirs::data_dir().ok_or_else(none)?.join("countersign"))
}
