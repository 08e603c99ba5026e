//! Exit codes. Scripts rely on them: a number never changes its meaning.

use std::process::ExitCode;

/// How the program ends. Whatever could not be decided counts as closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done; for `gate`: open.
    Done = 0,
    /// The words of the call are off, or name what is not there; for `view`: the file is no plan that can be read.
    Usage = 2,
    /// The gate is closed, or this machine could not decide or do it: policy, key, passphrase, record or disk.
    GateClosed = 10,
    /// A signature, the record's chain or a sealed bundle does not hold.
    Invalid = 11,
    /// A plan is stale, or is not the approved one.
    PlanStale = 12,
    /// A tool such as terraform or git is missing or failed.
    ToolFailed = 13,
    /// Code would have to run isolated, and this machine cannot.
    IsolationMissing = 14,
    /// The remote or the network.
    Remote = 20,
    /// A defect of this program.
    Bug = 70,
}

impl Exit {
    const ALL: [Self; 9] = [
        Self::Done,
        Self::Usage,
        Self::GateClosed,
        Self::Invalid,
        Self::PlanStale,
        Self::ToolFailed,
        Self::IsolationMissing,
        Self::Remote,
        Self::Bug,
    ];

    fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done; for gate: open",
            Self::Usage => "the call's words are off or name what is not there; for view: no readable plan",
            Self::GateClosed => "the gate is closed, or it could not be decided or done on this machine",
            Self::Invalid => "a signature, the record's chain or a sealed bundle does not hold",
            Self::PlanStale => "a plan is stale, or is not the approved one",
            Self::ToolFailed => "a tool such as terraform or git is missing or failed",
            Self::IsolationMissing => "code would have to run isolated, and this machine cannot",
            Self::Remote => "the remote or the network",
            Self::Bug => "a defect of this program",
        }
    }

    /// The table of exit codes for the help.
    pub(crate) fn table() -> String {
        let lines = Self::ALL.iter().map(|exit| format!("  {:>2}  {}", *exit as u8, exit.meaning()));
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
