//! Reading plans.

use countersign_domain::plan::{Action, AttributeValue, CheckStatus, Plan, ReplaceOrder, ResourceMode};
use countersign_iac::plan_json::{self, MAX_CHILDREN, MAX_NESTING, PlanError};
use proptest::prelude::*;
use serde_json::{Value, json};

fn plan_with(resources: &Value) -> String {
    json!({"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": resources}).to_string()
}

fn one(change: &Value) -> String {
    plan_with(&json!([{"address": "a.b", "mode": "managed", "type": "a", "name": "b", "change": change}]))
}

fn read(text: &str) -> Plan {
    plan_json::read(text.as_bytes()).expect("a plan")
}

fn refusal(text: &str) -> PlanError {
    let refused = plan_json::read(text.as_bytes()).expect_err("a refusal");
    let of_view = plan_json::view(text.as_bytes()).expect_err("a refusal of the view, too");
    assert_eq!(refused.to_string(), of_view.to_string());
    refused
}

/// The attributes as lines: path, before, after, and `!` when it forces the replacement.
fn attributes(text: &str) -> Vec<String> {
    let plan = read(text);
    let shown = |value: &AttributeValue| match value {
        AttributeValue::Absent => "-".to_owned(),
        AttributeValue::Unknown => "?".to_owned(),
        AttributeValue::Known(text) => text.clone(),
        AttributeValue::Sensitive(_) => "***".to_owned(),
        AttributeValue::SensitiveUnknown => "***?".to_owned(),
    };
    let line = |a: &countersign_domain::plan::AttributeChange| {
        let forced = if a.forces_replacement { " !" } else { "" };
        format!("{}: {} -> {}{forced}", a.path, shown(&a.before), shown(&a.after))
    };
    plan.resources.iter().flat_map(|resource| resource.attributes.iter().map(line)).collect()
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

const EVERYTHING: &str = r#"{
  "format_version": "1.2", "terraform_version": "1.11.4", "complete": false, "errored": true,
  "variables": {"secret": {"value": "hunter2"}},
  "resource_changes": [
    {"address": "module.m[\"x y\"].t.a", "mode": "managed", "type": "t", "name": "a", "provider_name": "p",
     "action_reason": "replace_because_cannot_update",
     "change": {"actions": ["delete", "create"], "before": {"pw": "hunter1", "size": 1}, "after": {"pw": "hunter2", "size": 2},
                "after_unknown": {"id": true}, "before_sensitive": {"pw": true}, "after_sensitive": {"pw": true},
                "replace_paths": [["size"]]}},
    {"address": "t.b", "mode": "managed", "type": "t", "name": "b", "previous_address": "t.old", "deposed": "0a1b",
     "change": {"actions": ["no-op"], "before": {"x": 1}, "after": {"x": 1}, "after_unknown": {}, "importing": {"id": "i-1"}}},
    {"address": "data.t.c", "mode": "data", "type": "t", "name": "c",
     "change": {"actions": ["read"], "before": null, "after": {}, "after_unknown": {"id": true}}},
    {"address": "t.d", "mode": "managed", "type": "t", "name": "d",
     "change": {"actions": ["create", "forget"], "before": {"x": 1}, "after": {"x": 2}}}
  ],
  "resource_drift": [
    {"address": "t.e", "mode": "managed", "type": "t", "name": "e",
     "change": {"actions": ["update"], "before": {"x": 1}, "after": {"x": 3}}}
  ],
  "output_changes": {
    "port": {"actions": ["update"], "before": 1, "after": 2, "after_unknown": false, "before_sensitive": false, "after_sensitive": false},
    "token": {"actions": ["create"], "before": null, "after_unknown": true, "before_sensitive": false, "after_sensitive": true}
  },
  "checks": [
    {"address": {"kind": "check", "to_display": "check.even"}, "status": "fail",
     "instances": [{"address": {"to_display": "check.even"}, "status": "fail", "problems": [{"message": "odd"}]}]}
  ],
  "configuration": {
    "provider_config": {"p": {"name": "p", "full_name": "registry.terraform.io/x/p", "version_constraint": "~> 1.0"}},
    "root_module": {
      "resources": [{"address": "t.b", "provisioners": [
        {"type": "local-exec", "expressions": {"command": {"constant_value": "echo hi"}}}]}],
      "module_calls": {"m": {"source": "./m", "module": {"resources": [{"address": "t.a", "provisioners": [
        {"type": "local-exec", "expressions": {"command": {"references": ["self.id", "self"]},
                                               "interpreter": {"constant_value": ["bash", "-c"]}}}]}]}}}
    }
  }
}"#;

