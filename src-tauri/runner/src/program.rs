//! What to run: program, arguments, environment, limits.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::log::LogChunk;
use crate::memory_file::{MemoryFile, Passed, SealedMemoryFile};
use crate::run::{Finished, StopSteps};

/// Environment names that ordinary tools need to find their files, their language, their proxy and the person's SSH
/// agent. None of them is a credential of a cloud; those are named by whoever wants them passed on.
pub const USUAL_ENV: [&str; 17] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// Bytes kept of each stream unless [`Program::keep_output`] says otherwise: 16 MiB.
const KEPT_BYTES: usize = 16 * 1024 * 1024;

/// Where the program writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Output {
    /// Two pipes: standard output and standard error stay apart.
    #[default]
    Pipes,
    /// One pseudo-terminal for both, for tools that write colours and progress to a terminal only. Everything arrives as
    /// [`Stream::Stdout`](crate::Stream::Stdout), line endings as the program wrote them.
    Pty {
        /// Columns the program believes the terminal has.
        cols: u16,
    },
}

/// Why a program was not run, or not watched to its end. A program that ran and failed is no error here: see
/// [`Exit`](crate::Exit).
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No such program on `PATH`.
    #[error("find the program {}: it is not on PATH; install it, or give its full path in the settings", .program.display())]
    NotFound {
        /// The name that was looked up.
        program: PathBuf,
    },
    /// The path given is no executable file.
    #[error("start {}: it is not an executable file", .program.display())]
    NotExecutable {
        /// The path that was given.
        program: PathBuf,
    },
    /// A relative path such as `./tool` would mean another file in every directory, some of them under review.
    #[error("start {}: give a bare name or a full path, not a relative one", .program.display())]
    RelativePath {
        /// The path that was given.
        program: PathBuf,
    },
    /// The directory to run in does not exist.
    #[error("start {} in {}: there is no such directory", .program.display(), .dir.display())]
    DirectoryMissing {
        /// The program.
        program: PathBuf,
        /// The missing directory.
        dir: PathBuf,
    },
    /// It was cancelled before it was started; nothing has happened.
    #[error("start {}: it was cancelled first", .program.display())]
    Cancelled {
        /// The program.
        program: PathBuf,
    },
    /// The operating system refused to start it.
    #[error("start {}: {cause}", .program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// No pseudo-terminal could be opened.
    #[error("open a pseudo-terminal: {cause}")]
    Pty {
        /// The system's reason.
        cause: io::Error,
    },
    /// The program was started, but its end could not be waited for. It has been killed.
    #[error("wait for {}: {cause}", .program.display())]
    Wait {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
}

/// What to run. Arguments go to the program as they are; no shell ever reads them.
///
/// Nothing is inherited that is not named: the environment starts empty, standard input is empty, and of the open files
/// only those given to [`Program::pass`] and [`Program::pass_sealed`] reach the program.
#[derive(Clone)]
pub struct Program {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) env: BTreeMap<OsString, OsString>,
    pub(crate) passed: Vec<Arc<Passed>>,
    pub(crate) time_limit: Option<Duration>,
    pub(crate) stop_steps: StopSteps,
    pub(crate) output: Output,
    pub(crate) kept_bytes: usize,
}

/// Shows no value of the environment, where credentials live.
impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("dir", &self.dir)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("time_limit", &self.time_limit)
            .field("output", &self.output)
            .finish_non_exhaustive()
    }
}

impl Program {
    /// A program by its bare name, looked up on `PATH` when it starts, or by its full path.
    #[must_use]
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: PathBuf::from(program.into()),
            args: Vec::new(),
            dir: None,
            env: BTreeMap::new(),
            passed: Vec::new(),
            time_limit: None,
            stop_steps: StopSteps::default(),
            output: Output::Pipes,
            kept_bytes: KEPT_BYTES,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// The directory to run in; without it, the one this process is in.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Sets one environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Passes on these variables with the values they have in this process; those that are not set here stay unset. For
    /// most tools, [`USUAL_ENV`].
    #[must_use]
    pub fn inherit_env<N: AsRef<OsStr>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        for name in names {
            if let Some(value) = std::env::var_os(&name) {
                self.env.insert(name.as_ref().to_owned(), value);
            }
        }
        self
    }

    /// Lets the program open `file` at its [`path_in_child`](MemoryFile::path_in_child). Processes that the program
    /// starts inherit it too, so seal it before trusting what it holds.
    #[must_use]
    pub fn pass(mut self, file: &MemoryFile) -> Self {
        self.passed.push(file.passed());
        self
    }

    /// Lets the program read the sealed `file` at its [`path_in_child`](SealedMemoryFile::path_in_child).
    #[must_use]
    pub fn pass_sealed(mut self, file: &SealedMemoryFile) -> Self {
        self.passed.push(file.passed());
        self
    }

    /// Stops the program after this long.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// How long each stop signal is given to work.
    #[must_use]
    pub fn stop_steps(mut self, steps: StopSteps) -> Self {
        self.stop_steps = steps;
        self
    }

    /// Where the program writes to.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    /// Keeps at most this many bytes of each stream (16 MiB unless set). What is over is counted, still streamed, and
    /// makes [`Captured::complete`](crate::Captured::complete) fail.
    #[must_use]
    pub fn keep_output(mut self, bytes: usize) -> Self {
        self.kept_bytes = bytes;
        self
    }

    /// The file that would be started: the first executable of that name in an absolute directory of the `PATH` given
    /// to the program, or of this process's own. Relative entries of `PATH` are skipped, since they may lead into code
    /// under review.
    ///
    /// # Errors
    /// [`RunError::NotFound`], [`RunError::NotExecutable`], [`RunError::RelativePath`].
    pub fn find(&self) -> Result<PathBuf, RunError> {
        let program = self.program.clone();
        if program.is_absolute() {
            return if is_executable(&program) { Ok(program) } else { Err(RunError::NotExecutable { program }) };
        }
        if program.components().count() != 1 || program.as_os_str().to_string_lossy().contains('/') {
            return Err(RunError::RelativePath { program });
        }
        let path = self.env.get(OsStr::new("PATH")).cloned().or_else(|| std::env::var_os("PATH")).unwrap_or_default();
        std::env::split_paths(&path)
            .filter(|dir| dir.is_absolute())
            .map(|dir| dir.join(&program))
            .find(|candidate| is_executable(candidate))
            .ok_or(RunError::NotFound { program })
    }

    /// Runs the program to its end. Dropping the future kills the program and its whole group.
    ///
    /// # Errors
    /// [`RunError`] when it could not be started or waited for. That it failed, was killed, cancelled or ran out of time
    /// stands in [`Finished::exit`].
    pub async fn run(&self, cancel: &CancellationToken) -> Result<Finished, RunError> {
        crate::run::run(self, cancel, None).await
    }

    /// Like [`run`](Self::run), and sends the output to `log` as it comes. A full channel slows the program down; a
    /// closed one, or one that stays full for a second after a stop was asked for, is written to no more.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_streaming(
        &self,
        cancel: &CancellationToken,
        log: mpsc::Sender<LogChunk>,
    ) -> Result<Finished, RunError> {
        crate::run::run(self, cancel, Some(log)).await
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
