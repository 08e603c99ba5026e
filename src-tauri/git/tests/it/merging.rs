use countersign_domain::names::TreeId;
use countersign_git::{MergeOutcome, Signature};
use jiff::Timestamp;

use crate::world::{Work, World};

fn two_sides(world: &World, ours: &str, theirs: &str) -> Work {
    let work = world.repository("work");
    work.commit("a.tf", "1\n2\n3\n4\n5\n6\n7\n8\n", "Begin");
    work.git(&["checkout", "-q", "-b", "topic"]);
    work.commit("a.tf", theirs, "Theirs");
    work.git(&["checkout", "-q", "main"]);
    work.commit("a.tf", ours, "Ours");
    work
}

#[test]
fn a_clean_merge_gives_the_tree_that_git_gives() {
    let world = World::new();
    let work = two_sides(&world, "one\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\n5\n6\n7\neight\n");
    let clone = work.open();
    let (main, topic) = (work.at("main"), work.at("topic"));
    let MergeOutcome::Clean { tree } = clone.merge(&main, &topic).unwrap() else { panic!("not clean") };
    let status = work.git(&["status", "--porcelain"]);
    assert_eq!(status, "", "the working tree was touched");
    work.git(&["merge", "-q", "--no-ff", "-m", "Merge", "topic"]);
    assert_eq!(tree, TreeId::new(work.git(&["rev-parse", "HEAD^{tree}"])).unwrap());
}

#[test]
fn the_same_merge_is_the_same_commit_and_moves_nothing() {
    let world = World::new();
    let work = two_sides(&world, "one\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\n5\n6\n7\neight\n");
    let clone = work.open();
    let (main, topic) = (work.at("main"), work.at("topic"));
    let MergeOutcome::Clean { tree } = clone.merge(&main, &topic).unwrap() else { panic!("not clean") };
    let author = Signature {
        name: "Me".to_owned(),
        email: "me@example.org".to_owned(),
        time: Timestamp::from_second(1_700_000_001).unwrap(),
    };
    let parents = [main.clone(), topic.clone()];
    let commit = clone.commit_merge(&tree, &parents, "Merge topic\n", &author).unwrap();
    assert_eq!(commit, clone.commit_merge(&tree, &parents, "Merge topic\n", &author).unwrap());
    assert_eq!(work.at("main"), main);
    let shown = work.git(&["log", "-1", "--format=%an <%ae> %at %P%n%s", commit.as_str()]);
    assert_eq!(shown, format!("Me <me@example.org> 1700000001 {main} {topic}\nMerge topic"));
    work.git(&["fsck", "--strict"]);

    let nobody = Signature { name: "<>".to_owned(), ..author };
    let error = clone.commit_merge(&tree, &parents, "x", &nobody).unwrap_err();
    assert!(error.to_string().contains("set user.name and user.email"), "{error}");
}

#[test]
fn conflicts_name_their_files() {
    let world = World::new();
    let work = two_sides(&world, "one\n2\n3\n4\n5\n6\n7\n8\n", "uno\n2\n3\n4\n5\n6\n7\n8\n");
    let outcome = work.open().merge(&work.at("main"), &work.at("topic")).unwrap();
    assert_eq!(outcome, MergeOutcome::Conflicts { paths: vec!["a.tf".to_owned()] });
}

#[test]
fn a_file_changed_here_and_deleted_there_is_a_conflict() {
    let world = World::new();
    let work = world.repository("work");
    work.commit("a b/ü.tf", "1\n", "Begin");
    work.git(&["checkout", "-q", "-b", "topic"]);
    work.git(&["rm", "-q", "a b/ü.tf"]);
    work.commit_all("Remove");
    work.git(&["checkout", "-q", "main"]);
    work.commit("a b/ü.tf", "2\n", "Change");
    let outcome = work.open().merge(&work.at("main"), &work.at("topic")).unwrap();
    assert_eq!(outcome, MergeOutcome::Conflicts { paths: vec!["a b/ü.tf".to_owned()] });
}

#[test]
fn what_trunk_has_is_up_to_date_and_strangers_are_unrelated() {
    let world = World::new();
    let work = two_sides(&world, "x\n", "y\n");
    let clone = work.open();
    assert_eq!(clone.merge(&work.at("main"), &work.at("main~1")).unwrap(), MergeOutcome::UpToDate);
    assert_eq!(clone.merge(&work.at("main"), &work.at("main")).unwrap(), MergeOutcome::UpToDate);
    work.git(&["checkout", "-q", "--orphan", "other"]);
    work.commit("z", "z", "Other");
    assert_eq!(clone.merge(&work.at("main"), &work.at("other")).unwrap(), MergeOutcome::Unrelated);
}

#[test]
fn attributes_do_not_choose_how_to_merge() {
    let world = World::new();
    let work = two_sides(&world, "one\n2\n3\n4\n5\n6\n7\n8\n", "uno\n2\n3\n4\n5\n6\n7\n8\n");
    work.commit(".gitattributes", "*.tf merge=union\n", "Attributes");
    let outcome = work.open().merge(&work.at("main"), &work.at("topic")).unwrap();
    assert!(matches!(outcome, MergeOutcome::Conflicts { .. }), "{outcome:?}");
}

#[test]
fn a_criss_cross_history_merges_like_git_does() {
    let world = World::new();
    let work = two_sides(&world, "one\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\n5\n6\n7\neight\n");
    work.git(&["branch", "main-before"]);
    work.git(&["merge", "-q", "--no-ff", "-m", "Merge topic", "topic"]);
    work.git(&["checkout", "-q", "topic"]);
    work.git(&["merge", "-q", "--no-ff", "-m", "Merge main", "main-before"]);
    work.commit("b.tf", "b\n", "Topic goes on");
    work.git(&["checkout", "-q", "main"]);
    work.commit("c.tf", "c\n", "Main goes on");
    assert_eq!(work.git(&["merge-base", "--all", "main", "topic"]).lines().count(), 2);
    let heads = [work.at("topic"), work.at("main-before")];
    let outcomes = work.open().merge_each(&work.at("main"), &heads).unwrap();
    work.git(&["merge", "-q", "--no-ff", "-m", "Merge", "topic"]);
    let tree = TreeId::new(work.git(&["rev-parse", "HEAD^{tree}"])).unwrap();
    assert_eq!(outcomes, [MergeOutcome::Clean { tree }, MergeOutcome::UpToDate]);
}
