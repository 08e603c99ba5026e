//! Runs: those of this process, and those that the deploy runner's statements tell of.

use countersign_domain::statement::{ApplyOutcome, PlanOutcome, Statement};
use countersign_engine::attention::outcome_words;
use countersign_engine::audit::AuditedStatement;
use countersign_engine::runs::{Kind, RunRecord, Status};

use super::safe;
use crate::Host;
use crate::dto::{ChangeRef, Nothing, RunInfo, RunKind, RunLog, RunRef, RunStatus, Runs};
use crate::error::ApiError;

/// Most runs that are listed.
const LISTED: usize = 300;

/// All runs, newest first.
///
/// # Errors
/// Fails when the record cannot be read.
pub async fn runs(host: &Host, _: Nothing) -> Result<Runs, ApiError> {
    let mut runs: Vec<RunInfo> = host.engine.runs().iter().map(here).collect();
    let clones = host.engine.clone_of_repository().await?;
    for audited in host.engine.audit().await? {
        let clone = clones.get(&audited.row.repository);
        runs.extend(by_runner(&audited, clone.map(String::as_str)));
    }
    runs.sort_by(|a, b| b.started_at.cmp(&a.started_at));
    runs.truncate(LISTED);
    Ok(Runs { runs })
}

fn here(record: &RunRecord) -> RunInfo {
    RunInfo {
        id: record.id.clone(),
        kind: match record.kind {
            Kind::Fetch => RunKind::Fetch,
            Kind::Clone => RunKind::Clone,
            Kind::Plan => RunKind::Plan,
            Kind::Apply => RunKind::Apply,
            Kind::Merge => RunKind::Merge,
            Kind::Demo => RunKind::Demo,
        },
        title: safe(&record.title),
        status: match record.status {
            Status::Running => RunStatus::Running,
            Status::Succeeded => RunStatus::Succeeded,
            Status::Failed => RunStatus::Failed,
            Status::Cancelled => RunStatus::Cancelled,
        },
        started_at: record.started.to_string(),
        ended_at: record.ended.map(|at| at.to_string()),
        summary: safe(&record.summary),
        cancellable: record.status == Status::Running && matches!(record.kind, Kind::Plan | Kind::Apply),
        repeatable: record.is_repeatable(),
        by: "this device".to_owned(),
        change: record
            .change
            .as_ref()
            .map(|(clone, change)| ChangeRef { clone: clone.clone(), change: change.to_string() }),
        unit: record.unit.as_ref().map(ToString::to_string),
    }
}

fn by_runner(audited: &AuditedStatement, clone: Option<&str>) -> Option<RunInfo> {
    let verified = audited.verification.as_ref().ok()?;
    let of_change = |change: &countersign_domain::names::ChangeId| {
        clone.map(|clone| ChangeRef { clone: clone.to_owned(), change: change.to_string() })
    };
    let by = verified.signer().person.to_string();
    let id = verified.id().to_string();
    match verified.statement() {
        Statement::Plan(manifest) => {
            let failed = manifest.units.iter().filter(|unit| unit.outcome == PlanOutcome::Failed).count();
            let units = manifest.units.len();
            Some(RunInfo {
                id,
                kind: RunKind::Plan,
                title: format!("Plan {}", manifest.change),
                status: if failed == 0 { RunStatus::Succeeded } else { RunStatus::Failed },
                started_at: manifest.issued.to_string(),
                ended_at: Some(manifest.issued.to_string()),
                summary: match failed {
                    0 => format!("{units} planned and sealed"),
                    n => format!("{n} of {units} failed to plan"),
                },
                cancellable: false,
                repeatable: false,
                by,
                change: of_change(&manifest.change),
                unit: None,
            })
        }
        Statement::Apply(result) => Some(RunInfo {
            id,
            kind: RunKind::Apply,
            title: format!("Apply {}", result.unit),
            status: match result.outcome {
                ApplyOutcome::Applied | ApplyOutcome::NothingToApply => RunStatus::Succeeded,
                ApplyOutcome::Failed | ApplyOutcome::Stale => RunStatus::Failed,
                ApplyOutcome::Interrupted => RunStatus::Interrupted,
            },
            started_at: result.started.to_string(),
            ended_at: Some(result.issued.to_string()),
            summary: outcome_words(result.outcome).to_owned(),
            cancellable: false,
            repeatable: false,
            by,
            change: of_change(&result.change),
            unit: Some(result.unit.to_string()),
        }),
        _ => None,
    }
}

/// A run's lines that are still in memory. The logs of the deploy runner's plans are sealed and stand with their change.
///
/// # Errors
/// Fails when there is no such run in this process.
pub async fn run_log(host: &Host, args: RunRef) -> Result<RunLog, ApiError> {
    let (lines, truncated) = host.engine.run_lines(&args.run)?;
    Ok(RunLog { lines: lines.iter().map(|line| safe(line)).collect(), truncated })
}

/// Asks a run to stop.
///
/// # Errors
/// Fails when there is no such run in this process.
pub async fn run_cancel(host: &Host, args: RunRef) -> Result<Nothing, ApiError> {
    host.engine.cancel_run(&args.run)?;
    Ok(Nothing {})
}

/// Does again what a run did.
///
/// # Errors
/// Fails when there is no such run, or it cannot be repeated.
pub async fn run_repeat(host: &Host, args: RunRef) -> Result<Nothing, ApiError> {
    host.engine.repeat_run(&args.run).await?;
    Ok(Nothing {})
}
