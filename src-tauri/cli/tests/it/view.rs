use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::program::{Desk, Ran, text};

fn resource(address: &str, actions: &[&str], more: &Value) -> Value {
    let kind = if address.starts_with("data.") { "data" } else { "managed" };
    let mut resource = json!({
        "address": address, "mode": kind, "type": "terraform_data", "name": "x", "provider_name": "terraform.io/builtin/terraform",
        "change": {"actions": actions, "before": {"input": "old"}, "after": {"input": "new"}, "after_unknown": {}},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        resource[key] = value.clone();
    }
    resource
}

fn plan() -> Value {
    let none = json!({});
    let mut imported = resource("terraform_data.imported", &["update"], &none);
    imported["change"]["importing"] = json!({"id": "i-123"});
    let mut secret = resource("terraform_data.secret", &["update"], &none);
    secret["change"]["after_sensitive"] = json!({"input": true});
    json!({
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "resource_changes": [
            resource("terraform_data.same", &["no-op"], &none),
            resource("terraform_data.new", &["create"], &none),
            secret,
            imported,
            resource("terraform_data.db", &["delete", "create"], &json!({"action_reason": "replace_because_cannot_update"})),
            resource("terraform_data.web", &["create", "delete"], &none),
            resource("terraform_data.gone", &["delete"], &none),
            resource("terraform_data.kept", &["forget"], &none),
            resource("terraform_data.here", &["no-op"], &json!({"previous_address": "terraform_data.there"})),
            resource("data.terraform_data.read", &["read"], &none),
        ],
        "resource_drift": [resource("terraform_data.drifted", &["update"], &none)],
        "output_changes": {
            "password": {"actions": ["update"], "before": "a", "after": "b", "before_sensitive": true, "after_sensitive": true},
            "same": {"actions": ["no-op"], "before": "a", "after": "a"},
        },
        "checks": [{
            "address": {"to_display": "check.health", "kind": "check", "name": "health"}, "status": "fail",
            "instances": [{"address": {"to_display": "check.health"}, "status": "fail", "problems": [{"message": "it is down"}]}],
        }],
        "configuration": {"root_module": {"resources": [{
            "address": "terraform_data.new", "mode": "managed", "type": "terraform_data", "name": "new",
            "provisioners": [{"type": "local-exec", "expressions": {"command": {"constant_value": "touch /tmp/x"}}}],
        }]}},
    })
}

fn view(desk: &Desk, bytes: &[u8], more: &[&str]) -> Ran {
    std::fs::write(desk.path("plan.json"), bytes).unwrap();
    desk.run(&[&["view", "plan.json"], more].concat())
}

#[test]
fn a_plan_is_shown_danger_first() {
    let desk = Desk::new();
    let shown = view(&desk, plan().to_string().as_bytes(), &[]);
    assert_eq!((shown.code, shown.err.as_str()), (Some(0), ""));
    insta::assert_snapshot!("view", shown.out);
    assert!(!desk.path("data").exists(), "viewing made a data directory");
}

#[test]
fn its_json_counts_and_names_everything() {
    let desk = Desk::new();
    let shown = view(&desk, plan().to_string().as_bytes(), &["--json"]).object();
    let counts = json!({"create": 1, "update": 2, "delete": 1, "replace": 2, "read": 1, "no_op": 2, "import": 1, "move": 1, "forget": 1});
    assert_eq!(shown["counts"], counts);
    let mut keys: Vec<&String> = shown.as_object().unwrap().keys().collect();
    keys.sort();
    let expected =
        ["checks", "counts", "drift", "format_version", "outputs", "provisioners", "resources", "terraform_version"];
    assert_eq!(keys, expected);
    let db = &shown["resources"][4];
    assert_eq!((&db["address"], &db["actions"]), (&json!("terraform_data.db"), &json!(["delete", "create"])));
    assert_eq!(db["reason"], "replace_because_cannot_update");
    assert_eq!(shown["resources"][2]["sensitive"], true);
    assert_eq!(shown["resources"][8]["previous_address"], "terraform_data.there");
    assert_eq!(shown["outputs"][0]["sensitive"], true);
    assert_eq!(shown["provisioners"][0]["provisioner_type"], "local-exec");
    let text = shown.to_string();
    assert!(!text.contains("\"old\"") && !text.contains("\"new\""), "a value is shown: {text}");
}

#[test]
fn utf_16_and_standard_input_give_the_same() {
    let desk = Desk::new();
    let text_form = plan().to_string();
    let expected = view(&desk, text_form.as_bytes(), &["--json"]).out;
    let utf_16 = |unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(0xfeff).chain(text_form.encode_utf16()).flat_map(unit).collect()
    };
    assert_eq!(view(&desk, &utf_16(u16::to_le_bytes), &["--json"]).out, expected);
    assert_eq!(view(&desk, &utf_16(u16::to_be_bytes), &["--json"]).out, expected);
    let mut child =
        desk.command(&["view", "-", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text_form.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), expected);
}

#[test]
fn what_is_no_plan_is_refused_clearly() {
    let desk = Desk::new();
    let whole = plan().to_string();
    let newer = whole.replace("\"format_version\":\"1.2\"", "\"format_version\":\"2.0\"");
    let cases: [(&[u8], &str); 7] = [
        (b"", "empty"),
        (b"Terraform will perform the following actions", "not JSON"),
        (b"{\"version\": 4, \"serial\": 1, \"lineage\": \"x\"}", "a state file"),
        (b"[1]", "failed to read the plan"),
        (&whole.as_bytes()[..whole.len() / 2], "cut off"),
        (newer.as_bytes(), "update Countersign"),
        (&[0x80, 0xff, 0x22, 0xc3], "not text"),
    ];
    for (bytes, words) in cases {
        let refused = view(&desk, bytes, &[]);
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{words}");
        assert!(refused.failure()[0].contains(words), "{words}: {}", refused.err);
        let told = view(&desk, bytes, &["--json"]);
        assert_eq!(told.code, Some(2));
        assert_eq!(told.object()["error"]["code"], "usage");
    }
    for file in ["no such file", "."] {
        assert_eq!(desk.run(&["view", file]).code, Some(2), "{file}");
    }
}

#[test]
fn a_hostile_plan_does_not_reach_the_terminal() {
    let desk = Desk::new();
    let address = "terraform_data.x[\"\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}\"]";
    let plan = json!({"format_version": "1.2", "resource_changes": [resource(address, &["delete"], &json!({}))]});
    for more in [&[] as &[&str], &["--json"]] {
        let shown = view(&desk, plan.to_string().as_bytes(), more);
        assert_eq!(shown.code, Some(0));
        let is_bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!shown.out.contains(is_bad), "{:?}", shown.out);
    }
    assert_eq!(view(&desk, plan.to_string().as_bytes(), &["--json"]).object()["resources"][0]["address"], address);
}

#[test]
fn a_reader_that_goes_early_is_no_failure() {
    let desk = Desk::new();
    let resources: Vec<Value> =
        (0..5000).map(|n| resource(&format!("terraform_data.x[{n}]"), &["create"], &json!({}))).collect();
    let plan = json!({"format_version": "1.2", "resource_changes": resources}).to_string();
    std::fs::write(desk.path("big.json"), plan).unwrap();
    let mut child = desk
        .command(&["view", text(&desk.path("big.json"))])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8(ended.stderr).unwrap().as_str()), (Some(0), ""));
}
