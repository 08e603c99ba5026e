//! Files and directories of a commit, read from the object database. Symbolic links are seen, never followed.

use countersign_domain::names::{CommitId, TreeId, UnitPath};
use git2::{Oid, Repository};

use crate::clone::{Clone, commit_id, find_commit, oid, tree_id};
use crate::error::GitError;
use crate::text::lossy;

/// Most files that one listing returns.
pub const MAX_FILES: usize = 500_000;

/// Directories nest at most this deep; deeper trees are hostile.
pub(crate) const MAX_DEPTH: usize = 200;

/// The id of a blob: 40 lowercase hexadecimal digits, made from the content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(String);

impl ObjectId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Oid> for ObjectId {
    fn from(id: Oid) -> Self {
        Self(id.to_string())
    }
}

/// A state of the files: a commit's, or a tree's that no commit has yet (such as a merge in memory).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snapshot<'a> {
    /// The files of a commit.
    Commit(&'a CommitId),
    /// The files of a tree.
    Tree(&'a TreeId),
}

impl<'a> From<&'a CommitId> for Snapshot<'a> {
    fn from(id: &'a CommitId) -> Self {
        Self::Commit(id)
    }
}

impl<'a> From<&'a TreeId> for Snapshot<'a> {
    fn from(id: &'a TreeId) -> Self {
        Self::Tree(id)
    }
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A directory.
    Directory(TreeId),
    /// A regular file.
    File(ObjectId),
    /// A regular file with the executable bit.
    Executable(ObjectId),
    /// A symbolic link; the object holds its target.
    SymbolicLink(ObjectId),
    /// A submodule's commit, in another repository.
    Submodule(CommitId),
}

impl Entry {
    /// The object's id as text: it changes exactly when the content does.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Directory(id) => id.as_str(),
            Self::File(id) | Self::Executable(id) | Self::SymbolicLink(id) => id.as_str(),
            Self::Submodule(id) => id.as_str(),
        }
    }
}

/// One file of a listing. Links and submodules are listed too, directories are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Its path from the repository's root; hostile text, lossy where it is not UTF-8.
    pub path: String,
    /// What it is; never [`Entry::Directory`].
    pub entry: Entry,
}

impl Clone {
    /// The tree of a commit.
    ///
    /// # Errors
    /// [`GitError::Missing`] when the commit is not in this clone.
    pub fn tree_of(&self, commit: &CommitId) -> Result<TreeId, GitError> {
        tree_id(find_commit(&self.repository()?, commit)?.tree_id())
    }

    /// What `path` leads to; absent when there is nothing. The root is `.`.
    ///
    /// # Errors
    /// [`GitError::SymbolicLink`] when a directory on the way is a link.
    pub fn entry<'a>(&self, at: impl Into<Snapshot<'a>>, path: &UnitPath) -> Result<Option<Entry>, GitError> {
        let repo = self.repository()?;
        let root = find_tree(&repo, at.into())?;
        find_entry(&repo, &root, path)
    }

    /// The content of the file at `path`; absent when there is nothing.
    ///
    /// # Errors
    /// [`GitError::SymbolicLink`] for a link or a path through one, [`GitError::NotAFile`] for a directory or
    /// submodule, [`GitError::TooLarge`] beyond `max_bytes`, before the content is read.
    pub fn read_file<'a>(
        &self,
        at: impl Into<Snapshot<'a>>,
        path: &UnitPath,
        max_bytes: u64,
    ) -> Result<Option<Vec<u8>>, GitError> {
        let repo = self.repository()?;
        let root = find_tree(&repo, at.into())?;
        match find_entry(&repo, &root, path)? {
            None => Ok(None),
            Some(Entry::File(id) | Entry::Executable(id)) => {
                read_blob(&repo, oid(id.as_str())?, path.as_str(), max_bytes).map(Some)
            }
            Some(Entry::SymbolicLink(_)) => Err(GitError::SymbolicLink { path: path.to_string() }),
            Some(Entry::Directory(_) | Entry::Submodule(_)) => Err(GitError::NotAFile { path: path.to_string() }),
        }
    }

    /// The target of the symbolic link at `path`, as written; absent when there is no link. Hostile text.
    ///
    /// # Errors
    /// Fails when the tree cannot be read, or when the target is longer than 4096 bytes.
    pub fn read_link<'a>(&self, at: impl Into<Snapshot<'a>>, path: &UnitPath) -> Result<Option<String>, GitError> {
        let repo = self.repository()?;
        let root = find_tree(&repo, at.into())?;
        let Some(Entry::SymbolicLink(id)) = find_entry(&repo, &root, path)? else { return Ok(None) };
        read_blob(&repo, oid(id.as_str())?, path.as_str(), 4096).map(|target| Some(lossy(&target)))
    }

    /// All files below `dir`, in Git's order; empty when there is no such directory.
    ///
    /// # Errors
    /// [`GitError::TooManyFiles`] beyond [`MAX_FILES`], or when the tree cannot be read.
    pub fn list_files<'a>(&self, at: impl Into<Snapshot<'a>>, dir: &UnitPath) -> Result<Vec<FileEntry>, GitError> {
        let repo = self.repository()?;
        let Some(tree) = find_directory(&repo, at.into(), dir)? else { return Ok(Vec::new()) };
        let prefix = if dir.is_root() { String::new() } else { format!("{dir}/") };
        let mut files = Vec::new();
        collect(&repo, &tree, &prefix, 0, &mut files)?;
        Ok(files)
    }

    /// Path and content of every regular file below `dir` whose path `wanted` accepts, opened once for all of them.
    ///
    /// # Errors
    /// As for [`Clone::list_files`], and [`GitError::TooLarge`] when one wanted file exceeds `max_bytes`.
    pub fn read_files<'a>(
        &self,
        at: impl Into<Snapshot<'a>>,
        dir: &UnitPath,
        max_bytes: u64,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<(String, Vec<u8>)>, GitError> {
        let listed = self.list_files(at, dir)?;
        let repo = self.repository()?;
        let mut files = Vec::new();
        for FileEntry { path, entry } in listed {
            let (Entry::File(id) | Entry::Executable(id)) = entry else { continue };
            if wanted(&path) {
                let content = read_blob(&repo, oid(id.as_str())?, &path, max_bytes)?;
                files.push((path, content));
            }
        }
        Ok(files)
    }

    /// Writes `content` into the object database and returns its id.
    ///
    /// # Errors
    /// Fails when the object cannot be written.
    pub fn write_blob(&self, content: &[u8]) -> Result<ObjectId, GitError> {
        let repo = self.repository()?;
        repo.blob(content).map(ObjectId::from).map_err(|error| GitError::library("write an object", &error))
    }

    /// The content of a blob.
    ///
    /// # Errors
    /// [`GitError::Missing`] when it is not in this clone, [`GitError::TooLarge`] beyond `max_bytes`.
    pub fn read_blob(&self, id: &ObjectId, max_bytes: u64) -> Result<Vec<u8>, GitError> {
        read_blob(&self.repository()?, oid(id.as_str())?, id.as_str(), max_bytes)
    }
}

