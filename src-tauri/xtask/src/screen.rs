//! Displays: the one this machine has, or one that exists in memory only, for the window tests.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{platform, run};

/// A session bus that starts no services: the tests meet neither the user's keyring nor a portal that takes seconds to start.
const SESSION_BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// A command, still without the program to run, that runs it on a virtual screen and with a session bus of its own.
pub(crate) fn apart(screen: &VirtualScreen) -> Result<Command> {
    let config = run::target().join("xtask/session-bus.conf");
    if let Some(dir) = config.parent() {
        fs::create_dir_all(dir).with_context(|| format!("failed to create {}", dir.display()))?;
    }
    fs::write(&config, SESSION_BUS).with_context(|| format!("failed to write {}", config.display()))?;
    let mut command = run::command("dbus-run-session");
    command.arg("--config-file").arg(config).arg("--");
    command.env("DISPLAY", &screen.display).env("NO_AT_BRIDGE", "1").env_remove("WAYLAND_DISPLAY");
    Ok(command)
}

/// Whether a window could be shown here.
pub(crate) fn is_there() -> bool {
    cfg!(target_os = "macos") || is_named(["DISPLAY", "WAYLAND_DISPLAY"].map(|name| env::var(name).ok()))
}

fn is_named(values: [Option<String>; 2]) -> bool {
    values.into_iter().flatten().any(|value| !value.is_empty())
}

/// An X server without a screen, on a display number of its own; it ends with this value.
#[derive(Debug)]
pub(crate) struct VirtualScreen {
    server: Child,
    display: String,
}

impl VirtualScreen {
    /// Starts one and waits until it accepts windows.
    pub(crate) fn start() -> Result<Self> {
        if platform::find_program(&["Xvfb"]).is_none() {
            bail!("Xvfb is missing: run `cargo xtask setup`");
        }
        let mut server = run::command("Xvfb")
            // It picks a free number itself and writes it here once it listens.
            .args(["-displayfd", "1", "-screen", "0", "1600x1000x24", "-nolisten", "tcp", "-noreset"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("failed to start Xvfb")?;
        let mut number = String::new();
        if let Some(pipe) = server.stdout.take() {
            BufReader::new(pipe).read_line(&mut number).context("failed to read Xvfb's display number")?;
        }
        let screen = Self { server, display: format!(":{}", number.trim()) };
        if number.trim().is_empty() {
            bail!("failed to start Xvfb: it ended without naming a display");
        }
        Ok(screen)
    }
}

impl Drop for VirtualScreen {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_counts_when_it_is_named() {
        let value = |text: &str| Some(text.to_owned());
        assert!(is_named([value(":0"), None]));
        assert!(is_named([None, value("wayland-0")]));
        assert!(!is_named([value(""), None]));
        assert!(!is_named([None, None]));
    }

    #[test]
    fn what_runs_apart_has_a_screen_and_a_bus_of_its_own() {
        let screen = VirtualScreen::start().unwrap();
        let script = "echo $DISPLAY; echo $DBUS_SESSION_BUS_ADDRESS; dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.ListActivatableNames";
        let seen = run::read(apart(&screen).unwrap().args(["sh", "-c", script])).unwrap();
        let lines: Vec<&str> = seen.lines().collect();
        assert_eq!(lines[0], screen.display);
        assert!(
            lines[1].starts_with("unix:") && env::var("DBUS_SESSION_BUS_ADDRESS").ok().as_deref() != Some(lines[1]),
            "{seen}"
        );
        assert!(!seen.contains("org.freedesktop.secrets") && !seen.contains("portal"), "{seen}");
    }
}
