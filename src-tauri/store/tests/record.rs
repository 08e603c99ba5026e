//! The record as other programs and other processes meet it.

#![allow(clippy::expect_used, clippy::panic, reason = "the lint's exception for tests does not reach shared functions")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use countersign_domain::names::{ChangeId, CommitId, Fingerprint, PersonId, RepositoryId, UnitPath};
use countersign_domain::statement::StatementKind;
use countersign_store::chain::{ChainError, ChainFault, ChainProblem};
use countersign_store::clones::{CloneKind, NewClone};
use countersign_store::reveals::Reveal;
use countersign_store::runs::{NewRun, RunEnd, RunFilter, RunKind, RunStatus, RunVerdict};
use countersign_store::statements::{Appended, NewStatement, Origin, Seq, StatementFilter};
use countersign_store::{FILE_NAME, Store, StoreError, sha256};
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

fn now() -> Timestamp {
    Timestamp::new(1_790_000_000, 123_000_000).expect("a time")
}

fn live() -> RepositoryId {
    RepositoryId::new("live").expect("a name")
}

fn change(name: &str) -> ChangeId {
    ChangeId::new(name).expect("a name")
}

fn commit(digit: &str) -> CommitId {
    CommitId::new(digit.repeat(40)).expect("a commit")
}

fn statement(payload: &str) -> NewStatement {
    NewStatement {
        kind: StatementKind::Approval,
        repository: live(),
        change: Some(change("grow")),
        payload: payload.as_bytes().to_vec(),
        signature: b"signature".to_vec(),
        received_at: now(),
        origin: Origin::SharedLog,
    }
}

async fn opened(dir: &Path) -> Store {
    Store::open(dir).await.expect("opens")
}

/// A record of `rows` statements, closed.
async fn record_of(rows: usize) -> TempDir {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = opened(dir.path()).await;
    let statements: Vec<_> = (1..=rows).map(|row| statement(&format!("payload {row}"))).collect();
    store.append_statements(&statements).await.expect("appends");
    store.close().await;
    dir
}

/// Another program's connection, with SQLite's defaults.
async fn stranger(dir: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(dir.join(FILE_NAME)).foreign_keys(false);
    SqliteConnection::connect_with(&options).await.expect("connects")
}

async fn run_sql(dir: &Path, sql: &'static str) -> Result<(), sqlx::Error> {
    let mut connection = stranger(dir).await;
    let result = sqlx::raw_sql(sql).execute(&mut connection).await;
    connection.close().await.expect("closes");
    result.map(|_| ())
}

#[tokio::test]
async fn the_record_is_its_owners_alone() {
    let parent = tempfile::tempdir().expect("temporary directory");
    let dir = parent.path().join("a/data");
    let store = opened(&dir).await;
    store.append_statement(&statement("one")).await.expect("appends");
    let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for file in fs::read_dir(&dir).expect("reads").map(|entry| entry.expect("reads").path()) {
        if file.to_string_lossy().contains(FILE_NAME) {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }
}

#[tokio::test]
async fn statements_come_back_as_they_went_in() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = opened(dir.path()).await;
    let mut other = statement("two");
    other.change = None;
    other.kind = StatementKind::Device;
    assert_eq!(store.append_statement(&statement("one")).await.expect("appends"), Appended::New(Seq(1)));
    assert_eq!(
        store.append_statements(&[other.clone(), statement("one"), statement("three"), other]).await.expect("appends"),
        [Appended::New(Seq(2)), Appended::AlreadyThere(Seq(1)), Appended::New(Seq(3)), Appended::AlreadyThere(Seq(2))]
    );
    let mut forged = statement("one");
    forged.signature = b"another".to_vec();
    assert_eq!(store.append_statement(&forged).await.expect("appends"), Appended::OtherSignatureKept(Seq(1)));
    store.close().await;

    let store = opened(dir.path()).await;
    let all = store.statements(&StatementFilter::default()).await.expect("reads");
    assert_eq!(all.iter().map(|s| s.payload.as_slice()).collect::<Vec<_>>(), [&b"one"[..], b"two", b"three"]);
    assert_eq!(all[0].id, sha256(b"one"));
    assert_eq!((all[0].signature.as_slice(), all[0].received_at), (&b"signature"[..], now()));
    let by = async |filter| store.statements(&filter).await.expect("reads").len();
    assert_eq!(by(StatementFilter { change: Some(change("grow")), ..Default::default() }).await, 2);
    assert_eq!(by(StatementFilter { kind: Some(StatementKind::Device), ..Default::default() }).await, 1);
    assert_eq!(by(StatementFilter { after: Some(Seq(1)), limit: Some(1), ..Default::default() }).await, 1);
    let of_one = StatementFilter { repository: Some(live()), change: Some(change("grow")), ..Default::default() };
    assert_eq!(by(of_one.clone()).await, 2);
    assert_eq!(by(StatementFilter { kind: Some(StatementKind::Plan), ..of_one.clone() }).await, 0);
    assert_eq!(by(StatementFilter { after: Some(Seq(1)), ..of_one }).await, 1);
    let elsewhere = RepositoryId::new("elsewhere").ok();
    assert_eq!(by(StatementFilter { repository: elsewhere, ..Default::default() }).await, 0);
    assert_eq!(store.statement(&all[2].id).await.expect("reads").expect("is there"), all[2]);
}

