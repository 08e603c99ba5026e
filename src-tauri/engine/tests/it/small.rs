//! A small live repository with three seats, made in well under a second: real Git, real keys, the real tool.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_domain::names::{ChangeId, PersonId};
use countersign_domain::statement::{Answer, Statement};
use countersign_engine::agent::Step;
use countersign_engine::changes::{ChangeView, CloneView};
use countersign_engine::decide::{ApprovalDraft, ApprovalTerms};
use countersign_engine::place::Place;
use countersign_engine::{Engine, EngineError};
use countersign_seal::allowed_signers::AllowedSigners;
use countersign_seal::keys::SigningKey;
use countersign_store::clones::CloneKind;
use countersign_store::statements::{NewStatement, Origin, RecordedStatement, StatementFilter};

pub(crate) const POLICY: &str = r#"version = 1
repository = "live"

[people.ana]
emails = ["ana@demo.invalid"]
roles = ["reviewer", "security"]

[people.bob]
emails = ["bob@demo.invalid"]
roles = ["reviewer"]

[people.mira]
emails = ["mira@demo.invalid"]
roles = ["reviewer"]

[people.runner]
emails = ["runner@demo.invalid"]
roles = ["runner"]

[environments.two]
units = ["two/**"]
approvals = 2
roles = { security = 1 }
acknowledge_destroys = true

[environments.one]
units = ["one/**"]
approvals = 1

[policy_change]
approvals = 2
"#;

/// A person or the runner, with a clone and a data directory.
pub(crate) struct Seat {
    pub(crate) engine: Engine,
    pub(crate) data_dir: PathBuf,
    pub(crate) clone: PathBuf,
    pub(crate) key: PathBuf,
}

impl Seat {
    pub(crate) async fn place(&self) -> Place {
        let clones = self.engine.clones().await.unwrap();
        self.engine.place(&clones[0].id.to_string()).await.unwrap()
    }

    /// Fetched and judged anew.
    pub(crate) async fn look(&self) -> (Place, CloneView) {
        let place = self.place().await;
        self.engine.refresh(&place).await.unwrap();
        let clone = self.engine.clone_view(&place).await.unwrap();
        (place, clone)
    }

    pub(crate) async fn see(&self, change: &str) -> (Place, CloneView, ChangeView) {
        let (place, clone) = self.look().await;
        let view = clone.change(&id(change)).unwrap_or_else(|| panic!("no change {change}")).clone();
        (place, clone, view)
    }

    /// What the gate lacks; nothing when it is open.
    pub(crate) async fn lacking(&self, change: &str) -> String {
        let (_, clone, view) = self.see(change).await;
        assert_eq!(view.verdict.is_open(), clone.circumstances(&view).lacking().is_empty());
        clone.circumstances(&view).lacking()
    }

    pub(crate) async fn approve(&self, change: &str) -> Result<(), EngineError> {
        let (place, clone, view) = self.see(change).await;
        let terms = self.engine.approval_terms(&clone, &view).await?;
        let preview = self.engine.preview_approval(&place, &clone, &view, &draft(&terms)).await?;
        let (_, recorded) = self.engine.approve(&preview.token, None).await?;
        recorded.unpublished.map_or(Ok(()), Err)
    }

    pub(crate) async fn merge(&self, change: &str) {
        let (place, _, view) = self.see(change).await;
        self.engine.merge(&place, &view.change.id, &view.change.head).await.unwrap();
    }

    pub(crate) async fn rows(&self) -> Vec<RecordedStatement> {
        self.engine.store().statements(&StatementFilter::default()).await.unwrap()
    }

    /// Signs whatever is said with this seat's key and publishes it, past every check of the engine.
    pub(crate) async fn say(&self, statement: &Statement) {
        sign_with(self, &self.key, statement).await;
    }
}

