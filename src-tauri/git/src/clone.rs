//! A local clone: opening it, what it is, and where its trunk is.

use std::path::{Path, PathBuf};

use countersign_domain::names::{BranchName, CommitId, TreeId, quoted};
use git2::{ErrorCode, ObjectType, Oid, Repository, RepositoryOpenFlags};

use crate::error::GitError;
use crate::program::GitProgram;
use crate::text::{lossy, plain};

/// Why a directory cannot be used as a clone.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory does not exist.
    #[error("{} does not exist", .dir.display())]
    NotFound {
        /// The directory that was asked for.
        dir: PathBuf,
    },
    /// The directory is not the top of a Git repository.
    #[error("{} is not a git repository; choose the clone's top directory, or run `git clone` first", .dir.display())]
    NotARepository {
        /// The directory that was asked for.
        dir: PathBuf,
    },
    /// The repository belongs to another user, which Git refuses for safety.
    #[error(
        "{0} belongs to another user; if you trust it, run `git config --global --add safe.directory {0}`",
        .dir.display()
    )]
    NotOwned {
        /// The directory that was asked for.
        dir: PathBuf,
    },
    /// The repository uses a format this program cannot read, such as SHA-256 object names or reftable.
    #[error("{} uses a repository format that is not supported: {detail}", .dir.display())]
    Unsupported {
        /// The directory that was asked for.
        dir: PathBuf,
        /// libgit2's message on one line.
        detail: String,
    },
    /// The repository is there but cannot be read.
    #[error("failed to open {}: {detail}", .dir.display())]
    Unreadable {
        /// The directory that was asked for.
        dir: PathBuf,
        /// libgit2's message on one line.
        detail: String,
    },
}

/// A local clone, bare or with a working tree.
///
/// It holds paths only, so it is cheap to copy into threads; every operation opens the repository anew (well under a
/// millisecond) and so sees what other Git processes have done.
#[derive(Debug)]
pub struct Clone {
    dir: PathBuf,
    program: GitProgram,
}

impl std::clone::Clone for Clone {
    fn clone(&self) -> Self {
        Self { dir: self.dir.clone(), program: self.program.clone() }
    }
}

/// The remote that a clone proposes to and shares through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteInfo {
    /// Its name in the clone's configuration, such as `origin`.
    pub name: String,
    /// Where it is; a password in an `http` URL is left out.
    pub url: String,
}

/// What a clone is. None of this says that it has commits; see [`Clone::trunk`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The directory the clone was opened with.
    pub dir: PathBuf,
    /// The top of the working tree; absent in a bare repository.
    pub worktree: Option<PathBuf>,
    /// This worktree's own Git directory, which holds `HEAD` and the index.
    pub git_dir: PathBuf,
    /// The Git directory that all worktrees share, which holds refs and objects: the one to watch.
    pub common_dir: PathBuf,
    /// `origin`, else the only or first remote; absent when there is none.
    pub remote: Option<RemoteInfo>,
    /// History is cut off somewhere.
    pub is_shallow: bool,
    /// There is no working tree.
    pub is_bare: bool,
    /// `HEAD` names a commit and not a branch.
    pub is_detached: bool,
    /// What `HEAD` points at; absent in a repository without commits.
    pub head: Option<CommitId>,
    /// The branch that is checked out, when its name is valid.
    pub head_branch: Option<BranchName>,
}

/// The branch that changes are merged into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Its name on the remote (or locally, when there is no remote).
    pub branch: BranchName,
    /// The local reference that was read, such as `refs/remotes/origin/main`.
    pub reference: String,
    /// The commit it points at.
    pub commit: CommitId,
}

/// Where proposals are read from.
pub(crate) enum Side {
    /// `refs/remotes/<name>/`
    Remote(String),
    /// `refs/heads/`
    Local,
}

impl Side {
    pub(crate) fn prefix(&self) -> String {
        match self {
            Self::Remote(name) => format!("refs/remotes/{name}/"),
            Self::Local => "refs/heads/".to_owned(),
        }
    }
}

