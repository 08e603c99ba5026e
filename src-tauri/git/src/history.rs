//! Branches that propose something, the commits in them, merges that trunk already has, and tags.

use countersign_domain::names::{BranchName, CommitId, quoted};
use git2::{ErrorCode, Oid, Repository, Sort};
use jiff::Timestamp;

use crate::clone::{Clone, Trunk, commit_id, find_commit, oid, side};
use crate::error::GitError;
use crate::text::lossy;

/// A branch may be this many commits ahead of trunk; a longer one is refused rather than shortened, because a list
/// of authors with some of them missing would let one of those approve.
pub const MAX_AHEAD: usize = 10_000;

/// Somebody named in a commit. Hostile text: nothing in it is proven.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Contributor {
    /// The name as written.
    pub name: String,
    /// The email as written.
    pub email: String,
}

/// One commit, as its author and committer wrote it. Every text in it is hostile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitInfo {
    /// The commit.
    pub id: CommitId,
    /// Its parents, first parent first.
    pub parents: Vec<CommitId>,
    /// Who wrote it.
    pub author: Contributor,
    /// Who put it into this history.
    pub committer: Contributor,
    /// Whoever a `Co-authored-by:` line names, anywhere in the message.
    pub co_authors: Vec<Contributor>,
    /// When it was committed, by the committer's clock.
    pub time: Timestamp,
    /// The first paragraph of the message on one line.
    pub summary: String,
    /// The whole message.
    pub message: String,
}

impl CommitInfo {
    /// Everyone named in this commit: author, committer, co-authors.
    pub fn contributors(&self) -> impl Iterator<Item = &Contributor> {
        [&self.author, &self.committer].into_iter().chain(&self.co_authors)
    }

    /// It joins two histories.
    #[must_use]
    pub fn is_merge(&self) -> bool {
        self.parents.len() > 1
    }
}

/// A branch with commits that trunk does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its name, without the remote's.
    pub name: BranchName,
    /// The newest commit on it.
    pub commit: CommitId,
    /// All commits trunk does not have, newest first.
    pub ahead_commits: Vec<CommitInfo>,
    /// The best common ancestor with trunk; absent when the histories are unrelated, or cut off by a shallow clone.
    pub merge_base: Option<CommitId>,
}

/// A reference that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("left out {shown}: {problem}")]
pub struct RefusedRef {
    /// Its name, quoted and safe to print.
    pub shown: String,
    /// Why it was left out.
    pub problem: String,
}

/// The branches ahead of trunk, and those that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Branches {
    /// Ordered by name.
    pub ahead: Vec<Branch>,
    /// Branches with hostile names, without a commit, or too far ahead.
    pub refused: Vec<RefusedRef>,
}

/// A merge commit on trunk's first-parent chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeInfo {
    /// The merge commit.
    pub commit: CommitInfo,
    /// What trunk was before.
    pub trunk_before: CommitId,
    /// What was merged.
    pub merged: CommitId,
}

/// A tag and the commit it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its name without `refs/tags/`, valid by Git's rules for references.
    pub name: BranchName,
    /// The commit it leads to.
    pub commit: CommitId,
    /// It carries a message and perhaps a signature of its own.
    pub annotated: bool,
}

/// The tags, and those that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags {
    /// Ordered by name.
    pub tags: Vec<Tag>,
    /// Tags with hostile names, or that lead to no commit.
    pub refused: Vec<RefusedRef>,
}

