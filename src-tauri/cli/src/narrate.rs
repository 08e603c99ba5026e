//! Telling on standard error what the engine does while a command waits for it.

use countersign_engine::Engine;
use countersign_engine::event::{Event, Sequenced};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::output::{self, Format, Output};
use crate::text;

/// Runs `work` and tells of its progress, to people only; an alarm is told always.
pub(crate) async fn narrated<T>(engine: &Engine, output: &Output, work: impl Future<Output = T>) -> T {
    let (mut events, format) = (engine.events(), output.format());
    tokio::pin!(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            event = events.recv() => match event {
                Ok(event) => tell(&event, format),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break work.await,
            }
        }
    };
    tell_rest(&mut events, format);
    done
}

/// What was said before the work ended and not told yet.
fn tell_rest(events: &mut Receiver<Sequenced>, format: Format) {
    loop {
        match events.try_recv() {
            Ok(event) => tell(&event, format),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return,
        }
    }
}

fn tell(event: &Sequenced, format: Format) {
    match (&event.event, format) {
        (Event::Alarm { message, .. }, _) => output::note(&format!("ALARM: {}", text::line(message))),
        (Event::RunStarted { title, .. }, Format::Human) => output::note(&text::line(title)),
        (Event::RunProgress { text, .. }, Format::Human) => output::note(&format!("  {}", text::line(text))),
        _ => {}
    }
}