impl Clone {
    /// Opens the repository whose top (or bare) directory is `dir`.
    ///
    /// # Errors
    /// [`OpenError`] tells a missing directory, a directory that is no repository, one of another user and a damaged
    /// one apart.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        let dir = dir.as_ref();
        open(dir)?;
        Ok(Self { dir: dir.to_owned(), program: GitProgram::default() })
    }

    /// Opens the repository that `dir` lies in, looking upwards like Git does.
    ///
    /// # Errors
    /// As for [`Clone::open`].
    pub fn discover(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        let dir = dir.as_ref();
        let found = Repository::discover(dir).map_err(|error| open_error(dir, &error))?;
        Self::open(found.workdir().unwrap_or_else(|| found.path()))
    }

    /// Makes an empty bare repository in `dir`, which is created; for data of our own, such as an agent's cache.
    ///
    /// # Errors
    /// [`OpenError::Unreadable`] when the directory cannot be written.
    pub fn init_bare(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        let dir = dir.as_ref();
        Repository::init_bare(dir).map_err(|error| open_error(dir, &error))?;
        Self::open(dir)
    }

    /// The same clone, with network operations run by `program`.
    #[must_use]
    pub fn with_program(mut self, program: GitProgram) -> Self {
        self.program = program;
        self
    }

    /// The directory the clone was opened with.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The program that reaches the network for this clone.
    #[must_use]
    pub fn program(&self) -> &GitProgram {
        &self.program
    }

    pub(crate) fn repository(&self) -> Result<Repository, GitError> {
        Ok(open(&self.dir)?)
    }

    /// Without a working tree and with an empty index, so that no `.gitattributes` that happens to be checked out or
    /// staged has a say.
    pub(crate) fn repository_without_worktree(&self) -> Result<Repository, GitError> {
        let common_dir = open(&self.dir)?.commondir().to_owned();
        let repo = Repository::open_bare(&common_dir).map_err(|error| open_error(&common_dir, &error))?;
        let failed = |error: git2::Error| GitError::library("set the working tree aside", &error);
        let mut empty = git2::Index::new().map_err(failed)?;
        repo.set_index(&mut empty).map_err(failed)?;
        Ok(repo)
    }

    /// What this clone is.
    ///
    /// # Errors
    /// Fails when the repository cannot be read.
    pub fn identity(&self) -> Result<Identity, GitError> {
        let repo = self.repository()?;
        let head = repo.head().ok();
        let head_branch = head.as_ref().filter(|head| head.is_branch()).and_then(|head| head.shorthand().ok());
        Ok(Identity {
            dir: self.dir.clone(),
            worktree: repo.workdir().map(Path::to_owned),
            git_dir: repo.path().to_owned(),
            common_dir: repo.commondir().to_owned(),
            remote: remote_info(&repo)?,
            is_shallow: repo.is_shallow(),
            is_bare: repo.is_bare(),
            is_detached: repo.head_detached().unwrap_or(false),
            head_branch: head_branch.and_then(|name| BranchName::new(name).ok()),
            head: head.and_then(|head| head.peel_to_commit().ok()).map(|commit| commit_id(commit.id())).transpose()?,
        })
    }

    /// The remote to share through: `origin`, else the only or first one.
    ///
    /// # Errors
    /// Fails when the repository's configuration cannot be read.
    pub fn remote(&self) -> Result<Option<RemoteInfo>, GitError> {
        remote_info(&self.repository()?)
    }

    /// Finds the trunk: `named` when given, else the remote's `HEAD`, its `main`, its `master`, then the local
    /// ones. A bare repository's own `HEAD` counts as its trunk.
    ///
    /// # Errors
    /// [`GitError::Empty`] when there are no commits at all, [`GitError::NoTrunk`] when none of these exists.
    pub fn trunk(&self, named: Option<&BranchName>) -> Result<Trunk, GitError> {
        let repo = self.repository()?;
        let side = side(&repo)?;
        let candidates = trunk_candidates(&repo, &side, named);
        for reference in &candidates {
            if let Some(trunk) = read_trunk(&repo, reference) {
                return Ok(trunk);
            }
        }
        if repo.references().is_ok_and(|mut refs| refs.next().is_none()) {
            return Err(GitError::Empty);
        }
        Err(GitError::NoTrunk { tried: plain(&candidates.join(", "), 300) })
    }

    /// The commit that the full reference name `reference` points at; absent when there is no such reference.
    ///
    /// # Errors
    /// Fails when the reference is there but leads to no commit.
    pub fn resolve(&self, reference: &str) -> Result<Option<CommitId>, GitError> {
        let repo = self.repository()?;
        let found = match repo.find_reference(reference) {
            Ok(found) => found,
            Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => return Ok(None),
            Err(error) => return Err(GitError::library("read a reference", &error)),
        };
        let commit = found.peel_to_commit().map_err(|error| GitError::lookup(reference, &error))?;
        commit_id(commit.id()).map(Some)
    }

    /// Name and email from Git's configuration, with the current time; absent when they are not set.
    ///
    /// # Errors
    /// Fails when the configuration cannot be read.
    pub fn user(&self) -> Result<Option<crate::merge::Signature>, GitError> {
        let repo = self.repository()?;
        Ok(repo.signature().ok().map(|signature| crate::merge::Signature {
            name: lossy(signature.name_bytes()),
            email: lossy(signature.email_bytes()),
            time: crate::history::timestamp(signature.when()),
        }))
    }
}

fn open(dir: &Path) -> Result<Repository, OpenError> {
    let none: [&str; 0] = [];
    Repository::open_ext(dir, RepositoryOpenFlags::NO_SEARCH, none).map_err(|error| open_error(dir, &error))
}

