//! Finding what is missing on this machine and installing it.

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::{
    platform::{self, CHROMIUM, CHROMIUM_PROGRAMS, NEEDS, Need, Platform, Probe, Purpose},
    run,
    stamp::Stamp,
    version::Version,
};

/// A tool that people install themselves, since distributions carry it too old or not at all.
struct Tool {
    name: &'static str,
    /// The ways to ask for its version; the first program that is there answers.
    ask: &'static [&'static [&'static str]],
    oldest: Version,
    how: &'static str,
}

/// The oldest versions that will do. Node 20 and Terraform's `test` command (1.6) are what is used; Git 2.38 brought
/// `merge-tree --write-tree`.
fn tools() -> Vec<Tool> {
    let rust = Version::find(env!("CARGO_PKG_RUST_VERSION")).unwrap_or(Version::new(1, 95, 0));
    vec![
        Tool {
            name: "Git",
            ask: &[&["git", "--version"]],
            oldest: Version::new(2, 38, 0),
            how: "install the package git, or see https://git-scm.com/downloads",
        },
        Tool {
            name: "Rust",
            ask: &[&["rustc", "--version"]],
            oldest: rust,
            how: "run `rustup update stable`, or see https://rustup.rs",
        },
        Tool {
            name: "Node",
            ask: &[&["node", "--version"]],
            oldest: Version::new(20, 0, 0),
            how: "see https://nodejs.org/en/download (distributions often carry an older one)",
        },
        Tool {
            name: "Terraform or OpenTofu",
            ask: &[&["terraform", "version"], &["tofu", "version"]],
            oldest: Version::new(1, 6, 0),
            how: "see https://developer.hashicorp.com/terraform/install or https://opentofu.org/docs/intro/install",
        },
    ]
}

/// Checks the tools people install themselves, installs what packages provide, and names everything that is still missing.
pub(crate) fn prepare(purposes: &[Purpose]) -> Result<()> {
    let faults: Vec<String> = tools().iter().filter_map(fault).collect();
    if !faults.is_empty() {
        bail!("this machine lacks what the build needs:\n  {}", faults.join("\n  "));
    }
    let platform = Platform::here();
    let missing = missing(purposes, platform);
    if missing.is_empty() {
        run::say("every package that is needed is there");
    } else {
        provide(&missing, platform)?;
    }
    if purposes.contains(&Purpose::Tests) {
        add_rust_components()?;
    }
    Ok(())
}

/// Installs the UI's packages, unless they are those of the lock file already.
pub(crate) fn install_ui() -> Result<()> {
    let ui = run::root().join("ui");
    if !ui.join("package-lock.json").is_file() {
        bail!("ui/package-lock.json is missing: run `npm install` in ui/ and keep the file");
    }
    let node = run::read(run::command("node").arg("--version"))?;
    let stamp = Stamp::new(&stamps(), "npm-ci", &[ui.join("package-lock.json"), ui.join("package.json")], &node)?;
    if stamp.is_fresh() && ui.join("node_modules").is_dir() {
        run::say("the UI's packages are those of the lock file");
        return Ok(());
    }
    run::run(&mut run::npm(&["ci", "--no-audit", "--no-fund"]))?;
    stamp.set()
}

/// Builds the UI, unless nothing in it changed since it was last built.
pub(crate) fn build_ui() -> Result<()> {
    let ui = run::root().join("ui");
    let generated = ["node_modules", "dist", "test-results", "playwright-report", "tests", "e2e"];
    let mut inputs: Vec<PathBuf> = std::fs::read_dir(&ui)
        .with_context(|| format!("failed to list {}", ui.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| !generated.iter().any(|other| name == *other)))
        .collect();
    inputs.sort();
    let stamp = Stamp::new(&stamps(), "ui-build", &inputs, "")?;
    if stamp.is_fresh() && ui.join("dist/index.html").is_file() {
        run::say("the UI is built from what is there");
        return Ok(());
    }
    run::run(&mut run::npm(&["run", "build"]))?;
    stamp.set()
}

/// The browser for the UI's tests; where no package provides one, the one that Playwright brings is installed.
///
/// Ubuntu's Chromium package only forwards to a snap, which does not run everywhere; Playwright's own does.
pub(crate) fn browser() -> Result<PathBuf> {
    if let Some(browser) = platform::find_program(CHROMIUM_PROGRAMS) {
        return Ok(browser);
    }
    let stamp = Stamp::new(&stamps(), "playwright-browser", &[run::root().join("ui/package-lock.json")], "")?;
    if !stamp.is_fresh() {
        run::say("no Chromium or Chrome on PATH: installing the one that Playwright brings, and its libraries");
        run::run(&mut run::npm(&["exec", "--", "playwright", "install", "--with-deps", "chromium"]))?;
        stamp.set()?;
    }
    let mut ask = run::command("node");
    ask.current_dir(run::root().join("ui"));
    ask.args(["--input-type=commonjs", "--print", "require('@playwright/test').chromium.executablePath()"]);
    Ok(run::read(&mut ask)?.trim().into())
}

fn stamps() -> PathBuf {
    run::target().join("xtask")
}

fn fault(tool: &Tool) -> Option<String> {
    let answer = tool.ask.iter().find_map(|ask| {
        let (program, args) = ask.split_first()?;
        run::read(run::command(program).args(args)).ok()
    });
    judge(tool, answer.as_deref())
}

fn judge(tool: &Tool, answer: Option<&str>) -> Option<String> {
    let Tool { name, oldest, how, .. } = tool;
    let Some(answer) = answer else {
        return Some(format!("{name} is missing (at least {oldest} is needed): {how}"));
    };
    match Version::find(answer) {
        Some(version) if version >= *oldest => None,
        Some(version) => Some(format!("{name} {version} is too old (at least {oldest} is needed): {how}")),
        None => Some(format!("{name} does not tell its version (it says {:?}): {how}", answer.trim())),
    }
}

fn missing(purposes: &[Purpose], platform: Platform) -> Vec<&'static Need> {
    NEEDS
        .iter()
        .filter(|need| purposes.contains(&need.purpose) && need.applies(platform))
        .filter(|need| !is_there(need.probe))
        .collect()
}

