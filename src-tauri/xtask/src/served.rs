//! `countersign serve` for as long as the browser's tests run.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::run;

/// How long it may take to end in good order before it is ended for good.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running server; it ends with this value.
#[derive(Debug)]
pub(crate) struct Served {
    server: Child,
    url: String,
}

impl Served {
    /// Starts the program that was built, over a data directory, and waits until it names its address.
    pub(crate) fn start(data_dir: &Path) -> Result<Self> {
        let mut command = run::command(run::target().join("debug/countersign"));
        Self::of(command.arg("--data-dir").arg(data_dir).arg("serve"))
    }

    fn of(command: &mut Command) -> Result<Self> {
        let mut server = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to start `countersign serve`")?;
        let mut line = String::new();
        if let Some(pipe) = server.stdout.take() {
            BufReader::new(pipe).read_line(&mut line).context("failed to read the server's address")?;
        }
        let served = Self { server, url: line.trim().to_owned() };
        if !served.url.starts_with("http://127.0.0.1:") {
            bail!("`countersign serve` named no address, but {:?}", served.url);
        }
        Ok(served)
    }

    /// The whole address, its token included.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.server.id().to_string()).status();
        let asked = Instant::now();
        while matches!(self.server.try_wait(), Ok(None)) && asked.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(script: &str) -> Result<Served> {
        Served::of(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn the_address_is_read_and_the_server_ends_with_its_value() {
        let served = of("echo 'http://127.0.0.1:4711/#token=abc'; exec sleep 600").unwrap();
        assert_eq!(served.url(), "http://127.0.0.1:4711/#token=abc");
        let process = Path::new("/proc").join(served.server.id().to_string());
        assert!(process.exists());
        drop(served);
        assert!(!process.exists());
    }

    #[test]
    fn a_server_without_an_address_is_an_error() {
        assert!(of("echo 'no such directory'").unwrap_err().to_string().contains("no such directory"));
        assert!(of("exit 2").is_err());
    }
}
