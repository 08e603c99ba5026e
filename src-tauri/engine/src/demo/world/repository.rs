//! Git repositories of the world, through the `git` program and untouched by the user's own configuration of it.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use super::WorldError;
use super::content::Author;
use super::paths::Places;

#[cfg(unix)]
const NOWHERE: &str = "/dev/null";
#[cfg(not(unix))]
const NOWHERE: &str = "NUL";

/// Set in every repository, so that the user's own settings do not reach into it.
const SETTINGS: [(&str, &str); 5] = [
    ("commit.gpgSign", "false"),
    ("tag.gpgSign", "false"),
    ("core.autocrlf", "false"),
    ("core.hooksPath", NOWHERE),
    ("gc.auto", "0"),
];

/// A working tree in the scratch directory, whose commits are pushed to a remote of the world.
pub(super) struct WorkTree {
    dir: PathBuf,
    now: u64,
}

impl WorkTree {
    /// Makes the bare remote `repository` and an empty working tree for it.
    pub(super) fn of_new_remote(places: &Places, repository: &str) -> Result<Self, WorldError> {
        let remote = places.remote(repository);
        fs::create_dir_all(&remote).map_err(WorldError::io("create", &remote))?;
        git(&remote, "create a remote", ["init", "--quiet", "--bare", "--template=", "--initial-branch=main"])?;
        for (name, value) in [("gc.auto", "0"), ("receive.autogc", "false")] {
            git(&remote, "set up a remote", ["config", name, value])?;
        }
        let dir = places.scratch().join(repository);
        fs::create_dir_all(&dir).map_err(WorldError::io("create", &dir))?;
        git(&dir, "create a repository", ["init", "--quiet", "--template=", "--initial-branch=main"])?;
        git(&dir, "set up a repository", ["remote", "add", "origin", &places.remote_url(repository)])?;
        for (name, value) in SETTINGS {
            git(&dir, "set up a repository", ["config", name, value])?;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Ok(Self { dir, now })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn read(&self, path: &str) -> Result<String, WorldError> {
        let path = self.dir.join(path);
        fs::read_to_string(&path).map_err(WorldError::io("read", &path))
    }

    pub(super) fn write(&self, path: &str, text: &str) -> Result<(), WorldError> {
        let path = self.dir.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(WorldError::io("create", parent))?;
        }
        fs::write(&path, text).map_err(WorldError::io("write", &path))
    }

    /// Commits everything in the working tree.
    pub(super) fn commit(&self, author: Author, minutes_ago: u64, message: &str) -> Result<(), WorldError> {
        git(&self.dir, "stage files", ["add", "--all"])?;
        self.signed_off(author, minutes_ago, "commit", ["commit", "--quiet", "--message", message])
    }

    /// Puts an annotated tag on the last commit.
    pub(super) fn tag(&self, author: Author, minutes_ago: u64, name: &str, message: &str) -> Result<(), WorldError> {
        self.signed_off(author, minutes_ago, "tag", ["tag", "--annotate", "--message", message, name])
    }

    /// Checks out a new branch where main is.
    pub(super) fn branch_off_main(&self, branch: &str) -> Result<(), WorldError> {
        git(&self.dir, "create a branch", ["checkout", "--quiet", "--no-track", "-b", branch, "main"])
    }

    pub(super) fn push(&self, what: &[&str]) -> Result<(), WorldError> {
        let arguments = ["push", "--quiet", "origin"].iter().chain(what);
        git(&self.dir, "push", arguments)
    }

    fn signed_off<const N: usize>(
        &self,
        author: Author,
        minutes_ago: u64,
        action: &'static str,
        arguments: [&str; N],
    ) -> Result<(), WorldError> {
        let when = format!("{} +0000", self.now.saturating_sub(minutes_ago * 60));
        let email = author.email();
        let mut command = program(&self.dir);
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), author.name());
            command.env(format!("GIT_{who}_EMAIL"), &email);
            command.env(format!("GIT_{who}_DATE"), &when);
        }
        run(command.args(arguments), action)
    }
}

/// Clones `repository` for `who`.
pub(super) fn clone(places: &Places, repository: &str, to: &Path, who: Author) -> Result<(), WorldError> {
    let url = places.remote_url(repository);
    let mut command = program(places.dir());
    command.args(["clone", "--quiet", "--template=", "--no-recurse-submodules"]);
    let (name, email) = (who.name().to_owned(), who.email());
    for (setting, value) in [("user.name", name.as_str()), ("user.email", &email)].into_iter().chain(SETTINGS) {
        command.arg("--config").arg(format!("{setting}={value}"));
    }
    run(command.arg("--").arg(url).arg(to), "clone")
}

fn git(
    dir: &Path,
    action: &'static str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<(), WorldError> {
    run(program(dir).args(arguments), action)
}

fn program(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir);
    isolate(&mut command);
    command
}

/// Takes away what would make Git or the tool read the user's configuration instead of ours.
pub(super) fn isolate(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let bytes = name.as_encoded_bytes();
        if bytes.starts_with(b"GIT_") || bytes.starts_with(b"TF_") {
            command.env_remove(&name);
        }
    }
    command.stdin(Stdio::null());
    command.env("GIT_CONFIG_GLOBAL", NOWHERE).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
    command.env("LC_ALL", "C");
}

fn run(command: &mut Command, action: &'static str) -> Result<(), WorldError> {
    let output = command.output().map_err(|source| match source.kind() {
        ErrorKind::NotFound => WorldError::NoProgram(command.get_program().into()),
        _ => WorldError::io("run", Path::new(command.get_program()))(source),
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(WorldError::Git { action, log: end_of(&output.stderr) })
}

/// The last lines of what a program said.
pub(super) fn end_of(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
