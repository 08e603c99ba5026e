//! The engine's events with the tags each makes stale.

use countersign_engine::event::{Event, Sequenced};
use serde::Serialize;

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

fn invalidated_by(event: &Event) -> &'static [Tag] {
    match event {
        Event::CloneChanged { .. } => &[Tag::Clones, Tag::Queue, Tag::Change, Tag::Plan, Tag::Diff, Tag::History],
        Event::StatementsAdded { .. } => &[Tag::Queue, Tag::Change, Tag::Plan, Tag::History, Tag::Audit, Tag::Runs],
        Event::RunStarted { .. } | Event::RunEnded { .. } | Event::RunProgress { .. } => &[Tag::Runs],
        Event::ApplyEnded { .. } => &[Tag::Queue, Tag::Change, Tag::History, Tag::Runs],
        Event::NeedsMe { .. } => &[Tag::Queue],
        Event::Alarm { .. } => &[Tag::Clones, Tag::Queue, Tag::Audit],
    }
}
