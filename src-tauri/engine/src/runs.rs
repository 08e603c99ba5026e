//! Runs of this process: what is running, what it says, how it ended, and how to stop it.
//!
//! Logs of tools never pass through here: they hold secrets and travel sealed. Lines here are progress, safe to show.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use countersign_domain::names::{ChangeId, UnitPath};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::error::EngineError;
use crate::event::Event;
use crate::{Engine, lock, now};

/// How many runs are remembered.
const REMEMBERED: usize = 200;
/// How many progress lines of a run are remembered.
const LINES: usize = 2000;

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Fetching a clone.
    Fetch,
    /// Cloning a repository.
    Clone,
    /// Planning a change.
    Plan,
    /// Applying a change.
    Apply,
    /// Merging a change.
    Merge,
    /// Building the demo world.
    Demo,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Still going.
    Running,
    /// Did what it was asked to.
    Succeeded,
    /// Did not.
    Failed,
    /// Was stopped by someone.
    Cancelled,
}

impl Status {
    /// The status's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What is known of a run.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Its id in this process.
    pub id: String,
    /// What it does.
    pub kind: Kind,
    /// In words.
    pub title: String,
    /// How it stands.
    pub status: Status,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What came of it.
    pub summary: String,
    /// The clone and change it is for.
    pub change: Option<(String, ChangeId)>,
    /// The unit it is for.
    pub unit: Option<UnitPath>,
    lines: VecDeque<String>,
    dropped: bool,
    repeat: Option<Repeat>,
}

impl RunRecord {
    /// True when [`Engine::repeat_run`] can do again what it did.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        self.repeat.is_some() && self.status != Status::Running
    }
}

/// What doing a run again means.
#[derive(Debug, Clone)]
enum Repeat {
    /// Fetch this clone.
    Fetch(String),
}

/// A run that is going on.
#[derive(Debug, Clone)]
pub struct Run {
    id: String,
    cancel: CancellationToken,
}

impl Run {
    /// Stops what the run does when it is cancelled.
    #[must_use]
    pub fn cancel_token(&self) -> &CancellationToken {
        &self.cancel
    }
}

/// The runs of this process.
#[derive(Debug, Default)]
pub struct Runs(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    runs: VecDeque<(RunRecord, CancellationToken)>,
}

impl Engine {
    pub(crate) fn begin(
        &self,
        kind: Kind,
        title: String,
        change: Option<(String, ChangeId)>,
        unit: Option<UnitPath>,
    ) -> Run {
        let cancel = CancellationToken::new();
        let id = {
            let mut inner = lock(&self.inner.runs.0);
            inner.last += 1;
            let id = format!("here-{}", inner.last);
            let record = RunRecord {
                id: id.clone(),
                kind,
                title: title.clone(),
                status: Status::Running,
                started: now(),
                ended: None,
                summary: String::new(),
                change,
                unit,
                lines: VecDeque::new(),
                dropped: false,
                repeat: None,
            };
            inner.runs.push_front((record, cancel.clone()));
            inner.runs.truncate(REMEMBERED);
            id
        };
        self.emit(Event::RunStarted { run: id.clone(), title });
        Run { id, cancel }
    }

    /// Lets a fetch be done again from its run.
    pub(crate) fn may_repeat_fetch(&self, run: &Run, clone: String) {
        let mut inner = lock(&self.inner.runs.0);
        if let Some((record, _)) = inner.runs.iter_mut().find(|(record, _)| record.id == run.id) {
            record.repeat = Some(Repeat::Fetch(clone));
        }
    }

    /// Does again what a run did.
    ///
    /// # Errors
    /// [`EngineError::NoSuchRun`]; [`EngineError::NotNow`] when it cannot be repeated; else as the first time.
    pub async fn repeat_run(&self, id: &str) -> Result<(), EngineError> {
        let runs = self.runs();
        let found = runs.iter().find(|record| record.id == id);
        let record = found.ok_or_else(|| EngineError::NoSuchRun(id.to_owned()))?;
        match &record.repeat {
            Some(Repeat::Fetch(clone)) if record.is_repeatable() => {
                let place = self.place(clone).await?;
                self.refresh(&place).await
            }
            _ => Err(EngineError::NotNow("this run cannot be repeated from here".to_owned())),
        }
    }

    pub(crate) fn progress(&self, run: &Run, line: &str) {
        {
            let mut inner = lock(&self.inner.runs.0);
            let Some((record, _)) = inner.runs.iter_mut().find(|(record, _)| record.id == run.id) else { return };
            if record.lines.len() == LINES {
                record.lines.pop_front();
                record.dropped = true;
            }
            record.lines.push_back(line.to_owned());
        }
        self.emit(Event::RunProgress { run: run.id.clone(), text: line.to_owned() });
    }

    pub(crate) fn end(&self, run: &Run, outcome: Result<String, &EngineError>) {
        let (status, summary) = match outcome {
            Ok(summary) => (Status::Succeeded, summary),
            Err(_) if run.cancel.is_cancelled() => (Status::Cancelled, "cancelled".to_owned()),
            Err(error) => (Status::Failed, error.recorded()),
        };
        {
            let mut inner = lock(&self.inner.runs.0);
            if let Some((record, _)) = inner.runs.iter_mut().find(|(record, _)| record.id == run.id) {
                (record.status, record.ended, record.summary) = (status, Some(now()), summary.clone());
            }
        }
        self.emit(Event::RunEnded { run: run.id.clone(), status: status.word().to_owned(), summary });
    }

    /// The runs of this process, newest first.
    #[must_use]
    pub fn runs(&self) -> Vec<RunRecord> {
        lock(&self.inner.runs.0).runs.iter().map(|(record, _)| record.clone()).collect()
    }

    /// A run's progress lines, and whether older ones were dropped.
    ///
    /// # Errors
    /// [`EngineError::NoSuchRun`].
    pub fn run_lines(&self, id: &str) -> Result<(Vec<String>, bool), EngineError> {
        let inner = lock(&self.inner.runs.0);
        let found = inner.runs.iter().find(|(record, _)| record.id == id);
        let (record, _) = found.ok_or_else(|| EngineError::NoSuchRun(id.to_owned()))?;
        Ok((record.lines.iter().cloned().collect(), record.dropped))
    }

    /// Asks a run to stop.
    ///
    /// # Errors
    /// [`EngineError::NoSuchRun`].
    pub fn cancel_run(&self, id: &str) -> Result<(), EngineError> {
        let inner = lock(&self.inner.runs.0);
        let found = inner.runs.iter().find(|(record, _)| record.id == id);
        let (_, cancel) = found.ok_or_else(|| EngineError::NoSuchRun(id.to_owned()))?;
        cancel.cancel();
        Ok(())
    }
}
