//! Where changes are proposed, merged and shared: a plain Git remote, behind one trait.
//!
//! A change on a plain Git remote is a branch that is ahead of trunk; its id is the branch's name. Merging pushes a merge
//! commit onto trunk by compare-and-swap. Statements are shared through `refs/countersign/log` and sealed bundles through
//! one reference a change. All functions block.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod plain_git;

pub use plain_git::PlainGit;

use std::collections::BTreeSet;

use countersign_domain::change::Change;
use countersign_domain::names::{ChangeId, CommitId};
use countersign_git::{Entries, GitError, RemoteError, SharedEntry, Signature, Trunk};

/// What a forge shows of a clone's changes, read from the clone as it was last fetched.
#[derive(Debug, Clone)]
pub struct ChangeList {
    /// The branch changes are merged into.
    pub trunk: Trunk,
    /// Open changes, by id.
    pub open: Vec<Change>,
    /// The newest merges on trunk, newest first.
    pub merges: Vec<Merge>,
    /// Branches that were left out, with the reason, safe to print.
    pub refused: Vec<String>,
}

/// A merge on trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// The merge commit.
    pub commit: CommitId,
    /// What trunk was before.
    pub trunk_before: CommitId,
    /// What was merged.
    pub head: CommitId,
    /// The first line of the merge commit's message.
    pub title: String,
    /// Who merged.
    pub author: String,
    /// When.
    pub time: jiff::Timestamp,
}

/// What came with a fetch of the shared log.
#[derive(Debug, Clone)]
pub struct LogUpdate {
    /// The log's newest commit; none when the remote has no log yet.
    pub tip: Option<CommitId>,
    /// Files that were not there at the known tip; all of them when the clone does not have that tip.
    pub entries: Entries,
    /// The remote's log no longer holds all that the known tip held: somebody rewound, deleted or rewrote it.
    pub rewound: bool,
}

/// What a merge needs.
#[derive(Debug, Clone)]
pub struct MergeRequest {
    /// The change.
    pub change: ChangeId,
    /// The head that was reviewed; the merge is refused when it moved.
    pub head: CommitId,
    /// The merge commit's message.
    pub message: String,
    /// Who merges.
    pub author: Signature,
}

/// Why the forge did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// The remote or the network.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The clone.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The change is not there.
    #[error("find the change {0}: its branch is not on the remote")]
    NoSuchChange(ChangeId),
    /// The change has another head than the one that was reviewed.
    #[error("merge {change}: its newest commit is {found}, not {expected}; review it again")]
    HeadMoved {
        /// The change.
        change: ChangeId,
        /// The head that was reviewed.
        expected: CommitId,
        /// The head that is there.
        found: CommitId,
    },
    /// Trunk and the change touched the same places.
    #[error("merge {change}: it conflicts with trunk in {paths}; its author has to merge trunk into it")]
    Conflicts {
        /// The change.
        change: ChangeId,
        /// Where, safe to print.
        paths: String,
    },
    /// The inspection of what others published forbids publishing.
    #[error("publish: {0}")]
    Vetoed(String),
    /// Others kept publishing at the same moment.
    #[error("publish: the shared log kept moving for {0} tries; try again")]
    Contended(u32),
}

/// Looks at what others published and says whether to go on.
pub type Inspect<'a> = dyn FnMut(&Entries) -> Result<(), String> + 'a;

/// Where changes are proposed, merged and shared.
pub trait Forge {
    /// Fetches branches, tags and trunk.
    ///
    /// # Errors
    /// [`ForgeError::Remote`].
    fn fetch(&self, progress: &mut dyn FnMut(&str)) -> Result<(), ForgeError>;

    /// The changes, as of the last fetch, by id. A change of one commit is called by that commit's summary, one of
    /// several by its branch's name.
    ///
    /// # Errors
    /// [`ForgeError::Git`] when the clone cannot be read.
    fn changes(&self) -> Result<ChangeList, ForgeError>;

    /// Merges a change into trunk and pushes it; returns the merge commit.
    ///
    /// # Errors
    /// [`ForgeError`] tells its cases apart; nothing is pushed then.
    fn merge(&self, request: &MergeRequest) -> Result<CommitId, ForgeError>;

    /// Fetches the shared log and returns what is new since `known`.
    ///
    /// # Errors
    /// [`ForgeError`] when it cannot be fetched or read.
    fn fetch_log(&self, known: Option<&CommitId>) -> Result<LogUpdate, ForgeError>;

    /// Adds files to the shared log, beside whatever others add at the same time, and returns the log's new tip. `inspect`
    /// sees everything that is new since `known` before the first try, everything newer before each further one, and can
    /// forbid it. Where the remote lost something that `known` has, it is put back, as long as the clone still has it;
    /// with no files this is all that happens.
    ///
    /// # Errors
    /// [`ForgeError::Vetoed`], [`ForgeError::Contended`], or the remote's reason.
    fn publish(
        &self,
        known: Option<&CommitId>,
        files: &[(String, Vec<u8>)],
        inspect: &mut Inspect<'_>,
    ) -> Result<CommitId, ForgeError>;

    /// Publishes sealed bundles under `key`, instead of those that are there.
    ///
    /// # Errors
    /// The remote's reason.
    fn publish_bundles(&self, key: &str, files: &[(String, Vec<u8>)]) -> Result<(), ForgeError>;

    /// The sealed bundles under `key`.
    ///
    /// # Errors
    /// The remote's reason.
    fn fetch_bundles(&self, key: &str) -> Result<Vec<SharedEntry>, ForgeError>;

    /// Removes the sealed bundles under `key`.
    ///
    /// # Errors
    /// The remote's reason.
    fn delete_bundles(&self, key: &str) -> Result<(), ForgeError>;
}

/// E-mail addresses of everyone who had a hand in these commits, in lower case.
fn contributors(commits: &[countersign_git::CommitInfo]) -> BTreeSet<String> {
    commits.iter().flat_map(|commit| commit.contributors().map(|who| who.email.to_lowercase())).collect()
}
