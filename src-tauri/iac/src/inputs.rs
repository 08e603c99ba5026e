//! What a unit's plan is made from, as far as it lies in the repository.
//!
//! The digest that an approval binds is made of the Git ids of these directories and files. A directory counts whole,
//! with everything below it: whatever lies beside the code (templates, scripts, variable files, the lock file) may
//! decide what is planned. What lies elsewhere counts when the code names it by a literal path or when a symbolic link
//! leads to it. What cannot be followed is a problem, never left out in silence.

use std::collections::{BTreeMap, BTreeSet};

use countersign_domain::names::{UnitPath, quoted};
use serde::{Deserialize, Serialize};

use crate::files::{self, EntryKind, Files, FilesError};
use crate::hcl::{self, DirectoryConfig, ModuleCall, PathBase, PathReach, PathUse, Problem, Source};

/// Everything in the repository that a unit's plan is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// The unit, its local modules, and directories that its code names, sorted. Their Git tree ids decide.
    pub directories: Vec<UnitPath>,
    /// Files outside these directories that its code names, sorted. Their Git blob ids decide.
    pub files: Vec<String>,
    /// What could not be followed: the ids do not cover it.
    pub problems: Vec<Problem>,
}

/// Follows the unit's local modules, literal paths and symbolic links.
///
/// # Errors
/// [`FilesError`] when a directory cannot be listed.
pub fn of_unit(files: &dyn Files, unit: &UnitPath) -> Result<Inputs, FilesError> {
    let configs = reachable(files, unit)?;
    Ok(follow(files, unit, &configs)?.inputs)
}

/// The configuration of the unit and of every local module it calls, directly or through others.
fn reachable(files: &dyn Files, unit: &UnitPath) -> Result<BTreeMap<UnitPath, DirectoryConfig>, FilesError> {
    let mut configs = BTreeMap::new();
    let mut waiting = vec![unit.clone()];
    while let Some(dir) = waiting.pop() {
        if configs.contains_key(&dir) {
            continue;
        }
        let config = match hcl::read_directory(files, &dir) {
            Err(FilesError::Missing { .. } | FilesError::Link { .. }) if dir != *unit => continue,
            result => result?,
        };
        waiting.extend(local_modules(&config).map(|(_, called)| called.clone()));
        configs.insert(dir, config);
    }
    Ok(configs)
}

pub(crate) fn local_modules(config: &DirectoryConfig) -> impl Iterator<Item = (&ModuleCall, &UnitPath)> {
    config.modules.iter().filter_map(|call| match &call.source {
        Source::Local(dir) => Some((call, dir)),
        _ => None,
    })
}

/// A unit's inputs, and which of them are modules.
pub(crate) struct Followed {
    pub(crate) modules: BTreeSet<UnitPath>,
    pub(crate) inputs: Inputs,
}

pub(crate) fn follow(
    files: &dyn Files,
    unit: &UnitPath,
    configs: &BTreeMap<UnitPath, DirectoryConfig>,
) -> Result<Followed, FilesError> {
    let mut trail = Trail { files, unit, code: BTreeSet::new(), extra: BTreeMap::new(), problems: BTreeSet::new() };
    let mut waiting = vec![unit];
    while let Some(dir) = waiting.pop() {
        let Some(config) = configs.get(dir) else { continue };
        if !trail.code.insert(dir.clone()) {
            continue;
        }
        trail.problems.extend(config.problems.iter().cloned());
        for call in &config.modules {
            waiting.extend(trail.called(call, configs));
        }
    }
    trail.code.insert(unit.clone());
    let code = trail.code.clone();
    for config in code.iter().filter_map(|dir| configs.get(dir)) {
        for path_use in &config.path_uses {
            trail.add_path(&config.dir, path_use)?;
        }
    }
    trail.add_links()?;
    Ok(trail.finish())
}

struct Trail<'a> {
    files: &'a dyn Files,
    unit: &'a UnitPath,
    /// The unit and its modules.
    code: BTreeSet<UnitPath>,
    /// What else is read.
    extra: BTreeMap<String, EntryKind>,
    problems: BTreeSet<Problem>,
}