#[test]
fn everything_a_plan_says_is_read() {
    let plan = read(EVERYTHING);
    assert_eq!(plan.format_version, "1.2");
    assert_eq!(plan.tool_version.as_deref(), Some("1.11.4"));
    assert!(!plan.complete && plan.errored);
    let actions: Vec<Action> = plan.resources.iter().map(|r| r.action).collect();
    let expected = [
        Action::Replace(ReplaceOrder::DeleteFirst),
        Action::NoOp,
        Action::Read,
        Action::Replace(ReplaceOrder::CreateThenForget),
    ];
    assert_eq!(actions, expected);
    assert_eq!(plan.resources[0].reason.as_deref(), Some("replace_because_cannot_update"));
    assert_eq!(plan.resources[1].previous_address.as_deref(), Some("t.old"));
    assert_eq!(plan.resources[1].importing.as_deref(), Some("i-1"));
    assert_eq!(plan.resources[1].deposed.as_deref(), Some("0a1b"));
    assert_eq!(plan.resources[2].mode, ResourceMode::Data);
    assert_eq!(plan.drift[0].attributes[0].path, "x");
    assert_eq!(plan.outputs[0].after, AttributeValue::Known("2".to_owned()));
    assert_eq!(plan.outputs[1].after, AttributeValue::SensitiveUnknown);
    assert_eq!(plan.checks[0].status, CheckStatus::Fail);
    assert_eq!(plan.checks[0].problems, ["odd"]);
    assert_eq!(plan.providers[0].name, "registry.terraform.io/x/p");
    let provisioners: Vec<_> =
        plan.provisioners.iter().map(|p| (p.resource.as_str(), p.command.as_deref().unwrap_or_default())).collect();
    let expected = [("t.b", "echo hi"), ("module.m.t.a", "with [\"bash\", \"-c\"]: built from self.id, self")];
    assert_eq!(provisioners, expected);
}

