//! The house has one direction: a lower room never knows a higher one, and the lowest stays pure.
//! These rules are checked against what `cargo metadata` says and against `domain`'s source.

use std::path::Path;

use serde_json::Value;

/// The rooms from the ground up. Rooms on one floor do not know each other.
const FLOORS: &[&[&str]] = &[
    &["countersign-domain"],
    &["countersign-git", "countersign-iac", "countersign-seal", "countersign-runner", "countersign-store"],
    &["countersign-forge"],
    &["countersign-engine"],
    &["countersign-api"],
    &["countersign", "countersign-desktop"],
];

/// Packages outside the house: nothing depends on them. `countersign-tests` may use every room, `xtask` none.
const TESTS: &str = "countersign-tests";
const XTASK: &str = "xtask";

/// What `domain` may use: pure data structures and parsers.
const DOMAIN_MAY_USE: &[&str] = &["globset", "indexmap", "jiff", "semver", "serde", "serde_json", "thiserror", "toml"];

/// jiff without these reads neither the clock's time zone nor a time zone database.
const JIFF_FEATURES: &[&str] = &["alloc", "serde", "std"];

/// What I/O, async, a clock, randomness or threads look like in source.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "async fn",
    "async move",
    ".await",
    "tokio",
    "getrandom",
    "rand::",
];

/// Which dependencies between the workspace's packages go the wrong way.
fn wrong_ways(metadata: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for package in packages(metadata) {
        let from = name(package);
        if floor(from).is_none() && from != TESTS && from != XTASK {
            wrong.push(format!("{from} has no place in the house: give it one in rooms.rs"));
        }
        let own = dependencies(package).filter(|dependency| dependency.get("path").is_some_and(Value::is_string));
        for to in own.map(name).filter(|to| !may_know(from, to)) {
            wrong.push(format!("{from} depends on {to}"));
        }
    }
    wrong
}

fn may_know(from: &str, to: &str) -> bool {
    match (floor(from), floor(to)) {
        (Some(from), Some(to)) => to < from,
        (None, Some(_)) => from == TESTS,
        (_, None) => false,
    }
}

fn floor(package: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&package))
}

/// What `domain` depends on that could bring I/O, async or a clock.
fn domain_gains(metadata: &Value) -> Vec<String> {
    let Some(domain) = packages(metadata).find(|package| name(package) == "countersign-domain") else {
        return vec!["countersign-domain is not in the workspace".to_owned()];
    };
    let for_use = dependencies(domain).filter(|dependency| dependency.get("kind").is_none_or(Value::is_null));
    for_use.filter_map(domain_gain).collect()
}

fn domain_gain(dependency: &Value) -> Option<String> {
    let name = name(dependency);
    if !DOMAIN_MAY_USE.contains(&name) {
        return Some(format!("domain depends on {name}"));
    }
    if name != "jiff" {
        return None;
    }
    let defaults = dependency.get("uses_default_features").and_then(Value::as_bool) != Some(false);
    let features = dependency.get("features").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let clock = defaults || features.into_iter().any(|feature| !JIFF_FEATURES.contains(&feature));
    clock.then(|| "domain uses jiff with features that read the clock or the system's time zone".to_owned())
}

/// The lines of a source file that do I/O, are async or read a clock. Comments may speak of it.
fn impure_lines(source: &str) -> Vec<(usize, &'static str)> {
    let code = source.lines().map(|line| line.split("//").next().unwrap_or_default());
    code.enumerate()
        .flat_map(|(number, line)| {
            IMPURE.iter().filter(move |word| line.contains(**word)).map(move |word| (number + 1, *word))
        })
        .collect()
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata.get("packages").and_then(Value::as_array).into_iter().flatten()
}

fn dependencies(package: &Value) -> impl Iterator<Item = &Value> {
    package.get("dependencies").and_then(Value::as_array).into_iter().flatten()
}

fn name(value: &Value) -> &str {
    value.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn rust_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.extension() {
            _ if path.is_dir() => rust_files(&path),
            Some(extension) if extension == "rs" => vec![path],
            _ => vec![],
        })
        .collect()
}

mod tests {
    use serde_json::json;

    use super::*;
    use crate::run;

