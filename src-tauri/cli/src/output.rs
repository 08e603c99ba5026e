//! What is printed, where: answers to standard output, everything else to standard error.

use std::io::{self, IsTerminal as _, Write as _};

use clap::error::ErrorKind;
use serde::Serialize;

use crate::args::Color;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::json;
use crate::text::{self, Look, Paint};

/// For whom answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// People.
    Human,
    /// Programs: one object, or one a line.
    Json,
}

/// Standard output. When nobody reads it any more, further answers are dropped and the command still ends as it would
/// have: what it decided must not depend on who listens.
#[derive(Debug)]
pub(crate) struct Output {
    format: Format,
    color: Color,
    is_gone: bool,
}

impl Output {
    pub(crate) fn new(format: Format, color: Color) -> Self {
        Self { format, color, is_gone: false }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// True when nobody reads any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Colours for standard output.
    pub(crate) fn paint(&self) -> Paint {
        paint(self.color, &io::stdout())
    }

    /// Prints text for people, which has to be safe already.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.write(text.as_bytes())
    }

    /// Prints an object on a line of its own.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let line = json::to_line(value).map_err(|error| Failure::bug(error.to_string()))?;
        self.write(&line)
    }

    /// Prints bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.is_gone {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_gone = true;
                Ok(())
            }
            Err(error) => Err(Failure::machine(format!("failed to write the answer: {error}"))),
        }
    }

    /// Tells of a failure and says how the program ends.
    pub(crate) fn fail(&mut self, failure: &Failure) -> Exit {
        let is_told = self.format == Format::Json && self.json(&failure.told()).is_ok();
        if !is_told {
            note(&three_lines(failure, paint(self.color, &io::stderr())));
        }
        failure.exit()
    }
}

fn three_lines(failure: &Failure, paint: Paint) -> String {
    let parts = [
        ("error:", Look::Bad, Some(&failure.message)),
        ("kept: ", Look::Good, failure.kept.as_ref()),
        ("try:  ", Look::Warn, failure.hint.as_ref()),
    ];
    let mut lines = Vec::new();
    for (label, look, part) in parts {
        let mut of_part = text::lines(part.map_or("", String::as_str)).filter(|line| !line.trim().is_empty());
        if let Some(first) = of_part.next() {
            lines.push(format!("{} {first}", paint.paint(look, label)));
        }
        lines.extend(of_part.map(|line| format!("       {line}")));
    }
    lines.join("\n")
}

fn paint(color: Color, stream: &impl io::IsTerminal) -> Paint {
    let wanted = || {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        stream.is_terminal() && !dumb && !refused
    };
    match color {
        Color::Always => Paint::Colours,
        Color::Never => Paint::Nothing,
        Color::Auto if wanted() => Paint::Colours,
        Color::Auto => Paint::Nothing,
    }
}

/// Says something on standard error. What is said has to be safe already; that nobody hears it is no failure.
pub(crate) fn note(text: &str) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.write_all(b"\n"));
}

/// Whether a person can be asked.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Tells of words that cannot be followed, or prints the help that was asked for.
pub(crate) fn usage(error: &clap::Error) -> Exit {
    let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let wants_json = std::env::args_os().take_while(|arg| arg != "--").any(|arg| arg == "--json");
    if wants_json && !is_help {
        let message = error.render().to_string();
        let message = message.lines().next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        let failure = Failure::usage(message).completed("nothing was changed");
        return Output::new(Format::Json, Color::Never).fail(&failure);
    }
    // Nobody reads it any more: there is nobody to tell.
    let _ = error.print();
    if is_help { Exit::Done } else { Exit::Usage }
}
