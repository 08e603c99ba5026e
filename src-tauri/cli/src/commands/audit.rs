//! `audit list|show|verify`.

use std::path::Path;

use countersign_api::{commands, dto};

use super::answer;
use crate::args::{AuditList, AuditShow};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::session::Session;
use crate::text::{self, Cell, Look, Paint, cell, count};

pub(crate) async fn list(session: &Session, args: &AuditList, output: &mut Output) -> Result<Exit, Failure> {
    let filter = dto::AuditFilter { text: args.text.clone(), kind: args.kind.clone() };
    let audit = commands::audit(&session.host, filter).await?;
    answer(output, &audit, in_words)
}

fn in_words(audit: &dto::Audit, paint: Paint) -> String {
    let rows: Vec<Vec<Cell>> = audit.entries.iter().map(row).collect();
    let mut out = text::rows(paint, 0, &rows);
    let total = count(audit.total as usize, "statement");
    let shown = match audit.entries.len() {
        n if n == audit.total as usize => total,
        n => format!("{n} of {total}"),
    };
    let invalid = match audit.invalid {
        0 => "all signatures hold".to_owned(),
        n => paint.paint(Look::Bad, &format!("{n} do not verify")),
    };
    out.push_str(&format!("{shown}; {invalid}\n"));
    out
}

fn row(entry: &dto::AuditEntry) -> Vec<Cell> {
    let (mark, look) = if entry.valid { ("✓", Look::Good) } else { ("✗", Look::Bad) };
    let said = entry.problem.as_ref().map_or_else(|| entry.text.clone(), |why| format!("{} — {why}", entry.text));
    vec![
        cell(mark).look(look),
        cell(entry.statement.get(..12).unwrap_or(&entry.statement)),
        cell(text::time(&entry.issued)).look(Look::Dim),
        cell(&entry.kind),
        cell(entry.person.as_deref().unwrap_or("?")),
        cell(entry.change.as_deref().unwrap_or_default()).look(Look::Bold),
        cell(said),
    ]
}

pub(crate) async fn show(session: &Session, args: &AuditShow, output: &mut Output) -> Result<Exit, Failure> {
    let wanted = dto::StatementRef { statement: args.statement.clone() };
    let detail = commands::statement(&session.host, wanted).await?;
    if let Some(dir) = &args.write {
        write(dir, &detail)?;
    }
    answer(output, &detail, |detail, paint| {
        let mut out = text::rows(paint, 0, &[row(&detail.entry)]);
        let lines = text::lines(&detail.payload).chain(text::lines(&detail.signature));
        lines.for_each(|line| out.push_str(&format!("{line}\n")));
        out.push_str(&format!(
            "\nCheck it with stock OpenSSH, allowed_signers being trunk's:\n  {}\n",
            text::line(&detail.verify_command)
        ));
        out
    })
}

/// The payload and its signature, named as the command that checks them names them.
fn write(dir: &Path, detail: &dto::StatementDetail) -> Result<(), Failure> {
    let failed = |error| Failure::machine(format!("failed to write the statement to {}: {error}", dir.display()));
    std::fs::create_dir_all(dir).map_err(failed)?;
    let name = format!("{}.json", detail.entry.statement);
    std::fs::write(dir.join(format!("{name}.sig")), &detail.signature).map_err(failed)?;
    std::fs::write(dir.join(name), &detail.payload).map_err(failed)
}

pub(crate) async fn verify(session: &Session, output: &mut Output) -> Result<Exit, Failure> {
    let report = commands::audit_verify(&session.host, dto::Nothing {}).await?;
    answer(output, &report, report_in_words)?;
    Ok(if report.ok { Exit::Done } else { Exit::Invalid })
}

fn report_in_words(report: &dto::AuditReport, paint: Paint) -> String {
    let verdict = match report.ok {
        true => paint.paint(Look::Good, "the record holds"),
        false => paint.paint(Look::Bad, "the record does not hold"),
    };
    let mut out = format!("{verdict}\n");
    report.lines.iter().for_each(|line| out.push_str(&format!("  {}\n", text::line(line))));
    if let Some(first) = &report.first_bad {
        out.push_str(&format!("first: {}\n", text::line(first)));
    }
    out
}
