//! Applies trunk, so that the world starts with something deployed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use super::WorldError;
use super::content::APPLY_ORDER;
use super::paths::{Places, create_private_dir};
use super::repository::{end_of, isolate};

/// How many units are applied at a time.
const AT_ONCE: usize = 3;

/// Applies every unit of the checkout in `tree` with `tool`, networks before what stands in them.
pub(super) fn apply(
    places: &Places,
    tree: &Path,
    tool: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<(), WorldError> {
    create_private_dir(&places.state())?;
    let tool = absolute(tool)?;
    let total: usize = APPLY_ORDER.iter().map(|stage| stage.len()).sum();
    let mut done = 0;
    for stage in APPLY_ORDER {
        apply_together(stage, tree, &tool, &mut |unit| {
            done += 1;
            progress(&format!("applied {unit} ({done} of {total})"));
        })?;
    }
    Ok(())
}

/// A program that was named with a relative path is meant from here, and not from the unit's directory.
fn absolute(tool: &Path) -> Result<PathBuf, WorldError> {
    if tool.components().count() == 1 {
        return Ok(tool.to_owned());
    }
    std::path::absolute(tool).map_err(WorldError::io("find", tool))
}

/// Applies units that do not depend on each other. After a failure no further unit is begun.
fn apply_together(
    units: &[&'static str],
    tree: &Path,
    tool: &Path,
    applied: &mut dyn FnMut(&str),
) -> Result<(), WorldError> {
    let waiting = Mutex::new(units.iter().copied());
    let (results, received) = channel();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            let results = results.clone();
            let waiting = &waiting;
            scope.spawn(move || work(waiting, tree, tool, &results));
        }
        drop(results);
        let mut outcome = Ok(());
        for (unit, result) in received {
            match result {
                Ok(()) => applied(unit),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    })
}

type Finished = (&'static str, Result<(), WorldError>);

fn work(waiting: &Mutex<impl Iterator<Item = &'static str>>, tree: &Path, tool: &Path, results: &Sender<Finished>) {
    while let Some(unit) = waiting.lock().ok().and_then(|mut units| units.next()) {
        let result = apply_unit(unit, &tree.join(unit), tool);
        if result.is_err() {
            leave_nothing(waiting);
        }
        results.send((unit, result)).ok();
    }
}

fn leave_nothing(waiting: &Mutex<impl Iterator<Item = &'static str>>) {
    if let Ok(mut units) = waiting.lock() {
        units.by_ref().for_each(drop);
    }
}

fn apply_unit(unit: &'static str, dir: &Path, tool: &Path) -> Result<(), WorldError> {
    run(unit, dir, tool, "initialise", &["init", "-input=false", "-no-color"])?;
    run(unit, dir, tool, "apply", &["apply", "-input=false", "-no-color", "-auto-approve"])
}

fn run(
    unit: &'static str,
    dir: &Path,
    tool: &Path,
    action: &'static str,
    arguments: &[&str],
) -> Result<(), WorldError> {
    let mut command = Command::new(tool);
    isolate(&mut command);
    command.current_dir(dir).args(arguments).env("TF_IN_AUTOMATION", "1").env("CHECKPOINT_DISABLE", "1");
    let Output { status, stdout, stderr } = command.output().map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => WorldError::NoProgram(tool.to_owned()),
        _ => WorldError::io("run", tool)(source),
    })?;
    if status.success() {
        return Ok(());
    }
    let log = end_of(if stderr.is_empty() { &stdout } else { &stderr });
    Err(WorldError::Tool { action, unit, tool: tool.to_owned(), log })
}
