use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use countersign_git::program::RunError;
use countersign_git::remote::{Prune, clone_from, list_url};
use countersign_git::{Cancel, Expected, GitProgram, RefUpdate, RemoteError};

use crate::world::{Work, World, branch, program};

fn fetch(work: &Work) -> Result<(), RemoteError> {
    work.open().fetch("origin", &[], Prune::Gone, &mut |_| {})
}

fn update(reference: &str, expected: Expected, work: &Work) -> RefUpdate {
    RefUpdate { reference: reference.to_owned(), expected, new: Some(work.head()) }
}

/// An executable that stands in for ssh.
fn fake_ssh(world: &World, script: &str) -> GitProgram {
    let file = world.path("ssh");
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    program().env("GIT_SSH", file).env("GIT_SSH_VARIANT", "simple")
}

#[test]
fn cloning_shows_progress_and_opens_the_clone() {
    let world = World::new();
    let (remote, _) = world.remote_and_clone();
    let url = format!("file://{}", remote.dir.display());
    let mut lines = Vec::new();
    let dir = world.path("with space $(x) ü");
    let clone = clone_from(&program(), &url, &dir, &mut |line| lines.push(line.to_owned())).unwrap();
    assert_eq!(clone.trunk(None).unwrap().branch, branch("main"));
    assert!(lines.iter().any(|line| line.starts_with("Cloning into")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("Receiving objects: 100%")), "{lines:?}");
    let again = clone_from(&program(), &url, &dir, &mut |_| {});
    assert!(matches!(again, Err(RemoteError::NotEmpty { .. })));
}

#[test]
fn fetching_brings_new_branches_and_removes_gone_ones() {
    let world = World::new();
    let (_, clone) = world.remote_and_clone();
    let other = world.clone_of(&Work { dir: world.path("remote.git") }, "other");
    other.git(&["checkout", "-q", "-b", "topic"]);
    let topic = other.commit("t", "t", "Topic");
    other.git(&["push", "-q", "origin", "topic"]);
    fetch(&clone).unwrap();
    assert_eq!(clone.at("refs/remotes/origin/topic"), topic);
    other.git(&["push", "-q", "origin", ":topic"]);
    fetch(&clone).unwrap();
    assert_eq!(clone.open().resolve("refs/remotes/origin/topic").unwrap(), None);
    assert!(!clone.dir.join(".git/FETCH_HEAD").exists());
}

#[test]
fn a_remote_lists_its_references() {
    let world = World::new();
    let (remote, clone) = world.remote_and_clone();
    let listed = clone.open().ls_remote("origin", &["refs/heads/*"]).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].name.as_str(), &listed[0].id), ("refs/heads/main", &clone.head()));
    let by_url = list_url(&program(), remote.dir.to_str().unwrap(), &[]).unwrap();
    assert_eq!(by_url, listed);
}

#[test]
fn a_push_goes_through_only_from_the_expected_commit() {
    let world = World::new();
    let (remote, clone) = world.remote_and_clone();
    let begin = clone.head();
    let next = clone.commit("main.tf", "two\n", "Next");
    let open = clone.open();
    open.push("origin", &[update("refs/heads/main", Expected::At(begin.clone()), &clone)]).unwrap();
    assert_eq!(remote.at("main"), next);

    clone.commit("main.tf", "three\n", "Late");
    let late = open.push("origin", &[update("refs/heads/main", Expected::At(begin), &clone)]);
    let Err(RemoteError::Rejected { reference, .. }) = late else { panic!("{late:?}") };
    assert_eq!(reference, "refs/heads/main");
    assert_eq!(remote.at("main"), next);
    let absent = open.push("origin", &[update("refs/heads/main", Expected::Absent, &clone)]);
    assert!(matches!(absent, Err(RemoteError::Rejected { .. })), "{absent:?}");
    open.push("origin", &[update("refs/heads/new", Expected::Absent, &clone)]).unwrap();
}