pub(crate) async fn sign_with(seat: &Seat, key: &Path, statement: &Statement) {
    let payload = statement.to_payload().unwrap();
    let signature = SigningKey::from_file(key, None).unwrap().sign(statement.kind(), &payload).unwrap();
    let new = NewStatement {
        kind: statement.kind(),
        repository: statement.repository().clone(),
        change: statement.change().cloned(),
        payload,
        signature,
        received_at: jiff::Timestamp::now(),
        origin: Origin::Here,
    };
    seat.engine.store().append_statement(&new).await.unwrap();
    seat.engine.exchange(&seat.place().await).await.unwrap();
}

pub(crate) fn draft(terms: &ApprovalTerms) -> ApprovalDraft {
    let answers = terms.questions.iter().map(|question| (question.id.clone(), Answer::Yes));
    ApprovalDraft { answers: answers.collect(), acknowledged: terms.acknowledge.clone(), hours: None }
}

pub(crate) fn id(change: &str) -> ChangeId {
    ChangeId::new(change).unwrap()
}

/// What a unit's state is called in the state directory.
fn state_name(unit: &str) -> String {
    unit.replace('/', "-")
}

pub(crate) struct Small {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) ana: Seat,
    pub(crate) bob: Seat,
    pub(crate) runner: Seat,
}

