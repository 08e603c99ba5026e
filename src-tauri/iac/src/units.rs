//! A live repository's units: what can be deployed, from which modules, and in which order.
//!
//! A directory with configuration files is a unit when
//!
//! 1. it states where its state is kept (a `backend` or `cloud` block), or
//! 2. no other directory calls it as a local module, and no part of its path is named `modules`, `examples`, `tests` or
//!    `test`: by custom, those are not deployed themselves.
//!
//! The second rule lets units with default local state, or whose backend is completed on the command line by a wrapper,
//! be found without listing a module that merely has no caller yet. Directories whose name begins with a dot are not
//! looked into, and symbolic links to directories are not followed.
//!
//! Unit A depends on unit B when a `terraform_remote_state` of A, or of a local module it reads, literally names the
//! place where B keeps its state.

use std::collections::{BTreeMap, BTreeSet};

use countersign_domain::names::{UnitPath, quoted};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde::{Deserialize, Serialize};

use crate::files::{self, EntryKind, Files, FilesError};
use crate::hcl::{self, Backend, DirectoryConfig, Literal, LoadedDirectory, Problem, RemoteState};
use crate::inputs::{self, Inputs};

/// Names of directories that hold configuration which is not deployed itself.
const NOT_DEPLOYED: [&str; 4] = ["modules", "examples", "tests", "test"];

/// One deployable directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// The directory.
    pub path: UnitPath,
    /// Where its state is kept, when stated.
    pub state_place: Option<Backend>,
    /// Every local module it reads, directly or through others, sorted; the unit itself is not among them.
    pub modules: Vec<UnitPath>,
    /// Everything its plan is made from.
    pub inputs: Inputs,
    /// Units whose state it reads, sorted.
    pub depends_on: Vec<UnitPath>,
}

/// The units of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Units {
    /// Sorted by path.
    pub units: Vec<Unit>,
    /// All units, each after those it depends on; units that depend on each other in a circle stand together.
    pub order: Vec<UnitPath>,
    /// Units that depend on each other in a circle, each circle sorted.
    pub cycles: Vec<Vec<UnitPath>>,
    /// What could not be read anywhere in the repository, and states that are shared or not known; sorted.
    pub problems: Vec<Problem>,
}

impl Units {
    /// The unit at `path`.
    #[must_use]
    pub fn get(&self, path: &UnitPath) -> Option<&Unit> {
        let found = self.units.binary_search_by(|unit| unit.path.cmp(path)).ok()?;
        self.units.get(found)
    }

    /// The units that are made from `file`, a path from the repository's root.
    pub fn made_from<'a>(&'a self, file: &'a str) -> impl Iterator<Item = &'a Unit> {
        self.units.iter().filter(move |unit| unit.inputs.cover(file))
    }
}

impl Inputs {
    /// True when the plan is made from `file`, a path from the repository's root.
    #[must_use]
    pub fn cover(&self, file: &str) -> bool {
        self.directories.iter().any(|dir| dir.contains(file)) || self.files.iter().any(|known| known == file)
    }
}

/// Finds every unit of the repository.
///
/// # Errors
/// [`FilesError`] when a directory cannot be listed. Files that cannot be read are among the problems.
pub fn discover(files: &dyn Files) -> Result<Units, FilesError> {
    let mut problems = BTreeSet::new();
    let loaded = load_all(files, &mut problems)?;
    let configs: BTreeMap<UnitPath, DirectoryConfig> =
        loaded.into_par_iter().map(hcl::parse_directory).map(|config| (config.dir.clone(), config)).collect();
    problems.extend(configs.values().flat_map(|config| config.problems.iter().cloned()));
    let mut units = Vec::new();
    for path in unit_paths(&configs) {
        let followed = inputs::follow(files, path, &configs)?;
        problems.extend(followed.inputs.problems.iter().cloned());
        units.push(Unit {
            path: path.clone(),
            state_place: configs.get(path).and_then(DirectoryConfig::state_place).cloned(),
            modules: followed.modules.into_iter().collect(),
            inputs: followed.inputs,
            depends_on: Vec::new(),
        });
    }
    connect(&mut units, &configs, &mut problems);
    let (order, cycles) = ordered(&units);
    Ok(Units { units, order, cycles, problems: problems.into_iter().collect() })
}

