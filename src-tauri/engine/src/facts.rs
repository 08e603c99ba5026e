//! What a change is, read from Git alone: the units it affects, their inputs, who wrote it. The gate judges these facts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use countersign_domain::change::{AffectedUnit, Change, ChangeFacts, Mergeability};
use countersign_domain::names::{CommitId, Digest, TreeId, UnitPath};
use countersign_domain::policy::{ALLOWED_SIGNERS_FILE, POLICY_FILE};
use countersign_git::{Clone, GitError, MergeOutcome};
use countersign_iac::hcl::Problem;
use countersign_iac::units;

use crate::files::TreeFiles;

/// How many trees' units are remembered; a tree's units never change.
const REMEMBERED_TREES: usize = 256;

/// The units of one tree with their inputs.
#[derive(Debug, Clone, Default)]
pub struct TreeUnits {
    /// Inputs digest by unit.
    pub inputs: BTreeMap<UnitPath, Digest>,
    /// Units in an order in which each comes after those whose state it reads.
    pub order: Vec<UnitPath>,
    /// Which units' state a unit reads.
    pub depends_on: BTreeMap<UnitPath, Vec<UnitPath>>,
    /// What could not be read, by unit.
    pub problems: BTreeMap<UnitPath, String>,
    /// What could not be read outside of units, for people.
    pub elsewhere: Vec<String>,
}

/// Remembers what trees hold, by tree id.
#[derive(Debug, Default)]
pub struct TreeMemory(Mutex<HashMap<TreeId, Arc<TreeUnits>>>);