#[tokio::test]
async fn what_is_made_here_stays_pending_until_the_log_has_it() {
    let store = Store::open_in_memory().await.expect("opens");
    let mine = |payload| NewStatement { origin: Origin::Here, ..statement(payload) };
    store.append_statements(&[mine("a"), mine("b"), mine("c"), statement("d")]).await.expect("appends");
    let pending = || async {
        let pending = store.pending(&live()).await.expect("reads");
        pending.iter().map(|s| String::from_utf8_lossy(&s.payload).into_owned()).collect::<String>()
    };
    assert_eq!(pending().await, "abc");
    store.mark_published(&[sha256(b"a")]).await.expect("marks");
    store.append_statement(&statement("b")).await.expect("appends");
    store.append_statement(&mine("a")).await.expect("appends");
    assert_eq!(pending().await, "c");
    assert_eq!(store.repositories_with_pending().await.expect("reads"), [live()]);
    store.mark_pending(&live(), &[sha256(b"d")]).await.expect("marks");
    assert_eq!(pending().await, "cd");
    let refused = store.mark_pending(&live(), &[sha256(b"a"), sha256(b"unknown")]).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(pending().await, "cd");
}

#[tokio::test]
async fn the_record_refuses_to_be_rewritten() {
    let dir = record_of(3).await;
    let attempts = [
        "UPDATE statements SET payload = x'00' WHERE seq = 2",
        "UPDATE OR REPLACE statements SET seq = 1 WHERE seq = 2",
        "DELETE FROM statements",
        "INSERT OR REPLACE INTO statements SELECT 2, 'x', kind, repository, change, payload, signature, received_at, prev_hash, 'y' FROM statements WHERE seq = 1",
        "REPLACE INTO statements SELECT 4, id, kind, repository, change, payload, signature, received_at, prev_hash, 'y' FROM statements WHERE seq = 1",
        "INSERT INTO statements SELECT 9, 'x', kind, repository, change, payload, signature, received_at, prev_hash, 'y' FROM statements WHERE seq = 1",
        "DELETE FROM chain_head",
        "UPDATE chain_head SET count = 1",
    ];
    for attempt in attempts {
        let refused = run_sql(dir.path(), attempt).await.expect_err(attempt).to_string();
        assert!(refused.contains("append-only") || refused.contains("only grows"), "{attempt}: {refused}");
    }
    let report = opened(dir.path()).await.verify_chain().await.expect("whole");
    assert_eq!(report.count, 3);
}

#[tokio::test]
async fn reveals_are_append_only_and_hold_no_value() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = opened(dir.path()).await;
    let reveal = Reveal {
        at: now(),
        person: PersonId::new("ada").expect("a person"),
        fingerprint: Fingerprint::new(format!("SHA256:{}", "A".repeat(43))).ok(),
        repository: live(),
        change: change("grow"),
        unit: UnitPath::new("prod/orders-db").expect("a unit"),
        address: "terraform_data.db[\"a b\"]".to_owned(),
        path: "input.password".to_owned(),
    };
    store.record_reveal(&reveal).await.expect("records");
    for attempt in [
        "UPDATE reveals SET person = 'bob'",
        "DELETE FROM reveals",
        "REPLACE INTO reveals SELECT 1, at, 'bob', fingerprint, repository, change, unit, address, path FROM reveals",
    ] {
        let refused = run_sql(dir.path(), attempt).await.expect_err(attempt).to_string();
        assert!(refused.contains("append-only"), "{attempt}: {refused}");
    }
    assert_eq!(store.reveals(&live(), &change("grow")).await.expect("reads"), [reveal]);
}

