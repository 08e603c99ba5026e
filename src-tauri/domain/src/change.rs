//! A change: a proposal to merge, what it touches, and where it stands in a reviewer's queue.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::names::{ChangeId, CommitId, Digest, UnitPath};

/// A change as its forge and the repository show it. Everything in it but the ids is a stranger's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What names it on its forge.
    pub id: ChangeId,
    /// Its title.
    pub title: String,
    /// Its description; may be empty.
    pub description: String,
    /// Who proposed it, for display.
    pub author: String,
    /// The lower-case e-mail addresses of everyone who wrote, committed or co-wrote one of its commits.
    pub contributors: BTreeSet<String>,
    /// Trunk's commit it is compared with.
    pub base: CommitId,
    /// Its newest commit.
    pub head: CommitId,
    /// How many commits it has.
    pub commits: u32,
    /// When it last moved.
    pub updated: Timestamp,
    /// How it stands to trunk.
    pub mergeability: Mergeability,
}

/// How a change stands to trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mergeability {
    /// Merges without conflicts.
    Clean,
    /// Conflicts with trunk in these files.
    Conflicts(Vec<String>),
    /// Is already part of trunk.
    Merged {
        /// Trunk's merge commit.
        commit: CommitId,
    },
}

/// A unit that a change affects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AffectedUnit {
    /// The unit.
    pub unit: UnitPath,
    /// Digest over the Git trees the unit reads, at the merge of the change into trunk (for a deleted unit: at the
    /// base).
    pub inputs: Digest,
    /// True when the change deletes the unit.
    pub deleted: bool,
}

/// The facts about a change that the gate judges. All of them are read from Git by whoever evaluates; none is taken
/// from a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeFacts {
    /// The change.
    pub id: ChangeId,
    /// Trunk's commit at this evaluation.
    pub base: CommitId,
    /// The newest commit.
    pub head: CommitId,
    /// Lower-case e-mail addresses of everyone who wrote, committed or co-wrote one of its commits.
    pub contributors: BTreeSet<String>,
    /// How it stands to trunk.
    pub mergeability: Mergeability,
    /// The units it affects, sorted by path; or why they cannot be told.
    pub units: Result<Vec<AffectedUnit>, String>,
    /// True when it edits the policy files themselves.
    pub edits_policy: bool,
}
