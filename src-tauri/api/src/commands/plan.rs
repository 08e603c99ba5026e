//! A unit's plan, its log, and the change's diff.

use std::sync::Arc;

use countersign_domain::names::UnitPath;
use countersign_domain::plan::{Action, AttributeChange, AttributeValue, CheckStatus, Plan, ResourceChange};
use countersign_engine::EngineError;
use countersign_engine::review::{OpenedPlan, RevealRequest, Side as EngineSide};
use countersign_git::{Cut, DiffLimits, FileDiff, FileStatus, LineKind};
use countersign_iac::ansi::{Colour, Line, Span};

use super::{Found, count, counts, safe};
use crate::Host;
use crate::dto::{
    AttributeRow, ChangeRef, CheckRow, Diff, DiffFile, DiffHunk, DiffLine, DiffLineKind, LogLine, LogMatches, LogPage,
    LogRange, LogSearch, LogSpan, Nothing, OutputRow, PlanRow, ProvisionerRow, ResourceRef, RevealArgs, Revealed,
    SetViewed, Shown, ShownKind, Side, UnitPlan, UnitRef,
};
use crate::error::ApiError;

/// Most lines of a log page.
const MAX_LOG_LINES: u32 = 2000;
/// Most matches of a log search.
const MAX_MATCHES: usize = 5000;
/// Longest value in a sentence.
const PLAIN_CHARS: usize = 60;

async fn opened(host: &Host, found: &Found, unit: &str) -> Result<Arc<OpenedPlan>, ApiError> {
    let unit = UnitPath::new(unit).map_err(EngineError::from)?;
    Ok(host.engine.open_plan(&found.place, &found.clone, &found.view, &unit).await?)
}

/// A unit's plan: rows without attributes, danger first.
///
/// # Errors
/// Fails when there is no plan or it cannot be opened here.
pub async fn unit_plan(host: &Host, args: UnitRef) -> Result<UnitPlan, ApiError> {
    let found = Found::find(host, &args.clone, &args.change).await?;
    let opened = opened(host, &found, &args.unit).await?;
    let log_lines = count(opened.log.len());
    Ok(match &opened.plan {
        Some(plan) => plan_rows(&args.unit, plan, log_lines),
        None => plan_rows(&args.unit, &Plan::default(), log_lines),
    })
}

fn plan_rows(unit: &str, plan: &Plan, log_lines: u32) -> UnitPlan {
    UnitPlan {
        unit: unit.to_owned(),
        format_version: safe(&plan.format_version),
        tool_version: plan.tool_version.as_deref().map(safe),
        complete: plan.complete,
        counts: counts(plan.counts()),
        resources: rows(&plan.resources),
        drift: rows(&plan.drift),
        outputs: plan
            .outputs
            .iter()
            .filter(|output| output.action != Action::NoOp)
            .map(|output| OutputRow {
                name: safe(&output.name),
                action: output.action.to_string(),
                symbol: output.action.symbol().to_owned(),
                before: shown(&output.before),
                after: shown(&output.after),
            })
            .collect(),
        checks: plan
            .checks
            .iter()
            .map(|check| CheckRow {
                address: safe(&check.address),
                status: match check.status {
                    CheckStatus::Pass => "pass",
                    CheckStatus::Fail => "fail",
                    CheckStatus::Error => "error",
                    CheckStatus::Unknown => "unknown",
                }
                .to_owned(),
                problems: check.problems.iter().map(|problem| safe(problem)).collect(),
            })
            .collect(),
        provisioners: plan
            .provisioners
            .iter()
            .map(|provisioner| ProvisionerRow {
                resource: safe(&provisioner.resource),
                provisioner_type: safe(&provisioner.provisioner_type),
                when: safe(&provisioner.when),
                command: provisioner.command.as_deref().map(safe),
            })
            .collect(),
        providers: plan.providers.iter().map(|provider| safe(&provider.name)).collect(),
        log_lines,
    }
}

/// Rows of what changes; each keeps its place in the whole list, by which its attributes are asked for.
fn rows(resources: &[ResourceChange]) -> Vec<PlanRow> {
    let worth = |resource: &ResourceChange| {
        resource.action != Action::NoOp || resource.is_moved() || resource.importing.is_some()
    };
    resources.iter().enumerate().filter(|(_, resource)| worth(resource)).map(|(index, r)| row(index, r)).collect()
}

fn row(index: usize, resource: &ResourceChange) -> PlanRow {
    PlanRow {
        index: count(index),
        address: safe(&resource.address),
        resource_type: safe(&resource.resource_type),
        action: resource.action.to_string(),
        symbol: resource.action.symbol().to_owned(),
        danger: resource.action.is_dangerous(),
        previous_address: resource.previous_address.as_deref().map(safe),
        importing: resource.importing.as_deref().map(safe),
        reason: resource.reason.as_deref().map(|reason| safe(&reason.replace('_', " "))),
        deposed: resource.deposed.as_deref().map(safe),
        attributes: count(resource.attributes.len()),
        sensitive: resource.has_sensitive(),
        summary: safe(&summary(resource)),
    }
}