    fn real() -> Value {
        let args = ["metadata", "--format-version=1", "--no-deps", "--locked", "--offline"];
        serde_json::from_str(&run::read(&mut run::cargo(&args)).unwrap()).unwrap()
    }

    fn made_up(edges: &[(&str, &str)]) -> Value {
        let packages: Vec<Value> = edges
            .iter()
            .map(|(from, to)| json!({ "name": from, "dependencies": [{ "name": to, "path": "/somewhere", "kind": null }] }))
            .collect();
        json!({ "packages": packages })
    }

    #[test]
    fn no_room_knows_a_higher_one() {
        let wrong = wrong_ways(&real());
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn domain_has_no_io_no_async_and_no_clock() {
        let gains = domain_gains(&real());
        assert!(gains.is_empty(), "{gains:#?}");
        let files = rust_files(&run::root().join("src-tauri/domain/src"));
        assert!(!files.is_empty());
        for file in files {
            let lines = impure_lines(&std::fs::read_to_string(&file).unwrap());
            assert!(lines.is_empty(), "{}: {lines:?}", file.display());
        }
    }

    #[test]
    fn the_command_line_needs_no_window_system() {
        let args = ["tree", "--package=countersign", "--prefix=none", "--edges=normal,build", "--locked", "--offline"];
        let tree = run::read(&mut run::cargo(&args)).unwrap();
        let windowed = ["gtk", "gdk", "webkit", "tauri", "wry", "tao ", "x11"];
        let found: Vec<&str> = tree.lines().filter(|line| windowed.iter().any(|name| line.starts_with(name))).collect();
        assert!(tree.lines().next().is_some_and(|line| line.starts_with("countersign ")), "{tree}");
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn a_wrong_way_is_seen() {
        let wrong = [
            ("countersign-domain", "countersign-git"),
            ("countersign-git", "countersign-seal"),
            ("countersign-forge", "countersign-engine"),
            ("countersign-engine", "countersign-engine"),
            ("countersign-api", "countersign"),
            ("countersign", "countersign-desktop"),
            ("countersign-domain", "xtask"),
            ("countersign-engine", "countersign-tests"),
            ("xtask", "countersign-domain"),
        ];
        for edge in wrong {
            assert_eq!(wrong_ways(&made_up(&[edge])), [format!("{} depends on {}", edge.0, edge.1)]);
        }
        assert_eq!(wrong_ways(&made_up(&[("attic", "countersign-domain")])).len(), 2, "a new package needs a place");
    }

    #[test]
    fn a_right_way_is_no_fault() {
        let right = [
            ("countersign-store", "countersign-domain"),
            ("countersign-forge", "countersign-git"),
            ("countersign-engine", "countersign-forge"),
            ("countersign-desktop", "countersign-api"),
            ("countersign", "countersign-domain"),
            ("countersign-tests", "countersign-engine"),
        ];
        assert!(wrong_ways(&made_up(&right)).is_empty());
    }

    #[test]
    fn a_domain_that_gains_something_is_seen() {
        let with = |dependency: Value| {
            domain_gains(&json!({ "packages": [{ "name": "countersign-domain", "dependencies": [dependency] }] }))
        };
        assert_eq!(with(json!({ "name": "tokio", "kind": null })), ["domain depends on tokio"]);
        assert_eq!(
            with(json!({ "name": "jiff", "kind": null, "uses_default_features": true, "features": [] })).len(),
            1
        );
        let features =
            json!({ "name": "jiff", "kind": null, "uses_default_features": false, "features": ["std", "tz-system"] });
        assert_eq!(with(features).len(), 1);
        let fine =
            json!({ "name": "jiff", "kind": null, "uses_default_features": false, "features": ["std", "serde"] });
        assert!(with(fine).is_empty());
        assert!(with(json!({ "name": "proptest", "kind": "dev" })).is_empty());
        assert_eq!(domain_gains(&json!({ "packages": [] })).len(), 1);
    }

    #[test]
    fn impure_source_is_seen_and_comments_are_not() {
        let source = "use std::fs;\n/// Read with tokio.\nfn now() { jiff::Timestamp::now() } // Zoned::now\nlet x = 1;\nasync fn y() {}\n";
        assert_eq!(impure_lines(source), [(1, "std::fs"), (3, "Timestamp::now"), (5, "async fn")]);
    }
}
