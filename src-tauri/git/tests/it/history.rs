use countersign_git::Contributor;

use crate::world::{Work, World, branch, git};

fn names(work: &Work) -> Vec<String> {
    let found = work.open().branches_ahead(&work.trunk()).unwrap();
    found.ahead.iter().map(|branch| branch.name.to_string()).collect()
}

#[test]
fn branches_ahead_are_the_remote_ones_that_trunk_lacks() {
    let world = World::new();
    let (_, clone) = world.remote_and_clone();
    clone.git(&["checkout", "-q", "-b", "grow"]);
    let first = clone.commit("a.tf", "a\n", "Grow a\n\nCo-authored-by: Third <third@example.org>");
    let second = clone.commit("b.tf", "b\n", "Grow b");
    clone.git(&["push", "-q", "origin", "grow", "main:refs/heads/done"]);
    clone.git(&["branch", "only-here"]);

    let found = clone.open().branches_ahead(&clone.trunk()).unwrap();
    assert_eq!(found.refused, []);
    let [grow] = found.ahead.as_slice() else { panic!("{found:?}") };
    assert_eq!((&grow.name, &grow.commit), (&branch("grow"), &second));
    assert_eq!(grow.merge_base, Some(clone.trunk().commit));
    let ids: Vec<_> = grow.ahead_commits.iter().map(|commit| commit.id.clone()).collect();
    assert_eq!(ids, [second, first]);
    let oldest = &grow.ahead_commits[1];
    assert_eq!(oldest.summary, "Grow a");
    assert_eq!(oldest.time.as_second(), 1_700_000_000);
    let third = Contributor { name: "Third".to_owned(), email: "third@example.org".to_owned() };
    assert_eq!(oldest.co_authors, [third]);
    let emails: Vec<_> = oldest.contributors().map(|who| who.email.as_str()).collect();
    assert_eq!(emails, ["author@example.org", "committer@example.org", "third@example.org"]);
}

#[test]
fn without_a_remote_local_branches_count() {
    let world = World::new();
    let work = world.repository("work");
    work.commit("x", "x", "Begin");
    work.git(&["checkout", "-q", "-b", "topic"]);
    work.commit("y", "y", "More");
    assert_eq!(names(&work), ["topic"]);
    work.git(&["checkout", "-q", "--detach"]);
    assert_eq!(names(&work), ["topic"]);
}

#[test]
fn a_bare_repository_has_its_own_branches() {
    let world = World::new();
    let (remote, clone) = world.remote_and_clone();
    clone.git(&["checkout", "-q", "-b", "topic"]);
    clone.commit("y", "y", "More");
    clone.git(&["push", "-q", "origin", "topic"]);
    assert_eq!(names(&remote), ["topic"]);
}

#[test]
fn strange_names_are_kept_and_hostile_ones_reported() {
    let world = World::new();
    let (_, clone) = world.remote_and_clone();
    clone.git(&["checkout", "-q", "-b", "topic"]);
    clone.commit("y", "y", "More");
    let strange = ["a/b/c", "$(touch${IFS}x)", "ümlaut", "x;y&z|w", "'quoted\"", "日本"];
    let hostile = ["-rf", "right\u{202e}left"];
    for name in strange.iter().chain(&hostile) {
        clone.git(&["update-ref", &format!("refs/remotes/origin/{name}"), "topic"]);
    }
    let blob = clone.git(&["rev-parse", "HEAD:y"]);
    std::fs::write(clone.dir.join(".git/refs/remotes/origin/blob"), format!("{blob}\n")).unwrap();

    let found = clone.open().branches_ahead(&clone.trunk()).unwrap();
    let mut kept: Vec<_> = found.ahead.iter().map(|branch| branch.name.as_str()).collect();
    let mut wanted = strange.to_vec();
    kept.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(kept, wanted);
    let mut refused: Vec<_> = found.refused.iter().map(ToString::to_string).collect();
    refused.sort_unstable();
    assert_eq!(
        refused,
        [
            r#"left out "-rf": it starts with a dash"#,
            r#"left out "blob": it does not point at a commit"#,
            r#"left out "right\u{202e}left": it contains a control character"#,
        ]
    );
}

