//! Clone, fetch, push and list over the network, by the user's own `git`, with failures told apart.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use countersign_domain::names::{BranchName, CommitId, quoted};

use crate::clone::{Clone, OpenError};
use crate::error::GitError;
use crate::program::{GitProgram, Output, RunError};
use crate::text::{lossy, plain};

/// Why something on a remote could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The clone has no remote, or none of this name.
    #[error("there is no remote {}; add one with `git remote add`", quoted(.name))]
    NoRemote {
        /// The name that was looked for.
        name: String,
    },
    /// The remote does not answer, or there is no repository.
    #[error("the remote cannot be reached: {detail}; nothing was lost, try again when it is back")]
    RemoteGone {
        /// Git's last words.
        detail: String,
    },
    /// The remote refuses these credentials, or asks for some.
    #[error("the remote refused access: {detail}; check that `git fetch` works in a terminal")]
    AuthRefused {
        /// Git's last words.
        detail: String,
    },
    /// The reference on the remote is not what was expected: somebody else was faster.
    #[error("{} has moved on the remote: {detail}; fetch and try again", quoted(.reference))]
    Rejected {
        /// The reference that was to be changed.
        reference: String,
        /// Git's reason.
        detail: String,
    },
    /// The remote's own rules forbid this change (branch protection, a hook).
    #[error("the remote does not allow changing {}: {detail}", quoted(.reference))]
    Declined {
        /// The reference that was to be changed.
        reference: String,
        /// The remote's reason.
        detail: String,
    },
    /// Another Git process holds a lock in this clone.
    #[error("another git process holds a lock: {detail}; wait for it, or remove the lock file if no git is running")]
    LockHeld {
        /// Git's last words, which name the lock file.
        detail: String,
    },
    /// A disk is full, here or on the remote.
    #[error("no space left on the disk: {detail}")]
    DiskFull {
        /// Git's last words.
        detail: String,
    },
    /// A URL, reference or revision cannot be handed to Git.
    #[error("{} cannot be used: {problem}", quoted(.text))]
    BadArgument {
        /// The refused text.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The directory to clone into is in use.
    #[error("{} already exists and is not empty; choose another directory", .dir.display())]
    NotEmpty {
        /// The directory that was to be filled.
        dir: PathBuf,
    },
    /// Git did not run to its end.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The local side failed.
    #[error(transparent)]
    Local(#[from] GitError),
    /// Anything else.
    #[error("git failed: {detail}")]
    Other {
        /// Git's last words.
        detail: String,
    },
}

impl From<OpenError> for RemoteError {
    fn from(error: OpenError) -> Self {
        Self::Local(GitError::Open(error))
    }
}

/// What a reference on the remote must be for a push to go ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// It must not exist yet.
    Absent,
    /// It must point at this commit.
    At(CommitId),
}

impl From<Option<CommitId>> for Expected {
    fn from(commit: Option<CommitId>) -> Self {
        commit.map_or(Self::Absent, Self::At)
    }
}

/// One reference to change on a remote, by compare-and-swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// The full name on the remote, such as `refs/heads/main`.
    pub reference: String,
    /// What it must be now.
    pub expected: Expected,
    /// What it shall be; nothing deletes it.
    pub new: Option<CommitId>,
}

/// A reference as the remote lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteRef {
    /// The full name; hostile text.
    pub name: String,
    /// The object it points at, a commit or an annotated tag.
    pub id: CommitId,
}

/// What [`Clone::fetch`] does with references that are gone from the remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prune {
    /// Keep the local copies.
    Keep,
    /// Remove the local copies.
    Gone,
}

/// Clones `url` into `dir`, which must not exist or be empty, and opens it. Lines of Git's progress go to `progress`.
///
/// # Errors
/// [`RemoteError`] tells an unreachable remote, refused access and a full disk apart. Git removes what it had begun.
pub fn clone_from(
    program: &GitProgram,
    url: &str,
    dir: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<Clone, RemoteError> {
    check_url(url)?;
    if std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(RemoteError::NotEmpty { dir: dir.to_owned() });
    }
    let arguments = ["clone", "--progress", "--no-recurse-submodules", "--", url].map(OsStr::new);
    let arguments: Vec<&OsStr> = arguments.into_iter().chain([dir.as_os_str()]).collect();
    let output = program.run(None, &arguments, progress)?;
    check(&output, None)?;
    Ok(Clone::open(dir)?.with_program(program.clone()))
}

