use std::collections::BTreeSet;

use countersign_domain::names::CommitId;
use countersign_forge::{Forge, ForgeError, PlainGit};
use countersign_git::Entries;

use crate::world::{Work, World};

const LOG: &str = "refs/countersign/log";

fn file(path: &str, content: &str) -> (String, Vec<u8>) {
    (path.to_owned(), content.as_bytes().to_vec())
}

fn publish(forge: &PlainGit, known: Option<&CommitId>, path: &str) -> CommitId {
    forge.publish(known, &[file(path, path)], &mut |_| Ok(())).unwrap()
}

fn paths(entries: &Entries) -> Vec<&str> {
    entries.files.iter().map(|entry| entry.path.as_str()).collect()
}

fn on_remote(reader: &Work) -> Vec<String> {
    let update = reader.forge().fetch_log(None).unwrap();
    paths(&update.entries).into_iter().map(str::to_owned).collect()
}

#[test]
fn nothing_shared_yet_is_no_alarm() {
    let world = World::new();
    let update = world.clone("work").forge().fetch_log(None).unwrap();
    assert_eq!((update.tip, update.rewound), (None, false));
}

#[test]
fn an_update_holds_what_is_new_since_the_known_tip() {
    let world = World::new();
    let (here, there) = (world.clone("here").forge(), world.clone("there").forge());
    let first = publish(&here, None, "a");
    let known = there.fetch_log(None).unwrap();
    assert_eq!((known.tip.as_ref(), paths(&known.entries)), (Some(&first), vec!["a"]));
    let second = publish(&here, Some(&first), "b");
    let update = there.fetch_log(Some(&first)).unwrap();
    assert_eq!((update.tip, paths(&update.entries), update.rewound), (Some(second.clone()), vec!["b"], false));
    let nothing = there.fetch_log(Some(&second)).unwrap();
    assert_eq!((paths(&nothing.entries).len(), nothing.rewound), (0, false));
    // Publishing the same again changes nothing.
    assert_eq!(publish(&there, Some(&second), "b"), second);
}

#[test]
fn three_publishers_at_once_lose_nothing() {
    const RECORDS: usize = 15;
    let world = World::new();
    let writers: Vec<Work> = (0..3).map(|number| world.clone(&format!("writer-{number}"))).collect();
    std::thread::scope(|scope| {
        for (number, writer) in writers.iter().enumerate() {
            scope.spawn(move || {
                let forge = writer.forge();
                let mut known = None;
                for record in 0..RECORDS {
                    known = Some(publish(&forge, known.as_ref(), &format!("{number}/{record}")));
                }
            });
        }
    });
    let wanted: BTreeSet<String> = (0..3).flat_map(|n| (0..RECORDS).map(move |r| format!("{n}/{r}"))).collect();
    assert_eq!(on_remote(&world.clone("reader")).into_iter().collect::<BTreeSet<_>>(), wanted);
}

