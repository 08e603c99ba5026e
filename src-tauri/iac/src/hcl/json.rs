//! JSON syntax (`.tf.json`), reduced to the same blocks as the native one.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Backslashes, Block, Literal, Parsed, PathUse, Position, Problem, path_use, unescape};

/// A JSON value that keeps repeated keys: in configuration, each is one more block.
enum Json {
    Null,
    Bare(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

pub(super) fn parse(path: &str, text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    if text.trim_ascii().is_empty() {
        return parsed;
    }
    let position = Position { file: path.to_owned(), line: 1, column: 1 };
    let root = match serde_json::from_str::<Json>(text) {
        Ok(root) => root,
        Err(error) => {
            let place = Position { line: error.line(), column: error.column().max(1), ..position };
            parsed.problems.push(Problem::at(&place, "syntax error: not valid JSON"));
            return parsed;
        }
    };
    for (key, value) in objects(&root).flatten() {
        add_blocks(key, value, &position, &mut parsed.blocks);
    }
    collect_path_uses(&root, &position, &mut parsed.path_uses);
    parsed
}

/// An object, or every object of an array: both stand for blocks.
fn objects(json: &Json) -> impl Iterator<Item = &Vec<(String, Json)>> {
    let list = match json {
        Json::Array(elements) => elements.as_slice(),
        single => std::slice::from_ref(single),
    };
    list.iter().filter_map(|element| match element {
        Json::Object(members) => Some(members),
        _ => None,
    })
}

fn add_blocks(kind: &str, value: &Json, position: &Position, into: &mut Vec<Block>) {
    let block = |labels: Vec<String>, members: &Vec<(String, Json)>| block_of(kind, labels, members, position);
    match kind {
        "terraform" => into.extend(objects(value).map(|members| terraform_block(members, position))),
        "module" => {
            for (name, body) in objects(value).flatten() {
                into.extend(objects(body).map(|members| block(vec![name.clone()], members)));
            }
        }
        "data" => {
            let reads = objects(value).flatten().filter(|(kind, _)| kind == "terraform_remote_state");
            for (name, body) in reads.flat_map(|(_, named)| objects(named).flatten()) {
                let labels = vec!["terraform_remote_state".to_owned(), name.clone()];
                into.extend(objects(body).map(|members| block(labels.clone(), members)));
            }
        }
        "provider" => into.push(block(Vec::new(), &Vec::new())),
        _ => {}
    }
}

fn block_of(kind: &str, labels: Vec<String>, members: &[(String, Json)], position: &Position) -> Block {
    let attributes = members.iter().map(|(key, value)| (key.clone(), literal(value))).collect();
    Block { kind: kind.to_owned(), labels, attributes, blocks: Vec::new(), position: position.clone() }
}

fn terraform_block(members: &[(String, Json)], position: &Position) -> Block {
    let mut block = Block {
        kind: "terraform".to_owned(),
        labels: Vec::new(),
        attributes: BTreeMap::new(),
        blocks: Vec::new(),
        position: position.clone(),
    };
    for (key, value) in members {
        match key.as_str() {
            "required_version" => {
                block.attributes.insert(key.clone(), literal(value));
            }
            "backend" => {
                for (kind, body) in objects(value).flatten() {
                    let found = objects(body).map(|members| block_of("backend", vec![kind.clone()], members, position));
                    block.blocks.extend(found);
                }
            }
            "cloud" => {
                block.blocks.extend(objects(value).map(|members| block_of("cloud", Vec::new(), members, position)));
            }
            _ => {}
        }
    }
    block
}

/// Depth is bounded by the JSON reader.
fn literal(json: &Json) -> Literal {
    match json {
        Json::Null => Literal::Null,
        Json::Bare(text) => Literal::Bare(text.clone()),
        Json::Text(text) => match unescape(text, Backslashes::Literal) {
            Some(text) => Literal::Text(text),
            None => Literal::Dynamic(text.clone()),
        },
        Json::Array(elements) => Literal::List(elements.iter().map(literal).collect()),
        Json::Object(members) => {
            Literal::Object(members.iter().map(|(key, value)| (key.clone(), literal(value))).collect())
        }
    }
}

fn collect_path_uses(json: &Json, position: &Position, into: &mut Vec<PathUse>) {
    match json {
        Json::Text(text) => {
            if let Some((base, path, reach)) = path_use(text, Backslashes::Literal) {
                into.push(PathUse { base, path, reach, position: position.clone() });
            }
        }
        Json::Array(elements) => elements.iter().for_each(|element| collect_path_uses(element, position, into)),
        Json::Object(members) => members.iter().for_each(|(_, value)| collect_path_uses(value, position, into)),
        Json::Null | Json::Bare(_) => {}
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bare(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Bare(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Bare(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Bare(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Json, S::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Json::Array(elements))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Json, M::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }
}
