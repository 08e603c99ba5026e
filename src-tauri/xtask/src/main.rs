//! Sets this machine up and runs things: `cargo xtask demo` shows the app at work, `cargo xtask test` checks everything.
//!
//! Progress goes to standard error, results (the demo's JSON, the count of tests) to standard output.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this program's whole surface is what it prints")]

mod counts;
mod demo;
mod licences;
mod platform;
#[cfg(test)]
mod rooms;
mod run;
mod screen;
mod served;
mod setup;
mod stages;
mod stamp;
mod version;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::platform::Purpose;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  demo [--dir DIR] [--reset] [--headless] [--json]
                    sets this machine up, builds everything and runs the demo
  test [STAGE…]     sets this machine up and runs every check, or those stages and what they need
  lint              the checks that run no tests: format, types, clippy, licences
  bindings          writes what is generated from the one command list: the UI's TypeScript, the window's grants
  bench [ARG…]      the benchmarks, with cargo bench's arguments
  setup             only installs what the other commands need
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match perform(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(args: &[String]) -> Result<ExitCode> {
    let Some((command, rest)) = args.split_first() else {
        eprint!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    match command.as_str() {
        "demo" => demo::run(demo::Options::parse(rest)?)?,
        "test" => return test(rest),
        "lint" => return test(&stages::LINTS.map(str::to_owned)),
        "bindings" => bindings()?,
        "bench" => bench(rest)?,
        "setup" => {
            setup::prepare(&[Purpose::Core, Purpose::Window, Purpose::Tests])?;
            setup::install_ui()?;
        }
        "help" | "--help" | "-h" => print!("{USAGE}"),
        other => bail!("there is no command {other:?}\n\n{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}

fn test(wanted: &[String]) -> Result<ExitCode> {
    let counts = stages::run(wanted)?;
    Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The tests that compare these files with the list write them when they are asked to.
fn bindings() -> Result<()> {
    let mut tests = run::cargo(&["test", "--quiet", "--package=countersign-api", "--package=countersign-desktop"]);
    run::run(tests.env("COUNTERSIGN_WRITE_BINDINGS", "1"))
}

fn bench(args: &[String]) -> Result<()> {
    setup::prepare(&[Purpose::Core])?;
    // The window has no benchmark of its own here, and without it no webview is compiled with optimisation.
    let mut bench = run::cargo(&["bench", "--workspace", "--exclude", "countersign-desktop", "--locked"]);
    run::run(bench.args(args))
}
