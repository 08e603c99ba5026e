//! `view`: a plan's JSON, without its values.

use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::path::Path;

use countersign_domain::plan::{Action, CheckStatus, Counts, ReplaceOrder};
use countersign_iac::plan_json::{self, MAX_PLAN_BYTES, PlanError, PlanView, ResourceView};

use super::answer;
use crate::args::View;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::text::{self, Cell, Look, Paint, cell};

pub(crate) fn view(args: &View, output: &mut Output) -> Result<Exit, Failure> {
    let plan = read(&args.file)?;
    answer(output, &plan, in_words)
}

fn read(file: &Path) -> Result<PlanView, Failure> {
    if file != Path::new("-") {
        return Ok(plan_json::view_file(file)?);
    }
    let mut bytes = Vec::new();
    // One byte more than the limit, so that a longer input is noticed.
    let read = io::stdin().lock().take(MAX_PLAN_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::usage(format!("failed to read standard input: {error}")))?;
    if bytes.len() as u64 > MAX_PLAN_BYTES {
        return Err(PlanError::TooLarge { bytes: bytes.len() as u64, limit: MAX_PLAN_BYTES }.into());
    }
    Ok(plan_json::view(&bytes)?)
}

fn in_words(plan: &PlanView, paint: Paint) -> String {
    let mut out = heading(plan, paint);
    section(&mut out, paint, "", &resources(&plan.resources));
    section(&mut out, paint, "Outputs", &outputs(plan));
    section(&mut out, paint, "Changed outside of the tool", &resources(&plan.drift));
    section(&mut out, paint, "Checks", &checks(plan));
    section(&mut out, paint, "Provisioners: programs that run on apply", &provisioners(plan));
    out
}

fn heading(plan: &PlanView, paint: Paint) -> String {
    let (add, change, destroy) = plan.counts.tool_line();
    let line = format!("Plan: {add} to add, {change} to change, {destroy} to destroy.");
    let tool = plan.terraform_version.as_deref().map(|version| format!("Terraform {}", text::line(version)));
    let version = text::line(&plan.format_version);
    let format = if version.is_empty() { "no format version".to_owned() } else { format!("format {version}") };
    let made_by: Vec<String> = tool.into_iter().chain([format]).collect();
    let mut out = format!("{}\n", paint.paint(Look::Bold, &line));
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}", paint.paint(Look::Dim, &format!("{} · {}", made_by.join(" · "), counts(&plan.counts))));
    out
}

fn counts(counts: &Counts) -> String {
    let all = [
        (counts.delete, "delete"),
        (counts.replace, "replace"),
        (counts.forget, "forget"),
        (counts.update, "update"),
        (counts.create, "create"),
        (counts.import, "import"),
        (counts.moved, "move"),
        (counts.read, "read"),
        (counts.no_op, "unchanged"),
    ];
    let some: Vec<String> = all.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if some.is_empty() { "no resources".to_owned() } else { some.join(", ") }
}

fn section(out: &mut String, paint: Paint, title: &str, rows: &[Vec<Cell>]) {
    if rows.is_empty() {
        return;
    }
    out.push('\n');
    if !title.is_empty() {
        let _ = writeln!(out, "{}", paint.paint(Look::Bold, title));
    }
    out.push_str(&text::rows(paint, 2, rows));
}

/// What changes, danger first, then by address.
fn resources(resources: &[ResourceView]) -> Vec<Vec<Cell>> {
    let is_moved = |resource: &ResourceView| resource.previous_address.as_ref().is_some_and(|p| *p != resource.address);
    let mut shown: Vec<(Action, &ResourceView)> = resources
        .iter()
        .map(|resource| (action(&resource.actions), resource))
        .filter(|(action, r)| *action != Action::NoOp || is_moved(r) || r.importing.is_some())
        .collect();
    shown.sort_by(|(a, left), (b, right)| {
        a.danger_rank().cmp(&b.danger_rank()).then_with(|| left.address.cmp(&right.address))
    });
    shown.into_iter().map(|(action, resource)| resource_row(action, resource)).collect()
}

fn resource_row(action: Action, resource: &ResourceView) -> Vec<Cell> {
    let mut notes = Vec::new();
    if let Some(previous) = resource.previous_address.as_ref().filter(|previous| **previous != resource.address) {
        notes.push(format!("moved from {previous}"));
    }
    if let Some(importing) = &resource.importing {
        notes.push(importing.id.as_ref().map_or_else(|| "imported".to_owned(), |id| format!("imported by {id}")));
    }
    notes.extend(resource.reason.as_ref().map(|reason| reason.replace('_', " ")));
    if resource.sensitive {
        notes.push("holds sensitive values".to_owned());
    }
    // What is only moved or imported is left as it is, and shown for that.
    let word = if action == Action::NoOp { String::new() } else { action.to_string() };
    vec![
        cell(action.symbol()).look(look(action)),
        cell(&resource.address),
        cell(word).look(look(action)),
        cell(notes.join("; ")).look(Look::Dim),
    ]
}

/// The action as the tool writes it in one or two words. The words were checked when the plan was read.
fn action(words: &[String]) -> Action {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["create"] => Action::Create,
        ["read"] => Action::Read,
        ["update"] => Action::Update,
        ["delete"] => Action::Delete,
        ["forget"] => Action::Forget,
        ["create", "delete"] => Action::Replace(ReplaceOrder::CreateFirst),
        ["create", "forget"] => Action::Replace(ReplaceOrder::CreateThenForget),
        [_, _] => Action::Replace(ReplaceOrder::DeleteFirst),
        _ => Action::NoOp,
    }
}

pub(crate) fn look(action: Action) -> Look {
    match action {
        Action::Delete | Action::Replace(_) | Action::Forget => Look::Bad,
        Action::Update => Look::Warn,
        Action::Create => Look::Good,
        Action::Read | Action::NoOp => Look::Plain,
    }
}

fn outputs(plan: &PlanView) -> Vec<Vec<Cell>> {
    let changing = plan.outputs.iter().map(|output| (action(&output.actions), output));
    changing
        .filter(|(action, _)| *action != Action::NoOp)
        .map(|(action, output)| {
            let note = if output.sensitive { "sensitive" } else { "" };
            vec![
                cell(action.symbol()).look(look(action)),
                cell(&output.name),
                cell(action.to_string()).look(look(action)),
                cell(note).look(Look::Dim),
            ]
        })
        .collect()
}

fn checks(plan: &PlanView) -> Vec<Vec<Cell>> {
    let row = |check: &plan_json::CheckView| {
        let (word, look) = match check.status {
            CheckStatus::Pass => ("pass", Look::Good),
            CheckStatus::Fail => ("fail", Look::Bad),
            CheckStatus::Error => ("error", Look::Bad),
            CheckStatus::Unknown => ("unknown", Look::Warn),
        };
        vec![cell(word).look(look), cell(&check.address), cell(check.problems.join("; "))]
    };
    plan.checks.iter().map(row).collect()
}

fn provisioners(plan: &PlanView) -> Vec<Vec<Cell>> {
    let row = |provisioner: &countersign_domain::plan::Provisioner| {
        vec![
            cell(&provisioner.resource),
            cell(format!("{} on {}", provisioner.provisioner_type, provisioner.when)).look(Look::Warn),
            cell(provisioner.command.as_deref().unwrap_or_default()),
        ]
    };
    plan.provisioners.iter().map(row).collect()
}
