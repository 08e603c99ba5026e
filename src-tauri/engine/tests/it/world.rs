//! The demo world, built by real Git and the real tool.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use countersign_domain::names::UnitPath;
use countersign_domain::policy::{Policy, Role};
use countersign_engine::demo::world::{self, DemoChange, Seat, World, WorldError};
use countersign_seal::allowed_signers::AllowedSigners;
use countersign_seal::keys::SigningKey;

const UNITS: [&str; 9] = [
    "dev/network",
    "dev/orders-db",
    "dev/web",
    "stage/network",
    "stage/orders-db",
    "stage/web",
    "prod/network",
    "prod/orders-db",
    "prod/web",
];

fn tool() -> PathBuf {
    let runs = |name: &&&str| Command::new(name).arg("version").output().is_ok_and(|output| output.status.success());
    ["terraform", "tofu"].iter().find(runs).expect("terraform or tofu on PATH").into()
}

/// Runs a program as the tests' user has set it up, but for Terraform's own settings.
fn run(program: &Path, dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"TF_") {
            command.env_remove(name);
        }
    }
    command.current_dir(dir).args(arguments).env("CHECKPOINT_DISABLE", "1");
    command.output().unwrap_or_else(|error| panic!("{} does not run: {error}", program.display()))
}

fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = run(Path::new("git"), dir, arguments);
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a dry run said: its exit code (0 no changes, 1 failed, 2 changes), everything it printed, and its JSON.
struct DryRun {
    code: i32,
    log: String,
    json: serde_json::Value,
}

/// Plans a unit of the checkout in `tree`.
fn dry_run(tree: &Path, unit: &str) -> DryRun {
    let (tool, dir) = (tool(), tree.join(unit));
    let init = run(&tool, &dir, &["init", "-input=false", "-no-color"]);
    assert!(init.status.success(), "{unit}: {}", String::from_utf8_lossy(&init.stderr));
    let plan = run(&tool, &dir, &["plan", "-input=false", "-no-color", "-detailed-exitcode", "-out=plan"]);
    let log = format!("{}{}", String::from_utf8_lossy(&plan.stdout), String::from_utf8_lossy(&plan.stderr));
    let shown = run(&tool, &dir, &["show", "-json", "plan"]);
    let json = serde_json::from_slice(&shown.stdout).unwrap_or_default();
    DryRun { code: plan.status.code().expect("an exit code"), log, json }
}

impl DryRun {
    /// How many resources there are by what happens to them.
    fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for change in self.json["resource_changes"].as_array().into_iter().flatten() {
            let actions: Vec<&str> =
                change["change"]["actions"].as_array().into_iter().flatten().filter_map(|a| a.as_str()).collect();
            *counts.entry(actions.join("+")).or_default() += 1;
        }
        counts.remove("no-op");
        counts.remove("read");
        counts
    }
}

fn counts<const N: usize>(expected: [(&str, usize); N]) -> BTreeMap<String, usize> {
    expected.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

fn checkout(world: &World, branch: &str, to: &Path) -> PathBuf {
    let tree = to.join(branch);
    let (clone, tree_text) = (&world.you.live_clone, tree.to_str().expect("UTF-8"));
    git(clone, &["worktree", "add", "--quiet", "--detach", tree_text, &format!("origin/{branch}")]);
    tree
}

fn secrets(world: &World) -> Vec<String> {
    let mut all = Vec::new();
    for environment in ["dev", "stage", "prod"] {
        let text = fs::read(world.dir.join(format!("secrets/{environment}.json"))).expect("secrets");
        let values: BTreeMap<String, String> = serde_json::from_slice(&text).expect("JSON");
        all.extend(values.into_values());
    }
    assert_eq!(all.len(), 9);
    all
}

fn assert_no_secret(world: &World, bytes: &[u8], place: &str) {
    for secret in secrets(world) {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "a secret is in {place}");
    }
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.into_iter().flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn a_world_is_built_whole() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("a world of \"quotes\", 100% ${real} %{and} ümlaut #?'");
    let mut said = Vec::new();
    let world = world::build(&dir, &tool(), &mut |line| said.push(line.to_owned())).unwrap();

    assert_eq!(said.iter().filter(|line| line.starts_with("applied ")).count(), UNITS.len());
    assert_eq!(world::open(&dir).unwrap().as_ref(), Some(&world));
    assert!(matches!(world::build(&dir, &tool(), &mut |_| ()), Err(WorldError::Occupied(_))));
    for seat in [&world.you, &world.teammate, &world.runner] {
        the_seat_is_ready(seat);
    }
    trunk_has_a_policy_and_its_signers(&world);
    the_modules_have_releases(&world);
    every_unit_is_deployed(&world);
    no_secret_is_where_it_should_not_be(&world);
    the_code_is_formatted(&world);
    the_modules_pass_their_tests(&world, &temp.path().join("modules"));

    let trees = temp.path().join("trees");
    every_change_is_one_step_from_trunk(&world);
    trunk_has_nothing_to_do(&checkout(&world, "main", &trees));
    the_changes_do_what_they_say(&world, &trees);
    a_world_cannot_be_moved(&dir, &temp.path().join("elsewhere"));
}

