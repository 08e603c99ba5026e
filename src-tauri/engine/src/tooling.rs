//! Running terraform or tofu for one unit: init, plan into memory, show, apply of a sealed plan file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_iac::ansi;
use countersign_iac::tool::{
    ENVIRONMENT, KnownFailure, LockFile, PlanExit, PlanGoal, Tool, apply_args, init_args, is_removed_variable,
    known_failure, plan_args, show_json_args, version_args, workspace_args,
};
use countersign_runner::{Ending, Exit, Finished, MemoryFile, Program, SealedMemoryFile};
use tokio_util::sync::CancellationToken;

use crate::error::EngineError;

/// Largest plan file or plan JSON that is held in memory, in bytes.
const MAX_PLAN_BYTES: u64 = 512 * 1024 * 1024;
/// How long the tool waits for a state lock that somebody else holds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);
/// A plan that takes longer than this is stopped.
const PLAN_LIMIT: Duration = Duration::from_secs(60 * 60);
/// An apply that takes longer than this is asked to stop: databases take hours, not days.
const APPLY_LIMIT: Duration = Duration::from_secs(6 * 60 * 60);

/// The tool of this machine.
#[derive(Debug, Clone)]
pub struct Tooling {
    tool: Tool,
    program: PathBuf,
    version: String,
}

/// A plan that was made: the sealed plan file, its JSON and everything the tool printed.
pub struct MadePlan {
    /// The tool's plan file, in memory and closed to writing.
    pub file: SealedMemoryFile,
    /// `show -json` of that very file.
    pub json: Vec<u8>,
    /// The selected workspace.
    pub workspace: String,
}

/// What planning a unit gave.
pub struct PlanAttempt {
    /// Everything the tool printed, colours included.
    pub log: Vec<u8>,
    /// The plan; none when the tool failed.
    pub plan: Option<MadePlan>,
}

/// How applying a plan file ended.
pub struct ApplyAttempt {
    /// Everything the tool printed.
    pub log: Vec<u8>,
    /// How it ended.
    pub end: ApplyEnd,
}

/// How applying a plan file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplyEnd {
    /// The tool said that it applied everything.
    Applied,
    /// The tool refused the plan as stale and did nothing.
    Stale,
    /// The tool failed or was stopped; part may have been applied.
    Failed,
}

impl Tooling {
    /// Finds terraform, else tofu, and asks for its version.
    ///
    /// # Errors
    /// [`EngineError::NoTool`] when neither is there; [`EngineError::Tool`] when it does not say its version.
    pub async fn find() -> Result<Self, EngineError> {
        for tool in Tool::ALL {
            let Ok(program) = Program::new(tool.program()).find() else { continue };
            let found = Self { tool, program, version: String::new() };
            let answer = found.run(Path::new("."), version_args(), &CancellationToken::new()).await?;
            let version = tool
                .parse_version(answer.stdout.beginning())
                .map_err(|error| EngineError::Tool { tool: tool.program().to_owned(), detail: error.to_string() })?;
            return Ok(Self { version: version.version.to_string(), ..found });
        }
        Err(EngineError::NoTool)
    }