async fn fault_after(tampering: &'static str) -> (i64, ChainProblem) {
    let dir = record_of(5).await;
    let triggers = "DROP TRIGGER statements_refuse_update; DROP TRIGGER statements_refuse_delete;
        DROP TRIGGER statements_refuse_gaps; DROP TRIGGER chain_head_only_grows;";
    run_sql(dir.path(), triggers).await.expect("a stranger can drop triggers");
    run_sql(dir.path(), tampering).await.expect(tampering);
    match opened(dir.path()).await.verify_chain().await {
        Err(ChainError::Fault(ChainFault { seq, problem })) => (seq, problem),
        other => panic!("{tampering}: {other:?}"),
    }
}

#[tokio::test]
async fn the_chain_check_names_the_first_bad_row() {
    let cases = [
        ("UPDATE statements SET payload = CAST('forged' AS BLOB) WHERE seq = 2", 2, ChainProblem::Edited),
        ("UPDATE statements SET signature = CAST('forged' AS BLOB) WHERE seq = 3", 3, ChainProblem::Edited),
        ("UPDATE statements SET change = NULL WHERE seq = 4", 4, ChainProblem::Edited),
        ("UPDATE statements SET received_at = '2020-01-01T00:00:00Z' WHERE seq = 5", 5, ChainProblem::Edited),
        ("UPDATE statements SET row_hash = prev_hash WHERE seq = 1", 1, ChainProblem::Edited),
        ("DELETE FROM statements WHERE seq = 3", 3, ChainProblem::Missing),
        ("DELETE FROM statements WHERE seq = 1", 1, ChainProblem::Missing),
        ("DELETE FROM statements WHERE seq >= 4", 4, ChainProblem::Missing),
        ("DELETE FROM statements", 1, ChainProblem::Missing),
        (
            "UPDATE statements SET seq = 100 WHERE seq = 2; UPDATE statements SET seq = 2 WHERE seq = 3;
             UPDATE statements SET seq = 3 WHERE seq = 100",
            2,
            ChainProblem::Edited,
        ),
        (
            "DELETE FROM statements WHERE seq = 2; UPDATE statements SET seq = seq - 1 WHERE seq > 2;
             UPDATE chain_head SET count = 4",
            2,
            ChainProblem::Edited,
        ),
        (
            "UPDATE statements SET seq = 100 WHERE seq = 5; INSERT INTO statements SELECT 5, 'x', kind, repository, change,
             payload, signature, received_at, row_hash, 'y' FROM statements WHERE seq = 4;
             UPDATE statements SET seq = 6 WHERE seq = 100",
            5,
            ChainProblem::Edited,
        ),
        ("UPDATE chain_head SET count = 4", 5, ChainProblem::BeyondEnd),
        ("UPDATE chain_head SET row_hash = 'x'", 5, ChainProblem::WrongPredecessor),
    ];
    for (tampering, seq, problem) in cases {
        assert_eq!(fault_after(tampering).await, (seq, problem), "{tampering}");
    }
}

/// Hashes made to fit again after a row was removed: only the link to the row before tells.
#[tokio::test]
async fn a_row_whose_own_hash_fits_is_still_checked_against_the_one_before() {
    let dir = record_of(3).await;
    let other = tempfile::tempdir().expect("temporary directory");
    let store = opened(other.path()).await;
    store.append_statements(&[statement("other 1"), statement("other 2")]).await.expect("appends");
    store.close().await;
    run_sql(dir.path(), "DROP TRIGGER statements_refuse_update").await.expect("drops");
    // Row 2 of another record, whole, in place of row 2 of this one.
    let mut connection = stranger(dir.path()).await;
    let set = "UPDATE statements SET (id, payload, prev_hash, row_hash) =
        (SELECT id, payload, prev_hash, row_hash FROM other.statements WHERE seq = 2) WHERE seq = 2";
    sqlx::query("ATTACH ? AS other")
        .bind(other.path().join(FILE_NAME).display().to_string())
        .execute(&mut connection)
        .await
        .expect("attaches");
    sqlx::query(set).execute(&mut connection).await.expect("sets");
    connection.close().await.expect("closes");
    let fault = match opened(dir.path()).await.verify_chain().await {
        Err(ChainError::Fault(fault)) => fault.to_string(),
        other => panic!("{other:?}"),
    };
    let expected = "verify the chain of statements: row 2: it does not follow the row before it: a row was inserted, removed or reordered";
    assert_eq!(fault, expected);
}

