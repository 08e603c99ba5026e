//! Runs: what was run for which unit, and how it ended.
//!
//! A run goes from queued over running to one of four ends, never back. Its log is kept sealed or not at all.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;

use countersign_domain::names::{ChangeId, RepositoryId, UnitPath};

use crate::clones::CloneId;
use crate::error::StoreError;
use crate::open::Store;
use crate::row::{Read, time_text};
use crate::session::DoorLock;

/// A run's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunKind {
    /// A dry run.
    Plan,
    /// An apply.
    Apply,
    /// A sandbox test of a module.
    Test,
    /// Taking a warm sandbox down.
    Teardown,
}

impl RunKind {
    const ALL: [Self; 4] = [Self::Plan, Self::Apply, Self::Test, Self::Teardown];

    /// The kind's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Apply => "apply",
            Self::Test => "test",
            Self::Teardown => "teardown",
        }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Waiting for its turn.
    Queued,
    /// Going on.
    Running,
    /// The tool said that it succeeded.
    Succeeded,
    /// The tool failed, or could not be started.
    Failed,
    /// Someone stopped it.
    Cancelled,
    /// The process that ran it ended before the run did: what it did is not known.
    Interrupted,
}

impl RunStatus {
    const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled, Self::Interrupted];

    /// The status's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A run to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// What is run.
    pub kind: RunKind,
    /// The repository.
    pub repository: RepositoryId,
    /// The clone it runs in or for.
    pub clone: Option<CloneId>,
    /// The change it is for.
    pub change: Option<ChangeId>,
    /// The unit or module it runs on.
    pub unit: Option<UnitPath>,
    /// When it was queued.
    pub queued_at: Timestamp,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// The verdict.
    pub verdict: RunVerdict,
    /// When.
    pub at: Timestamp,
    /// The tool's exit code, if it had one.
    pub exit: Option<i32>,
    /// One line for people. It stands in the file in plain text: no value, no output of the tool.
    pub summary: Option<String>,
    /// The log, sealed. Never in plain text: logs hold secrets.
    pub sealed_log: Option<Vec<u8>>,
}

/// The ends a run can be brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunVerdict {
    /// See [`RunStatus::Succeeded`].
    Succeeded,
    /// See [`RunStatus::Failed`].
    Failed,
    /// See [`RunStatus::Cancelled`].
    Cancelled,
}

impl RunVerdict {
    fn status(self) -> RunStatus {
        match self {
            Self::Succeeded => RunStatus::Succeeded,
            Self::Failed => RunStatus::Failed,
            Self::Cancelled => RunStatus::Cancelled,
        }
    }
}

/// A run as it was recorded, without its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRun {
    /// Its number.
    pub id: RunId,
    /// What is run.
    pub kind: RunKind,
    /// The repository.
    pub repository: RepositoryId,
    /// The clone, unless it was removed since.
    pub clone: Option<CloneId>,
    /// The change.
    pub change: Option<ChangeId>,
    /// The unit or module.
    pub unit: Option<UnitPath>,
    /// Where it stands.
    pub status: RunStatus,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The tool's exit code.
    pub exit: Option<i32>,
    /// One line for people.
    pub summary: Option<String>,
}

/// Which runs to read; nothing set means all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    /// Only those for this repository.
    pub repository: Option<RepositoryId>,
    /// Only those for this change.
    pub change: Option<ChangeId>,
    /// Only those that stand here.
    pub status: Option<RunStatus>,
    /// At most this many, the newest first.
    pub limit: Option<u32>,
}

const COLUMNS: &str =
    "SELECT id, kind, repository, clone, change, unit, status, queued_at, started_at, ended_at, exit, summary FROM runs
    WHERE (?1 IS NULL OR repository = ?1) AND (?2 IS NULL OR change = ?2) AND (?3 IS NULL OR status = ?3)
      AND (?4 IS NULL OR id = ?4)
    ORDER BY id DESC LIMIT ?5";

impl Store {
    /// Queues a run.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when its clone does not exist.
    pub async fn queue_run(&self, run: &NewRun) -> Result<RunId, StoreError> {
        let queued = sqlx::query(
            "INSERT INTO runs (kind, repository, clone, change, unit, status, queued_at, session)
             VALUES (?, ?, ?, ?, ?, 'queued', ?, ?)",
        )
        .bind(run.kind.word())
        .bind(run.repository.as_str())
        .bind(run.clone.map(|id| id.0))
        .bind(run.change.as_ref().map(ChangeId::as_str))
        .bind(run.unit.as_ref().map(UnitPath::as_str))
        .bind(time_text(run.queued_at))
        .bind(self.session.id())
        .execute(&self.pool)
        .await?;
        Ok(RunId(queued.last_insert_rowid()))
    }

    /// A queued run begins.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`]; [`StoreError::RunMovedOn`] when it is not queued any more.
    pub async fn start_run(&self, run: RunId, at: Timestamp) -> Result<(), StoreError> {
        let started = sqlx::query(
            "UPDATE runs SET status = 'running', started_at = ?, session = ? WHERE id = ? AND status = 'queued'",
        )
        .bind(time_text(at))
        .bind(self.session.id())
        .bind(run.0)
        .execute(&self.pool)
        .await?;
        self.moved(run, started.rows_affected(), RunStatus::Running).await
    }