    /// `terraform` or `tofu`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.tool.program()
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.program
    }

    /// Plans the unit in `dir`. The plan file and its JSON never leave memory.
    ///
    /// # Errors
    /// Fails when the tool cannot be run at all or was cancelled; that it ran and failed is no error.
    pub async fn plan(
        &self,
        dir: &Path,
        goal: PlanGoal,
        cancel: &CancellationToken,
    ) -> Result<PlanAttempt, EngineError> {
        let mut log = Vec::new();
        if !self.init(dir, &mut log, cancel).await? {
            return Ok(PlanAttempt { log, plan: None });
        }
        let file = MemoryFile::new()?;
        let args = plan_args(goal, &file.path_in_child(), LOCK_TIMEOUT);
        let program = self.program(dir, args).pass(&file).time_limit(PLAN_LIMIT);
        let finished = program.run(cancel).await?;
        keep_log(&mut log, "plan", &finished);
        stop_if(cancel)?;
        if PlanExit::of(finished.exit.code()) == PlanExit::Failed {
            return Ok(PlanAttempt { log, plan: None });
        }
        let file = file.seal()?;
        let json = self.show(dir, &file, cancel).await?;
        let workspace = self.workspace(dir, cancel).await?;
        Ok(PlanAttempt { log, plan: Some(MadePlan { file, json, workspace }) })
    }

    /// Prepares `dir` for applying; true when it worked.
    ///
    /// # Errors
    /// Fails when the tool cannot be run or was cancelled.
    pub async fn init(&self, dir: &Path, log: &mut Vec<u8>, cancel: &CancellationToken) -> Result<bool, EngineError> {
        let lock = if dir.join(".terraform.lock.hcl").exists() { LockFile::ReadOnly } else { LockFile::Update };
        let finished = self.program(dir, init_args(lock)).time_limit(PLAN_LIMIT).run(cancel).await?;
        keep_log(log, "init", &finished);
        stop_if(cancel)?;
        Ok(finished.exit.success())
    }

    /// The plan file as JSON.
    ///
    /// # Errors
    /// [`EngineError::Tool`] when the tool cannot read the file.
    pub async fn show(
        &self,
        dir: &Path,
        file: &SealedMemoryFile,
        cancel: &CancellationToken,
    ) -> Result<Vec<u8>, EngineError> {
        let limit = usize::try_from(MAX_PLAN_BYTES).unwrap_or(usize::MAX);
        let args = show_json_args(&file.path_in_child());
        let finished = self.program(dir, args).pass_sealed(file).keep_output(limit).run(cancel).await?;
        if !finished.exit.success() {
            return Err(self.failed("show", &finished));
        }
        finished
            .stdout
            .into_complete()
            .map_err(|error| EngineError::Tool { tool: self.name().to_owned(), detail: error.to_string() })
    }

    async fn workspace(&self, dir: &Path, cancel: &CancellationToken) -> Result<String, EngineError> {
        let finished = self.run(dir, workspace_args(), cancel).await?;
        if !finished.exit.success() {
            return Err(self.failed("workspace show", &finished));
        }
        Ok(String::from_utf8_lossy(finished.stdout.beginning()).trim().to_owned())
    }

    /// Applies exactly this plan file. A cancel lets the tool finish what it began and write its state.
    ///
    /// # Errors
    /// Fails when the tool cannot be run at all.
    pub async fn apply(
        &self,
        dir: &Path,
        file: &SealedMemoryFile,
        cancel: &CancellationToken,
    ) -> Result<ApplyAttempt, EngineError> {
        let args = apply_args(&file.path_in_child(), LOCK_TIMEOUT);
        let finished = self.program(dir, args).pass_sealed(file).time_limit(APPLY_LIMIT).run(cancel).await?;
        let mut log = Vec::new();
        keep_log(&mut log, "apply", &finished);
        let stale = || known_failure(&plain(&log)) == Some(KnownFailure::StalePlan);
        let end = if finished.exit.success() {
            ApplyEnd::Applied
        } else if stale() {
            ApplyEnd::Stale
        } else {
            ApplyEnd::Failed
        };
        Ok(ApplyAttempt { log, end })
    }

    async fn run(&self, dir: &Path, args: Vec<OsString>, cancel: &CancellationToken) -> Result<Finished, EngineError> {
        Ok(self.program(dir, args).run(cancel).await?)
    }

    /// The tool gets this process's environment (its credentials live there), less what could change what was reviewed.
    fn program(&self, dir: &Path, args: Vec<OsString>) -> Program {
        let names = std::env::vars_os().map(|(name, _)| name);
        let kept = names.filter(|name| !name.to_str().is_some_and(is_removed_variable));
        let mut program = Program::new(&self.program).args(args).dir(dir).inherit_env(kept);
        for (name, value) in ENVIRONMENT {
            program = program.env(name, value);
        }
        // A configuration file that is named but not there makes the tool warn into every log.
        if std::env::var_os("TF_CLI_CONFIG_FILE").is_some_and(|file| !Path::new(&file).exists()) {
            program = program.env("TF_CLI_CONFIG_FILE", "");
        }
        program
    }

    /// What the tool printed may hold a secret, so it stands in no error.
    fn failed(&self, step: &str, finished: &Finished) -> EngineError {
        let how = match (finished.exit.code(), finished.exit) {
            (Some(code), _) => format!("ended with exit code {code}"),
            (None, Exit::ByItself(Ending::Signal(signal))) => format!("was killed by signal {signal}"),
            (None, _) => "was stopped".to_owned(),
        };
        EngineError::Tool { tool: self.name().to_owned(), detail: format!("`{step}` {how}") }
    }
}

