//! A directory of repositories that knows nothing of the user's own Git configuration.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign_domain::names::{BranchName, CommitId, UnitPath};
use countersign_git::{Clone, GitProgram, Trunk};
use tempfile::TempDir;

pub(crate) const ENVIRONMENT: [(&str, &str); 8] = [
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_AUTHOR_NAME", "Author"),
    ("GIT_AUTHOR_EMAIL", "author@example.org"),
    ("GIT_COMMITTER_NAME", "Committer"),
    ("GIT_COMMITTER_EMAIL", "committer@example.org"),
    ("GIT_AUTHOR_DATE", "1700000000 +0000"),
    ("GIT_COMMITTER_DATE", "1700000000 +0000"),
];

pub(crate) struct World {
    root: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// An empty repository with a working tree, on `main`.
    pub(crate) fn repository(&self, name: &str) -> Work {
        let dir = self.path(name);
        git(self.root.path(), &["init", "-q", "-b", "main", "--", dir.to_str().unwrap()]);
        Work { dir }
    }

    /// An empty bare repository whose `HEAD` is `main`.
    pub(crate) fn bare(&self, name: &str) -> Work {
        let dir = self.path(name);
        git(self.root.path(), &["init", "-q", "--bare", "-b", "main", "--", dir.to_str().unwrap()]);
        Work { dir }
    }

    /// A bare remote with one commit on `main`, and a clone of it.
    pub(crate) fn remote_and_clone(&self) -> (Work, Work) {
        let seed = self.repository("seed");
        seed.commit("main.tf", "one\n", "Begin");
        let remote = self.bare("remote.git");
        seed.git(&["push", "-q", remote.dir.to_str().unwrap(), "main"]);
        let clone = self.clone_of(&remote, "clone");
        (remote, clone)
    }

    pub(crate) fn clone_of(&self, remote: &Work, name: &str) -> Work {
        let dir = self.path(name);
        git(self.root.path(), &["clone", "-q", "--", remote.dir.to_str().unwrap(), dir.to_str().unwrap()]);
        Work { dir }
    }
}

/// A repository, driven by the real program.
pub(crate) struct Work {
    pub(crate) dir: PathBuf,
}

impl Work {
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(&self.dir, arguments)
    }

    pub(crate) fn open(&self) -> Clone {
        Clone::open(&self.dir).unwrap().with_program(program())
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn make_executable(&self, path: &str) {
        std::fs::set_permissions(self.dir.join(path), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn commit(&self, path: &str, content: impl AsRef<[u8]>, message: &str) -> CommitId {
        self.write(path, content);
        self.commit_all(message)
    }

    pub(crate) fn commit_all(&self, message: &str) -> CommitId {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.head()
    }

    pub(crate) fn head(&self) -> CommitId {
        self.at("HEAD")
    }

    pub(crate) fn at(&self, revision: &str) -> CommitId {
        CommitId::new(self.git(&["rev-parse", "--verify", "--end-of-options", revision])).unwrap()
    }

    pub(crate) fn trunk(&self) -> Trunk {
        self.open().trunk(None).unwrap()
    }
}

pub(crate) fn git(dir: &Path, arguments: &[&str]) -> String {
    let (output, ok) = try_git(dir, arguments);
    assert!(ok, "git {arguments:?} failed: {output}");
    output
}

pub(crate) fn try_git(dir: &Path, arguments: &[&str]) -> (String, bool) {
    let mut command = Command::new("git");
    command.current_dir(dir).args(arguments).envs(ENVIRONMENT).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = if output.status.success() { output.stdout } else { output.stderr };
    (String::from_utf8_lossy(&text).trim_end().to_owned(), output.status.success())
}

pub(crate) fn program() -> GitProgram {
    ENVIRONMENT.iter().fold(GitProgram::default(), |program, (name, value)| program.env(name, value))
}

pub(crate) fn branch(name: &str) -> BranchName {
    BranchName::new(name).unwrap()
}

pub(crate) fn path(text: &str) -> UnitPath {
    UnitPath::new(text).unwrap()
}
