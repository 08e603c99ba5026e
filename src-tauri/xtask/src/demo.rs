//! `cargo xtask demo`: sets this machine up, builds, and hands over to `countersign demo`.

use std::{os::unix::process::CommandExt, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::{platform::Purpose, run, screen, setup};

/// What the demo was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    dir: Option<PathBuf>,
    reset: bool,
    headless: bool,
    json: bool,
}

impl Options {
    pub(crate) fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--dir" => options.dir = Some(args.next().context("--dir needs a directory")?.into()),
                "--reset" => options.reset = true,
                "--headless" => options.headless = true,
                "--json" => options.json = true,
                other => match other.strip_prefix("--dir=") {
                    Some(dir) => options.dir = Some(dir.into()),
                    None => bail!("`demo` does not know {other:?}: it takes --dir DIR, --reset, --headless and --json"),
                },
            }
        }
        Ok(options)
    }

    fn pass_to(&self, command: &mut Command) {
        if let Some(dir) = &self.dir {
            command.arg("--dir").arg(dir);
        }
        for (flag, is_set) in [("--reset", self.reset), ("--headless", self.headless), ("--json", self.json)] {
            if is_set {
                command.arg(flag);
            }
        }
    }
}

/// Returns only if the demo could not be started.
pub(crate) fn run(mut options: Options) -> Result<()> {
    if !options.headless && !screen::is_there() {
        run::say(
            "there is no display here (DISPLAY and WAYLAND_DISPLAY are not set): running the same flow without a window",
        );
        options.headless = true;
    }
    let window = (!options.headless).then_some(Purpose::Window);
    let purposes: Vec<Purpose> = [Purpose::Core].into_iter().chain(window).collect();
    run::say("[1/4] looking for what is needed");
    setup::prepare(&purposes)?;
    run::say("[2/4] the UI's packages");
    setup::install_ui()?;
    run::say("[3/4] building");
    setup::build_ui()?;
    let mut build = run::cargo(&["build", "--locked", "--package", "countersign"]);
    if window.is_some() {
        build.args(["--package", "countersign-desktop"]);
    }
    run::run(&mut build)?;
    run::say("[4/4] countersign demo");
    let mut demo = run::command(run::target().join("debug/countersign"));
    if let Ok(here) = std::env::current_dir() {
        demo.current_dir(here);
    }
    demo.arg("demo");
    options.pass_to(&mut demo);
    Err(demo.exec()).context("failed to start the countersign program that was just built")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options> {
        Options::parse(&args.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn everything_asked_for_reaches_the_demo() {
        let mut command = Command::new("countersign");
        parse(&["--json", "--dir", "a b", "--headless", "--reset"]).unwrap().pass_to(&mut command);
        assert_eq!(command.get_args().collect::<Vec<_>>(), ["--dir", "a b", "--reset", "--headless", "--json"]);
        assert_eq!(parse(&["--dir=x"]).unwrap(), parse(&["--dir", "x"]).unwrap());
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(parse(&["--fast"]).unwrap_err().to_string().contains("--fast"));
        assert!(parse(&["--dir"]).unwrap_err().to_string().contains("needs a directory"));
    }
}