    /// A queued or running run ends.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`]; [`StoreError::RunMovedOn`] when it has ended before.
    pub async fn end_run(&self, run: RunId, end: &RunEnd) -> Result<(), StoreError> {
        let ended = sqlx::query(
            "UPDATE runs SET status = ?, ended_at = ?, exit = ?, summary = ?, sealed_log = ?
             WHERE id = ? AND status IN ('queued', 'running')",
        )
        .bind(end.verdict.status().word())
        .bind(time_text(end.at))
        .bind(end.exit)
        .bind(end.summary.as_deref())
        .bind(end.sealed_log.as_deref())
        .bind(run.0)
        .execute(&self.pool)
        .await?;
        self.moved(run, ended.rows_affected(), end.verdict.status()).await
    }

    /// Marks as interrupted every queued or running run whose process is gone, and returns them. Runs of other
    /// processes that still have this record open stay as they are. To be called once after opening.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn mark_interrupted(&self, at: Timestamp) -> Result<Vec<RunId>, StoreError> {
        let owners: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT session FROM runs WHERE status IN ('queued', 'running')")
                .fetch_all(&self.pool)
                .await?;
        // Asked before the transaction begins: no lock of the record is held while waiting for the door, and who is dead
        // stays dead.
        let dead = self.dead_sessions(owners).await?;
        let mut interrupted = Vec::new();
        let mut transaction = self.write().await?;
        for session in dead {
            let runs: Vec<i64> = sqlx::query_scalar(
                "UPDATE runs SET status = 'interrupted', ended_at = ?
                 WHERE session = ? AND status IN ('queued', 'running') RETURNING id",
            )
            .bind(time_text(at))
            .bind(session)
            .fetch_all(&mut *transaction)
            .await?;
            interrupted.extend(runs.into_iter().map(RunId));
        }
        transaction.commit().await?;
        interrupted.sort_unstable();
        Ok(interrupted)
    }

    async fn dead_sessions(&self, sessions: Vec<String>) -> Result<Vec<String>, StoreError> {
        let own = std::sync::Arc::clone(&self.session);
        let dir = self.dir.clone();
        let look = move || {
            let _door = dir.as_deref().map(DoorLock::take).transpose()?;
            Ok(sessions.into_iter().filter(|session| !own.is_alive(session)).collect())
        };
        let looked = tokio::task::spawn_blocking(look).await.unwrap_or_else(|ended| Err(std::io::Error::other(ended)));
        looked.map_err(|cause| StoreError::DirectoryNotWritable { dir: self.dir.clone().unwrap_or_default(), cause })
    }

    /// The runs that pass `filter`, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<RecordedRun>, StoreError> {
        let rows = sqlx::query(COLUMNS)
            .bind(filter.repository.as_ref().map(RepositoryId::as_str))
            .bind(filter.change.as_ref().map(ChangeId::as_str))
            .bind(filter.status.map(RunStatus::word))
            .bind(None::<i64>)
            .bind(filter.limit.map_or(-1, i64::from))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(recorded).collect()
    }

    /// One run.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`].
    pub async fn run(&self, run: RunId) -> Result<RecordedRun, StoreError> {
        let row = sqlx::query(COLUMNS)
            .bind(None::<&str>)
            .bind(None::<&str>)
            .bind(None::<&str>)
            .bind(run.0)
            .bind(1)
            .fetch_optional(&self.pool)
            .await?;
        recorded(&row.ok_or(StoreError::NoSuchRun(run))?)
    }

    /// A run's log as it was sealed, if it has one.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`].
    pub async fn sealed_log(&self, run: RunId) -> Result<Option<Vec<u8>>, StoreError> {
        let log: Option<Option<Vec<u8>>> = sqlx::query_scalar("SELECT sealed_log FROM runs WHERE id = ?")
            .bind(run.0)
            .fetch_optional(&self.pool)
            .await?;
        log.ok_or(StoreError::NoSuchRun(run))
    }

    async fn moved(&self, run: RunId, rows: u64, wanted: RunStatus) -> Result<(), StoreError> {
        if rows > 0 {
            return Ok(());
        }
        Err(StoreError::RunMovedOn { run, found: self.run(run).await?.status, wanted })
    }
}

fn recorded(row: &SqliteRow) -> Result<RecordedRun, StoreError> {
    let row = Read { table: "runs", row };
    let clone: Option<i64> = row.column("clone")?;
    Ok(RecordedRun {
        id: RunId(row.column("id")?),
        kind: row.word("kind", |word| RunKind::ALL.into_iter().find(|kind| kind.word() == word))?,
        repository: row.name("repository")?,
        clone: clone.map(CloneId),
        change: row.name_if_any("change")?,
        unit: row.name_if_any("unit")?,
        status: row.word("status", |word| RunStatus::ALL.into_iter().find(|status| status.word() == word))?,
        queued_at: row.time("queued_at")?,
        started_at: row.time_if_any("started_at")?,
        ended_at: row.time_if_any("ended_at")?,
        exit: row.column("exit")?,
        summary: row.column("summary")?,
    })
}
