//! Files of a repository.

use countersign_domain::names::UnitPath;
use countersign_iac::files::{self, Directory, Entry, EntryKind, Files, FilesError, MAX_FILE_BYTES};

fn dir(path: &str) -> UnitPath {
    UnitPath::new(path).unwrap()
}

#[test]
fn relative_paths_stay_in_the_repository() {
    let resolve = |from: &str, path: &str| files::resolve(&dir(from), path);
    assert_eq!(resolve("a/b", "../c/./d//e").as_deref(), Some("a/c/d/e"));
    assert_eq!(resolve("a/b", "../..").as_deref(), Some("."));
    assert_eq!(resolve(".", "x").as_deref(), Some("x"));
    assert_eq!(resolve("a/b", "../../.."), None);
    assert_eq!(resolve("a", "/etc"), None);
}

#[cfg(unix)]
#[test]
fn links_are_followed_inside_and_refused_outside() {
    use std::os::unix::fs::symlink;
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("repo");
    std::fs::create_dir_all(root.join("a")).unwrap();
    std::fs::write(outer.path().join("secret.tf"), "secret").unwrap();
    std::fs::write(root.join("real.tf"), "real").unwrap();
    symlink("../real.tf", root.join("a/one.tf")).unwrap();
    symlink("one.tf", root.join("a/two.tf")).unwrap();
    symlink("../../secret.tf", root.join("a/out.tf")).unwrap();
    symlink("round.tf", root.join("a/round.tf")).unwrap();
    symlink("..", root.join("a/up")).unwrap();
    symlink(outer.path(), root.join("escape")).unwrap();
    let source = Directory::new(&root);
    let read =
        |name: &str| files::read_entry(&source, &dir("a"), &Entry { name: name.to_owned(), kind: EntryKind::Link });
    assert_eq!(read("one.tf").unwrap(), b"real");
    assert_eq!(read("two.tf").unwrap(), b"real");
    for bad in ["out.tf", "round.tf", "up"] {
        assert!(matches!(read(bad), Err(FilesError::Link { .. })), "{bad}");
    }
    assert!(matches!(source.read("escape/secret.tf"), Err(FilesError::Link { .. })));
    assert!(matches!(source.list(&dir("escape")), Err(FilesError::Link { .. })));
}

#[test]
fn what_is_missing_or_too_large_is_said() {
    let root = tempfile::tempdir().unwrap();
    let source = Directory::new(root.path());
    assert!(matches!(source.read("none.tf"), Err(FilesError::Missing { .. })));
    assert!(matches!(source.read("../x"), Err(FilesError::Missing { .. })));
    assert!(matches!(source.list(&dir("none")), Err(FilesError::Missing { .. })));
    std::fs::File::create(root.path().join("big.tf")).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
    assert!(matches!(source.read("big.tf"), Err(FilesError::TooLarge { .. })));
    std::fs::create_dir(root.path().join(".git")).unwrap();
    let names: Vec<String> = source.list(&UnitPath::root()).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["big.tf"]);
}
