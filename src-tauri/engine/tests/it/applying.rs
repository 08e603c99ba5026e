//! A plan is applied exactly as it was approved, at most once, whatever is killed, raced or rewound.

use std::fs;
use std::process::{Command, Stdio};

use countersign_domain::statement::{PlanOutcome, Statement};
use countersign_engine::Engine;
use countersign_engine::event::Event;

use crate::small::{Seat, Small, draft, git, id, kinds, said, second_seat, text, write};

const DATA_DIR: &str = "COUNTERSIGN_TEST_AGENT";
const SAID: &str = "COUNTERSIGN_TEST_SAID";

/// A round in a process of its own, for the test that kills it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by another test as its own process"]
async fn as_an_agent() {
    let data_dir = std::env::var_os(DATA_DIR).expect("the data directory");
    let engine = Engine::open(data_dir.as_ref()).await.unwrap();
    let steps = engine.agent_round().await.unwrap();
    if let Some(file) = std::env::var_os(SAID) {
        fs::write(file, said(&steps).join("\n")).unwrap();
    }
}

/// A round of a small world's runner in a process with these variables; every step's words.
pub(crate) fn round_elsewhere(small: &Small, variables: &[(&str, &std::path::Path)]) -> String {
    let answer = small.path().join("said");
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["applying::as_an_agent", "--exact", "--ignored", "--nocapture"])
        .env(DATA_DIR, &small.runner.data_dir)
        .env(SAID, &answer)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let words = fs::read_to_string(&answer).unwrap();
    // What a process prints is read by people and kept by CI.
    words + "\n" + &String::from_utf8_lossy(&output.stderr)
}

