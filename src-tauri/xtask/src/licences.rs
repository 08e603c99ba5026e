//! The supply-chain rules of `.deny.toml`, checked over `cargo metadata` where `cargo-deny` is not installed:
//! licences, banned crates and where crates come from.

use std::collections::HashSet;

use anyhow::{Context, Result};
use serde_json::Value;
use spdx::{Expression, ParseMode};

/// What `.deny.toml` allows and forbids.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    allowed: Vec<String>,
    exceptions: Vec<(String, Vec<String>)>,
    banned: Vec<String>,
}

impl Rules {
    /// Reads the parts of a `cargo-deny` configuration that are checked here.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let config: toml::Table = toml::from_str(text).context("failed to read .deny.toml")?;
        let licences = config.get("licenses").context("failed to find [licenses] in .deny.toml")?;
        let exceptions = licences.get("exceptions").and_then(toml::Value::as_array).into_iter().flatten();
        let banned = config.get("bans").and_then(|bans| bans.get("deny")).and_then(toml::Value::as_array);
        Ok(Self {
            allowed: strings(licences.get("allow")),
            exceptions: exceptions
                .filter_map(|entry| Some((crate_name(entry)?, strings(entry.get("allow")))))
                .collect(),
            banned: banned.into_iter().flatten().filter_map(crate_name).collect(),
        })
    }

    /// What is wrong with the packages in the output of `cargo metadata` that are compiled, one line each.
    pub(crate) fn check(&self, metadata: &Value, compiled: &Compiled) -> Vec<String> {
        let packages = metadata.get("packages").and_then(Value::as_array).into_iter().flatten();
        packages.filter(|package| compiled.has(package)).filter_map(|package| self.fault(package)).collect()
    }

    fn fault(&self, package: &Value) -> Option<String> {
        let text = |field: &str| package.get(field).and_then(Value::as_str);
        // A package without a source is part of this workspace.
        let source = text("source")?;
        let name = text("name").unwrap_or_default();
        let label = label(name, text("version").unwrap_or_default());
        if !source.starts_with("registry+https://github.com/rust-lang/crates.io-index") {
            return Some(format!("{label} comes from {source}, not from crates.io"));
        }
        if self.banned.iter().any(|banned| banned == name) {
            return Some(format!("{label} is banned"));
        }
        let Some(licence) = text("license") else {
            return Some(format!("{label} names no licence"));
        };
        match Expression::parse_mode(licence, ParseMode::LAX) {
            Ok(expression) if expression.evaluate(|wanted| self.allows(name, &wanted.to_string())) => None,
            Ok(_) => Some(format!("{label} has the licence {licence}, which is not allowed")),
            Err(error) => Some(format!("{label} has a licence that cannot be read: {licence} ({})", error.reason)),
        }
    }

    fn allows(&self, package: &str, licence: &str) -> bool {
        let excepted = self.exceptions.iter().filter(|(name, _)| name == package).flat_map(|(_, licences)| licences);
        self.allowed.iter().chain(excepted).any(|allowed| allowed == licence)
    }
}

/// The packages that `cargo tree` shows. `cargo metadata` also lists those that only a feature nobody asks for would bring.
#[derive(Debug)]
pub(crate) struct Compiled(HashSet<String>);

impl Compiled {
    /// Reads the output of `cargo tree --prefix none --format {p}`: a line is `name vVERSION`, then remarks.
    pub(crate) fn parse(tree: &str) -> Self {
        let lines = tree.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            Some(label(words.next()?, words.next()?.strip_prefix('v')?))
        });
        Self(lines.collect())
    }

    fn has(&self, package: &Value) -> bool {
        let text = |field: &str| package.get(field).and_then(Value::as_str).unwrap_or_default();
        self.0.contains(&label(text("name"), text("version")))
    }
}

fn label(name: &str, version: &str) -> String {
    format!("{name} {version}")
}

fn strings(value: Option<&toml::Value>) -> Vec<String> {
    let items = value.and_then(toml::Value::as_array).into_iter().flatten();
    items.filter_map(toml::Value::as_str).map(str::to_owned).collect()
}

/// cargo-deny writes a crate as `"name"`, `{ crate = "name" }` or `{ name = "name" }`, with `@version` or not.
fn crate_name(entry: &toml::Value) -> Option<String> {
    let name = entry.as_str().or_else(|| entry.get("crate")?.as_str()).or_else(|| entry.get("name")?.as_str())?;
    name.split('@').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

    fn rules() -> Rules {
        Rules::parse(
            r#"
            [licenses]
            allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
            exceptions = [{ crate = "special", allow = ["MPL-2.0"] }]
            [bans]
            deny = [{ crate = "openssl-sys", reason = "rustls" }, "aws-lc-sys"]
            "#,
        )
        .unwrap()
    }

    fn faults(name: &str, licence: Option<&str>, source: Option<&str>) -> Vec<String> {
        let package = serde_json::json!({ "name": name, "version": "1.0.0", "license": licence, "source": source });
        let compiled = Compiled::parse(&format!("{name} v1.0.0 (proc-macro)\n"));
        rules().check(&serde_json::json!({ "packages": [package] }), &compiled)
    }

    #[test]
    fn what_is_not_compiled_is_not_judged() {
        let package = serde_json::json!({ "name": "a", "version": "2.0.0", "license": "GPL-3.0", "source": CRATES_IO });
        let metadata = serde_json::json!({ "packages": [package] });
        assert!(rules().check(&metadata, &Compiled::parse("a v1.0.0\nb v2.0.0\n\n[dev-dependencies]\n")).is_empty());
        assert_eq!(rules().check(&metadata, &Compiled::parse("a v2.0.0 (*)\n")).len(), 1);
    }

    #[test]
    fn allowed_licences_pass() {
        for licence in [
            "MIT",
            "MIT OR GPL-3.0",
            "MIT/Apache-2.0",
            "(GPL-2.0 OR MIT) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        ] {
            assert!(faults("a", Some(licence), Some(CRATES_IO)).is_empty(), "{licence}");
        }
        assert!(faults("special", Some("MPL-2.0"), Some(CRATES_IO)).is_empty());
        assert!(faults("own", None, None).is_empty(), "a package of the workspace is not judged");
    }

    #[test]
    fn everything_else_is_named() {
        let cases = [
            (faults("a", Some("GPL-3.0"), Some(CRATES_IO)), "a 1.0.0 has the licence GPL-3.0, which is not allowed"),
            (faults("a", Some("MIT AND GPL-3.0"), Some(CRATES_IO)), "which is not allowed"),
            (faults("a", Some("MPL-2.0"), Some(CRATES_IO)), "which is not allowed"),
            (faults("a", None, Some(CRATES_IO)), "names no licence"),
            (faults("a", Some("mine, all mine"), Some(CRATES_IO)), "cannot be read"),
            (faults("a", Some("MIT"), Some("git+https://example.com/a")), "not from crates.io"),
            (faults("openssl-sys", Some("MIT"), Some(CRATES_IO)), "is banned"),
            (faults("aws-lc-sys", Some("MIT"), Some(CRATES_IO)), "is banned"),
        ];
        for (found, wanted) in cases {
            assert!(found.len() == 1 && found[0].contains(wanted), "{found:?} lacks {wanted:?}");
        }
    }

    #[test]
    fn the_rules_of_this_repository_can_be_read() {
        let text = std::fs::read_to_string(crate::run::root().join(".deny.toml")).unwrap();
        assert!(Rules::parse(&text).unwrap().allowed.iter().any(|licence| licence == "MIT"));
    }
}
