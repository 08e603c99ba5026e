//! `terraform` and `tofu`: what to call them with, in which environment, and what their answers mean. Running them is
//! another room's work; here are only pure functions.
//!
//! Terraform writes colour and draws error boxes even when its output is no terminal, so a colour log needs no
//! pseudo-terminal: it is enough to leave `-no-color` out. (Measured with 1.11, which does not heed `NO_COLOR` either.)

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use semver::Version;
use serde::{Deserialize, Serialize};

/// The program that plans and applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// HashiCorp Terraform.
    Terraform,
    /// OpenTofu.
    Tofu,
}

/// What `init` may do to the working directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockFile {
    /// Providers may be added to the dependency lock file, as a person wants while working.
    Update,
    /// The lock file must already name every provider: what was reviewed is what is used.
    ReadOnly,
}

/// What to plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanGoal {
    /// Bring the real objects to what the code says.
    Apply,
    /// Destroy everything the unit's state holds.
    Destroy,
}

/// What an exit code of `plan -detailed-exitcode` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanExit {
    /// 0: there is nothing to do.
    NoChanges,
    /// 2: the plan has changes.
    Changes,
    /// 1 or anything else, a signal included: there is no plan.
    Failed,
}

/// What an exit code of any other command means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandExit {
    /// 0.
    Done,
    /// Anything else.
    Failed,
}

/// Why an apply or a plan failed, as far as its log says so in words that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownFailure {
    /// The state moved since the plan was made; nothing was applied.
    StalePlan,
    /// Another run holds the state's lock; nothing was planned or applied.
    StateLocked,
    /// `init` has to be run, or run again.
    NotInitialised,
    /// The dependency lock file does not name a needed provider, or another checksum of it.
    LockFileMismatch,
}

/// What the tool says of its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolVersion {
    /// Which program it is.
    pub tool: Tool,
    /// Its version.
    pub version: Version,
    /// The platform it was built for, such as `linux_amd64`, when it says so.
    pub platform: Option<String>,
}

/// Why an answer of the tool could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The answer to `version -json` is not what the tool prints.
    #[error("read the answer of `{program} version -json`: {problem}; check that {program} is the real program")]
    Version {
        /// The program.
        program: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Deserialize)]
struct VersionAnswer {
    terraform_version: String,
    #[serde(default)]
    platform: Option<String>,
}

impl Tool {
    /// Every tool, in the order they are looked for when a repository does not say.
    pub const ALL: [Self; 2] = [Self::Terraform, Self::Tofu];

    /// The program's file name.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Terraform => "terraform",
            Self::Tofu => "tofu",
        }
    }

    /// The tool whose program is called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.program() == name)
    }

    /// Where to get it, for a person whose machine lacks it.
    #[must_use]
    pub fn home(self) -> &'static str {
        match self {
            Self::Terraform => "https://developer.hashicorp.com/terraform/install",
            Self::Tofu => "https://opentofu.org/docs/intro/install/",
        }
    }

    /// Reads the answer of [`version_args`].
    ///
    /// # Errors
    /// [`ToolError::Version`] when it is not the JSON the tool prints. Both programs call the key `terraform_version`.
    pub fn parse_version(self, answer: &[u8]) -> Result<ToolVersion, ToolError> {
        let refuse = |problem: String| ToolError::Version { program: self.program(), problem };
        let answer: VersionAnswer = serde_json::from_slice(answer).map_err(|error| refuse(error.to_string()))?;
        let version = Version::parse(&answer.terraform_version).map_err(|error| refuse(error.to_string()))?;
        Ok(ToolVersion { tool: self, version, platform: answer.platform })
    }
}

/// Arguments that ask for the version.
#[must_use]
pub fn version_args() -> Vec<OsString> {
    args(&["version", "-json"])
}

/// Arguments that prepare a working directory: backend, modules, providers. Never asks, never migrates state.
#[must_use]
pub fn init_args(lock_file: LockFile) -> Vec<OsString> {
    let mut args = args(&["init", "-input=false"]);
    if lock_file == LockFile::ReadOnly {
        args.push("-lockfile=readonly".into());
    }
    args
}

/// Arguments that plan into the file `out` (which may be `/proc/self/fd/N`). The exit code is a [`PlanExit`].
#[must_use]
pub fn plan_args(goal: PlanGoal, out: &Path, lock_timeout: Duration) -> Vec<OsString> {
    let mut args = args(&["plan", "-input=false", "-detailed-exitcode"]);
    args.push(format!("-lock-timeout={}s", lock_timeout.as_secs()).into());
    if goal == PlanGoal::Destroy {
        args.push("-destroy".into());
    }
    args.push(flag_with_path("-out=", out));
    args
}

