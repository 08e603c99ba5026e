//! The one way from this room to the files of a repository, so that the same code reads a Git tree and a directory.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use countersign_domain::names::{UnitPath, quoted};

/// Largest file that is read, in bytes. The largest of 33,888 public configuration files is far below it.
pub const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// How many symbolic links are followed for one file, as many hosts do.
const MAX_LINKS: usize = 8;

/// What a directory holds under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; reading it yields its target.
    Link,
    /// Anything else: a submodule, a device.
    Other,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name, without any `/`.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// Why a file or a directory could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// There is no such file or directory.
    #[error("find {path}: it is not in the repository; check the path, or whether it was committed")]
    Missing {
        /// The path from the repository's root, safe to print.
        path: String,
    },
    /// The file is larger than [`MAX_FILE_BYTES`].
    #[error("read {path}: it has more than {limit} bytes; configuration files are far smaller, so it was left out")]
    TooLarge {
        /// The path from the repository's root, safe to print.
        path: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// A symbolic link leaves the repository, is absolute or goes round in circles.
    #[error("follow the symbolic link {path}: {problem}; replace it with a relative link inside the repository")]
    Link {
        /// The link's path from the repository's root, safe to print.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The system or Git said no.
    #[error("read {path}: {problem}")]
    Source {
        /// The path from the repository's root, safe to print.
        path: String,
        /// What the source said.
        problem: String,
    },
}

impl FilesError {
    /// Wraps what another source of files (such as a Git tree) said about `path`.
    #[must_use]
    pub fn source(path: &str, problem: impl std::fmt::Display) -> Self {
        Self::Source { path: quoted(path), problem: problem.to_string() }
    }

    /// There is nothing at `path`.
    #[must_use]
    pub fn missing(path: &str) -> Self {
        Self::Missing { path: quoted(path) }
    }
}

/// Files of one repository at one moment. Paths go from its root and are `/`-separated.
pub trait Files {
    /// What the directory holds, sorted by name, `.git` left out. Entries whose names are not UTF-8 may be left out.
    ///
    /// # Errors
    /// [`FilesError::Missing`] when it is no directory of the repository.
    fn list(&self, dir: &UnitPath) -> Result<Vec<Entry>, FilesError>;

    /// The bytes of the file at `path`; of a symbolic link, its target as text, never followed.
    ///
    /// # Errors
    /// [`FilesError::Missing`] when there is none, [`FilesError::TooLarge`] over [`MAX_FILE_BYTES`].
    fn read(&self, path: &str) -> Result<Vec<u8>, FilesError>;
}

/// `name` inside `dir`, as a path from the repository's root.
#[must_use]
pub fn join(dir: &UnitPath, name: &str) -> String {
    if dir.is_root() { name.to_owned() } else { format!("{dir}/{name}") }
}

/// Follows `relative` (which may hold `.` and `..`) from `dir`; nothing when it leaves the repository.
#[must_use]
pub fn resolve(dir: &UnitPath, relative: &str) -> Option<String> {
    if relative.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = if dir.is_root() { Vec::new() } else { dir.as_str().split('/').collect() };
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
}

/// The bytes of the entry, symbolic links followed as long as they stay in the repository.
///
/// # Errors
/// [`FilesError`], as for [`Files::read`] and [`follow_link`]; a link to anything but a file is refused, too.
pub fn read_entry(files: &dyn Files, dir: &UnitPath, entry: &Entry) -> Result<Vec<u8>, FilesError> {
    let path = join(dir, &entry.name);
    if entry.kind != EntryKind::Link {
        return files.read(&path);
    }
    match follow_link(files, dir, &entry.name)? {
        (target, EntryKind::File) => files.read(&target),
        _ => Err(FilesError::Link { path: quoted(&path), problem: "it does not lead to a file" }),
    }
}

/// Where the symbolic link `name` in `dir` leads in the end, and what is there.
///
/// # Errors
/// [`FilesError::Link`] when it leaves the repository, leads nowhere or goes round in circles.
pub fn follow_link(files: &dyn Files, dir: &UnitPath, name: &str) -> Result<(String, EntryKind), FilesError> {
    let refuse = |problem| FilesError::Link { path: quoted(&join(dir, name)), problem };
    let (mut here, mut name) = (dir.clone(), name.to_owned());
    for _ in 0..MAX_LINKS {
        let target = files.read(&join(&here, &name))?;
        let target = String::from_utf8(target).map_err(|_| refuse("its target is not UTF-8"))?;
        let next = resolve(&here, &target).ok_or_else(|| refuse("it leaves the repository"))?;
        match locate(files, &next)? {
            None => return Err(refuse("its target does not exist")),
            Some(EntryKind::Link) => {}
            Some(kind) => return Ok((next, kind)),
        }
        (here, name) = parent_and_name(&next).ok_or_else(|| refuse("its target is not a valid path"))?;
    }
    Err(refuse("it goes through too many links"))
}

/// What is at `path`; nothing when nothing is.
///
/// # Errors
/// [`FilesError`] when the directory it would be in cannot be listed.
pub fn locate(files: &dyn Files, path: &str) -> Result<Option<EntryKind>, FilesError> {
    if path == "." {
        return Ok(Some(EntryKind::Directory));
    }
    let Some((parent, name)) = parent_and_name(path) else { return Ok(None) };
    match files.list(&parent) {
        Ok(entries) => Ok(entries.into_iter().find(|entry| entry.name == name).map(|entry| entry.kind)),
        Err(FilesError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn parent_and_name(path: &str) -> Option<(UnitPath, String)> {
    let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
    Some((UnitPath::new(parent).ok()?, name.to_owned()))
}

/// A directory on disk, such as a clone's working tree.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Files below `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The place of `path` on disk. A symbolic link on the way to it is refused: it could lead out of the repository.
    fn locate(&self, path: &str) -> Result<PathBuf, FilesError> {
        let mut place = self.root.clone();
        let parts: Vec<&str> = path.split('/').filter(|part| *part != ".").collect();
        for (index, part) in parts.iter().enumerate() {
            if *part == ".." || part.is_empty() {
                return Err(FilesError::missing(path));
            }
            place.push(part);
            if index + 1 < parts.len() && is_link(&place) {
                return Err(FilesError::Link { path: quoted(path), problem: "a directory on the way to it is a link" });
            }
        }
        Ok(place)
    }
}

fn is_link(place: &Path) -> bool {
    fs::symlink_metadata(place).is_ok_and(|meta| meta.is_symlink())
}

fn from_io(path: &str, error: &std::io::Error) -> FilesError {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => FilesError::missing(path),
        _ => FilesError::source(path, error),
    }
}

impl Files for Directory {
    fn list(&self, dir: &UnitPath) -> Result<Vec<Entry>, FilesError> {
        let place = self.locate(dir.as_str())?;
        if !dir.is_root() && is_link(&place) {
            return Err(FilesError::Link { path: quoted(dir.as_str()), problem: "the directory is a link" });
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(&place).map_err(|error| from_io(dir.as_str(), &error))? {
            let entry = entry.map_err(|error| from_io(dir.as_str(), &error))?;
            let kind = entry.file_type().map_err(|error| from_io(dir.as_str(), &error))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name == ".git" {
                continue;
            }
            let kind = match kind {
                kind if kind.is_symlink() => EntryKind::Link,
                kind if kind.is_dir() => EntryKind::Directory,
                kind if kind.is_file() => EntryKind::File,
                _ => EntryKind::Other,
            };
            entries.push(Entry { name, kind });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, FilesError> {
        let place = self.locate(path)?;
        let meta = fs::symlink_metadata(&place).map_err(|error| from_io(path, &error))?;
        if meta.is_symlink() {
            let target = fs::read_link(&place).map_err(|error| from_io(path, &error))?;
            return Ok(target.into_os_string().into_encoded_bytes());
        }
        if !meta.is_file() {
            return Err(FilesError::missing(path));
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(&place).map_err(|error| from_io(path, &error))?;
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| from_io(path, &error))?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(FilesError::TooLarge { path: quoted(path), limit: MAX_FILE_BYTES });
        }
        Ok(bytes)
    }
}

/// Files held in memory, by path: for tests and for sources that are read as a whole.
#[derive(Debug, Clone, Default)]
pub struct InMemory {
    files: std::collections::BTreeMap<String, Vec<u8>>,
}

impl InMemory {
    /// Holds `content` at `path`, instead of what was there.
    pub fn insert(&mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.files.insert(path.into(), content.into());
    }
}

impl<P: Into<String>, C: Into<Vec<u8>>> FromIterator<(P, C)> for InMemory {
    fn from_iter<I: IntoIterator<Item = (P, C)>>(files: I) -> Self {
        Self { files: files.into_iter().map(|(path, content)| (path.into(), content.into())).collect() }
    }
}

impl Files for InMemory {
    fn list(&self, dir: &UnitPath) -> Result<Vec<Entry>, FilesError> {
        let prefix = if dir.is_root() { String::new() } else { format!("{dir}/") };
        let mut entries: Vec<Entry> = Vec::new();
        for path in self.files.keys() {
            let Some(rest) = path.strip_prefix(&prefix) else { continue };
            let (name, kind) = match rest.split_once('/') {
                Some((name, _)) => (name, EntryKind::Directory),
                None => (rest, EntryKind::File),
            };
            if entries.iter().all(|entry| entry.name != name) {
                entries.push(Entry { name: name.to_owned(), kind });
            }
        }
        if entries.is_empty() && !dir.is_root() {
            return Err(FilesError::missing(dir.as_str()));
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, FilesError> {
        self.files.get(path).cloned().ok_or_else(|| FilesError::missing(path))
    }
}