#[test]
fn the_view_has_the_documented_shape_and_no_values() {
    let view = plan_json::view(EVERYTHING.as_bytes()).unwrap();
    let text = serde_json::to_string_pretty(&view).unwrap();
    assert!(!text.contains("hunter"), "a value got into the view");
    insta::assert_snapshot!(text, @r#"
    {
      "format_version": "1.2",
      "terraform_version": "1.11.4",
      "counts": {
        "create": 0,
        "update": 0,
        "delete": 0,
        "replace": 2,
        "read": 1,
        "no_op": 1,
        "import": 1,
        "move": 1,
        "forget": 0
      },
      "resources": [
        {
          "address": "module.m[\"x y\"].t.a",
          "actions": [
            "delete",
            "create"
          ],
          "previous_address": null,
          "importing": null,
          "reason": "replace_because_cannot_update",
          "sensitive": true,
          "sensitive_paths": [
            "pw"
          ]
        },
        {
          "address": "t.b",
          "actions": [
            "no-op"
          ],
          "previous_address": "t.old",
          "importing": {
            "id": "i-1"
          },
          "reason": null,
          "sensitive": false,
          "sensitive_paths": []
        },
        {
          "address": "data.t.c",
          "actions": [
            "read"
          ],
          "previous_address": null,
          "importing": null,
          "reason": null,
          "sensitive": false,
          "sensitive_paths": []
        },
        {
          "address": "t.d",
          "actions": [
            "create",
            "forget"
          ],
          "previous_address": null,
          "importing": null,
          "reason": null,
          "sensitive": false,
          "sensitive_paths": []
        }
      ],
      "outputs": [
        {
          "name": "port",
          "actions": [
            "update"
          ],
          "sensitive": false
        },
        {
          "name": "token",
          "actions": [
            "create"
          ],
          "sensitive": true
        }
      ],
      "drift": [
        {
          "address": "t.e",
          "actions": [
            "update"
          ],
          "previous_address": null,
          "importing": null,
          "reason": null,
          "sensitive": false,
          "sensitive_paths": []
        }
      ],
      "checks": [
        {
          "address": "check.even",
          "status": "fail",
          "problems": [
            "odd"
          ]
        }
      ],
      "provisioners": [
        {
          "resource": "t.b",
          "provisioner_type": "local-exec",
          "when": "create or destroy",
          "command": "echo hi"
        },
        {
          "resource": "module.m.t.a",
          "provisioner_type": "local-exec",
          "when": "create or destroy",
          "command": "with [\"bash\", \"-c\"]: built from self.id, self"
        }
      ]
    }
    "#);
}

#[test]
fn every_pair_of_actions_is_one_action() {
    let action = |words: &[&str]| read(&one(&json!({"actions": words}))).resources[0].action;
    assert_eq!(action(&["delete", "create"]), Action::Replace(ReplaceOrder::DeleteFirst));
    assert_eq!(action(&["create", "delete"]), Action::Replace(ReplaceOrder::CreateFirst));
    assert_eq!(action(&["create", "forget"]), Action::Replace(ReplaceOrder::CreateThenForget));
    for (word, expected) in [
        ("no-op", Action::NoOp),
        ("create", Action::Create),
        ("read", Action::Read),
        ("update", Action::Update),
        ("delete", Action::Delete),
        ("forget", Action::Forget),
    ] {
        assert_eq!(action(&[word]), expected);
    }
    // Never shown as less than it is.
    assert_eq!(action(&["no-op", "update", "delete"]), Action::Delete);
}

#[test]
fn changed_leaves_are_found_by_path() {
    let text = one(&json!({
        "actions": ["update"],
        "before": {"tags": {"a b": "x", "same": 1}, "ingress": [{"cidr": "10.0.0.0/8"}, {"cidr": "k"}], "gone": true, "n": null},
        "after": {"tags": {"a b": "y", "same": 1, "a-1": "z"}, "ingress": [{"cidr": "0.0.0.0/0"}, {"cidr": "k"}, {"cidr": "l"}], "n": null},
        "after_unknown": {"id": true, "tags": {}, "ingress": [{}, {}, {"port": true}]},
    }));
    insta::assert_snapshot!(attributes(&text).join("\n"), @r#"
    gone: true -> -
    id: - -> ?
    ingress[0].cidr: "10.0.0.0/8" -> "0.0.0.0/0"
    ingress[2].cidr: - -> "l"
    ingress[2].port: - -> ?
    tags["a b"]: "x" -> "y"
    tags.a-1: - -> "z"
    "#);
}

#[test]
fn created_and_deleted_resources_show_every_set_leaf() {
    let values = json!({"a": {"b": [1, "x"]}, "empty": {}, "none": null});
    let created = one(&json!({"actions": ["create"], "before": null, "after": values, "after_unknown": {"id": true}}));
    assert_eq!(attributes(&created), ["a.b[0]: - -> 1", "a.b[1]: - -> \"x\"", "empty: - -> {}", "id: - -> ?"]);
    let deleted = one(&json!({"actions": ["delete"], "before": values, "after": null}));
    assert_eq!(attributes(&deleted), ["a.b[0]: 1 -> -", "a.b[1]: \"x\" -> -", "empty: {} -> -"]);
}

#[test]
fn numbers_and_strings_keep_their_text() {
    let text = r#"{"resource_changes": [{"address": "a.b", "change": {"actions": ["update"],
        "before": {"n": 12345678901234567890123, "e": 1e400, "s": "a\nb"},
        "after": {"n": 12345678901234567890124, "e": 1.0e400, "s": "a\nc"}}}]}"#;
    let expected =
        ["e: 1e400 -> 1.0e400", "n: 12345678901234567890123 -> 12345678901234567890124", "s: \"a\\nb\" -> \"a\\nc\""];
    assert_eq!(attributes(text), expected);
}

#[test]
fn replacements_name_what_forces_them() {
    let text = one(&json!({
        "actions": ["create", "delete"],
        "before": {"ami": "a", "size": 1, "nets": [{"id": "x"}], "nets_b": 1},
        "after": {"ami": "b", "size": 2, "nets": [{"id": "y"}], "nets_b": 2},
        "replace_paths": [["ami"], ["nets", 0]],
    }));
    let expected = ["ami: \"a\" -> \"b\" !", "nets[0].id: \"x\" -> \"y\" !", "nets_b: 1 -> 2", "size: 1 -> 2"];
    assert_eq!(attributes(&text), expected);
}