impl<'a> Trail<'a> {
    /// The directory a module call leads to, when it is one of this repository that holds configuration.
    fn called<'c>(
        &mut self,
        call: &'c ModuleCall,
        configs: &BTreeMap<UnitPath, DirectoryConfig>,
    ) -> Option<&'c UnitPath> {
        let name = quoted(&call.name);
        let problem = match &call.source {
            Source::Remote(_) => return None,
            Source::Local(dir) if configs.get(dir).is_some_and(|config| !config.files.is_empty()) => return Some(dir),
            Source::Local(dir) => {
                format!("module {name} leads to {}, which holds no configuration", quoted(dir.as_str()))
            }
            Source::Outside(text) => format!("module {name} leads out of the repository with {}", quoted(text)),
            Source::Dynamic(text) => format!("module {name} has a source that is not literal: {}", quoted(text)),
            Source::Missing => format!("module {name} has no source"),
        };
        self.problems.insert(Problem::at(&call.position, problem));
        None
    }

    fn is_covered(&self, path: &str) -> bool {
        self.code.iter().any(|dir| dir.as_str() == path || dir.contains(path))
    }

    fn add_path(&mut self, module: &UnitPath, path_use: &PathUse) -> Result<(), FilesError> {
        let base = match path_use.base {
            PathBase::Module => module,
            PathBase::Unit => self.unit,
        };
        let outside =
            || Problem::at(&path_use.position, format!("{} is outside the repository", quoted(&path_use.path)));
        // The tools expand a leading `~` to the home directory.
        let path = files::resolve(base, &path_use.path).filter(|_| !path_use.path.starts_with('~'));
        let Some(path) = path else {
            self.problems.insert(outside());
            return Ok(());
        };
        if path == "." && !self.code.contains(&UnitPath::root()) {
            let message = "a path that is not literal may lead anywhere in the repository";
            self.problems.insert(Problem::at(&path_use.position, message));
            return Ok(());
        }
        if self.is_covered(&path) {
            return Ok(());
        }
        // What is not there is made elsewhere, or will be there in another commit and counts then.
        match (files::locate(self.files, &path)?, path_use.reach) {
            (None | Some(EntryKind::Other), _) => {}
            (Some(kind), PathReach::Exact) | (Some(kind @ EntryKind::Directory), PathReach::Below) => {
                self.extra.insert(path, kind);
            }
            (Some(_), PathReach::Below) => {}
        }
        Ok(())
    }

    /// A tree's id covers where a symbolic link leads to, not what is there.
    fn add_links(&mut self) -> Result<(), FilesError> {
        for dir in self.code.clone() {
            let links = self.files.list(&dir)?.into_iter().filter(|entry| entry.kind == EntryKind::Link);
            for link in links {
                self.add_link(&dir, &link.name);
            }
        }
        let named: Vec<String> =
            self.extra.iter().filter(|(_, kind)| **kind == EntryKind::Link).map(|(path, _)| path.clone()).collect();
        for path in named {
            let (parent, name) = path.rsplit_once('/').unwrap_or((".", &path));
            if let Ok(parent) = UnitPath::new(parent) {
                self.add_link(&parent, name);
            }
        }
        Ok(())
    }

    fn add_link(&mut self, dir: &UnitPath, name: &str) {
        match files::follow_link(self.files, dir, name) {
            Ok((target, _)) if self.is_covered(&target) => {}
            Ok((target, kind)) => {
                self.extra.insert(target, kind);
            }
            Err(error) => {
                let file = files::join(dir, name);
                self.problems.insert(Problem::of_file(&file, format!("failed to {error}")));
            }
        }
    }

    fn finish(mut self) -> Followed {
        let mut directories = self.code.clone();
        let mut plain_files = Vec::new();
        for (path, kind) in self.extra {
            match (kind, UnitPath::new(path.as_str())) {
                (EntryKind::Directory, Ok(dir)) => {
                    directories.insert(dir);
                }
                _ => plain_files.push(path),
            }
        }
        plain_files.retain(|file| !directories.iter().any(|dir| dir.contains(file)));
        self.code.remove(self.unit);
        let problems = self.problems.into_iter().collect();
        let inputs = Inputs { directories: directories.into_iter().collect(), files: plain_files, problems };
        Followed { modules: self.code, inputs }
    }
}
