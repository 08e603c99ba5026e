//! Sensitive values stay covered in everything that reaches a window, until one is revealed and that is recorded.

use countersign_api::{Host, dispatch};
use countersign_tests::prepared;
use serde_json::{Value, json};

async fn ask(host: &Host, command: &str, args: Value) -> Value {
    dispatch(host, command, args).await.unwrap_or_else(|error| panic!("{command}: {error:?}"))
}

/// Every string in the demo's secrets.
fn secrets(dir: &std::path::Path) -> Vec<String> {
    fn strings(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
            Value::Object(fields) => fields.values().for_each(|value| strings(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir.join("secrets")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        strings(&serde_json::from_str(&text).unwrap(), &mut found);
    }
    assert!(found.iter().all(|secret| secret.len() >= 8), "{found:?}");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn sensitive_values_are_covered_until_one_is_revealed() {
    let prepared = prepared().await.unwrap();
    let host = Host::new(prepared.demo.you.clone());
    let secrets = secrets(&prepared.demo.world.dir);
    let queue = ask(&host, "queue", json!({})).await;
    let rows: Vec<&Value> = queue["sections"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|section| section["changes"].as_array().unwrap())
        .collect();
    assert_eq!(rows.len(), 5, "{queue}");

    let mut everything = queue.to_string();
    let mut covered = None;
    for row in rows {
        let change = json!({ "clone": row["clone"], "change": row["id"] });
        for command in ["change", "diff", "history"] {
            everything += &ask(&host, command, change.clone()).await.to_string();
        }
        for unit in ask(&host, "change", change.clone()).await["units"].as_array().unwrap() {
            let mut named = change.clone();
            named["unit"] = unit["unit"].clone();
            let plan = ask(&host, "unit_plan", named.clone()).await;
            everything += &plan.to_string();
            let mut range = named.clone();
            range["from"] = json!(0);
            range["count"] = json!(2000);
            everything += &ask(&host, "plan_log", range).await.to_string();
            for resource in plan["resources"].as_array().unwrap() {
                let mut one = named.clone();
                one["index"] = resource["index"].clone();
                let attributes = ask(&host, "plan_resource", one.clone()).await;
                everything += &attributes.to_string();
                let is_covered = |attribute: &&Value| attribute["after"]["kind"] == "sensitive";
                if let Some(attribute) = attributes.as_array().unwrap().iter().find(is_covered) {
                    covered = Some((one, attribute["path"].clone()));
                }
            }
        }
    }
    for secret in &secrets {
        assert!(!everything.contains(secret.as_str()), "a secret reached the window");
    }

    let (mut one, path) = covered.expect("a sensitive value goes through every plan");
    one["path"] = path;
    one["side"] = json!("after");
    let revealed = ask(&host, "reveal", one.clone()).await["text"].as_str().unwrap().to_owned();
    assert!(secrets.iter().any(|secret| revealed.contains(secret.as_str())), "what was revealed is the value");
    let history = ask(&host, "history", json!({ "clone": one["clone"], "change": one["change"] })).await.to_string();
    assert!(history.contains(r#""kind":"reveal""#), "{history}");
    assert!(!history.contains(&revealed), "the reveal is recorded without its value");
}
