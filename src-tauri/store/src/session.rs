//! A process that has the record open. Window, command line and agent may share one record; a run that was going on in
//! one of them is interrupted only when *that* one is gone, which a file lock tells even after a SIGKILL.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};

use crate::error::StoreError;

/// Held while a record is opened and while dead sessions are cleared away: one process at a time.
pub(crate) struct DoorLock {
    _file: File,
}

impl DoorLock {
    /// Waits for its turn.
    pub(crate) fn take(dir: &Path) -> io::Result<Self> {
        let file = File::options().write(true).create(true).truncate(false).open(dir.join("countersign.lock"))?;
        file.lock()?;
        Ok(Self { _file: file })
    }
}

/// One opened record.
#[derive(Debug)]
pub(crate) struct Session {
    id: String,
    /// Locked for as long as the session lives; none for a record in memory.
    lock: Option<(File, PathBuf)>,
}

impl Session {
    pub(crate) fn begin(data_dir: Option<&Path>) -> Result<Self, StoreError> {
        let mut random = [0; 16];
        SystemRandom::new().fill(&mut random).map_err(|_| StoreError::NoRandomness)?;
        let id = hex::encode(random);
        let Some(data_dir) = data_dir else { return Ok(Self { id, lock: None }) };
        let lock = locked_file(data_dir, &id)
            .map_err(|cause| StoreError::DirectoryNotWritable { dir: data_dir.to_owned(), cause })?;
        Ok(Self { id, lock: Some(lock) })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Whether the session `id` is still going on somewhere. One that has ended leaves no trace after this.
    pub(crate) fn is_alive(&self, id: &str) -> bool {
        if id == self.id {
            return true;
        }
        let Some((_, own)) = &self.lock else { return false };
        let is_id = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
        let Some(path) = own.parent().filter(|_| is_id).map(|dir| dir.join(id)) else { return false };
        let Ok(file) = File::open(&path) else { return false };
        match file.try_lock() {
            Ok(()) => {
                // Left-over files do no harm, so a failure is none.
                let _ = fs::remove_file(&path);
                false
            }
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
        }
    }
}

fn locked_file(data_dir: &Path, id: &str) -> io::Result<(File, PathBuf)> {
    let dir = data_dir.join("sessions");
    fs::create_dir_all(&dir)?;
    let path = dir.join(id);
    let file = File::create_new(&path)?;
    file.lock()?;
    Ok((file, path))
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some((_, path)) = &self.lock {
            let _ = fs::remove_file(path);
        }
    }
}
