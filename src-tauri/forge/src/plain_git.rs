//! A plain Git remote: branches are changes, a merge commit merges, refs under `refs/countersign/` share.

use std::time::Duration;

use countersign_domain::change::{Change, Mergeability};
use countersign_domain::names::{BranchName, ChangeId, CommitId};
use countersign_git::remote::Prune;
use countersign_git::{
    Branch, Clone, CommitInfo, Entries, Expected, GitError, MergeOutcome, ReadLimits, RefUpdate, RemoteError,
    SharedEntry, SharedRef,
};

use crate::{ChangeList, Forge, ForgeError, Inspect, LogUpdate, Merge, MergeRequest, contributors};

/// How many commits of trunk's first-parent chain are searched for merges.
const MERGES_SEARCHED: usize = 200;
/// How often a push to a shared reference is tried while others push too. Three writers needed at most 7 tries for 45
/// records; 40 leaves room for a team.
const PUSH_TRIES: u32 = 40;
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_millis(400);
/// What stands in the place of conflicting files when there is nothing to compare.
const UNRELATED: &str = "everything: it shares no history with trunk";

/// A clone of a plain Git remote.
#[derive(Debug, Clone)]
pub struct PlainGit {
    git: Clone,
    trunk: Option<BranchName>,
}

impl PlainGit {
    /// The remote of `git`. `trunk` names the branch that changes are merged into; without it the remote's own default.
    #[must_use]
    pub fn new(git: Clone, trunk: Option<BranchName>) -> Self {
        Self { git, trunk }
    }

    fn push_one(&self, name: &SharedRef, expected: Option<CommitId>, new: Option<CommitId>) -> Result<(), RemoteError> {
        let remote = self.git.required_remote()?;
        let update = RefUpdate { reference: name.on_remote(), expected: Expected::from(expected), new };
        self.git.push(&remote, &[update])
    }

    fn fetch_shared(&self, name: &SharedRef) -> Result<Option<CommitId>, ForgeError> {
        let remote = self.git.required_remote()?;
        Ok(self.git.fetch_ref(&remote, name)?)
    }

    /// What `tip` has and `known` has not, and whether `tip` lost anything.
    ///
    /// Fetching `tip` brought its whole history, so a known tip that is not in the clone is not in that history either.
    fn since(&self, known: Option<&CommitId>, tip: &CommitId) -> Result<(Entries, bool), GitError> {
        let Some(known) = known else { return Ok((self.git.read_entries(tip, ReadLimits::default())?, false)) };
        if !self.git.has_commit(known)? {
            return Ok((self.git.read_entries(tip, ReadLimits::default())?, true));
        }
        let entries = self.git.read_entries_since(known, tip, ReadLimits::default())?;
        let rewound = !entries.lost.is_empty() || !self.git.is_ancestor(known, tip)?;
        Ok((entries, rewound))
    }

    /// The commit to append to: the remote's tip, joined with the known one when it lost something of that.
    fn healed(&self, known: Option<&CommitId>, tip: Option<&CommitId>) -> Result<Option<CommitId>, GitError> {
        let Some(known) = known else { return Ok(tip.cloned()) };
        if !self.git.has_commit(known)? {
            return Ok(tip.cloned());
        }
        let Some(tip) = tip else { return Ok(Some(known.clone())) };
        let (_, rewound) = self.since(Some(known), tip)?;
        if !rewound {
            return Ok(Some(tip.clone()));
        }
        self.git.union(known, std::slice::from_ref(tip), "Put back what was lost").map(Some)
    }
}

impl Forge for PlainGit {
    fn fetch(&self, progress: &mut dyn FnMut(&str)) -> Result<(), ForgeError> {
        let remote = self.git.required_remote()?;
        Ok(self.git.fetch(&remote, &[], Prune::Gone, progress)?)
    }

