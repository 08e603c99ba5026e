//! `queue`: what needs me first, and what everything waits for.

use countersign_api::dto::{PlanCounts, SectionName};
use countersign_api::{commands, dto};

use super::answer;
use super::clones::problem_in_words;
use crate::args::Queue;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::narrate::narrated;
use crate::output::Output;
use crate::session::Session;
use crate::text::{self, Cell, Look, Paint, cell};

pub(crate) async fn queue(session: &Session, args: &Queue, output: &mut Output) -> Result<Exit, Failure> {
    if args.fetch {
        narrated(session.engine(), output, session.fetch()).await?;
    }
    let mut queue = commands::queue(&session.host, dto::Nothing {}).await?;
    if let Some(clone) = session.narrowed().await? {
        narrow(&mut queue, &clone);
    }
    answer(output, &queue, in_words)
}

fn narrow(queue: &mut dto::Queue, clone: &str) {
    for section in &mut queue.sections {
        section.changes.retain(|change| change.clone == clone);
    }
    let mine = queue.sections.iter().filter(|section| section.name == SectionName::NeedsMyReview);
    let needs_me = mine.map(|section| section.changes.len()).sum::<usize>();
    queue.needs_me = u32::try_from(needs_me).unwrap_or(u32::MAX);
    queue.sections.retain(|section| !section.changes.is_empty() || section.name == SectionName::NeedsMyReview);
    queue.problems.retain(|problem| problem.clone == clone);
    queue.clones = 1;
}

fn in_words(queue: &dto::Queue, paint: Paint) -> String {
    if queue.clones == 0 {
        return "No clone is watched yet: add one with `countersign clone add DIR`, or try `countersign demo`.\n"
            .to_owned();
    }
    let mut out = String::new();
    for section in &queue.sections {
        let title = format!("{} ({})", text::line(&section.title), section.changes.len());
        out.push_str(&format!("{}\n", paint.paint(Look::Bold, &title)));
        if section.changes.is_empty() {
            out.push_str("  nothing\n");
        }
        let rows: Vec<Vec<Cell>> = section.changes.iter().map(row).collect();
        out.push_str(&text::rows(paint, 2, &rows));
        out.push('\n');
    }
    for problem in &queue.problems {
        out.push_str(&format!("{}\n", paint.paint(Look::Bold, &text::line(&problem.subject))));
        out.push_str(&problem_in_words(&problem.problem, paint));
    }
    out
}

fn row(change: &dto::ChangeRow) -> Vec<Cell> {
    let destroys = match change.destroys {
        0 => cell(""),
        n => cell(format!("destroys {n}")).look(Look::Bad),
    };
    vec![
        cell(&change.id).look(Look::Bold),
        cell(change.environments.join(" ")),
        cell(counts(&change.counts)),
        destroys,
        cell(&change.summary),
        cell(format!("{} · {}", change.title, change.author)).look(Look::Dim),
    ]
}

/// Counts with the tool's signs.
pub(super) fn counts(counts: &PlanCounts) -> String {
    let all = [
        ("-", counts.delete),
        ("-/+", counts.replace),
        (".", counts.forget),
        ("~", counts.update),
        ("+", counts.create),
    ];
    let some: Vec<String> = all.iter().filter(|(_, n)| *n > 0).map(|(sign, n)| format!("{sign}{n}")).collect();
    some.join(" ")
}
