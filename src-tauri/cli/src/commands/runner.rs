//! What the deploy runner does by hand: `plan` and `apply` of one change. And the lock that keeps two runners apart.

use std::fs::File;
use std::path::Path;

use countersign_domain::plan::Counts;
use countersign_domain::statement::{AfterApply, ApplyOutcome, ApplyResult, PlanOutcome, PlannedUnit};
use countersign_engine::apply::Applied;
use countersign_engine::attention::outcome_words;
use countersign_engine::dry_run::DryRun;
use serde::Serialize;

use super::answer;
use crate::args;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::narrate::narrated;
use crate::output::{self, Output};
use crate::session::Session;
use crate::text::{self, Cell, Look, Paint, cell};

/// Held by the one process that plans and applies in a data directory: two would work in the same directories.
pub(crate) struct RunnerLock(#[expect(dead_code, reason = "the lock is held as long as the file is open")] File);

impl RunnerLock {
    /// # Errors
    /// Refuses when another process holds it.
    pub(crate) fn take(data_dir: &Path) -> Result<Self, Failure> {
        let path = data_dir.join("agent.lock");
        let file = File::options().create(true).write(true).truncate(false).open(&path);
        let file = file.map_err(|error| Failure::machine(format!("failed to open {}: {error}", path.display())))?;
        file.try_lock().map_err(|_| {
            Failure::not_now(format!("another deploy runner works in {}", data_dir.display()))
                .kept("nothing was planned and nothing was applied")
                .hint("let it do the work, or stop it first")
        })?;
        Ok(Self(file))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Planned<'a> {
    change: String,
    manifest: &'a str,
    published: bool,
    units: Vec<UnitAnswer<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UnitAnswer<'a> {
    unit: &'a str,
    planned: bool,
    counts: Counts,
    no_changes: bool,
    deleted: bool,
}

pub(crate) async fn plan(session: &Session, args: &args::Plan, output: &mut Output) -> Result<Exit, Failure> {
    let _lock = RunnerLock::take(session.engine().data_dir())?;
    let found = session.find(&args.id).await?;
    let work = session.engine().plan_change(&found.place, &found.clone, found.view()?);
    let dry_run = narrated(session.engine(), output, work).await?;
    if let Some(error) = &dry_run.unpublished {
        output::note(&text::line(&format!("the manifest is kept here and is published later: {error}")));
    }
    answer(output, &Planned::of(&args.id, &dry_run), planned_in_words)?;
    let has_failed = dry_run.units.iter().any(|unit| unit.outcome == PlanOutcome::Failed);
    Ok(if has_failed { Exit::ToolFailed } else { Exit::Done })
}

impl<'a> Planned<'a> {
    fn of(change: &str, dry_run: &'a DryRun) -> Self {
        Self {
            change: change.to_owned(),
            manifest: dry_run.manifest.as_str(),
            published: dry_run.unpublished.is_none(),
            units: dry_run.units.iter().map(UnitAnswer::of).collect(),
        }
    }
}

impl<'a> UnitAnswer<'a> {
    fn of(unit: &'a PlannedUnit) -> Self {
        let changes = match &unit.outcome {
            PlanOutcome::Planned(changes) => Some(changes),
            PlanOutcome::Failed => None,
        };
        Self {
            unit: unit.unit.as_str(),
            planned: changes.is_some(),
            counts: changes.map(|changes| changes.counts).unwrap_or_default(),
            no_changes: changes.is_some_and(|changes| changes.no_changes),
            deleted: unit.deleted,
        }
    }
}

fn planned_in_words(planned: &Planned<'_>, paint: Paint) -> String {
    let row = |unit: &UnitAnswer<'_>| -> Vec<Cell> {
        let (add, change, destroy) = unit.counts.tool_line();
        let (said, look) = match (unit.planned, unit.no_changes) {
            (false, _) => ("planning failed; the log is sealed for the reviewers".to_owned(), Look::Bad),
            (true, true) => ("no changes".to_owned(), Look::Plain),
            (true, false) => (format!("{add} to add, {change} to change, {destroy} to destroy"), Look::Plain),
        };
        vec![cell(unit.unit).look(Look::Bold), cell(said).look(look)]
    };
    let rows: Vec<Vec<Cell>> = planned.units.iter().map(row).collect();
    text::rows(paint, 0, &rows) + &format!("manifest {}\n", planned.manifest)
}

#[derive(Serialize)]
struct AppliedAnswer<'a> {
    change: &'a str,
    ok: bool,
    results: Vec<ResultAnswer<'a>>,
}

#[derive(Serialize)]
struct ResultAnswer<'a> {
    unit: &'a str,
    outcome: ApplyOutcome,
    after: AfterApply,
}

impl<'a> ResultAnswer<'a> {
    fn of(result: &'a ApplyResult) -> Self {
        Self { unit: result.unit.as_str(), outcome: result.outcome, after: result.after }
    }
}

pub(crate) async fn apply(session: &Session, args: &args::Apply, output: &mut Output) -> Result<Exit, Failure> {
    let _lock = RunnerLock::take(session.engine().data_dir())?;
    let found = session.find(&args.id).await?;
    let work = session.engine().apply_change(&found.place, &found.id);
    let applied = narrated(session.engine(), output, work).await?;
    let told = AppliedAnswer {
        change: &args.id,
        ok: applied.is_whole(),
        results: applied.results.iter().map(ResultAnswer::of).collect(),
    };
    answer(output, &told, |_, paint| applied_in_words(&applied, paint))?;
    Ok(exit_of(&applied))
}

fn exit_of(applied: &Applied) -> Exit {
    let is = |outcome: ApplyOutcome| applied.results.iter().any(|result| result.outcome == outcome);
    match applied.is_whole() {
        true => Exit::Done,
        false if is(ApplyOutcome::Stale) && !is(ApplyOutcome::Failed) && !is(ApplyOutcome::Interrupted) => {
            Exit::PlanStale
        }
        false => Exit::ToolFailed,
    }
}

fn applied_in_words(applied: &Applied, paint: Paint) -> String {
    if applied.results.is_empty() {
        return "there was nothing left to apply\n".to_owned();
    }
    let row = |result: &ApplyResult| {
        let look = match result.outcome {
            ApplyOutcome::Applied => Look::Good,
            ApplyOutcome::NothingToApply => Look::Plain,
            ApplyOutcome::Failed | ApplyOutcome::Stale | ApplyOutcome::Interrupted => Look::Bad,
        };
        vec![cell(result.unit.as_str()).look(Look::Bold), cell(outcome_words(result.outcome)).look(look)]
    };
    text::rows(paint, 0, &applied.results.iter().map(row).collect::<Vec<_>>())
}