/// A log as plain text.
pub(crate) fn plain(log: &[u8]) -> String {
    ansi::plain_text(&ansi::parse(log))
}

fn stop_if(cancel: &CancellationToken) -> Result<(), EngineError> {
    if cancel.is_cancelled() { Err(EngineError::Cancelled) } else { Ok(()) }
}

fn keep_log(log: &mut Vec<u8>, step: &str, finished: &Finished) {
    log.extend_from_slice(format!("\u{1b}[1m$ {step}\u{1b}[0m\n").as_bytes());
    for stream in [&finished.stdout, &finished.stderr] {
        log.extend_from_slice(stream.beginning());
        if stream.dropped() > 0 {
            log.extend_from_slice(format!("\n… {} more bytes were not kept\n", stream.dropped()).as_bytes());
        }
    }
    if !finished.exit.success() {
        log.extend_from_slice(format!("{step} ended with {:?}\n", finished.exit).as_bytes());
    }
}

/// The goal of planning a unit.
#[must_use]
pub fn goal(deleted: bool) -> PlanGoal {
    if deleted { PlanGoal::Destroy } else { PlanGoal::Apply }
}

/// A program that Countersign uses, as this machine has it.
#[derive(Debug, Clone)]
pub struct MachineTool {
    /// Its name.
    pub name: &'static str,
    /// Where it is; none when it is missing.
    pub path: Option<PathBuf>,
    /// The first line it says of its version.
    pub version: Option<String>,
    /// What it is used for.
    pub purpose: &'static str,
    /// Where to get it, when it is missing.
    pub hint: Option<&'static str>,
}

/// The programs Countersign uses, as this machine has them.
pub async fn machine_tools() -> Vec<MachineTool> {
    let wanted = [
        ("git", "--version", "fetching, pushing and cloning", "https://git-scm.com/downloads"),
        ("terraform", "version", "planning and applying", Tool::Terraform.home()),
        ("tofu", "version", "planning and applying", Tool::Tofu.home()),
        ("ssh-keygen", "-V", "checking signatures without Countersign", "install the OpenSSH client"),
        ("age", "--version", "opening sealed bundles without Countersign", "https://age-encryption.org"),
    ];
    let mut tools = Vec::new();
    for (name, ask, purpose, get) in wanted {
        let path = Program::new(name).find().ok();
        let version = match &path {
            Some(path) if name != "ssh-keygen" => asked_version(path, ask).await,
            _ => None,
        };
        let hint = path.is_none().then_some(get);
        tools.push(MachineTool { name, path, version, purpose, hint });
    }
    tools
}

async fn asked_version(program: &Path, ask: &str) -> Option<String> {
    let asked = Program::new(program)
        .arg(ask)
        .inherit_env(["PATH", "HOME"])
        .env("CHECKPOINT_DISABLE", "1")
        .time_limit(Duration::from_secs(10))
        .run(&CancellationToken::new())
        .await;
    let answer = plain(asked.ok()?.stdout.beginning());
    answer.lines().next().map(str::to_owned)
}
