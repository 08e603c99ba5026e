//! `change show`: what a change does, what it destroys, what the gate lacks.

use countersign_api::dto::{Change, LogPage, UnitInfo, UnitPlan, UnitState};
use countersign_api::{commands, dto};

use super::answer;
use super::clones::problem_in_words;
use super::gate::{Line, verdict_in_words};
use super::queue::counts;
use crate::args::ChangeShow;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::narrate::narrated;
use crate::output::Output;
use crate::session::{Found, Session};
use crate::text::{self, Cell, Look, Paint, cell, count, short};

/// Log lines that are asked for at once.
const PAGE: u32 = 2000;

pub(crate) async fn show(session: &Session, args: &ChangeShow, output: &mut Output) -> Result<Exit, Failure> {
    if args.fetch {
        narrated(session.engine(), output, session.fetch()).await?;
    }
    let found = session.find(&args.id).await?;
    match &args.unit {
        None => {
            let change = commands::change(&session.host, found.reference()).await?;
            answer(output, &change, in_words)
        }
        Some(unit) if args.log => {
            let log = log(session, &found, unit).await?;
            answer(output, &log, |log, _| log_in_words(log))
        }
        Some(unit) => {
            let dto::ChangeRef { clone, change } = found.reference();
            let unit = dto::UnitRef { clone, change, unit: unit.clone() };
            let plan = commands::unit_plan(&session.host, unit).await?;
            answer(output, &plan, plan_in_words)
        }
    }
}

/// The whole log, page by page.
async fn log(session: &Session, found: &Found, unit: &str) -> Result<LogPage, Failure> {
    let mut whole: Option<LogPage> = None;
    loop {
        let dto::ChangeRef { clone, change } = found.reference();
        let from = whole.as_ref().map_or(0, |log| u32::try_from(log.lines.len()).unwrap_or(u32::MAX));
        let range = dto::LogRange { clone, change, unit: unit.to_owned(), from, count: PAGE };
        let page = commands::plan_log(&session.host, range).await?;
        let is_last = page.lines.is_empty();
        let log = match whole.take() {
            None => page,
            Some(mut log) => {
                log.lines.extend(page.lines);
                log
            }
        };
        if is_last || log.lines.len() >= log.total as usize {
            return Ok(log);
        }
        whole = Some(log);
    }
}

fn log_in_words(log: &LogPage) -> String {
    let line = |line: &dto::LogLine| line.spans.iter().map(|span| text::line(&span.text)).collect::<String>() + "\n";
    log.lines.iter().map(line).collect()
}

fn in_words(change: &Change, paint: Paint) -> String {
    let row = &change.row;
    let mut out = format!("{}  {}\n", paint.paint(Look::Bold, &text::line(&row.id)), text::line(&row.title));
    let about = [
        format!("by {}", row.author),
        count(row.commits as usize, "commit"),
        format!("head {}", short(&row.head)),
        format!("onto {} {}", change.trunk, short(&change.base)),
        text::time(&row.updated_at),
    ];
    out.push_str(&format!("{}\n", paint.paint(Look::Dim, &text::line(&about.join(" · ")))));
    out.push_str(&format!("{}\n", text::line(&row.summary)));
    for line in text::lines(&change.description) {
        out.push_str(&format!("  {line}\n"));
    }
    let dangers: Vec<Vec<Cell>> = change.dangers.iter().map(danger).collect();
    section(&mut out, paint, "Destroys and replacements", &dangers);
    units(&mut out, paint, &change.units);
    out.push('\n');
    out.push_str(&gate(change, paint));
    out.push_str(&actions(change, paint));
    out
}

fn danger(danger: &dto::Danger) -> Vec<Cell> {
    let forces = danger.forces.join(", ");
    let forces = if forces.is_empty() { forces } else { format!("forced by {forces}") };
    vec![cell(&danger.symbol).look(Look::Bad), cell(&danger.address), cell(&danger.unit), cell(forces).look(Look::Dim)]
}

fn section(out: &mut String, paint: Paint, title: &str, rows: &[Vec<Cell>]) {
    if rows.is_empty() {
        return;
    }
    out.push_str(&format!("\n{}\n", paint.paint(Look::Bold, title)));
    out.push_str(&text::rows(paint, 2, rows));
}

fn units(out: &mut String, paint: Paint, units: &[UnitInfo]) {
    let rows: Vec<Vec<Cell>> = units.iter().map(unit).collect();
    section(out, paint, "Units", &rows);
    for unit in units {
        if let Some(problem) = &unit.problem {
            out.push_str(&format!("  {}\n", text::line(&unit.unit)));
            out.push_str(&problem_in_words(problem, paint));
        }
    }
}

