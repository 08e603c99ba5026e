//! From start to end of one program.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use tokio::io::AsyncRead;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::group::Group;
use crate::log::{Captured, Collector, LogChunk, Stream};
use crate::program::{Output, Program, RunError};
use crate::terminal;

/// How the process itself ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It returned this exit code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Without our doing.
    ByItself(Ending),
    /// We asked it to stop. It may still have done all its work: look at `ending`.
    Stopped {
        /// Why.
        reason: StopReason,
        /// The strongest signal that was needed. After [`StopSignal::Kill`] the tool had no chance to write its state.
        strongest: StopSignal,
        /// How it ended then.
        ending: Ending,
    },
}

impl Exit {
    /// True when the program ended by itself with exit code 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::ByItself(Ending::Code(0))
    }

    /// The exit code of a program that ended by itself.
    #[must_use]
    pub fn code(self) -> Option<i32> {
        match self {
            Self::ByItself(Ending::Code(code)) => Some(code),
            _ => None,
        }
    }
}

/// Why a program was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Someone cancelled it.
    Cancelled,
    /// It ran longer than its time limit.
    TimedOut,
}

/// The signals a program is stopped with, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopSignal {
    /// SIGINT: Terraform finishes what it has begun and writes its state.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// How long each signal is given to work before the next, stronger one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopSteps {
    /// From SIGINT to SIGTERM. To Terraform a second signal means "drop everything", so this is how long it has to finish
    /// the resource it is working on.
    pub after_interrupt: Duration,
    /// From SIGTERM to SIGKILL.
    pub after_terminate: Duration,
}

/// Thirty seconds to finish, five to go.
impl Default for StopSteps {
    fn default() -> Self {
        Self { after_interrupt: Duration::from_secs(30), after_terminate: Duration::from_secs(5) }
    }
}

/// A program that was run to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub exit: Exit,
    /// From its start to its end.
    pub duration: Duration,
    /// Standard output; everything when the program wrote to a pseudo-terminal.
    pub stdout: Captured,
    /// Standard error.
    pub stderr: Captured,
}

pub(crate) async fn run(
    program: &Program,
    cancel: &CancellationToken,
    log: Option<mpsc::Sender<LogChunk>>,
) -> Result<Finished, RunError> {
    if cancel.is_cancelled() {
        return Err(RunError::Cancelled { program: program.program.clone() });
    }
    let mut started = start(program)?;
    let begin = Instant::now();
    let stopping = CancellationToken::new();
    let ended = CancellationToken::new();
    let collector = |stream| Collector {
        stream,
        limit: program.kept_bytes,
        log: log.clone(),
        stopping: stopping.clone(),
        ended: ended.clone(),
    };
    let (stdout, stderr) = (collector(Stream::Stdout), collector(Stream::Stderr));
    // The collectors hold the only senders, so that the receiver ends with the last of them.
    drop(log);
    let supervised = async {
        let stopped = supervise(&mut started.leader, program, cancel, &stopping).await;
        let duration = begin.elapsed();
        ended.cancel();
        stopped.map(|(status, stopped)| (exit(status, stopped), duration))
    };
    let (stdout, stderr, supervised) =
        tokio::join!(stdout.collect(started.stdout), stderr.collect(started.stderr), supervised);
    let (exit, duration) = supervised.map_err(|cause| RunError::Wait { program: program.program.clone(), cause })?;
    Ok(Finished { exit, duration, stdout, stderr })
}

struct Started {
    leader: Leader,
    stdout: Option<Box<dyn AsyncRead + Unpin + Send>>,
    stderr: Option<tokio::process::ChildStderr>,
}

/// The started process. The group stands first, so that on drop it is killed before its leader can be reaped.
struct Leader {
    group: Group,
    child: Child,
}

