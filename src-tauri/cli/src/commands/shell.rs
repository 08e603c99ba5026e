//! `completions` and `man`.

use clap::CommandFactory as _;
use serde_json::json;

use super::answer;
use crate::args::{Cli, Completions, Man};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::text;

pub(crate) fn completions(args: &Completions, output: &mut Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "countersign", &mut script);
    output.write(&script)?;
    Ok(Exit::Done)
}

pub(crate) fn man(args: &Man, output: &mut Output) -> Result<Exit, Failure> {
    let failed = |error| Failure::machine(format!("failed to write man pages to {}: {error}", args.dir.display()));
    std::fs::create_dir_all(&args.dir).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), &args.dir).map_err(failed)?;
    let mut written: Vec<String> = std::fs::read_dir(&args.dir)
        .map_err(failed)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("countersign") && name.ends_with(".1"))
        .collect();
    written.sort();
    let dir = args.dir.display().to_string();
    answer(output, &json!({ "written": written }), |_, _| {
        format!("{} written to {}\n", text::count(written.len(), "man page"), text::line(&dir))
    })
}