fn unit(unit: &UnitInfo) -> Vec<Cell> {
    let (state, look) = match unit.state {
        UnitState::Waiting => ("waits for the deploy runner", Look::Warn),
        UnitState::Planned if unit.no_changes => ("no changes", Look::Plain),
        UnitState::Planned => ("planned", Look::Plain),
        UnitState::Failed => ("planning failed", Look::Bad),
        UnitState::Outdated => ("the plan is outdated", Look::Warn),
    };
    let deleted = if unit.deleted { "deleted" } else { "" };
    vec![
        cell(&unit.unit).look(Look::Bold),
        cell(unit.environment.as_deref().unwrap_or("no environment")),
        cell(state).look(look),
        cell(counts(&unit.counts)),
        cell(deleted).look(Look::Bad),
        cell(unit.applied.as_deref().unwrap_or_default()),
        cell(unit.tool.as_deref().unwrap_or_default()).look(Look::Dim),
    ]
}

fn gate(change: &Change, paint: Paint) -> String {
    let line = |requirement: &'_ dto::GateRequirement| -> (String, bool, String, Vec<(String, bool)>) {
        let evidence = requirement.evidence.iter().map(|evidence| (evidence.text.clone(), evidence.counts)).collect();
        (requirement.name.clone(), requirement.met, requirement.detail.clone(), evidence)
    };
    let owned: Vec<_> = change.gate.requirements.iter().map(line).collect();
    let lines: Vec<Line<'_>> = owned
        .iter()
        .map(|(name, met, detail, evidence)| Line {
            name,
            met: *met,
            detail,
            evidence: evidence.iter().map(|(text, counts)| (text.as_str(), *counts)).collect(),
        })
        .collect();
    verdict_in_words(paint, change.gate.open, &lines)
}

/// What may be done now, with the reason where it may not.
fn actions(change: &Change, paint: Paint) -> String {
    let id = text::line(&change.row.id);
    let actions = [
        ("approve", &change.actions.approve_blocked, format!("countersign approve {id}")),
        ("refuse", &change.actions.refuse_blocked, format!("countersign refuse {id} --note REASON")),
        ("merge", &change.actions.merge_blocked, format!("countersign merge {id}")),
    ];
    let rows: Vec<Vec<Cell>> = actions
        .into_iter()
        .map(|(name, blocked, command)| match blocked {
            None => vec![cell(name), cell(command).look(Look::Bold)],
            Some(why) => vec![cell(name), cell(format!("not now: {why}")).look(Look::Dim)],
        })
        .collect();
    let mut out = String::new();
    section(&mut out, paint, "What you may do", &rows);
    out
}

fn plan_in_words(plan: &UnitPlan, paint: Paint) -> String {
    let tool = plan.tool_version.as_deref().unwrap_or_default();
    let mut out =
        format!("{}\n", paint.paint(Look::Bold, &format!("{}  {}", text::line(&plan.unit), counts(&plan.counts))));
    let about = format!(
        "format {} · tool version {tool} · {} log lines: --log shows them",
        plan.format_version, plan.log_lines
    );
    out.push_str(&format!("{}\n", paint.paint(Look::Dim, &text::line(&about))));
    if !plan.complete {
        out.push_str(&format!("{}\n", paint.paint(Look::Warn, "the plan leaves parts out, as with -target")));
    }
    section(&mut out, paint, "Resources", &resource_rows(&plan.resources));
    section(&mut out, paint, "Changed outside of the tool", &resource_rows(&plan.drift));
    let outputs: Vec<Vec<Cell>> = plan
        .outputs
        .iter()
        .map(|output| vec![cell(&output.symbol), cell(&output.name), cell(&output.action)])
        .collect();
    section(&mut out, paint, "Outputs", &outputs);
    let check =
        |check: &dto::CheckRow| vec![cell(&check.status), cell(&check.address), cell(check.problems.join("; "))];
    section(&mut out, paint, "Checks", &plan.checks.iter().map(check).collect::<Vec<_>>());
    let provisioner = |row: &dto::ProvisionerRow| {
        let what = format!("{} on {}", row.provisioner_type, row.when);
        vec![cell(&row.resource), cell(what).look(Look::Warn), cell(row.command.as_deref().unwrap_or_default())]
    };
    let provisioners: Vec<Vec<Cell>> = plan.provisioners.iter().map(provisioner).collect();
    section(&mut out, paint, "Provisioners: programs that run on apply", &provisioners);
    out
}

fn resource_rows(rows: &[dto::PlanRow]) -> Vec<Vec<Cell>> {
    let look = |row: &dto::PlanRow| if row.danger { Look::Bad } else { Look::Plain };
    rows.iter()
        .map(|row| {
            let note = if row.sensitive { "holds sensitive values" } else { "" };
            vec![
                cell(&row.symbol).look(look(row)),
                cell(&row.address),
                cell(&row.action).look(look(row)),
                cell(&row.summary),
                cell(note).look(Look::Dim),
            ]
        })
        .collect()
}
