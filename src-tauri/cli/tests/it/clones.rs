use serde_json::json;

use crate::program::{Desk, text};

#[test]
fn a_clone_is_added_listed_and_removed() {
    let desk = Desk::new();
    let clone = desk.clone_of_a_remote("infra live ü");
    let (code, added) = desk.json(&["clone", "add", text(&clone)]);
    assert_eq!((code, &added["name"], &added["kind"]), (Some(0), &json!("infra live ü"), &json!("live")));
    assert_eq!(added["trunk"], "main");
    assert!(added["problem"]["message"].is_string(), "it has no policy: {added}");

    let (code, listed) = desk.json(&["clone", "list"]);
    assert_eq!((code, listed["clones"].as_array().map(Vec::len)), (Some(0), Some(1)));
    assert_eq!(listed["clones"][0]["path"], text(&clone.canonicalize().unwrap()));
    let said = desk.run(&["clone", "list"]).out;
    assert!(said.contains("infra live ü") && said.contains("countersign.toml"), "{said}");

    let again = desk.run(&["clone", "add", text(&clone)]);
    assert_ne!(again.code, Some(0));
    assert!(again.failure()[0].contains("already"), "{}", again.err);

    let (code, removed) = desk.json(&["clone", "remove", text(&clone)]);
    assert_eq!((code, removed["removed"].as_str()), (Some(0), Some(text(&clone))));
    assert_eq!(desk.json(&["clone", "list"]).1, json!({"clones": []}));
    assert!(clone.join("main.tf").is_file());
    assert_eq!(desk.run(&["clone", "remove", "infra live ü"]).code, Some(2));
}

#[test]
fn a_clone_is_added_from_where_one_stands_or_from_a_url() {
    let desk = Desk::new();
    let clone = desk.clone_of_a_remote("one");
    let below = clone.join("below");
    std::fs::create_dir(&below).unwrap();
    let here = desk.command(&["clone", "add"]).current_dir(&below).output().unwrap();
    assert!(here.status.success(), "{}", String::from_utf8_lossy(&here.stderr));
    assert_eq!(desk.json(&["-C", text(&below), "clone", "list"]).1["clones"][0]["name"], "one");

    desk.clone_of_a_remote("two");
    let url = format!("file://{}", desk.path("remotes/two.git").display());
    let (code, added) = desk.json(&["clone", "add", &url, "--kind", "modules", "--into", "here"]);
    assert_eq!((code, &added["kind"]), (Some(0), &json!("modules")), "{added}");
    assert!(desk.path("here/main.tf").is_file());
    let gone = format!("file://{}", desk.path("remotes/none.git").display());
    assert_eq!(desk.run(&["clone", "add", &gone]).code, Some(20));
}

#[test]
fn what_is_no_clone_is_usage() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("plain")).unwrap();
    for dir in ["plain", "missing"] {
        let ran = desk.run(&["clone", "add", dir]);
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        ran.failure();
    }
    let outside = desk.run(&["-C", "plain", "queue"]);
    assert_eq!(outside.code, Some(2));
    assert!(outside.failure()[2].contains("clone list"), "{}", outside.err);
}

