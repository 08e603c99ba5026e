use countersign_domain::change::{Change, Mergeability};
use countersign_forge::{Forge, ForgeError, PlainGit};
use countersign_git::{GitError, RemoteError};

use crate::world::{World, id};

fn shown(change: &Change) -> String {
    format!(
        "{}\n  title: {}\n  description: {:?}\n  by {} and {:?}\n  {} commit(s), {:?}",
        change.id,
        change.title,
        change.description,
        change.author,
        change.contributors,
        change.commits,
        change.mergeability
    )
}

#[test]
fn branches_ahead_of_trunk_are_changes() {
    let world = World::new();
    let work = world.clone("work");
    work.propose("feature/grow-orders_db", "a.tf", "a", "Grow a\n\nFor the sale.\n\nCo-authored-by: T <T@x.org>");
    work.propose("one", "b.tf", "b", "Only one\n\nBecause.");
    work.git(&["checkout", "-q", "feature/grow-orders_db"]);
    work.commit("a2.tf", "a2", "Grow a more");
    work.git(&["push", "-q", "origin", "feature/grow-orders_db"]);
    work.propose("clash", "main.tf", "theirs\n", "Clash");
    work.git(&["checkout", "-q", "main"]);
    work.commit("main.tf", "ours\n", "Ours");
    work.git(&["push", "-q", "origin", "main", "main:refs/heads/nothing-new"]);

    let list = world.clone("other").changes();
    assert_eq!(list.refused, Vec::<String>::new());
    let all: Vec<_> = list.open.iter().map(shown).collect();
    insta::assert_snapshot!(all.join("\n"), @r#"
    clash
      title: Clash
      description: ""
      by Author and {"author@example.org", "committer@example.org"}
      1 commit(s), Conflicts(["main.tf"])
    feature/grow-orders_db
      title: Grow orders db
      description: "- Grow a\n- Grow a more"
      by Author and {"author@example.org", "committer@example.org", "t@x.org"}
      2 commit(s), Clean
    one
      title: Only one
      description: "Because."
      by Author and {"author@example.org", "committer@example.org"}
      1 commit(s), Clean
    "#);
    let one = list.open.iter().find(|change| change.id == id("one")).unwrap();
    assert_eq!((&one.base, &one.head), (&list.trunk.commit, &work.at("one")));
    assert_eq!(one.updated.as_second(), 1_700_000_000);
}

#[test]
fn merging_trunk_into_a_branch_does_not_rename_the_change() {
    let world = World::new();
    let work = world.clone("work");
    work.propose("topic", "a.tf", "a", "Only one");
    work.git(&["checkout", "-q", "main"]);
    work.commit("b.tf", "b", "Trunk goes on");
    work.git(&["push", "-q", "origin", "main"]);
    work.git(&["checkout", "-q", "topic"]);
    work.git(&["merge", "-q", "--no-ff", "-m", "Merge main into topic", "main"]);
    work.git(&["push", "-q", "origin", "topic"]);
    let list = work.changes();
    assert_eq!(list.open[0].title, "Only one");
    assert_eq!(list.open[0].commits, 2);
    assert_eq!(list.open[0].mergeability, Mergeability::Clean);
}

#[test]
fn unrelated_branches_are_shown_as_not_mergeable() {
    let world = World::new();
    let work = world.clone("work");
    work.git(&["checkout", "-q", "--orphan", "stranger"]);
    work.commit("x", "x", "Elsewhere");
    work.git(&["push", "-q", "origin", "stranger"]);
    let Mergeability::Conflicts(why) = work.changes().open[0].mergeability.clone() else { panic!() };
    assert_eq!(why, ["everything: it shares no history with trunk"]);
}

#[test]
fn hostile_branch_names_are_reported_beside_the_others() {
    let world = World::new();
    let work = world.clone("work");
    let head = work.propose("fine;$(x)", "a.tf", "a", "Fine");
    world.remote().git(&["update-ref", "refs/heads/-rf", head.as_str()]);
    let list = work.changes();
    assert_eq!(list.open.iter().map(|change| change.id.as_str()).collect::<Vec<_>>(), ["fine;$(x)"]);
    assert_eq!(list.refused, [r#"left out "-rf": it starts with a dash"#]);
}

#[test]
fn a_deleted_branch_is_no_change_any_more() {
    let world = World::new();
    let work = world.clone("work");
    work.propose("topic", "a.tf", "a", "A");
    assert_eq!(work.changes().open.len(), 1);
    world.remote().git(&["update-ref", "-d", "refs/heads/topic"]);
    assert_eq!(work.changes().open.len(), 0);
}

#[test]
fn what_is_missing_is_told_apart() {
    let world = World::new();
    let work = world.clone("work");
    work.git(&["remote", "remove", "origin"]);
    work.git(&["checkout", "-q", "-b", "topic"]);
    work.commit("a.tf", "a", "A");
    let forge = work.forge();
    assert!(matches!(forge.fetch(&mut |_| {}), Err(ForgeError::Remote(RemoteError::NoRemote { .. }))));
    assert_eq!(forge.changes().unwrap().open[0].id, id("topic"), "local branches are still shown");
    let none = PlainGit::new(work.open(), Some("nowhere".parse().unwrap()));
    assert!(matches!(none.changes(), Err(ForgeError::Git(GitError::NoTrunk { .. }))));
}
