//! Bad input: each gets a clear message, nothing panics, nothing is left half-written.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use countersign_engine::{Engine, EngineError};
use countersign_store::clones::CloneKind;

use crate::applying::round_elsewhere;
use crate::small::{Small, commit, git, identify, text, write};

/// What a person reads: the message, what was kept, what to do.
fn words(error: &EngineError, dir: &Path) -> String {
    let more = [error.kept(), error.hint()].into_iter().flatten().map(|line| format!("\n{line}"));
    let all = format!("{error}{}", more.collect::<String>());
    all.replace(text(&dir.canonicalize().unwrap()), "DIR").replace(text(dir), "DIR")
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_that_are_no_usable_clones() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let engine = Engine::open(&dir.join("data")).await.unwrap();
    for name in ["plain", "empty", "odd"] {
        fs::create_dir(dir.join(name)).unwrap();
    }
    let refused = engine.add_clone(&dir.join("plain"), CloneKind::Live).await.unwrap_err();
    insta::assert_snapshot!(words(&refused, dir), @"DIR/plain is not a git repository; choose the clone's top directory, or run `git clone` first");
    let refused = engine.add_clone(&dir.join("nowhere"), CloneKind::Live).await.unwrap_err();
    insta::assert_snapshot!(words(&refused, dir), @"DIR/nowhere does not exist");
    assert!(engine.clones().await.unwrap().is_empty());

    git(&dir.join("empty"), &["init", "--quiet", "-b", "main"]);
    engine.add_clone(&dir.join("empty"), CloneKind::Live).await.unwrap();
    let empty = engine.place("empty").await.unwrap();
    let refused = engine.clone_view(&empty).await.unwrap_err();
    insta::assert_snapshot!(words(&refused, dir), @"failed to the repository has no commits yet; make a first commit, or fetch");
    let refused = engine.refresh(&empty).await.unwrap_err();
    insta::assert_snapshot!(words(&refused, dir), @r#"failed to there is no remote "origin"; add one with `git remote add`"#);

    git(&dir.join("odd"), &["init", "--quiet", "-b", "odd"]);
    identify(&dir.join("odd"), "ana");
    write(&dir.join("odd"), "README.md", "x");
    commit(&dir.join("odd"), "x");
    engine.add_clone(&dir.join("odd"), CloneKind::Live).await.unwrap();
    let refused = engine.clone_view(&engine.place("odd").await.unwrap()).await.unwrap_err();
    insta::assert_snapshot!(words(&refused, dir), @"failed to no trunk found: looked for refs/heads/main, refs/heads/master; name the trunk branch in the clone's settings");
    // A clone whose directory went away does not hide the others.
    fs::remove_dir_all(dir.join("odd")).unwrap();
    let places = engine.places().await.unwrap();
    assert_eq!(places.iter().filter(|(_, place)| place.is_ok()).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_cannot_be_used_closes_with_line_and_column() {
    let small = Small::with(&[]).await;
    small.push_counter("grow", "one/a", "1");
    let mira = small.mira();
    let on_trunk = async |file: &str, content: Option<&[u8]>| {
        git(&mira, &["fetch", "--quiet", "origin"]);
        git(&mira, &["checkout", "--quiet", "-B", "main", "origin/main"]);
        match content {
            Some(content) => fs::write(mira.join(file), content).unwrap(),
            None => fs::remove_file(mira.join(file)).unwrap(),
        }
        commit(&mira, "Policy");
        git(&mira, &["push", "--quiet", "origin", "main"]);
        small.bob.lacking("grow").await
    };
    let broken = crate::small::POLICY.replace("approvals = 2", "aprovals = 2");
    insta::assert_snapshot!(on_trunk("countersign.toml", Some(broken.as_bytes())).await, @"countersign.toml:22:1: unknown field `aprovals`, expected one of `units`, `approvals`, `roles`, `acknowledge_destroys`, `approval_hours`");
    insta::assert_snapshot!(on_trunk("countersign.toml", Some(b"\xff\xfe")).await, @"countersign.toml on trunk is not UTF-8");
    insta::assert_snapshot!(on_trunk("countersign.toml", None).await, @"countersign.toml is missing at the root of trunk");
    assert_eq!(small.round().await, Vec::<String>::new());
    let whole = crate::small::POLICY.as_bytes();
    on_trunk("countersign.toml", Some(whole)).await;
    insta::assert_snapshot!(on_trunk("allowed_signers", Some(b"ana ssh-ed25519 AAAA\n")).await, @"allowed_signers, line 1, column 5: not an OpenSSH public key: it is cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gone_remote_a_held_lock_a_lost_key_and_a_detached_head() {
    let small = Small::with(&[]).await;
    small.push_counter("grow", "one/a", "1");
    small.round().await;
    // A detached head is no hindrance: only the remote's branches count.
    git(&small.bob.clone, &["checkout", "--quiet", "--detach"]);
    let needs = "0 of 1 for one: needs 1 more";
    assert_eq!(small.bob.lacking("grow").await, needs);

    let place = small.bob.place().await;
    small.push_from("origin/grow", "grow", &[("one/a/x.md", Some("x".into()))]);
    let lock = small.bob.clone.join(".git/refs/remotes/origin/grow.lock");
    fs::write(&lock, "").unwrap();
    let refused = small.bob.engine.refresh(&place).await.unwrap_err();
    assert!(words(&refused, small.path()).contains("another git process holds a lock"), "{refused}");
    fs::remove_file(lock).unwrap();
    small.round().await;
    assert_eq!(small.bob.lacking("grow").await, needs);

    fs::rename(&small.bob.key, small.path().join("elsewhere")).unwrap();
    let refused = small.bob.approve("grow").await.unwrap_err();
    assert!(words(&refused, small.path()).contains("does not hold the key"), "{refused}");
    fs::rename(small.path().join("elsewhere"), &small.bob.key).unwrap();

    let away = small.path().join("away.git");
    fs::rename(small.remote(), &away).unwrap();
    let refused = small.bob.engine.refresh(&place).await.unwrap_err();
    assert!(words(&refused, small.path()).starts_with("failed to the remote cannot be reached"), "{refused}");
    assert!(small.runner.engine.agent_round().await.is_err());
    // What was fetched before can still be looked at.
    assert_eq!(small.bob.engine.clone_view(&place).await.unwrap().changes.len(), 1);
    fs::rename(away, small.remote()).unwrap();
    small.bob.approve("grow").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_and_a_killed_tool() {
    let small = Small::with(&[]).await;
    small.push_counter("grow", "one/a", "1");
    let bin = small.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let mut git_program = std::env::split_paths(&path).map(|dir| dir.join("git"));
    symlink(git_program.find(|program| program.exists()).unwrap(), bin.join("git")).unwrap();
    let said = round_elsewhere(&small, &[("PATH", &bin)]);
    assert!(said.starts_with("plan grow failed: neither terraform nor tofu is on PATH"), "{said}");
    let killed =
        "#!/bin/sh\n[ \"$1\" = version ] && { echo '{\"terraform_version\":\"1.11.4\"}'; exit 0; }\nkill -9 $$\n";
    fs::write(bin.join("terraform"), killed).unwrap();
    fs::set_permissions(bin.join("terraform"), fs::Permissions::from_mode(0o755)).unwrap();
    let said = round_elsewhere(&small, &[("PATH", &bin)]);
    assert!(said.starts_with("plan grow: 1 units planned and sealed"), "{said}");
    assert_eq!(small.bob.lacking("grow").await, "planning one/a failed; 0 of 1 for one: needs 1 more");
    // With the real tool back a new commit is planned.
    small.push_from("origin/grow", "grow", &[("one/a/x.md", Some("x".into()))]);
    small.round().await;
    assert_eq!(small.bob.lacking("grow").await, "0 of 1 for one: needs 1 more");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_links_titles_and_broken_code() {
    let small = Small::with(&[]).await;
    let odd = "one/ä b;$(touch pwned) & #";
    small.push_counter("odd", odd, "1");
    small.push(
        "broken",
        &[("one/b/main.tf", Some("resource {{{".into())), ("one/c/main.tf", Some(small.counting("one/c", "1")))],
    );
    let mira = small.mira();
    git(&mira, &["checkout", "--quiet", "-B", "link", "origin/main"]);
    write(&mira, "one/d/main.tf", &small.counting("one/d", "1"));
    symlink("/etc/hostname", mira.join("one/d/outside.tf")).unwrap();
    commit(&mira, "\u{1b}[31m<script>alert(1)</script>\u{202e}");
    git(&mira, &["push", "--quiet", "origin", "link"]);
    let steps = small.round().await;
    assert!(steps.contains(&"plan odd: 1 units planned and sealed".to_owned()), "{steps:?}");
    let link = "plan link failed: \"one/d/outside.tf\" was left out because it is a symbolic link that leads out of the repository; remove it from the change";
    assert!(steps.contains(&link.to_owned()), "{steps:?}");
    assert!(small.bob.lacking("broken").await.starts_with("planning one/b failed"));
    small.ana.approve("odd").await.unwrap();
    small.ana.merge("odd").await;
    assert!(small.round().await.contains(&format!("apply odd: {odd}: applied")));
    assert_eq!(small.cloud(odd), "1");
}
