use std::collections::BTreeSet;

use countersign_domain::names::CommitId;
use countersign_git::{Clone, Entries, GitError, ReadLimits, RemoteError, SharedRef};

use crate::world::{Work, World, program};

type Files = Vec<(String, Vec<u8>)>;

fn file(path: &str, content: &str) -> (String, Vec<u8>) {
    (path.to_owned(), content.as_bytes().to_vec())
}

fn paths(entries: &Entries) -> Vec<&str> {
    entries.files.iter().map(|entry| entry.path.as_str()).collect()
}

fn publish(clone: &Clone, parent: Option<&CommitId>, files: &Files) -> CommitId {
    let log = SharedRef::log();
    let tip = clone.append(parent, files, "Add").unwrap();
    clone.push_if("origin", &log, parent, Some(&tip)).unwrap();
    tip
}

#[test]
fn what_one_publishes_another_reads() {
    let world = World::new();
    let (remote, here) = world.remote_and_clone();
    let (here, there) = (here.open(), world.clone_of(&remote, "there").open());
    let log = SharedRef::log();
    assert_eq!(here.fetch_ref("origin", &log).unwrap(), None);
    let first = publish(&here, None, &vec![file("ab/cd.json", "1"), file("ab/cd.sig", "s")]);
    let second = publish(&here, Some(&first), &vec![file("ab/ef.json", "2")]);

    assert_eq!(there.fetch_ref("origin", &log).unwrap(), Some(second.clone()));
    let all = there.read_entries(&second, ReadLimits::default()).unwrap();
    assert_eq!(paths(&all), ["ab/cd.json", "ab/cd.sig", "ab/ef.json"]);
    assert_eq!(all.files[0].content, b"1");
    let new = there.read_entries_since(&first, &second, ReadLimits::default()).unwrap();
    assert_eq!(paths(&new), ["ab/ef.json"]);
    assert_eq!((new.refused, new.lost), (vec![], vec![]));
    assert!(there.is_ancestor(&first, &second).unwrap());
    assert_eq!(remote.git(&["fsck", "--strict"]), "");
}

#[test]
fn appending_never_changes_or_removes() {
    let world = World::new();
    let clone = world.repository("work").open();
    let first = clone.append(None, &[file("a/b", "1")], "Add").unwrap();
    assert_eq!(clone.append(Some(&first), &[file("a/b", "other")], "Add").unwrap(), first);
    let second = clone.append(Some(&first), &[file("a/b", "other"), file("a/c", "2")], "Add").unwrap();
    let all = clone.read_entries(&second, ReadLimits::default()).unwrap();
    assert_eq!(
        all.files.iter().map(|e| (e.path.as_str(), e.content.as_slice())).collect::<Vec<_>>(),
        [("a/b", b"1".as_slice()), ("a/c", b"2".as_slice()),]
    );
    for bad in ["", "/a", "a/../b", "A", "a b", ".git/x", "a//b", "ü", "-x", "a/-x"] {
        let refused = clone.append(None, &[file(bad, "x")], "Add");
        assert!(matches!(refused, Err(GitError::BadPath { .. })), "{bad:?}");
    }
}

#[test]
fn three_writers_at_once_lose_nothing() {
    const RECORDS: usize = 15;
    let world = World::new();
    let (remote, _) = world.remote_and_clone();
    let writers: Vec<Work> = (0..3).map(|number| world.clone_of(&remote, &format!("writer {number}"))).collect();
    std::thread::scope(|scope| {
        for (number, writer) in writers.iter().enumerate() {
            scope.spawn(move || {
                let clone = writer.open();
                for record in 0..RECORDS {
                    publish_until_kept(
                        &clone,
                        &vec![file(&format!("{number}/{record}"), &format!("{number}-{record}"))],
                    );
                }
            });
        }
    });
    let reader = world.clone_of(&remote, "reader").open();
    let tip = reader.fetch_ref("origin", &SharedRef::log()).unwrap().unwrap();
    let all = reader.read_entries(&tip, ReadLimits::default()).unwrap();
    let wanted: BTreeSet<String> = (0..3).flat_map(|n| (0..RECORDS).map(move |r| format!("{n}/{r}"))).collect();
    assert_eq!(paths(&all).into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), wanted);
}

