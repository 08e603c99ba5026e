//! `clone add|list|remove`.

use countersign_api::{commands, dto};
use serde::Serialize;
use serde_json::json;

use super::answer;
use crate::args::{CloneAdd, CloneRemove, Kind};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::narrate::narrated;
use crate::output::Output;
use crate::session::Session;
use crate::text::{self, Cell, Look, Paint, cell};

#[derive(Serialize)]
struct Clones {
    clones: Vec<dto::CloneInfo>,
}

pub(crate) async fn add(session: &Session, args: &CloneAdd, output: &mut Output) -> Result<Exit, Failure> {
    let source = source(session, args.source.as_deref())?;
    let into = args.into.as_deref().map(std::path::absolute).transpose().map_err(no_directory)?;
    let wanted = dto::AddClone {
        source,
        into: into.map(|dir| dir.display().to_string()),
        kind: match args.kind {
            Kind::Live => dto::CloneKind::Live,
            Kind::Modules => dto::CloneKind::Modules,
        },
    };
    let added = narrated(session.engine(), output, commands::clone_add(&session.host, wanted)).await?;
    answer(output, &added, |added, paint| {
        let head = format!("watching {} in {}\n", text::line(&added.name), text::line(&added.path));
        head + &added.problem.as_ref().map(|problem| problem_in_words(problem, paint)).unwrap_or_default()
    })
}

/// A URL as it is, a directory as its full path.
fn source(session: &Session, given: Option<&str>) -> Result<String, Failure> {
    let given = given.unwrap_or_default();
    let looks_like_url = given.contains("://") || (given.contains(':') && !std::path::Path::new(given).exists());
    if looks_like_url {
        return Ok(given.to_owned());
    }
    let base = session.clone_dir().unwrap_or_else(|| std::path::Path::new("."));
    let dir = std::path::absolute(base.join(given)).map_err(no_directory)?;
    let text = dir.to_str().ok_or_else(|| Failure::usage(format!("{} is not valid UTF-8", dir.display())))?;
    Ok(text.to_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn no_directory(error: std::io::Error) -> Failure {
    Failure::usage(format!("failed to find the directory: {error}"))
}

pub(crate) async fn list(session: &Session, output: &mut Output) -> Result<Exit, Failure> {
    let mut clones = commands::clones(&session.host, dto::Nothing {}).await?;
    if let Some(wanted) = session.narrowed().await? {
        clones.retain(|clone| clone.id == wanted);
    }
    answer(output, &Clones { clones }, in_words)
}

fn in_words(answer: &Clones, paint: Paint) -> String {
    if answer.clones.is_empty() {
        return "No clone is watched yet: add one with `countersign clone add DIR`, or try `countersign demo`.\n"
            .to_owned();
    }
    let rows: Vec<Vec<Cell>> = answer.clones.iter().map(row).collect();
    let mut out = text::rows(paint, 0, &rows);
    for clone in &answer.clones {
        if let Some(problem) = &clone.problem {
            out.push_str(&format!("{}\n", text::line(&clone.name)));
            out.push_str(&problem_in_words(problem, paint));
        }
    }
    out
}

fn row(clone: &dto::CloneInfo) -> Vec<Cell> {
    let kind = match clone.kind {
        dto::CloneKind::Live => "live",
        dto::CloneKind::Modules => "modules",
    };
    let trunk = clone.trunk.iter().zip(&clone.trunk_commit).next();
    let trunk = trunk.map_or_else(String::new, |(trunk, commit)| format!("{trunk} {}", text::short(commit)));
    let you = clone.you.as_ref().map_or_else(String::new, |you| format!("you are {you}"));
    vec![
        cell(&clone.id).look(Look::Dim),
        cell(&clone.name).look(Look::Bold),
        cell(kind),
        cell(trunk),
        cell(you),
        cell(&clone.path).look(Look::Dim),
    ]
}

/// A problem that stands beside an answer, indented.
pub(super) fn problem_in_words(problem: &dto::Problem, paint: Paint) -> String {
    let mut out = String::new();
    let parts =
        [(Some(&problem.message), Look::Warn), (problem.kept.as_ref(), Look::Dim), (problem.hint.as_ref(), Look::Dim)];
    for (part, look) in parts {
        for line in text::lines(part.map_or("", String::as_str)) {
            out.push_str(&format!("    {}\n", paint.paint(look, &line)));
        }
    }
    out
}

pub(crate) async fn remove(session: &Session, args: &CloneRemove, output: &mut Output) -> Result<Exit, Failure> {
    // A directory is named in many ways; the record has one.
    let path = std::path::Path::new(&args.clone).canonicalize().ok();
    let path = path.and_then(|path| path.to_str().map(str::to_owned));
    let clones = session.engine().clones().await?;
    let is_name = clones.iter().any(|clone| clone.name == args.clone || clone.id.to_string() == args.clone);
    let wanted = path.filter(|_| !is_name).unwrap_or_else(|| args.clone.clone());
    commands::clone_remove(&session.host, dto::CloneRef { clone: wanted }).await?;
    answer(output, &json!({ "removed": args.clone }), |_, _| {
        format!("no longer watching {}; its directory and everything recorded stay\n", text::line(&args.clone))
    })
}
