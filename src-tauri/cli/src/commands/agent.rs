//! `agent`: the deploy runner at work.

use std::time::Duration;

use countersign_engine::EngineError;
use countersign_engine::agent::Step;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::runner::RunnerLock;
use crate::args::{Agent, RECORD_KEPT};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::narrate::narrated;
use crate::output::{self, Format, Output};
use crate::session::Session;
use crate::signals;
use crate::text::{self, Look};

/// A deed as `--json` prints it.
#[derive(Serialize)]
struct StepAnswer<'a> {
    step: &'static str,
    change: &'a str,
    ok: bool,
    detail: String,
}

pub(crate) async fn agent(session: &Session, args: &Agent, output: &mut Output) -> Result<Exit, Failure> {
    let _lock = RunnerLock::take(session.engine().data_dir())?;
    let stop = signals::stop_asked()?;
    if args.once {
        // A signal does not cut a tool off: the one round ends by itself.
        let steps = narrated(session.engine(), output, session.engine().agent_round()).await?;
        return tell_all(steps, output);
    }
    let cancel = CancellationToken::new();
    let stopping = cancel.clone();
    let listening = tokio::spawn(async move {
        stop.await;
        output::note("stopping when the tool that runs has finished");
        stopping.cancel();
    });
    let mut trouble = None;
    let every = Duration::from_secs(args.every);
    let done = {
        let mut report = |round: Result<Vec<Step>, EngineError>| {
            let told = tell_round(round, output);
            if output.is_gone() || told.is_err() {
                // Nobody would learn of what is done.
                cancel.cancel();
            }
            trouble = told.err();
        };
        session.engine().agent(every, &cancel, &mut report).await
    };
    listening.abort();
    done?;
    trouble.map_or(Ok(Exit::Done), Err)
}

/// Tells of a round of many: a failure is told and the next round tries again.
fn tell_round(round: Result<Vec<Step>, EngineError>, output: &mut Output) -> Result<(), Failure> {
    match round {
        Ok(steps) => tell_all(steps, output).map(drop),
        Err(error) => {
            output.fail(&Failure::from(error).completed(RECORD_KEPT));
            Ok(())
        }
    }
}

/// Tells of every deed; the exit code is that of the first that failed.
fn tell_all(steps: Vec<Step>, output: &mut Output) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    for step in steps {
        tell(&step, output)?;
        if let (Exit::Done, Err(error)) = (exit, step.outcome) {
            exit = Failure::from(error).exit();
        }
    }
    Ok(exit)
}

fn tell(step: &Step, output: &mut Output) -> Result<(), Failure> {
    let (ok, detail) = match &step.outcome {
        Ok(detail) => (true, detail.clone()),
        Err(error) => (false, error.to_string()),
    };
    let told = StepAnswer { step: step.deed.word(), change: step.change.as_str(), ok, detail };
    match output.format() {
        Format::Json => output.json(&told),
        Format::Human => {
            let paint = output.paint();
            let (mark, look) = if told.ok { ("✓", Look::Good) } else { ("✗", Look::Bad) };
            let mark = paint.paint(look, mark);
            output.text(&format!("{mark} {} {}: {}\n", told.step, text::line(told.change), text::line(&told.detail)))
        }
    }
}
