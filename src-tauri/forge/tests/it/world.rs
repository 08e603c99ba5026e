//! A bare remote and clones of it that know nothing of the user's own Git configuration.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign_domain::names::{ChangeId, CommitId};
use countersign_forge::{ChangeList, Forge, PlainGit};
use countersign_git::{Clone, GitProgram};
use tempfile::TempDir;

const ENVIRONMENT: [(&str, &str); 8] = [
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_AUTHOR_NAME", "Author"),
    ("GIT_AUTHOR_EMAIL", "Author@Example.org"),
    ("GIT_COMMITTER_NAME", "Committer"),
    ("GIT_COMMITTER_EMAIL", "committer@example.org"),
    ("GIT_AUTHOR_DATE", "1700000000 +0000"),
    ("GIT_COMMITTER_DATE", "1700000000 +0000"),
];

pub(crate) struct World {
    root: TempDir,
}

impl World {
    /// A bare remote whose `main` has one commit.
    pub(crate) fn new() -> Self {
        let world = Self { root: tempfile::tempdir().unwrap() };
        git(world.root.path(), &["init", "-q", "--bare", "-b", "main", "remote.git"]);
        git(world.root.path(), &["clone", "-q", "remote.git", "seed"]);
        let seed = Work { dir: world.root.path().join("seed") };
        seed.git(&["checkout", "-q", "-b", "main"]);
        seed.commit("main.tf", "1\n2\n3\n4\n5\n6\n7\n", "Begin");
        seed.git(&["push", "-q", "origin", "main"]);
        world
    }

    pub(crate) fn remote(&self) -> Work {
        Work { dir: self.root.path().join("remote.git") }
    }

    pub(crate) fn clone(&self, name: &str) -> Work {
        git(self.root.path(), &["clone", "-q", "remote.git", name]);
        Work { dir: self.root.path().join(name) }
    }
}

/// A clone, or the remote.
pub(crate) struct Work {
    pub(crate) dir: PathBuf,
}

impl Work {
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(&self.dir, arguments)
    }

    pub(crate) fn commit(&self, path: &str, content: &str, message: &str) -> CommitId {
        std::fs::write(self.dir.join(path), content).unwrap();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.at("HEAD")
    }

    /// A branch from trunk with one commit, pushed.
    pub(crate) fn propose(&self, branch: &str, path: &str, content: &str, message: &str) -> CommitId {
        self.git(&["checkout", "-q", "-b", branch, "origin/main"]);
        let head = self.commit(path, content, message);
        self.git(&["push", "-q", "origin", branch]);
        head
    }

    pub(crate) fn at(&self, revision: &str) -> CommitId {
        CommitId::new(self.git(&["rev-parse", "--verify", revision])).unwrap()
    }

    pub(crate) fn open(&self) -> Clone {
        let program = ENVIRONMENT.iter().fold(GitProgram::default(), |program, (name, value)| program.env(name, value));
        Clone::open(&self.dir).unwrap().with_program(program)
    }

    pub(crate) fn forge(&self) -> PlainGit {
        PlainGit::new(self.open(), None)
    }

    /// The changes after a fetch.
    pub(crate) fn changes(&self) -> ChangeList {
        let forge = self.forge();
        forge.fetch(&mut |_| {}).unwrap();
        forge.changes().unwrap()
    }
}

fn git(dir: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).args(arguments).envs(ENVIRONMENT).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

pub(crate) fn id(text: &str) -> ChangeId {
    ChangeId::new(text).unwrap()
}