    fn changes(&self) -> Result<ChangeList, ForgeError> {
        let trunk = self.git.trunk(self.trunk.as_ref())?;
        let branches = self.git.branches_ahead(&trunk)?;
        let mut refused: Vec<String> = branches.refused.iter().map(ToString::to_string).collect();
        let heads: Vec<CommitId> = branches.ahead.iter().map(|branch| branch.commit.clone()).collect();
        let outcomes = self.git.merge_each(&trunk.commit, &heads)?;
        let mut open = Vec::new();
        for (branch, outcome) in branches.ahead.iter().zip(outcomes) {
            match change_of(branch, &trunk.commit, mergeability(outcome)) {
                Ok(change) => open.push(change),
                Err(problem) => refused.push(problem),
            }
        }
        let merges = self.git.first_parent_merges(&trunk.commit, MERGES_SEARCHED)?;
        let merges = merges
            .into_iter()
            .map(|merge| Merge {
                commit: merge.commit.id,
                trunk_before: merge.trunk_before,
                head: merge.merged,
                title: merge.commit.summary,
                author: merge.commit.author.name,
                time: merge.commit.time,
            })
            .collect();
        Ok(ChangeList { trunk, open, merges, refused })
    }

    fn merge(&self, request: &MergeRequest) -> Result<CommitId, ForgeError> {
        self.fetch(&mut |_| {})?;
        let trunk = self.git.trunk(self.trunk.as_ref())?;
        let branches = self.git.branches_ahead(&trunk)?;
        let branch = branches.ahead.iter().find(|branch| branch.name.as_str() == request.change.as_str());
        let branch = branch.ok_or_else(|| ForgeError::NoSuchChange(request.change.clone()))?;
        if branch.commit != request.head {
            return Err(ForgeError::HeadMoved {
                change: request.change.clone(),
                expected: request.head.clone(),
                found: branch.commit.clone(),
            });
        }
        let conflicts = |paths: String| ForgeError::Conflicts { change: request.change.clone(), paths };
        let tree = match self.git.merge(&trunk.commit, &request.head)? {
            MergeOutcome::Clean { tree } => tree,
            MergeOutcome::UpToDate => return Err(ForgeError::NoSuchChange(request.change.clone())),
            MergeOutcome::Conflicts { paths } => return Err(conflicts(shown(&paths))),
            MergeOutcome::Unrelated => return Err(conflicts(UNRELATED.to_owned())),
        };
        let parents = [trunk.commit.clone(), request.head.clone()];
        let commit = self.git.commit_merge(&tree, &parents, &request.message, &request.author)?;
        let remote = self.git.required_remote()?;
        let reference = format!("refs/heads/{}", trunk.branch);
        let update = RefUpdate { reference, expected: Expected::At(trunk.commit), new: Some(commit.clone()) };
        // Git moves the remote-tracking branch along, so that the merge shows without another fetch.
        self.git.push(&remote, &[update])?;
        Ok(commit)
    }

    fn fetch_log(&self, known: Option<&CommitId>) -> Result<LogUpdate, ForgeError> {
        let Some(tip) = self.fetch_shared(&SharedRef::log())? else {
            return Ok(LogUpdate { tip: None, entries: Entries::default(), rewound: known.is_some() });
        };
        let (entries, rewound) = self.since(known, &tip)?;
        Ok(LogUpdate { tip: Some(tip), entries, rewound })
    }

    fn publish(
        &self,
        known: Option<&CommitId>,
        files: &[(String, Vec<u8>)],
        inspect: &mut Inspect<'_>,
    ) -> Result<CommitId, ForgeError> {
        let log = SharedRef::log();
        let mut seen = known.cloned();
        for attempt in 0..PUSH_TRIES {
            let tip = self.fetch_shared(&log)?;
            if let Some(tip) = &tip {
                let (entries, _) = self.since(seen.as_ref(), tip)?;
                inspect(&entries).map_err(ForgeError::Vetoed)?;
                seen = Some(tip.clone());
            }
            let base = self.healed(known, tip.as_ref())?;
            let next = self.git.append(base.as_ref(), files, "Add statements")?;
            if tip.as_ref() == Some(&next) {
                return Ok(next);
            }
            match self.push_one(&log, tip, Some(next.clone())) {
                Ok(()) => return Ok(next),
                Err(error) if may_pass(&error) => pause(attempt),
                Err(error) => return Err(error.into()),
            }
        }
        Err(ForgeError::Contended(PUSH_TRIES))
    }