impl Small {
    /// Trunk has the policy, a README and these units, each applied once by nobody: their state is empty.
    pub(crate) async fn with(units: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["cloud", "state", "keys"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let remote = dir.path().join("remote.git");
        git(dir.path(), &["init", "--quiet", "--bare", "-b", "main", text(&remote)]);
        let mira = dir.path().join("mira");
        git(dir.path(), &["clone", "--quiet", text(&remote), text(&mira)]);
        identify(&mira, "mira");
        let mut signers = String::new();
        for person in ["ana", "bob", "mira", "runner"] {
            let key = SigningKey::generate(&dir.path().join("keys").join(person), person, None).unwrap();
            signers += &AllowedSigners::line(&PersonId::new(person).unwrap(), key.public(), &[]);
            signers.push('\n');
        }
        fs::write(mira.join("allowed_signers"), signers).unwrap();
        fs::write(mira.join("countersign.toml"), POLICY).unwrap();
        for (unit, code) in units {
            write(&mira, &format!("{unit}/main.tf"), &with_state(dir.path(), unit, code));
        }
        git(&mira, &["checkout", "--quiet", "-B", "main"]);
        commit(&mira, "Begin");
        git(&mira, &["push", "--quiet", "origin", "main"]);
        let (ana, bob, runner) =
            (seat(dir.path(), "ana").await, seat(dir.path(), "bob").await, seat(dir.path(), "runner").await);
        Self { dir, ana, bob, runner }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn mira(&self) -> PathBuf {
        self.path().join("mira")
    }

    pub(crate) fn remote(&self) -> PathBuf {
        self.path().join("remote.git")
    }

    /// A unit whose every apply adds a line to its file in the cloud.
    pub(crate) fn counting(&self, unit: &str, version: &str) -> String {
        self.unit(unit, &self.counter(unit, version))
    }

    pub(crate) fn counter(&self, unit: &str, version: &str) -> String {
        let file = self.cloud_file(unit);
        format!(
            "resource \"terraform_data\" \"it\" {{\n  input = \"{file}\"\n  triggers_replace = \"{version}\"\n  \
             provisioner \"local-exec\" {{\n    command = \"echo {version} >> '{file}'\"\n  }}\n  \
             provisioner \"local-exec\" {{\n    when    = destroy\n    command = \"echo destroyed >> '${{self.input}}'\"\n  }}\n}}\n",
            file = file.display()
        )
    }

    pub(crate) fn unit(&self, unit: &str, code: &str) -> String {
        with_state(self.path(), unit, code)
    }

    pub(crate) fn cloud_file(&self, unit: &str) -> PathBuf {
        self.path().join("cloud").join(state_name(unit))
    }

    /// The lines that applies of a unit left behind.
    pub(crate) fn cloud(&self, unit: &str) -> String {
        fs::read_to_string(self.cloud_file(unit)).unwrap_or_default().replace('\n', " ").trim().to_owned()
    }

    /// Pushes a branch off trunk, as mira. A file without content is removed.
    pub(crate) fn push(&self, branch: &str, files: &[(&str, Option<String>)]) {
        self.push_from("origin/main", branch, files);
    }

    pub(crate) fn push_from(&self, from: &str, branch: &str, files: &[(&str, Option<String>)]) {
        let mira = self.mira();
        git(&mira, &["fetch", "--quiet", "--prune", "origin"]);
        git(&mira, &["checkout", "--quiet", "-B", branch, from]);
        for (file, content) in files {
            match content {
                Some(content) => write(&mira, file, content),
                None => fs::remove_file(mira.join(file)).unwrap(),
            }
        }
        commit(&mira, &format!("Work on {branch}"));
        git(&mira, &["push", "--quiet", "--force", "origin", branch]);
    }

    /// Pushes a branch that changes one counting unit.
    pub(crate) fn push_counter(&self, branch: &str, unit: &str, version: &str) {
        self.push(branch, &[(&format!("{unit}/main.tf"), Some(self.counting(unit, version)))]);
    }

    /// One round of the runner; every step's words.
    pub(crate) async fn round(&self) -> Vec<String> {
        said(&self.runner.engine.agent_round().await.unwrap())
    }

    /// Planned, approved by whom it takes, merged by ana.
    pub(crate) async fn take_through(&self, change: &str, approvers: &[&Seat]) {
        self.round().await;
        for seat in approvers {
            seat.approve(change).await.unwrap();
        }
        self.ana.merge(change).await;
    }
}

pub(crate) fn said(steps: &[Step]) -> Vec<String> {
    let words = |step: &Step| match &step.outcome {
        Ok(text) => format!("{} {}: {text}", step.deed.word(), step.change),
        Err(error) => format!("{} {} failed: {error}", step.deed.word(), step.change),
    };
    steps.iter().map(words).collect()
}

fn with_state(dir: &Path, unit: &str, code: &str) -> String {
    let state = dir.join("state").join(format!("{}.tfstate", state_name(unit)));
    format!("terraform {{\n  backend \"local\" {{\n    path = \"{}\"\n  }}\n}}\n\n{code}", state.display())
}

pub(crate) async fn seat(dir: &Path, person: &str) -> Seat {
    second_seat(dir, person, person).await
}

/// Another machine of the same person, with the same key.
pub(crate) async fn second_seat(dir: &Path, person: &str, machine: &str) -> Seat {
    let clone = dir.join(format!("clone-{machine}"));
    git(dir, &["clone", "--quiet", text(&dir.join("remote.git")), text(&clone)]);
    identify(&clone, person);
    let data_dir = dir.join(format!("data-{machine}"));
    let engine = Engine::open(&data_dir).await.unwrap();
    engine.add_clone(&clone, CloneKind::Live).await.unwrap();
    let key = dir.join("keys").join(person);
    engine.use_key_file(&key).await.unwrap();
    let seat = Seat { engine, data_dir, clone, key };
    seat.engine.refresh(&seat.place().await).await.unwrap();
    seat
}

pub(crate) fn identify(clone: &Path, person: &str) {
    git(clone, &["config", "user.name", person]);
    git(clone, &["config", "user.email", &format!("{person}@demo.invalid")]);
}

pub(crate) fn write(dir: &Path, file: &str, content: &str) {
    let path = dir.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

pub(crate) fn commit(clone: &Path, message: &str) {
    git(clone, &["add", "--all"]);
    git(clone, &["commit", "--quiet", "--no-verify", "-m", message]);
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").current_dir(dir).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The newest statement of a kind in a seat's record.
pub(crate) async fn newest<T>(seat: &Seat, pick: impl Fn(Statement) -> Option<T>) -> T {
    let rows = seat.rows().await;
    let mut found = rows.iter().rev().filter_map(|row| Statement::parse(row.kind, &row.payload).ok()).filter_map(pick);
    found.next().unwrap()
}

/// How many statements of each kind.
pub(crate) async fn kinds(seat: &Seat) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for row in seat.rows().await {
        *counts.entry(row.kind.word()).or_default() += 1;
    }
    counts
}
