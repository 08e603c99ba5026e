//! `cargo xtask test`: every check there is, one after the other, and how many tests passed.

use std::{
    env, fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    counts::{self, Counts},
    licences::{Compiled, Rules},
    platform::{self, Purpose},
    run,
    screen::{self, VirtualScreen},
    served::Served,
    setup,
};

/// One thing that is checked.
#[derive(Clone, Copy)]
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    /// The stages without which this one cannot run.
    needs: &'static [&'static str],
    run: fn() -> Result<Counts>,
}

/// Everything, in order: what is quick or what others need comes first.
pub(crate) const STAGES: &[Stage] = &[
    Stage { name: "format", needs: &[], run: format },
    Stage { name: "ui packages", needs: &[], run: ui_packages },
    Stage { name: "ui types", needs: &["ui packages"], run: ui_types },
    Stage { name: "ui lint", needs: &["ui packages"], run: ui_lint },
    Stage { name: "ui tests", needs: &["ui packages"], run: ui_tests },
    Stage { name: "ui build", needs: &["ui packages"], run: ui_build },
    Stage { name: "clippy", needs: &["ui build"], run: clippy },
    Stage { name: "rust build", needs: &["ui build"], run: rust_build },
    Stage { name: "rust tests", needs: &["rust build"], run: rust_tests },
    Stage { name: "doc tests", needs: &["rust build"], run: doc_tests },
    Stage { name: "browser tests", needs: &["ui build"], run: browser_tests },
    Stage { name: "browser flow", needs: &["ui build", "rust build"], run: browser_flow },
    Stage { name: "licences", needs: &[], run: licences },
    Stage { name: "npm audit", needs: &["ui packages"], run: npm_audit },
];

/// The stages of `cargo xtask lint`.
pub(crate) const LINTS: [&str; 7] = ["format", "ui packages", "ui types", "ui lint", "ui build", "clippy", "licences"];

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed(String),
    NotRun(String),
}

struct Report {
    name: &'static str,
    outcome: Outcome,
    counts: Counts,
    took: Duration,
}

/// Runs the stages whose names contain one of `wanted` (all of them when there is none), with what those need.
///
/// Returns the sum. Its last line on standard output is `N passed, N failed, N skipped`.
pub(crate) fn run(wanted: &[String]) -> Result<Counts> {
    let stages = choose(STAGES, wanted)?;
    let started = Instant::now();
    heading("setup");
    if let Err(error) = setup::prepare(&[Purpose::Core, Purpose::Window, Purpose::Tests]) {
        run::say(format_args!("error: {error:#}"));
        println!("{}", Counts::ONE_FAILED);
        return Ok(Counts::ONE_FAILED);
    }
    let mut reports: Vec<Report> = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        heading(&format!("{}/{} {}", index + 1, stages.len(), stage.name));
        let report = perform(stage, &reports);
        if let Outcome::Failed(why) | Outcome::NotRun(why) = &report.outcome {
            run::say(format_args!("{}: {why}", stage.name));
        }
        reports.push(report);
    }
    heading(&format!("all of it took {}", in_words(started.elapsed())));
    let mut sum = Counts::default();
    for report in &reports {
        run::say(line(report));
        sum += report.counts;
    }
    println!("{sum}");
    Ok(sum)
}

/// The chosen stages and everything they need, in the order in which they run.
fn choose(all: &[Stage], wanted: &[String]) -> Result<Vec<Stage>> {
    if let Some(unknown) = wanted.iter().find(|word| !all.iter().any(|stage| stage.name.contains(word.as_str()))) {
        let names = all.iter().map(|stage| stage.name).collect::<Vec<_>>().join(", ");
        bail!("there is no stage {unknown:?}; there are: {names}");
    }
    let asked = |stage: &Stage| wanted.is_empty() || wanted.iter().any(|word| stage.name.contains(word.as_str()));
    let mut names: Vec<&str> = all.iter().filter(|stage| asked(stage)).map(|stage| stage.name).collect();
    // A stage only needs earlier ones, so one pass from the end finds all of them.
    for stage in all.iter().rev() {
        if names.contains(&stage.name) {
            names.extend(stage.needs);
        }
    }
    Ok(all.iter().filter(|stage| names.contains(&stage.name)).copied().collect())
}

