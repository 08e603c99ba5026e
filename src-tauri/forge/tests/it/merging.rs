use countersign_domain::names::CommitId;
use countersign_forge::{Forge, ForgeError, MergeRequest};
use countersign_git::{RemoteError, Signature};
use jiff::Timestamp;

use crate::world::{World, id};

fn request(change: &str, head: &CommitId) -> MergeRequest {
    MergeRequest {
        change: id(change),
        head: head.clone(),
        message: format!("Merge {change}\n"),
        author: Signature {
            name: "Reviewer".to_owned(),
            email: "reviewer@example.org".to_owned(),
            time: Timestamp::from_second(1_700_000_500).unwrap(),
        },
    }
}

#[test]
fn a_merge_lands_on_the_remotes_trunk() {
    let world = World::new();
    let author = world.clone("author");
    let head = author.propose("topic", "a.tf", "a", "A");
    let reviewer = world.clone("reviewer");
    let before = reviewer.at("origin/main");
    let forge = reviewer.forge();
    let commit = forge.merge(&request("topic", &head)).unwrap();

    assert_eq!(world.remote().at("main"), commit);
    assert_eq!(world.remote().git(&["show", "main:a.tf"]), "a");
    assert_eq!(reviewer.at("HEAD"), before, "the reviewer's own branch was moved");
    let list = forge.changes().unwrap();
    assert_eq!(list.trunk.commit, commit);
    assert!(list.open.is_empty());
    let [merge] = list.merges.as_slice() else { panic!("{list:?}") };
    assert_eq!((&merge.commit, &merge.trunk_before, &merge.head), (&commit, &before, &head));
    assert_eq!((merge.title.as_str(), merge.author.as_str()), ("Merge topic", "Reviewer"));
    assert_eq!(merge.time.as_second(), 1_700_000_500);
}

#[test]
fn a_head_that_moved_is_not_merged() {
    let world = World::new();
    let author = world.clone("author");
    let reviewed = author.propose("topic", "a.tf", "a", "A");
    let reviewer = world.clone("reviewer");
    author.commit("a.tf", "evil", "One more thing");
    author.git(&["push", "-q", "origin", "topic"]);
    let before = world.remote().at("main");
    let error = reviewer.forge().merge(&request("topic", &reviewed)).unwrap_err();
    let ForgeError::HeadMoved { found, .. } = error else { panic!("{error}") };
    assert_eq!(found, author.at("topic"));
    assert_eq!(world.remote().at("main"), before);
}

#[test]
fn conflicts_and_missing_changes_are_told_apart() {
    let world = World::new();
    let author = world.clone("author");
    let head = author.propose("topic", "main.tf", "theirs\n", "Theirs");
    author.git(&["checkout", "-q", "main"]);
    author.commit("main.tf", "ours\n", "Ours");
    author.git(&["push", "-q", "origin", "main"]);
    let forge = author.forge();
    let error = forge.merge(&request("topic", &head)).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"merge topic: it conflicts with trunk in "main.tf"; its author has to merge trunk into it"#
    );
    let gone = forge.merge(&request("never-was", &head));
    assert!(matches!(gone, Err(ForgeError::NoSuchChange(_))), "{gone:?}");
}

#[test]
fn trunk_is_changed_only_from_where_it_was_seen() {
    let world = World::new();
    let author = world.clone("author");
    let head = author.propose("topic", "a.tf", "a", "A");
    let other = world.clone("other");
    let newer = other.commit("b.tf", "b", "Somebody is faster");
    let remote = world.remote();
    // Trunk moves between the fetch and the push: at the very moment the push arrives.
    other.git(&["push", "-q", "origin", "main:refs/heads/waiting"]);
    let hook = remote.dir.join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, format!("#!/bin/sh\nunset GIT_QUARANTINE_PATH\ngit update-ref refs/heads/main {newer}\n"))
        .unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let error = author.forge().merge(&request("topic", &head)).unwrap_err();
    assert!(matches!(error, ForgeError::Remote(RemoteError::Rejected { .. })), "{error:?}");
    assert_eq!(remote.at("main"), newer);
}
