//! One module a command. Each prints its answer and says how the program ends.

mod agent;
mod approve;
mod audit;
mod change;
mod clones;
mod decide;
mod demo;
mod gate;
mod keys;
mod queue;
mod runner;
mod shell;
mod view;

use serde::Serialize;

use crate::args::{AuditCommand, ChangeCommand, Cli, CloneCommand, Command, KeysCommand};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, Output};
use crate::session::Session;
use crate::text::Paint;
use crate::{serve, session};

pub(crate) async fn run(cli: &Cli, output: &mut Output) -> Result<Exit, Failure> {
    match &cli.command {
        Command::View(args) => return view::view(args, output),
        Command::Completions(args) => return shell::completions(args, output),
        Command::Man(args) => return shell::man(args, output),
        Command::Demo(args) => return demo::demo(args, &session::data_dir(&cli.global)?, output).await,
        _ => {}
    }
    let session = Session::open(&cli.global).await?;
    match &cli.command {
        Command::Clone(CloneCommand::Add(args)) => clones::add(&session, args, output).await,
        Command::Clone(CloneCommand::List) => clones::list(&session, output).await,
        Command::Clone(CloneCommand::Remove(args)) => clones::remove(&session, args, output).await,
        Command::Queue(args) => queue::queue(&session, args, output).await,
        Command::Change(ChangeCommand::Show(args)) => change::show(&session, args, output).await,
        Command::Plan(args) => runner::plan(&session, args, output).await,
        Command::Approve(args) => approve::approve(&session, args, output).await,
        Command::Refuse(args) => decide::refuse(&session, args, output).await,
        Command::Revoke(args) => decide::revoke(&session, args, output).await,
        Command::Merge(args) => decide::merge(&session, args, output).await,
        Command::Gate(args) => gate::gate(&session, args, output).await,
        Command::Apply(args) => runner::apply(&session, args, output).await,
        Command::Agent(args) => agent::agent(&session, args, output).await,
        Command::Audit(AuditCommand::List(args)) => audit::list(&session, args, output).await,
        Command::Audit(AuditCommand::Show(args)) => audit::show(&session, args, output).await,
        Command::Audit(AuditCommand::Verify) => audit::verify(&session, output).await,
        Command::Keys(KeysCommand::List) => keys::list(&session, output).await,
        Command::Keys(KeysCommand::New(args)) => keys::new(&session, args, output).await,
        Command::Keys(KeysCommand::Use(args)) => keys::choose(&session, args, output).await,
        Command::Serve(args) => serve::serve(&session, args, output).await,
        Command::View(_) | Command::Completions(_) | Command::Man(_) | Command::Demo(_) => {
            Err(Failure::bug("a command that needs no data directory was not recognised"))
        }
    }
}

/// Prints an answer: as it is to programs, in `words` to people.
pub(crate) fn answer<T: Serialize>(
    output: &mut Output,
    answer: &T,
    words: impl FnOnce(&T, Paint) -> String,
) -> Result<Exit, Failure> {
    match output.format() {
        Format::Json => output.json(answer)?,
        Format::Human => {
            let words = words(answer, output.paint());
            output.text(&words)?;
        }
    }
    Ok(Exit::Done)
}
