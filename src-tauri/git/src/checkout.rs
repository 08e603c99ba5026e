//! The files of one commit (or of a merge in memory) in a directory of their own, for a tool to run in.
//!
//! The files are written from the object database as they are: no hooks, no filters, no line-ending conversion, no
//! submodules, nothing that configuration or attributes could change. So a directory holds exactly what the tree id
//! names. There is no `.git` in it.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use countersign_domain::names::TreeId;
use git2::{Oid, Repository};

use crate::clone::{Clone, oid, tree_id};
use crate::error::GitError;
use crate::text::lossy;
use crate::tree::{Entry, MAX_DEPTH, Snapshot, classify, find_tree, read_blob};

/// The largest file that is written out.
const MAX_FILE: u64 = 1 << 30;
/// The longest target of a symbolic link.
const MAX_TARGET: u64 = 4096;

/// What happens to directories named `.terraform`, where tools keep providers and modules they downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolCache {
    /// They go, like everything that is not in the tree.
    Remove,
    /// Those beside files of the tree stay.
    Keep,
}

/// A directory that holds a tree's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// Where it is.
    pub dir: PathBuf,
    /// The tree it holds.
    pub tree: TreeId,
    /// Entries that are not there because they would be dangerous or need another repository.
    pub left_out: Vec<LeftOut>,
}

/// An entry of the tree that was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its path from the repository's root; hostile text.
    pub path: String,
    /// Why, fitting "left out because …".
    pub problem: &'static str,
}

/// Why a checkout could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// The tree could not be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The directory and the clone overlap; files of the clone would be overwritten.
    #[error("{} overlaps with the clone; choose a directory outside of it", .dir.display())]
    InsideClone {
        /// The directory that was asked for.
        dir: PathBuf,
    },
    /// The directory holds files that no checkout wrote.
    #[error("{} is not empty and was not made by a checkout; choose another directory, or empty it", .dir.display())]
    NotOurs {
        /// The directory that was asked for.
        dir: PathBuf,
    },
    /// The disk is full.
    #[error("the disk is full while writing {}; the next checkout repairs it", .path.display())]
    DiskFull {
        /// The file that was being written.
        path: PathBuf,
    },
    /// A file or directory could not be read, written or removed.
    #[error("failed to write {}: {source}", .path.display())]
    Io {
        /// The path that failed.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
}

impl Clone {
    /// Makes `dir` hold exactly the files of `at`. The directory is created, or brought from an earlier checkout to
    /// this one: unchanged files stay untouched, all else goes, except what `cache` keeps. Its parent directory also
    /// gets a hidden marker file, so that no other directory is ever emptied by mistake.
    ///
    /// Only one checkout of a directory may run at a time; an interrupted one is repaired by the next.
    ///
    /// # Errors
    /// [`CheckoutError`] tells its cases apart.
    pub fn checkout<'a>(
        &self,
        at: impl Into<Snapshot<'a>>,
        dir: &Path,
        cache: ToolCache,
    ) -> Result<Checkout, CheckoutError> {
        let repo = self.repository()?;
        let tree = find_tree(&repo, at.into())?;
        refuse_overlap(&repo, dir)?;
        claim(dir)?;
        let mut writer = Writer { repo: &repo, cache, left_out: Vec::new() };
        writer.directory(&tree, dir, "", 0)?;
        Ok(Checkout { dir: dir.to_owned(), tree: tree_id(tree.id())?, left_out: writer.left_out })
    }
}

/// Removes a directory that [`Clone::checkout`] made, and its marker. Nothing happens when it is gone already.
///
/// # Errors
/// [`CheckoutError::NotOurs`] when it was not made by a checkout.
pub fn remove_checkout(dir: &Path) -> Result<(), CheckoutError> {
    let marker = marker(dir)?;
    if !marker.exists() {
        return if dir.exists() { Err(CheckoutError::NotOurs { dir: dir.to_owned() }) } else { Ok(()) };
    }
    remove(dir)?;
    remove(&marker)
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> CheckoutError {
    let path = path.to_owned();
    |source| match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => CheckoutError::DiskFull { path },
        _ => CheckoutError::Io { path, source },
    }
}

/// `…/name` → `…/.name.checkout`
fn marker(dir: &Path) -> Result<PathBuf, CheckoutError> {
    let Some(name) = dir.file_name() else { return Err(CheckoutError::NotOurs { dir: dir.to_owned() }) };
    let mut marker = OsString::from(".");
    marker.push(name);
    marker.push(".checkout");
    Ok(dir.with_file_name(marker))
}