#[tokio::test]
async fn two_processes_write_one_whole_chain() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (one, other) = tokio::join!(opened(dir.path()), opened(dir.path()));
    let write = |store: Store, name: &'static str| {
        tokio::spawn(async move {
            for i in 0..40 {
                store.append_statement(&statement(&format!("{name} {i}"))).await.expect("appends");
                store.append_statement(&statement(&format!("shared {i}"))).await.expect("appends");
            }
        })
    };
    let tasks = [write(one.clone(), "one"), write(other.clone(), "other"), write(other, "third")];
    for task in tasks {
        task.await.expect("joins");
    }
    let report = one.verify_chain().await.expect("whole");
    assert_eq!(report.count, 40 * 4);
}

#[tokio::test]
async fn many_processes_may_open_a_new_record_at_once() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let dir = dir.path().to_owned();
            tokio::spawn(async move { Store::open(&dir).await.map(drop) })
        })
        .collect();
    for one in opening {
        one.await.expect("joins").expect("opens");
    }
}

const APPEND_TO: &str = "COUNTERSIGN_TEST_APPEND_TO";

/// Starts itself as the process that is killed.
#[tokio::test]
async fn a_kill_at_any_moment_loses_no_acknowledged_statement() {
    if let Some(dir) = std::env::var_os(APPEND_TO) {
        append_until_killed(Path::new(&dir)).await;
    }
    let dir = tempfile::tempdir().expect("temporary directory");
    let mut acknowledged = Vec::new();
    for (round, enough) in [1, 2, 5, 13, 34, 89].into_iter().enumerate() {
        acknowledged.extend(acknowledged_before_kill(dir.path(), enough));
        let store = opened(dir.path()).await;
        let report = store.verify_chain().await.expect("whole");
        let kept = store.statements(&StatementFilter::default()).await.expect("reads");
        assert_eq!(report.count, kept.len() as u64);
        for id in &acknowledged {
            assert!(kept.iter().any(|s| s.id.as_str() == id), "round {round}: {id} was acknowledged and is gone");
        }
        assert_eq!(
            store.pending(&live()).await.expect("reads").len(),
            kept.len(),
            "a statement lost its place in line"
        );
        assert_eq!(store.mark_interrupted(now()).await.expect("marks").len(), 1, "round {round}");
        let run = store.runs(&RunFilter { limit: Some(1), ..Default::default() }).await.expect("reads").remove(0);
        assert_eq!((run.status, run.ended_at), (RunStatus::Interrupted, Some(now())));
        store.close().await;
    }
    assert!(acknowledged.len() >= 144);
}

async fn append_until_killed(dir: &Path) -> ! {
    let store = opened(dir).await;
    let run = store.queue_run(&new_run()).await.expect("queues");
    store.start_run(run, now()).await.expect("starts");
    let process = std::process::id();
    for i in 0_u64.. {
        let statement = NewStatement { origin: Origin::Here, ..statement(&format!("{process} {i}")) };
        store.append_statement(&statement).await.expect("appends");
        let mut acknowledgements = std::io::stdout();
        writeln!(acknowledgements, "\nack {}", sha256(&statement.payload)).expect("writes");
        acknowledgements.flush().expect("flushes");
    }
    panic!("nobody killed it");
}

fn acknowledged_before_kill(dir: &Path, enough: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "a_kill_at_any_moment_loses_no_acknowledged_statement", "--nocapture"])
        .env(APPEND_TO, dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines().map(|line| line.expect("reads"));
    let mut ids = lines.filter_map(|line| line.strip_prefix("ack ").map(str::to_owned));
    let mut seen: Vec<String> = ids.by_ref().take(enough).collect();
    child.kill().expect("kills");
    seen.extend(ids);
    child.wait().expect("waits");
    seen
}

fn new_run() -> NewRun {
    NewRun {
        kind: RunKind::Plan,
        repository: live(),
        clone: None,
        change: Some(change("grow")),
        unit: UnitPath::new("prod/web").ok(),
        queued_at: now(),
    }
}