impl TreeMemory {
    /// The units of `tree`.
    ///
    /// # Errors
    /// Fails when the tree or a directory in it cannot be read.
    pub fn units(&self, git: &Clone, tree: &TreeId) -> Result<Arc<TreeUnits>, String> {
        if let Some(known) = self.lock().get(tree) {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(read_tree(git, tree)?);
        let mut memory = self.lock();
        if memory.len() >= REMEMBERED_TREES {
            memory.clear();
        }
        memory.insert(tree.clone(), Arc::clone(&read));
        Ok(read)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TreeId, Arc<TreeUnits>>> {
        // A panic elsewhere cannot leave a half-written entry: insert is the last step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_tree(git: &Clone, tree: &TreeId) -> Result<TreeUnits, String> {
    let files = TreeFiles::list(git, tree).map_err(|error| error.to_string())?;
    let found = units::discover(&files).map_err(|error| format!("failed to {error}"))?;
    let mut read = TreeUnits { order: found.order, ..TreeUnits::default() };
    for unit in found.units {
        let digest = files.digest(&unit.inputs.directories, &unit.inputs.files).map_err(|error| error.to_string())?;
        if let Some(problem) = unit.inputs.problems.first() {
            read.problems.insert(unit.path.clone(), shown(problem));
        }
        read.depends_on.insert(unit.path.clone(), unit.depends_on);
        read.inputs.insert(unit.path, digest);
    }
    read.elsewhere = found.problems.iter().map(shown).collect();
    Ok(read)
}

fn shown(problem: &Problem) -> String {
    problem.to_string()
}

/// A change together with where its plans are made: the merged tree, and the tree before it.
#[derive(Debug, Clone)]
pub struct Surveyed {
    /// What the gate judges.
    pub facts: ChangeFacts,
    /// The tree that would be trunk's after the merge, or is; none when it conflicts.
    pub merged: Option<TreeId>,
    /// Affected units in an order in which each comes after those whose state it reads.
    pub order: Vec<UnitPath>,
    /// What keeps the affected units from being read whole, for people.
    pub warnings: Vec<String>,
}

/// Why nothing can be judged in a clone whose history is cut off: whoever wrote what is missing could approve their own
/// work.
const SHALLOW: &str =
    "the clone is shallow, so it cannot be told who wrote this change; run `git fetch --unshallow` in it";

/// A change in a shallow clone: nothing can be judged.
pub(crate) fn survey_shallow(trunk: &CommitId, change: &Change) -> Surveyed {
    unmergeable(change, trunk, change.mergeability.clone(), SHALLOW)
}

/// Surveys a change against trunk as it is now, in a clone whose history is whole.
///
/// A merged change is judged by what trunk holds now: its units are those the merge changed, their inputs are trunk's.
///
/// # Errors
/// Fails when Git cannot be read.
pub fn survey(git: &Clone, memory: &TreeMemory, trunk: &CommitId, change: &Change) -> Result<Surveyed, GitError> {
    match &change.mergeability {
        Mergeability::Merged { commit } => survey_merged(git, memory, trunk, change, commit),
        Mergeability::Clean | Mergeability::Conflicts(_) => survey_open(git, memory, trunk, change),
    }
}

fn survey_open(git: &Clone, memory: &TreeMemory, trunk: &CommitId, change: &Change) -> Result<Surveyed, GitError> {
    let before = git.tree_of(trunk)?;
    let merged = match git.merge(trunk, &change.head)? {
        MergeOutcome::Clean { tree } => tree,
        MergeOutcome::UpToDate => before.clone(),
        MergeOutcome::Conflicts { paths } => {
            return Ok(unmergeable(change, trunk, Mergeability::Conflicts(paths), "it conflicts with trunk"));
        }
        MergeOutcome::Unrelated => {
            let why = "it shares no history with trunk";
            return Ok(unmergeable(change, trunk, Mergeability::Conflicts(vec![why.to_owned()]), why));
        }
    };
    let (old, new) = match (memory.units(git, &before), memory.units(git, &merged)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(problem), _) | (_, Err(problem)) => {
            return Ok(unmergeable(change, trunk, Mergeability::Clean, &problem));
        }
    };
    let affected = compare(&old, &new);
    let facts = ChangeFacts {
        id: change.id.clone(),
        base: trunk.clone(),
        head: change.head.clone(),
        contributors: change.contributors.clone(),
        mergeability: Mergeability::Clean,
        units: Ok(affected),
        edits_policy: edits_policy(git, &before, &merged)?,
    };
    Ok(surveyed(facts, &old, &new, merged))
}

fn survey_merged(
    git: &Clone,
    memory: &TreeMemory,
    trunk: &CommitId,
    change: &Change,
    commit: &CommitId,
) -> Result<Surveyed, GitError> {
    let before = git.tree_of(&change.base)?;
    let merged = git.tree_of(commit)?;
    let now = git.tree_of(trunk)?;
    let read = |tree: &TreeId| memory.units(git, tree);
    let (old, new, current) = match (read(&before), read(&merged), read(&now)) {
        (Ok(old), Ok(new), Ok(current)) => (old, new, current),
        (Err(problem), _, _) | (_, Err(problem), _) | (_, _, Err(problem)) => {
            return Ok(unmergeable(change, trunk, change.mergeability.clone(), &problem));
        }
    };
    let affected = compare(&old, &new).into_iter().map(|unit| as_it_is_now(unit, &current)).collect();
    let facts = ChangeFacts {
        id: change.id.clone(),
        base: trunk.clone(),
        head: change.head.clone(),
        contributors: change.contributors.clone(),
        mergeability: change.mergeability.clone(),
        units: Ok(affected),
        edits_policy: edits_policy(git, &before, &merged)?,
    };
    Ok(surveyed(facts, &old, &new, now))
}

/// A unit of a merged change as trunk has it by now. A unit that came back, or went, since the merge is no longer what
/// was planned: the manifest then says otherwise, and the gate closes.
fn as_it_is_now(unit: AffectedUnit, current: &TreeUnits) -> AffectedUnit {
    match current.inputs.get(&unit.unit) {
        Some(inputs) => AffectedUnit { inputs: inputs.clone(), deleted: false, ..unit },
        None => AffectedUnit { deleted: true, ..unit },
    }
}

/// Units whose inputs differ between two trees.
fn compare(old: &TreeUnits, new: &TreeUnits) -> Vec<AffectedUnit> {
    let mut affected = Vec::new();
    let all: BTreeSet<&UnitPath> = old.inputs.keys().chain(new.inputs.keys()).collect();
    for unit in all {
        match (old.inputs.get(unit), new.inputs.get(unit)) {
            (Some(before), Some(after)) if before == after => {}
            (_, Some(after)) => {
                affected.push(AffectedUnit { unit: unit.clone(), inputs: after.clone(), deleted: false });
            }
            (Some(before), None) => {
                affected.push(AffectedUnit { unit: unit.clone(), inputs: before.clone(), deleted: true });
            }
            (None, None) => {}
        }
    }
    affected
}

fn surveyed(facts: ChangeFacts, old: &TreeUnits, new: &TreeUnits, merged: TreeId) -> Surveyed {
    let affected = facts.units.as_deref().unwrap_or_default();
    let (gone, kept): (Vec<_>, Vec<_>) = affected.iter().partition(|unit| unit.deleted);
    let in_order = |units: &[&AffectedUnit], tree: &TreeUnits| -> Vec<UnitPath> {
        tree.order.iter().filter(|path| units.iter().any(|unit| unit.unit == **path)).cloned().collect()
    };
    let mut order = in_order(&kept, new);
    // What reads another unit's state goes before that unit is destroyed.
    order.extend(in_order(&gone, old).into_iter().rev());
    let warnings = affected.iter().filter_map(|unit| new.problems.get(&unit.unit)).cloned().collect();
    Surveyed { facts, merged: Some(merged), order, warnings }
}

fn unmergeable(change: &Change, trunk: &CommitId, mergeability: Mergeability, why: &str) -> Surveyed {
    Surveyed {
        facts: ChangeFacts {
            id: change.id.clone(),
            base: trunk.clone(),
            head: change.head.clone(),
            contributors: change.contributors.clone(),
            mergeability,
            units: Err(format!("the affected units cannot be told: {why}")),
            edits_policy: false,
        },
        merged: None,
        order: Vec::new(),
        warnings: Vec::new(),
    }
}

fn edits_policy(git: &Clone, before: &TreeId, after: &TreeId) -> Result<bool, GitError> {
    for name in [POLICY_FILE, ALLOWED_SIGNERS_FILE] {
        let Ok(path) = UnitPath::new(name) else { continue };
        let id = |tree: &TreeId| -> Result<Option<String>, GitError> {
            Ok(git.entry(tree, &path)?.map(|entry| entry.id().to_owned()))
        };
        if id(before)? != id(after)? {
            return Ok(true);
        }
    }
    Ok(false)
}
