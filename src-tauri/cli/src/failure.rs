//! A failure as it is told: what happened, what was kept, what to try.

use std::sync::{Arc, Mutex, PoisonError};

use countersign_api::{ApiError, ErrorCode};
use countersign_engine::EngineError;
use countersign_engine::demo::world::WorldError;
use countersign_iac::plan_json::PlanError;
use serde::Serialize;

use crate::exit::Exit;

/// Why a command did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What kind it is.
    pub(crate) code: ErrorCode,
    /// What happened.
    pub(crate) message: String,
    /// What was kept.
    pub(crate) kept: Option<String>,
    /// What to try.
    pub(crate) hint: Option<String>,
}

/// As `--json` prints it.
#[derive(Serialize)]
pub(crate) struct Told<'a> {
    error: Fields<'a>,
}

#[derive(Serialize)]
struct Fields<'a> {
    code: ErrorCode,
    message: &'a str,
    kept: Option<&'a str>,
    hint: Option<&'a str>,
}

impl Failure {
    fn of(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), kept: None, hint: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::of(ErrorCode::Usage, message)
    }

    pub(crate) fn machine(message: impl Into<String>) -> Self {
        Self::of(ErrorCode::Machine, message)
    }

    pub(crate) fn tool(message: impl Into<String>) -> Self {
        Self::of(ErrorCode::ToolFailed, message)
    }

    pub(crate) fn not_now(message: impl Into<String>) -> Self {
        Self::of(ErrorCode::GateClosed, message)
    }

    pub(crate) fn passphrase(message: impl Into<String>) -> Self {
        Self::of(ErrorCode::Passphrase, message)
    }

    pub(crate) fn bug(message: impl Into<String>) -> Self {
        let failure = Self::of(ErrorCode::Bug, format!("a defect in Countersign: {}", message.into()));
        failure.hint("please report it with what you did; nothing that was acknowledged before is lost")
    }

    pub(crate) fn kept(self, kept: impl Into<String>) -> Self {
        Self { kept: Some(kept.into()), ..self }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The failure with all three of its lines: `kept` and what to try in general stand in where nothing was said.
    pub(crate) fn completed(self, kept: &str) -> Self {
        let hint = match self.code {
            ErrorCode::Usage => "`countersign help` lists the commands, `countersign help COMMAND` their options",
            ErrorCode::GateClosed => "`countersign change show ID` says what may be done now, and what is lacking",
            ErrorCode::Invalid => "`countersign audit verify` checks the whole record",
            ErrorCode::PlanStale => "a new plan is needed, and then a new approval",
            ErrorCode::Remote => "check the connection with `git fetch` in the clone, then try again",
            ErrorCode::Passphrase => "give the passphrase again, or add the key to ssh-agent",
            ErrorCode::ToolFailed | ErrorCode::Machine | ErrorCode::Bug => "run it again with -v to see what is done",
        };
        Self {
            kept: self.kept.or_else(|| Some(kept.to_owned())),
            hint: self.hint.or_else(|| Some(hint.to_owned())),
            ..self
        }
    }

    /// The exit code. What this machine could not do is not decided, and what is not decided counts as closed.
    pub(crate) fn exit(&self) -> Exit {
        match self.code {
            ErrorCode::Usage => Exit::Usage,
            ErrorCode::GateClosed | ErrorCode::Machine | ErrorCode::Passphrase => Exit::GateClosed,
            ErrorCode::Invalid => Exit::Invalid,
            ErrorCode::PlanStale => Exit::PlanStale,
            ErrorCode::ToolFailed => Exit::ToolFailed,
            ErrorCode::Remote => Exit::Remote,
            ErrorCode::Bug => Exit::Bug,
        }
    }

    /// The object that `--json` prints.
    pub(crate) fn told(&self) -> Told<'_> {
        let fields =
            Fields { code: self.code, message: &self.message, kept: self.kept.as_deref(), hint: self.hint.as_deref() };
        Told { error: fields }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self { code: error.code, message: error.message, kept: error.kept, hint: error.hint }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let of_world = match &error {
            EngineError::World(WorldError::Tool { .. } | WorldError::Git { .. } | WorldError::NoProgram(_)) => {
                Some(ErrorCode::ToolFailed)
            }
            EngineError::World(
                WorldError::Occupied(_)
                | WorldError::HalfBuilt(_)
                | WorldError::Moved { .. }
                | WorldError::Marker { .. }
                | WorldError::Incomplete(_)
                | WorldError::NotText(_),
            ) => Some(ErrorCode::Usage),
            _ => None,
        };
        let mut failure = Self::from(ApiError::from(error));
        failure.code = of_world.unwrap_or(failure.code);
        failure
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        Self::usage(format!("failed to read the plan: {error}"))
            .hint("`terraform show -json PLANFILE` writes what is read here")
    }
}

/// Where the panic hook leaves what it saw.
pub(crate) struct LastPanic(Arc<Mutex<Option<String>>>);

/// Keeps a panic's words for the failure that tells of it, instead of printing them.
pub(crate) fn catch_panics() -> LastPanic {
    let last = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&last);
    std::panic::set_hook(Box::new(move |panic| {
        // The place is enough to find the defect; the message could hold a value that must not be printed.
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        tracing::error!(%place, "panicked");
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }));
    LastPanic(last)
}

impl LastPanic {
    pub(crate) fn failure(&self) -> Failure {
        let place = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        Failure::bug(format!("it stopped at {}", place.as_deref().unwrap_or("an unknown place")))
    }
}
