//! The window: shows the core's command list and events in a desktop window, with a tray, notifications and links.
//!
//! It holds no rule of its own. Whatever is decided is decided in the core, by a command.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod core;
mod launch;
mod notices;
mod place;
mod shell;
#[cfg(target_os = "linux")]
mod tray;
mod window;

use std::process::ExitCode;

use args::Asked;

/// The arguments cannot be followed, or there is no display: nothing was started.
const USAGE: u8 = 2;
/// The window system failed in a way that should not happen.
const BUG: u8 = 70;

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "before there is a window the terminal is all there is")]
fn main() -> ExitCode {
    let options = match args::parse(std::env::args_os().skip(1)) {
        Ok(Asked::Window(options)) => options,
        Ok(Asked::Help) => {
            print!("{}", args::USAGE);
            return ExitCode::SUCCESS;
        }
        Ok(Asked::Version) => {
            println!("countersign-desktop {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprint!("error: {error}\n\n{}", args::USAGE);
            return ExitCode::from(USAGE);
        }
    };
    launch::settle_environment();
    if let Err(error) = launch::find_display() {
        eprintln!("error: {error}");
        return ExitCode::from(USAGE);
    }
    let Some(data_dir) = options.data_dir.clone().or_else(data_dir) else {
        eprintln!("error: this system names no directory for a user's data; give one with --data-dir");
        return ExitCode::from(USAGE);
    };
    match shell::run(options, data_dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: failed to show the window: {error}");
            ExitCode::from(BUG)
        }
    }
}

/// Where the command line keeps its data too.
fn data_dir() -> Option<std::path::PathBuf> {
    let named = std::env::var_os("COUNTERSIGN_DATA_DIR").filter(|dir| !dir.is_empty()).map(Into::into);
    named.or_else(|| Some(dirs::data_dir()?.join("countersign")))
}
