//! Append-only trees of files under `refs/countersign/` on the remote, changed by compare-and-swap.
//!
//! The log of statements and the sealed bundles are shared this way. Every commit's tree holds everything its
//! parents' trees held; a remote that shows anything else has been rewound or tampered with, and the readers here say
//! so. The paths and contents in these trees come from strangers.

use countersign_domain::names::{BranchName, CommitId, quoted};
use git2::{FileMode, ObjectType, Oid, Repository};
use jiff::Timestamp;

use crate::clone::{Clone, commit_id, find_commit};
use crate::error::GitError;
use crate::merge::Signature;
use crate::remote::{Expected, Prune, RefUpdate, RemoteError};
use crate::text::lossy;
use crate::tree::{Snapshot, classify, find_tree, read_blob};

/// A lock file of another Git process in the same clone is waited for this many times.
const LOCK_TRIES: u32 = 20;
/// … for this long each.
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(25);
/// Directories in a shared tree nest at most this deep.
const MAX_DEPTH: usize = 16;

/// The name of a shared reference, always below `refs/countersign/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SharedRef(String);

impl SharedRef {
    /// `refs/countersign/log`: the statements.
    #[must_use]
    pub fn log() -> Self {
        Self("log".to_owned())
    }

    /// `refs/countersign/bundles/<key>`: the sealed bundles of one change.
    ///
    /// # Errors
    /// [`GitError::BadPath`] when `key` is not a plain lowercase path.
    pub fn bundles(key: &str) -> Result<Self, GitError> {
        Self::new(&format!("bundles/{key}"))
    }

    /// `refs/countersign/<name>`.
    ///
    /// # Errors
    /// [`GitError::BadPath`] when `name` is not a plain lowercase path, or is one of the local names kept here.
    pub fn new(name: &str) -> Result<Self, GitError> {
        let refuse = |problem| GitError::BadPath { path: name.to_owned(), problem };
        check_path(name).map_err(refuse)?;
        BranchName::new(name).map_err(|error| refuse(error.problem))?;
        if name == "remote" || name.starts_with("remote/") {
            return Err(refuse("refs/countersign/remote/ is for local copies"));
        }
        Ok(Self(name.to_owned()))
    }

    /// The full name on the remote.
    #[must_use]
    pub fn on_remote(&self) -> String {
        format!("refs/countersign/{}", self.0)
    }

    /// The full name of the local copy.
    #[must_use]
    pub fn local_copy(&self) -> String {
        format!("refs/countersign/remote/{}", self.0)
    }
}

impl std::fmt::Display for SharedRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.on_remote())
    }
}

/// Bounds on what is read from a shared tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Most bytes of one file; a larger one is reported and left out.
    pub file_bytes: u64,
    /// Most bytes of all files together; reading stops with an error beyond it.
    pub total_bytes: u64,
    /// Most files; reading stops with an error beyond it.
    pub files: usize,
}

impl Default for ReadLimits {
    /// For statements and bundles: 64 MiB a file, 1 GiB and 200,000 files in all.
    fn default() -> Self {
        Self { file_bytes: 64 << 20, total_bytes: 1 << 30, files: 200_000 }
    }
}

/// A file of a shared tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path: lowercase letters, digits and `. / - _` only.
    pub path: String,
    /// Its content; hostile until a signature or hash says otherwise.
    pub content: Vec<u8>,
}

/// Why an entry of a shared tree was left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("left out {shown}: {problem}")]
pub struct RefusedEntry {
    /// Its path, quoted and safe to print.
    pub shown: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// What was read from a shared tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entries {
    /// The files, ordered by path.
    pub files: Vec<Entry>,
    /// What was left out.
    pub refused: Vec<RefusedEntry>,
    /// Files and whole directories that an earlier commit had and this one lacks, or has with other content. Nobody
    /// who only appends causes this. Hostile text.
    pub lost: Vec<String>,
}

