//! Reading clones and writing refs: branches, merges, trees, diffs, checkouts; the network through the user's own Git.
//!
//! Reading and local writing go through libgit2 and never touch a working tree. Everything that reaches another
//! machine runs the `git` program, so that SSH configuration, agents, credential helpers and hardware keys work as
//! they do in the user's terminal. All functions block; a caller with an async runtime wraps them.
//!
//! | module | holds |
//! | --- | --- |
//! | [`mod@clone`] | [`struct@Clone`]: opening a clone, what it is, where its trunk is |
//! | [`history`] | branches ahead of trunk, their commits, merges on trunk, tags |
//! | [`merge`] | merging in memory and writing the merge commit |
//! | [`tree`] | files and directories of a commit, straight from the object database |
//! | [`diff`] | changed files and bounded line diffs |
//! | [`checkout`] | one commit's files in a directory of their own |
//! | [`program`] | running `git` with a time limit and without prompts |
//! | [`remote`] | clone, fetch, push, list, with typed failures |
//! | [`shared`] | append-only trees under `refs/countersign/`, pushed by compare-and-swap |
//!
//! Everything read from a repository is hostile text: names that are used further are validated, the rest is only
//! ever data. Nothing here follows a symbolic link that came out of a repository.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod checkout;
pub mod clone;
pub mod diff;
pub mod error;
pub mod history;
pub mod merge;
pub mod program;
pub mod remote;
pub mod shared;
mod text;
pub mod tree;

pub use checkout::{Checkout, CheckoutError, LeftOut, ToolCache};
pub use clone::{Clone, Identity, OpenError, RemoteInfo, Trunk};
pub use diff::{ChangedFile, Cut, DiffLimits, DiffLine, FileDiff, FileStatus, Hunk, LineKind};
pub use error::GitError;
pub use history::{Branch, Branches, CommitInfo, Contributor, MergeInfo, RefusedRef, Tag, Tags};
pub use merge::{MergeOutcome, Signature};
pub use program::{Cancel, GitProgram};
pub use remote::{Expected, RefUpdate, RemoteError, RemoteRef};
pub use shared::{Entries, Entry as SharedEntry, ReadLimits, SharedRef};
pub use tree::{Entry, FileEntry, ObjectId, Snapshot};