fn fifo(small: &Small, name: &str) -> std::path::PathBuf {
    let path = small.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_never_applies_again() {
    let small = Small::with(&[]).await;
    let (begun, go, ended) = (fifo(&small, "begun"), fifo(&small, "go"), fifo(&small, "ended"));
    let cloud = small.cloud_file("one/a");
    let code = format!(
        "resource \"terraform_data\" \"it\" {{\n  provisioner \"local-exec\" {{\n    command = \
         \"echo once >> '{}'; echo > '{}'; cat '{}'; echo > '{}'\"\n  }}\n}}\n",
        text(&cloud),
        text(&begun),
        text(&go),
        text(&ended)
    );
    small.push("slow", &[("one/a/main.tf", Some(small.unit("one/a", &code)))]);
    small.take_through("slow", &[&small.ana]).await;
    let mut agent = Command::new(std::env::current_exe().unwrap())
        .args(["applying::as_an_agent", "--exact", "--ignored"])
        .env(DATA_DIR, &small.runner.data_dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Reading returns when the provisioner, deep below the agent, has begun.
    fs::read(&begun).unwrap();
    agent.kill().unwrap();
    agent.wait().unwrap();
    // The tool outlives the agent that was killed; it is let finish.
    fs::write(&go, "").unwrap();
    fs::read(&ended).unwrap();
    assert_eq!(small.cloud("one/a"), "once");

    assert_eq!(small.round().await, ["interrupted slow: an apply was cut off before; it is not repeated"]);
    assert_eq!(small.round().await, Vec::<String>::new());
    let (_, clone, view) = small.bob.see("slow").await;
    assert_eq!(clone.circumstances(&view).summary(), "one/a: the apply was cut off; what it did is not known");
    let refused = small.runner.engine.apply_change(&small.runner.place().await, &id("slow")).await.unwrap_err();
    assert_eq!(refused.to_string(), "the gate of slow is closed: every plan was consumed by an apply before");
    assert_eq!(small.cloud("one/a"), "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_agents_one_applies_and_a_lost_log_brings_nothing_back() {
    let small = Small::with(&[]).await;
    let other = second_seat(small.path(), "runner", "runner-two").await;
    small.push_counter("grow", "one/a", "1");
    small.take_through("grow", &[&small.ana]).await;
    let (here, there) = (small.runner.place().await, other.place().await);
    let grow = id("grow");
    let (one, two) =
        tokio::join!(small.runner.engine.apply_change(&here, &grow), other.engine.apply_change(&there, &grow));
    let applied =
        [&one, &two].iter().filter(|done| done.as_ref().is_ok_and(|a| a.is_whole() && !a.results.is_empty())).count();
    assert_eq!((applied, small.cloud("one/a").as_str()), (1, "1"), "{one:?} {two:?}");

    // Whoever may write to the remote deletes the log, bundles and all: nothing is forgotten.
    other.look().await;
    git(&small.remote(), &["update-ref", "-d", "refs/countersign/log"]);
    let mut events = small.runner.engine.events();
    for seat in [&small.runner, &other] {
        assert_eq!(said(&seat.engine.agent_round().await.unwrap()), Vec::<String>::new());
        assert!(seat.engine.apply_change(&seat.place().await, &grow).await.is_err());
    }
    assert_eq!(small.cloud("one/a"), "1");
    small.ana.look().await;
    assert_eq!(kinds(&small.bob_anew("late").await).await.get("consumption"), Some(&1));
    let mut alarms = 0;
    while let Ok(event) = events.try_recv() {
        alarms += u32::from(matches!(event.event, Event::Alarm { .. }));
    }
    assert!(alarms > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_file_that_is_not_the_committed_one_is_not_applied() {
    let small = Small::with(&[]).await;
    small.push_counter("first", "one/a", "good");
    small.round().await;
    let good = small.ana.see("first").await.2.verdict.manifest().unwrap().1.clone();
    // The same unit planned with something else in it, sealed by the runner as well.
    small.push_counter("evil", "one/a", "evil");
    small.round().await;
    let evil = small.ana.see("evil").await.2.verdict.manifest().unwrap().1.clone();
    let (PlanOutcome::Planned(wanted), mut forged) = (evil.units[0].outcome.clone(), good) else { panic!() };
    let PlanOutcome::Planned(changes) = &mut forged.units[0].outcome else { panic!() };
    changes.apply = wanted.apply;
    forged.issued = jiff::Timestamp::now();
    forged.nonce = countersign_seal::nonce().unwrap();
    small.runner.say(&Statement::Plan(forged)).await;
    small.ana.approve("first").await.unwrap();
    small.ana.merge("first").await;
    let steps = small.round().await;
    assert_eq!(steps[0], "apply first failed: the plan does not match its commitment");
    assert_eq!(small.cloud("one/a"), "");
    assert_eq!(kinds(&small.runner).await.get("consumption"), None);
}

/// Puts the state's serial up, as any other run would, and edits it.
fn move_state(small: &Small, unit: &str, edit: impl FnOnce(String) -> String) {
    let path = small.path().join("state").join(format!("{}.tfstate", unit.replace('/', "-")));
    let mut state: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    state["serial"] = (state["serial"].as_u64().unwrap() + 1).into();
    fs::write(&path, edit(state.to_string())).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_plan_is_applied_only_when_it_would_be_the_same() {
    let small = Small::with(&[]).await;
    small.push_counter("one", "one/a", "v1");
    small.take_through("one", &[&small.ana]).await;
    assert_eq!(small.round().await, ["apply one: one/a: applied"]);

    small.push_counter("two", "one/a", "v2");
    small.take_through("two", &[&small.ana]).await;
    move_state(&small, "one/a", |state| state);
    assert_eq!(small.round().await, ["apply two: one/a: applied"]);
    assert_eq!(small.cloud("one/a"), "v1 destroyed v2");

    small.push_counter("three", "one/a", "v3");
    small.take_through("three", &[&small.ana]).await;
    move_state(&small, "one/a", |state| state.replace("\"v2\"", "\"other\""));
    assert_eq!(small.round().await, ["apply three: one/a: the plan no longer fits; nothing was applied"]);
    assert_eq!(small.cloud("one/a"), "v1 destroyed v2");
    assert_eq!(small.round().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_unit_is_destroyed_and_a_quiet_change_says_so() {
    let small = Small::with(&[]).await;
    small.push_counter("make", "one/a", "v1");
    small.take_through("make", &[&small.ana]).await;
    small.round().await;

    small.push("note", &[("one/a/notes.md", Some("only words".into()))]);
    small.take_through("note", &[&small.ana]).await;
    assert_eq!(small.round().await, ["apply note: one/a: nothing to apply"]);
    let (_, clone, view) = small.bob.see("note").await;
    assert_eq!(clone.circumstances(&view).summary(), "nothing to apply");

    small.push("drop", &[("one/a/main.tf", None), ("one/a/notes.md", None)]);
    small.take_through("drop", &[&small.ana]).await;
    assert_eq!(small.round().await, ["apply drop: one/a: applied"]);
    assert_eq!(small.cloud("one/a"), "v1 destroyed");
    let (_, clone, view) = small.bob.see("drop").await;
    assert_eq!(clone.circumstances(&view).summary(), "applied; trunk plans to no changes");
}

/// A unit that reads another's state and writes to the same file of the cloud.
fn reader(small: &Small, of: &str, version: &str) -> String {
    let state = small.path().join("state").join(format!("{}.tfstate", of.replace('/', "-")));
    let code = format!(
        "data \"terraform_remote_state\" \"up\" {{\n  backend = \"local\"\n  config = {{\n    path = \"{}\"\n  }}\n}}\n\n{}",
        state.display(),
        small.counter(of, version)
    );
    // It sorts before the one it depends on.
    small.unit("one/a-reader", &code)
}

#[tokio::test(flavor = "multi_thread")]
async fn units_go_in_order_and_stop_at_the_first_that_fails() {
    let small = Small::with(&[]).await;
    small.push_counter("make", "one/b", "b1");
    small.take_through("make", &[&small.ana]).await;
    small.round().await;

    let b = |code: String| ("one/b/main.tf", Some(code));
    let a = |version: &str| ("one/a-reader/main.tf", Some(reader(&small, "one/b", version)));
    small.push("both", &[b(small.counting("one/b", "b2")), a("a2")]);
    small.take_through("both", &[&small.ana]).await;
    assert_eq!(small.round().await, ["apply both: one/b: applied; one/a-reader: applied"]);
    assert_eq!(small.cloud("one/b"), "b1 destroyed b2 a2");

    let failing = small.counting("one/b", "b3").replace("echo b3", "exit 3; echo b3");
    small.push("broken", &[b(failing), a("a3")]);
    small.take_through("broken", &[&small.ana]).await;
    let failed = "one/b: the apply failed; part of the plan may have been applied";
    assert_eq!(small.round().await, [format!("apply broken: {failed}")]);
    assert_eq!(small.round().await, Vec::<String>::new());
    let refused = small.runner.engine.apply_change(&small.runner.place().await, &id("broken")).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("{failed}; the other units of broken wait for a new change that mends it"));
    assert_eq!(small.cloud("one/b"), "b1 destroyed b2 a2 destroyed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_objection_between_two_units_stops_the_second() {
    let small = Small::with(&[]).await;
    let (begun, go) = (fifo(&small, "begun"), fifo(&small, "go"));
    // Whichever comes first waits for the test.
    let waiting = |unit: &str| {
        let code = format!(
            "resource \"terraform_data\" \"it\" {{\n  provisioner \"local-exec\" {{\n    command = \
             \"echo > '{}'; cat '{}'; echo done >> '{}'\"\n  }}\n}}\n",
            text(&begun),
            text(&go),
            text(&small.cloud_file(unit))
        );
        Some(small.unit(unit, &code))
    };
    small.push("both", &[("one/a/main.tf", waiting("one/a")), ("one/b/main.tf", waiting("one/b"))]);
    small.take_through("both", &[&small.ana]).await;
    let engine = small.runner.engine.clone();
    let place = small.runner.place().await;
    let applying = tokio::spawn(async move { engine.apply_change(&place, &id("both")).await });
    tokio::task::spawn_blocking(move || fs::read(begun)).await.unwrap().unwrap();
    let (_, _, view) = small.ana.see("both").await;
    let approval = view.verdict.counted().values().next().unwrap().clone();
    small.ana.engine.revoke(approval.as_str(), "stop", None).await.unwrap();
    fs::write(&go, "").unwrap();
    let stopped = applying.await.unwrap().unwrap_err();
    assert_eq!(stopped.to_string(), "the gate of both is closed: 0 of 1 for one: needs 1 more");
    assert_eq!(small.cloud("one/a") + &small.cloud("one/b"), "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_made_while_the_remote_is_gone_is_kept_and_published_later() {
    let small = Small::with(&[]).await;
    small.push_counter("grow", "one/a", "1");
    small.round().await;
    let (place, clone, view) = small.ana.see("grow").await;
    let terms = small.ana.engine.approval_terms(&clone, &view).await.unwrap();
    let preview = small.ana.engine.preview_approval(&place, &clone, &view, &draft(&terms)).await.unwrap();
    let away = small.path().join("away.git");
    fs::rename(small.remote(), &away).unwrap();
    let (_, recorded) = small.ana.engine.approve(&preview.token, None).await.unwrap();
    let error = recorded.unpublished.expect("the remote is gone");
    assert!(error.to_string().starts_with("failed to the remote cannot be reached"), "{error}");
    assert!(error.kept().unwrap().contains("published when the remote answers"));
    fs::rename(&away, small.remote()).unwrap();
    small.ana.look().await;
    assert_eq!(small.bob.lacking("grow").await, "");
}

impl Small {
    /// bob at a machine that knows nothing yet.
    pub(crate) async fn bob_anew(&self, machine: &str) -> Seat {
        second_seat(self.path(), "bob", machine).await
    }
}

/// Replaces the log by one with the same statements, edited, as whoever may push can.
fn rewrite_log(small: &Small, edit: impl FnOnce(&std::path::Path)) {
    let dir = small.path().join("rewrite");
    let _ = fs::remove_dir_all(&dir);
    git(small.path(), &["clone", "--quiet", text(&small.remote()), text(&dir)]);
    crate::small::identify(&dir, "mallory");
    git(&dir, &["fetch", "--quiet", "origin", "refs/countersign/log"]);
    git(&dir, &["checkout", "--quiet", "-B", "log", "FETCH_HEAD"]);
    edit(&dir);
    crate::small::commit(&dir, "Edited");
    git(&dir, &["push", "--quiet", "--force", "origin", "log:refs/countersign/log"]);
}

fn file_of(id: &countersign_domain::names::StatementId) -> String {
    format!("statements/{}/{id}.json", &id.as_str()[..2])
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_s_signature_takes_a_statement_s_place() {
    let small = Small::with(&[]).await;
    small.push_counter("grow", "one/a", "1");
    small.round().await;
    small.bob.approve("grow").await.unwrap();
    small.runner.look().await;
    let (_, _, view) = small.ana.see("grow").await;
    let approval = view.verdict.counted().values().next().unwrap().clone();
    let revocation = small.ana.engine.revoke(approval.as_str(), "", None).await.unwrap().id;
    // mallory signs ana's revocation once more and puts that in the place of ana's signature.
    let key = small.path().join("keys/mallory");
    let key = countersign_seal::keys::SigningKey::generate(&key, "mallory", None).unwrap();
    rewrite_log(&small, |dir| {
        let payload = fs::read(dir.join(file_of(&revocation))).unwrap();
        let signature = key.sign(countersign_domain::statement::StatementKind::Revocation, &payload).unwrap();
        fs::write(dir.join(file_of(&revocation) + ".sig"), signature).unwrap();
    });
    // The runner has never seen the true one.
    small.runner.look().await;
    // ana's machine notices and puts it back; the runner then counts it.
    let mut events = small.ana.engine.events();
    small.ana.look().await;
    let alarmed = std::iter::from_fn(|| events.try_recv().ok()).any(|e| matches!(e.event, Event::Alarm { .. }));
    assert!(alarmed);
    assert_eq!(small.runner.lacking("grow").await, "0 of 1 for one: needs 1 more");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_files_in_the_log_are_passed_over_and_halves_find_each_other() {
    let small = Small::with(&[]).await;
    small.push_counter("grow", "one/a", "1");
    small.round().await;
    small.ana.approve("grow").await.unwrap();
    let rows = small.ana.rows().await;
    let row = rows.iter().rev().find(|row| row.kind.word() == "approval").unwrap().clone();
    // The log loses the approval, then gets junk and one half of it, then the other half.
    let path = file_of(&row.id);
    rewrite_log(&small, |dir| {
        fs::remove_file(dir.join(&path)).unwrap();
        fs::remove_file(dir.join(format!("{path}.sig"))).unwrap();
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        write(dir, &format!("statements/00/{}.json", "0".repeat(64)), &deep);
        write(dir, &format!("statements/00/{}.json.sig", "0".repeat(64)), "-----BEGIN SSH SIGNATURE-----\nx\n");
        write(dir, "statements/\u{1b}[31mred.json", "{}");
        write(dir, &path, std::str::from_utf8(&row.payload).unwrap());
    });
    let carol = small.bob_anew("late").await;
    assert_eq!(carol.lacking("grow").await, "0 of 1 for one: needs 1 more");
    rewrite_log(&small, |dir| write(dir, &format!("{path}.sig"), std::str::from_utf8(&row.signature).unwrap()));
    assert_eq!(carol.lacking("grow").await, "");
}
