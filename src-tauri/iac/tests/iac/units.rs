//! Units, their inputs and their order.

use countersign_domain::names::UnitPath;
use countersign_iac::files::{Directory, InMemory};
use countersign_iac::inputs;
use countersign_iac::units::{self, Units};
use proptest::prelude::*;

fn dir(path: &str) -> UnitPath {
    UnitPath::new(path).unwrap()
}

fn paths(found: &[UnitPath]) -> Vec<&str> {
    found.iter().map(UnitPath::as_str).collect()
}

fn discover<const N: usize>(files: [(&str, &str); N]) -> Units {
    units::discover(&InMemory::from_iter(files)).unwrap()
}

fn unit_paths(found: &Units) -> Vec<&str> {
    found.units.iter().map(|unit| unit.path.as_str()).collect()
}

fn problems(found: &Units) -> String {
    found.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn s3(key: &str) -> String {
    format!(
        "terraform {{\n  backend \"s3\" {{\n    bucket = \"state\"\n    key    = \"{key}\"\n    region = \"eu-1\"\n  }}\n}}\n"
    )
}

fn reads_s3(key: &str) -> String {
    format!(
        "data \"terraform_remote_state\" \"r\" {{\n  backend = \"s3\"\n  config = {{ bucket = \"state\", key = \"{key}\", profile = \"reader\" }}\n}}\n"
    )
}

#[test]
fn units_are_what_is_deployed() {
    let found = discover([
        ("prod/web/main.tf", "module \"s\" {\n  source = \"../../modules/service\"\n}\n"),
        ("prod/db/main.tf", "terraform {\n  backend \"s3\" {}\n}\n"),
        ("prod/README.md", "x"),
        ("modules/service/main.tf", "module \"n\" {\n  source = \"../network\"\n}\n"),
        ("modules/network/main.tf", ""),
        ("modules/uncalled/main.tf", ""),
        ("modules/special/main.tf", "terraform {\n  cloud {}\n}\n"),
        ("modules/service/examples/simple/main.tf", "module \"s\" {\n  source = \"../..\"\n}\n"),
        ("prod/web/.terraform/modules/x/main.tf", "terraform {\n  backend \"s3\" {}\n}\n"),
        ("plain/local.tf.json", "{}"),
    ]);
    assert_eq!(unit_paths(&found), ["modules/special", "plain", "prod/db", "prod/web"]);
    let web = found.get(&dir("prod/web")).unwrap();
    assert_eq!(paths(&web.modules), ["modules/network", "modules/service"]);
    assert_eq!(paths(&web.inputs.directories), ["modules/network", "modules/service", "prod/web"]);
    let made_from: Vec<&str> =
        found.made_from("modules/network/templates/a.tpl").map(|unit| unit.path.as_str()).collect();
    assert_eq!(made_from, ["prod/web"]);
    assert_eq!(found.made_from("prod/README.md").count(), 0);
}

#[test]
fn what_cannot_be_followed_is_said() {
    let found = discover([
        (
            "u/main.tf",
            "module \"gone\" {\n  source = \"../gone\"\n}\nmodule \"out\" {\n  source = \"../../out\"\n}\nmodule \"built\" {\n  source = var.x\n}\nmodule \"ok\" {\n  source = \"../m\"\n}\nlocals {\n  a = file(\"/etc/passwd\")\n  b = file(\"~/.netrc\")\n  c = \"${path.module}/../${var.c}\"\n}\n",
        ),
        ("m/main.tf", "resource \"x\" \"y\" {\n  a = = 1\n}\n"),
    ]);
    assert_eq!(unit_paths(&found), ["u"]);
    insta::assert_snapshot!(problems(&found), @r#"
    m/main.tf:2:7: syntax error near "= 1"
    u/main.tf:1:1: module "gone" leads to "gone", which holds no configuration
    u/main.tf:4:1: module "out" leads out of the repository with "../../out"
    u/main.tf:7:1: module "built" has a source that is not literal: "var.x"
    u/main.tf:14:7: "/etc/passwd" is outside the repository
    u/main.tf:15:7: "~/.netrc" is outside the repository
    u/main.tf:16:7: a path that is not literal may lead anywhere in the repository
    "#);
}

#[test]
fn inputs_reach_beyond_the_modules() {
    let files = InMemory::from_iter([
        (
            "live/u/main.tf",
            "module \"m\" {\n  source = \"../../m\"\n}\nlocals {\n  a = file(\"../shared/a.txt\")\n  b = file(\"inside.txt\")\n}\n",
        ),
        ("live/shared/a.txt", "x"),
        ("live/scripts/run.sh", "x"),
        (
            "m/main.tf",
            "locals {\n  t = templatefile(\"${path.module}/../templates/${var.t}.tpl\", {})\n  s = file(\"${path.root}/../scripts/run.sh\")\n  g = file(\"${path.module}/../none.txt\")\n}\nmodule \"self\" {\n  source = \"../m\"\n}\n",
        ),
        ("templates/x.tpl", "x"),
    ]);
    let found = inputs::of_unit(&files, &dir("live/u")).unwrap();
    assert_eq!(paths(&found.directories), ["live/u", "m", "templates"]);
    assert_eq!(found.files, ["live/scripts/run.sh", "live/shared/a.txt"]);
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    assert!(found.cover("templates/new.tpl") && found.cover("live/shared/a.txt") && !found.cover("live/shared/b.txt"));
}

#[cfg(unix)]
#[test]
fn what_a_symbolic_link_leads_to_is_an_input() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().unwrap();
    for path in ["u", "common", "other"] {
        std::fs::create_dir(root.path().join(path)).unwrap();
    }
    std::fs::write(root.path().join("common/backend.tf"), s3("u")).unwrap();
    std::fs::write(root.path().join("u/main.tf"), "").unwrap();
    symlink("../common/backend.tf", root.path().join("u/backend.tf")).unwrap();
    symlink("../other", root.path().join("u/templates")).unwrap();
    symlink("/etc/passwd", root.path().join("u/passwd.tf")).unwrap();
    let files = Directory::new(root.path());
    let found = inputs::of_unit(&files, &dir("u")).unwrap();
    assert_eq!(found.files, ["common/backend.tf"]);
    assert_eq!(paths(&found.directories), ["other", "u"]);
    assert!(found.problems.iter().any(|p| p.message.contains("leaves the repository")), "{:?}", found.problems);
    let all = units::discover(&files).unwrap();
    assert_eq!(all.get(&dir("u")).unwrap().state_place.as_ref().unwrap().kind, "s3");
}

#[test]
fn units_depend_on_those_whose_state_they_read() {
    let found = discover([
        ("prod/a-web/main.tf", &(s3("web") + &reads_s3("db"))),
        ("prod/db/main.tf", &(s3("db") + "module \"n\" {\n  source = \"../../modules/net\"\n}\n")),
        ("prod/network/main.tf", &s3("net")),
        ("modules/net/main.tf", &reads_s3("net")),
        ("local/a/main.tf", "terraform {\n  backend \"local\" {\n    path = \"../../../states/a.tfstate\"\n  }\n}\n"),
        (
            "local/b/main.tf",
            "data \"terraform_remote_state\" \"a\" {\n  backend = \"local\"\n  config = { path = \"../../../states/./a.tfstate\" }\n}\n",
        ),
        (
            "local/c/main.tf",
            "data \"terraform_remote_state\" \"d\" {\n  backend = \"local\"\n  config = { path = \"../d/terraform.tfstate\" }\n}\ndata \"terraform_remote_state\" \"x\" {\n  backend = \"s3\"\n  config = { bucket = var.b, key = \"x\" }\n}\n",
        ),
        ("local/d/main.tf", "terraform {\n  backend \"local\" {}\n}\n"),
        (
            "cloud/a/main.tf",
            "terraform {\n  cloud {\n    organization = \"o\"\n    workspaces {\n      name = \"a\"\n    }\n  }\n}\n",
        ),
        (
            "cloud/b/main.tf",
            "data \"terraform_remote_state\" \"a\" {\n  backend = \"remote\"\n  config = { organization = \"o\", workspaces = { name = \"a\" } }\n}\n",
        ),
    ]);
    let edges: Vec<(&str, Vec<&str>)> = found
        .units
        .iter()
        .filter(|unit| !unit.depends_on.is_empty())
        .map(|unit| (unit.path.as_str(), paths(&unit.depends_on)))
        .collect();
    assert_eq!(
        edges,
        [
            ("cloud/b", vec!["cloud/a"]),
            ("local/b", vec!["local/a"]),
            ("local/c", vec!["local/d"]),
            ("prod/a-web", vec!["prod/db"]),
            ("prod/db", vec!["prod/network"]),
        ]
    );
    assert!(found.cycles.is_empty());
    assert_eq!(
        problems(&found),
        "local/c/main.tf:5:1: remote state \"x\" is not stated literally, so the unit it belongs to is not known"
    );
}

#[test]
fn circles_and_shared_states_are_reported() {
    let found = discover([
        ("a/main.tf", &(s3("a") + &reads_s3("b"))),
        ("b/main.tf", &(s3("b") + &reads_s3("a"))),
        ("c/main.tf", &(s3("c") + &reads_s3("a"))),
        ("d/main.tf", &s3("c")),
        ("self/main.tf", &(s3("self") + &reads_s3("self"))),
    ]);
    assert_eq!(found.cycles.iter().map(|cycle| paths(cycle)).collect::<Vec<_>>(), [["a", "b"]]);
    insta::assert_snapshot!(problems(&found), @r#"
    c/main.tf:2:3: keeps its state in the same place as "d"; give each unit its own
    d/main.tf:2:3: keeps its state in the same place as "c"; give each unit its own
    "#);
}

#[test]
fn an_empty_repository_has_no_units() {
    assert_eq!(discover([]), Units::default());
}

proptest! {
    /// Units 0..n, each reading the states of some others.
    #[test]
    fn every_unit_comes_after_those_it_depends_on(reads in prop::collection::vec(prop::collection::vec(0..8_usize, 0..3), 1..8)) {
        let files: InMemory = reads
            .iter()
            .enumerate()
            .map(|(number, reads)| {
                let remote: String = reads.iter().map(|read| reads_s3(&format!("u{read}"))).collect();
                (format!("u{number}/main.tf"), s3(&format!("u{number}")) + &remote)
            })
            .collect();
        let found = units::discover(&files).unwrap();
        let place = |path: &UnitPath| found.order.iter().position(|other| other == path).unwrap();
        prop_assert_eq!(found.order.len(), reads.len());
        for unit in &found.units {
            for dependency in &unit.depends_on {
                let circle = found.cycles.iter().any(|c| c.contains(&unit.path) && c.contains(dependency));
                prop_assert!(circle || place(dependency) < place(&unit.path));
            }
        }
    }
}