#[test]
fn a_mark_on_either_side_covers_both() {
    let text = one(&json!({
        "actions": ["update"],
        "before": {"was": "s1", "is": "s2", "whole": {"deep": ["s3"]}, "list": ["p", "s4"], "same": "s5", "soon": "s6"},
        "after": {"was": "s7", "is": "s8", "whole": {"deep": ["s9"]}, "list": ["q", "s10"], "same": "s5"},
        "after_unknown": {"soon": true},
        "before_sensitive": {"was": true, "soon": true},
        "after_sensitive": {"is": true, "whole": true, "list": [false, true], "same": true},
    }));
    let expected = [
        "is: *** -> ***",
        "list[0]: \"p\" -> \"q\"",
        "list[1]: *** -> ***",
        "same: *** -> ***",
        "soon: *** -> ***?",
        "was: *** -> ***",
        "whole: *** -> ***",
    ];
    assert_eq!(attributes(&text), expected);
}

#[test]
fn every_encoding_is_read() {
    let plan = one(&json!({"actions": ["update"], "before": {"x": "ü"}, "after": {"x": "✓😀"}}));
    let expected = read(&plan);
    let with_mark = format!("\u{feff}{plan}\r\n");
    let encoded = [
        with_mark.clone().into_bytes(),
        utf16(&with_mark, u16::to_le_bytes),
        utf16(&with_mark, u16::to_be_bytes),
        utf16(&plan, u16::to_le_bytes),
        utf16(&plan, u16::to_be_bytes),
    ];
    for bytes in encoded {
        assert_eq!(plan_json::read(&bytes).unwrap(), expected);
    }
}