fn open_error(dir: &Path, error: &git2::Error) -> OpenError {
    let dir = dir.to_owned();
    let detail = plain(error.message(), 300);
    match error.code() {
        _ if !dir.exists() => OpenError::NotFound { dir },
        ErrorCode::NotFound => OpenError::NotARepository { dir },
        ErrorCode::Owner => OpenError::NotOwned { dir },
        _ if detail.contains("unsupported") || detail.contains("unknown object format") => {
            OpenError::Unsupported { dir, detail }
        }
        _ => OpenError::Unreadable { dir, detail },
    }
}

fn remote_info(repo: &Repository) -> Result<Option<RemoteInfo>, GitError> {
    let Some(name) = remote_name(repo)? else { return Ok(None) };
    let remote = repo.find_remote(&name).map_err(|error| GitError::library("read a remote", &error))?;
    let url = without_password(&lossy(remote.url_bytes()));
    Ok(Some(RemoteInfo { name, url }))
}

fn remote_name(repo: &Repository) -> Result<Option<String>, GitError> {
    let names = repo.remotes().map_err(|error| GitError::library("read the remotes", &error))?;
    let names: Vec<&str> = names.iter().flatten().flatten().collect();
    let chosen = names.iter().find(|name| **name == "origin").or_else(|| names.first());
    Ok(chosen.map(|name| (*name).to_owned()))
}

/// `https://user:secret@host/…` without `:secret`: URLs are shown and logged, passwords are not.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let Some((user, host)) = authority.rsplit_once('@') else { return url.to_owned() };
    let user = user.split_once(':').map_or(user, |(user, _)| user);
    format!("{scheme}://{user}@{host}{path}")
}

/// Proposals come from the remote's branches, or from local ones where there is no remote or nothing is checked out.
pub(crate) fn side(repo: &Repository) -> Result<Side, GitError> {
    if repo.is_bare() {
        return Ok(Side::Local);
    }
    Ok(remote_name(repo)?.map_or(Side::Local, Side::Remote))
}

fn trunk_candidates(repo: &Repository, side: &Side, named: Option<&BranchName>) -> Vec<String> {
    let prefix = side.prefix();
    if let Some(name) = named {
        let mut names = vec![format!("{prefix}{name}"), format!("refs/heads/{name}")];
        names.dedup();
        return names;
    }
    let mut names = Vec::new();
    match side {
        Side::Remote(_) => names.extend(symbolic_target(repo, &format!("{prefix}HEAD"))),
        Side::Local if repo.is_bare() => names.extend(symbolic_target(repo, "HEAD")),
        Side::Local => {}
    }
    names.extend(["main", "master"].map(|name| format!("{prefix}{name}")));
    names.extend(["main", "master"].map(|name| format!("refs/heads/{name}")));
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn symbolic_target(repo: &Repository, reference: &str) -> Option<String> {
    let found = repo.find_reference(reference).ok()?;
    found.symbolic_target().ok().flatten().map(str::to_owned)
}

fn read_trunk(repo: &Repository, reference: &str) -> Option<Trunk> {
    let commit = repo.find_reference(reference).ok()?.peel_to_commit().ok()?;
    let branch = match reference.strip_prefix("refs/remotes/") {
        Some(rest) => rest.split_once('/')?.1,
        None => reference.strip_prefix("refs/heads/")?,
    };
    Some(Trunk {
        branch: BranchName::new(branch).ok()?,
        reference: reference.to_owned(),
        commit: commit_id(commit.id()).ok()?,
    })
}

pub(crate) fn commit_id(id: Oid) -> Result<CommitId, GitError> {
    let text = id.to_string();
    CommitId::new(text.as_str()).map_err(|_| GitError::Missing { id: text })
}

pub(crate) fn tree_id(id: Oid) -> Result<TreeId, GitError> {
    let text = id.to_string();
    TreeId::new(text.as_str()).map_err(|_| GitError::Missing { id: text })
}

pub(crate) fn oid(id: &str) -> Result<Oid, GitError> {
    let missing = |_| GitError::Missing { id: quoted(id) };
    Oid::from_str(id).map_err(missing)
}

pub(crate) fn find_commit<'repo>(repo: &'repo Repository, id: &CommitId) -> Result<git2::Commit<'repo>, GitError> {
    let object = repo
        .find_object(oid(id.as_str())?, Some(ObjectType::Commit))
        .map_err(|error| GitError::lookup(id.as_str(), &error))?;
    object.into_commit().map_err(|_| GitError::missing(id))
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn passwords_are_left_out_of_urls() {
        assert_eq!(without_password("https://me:secret@example.org/a@b.git"), "https://me@example.org/a@b.git");
        assert_eq!(without_password("ssh://git@example.org/x"), "ssh://git@example.org/x");
        assert_eq!(without_password("git@example.org:x.git"), "git@example.org:x.git");
        assert_eq!(without_password("/srv/git/x.git"), "/srv/git/x.git");
    }
}
