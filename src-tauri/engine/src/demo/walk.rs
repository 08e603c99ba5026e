//! The main job walked through as a person would, through the same engine the window uses.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_domain::change::Mergeability;
use countersign_domain::names::ChangeId;
use countersign_domain::statement::{AfterApply, ApplyOutcome};
use serde::Serialize;

use super::world::DemoChange;
use super::{Demo, RunnerRound, sign};
use crate::attention::Standing;
use crate::blocking::blocking;
use crate::changes::{ChangeView, CloneView};
use crate::error::EngineError;
use crate::place::Place;

/// One step of the walk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Walked {
    /// `plan`, `seal`, `decrypt`, `gate-closed`, `approve`, `gate-open`, `merge`, `apply` or `verify`.
    pub step: &'static str,
    /// The change.
    pub change: String,
    /// Whether it went as it has to.
    pub ok: bool,
    /// What was seen.
    pub detail: String,
}

/// Walks the harmless change and the database change from plan to verified apply. Returns whether every step went as it
/// has to; stops at the first that did not.
///
/// # Errors
/// Fails when a step cannot be taken at all.
pub async fn walk(
    demo: &Demo,
    runner_round: &RunnerRound<'_>,
    tell: &mut (dyn FnMut(&Walked) + Send),
) -> Result<bool, EngineError> {
    for id in [DemoChange::STAGE_WEB_REPLICAS, DemoChange::GROW_ORDERS_DB] {
        let mut walk = Walk { demo, id: ChangeId::new(id)?, tell, ok: true };
        walk.change(runner_round).await?;
        if !walk.ok {
            return Ok(false);
        }
    }
    Ok(true)
}

struct Walk<'a> {
    demo: &'a Demo,
    id: ChangeId,
    tell: &'a mut (dyn FnMut(&Walked) + Send),
    ok: bool,
}

impl Walk<'_> {
    fn told(&mut self, step: &'static str, ok: bool, detail: impl Into<String>) {
        self.ok &= ok;
        (self.tell)(&Walked { step, change: self.id.to_string(), ok, detail: detail.into() });
    }

    async fn look(&self) -> Result<(Place, CloneView, ChangeView), EngineError> {
        let place = self.demo.place(&self.demo.you).await?;
        self.demo.you.refresh(&place).await?;
        let clone = self.demo.you.clone_view(&place).await?;
        let view = clone.change(&self.id).cloned();
        let view = view.ok_or_else(|| EngineError::NoSuchChange(self.id.to_string()))?;
        Ok((place, clone, view))
    }

    async fn change(&mut self, runner_round: &RunnerRound<'_>) -> Result<(), EngineError> {
        let (place, clone, view) = self.look().await?;
        if matches!(view.surveyed.facts.mergeability, Mergeability::Merged { .. }) {
            let applied = clone.circumstances(&view).standing() == Standing::Applied;
            self.told("verify", applied, clone.circumstances(&view).summary());
            return Ok(());
        }
        self.planned(&view);
        self.decrypted(&place, &clone, &view).await;
        let lacking = clone.circumstances(&view).lacking();
        self.told("gate-closed", !view.verdict.is_open(), lacking);
        if !self.ok {
            return Ok(());
        }
        sign(&self.demo.you, &place, &clone, &view).await?;
        let (place, clone, view) = self.look().await?;
        let counted: Vec<String> = view.verdict.counted().keys().map(ToString::to_string).collect();
        let mine = clone.you.as_ref().is_some_and(|you| view.verdict.counted().contains_key(you));
        self.told("approve", mine, format!("approvals that count: {}", counted.join(", ")));
        self.told("gate-open", view.verdict.is_open(), clone.circumstances(&view).summary());
        if !self.ok {
            return Ok(());
        }
        let before = cloud(&self.demo.world.cloud).await?;
        let commit = self.demo.you.merge(&place, &self.id, &view.change.head).await?;
        self.told("merge", true, format!("merged as {}", commit.short()));
        runner_round().await?;
        let (_, clone, view) = self.look().await?;
        self.applied(&clone, &view);
        self.verified(&view, &before).await
    }

    fn planned(&mut self, view: &ChangeView) {
        let Some((id, manifest)) = view.verdict.manifest() else {
            return self.told("plan", false, "the deploy runner made no plan");
        };
        let counts = countersign_domain::gate::total_counts(manifest);
        let (add, change, destroy) = counts.tool_line();
        let detail = format!("{add} to add, {change} to change, {destroy} to destroy");
        let id = id.short().to_owned();
        let bundles = manifest.units.len();
        self.told("plan", true, detail);
        self.told("seal", bundles > 0, format!("{bundles} units sealed, manifest {id}"));
    }

    async fn decrypted(&mut self, place: &Place, clone: &CloneView, view: &ChangeView) {
        let units = view.verdict.manifest().map(|(_, manifest)| manifest.units.clone()).unwrap_or_default();
        for unit in units {
            match self.demo.you.open_plan(place, clone, view, &unit.unit).await {
                Ok(open) => {
                    let resources = open.plan.as_ref().map_or(0, |plan| plan.resources.len());
                    let detail = format!("{}: {resources} resources, {} log lines", unit.unit, open.log.len());
                    self.told("decrypt", open.plan.is_some(), detail);
                }
                Err(error) => self.told("decrypt", false, error.to_string()),
            }
        }
    }

    fn applied(&mut self, clone: &CloneView, view: &ChangeView) {
        let whole = !view.results.is_empty() && view.results.iter().all(|r| r.outcome == ApplyOutcome::Applied);
        self.told("apply", whole, clone.circumstances(view).summary());
    }

    /// The cloud moved under the change's units and nowhere else, and trunk plans to no changes.
    async fn verified(&mut self, view: &ChangeView, before: &BTreeMap<PathBuf, Vec<u8>>) -> Result<(), EngineError> {
        let after = cloud(&self.demo.world.cloud).await?;
        let moved: Vec<&PathBuf> =
            before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path)).collect();
        let units: Vec<&str> = view.results.iter().map(|result| result.unit.as_str()).collect();
        let inside = |path: &&PathBuf| units.iter().any(|unit| path.starts_with(unit));
        let quiet = view.results.iter().all(|result| result.after == AfterApply::NoChanges);
        let ok = !moved.is_empty() && moved.iter().all(inside) && quiet;
        let files: std::collections::BTreeSet<String> = moved.iter().map(|path| path.display().to_string()).collect();
        let trunk = if quiet { "trunk plans to no changes" } else { "trunk still plans to changes" };
        self.told(
            "verify",
            ok,
            format!("{} files of the cloud moved, all of {}; {trunk}", files.len(), units.join(", ")),
        );
        Ok(())
    }
}

/// Every file of the cloud folder, by its path in it.
async fn cloud(dir: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>, EngineError> {
    let dir = dir.to_owned();
    blocking(move || {
        let mut files = BTreeMap::new();
        let mut open = vec![dir.clone()];
        while let Some(folder) = open.pop() {
            let io = |source| EngineError::Io { doing: "read", path: folder.clone(), source };
            for entry in std::fs::read_dir(&folder).map_err(io)? {
                let path = entry.map_err(io)?.path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let content = std::fs::read(&path).map_err(io)?;
                    files.insert(path.strip_prefix(&dir).unwrap_or(&path).to_owned(), content);
                }
            }
        }
        Ok::<_, EngineError>(files)
    })
    .await
}
