//! The one window.

use tauri::{App, AppHandle, Emitter, Manager, Url, WebviewUrl, WebviewWindowBuilder, webview::NewWindowResponse};

use crate::place::Place;

/// Its label: capabilities are granted to this name.
pub(crate) const LABEL: &str = "main";

/// The event that asks the page to open a place.
const OPEN_PLACE: &str = "open-place";

/// Makes the window as `tauri.conf.json` describes it, at a place.
///
/// It stays on its own page: it follows no link to elsewhere and opens no other window.
pub(crate) fn create(app: &App, place: Option<&Place>) -> tauri::Result<()> {
    let mut config = app.config().app.windows.iter().find(|window| window.label == LABEL).cloned().unwrap_or_default();
    if let Some(place) = place {
        config.url = WebviewUrl::App(format!("index.html{}", place.path()).into());
    }
    WebviewWindowBuilder::from_config(app, &config)?
        .on_navigation(is_own_page)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .build()?;
    Ok(())
}

/// Brings the window to the front, and to a place.
pub(crate) fn bring_up(app: &AppHandle, place: Option<&Place>) {
    let Some(window) = app.get_webview_window(LABEL) else { return };
    // A window manager may refuse any of these; what can be done is done.
    let _ = window.unminimize();
    let _ = window.show();
    let _ = window.set_focus();
    if let Some(place) = place {
        let _ = window.emit(OPEN_PLACE, place.path());
    }
}

/// Whether the person is looking at the window now.
pub(crate) fn is_in_front(app: &AppHandle) -> bool {
    app.get_webview_window(LABEL).is_some_and(|window| window.is_focused().unwrap_or(false))
}

fn is_own_page(url: &Url) -> bool {
    let is_packaged = match url.scheme() {
        "tauri" => url.host_str() == Some("localhost"),
        // The same page on Windows, where a scheme of one's own is not possible.
        "http" | "https" => url.host_str() == Some("tauri.localhost"),
        _ => false,
    };
    is_packaged || (cfg!(dev) && url.host_str() == Some("localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_stays_on_its_page() {
        let allowed = |url: &str| is_own_page(&url.parse().unwrap());
        assert!(allowed("tauri://localhost/index.html#/review/a/b"));
        assert!(allowed("http://tauri.localhost/"));
        for url in [
            "https://example.com/",
            "http://tauri.localhost.example.com/",
            "file:///etc/passwd",
            "tauri://example.com/",
            "data:text/html,x",
            "javascript:alert(1)",
        ] {
            assert!(!allowed(url), "{url}");
        }
    }
}