#[test]
fn exactly_one_of_many_gets_past_the_inspection() {
    let world = World::new();
    let writers: Vec<Work> = (0..3).map(|number| world.clone(&format!("writer-{number}"))).collect();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = writers
            .iter()
            .enumerate()
            .map(|(number, writer)| {
                scope.spawn(move || {
                    let taken = |entries: &Entries| entries.files.iter().any(|entry| entry.path.starts_with("taken/"));
                    let mut once = |entries: &Entries| if taken(entries) { Err("taken".to_owned()) } else { Ok(()) };
                    writer.forge().publish(None, &[file(&format!("taken/{number}"), "x")], &mut once)
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    let vetoed = |outcome: &&Result<_, ForgeError>| matches!(outcome, Err(ForgeError::Vetoed(why)) if why == "taken");
    assert_eq!(outcomes.iter().filter(vetoed).count(), 2, "{outcomes:?}");
    assert_eq!(on_remote(&world.clone("reader")).len(), 1);
}

#[test]
fn a_rewound_log_is_reported_and_put_back() {
    let world = World::new();
    let (here, remote) = (world.clone("here"), world.remote());
    let forge = here.forge();
    let first = publish(&forge, None, "a");
    let known = publish(&forge, Some(&first), "b");
    remote.git(&["update-ref", LOG, first.as_str()]);
    publish(&world.clone("there").forge(), None, "c");

    let update = forge.fetch_log(Some(&known)).unwrap();
    assert!(update.rewound);
    assert_eq!((paths(&update.entries), update.entries.lost.as_slice()), (vec!["c"], ["b".to_owned()].as_slice()));
    let healed = forge.publish(Some(&known), &[], &mut |_| Ok(())).unwrap();
    assert_eq!(remote.at(LOG), healed);
    assert_eq!(on_remote(&world.clone("reader")), ["a", "b", "c"]);
    assert!(!forge.fetch_log(Some(&known)).unwrap().rewound);
}

#[test]
fn a_deleted_log_is_reported_and_put_back() {
    let world = World::new();
    let (here, remote) = (world.clone("here"), world.remote());
    let forge = here.forge();
    let known = publish(&forge, None, "a");
    remote.git(&["update-ref", "-d", LOG]);
    let update = forge.fetch_log(Some(&known)).unwrap();
    assert_eq!((update.tip, update.rewound), (None, true));
    publish(&forge, Some(&known), "b");
    assert_eq!(on_remote(&world.clone("reader")), ["a", "b"]);
}

#[test]
fn a_rewritten_file_is_reported_and_put_back() {
    let world = World::new();
    let (here, thief) = (world.clone("here"), world.clone("thief"));
    let forge = here.forge();
    let known = publish(&forge, None, "a");
    thief.git(&["fetch", "-q", "origin", LOG]);
    thief.git(&["checkout", "-q", "FETCH_HEAD"]);
    thief.commit("a", "forged", "Add statements");
    thief.git(&["push", "-q", "origin", &format!("HEAD:{LOG}")]);
    let update = forge.fetch_log(Some(&known)).unwrap();
    assert!(update.rewound, "a descendant that changes a file is no append");
    forge.publish(Some(&known), &[], &mut |_| Ok(())).unwrap();
    let all = forge.fetch_log(None).unwrap().entries;
    assert_eq!(all.files[0].content, b"a");
}

#[test]
fn a_known_tip_that_no_one_has_any_more_is_an_alarm() {
    let world = World::new();
    let forge = world.clone("here").forge();
    publish(&forge, None, "a");
    let elsewhere = CommitId::new("1".repeat(40)).unwrap();
    let update = forge.fetch_log(Some(&elsewhere)).unwrap();
    assert_eq!((paths(&update.entries), update.rewound), (vec!["a"], true));
    publish(&forge, Some(&elsewhere), "b");
    assert_eq!(on_remote(&world.clone("reader")), ["a", "b"]);
}

#[test]
fn bundles_are_replaced_read_and_removed() {
    let world = World::new();
    let (here, there) = (world.clone("here").forge(), world.clone("there").forge());
    assert!(there.fetch_bundles("0a").unwrap().is_empty());
    here.publish_bundles("0a", &[file("review.age", "1"), file("apply.age", "1")]).unwrap();
    here.publish_bundles("0a", &[file("review.age", "2")]).unwrap();
    let bundles = there.fetch_bundles("0a").unwrap();
    assert_eq!(bundles.len(), 1);
    assert_eq!((bundles[0].path.as_str(), bundles[0].content.as_slice()), ("review.age", b"2".as_slice()));
    there.delete_bundles("0a").unwrap();
    there.delete_bundles("0a").unwrap();
    assert!(here.fetch_bundles("0a").unwrap().is_empty());
    assert!(here.publish_bundles("../heads/main", &[file("x", "x")]).is_err());
    assert_eq!(world.remote().git(&["for-each-ref", "refs/countersign"]), "");
}

#[test]
fn publishing_does_not_show_in_the_clones_branches() {
    let world = World::new();
    let work = world.clone("work");
    publish(&work.forge(), None, "a");
    let list = work.changes();
    assert!(list.open.is_empty() && list.refused.is_empty(), "{list:?}");
    assert_eq!(work.git(&["status", "--porcelain"]), "");
}
