use countersign_domain::names::CommitId;
use countersign_git::{Entry, GitError};

use crate::world::{Work, World, path};

fn world_of_links(world: &World) -> (Work, CommitId) {
    let work = world.repository("work");
    work.write("prod/web/main.tf", "web\n");
    work.write("prod/orders db/ü$(x).tf", "orders\n");
    work.write("run.sh", "#!/bin/sh\n");
    std::os::unix::fs::symlink("/etc/passwd", work.dir.join("passwd")).unwrap();
    std::os::unix::fs::symlink("prod", work.dir.join("alias")).unwrap();
    work.make_executable("run.sh");
    let head = work.commit_all("Begin");
    (work, head)
}

#[test]
fn files_are_read_from_the_object_database() {
    let world = World::new();
    let (work, head) = world_of_links(&world);
    work.write("prod/web/main.tf", "edited but not committed\n");
    let clone = work.open();
    assert_eq!(clone.read_file(&head, &path("prod/web/main.tf"), 100).unwrap(), Some(b"web\n".to_vec()));
    assert_eq!(clone.read_file(&head, &path("prod/orders db/ü$(x).tf"), 100).unwrap(), Some(b"orders\n".to_vec()));
    assert_eq!(clone.read_file(&head, &path("prod/web/none.tf"), 100).unwrap(), None);
    assert_eq!(clone.read_file(&head, &path("prod/web/main.tf/x"), 100).unwrap(), None);
    let tree = clone.tree_of(&head).unwrap();
    assert_eq!(clone.read_file(&tree, &path("run.sh"), 100).unwrap(), Some(b"#!/bin/sh\n".to_vec()));
}

#[test]
fn links_directories_and_large_files_are_refused_apart() {
    let world = World::new();
    let (work, head) = world_of_links(&world);
    let clone = work.open();
    let read = |text: &str, limit| clone.read_file(&head, &path(text), limit).unwrap_err();
    assert!(matches!(read("passwd", 1 << 20), GitError::SymbolicLink { .. }));
    assert!(matches!(read("alias/web/main.tf", 100), GitError::SymbolicLink { .. }));
    assert!(matches!(read("prod/web", 100), GitError::NotAFile { .. }));
    assert!(matches!(read("prod/web/main.tf", 3), GitError::TooLarge { bytes: 4, limit: 3, .. }));
    assert_eq!(clone.read_link(&head, &path("passwd")).unwrap().as_deref(), Some("/etc/passwd"));
    assert_eq!(clone.read_link(&head, &path("run.sh")).unwrap(), None);
    let unknown = CommitId::new("1".repeat(40)).unwrap();
    assert!(matches!(clone.read_file(&unknown, &path("x"), 1), Err(GitError::Missing { .. })));
}

#[test]
fn an_entry_id_changes_with_its_content_only() {
    let world = World::new();
    let (work, before) = world_of_links(&world);
    let after = work.commit("prod/web/main.tf", "changed\n", "Change");
    let clone = work.open();
    let id = |at: &CommitId, text: &str| clone.entry(at, &path(text)).unwrap().unwrap().id().to_owned();
    assert_ne!(id(&before, "prod/web"), id(&after, "prod/web"));
    assert_ne!(id(&before, "."), id(&after, "."));
    assert_eq!(id(&before, "prod/orders db"), id(&after, "prod/orders db"));
    assert_eq!(id(&after, "prod/web"), work.git(&["rev-parse", "HEAD:prod/web"]));
    assert_eq!(clone.entry(&after, &path("nothing")).unwrap(), None);
    assert!(matches!(clone.entry(&after, &path("run.sh")).unwrap(), Some(Entry::Executable(_))));
}

#[test]
fn listings_name_everything_and_follow_nothing() {
    let world = World::new();
    let (work, head) = world_of_links(&world);
    let clone = work.open();
    let listed = clone.list_files(&head, &path(".")).unwrap();
    let paths: Vec<_> = listed.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["alias", "passwd", "prod/orders db/ü$(x).tf", "prod/web/main.tf", "run.sh"]);
    assert!(matches!(listed[0].entry, Entry::SymbolicLink(_)));
    let below: Vec<_> = clone.list_files(&head, &path("prod/web")).unwrap().into_iter().map(|f| f.path).collect();
    assert_eq!(below, ["prod/web/main.tf"]);
    assert!(clone.list_files(&head, &path("nowhere")).unwrap().is_empty());
    assert!(matches!(clone.list_files(&head, &path("alias")), Err(GitError::SymbolicLink { .. })));
    let read = clone.read_files(&head, &path("."), 100, |path| path.ends_with(".tf")).unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!(read[1], ("prod/web/main.tf".to_owned(), b"web\n".to_vec()));
}

#[test]
fn blobs_round_trip() {
    let world = World::new();
    let clone = world.repository("work").open();
    let id = clone.write_blob(b"\0binary").unwrap();
    assert_eq!(clone.read_blob(&id, 7).unwrap(), b"\0binary");
    assert!(matches!(clone.read_blob(&id, 6), Err(GitError::TooLarge { .. })));
}
