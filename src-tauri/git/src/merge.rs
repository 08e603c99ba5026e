//! Merging two commits in memory, and writing the merge commit. No reference and no working tree is touched.

use countersign_domain::names::{CommitId, TreeId};
use git2::{ErrorCode, MergeOptions, Repository, Time};
use jiff::Timestamp;

use crate::clone::{Clone, commit_id, find_commit, oid, tree_id};
use crate::error::GitError;
use crate::text::lossy;

/// What merging a head into trunk would give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergeOutcome {
    /// It merges; this is the merged tree, already in the object database.
    Clean {
        /// The merged tree.
        tree: TreeId,
    },
    /// Trunk has every commit of head already.
    UpToDate,
    /// Both sides changed the same places.
    Conflicts {
        /// The files concerned, ordered; hostile text.
        paths: Vec<String>,
    },
    /// There is no common ancestor, or a shallow clone does not have it.
    Unrelated,
}

/// Who makes a commit, and when. Not a cryptographic signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The name.
    pub name: String,
    /// The email.
    pub email: String,
    /// The time that is written, in UTC and whole seconds.
    pub time: Timestamp,
}

impl Signature {
    pub(crate) fn to_git(&self) -> Result<git2::Signature<'static>, GitError> {
        let refuse = |error: git2::Error| GitError::Signature {
            who: format!("{} <{}>", self.name, self.email),
            problem: crate::text::plain(error.message(), 120),
        };
        git2::Signature::new(&self.name, &self.email, &Time::new(self.time.as_second(), 0)).map_err(refuse)
    }
}

impl Clone {
    /// Merges `head` into `trunk` in memory, with renames found and fixed options, so that every machine gets the
    /// same tree: merge drivers named in `.gitattributes` are not consulted.
    ///
    /// # Errors
    /// Fails when a commit is missing or an object cannot be written.
    pub fn merge(&self, trunk: &CommitId, head: &CommitId) -> Result<MergeOutcome, GitError> {
        merge(&self.repository_without_worktree()?, trunk, head)
    }

    /// As [`Clone::merge`] for several heads in order, which is faster than one by one.
    ///
    /// # Errors
    /// As for [`Clone::merge`].
    pub fn merge_each(&self, trunk: &CommitId, heads: &[CommitId]) -> Result<Vec<MergeOutcome>, GitError> {
        let repo = self.repository_without_worktree()?;
        heads.iter().map(|head| merge(&repo, trunk, head)).collect()
    }

    /// Writes a commit with this tree and these parents and returns its id; the same arguments give the same id.
    ///
    /// # Errors
    /// Fails when the tree or a parent is missing, when the signature is not usable, or when the disk is full.
    pub fn commit_merge(
        &self,
        tree: &TreeId,
        parents: &[CommitId],
        message: &str,
        author: &Signature,
    ) -> Result<CommitId, GitError> {
        let repo = self.repository()?;
        let tree = repo.find_tree(oid(tree.as_str())?).map_err(|error| GitError::lookup(tree.as_str(), &error))?;
        let parents = parents.iter().map(|id| find_commit(&repo, id)).collect::<Result<Vec<_>, _>>()?;
        let parents: Vec<&git2::Commit<'_>> = parents.iter().collect();
        let author = author.to_git()?;
        let id = repo
            .commit(None, &author, &author, message, &tree, &parents)
            .map_err(|error| GitError::library("write a commit", &error))?;
        commit_id(id)
    }
}

fn merge(repo: &Repository, trunk: &CommitId, head: &CommitId) -> Result<MergeOutcome, GitError> {
    let failed = |error: git2::Error| GitError::library("merge", &error);
    let (ours, theirs) = (find_commit(repo, trunk)?, find_commit(repo, head)?);
    let bases = match repo.merge_bases(ours.id(), theirs.id()) {
        Ok(bases) => bases.to_vec(),
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(MergeOutcome::Unrelated),
        Err(error) => return Err(failed(error)),
    };
    if bases.contains(&theirs.id()) {
        return Ok(MergeOutcome::UpToDate);
    }
    let mut options = MergeOptions::new();
    options.find_renames(true).rename_threshold(50).target_limit(1000);
    let merged = match bases.as_slice() {
        // The usual case, without looking for the base a second time.
        [base] => {
            let base = repo.find_commit(*base).and_then(|base| base.tree()).map_err(failed)?;
            let (ours, theirs) = (ours.tree().map_err(failed)?, theirs.tree().map_err(failed)?);
            repo.merge_trees(&base, &ours, &theirs, Some(&options))
        }
        _ => repo.merge_commits(&ours, &theirs, Some(&options)),
    };
    let mut index = merged.map_err(failed)?;
    if index.has_conflicts() {
        return Ok(MergeOutcome::Conflicts { paths: conflict_paths(&index)? });
    }
    let tree = index.write_tree_to(repo).map_err(failed)?;
    Ok(MergeOutcome::Clean { tree: tree_id(tree)? })
}

fn conflict_paths(index: &git2::Index) -> Result<Vec<String>, GitError> {
    let failed = |error: git2::Error| GitError::library("read the merge's conflicts", &error);
    let mut paths = std::collections::BTreeSet::new();
    for conflict in index.conflicts().map_err(failed)? {
        let conflict = conflict.map_err(failed)?;
        let sides = [conflict.our, conflict.their, conflict.ancestor];
        paths.extend(sides.into_iter().flatten().map(|entry| lossy(&entry.path)));
    }
    Ok(paths.into_iter().collect())
}
