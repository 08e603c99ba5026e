//! Running the `git` program: arguments and never a shell, no prompts on a terminal, a time limit, and cancelling.

use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::text::{lossy, plain};

/// How often a running program is checked for cancelling and for its time limit.
const TICK: Duration = Duration::from_millis(50);
/// How long a program may take to clean up (remove its lock files) after it was told to stop.
const GRACE: Duration = Duration::from_secs(2);
/// Most bytes kept of a program's standard output.
const MAX_OUTPUT: u64 = 64 << 20;
/// Most lines kept of what a program says on standard error.
const KEPT_LINES: usize = 50;

/// Stops running programs from another thread.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks every program that was started with this token to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// True once [`Cancel::cancel`] was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Which `git` is run, with what around it.
#[derive(Debug, Clone)]
pub struct GitProgram {
    program: PathBuf,
    environment: Vec<(OsString, OsString)>,
    time_limit: Duration,
    cancel: Cancel,
}

impl Default for GitProgram {
    /// `git` from `PATH`, ten minutes.
    fn default() -> Self {
        Self {
            program: PathBuf::from("git"),
            environment: Vec::new(),
            time_limit: Duration::from_secs(600),
            cancel: Cancel::default(),
        }
    }
}

impl GitProgram {
    /// Runs this program instead of `git` from `PATH`.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// Sets an environment variable for every run.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Stops every run that takes longer.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Lets `cancel` stop runs.
    #[must_use]
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// Runs `git <arguments>` in `dir`, gives every line of standard error to `progress`, and waits for the end.
    pub(crate) fn run(
        &self,
        dir: Option<&Path>,
        arguments: &[&OsStr],
        progress: &mut dyn FnMut(&str),
    ) -> Result<Output, RunError> {
        let mut command = self.command(dir, arguments);
        let started = Instant::now();
        tracing::debug!(?arguments, "running git");
        let mut child = command.spawn().map_err(|error| self.start_error(error))?;
        let lines = read_streams(&mut child);
        let outcome = self.follow(&mut child, &lines, started, progress);
        if outcome.is_err() {
            stop(&mut child);
        }
        outcome
    }

    fn command(&self, dir: Option<&Path>, arguments: &[&OsStr]) -> Command {
        let mut command = Command::new(&self.program);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Which repository is meant is said by `dir` alone, also when we were started from a Git hook.
        for name in
            ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE"]
        {
            command.env_remove(name);
        }
        command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C").env("LANGUAGE", "");
        // ssh asks through a program with a window or not at all; a question on a terminal would wait for ever.
        command.env("SSH_ASKPASS_REQUIRE", "force");
        command.env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh");
        command.env("GIT_OPTIONAL_LOCKS", "0");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"]);
        command.args(["-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "submodule.recurse=false"]);
        if let Some(dir) = dir {
            command.current_dir(dir);
        }
        command.args(arguments);
        own_group(&mut command);
        command
    }

    fn start_error(&self, error: std::io::Error) -> RunError {
        if error.kind() == ErrorKind::NotFound {
            return RunError::NotInstalled { program: self.program.clone() };
        }
        RunError::Start { source: error }
    }

    fn follow(
        &self,
        child: &mut Child,
        events: &Receiver<Event>,
        started: Instant,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Output, RunError> {
        let mut output = Vec::new();
        let mut lines = Vec::new();
        loop {
            match events.recv_timeout(TICK) {
                Ok(Event::Line(line)) => {
                    progress(&line);
                    keep(&mut lines, line);
                }
                Ok(Event::Output(bytes)) => output = bytes,
                // Both streams are closed.
                Err(RecvTimeoutError::Disconnected) => break,
                // A helper that stays behind (ssh sharing a connection) may hold a stream open after git has ended.
                Err(RecvTimeoutError::Timeout) if has_ended(child) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.cancel.is_cancelled() {
                return Err(RunError::Cancelled);
            }
            if started.elapsed() > self.time_limit {
                return Err(RunError::TimedOut { limit: self.time_limit });
            }
        }
        let status = child.wait().map_err(|source| RunError::Start { source })?;
        Ok(Output { status, output, lines })
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) output: Vec<u8>,
    /// The last lines of standard error, safe to print.
    pub(crate) lines: Vec<String>,
}

/// Why a program did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such program.
    #[error("{} is not installed or not on PATH; install Git", .program.display())]
    NotInstalled {
        /// The program that was looked for.
        program: PathBuf,
    },
    /// It could not be started or waited for.
    #[error("failed to run git: {source}")]
    Start {
        /// The operating system's error.
        source: std::io::Error,
    },
    /// It took too long and was stopped.
    #[error("git was stopped after {} seconds without finishing; check the connection and try again", .limit.as_secs())]
    TimedOut {
        /// The time it had.
        limit: Duration,
    },
    /// It was stopped on request.
    #[error("git was stopped on request")]
    Cancelled,
}

enum Event {
    Line(String),
    Output(Vec<u8>),
}

/// Reads both streams to their ends, each in a thread of its own so that neither can block the program.
fn read_streams(child: &mut Child) -> Receiver<Event> {
    let (events, received) = channel();
    if let Some(stream) = child.stdout.take() {
        let events = events.clone();
        std::thread::spawn(move || read_output(stream, &events));
    }
    if let Some(stream) = child.stderr.take() {
        std::thread::spawn(move || read_lines(stream, &events));
    }
    received
}

fn read_output(mut stream: impl Read, events: &Sender<Event>) {
    let mut bytes = Vec::new();
    // Only reached when the pipe breaks; the exit status then tells more than the error.
    stream.by_ref().take(MAX_OUTPUT).read_to_end(&mut bytes).ok();
    events.send(Event::Output(bytes)).ok();
    std::io::copy(&mut stream, &mut std::io::sink()).ok();
}

/// Progress redraws its line with carriage returns; each of them ends a line here.
fn read_lines(mut stream: impl Read, events: &Sender<Event>) {
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        for &byte in &buffer[..count] {
            match byte {
                b'\n' | b'\r' => send_line(&mut line, events),
                _ if line.len() < 4096 => line.push(byte),
                _ => {}
            }
        }
    }
    send_line(&mut line, events);
}

fn send_line(line: &mut Vec<u8>, events: &Sender<Event>) {
    let text = plain(&lossy(line), 500);
    line.clear();
    if !text.is_empty() {
        events.send(Event::Line(text)).ok();
    }
}

fn keep(lines: &mut Vec<String>, line: String) {
    if lines.len() == KEPT_LINES {
        lines.remove(0);
    }
    lines.push(line);
}

fn has_ended(child: &mut Child) -> bool {
    matches!(child.try_wait(), Ok(Some(_)))
}

/// Git starts programs of its own (ssh, remote helpers); a group lets all of them be stopped together.
#[cfg(unix)]
fn own_group(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

/// Asks first, so that git removes its lock files and half-made clones, then insists.
#[cfg(unix)]
fn stop(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return };
    kill_process_group(group, Signal::TERM).ok();
    let deadline = Instant::now() + GRACE;
    while !has_ended(child) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    kill_process_group(group, Signal::KILL).ok();
    child.wait().ok();
}

#[cfg(not(unix))]
fn stop(child: &mut Child) {
    child.kill().ok();
    child.wait().ok();
}
