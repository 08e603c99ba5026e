use std::fmt::Write as _;

use countersign_git::{Clone, Cut, DiffLimits, FileDiff, FileStatus, LineKind};
use proptest::prelude::{ProptestConfig, proptest};
use proptest::{collection, prop_assert_eq, sample};

use crate::world::{Work, World};

fn diff(work: &Work, limits: DiffLimits) -> Vec<FileDiff> {
    work.open().diff(&work.at("HEAD~1"), &work.head(), limits).unwrap()
}

#[test]
fn every_kind_of_change_is_named() {
    let world = World::new();
    let work = world.repository("work");
    let long: String = (0..50).fold(String::new(), |mut text, line| {
        writeln!(text, "line {line}").unwrap();
        text
    });
    work.write("moved from.tf", &long);
    work.write("gone.tf", "gone\n");
    work.write("link.tf", "file\n");
    work.write("same.tf", "same\n");
    work.commit("edited.tf", "one\n", "Begin");
    std::fs::rename(work.dir.join("moved from.tf"), work.dir.join("moved to.tf")).unwrap();
    std::fs::remove_file(work.dir.join("gone.tf")).unwrap();
    std::fs::remove_file(work.dir.join("link.tf")).unwrap();
    std::os::unix::fs::symlink("same.tf", work.dir.join("link.tf")).unwrap();
    work.write("new.tf", "new\n");
    work.commit("edited.tf", "two\n", "Change");

    let mut files = work.open().changed_files(&work.at("HEAD~1"), &work.head()).unwrap();
    files.sort_by_key(|file| file.paths().collect::<String>());
    let shown: Vec<_> = files.iter().map(|f| (f.status, f.paths().collect::<Vec<_>>())).collect();
    assert_eq!(
        shown,
        [
            (FileStatus::Modified, vec!["edited.tf"]),
            (FileStatus::Deleted, vec!["gone.tf"]),
            (FileStatus::TypeChanged, vec!["link.tf"]),
            (FileStatus::Renamed, vec!["moved to.tf", "moved from.tf"]),
            (FileStatus::Added, vec!["new.tf"]),
        ]
    );
}

#[test]
fn hunks_carry_numbers_and_missing_line_feeds() {
    let world = World::new();
    let work = world.repository("work");
    work.commit("x", "a\nb\nc", "Begin");
    work.commit("x", "a\nB\nc\n", "Change");
    let [file] = diff(&work, DiffLimits::default()).try_into().unwrap();
    let [hunk] = file.hunks.as_slice() else { panic!("{file:?}") };
    assert_eq!((hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines), (1, 3, 1, 3));
    let lines: Vec<_> =
        hunk.lines.iter().map(|l| (l.kind, l.old_no, l.new_no, l.text.as_str(), l.no_newline)).collect();
    assert_eq!(
        lines,
        [
            (LineKind::Context, Some(1), Some(1), "a", false),
            (LineKind::Removed, Some(2), None, "b", false),
            (LineKind::Removed, Some(3), None, "c", true),
            (LineKind::Added, None, Some(2), "B", false),
            (LineKind::Added, None, Some(3), "c", false),
        ]
    );
}

#[test]
fn attributes_cannot_hide_a_text_file() {
    let world = World::new();
    let work = world.repository("work");
    work.write(".gitattributes", "*.tf -diff -text binary\n");
    work.commit("x.tf", "one\n", "Begin");
    work.commit("x.tf", "two\n", "Change");
    let [file] = diff(&work, DiffLimits::default()).try_into().unwrap();
    assert!(!file.binary);
    assert_eq!(file.hunks[0].lines.len(), 2);
}

#[test]
fn binary_and_huge_files_have_no_hunks_and_other_encodings_are_shown() {
    let world = World::new();
    let work = world.repository("work");
    work.write("a.bin", b"\0\x01");
    work.write("b.tf", "x\n");
    work.commit("c.tf", "x\n", "Begin");
    work.write("a.bin", b"\0\x02");
    work.write("b.tf", b"caf\xe9\n");
    work.commit("c.tf", "y\n".repeat(600), "Change");
    let files = diff(&work, DiffLimits { bytes_per_file: 1000, ..DiffLimits::default() });
    assert_eq!(files.iter().map(|file| file.binary).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(files[1].hunks[0].lines[1].text, "caf\u{fffd}");
}

#[test]
fn what_was_cut_is_said() {
    let world = World::new();
    let work = world.repository("work");
    for name in ["a", "b", "c"] {
        work.write(name, "");
    }
    work.commit_all("Begin");
    for name in ["a", "b", "c"] {
        work.write(name, "0123456789\n".repeat(10));
    }
    work.commit_all("Change");
    let limits = DiffLimits { lines_per_file: 8, total_lines: 12, bytes_per_line: 4, ..DiffLimits::default() };
    let files = diff(&work, limits);
    let cuts: Vec<_> = files.iter().map(|file| file.cut).collect();
    assert_eq!(cuts, [Cut::Lines { shown: 8, of: 10 }, Cut::Lines { shown: 4, of: 10 }, Cut::WholeFile]);
    let line = &files[0].hunks[0].lines[0];
    assert_eq!((line.text.as_str(), line.cut_bytes), ("0123", 6));
}

/// The file as it was before or after, from a diff with everything as context.
fn side(files: &[FileDiff], without: LineKind) -> String {
    let lines = files.iter().flat_map(|file| &file.hunks).flat_map(|hunk| &hunk.lines);
    lines.filter(|line| line.kind != without).fold(String::new(), |mut text, line| {
        text.push_str(&line.text);
        if !line.no_newline {
            text.push('\n');
        }
        text
    })
}

fn commit_of(clone: &Clone, content: &str) -> countersign_domain::names::CommitId {
    // A path in a shared tree is as good a file as any.
    clone.append(None, &[("x".to_owned(), content.as_bytes().to_vec())], "x").unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_diff_with_full_context_holds_both_sides(
        old in collection::vec(sample::select(vec!["a\n", "b\n", "c\r\n", "\n", "d"]), 0..20),
        new in collection::vec(sample::select(vec!["a\n", "b\n", "c\r\n", "\n", "d"]), 0..20),
    ) {
        let (old, new) = (old.concat(), new.concat());
        let world = World::new();
        let clone = world.repository("work").open();
        let limits = DiffLimits { context_lines: 1000, ..DiffLimits::default() };
        let files = clone.diff(&commit_of(&clone, &old), &commit_of(&clone, &new), limits).unwrap();
        if old != new {
            prop_assert_eq!(side(&files, LineKind::Added), old);
            prop_assert_eq!(side(&files, LineKind::Removed), new);
        }
    }
}