/// Refuses a directory in the clone, and one that the clone is in.
fn refuse_overlap(repo: &Repository, dir: &Path) -> Result<(), CheckoutError> {
    let absolute = std::path::absolute(dir).map_err(io(dir))?;
    let existing = absolute.ancestors().find(|part| part.exists()).unwrap_or(&absolute);
    let rest = absolute.strip_prefix(existing).unwrap_or(Path::new(""));
    let wanted = existing.canonicalize().map_err(io(existing))?.join(rest);
    let of_clone = [repo.workdir(), Some(repo.path()), Some(repo.commondir())];
    for used in of_clone.into_iter().flatten() {
        let used = used.canonicalize().map_err(io(used))?;
        if wanted.starts_with(&used) || used.starts_with(&wanted) {
            return Err(CheckoutError::InsideClone { dir: dir.to_owned() });
        }
    }
    Ok(())
}

/// Creates the directory and its marker, or checks that it is ours.
fn claim(dir: &Path) -> Result<(), CheckoutError> {
    let marker = marker(dir)?;
    if !marker.exists() {
        if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(CheckoutError::NotOurs { dir: dir.to_owned() });
        }
        if let Some(parent) = dir.parent() {
            fs::create_dir_all(parent).map_err(io(parent))?;
        }
        fs::write(&marker, "The directory beside this file is written and emptied by Countersign.\n")
            .map_err(io(&marker))?;
    }
    ensure_directory(dir)
}

fn ensure_directory(path: &Path) -> Result<(), CheckoutError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => fs::remove_file(path).map_err(io(path))?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(io(path)(error)),
    }
    fs::create_dir(path).map_err(io(path))
}

/// Removes whatever is at `path`; of a symbolic link, the link.
fn remove(path: &Path) -> Result<(), CheckoutError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other.map_err(io(path)),
    }
}

struct Writer<'repo> {
    repo: &'repo Repository,
    cache: ToolCache,
    left_out: Vec<LeftOut>,
}

impl Writer<'_> {
    /// Every directory on the way down was checked to be a real one, so no path here leads through a link.
    fn directory(
        &mut self,
        tree: &git2::Tree<'_>,
        dir: &Path,
        prefix: &str,
        depth: usize,
    ) -> Result<(), CheckoutError> {
        self.remove_others(tree, dir)?;
        for entry in tree {
            let path = format!("{prefix}{}", lossy(entry.name_bytes()));
            let Ok(name) = entry.name().map(str::to_owned) else {
                self.leave_out(path, "its name is not UTF-8");
                continue;
            };
            if let Err(problem) = check_name(&name) {
                self.leave_out(path, problem);
                continue;
            }
            self.write(&classify(&entry)?, &dir.join(name), path, depth)?;
        }
        Ok(())
    }

    fn write(&mut self, entry: &Entry, at: &Path, path: String, depth: usize) -> Result<(), CheckoutError> {
        match entry {
            Entry::Directory(_) if depth == MAX_DEPTH => self.leave_out(path, "it is nested too deep"),
            Entry::Directory(id) => {
                ensure_directory(at)?;
                let below = find_tree(self.repo, Snapshot::Tree(id))?;
                self.directory(&below, at, &format!("{path}/"), depth + 1)?;
            }
            Entry::File(id) => self.file(oid(id.as_str())?, at, &path, Mode::Plain)?,
            Entry::Executable(id) => self.file(oid(id.as_str())?, at, &path, Mode::Executable)?,
            Entry::SymbolicLink(id) => {
                let target = read_blob(self.repo, oid(id.as_str())?, &path, MAX_TARGET)?;
                self.link(&lossy(&target), at, path)?;
            }
            Entry::Submodule(_) => self.leave_out(path, "it is a submodule"),
        }
        Ok(())
    }

    fn remove_others(&self, tree: &git2::Tree<'_>, dir: &Path) -> Result<(), CheckoutError> {
        let wanted: HashSet<String> = tree.iter().map(|entry| lossy(entry.name_bytes())).collect();
        for found in fs::read_dir(dir).map_err(io(dir))? {
            let found = found.map_err(io(dir))?;
            let name = found.file_name();
            let in_tree = name.to_str().is_some_and(|name| wanted.contains(name) && check_name(name).is_ok());
            if !in_tree && !self.keeps(&name, &found) {
                remove(&found.path())?;
            }
        }
        Ok(())
    }

    fn keeps(&self, name: &OsStr, found: &fs::DirEntry) -> bool {
        let is_directory = found.file_type().is_ok_and(|kind| kind.is_dir());
        self.cache == ToolCache::Keep && name == ".terraform" && is_directory
    }

    /// Files are never written in place: what stands there may be a link to elsewhere.
    fn file(&self, id: Oid, at: &Path, path: &str, mode: Mode) -> Result<(), CheckoutError> {
        let content = read_blob(self.repo, id, path, MAX_FILE)?;
        if is_same(at, &content, mode) {
            return Ok(());
        }
        remove(at)?;
        let mut file = mode.options().write(true).create_new(true).open(at).map_err(io(at))?;
        file.write_all(&content).map_err(io(at))
    }

    fn link(&mut self, target: &str, at: &Path, path: String) -> Result<(), CheckoutError> {
        if !stays_inside(&path, target) {
            remove(at)?;
            self.leave_out(path, "it is a symbolic link that leads out of the repository");
            return Ok(());
        }
        if fs::read_link(at).is_ok_and(|found| found == Path::new(target)) {
            return Ok(());
        }
        remove(at)?;
        make_link(target, at).map_err(io(at))
    }

    fn leave_out(&mut self, path: String, problem: &'static str) {
        self.left_out.push(LeftOut { path, problem });
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Plain,
    Executable,
}

