use insta::assert_snapshot;

use crate::program::{Desk, Ran};

fn help(desk: &Desk, arguments: &[&str]) -> String {
    let ran = desk.run(arguments);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    ran.out
}

#[test]
fn the_help_says_what_there_is() {
    let desk = Desk::new();
    assert_snapshot!("help", help(&desk, &["--help"]));
    for command in ["gate", "approve", "view", "demo", "agent", "serve", "plan", "apply"] {
        assert_snapshot!(format!("help-{command}"), help(&desk, &[command, "--help"]));
    }
    assert!(!desk.path("data").exists(), "the help made a data directory");
}

#[test]
fn every_command_that_scripts_rely_on_is_there() {
    let desk = Desk::new();
    let names = "demo|clone add|clone list|clone remove|queue|change show|plan|approve|refuse|revoke|merge|gate|apply|agent|\
        view|audit list|audit verify|keys list|keys new|keys use|serve|completions|man";
    for name in names.split('|') {
        let words: Vec<&str> = name.split(' ').chain(["--help"]).collect();
        let said = help(&desk, &words);
        assert!(said.contains("--json") && said.contains("--data-dir") && said.contains("-C <DIR>"), "{name}: {said}");
        assert!(said.contains("--color") && said.contains("--verbose"), "{name}: {said}");
    }
}

#[test]
fn words_that_cannot_be_followed_are_usage() {
    let desk = Desk::new();
    for words in [&["bogus"] as &[&str], &["gate"], &["refuse", "x"], &["agent", "--every", "0"], &["keys", "use"], &[]]
    {
        let ran = desk.run(words);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{words:?}");
        assert!(!ran.err.is_empty());
        let (code, told) = desk.json(words);
        assert_eq!((code, &told["error"]["code"]), (Some(2), &"usage".into()), "{words:?}");
        for field in ["message", "kept", "hint"] {
            assert!(told["error"][field].is_string(), "{words:?}: {told}");
        }
    }
}

#[test]
fn completions_and_man_pages_are_written() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(help(&desk, &["completions", shell]).contains("countersign"), "{shell}");
    }
    let (code, told) = desk.json(&["man", "pages"]);
    assert_eq!(code, Some(0));
    let written: Vec<&str> = told["written"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(written.contains(&"countersign.1") && written.contains(&"countersign-clone-add.1"), "{written:?}");
    let page = std::fs::read_to_string(desk.path("pages/countersign.1")).unwrap();
    assert!(page.contains("Exit codes") && page.contains(".TH"), "{page}");
}

#[test]
fn help_and_answers_that_nobody_reads_end_quietly() {
    let desk = Desk::new();
    for (words, code) in [
        (&["--help"] as &[&str], 0),
        (&["completions", "bash"], 0),
        (&["queue", "--json"], 0),
        (&["gate", "x", "--json"], 2),
    ] {
        let mut command = desk.command(words);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(code), b"".as_slice()), "{words:?}");
    }
}

#[test]
fn colours_are_written_only_where_they_are_wanted() {
    let desk = Desk::new();
    let error = |color: &str| Ran::of(&mut desk.command(&["--color", color, "queue", "-C", "/"])).err;
    assert!(error("always").contains("\u{1b}["));
    assert!(!error("never").contains('\u{1b}') && !error("auto").contains('\u{1b}'));
}