#[test]
fn several_references_change_together_or_not_at_all() {
    let world = World::new();
    let (remote, clone) = world.remote_and_clone();
    let begin = clone.head();
    clone.commit("main.tf", "two\n", "Next");
    let both = [update("refs/heads/a", Expected::Absent, &clone), update("refs/heads/main", Expected::Absent, &clone)];
    let Err(RemoteError::Rejected { reference, .. }) = clone.open().push("origin", &both) else { panic!() };
    assert_eq!(reference, "refs/heads/main");
    assert_eq!(remote.open().resolve("refs/heads/a").unwrap(), None);
    assert_eq!(remote.at("main"), begin);
}

#[test]
fn a_remotes_own_rules_are_no_race() {
    let world = World::new();
    let (remote, clone) = world.remote_and_clone();
    let hook = remote.dir.join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\nprintf 'protected \\033[31mbranch\\n' >&2\nexit 1\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let begin = clone.head();
    clone.commit("main.tf", "two\n", "Next");
    let refused = clone.open().push("origin", &[update("refs/heads/main", Expected::At(begin), &clone)]);
    let Err(RemoteError::Declined { detail, .. }) = refused else { panic!("{refused:?}") };
    assert!(detail.contains("pre-receive hook declined"), "{detail}");
}

#[test]
fn hooks_of_the_clone_do_not_run() {
    let world = World::new();
    let (_, clone) = world.remote_and_clone();
    let ran = world.path("ran");
    for name in ["pre-push", "reference-transaction", "post-checkout"] {
        let hook = clone.dir.join(".git/hooks").join(name);
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", ran.display())).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
    clone.open().push("origin", &[update("refs/heads/new", Expected::Absent, &clone)]).unwrap();
    fetch(&clone).unwrap();
    assert!(!ran.exists());
}

#[test]
fn a_remote_that_is_gone_is_said_to_be_gone() {
    let world = World::new();
    let (remote, clone) = world.remote_and_clone();
    fs::rename(&remote.dir, world.path("elsewhere")).unwrap();
    let error = fetch(&clone).unwrap_err();
    assert!(matches!(error, RemoteError::RemoteGone { .. }), "{error}");
    assert_eq!(clone.trunk().commit, clone.head(), "what was fetched before is kept");
    clone.git(&["remote", "set-url", "origin", "http://127.0.0.1:1/x.git"]);
    let error = fetch(&clone).unwrap_err();
    assert!(matches!(error, RemoteError::RemoteGone { .. }), "{error}");
}

#[test]
fn no_remote_is_told_apart() {
    let world = World::new();
    let work = world.repository("work");
    work.commit("x", "x", "Begin");
    assert!(matches!(fetch(&work), Err(RemoteError::NoRemote { .. })));
    assert!(matches!(work.open().required_remote(), Err(RemoteError::NoRemote { .. })));
}

#[test]
fn refused_access_is_told_apart() {
    let world = World::new();
    let (_, clone) = world.remote_and_clone();
    clone.git(&["remote", "set-url", "origin", "ssh://git@example.invalid/x.git"]);
    let ssh = fake_ssh(&world, "echo 'git@example.invalid: Permission denied (publickey).' >&2; exit 255");
    let error = clone.open().with_program(ssh).fetch("origin", &[], Prune::Keep, &mut |_| {}).unwrap_err();
    assert!(matches!(error, RemoteError::AuthRefused { .. }), "{error}");
}

#[test]
fn another_gits_lock_is_named() {
    let world = World::new();
    let (remote, clone) = world.remote_and_clone();
    let other = world.clone_of(&remote, "other");
    other.commit("main.tf", "two\n", "Next");
    other.git(&["push", "-q", "origin", "main"]);
    let lock = clone.dir.join(".git/refs/remotes/origin/main.lock");
    fs::write(&lock, "").unwrap();
    let error = fetch(&clone).unwrap_err();
    assert!(matches!(error, RemoteError::LockHeld { .. }), "{error}");
    assert!(error.to_string().contains("main.lock"), "{error}");
    fs::remove_file(&lock).unwrap();
    fetch(&clone).unwrap();
}

#[test]
fn nothing_that_looks_like_an_option_or_a_helper_reaches_git() {
    let world = World::new();
    let (_, clone) = world.remote_and_clone();
    let ran = world.path("ran");
    let upload = format!("--upload-pack=touch {}", ran.display());
    let helper = format!("ext::sh -c touch% {}", ran.display());
    for url in [upload.as_str(), helper.as_str(), "", "a\nb"] {
        let error = clone_from(&program(), url, &world.path("x"), &mut |_| {}).unwrap_err();
        assert!(matches!(error, RemoteError::BadArgument { .. }), "{error}");
        assert!(list_url(&program(), url, &[]).is_err());
    }
    let open = clone.open();
    assert!(matches!(open.fetch(&upload, &[], Prune::Keep, &mut |_| {}), Err(RemoteError::BadArgument { .. })));
    let refspec = open.fetch("origin", &["--help"], Prune::Keep, &mut |_| {});
    assert!(matches!(refspec, Err(RemoteError::BadArgument { .. })));
    for reference in ["main", "refs/heads/a b", "refs/heads/-x/..", "refs/heads/a:b"] {
        let refused = open.push("origin", &[update(reference, Expected::Absent, &clone)]);
        assert!(matches!(refused, Err(RemoteError::BadArgument { .. })), "{reference}");
    }
    // A configured remote may still name a helper; Git itself refuses the protocol then.
    clone.git(&["remote", "add", "evil", &helper]);
    assert!(open.fetch("evil", &[], Prune::Keep, &mut |_| {}).is_err());
    assert!(!ran.exists());
}

#[test]
fn errors_carry_no_control_characters() {
    let world = World::new();
    let (_, clone) = world.remote_and_clone();
    clone.git(&["remote", "set-url", "origin", "ssh://git@example.invalid/x.git"]);
    let ssh = fake_ssh(&world, "printf 'fatal: \\033]0;owned\\007 \\342\\200\\256 boom\\n' >&2; exit 1");
    let error = clone.open().with_program(ssh).fetch("origin", &[], Prune::Keep, &mut |_| {}).unwrap_err();
    let shown = error.to_string();
    assert!(!shown.chars().any(|c| c.is_control() || c == '\u{202e}'), "{shown:?}");
}

#[test]
fn a_hanging_remote_is_given_up_with_all_its_helpers() {
    let world = World::new();
    let (_, clone) = world.remote_and_clone();
    clone.git(&["remote", "set-url", "origin", "ssh://git@example.invalid/x.git"]);
    let fifo = world.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let (ended, end) = channel();
    let reader = fifo.clone();
    // The pipe ends when the last process that holds its other end is gone.
    std::thread::spawn(move || ended.send(fs::read(reader).unwrap()));
    let ssh = fake_ssh(&world, &format!("exec 9>{}\nexec sleep 600", fifo.display()));
    let ssh = ssh.time_limit(Duration::from_secs(1));
    let started = Instant::now();
    let error = clone.open().with_program(ssh).fetch("origin", &[], Prune::Keep, &mut |_| {}).unwrap_err();
    assert!(matches!(error, RemoteError::Run(RunError::TimedOut { .. })), "{error}");
    assert!(started.elapsed() < Duration::from_secs(60));
    end.recv_timeout(Duration::from_secs(60)).expect("a helper outlived its git");
}

#[test]
fn a_fetch_can_be_cancelled() {
    let world = World::new();
    let (_, clone) = world.remote_and_clone();
    clone.git(&["remote", "set-url", "origin", "ssh://git@example.invalid/x.git"]);
    let ssh = fake_ssh(&world, "echo started >&2\nexec sleep 600");
    let cancel = Cancel::default();
    let open = clone.open().with_program(ssh.cancel(cancel.clone()));
    // Cancelled as soon as the helper says that it runs.
    let error = open.fetch("origin", &[], Prune::Keep, &mut |_| cancel.cancel()).unwrap_err();
    assert!(matches!(error, RemoteError::Run(RunError::Cancelled)), "{error}");
}

#[test]
fn a_missing_git_is_named() {
    let world = World::new();
    let (_, clone) = world.remote_and_clone();
    let none = GitProgram::default().program(world.path("no-git"));
    let error = clone.open().with_program(none).fetch("origin", &[], Prune::Keep, &mut |_| {}).unwrap_err();
    assert!(matches!(error, RemoteError::Run(RunError::NotInstalled { .. })), "{error}");
}