#[test]
fn without_a_policy_every_gate_is_closed() {
    let desk = Desk::new();
    let clone = desk.clone_of_a_remote("live");
    desk.propose(&clone, "grow", "Grow\u{1b}[31m it");
    desk.json(&["clone", "add", text(&clone)]);

    let (code, gate) = desk.json(&["gate", "grow"]);
    assert_eq!((code, gate["verdict"].as_str()), (Some(10), Some("closed")));
    let policy = &gate["requirements"][0];
    assert_eq!((&policy["name"], &policy["met"]), (&json!("policy"), &json!(false)));
    assert!(policy["detail"].is_string() && policy["evidence"].is_array(), "{gate}");
    assert_eq!(desk.run(&["gate", "grow"]).code, Some(10));

    let (code, shown) = desk.json(&["change", "show", "grow"]);
    assert_eq!((code, &shown["row"]["id"], &shown["gate"]["open"]), (Some(0), &json!("grow"), &json!(false)));
    let words = desk.run(&["change", "show", "grow"]).out;
    assert!(!words.contains('\u{1b}') && words.contains("Gate: closed"), "{words}");

    // No key is chosen, nothing may be merged: not decided counts as closed.
    for words in [
        &["approve", "grow"] as &[&str],
        &["merge", "grow"],
        &["refuse", "grow", "--note", "no"],
        &["plan", "grow"],
        &["apply", "grow"],
    ] {
        let ran = desk.run(words);
        assert_eq!(ran.code, Some(10), "{words:?}: {}", ran.err);
        ran.failure();
    }
    let stale = desk.run(&["merge", "grow", "--head", "0123456789"]);
    assert!(stale.failure()[0].contains("0123456789"), "{}", stale.err);

    for words in
        [&["gate", "none"] as &[&str], &["change", "show", "none"], &["revoke", "0123456789"], &["gate", "../x"]]
    {
        let (code, told) = desk.json(words);
        assert_eq!((code, &told["error"]["code"]), (Some(2), &json!("usage")), "{words:?}");
    }

    // The same answers when nobody reads them.
    let mut child = desk.command(&["gate", "grow"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(10));
}

#[test]
fn one_id_in_two_clones_is_told_apart_by_where_one_stands() {
    let desk = Desk::new();
    let [one, two] = ["one", "two"].map(|name| {
        let clone = desk.clone_of_a_remote(name);
        desk.propose(&clone, "same", &format!("In {name}"));
        desk.json(&["clone", "add", text(&clone)]);
        clone
    });
    let ambiguous = desk.run(&["change", "show", "same"]);
    assert_eq!(ambiguous.code, Some(2));
    assert!(ambiguous.failure()[2].contains("-C DIR"), "{}", ambiguous.err);
    assert!(desk.run(&["-C", text(&one), "change", "show", "same"]).out.contains("In one"));
    let here = desk.command(&["change", "show", "same"]).current_dir(&two).output().unwrap();
    assert!(String::from_utf8(here.stdout).unwrap().contains("In two"));
    let (_, queue) = desk.json(&["-C", text(&two), "queue"]);
    let names: Vec<&str> = queue["sections"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|section| section["changes"].as_array().unwrap())
        .map(|change| change["cloneName"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["two"]);
}

#[test]
fn a_fetch_that_fails_decides_nothing() {
    let desk = Desk::new();
    let clone = desk.clone_of_a_remote("live");
    desk.propose(&clone, "grow", "Grow");
    desk.json(&["clone", "add", text(&clone)]);
    std::fs::rename(desk.path("remotes/live.git"), desk.path("remotes/moved.git")).unwrap();
    for words in [&["queue", "--fetch"] as &[&str], &["gate", "grow", "--fetch"]] {
        let (code, told) = desk.json(words);
        assert_eq!((code, &told["error"]["code"]), (Some(20), &json!("remote")), "{words:?}: {told}");
        assert!(told["error"]["kept"].is_string());
    }
    assert_eq!(desk.run(&["queue"]).code, Some(0));
}

#[test]
fn keys_are_made_chosen_and_listed() {
    let desk = Desk::new();
    let (code, made) = desk.json(&["keys", "new", "mira"]);
    assert_eq!((code, &made["inUse"], &made["needsPassphrase"]), (Some(0), &json!(true), &json!(false)), "{made}");
    assert!(desk.path("data/keys/mira.pub").is_file());
    assert_ne!(desk.run(&["keys", "new", "mira"]).code, Some(0), "a key was replaced");

    let mut locked = desk.command(&["keys", "new", "locked", "--passphrase-stdin", "--json"]);
    let mut child = locked.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"open sesame\n").unwrap();
    let made: serde_json::Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!((&made["inUse"], &made["needsPassphrase"]), (&json!(false), &json!(true)));

    let fingerprint = made["fingerprint"].as_str().unwrap();
    let (code, used) = desk.json(&["keys", "use", fingerprint]);
    assert_eq!((code, &used["fingerprint"]), (Some(0), &json!(fingerprint)));
    let (_, listed) = desk.json(&["keys", "list"]);
    assert_eq!(listed["keys"].as_array().unwrap().iter().filter(|key| key["inUse"] == true).count(), 1);
    assert!(listed["deviceRecipient"].as_str().unwrap().starts_with("age1"));
    assert_ne!(desk.run(&["keys", "use", "SHA256:nobody"]).code, Some(0));

    let elsewhere = desk.path("elsewhere");
    std::fs::rename(desk.path("data/keys/mira"), &elsewhere).unwrap();
    std::fs::rename(desk.path("data/keys/mira.pub"), desk.path("elsewhere.pub")).unwrap();
    let (code, used) = desk.json(&["keys", "use", "--file", "elsewhere"]);
    assert_eq!((code, &used["inUse"]), (Some(0), &json!(true)), "{used}");
}

#[test]
fn a_data_directory_that_cannot_be_is_told() {
    let desk = Desk::new();
    std::fs::write(desk.path("file"), "").unwrap();
    let (code, told) = desk.json(&["--data-dir", "file", "queue"]);
    assert_eq!((code, &told["error"]["code"]), (Some(10), &json!("machine")));
    assert!(told["error"]["message"].as_str().unwrap().contains("data directory"), "{told}");
    assert_eq!(desk.json(&["audit", "verify"]).1["ok"], true);
    assert_eq!(desk.json(&["audit", "list"]).1, json!({"entries": [], "total": 0, "invalid": 0}));
}