fn the_seat_is_ready(seat: &Seat) {
    assert_eq!(git(&seat.live_clone, &["config", "--local", "user.email"]), format!("{}@demo.invalid\n", seat.person));
    assert_eq!(git(&seat.live_clone, &["status", "--porcelain", "--branch"]), "## main...origin/main\n");
    assert_eq!(seat.modules_clone.is_some(), seat.person.as_str() == "you");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&seat.data_dir).unwrap().permissions().mode() & 0o7777, 0o700);
    }
}

fn trunk_has_a_policy_and_its_signers(world: &World) {
    let policy = Policy::parse(&git(&world.live_remote, &["show", "main:countersign.toml"])).unwrap();
    assert_eq!(policy.repository.as_str(), "infrastructure-live");
    assert!(policy.holds(&world.you.person, Role::Security) && !policy.holds(&world.teammate.person, Role::Security));
    assert_eq!(policy.people.len(), 4);
    let ids: Vec<&str> = policy.checklist.iter().map(|question| question.id.as_str()).collect();
    assert_eq!(ids, ["security", "design", "style", "data"]);
    for unit in UNITS {
        let (name, environment) = policy.environment_of(&UnitPath::new(unit).unwrap()).expect("an environment");
        assert!(unit.starts_with(name.as_str()));
        assert_eq!(environment.rule.approvals, if name.as_str() == "prod" { 2 } else { 1 });
        assert_eq!(environment.rule.acknowledge_destroys, name.as_str() == "prod");
    }
    let signers = git(&world.live_remote, &["show", "main:allowed_signers"]);
    let signers = AllowedSigners::parse(signers.as_bytes()).unwrap();
    for seat in [&world.you, &world.teammate, &world.runner] {
        let key = SigningKey::from_file(&seat.key, None).unwrap();
        assert_eq!(signers.person(key.public()), Some(&seat.person));
    }
}

fn the_modules_have_releases(world: &World) {
    let tags = git(&world.modules_remote, &["for-each-ref", "--format=%(refname:short) %(objecttype)", "refs/tags"]);
    assert_eq!(tags, "v1.0.0 tag\nv1.1.0 tag\nv2.0.0 tag\n");
    assert_eq!(git(&world.modules_remote, &["rev-list", "--count", "v2.0.0..main"]), "1\n");
}

fn database(world: &World) -> serde_json::Value {
    serde_json::from_slice(&fs::read(world.cloud.join("prod/orders-db/database.json")).unwrap()).unwrap()
}

fn every_unit_is_deployed(world: &World) {
    for unit in UNITS {
        assert!(world.dir.join(format!("state/{unit}.tfstate")).is_file(), "{unit} has no state");
        assert!(!files_below(&world.cloud.join(unit)).is_empty(), "{unit} is not in the cloud");
    }
    let database = database(world);
    assert_eq!(database["engine_version"], "15.4");
    assert_eq!(database["parameters"].as_object().map(serde_json::Map::len), Some(50));
    assert_eq!(files_below(&world.cloud.join("stage/web/replicas")).len(), 2);
}