/// Lists the references of `url` whose full names match one of `patterns` (all of them when empty).
///
/// # Errors
/// [`RemoteError`] tells an unreachable remote and refused access apart.
pub fn list_url(program: &GitProgram, url: &str, patterns: &[&str]) -> Result<Vec<RemoteRef>, RemoteError> {
    check_url(url)?;
    list(program, None, url, patterns)
}

impl Clone {
    /// Fetches `refspecs` from the configured remote `remote`; with none, what the clone's configuration says.
    ///
    /// # Errors
    /// [`RemoteError`] tells its cases apart; a fetch that fails leaves references as they were.
    pub fn fetch(
        &self,
        remote: &str,
        refspecs: &[&str],
        prune: Prune,
        progress: &mut dyn FnMut(&str),
    ) -> Result<(), RemoteError> {
        self.check_remote(remote)?;
        refspecs.iter().try_for_each(|refspec| check_argument(refspec))?;
        let mut arguments = vec!["fetch", "--progress", "--no-recurse-submodules", "--no-write-fetch-head"];
        arguments.push(if prune == Prune::Gone { "--prune" } else { "--no-prune" });
        if !refspecs.is_empty() {
            arguments.push("--no-tags");
        }
        arguments.extend(["--", remote]);
        arguments.extend(refspecs);
        let output = self.run(&arguments, progress)?;
        check(&output, refspecs.first().copied())
    }

    /// Changes references on the remote, all or none, each only if it is what `expected` says.
    ///
    /// # Errors
    /// [`RemoteError::Rejected`] when one of them is not as expected, [`RemoteError::Declined`] when the remote's
    /// rules forbid it.
    pub fn push(&self, remote: &str, updates: &[RefUpdate]) -> Result<(), RemoteError> {
        self.check_remote(remote)?;
        updates.iter().try_for_each(|update| check_reference(&update.reference))?;
        let Some(first) = updates.first() else { return Ok(()) };
        let leases = updates.iter().map(|update| format!("--force-with-lease={}:{}", update.reference, lease(update)));
        let leases: Vec<String> = leases.collect();
        let refspecs = updates.iter().map(|update| format!("{}:{}", source(update), update.reference));
        let refspecs: Vec<String> = refspecs.collect();
        let mut arguments = vec!["push", "--porcelain", "--no-verify", "--no-recurse-submodules", "--no-follow-tags"];
        if updates.len() > 1 {
            arguments.push("--atomic");
        }
        arguments.extend(leases.iter().map(String::as_str));
        arguments.extend(["--", remote]);
        arguments.extend(refspecs.iter().map(String::as_str));
        let output = self.run(&arguments, &mut |_| {})?;
        check_push(&output)?;
        check(&output, Some(&first.reference))
    }

    /// Lists the references of the configured remote `remote` whose full names match one of `patterns` (all of them
    /// when empty).
    ///
    /// # Errors
    /// [`RemoteError`] tells an unreachable remote and refused access apart.
    pub fn ls_remote(&self, remote: &str, patterns: &[&str]) -> Result<Vec<RemoteRef>, RemoteError> {
        let dir = self.check_remote(remote)?;
        list(self.program(), Some(&dir), remote, patterns)
    }

    /// The remote's name, or a typed error when the clone has none.
    ///
    /// # Errors
    /// [`RemoteError::NoRemote`].
    pub fn required_remote(&self) -> Result<String, RemoteError> {
        let no_remote = || RemoteError::NoRemote { name: "origin".to_owned() };
        self.remote()?.map(|remote| remote.name).ok_or_else(no_remote)
    }

    fn run(&self, arguments: &[&str], progress: &mut dyn FnMut(&str)) -> Result<Output, RemoteError> {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        Ok(self.program().run(Some(self.dir()), &arguments, progress)?)
    }

