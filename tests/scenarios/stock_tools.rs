//! "Anyone can check it with stock tools": with `git`, `ssh-keygen`, `age` and `tar`, and nothing of ours.

use std::path::Path;
use std::process::{Command, Output};

use countersign_tests::prepared;

const README: &str = include_str!("../../README.md");

fn bash(dir: &Path, script: &str) -> Output {
    let output = Command::new("bash").args(["-euo", "pipefail", "-c", script]).current_dir(dir).output().unwrap();
    assert!(
        output.status.success(),
        "{script}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// The README's own loop.
fn loop_of_the_readme() -> &'static str {
    let start = README.find("git fetch origin refs/countersign/log").unwrap();
    let rest = &README[start..];
    &rest[..rest.find("```").unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readmes_loop_verifies_every_statement_and_age_opens_a_plan() {
    let prepared = prepared().await.unwrap();
    let world = &prepared.demo.world;
    let clone = &world.you.live_clone;

    let verified = bash(clone, loop_of_the_readme());
    let said = String::from_utf8(verified.stdout).unwrap();
    let good = said.lines().filter(|line| line.starts_with("Good ")).count();
    let statements = bash(clone, "git ls-tree -r --name-only FETCH_HEAD statements | grep -c 'json$'");
    let statements: usize = String::from_utf8(statements.stdout).unwrap().trim().parse().unwrap();
    assert!(statements >= 9, "three devices, five plans and an approval: {statements}");
    assert_eq!(good, statements, "{said}");
    assert!(said.contains(r#"Good "approval@countersign" signature for ana"#), "{said}");

    // The loop's last statement with a changed byte does not verify.
    let forged = Command::new("bash")
        .args([
            "-c",
            "tr a b < statement.json | ssh-keygen -Y check-novalidate -n plan@countersign -s statement.json.sig",
        ])
        .current_dir(clone)
        .output()
        .unwrap();
    assert!(!forged.status.success());

    let device = world.you.data_dir.join("device.key");
    let open = format!(
        r#"for ref in $(git ls-remote origin 'refs/countersign/bundles/*' | cut -f2); do
             git fetch -q origin "$ref"
             for file in $(git ls-tree --name-only FETCH_HEAD); do
               git show "FETCH_HEAD:$file" > bundle.age
               if age -d -i '{}' bundle.age > bundle.tar.gz 2>/dev/null; then tar tzf bundle.tar.gz; fi
             done
           done; rm -f bundle.age bundle.tar.gz"#,
        device.display()
    );
    let listed = String::from_utf8(bash(clone, &open).stdout).unwrap();
    assert_eq!(listed.matches("plan.log").count(), 5, "one review bundle for each change's unit: {listed}");
    assert_eq!(listed.matches("plan.json").count(), 4, "all but the one that could not be planned: {listed}");
}
