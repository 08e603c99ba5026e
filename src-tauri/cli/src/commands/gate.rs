//! `gate`: the verdict, for scripts.

use countersign_domain::gate::{Requirement, Verdict};
use serde::Serialize;

use super::answer;
use crate::args::Gate;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::session::Session;
use crate::text::{self, Look, Paint};

#[derive(Serialize)]
struct Answer<'a> {
    verdict: &'static str,
    requirements: Vec<RequirementAnswer<'a>>,
}

#[derive(Serialize)]
struct RequirementAnswer<'a> {
    name: String,
    met: bool,
    detail: &'a str,
    evidence: Vec<EvidenceAnswer<'a>>,
}

#[derive(Serialize)]
struct EvidenceAnswer<'a> {
    text: &'a str,
    counts: bool,
    statement: Option<&'a str>,
}

pub(crate) async fn gate(session: &Session, args: &Gate, output: &mut Output) -> Result<Exit, Failure> {
    if args.fetch {
        session.fetch().await?;
    }
    let found = session.find(&args.id).await?;
    let verdict = &found.view()?.verdict;
    answer(output, &Answer::of(verdict), in_words)?;
    Ok(if verdict.is_open() { Exit::Done } else { Exit::GateClosed })
}

impl<'a> Answer<'a> {
    fn of(verdict: &'a Verdict) -> Self {
        Self {
            verdict: if verdict.is_open() { "open" } else { "closed" },
            requirements: verdict.requirements().iter().map(RequirementAnswer::of).collect(),
        }
    }
}

impl<'a> RequirementAnswer<'a> {
    fn of(requirement: &'a Requirement) -> Self {
        let evidence = requirement.evidence.iter().map(|evidence| EvidenceAnswer {
            text: &evidence.text,
            counts: evidence.counts,
            statement: evidence.statement.as_ref().map(AsRef::as_ref),
        });
        Self {
            name: requirement.name.to_string(),
            met: requirement.met,
            detail: &requirement.detail,
            evidence: evidence.collect(),
        }
    }
}

fn in_words(answer: &Answer<'_>, paint: Paint) -> String {
    let requirements = answer.requirements.iter().map(|requirement| Line {
        name: &requirement.name,
        met: requirement.met,
        detail: requirement.detail,
        evidence: requirement.evidence.iter().map(|evidence| (evidence.text, evidence.counts)).collect(),
    });
    verdict_in_words(paint, answer.verdict == "open", &requirements.collect::<Vec<_>>())
}

/// A requirement as it is shown.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) met: bool,
    pub(super) detail: &'a str,
    /// Text, and whether it counts.
    pub(super) evidence: Vec<(&'a str, bool)>,
}

pub(super) fn verdict_in_words(paint: Paint, is_open: bool, requirements: &[Line<'_>]) -> String {
    let verdict = if is_open { paint.paint(Look::Good, "open") } else { paint.paint(Look::Bad, "closed") };
    let mut out = format!("{} {verdict}\n", paint.paint(Look::Bold, "Gate:"));
    for requirement in requirements {
        let (mark, look) = if requirement.met { ("✓", Look::Good) } else { ("✗", Look::Bad) };
        let name = paint.paint(Look::Dim, &format!("({})", text::line(requirement.name)));
        out.push_str(&format!("  {} {} {name}\n", paint.paint(look, mark), text::line(requirement.detail)));
        for (evidence, counts) in &requirement.evidence {
            let mark = if *counts { "+" } else { "-" };
            out.push_str(&format!("      {mark} {}\n", text::line(evidence)));
        }
    }
    out
}