/// The first attribute that changes, in a few words, and how many more there are.
fn summary(resource: &ResourceChange) -> String {
    if !matches!(resource.action, Action::Update | Action::Replace(_)) {
        return String::new();
    }
    let forcing = resource.attributes.iter().find(|attribute| attribute.forces_replacement);
    let Some(first) = forcing.or_else(|| resource.attributes.first()) else { return String::new() };
    let more = match resource.attributes.len() {
        0 | 1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    format!("{}: {} → {}{more}", first.path, shown_plainly(&first.before), shown_plainly(&first.after))
}

/// A value in a sentence: covered where it is sensitive, short where it is long.
pub(crate) fn shown_plainly(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Absent => "none".to_owned(),
        AttributeValue::Unknown => "known after apply".to_owned(),
        AttributeValue::Sensitive(_) | AttributeValue::SensitiveUnknown => "sensitive".to_owned(),
        AttributeValue::Known(text) if text.chars().count() > PLAIN_CHARS => {
            let short: String = text.chars().take(PLAIN_CHARS).collect();
            format!("{short}…")
        }
        AttributeValue::Known(text) => text.clone(),
    }
}

fn shown(value: &AttributeValue) -> Shown {
    let (kind, text) = match value {
        AttributeValue::Absent => (ShownKind::Absent, String::new()),
        AttributeValue::Unknown => (ShownKind::Unknown, String::new()),
        AttributeValue::Known(text) => (ShownKind::Known, safe(text)),
        AttributeValue::Sensitive(_) => (ShownKind::Sensitive, String::new()),
        AttributeValue::SensitiveUnknown => (ShownKind::SensitiveUnknown, String::new()),
    };
    Shown { kind, text }
}

/// A resource's attributes, sensitive ones covered.
///
/// # Errors
/// Fails when there is no such resource.
pub async fn plan_resource(host: &Host, args: ResourceRef) -> Result<Vec<AttributeRow>, ApiError> {
    let found = Found::find(host, &args.clone, &args.change).await?;
    let opened = opened(host, &found, &args.unit).await?;
    let resource = opened.resource(args.index as usize)?;
    Ok(resource.attributes.iter().map(attribute_row).collect())
}

fn attribute_row(attribute: &AttributeChange) -> AttributeRow {
    AttributeRow {
        path: safe(&attribute.path),
        before: shown(&attribute.before),
        after: shown(&attribute.after),
        forces_replacement: attribute.forces_replacement,
    }
}

/// Shows one sensitive value, after recording it.
///
/// # Errors
/// Fails when there is no sensitive value at this place, or when it cannot be recorded.
pub async fn reveal(host: &Host, args: RevealArgs) -> Result<Revealed, ApiError> {
    let found = Found::find(host, &args.clone, &args.change).await?;
    let opened = opened(host, &found, &args.unit).await?;
    let request = RevealRequest {
        unit: UnitPath::new(args.unit).map_err(EngineError::from)?,
        index: args.index as usize,
        path: args.path,
        side: match args.side {
            Side::Before => EngineSide::Before,
            Side::After => EngineSide::After,
        },
    };
    let (text, at) = host.engine.reveal(&found.clone, &found.view, &opened, &request).await?;
    Ok(Revealed { text: safe(&text), recorded_at: at.to_string() })
}

/// A page of a unit's log.
///
/// # Errors
/// Fails when there is no plan or it cannot be opened here.
pub async fn plan_log(host: &Host, args: LogRange) -> Result<LogPage, ApiError> {
    let found = Found::find(host, &args.clone, &args.change).await?;
    let opened = opened(host, &found, &args.unit).await?;
    let wanted = args.count.min(MAX_LOG_LINES) as usize;
    let lines = opened.log.iter().skip(args.from as usize).take(wanted).map(log_line).collect();
    Ok(LogPage {
        total: count(opened.log.len()),
        from: args.from,
        lines,
        error_lines: opened.error_lines.iter().map(|line| count(*line)).collect(),
    })
}

fn log_line(line: &Line) -> LogLine {
    LogLine { spans: line.spans.iter().map(log_span).collect() }
}

fn log_span(span: &Span) -> LogSpan {
    LogSpan {
        text: span.text.clone(),
        fg: span.style.fg.map(colour),
        bold: span.style.bold,
        dim: span.style.dim,
        italic: span.style.italic,
        underline: span.style.underline,
    }
}

