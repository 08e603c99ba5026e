//! Tells Tauri which commands the window may be granted. Without that list every command would be open to every window.

use std::{env, error::Error, fs, io, path::PathBuf};

/// The names of `countersign_api`'s commands, one a line; a test keeps the file equal to the one list.
const COMMANDS: &str = include_str!("commands.txt");

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=src-tauri/desktop/capabilities");
    let permissions = write_permissions()?;
    let attributes = tauri_build::Attributes::new()
        .app_manifest(tauri_build::AppManifest::new().permissions_path_pattern(permissions))
        .capabilities_path_pattern("./src-tauri/desktop/capabilities/**/*");
    tauri_build::try_build(attributes)?;
    Ok(())
}

/// Writes one permission for each command. `AppManifest::commands` would do it too, but into the source tree.
fn write_permissions() -> io::Result<&'static str> {
    let dir = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("commands");
    fs::create_dir_all(&dir)?;
    let text: String = COMMANDS.lines().map(permission).collect();
    let file = dir.join("permissions.toml");
    // Cargo watches the file: written again unchanged, it would have this script run on every build.
    if fs::read_to_string(&file).ok().as_deref() != Some(text.as_str()) {
        fs::write(&file, text)?;
    }
    let pattern = dir.join("*.toml").into_os_string().into_string();
    pattern.map(|pattern| &*pattern.leak()).map_err(|_| io::Error::other("the target directory's name is not unicode"))
}

fn permission(command: &str) -> String {
    let name = command.replace('_', "-");
    format!("[[permission]]\nidentifier = \"allow-{name}\"\ncommands.allow = [\"{command}\"]\n\n")
}
