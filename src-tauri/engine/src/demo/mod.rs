//! A world to try it all in, and the walk through it: real Git, real keys, a real tool, nothing simulated.

mod desktop;
mod walk;
pub mod world;

use std::future::Future;
use std::path::Path;
use std::pin::Pin;

use countersign_domain::names::QuestionId;
use countersign_domain::statement::Answer;
use countersign_store::StoreError;
use countersign_store::clones::CloneKind;

use crate::Engine;
use crate::blocking::blocking;
use crate::changes::{ChangeView, CloneView};
use crate::decide::ApprovalDraft;
use crate::error::EngineError;
use crate::place::Place;
use crate::tooling::Tooling;
use world::{DemoChange, Seat, World};

pub use desktop::DesktopDemo;
pub use walk::{Walked, walk};

/// The setting that names the demo world a data directory belongs to.
pub const DEMO_SETTING: &str = "demo-dir";

/// One round of the deploy runner, in whatever process the caller wants it to be.
pub type RunnerRound<'a> =
    dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), EngineError>> + Send + 'a>> + Send + Sync + 'a;

/// The world with its persons at their desks.
#[derive(Clone)]
pub struct Demo {
    /// Where everything is.
    pub world: World,
    /// You.
    pub you: Engine,
    /// The teammate.
    pub teammate: Engine,
}

/// Builds the world in `dir`, or opens the one that is there; with `Begin::Anew` an old one goes first.
///
/// # Errors
/// Fails when there is no tool, or when `dir` holds something else.
pub async fn world(dir: &Path, begin: Begin, say: &mut (dyn FnMut(&str) + Send)) -> Result<World, EngineError> {
    let (dir, tool) = (dir.to_owned(), Tooling::find().await?.path().to_owned());
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel::<String>();
    let building = blocking(move || {
        if begin == Begin::Anew {
            world::reset(&dir)?;
        }
        match world::open(&dir) {
            Ok(Some(world)) => return Ok(world),
            Ok(None) => {}
            Err(world::WorldError::HalfBuilt { .. }) => world::reset(&dir)?,
            Err(error) => return Err(error),
        }
        world::build(&dir, &tool, &mut |line| {
            // Nobody listens any more: the build goes on all the same.
            let _ = sender.send(line.to_owned());
        })
    });
    tokio::pin!(building);
    loop {
        tokio::select! {
            Some(line) = lines.recv() => say(&line),
            world = &mut building => return world,
        }
    }
}

/// Whether an old world is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Open what is there.
    WithWhatIsThere,
    /// Remove it first.
    Anew,
}

/// Seats everyone, lets the runner plan, and has the teammate sign the database change.
///
/// # Errors
/// Fails when any step does.
pub async fn prepare(
    world: &World,
    you: Engine,
    runner_round: &RunnerRound<'_>,
    say: &mut (dyn FnMut(&str) + Send),
) -> Result<Demo, EngineError> {
    let teammate = Engine::open(&world.teammate.data_dir).await?;
    seat(&you, &world.you).await?;
    seat(&teammate, &world.teammate).await?;
    you.store().set_setting(DEMO_SETTING, &world.dir).await?;
    {
        let runner = Engine::open(&world.runner.data_dir).await?;
        seat(&runner, &world.runner).await?;
    }
    say("The deploy runner plans the open changes");
    runner_round().await?;
    let demo = Demo { world: world.clone(), you, teammate };
    say("The teammate reviews the database change");
    demo.teammate_signs().await?;
    let place = demo.place(&demo.you).await?;
    demo.you.refresh(&place).await?;
    Ok(demo)
}

/// Gives an engine the clone and the key of a seat, and announces its device.
async fn seat(engine: &Engine, seat: &Seat) -> Result<(), EngineError> {
    add(engine, &seat.live_clone, CloneKind::Live).await?;
    if let Some(modules) = &seat.modules_clone {
        add(engine, modules, CloneKind::Modules).await?;
    }
    engine.use_key_file(&seat.key).await?;
    for (_, place) in engine.places().await? {
        engine.refresh(&place?).await?;
    }
    Ok(())
}

async fn add(engine: &Engine, dir: &Path, kind: CloneKind) -> Result<(), EngineError> {
    match engine.add_clone(dir, kind).await {
        Ok(_) | Err(EngineError::Store(StoreError::CloneExists { .. })) => Ok(()),
        Err(error) => Err(error),
    }
}

impl Demo {
    async fn place(&self, engine: &Engine) -> Result<Place, EngineError> {
        engine.place("infrastructure-live").await
    }

    async fn teammate_signs(&self) -> Result<(), EngineError> {
        let place = self.place(&self.teammate).await?;
        self.teammate.refresh(&place).await?;
        let clone = self.teammate.clone_view(&place).await?;
        let wanted = DemoChange::GROW_ORDERS_DB;
        let Some(view) = clone.changes.iter().find(|view| view.change.id.as_str() == wanted) else { return Ok(()) };
        if clone.circumstances(view).approve_blocked().is_some() {
            return Ok(());
        }
        sign(&self.teammate, &place, &clone, view).await
    }
}

/// Answers every question with yes, acknowledges every destroy, and signs.
async fn sign(engine: &Engine, place: &Place, clone: &CloneView, view: &ChangeView) -> Result<(), EngineError> {
    let terms = engine.approval_terms(clone, view).await?;
    let answers = terms.questions.iter().map(|question| (question.id.clone(), Answer::Yes));
    let draft = ApprovalDraft {
        answers: answers.collect::<std::collections::BTreeMap<QuestionId, Answer>>(),
        acknowledged: terms.acknowledge.clone(),
        hours: None,
    };
    let preview = engine.preview_approval(place, clone, view, &draft).await?;
    let (_, recorded) = engine.approve(&preview.token, None).await?;
    recorded.unpublished.map_or(Ok(()), Err)
}