fn colour(colour: Colour) -> String {
    const NAMES: [&str; 8] = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
    match colour {
        Colour::Palette(index) => match NAMES.get(usize::from(index % 8)) {
            Some(name) if index >= 8 => format!("bright-{name}"),
            Some(name) => (*name).to_owned(),
            None => "white".to_owned(),
        },
        Colour::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
    }
}

/// Lines of a unit's log that contain a text, upper and lower case alike.
///
/// # Errors
/// Fails when there is no plan or it cannot be opened here.
pub async fn plan_log_search(host: &Host, args: LogSearch) -> Result<LogMatches, ApiError> {
    let found = Found::find(host, &args.clone, &args.change).await?;
    let opened = opened(host, &found, &args.unit).await?;
    let wanted = args.query.to_lowercase();
    if wanted.is_empty() {
        return Ok(LogMatches { lines: Vec::new(), truncated: false });
    }
    let matching = opened.log.iter().enumerate().filter(|(_, line)| line.text().to_lowercase().contains(&wanted));
    let mut lines: Vec<u32> = matching.map(|(index, _)| count(index)).take(MAX_MATCHES + 1).collect();
    let truncated = lines.len() > MAX_MATCHES;
    lines.truncate(MAX_MATCHES);
    Ok(LogMatches { lines, truncated })
}

/// A change's diff against what it would be merged into.
///
/// # Errors
/// Fails when Git cannot be read.
pub async fn diff(host: &Host, args: ChangeRef) -> Result<Diff, ApiError> {
    let found = Found::find(host, &args.clone, &args.change).await?;
    let git = found.place.git.clone();
    let (base, head) = (found.view.change.base.clone(), found.view.change.head.clone());
    let files = tokio::task::spawn_blocking(move || {
        // Against the point where the change left trunk: what others merged since is not its doing.
        let from = git.merge_base(&base, &head)?.unwrap_or(base);
        git.diff(&from, &head, DiffLimits::default())
    })
    .await
    .map_err(ApiError::bug)?
    .map_err(EngineError::from)?;
    let viewed = match found.clone.policy() {
        Ok(policy) => {
            let (repository, change) = (&policy.policy.repository, &found.view.change);
            let store = host.engine.store();
            store.viewed(repository, &change.id, &change.head).await.map_err(EngineError::from)?
        }
        Err(_) => std::collections::BTreeSet::new(),
    };
    let truncated = files.iter().any(|file| file.cut != Cut::Nothing);
    Ok(Diff { files: files.iter().map(|file| diff_file(file, &viewed)).collect(), truncated })
}

fn diff_file(file: &FileDiff, viewed: &std::collections::BTreeSet<String>) -> DiffFile {
    let path = file.file.new_path.as_ref().or(file.file.old_path.as_ref()).cloned().unwrap_or_default();
    let lines =
        |kind: LineKind| count(file.hunks.iter().flat_map(|hunk| &hunk.lines).filter(|line| line.kind == kind).count());
    DiffFile {
        old_path: file.file.old_path.as_deref().filter(|old| *old != path).map(safe),
        status: match file.file.status {
            FileStatus::Added => "added",
            FileStatus::Deleted => "deleted",
            FileStatus::Modified => "modified",
            FileStatus::Renamed => "renamed",
            FileStatus::TypeChanged => "type changed",
        }
        .to_owned(),
        binary: file.binary,
        truncated: file.cut != Cut::Nothing,
        added: lines(LineKind::Added),
        removed: lines(LineKind::Removed),
        viewed: viewed.contains(&path),
        hunks: file
            .hunks
            .iter()
            .map(|hunk| DiffHunk {
                header: safe(&hunk.header),
                lines: hunk
                    .lines
                    .iter()
                    .map(|line| DiffLine {
                        kind: match line.kind {
                            LineKind::Context => DiffLineKind::Context,
                            LineKind::Added => DiffLineKind::Added,
                            LineKind::Removed => DiffLineKind::Removed,
                        },
                        old: line.old_no,
                        new: line.new_no,
                        text: safe(&line.text),
                    })
                    .collect(),
            })
            .collect(),
        path: safe(&path),
    }
}

/// Marks a file as viewed, or takes the mark away.
///
/// # Errors
/// Fails when it cannot be written.
pub async fn set_viewed(host: &Host, args: SetViewed) -> Result<Nothing, ApiError> {
    let found = Found::find(host, &args.clone, &args.change).await?;
    let repository = &found.clone.policy()?.policy.repository;
    let change = &found.view.change;
    let store = host.engine.store();
    let done = if args.viewed {
        store.mark_viewed(repository, &change.id, &change.head, &args.path, jiff::Timestamp::now()).await
    } else {
        store.unmark_viewed(repository, &change.id, &change.head, &args.path).await
    };
    done.map_err(EngineError::from)?;
    Ok(Nothing {})
}
