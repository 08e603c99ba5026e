//! Files only their owner may read: private keys and the device's age identity.
//!
//! Writing is atomic (a temporary file in the same directory, synced, then moved) and never replaces what is there. On Unix
//! the file has mode 0600 from its first moment, and reading refuses a file that others can read. Elsewhere the
//! directory's own permissions decide.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Largest accepted key or identity file in bytes.
pub const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Why a private file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// There is none.
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    /// Something is there already, and it was kept.
    #[error("{} exists already and was kept; choose another name", .0.display())]
    Exists(PathBuf),
    /// Others may read it.
    #[error("{} can be read by others (mode {mode:04o}); run: chmod 600 {}", .path.display(), .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A directory, a pipe, a device.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// More than [`MAX_FILE_BYTES`].
    #[error("{} is larger than any key file", .0.display())]
    TooLarge(PathBuf),
    /// The operating system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl PrivateFileError {
    fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing(path.to_owned()),
            io::ErrorKind::AlreadyExists => Self::Exists(path.to_owned()),
            _ => Self::Io { path: path.to_owned(), source },
        }
    }
}

/// Reads a whole private file.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, PrivateFileError> {
    // Before opening: opening a pipe would wait for its writer.
    let kind = std::fs::metadata(path).map_err(|source| PrivateFileError::io(path, source))?;
    if !kind.is_file() {
        return Err(PrivateFileError::NotAFile(path.to_owned()));
    }
    let file = File::open(path).map_err(|source| PrivateFileError::io(path, source))?;
    require_private(path, &file)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|source| PrivateFileError::io(path, source))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(PrivateFileError::TooLarge(path.to_owned()));
    }
    Ok(bytes)
}

#[cfg(unix)]
fn require_private(path: &Path, file: &File) -> Result<(), PrivateFileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file.metadata().map_err(|source| PrivateFileError::io(path, source))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(PrivateFileError::Exposed { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn require_private(_: &Path, _: &File) -> Result<(), PrivateFileError> {
    Ok(())
}

/// Writes a new private file; what is there already is kept and refused.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<(), PrivateFileError> {
    let refuse = |source| PrivateFileError::io(path, source);
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // tempfile creates with mode 0600 on Unix.
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(refuse)?;
    file.write_all(bytes).map_err(refuse)?;
    file.as_file().sync_all().map_err(refuse)?;
    file.persist_noclobber(path).map_err(|error| refuse(error.error))?;
    sync_directory(directory).map_err(refuse)
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_new_file_is_private_and_never_replaces_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        create(&path, b"first").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert!(matches!(create(&path, b"second"), Err(PrivateFileError::Exists(_))));
        assert_eq!(read(&path).unwrap().as_slice(), b"first");
        let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "a temporary file was left behind: {left:?}");
    }

    #[test]
    fn a_link_in_the_way_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("target"), directory.path().join("key"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(matches!(create(&link, b"secret"), Err(PrivateFileError::Exists(_))));
        assert!(!target.exists());
    }

    #[test]
    fn what_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        create(&path, b"secret").unwrap();
        for mode in [0o640, 0o604, 0o644, 0o660] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read(&path), Err(PrivateFileError::Exposed { .. })), "{mode:o}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert!(read(&path).is_ok());
    }

    #[test]
    fn directories_and_large_files_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(read(directory.path()), Err(PrivateFileError::NotAFile(_))));
        let path = directory.path().join("large");
        create(&path, &vec![b'x'; 64 * 1024 + 1]).unwrap();
        assert!(matches!(read(&path), Err(PrivateFileError::TooLarge(_))));
        assert!(matches!(create(&directory.path().join("no/such"), b""), Err(PrivateFileError::Missing(_))));
    }
}
