//! Plans and logs of the real program: whichever of `terraform` and `tofu` is on the path. Only the built-in
//! `terraform_data` is used, so nothing is downloaded.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use countersign_domain::plan::{Action, AttributeValue, CheckStatus};
use countersign_iac::tool::{self, KnownFailure, LockFile, PlanExit, PlanGoal, Tool};
use countersign_iac::{ansi, plan_json};

const WAIT: Duration = Duration::from_secs(10);

struct Workspace {
    tool: Tool,
    dir: tempfile::TempDir,
}

impl Workspace {
    fn new() -> Self {
        let found = Tool::ALL.into_iter().find(|tool| Command::new(tool.program()).arg("version").output().is_ok());
        let tool = found.expect("terraform or tofu on the path");
        Self { tool, dir: tempfile::tempdir().unwrap() }
    }

    fn run(&self, args: Vec<OsString>) -> Output {
        let mut command = Command::new(self.tool.program());
        for (name, _) in std::env::vars() {
            if tool::is_removed_variable(&name) {
                command.env_remove(name);
            }
        }
        command.env_remove("TF_CLI_CONFIG_FILE").envs(tool::ENVIRONMENT);
        command.args(args).current_dir(self.dir.path()).output().unwrap()
    }

    fn must(&self, args: Vec<OsString>) -> Output {
        let output = self.run(args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn write(&self, text: &str) {
        std::fs::write(self.dir.path().join("main.tf"), text).unwrap();
    }

    fn plan_file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn plan(&self, goal: PlanGoal, to: &Path) -> Output {
        self.run(tool::plan_args(goal, to, WAIT))
    }

    /// Plans and applies `text`.
    fn apply(&self, text: &str) {
        self.write(text);
        let plan = self.plan_file("before");
        let planned = self.plan(PlanGoal::Apply, &plan);
        let said = String::from_utf8_lossy(&planned.stderr);
        assert_eq!(PlanExit::of(planned.status.code()), PlanExit::Changes, "{said}");
        self.must(tool::apply_args(&plan, WAIT));
    }
}

/// The numbers of `Plan: a to import, b to add, c to change, d to destroy.`
fn summary(log: &[u8]) -> BTreeMap<String, u32> {
    let text = ansi::plain_text(&ansi::parse(log));
    let line = text.lines().find_map(|line| line.strip_prefix("Plan: ")).unwrap_or_default();
    let part = |part: &str| {
        let (number, word) = part.trim_end_matches('.').split_once(" to ")?;
        Some((word.to_owned(), number.parse().ok()?))
    };
    line.split(", ").filter_map(part).collect()
}

fn resources(kept: u32, before: u32, revision: u32) -> String {
    format!(
        r#"
variable "secret" {{
  default   = "canary-value"
  sensitive = true
}}
resource "terraform_data" "steady" {{
  count = {kept}
  input = count.index
}}
resource "terraform_data" "changing" {{
  count = {before}
  input = {{ revision = {revision}, "odd key" = [1, {revision}], pw = "${{var.secret}}-{revision}" }}
}}
resource "terraform_data" "replaced" {{
  count            = {before}
  triggers_replace = [{revision}]
  provisioner "local-exec" {{
    command = "true"
  }}
}}
resource "terraform_data" "create_first" {{
  triggers_replace = {revision}
  lifecycle {{
    create_before_destroy = true
  }}
}}
output "revision" {{
  value = {revision}
}}
check "even" {{
  assert {{
    condition     = terraform_data.create_first.triggers_replace % 2 == 1
    error_message = "the revision is even"
  }}
}}
"#
    )
}

#[test]
fn counts_agree_with_the_tools_own_line() {
    let space = Workspace::new();
    space.write("");
    space.must(tool::init_args(LockFile::Update));
    let version = space.tool.parse_version(&space.must(tool::version_args()).stdout).unwrap();
    let mut before = (2, 2, 1);
    let moved = "resource \"terraform_data\" \"old\" {\n  input = 1\n}\nresource \"terraform_data\" \"dropped\" {}\n";
    space.apply(&(resources(before.0, before.1, before.2) + moved));
    for after in [(3, 2, 2), (0, 4, 2), (1, 1, 3)] {
        let first = before == (2, 2, 1);
        let moving = "resource \"terraform_data\" \"new\" {\n  input = 1\n}\nmoved {\n  from = terraform_data.old\n  to   = terraform_data.new\n}\nimport {\n  to = terraform_data.imported\n  id = \"some-id\"\n}\nresource \"terraform_data\" \"imported\" {\n  input = \"x\"\n}\n";
        space.write(&(resources(after.0, after.1, after.2) + moving));
        let file = space.plan_file("plan");
        let output = space.plan(PlanGoal::Apply, &file);
        assert_eq!(PlanExit::of(output.status.code()), PlanExit::Changes);
        let json = space.must(tool::show_json_args(&file)).stdout;
        let plan = plan_json::read(&json).unwrap();
        let line = summary(&output.stdout);
        let counts = plan.counts();
        let (add, change, destroy) = counts.tool_line();
        assert_eq!((line["add"], line["change"], line["destroy"]), (add, change, destroy), "{counts:?}");
        assert_eq!(line.get("import").copied().unwrap_or_default(), counts.import);
        assert_eq!(counts.import, u32::from(first));
        assert_eq!(counts.moved, u32::from(first));
        assert_eq!(plan.tool_version.as_deref(), Some(version.version.to_string().as_str()));
        assert_eq!(plan.checks[0].status == CheckStatus::Fail, after.2 % 2 == 0);
        assert!(plan.provisioners.iter().all(|p| p.command.as_deref() == Some("true")));
        assert!(!plan.has_no_changes());

        let view = plan_json::view(&json).unwrap();
        assert_eq!(view.counts, counts);
        assert!(!serde_json::to_string(&view).unwrap().contains("canary-value"));
        // `output` repeats `input`, and the tool itself does not mark it there: its log shows the value, too.
        let mut marked = plan.resources.iter().flat_map(|r| &r.attributes).filter(|a| !a.path.starts_with("output"));
        assert!(marked.all(|a| !format!("{a:?}").contains("canary-value")), "a sensitive value is not covered");
        space.must(tool::apply_args(&file, WAIT));
        before = after;
    }
    let file = space.plan_file("plan");
    let output = space.plan(PlanGoal::Apply, &file);
    assert_eq!(PlanExit::of(output.status.code()), PlanExit::NoChanges);
    let plan = plan_json::read(&space.must(tool::show_json_args(&file)).stdout).unwrap();
    assert!(plan.has_no_changes());
    let output = space.plan(PlanGoal::Destroy, &file);
    let plan = plan_json::read(&space.must(tool::show_json_args(&file)).stdout).unwrap();
    assert_eq!(summary(&output.stdout)["destroy"], plan.counts().delete);
}

#[test]
fn changed_attributes_and_replacements_are_as_the_tool_means_them() {
    let space = Workspace::new();
    space.write("");
    space.must(tool::init_args(LockFile::Update));
    space.apply(&resources(0, 1, 1));
    space.write(&resources(0, 1, 2));
    let file = space.plan_file("plan");
    space.plan(PlanGoal::Apply, &file);
    let plan = plan_json::read(&space.must(tool::show_json_args(&file)).stdout).unwrap();
    let changing = plan.resources.iter().find(|r| r.action == Action::Update).unwrap();
    let paths: Vec<&str> = changing.attributes.iter().map(|a| a.path.as_str()).collect();
    assert_eq!(paths, ["input[\"odd key\"][1]", "input.pw", "input.revision", "output"]);
    assert_eq!(changing.attributes[1].after, AttributeValue::Sensitive("\"canary-value-2\"".to_owned()));
    assert_eq!(changing.attributes[3].after, AttributeValue::Unknown);
    let replaced = plan.resources.iter().find(|r| r.address == "terraform_data.replaced[0]").unwrap();
    assert_eq!(replaced.action.symbol(), "-/+");
    let forced: Vec<&str> =
        replaced.attributes.iter().filter(|a| a.forces_replacement).map(|a| a.path.as_str()).collect();
    assert_eq!(forced, ["triggers_replace[0]"]);
    let danger: Vec<&str> = plan.danger_first().iter().take(2).map(|r| r.address.as_str()).collect();
    assert_eq!(danger, ["terraform_data.create_first", "terraform_data.replaced[0]"]);
}

#[test]
fn a_stale_plan_and_a_state_are_recognised() {
    let space = Workspace::new();
    space.write("resource \"terraform_data\" \"a\" {}\n");
    space.must(tool::init_args(LockFile::Update));
    let file = space.plan_file("plan");
    space.plan(PlanGoal::Apply, &file);
    space.must(tool::apply_args(&file, WAIT));
    let again = space.run(tool::apply_args(&file, WAIT));
    assert!(!again.status.success());
    let lines = ansi::parse(&again.stderr);
    assert_eq!(ansi::error_lines(&lines).len(), 1);
    assert_eq!(tool::known_failure(&ansi::plain_text(&lines)), Some(KnownFailure::StalePlan));
    let state = space.must(vec!["show".into(), "-json".into()]).stdout;
    assert!(matches!(plan_json::read(&state), Err(plan_json::PlanError::NotAPlan { found: "a state" })));
    let raw = std::fs::read(&file).unwrap();
    assert!(matches!(plan_json::read(&raw), Err(plan_json::PlanError::NotJson { .. })));
}

#[test]
fn the_log_keeps_its_colours_without_a_terminal() {
    let space = Workspace::new();
    space.write("resource \"terraform_data\" \"a\" {\n  input = nope.x\n}\n");
    space.must(tool::init_args(LockFile::Update));
    let output = space.plan(PlanGoal::Apply, &space.plan_file("plan"));
    assert_eq!(PlanExit::of(output.status.code()), PlanExit::Failed);
    let lines = ansi::parse(&output.stderr);
    let error = &lines[ansi::error_lines(&lines)[0]];
    assert!(error.spans.iter().any(|span| span.style.fg.is_some()), "{error:?}");
}