#[test]
fn unrelated_histories_have_no_merge_base() {
    let world = World::new();
    let (_, clone) = world.remote_and_clone();
    clone.git(&["checkout", "-q", "--orphan", "other"]);
    let other = clone.commit("z", "z", "Another beginning");
    clone.git(&["push", "-q", "origin", "other"]);
    let found = clone.open().branches_ahead(&clone.trunk()).unwrap();
    assert_eq!(found.ahead[0].merge_base, None);
    assert_eq!(found.ahead[0].ahead_commits.len(), 1);
    assert_eq!(clone.open().merge_base(&clone.trunk().commit, &other).unwrap(), None);
    assert!(!clone.open().is_ancestor(&clone.trunk().commit, &other).unwrap());
}

#[test]
fn a_shallow_clone_is_read_as_far_as_it_goes() {
    let world = World::new();
    let seed = world.repository("seed");
    for number in 0..5 {
        seed.commit("x", format!("{number}\n"), "Step");
    }
    seed.git(&["checkout", "-q", "-b", "topic"]);
    seed.commit("y", "y", "More");
    let dir = world.path("shallow");
    let url = format!("file://{}", seed.dir.display());
    git(&seed.dir, &["clone", "-q", "--depth=1", "--no-single-branch", "--branch=main", &url, dir.to_str().unwrap()]);
    let shallow = Work { dir };
    let clone = shallow.open();
    assert!(clone.identity().unwrap().is_shallow);
    let trunk = clone.trunk(Some(&branch("main"))).unwrap();
    let found = clone.branches_ahead(&trunk).unwrap();
    assert_eq!(found.ahead.iter().map(|branch| branch.name.as_str()).collect::<Vec<_>>(), ["topic"]);
    assert_eq!(found.ahead[0].merge_base, None, "the common ancestor was cut off");
    assert!(!clone.has_commit(&seed.at("main~2")).unwrap());
}

#[test]
fn merges_are_found_on_trunks_first_parents() {
    let world = World::new();
    let work = world.repository("work");
    work.commit("x", "x", "Begin");
    for topic in ["one", "two"] {
        work.git(&["checkout", "-q", "-b", topic, "main"]);
        work.commit(topic, topic, "Work");
        work.git(&["checkout", "-q", "main"]);
        work.git(&["merge", "-q", "--no-ff", "-m", &format!("Merge {topic}"), topic]);
    }
    work.commit("x", "y", "Straight");
    let clone = work.open();
    let merges = clone.first_parent_merges(&work.head(), 100).unwrap();
    let summaries: Vec<_> = merges.iter().map(|merge| merge.commit.summary.as_str()).collect();
    assert_eq!(summaries, ["Merge two", "Merge one"]);
    assert_eq!(merges[0].merged, work.at("two"));
    assert_eq!(merges[0].trunk_before, merges[1].commit.id);
    assert_eq!(clone.first_parent_merges(&work.head(), 2).unwrap().len(), 1);
    assert!(clone.is_ancestor(&work.at("two"), &work.head()).unwrap());
    assert!(clone.is_ancestor(&work.head(), &work.head()).unwrap());
    assert!(!clone.is_ancestor(&work.head(), &work.at("two")).unwrap());
}

#[test]
fn tags_lead_to_commits() {
    let world = World::new();
    let work = world.repository("work");
    let first = work.commit("x", "x", "Begin");
    work.git(&["tag", "v1.0.0"]);
    work.git(&["tag", "-a", "-m", "Release", "v1.1.0"]);
    work.git(&["tag", "tree", "HEAD^{tree}"]);
    let found = work.open().tags().unwrap();
    let tags: Vec<_> = found.tags.iter().map(|tag| (tag.name.as_str(), &tag.commit, tag.annotated)).collect();
    assert_eq!(tags, [("v1.0.0", &first, false), ("v1.1.0", &first, true)]);
    assert_eq!(found.refused.len(), 1);
}

#[test]
fn messages_that_are_not_utf8_are_still_read() {
    let world = World::new();
    let work = world.repository("work");
    let tree = work.git(&["mktree", "--missing"]);
    let raw = b"author A\xff <a@example.org> 1 +0000\ncommitter A <a@example.org> 1 +0000\n\nBad \xff text\n";
    let raw = [format!("tree {tree}\n").as_bytes(), raw].concat();
    work.write("raw", raw);
    let id = work.git(&["hash-object", "-t", "commit", "-w", "raw"]);
    let commit = work.open().commit(&countersign_domain::names::CommitId::new(id).unwrap()).unwrap();
    assert_eq!(commit.summary, "Bad \u{fffd} text");
    assert_eq!(commit.author.name, "A\u{fffd}");
}