#[test]
fn every_known_version_is_read_and_newer_ones_are_refused() {
    let with = |version: &str| format!(r#"{{"format_version": {version}, "resource_changes": []}}"#);
    for version in ["\"0.1\"", "\"0.2\"", "\"1.0\"", "\"1.2\"", "\"1.99\"", "null", "\"\""] {
        assert!(plan_json::read(with(version).as_bytes()).is_ok(), "{version} was refused");
    }
    assert!(plan_json::read(br#"{"resource_changes": []}"#).is_ok());
    assert!(matches!(refusal(&with("\"2.0\"")), PlanError::NewerFormat { .. }));
    assert!(matches!(refusal(&with("\"v1\"")), PlanError::UnreadableVersion { .. }));
    assert!(matches!(refusal(&with("1.2")), PlanError::WrongShape { .. }));
}

#[test]
fn what_is_no_plan_is_refused_by_name() {
    let found = |text: &str| match refusal(text) {
        PlanError::NotAPlan { found } | PlanError::NotJson { found, .. } => found,
        other => panic!("{text}: {other}"),
    };
    assert_eq!(
        found(r#"{"format_version":"1.0","terraform_version":"1.11.4","values":{"root_module":{}}}"#),
        "a state"
    );
    assert_eq!(found(r#"{"version":4,"serial":1,"lineage":"x","resources":[]}"#), "a state file");
    assert_eq!(found(r#"{"format_version":"1.0","provider_schemas":{}}"#), "a list of provider schemas");
    assert_eq!(found(r#"{"a":1}"#), "some other JSON");
    assert_eq!(found("[]"), "a JSON value that is no object");
    assert_eq!(found("Plan: 1 to add"), "it is text, not JSON");
    assert_eq!(found("{\"@level\":\"info\"}\n{\"@level\":\"info\"}"), "it is a log in JSON lines");
    assert_eq!(found("PK\u{3}\u{4}…"), "it is the tool's own plan file, not its JSON");
    assert!(matches!(refusal(" \n"), PlanError::Empty));
    assert!(matches!(plan_json::read(b"{\"a\":\"\xff\xff\"}"), Err(PlanError::Encoding)));
}

#[test]
fn a_plan_cut_anywhere_is_refused() {
    let plan = one(&json!({"actions": ["create"], "after": {"x": "ü"}}));
    for end in 1..plan.len() {
        let cut = &plan.as_bytes()[..end];
        assert!(matches!(plan_json::read(cut), Err(PlanError::Truncated { .. })), "cut at {end}");
    }
    let wide = utf16(&plan, u16::to_le_bytes);
    assert!(matches!(plan_json::read(&wide[..wide.len() - 1]), Err(PlanError::Truncated { .. })));
}

#[test]
fn keys_that_stand_twice_are_refused() {
    let doubles = [
        r#"{"resource_changes": [], "resource_changes": []}"#,
        r#"{"resource_changes": [], "resource_change\u0073": []}"#,
        r#"{"resource_changes": [{"address": "a", "address": "b", "change": {"actions": ["no-op"]}}]}"#,
        r#"{"resource_changes": [{"address": "a", "change": {"actions": ["no-op"], "actions": ["delete"]}}]}"#,
        r#"{"resource_changes": [{"address": "a", "change": {"actions": ["update"], "before": {"x": 1}, "after": {"x": 1, "x": 2}}}]}"#,
        r#"{"output_changes": {"a": {"actions": ["no-op"]}, "a": {"actions": ["delete"]}}}"#,
    ];
    for text in doubles {
        let refused = plan_json::read(text.as_bytes());
        assert!(matches!(refused, Err(PlanError::DuplicateKey { .. })), "{text}: {refused:?}");
    }
}

#[test]
fn unknown_actions_are_refused() {
    for words in [json!(["explode"]), json!(["delete", "explode"]), json!(["\u{1b}[2J"])] {
        let refused = refusal(&one(&json!({"actions": words})));
        assert!(matches!(refused, PlanError::UnknownAction { .. }), "{refused}");
        assert!(!refused.to_string().contains('\u{1b}'));
    }
    let nothing_said = one(&json!({"actions": [], "before": {"x": 1}, "after": {"x": 2}}));
    assert!(matches!(refusal(&nothing_said), PlanError::UnknownAction { .. }));
}

#[test]
fn wrong_shapes_are_refused_without_their_values() {
    let wrong = [
        r#"{"resource_changes": "hunter2"}"#.to_owned(),
        plan_with(&json!(["hunter2"])),
        plan_with(&json!([{"address": "a.b", "change": "hunter2"}])),
        plan_with(&json!([{"change": {"actions": ["hunter2"]}}])),
        one(&json!({"actions": "hunter2"})),
        one(&json!({"actions": ["update"], "after_sensitive": "hunter2"})),
    ];
    for text in wrong {
        let refused = refusal(&text);
        assert!(matches!(refused, PlanError::WrongShape { .. }), "{text}: {refused}");
        assert!(!refused.to_string().contains("hunter2"), "{refused}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        let value = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        format!(
            r#"{{"resource_changes": [{{"address": "a.b", "change": {{"actions": ["create"], "after": {{"x": {value}}}}}}}]}}"#
        )
    };
    assert_eq!(read(&nested(MAX_NESTING - 6)).resources[0].attributes.len(), 1);
    assert!(matches!(refusal(&nested(MAX_NESTING)), PlanError::TooDeep { .. }));
    assert!(matches!(refusal(&nested(200_000)), PlanError::TooDeep { .. }));
}

#[test]
fn values_with_too_many_parts_are_given_whole() {
    let parts = vec![json!(1); MAX_CHILDREN + 1];
    let marks = vec![json!(true); MAX_CHILDREN + 1];
    let text = one(&json!({
        "actions": ["create"], "after": {"list": parts, "secret": parts, "x": 1}, "after_sensitive": {"secret": marks},
    }));
    let plan = read(&text);
    let paths: Vec<&str> = plan.resources[0].attributes.iter().map(|a| a.path.as_str()).collect();
    assert_eq!(paths, ["list", "secret", "x"]);
    assert!(plan.resources[0].attributes[1].after.is_sensitive());
    assert_eq!(plan_json::view(text.as_bytes()).unwrap().resources[0].sensitive_paths, ["secret"]);
}

#[test]
fn a_file_over_the_limit_is_refused_before_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plan.json");
    std::fs::File::create(&path).unwrap().set_len(plan_json::MAX_PLAN_BYTES + 1).unwrap();
    assert!(matches!(plan_json::read_file(&path), Err(PlanError::TooLarge { .. })));
    assert!(matches!(plan_json::read_file(&dir.path().join("none")), Err(PlanError::Io { .. })));
    std::fs::write(&path, EVERYTHING).unwrap();
    assert_eq!(plan_json::read_file(&path).unwrap(), read(EVERYTHING));
}

#[test]
fn older_and_newer_sections_are_read() {
    let old = r#"{"format_version": "1.1", "resource_changes": [], "condition_results": [
        {"address": "output.x", "condition_type": "OutputPrecondition", "result": false, "unknown": false, "error_message": "no"}]}"#;
    assert_eq!(read(old).checks[0].problems, ["no"]);
    let new = r#"{"format_version": "1.2", "complete": true, "action_invocations": [
        {"address": "action.x.y", "type": "x", "lifecycle_action_trigger":
            {"triggering_resource_address": "t.a", "action_trigger_event": "AfterUpdate"}}]}"#;
    let ran = &read(new).provisioners[0];
    assert_eq!((ran.resource.as_str(), ran.provisioner_type.as_str()), ("t.a", "action x"));
    let identity = one(&json!({"actions": ["no-op"], "importing": {"identity": {"email": "x"}}}));
    assert_eq!(read(&identity).resources[0].importing.as_deref(), Some(""));
}

/// A tree of values with a tree of marks beside it: marked leaves begin with `S`, others with `P`.
fn marked_values() -> impl Strategy<Value = (Value, Value)> {
    let leaf = (any::<bool>(), 0..1000_u32).prop_map(|(marked, number)| {
        let text = if marked { format!("S{number}") } else { format!("P{number}") };
        (json!(text), json!(marked))
    });
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|parts| {
                let (values, marks): (Vec<Value>, Vec<Value>) = parts.into_iter().unzip();
                (Value::Array(values), Value::Array(marks))
            }),
            prop::collection::btree_map("[a-c ]{1,2}", inner, 0..5).prop_map(|parts| {
                let (values, marks): (Vec<_>, Vec<_>) =
                    parts.into_iter().map(|(k, (value, mark))| ((k.clone(), value), (k, mark))).unzip();
                (Value::Object(values.into_iter().collect()), Value::Object(marks.into_iter().collect()))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = plan_json::read(&bytes);
        let _ = plan_json::view(&bytes);
    }

    #[test]
    fn no_mutation_of_a_plan_panics(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = EVERYTHING.as_bytes().to_vec();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = plan_json::read(&bytes);
        let _ = plan_json::view(&bytes);
    }

    #[test]
    fn no_part_swapped_for_another_panics(
        from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), length in 1..40_usize,
    ) {
        let mut bytes = EVERYTHING.as_bytes().to_vec();
        let (from, to) = (from.index(bytes.len() - length), to.index(bytes.len()));
        let piece = bytes[from..from + length].to_vec();
        bytes.splice(to..to, piece);
        let _ = plan_json::read(&bytes);
    }

    #[test]
    fn marked_values_are_never_known(
        (before, was) in marked_values(), (after, is) in marked_values(), action in 0..3_usize,
    ) {
        let words = [json!(["update"]), json!(["delete", "create"]), json!(["no-op"])];
        let text = one(&json!({
            "actions": words[action], "before": {"v": before}, "after": {"v": after},
            "before_sensitive": {"v": was}, "after_sensitive": {"v": is},
        }));
        for attribute in &read(&text).resources[0].attributes {
            for side in [&attribute.before, &attribute.after] {
                if let AttributeValue::Known(text) = side {
                    prop_assert!(!text.contains("\"S"), "{}: {text}", attribute.path);
                }
            }
        }
    }

    #[test]
    fn every_difference_shows_and_nothing_else((before, _) in marked_values(), (after, _) in marked_values()) {
        let change = |before: &Value, after: &Value| {
            attributes(&one(&json!({"actions": ["update"], "before": {"v": before}, "after": {"v": after}})))
        };
        prop_assert!(change(&before, &before).is_empty());
        prop_assert_eq!(change(&before, &after).is_empty(), before == after);
    }

    #[test]
    fn attribute_paths_are_unique((before, _) in marked_values(), (after, _) in marked_values()) {
        let text = one(&json!({"actions": ["update"], "before": {"v": before}, "after": {"v": after}}));
        let mut paths: Vec<String> = read(&text).resources[0].attributes.iter().map(|a| a.path.clone()).collect();
        let count = paths.len();
        paths.sort();
        paths.dedup();
        prop_assert_eq!(paths.len(), count);
    }
}