fn is_there(probe: Probe) -> bool {
    match probe {
        Probe::Program(names) => platform::find_program(names).is_some(),
        Probe::Library(name) => {
            let mut ask = run::command("pkg-config");
            ask.args(["--exists", name]).status().is_ok_and(|status| status.success())
        }
    }
}

fn provide(missing: &[&'static Need], platform: Platform) -> Result<()> {
    let what = missing.iter().map(|need| need.what).collect::<Vec<_>>().join(", ");
    if !platform.has_apt() {
        bail!(
            "missing: {what}\nThis program installs packages on Debian and Ubuntu only. Install them and run it again:\n{}",
            platform::advice(missing)
        );
    }
    let packages = platform::packages(missing, platform);
    if packages.is_empty() {
        return Ok(());
    }
    run::say(format_args!("missing: {what}"));
    run::say(format_args!("installing with apt: {}", packages.join(" ")));
    let before = as_root()?;
    run::run(apt(&before).arg("update"))?;
    run::run(apt(&before).args(["install", "--yes", "--no-install-recommends"]).args(&packages))?;
    let still: Vec<&str> =
        missing.iter().filter(|need| need.what != CHROMIUM && !is_there(need.probe)).map(|need| need.what).collect();
    if !still.is_empty() {
        bail!("still missing after apt installed {}: {}", packages.join(" "), still.join(", "));
    }
    Ok(())
}

/// What has to stand before a command for it to run as root: nothing, or `sudo`.
fn as_root() -> Result<Vec<&'static str>> {
    if run::read(run::command("id").arg("-u"))?.trim() == "0" {
        return Ok(vec![]);
    }
    if platform::find_program(&["sudo"]).is_some() {
        return Ok(vec!["sudo"]);
    }
    bail!("installing packages needs root: run this as root, or install sudo")
}

fn apt(before: &[&str]) -> Command {
    let mut words = before.iter().copied().chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    let mut command = run::command(words.next().unwrap_or("env"));
    command.args(words).args(["-o", "DPkg::Lock::Timeout=300"]);
    command
}

/// A minimal Rust installation has neither the formatter nor the linter.
fn add_rust_components() -> Result<()> {
    for component in ["rustfmt", "clippy"] {
        let program = if component == "clippy" { "cargo-clippy" } else { component };
        if run::read(run::command(program).arg("--version")).is_ok() {
            continue;
        }
        if platform::find_program(&["rustup"]).is_none() {
            bail!("{component} is missing: install your Rust distribution's package for it, or use https://rustup.rs");
        }
        run::say(format_args!("installing with rustup: {component}"));
        run::run(run::command("rustup").args(["component", "add", component]))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Tool {
        Tool { name: "Node", ask: &[], oldest: Version::new(20, 0, 0), how: "see https://nodejs.org" }
    }

    #[test]
    fn a_tool_that_will_do_is_no_fault() {
        assert_eq!(judge(&node(), Some("v20.0.0")), None);
        assert_eq!(judge(&node(), Some("v22.11.0")), None);
    }

    #[test]
    fn a_tool_that_will_not_do_is_named_with_how_to_get_it() {
        assert_eq!(
            judge(&node(), Some("v18.19.0\n")).unwrap(),
            "Node 18.19.0 is too old (at least 20.0.0 is needed): see https://nodejs.org"
        );
        assert_eq!(
            judge(&node(), None).unwrap(),
            "Node is missing (at least 20.0.0 is needed): see https://nodejs.org"
        );
        assert!(judge(&node(), Some("what?\n")).unwrap().contains("does not tell its version"));
    }

    #[test]
    fn rust_must_be_as_new_as_the_workspace_says() {
        let rust = tools().into_iter().find(|tool| tool.name == "Rust").unwrap();
        assert_eq!(Some(rust.oldest), Version::find(env!("CARGO_PKG_RUST_VERSION")));
    }
}
