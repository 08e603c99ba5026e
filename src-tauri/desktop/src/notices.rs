//! Notifications of the desktop: what a person wants to hear of while looking elsewhere. Each opens its place.

use countersign_engine::event::Event as EngineEvent;
use tauri::AppHandle;
use tauri_plugin_notification::{ActionPerformed, NotificationExt};

use crate::{place::Place, window};

/// Under this name a notification carries the path it opens.
const PLACE: &str = "place";

/// Longer texts are cut by every desktop; this keeps a hostile title from being sent whole.
const LONGEST: usize = 300;

/// One notification.
#[derive(Debug, PartialEq, Eq)]
struct Notice {
    title: &'static str,
    body: String,
    place: Place,
}

/// Opens the place of a notification that is clicked.
pub(crate) fn follow_clicks(app: &AppHandle) {
    let handle = app.clone();
    let opened = app.notification().on_action(move |action| window::bring_up(&handle, clicked(action).as_ref()));
    // Never fails on the desktop; without clicks the notifications are still shown.
    let _ = opened;
}

fn clicked(action: &ActionPerformed) -> Option<Place> {
    let path = action.notification()?.extra().get(PLACE)?.as_str()?;
    Some(Place::shown(path))
}

/// Notifies of an event that deserves it, unless the person is looking at the window.
pub(crate) fn tell(app: &AppHandle, event: &EngineEvent) {
    let Some(notice) = notice(event) else { return };
    if window::is_in_front(app) {
        return;
    }
    let shown =
        app.notification().builder().title(notice.title).body(notice.body).extra(PLACE, notice.place.path()).show();
    // A desktop without notifications is no fault; the tray and the queue say the same.
    let _ = shown;
}

fn notice(event: &EngineEvent) -> Option<Notice> {
    let notice = match event {
        EngineEvent::NeedsMe { clone, change, title } => {
            Notice { title: "A change needs you", body: plain(title), place: Place::change(clone, change) }
        }
        EngineEvent::ApplyEnded { clone, change, ok: false, text } => {
            Notice { title: "An apply failed", body: plain(text), place: Place::change(clone, change) }
        }
        EngineEvent::ApplyEnded { clone, change, ok: true, text } => {
            Notice { title: "Applied", body: plain(text), place: Place::change(clone, change) }
        }
        EngineEvent::Alarm { message, .. } => {
            Notice { title: "Alarm: the shared log was changed", body: plain(message), place: Place::audit() }
        }
        _ => return None,
    };
    Some(notice)
}

/// Text from a repository as one plain line: desktops read a notification's body as markup.
fn plain(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    line.trim().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_opens_its_change() {
        let event =
            EngineEvent::NeedsMe { clone: "live".into(), change: "a/b".into(), title: "Resize the database".into() };
        let notice = notice(&event).unwrap();
        assert_eq!((notice.title, notice.body.as_str()), ("A change needs you", "Resize the database"));
        assert_eq!(notice.place.path(), "#/review/live/a%2Fb");
    }

    #[test]
    fn what_only_refreshes_the_window_is_not_told() {
        assert_eq!(notice(&EngineEvent::CloneChanged { clone: "live".into() }), None);
    }

    #[test]
    fn hostile_text_is_plain() {
        assert_eq!(plain("<img src=x>\u{1b}[31m & \n more "), "&lt;img src=x&gt; [31m &amp;   more");
        assert_eq!(plain(&"x".repeat(5000)).len(), LONGEST);
    }
}
