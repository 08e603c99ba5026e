//! What is generated from the command list stands in the repository as it would be generated now.

use std::path::PathBuf;

use countersign_api::typescript::{GENERATED_FILE, generate};

/// With `COUNTERSIGN_WRITE_BINDINGS` set the file is written, as `cargo xtask bindings` does.
#[test]
fn the_typescript_is_up_to_date() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(GENERATED_FILE);
    let wanted = generate();
    if std::env::var_os("COUNTERSIGN_WRITE_BINDINGS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{GENERATED_FILE} is out of date: run `cargo xtask bindings`");
}
