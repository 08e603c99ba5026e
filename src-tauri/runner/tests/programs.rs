//! Real programs: what is passed to them, what comes back, and that nothing of them is left running.

#![allow(clippy::expect_used, reason = "the lint's exception for tests does not reach the functions they share")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use countersign_runner::{
    Backing, CHUNK_BYTES, Ending, Exit, LogChunk, MemoryFile, MemoryFileError, Output, Program, RunError,
    SealedMemoryFile, StopReason, StopSignal, StopSteps, Stream,
};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const LIMIT: u64 = 1 << 20;
const SOON: Duration = Duration::from_secs(20);

fn script(text: &str) -> Program {
    Program::new("/bin/sh").args(["-c", text]).env("PATH", "/usr/bin:/bin")
}

fn quick() -> StopSteps {
    StopSteps { after_interrupt: Duration::from_millis(100), after_terminate: Duration::from_millis(100) }
}

async fn output_of(program: Program) -> String {
    let finished = program.run(&CancellationToken::new()).await.expect("the program runs");
    assert!(finished.exit.success(), "{:?}: {}", finished.exit, text(finished.stderr.beginning()));
    text(finished.stdout.complete().expect("short output"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The reading end of a FIFO. It ends when the last process that writes to it is gone, whoever its parent is.
struct Fifo {
    dir: tempfile::TempDir,
    lines: tokio::io::Lines<BufReader<pipe::Receiver>>,
}

impl Fifo {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("fifo");
        let status = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
        assert!(status.success());
        let receiver = pipe::OpenOptions::new().open_receiver(&path).expect("fifo opens");
        Self { dir, lines: BufReader::new(receiver).lines() }
    }

    fn path(&self) -> String {
        self.dir.path().join("fifo").display().to_string()
    }

    /// A shell loop that ends with [`Fifo::go_on`].
    fn wait(&self) -> String {
        format!("until [ -e {}/go ]; do sleep 0.01; done", self.dir.path().display())
    }

    fn go_on(&self) {
        fs::write(self.dir.path().join("go"), "").expect("writes");
    }

    async fn line(&mut self) -> Option<String> {
        tokio::time::timeout(SOON, self.lines.next_line()).await.expect("in time").expect("fifo reads")
    }
}

/// A program whose child ignores every polite signal and holds `fifo` open.
fn stubborn(fifo: &Fifo) -> Program {
    let fifo = fifo.path();
    script(&format!(
        "exec 9>{fifo}; trap '' INT TERM; (trap '' INT TERM; echo up >&9; while :; do sleep 60; done) & wait; while :; do sleep 60; done"
    ))
    .stop_steps(quick())
}

#[tokio::test]
async fn only_named_variables_reach_the_program() {
    let program = Program::new("env").inherit_env(["PATH", "COUNTERSIGN_NEVER_SET"]).env("ONE", "a b;$(id)");
    let mut names: Vec<String> = output_of(program).await.lines().map(str::to_owned).collect();
    names.sort();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(names[0], "ONE=a b;$(id)");
    assert!(names[1].starts_with("PATH="));
}

#[tokio::test]
async fn arguments_pass_through_no_shell_and_input_is_empty() {
    let program = script("printf '%s|' \"$@\"; cat").args(["name", "$(id)", "a b", "-x;y", "ü\n"]);
    assert_eq!(output_of(program).await, "$(id)|a b|-x;y|ü\n|");
}

#[tokio::test]
async fn exit_codes_and_signals_are_told_apart() {
    let cancel = CancellationToken::new();
    let failed = script("echo out; echo err >&2; exit 7").run(&cancel).await.expect("runs");
    assert_eq!(failed.exit, Exit::ByItself(Ending::Code(7)));
    assert_eq!((text(failed.stdout.beginning()), text(failed.stderr.beginning())), ("out\n".into(), "err\n".into()));
    let killed = script("kill -9 $$").run(&cancel).await.expect("runs");
    assert_eq!(killed.exit, Exit::ByItself(Ending::Signal(9)));
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let cancel = CancellationToken::new();
    let error = Program::new("no-such-program").run(&cancel).await.expect_err("missing");
    assert!(matches!(error, RunError::NotFound { .. }), "{error}");
    let error = Program::new("/etc/passwd").run(&cancel).await.expect_err("no program");
    assert!(matches!(error, RunError::NotExecutable { .. }), "{error}");
    let error = Program::new("./tool").run(&cancel).await.expect_err("relative");
    assert!(matches!(error, RunError::RelativePath { .. }), "{error}");
    let error = script("true").dir("/no/such/dir").run(&cancel).await.expect_err("no directory");
    assert!(matches!(error, RunError::DirectoryMissing { .. }), "{error}");
    let error = script("echo").arg("a\0b").run(&cancel).await.expect_err("NUL");
    assert!(matches!(error, RunError::Start { .. }), "{error}");
    cancel.cancel();
    let error = script("true").run(&cancel).await.expect_err("cancelled first");
    assert!(matches!(error, RunError::Cancelled { .. }), "{error}");
}

#[tokio::test]
async fn a_relative_path_entry_never_finds_a_program() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let tool = dir.path().join("tool");
    fs::copy("/bin/true", &tool).expect("copies");
    let found = |path: &str| Program::new("tool").env("PATH", path).dir(dir.path()).find();
    for path in ["", ".", "./", ":", ".:/nowhere"] {
        assert!(matches!(found(path), Err(RunError::NotFound { .. })), "{path:?}");
    }
    assert_eq!(found(&dir.path().display().to_string()).expect("found"), tool);
}

#[tokio::test]
async fn a_cancel_lets_the_program_finish_its_work() {
    let mut fifo = Fifo::new();
    let program = script(&format!(
        "trap 'echo state written; exit 3' INT; echo up >{}; while :; do sleep 0.01; done",
        fifo.path()
    ));
    let cancel = CancellationToken::new();
    let run = tokio::spawn({
        let cancel = cancel.clone();
        async move { program.run(&cancel).await }
    });
    assert_eq!(fifo.line().await.as_deref(), Some("up"));
    cancel.cancel();
    let finished = run.await.expect("joins").expect("runs");
    let stopped =
        Exit::Stopped { reason: StopReason::Cancelled, strongest: StopSignal::Interrupt, ending: Ending::Code(3) };
    assert_eq!(finished.exit, stopped);
    assert_eq!(text(finished.stdout.beginning()), "state written\n");
}

#[tokio::test]
async fn a_cancel_kills_grandchildren_that_ignore_it() {
    let mut fifo = Fifo::new();
    let program = stubborn(&fifo);
    let cancel = CancellationToken::new();
    let run = tokio::spawn({
        let cancel = cancel.clone();
        async move { program.run(&cancel).await }
    });
    assert_eq!(fifo.line().await.as_deref(), Some("up"));
    cancel.cancel();
    let finished = run.await.expect("joins").expect("runs");
    let stopped =
        Exit::Stopped { reason: StopReason::Cancelled, strongest: StopSignal::Kill, ending: Ending::Signal(9) };
    assert_eq!(finished.exit, stopped);
    assert_eq!(fifo.line().await, None, "a grandchild still holds the fifo");
}

#[tokio::test]
async fn the_time_limit_stops_the_whole_group() {
    let mut fifo = Fifo::new();
    let finished =
        stubborn(&fifo).time_limit(Duration::from_millis(300)).run(&CancellationToken::new()).await.expect("runs");
    assert!(
        matches!(finished.exit, Exit::Stopped { reason: StopReason::TimedOut, strongest: StopSignal::Kill, .. }),
        "{:?}",
        finished.exit
    );
    assert!(finished.duration >= Duration::from_millis(300));
    assert_eq!(fifo.line().await.as_deref(), Some("up"));
    assert_eq!(fifo.line().await, None, "a grandchild still holds the fifo");
}

#[tokio::test]
async fn a_dropped_run_leaves_nobody_behind() {
    let mut fifo = Fifo::new();
    let program = stubborn(&fifo);
    let run = tokio::spawn(async move { program.run(&CancellationToken::new()).await });
    assert_eq!(fifo.line().await.as_deref(), Some("up"));
    run.abort();
    assert_eq!(fifo.line().await, None, "someone still holds the fifo");
}

#[tokio::test]
async fn children_left_behind_by_a_finished_program_end_with_it() {
    let mut fifo = Fifo::new();
    let child = format!("exec 9>{}; echo up >&9; while :; do sleep 60; done", fifo.path());
    let program = script(&format!("({child}) & {}; echo done", fifo.wait()));
    let run = tokio::spawn(output_of(program));
    assert_eq!(fifo.line().await.as_deref(), Some("up"));
    fifo.go_on();
    assert_eq!(run.await.expect("joins"), "done\n");
    assert_eq!(fifo.line().await, None, "a child still holds the fifo");
}

#[tokio::test]
async fn output_held_open_by_a_process_outside_the_group_does_not_hang_the_run() {
    let mut fifo = Fifo::new();
    let daemon = format!("setsid sh -c 'echo $$ >{}; exec sleep 300'", fifo.path());
    let program = script(&format!("{daemon} & {}; echo done", fifo.wait()));
    let run = tokio::spawn(async move { program.run(&CancellationToken::new()).await });
    let pid = fifo.line().await.expect("the daemon's id");
    fifo.go_on();
    let finished = tokio::time::timeout(SOON, run).await;
    let killed = std::process::Command::new("kill").args(["-9", &pid]).status().expect("kill runs");
    let finished = finished.expect("in time").expect("joins").expect("runs");
    assert!(killed.success(), "the process outside the group is not ours to end");
    assert_eq!(text(finished.stdout.beginning()), "done\n");
    assert!(finished.exit.success());
}

async fn chunks_of(program: Program) -> (Vec<LogChunk>, countersign_runner::Finished) {
    let (sender, mut receiver) = mpsc::channel(4);
    let cancel = CancellationToken::new();
    let read = async {
        let mut chunks = Vec::new();
        while let Some(chunk) = receiver.recv().await {
            chunks.push(chunk);
        }
        chunks
    };
    let (chunks, finished) = tokio::join!(read, program.run_streaming(&cancel, sender));
    (chunks, finished.expect("runs"))
}

#[tokio::test]
async fn streamed_output_is_batched_and_whole() {
    let (chunks, finished) =
        chunks_of(script("i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; echo e >&2")).await;
    let joined = |stream| -> Vec<u8> {
        chunks.iter().filter(|chunk| chunk.stream == stream).flat_map(|chunk| chunk.bytes.clone()).collect()
    };
    let expected: String = (0..20000).map(|i| format!("{i}\n")).collect();
    assert_eq!(text(&joined(Stream::Stdout)), expected);
    assert_eq!(joined(Stream::Stderr), b"e\n");
    assert_eq!(finished.stdout.complete().expect("complete"), expected.as_bytes());
    assert!(chunks.iter().all(|chunk| !chunk.bytes.is_empty() && chunk.bytes.len() <= CHUNK_BYTES));
    let most = finished.duration.as_millis() / 30 + 4;
    assert!(chunks.len() as u128 <= most, "{} chunks in {:?}", chunks.len(), finished.duration);
}

#[tokio::test]
async fn a_line_is_streamed_while_the_program_still_runs() {
    let fifo = Fifo::new();
    let (sender, mut receiver) = mpsc::channel(4);
    let program = script(&format!("echo first; {}; echo last", fifo.wait()));
    let run = tokio::spawn(async move { program.run_streaming(&CancellationToken::new(), sender).await });
    assert_eq!(receiver.recv().await.expect("a chunk").bytes, b"first\n");
    fifo.go_on();
    assert_eq!(receiver.recv().await.expect("a chunk").bytes, b"last\n");
    assert_eq!(receiver.recv().await, None);
    assert!(run.await.expect("joins").expect("runs").exit.success());
}

#[tokio::test]
async fn huge_output_is_bounded_and_says_so() {
    let program = script("head -c 50000000 /dev/zero").keep_output(1000);
    let finished = program.run(&CancellationToken::new()).await.expect("runs");
    assert!(finished.exit.success());
    assert_eq!((finished.stdout.beginning().len(), finished.stdout.dropped()), (1000, 49_999_000));
    let error = finished.stdout.complete().expect_err("too long");
    assert_eq!(error.to_string(), "read the whole output: it has 50000000 bytes and the limit is 1000");
}

#[tokio::test]
async fn a_listener_that_stops_reading_cannot_hold_up_a_cancel() {
    let (sender, receiver) = mpsc::channel(1);
    let cancel = CancellationToken::new();
    let run = tokio::spawn({
        let cancel = cancel.clone();
        async move { script("exec cat /dev/zero").keep_output(10).run_streaming(&cancel, sender).await }
    });
    while receiver.capacity() > 0 {
        tokio::task::yield_now().await;
    }
    cancel.cancel();
    let finished = tokio::time::timeout(SOON, run).await.expect("in time").expect("joins").expect("runs");
    assert!(matches!(finished.exit, Exit::Stopped { reason: StopReason::Cancelled, .. }), "{:?}", finished.exit);
    drop(receiver);
}

#[tokio::test]
async fn a_listener_that_goes_away_changes_nothing_for_the_program() {
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    let program = script("head -c 300000 /dev/zero; echo done >&2");
    let finished = program.run_streaming(&CancellationToken::new(), sender).await.expect("runs");
    assert!(finished.exit.success());
    assert_eq!(finished.stdout.complete().expect("complete").len(), 300_000);
    assert_eq!(finished.stderr.beginning(), b"done\n");
}

#[tokio::test]
async fn a_pseudo_terminal_looks_like_a_terminal_and_changes_no_byte() {
    let program = script("test -t 1 && test -t 2 && stty size <&1; printf 'a\\nb\\033[31m\\n'; echo err >&2")
        .output(Output::Pty { cols: 123 });
    let finished = program.run(&CancellationToken::new()).await.expect("runs");
    assert!(finished.exit.success());
    assert_eq!(text(finished.stdout.beginning()), "50 123\na\nb\u{1b}[31m\nerr\n");
    assert_eq!(finished.stderr.beginning(), b"");
}

#[tokio::test]
async fn a_cancel_works_through_a_pseudo_terminal() {
    let mut fifo = Fifo::new();
    let program = stubborn(&fifo).output(Output::Pty { cols: 80 });
    let cancel = CancellationToken::new();
    let run = tokio::spawn({
        let cancel = cancel.clone();
        async move { program.run(&cancel).await }
    });
    assert_eq!(fifo.line().await.as_deref(), Some("up"));
    cancel.cancel();
    assert!(matches!(run.await.expect("joins").expect("runs").exit, Exit::Stopped { .. }));
    assert_eq!(fifo.line().await, None, "a grandchild still holds the fifo");
}

#[tokio::test]
async fn a_memory_file_goes_to_the_program_and_back() {
    let dir = tempfile::tempdir().expect("temporary directory");
    for backing in [Backing::Memory, Backing::Directory(dir.path().to_owned())] {
        let mut file = MemoryFile::with_backing(&backing).expect("made");
        file.replace(b"a longer question").expect("written");
        file.replace(b"question").expect("written");
        let path = file.path_in_child();
        let program = script("cat \"$1\"; printf answer >\"$1\"").arg("name").arg(&path).pass(&file);
        assert_eq!(output_of(program).await, "question");
        assert_eq!(file.read(LIMIT).expect("reads"), b"answer");
        assert!(matches!(file.read(3), Err(MemoryFileError::TooLong { length: 6, limit: 3 })));
        let sealed = file.seal().expect("sealed");
        assert_eq!(sealed.path_in_child(), path);
        assert_eq!(output_of(script("cat \"$1\"").arg("name").arg(&path).pass_sealed(&sealed)).await, "answer");
        drop(sealed);
        assert_eq!(fs::read_dir(dir.path()).expect("reads").count(), 0, "something was left behind");
    }
}

#[tokio::test]
async fn a_program_without_it_cannot_reach_a_memory_file() {
    let file = SealedMemoryFile::holding(b"secret").expect("made");
    let finished =
        script("cat \"$1\"").arg("name").arg(file.path_in_child()).run(&CancellationToken::new()).await.expect("runs");
    assert!(!finished.exit.success());
    assert_eq!(finished.stdout.beginning(), b"");
}

#[tokio::test]
async fn a_sealed_memory_file_refuses_writes() {
    let sealed = SealedMemoryFile::holding(b"approved").expect("made");
    for attempt in
        ["printf x 1<>\"$1\"", "printf x >\"$1\"", "printf x >>\"$1\"", "truncate -s 3 \"$1\"", "truncate -s 99 \"$1\""]
    {
        let program = script(attempt).arg("name").arg(sealed.path_in_child()).pass_sealed(&sealed);
        let finished = program.run(&CancellationToken::new()).await.expect("runs");
        assert!(!finished.exit.success(), "{attempt} went through");
        assert_eq!(sealed.read(LIMIT).expect("reads"), b"approved", "{attempt}");
    }
}

#[tokio::test]
async fn many_memory_files_reach_the_program_under_their_own_names() {
    let files: Vec<SealedMemoryFile> =
        (0..40).map(|i| SealedMemoryFile::holding(format!("{i};").as_bytes()).expect("made")).collect();
    let mut program = script("cat \"$@\"").arg("name");
    for file in &files {
        program = program.arg(file.path_in_child()).pass_sealed(file).pass_sealed(file);
    }
    let expected: String = (0..40).map(|i| format!("{i};")).collect();
    assert_eq!(output_of(program).await, expected);
}

/// The whole way of a plan, as the engine goes it.
#[tokio::test]
async fn terraform_plans_shows_and_applies_through_memory_files() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let config = r#"
        resource "terraform_data" "one" {
          input = "canary-3f9a"
          provisioner "local-exec" { command = "echo made > made.txt" }
        }
    "#;
    let terraform = |args: &[&str]| {
        Program::new("terraform")
            .args(args)
            .dir(dir.path())
            .inherit_env(["PATH", "HOME"])
            .env("CHECKPOINT_DISABLE", "1")
    };
    fs::write(dir.path().join("main.tf"), config).expect("writes");
    output_of(terraform(&["init", "-input=false"])).await;

    let temporary = tempfile::tempdir().expect("temporary directory");
    for backing in [Backing::Memory, Backing::Directory(temporary.path().to_owned())] {
        let _ = fs::remove_file(dir.path().join("terraform.tfstate"));
        let _ = fs::remove_file(dir.path().join("made.txt"));
        let plan = MemoryFile::with_backing(&backing).expect("made");
        let out = format!("-out={}", plan.path_in_child().display());
        let log =
            output_of(terraform(&["plan", "-input=false", &out]).pass(&plan).output(Output::Pty { cols: 100 })).await;
        assert!(log.contains("\u{1b}[1mPlan:") && log.contains("1 to add"), "no colours, or no plan: {log}");

        let plan = plan.seal().expect("sealed");
        let bytes = plan.read(LIMIT).expect("reads");
        assert!(bytes.starts_with(b"PK"));
        if backing == Backing::Memory {
            let on_disk = every_file(dir.path());
            assert!(!on_disk.iter().any(|(_, bytes)| bytes.starts_with(b"PK")), "a plan file was left on disk");
        }

        // A copy stands for what came out of a sealed bundle on another machine.
        let copy = SealedMemoryFile::holding(&bytes).expect("made");
        let path = copy.path_in_child();
        let show = terraform(&["show", "-json"]).arg(&path).pass_sealed(&copy);
        assert!(output_of(show).await.contains("canary-3f9a"));
        let apply = terraform(&["apply", "-input=false"]).arg(&path).pass_sealed(&copy);
        assert!(output_of(apply).await.contains("1 added"));
        assert!(dir.path().join("made.txt").exists());
        assert_eq!(copy.read(LIMIT).expect("reads"), bytes);
    }
    assert_eq!(fs::read_dir(temporary.path()).expect("reads").count(), 0, "a plan was left behind");
}

fn every_file(dir: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("reads").map(|entry| entry.expect("reads").path()) {
        if entry.is_dir() {
            found.extend(every_file(&entry));
        } else {
            found.push((entry.clone(), fs::read(&entry).expect("reads")));
        }
    }
    found
}