fn perform(stage: &Stage, before: &[Report]) -> Report {
    let started = Instant::now();
    let broken = before.iter().find(|report| stage.needs.contains(&report.name) && report.outcome != Outcome::Passed);
    let (outcome, counts) = match broken {
        Some(need) => (Outcome::NotRun(format!("not run, since {:?} did not pass", need.name)), Counts::default()),
        None => judge((stage.run)()),
    };
    Report { name: stage.name, outcome, counts, took: started.elapsed() }
}

fn judge(result: Result<Counts>) -> (Outcome, Counts) {
    match result {
        Ok(counts) if counts.failed == 0 => (Outcome::Passed, counts),
        Ok(counts) => (Outcome::Failed(format!("{} failed", counts.failed)), counts),
        Err(error) => (Outcome::Failed(format!("{error:#}")), Counts::ONE_FAILED),
    }
}

fn heading(text: &str) {
    run::say(format_args!("\n=== {text} ==="));
}

fn line(report: &Report) -> String {
    let word = match &report.outcome {
        Outcome::Passed => "ok",
        Outcome::Failed(_) => "FAILED",
        Outcome::NotRun(_) => "not run",
    };
    let tests = if report.counts.total() == 0 { String::new() } else { report.counts.to_string() };
    format!("{:<14} {word:<8} {:>8}  {tests}", report.name, in_words(report.took)).trim_end().to_owned()
}

fn in_words(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// A check that is no test: it passes or it does not.
fn check(mut command: Command) -> Result<Counts> {
    run::run(&mut command).map(|()| Counts::default())
}

fn format() -> Result<Counts> {
    check(run::cargo(&["fmt", "--all", "--check"]))
}

fn ui_packages() -> Result<Counts> {
    setup::install_ui().map(|()| Counts::default())
}

fn ui_types() -> Result<Counts> {
    check(run::npm(&["run", "check"]))
}

fn ui_lint() -> Result<Counts> {
    check(run::npm(&["run", "lint", "--if-present"]))
}

fn ui_build() -> Result<Counts> {
    setup::build_ui().map(|()| Counts::default())
}

fn ui_tests() -> Result<Counts> {
    let report = report_file("vitest.json")?;
    let output = format!("--outputFile.json={}", report.display());
    let mut vitest = run::npm(&["exec", "--", "vitest", "run", "--reporter=default", "--reporter=json", &output]);
    tested(&mut vitest, |_| read_report(&report).and_then(|text| counts::vitest(&text)))
}

fn clippy() -> Result<Counts> {
    check(run::cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"]))
}

/// The flags under which everything is built once: other flags would mean other features, and building twice.
const BUILD: [&str; 4] = ["--workspace", "--bins", "--tests", "--locked"];

fn rust_build() -> Result<Counts> {
    let mut build = run::cargo(&["build"]);
    build.args(BUILD);
    check(build)
}

fn rust_tests() -> Result<Counts> {
    let screen = VirtualScreen::start()?;
    let cargo = run::cargo(&[]);
    let mut tests = screen::apart(&screen)?;
    tests.arg(cargo.get_program());
    if run::read(&mut run::cargo(&["nextest", "--version"])).is_ok() {
        tests.args(["nextest", "run", "--profile", "ci", "--no-fail-fast"]).args(BUILD);
        return tested(&mut tests, |output| counts::nextest(output).context("failed to find nextest's summary"));
    }
    run::say("cargo-nextest is not installed: using cargo's own test runner");
    tests.args(["test", "--no-fail-fast"]).args(BUILD);
    tested(&mut tests, |output| counts::cargo_test(output).context("failed to find a test result"))
}

fn doc_tests() -> Result<Counts> {
    let mut tests = run::cargo(&["test", "--doc", "--workspace", "--locked", "--no-fail-fast"]);
    tested(&mut tests, |output| Ok(counts::cargo_test(output).unwrap_or_default()))
}

/// The window's pages in a browser, over made-up answers.
fn browser_tests() -> Result<Counts> {
    playwright("browser-tests.json", |_| {})
}

/// The whole flow in a browser, over the real engine as `countersign serve` serves it.
fn browser_flow() -> Result<Counts> {
    let dir = run::target().join("xtask/browser-flow");
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("failed to empty {}", dir.display()))?;
    }
    let served = Served::start(&dir)?;
    playwright("browser-flow.json", |command| {
        command.env("COUNTERSIGN_SERVE_URL", served.url());
    })
}

