//! The command line: reads arguments, calls the commands of `countersign-api`, prints what they answer.
//!
//! It holds no rule of its own. Whatever is decided is decided in the engine, by the same functions the window uses.
//!
//! | module | holds |
//! | --- | --- |
//! | [`args`] | the words of the command line and its help |
//! | [`exit`], [`failure`] | exit codes, and how a failure is told |
//! | [`output`], [`text`], [`json`] | what is printed, made safe for a terminal |
//! | [`session`] | the data directory, the clone that `-C` names, the change that an id names |
//! | [`commands`] | one module a command |
//! | [`serve`] | the same commands over loopback HTTP |

#![forbid(unsafe_code)]

mod args;
mod commands;
mod exit;
mod failure;
mod json;
mod narrate;
mod output;
mod secrets;
mod serve;
mod session;
mod signals;
mod text;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, Output};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error).into(),
    };
    let mut output = Output::new(cli.global.format(), cli.global.color);
    let exit = match run_caught(&cli, &mut output) {
        Ok(exit) => exit,
        Err(failure) => output.fail(&failure.completed(cli.command.kept())),
    };
    exit.into()
}

/// Runs the command; a panic, which is a defect, ends like any other failure.
fn run_caught(cli: &Cli, output: &mut Output) -> Result<Exit, Failure> {
    let told = failure::catch_panics();
    let run = std::panic::AssertUnwindSafe(|| run(cli, output));
    std::panic::catch_unwind(run).unwrap_or_else(|_| Err(told.failure()))
}

fn run(cli: &Cli, output: &mut Output) -> Result<Exit, Failure> {
    trace(cli.global.verbose);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::machine(format!("failed to start: {error}")))?;
    let exit = runtime.block_on(commands::run(cli, output));
    // A watcher or a prompt that still waits does not keep the process.
    runtime.shutdown_background();
    exit
}

fn trace(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => {
            "countersign=info,countersign_engine=info,countersign_api=info,countersign_git=info,countersign_forge=info"
        }
        2 => "debug",
        _ => "trace",
    };
    // Only one subscriber is ever set, here.
    let _ = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_env_filter(level).try_init();
}

impl args::Global {
    fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Human }
    }
}
