use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use countersign_domain::names::CommitId;
use countersign_git::checkout::{CheckoutError, remove_checkout};
use countersign_git::{Checkout, ToolCache};

use crate::world::{Work, World, git};

fn checkout(work: &Work, at: &CommitId, dir: &Path) -> Checkout {
    work.open().checkout(at, dir, ToolCache::Remove).unwrap()
}

/// The tree id that Git itself gives to what is in `dir`.
fn tree_in(world: &World, dir: &Path) -> String {
    let index = world.repository("index");
    let dir = format!("--work-tree={}", dir.display());
    git(&index.dir, &[&dir, "--git-dir=.git", "-c", "core.autocrlf=false", "add", "-A", "-f", "."]);
    let tree = git(&index.dir, &["write-tree"]);
    fs::remove_dir_all(index.dir).unwrap();
    tree
}

fn sample(world: &World) -> Work {
    let work = world.repository("work");
    work.write("prod/web/main.tf", "web\r\nmixed\n");
    work.write("prod/orders db/ü $(touch x).tf", "orders\n");
    work.write(".gitignore", "*.tfstate\n");
    work.write("run.sh", "#!/bin/sh\n");
    symlink("../run.sh", work.dir.join("prod/run")).unwrap();
    work.make_executable("run.sh");
    work.commit_all("Begin");
    work
}

#[test]
fn a_checkout_holds_exactly_the_tree() {
    let world = World::new();
    let work = sample(&world);
    let dir = world.path("runs/a/checkout");
    let made = checkout(&work, &work.head(), &dir);
    assert_eq!(made.left_out, []);
    assert_eq!(tree_in(&world, &dir), made.tree.as_str());
    assert_eq!(fs::read(dir.join("prod/run")).unwrap(), b"#!/bin/sh\n");
    assert!(!dir.join(".git").exists());
}

#[test]
fn the_next_checkout_repairs_whatever_happened_in_between() {
    let world = World::new();
    let work = sample(&world);
    let first = work.head();
    // A directory becomes a file, a link becomes a directory, a directory goes.
    fs::remove_dir_all(work.dir.join("prod/web")).unwrap();
    fs::remove_dir_all(work.dir.join("prod/orders db")).unwrap();
    fs::remove_file(work.dir.join("prod/run")).unwrap();
    work.write("prod/run/file", "x");
    let second = work.commit("prod/web", "now a file", "Change");

    let dir = world.path("checkout");
    for at in [&first, &second, &first] {
        let made = checkout(&work, at, &dir);
        assert_eq!(tree_in(&world, &dir), made.tree.as_str());
        fs::create_dir_all(dir.join("untracked/deep")).unwrap();
        fs::write(dir.join("terraform.tfstate"), "left over").unwrap();
        fs::write(dir.join("run.sh"), "tampered").unwrap();
    }
}

#[test]
fn unchanged_files_are_not_written_again() {
    let world = World::new();
    let work = sample(&world);
    let dir = world.path("checkout");
    checkout(&work, &work.head(), &dir);
    let before = fs::metadata(dir.join("prod/web/main.tf")).unwrap();
    checkout(&work, &work.head(), &dir);
    let after = fs::metadata(dir.join("prod/web/main.tf")).unwrap();
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
}

#[test]
fn tool_caches_stay_only_when_asked_and_only_as_directories() {
    let world = World::new();
    let work = sample(&world);
    let dir = world.path("checkout");
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "x").unwrap();
    checkout(&work, &work.head(), &dir);
    let cache = dir.join("prod/web/.terraform");
    fs::create_dir_all(cache.join("providers")).unwrap();
    symlink(&outside, dir.join("prod/.terraform")).unwrap();
    work.open().checkout(&work.head(), &dir, ToolCache::Keep).unwrap();
    assert!(cache.join("providers").is_dir());
    assert!(fs::symlink_metadata(dir.join("prod/.terraform")).is_err());
    work.open().checkout(&work.head(), &dir, ToolCache::Remove).unwrap();
    assert!(!cache.exists());
    assert!(outside.join("precious").exists());
}

#[test]
fn links_out_of_the_repository_are_left_out() {
    let world = World::new();
    let work = world.repository("work");
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    for (name, target) in [("up", "../outside"), ("absolute", outside.to_str().unwrap()), ("inside", "ok.tf")] {
        symlink(target, work.dir.join(name)).unwrap();
    }
    let head = work.commit("ok.tf", "ok\n", "Links");
    let dir = world.path("checkout");
    let made = checkout(&work, &head, &dir);
    let left: Vec<_> = made.left_out.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(left, ["absolute", "up"]);
    assert_eq!(fs::read(dir.join("inside")).unwrap(), b"ok\n");
    assert!(fs::symlink_metadata(dir.join("up")).is_err());
}

