//! Changed files, and bounded line diffs for people. What was cut is always said.

use git2::{Delta, DiffFindOptions, DiffLineType, DiffOptions, Patch, Repository};

use crate::clone::Clone;
use crate::error::GitError;
use crate::text::lossy;
use crate::tree::{Snapshot, find_tree};

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileStatus {
    /// It is new.
    Added,
    /// It is gone.
    Deleted,
    /// Its content or its executable bit changed.
    Modified,
    /// It moved, perhaps with changes.
    Renamed,
    /// It became something else: a link, a submodule, or a regular file.
    TypeChanged,
}

/// A changed file. Paths are from the repository's root, hostile, and lossy where they are not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedFile {
    /// The path before; absent for a new file.
    pub old_path: Option<String>,
    /// The path after; absent for a deleted file.
    pub new_path: Option<String>,
    /// What happened.
    pub status: FileStatus,
}

impl ChangedFile {
    /// The paths it touches: one, or two for a rename.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let old = self.old_path.as_deref().filter(|old| Some(*old) != self.new_path.as_deref());
        self.new_path.as_deref().into_iter().chain(old)
    }
}

/// How much of a diff is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiffLimits {
    /// Unchanged lines around each change.
    pub context_lines: u32,
    /// Most lines of one file.
    pub lines_per_file: usize,
    /// Most lines of the whole diff.
    pub total_lines: usize,
    /// Most bytes of one line; the rest of it is cut.
    pub bytes_per_line: usize,
    /// A file larger than this many bytes counts as binary.
    pub bytes_per_file: u64,
}

impl Default for DiffLimits {
    fn default() -> Self {
        Self {
            context_lines: 3,
            lines_per_file: 20_000,
            total_lines: 100_000,
            bytes_per_line: 4_000,
            bytes_per_file: 8 << 20,
        }
    }
}

/// What is missing from a file's diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nothing.
    Nothing,
    /// Some lines at the end.
    Lines {
        /// How many lines are shown.
        shown: usize,
        /// How many there are.
        of: usize,
    },
    /// All of it: the whole diff's limit was reached before this file.
    WholeFile,
}

/// The diff of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDiff {
    /// Which file, and what happened to it.
    pub file: ChangedFile,
    /// It is not text, or too large to be read as text; there are no hunks then.
    pub binary: bool,
    /// The changed places.
    pub hunks: Vec<Hunk>,
    /// What is missing from `hunks`.
    pub cut: Cut,
}

/// A changed place with its surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// First line before, counted from 1 (0 when there is none).
    pub old_start: u32,
    /// Number of lines before.
    pub old_lines: u32,
    /// First line after, counted from 1 (0 when there is none).
    pub new_start: u32,
    /// Number of lines after.
    pub new_lines: u32,
    /// The line that names the enclosing block, after the second `@@`; often empty.
    pub header: String,
    /// The lines.
    pub lines: Vec<DiffLine>,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// Unchanged.
    Context,
    /// Only after.
    Added,
    /// Only before.
    Removed,
}

/// One line of a diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffLine {
    /// What it is.
    pub kind: LineKind,
    /// Its number before, from 1.
    pub old_no: Option<u32>,
    /// Its number after, from 1.
    pub new_no: Option<u32>,
    /// Its text without the line feed; hostile, control characters included, lossy where it is not UTF-8.
    pub text: String,
    /// How many bytes were cut off its end.
    pub cut_bytes: usize,
    /// The file ends here without a line feed.
    pub no_newline: bool,
}

impl Clone {
    /// The files that differ between two states, renames found.
    ///
    /// # Errors
    /// Fails when either state is not in this clone.
    pub fn changed_files<'a, 'b>(
        &self,
        base: impl Into<Snapshot<'a>>,
        head: impl Into<Snapshot<'b>>,
    ) -> Result<Vec<ChangedFile>, GitError> {
        let repo = self.repository()?;
        let diff = compute(&repo, base.into(), head.into(), DiffLimits::default())?;
        Ok(diff.deltas().map(|delta| changed_file(&delta)).collect())
    }

    /// The line diff between two states, within `limits`.
    ///
    /// # Errors
    /// Fails when either state is not in this clone.
    pub fn diff<'a, 'b>(
        &self,
        base: impl Into<Snapshot<'a>>,
        head: impl Into<Snapshot<'b>>,
        limits: DiffLimits,
    ) -> Result<Vec<FileDiff>, GitError> {
        let repo = self.repository()?;
        let diff = compute(&repo, base.into(), head.into(), limits)?;
        let mut left = limits.total_lines;
        let mut files = Vec::with_capacity(diff.deltas().len());
        for index in 0..diff.deltas().len() {
            let file = file_diff(&repo, &diff, index, left, limits)?;
            left = left.saturating_sub(file.hunks.iter().map(|hunk| hunk.lines.len()).sum());
            files.push(file);
        }
        Ok(files)
    }
}

fn compute<'repo>(
    repo: &'repo Repository,
    base: Snapshot<'_>,
    head: Snapshot<'_>,
    limits: DiffLimits,
) -> Result<git2::Diff<'repo>, GitError> {
    let failed = |error: git2::Error| GitError::library("compare two trees", &error);
    let (old, new) = (find_tree(repo, base)?, find_tree(repo, head)?);
    let mut options = DiffOptions::new();
    options
        .context_lines(limits.context_lines)
        .interhunk_lines(0)
        .include_typechange(true)
        // A `.gitattributes` line must not be able to hide a text file from review; see `is_binary`.
        .force_text(true)
        .indent_heuristic(true);
    let mut diff = repo.diff_tree_to_tree(Some(&old), Some(&new), Some(&mut options)).map_err(failed)?;
    let mut similar = DiffFindOptions::new();
    similar.renames(true).copies(false).rename_threshold(50).rename_limit(1000);
    diff.find_similar(Some(&mut similar)).map_err(failed)?;
    Ok(diff)
}

