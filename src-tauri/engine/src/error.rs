//! What can go wrong in a use case: what happened, what was kept, what to do next.

use std::path::PathBuf;

use countersign_domain::names::{ChangeId, CommitId, Digest};
use countersign_forge::ForgeError;
use countersign_git::RemoteError;

/// Why a use case did not come to its end. Nothing that was acknowledged before is lost by any of these.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No such clone is watched.
    #[error("no watched clone is called {0}")]
    NoSuchClone(String),
    /// No such change.
    #[error("there is no change {0} in the watched clones")]
    NoSuchChange(String),
    /// The same change id stands in several clones.
    #[error("the change {change} exists in several clones: {clones}")]
    AmbiguousChange {
        /// The id.
        change: String,
        /// The clones' names.
        clones: String,
    },
    /// No such unit in the change's current plans.
    #[error("the change has no plan of {0}")]
    NoSuchUnit(String),
    /// No such statement.
    #[error("there is no statement {0}")]
    NoSuchStatement(String),
    /// No such run.
    #[error("there is no run {0}")]
    NoSuchRun(String),
    /// The text is no valid name.
    #[error(transparent)]
    Name(#[from] countersign_domain::names::NameError),
    /// Trunk has no policy that can be used.
    #[error("the policy on trunk cannot be used: {0}")]
    Policy(String),
    /// The gate is closed.
    #[error("the gate of {change} is closed: {why}")]
    GateClosed {
        /// The change.
        change: ChangeId,
        /// What is lacking, in words.
        why: String,
    },
    /// What was asked for may not be done now.
    #[error("{0}")]
    NotNow(String),
    /// What was looked at is no longer what is there.
    #[error("{change} moved on from {seen}; look at it again")]
    Moved {
        /// The change.
        change: ChangeId,
        /// The commit that was looked at.
        seen: CommitId,
    },
    /// The preview is gone or its change moved on.
    #[error("what was previewed is no longer current; nothing was signed")]
    StalePreview,
    /// No key was chosen.
    #[error("no signing key is chosen")]
    NoKey,
    /// The chosen key is nobody's in this repository.
    #[error("the key {0} is not in allowed_signers on trunk")]
    KeyOfNobody(String),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] countersign_seal::keys::KeyError),
    /// A sealed bundle is not here and not on the remote.
    #[error("the sealed bundle {} is neither here nor on the remote", .0.short())]
    BundleMissing(Digest),
    /// A sealed bundle cannot be opened.
    #[error(transparent)]
    Bundle(#[from] countersign_seal::bundle::OpenError),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] countersign_seal::bundle::SealError),
    /// The plan is not the one the manifest commits to.
    #[error(transparent)]
    Commitment(#[from] countersign_seal::commitment::CommitmentError),
    /// A plan cannot be read.
    #[error(transparent)]
    Plan(#[from] countersign_iac::plan_json::PlanError),
    /// Configuration cannot be read.
    #[error("failed to {0}")]
    Files(#[from] countersign_iac::files::FilesError),
    /// No device of a reviewer is known, so nobody could read the plan.
    #[error("no reviewer has announced a device yet, so nobody could read a sealed plan")]
    NoRecipients,
    /// Neither terraform nor tofu is here.
    #[error("neither terraform nor tofu is on PATH")]
    NoTool,
    /// The tool did what it must not, or failed.
    #[error("{tool} failed: {detail}")]
    Tool {
        /// The program.
        tool: String,
        /// Its last words, safe to print.
        detail: String,
    },
    /// The plan does not fit any more.
    #[error("the plan of {unit} no longer fits: {detail}")]
    PlanStale {
        /// The unit.
        unit: String,
        /// Why.
        detail: String,
    },
    /// A program could not be run.
    #[error("failed to {0}")]
    Run(#[from] countersign_runner::RunError),
    /// A memory file failed.
    #[error("failed to {0}")]
    MemoryFile(#[from] countersign_runner::MemoryFileError),
    /// Git said no.
    #[error("failed to {0}")]
    Git(#[from] countersign_git::GitError),
    /// A clone cannot be opened.
    #[error(transparent)]
    Open(#[from] countersign_git::OpenError),
    /// A checkout failed.
    #[error("failed to {0}")]
    Checkout(#[from] countersign_git::CheckoutError),
    /// The remote said no, or cannot be reached.
    #[error("failed to {0}")]
    Forge(#[from] countersign_forge::ForgeError),
    /// The record on this machine.
    #[error("failed to {0}")]
    Store(#[from] countersign_store::StoreError),
    /// A device identity.
    #[error(transparent)]
    Identity(#[from] countersign_seal::identity::IdentityError),
    /// Randomness.
    #[error(transparent)]
    Randomness(#[from] countersign_seal::NoRandomness),
    /// The file system.
    #[error("failed to {doing} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The demo world.
    #[error("failed to {0}")]
    World(#[from] crate::demo::world::WorldError),
    /// Files cannot be watched.
    #[error("failed to watch {}: {detail}", .path.display())]
    Watch {
        /// What was to be watched.
        path: PathBuf,
        /// The system's reason.
        detail: String,
    },
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A defect of this program.
    #[error("a defect in Countersign: {0}")]
    Defect(String),
}

/// What kind of failure it is, for exit codes and for consumers that act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The call's words are off, or name something that is not there.
    Usage,
    /// The gate is closed, or something could not be decided.
    GateClosed,
    /// A signature, a chain or a bundle does not hold.
    Invalid,
    /// A plan is stale or not the committed one.
    PlanStale,
    /// A tool failed.
    ToolFailed,
    /// The remote or the network.
    Remote,
    /// This machine: files, database, keys.
    Machine,
    /// A defect of this program.
    Bug,
}

impl EngineError {
    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchClone(_)
            | Self::NoSuchChange(_)
            | Self::AmbiguousChange { .. }
            | Self::NoSuchUnit(_)
            | Self::NoSuchStatement(_)
            | Self::NoSuchRun(_)
            | Self::Name(_)
            | Self::Open(_) => ErrorKind::Usage,
            Self::Policy(_)
            | Self::GateClosed { .. }
            | Self::NotNow(_)
            | Self::Moved { .. }
            | Self::StalePreview
            | Self::KeyOfNobody(_)
            | Self::NoRecipients => ErrorKind::GateClosed,
            Self::Bundle(_) | Self::BundleMissing(_) => ErrorKind::Invalid,
            Self::Commitment(_) | Self::PlanStale { .. } => ErrorKind::PlanStale,
            Self::Tool { .. } | Self::NoTool | Self::Plan(_) | Self::Run(_) | Self::Cancelled => ErrorKind::ToolFailed,
            Self::Forge(
                ForgeError::Vetoed(_)
                | ForgeError::HeadMoved { .. }
                | ForgeError::Conflicts { .. }
                | ForgeError::NoSuchChange(_),
            ) => ErrorKind::GateClosed,
            Self::Forge(error) if is_of_this_clone(error) => ErrorKind::Machine,
            Self::Forge(_) => ErrorKind::Remote,
            Self::NoKey
            | Self::Key(_)
            | Self::Seal(_)
            | Self::Files(_)
            | Self::MemoryFile(_)
            | Self::Git(_)
            | Self::Checkout(_)
            | Self::Store(_)
            | Self::Identity(_)
            | Self::Randomness(_)
            | Self::Io { .. }
            | Self::World(_)
            | Self::Watch { .. } => ErrorKind::Machine,
            Self::Defect(_) => ErrorKind::Bug,
        }
    }

    /// The error in words that may be kept in clear text: what a tool or a plan said may hold a secret and is left out.
    #[must_use]
    pub fn recorded(&self) -> String {
        match self {
            Self::Tool { tool, .. } => format!("{tool} failed"),
            Self::Plan(_) => "the plan could not be read".to_owned(),
            Self::Commitment(_) => "the plan does not match its commitment".to_owned(),
            other => other.to_string(),
        }
    }

    /// What was kept, where one might fear a loss.
    #[must_use]
    pub fn kept(&self) -> Option<&'static str> {
        match self {
            Self::Forge(ForgeError::Vetoed(_)) => Some("nothing was applied"),
            Self::Forge(error) if is_of_this_clone(error) => None,
            Self::Forge(_) => {
                Some("everything recorded on this machine is kept and is published when the remote answers")
            }
            Self::GateClosed { .. } => Some("the plans and approvals are kept"),
            Self::PlanStale { .. } | Self::Commitment(_) => Some("nothing was applied"),
            Self::StalePreview | Self::Moved { .. } => Some("nothing was signed and nothing was changed"),
            _ => None,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoSuchClone(_) => "`countersign clone list` names the watched clones",
            Self::NoSuchChange(_) => "`countersign queue` lists the changes; fetch first if it is new",
            Self::AmbiguousChange { .. } => "run it in the clone, or name it with -C DIR",
            Self::NoSuchUnit(_) => "`countersign change show ID` lists the units",
            Self::NoSuchStatement(_) => "`countersign audit list` names the statements",
            Self::Policy(_) => "mend countersign.toml and allowed_signers on trunk; nothing passes until then",
            Self::GateClosed { .. } => "`countersign gate ID` lists what each requirement still lacks",
            Self::Moved { .. } | Self::StalePreview => "open the change again and look at what is new",
            Self::NoKey => "choose one with `countersign keys use FINGERPRINT` or make one with `countersign keys new`",
            Self::KeyOfNobody(_) => "let a change add your key to allowed_signers on trunk, or choose another key",
            Self::BundleMissing(_) => "the deploy runner publishes it anew when it plans the change again",
            Self::Bundle(_) => "ask for a new plan: the deploy runner seals it to every announced device",
            Self::Commitment(_) | Self::PlanStale { .. } => "a new plan is needed, and then a new approval",
            Self::NoRecipients => "open Countersign once on a reviewer's machine: it announces the device",
            Self::NoTool => "install Terraform or OpenTofu and make sure it is on PATH",
            Self::Forge(ForgeError::Vetoed(_)) => "`countersign gate ID` shows how it stands now",
            Self::Forge(error) if is_of_this_clone(error) => return None,
            Self::Forge(_) => "check the connection with `git fetch` in the clone, then try again",
            Self::Watch { .. } => "raise fs.inotify.max_user_watches, or refresh by hand",
            Self::Defect(_) => "please report it with what you did",
            _ => return None,
        })
    }
}

/// True for what went wrong in the clone itself, before or without the network. Its message says what to do.
fn is_of_this_clone(error: &ForgeError) -> bool {
    match error {
        ForgeError::Git(_) => true,
        ForgeError::Remote(remote) => {
            matches!(remote, RemoteError::NoRemote { .. } | RemoteError::LockHeld { .. } | RemoteError::Local(_))
        }
        _ => false,
    }
}
