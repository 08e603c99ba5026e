//! The TypeScript that the window calls with, generated from the list and checked in.

use ts_rs::{Config, TS, TypeVisitor};

use crate::error::{ApiError, ErrorCode};
use crate::list::{COMMANDS, CommandKind, CommandSpec, Tag, declare_types};

/// Where the generated file stands, from the repository's root.
pub const GENERATED_FILE: &str = "ui/src/host/generated.ts";

const EVENTS: &str = r#"
export type EngineEvent =
  | { type: "clone-changed"; clone: string }
  | { type: "statements-added"; clone: string; count: number }
  | { type: "run-started"; run: string; title: string }
  | { type: "run-progress"; run: string; text: string }
  | { type: "run-ended"; run: string; status: string; summary: string }
  | { type: "needs-me"; clone: string; change: string; title: string }
  | { type: "apply-ended"; clone: string; change: string; ok: boolean; text: string }
  | { type: "alarm"; clone: string; message: string };

export interface EventMessage {
  seq: number;
  event: EngineEvent;
  invalidates: Tag[];
}
"#;

/// Collects the declarations of types and commands.
pub struct Declarations {
    config: Config,
    types: std::collections::BTreeMap<String, String>,
    commands: Vec<(&'static str, String, String)>,
}

impl Declarations {
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn command(&mut self, name: &'static str, args: String, result: String) {
        self.commands.push((name, args, result));
    }

    fn declare<T: TS + 'static + ?Sized>(&mut self) {
        let name = T::ident(&self.config);
        if self.types.contains_key(&name) {
            return;
        }
        let docs = T::docs().unwrap_or_default();
        self.types.insert(name, format!("{docs}export {}", T::decl(&self.config)));
        T::visit_dependencies(self);
    }
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if T::output_path().is_some() {
            self.declare::<T>();
        } else {
            // A list's element is a parameter of the list, not something it depends on.
            T::visit_generics(self);
            T::visit_dependencies(self);
        }
    }
}

/// The whole generated file.
#[must_use]
pub fn generate() -> String {
    let mut declarations = Declarations {
        config: Config::new().with_large_int("number"),
        types: std::collections::BTreeMap::new(),
        commands: Vec::new(),
    };
    declare_types(&mut declarations);
    declarations.declare::<ApiError>();
    declarations.declare::<ErrorCode>();
    declarations.declare::<Tag>();
    let mut text = String::from(
        "// Generated from the command list of src-tauri/api. Do not edit: `cargo xtask bindings` writes it anew.\n\n",
    );
    for declaration in declarations.types.values() {
        text.push_str(declaration);
        text.push_str("\n\n");
    }
    text.push_str("export interface Commands {\n");
    for (name, args, result) in &declarations.commands {
        text.push_str(&format!("  {name}: {{ args: {args}; result: {result} }};\n"));
    }
    text.push_str("}\n\n");
    text.push_str(&tags("QueryName", "commandTags", CommandKind::Query));
    text.push_str(&tags("MutationName", "mutationTags", CommandKind::Mutation));
    text.push_str(EVENTS.trim_start());
    text
}

fn tags(type_name: &str, constant: &str, kind: CommandKind) -> String {
    let of_kind: Vec<&CommandSpec> = COMMANDS.iter().filter(|command| command.kind == kind).collect();
    let union: Vec<String> = of_kind.iter().map(|command| format!("\"{}\"", command.name)).collect();
    let rows: String = of_kind
        .iter()
        .map(|command| {
            let tags = serde_json::to_string(command.tags).unwrap_or_default();
            format!("  {}: {tags},\n", command.name)
        })
        .collect();
    format!(
        "export type {type_name} =\n  | {};\n\nexport const {constant}: Record<{type_name}, Tag[]> = {{\n{rows}}};\n\n",
        union.join("\n  | ")
    )
}
