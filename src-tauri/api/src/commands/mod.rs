//! The commands of the list, one function each.

mod app;
mod audit;
mod clones;
mod decide;
mod keys;
mod plan;
mod queue;
mod runs;

pub use app::{app_info, open_demo, set_theme};
pub use audit::{audit, audit_verify, statement};
pub use clones::{clone_add, clone_refresh, clone_remove, clones};
pub use decide::{approve, merge, refuse, revoke, sign_preview, sign_sheet};
pub use keys::{key_new, key_use, keys};
pub use plan::{diff, plan_log, plan_log_search, plan_resource, reveal, set_viewed, unit_plan};
pub use queue::{change, history, queue};
pub use runs::{run_cancel, run_log, run_repeat, runs};

use countersign_engine::changes::{ChangeView, CloneView};
use countersign_engine::place::Place;
use countersign_engine::{EngineError, ErrorKind};

use crate::dto::Problem;
use crate::error::ApiError;
use crate::{Host, dto};

/// A change with the clone it is in.
pub(crate) struct Found {
    pub(crate) place: Place,
    pub(crate) clone: CloneView,
    pub(crate) view: ChangeView,
}

impl Found {
    pub(crate) async fn find(host: &Host, clone: &str, change: &str) -> Result<Self, ApiError> {
        let (place, clone, id) = host.engine.find_change(Some(clone), change).await?;
        let view = clone.change(&id).cloned().ok_or_else(|| EngineError::NoSuchChange(id.to_string()))?;
        Ok(Self { place, clone, view })
    }
}

/// An engine's failure as something that stands beside an answer.
pub(crate) fn problem(error: &EngineError) -> Problem {
    debug_assert!(error.kind() != ErrorKind::Bug, "{error}");
    Problem { message: error.to_string(), kept: error.kept().map(str::to_owned), hint: error.hint().map(str::to_owned) }
}

/// A count for display; more than four billion of anything is shown as that many.
pub(crate) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Text from a repository made safe to show: no control or reordering characters.
pub(crate) fn safe(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() => '\u{fffd}',
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c => c,
        })
        .collect()
}

pub(crate) fn counts(counts: countersign_domain::plan::Counts) -> dto::PlanCounts {
    dto::PlanCounts {
        create: counts.create,
        update: counts.update,
        delete: counts.delete,
        replace: counts.replace,
        read: counts.read,
        no_op: counts.no_op,
        import: counts.import,
        moved: counts.moved,
        forget: counts.forget,
    }
}
