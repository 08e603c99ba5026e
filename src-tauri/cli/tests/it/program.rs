//! Running the binary and Git where nothing of the user's own settings reaches them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A directory of one test, with a data directory and a home of its own.
pub(crate) struct Desk {
    pub(crate) root: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The binary, with this desk's data directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare(Path::new(env!("CARGO_BIN_EXE_countersign")));
        command.env("COUNTERSIGN_DATA_DIR", self.path("data")).args(arguments);
        command
    }

    /// A program in this desk's surroundings.
    pub(crate) fn bare(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.root.path()).stdin(Stdio::null());
        for name in [
            "COUNTERSIGN_DATA_DIR",
            "DISPLAY",
            "WAYLAND_DISPLAY",
            "SSH_AUTH_SOCK",
            "TF_CLI_CONFIG_FILE",
            "XDG_DATA_HOME",
            "CLICOLOR_FORCE",
        ] {
            command.env_remove(name);
        }
        command.env("HOME", self.path("home")).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    /// Runs with `--json` and reads the one object.
    pub(crate) fn json(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let ran = self.run(&[&["--json"], arguments].concat());
        (ran.code, ran.object())
    }

    pub(crate) fn git(&self, dir: &Path, arguments: &[&str]) -> String {
        let mut command = self.bare(Path::new("git"));
        command.current_dir(dir);
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Mira").env(format!("GIT_{who}_EMAIL"), "mira@example.invalid");
        }
        let ran = Ran::of(command.args(arguments));
        assert_eq!(ran.code, Some(0), "git {arguments:?}: {}", ran.err);
        ran.out
    }

    /// A bare remote with one commit on main, and a clone of it.
    pub(crate) fn clone_of_a_remote(&self, name: &str) -> PathBuf {
        let remote = self.path("remotes").join(format!("{name}.git"));
        let clone = self.path("clones").join(name);
        std::fs::create_dir_all(&remote).unwrap();
        self.git(&remote, &["init", "--quiet", "--bare", "--initial-branch=main"]);
        std::fs::create_dir_all(self.path("clones")).unwrap();
        self.git(self.root.path(), &["clone", "--quiet", text(&remote), text(&clone)]);
        self.git(&clone, &["checkout", "--quiet", "-B", "main"]);
        self.commit(&clone, "main.tf", "Begin");
        self.git(&clone, &["push", "--quiet", "origin", "main"]);
        self.git(&clone, &["remote", "set-head", "origin", "main"]);
        clone
    }

    pub(crate) fn commit(&self, clone: &Path, file: &str, message: &str) {
        std::fs::write(clone.join(file), message).unwrap();
        self.git(clone, &["add", "--all"]);
        self.git(clone, &["commit", "--quiet", "-m", message]);
    }

    /// Pushes a branch with one commit of its own.
    pub(crate) fn propose(&self, clone: &Path, branch: &str, title: &str) {
        self.git(clone, &["checkout", "--quiet", "-b", branch, "main"]);
        self.commit(clone, "change.tf", title);
        self.git(clone, &["push", "--quiet", "origin", branch]);
        self.git(clone, &["checkout", "--quiet", "main"]);
    }
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The one object on one line.
    pub(crate) fn object(&self) -> Value {
        let objects = self.objects();
        assert_eq!(objects.len(), 1, "{self:?}");
        objects.into_iter().next().unwrap()
    }

    /// One object a line.
    pub(crate) fn objects(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}\n{self:?}")))
            .collect()
    }

    /// The three lines of a failure.
    pub(crate) fn failure(&self) -> [&str; 3] {
        let lines: Vec<&str> = self.err.lines().collect();
        let at = |label: &str| lines.iter().copied().find(|line| line.starts_with(label));
        [at("error: "), at("kept:  "), at("try:   ")].map(|line| line.unwrap_or_else(|| panic!("{self:?}")))
    }
}

pub(crate) fn text<S: AsRef<OsStr> + ?Sized>(path: &S) -> &str {
    path.as_ref().to_str().unwrap()
}
