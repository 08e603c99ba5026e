//! A Git tree as a source of configuration files: nothing is checked out, nothing follows a link out of the repository.

use std::collections::BTreeMap;

use countersign_domain::names::{Digest, TreeId, UnitPath};
use countersign_git::{Clone, Entry as GitEntry, GitError, ObjectId};
use countersign_iac::files::{Entry, EntryKind, Files, FilesError, MAX_FILE_BYTES};

use crate::trunk::digest_of;

/// The files of one tree, listed once.
pub(crate) struct TreeFiles<'a> {
    git: &'a Clone,
    tree: &'a TreeId,
    blobs: BTreeMap<String, ObjectId>,
    directories: BTreeMap<String, Vec<Entry>>,
}

impl<'a> TreeFiles<'a> {
    /// Lists `tree`.
    ///
    /// # Errors
    /// Fails when the tree cannot be read.
    pub(crate) fn list(git: &'a Clone, tree: &'a TreeId) -> Result<Self, GitError> {
        let mut files = Self { git, tree, blobs: BTreeMap::new(), directories: BTreeMap::new() };
        files.directories.insert(".".to_owned(), Vec::new());
        for entry in git.list_files(tree, &UnitPath::root())? {
            files.add(&entry.path, &entry.entry);
        }
        for entries in files.directories.values_mut() {
            entries.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Ok(files)
    }

    fn add(&mut self, path: &str, entry: &GitEntry) {
        let kind = match entry {
            GitEntry::File(id) | GitEntry::Executable(id) => {
                self.blobs.insert(path.to_owned(), id.clone());
                EntryKind::File
            }
            GitEntry::SymbolicLink(id) => {
                self.blobs.insert(path.to_owned(), id.clone());
                EntryKind::Link
            }
            GitEntry::Submodule(_) | GitEntry::Directory(_) => EntryKind::Other,
        };
        let mut name = path;
        let mut kind = kind;
        loop {
            let (dir, last) = name.rsplit_once('/').unwrap_or((".", name));
            let known = self.directories.contains_key(dir);
            let entries = self.directories.entry(dir.to_owned()).or_default();
            if kind != EntryKind::Directory || entries.iter().all(|entry| entry.name != last) {
                entries.push(Entry { name: last.to_owned(), kind });
            }
            if known || dir == "." {
                return;
            }
            (name, kind) = (dir, EntryKind::Directory);
        }
    }

    /// Digest over the Git ids of these directories and files: it changes exactly when anything in them does.
    ///
    /// # Errors
    /// Fails when the tree cannot be read.
    pub(crate) fn digest(&self, directories: &[UnitPath], files: &[String]) -> Result<Digest, GitError> {
        let mut parts: Vec<(&str, String)> = Vec::new();
        for path in directories {
            parts.push((path.as_str(), self.id_of(path)?));
        }
        for file in files {
            let id = self.blobs.get(file).map_or("none", |id| id.as_str());
            parts.push((file, id.to_owned()));
        }
        let parts: Vec<(&str, &[u8])> = parts.iter().map(|(path, id)| (*path, id.as_bytes())).collect();
        Ok(digest_of(&parts))
    }

    fn id_of(&self, path: &UnitPath) -> Result<String, GitError> {
        if path.is_root() {
            return Ok(self.tree.to_string());
        }
        Ok(self.git.entry(self.tree, path)?.map_or_else(|| "none".to_owned(), |entry| entry.id().to_owned()))
    }
}

impl Files for TreeFiles<'_> {
    fn list(&self, dir: &UnitPath) -> Result<Vec<Entry>, FilesError> {
        self.directories.get(dir.as_str()).cloned().ok_or_else(|| FilesError::missing(dir.as_str()))
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, FilesError> {
        let id = self.blobs.get(path).ok_or_else(|| FilesError::missing(path))?;
        self.git.read_blob(id, MAX_FILE_BYTES).map_err(|error| FilesError::source(path, error))
    }
}
