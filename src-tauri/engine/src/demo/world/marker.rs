//! Which directories are ours: a world's is marked while it is built and, by a file written last, when it is whole.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::WorldError;

/// Stands in the directory of a whole world.
const FILE: &str = "world.json";
/// Stands in the directory while a world is built or removed, and holds what only building needs.
const SCRATCH: &str = ".countersign-world-unfinished";
/// What `format` says in [`FILE`].
const FORMAT: &str = "countersign demo world";
/// Raised whenever a world of an older program would not do.
const VERSION: u32 = 1;
/// Everything else that building puts into the directory.
const PARTS: [&str; 6] = ["remotes", "clones", "data", "secrets", "state", "cloud"];

#[derive(Serialize, Deserialize)]
struct Marker {
    format: String,
    version: u32,
    dir: String,
}

/// The directory for what only building needs.
pub(super) fn scratch(dir: &Path) -> PathBuf {
    dir.join(SCRATCH)
}

/// Takes an empty or missing directory for a new world; gives its absolute path, links resolved.
pub(super) fn claim(dir: &Path) -> Result<PathBuf, WorldError> {
    fs::create_dir_all(dir).map_err(WorldError::io("create", dir))?;
    let dir = dir.canonicalize().map_err(WorldError::io("find", dir))?;
    if scratch(&dir).exists() {
        return Err(WorldError::HalfBuilt(dir));
    }
    if !is_empty(&dir)? {
        return Err(WorldError::Occupied(dir));
    }
    match fs::create_dir(scratch(&dir)) {
        Ok(()) => Ok(dir),
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(WorldError::HalfBuilt(dir)),
        Err(error) => Err(WorldError::io("write into", &dir)(error)),
    }
}

/// Marks the world as whole.
pub(super) fn finish(dir: &Path) -> Result<(), WorldError> {
    let marker = Marker { format: FORMAT.to_owned(), version: VERSION, dir: dir.to_string_lossy().into_owned() };
    let (new, path) = (scratch(dir).join(FILE), dir.join(FILE));
    let text = serde_json::to_string_pretty(&marker).unwrap_or_default();
    fs::write(&new, text).map_err(WorldError::io("write", &new))?;
    fs::rename(&new, &path).map_err(WorldError::io("write", &path))?;
    remove_dir(&scratch(dir))
}

/// The absolute path of the whole world in `dir`; nothing when there is none.
pub(super) fn find(dir: &Path) -> Result<Option<PathBuf>, WorldError> {
    let Ok(dir) = dir.canonicalize() else { return Ok(None) };
    let Some(marker) = read(&dir)? else {
        return if scratch(&dir).exists() { Err(WorldError::HalfBuilt(dir)) } else { Ok(None) };
    };
    if Path::new(&marker.dir) != dir {
        return Err(WorldError::Moved { dir, built_in: marker.dir });
    }
    Ok(Some(dir))
}

/// Removes what building puts into a directory, if it is a world's.
pub(super) fn remove(dir: &Path) -> Result<(), WorldError> {
    let Ok(dir) = dir.canonicalize() else { return Ok(()) };
    if !is_ours(&dir) {
        return if is_empty(&dir)? { Ok(()) } else { Err(WorldError::Occupied(dir)) };
    }
    // From here on it counts as unfinished, until the last part is gone.
    let scratch = scratch(&dir);
    fs::create_dir_all(&scratch).map_err(WorldError::io("write into", &dir))?;
    let file = dir.join(FILE);
    match fs::remove_file(&file) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(WorldError::io("remove", &file)(error)),
        _ => {}
    }
    for part in PARTS {
        remove_dir(&dir.join(part))?;
    }
    remove_dir(&scratch)?;
    // Fails when other things are left, which are not ours.
    fs::remove_dir(&dir).ok();
    Ok(())
}

/// Also true of a world of another version, or one that was moved: it may be removed, though not used.
fn is_ours(dir: &Path) -> bool {
    scratch(dir).is_dir()
        || fs::read(dir.join(FILE))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
            .is_some_and(|marker| marker["format"] == FORMAT)
}

fn read(dir: &Path) -> Result<Option<Marker>, WorldError> {
    let path = dir.join(FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(WorldError::io("read", &path)(error)),
    };
    // Somebody else's `world.json` is no world; only ours can be damaged.
    if !is_ours(dir) {
        return Ok(None);
    }
    let marker: Marker = serde_json::from_slice(&bytes)
        .map_err(|error| WorldError::Marker { path: path.clone(), problem: error.to_string() })?;
    if marker.version != VERSION {
        let problem = format!("it has version {}, not {VERSION}", marker.version);
        return Err(WorldError::Marker { path, problem });
    }
    Ok(Some(marker))
}

fn is_empty(dir: &Path) -> Result<bool, WorldError> {
    let mut entries = fs::read_dir(dir).map_err(WorldError::io("read", dir))?;
    Ok(entries.next().is_none())
}

/// Never follows a link.
fn remove_dir(path: &Path) -> Result<(), WorldError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(WorldError::io("remove", path)(error)),
        _ => Ok(()),
    }
}