impl Mode {
    #[cfg(unix)]
    fn options(self) -> fs::OpenOptions {
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = fs::OpenOptions::new();
        options.mode(if self == Self::Executable { 0o777 } else { 0o666 });
        options
    }

    #[cfg(not(unix))]
    fn options(self) -> fs::OpenOptions {
        fs::OpenOptions::new()
    }

    #[cfg(unix)]
    fn of(found: &fs::Metadata) -> Self {
        use std::os::unix::fs::PermissionsExt;
        if found.permissions().mode() & 0o100 == 0 { Self::Plain } else { Self::Executable }
    }

    #[cfg(not(unix))]
    fn of(_: &fs::Metadata) -> Self {
        Self::Plain
    }
}

fn is_same(at: &Path, content: &[u8], mode: Mode) -> bool {
    let Ok(found) = fs::symlink_metadata(at) else { return false };
    found.is_file()
        && found.len() == content.len() as u64
        && Mode::of(&found) == mode
        && fs::read(at).is_ok_and(|there| there == content)
}

#[cfg(unix)]
fn make_link(target: &str, at: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

#[cfg(not(unix))]
fn make_link(_: &str, _: &Path) -> std::io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// Names that Git itself would never write into a tree.
fn check_name(name: &str) -> Result<(), &'static str> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\\', '\0']) {
        return Err("its name is not one file name");
    }
    if name.eq_ignore_ascii_case(".git") {
        return Err("it is named .git");
    }
    Ok(())
}

/// True when a link at `path` with this `target` cannot lead out of the root, however other such links are arranged.
///
/// The directory of `path` is a real one, so leading `..` go where they seem to; after them only names may follow,
/// because `..` after a name would start from wherever a link of that name leads.
fn stays_inside(path: &str, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') || target.contains(['\\', '\0']) {
        return false;
    }
    let depth = path.matches('/').count();
    let parts: Vec<&str> = target.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let climbs = parts.iter().take_while(|part| **part == "..").count();
    let descends = &parts[climbs..];
    climbs <= depth && descends.iter().all(|part| *part != ".." && !part.eq_ignore_ascii_case(".git"))
}

#[cfg(test)]
mod tests {
    use super::{check_name, stays_inside};

    #[test]
    fn links_within_the_repository_are_accepted() {
        for (path, target) in [("a", "b"), ("a/b", "../c"), ("a/b/c", "../../d/e"), ("a", "./b"), ("a/b", "..")] {
            assert!(stays_inside(path, target), "{path} -> {target}");
        }
    }

    #[test]
    fn links_that_may_lead_out_are_refused() {
        // The last one leads out when `d` is itself a link to the root.
        for (path, target) in [("a", ".."), ("a/b", "../../c"), ("a", "/etc"), ("a", ""), ("p/q/e", "d/../..")] {
            assert!(!stays_inside(path, target), "{path} -> {target}");
        }
    }

    #[test]
    fn names_that_git_would_not_write_are_refused() {
        for name in ["", ".", "..", "a/b", ".git", ".GIT", "a\\b"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert!(check_name(".gitignore").is_ok());
    }
}
