//! Where things are in a world, and how these paths are written into configuration files and URLs.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{WorldError, marker};

/// The places of one world.
pub(super) struct Places {
    dir: PathBuf,
    text: String,
}

impl Places {
    /// Those of the world in `dir`, an absolute path.
    pub(super) fn new(dir: &Path) -> Result<Self, WorldError> {
        let text = dir.to_str().ok_or_else(|| WorldError::NotText(dir.to_owned()))?;
        Ok(Self { dir: dir.to_owned(), text: text.to_owned() })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn cloud(&self) -> PathBuf {
        self.dir.join("cloud")
    }

    pub(super) fn secrets(&self) -> PathBuf {
        self.dir.join("secrets")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    pub(super) fn scratch(&self) -> PathBuf {
        marker::scratch(&self.dir)
    }

    pub(super) fn remote(&self, repository: &str) -> PathBuf {
        self.dir.join("remotes").join(format!("{repository}.git"))
    }

    pub(super) fn remote_url(&self, repository: &str) -> String {
        file_url(&format!("{}/remotes/{repository}.git", self.text))
    }

    /// `text` with each `{{place}}` replaced by its path or URL; all of them stand in quoted HCL strings.
    pub(super) fn fill_in(&self, text: &str) -> Result<String, WorldError> {
        let path = |place: &str| in_hcl_quotes(&format!("{}/{place}", self.text));
        Ok(text
            .replace("{{modules}}", &in_hcl_quotes(&self.remote_url("infrastructure-modules")))
            .replace("{{state}}", &path("state"))
            .replace("{{secrets}}", &path("secrets"))
            .replace("{{cloud}}", &path("cloud")))
    }
}

/// `path` as a `file:` URL (RFC 8089): everything but unreserved characters and slashes in percent form.
fn file_url(path: &str) -> String {
    let mut url = "file://".to_owned();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => url.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => write!(url, "%{byte:02X}").unwrap_or_default(),
        }
    }
    url
}

/// `text` for the inside of a quoted HCL string: escapes, and no template starts.
fn in_hcl_quotes(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => write!(quoted, "\\u{:04x}", u32::from(c)).unwrap_or_default(),
            c => quoted.push(c),
        }
    }
    quoted.replace("${", "$${").replace("%{", "%%{")
}

/// Creates a directory that only its owner can enter, and the directories above it.
pub(super) fn create_private_dir(path: &Path) -> Result<(), WorldError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(WorldError::io("create", path))
}

/// Writes a new file that only its owner can read.
pub(super) fn create_private_file(path: &Path, text: &str) -> Result<(), WorldError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(WorldError::io("create", path))?;
    file.write_all(text.as_bytes()).map_err(WorldError::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awkward_paths_are_escaped() {
        assert_eq!(file_url("/a b/100%/ü?#"), "file:///a%20b/100%25/%C3%BC%3F%23");
        assert_eq!(in_hcl_quotes("/${x}/%{y}/$/\"q\"\\\n"), "/$${x}/%%{y}/$/\\\"q\\\"\\\\\\u000a");
    }
}