fn playwright(report: &str, settle: impl FnOnce(&mut Command)) -> Result<Counts> {
    let report = report_file(report)?;
    let mut playwright = run::npm(&["exec", "--", "playwright", "test", "--reporter=list,json"]);
    playwright.env("PLAYWRIGHT_JSON_OUTPUT_FILE", &report).env("PLAYWRIGHT_JSON_OUTPUT_NAME", &report);
    playwright.env("CHROMIUM", setup::browser()?).env_remove("COUNTERSIGN_SERVE_URL");
    settle(&mut playwright);
    tested(&mut playwright, |_| read_report(&report).and_then(|text| counts::playwright(&text)))
}

fn licences() -> Result<Counts> {
    if platform::find_program(&["cargo-deny"]).is_some() {
        return check(run::cargo(&["deny", "--workspace", "check", "licenses", "bans", "sources"]));
    }
    let config = run::root().join(".deny.toml");
    let rules = Rules::parse(&fs::read_to_string(&config).context("failed to read .deny.toml")?)?;
    let version = run::read(run::command("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("failed to find rustc's host")?;
    let metadata =
        run::read(&mut run::cargo(&["metadata", "--format-version=1", "--locked", "--filter-platform", host]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("failed to read cargo's metadata")?;
    let tree = run::read(&mut run::cargo(&["tree", "--workspace", "--prefix=none", "--format={p}", "--locked"]))?;
    let faults = rules.check(&metadata, &Compiled::parse(&tree));
    if !faults.is_empty() {
        bail!("{}", faults.join("\n  "));
    }
    run::say("every dependency has an allowed licence and comes from crates.io (checked without cargo-deny)");
    Ok(Counts::default())
}

fn npm_audit() -> Result<Counts> {
    let output = run::npm(&["audit", "--omit=dev", "--json"]).output().context("failed to start npm")?;
    match audited(&String::from_utf8_lossy(&output.stdout)) {
        Some(0) => run::say("npm knows of no serious fault in what the UI ships"),
        Some(serious) => bail!("npm knows of {serious} serious faults in what the UI ships: run `npm audit` in ui/"),
        None => run::say("the registry did not answer npm's question about known faults: not checked"),
    }
    Ok(Counts::default())
}

/// How many high or critical faults `npm audit --json` reports; `None` when it could not ask.
fn audited(report: &str) -> Option<u64> {
    let report: Value = serde_json::from_str(report).ok()?;
    let found = report.pointer("/metadata/vulnerabilities")?;
    let number = |name: &str| found.get(name).and_then(Value::as_u64);
    Some(number("high")? + number("critical")?)
}

/// Runs a test runner and reads its counts; one that failed without a failed test (a file that does not load, a setup
/// that breaks) counts as one failure.
fn tested(command: &mut Command, read: impl FnOnce(&str) -> Result<Counts>) -> Result<Counts> {
    let seen = run::watch(command)?;
    match read(&seen.text) {
        Ok(counts) if !seen.status.success() && counts.failed == 0 => {
            run::say(format_args!("the runner failed although no test did ({})", seen.status));
            Ok(Counts { failed: 1, ..counts })
        }
        Ok(counts) => Ok(counts),
        Err(error) => {
            run::succeeded(command, seen.status)?;
            Err(error)
        }
    }
}

/// A path for a runner's report, from which the report of an earlier run is gone.
fn report_file(name: &str) -> Result<PathBuf> {
    let dir = run::target().join("xtask");
    fs::create_dir_all(&dir).with_context(|| format!("failed to create {}", dir.display()))?;
    let file = env::current_dir().unwrap_or_default().join(dir).join(name);
    match fs::remove_file(&file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove {}", file.display()))
        }
        _ => Ok(file),
    }
}

fn read_report(file: &PathBuf) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(wanted: &[&str]) -> Vec<&'static str> {
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        choose(STAGES, &wanted).unwrap().iter().map(|stage| stage.name).collect()
    }

    #[test]
    fn a_stage_comes_with_what_it_needs() {
        assert_eq!(names(&["browser flow"]), ["ui packages", "ui build", "rust build", "browser flow"]);
        assert_eq!(names(&["licences", "format"]), ["format", "licences"]);
        assert_eq!(names(&[]).len(), STAGES.len());
        assert!(choose(STAGES, &["nothing".to_owned()]).is_err());
    }

    #[test]
    fn every_need_is_an_earlier_stage() {
        for (index, stage) in STAGES.iter().enumerate() {
            for need in stage.needs {
                assert!(STAGES[..index].iter().any(|earlier| earlier.name == *need), "{} needs {need}", stage.name);
            }
        }
        assert!(LINTS.iter().all(|name| STAGES.iter().any(|stage| stage.name == *name)));
    }

    #[test]
    fn a_stage_that_fails_counts_and_what_needs_it_does_not_run() {
        let broken = Stage { name: "broken", needs: &[], run: || bail!("no disk") };
        let failed = perform(&broken, &[]);
        assert_eq!((&failed.outcome, failed.counts), (&Outcome::Failed("no disk".to_owned()), Counts::ONE_FAILED));
        let after = Stage { name: "after", needs: &["broken"], run: || bail!("must not run") };
        let left_out = perform(&after, &[failed]);
        assert_eq!(left_out.outcome, Outcome::NotRun("not run, since \"broken\" did not pass".to_owned()));
        assert_eq!(left_out.counts, Counts::default());
    }

    #[test]
    fn a_runner_that_fails_without_a_failed_test_counts_as_one() {
        let none = || Ok(Counts { passed: 3, failed: 0, skipped: 1 });
        let counts = tested(run::command("sh").args(["-c", "exit 1"]), |_| none()).unwrap();
        assert_eq!(counts, Counts { passed: 3, failed: 1, skipped: 1 });
        assert_eq!(tested(&mut run::command("true"), |_| none()).unwrap(), none().unwrap());
        assert!(tested(run::command("sh").args(["-c", "exit 1"]), |_| bail!("no report")).is_err());
    }

    #[test]
    fn an_audit_that_could_not_ask_is_told_from_a_clean_one() {
        let clean = r#"{"metadata":{"vulnerabilities":{"info":0,"low":3,"moderate":1,"high":0,"critical":0}}}"#;
        let dirty = r#"{"metadata":{"vulnerabilities":{"info":0,"low":0,"moderate":0,"high":2,"critical":1}}}"#;
        assert_eq!(audited(clean), Some(0));
        assert_eq!(audited(dirty), Some(3));
        assert_eq!(audited(r#"{"error":{"code":"ENOTFOUND"}}"#), None);
        assert_eq!(audited(""), None);
    }

    #[test]
    fn a_report_line_reads_well() {
        let report = Report {
            name: "rust tests",
            outcome: Outcome::Passed,
            counts: Counts { passed: 12, failed: 0, skipped: 1 },
            took: Duration::from_secs(75),
        };
        assert_eq!(line(&report), "rust tests     ok       1 min 15 s  12 passed, 0 failed, 1 skipped");
    }
}