fn end(verdict: RunVerdict) -> RunEnd {
    RunEnd {
        verdict,
        at: now(),
        exit: Some(0),
        summary: Some("2 to add".to_owned()),
        sealed_log: Some(b"age-encryption.org/v1".to_vec()),
    }
}

#[tokio::test]
async fn a_run_goes_forward_only() {
    let store = Store::open_in_memory().await.expect("opens");
    let run = store.queue_run(&new_run()).await.expect("queues");
    assert_eq!(store.run(run).await.expect("reads").status, RunStatus::Queued);
    store.start_run(run, now()).await.expect("starts");
    store.end_run(run, &end(RunVerdict::Succeeded)).await.expect("ends");
    let late = store.end_run(run, &end(RunVerdict::Failed)).await.expect_err("ended before");
    assert_eq!(late.to_string(), "record that run 1 is failed: it is succeeded already");
    assert!(matches!(store.start_run(run, now()).await, Err(StoreError::RunMovedOn { .. })));
    let recorded = store.run(run).await.expect("reads");
    assert_eq!((recorded.status, recorded.exit), (RunStatus::Succeeded, Some(0)));
    assert_eq!((recorded.started_at, recorded.ended_at), (Some(now()), Some(now())));
    assert_eq!(store.sealed_log(run).await.expect("reads").as_deref(), Some(&b"age-encryption.org/v1"[..]));
    let succeeded =
        RunFilter { status: Some(RunStatus::Succeeded), change: Some(change("grow")), ..Default::default() };
    assert_eq!(store.runs(&succeeded).await.expect("reads"), [recorded]);
    let unknown = countersign_store::runs::RunId(99);
    assert!(matches!(store.end_run(unknown, &end(RunVerdict::Failed)).await, Err(StoreError::NoSuchRun(_))));
}

#[tokio::test]
async fn only_runs_of_processes_that_are_gone_are_interrupted() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (window, agent) = (opened(dir.path()).await, opened(dir.path()).await);
    let run = agent.queue_run(&new_run()).await.expect("queues");
    agent.start_run(run, now()).await.expect("starts");
    assert_eq!(window.mark_interrupted(now()).await.expect("marks"), []);
    assert_eq!(agent.mark_interrupted(now()).await.expect("marks"), []);
    agent.close().await;
    assert_eq!(window.mark_interrupted(now()).await.expect("marks"), [run]);
    assert_eq!(window.mark_interrupted(now()).await.expect("marks"), []);
}

#[tokio::test]
async fn clones_are_added_once() {
    let store = Store::open_in_memory().await.expect("opens");
    let clone = NewClone {
        path: "/srv/a b/ü".into(),
        kind: CloneKind::Live,
        name: "live".to_owned(),
        remote: Some("origin".to_owned()),
        added_at: now(),
    };
    let id = store.add_clone(&clone).await.expect("adds");
    let again = store.add_clone(&clone).await.expect_err("there already");
    assert_eq!(again.to_string(), "add the clone /srv/a b/ü: it is already there");
    let watched = store.clones().await.expect("lists");
    assert_eq!((watched.len(), watched[0].id, watched[0].kind), (1, id, CloneKind::Live));
    assert_eq!(watched[0].path, clone.path);
    let run = store.queue_run(&NewRun { clone: Some(id), ..new_run() }).await.expect("queues");
    store.remove_clone(id).await.expect("removes");
    assert_eq!(store.run(run).await.expect("reads").clone, None);
    assert!(matches!(store.remove_clone(id).await, Err(StoreError::NoSuchClone(_))));
    assert!(store.add_clone(&clone).await.expect("adds") > id);
}

