//! What the window can be started with.

use std::{ffi::OsString, path::PathBuf};

use crate::place::{Place, SCHEME};

pub(crate) const USAGE: &str = "\
Usage: countersign-desktop [--data-dir DIR] [countersign://change/CLONE/CHANGE]

Opens the window. A link opens that change.

  --data-dir DIR   where the record and the settings are; the user's data directory when left out
  --version        prints the version
  --help           prints this
";

/// What a start asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Window(Options),
    Version,
    Help,
}

/// How the window is started.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) data_dir: Option<PathBuf>,
    /// What to open first.
    pub(crate) place: Option<Place>,
}

/// Why the arguments cannot be followed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum ArgsError {
    #[error("--data-dir needs a directory")]
    NoDirectory,
    #[error("{0:?} is neither an option nor a {SCHEME}:// link to a change")]
    Unknown(OsString),
}

/// Reads the arguments that follow the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Asked, ArgsError> {
    let mut options = Options::default();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--data-dir") => options.data_dir = Some(args.next().ok_or(ArgsError::NoDirectory)?.into()),
            Some("--version" | "-V") => return Ok(Asked::Version),
            Some("--help" | "-h") => return Ok(Asked::Help),
            Some(text) => match (text.strip_prefix("--data-dir="), Place::from_link(text)) {
                (Some(dir), _) => options.data_dir = Some(dir.into()),
                (None, Some(place)) => options.place = Some(place),
                (None, None) => return Err(ArgsError::Unknown(arg)),
            },
            None => return Err(ArgsError::Unknown(arg)),
        }
    }
    Ok(Asked::Window(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Asked, ArgsError> {
        parse(args.iter().map(OsString::from))
    }

    #[test]
    fn options_and_a_link_are_read() {
        let place = Place::from_link("countersign://change/live/change-7");
        assert!(place.is_some());
        let wanted = Asked::Window(Options { data_dir: Some("a b".into()), place });
        assert_eq!(read(&["--data-dir", "a b", "countersign://change/live/change-7"]).unwrap(), wanted);
        assert_eq!(read(&["countersign://change/live/change-7", "--data-dir=a b"]).unwrap(), wanted);
        assert_eq!(read(&[]).unwrap(), Asked::Window(Options::default()));
        assert_eq!(read(&["--help"]).unwrap(), Asked::Help);
        assert_eq!(read(&["--data-dir", "x", "-V"]).unwrap(), Asked::Version);
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(read(&["--data-dir"]), Err(ArgsError::NoDirectory));
        for arg in ["--approve", "https://example.com/change/a/b", "countersign://approve/a/b"] {
            assert_eq!(read(&[arg]), Err(ArgsError::Unknown(arg.into())), "{arg}");
        }
    }
}
