//! The list of commands, and what is derived from it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use ts_rs::TS;

use crate::error::ApiError;
use crate::{Host, commands, dto};

/// Groups of cached answers. An answer is stale when one of its tags is invalidated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum Tag {
    /// This program and its settings.
    App,
    /// The list of clones.
    Clones,
    /// The queue.
    Queue,
    /// A change's page, gate included.
    Change,
    /// A plan and its log.
    Plan,
    /// A diff.
    Diff,
    /// A change's history.
    History,
    /// The audit list.
    Audit,
    /// Keys.
    Keys,
    /// Runs.
    Runs,
}

impl Tag {
    /// Every tag.
    pub const ALL: [Self; 10] = [
        Self::App,
        Self::Clones,
        Self::Queue,
        Self::Change,
        Self::Plan,
        Self::Diff,
        Self::History,
        Self::Audit,
        Self::Keys,
        Self::Runs,
    ];
}

/// Whether a command only reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandKind {
    /// Reads; its tags say what its answer belongs to.
    Query,
    /// Changes something; its tags say what becomes stale.
    Mutation,
}

/// A command as the list has it.
#[derive(Debug, Clone, Copy)]
pub struct CommandSpec {
    /// Its name.
    pub name: &'static str,
    /// Whether it only reads.
    pub kind: CommandKind,
    /// See [`CommandKind`].
    pub tags: &'static [Tag],
}

/// Hands the whole list to a macro: `kind name(Args) -> Result [tags];` for each command.
#[macro_export]
macro_rules! for_each_command {
    ($callback:ident) => {
        $callback! {
            Query app_info(Nothing) -> AppInfo [App];
            Mutation set_theme(SetTheme) -> Nothing [App];
            Query clones(Nothing) -> Vec<CloneInfo> [Clones];
            Mutation clone_add(AddClone) -> CloneInfo [Clones, Queue];
            Mutation clone_remove(CloneRef) -> Nothing [Clones, Queue, Audit];
            Mutation clone_refresh(CloneRef) -> Nothing [Clones, Queue, Change, History, Audit, Runs];
            Mutation open_demo(Nothing) -> Nothing [App, Clones, Queue, Keys, Audit, Runs];
            Query queue(Nothing) -> Queue [Queue];
            Query change(ChangeRef) -> Change [Change];
            Query unit_plan(UnitRef) -> UnitPlan [Plan];
            Query plan_resource(ResourceRef) -> Vec<AttributeRow> [Plan];
            Mutation reveal(RevealArgs) -> Revealed [History];
            Query plan_log(LogRange) -> LogPage [Plan];
            Query plan_log_search(LogSearch) -> LogMatches [Plan];
            Query diff(ChangeRef) -> Diff [Diff];
            Mutation set_viewed(SetViewed) -> Nothing [Diff];
            Query history(ChangeRef) -> History [History];
            Query sign_sheet(ChangeRef) -> SignSheet [Change];
            Mutation sign_preview(SignDraft) -> SignPreview [];
            Mutation approve(SignArgs) -> Recorded [Queue, Change, History, Audit];
            Mutation refuse(RefuseArgs) -> Recorded [Queue, Change, History, Audit];
            Mutation revoke(RevokeArgs) -> Recorded [Queue, Change, History, Audit];
            Mutation merge(MergeArgs) -> Merged [Queue, Change, History, Audit, Clones, Runs];
            Query audit(AuditFilter) -> Audit [Audit];
            Query statement(StatementRef) -> StatementDetail [Audit];
            Mutation audit_verify(Nothing) -> AuditReport [];
            Query keys(Nothing) -> Keys [Keys];
            Mutation key_new(NewKey) -> KeyInfo [Keys, Clones, Queue, Change];
            Mutation key_use(KeyRef) -> Nothing [Keys, Clones, Queue, Change];
            Query runs(Nothing) -> Runs [Runs];
            Query run_log(RunRef) -> RunLog [Runs];
            Mutation run_cancel(RunRef) -> Nothing [Runs];
            Mutation run_repeat(RunRef) -> Nothing [Runs];
        }
    };
}

macro_rules! derive_from_list {
    ($($kind:ident $name:ident($args:ident) -> $result:ty [$($tag:ident),*];)*) => {
        /// Every command, in the list's order.
        pub const COMMANDS: &[CommandSpec] = &[
            $(CommandSpec {
                name: stringify!($name),
                kind: CommandKind::$kind,
                tags: &[$(Tag::$tag),*],
            },)*
        ];

        /// Runs the command called `name` with JSON arguments: the adapter of hosts that speak JSON.
        ///
        /// # Errors
        /// [`ApiError`]; unknown names and arguments of another shape are refused.
        pub async fn dispatch(
            host: &Host,
            name: &str,
            args: serde_json::Value,
        ) -> Result<serde_json::Value, ApiError> {
            match name {
                $(stringify!($name) => encode(commands::$name(host, decode(args)?).await?),)*
                _ => Err(ApiError::usage(format!("there is no command {}", countersign_domain::names::quoted(name)))),
            }
        }

        pub(crate) fn declare_types(declarations: &mut crate::typescript::Declarations) {
            use dto::*;
            use ts_rs::TypeVisitor as _;
            $(
                declarations.visit::<$args>();
                declarations.visit::<$result>();
                declarations.command(
                    stringify!($name),
                    <$args as TS>::name(declarations.config()),
                    <$result as TS>::name(declarations.config()),
                );
            )*
        }
    };
}

#[allow(clippy::wildcard_imports, reason = "the list names types of the one module it is about")]
mod derived {
    use super::{ApiError, CommandKind, CommandSpec, Host, TS, Tag, commands, decode, dto, encode};
    for_each_command!(derive_from_list);
}
pub(crate) use derived::declare_types;
pub use derived::{COMMANDS, dispatch};

fn decode<T: DeserializeOwned>(args: serde_json::Value) -> Result<T, ApiError> {
    serde_json::from_value(args).map_err(|error| ApiError::usage(format!("the arguments do not fit: {error}")))
}

fn encode<T: Serialize>(result: T) -> Result<serde_json::Value, ApiError> {
    serde_json::to_value(result).map_err(ApiError::bug)
}