    /// The directory to run in, once `name` is known to be a configured remote and no option.
    fn check_remote(&self, name: &str) -> Result<PathBuf, RemoteError> {
        check_argument(name)?;
        let repo = self.repository()?;
        let found = repo.find_remote(name);
        found.map_err(|_| RemoteError::NoRemote { name: name.to_owned() })?;
        Ok(self.dir().to_owned())
    }
}

fn list(
    program: &GitProgram,
    dir: Option<&Path>,
    remote: &str,
    patterns: &[&str],
) -> Result<Vec<RemoteRef>, RemoteError> {
    patterns.iter().try_for_each(|pattern| check_argument(pattern))?;
    let mut arguments = vec!["ls-remote", "--refs", "--", remote];
    arguments.extend(patterns);
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    let output = program.run(dir, &arguments, &mut |_| {})?;
    check(&output, None)?;
    let parse = |line: &str| {
        let (id, name) = line.split_once('\t')?;
        Some(RemoteRef { id: CommitId::new(id).ok()?, name: name.to_owned() })
    };
    Ok(lossy(&output.output).lines().filter_map(parse).collect())
}

fn lease(update: &RefUpdate) -> &str {
    match &update.expected {
        Expected::Absent => "",
        Expected::At(commit) => commit.as_str(),
    }
}

fn source(update: &RefUpdate) -> &str {
    update.new.as_ref().map_or("", CommitId::as_str)
}

/// What stands where Git expects an argument must not be read as an option, nor split a line.
fn check_argument(text: &str) -> Result<(), RemoteError> {
    let refuse = |problem| RemoteError::BadArgument { text: text.to_owned(), problem };
    if text.is_empty() {
        return Err(refuse("it is empty"));
    }
    if text.starts_with('-') {
        return Err(refuse("it starts with a dash"));
    }
    if text.chars().any(char::is_control) {
        return Err(refuse("it contains a control character"));
    }
    Ok(())
}

/// `<helper>::<address>` starts a program of that name; only Git's own protocols are meant to be used.
fn check_url(url: &str) -> Result<(), RemoteError> {
    check_argument(url)?;
    let helper = url.split_once("::").is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric()));
    if helper {
        return Err(RemoteError::BadArgument { text: url.to_owned(), problem: "it names a remote helper" });
    }
    Ok(())
}

/// A full reference name by Git's rules.
pub(crate) fn check_reference(reference: &str) -> Result<(), RemoteError> {
    let refuse = |problem| RemoteError::BadArgument { text: reference.to_owned(), problem };
    let name = reference.strip_prefix("refs/").ok_or_else(|| refuse("a full name begins with refs/"))?;
    BranchName::new(name).map_err(|error| refuse(error.problem))?;
    Ok(())
}

/// Reads `git push --porcelain`: a line `!<tab><from>:<to><tab><summary> (<reason>)` for each refused reference.
fn check_push(output: &Output) -> Result<(), RemoteError> {
    for line in lossy(&output.output).lines() {
        let Some(refused) = line.strip_prefix("!\t") else { continue };
        let (names, detail) = refused.split_once('\t').unwrap_or((refused, ""));
        let reference = plain(names.rsplit(':').next().unwrap_or(names), 200);
        let detail = plain(detail, 300);
        // One refused reference of an atomic push drags the others along; the cause is on another line.
        if detail.contains("atomic push failed") {
            continue;
        }
        return Err(if is_race(&detail) {
            RemoteError::Rejected { reference, detail }
        } else {
            RemoteError::Declined { reference, detail }
        });
    }
    Ok(())
}

/// True for the reasons Git gives when a reference moved before or while we pushed.
fn is_race(reason: &str) -> bool {
    const RACES: [&str; 9] = [
        "stale info",
        "non-fast-forward",
        "fetch first",
        "needs force",
        "already exists",
        "failed to update ref",
        "cannot lock ref",
        "failed to lock",
        "incorrect old value provided",
    ];
    RACES.iter().any(|race| reason.contains(race))
}

fn check(output: &Output, reference: Option<&str>) -> Result<(), RemoteError> {
    if output.status.success() {
        return Ok(());
    }
    Err(classify(&output.lines, reference))
}