    fn publish_bundles(&self, key: &str, files: &[(String, Vec<u8>)]) -> Result<(), ForgeError> {
        let name = SharedRef::bundles(key)?;
        let next = self.git.append(None, files, "Sealed bundles")?;
        for attempt in 0..PUSH_TRIES {
            let there = self.fetch_shared(&name)?;
            if there.as_ref() == Some(&next) {
                return Ok(());
            }
            match self.push_one(&name, there, Some(next.clone())) {
                Ok(()) => return Ok(()),
                Err(error) if may_pass(&error) => pause(attempt),
                Err(error) => return Err(error.into()),
            }
        }
        Err(ForgeError::Contended(PUSH_TRIES))
    }

    fn fetch_bundles(&self, key: &str) -> Result<Vec<SharedEntry>, ForgeError> {
        let Some(tip) = self.fetch_shared(&SharedRef::bundles(key)?)? else { return Ok(Vec::new()) };
        Ok(self.git.read_entries(&tip, ReadLimits::default())?.files)
    }

    fn delete_bundles(&self, key: &str) -> Result<(), ForgeError> {
        let name = SharedRef::bundles(key)?;
        for attempt in 0..PUSH_TRIES {
            let Some(there) = self.fetch_shared(&name)? else { return Ok(()) };
            match self.push_one(&name, Some(there), None) {
                Ok(()) => return Ok(()),
                Err(error) if may_pass(&error) => pause(attempt),
                Err(error) => return Err(error.into()),
            }
        }
        Err(ForgeError::Contended(PUSH_TRIES))
    }
}

/// True when somebody else was faster, here or on the remote, so that the same try can work next time.
fn may_pass(error: &RemoteError) -> bool {
    matches!(error, RemoteError::Rejected { .. } | RemoteError::LockHeld { .. })
}

/// Waits longer after each lost race; the clock's own digits spread writers that lost the same one.
fn pause(attempt: u32) {
    let spread =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.subsec_micros());
    let longest = (Duration::from_millis(10) * 2u32.saturating_pow(attempt.min(6))).min(LONGEST_PAUSE);
    std::thread::sleep(longest.mul_f64(0.25 + 0.75 * f64::from(spread % 1000) / 1000.0));
}

fn change_of(branch: &Branch, base: &CommitId, mergeability: Mergeability) -> Result<Change, String> {
    let id = ChangeId::new(branch.name.as_str()).map_err(|error| error.to_string())?;
    let commits = &branch.ahead_commits;
    let newest = commits.first().ok_or_else(|| format!("left out {id}: it has no commits"))?;
    let own: Vec<&CommitInfo> = commits.iter().filter(|commit| !commit.is_merge()).collect();
    let (title, description) = described(&id, &own, newest);
    Ok(Change {
        id,
        title,
        description,
        author: own.last().copied().unwrap_or(newest).author.name.clone(),
        contributors: contributors(commits),
        base: base.clone(),
        head: branch.commit.clone(),
        commits: u32::try_from(commits.len()).unwrap_or(u32::MAX),
        updated: newest.time,
        mergeability,
    })
}

fn mergeability(outcome: MergeOutcome) -> Mergeability {
    match outcome {
        MergeOutcome::Clean { .. } | MergeOutcome::UpToDate => Mergeability::Clean,
        MergeOutcome::Conflicts { paths } => Mergeability::Conflicts(paths),
        MergeOutcome::Unrelated => Mergeability::Conflicts(vec![UNRELATED.to_owned()]),
    }
}

/// A branch of one commit is called by its summary, as forges do; one of several by the branch's name, with the summaries
/// as its description.
fn described(id: &ChangeId, own: &[&CommitInfo], newest: &CommitInfo) -> (String, String) {
    match own {
        [only] => {
            let body = only.message.split_once('\n').map(|(_, body)| body.trim()).unwrap_or_default();
            (only.summary.clone(), body.to_owned())
        }
        [] => (newest.summary.clone(), String::new()),
        several => {
            let lines: Vec<String> = several.iter().rev().map(|commit| format!("- {}", commit.summary)).collect();
            (in_words(id.as_str()), lines.join("\n"))
        }
    }
}

fn in_words(branch: &str) -> String {
    let last = branch.rsplit('/').next().unwrap_or(branch);
    let words = last.replace(['-', '_'], " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn shown(paths: &[String]) -> String {
    let first: Vec<String> = paths.iter().take(3).map(|path| countersign_domain::names::quoted(path)).collect();
    match paths.len() {
        0..=3 => first.join(", "),
        n => format!("{} and {} more", first.join(", "), n - 3),
    }
}
