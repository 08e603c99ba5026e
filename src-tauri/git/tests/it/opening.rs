use countersign_git::{Clone, GitError, OpenError};

use crate::world::{World, branch, git};

#[test]
fn what_is_no_clone_is_told_apart() {
    let world = World::new();
    let plain = world.path("plain");
    std::fs::create_dir(&plain).unwrap();
    assert!(matches!(Clone::open(world.path("nowhere")), Err(OpenError::NotFound { .. })));
    assert!(matches!(Clone::open(&plain), Err(OpenError::NotARepository { .. })));
    let broken = world.repository("broken");
    std::fs::write(broken.dir.join(".git/config"), "[core\n").unwrap();
    assert!(matches!(Clone::open(&broken.dir), Err(OpenError::Unreadable { .. })));
    let other = world.path("sha256");
    git(&plain, &["init", "-q", "--object-format=sha256", other.to_str().unwrap()]);
    let error = Clone::open(&other).unwrap_err();
    assert!(matches!(error, OpenError::Unsupported { .. }), "{error:?}");
}

#[test]
fn a_directory_below_the_top_is_only_discovered() {
    let world = World::new();
    let work = world.repository("work");
    work.commit("deep/down/x", "x", "x");
    let below = work.dir.join("deep/down");
    assert!(matches!(Clone::open(&below), Err(OpenError::NotARepository { .. })));
    let found = Clone::discover(&below).unwrap();
    assert_eq!(found.dir().canonicalize().unwrap(), work.dir.canonicalize().unwrap());
}

#[test]
fn identity_says_what_a_clone_is() {
    let world = World::new();
    let (remote, clone) = world.remote_and_clone();
    let identity = clone.open().identity().unwrap();
    assert_eq!(identity.remote.as_ref().unwrap().name, "origin");
    assert_eq!(identity.remote.unwrap().url, remote.dir.to_str().unwrap());
    assert_eq!(identity.head, Some(clone.head()));
    assert_eq!(identity.head_branch, Some(branch("main")));
    assert!(!identity.is_bare && !identity.is_shallow && !identity.is_detached);
    assert_eq!(identity.worktree.unwrap().canonicalize().unwrap(), clone.dir.canonicalize().unwrap());

    let bare = remote.open().identity().unwrap();
    assert!(bare.is_bare && bare.worktree.is_none() && bare.remote.is_none());

    clone.git(&["checkout", "-q", "--detach"]);
    let detached = clone.open().identity().unwrap();
    assert!(detached.is_detached && detached.head_branch.is_none());
}

#[test]
fn a_linked_worktree_shares_its_common_directory() {
    let world = World::new();
    let (_, clone) = world.remote_and_clone();
    let linked = world.path("linked");
    clone.git(&["worktree", "add", "-q", "--detach", linked.to_str().unwrap()]);
    let identity = Clone::open(&linked).unwrap().identity().unwrap();
    assert_ne!(identity.git_dir, identity.common_dir);
    assert_eq!(identity.common_dir.canonicalize().unwrap(), clone.dir.join(".git").canonicalize().unwrap());
}

#[test]
fn an_empty_repository_has_no_trunk_yet() {
    let world = World::new();
    let clone = world.repository("empty").open();
    assert!(matches!(clone.trunk(None), Err(GitError::Empty)));
    let identity = clone.identity().unwrap();
    assert_eq!((identity.head, identity.head_branch, identity.remote), (None, None, None));
}

#[test]
fn trunk_is_what_the_remote_says() {
    let world = World::new();
    let seed = world.repository("seed");
    seed.commit("x", "x", "Begin");
    seed.git(&["branch", "-m", "main", "release/trunk"]);
    seed.git(&["branch", "main"]);
    let clone = world.clone_of(&seed, "clone");
    let trunk = clone.trunk();
    assert_eq!(trunk.branch, branch("release/trunk"));
    assert_eq!(trunk.reference, "refs/remotes/origin/release/trunk");
    assert_eq!(trunk.commit, seed.head());
    assert_eq!(clone.open().trunk(Some(&branch("main"))).unwrap().reference, "refs/remotes/origin/main");
}

#[test]
fn without_a_usable_remote_head_main_then_master_are_tried() {
    let world = World::new();
    let (_, clone) = world.remote_and_clone();
    clone.git(&["remote", "set-head", "origin", "--delete"]);
    assert_eq!(clone.trunk().reference, "refs/remotes/origin/main");
    clone.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/gone"]);
    assert_eq!(clone.trunk().reference, "refs/remotes/origin/main");
    clone.git(&["update-ref", "-d", "refs/remotes/origin/main"]);
    assert_eq!(clone.trunk().reference, "refs/heads/main");
    clone.git(&["branch", "-q", "-m", "main", "master"]);
    assert_eq!(clone.trunk().reference, "refs/heads/master");
}

#[test]
fn no_trunk_says_what_was_tried() {
    let world = World::new();
    let work = world.repository("work");
    work.commit("x", "x", "Begin");
    work.git(&["branch", "-m", "main", "topic"]);
    let error = work.open().trunk(None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no trunk found: looked for refs/heads/main, refs/heads/master; name the trunk branch in the clone's settings"
    );
    assert!(matches!(work.open().trunk(Some(&branch("nope"))), Err(GitError::NoTrunk { .. })));
    assert_eq!(work.open().trunk(Some(&branch("topic"))).unwrap().commit, work.head());
}

#[test]
fn a_bare_repository_is_read_by_its_own_head() {
    let world = World::new();
    let (remote, clone) = world.remote_and_clone();
    clone.git(&["push", "-q", "origin", "main:refs/heads/live"]);
    remote.git(&["symbolic-ref", "HEAD", "refs/heads/live"]);
    assert_eq!(remote.trunk().branch, branch("live"));
}