fn changed_file(delta: &git2::DiffDelta<'_>) -> ChangedFile {
    let old = delta.old_file().path_bytes().map(lossy);
    let new = delta.new_file().path_bytes().map(lossy);
    let (old_path, new_path, status) = match delta.status() {
        Delta::Added => (None, new, FileStatus::Added),
        Delta::Deleted => (old, None, FileStatus::Deleted),
        Delta::Renamed => (old, new, FileStatus::Renamed),
        Delta::Typechange => (old, new, FileStatus::TypeChanged),
        _ => (old, new, FileStatus::Modified),
    };
    ChangedFile { old_path, new_path, status }
}

fn file_diff(
    repo: &Repository,
    diff: &git2::Diff<'_>,
    index: usize,
    left: usize,
    limits: DiffLimits,
) -> Result<FileDiff, GitError> {
    let failed = |error: git2::Error| GitError::library("compare two files", &error);
    let delta = diff.get_delta(index).ok_or_else(|| failed(git2::Error::from_str("the file is gone")))?;
    let file = changed_file(&delta);
    let sides = [delta.old_file().id(), delta.new_file().id()];
    if sides.into_iter().any(|id| is_binary(repo, id, limits.bytes_per_file)) {
        return Ok(FileDiff { file, binary: true, hunks: Vec::new(), cut: Cut::Nothing });
    }
    if left == 0 {
        return Ok(FileDiff { file, binary: false, hunks: Vec::new(), cut: Cut::WholeFile });
    }
    let Some(patch) = Patch::from_diff(diff, index).map_err(failed)? else {
        return Ok(FileDiff { file, binary: false, hunks: Vec::new(), cut: Cut::Nothing });
    };
    let hunks = read_hunks(&patch, left.min(limits.lines_per_file), limits.bytes_per_line).map_err(failed)?;
    let shown = hunks.iter().map(|hunk| hunk.lines.len()).sum();
    let (context, added, removed) = patch.line_stats().map_err(failed)?;
    let of = context + added + removed;
    let cut = if shown < of { Cut::Lines { shown, of } } else { Cut::Nothing };
    Ok(FileDiff { file, binary: false, hunks, cut })
}

/// Decided by size and content (a zero byte near the start) alone. What is not a blob here, such as a submodule's
/// commit, is small text to libgit2.
fn is_binary(repo: &Repository, id: git2::Oid, limit: u64) -> bool {
    let Ok(odb) = repo.odb() else { return false };
    let Ok((bytes, git2::ObjectType::Blob)) = odb.read_header(id) else { return false };
    if u64::try_from(bytes).unwrap_or(u64::MAX) > limit {
        return true;
    }
    repo.find_blob(id).is_ok_and(|blob| blob.is_binary())
}

fn read_hunks(patch: &Patch<'_>, limit: usize, line_bytes: usize) -> Result<Vec<Hunk>, git2::Error> {
    let mut left = limit;
    let mut hunks = Vec::new();
    for index in 0..patch.num_hunks() {
        if left == 0 {
            break;
        }
        let lines = read_lines(patch, index, left, line_bytes)?;
        left -= lines.len();
        let (hunk, _) = patch.hunk(index)?;
        hunks.push(Hunk {
            old_start: hunk.old_start(),
            old_lines: hunk.old_lines(),
            new_start: hunk.new_start(),
            new_lines: hunk.new_lines(),
            header: block_name(hunk.header()),
            lines,
        });
    }
    Ok(hunks)
}

/// `@@ -1,2 +1,3 @@ name` → `name`
fn block_name(header: &[u8]) -> String {
    let header = lossy(header);
    header.splitn(3, "@@").nth(2).unwrap_or_default().trim().to_owned()
}

fn read_lines(patch: &Patch<'_>, hunk: usize, limit: usize, bytes: usize) -> Result<Vec<DiffLine>, git2::Error> {
    let mut lines: Vec<DiffLine> = Vec::new();
    for index in 0..patch.num_lines_in_hunk(hunk)? {
        let line = patch.line_in_hunk(hunk, index)?;
        let kind = match line.origin_value() {
            DiffLineType::Context => LineKind::Context,
            DiffLineType::Addition => LineKind::Added,
            DiffLineType::Deletion => LineKind::Removed,
            DiffLineType::ContextEOFNL | DiffLineType::AddEOFNL | DiffLineType::DeleteEOFNL => {
                // "No newline at end of file" says something about the line before it.
                lines.iter_mut().next_back().into_iter().for_each(|last| last.no_newline = true);
                continue;
            }
            _ => continue,
        };
        if lines.len() == limit {
            break;
        }
        let content = line.content().strip_suffix(b"\n").unwrap_or(line.content());
        let shown = content.get(..bytes).unwrap_or(content);
        lines.push(DiffLine {
            kind,
            old_no: line.old_lineno(),
            new_no: line.new_lineno(),
            text: lossy(shown),
            cut_bytes: content.len() - shown.len(),
            no_newline: false,
        });
    }
    Ok(lines)
}
