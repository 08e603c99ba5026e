//! `demo`: the demo world, in the window or walked through without one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};

use countersign_engine::demo::world::World;
use countersign_engine::demo::{self, Begin, Walked};
use countersign_engine::{Engine, EngineError};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::args::Demo;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Format, Output};
use crate::signals;
use crate::text::{self, Look};

/// The window's binary, beside this one.
const WINDOW: &str = "countersign-desktop";

/// The last line of a walk.
#[derive(Serialize)]
struct Done<'a> {
    step: &'static str,
    ok: bool,
    cloud: &'a str,
}

pub(crate) async fn demo(args: &Demo, data_dir: &Path, output: &mut Output) -> Result<Exit, Failure> {
    let has_display =
        ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    if !args.headless && !has_display {
        output::note("There is no display here: walking through the same flow without a window.");
    }
    let program = std::env::current_exe()
        .map_err(|error| Failure::machine(format!("failed to find this program's own file: {error}")))?;
    let window = if args.headless || !has_display { None } else { Some(window(&program)?) };
    let dir = args.dir.clone().unwrap_or_else(|| data_dir.join("demo"));
    let begin = if args.reset { Begin::Anew } else { Begin::WithWhatIsThere };
    let world = demo::world(&dir, begin, &mut say).await?;
    match window {
        Some(window) => show(&world, &program, &window).await,
        None => walk(&world, &program, output).await,
    }
}

fn window(program: &Path) -> Result<PathBuf, Failure> {
    let window = program.with_file_name(WINDOW);
    if window.is_file() {
        return Ok(window);
    }
    Err(Failure::tool(format!("the window's program is not beside this one: {} is missing", window.display()))
        .hint("build it with `cargo build --package countersign-desktop`, or walk through without it: --headless"))
}

/// Progress, which is for people.
fn say(line: &str) {
    output::note(&text::line(line));
}

// ── Without a window ────────────────────────────────────────────────────────────────────────────────────────────────

async fn walk(world: &World, program: &Path, output: &mut Output) -> Result<Exit, Failure> {
    let round = rounds(program, &world.runner.data_dir);
    let you = Engine::open(&world.you.data_dir).await?;
    let demo = demo::prepare(world, you, &round, &mut say).await?;
    let mut untold = None;
    let is_ok = demo::walk(&demo, &round, &mut |step| {
        if let Err(failure) = tell(step, output) {
            untold = Some(failure);
        }
    })
    .await?;
    if let Some(failure) = untold {
        return Err(failure);
    }
    tell_end(world, is_ok, output)?;
    Ok(if is_ok { Exit::Done } else { Exit::ToolFailed })
}

fn tell(step: &Walked, output: &mut Output) -> Result<(), Failure> {
    if output.format() == Format::Json {
        return output.json(step);
    }
    let paint = output.paint();
    let (mark, look) = if step.ok { ("✓", Look::Good) } else { ("✗", Look::Bad) };
    let row = [
        text::cell(mark).look(look),
        text::cell(format!("{:<11}", step.step)),
        text::cell(format!("{:<18}", step.change)).look(Look::Bold),
        text::cell(&step.detail),
    ];
    output.text(&text::rows(paint, 0, &[row.to_vec()]))
}

fn tell_end(world: &World, is_ok: bool, output: &mut Output) -> Result<(), Failure> {
    let cloud = world.cloud.display().to_string();
    if output.format() == Format::Json {
        return output.json(&Done { step: "done", ok: is_ok, cloud: &cloud });
    }
    let end = if is_ok { "Done" } else { "A step did not go as it has to" };
    output.text(&format!("{end}. What is deployed stands in {}\n", text::line(&cloud)))
}

type Round<'a> = Pin<Box<dyn Future<Output = Result<(), EngineError>> + Send + 'a>>;

/// Each round of the deploy runner is a process of its own, as it would be elsewhere.
fn rounds<'a>(program: &'a Path, data_dir: &'a Path) -> impl Fn() -> Round<'a> + Send + Sync + 'a {
    move || Box::pin(round(program, data_dir))
}

