//! The core's one command list, registered with the window. A command without an adapter does not compile.

use crate::core::{Core, answer};
use serde_json::Value;
use tauri::{
    State, Wry,
    ipc::{Invoke, Response},
};

macro_rules! adapters {
    ($($kind:ident $name:ident($args:ty) -> $result:ty [$($tag:ident),*];)*) => {
        $(
            #[tauri::command]
            async fn $name(core: State<'_, Core>, args: Value) -> Result<Response, countersign_api::ApiError> {
                answer(&core, args, |host, args| async move { countersign_api::commands::$name(&host, args).await }).await
            }
        )*

        /// Answers every command of the list.
        pub(crate) fn handler() -> impl Fn(Invoke<Wry>) -> bool + Send + Sync + 'static {
            tauri::generate_handler![$($name),*]
        }

        /// The list's names.
        #[cfg(test)]
        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

countersign_api::for_each_command!(adapters);

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::NAMES;

    /// What the page needs besides the commands: to hear events.
    const EVENTS: [&str; 2] = ["core:event:allow-listen", "core:event:allow-unlisten"];

    fn names_file() -> String {
        NAMES.iter().map(|name| format!("{name}\n")).collect()
    }

    /// Grants the main window every command by its name, and nothing else.
    fn capability() -> String {
        let commands = NAMES.iter().map(|name| format!("allow-{}", name.replace('_', "-")));
        let permissions: Vec<String> = EVENTS.iter().map(ToString::to_string).chain(commands).collect();
        let capability = serde_json::json!({
            "$schema": "../../../gen/schemas/desktop-schema.json",
            "identifier": "main",
            "description": "What the page in the main window may call.",
            "windows": ["main"],
            "permissions": permissions,
        });
        format!("{}\n", serde_json::to_string_pretty(&capability).unwrap())
    }

    fn is_fresh(file: &str, wanted: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src-tauri/desktop").join(file);
        if std::env::var_os("COUNTERSIGN_WRITE_BINDINGS").is_some() {
            fs::write(&path, wanted).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(found, wanted, "{file} is out of date: run `cargo xtask bindings` and build again");
    }

    #[test]
    fn the_build_knows_every_command() {
        is_fresh("commands.txt", &names_file());
    }

    #[test]
    fn the_window_is_granted_every_command_by_name() {
        is_fresh("capabilities/main.json", &capability());
    }
}
