//! Stamps: a small file that remembers what a step was last done for, so that a second run can leave it out.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// One step's stamp and what it should read now.
#[derive(Debug)]
pub(crate) struct Stamp {
    file: PathBuf,
    now: String,
}

impl Stamp {
    /// The stamp kept in `dir` for a step that depends on the content of `inputs` (files, or whole folders) and on `also`.
    pub(crate) fn new(dir: &Path, name: &str, inputs: &[PathBuf], also: &str) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        also.hash(&mut hasher);
        for input in inputs {
            hash_path(input, &mut hasher)
                .with_context(|| format!("failed to read {} to see whether it changed", input.display()))?;
        }
        Ok(Self { file: dir.join(name), now: format!("{:016x}\n", hasher.finish()) })
    }

    /// Whether the step was last done for exactly these inputs.
    pub(crate) fn is_fresh(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|then| then == self.now)
    }

    /// Remembers that the step was done.
    pub(crate) fn set(&self) -> Result<()> {
        if let Some(dir) = self.file.parent() {
            fs::create_dir_all(dir).with_context(|| format!("failed to create {}", dir.display()))?;
        }
        fs::write(&self.file, &self.now).with_context(|| format!("failed to write {}", self.file.display()))
    }
}

fn hash_path(path: &Path, hasher: &mut DefaultHasher) -> std::io::Result<()> {
    path.file_name().hash(hasher);
    if !path.is_dir() {
        return match fs::read(path) {
            Ok(bytes) => {
                bytes.hash(hasher);
                Ok(())
            }
            // A file that comes later changes the stamp; that it is not there yet is no fault.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
    }
    let mut entries =
        fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    entries.sort();
    entries.iter().try_for_each(|entry| hash_path(entry, hasher))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_fresh_until_an_input_changes() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("src");
        fs::create_dir_all(source.join("deep")).unwrap();
        fs::write(source.join("deep/a.ts"), "one").unwrap();
        let stamp = |also: &str| {
            let inputs = [source.clone(), dir.path().join("lock.json")];
            Stamp::new(&dir.path().join("stamps"), "ui", &inputs, also).unwrap()
        };
        assert!(!stamp("20").is_fresh());
        stamp("20").set().unwrap();
        assert!(stamp("20").is_fresh());
        assert!(!stamp("22").is_fresh(), "another tool version is another input");
        fs::write(source.join("deep/a.ts"), "two").unwrap();
        assert!(!stamp("20").is_fresh(), "a file changed");
        fs::write(source.join("deep/a.ts"), "one").unwrap();
        assert!(stamp("20").is_fresh());
        fs::rename(source.join("deep/a.ts"), source.join("deep/b.ts")).unwrap();
        assert!(!stamp("20").is_fresh(), "a file was renamed");
        fs::rename(source.join("deep/b.ts"), source.join("deep/a.ts")).unwrap();
        fs::write(dir.path().join("lock.json"), "{}").unwrap();
        assert!(!stamp("20").is_fresh(), "a file appeared");
    }
}