async fn round(program: &Path, data_dir: &Path) -> Result<(), EngineError> {
    let failed = |detail: String| EngineError::Tool { tool: "countersign agent --once".to_owned(), detail };
    let mut agent = runner_command(program, data_dir, &["--once"]);
    let done = agent.output().await.map_err(|error| failed(error.to_string()))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stdout);
    let said: Vec<String> = said.lines().filter_map(trouble).collect();
    let said = if said.is_empty() { done.status.to_string() } else { said.join("; ") };
    Err(failed(said))
}

/// What a line of the runner's says of a failure.
fn trouble(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    if let Some(message) = line.pointer("/error/message").and_then(serde_json::Value::as_str) {
        return Some(message.to_owned());
    }
    let is_bad = line.get("ok").and_then(serde_json::Value::as_bool) == Some(false);
    is_bad.then(|| format!("{} {}: {}", field(&line, "step"), field(&line, "change"), field(&line, "detail")))
}

fn field<'a>(line: &'a serde_json::Value, name: &str) -> &'a str {
    line.get(name).and_then(serde_json::Value::as_str).unwrap_or_default()
}

fn runner_command(program: &Path, data_dir: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.arg("agent").args(more).arg("--json").arg("--data-dir").arg(data_dir);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

// ── With the window ─────────────────────────────────────────────────────────────────────────────────────────────────

async fn show(world: &World, program: &Path, window: &Path) -> Result<Exit, Failure> {
    {
        let round = rounds(program, &world.runner.data_dir);
        let you = Engine::open(&world.you.data_dir).await?;
        demo::prepare(world, you, &round, &mut say).await?;
    }
    let stop = signals::stop_asked()?;
    let started = |name: &str, error: std::io::Error| Failure::tool(format!("failed to start {name}: {error}"));
    let mut runner = runner_command(program, &world.runner.data_dir, &["--every", "30"]);
    let mut runner = runner.spawn().map_err(|error| started("the deploy runner", error))?;
    let telling = tell_runner(&mut runner);
    let data_dir: OsString = world.you.data_dir.clone().into();
    let mut shown = Command::new(window);
    shown.arg("--data-dir").arg(data_dir).stdin(Stdio::null()).kill_on_drop(true);
    let shown = shown.spawn().map_err(|error| started("the window", error));
    let ended = match shown {
        Ok(mut shown) => {
            output::note(&format!(
                "The window is open. What is deployed stands in {}",
                text::line(&world.cloud.display().to_string())
            ));
            wait_for_window(&mut shown, stop).await
        }
        Err(failure) => Err(failure),
    };
    end(&mut runner).await?;
    telling.abort();
    let status = ended?;
    // A signal is how the person ends the window from the terminal.
    if status.success() || status.code().is_none() {
        return Ok(Exit::Done);
    }
    Err(Failure::tool(format!("the window ended with {status}"))
        .kept(format!("the demo world stays in {}", world.dir.display()))
        .hint("`countersign demo --headless` walks through the same flow without a window"))
}

async fn wait_for_window(window: &mut Child, stop: impl Future<Output = ()>) -> Result<ExitStatus, Failure> {
    tokio::select! {
        status = window.wait() => status.map_err(|error| Failure::tool(format!("failed to wait for the window: {error}"))),
        () = stop => {
            end(window).await?;
            Ok(ExitStatus::default())
        }
    }
}

/// Asks a child to end, by its id, and waits until it has.
async fn end(child: &mut Child) -> Result<(), Failure> {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(id) = id {
        // It may have ended by itself since: then there is nothing to ask.
        let _ = kill_process(id, Signal::TERM);
    }
    child.wait().await.map(drop).map_err(|error| Failure::tool(format!("failed to wait for a program to end: {error}")))
}

/// Tells of what the runner does.
fn tell_runner(runner: &mut Child) -> tokio::task::JoinHandle<()> {
    let lines = runner.stdout.take().map(|out| BufReader::new(out).lines());
    tokio::spawn(async move {
        let Some(mut lines) = lines else { return };
        while let Ok(Some(line)) = lines.next_line().await {
            let Ok(step) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
            let said = trouble(&line).unwrap_or_else(|| {
                format!("{} {}: {}", field(&step, "step"), field(&step, "change"), field(&step, "detail"))
            });
            output::note(&format!("deploy runner: {}", text::line(&said)));
        }
    })
}