impl Clone {
    /// Every branch with commits that `trunk` does not have: the remote's branches, or the local ones when there is
    /// no remote or the repository is bare.
    ///
    /// # Errors
    /// Fails when references or history cannot be read; a single bad branch is reported in [`Branches::refused`].
    pub fn branches_ahead(&self, trunk: &Trunk) -> Result<Branches, GitError> {
        let repo = self.repository()?;
        let prefix = side(&repo)?.prefix();
        let trunk_tip = oid(trunk.commit.as_str())?;
        let mut found = Branches::default();
        for (name, shown) in names_below(&repo, &prefix)? {
            if name.as_deref() == Ok("HEAD") || name.as_deref() == Ok(trunk.branch.as_str()) {
                continue;
            }
            match read_branch(&repo, &prefix, name, trunk_tip)? {
                Ok(branch) => found.ahead.extend(branch),
                Err(problem) => found.refused.push(RefusedRef { shown, problem }),
            }
        }
        found.ahead.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The commits that `head` has and `base` has not, newest first.
    ///
    /// # Errors
    /// Fails when a commit is missing, or with more than [`MAX_AHEAD`] commits.
    pub fn commits_ahead(&self, base: &CommitId, head: &CommitId) -> Result<Vec<CommitInfo>, GitError> {
        let repo = self.repository()?;
        let commits = walk_ahead(&repo, oid(base.as_str())?, oid(head.as_str())?)?;
        let too_many = || GitError::Library { doing: "list commits", detail: too_far_ahead() };
        commits.ok_or_else(too_many)
    }

    /// One commit.
    ///
    /// # Errors
    /// [`GitError::Missing`] when it is not in this clone.
    pub fn commit(&self, id: &CommitId) -> Result<CommitInfo, GitError> {
        commit_info(&find_commit(&self.repository()?, id)?)
    }

    /// True when the commit is in this clone.
    ///
    /// # Errors
    /// Fails when the repository cannot be read.
    pub fn has_commit(&self, id: &CommitId) -> Result<bool, GitError> {
        match find_commit(&self.repository()?, id) {
            Ok(_) => Ok(true),
            Err(GitError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The best common ancestor; absent when the histories are unrelated.
    ///
    /// # Errors
    /// Fails when a commit is missing.
    pub fn merge_base(&self, one: &CommitId, two: &CommitId) -> Result<Option<CommitId>, GitError> {
        merge_base(&self.repository()?, oid(one.as_str())?, oid(two.as_str())?)
    }

    /// True when `ancestor` is `descendant` or lies in its history.
    ///
    /// # Errors
    /// Fails when a commit is missing.
    pub fn is_ancestor(&self, ancestor: &CommitId, descendant: &CommitId) -> Result<bool, GitError> {
        let repo = self.repository()?;
        let (old, new) = (find_commit(&repo, ancestor)?.id(), find_commit(&repo, descendant)?.id());
        if old == new {
            return Ok(true);
        }
        repo.graph_descendant_of(new, old).map_err(|error| GitError::library("compare commits", &error))
    }

    /// The merge commits among the newest `limit` commits of trunk's first-parent chain, newest first: what was
    /// merged, and when.
    ///
    /// # Errors
    /// Fails when history cannot be read.
    pub fn first_parent_merges(&self, trunk: &CommitId, limit: usize) -> Result<Vec<MergeInfo>, GitError> {
        let repo = self.repository()?;
        let mut merges = Vec::new();
        let mut next = Some(find_commit(&repo, trunk)?);
        for _ in 0..limit {
            let Some(commit) = next else { break };
            merges.extend(merge_info(&commit)?);
            next = commit.parent(0).ok();
        }
        Ok(merges)
    }

    /// All tags that lead to a commit.
    ///
    /// # Errors
    /// Fails when the references cannot be read.
    pub fn tags(&self) -> Result<Tags, GitError> {
        let repo = self.repository()?;
        let mut found = Tags::default();
        for (name, shown) in names_below(&repo, "refs/tags/")? {
            match read_tag(&repo, name) {
                Ok(tag) => found.tags.push(tag),
                Err(problem) => found.refused.push(RefusedRef { shown, problem }),
            }
        }
        found.tags.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }
}

type RefName = (Result<String, String>, String);

/// The references below `prefix`: each name without the prefix (or why it is unusable), and how to show it.
fn names_below(repo: &Repository, prefix: &str) -> Result<Vec<RefName>, GitError> {
    let glob = format!("{prefix}*");
    let references = repo.references_glob(&glob).map_err(|error| GitError::library("list references", &error))?;
    let mut names = Vec::new();
    for reference in references {
        let reference = reference.map_err(|error| GitError::library("list references", &error))?;
        let full = reference.name_bytes();
        let rest = full.strip_prefix(prefix.as_bytes()).unwrap_or(full);
        let name = std::str::from_utf8(rest).map(str::to_owned).map_err(|_| "its name is not UTF-8".to_owned());
        names.push((name, quoted(&lossy(rest))));
    }
    Ok(names)
}

/// The branch, or nothing when trunk has it all, or why it is refused.
fn read_branch(
    repo: &Repository,
    prefix: &str,
    name: Result<String, String>,
    trunk: Oid,
) -> Result<Result<Option<Branch>, String>, GitError> {
    let checked = name.and_then(|name| BranchName::new(name).map_err(|error| error.problem.to_owned()));
    let name = match checked {
        Ok(name) => name,
        Err(problem) => return Ok(Err(problem)),
    };
    let tip = match repo.find_reference(&format!("{prefix}{name}")).and_then(|found| found.peel_to_commit()) {
        Ok(commit) => commit.id(),
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(Err("it points at nothing".to_owned())),
        Err(_) => return Ok(Err("it does not point at a commit".to_owned())),
    };
    let Some(ahead_commits) = walk_ahead(repo, trunk, tip)? else { return Ok(Err(too_far_ahead())) };
    if ahead_commits.is_empty() {
        return Ok(Ok(None));
    }
    let merge_base = merge_base(repo, trunk, tip)?;
    Ok(Ok(Some(Branch { name, commit: commit_id(tip)?, ahead_commits, merge_base })))
}

fn too_far_ahead() -> String {
    format!("it is more than {MAX_AHEAD} commits ahead of trunk")
}

/// The commits of `tip` that `base` does not have, newest first; nothing when there are more than [`MAX_AHEAD`].
fn walk_ahead(repo: &Repository, base: Oid, tip: Oid) -> Result<Option<Vec<CommitInfo>>, GitError> {
    let failed = |error: git2::Error| GitError::library("walk the history", &error);
    let mut walk = repo.revwalk().map_err(failed)?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME).map_err(failed)?;
    walk.push(tip).map_err(|error| GitError::lookup(&tip.to_string(), &error))?;
    walk.hide(base).map_err(|error| GitError::lookup(&base.to_string(), &error))?;
    let mut commits = Vec::new();
    for id in walk {
        if commits.len() == MAX_AHEAD {
            return Ok(None);
        }
        let commit = repo.find_commit(id.map_err(failed)?).map_err(failed)?;
        commits.push(commit_info(&commit)?);
    }
    Ok(Some(commits))
}

fn merge_base(repo: &Repository, one: Oid, two: Oid) -> Result<Option<CommitId>, GitError> {
    match repo.merge_base(one, two) {
        Ok(base) => commit_id(base).map(Some),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(GitError::library("find a merge base", &error)),
    }
}

fn merge_info(commit: &git2::Commit<'_>) -> Result<Option<MergeInfo>, GitError> {
    let commit = commit_info(commit)?;
    let [first, second, ..] = commit.parents.as_slice() else { return Ok(None) };
    let (trunk_before, merged) = (first.clone(), second.clone());
    Ok(Some(MergeInfo { commit, trunk_before, merged }))
}

fn read_tag(repo: &Repository, name: Result<String, String>) -> Result<Tag, String> {
    let name = BranchName::new(name?).map_err(|error| error.problem.to_owned())?;
    let no_commit = |_| "it does not lead to a commit".to_owned();
    let reference = repo.find_reference(&format!("refs/tags/{name}")).map_err(no_commit)?;
    let commit = reference.peel_to_commit().map_err(no_commit)?.id();
    let annotated = reference.target().is_some_and(|target| target != commit);
    let commit = commit_id(commit).map_err(|error| error.to_string())?;
    Ok(Tag { name, commit, annotated })
}

pub(crate) fn commit_info(commit: &git2::Commit<'_>) -> Result<CommitInfo, GitError> {
    let message = lossy(commit.message_bytes());
    Ok(CommitInfo {
        id: commit_id(commit.id())?,
        parents: commit.parent_ids().map(commit_id).collect::<Result<_, _>>()?,
        author: contributor(&commit.author()),
        committer: contributor(&commit.committer()),
        co_authors: co_authors(&message),
        time: timestamp(commit.time()),
        summary: commit.summary_bytes().map(lossy).unwrap_or_default(),
        message,
    })
}

fn contributor(signature: &git2::Signature<'_>) -> Contributor {
    Contributor { name: lossy(signature.name_bytes()), email: lossy(signature.email_bytes()) }
}

/// A commit's time is any 64-bit number; what jiff cannot hold is moved to the nearest time it can.
pub(crate) fn timestamp(time: git2::Time) -> Timestamp {
    let seconds = time.seconds();
    let nearest = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(seconds).unwrap_or(nearest)
}

/// Lines `Co-authored-by: Name <email>` anywhere in the message. Git itself only reads them in the last paragraph;
/// being broader here can only take away somebody's right to approve their own work, never grant it.
fn co_authors(message: &str) -> Vec<Contributor> {
    const KEY: &str = "co-authored-by:";
    let value = |line: &str| {
        let line = line.trim();
        let key = line.get(..KEY.len())?;
        key.eq_ignore_ascii_case(KEY).then(|| line[KEY.len()..].trim().to_owned())
    };
    let parse = |value: String| {
        let (name, rest) = value.split_once('<')?;
        let email = rest.split_once('>').map_or(rest, |(email, _)| email);
        Some(Contributor { name: name.trim().to_owned(), email: email.trim().to_owned() })
    };
    message.lines().filter_map(value).filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::{co_authors, timestamp};
    use jiff::Timestamp;

    #[test]
    fn co_authors_are_found_whatever_the_case() {
        let message = "Grow\n\nCO-AUTHORED-BY: Ünal <u@example.org>\nco-authored-by:x<y@z\n  Co-authored-by: nobody\n";
        let found: Vec<_> = co_authors(message).into_iter().map(|who| (who.name, who.email)).collect();
        assert_eq!(found, [("Ünal".to_owned(), "u@example.org".to_owned()), ("x".to_owned(), "y@z".to_owned())]);
    }

    #[test]
    fn absurd_times_are_clamped() {
        assert_eq!(timestamp(git2::Time::new(i64::MAX, 0)), Timestamp::MAX);
        assert_eq!(timestamp(git2::Time::new(i64::MIN, 0)), Timestamp::MIN);
        assert_eq!(timestamp(git2::Time::new(7, 60)).as_second(), 7);
    }
}
