//! Running programs: what is run is shown, what they print can be read as well as seen.

use std::{
    env,
    ffi::OsStr,
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::{Context, Result, bail};

/// The repository's root directory.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map_or_else(|| here.to_path_buf(), Path::to_path_buf)
}

/// Where this program keeps its stamps and reports: below cargo's target directory, so that cleaning cleans them too.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// A program run in the repository's root, without what would make it behave unlike one started from a shell.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    // `cargo run` describes this package in the environment; a nested cargo and its build scripts must not read it as theirs.
    for (name, _) in env::vars_os() {
        let described =
            name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
        if described {
            command.env_remove(name);
        }
    }
    // A setting that points at a file which is not there makes every Terraform run fail.
    if env::var_os("TF_CLI_CONFIG_FILE").is_some_and(|file| !Path::new(&file).exists()) {
        command.env_remove("TF_CLI_CONFIG_FILE");
    }
    command.env("CHECKPOINT_DISABLE", "1");
    command
}

/// The cargo that started this program.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

/// An npm command in the UI's folder.
pub(crate) fn npm(args: &[&str]) -> Command {
    let mut command = command("npm");
    command.current_dir(root().join("ui")).args(args);
    command
}

/// Runs a program with all of its output on standard error, and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    show(command);
    let status = command.stdout(io::stderr()).status().with_context(|| format!("failed to start {}", name(command)))?;
    succeeded(command, status)
}

/// Runs a program and returns what it printed on its standard output; it must succeed.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("failed to start {}", name(command)))?;
    if !output.status.success() {
        bail!("{} failed ({}): {}", name(command), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a program that was watched printed, standard output and standard error together, and how it ended.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) text: String,
    pub(crate) status: ExitStatus,
}

/// Runs a program, passes its output on line by line as it comes, and keeps it.
pub(crate) fn watch(command: &mut Command) -> Result<Watched> {
    show(command);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("failed to start {}", name(command)))?;
    let text = Arc::new(Mutex::new(String::new()));
    let readers = [
        child.stdout.take().map(|pipe| pass_on(pipe, Arc::clone(&text))),
        child.stderr.take().map(|pipe| pass_on(pipe, Arc::clone(&text))),
    ];
    let status = child.wait().with_context(|| format!("failed to wait for {}", name(command)))?;
    for reader in readers.into_iter().flatten() {
        let _ = reader.join();
    }
    let text = std::mem::take(&mut *text.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Watched { text, status })
}

fn pass_on(pipe: impl Read + Send + 'static, text: Arc<Mutex<String>>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut to = io::stderr();
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let _ = to.write_all(&line);
            text.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

pub(crate) fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    bail!("{} failed ({status})", words(command))
}

/// Tells how far things are. Standard output is left to results, such as the demo's JSON and the count of tests.
pub(crate) fn say(text: impl std::fmt::Display) {
    eprintln!("{text}");
}

fn show(command: &Command) {
    say(format_args!("$ {}", words(command)));
}

fn name(command: &Command) -> String {
    Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn words(command: &Command) -> String {
    let args = command.get_args().map(OsStr::to_string_lossy);
    std::iter::once(name(command).into()).chain(args).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watching_keeps_both_streams_and_the_status() {
        let seen = watch(command("sh").args(["-c", "echo one; echo two >&2; exit 3"])).unwrap();
        assert_eq!(seen.status.code(), Some(3));
        let mut lines: Vec<_> = seen.text.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn a_failed_program_says_why() {
        let error = read(command("sh").args(["-c", "echo broken >&2; exit 1"])).unwrap_err().to_string();
        assert!(error.contains("sh failed") && error.contains("broken"), "{error}");
        assert!(read(&mut command("no-such-program-here")).unwrap_err().to_string().contains("failed to start"));
    }

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("Cargo.toml").is_file() && root().join("src-tauri/domain").is_dir());
    }
}
