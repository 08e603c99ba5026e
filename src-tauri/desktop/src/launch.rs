//! What must be settled before the window system is touched.

/// The webview's fast path shows a blank window on some graphics drivers, and starts slower (measured: 540 against 370 ms).
/// Set to `0` it is used all the same.
#[cfg(target_os = "linux")]
const DMABUF: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";

/// Why no window can be shown.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no display to show a window on (neither DISPLAY nor WAYLAND_DISPLAY names one that answers).\n\
     Start it in a desktop session, or use `countersign` in the terminal and `countersign serve` in a browser."
)]
pub(crate) struct NoDisplay;

/// Sets what the webview reads from the environment, by starting this program once more in its own place: changing the
/// environment of a running program is unsound as soon as a library has started a thread.
#[cfg(target_os = "linux")]
pub(crate) fn settle_environment() {
    use std::{env, os::unix::process::CommandExt, process::Command};

    if env::var_os(DMABUF).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut args = env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = args.next() {
        again.arg0(name);
    }
    // It only returns when it failed, for example since the program file was replaced; the window works without it too.
    let _ = again.args(args).env(DMABUF, "1").exec();
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn settle_environment() {}

/// Connects to the display; without this check the window library would panic.
#[cfg(target_os = "linux")]
pub(crate) fn find_display() -> Result<(), NoDisplay> {
    gtk::init().map_err(|_| NoDisplay)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn find_display() -> Result<(), NoDisplay> {
    Ok(())
}
