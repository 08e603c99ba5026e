//! The engine's events with the tags each makes stale.

use countersign_engine::event::{Event, Sequenced};
use serde::Serialize;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::list::Tag;

/// An event as hosts send it.
#[derive(Debug, Clone, Serialize)]
pub struct EventMessage {
    /// Its place in the stream.
    pub seq: u64,
    /// What happened.
    pub event: Event,
    /// What became stale.
    pub invalidates: Vec<Tag>,
}

/// The message for an event.
#[must_use]
pub fn message(sequenced: Sequenced) -> EventMessage {
    let invalidates = invalidated_by(&sequenced.event).to_vec();
    EventMessage { seq: sequenced.seq, event: sequenced.event, invalidates }
}

/// The stream of events for one observer.
#[derive(Debug)]
pub struct EventStream(broadcast::Receiver<Sequenced>);

impl EventStream {
    pub(crate) fn over(receiver: broadcast::Receiver<Sequenced>) -> Self {
        Self(receiver)
    }

    /// The next event; none when the engine is gone. An observer that was too slow and missed some is told to ask for
    /// everything again.
    pub async fn next(&mut self) -> Option<EventMessage> {
        match self.0.recv().await {
            Ok(sequenced) => Some(message(sequenced)),
            Err(RecvError::Lagged(_)) => Some(EventMessage {
                seq: 0,
                event: Event::CloneChanged { clone: String::new() },
                invalidates: Tag::ALL.to_vec(),
            }),
            Err(RecvError::Closed) => None,
        }
    }
}

fn invalidated_by(event: &Event) -> &'static [Tag] {
    match event {
        Event::CloneChanged { .. } => &[Tag::Clones, Tag::Queue, Tag::Change, Tag::Plan, Tag::Diff, Tag::History],
        Event::StatementsAdded { .. } => &[Tag::Queue, Tag::Change, Tag::Plan, Tag::History, Tag::Audit, Tag::Runs],
        Event::RunStarted { .. } | Event::RunEnded { .. } => &[Tag::Runs],
        // It carries all there is to know; asking for every run again at each line would cost more than the line.
        Event::RunProgress { .. } => &[],
        Event::ApplyEnded { .. } => &[Tag::Queue, Tag::Change, Tag::History, Tag::Runs],
        Event::NeedsMe { .. } => &[Tag::Queue],
        Event::Alarm { .. } => &[Tag::Clones, Tag::Queue, Tag::Audit],
    }
}