fn start(program: &Program) -> Result<Started, RunError> {
    let path = program.find()?;
    if let Some(dir) = program.dir.as_ref().filter(|dir| !dir.is_dir()) {
        return Err(RunError::DirectoryMissing { program: path, dir: dir.clone() });
    }
    let refused = |cause| RunError::Start { program: path.clone(), cause };
    let mut command = Command::new(&path);
    command.args(&program.args).env_clear().envs(&program.env);
    command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    if let Some(dir) = &program.dir {
        command.current_dir(dir);
    }
    let terminal = match program.output {
        Output::Pipes => {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            None
        }
        Output::Pty { cols } => {
            let (ours, theirs) = terminal::open(cols).map_err(|cause| RunError::Pty { cause })?;
            command.stderr(Stdio::from(theirs.try_clone().map_err(refused)?)).stdout(Stdio::from(theirs));
            Some(ours)
        }
    };
    let passed = mappings(program).map_err(refused)?;
    command.fd_mappings(passed).map_err(|collision| refused(io::Error::other(collision)))?;
    let mut child = command.spawn().map_err(refused)?;
    let group = Group::of(child.id());
    let stderr = child.stderr.take();
    let stdout: Option<Box<dyn AsyncRead + Unpin + Send>> = match (terminal, child.stdout.take()) {
        (Some(terminal), _) => Some(Box::new(terminal)),
        (None, Some(pipe)) => Some(Box::new(pipe)),
        (None, None) => None,
    };
    Ok(Started { leader: Leader { group, child }, stdout, stderr })
}

/// Gives each passed file the number it has in this process. A fixed low number could be one that the standard library
/// uses itself between fork and exec.
fn mappings(program: &Program) -> io::Result<Vec<FdMapping>> {
    let mut mappings: Vec<FdMapping> = Vec::new();
    for passed in &program.passed {
        let Some(child_fd) = passed.number() else { continue };
        if mappings.iter().all(|mapping| mapping.child_fd != child_fd) {
            let parent_fd: OwnedFd = passed.try_clone()?;
            mappings.push(FdMapping { parent_fd, child_fd });
        }
    }
    Ok(mappings)
}

async fn supervise(
    leader: &mut Leader,
    program: &Program,
    cancel: &CancellationToken,
    stopping: &CancellationToken,
) -> io::Result<(ExitStatus, Option<(StopReason, StopSignal)>)> {
    let end = Instant::now().checked_add(program.time_limit.unwrap_or(Duration::MAX));
    let reason = {
        let exited = exited(leader);
        tokio::pin!(exited);
        tokio::select! {
            biased;
            result = &mut exited => { result?; None }
            () = cancel.cancelled() => Some(StopReason::Cancelled),
            () = passed(end) => Some(StopReason::TimedOut),
        }
    };
    let stopped = match reason {
        None => None,
        Some(reason) => {
            stopping.cancel();
            Some((reason, stop(leader, program.stop_steps).await?))
        }
    };
    leader.group.end();
    Ok((leader.child.wait().await?, stopped))
}

/// Sends stronger and stronger signals until the leader has ended; the one it took.
async fn stop(leader: &mut Leader, steps: StopSteps) -> io::Result<StopSignal> {
    let patience = [(StopSignal::Interrupt, steps.after_interrupt), (StopSignal::Terminate, steps.after_terminate)];
    for (signal, grace) in patience {
        leader.group.signal(signal);
        tokio::select! {
            result = exited(leader) => return result.map(|()| signal),
            () = sleep(grace) => {}
        }
    }
    leader.group.signal(StopSignal::Kill);
    exited(leader).await?;
    Ok(StopSignal::Kill)
}

async fn passed(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// Resolves when the leader has ended. On Linux it is then not reaped yet, which keeps its group's id from being reused
/// until the group is killed.
#[cfg(target_os = "linux")]
async fn exited(leader: &mut Leader) -> io::Result<()> {
    use rustix::process::{PidfdFlags, pidfd_open};
    use tokio::net::unix::pipe::Receiver;
    let handle = leader.group.leader().and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    match handle {
        // Only its readiness is asked for, and that is the same for a process as for a pipe.
        Some(handle) => Receiver::from_owned_fd_unchecked(handle)?.readable().await,
        None => leader.child.wait().await.map(|_| ()),
    }
}

/// Resolves when the leader has ended.
#[cfg(not(target_os = "linux"))]
async fn exited(leader: &mut Leader) -> io::Result<()> {
    leader.child.wait().await.map(|_| ())
}

fn exit(status: ExitStatus, stopped: Option<(StopReason, StopSignal)>) -> Exit {
    let ending = match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Code(code),
        (None, Some(signal)) => Ending::Signal(signal),
        // Unix knows no third way for a process that was waited for.
        (None, None) => Ending::Code(-1),
    };
    match stopped {
        None => Exit::ByItself(ending),
        Some((reason, strongest)) => Exit::Stopped { reason, strongest, ending },
    }
}
