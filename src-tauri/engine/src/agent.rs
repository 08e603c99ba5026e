//! The deploy runner's round: fetch, plan what lacks a current plan, apply what is merged and approved.

use std::time::Duration;

use countersign_domain::change::Mergeability;
use countersign_domain::gate::RequirementName;
use countersign_domain::names::ChangeId;
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::attention::Standing;
use crate::changes::{ChangeView, CloneView};
use crate::error::EngineError;
use crate::event::Event;
use crate::place::Place;
use crate::watch::Watcher;

/// What one round did to a change.
#[derive(Debug)]
pub struct Step {
    /// The change.
    pub change: ChangeId,
    /// What was done.
    pub deed: Deed,
    /// How it went, in words.
    pub outcome: Result<String, EngineError>,
}

/// What a round does to a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It was planned.
    Planned,
    /// It was applied.
    Applied,
    /// Applies that were cut off were reported.
    ReportedInterrupted,
}

impl Deed {
    /// The deed's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "plan",
            Self::Applied => "apply",
            Self::ReportedInterrupted => "interrupted",
        }
    }
}

impl Engine {
    /// One round over every watched clone of live configuration.
    ///
    /// # Errors
    /// The first clone's reason when none could be worked on; a failing change is told in its step.
    pub async fn agent_round(&self) -> Result<Vec<Step>, EngineError> {
        let (mut steps, mut worked, mut first_error) = (Vec::new(), false, None);
        for (clone, place) in self.places().await? {
            let round = match place {
                Ok(place) => self.round_of(&place).await,
                Err(error) => Err(error),
            };
            match round {
                Ok(done) => {
                    worked = true;
                    steps.extend(done);
                }
                // One remote that does not answer must not keep the others from being served.
                Err(error) => {
                    let message = format!("{} could not be worked on: {}", clone.name, error.recorded());
                    self.emit(Event::Alarm { clone: clone.id.to_string(), message });
                    first_error = first_error.or(Some(error));
                }
            }
        }
        match first_error {
            Some(error) if !worked => Err(error),
            _ => Ok(steps),
        }
    }

    async fn round_of(&self, place: &Place) -> Result<Vec<Step>, EngineError> {
        self.fetch_quietly(place).await?;
        self.exchange(place).await?;
        let mut steps = Vec::new();
        let clone = self.clone_view(place).await?;
        let Ok(policy) = clone.policy() else { return Ok(steps) };
        self.must_be_runner(policy).await?;
        self.report_cut_off(place, &clone, &mut steps).await?;
        let clone = self.clone_view(place).await?;
        for view in &clone.changes {
            if wants_apply(&clone, view) {
                let outcome = self.apply_change(place, &view.change.id).await.map(|applied| applied.in_words());
                steps.push(Step { change: view.change.id.clone(), deed: Deed::Applied, outcome });
            }
        }
        // An apply moved trunk's state: judge anew before planning.
        let clone = self.clone_view(place).await?;
        for view in &clone.changes {
            if wants_plan(&clone, view) {
                let planned = self.plan_change(place, &clone, view).await;
                let outcome = planned.map(|dry_run| format!("{} units planned and sealed", dry_run.units.len()));
                steps.push(Step { change: view.change.id.clone(), deed: Deed::Planned, outcome });
            }
        }
        Ok(steps)
    }

    async fn report_cut_off(&self, place: &Place, clone: &CloneView, steps: &mut Vec<Step>) -> Result<(), EngineError> {
        for change in self.report_interrupted(place, clone).await? {
            let outcome = Ok("an apply was cut off before; it is not repeated".to_owned());
            steps.push(Step { change, deed: Deed::ReportedInterrupted, outcome });
        }
        Ok(())
    }

    /// Rounds until `cancel`: at once, whenever a watched clone or its local remote moves, and at least every `every`.
    ///
    /// # Errors
    /// Fails when nothing can be watched; a round that fails is handed to `report` and tried again.
    pub async fn agent(
        &self,
        every: Duration,
        cancel: &CancellationToken,
        report: &mut (dyn FnMut(Result<Vec<Step>, EngineError>) + Send),
    ) -> Result<(), EngineError> {
        let mut watcher = Watcher::start(self).await?;
        loop {
            report(self.agent_round().await);
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                _ = watcher.moved() => {}
                () = tokio::time::sleep(every) => {}
            }
        }
    }
}

/// A change that can be planned and has no plan of exactly this head and these inputs; a failed plan of the same inputs is
/// not tried again until something moves.
fn wants_plan(clone: &CloneView, view: &ChangeView) -> bool {
    if matches!(view.surveyed.facts.mergeability, Mergeability::Merged { .. }) || view.surveyed.merged.is_none() {
        return false;
    }
    let has_units = view.surveyed.facts.units.as_ref().is_ok_and(|units| !units.is_empty());
    let lacks_plan = view.verdict.requirements().iter().any(|r| r.name == RequirementName::Plan && !r.met);
    has_units && lacks_plan && clone.circumstances(view).standing() != Standing::PlanFailed
}

fn wants_apply(clone: &CloneView, view: &ChangeView) -> bool {
    let merged = matches!(view.surveyed.facts.mergeability, Mergeability::Merged { .. });
    merged && view.verdict.is_open() && clone.circumstances(view).standing() == Standing::Applying
}
