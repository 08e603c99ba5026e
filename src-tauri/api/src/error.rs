//! Failures as every host hands them on: what happened, what was kept, what to do next.

use countersign_engine::{EngineError, ErrorKind};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// The call names something that is not there, or its words are off.
    Usage,
    /// The gate is closed, or something could not be decided.
    GateClosed,
    /// A signature, chain or bundle does not hold.
    Invalid,
    /// A plan is stale or not the committed one.
    PlanStale,
    /// A tool failed.
    ToolFailed,
    /// The remote or the network.
    Remote,
    /// This machine: files, database, keys.
    Machine,
    /// A passphrase is needed, or was wrong.
    Passphrase,
    /// A defect of this program.
    Bug,
}

/// A failure, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub struct ApiError {
    /// What kind of failure it is.
    pub code: ErrorCode,
    /// What happened.
    pub message: String,
    /// What was kept, where one might fear a loss.
    pub kept: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
}

impl ApiError {
    /// The call's words are off.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::Usage, message: message.into(), kept: None, hint: None }
    }

    /// A defect of this program.
    #[must_use]
    pub fn bug(message: impl std::fmt::Display) -> Self {
        Self {
            code: ErrorCode::Bug,
            message: format!("a defect in Countersign: {message}"),
            kept: None,
            hint: Some("please report it with what you did".to_owned()),
        }
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        use countersign_seal::keys::KeyError;
        let code = match (&error, error.kind()) {
            (EngineError::Key(KeyError::PassphraseNeeded(_) | KeyError::WrongPassphrase(_)), _) => {
                ErrorCode::Passphrase
            }
            (_, ErrorKind::Usage) => ErrorCode::Usage,
            (_, ErrorKind::GateClosed) => ErrorCode::GateClosed,
            (_, ErrorKind::Invalid) => ErrorCode::Invalid,
            (_, ErrorKind::PlanStale) => ErrorCode::PlanStale,
            (_, ErrorKind::ToolFailed) => ErrorCode::ToolFailed,
            (_, ErrorKind::Remote) => ErrorCode::Remote,
            (_, ErrorKind::Machine) => ErrorCode::Machine,
            (_, ErrorKind::Bug) => ErrorCode::Bug,
        };
        Self {
            code,
            message: error.to_string(),
            kept: error.kept().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
        }
    }
}