fn load_all(files: &dyn Files, problems: &mut BTreeSet<Problem>) -> Result<Vec<LoadedDirectory>, FilesError> {
    let mut loaded = Vec::new();
    let mut waiting = vec![UnitPath::root()];
    while let Some(dir) = waiting.pop() {
        let entries = files.list(&dir)?;
        for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Directory && !entry.name.starts_with('.')) {
            let path = files::join(&dir, &entry.name);
            match UnitPath::new(path.as_str()) {
                Ok(inner) => waiting.push(inner),
                Err(error) => {
                    problems.insert(Problem::of_file(dir.as_str(), format!("a directory is left out: {error}")));
                }
            }
        }
        let found = hcl::load_directory(files, &dir, &entries);
        if !found.is_empty() {
            loaded.push(found);
        }
    }
    Ok(loaded)
}

fn unit_paths(configs: &BTreeMap<UnitPath, DirectoryConfig>) -> impl Iterator<Item = &UnitPath> {
    let called: BTreeSet<&UnitPath> =
        configs.values().flat_map(inputs::local_modules).map(|(_, called)| called).collect();
    configs.values().filter(move |config| is_unit(config, &called)).map(|config| &config.dir)
}

fn is_unit(config: &DirectoryConfig, called: &BTreeSet<&UnitPath>) -> bool {
    let by_custom_not = || config.dir.as_str().split('/').any(|part| NOT_DEPLOYED.contains(&part));
    config.state_place().is_some() || (!called.contains(&config.dir) && !by_custom_not())
}

/// The place of a state, in a form that is equal for everyone who means the same state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct StatePlace {
    kind: String,
    parts: Vec<String>,
}

impl StatePlace {
    fn of(kind: &str, settings: &BTreeMap<String, Literal>, unit: &UnitPath) -> Option<Self> {
        let parts = match kind {
            "local" => vec![local_state(settings, unit)?],
            "remote" => remote_workspace(settings)?,
            _ => identifying_settings(kind, settings)?,
        };
        Some(Self { kind: kind.to_owned(), parts })
    }

    fn of_unit(unit: &Unit) -> Option<Self> {
        let backend = unit.state_place.as_ref()?;
        Self::of(&backend.kind, &backend.settings, &unit.path)
    }

    fn of_remote_state(remote: &RemoteState, unit: &UnitPath) -> Option<Self> {
        Self::of(remote.kind.as_deref()?, remote.config.as_ref()?, unit)
    }
}