impl Clone {
    /// Fetches the shared reference and returns its tip; absent when the remote does not have it.
    ///
    /// The local copy follows wherever the remote went, rewound or not: compare with the tip remembered from before
    /// ([`Clone::is_ancestor`], [`Clone::read_entries_since`]).
    ///
    /// # Errors
    /// [`RemoteError`] tells its cases apart.
    pub fn fetch_ref(&self, remote: &str, name: &SharedRef) -> Result<Option<CommitId>, RemoteError> {
        let full = name.on_remote();
        let listed = self.ls_remote(remote, &[&full])?;
        let Some(tip) = listed.into_iter().find(|listed| listed.name == full) else { return Ok(None) };
        if self.resolve(&name.local_copy())?.as_ref() == Some(&tip.id) {
            return Ok(Some(tip.id));
        }
        let refspec = format!("+{full}:{}", name.local_copy());
        self.fetch_patiently(remote, &refspec)?;
        Ok(self.resolve(&name.local_copy())?)
    }

    fn fetch_patiently(&self, remote: &str, refspec: &str) -> Result<(), RemoteError> {
        let mut tries = 1;
        loop {
            match self.fetch(remote, &[refspec], Prune::Keep, &mut |_| {}) {
                Err(RemoteError::LockHeld { .. } | RemoteError::Rejected { .. }) if tries < LOCK_TRIES => {
                    std::thread::sleep(LOCK_PAUSE);
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Every file of the commit's tree.
    ///
    /// # Errors
    /// [`GitError::TooManyFiles`] or [`GitError::TooLarge`] beyond `limits`, [`GitError::Missing`] when an object is
    /// not in this clone.
    pub fn read_entries(&self, commit: &CommitId, limits: ReadLimits) -> Result<Entries, GitError> {
        let repo = self.repository()?;
        let new = find_tree(&repo, Snapshot::Commit(commit))?;
        let mut reader = Reader::new(&repo, limits);
        reader.compare(None, &new, "", 0)?;
        reader.finish()
    }

    /// The files that `new` has and `old` has not, and what `new` lost.
    ///
    /// # Errors
    /// As for [`Clone::read_entries`].
    pub fn read_entries_since(&self, old: &CommitId, new: &CommitId, limits: ReadLimits) -> Result<Entries, GitError> {
        let repo = self.repository()?;
        let (before, after) = (find_tree(&repo, Snapshot::Commit(old))?, find_tree(&repo, Snapshot::Commit(new))?);
        let mut reader = Reader::new(&repo, limits);
        reader.compare(Some(&before), &after, "", 0)?;
        reader.finish()
    }

    /// Writes a commit whose tree is `parent`'s and `files`; what `parent` already has stays as it is. Returns
    /// `parent` itself when there is nothing to add.
    ///
    /// # Errors
    /// [`GitError::BadPath`] for a path that readers would refuse, and failures to write.
    pub fn append(
        &self,
        parent: Option<&CommitId>,
        files: &[(String, Vec<u8>)],
        message: &str,
    ) -> Result<CommitId, GitError> {
        let repo = self.repository()?;
        let base = parent.map(|commit| find_tree(&repo, Snapshot::Commit(commit))).transpose()?;
        let mut additions = Vec::new();
        for (path, content) in files {
            check_path(path).map_err(|problem| GitError::BadPath { path: path.clone(), problem })?;
            let is_there = base.as_ref().is_some_and(|base| base.get_path(path.as_ref()).is_ok());
            if !is_there {
                additions.push((path.clone(), write(&repo, content)?));
            }
        }
        match parent {
            Some(parent) if additions.is_empty() => Ok(parent.clone()),
            _ => commit_additions(&repo, base, &additions, parent.into_iter(), message),
        }
    }

    /// Writes a commit whose tree holds everything that any of `tips` holds, with all of them as parents; where two
    /// differ about one path, the earlier tip wins. Heals a rewound reference without losing what came after.
    ///
    /// # Errors
    /// Fails when a tip is missing or an object cannot be written.
    pub fn union(&self, first: &CommitId, others: &[CommitId], message: &str) -> Result<CommitId, GitError> {
        let repo = self.repository()?;
        let mut base = find_tree(&repo, Snapshot::Commit(first))?;
        for other in others {
            let other = find_tree(&repo, Snapshot::Commit(other))?;
            let mut additions = Vec::new();
            missing_from(&repo, &base, &other, "", 0, &mut additions)?;
            base = with_additions(&repo, Some(base), &additions)?;
        }
        let parents = std::iter::once(first).chain(others);
        write_commit(&repo, &base, parents, message)
    }

    /// Sets the shared reference on the remote to `new` (or deletes it), if and only if it is `expected` now.
    ///
    /// # Errors
    /// [`RemoteError::Rejected`] when it is not: fetch, append again, and retry.
    pub fn push_if(
        &self,
        remote: &str,
        name: &SharedRef,
        expected: Option<&CommitId>,
        new: Option<&CommitId>,
    ) -> Result<(), RemoteError> {
        if expected.is_none() && new.is_none() {
            return Ok(());
        }
        let update =
            RefUpdate { reference: name.on_remote(), expected: Expected::from(expected.cloned()), new: new.cloned() };
        self.push(remote, &[update])
    }
}

/// Walks two trees side by side and only into what differs.
struct Reader<'repo> {
    repo: &'repo Repository,
    limits: ReadLimits,
    found: Entries,
    bytes: u64,
}

impl<'repo> Reader<'repo> {
    fn new(repo: &'repo Repository, limits: ReadLimits) -> Self {
        Self { repo, limits, found: Entries::default(), bytes: 0 }
    }

    fn finish(mut self) -> Result<Entries, GitError> {
        self.found.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(self.found)
    }

    fn compare(
        &mut self,
        old: Option<&git2::Tree<'_>>,
        new: &git2::Tree<'_>,
        prefix: &str,
        depth: usize,
    ) -> Result<(), GitError> {
        for entry in new {
            let path = format!("{prefix}{}", lossy(entry.name_bytes()));
            let before = old.and_then(|old| old.get_name_bytes(entry.name_bytes()));
            match before {
                Some(before) if before.id() == entry.id() => {}
                before => self.visit(before.as_ref(), &entry, path, depth)?,
            }
        }
        let Some(old) = old else { return Ok(()) };
        for entry in old {
            if new.get_name_bytes(entry.name_bytes()).is_none() {
                self.found.lost.push(format!("{prefix}{}", lossy(entry.name_bytes())));
            }
        }
        Ok(())
    }

    fn visit(
        &mut self,
        before: Option<&git2::TreeEntry<'_>>,
        entry: &git2::TreeEntry<'_>,
        path: String,
        depth: usize,
    ) -> Result<(), GitError> {
        if let Err(problem) = check_path(&path) {
            return self.refuse(&path, problem);
        }
        let before_tree = before.filter(|old| old.kind() == Some(ObjectType::Tree));
        let entry_now = classify(entry)?;
        let stays_directory = before_tree.is_some() && matches!(entry_now, crate::tree::Entry::Directory(_));
        if before.is_some() && !stays_directory {
            self.found.lost.push(path.clone());
        }
        match entry_now {
            crate::tree::Entry::Directory(_) if depth == MAX_DEPTH => self.refuse(&path, "it is nested too deep"),
            crate::tree::Entry::Directory(id) => {
                let new = find_tree(self.repo, Snapshot::Tree(&id))?;
                let old = before_tree.map(|old| self.repo.find_tree(old.id())).transpose();
                let old = old.map_err(|error| GitError::library("read a shared tree", &error))?;
                self.compare(old.as_ref(), &new, &format!("{path}/"), depth + 1)
            }
            crate::tree::Entry::File(_) | crate::tree::Entry::Executable(_) => self.read(entry.id(), path),
            crate::tree::Entry::SymbolicLink(_) => self.refuse(&path, "it is a symbolic link"),
            crate::tree::Entry::Submodule(_) => self.refuse(&path, "it is a submodule"),
        }
    }

    fn read(&mut self, id: Oid, path: String) -> Result<(), GitError> {
        if self.found.files.len() == self.limits.files {
            return Err(GitError::TooManyFiles { path, limit: self.limits.files });
        }
        let content = match read_blob(self.repo, id, &path, self.limits.file_bytes) {
            Ok(content) => content,
            Err(GitError::TooLarge { path, .. }) => return self.refuse(&path, "it is too large"),
            Err(error) => return Err(error),
        };
        self.bytes += content.len() as u64;
        if self.bytes > self.limits.total_bytes {
            return Err(GitError::TooLarge { path, bytes: self.bytes, limit: self.limits.total_bytes });
        }
        self.found.files.push(Entry { path, content });
        Ok(())
    }

    fn refuse(&mut self, path: &str, problem: &'static str) -> Result<(), GitError> {
        if self.found.refused.len() == self.limits.files {
            return Err(GitError::TooManyFiles { path: path.to_owned(), limit: self.limits.files });
        }
        self.found.refused.push(RefusedEntry { shown: quoted(path), problem });
        Ok(())
    }
}

/// Only what every file system and every shell takes literally.
fn check_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() || path.len() > 255 {
        return Err("it is empty or longer than 255 bytes");
    }
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'/' | b'-' | b'_');
    if !path.bytes().all(allowed) {
        return Err("only lowercase letters, digits and . / - _ are allowed");
    }
    if path.split('/').any(|part| part.is_empty() || part.starts_with(['.', '-'])) {
        return Err("a part of it is empty or starts with a dot or a dash");
    }
    Ok(())
}

/// The entries of `other`, as paths and blobs, that `base` has nothing in the place of.
fn missing_from(
    repo: &Repository,
    base: &git2::Tree<'_>,
    other: &git2::Tree<'_>,
    prefix: &str,
    depth: usize,
    additions: &mut Vec<(String, Oid)>,
) -> Result<(), GitError> {
    let failed = |error: git2::Error| GitError::library("read a shared tree", &error);
    for entry in other {
        let path = format!("{prefix}{}", lossy(entry.name_bytes()));
        let here = base.get_name_bytes(entry.name_bytes());
        if here.as_ref().is_some_and(|here| here.id() == entry.id()) || check_path(&path).is_err() {
            continue;
        }
        match (entry.kind(), here) {
            (Some(ObjectType::Blob), None) if entry.filemode_raw() != i32::from(FileMode::Link) => {
                additions.push((path, entry.id()));
            }
            (Some(ObjectType::Tree), here) if depth < MAX_DEPTH => {
                let below = repo.find_tree(entry.id()).map_err(failed)?;
                let base = match here {
                    Some(here) if here.kind() == Some(ObjectType::Tree) => repo.find_tree(here.id()),
                    Some(_) => continue,
                    None => empty_tree(repo),
                };
                missing_from(repo, &base.map_err(failed)?, &below, &format!("{path}/"), depth + 1, additions)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn write(repo: &Repository, content: &[u8]) -> Result<Oid, GitError> {
    repo.blob(content).map_err(|error| GitError::library("write an object", &error))
}

fn empty_tree(repo: &Repository) -> Result<git2::Tree<'_>, git2::Error> {
    repo.find_tree(repo.treebuilder(None)?.write()?)
}

fn with_additions<'repo>(
    repo: &'repo Repository,
    base: Option<git2::Tree<'repo>>,
    additions: &[(String, Oid)],
) -> Result<git2::Tree<'repo>, GitError> {
    let failed = |error: git2::Error| GitError::library("write a shared tree", &error);
    let base = match base {
        Some(base) => base,
        None => empty_tree(repo).map_err(failed)?,
    };
    let mut update = git2::build::TreeUpdateBuilder::new();
    for (path, id) in additions {
        update.upsert(path.as_str(), *id, FileMode::Blob);
    }
    let tree = update.create_updated(repo, &base).map_err(failed)?;
    repo.find_tree(tree).map_err(failed)
}

fn commit_additions<'a>(
    repo: &Repository,
    base: Option<git2::Tree<'_>>,
    additions: &[(String, Oid)],
    parents: impl Iterator<Item = &'a CommitId>,
    message: &str,
) -> Result<CommitId, GitError> {
    let base = base.map(|base| repo.find_tree(base.id())).transpose();
    let base = base.map_err(|error| GitError::library("read a shared tree", &error))?;
    let tree = with_additions(repo, base, additions)?;
    write_commit(repo, &tree, parents, message)
}

fn write_commit<'a>(
    repo: &Repository,
    tree: &git2::Tree<'_>,
    parents: impl Iterator<Item = &'a CommitId>,
    message: &str,
) -> Result<CommitId, GitError> {
    let parents = parents.map(|id| find_commit(repo, id)).collect::<Result<Vec<_>, _>>()?;
    let parents: Vec<&git2::Commit<'_>> = parents.iter().collect();
    // Who may say what is proven by signatures in the files; the commit itself speaks for nobody.
    let author =
        Signature { name: "countersign".to_owned(), email: "countersign@localhost".to_owned(), time: Timestamp::now() };
    let author = author.to_git()?;
    let id = repo
        .commit(None, &author, &author, message, tree, &parents)
        .map_err(|error| GitError::library("write a commit", &error))?;
    commit_id(id)
}