fn no_secret_is_where_it_should_not_be(world: &World) {
    for remote in [&world.live_remote, &world.modules_remote] {
        let objects = run(Path::new("git"), remote, &["cat-file", "--batch-all-objects", "--batch"]);
        assert!(objects.stdout.len() > 10_000, "the objects were not listed");
        assert_no_secret(world, &objects.stdout, "a repository");
    }
    for file in files_below(&world.cloud) {
        assert_no_secret(world, &fs::read(&file).unwrap(), "the cloud");
    }
}

fn the_code_is_formatted(world: &World) {
    for clone in [Some(&world.you.live_clone), world.you.modules_clone.as_ref()].into_iter().flatten() {
        let check = run(&tool(), clone, &["fmt", "-check", "-recursive"]);
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    }
}

fn the_modules_pass_their_tests(world: &World, copy: &Path) {
    let clone = world.you.modules_clone.as_ref().expect("your clone of the modules");
    git(clone, &["worktree", "add", "--quiet", "--detach", copy.to_str().expect("UTF-8"), "v2.0.0"]);
    for module in ["network", "database", "service"] {
        let dir = copy.join("modules").join(module);
        let init = run(&tool(), &dir, &["init", "-input=false", "-no-color"]);
        assert!(init.status.success(), "{module}: {}", String::from_utf8_lossy(&init.stderr));
        let test = run(&tool(), &dir, &["test", "-no-color"]);
        assert!(test.status.success(), "{module}: {}", String::from_utf8_lossy(&test.stdout));
    }
}