/// Relative paths count from the directory the tool runs in. They may lead out of the repository.
fn local_state(settings: &BTreeMap<String, Literal>, unit: &UnitPath) -> Option<String> {
    let path = match settings.get("path") {
        None | Some(Literal::Null) => "terraform.tfstate",
        Some(stated) => stated.text()?,
    };
    let from_root = if path.starts_with('/') { path.to_owned() } else { format!("{unit}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in from_root.split('/').filter(|part| !matches!(*part, "" | ".")) {
        match (part, parts.last()) {
            ("..", Some(last)) if *last != ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    let lead = if path.starts_with('/') { "/" } else { "" };
    Some(format!("{lead}{}", parts.join("/")))
}

fn remote_workspace(settings: &BTreeMap<String, Literal>) -> Option<Vec<String>> {
    let organization = settings.get("organization")?.text()?;
    let Literal::Object(workspaces) = settings.get("workspaces")? else { return None };
    Some(vec![organization.to_owned(), workspaces.get("name")?.text()?.to_owned()])
}

/// The settings that say which state it is. The others (region, credentials, locking) may well differ between the one
/// who writes and the one who reads.
fn identifying_settings(kind: &str, settings: &BTreeMap<String, Literal>) -> Option<Vec<String>> {
    let (required, optional): (&[&str], &[&str]) = match kind {
        "s3" => (&["bucket", "key"], &[]),
        "gcs" => (&["bucket"], &["prefix"]),
        "azurerm" => (&["storage_account_name", "container_name", "key"], &[]),
        "http" => (&["address"], &[]),
        "consul" => (&["path"], &["address"]),
        "pg" => (&["conn_str"], &["schema_name"]),
        "kubernetes" => (&["secret_suffix"], &["namespace"]),
        "oss" => (&["bucket"], &["prefix", "key"]),
        "cos" => (&["bucket"], &["prefix", "key"]),
        _ => return every_setting(settings),
    };
    let stated = required.iter().map(|key| Some(settings.get(*key)?.text()?.to_owned()));
    let defaulted = optional.iter().map(|key| match settings.get(*key) {
        None | Some(Literal::Null) => Some(String::new()),
        Some(value) => value.text().map(str::to_owned),
    });
    stated.chain(defaulted).collect()
}

fn every_setting(settings: &BTreeMap<String, Literal>) -> Option<Vec<String>> {
    let all_known = !settings.is_empty() && settings.values().all(Literal::is_known);
    all_known.then(|| settings.iter().map(|(key, value)| format!("{key}={value:?}")).collect())
}

fn connect(units: &mut [Unit], configs: &BTreeMap<UnitPath, DirectoryConfig>, problems: &mut BTreeSet<Problem>) {
    let mut owners: BTreeMap<StatePlace, Vec<UnitPath>> = BTreeMap::new();
    for unit in units.iter() {
        if let Some(place) = StatePlace::of_unit(unit) {
            owners.entry(place).or_default().push(unit.path.clone());
        }
    }
    problems.extend(units.iter().filter_map(|unit| shared_state(unit, &owners)));
    for unit in units {
        let code = std::iter::once(&unit.path).chain(&unit.modules).filter_map(|dir| configs.get(dir));
        let mut depends_on = BTreeSet::new();
        for remote in code.flat_map(|config| &config.remote_states) {
            match StatePlace::of_remote_state(remote, &unit.path) {
                Some(place) => depends_on.extend(owners.get(&place).into_iter().flatten().cloned()),
                None => {
                    problems.insert(unknown_state(remote));
                }
            }
        }
        depends_on.remove(&unit.path);
        unit.depends_on = depends_on.into_iter().collect();
    }
}

fn shared_state(unit: &Unit, owners: &BTreeMap<StatePlace, Vec<UnitPath>>) -> Option<Problem> {
    let sharing = owners.get(&StatePlace::of_unit(unit)?)?;
    let other = sharing.iter().find(|path| **path != unit.path)?;
    let message = format!("keeps its state in the same place as {}; give each unit its own", quoted(other.as_str()));
    Some(Problem::at(&unit.state_place.as_ref()?.position, message))
}

fn unknown_state(remote: &RemoteState) -> Problem {
    let name = quoted(&remote.name);
    let message = format!("remote state {name} is not stated literally, so the unit it belongs to is not known");
    Problem::at(&remote.position, message)
}

/// The units in an order that respects dependencies, and the circles among them.
fn ordered(units: &[Unit]) -> (Vec<UnitPath>, Vec<Vec<UnitPath>>) {
    let mut graph: DiGraph<&UnitPath, ()> = DiGraph::new();
    let nodes: BTreeMap<&UnitPath, NodeIndex> =
        units.iter().map(|unit| (&unit.path, graph.add_node(&unit.path))).collect();
    for unit in units {
        for dependency in &unit.depends_on {
            if let (Some(from), Some(to)) = (nodes.get(&unit.path), nodes.get(dependency)) {
                graph.add_edge(*from, *to, ());
            }
        }
    }
    let mut order = Vec::new();
    let mut cycles = Vec::new();
    // Components come in reverse topological order: what is depended on comes first.
    for component in kosaraju_scc(&graph) {
        let mut paths: Vec<UnitPath> = component.iter().map(|node| graph[*node].clone()).collect();
        paths.sort();
        order.extend(paths.iter().cloned());
        if paths.len() > 1 {
            cycles.push(paths);
        }
    }
    cycles.sort();
    (order, cycles)
}
