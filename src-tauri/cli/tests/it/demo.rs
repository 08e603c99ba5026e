//! The demo world, walked through and then worked in by hand. It is built once: building takes longer than all else.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::program::{Desk, Ran, text};

/// A desk with the world in it.
struct World {
    desk: Desk,
    dir: PathBuf,
}

impl World {
    fn run_as(&self, who: &str, arguments: &[&str]) -> Ran {
        Ran::of(self.command_as(who, arguments).env_remove("COUNTERSIGN_DATA_DIR"))
    }

    fn command_as(&self, who: &str, arguments: &[&str]) -> Command {
        let data_dir = self.dir.join("data").join(who);
        self.desk.command(&[&["--data-dir", text(&data_dir)], arguments].concat())
    }

    fn json_as(&self, who: &str, arguments: &[&str]) -> (Option<i32>, Value) {
        let ran = self.run_as(who, &[&["--json"], arguments].concat());
        (ran.code, ran.object())
    }
}

#[test]
fn the_demo_is_walked_through_and_worked_in() {
    let desk = Desk::new();
    let dir = desk.path("a world");
    let world = World { dir, desk };
    the_walk_tells_of_every_step(&world);
    the_queue_is_read(&world);
    an_approval_is_signed_checked_and_taken_back(&world);
    a_refusal_closes_the_gate(&world);
    only_the_runner_plans_and_applies(&world);
    two_runners_do_not_work_at_once(&world);
    the_window_is_opened_with_a_runner_beside_it(&world);
    a_record_edited_by_hand_is_noticed(&world);
}

fn the_walk_tells_of_every_step(world: &World) {
    let walked = Ran::of(&mut world.desk.command(&["demo", "--headless", "--json", "--dir", text(&world.dir)]));
    assert_eq!(walked.code, Some(0), "{walked:?}");
    let steps = walked.objects();
    let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    let each = ["plan", "seal", "decrypt", "gate-closed", "approve", "gate-open", "merge", "apply", "verify"];
    assert_eq!(names, [&each[..], &each, &["done"]].concat());
    assert!(steps.iter().all(|step| step["ok"] == true), "{steps:?}");
    assert!(steps[..18].iter().all(|step| step["change"].is_string() && step["detail"].is_string()));
    let cloud = steps[18]["cloud"].as_str().unwrap();
    assert!(Path::new(cloud).join("prod/orders-db/database.json").is_file(), "{cloud}");
    assert!(walked.err.contains("applied prod/orders-db"), "{}", walked.err);

    let occupied = world.desk.run(&["demo", "--headless", "--dir", text(&world.desk.root.path())]);
    assert_eq!(occupied.code, Some(2), "{}", occupied.err);
}