fn every_change_is_one_step_from_trunk(world: &World) {
    let branches = git(&world.live_remote, &["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    let mut expected: Vec<&str> = DemoChange::ALL.into_iter().chain(["main"]).collect();
    expected.sort_unstable();
    assert_eq!(branches.lines().collect::<Vec<_>>(), expected);
    for branch in DemoChange::ALL {
        let ahead = git(&world.live_remote, &["rev-list", "--left-right", "--count", &format!("main...{branch}")]);
        let commits = if branch == DemoChange::GROW_ORDERS_DB { 2 } else { 1 };
        assert_eq!(ahead, format!("0\t{commits}\n"), "{branch}");
        let authors = git(&world.live_remote, &["log", "--format=%ae %ce", &format!("main..{branch}")]);
        assert!(authors.lines().all(|line| line == "mira@demo.invalid mira@demo.invalid"), "{authors}");
    }
    let policy = git(&world.live_remote, &["show", "let-authors-approve:countersign.toml"]);
    let policy = Policy::parse(&policy).unwrap();
    let mira = policy.person_of_email("mira@demo.invalid").expect("mira");
    assert!(policy.holds(mira, Role::Security));
}

fn trunk_has_nothing_to_do(tree: &Path) {
    for unit in UNITS {
        let dry_run = dry_run(tree, unit);
        assert_eq!(dry_run.code, 0, "{unit}: {}", dry_run.log);
    }
    assert_eq!(git(tree, &["status", "--porcelain"]).lines().filter(|line| !line.ends_with("/plan")).count(), 0);
}

fn the_changes_do_what_they_say(world: &World, trees: &Path) {
    let grown = checkout(world, DemoChange::GROW_ORDERS_DB, trees);
    let grow = dry_run(&grown, "prod/orders-db");
    assert_eq!(grow.counts(), counts([("delete+create", 1), ("update", 50)]));
    assert_no_secret(world, grow.log.as_bytes(), "the log of a plan");
    assert!(secrets(world).iter().any(|secret| grow.json.to_string().contains(secret)), "no secret goes through");
    the_cloud_follows_an_apply(world, &grown.join("prod/orders-db"));

    let replicas = dry_run(&checkout(world, DemoChange::STAGE_WEB_REPLICAS, trees), "stage/web");
    assert_eq!(replicas.counts(), counts([("create", 1), ("update", 1)]));
    let created = replicas.json["resource_changes"].as_array().into_iter().flatten();
    let created = created.filter(|change| change["change"]["actions"][0] == "create");
    for change in created {
        assert_eq!(change["change"]["after_sensitive"]["triggers_replace"]["api_token"], true);
    }

    let policy = dry_run(&checkout(world, DemoChange::LET_AUTHORS_APPROVE, trees), "dev/web");
    assert_eq!(policy.counts(), counts([("delete+create", 1)]));

    let tidy = dry_run(&checkout(world, DemoChange::TIDY_COMMENTS, trees), "dev/network");
    assert_eq!((tidy.code, tidy.counts()), (0, counts([])));

    let broken = dry_run(&checkout(world, DemoChange::BROKEN_NETWORK, trees), "stage/network");
    assert_eq!(broken.code, 1);
    assert!(broken.log.contains("undeclared input variable"), "{}", broken.log);
}

fn the_cloud_follows_an_apply(world: &World, unit: &Path) {
    let before = database(world);
    let apply = run(&tool(), unit, &["apply", "-input=false", "-no-color", "plan"]);
    assert!(apply.status.success(), "{}", String::from_utf8_lossy(&apply.stderr));
    let after = database(world);
    assert_ne!(after["id"], before["id"], "the database was not replaced");
    assert_eq!(after["engine_version"], "16.3");
    assert_eq!(after["parameters"]["orders-50"]["max_connections"], 400);
}

fn a_world_cannot_be_moved(dir: &Path, elsewhere: &Path) {
    fs::rename(dir, elsewhere).unwrap();
    assert!(matches!(world::open(elsewhere), Err(WorldError::Moved { .. })));
    world::reset(elsewhere).unwrap();
    assert!(!elsewhere.exists());
}

#[test]
fn what_is_not_ours_is_never_removed() {
    let temp = tempfile::tempdir().unwrap();
    let mine = temp.path().join("mine");
    // Names and a marker that could be taken for a world's.
    fs::create_dir_all(mine.join("data")).unwrap();
    fs::write(mine.join("data/thesis.txt"), "three years").unwrap();
    fs::write(mine.join("world.json"), r#"{"format": "a game"}"#).unwrap();
    assert!(matches!(world::reset(&mine), Err(WorldError::Occupied(_))));
    assert!(matches!(world::build(&mine, &tool(), &mut |_| ()), Err(WorldError::Occupied(_))));
    assert_eq!(world::open(&mine).unwrap(), None);
    assert_eq!(fs::read_to_string(mine.join("data/thesis.txt")).unwrap(), "three years");
}

#[test]
fn a_build_that_fails_leaves_nothing_behind() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("world");
    let error = world::build(&dir, Path::new("/no/such/terraform"), &mut |_| ()).unwrap_err();
    assert!(matches!(error, WorldError::NoProgram(_)), "{error}");
    assert!(!dir.exists());
    assert_eq!(world::open(&dir).unwrap(), None);
    world::reset(&dir).unwrap();
}

#[test]
fn a_build_that_was_stopped_is_recognised_and_can_be_removed() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("world");
    // As far as a stopped build comes; a file of somebody else's joined it.
    fs::create_dir_all(dir.join(".countersign-world-unfinished/infrastructure-live")).unwrap();
    fs::create_dir_all(dir.join("remotes")).unwrap();
    fs::write(dir.join("notes.txt"), "mine").unwrap();
    assert!(matches!(world::open(&dir), Err(WorldError::HalfBuilt(_))));
    assert!(matches!(world::build(&dir, &tool(), &mut |_| ()), Err(WorldError::HalfBuilt(_))));
    world::reset(&dir).unwrap();
    let left: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["notes.txt"]);
}

#[test]
fn a_damaged_world_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().canonicalize().unwrap();
    let marker = |version: u32| serde_json::json!({"format": "countersign demo world", "version": version, "dir": dir});
    fs::write(dir.join("world.json"), marker(1).to_string()).unwrap();
    assert!(matches!(world::open(&dir), Err(WorldError::Incomplete(_))));
    fs::write(dir.join("world.json"), marker(99).to_string()).unwrap();
    let error = world::open(&dir).unwrap_err().to_string();
    assert!(error.ends_with("it has version 99, not 1; begin anew with --reset"), "{error}");
}