pub(crate) fn find_tree<'repo>(repo: &'repo Repository, at: Snapshot<'_>) -> Result<git2::Tree<'repo>, GitError> {
    let (id, text) = match at {
        Snapshot::Commit(commit) => (find_commit(repo, commit)?.tree_id(), commit.as_str()),
        Snapshot::Tree(tree) => (oid(tree.as_str())?, tree.as_str()),
    };
    repo.find_tree(id).map_err(|error| GitError::lookup(text, &error))
}

pub(crate) fn read_blob(repo: &Repository, id: Oid, path: &str, limit: u64) -> Result<Vec<u8>, GitError> {
    let failed = |error: git2::Error| GitError::lookup(&id.to_string(), &error);
    let odb = repo.odb().map_err(failed)?;
    let (bytes, _) = odb.read_header(id).map_err(failed)?;
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    if bytes > limit {
        return Err(GitError::TooLarge { path: path.to_owned(), bytes, limit });
    }
    let blob = repo.find_blob(id).map_err(failed)?;
    Ok(blob.content().to_owned())
}

/// What one entry of a tree is, by its mode; modes Git does not write are taken for what Git takes them for.
pub(crate) fn classify(entry: &git2::TreeEntry<'_>) -> Result<Entry, GitError> {
    let id = entry.id();
    Ok(match entry.filemode_raw() & 0o170_000 {
        0o040_000 => Entry::Directory(tree_id(id)?),
        0o120_000 => Entry::SymbolicLink(id.into()),
        0o160_000 => Entry::Submodule(commit_id(id)?),
        _ if entry.filemode_raw() & 0o100 != 0 => Entry::Executable(id.into()),
        _ => Entry::File(id.into()),
    })
}

fn find_entry(repo: &Repository, root: &git2::Tree<'_>, path: &UnitPath) -> Result<Option<Entry>, GitError> {
    let mut found = Entry::Directory(tree_id(root.id())?);
    if path.is_root() {
        return Ok(Some(found));
    }
    for part in path.as_str().split('/') {
        let tree = match found {
            Entry::Directory(id) => find_tree(repo, Snapshot::Tree(&id))?,
            Entry::SymbolicLink(_) => return Err(GitError::SymbolicLink { path: path.to_string() }),
            Entry::File(_) | Entry::Executable(_) | Entry::Submodule(_) => return Ok(None),
        };
        let Some(entry) = tree.get_name_bytes(part.as_bytes()) else { return Ok(None) };
        found = classify(&entry)?;
    }
    Ok(Some(found))
}

fn find_directory<'repo>(
    repo: &'repo Repository,
    at: Snapshot<'_>,
    dir: &UnitPath,
) -> Result<Option<git2::Tree<'repo>>, GitError> {
    let root = find_tree(repo, at)?;
    match find_entry(repo, &root, dir)? {
        Some(Entry::Directory(id)) => find_tree(repo, Snapshot::Tree(&id)).map(Some),
        Some(Entry::SymbolicLink(_)) => Err(GitError::SymbolicLink { path: dir.to_string() }),
        _ => Ok(None),
    }
}

fn collect(
    repo: &Repository,
    tree: &git2::Tree<'_>,
    prefix: &str,
    depth: usize,
    files: &mut Vec<FileEntry>,
) -> Result<(), GitError> {
    if depth > MAX_DEPTH || files.len() > MAX_FILES {
        return Err(GitError::TooManyFiles { path: prefix.to_owned(), limit: MAX_FILES });
    }
    for entry in tree {
        let path = format!("{prefix}{}", lossy(entry.name_bytes()));
        match classify(&entry)? {
            Entry::Directory(id) => {
                let below = find_tree(repo, Snapshot::Tree(&id))?;
                collect(repo, &below, &format!("{path}/"), depth + 1, files)?;
            }
            entry => files.push(FileEntry { path, entry }),
        }
    }
    Ok(())
}
