//! What moves is noticed within a second; what does not move wakes nothing.

use std::time::Duration;

use countersign_engine::event::{Event, Sequenced};
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

use crate::small::{Small, git};

/// Waits until the stream has been quiet this long, and counts what came before.
async fn quiet_after(events: &mut Receiver<Sequenced>, quiet: Duration) -> usize {
    let mut came = 0;
    while let Ok(event) = timeout(quiet, events.recv()).await {
        event.unwrap();
        came += 1;
        assert!(came < 100, "the watcher answers itself");
    }
    came
}

async fn change_shows(events: &mut Receiver<Sequenced>, small: &Small, change: &str) {
    let shown = timeout(Duration::from_secs(10), async {
        loop {
            let event = events.recv().await.unwrap().event;
            let moved = matches!(event, Event::CloneChanged { .. });
            let place = small.ana.place().await;
            let view = small.ana.engine.clone_view(&place).await.unwrap();
            if moved && view.changes.iter().any(|view| view.change.id.as_str() == change) {
                return;
            }
        }
    });
    shown.await.unwrap_or_else(|_| panic!("{change} does not show"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_and_a_fetch_show_and_idleness_is_idle() {
    let small = Small::with(&[]).await;
    let mut events = small.ana.engine.events();
    let watching = small.ana.engine.keep_watching();
    quiet_after(&mut events, Duration::from_millis(600)).await;

    // The remote is a directory of this machine: a push to it is noticed and fetched.
    small.push_counter("pushed", "one/a", "1");
    change_shows(&mut events, &small, "pushed").await;
    quiet_after(&mut events, Duration::from_millis(600)).await;

    // Somebody fetches by hand, in a terminal.
    small.push_counter("fetched", "one/b", "1");
    git(&small.ana.clone, &["fetch", "--quiet"]);
    change_shows(&mut events, &small, "fetched").await;
    quiet_after(&mut events, Duration::from_millis(600)).await;

    // Looking at the clone wakes nothing.
    let place = small.ana.place().await;
    small.ana.engine.clone_view(&place).await.unwrap();
    git(&small.ana.clone, &["log", "--all", "--oneline"]);
    assert_eq!(quiet_after(&mut events, Duration::from_millis(800)).await, 0);
    watching.abort();
}
