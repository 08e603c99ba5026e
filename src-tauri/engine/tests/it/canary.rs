//! A secret goes through every plan, log, statement and failure, and is then looked for in every byte on disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_engine::review::{RevealRequest, Side};

use crate::applying::round_elsewhere;
use crate::small::{Small, text};

const CANARY: &str = "canary-5e1f07c2-not-to-be-found";

/// Code that reads the secret from outside the repository, as a provider would.
fn with_secret(small: &Small, code: &str) -> String {
    let file = small.path().join("secret.txt");
    format!("locals {{\n  secret = sensitive(trimspace(file(\"{}\")))\n}}\n\n{code}", file.display())
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match fs::symlink_metadata(&path).unwrap() {
            found if found.is_dir() => files.extend(files_below(&path)),
            found if found.is_file() => files.push(path),
            _ => {}
        }
    }
    files
}

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canary_is_in_no_byte_on_disk() {
    let small = Small::with(&[]).await;
    fs::write(small.path().join("secret.txt"), CANARY).unwrap();
    let temp = small.path().join("temp");
    fs::create_dir(&temp).unwrap();
    let round = || round_elsewhere(&small, &[("TMPDIR", &temp)]);
    let resource = |extra: &str| {
        with_secret(
            &small,
            &format!("resource \"terraform_data\" \"it\" {{\n  triggers_replace = local.secret\n{extra}}}\n"),
        )
    };
    let told = "  lifecycle {\n    precondition {\n      condition = length(nonsensitive(local.secret)) < 3\n      \
                error_message = \"Error: ${nonsensitive(local.secret)}\"\n    }\n  }\n";
    let shouted = "  provisioner \"local-exec\" {\n    command = \"echo Error $SECRET >&2; exit 1\"\n    \
                   environment = { SECRET = nonsensitive(local.secret) }\n  }\n";
    small.push("works", &[("one/a/main.tf", Some(small.unit("one/a", &resource(""))))]);
    small.push("fails", &[("one/b/main.tf", Some(small.unit("one/b", &resource(told))))]);
    small.push("breaks", &[("one/c/main.tf", Some(small.unit("one/c", &resource(shouted))))]);
    let mut said = round();
    assert!(said.contains("plan fails: 1 units planned and sealed"), "{said}");
    // A person opens the plans, and has the value shown.
    let mut shown = 0;
    for change in ["works", "fails", "breaks"] {
        let (place, clone, view) = small.ana.see(change).await;
        let unit = view.surveyed.facts.units.as_ref().unwrap()[0].unit.clone();
        let open = small.ana.engine.open_plan(&place, &clone, &view, &unit).await.unwrap();
        if change == "fails" {
            assert!(open.plan.is_none() && open.log.iter().any(|line| line.text().contains(CANARY)));
            continue;
        }
        let request = RevealRequest { unit, index: 0, path: "triggers_replace".into(), side: Side::After };
        let (value, _) = small.ana.engine.reveal(&clone, &view, &open, &request).await.unwrap();
        assert!(value.contains(CANARY), "{value}");
        shown += 1;
        small.ana.approve(change).await.unwrap();
        small.ana.merge(change).await;
    }
    assert_eq!(shown, 2);
    said += &round();
    assert!(said.contains("apply works: one/a: applied") && said.contains("one/c: the apply failed"), "{said}");
    assert!(!holds(said.as_bytes()), "what the agent said");

    small.bob.look().await;
    let own = [small.path().join("state"), small.path().join("secret.txt")];
    let (theirs, ours): (Vec<PathBuf>, Vec<PathBuf>) =
        files_below(small.path()).into_iter().partition(|file| own.iter().any(|own| file.starts_with(own)));
    assert!(
        theirs.iter().filter(|file| holds(&fs::read(file).unwrap())).count() >= 2,
        "the secret went through nothing"
    );
    assert!(ours.len() > 100, "nothing was looked through");
    for file in ours {
        assert!(!holds(&fs::read(&file).unwrap()), "the secret is in {}", file.display());
    }
    for repository in ["remote.git", "clone-ana", "clone-bob", "clone-runner"] {
        let objects = Command::new("git")
            .current_dir(small.path().join(repository))
            .args(["cat-file", "--batch-all-objects", "--batch"])
            .output()
            .unwrap();
        assert!(objects.stdout.len() > 10_000 && !holds(&objects.stdout), "an object of {repository}");
    }
    assert!(fs::read_dir(&temp).unwrap().next().is_none(), "{} is not empty", text(&temp));
}