#[tokio::test]
async fn the_shelf_keeps_what_is_laid_on_it() {
    let store = Store::open_in_memory().await.expect("opens");
    assert_eq!(store.setting::<Vec<u8>>("theme").await.expect("reads"), None);
    store.set_setting("theme", &"dark").await.expect("sets");
    store.set_setting("theme", &"light").await.expect("sets");
    assert_eq!(store.setting::<String>("theme").await.expect("reads").as_deref(), Some("light"));
    assert!(matches!(store.setting::<u8>("theme").await, Err(StoreError::Setting { .. })));

    store.cache("graph/1", "key", b"one").await.expect("caches");
    store.cache("graph/1", "key", b"two").await.expect("caches");
    assert_eq!(store.cached("graph/1", "key").await.expect("reads").as_deref(), Some(&b"two"[..]));
    store.clear_cache().await.expect("clears");
    assert_eq!(store.cached("graph/1", "key").await.expect("reads"), None);

    let (grow, head) = (change("grow"), commit("a"));
    store.mark_viewed(&live(), &grow, &head, "main.tf", now()).await.expect("marks");
    store.mark_viewed(&live(), &grow, &head, "main.tf", now()).await.expect("marks");
    assert!(store.viewed(&live(), &grow, &head).await.expect("reads").contains("main.tf"));
    assert!(store.viewed(&live(), &grow, &commit("b")).await.expect("reads").is_empty());
    store.unmark_viewed(&live(), &grow, &head, "main.tf").await.expect("unmarks");
    assert!(store.viewed(&live(), &grow, &head).await.expect("reads").is_empty());

    let remote = "/srv/live.git";
    assert_eq!(store.log_tip(&live(), remote).await.expect("reads"), None);
    for digit in ["a", "b"] {
        store.set_log_tip(&live(), remote, &commit(digit), now()).await.expect("sets");
    }
    assert_eq!(store.log_tip(&live(), remote).await.expect("reads"), Some(commit("b")));
}

#[tokio::test]
async fn bundles_are_kept_by_their_content() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = opened(dir.path()).await;
    let sha = store.keep_bundle(&live(), &change("grow"), b"sealed", now()).await.expect("keeps");
    assert_eq!(store.keep_bundle(&live(), &change("grow"), b"sealed", now()).await.expect("keeps"), sha);
    assert_eq!(store.bundle(&sha).await.expect("reads").as_deref(), Some(&b"sealed"[..]));
    run_sql(dir.path(), "UPDATE bundles SET bytes = CAST('forged' AS BLOB)").await.expect("updates");
    assert!(matches!(store.bundle(&sha).await, Err(StoreError::Unreadable { table: "bundles", .. })));
    assert_eq!(store.prune_bundles(&live(), &change("other")).await.expect("prunes"), 0);
    assert_eq!(store.prune_bundles_before(now()).await.expect("prunes"), 0);
    assert_eq!(store.prune_bundles(&live(), &change("grow")).await.expect("prunes"), 1);
    assert_eq!(store.bundle(&sha).await.expect("reads"), None);
}

#[tokio::test]
async fn what_cannot_be_opened_says_what_to_do() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("file");
    fs::write(&file, "").expect("writes");
    let error = Store::open(&file.join("data")).await.expect_err("a file in the way");
    assert!(matches!(error, StoreError::DirectoryNotWritable { .. }), "{error}");

    let data = dir.path().join("garbage");
    fs::create_dir(&data).expect("makes");
    fs::write(data.join(FILE_NAME), "no database. ".repeat(500)).expect("writes");
    let error = Store::open(&data).await.expect_err("garbage");
    assert_eq!(
        error.to_string(),
        "read the record: the file is not a database or is damaged (file is not a database); move it away and start again: what was published comes back from the shared logs"
    );
    assert!(fs::read_to_string(data.join(FILE_NAME)).expect("reads").starts_with("no database. "));

    let data = dir.path().join("foreign");
    fs::create_dir(&data).expect("makes");
    fs::write(data.join(FILE_NAME), "").expect("writes");
    run_sql(&data, "CREATE TABLE recipes (name TEXT)").await.expect("creates");
    let error = Store::open(&data).await.expect_err("another program's");
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let dir = record_of(1).await;
    let newer = "INSERT INTO _sqlx_migrations VALUES (999, 'later', '2030-01-01', TRUE, x'00', 1)";
    run_sql(dir.path(), newer).await.expect("inserts");
    let error = Store::open(dir.path()).await.expect_err("newer");
    assert_eq!(
        error.to_string(),
        "read the record: it has schema 999 and this program knows up to 1; use the newer program"
    );
}

#[tokio::test]
async fn damaged_pages_are_recognised() {
    let dir = record_of(400).await;
    let file = dir.path().join(FILE_NAME);
    let mut bytes = fs::read(&file).expect("reads");
    let pages = bytes.len() / 4096;
    bytes[4096 * 3..4096 * (pages - 1)].fill(0xee);
    fs::write(&file, bytes).expect("writes");
    let error = match Store::open(dir.path()).await {
        Ok(store) => match store.verify_chain().await {
            Err(ChainError::Store(error)) => error,
            other => panic!("{other:?}"),
        },
        Err(error) => error,
    };
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
}