fn the_queue_is_read(world: &World) {
    let (code, queue) = world.json_as("you", &["queue"]);
    assert_eq!((code, &queue["needsMe"]), (Some(0), &json!(2)));
    let words = world.run_as("you", &["queue", "--fetch"]);
    for part in ["Needs my review (2)", "No current plan (1)", "Applied today (2)", "trunk plans to no changes"] {
        assert!(words.out.contains(part), "{part}: {}", words.out);
    }
    let shown = world.run_as("you", &["change", "show", "let-authors-approve"]).out;
    for part in ["Destroys and replacements", "-/+", "Gate: closed", "countersign approve let-authors-approve"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let plan = world.run_as("you", &["change", "show", "let-authors-approve", "--unit", "dev/web"]).out;
    assert!(plan.contains("Provisioners: programs that run on apply") && plan.contains("local-exec"), "{plan}");
    let log = world.run_as("you", &["change", "show", "broken-network", "--unit", "stage/network", "--log"]).out;
    assert!(log.contains("undeclared input variable"), "{log}");
}

fn an_approval_is_signed_checked_and_taken_back(world: &World) {
    let lacking = world.run_as("you", &["approve", "let-authors-approve", "--answer", "security=yes"]);
    assert_eq!(lacking.code, Some(2));
    assert_eq!(lacking.failure()[1], "kept:  nothing was signed");
    assert!(lacking.err.contains("--answer data=yes|not-applicable") && !lacking.err.contains("--answer security"));
    for wrong in [["--answer", "security=no"], ["--answer", "colour=yes"], ["--acknowledge", "dev/web:none"]] {
        let refused = world.run_as("you", &[&["approve", "let-authors-approve"], &wrong[..]].concat());
        assert_eq!(refused.code, Some(2), "{wrong:?}: {}", refused.err);
    }
    let answers = ["security=yes", "design=yes", "style=yes", "data=not-applicable"].map(|answer| ["--answer", answer]);
    let approve = [&["approve", "let-authors-approve"], answers.concat().as_slice()].concat();
    let too_long = world.run_as("you", &[approve.as_slice(), &["--expires-in", "9999"]].concat());
    assert_eq!(too_long.code, Some(10), "{}", too_long.err);

    let signed = world.run_as("you", &[approve.as_slice(), &["--show-bytes", "--json", "--expires-in", "2"]].concat());
    assert_eq!(signed.code, Some(0), "{}", signed.err);
    let statement = signed.object()["statement"].as_str().unwrap().to_owned();
    assert_eq!(signed.object()["published"], true);
    assert!(signed.err.contains("urn:countersign:approval") && signed.err.contains(&statement), "{}", signed.err);
    assert_eq!(world.run_as("you", &approve).code, Some(10), "approved twice");
    stock_openssh_verifies(world, &statement);

    // The change edits the policy: one person is not enough, whatever it says about itself.
    let (code, gate) = world.json_as("you", &["gate", "let-authors-approve"]);
    assert_eq!((code, gate["verdict"].as_str()), (Some(10), Some("closed")));
    let lacking: Vec<&str> =
        requirements(&gate).filter(|r| r["met"] == false).map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(lacking, ["approvals:policy"]);
    let counted = requirements(&gate).find(|r| r["name"] == "approvals:dev").unwrap();
    assert_eq!((&counted["met"], &counted["evidence"][0]["statement"]), (&json!(true), &json!(statement)));
    assert_eq!(world.run_as("you", &["merge", "let-authors-approve"]).code, Some(10));

    let (code, _) = world.json_as("you", &["revoke", &statement[..12], "--note", "on second thought"]);
    assert_eq!(code, Some(0));
    let (_, gate) = world.json_as("you", &["gate", "let-authors-approve"]);
    assert!(requirements(&gate).any(|r| r["name"] == "approvals:dev" && r["met"] == false), "{gate}");
}

fn requirements(gate: &Value) -> impl Iterator<Item = &Value> {
    gate["requirements"].as_array().unwrap().iter()
}

fn stock_openssh_verifies(world: &World, statement: &str) {
    let out = world.desk.path("written");
    let (code, detail) = world.json_as("you", &["audit", "show", statement, "--write", text(&out)]);
    assert_eq!(code, Some(0));
    let clone = world.dir.join("clones/you/infrastructure-live");
    std::fs::write(out.join("allowed_signers"), world.desk.git(&clone, &["show", "origin/main:allowed_signers"]))
        .unwrap();
    let command = detail["verifyCommand"].as_str().unwrap();
    let mut shell = world.desk.bare(Path::new("sh"));
    let verified = Ran::of(shell.current_dir(&out).args(["-c", command]));
    assert_eq!(verified.code, Some(0), "{command}: {}", verified.err);
}

fn a_refusal_closes_the_gate(world: &World) {
    let (code, _) = world.json_as("you", &["refuse", "tidy-comments", "--note", "not\u{1b}[2J now"]);
    assert_eq!(code, Some(0));
    let gate = world.run_as("you", &["gate", "tidy-comments"]);
    assert_eq!(gate.code, Some(10));
    assert!(gate.out.contains("refused by you") && !gate.out.contains('\u{1b}'), "{}", gate.out);
    let audit = world.run_as("you", &["audit", "list"]).out;
    assert!(audit.contains("rejection") && !audit.contains('\u{1b}'), "{audit}");
    let (_, filtered) = world.json_as("you", &["audit", "list", "--kind", "rejection"]);
    assert_eq!(filtered["entries"].as_array().map(Vec::len), Some(1));
}

fn only_the_runner_plans_and_applies(world: &World) {
    for words in [["plan", "tidy-comments"], ["apply", "tidy-comments"]] {
        assert_eq!(world.run_as("you", &words).code, Some(10), "{words:?}");
    }
    let (code, planned) = world.json_as("runner", &["plan", "tidy-comments"]);
    assert_eq!((code, &planned["published"]), (Some(0), &json!(true)));
    let unit = json!({"unit": "dev/network", "planned": true, "noChanges": true, "deleted": false, "counts": planned["units"][0]["counts"]});
    assert_eq!(planned["units"][0], unit);
    assert_eq!(planned["units"][0]["counts"]["update"], 0);

    let failed = world.run_as("runner", &["plan", "broken-network"]);
    assert_eq!(failed.code, Some(13), "{}", failed.err);
    assert!(failed.out.contains("planning failed"), "{}", failed.out);
    assert_eq!(world.run_as("runner", &["apply", "tidy-comments"]).code, Some(10), "it is not merged");
    let (code, applied) = world.json_as("runner", &["apply", "grow-orders-db"]);
    assert_ne!((code, &applied["ok"]), (Some(13), &json!(false)), "applied twice: {applied}");
    let once = world.run_as("runner", &["agent", "--once", "--json"]);
    assert_eq!((once.code, once.out.as_str()), (Some(0), ""), "{}", once.err);
}

fn two_runners_do_not_work_at_once(world: &World) {
    let mut agent = world.command_as("runner", &["agent", "--json", "-vv"]);
    let mut agent = agent.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Once it talks to the remote it holds the lock.
    let mut lines = BufReader::new(agent.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("\"fetch\"")));
    let second = world.run_as("runner", &["agent", "--once"]);
    assert_eq!(second.code, Some(10), "{}", second.err);
    assert!(second.failure()[0].contains("another deploy runner"), "{}", second.err);
    // What it says is read to the end, so that it is never kept waiting.
    let rest = std::thread::spawn(move || lines.map_while(Result::ok).count());
    terminate(&agent);
    assert_eq!(agent.wait().unwrap().code(), Some(0));
    assert!(rest.join().is_ok());
}

