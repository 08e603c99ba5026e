//! What can go wrong when a clone is read or written locally.

use std::path::PathBuf;

use countersign_domain::names::{CommitId, quoted};

use crate::clone::OpenError;
use crate::text::plain;

/// Why something in a local clone could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The clone could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is not a single commit to work with.
    #[error("the repository has no commits yet; make a first commit, or fetch")]
    Empty,
    /// None of the usual names leads to a trunk.
    #[error("no trunk found: looked for {tried}; name the trunk branch in the clone's settings")]
    NoTrunk {
        /// The references that were tried, in order, separated by commas.
        tried: String,
    },
    /// A commit, tree or file is not in the local object database.
    #[error("object {id} is not in this clone; fetch, and if the clone is shallow run `git fetch --unshallow`")]
    Missing {
        /// The object that was looked for.
        id: String,
    },
    /// A path leads to a symbolic link or through one; they are never followed.
    #[error("{} is a symbolic link, or lies behind one; links in a repository are not followed", quoted(.path))]
    SymbolicLink {
        /// The path that was asked for.
        path: String,
    },
    /// A path leads to a directory or a submodule where a file was asked for.
    #[error("{} is not a file", quoted(.path))]
    NotAFile {
        /// The path that was asked for.
        path: String,
    },
    /// A file is larger than the caller allowed.
    #[error("{} has {bytes} bytes, more than the allowed {limit}", quoted(.path))]
    TooLarge {
        /// The path that was asked for.
        path: String,
        /// Its size in bytes.
        bytes: u64,
        /// The allowed size in bytes.
        limit: u64,
    },
    /// A directory holds more files than can be listed.
    #[error("{} holds more than {limit} files", quoted(.path))]
    TooManyFiles {
        /// The directory that was asked for.
        path: String,
        /// The allowed number of files.
        limit: usize,
    },
    /// A name or email cannot be written into a commit.
    #[error("{} cannot sign a commit: {problem}; set user.name and user.email in git's configuration", quoted(.who))]
    Signature {
        /// The refused name and email.
        who: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A path may not be written into a shared tree.
    #[error("{} is not a valid path in a shared tree: {problem}", quoted(.path))]
    BadPath {
        /// The refused path.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Another Git process holds a lock.
    #[error("another git process holds a lock: {detail}; wait for it, or remove the lock file if no git is running")]
    LockHeld {
        /// Which lock, in Git's words.
        detail: String,
    },
    /// The disk is full.
    #[error("the disk is full; nothing was changed: {detail}")]
    DiskFull {
        /// What was being written, in Git's words.
        detail: String,
    },
    /// A directory or file of the clone could not be accessed.
    #[error("failed to access {}: {source}", .path.display())]
    Io {
        /// The path that failed.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// Any other failure of libgit2.
    #[error("failed to {doing}: {detail}")]
    Library {
        /// What was being done.
        doing: &'static str,
        /// libgit2's message on one line.
        detail: String,
    },
}

impl GitError {
    /// A failure of libgit2 while `doing` something.
    pub(crate) fn library(doing: &'static str, error: &git2::Error) -> Self {
        let detail = plain(error.message(), 300);
        // Not merely ".lock": `.terraform.lock.hcl` is a file like any other.
        if error.code() == git2::ErrorCode::Locked || detail.contains(".lock'") {
            return Self::LockHeld { detail };
        }
        if detail.contains("No space left on device") {
            return Self::DiskFull { detail };
        }
        Self::Library { doing, detail }
    }

    /// A failure of libgit2 while looking for the object `id`.
    pub(crate) fn lookup(id: &str, error: &git2::Error) -> Self {
        if error.code() == git2::ErrorCode::NotFound {
            return Self::Missing { id: id.to_owned() };
        }
        Self::library("read an object", error)
    }

    /// The commit `id` is not there.
    pub(crate) fn missing(id: &CommitId) -> Self {
        Self::Missing { id: id.to_string() }
    }
}
