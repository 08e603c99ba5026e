//! Argument lists and answers.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use countersign_iac::tool::{self, CommandExit, KnownFailure, LockFile, PlanExit, PlanGoal, Tool};

fn words(args: &[OsString]) -> String {
    args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[test]
fn argument_lists_are_what_is_reviewed() {
    let plan = Path::new("/proc/self/fd/7");
    let wait = Duration::from_secs(60);
    let all = [
        tool::version_args(),
        tool::init_args(LockFile::Update),
        tool::init_args(LockFile::ReadOnly),
        tool::plan_args(PlanGoal::Apply, plan, wait),
        tool::plan_args(PlanGoal::Destroy, plan, wait),
        tool::show_json_args(plan),
        tool::apply_args(plan, wait),
        tool::workspace_args(),
    ];
    insta::assert_snapshot!(all.map(|args| words(&args)).join("\n"), @r"
    version -json
    init -input=false
    init -input=false -lockfile=readonly
    plan -input=false -detailed-exitcode -lock-timeout=60s -out=/proc/self/fd/7
    plan -input=false -detailed-exitcode -lock-timeout=60s -destroy -out=/proc/self/fd/7
    show -json /proc/self/fd/7
    apply -input=false -lock-timeout=60s /proc/self/fd/7
    workspace show
    ");
}

#[test]
fn versions_are_read() {
    let answer = br#"{"terraform_version": "1.11.4", "platform": "linux_amd64", "provider_selections": {}}"#;
    let version = Tool::Tofu.parse_version(answer).unwrap();
    assert_eq!((version.tool, version.version.to_string()), (Tool::Tofu, "1.11.4".to_owned()));
    for wrong in ["", "Terraform v1.11.4", "{}", r#"{"terraform_version": "one"}"#] {
        assert!(Tool::Terraform.parse_version(wrong.as_bytes()).is_err(), "{wrong}");
    }
    assert_eq!(Tool::named("tofu"), Some(Tool::Tofu));
    assert_eq!(Tool::named("sh"), None);
}

#[test]
fn exit_codes_fail_closed() {
    assert_eq!(PlanExit::of(Some(0)), PlanExit::NoChanges);
    assert_eq!(PlanExit::of(Some(2)), PlanExit::Changes);
    for code in [Some(1), Some(3), Some(-1), Some(137), None] {
        assert_eq!(PlanExit::of(code), PlanExit::Failed);
    }
    assert_eq!(CommandExit::of(Some(0)), CommandExit::Done);
    assert_eq!(CommandExit::of(Some(2)), CommandExit::Failed);
    assert_eq!(CommandExit::of(None), CommandExit::Failed);
}

#[test]
fn known_failures_are_told_by_their_headline_alone() {
    let of = tool::known_failure;
    assert_eq!(of("╷\n│ Error: Saved plan is stale\n│ \n"), Some(KnownFailure::StalePlan));
    assert_eq!(of("\nError: Error acquiring the state lock\n"), Some(KnownFailure::StateLocked));
    assert_eq!(of("Error: Inconsistent dependency lock file\n"), Some(KnownFailure::LockFileMismatch));
    assert_eq!(of("x (local-exec): Error: Saved plan is stale\n"), None);
    assert_eq!(of("  + input = \"Saved plan is stale\"\nError: Other\n"), None);
}

#[test]
fn variables_that_would_change_what_is_planned_are_removed() {
    for name in ["TF_CLI_ARGS", "TF_CLI_ARGS_plan", "TF_LOG", "TF_LOG_PATH", "TF_WORKSPACE", "TF_DATA_DIR"] {
        assert!(tool::is_removed_variable(name), "{name}");
    }
    for name in ["PATH", "HOME", "TF_VAR_region", "AWS_PROFILE", "TF_PLUGIN_CACHE_DIR"] {
        assert!(!tool::is_removed_variable(name), "{name}");
    }
}