/// Which failure it was, by Git's words in the C locale. Access comes before reachability, since ssh says both.
fn classify(lines: &[String], reference: Option<&str>) -> RemoteError {
    let detail = last_words(lines);
    let says = |phrases: &[&str]| lines.iter().any(|line| phrases.iter().any(|phrase| line.contains(phrase)));
    if says(&["No space left on device", "Disk quota exceeded"]) {
        return RemoteError::DiskFull { detail };
    }
    if says(&[".lock': File exists", "Another git process seems to be running"]) {
        return RemoteError::LockHeld { detail };
    }
    if says(&ACCESS) {
        return RemoteError::AuthRefused { detail };
    }
    if says(&GONE) {
        return RemoteError::RemoteGone { detail };
    }
    if says(&["[rejected]", "cannot lock ref"]) {
        return RemoteError::Rejected { reference: reference.unwrap_or_default().to_owned(), detail };
    }
    RemoteError::Other { detail }
}

const ACCESS: [&str; 9] = [
    "Permission denied (",
    "Authentication failed",
    "could not read Username",
    "could not read Password",
    "terminal prompts disabled",
    "Host key verification failed",
    "The requested URL returned error: 401",
    "The requested URL returned error: 403",
    "Too many authentication failures",
];

const GONE: [&str; 14] = [
    "does not appear to be a git repository",
    "Could not read from remote repository",
    "Could not resolve host",
    "unable to access",
    "Repository not found",
    "not found",
    "does not exist",
    "unable to connect",
    "Connection refused",
    "Connection timed out",
    "Network is unreachable",
    "the remote end hung up unexpectedly",
    "early EOF",
    "unable to look up",
];

/// The lines that say what went wrong, without progress and advice.
fn last_words(lines: &[String]) -> String {
    let telling = |line: &&String| ["fatal:", "error:", "remote:", "ssh:"].iter().any(|mark| line.starts_with(mark));
    let mut words: Vec<&str> = lines.iter().filter(telling).map(String::as_str).collect();
    if words.is_empty() {
        words = lines.iter().map(String::as_str).collect();
    }
    let last = words.len().saturating_sub(4);
    let joined = words[last..].join("; ");
    if joined.is_empty() { "it gave no reason".to_owned() } else { plain(&joined, 600) }
}

#[cfg(test)]
mod tests {
    use super::{RemoteError, classify, is_race};

    fn kind(lines: &[&str]) -> &'static str {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        match classify(&lines, Some("refs/heads/main")) {
            RemoteError::RemoteGone { .. } => "gone",
            RemoteError::AuthRefused { .. } => "access",
            RemoteError::DiskFull { .. } => "disk",
            RemoteError::LockHeld { .. } => "lock",
            RemoteError::Rejected { .. } => "rejected",
            _ => "other",
        }
    }

    #[test]
    fn gits_words_are_understood() {
        let refused_key =
            ["git@github.com: Permission denied (publickey).", "fatal: Could not read from remote repository."];
        assert_eq!(kind(&refused_key), "access");
        assert_eq!(kind(&["fatal: could not read Username for 'https://x': terminal prompts disabled"]), "access");
        assert_eq!(kind(&["fatal: unable to access 'https://x/': The requested URL returned error: 403"]), "access");
        assert_eq!(kind(&["fatal: unable to access 'https://x/': Could not resolve host: x"]), "gone");
        assert_eq!(kind(&["ERROR: Repository not found.", "fatal: Could not read from remote repository."]), "gone");
        assert_eq!(kind(&["error: unable to write file: No space left on device"]), "disk");
        assert_eq!(kind(&["fatal: Unable to create '/x/.git/shallow.lock': File exists."]), "lock");
        assert_eq!(kind(&["error: cannot lock ref 'refs/x': is at 1 but expected 2"]), "rejected");
        assert_eq!(kind(&["fatal: something new"]), "other");
    }

    #[test]
    fn losing_a_race_is_not_being_forbidden() {
        assert!(is_race("[rejected] (stale info)"));
        assert!(is_race("[remote rejected] (failed to update ref)"));
        assert!(!is_race("[remote rejected] (pre-receive hook declined)"));
        assert!(!is_race("[remote rejected] (protected branch hook declined)"));
    }
}
