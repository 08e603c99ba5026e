//! The shell around the core: plugins, the window, and what the engine's events set in motion outside the page.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};

use countersign_api::dto::Nothing;
use countersign_api::{Host, Tag};
use tauri::{App, AppHandle, Emitter, Manager, Wry, plugin::TauriPlugin};
use tauri_plugin_deep_link::DeepLinkExt;
use tauri_plugin_window_state::StateFlags;
use tokio::sync::Notify;

use crate::{
    args::{self, Asked, Options},
    commands,
    core::Core,
    notices,
    place::Place,
    tray::Attention,
    window,
};

/// The name under which the page hears the engine's events.
const ENGINE_EVENT: &str = "engine-event";

const IDENTIFIER: &str = "dev.countersign.desktop";

/// Shows the window until it is closed.
pub(crate) fn run(options: Options, data_dir: PathBuf) -> tauri::Result<()> {
    let Options { place, .. } = options;
    tauri::Builder::default()
        // First, so that a second start ends before it opens anything.
        .plugin(single_instance(&data_dir))
        .plugin(tauri_plugin_deep_link::init())
        .plugin(tauri_plugin_notification::init())
        .plugin(window_state(&data_dir))
        .invoke_handler(commands::handler())
        .manage(Core::default())
        .setup(move |app| {
            start(app, place.as_ref(), data_dir)?;
            Ok(())
        })
        .run(tauri::generate_context!())
}

fn start(app: &App, place: Option<&Place>, data_dir: PathBuf) -> tauri::Result<()> {
    window::create(app, place)?;
    notices::follow_clicks(app.handle());
    follow_links(app);
    let handle = app.handle().clone();
    tauri::async_runtime::spawn(async move {
        let opened = Host::open(&data_dir).await.map(Arc::new);
        handle.state::<Core>().set(opened.clone());
        if let Ok(host) = opened {
            attend(handle, host).await;
        }
    });
    Ok(())
}

/// Where links do not arrive as arguments (on a Mac), they arrive here.
fn follow_links(app: &App) {
    let handle = app.handle().clone();
    app.deep_link().on_open_url(move |event| {
        let place = event.urls().iter().find_map(|url| Place::from_link(url.as_str()));
        window::bring_up(&handle, place.as_ref());
    });
}

/// Passes the engine's events to the page, to the desktop's notifications and to the tray.
async fn attend(app: AppHandle, host: Arc<Host>) {
    let mut events = host.events();
    let stale = Arc::new(Notify::new());
    stale.notify_one();
    tauri::async_runtime::spawn(count(app.clone(), Arc::clone(&host), Arc::clone(&stale)));
    while let Some(message) = events.next().await {
        if message.invalidates.contains(&Tag::Queue) {
            stale.notify_one();
        }
        notices::tell(&app, &message.event);
        // It fails only when the window is gone, and then nobody listens.
        let _ = app.emit(ENGINE_EVENT, &message);
    }
}

/// Keeps the tray's number right. However many events come while it counts, it counts once more.
async fn count(app: AppHandle, host: Arc<Host>, stale: Arc<Notify>) {
    let tray = Attention::show(&app).await;
    loop {
        stale.notified().await;
        if let Ok(queue) = countersign_api::commands::queue(&host, Nothing {}).await {
            tray.set(queue.needs_me).await;
        }
    }
}

fn single_instance(data_dir: &Path) -> TauriPlugin<Wry> {
    tauri_plugin_single_instance::Builder::new()
        .dbus_id(instance(data_dir))
        .callback(|app, argv, _| window::bring_up(app, asked_place(argv).as_ref()))
        .build()
}

/// One window for each data directory: the demo's does not hide the real one.
fn instance(data_dir: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    data_dir.canonicalize().as_deref().unwrap_or(data_dir).hash(&mut hasher);
    format!("{IDENTIFIER}.d{:016x}", hasher.finish())
}

fn asked_place(argv: Vec<String>) -> Option<Place> {
    match args::parse(argv.into_iter().skip(1).map(Into::into)) {
        Ok(Asked::Window(options)) => options.place,
        _ => None,
    }
}

/// Remembers the window's size and place beside the data it shows.
fn window_state(data_dir: &Path) -> TauriPlugin<Wry> {
    tauri_plugin_window_state::Builder::new()
        .with_state_flags(StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED)
        .with_filename(data_dir.join("window.json").to_string_lossy())
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_brings_its_link() {
        let argv = |link: &str| {
            vec!["/usr/bin/countersign-desktop".to_owned(), "--data-dir=/tmp/x".to_owned(), link.to_owned()]
        };
        assert_eq!(asked_place(argv("countersign://change/live/7")), Some(Place::change("live", "7")));
        assert_eq!(asked_place(argv("countersign://approve/live/7")), None);
        assert_eq!(asked_place(vec![]), None);
    }

    #[test]
    fn data_directories_have_windows_of_their_own() {
        let [one, two] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        assert_ne!(instance(one.path()), instance(two.path()));
        assert_eq!(instance(one.path()), instance(&one.path().join(".")));
        assert!(instance(one.path()).starts_with("dev.countersign.desktop.d"));
    }
}