#[test]
fn nothing_is_written_through_a_link_that_a_run_left_behind() {
    let world = World::new();
    let work = sample(&world);
    let dir = world.path("checkout");
    let outside = world.path("outside");
    fs::create_dir_all(outside.join("web")).unwrap();
    fs::write(outside.join("victim"), "untouched").unwrap();
    checkout(&work, &work.head(), &dir);
    fs::remove_dir_all(dir.join("prod")).unwrap();
    symlink(&outside, dir.join("prod")).unwrap();
    fs::remove_file(dir.join("run.sh")).unwrap();
    symlink(outside.join("victim"), dir.join("run.sh")).unwrap();
    let made = checkout(&work, &work.head(), &dir);
    assert_eq!(tree_in(&world, &dir), made.tree.as_str());
    assert_eq!(fs::read(outside.join("victim")).unwrap(), b"untouched");
    assert_eq!(fs::read_dir(outside.join("web")).unwrap().count(), 0);
}

#[test]
fn hostile_tree_entries_are_left_out() {
    let world = World::new();
    let work = sample(&world);
    let blob = work.git(&["rev-parse", "HEAD:run.sh"]);
    let tree = work.git(&["rev-parse", "HEAD:prod/web"]);
    let mut raw = Vec::new();
    for (mode, name, id) in
        [("100644", "..", &blob), ("40000", ".GIT", &tree), ("100644", "a/b", &blob), ("100644", "fine", &blob)]
    {
        raw.extend(format!("{mode} {name}\0").bytes());
        raw.extend((0..40).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()));
    }
    work.write("raw", raw);
    let tree = work.git(&["hash-object", "--literally", "-t", "tree", "-w", "raw"]);
    let commit = work.git(&["commit-tree", "-m", "Hostile", &tree]);
    let dir = world.path("a/checkout");
    let made = checkout(&work, &CommitId::new(commit).unwrap(), &dir);
    let left: Vec<_> = made.left_out.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(left, ["..", ".GIT", "a/b"]);
    let names: Vec<_> = fs::read_dir(&dir).unwrap().map(|found| found.unwrap().file_name()).collect();
    assert_eq!(names, ["fine"]);
}

#[test]
fn filters_and_hooks_of_the_clone_do_not_run() {
    let world = World::new();
    let work = sample(&world);
    let trace = world.path("ran");
    let command = format!("tee -a {}", trace.display());
    let head = work.commit(".gitattributes", "*.tf filter=evil eol=crlf ident\n", "Attributes");
    work.git(&["config", "filter.evil.smudge", &command]);
    work.git(&["config", "core.fsmonitor", &command]);
    work.git(&["config", "core.autocrlf", "true"]);
    work.write(".git/hooks/post-checkout", format!("#!/bin/sh\ntouch {}\n", trace.display()));
    let dir = world.path("checkout");
    let made = checkout(&work, &head, &dir);
    // Git would write CRLF here, as the attributes say; the object has LF.
    assert_eq!(fs::read(dir.join("prod/web/main.tf")).unwrap(), b"web\nmixed\n");
    assert!(!trace.exists());
    assert_eq!(made.left_out, []);
}

#[test]
fn a_submodule_is_left_out() {
    let world = World::new();
    let work = sample(&world);
    let id = work.head();
    work.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},modules/x")]);
    work.git(&["commit", "-q", "-m", "Submodule"]);
    let made = checkout(&work, &work.head(), &world.path("checkout"));
    assert_eq!(made.left_out.len(), 1);
    assert_eq!((made.left_out[0].path.as_str(), made.left_out[0].problem), ("modules/x", "it is a submodule"));
}

#[test]
fn directories_that_are_not_ours_stay_as_they_are() {
    let world = World::new();
    let work = sample(&world);
    let home = world.path("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("thesis"), "x").unwrap();
    let error = work.open().checkout(&work.head(), &home, ToolCache::Remove).unwrap_err();
    assert!(matches!(error, CheckoutError::NotOurs { .. }));
    assert!(matches!(remove_checkout(&home), Err(CheckoutError::NotOurs { .. })));
    assert!(home.join("thesis").exists());
    for inside in [work.dir.join("checkout"), work.dir.clone(), work.dir.join(".git/x"), world.path("")] {
        let error = work.open().checkout(&work.head(), &inside, ToolCache::Remove).unwrap_err();
        assert!(matches!(error, CheckoutError::InsideClone { .. }), "{inside:?}: {error}");
    }
}

#[test]
fn a_checkout_is_removed_without_a_trace() {
    let world = World::new();
    let work = sample(&world);
    let dir = world.path("runs/checkout");
    checkout(&work, &work.head(), &dir);
    remove_checkout(&dir).unwrap();
    assert_eq!(fs::read_dir(world.path("runs")).unwrap().count(), 0);
    remove_checkout(&dir).unwrap();
}