fn terminate(child: &Child) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
}

fn the_window_is_opened_with_a_runner_beside_it(world: &World) {
    let bin = world.desk.path("bin");
    std::fs::create_dir(&bin).unwrap();
    let program = bin.join("countersign");
    std::fs::copy(env!("CARGO_BIN_EXE_countersign"), &program).unwrap();
    let demo = || {
        let mut command = world.desk.bare(&program);
        command.env("DISPLAY", ":none").args(["demo", "--dir", text(&world.dir)]);
        command
    };
    let missing = Ran::of(&mut demo());
    assert_eq!(missing.code, Some(13));
    assert!(missing.failure()[2].contains("--headless"), "{}", missing.err);

    let window = bin.join("countersign-desktop");
    std::fs::write(&window, "#!/bin/sh\nprintf '%s\\n' \"$@\" > \"$0.args\"\nexit \"${WINDOW_EXIT:-0}\"\n").unwrap();
    std::fs::set_permissions(&window, PermissionsExt::from_mode(0o755)).unwrap();
    let shown = Ran::of(&mut demo());
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    assert!(shown.err.contains("The window is open"), "{}", shown.err);
    let args = std::fs::read_to_string(bin.join("countersign-desktop.args")).unwrap();
    assert_eq!(args, format!("--data-dir\n{}\n", world.dir.canonicalize().unwrap().join("data/you").display()));
    let lock = std::fs::File::open(world.dir.join("data/runner/agent.lock")).unwrap();
    assert!(lock.try_lock().is_ok(), "the runner still runs");
    drop(lock);
    assert_eq!(Ran::of(demo().env("WINDOW_EXIT", "3")).code, Some(13));
}

/// Whoever can write the file can also drop the triggers: the chain still tells.
fn a_record_edited_by_hand_is_noticed(world: &World) {
    let file = world.dir.join("data/you/countersign.sqlite");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
        let mut record = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        let triggers: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
            .fetch_all(&mut record)
            .await
            .unwrap();
        for trigger in triggers {
            sqlx::raw_sql(sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}"))).execute(&mut record).await.unwrap();
        }
        let edit = "UPDATE statements SET payload = CAST(payload || x'20' AS BLOB) WHERE seq = (SELECT min(seq) FROM statements)";
        assert_eq!(sqlx::query(edit).execute(&mut record).await.unwrap().rows_affected(), 1);
    });
    let (code, report) = world.json_as("you", &["audit", "verify"]);
    assert_eq!((code, &report["ok"]), (Some(11), &json!(false)));
    assert!(report["firstBad"].is_string(), "{report}");
    assert!(world.run_as("you", &["audit", "verify"]).out.contains("does not hold"));
}