fn publish_until_kept(clone: &Clone, files: &Files) {
    let log = SharedRef::log();
    for _ in 0..200 {
        let tip = clone.fetch_ref("origin", &log).unwrap();
        let new = clone.append(tip.as_ref(), files, "Add").unwrap();
        match clone.push_if("origin", &log, tip.as_ref(), Some(&new)) {
            Ok(()) => return,
            Err(RemoteError::Rejected { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("never got through");
}

#[test]
fn threads_sharing_one_clone_lose_nothing() {
    let world = World::new();
    let (_, work) = world.remote_and_clone();
    std::thread::scope(|scope| {
        for number in 0..3 {
            let clone = work.open();
            scope.spawn(move || {
                for record in 0..5 {
                    publish_until_kept(&clone, &vec![file(&format!("{number}/{record}"), "x")]);
                }
            });
        }
    });
    let clone = work.open();
    let tip = clone.fetch_ref("origin", &SharedRef::log()).unwrap().unwrap();
    assert_eq!(clone.read_entries(&tip, ReadLimits::default()).unwrap().files.len(), 15);
}

#[test]
fn a_rewound_reference_is_noticed_and_healed_by_the_union() {
    let world = World::new();
    let (remote, here) = world.remote_and_clone();
    let here = here.open();
    let log = SharedRef::log();
    let first = publish(&here, None, &vec![file("a", "1")]);
    let known = publish(&here, Some(&first), &vec![file("b", "2")]);
    // Somebody puts the log back and goes on from there.
    let thief = world.clone_of(&remote, "thief").open();
    thief.fetch_ref("origin", &log).unwrap();
    let forged = thief.append(Some(&first), &[file("c", "3")], "Add").unwrap();
    thief.push_if("origin", &log, Some(&known), Some(&forged)).unwrap();

    let tip = here.fetch_ref("origin", &log).unwrap().unwrap();
    assert!(!here.is_ancestor(&known, &tip).unwrap());
    let since = here.read_entries_since(&known, &tip, ReadLimits::default()).unwrap();
    assert_eq!((paths(&since), since.lost.as_slice()), (vec!["c"], ["b".to_owned()].as_slice()));

    let healed = here.union(&known, std::slice::from_ref(&tip), "Heal").unwrap();
    here.push_if("origin", &log, Some(&tip), Some(&healed)).unwrap();
    assert_eq!(paths(&here.read_entries(&healed, ReadLimits::default()).unwrap()), ["a", "b", "c"]);
    assert!(here.is_ancestor(&known, &healed).unwrap() && here.is_ancestor(&tip, &healed).unwrap());
}

#[test]
fn a_descendant_that_drops_or_changes_files_is_noticed() {
    let world = World::new();
    let work = world.repository("work");
    let clone = work.open();
    let files = [file("a/b", "1"), file("c", "2"), file("d/e", "3"), file("f", "4")];
    let known = clone.append(None, &files, "Add").unwrap();
    work.git(&["checkout", "-q", known.as_str()]);
    work.git(&["rm", "-q", "-r", "a", "d", "f"]);
    std::os::unix::fs::symlink("/etc", work.dir.join("d")).unwrap();
    work.write("f/g", "4");
    let tip = work.commit("c", "changed", "Tamper");
    assert!(clone.is_ancestor(&known, &tip).unwrap());
    let since = clone.read_entries_since(&known, &tip, ReadLimits::default()).unwrap();
    assert_eq!(since.lost.iter().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(["a", "c", "d", "f"]));
}

#[test]
fn the_earlier_tip_wins_where_two_differ() {
    let world = World::new();
    let clone = world.repository("work").open();
    let one = clone.append(None, &[file("a/b", "1"), file("x", "x")], "Add").unwrap();
    let two = clone.append(None, &[file("a/b", "2"), file("a/c", "3"), file("x/y", "y")], "Add").unwrap();
    let both = clone.union(&one, &[two], "Both").unwrap();
    let all = clone.read_entries(&both, ReadLimits::default()).unwrap();
    assert_eq!(paths(&all), ["a/b", "a/c", "x"]);
    assert_eq!(all.files[0].content, b"1");
}

#[test]
fn strangers_paths_are_left_out_and_reported() {
    let world = World::new();
    let work = world.repository("work");
    work.write("good/a.json", "1");
    work.write("Upper", "x");
    work.write("with space", "x");
    work.write(".hidden", "x");
    work.write("big", "x".repeat(100));
    std::os::unix::fs::symlink("/etc/passwd", work.dir.join("link")).unwrap();
    let tip = work.commit_all("Strange");
    let limits = ReadLimits { file_bytes: 50, ..ReadLimits::default() };
    let read = work.open().read_entries(&tip, limits).unwrap();
    assert_eq!(paths(&read), ["good/a.json"]);
    let mut refused: Vec<_> = read.refused.iter().map(ToString::to_string).collect();
    refused.sort();
    assert_eq!(
        refused,
        [
            r#"left out ".hidden": a part of it is empty or starts with a dot or a dash"#,
            r#"left out "Upper": only lowercase letters, digits and . / - _ are allowed"#,
            r#"left out "big": it is too large"#,
            r#"left out "link": it is a symbolic link"#,
            r#"left out "with space": only lowercase letters, digits and . / - _ are allowed"#,
        ]
    );
    let all = ReadLimits { files: 0, ..ReadLimits::default() };
    assert!(matches!(work.open().read_entries(&tip, all), Err(GitError::TooManyFiles { .. })));
    let few = ReadLimits { total_bytes: 0, ..ReadLimits::default() };
    assert!(matches!(work.open().read_entries(&tip, few), Err(GitError::TooLarge { .. })));
}

#[test]
fn a_reference_is_deleted_only_as_expected() {
    let world = World::new();
    let (remote, work) = world.remote_and_clone();
    let clone = work.open();
    let bundles = SharedRef::bundles("0a1b").unwrap();
    assert_eq!(bundles.to_string(), "refs/countersign/bundles/0a1b");
    let tip = clone.append(None, &[file("review.age", "sealed")], "Seal").unwrap();
    clone.push_if("origin", &bundles, None, Some(&tip)).unwrap();
    let other = clone.append(None, &[file("x", "x")], "x").unwrap();
    let early = clone.push_if("origin", &bundles, Some(&other), None);
    assert!(matches!(early, Err(RemoteError::Rejected { .. })), "{early:?}");
    clone.push_if("origin", &bundles, Some(&tip), None).unwrap();
    assert_eq!(remote.open().resolve(&bundles.on_remote()).unwrap(), None);
    assert_eq!(clone.fetch_ref("origin", &bundles).unwrap(), None);
    clone.push_if("origin", &bundles, None, None).unwrap();
}

#[test]
fn names_outside_of_the_namespace_are_refused() {
    for bad in ["", "../heads/main", "a b", "remote/log", "remote", "x.lock", "-x", "A"] {
        assert!(SharedRef::new(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_bare_clone_shares_too() {
    let world = World::new();
    let (remote, _) = world.remote_and_clone();
    let bare = Clone::init_bare(world.path("agent.git")).unwrap().with_program(program());
    let work = Work { dir: bare.dir().to_owned() };
    work.git(&["remote", "add", "origin", remote.dir.to_str().unwrap()]);
    let tip = publish(&bare, None, &vec![file("a", "1")]);
    assert_eq!(bare.fetch_ref("origin", &SharedRef::log()).unwrap(), Some(tip));
}