/// Arguments that print the saved plan `plan` as JSON on the standard output.
#[must_use]
pub fn show_json_args(plan: &Path) -> Vec<OsString> {
    let mut args = args(&["show", "-json"]);
    args.push(plan.into());
    args
}

/// Arguments that apply exactly the saved plan `plan`. There is no `-auto-approve`: a saved plan never asks, and
/// without one the command must fail.
#[must_use]
pub fn apply_args(plan: &Path, lock_timeout: Duration) -> Vec<OsString> {
    let mut args = args(&["apply", "-input=false"]);
    args.push(format!("-lock-timeout={}s", lock_timeout.as_secs()).into());
    args.push(plan.into());
    args
}

/// Arguments that print the selected workspace's name.
#[must_use]
pub fn workspace_args() -> Vec<OsString> {
    args(&["workspace", "show"])
}

fn args(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn flag_with_path(flag: &str, path: &Path) -> OsString {
    let mut text = OsString::from(flag);
    text.push(path);
    text
}

/// Variables to set for every run: no questions, no hints for people at a prompt, no call to the vendor.
pub const ENVIRONMENT: [(&str, &str); 3] = [("TF_IN_AUTOMATION", "1"), ("TF_INPUT", "0"), ("CHECKPOINT_DISABLE", "1")];

/// True for a variable that must not reach the tool.
///
/// - `TF_CLI_ARGS` and `TF_CLI_ARGS_*` add arguments that nobody reviewed (`-var`, `-target`, `-lock=false`).
/// - `TF_LOG*` write values, secrets included, into logs and files.
/// - `TF_WORKSPACE` selects another state than the one that was planned.
/// - `TF_DATA_DIR` moves `.terraform`, and with it the recorded backend, away from the working directory.
/// - `TF_REATTACH_PROVIDERS` replaces a provider by whatever process listens there.
/// - `TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE` loosens the lock file.
///
/// `TF_VAR_*`, `TF_ENCRYPTION`, `TF_CLI_CONFIG_FILE` and the providers' own variables stay: they are how teams pass
/// values, credentials and mirrors. A CLI configuration can replace providers (`dev_overrides`), so who runs the tool
/// for others decides where it comes from.
#[must_use]
pub fn is_removed_variable(name: &str) -> bool {
    let exact = [
        "TF_CLI_ARGS",
        "TF_WORKSPACE",
        "TF_DATA_DIR",
        "TF_REATTACH_PROVIDERS",
        "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE",
    ];
    exact.contains(&name) || name.starts_with("TF_CLI_ARGS_") || name.starts_with("TF_LOG")
}

impl PlanExit {
    /// Reads the code; nothing when the process was ended by a signal.
    #[must_use]
    pub fn of(code: Option<i32>) -> Self {
        match code {
            Some(0) => Self::NoChanges,
            Some(2) => Self::Changes,
            _ => Self::Failed,
        }
    }
}

impl CommandExit {
    /// Reads the code; nothing when the process was ended by a signal.
    #[must_use]
    pub fn of(code: Option<i32>) -> Self {
        match code {
            Some(0) => Self::Done,
            _ => Self::Failed,
        }
    }
}

/// What a failed run's log says it failed of, when it is one of the failures that the caller acts upon. The log is
/// plain text (see [`crate::ansi::plain_text`]); only lines that begin an error count, so that a resource or an output
/// that merely contains the words does not.
#[must_use]
pub fn known_failure(plain_log: &str) -> Option<KnownFailure> {
    let headlines = plain_log.lines().filter_map(error_headline);
    headlines.filter_map(failure_of_headline).next_back()
}

fn error_headline(line: &str) -> Option<&str> {
    let line = line.trim_start_matches(['│', ' ']);
    line.strip_prefix("Error: ").map(str::trim)
}

/// The headlines as Terraform's and OpenTofu's sources write them (`internal/backend/local`, `internal/command`).
fn failure_of_headline(headline: &str) -> Option<KnownFailure> {
    let known = [
        ("Saved plan is stale", KnownFailure::StalePlan),
        ("Saved plan does not match the given state", KnownFailure::StalePlan),
        ("Error acquiring the state lock", KnownFailure::StateLocked),
        ("Error locking state", KnownFailure::StateLocked),
        ("Backend initialization required", KnownFailure::NotInitialised),
        ("Module not installed", KnownFailure::NotInitialised),
        ("Required plugins are not installed", KnownFailure::NotInitialised),
        ("Inconsistent dependency lock file", KnownFailure::LockFileMismatch),
        ("Provider dependency changes detected", KnownFailure::LockFileMismatch),
    ];
    known.into_iter().find(|(text, _)| headline.starts_with(text)).map(|(_, failure)| failure)
}
