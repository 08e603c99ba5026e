//! Files that live in memory: for plans and whatever else must not touch a disk in plain text.
//!
//! On Linux a memory file is a `memfd`: it has no name in any file system, ends with its last descriptor, and once sealed
//! the kernel refuses every change. Its pages can be swapped out like any other memory, so a machine that handles secrets
//! wants encrypted swap. Elsewhere, or where the kernel offers no `memfd`, it is a file in a directory of its own that
//! only its owner can enter and that is removed on drop; a SIGKILL leaves it behind, and its seal is a file mode.

use std::fmt;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a memory file is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backing {
    /// Memory of the kernel (`memfd`). Linux only.
    Memory,
    /// A file in a new directory (mode 0700) inside this one.
    Directory(PathBuf),
}

/// What can go wrong with a memory file.
#[derive(Debug, thiserror::Error)]
pub enum MemoryFileError {
    /// It could not be made.
    #[error("make a memory file: {0}")]
    Create(#[source] io::Error),
    /// This system has no `memfd`.
    #[error("make a memory file: this system offers none")]
    Unsupported,
    /// It could not be written.
    #[error("write a memory file: {0}")]
    Write(#[source] io::Error),
    /// It could not be read.
    #[error("read a memory file: {0}")]
    Read(#[source] io::Error),
    /// It holds more than the caller is ready to take.
    #[error("read a memory file: it has {length} bytes and the limit is {limit}")]
    TooLong {
        /// What it holds.
        length: u64,
        /// The caller's limit.
        limit: u64,
    },
    /// The seal did not take: a process may still hold it open for writing.
    #[error("seal a memory file: {0}; a process that was given it may still be running")]
    Seal(#[source] io::Error),
}

/// A file in memory that programs may write to.
#[derive(Debug)]
pub struct MemoryFile {
    inner: Arc<Passed>,
}

/// A file in memory whose content cannot change any more.
#[derive(Debug, Clone)]
pub struct SealedMemoryFile {
    inner: Arc<Passed>,
}

/// What a file is made of, shared with the programs it is passed to.
pub(crate) enum Passed {
    Memory(File),
    Directory { file: PathBuf, dir: tempfile::TempDir },
}

impl fmt::Debug for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path().to_string_lossy())
    }
}

impl Passed {
    fn create(backing: &Backing) -> Result<Self, MemoryFileError> {
        match backing {
            Backing::Memory => memory(),
            Backing::Directory(parent) => directory(parent),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Memory(file) => PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())),
            Self::Directory { file, .. } => file.clone(),
        }
    }

    /// The descriptor's number, here and in programs; none for what programs open by its name.
    pub(crate) fn number(&self) -> Option<RawFd> {
        match self {
            Self::Memory(file) => Some(file.as_raw_fd()),
            Self::Directory { .. } => None,
        }
    }

    pub(crate) fn try_clone(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Memory(file) => Ok(file.try_clone()?.into()),
            Self::Directory { file, .. } => Ok(File::open(file)?.into()),
        }
    }

    fn open(&self) -> io::Result<File> {
        self.try_clone().map(File::from)
    }

    fn read(&self, limit: u64) -> Result<Vec<u8>, MemoryFileError> {
        let file = self.open().map_err(MemoryFileError::Read)?;
        let length = file.metadata().map_err(MemoryFileError::Read)?.len();
        let too_long = || MemoryFileError::TooLong { length, limit };
        if length > limit {
            return Err(too_long());
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| too_long())?];
        // By position, so that the offset of a descriptor shared with programs plays no part.
        file.read_exact_at(&mut bytes, 0).map_err(MemoryFileError::Read)?;
        Ok(bytes)
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Memory(file) => {
                file.set_len(0)?;
                file.write_all_at(bytes, 0)
            }
            Self::Directory { file, .. } => OpenOptions::new().write(true).truncate(true).open(file)?.write_all(bytes),
        }
    }

    fn seal(&self) -> io::Result<()> {
        match self {
            Self::Memory(file) => seal(file),
            Self::Directory { file, dir } => {
                std::fs::set_permissions(file, Permissions::from_mode(0o400))?;
                std::fs::set_permissions(dir.path(), Permissions::from_mode(0o500))
            }
        }
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        // A sealed directory would refuse to let its file be removed.
        if let Self::Directory { dir, .. } = self
            && let Err(error) = std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700))
        {
            tracing::warn!(%error, "a temporary directory may have been left behind");
        }
    }
}

#[cfg(target_os = "linux")]
fn memory() -> Result<Passed, MemoryFileError> {
    use rustix::fs::{MemfdFlags, memfd_create};
    use rustix::io::Errno;
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know the flag that keeps the file from ever being executed.
    let made = match memfd_create("countersign", flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => memfd_create("countersign", flags),
        made => made,
    };
    match made {
        Ok(file) => Ok(Passed::Memory(File::from(file))),
        Err(Errno::NOSYS | Errno::PERM | Errno::ACCESS) => Err(MemoryFileError::Unsupported),
        Err(error) => Err(MemoryFileError::Create(error.into())),
    }
}

#[cfg(not(target_os = "linux"))]
fn memory() -> Result<Passed, MemoryFileError> {
    Err(MemoryFileError::Unsupported)
}

fn directory(parent: &Path) -> Result<Passed, MemoryFileError> {
    let dir = tempfile::Builder::new()
        .prefix("countersign-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .map_err(MemoryFileError::Create)?;
    let file = dir.path().join("content");
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).map_err(MemoryFileError::Create)?;
    Ok(Passed::Directory { file, dir })
}

#[cfg(target_os = "linux")]
fn seal(file: &File) -> io::Result<()> {
    use rustix::fs::{SealFlags, fcntl_add_seals, fcntl_get_seals};
    let wanted = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    let added = fcntl_add_seals(file, wanted);
    // A program that was given the file may have sealed it itself: only the result counts.
    if fcntl_get_seals(file)?.contains(wanted) {
        return Ok(());
    }
    added?;
    Err(io::Error::other("the kernel did not keep the seal"))
}

#[cfg(not(target_os = "linux"))]
fn seal(_file: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Where a file goes when the kernel has no `memfd`: memory all the same where `/dev/shm` is, the system's directory for
/// temporary files else.
fn fallback() -> Backing {
    let shared_memory = Path::new("/dev/shm");
    Backing::Directory(if shared_memory.is_dir() { shared_memory.to_owned() } else { std::env::temp_dir() })
}

impl MemoryFile {
    /// An empty file of the best kind this system has.
    ///
    /// # Errors
    /// [`MemoryFileError::Create`].
    pub fn new() -> Result<Self, MemoryFileError> {
        match Self::with_backing(&Backing::Memory) {
            Err(MemoryFileError::Unsupported) => Self::with_backing(&fallback()),
            made => made,
        }
    }

    /// An empty file of this kind.
    ///
    /// # Errors
    /// [`MemoryFileError::Unsupported`] for [`Backing::Memory`] where there is none; [`MemoryFileError::Create`].
    pub fn with_backing(backing: &Backing) -> Result<Self, MemoryFileError> {
        Ok(Self { inner: Arc::new(Passed::create(backing)?) })
    }

    /// Replaces the content.
    ///
    /// # Errors
    /// [`MemoryFileError::Write`].
    pub fn replace(&mut self, bytes: &[u8]) -> Result<(), MemoryFileError> {
        self.inner.replace(bytes).map_err(MemoryFileError::Write)
    }

    /// The content, as long as it has at most `limit` bytes. It may change right after; seal first what is to be trusted.
    ///
    /// # Errors
    /// [`MemoryFileError::TooLong`], [`MemoryFileError::Read`].
    pub fn read(&self, limit: u64) -> Result<Vec<u8>, MemoryFileError> {
        self.inner.read(limit)
    }

    /// The path by which a program it is [passed](crate::Program::pass) to opens it.
    #[must_use]
    pub fn path_in_child(&self) -> PathBuf {
        self.inner.path()
    }

    /// Ends all writing, also by programs that still hold it.
    ///
    /// # Errors
    /// [`MemoryFileError::Seal`], for instance while a process has it mapped for writing.
    pub fn seal(self) -> Result<SealedMemoryFile, MemoryFileError> {
        self.inner.seal().map_err(MemoryFileError::Seal)?;
        Ok(SealedMemoryFile { inner: self.inner })
    }

    pub(crate) fn passed(&self) -> Arc<Passed> {
        Arc::clone(&self.inner)
    }
}

impl SealedMemoryFile {
    /// A sealed file that holds `bytes`.
    ///
    /// # Errors
    /// [`MemoryFileError`], when it cannot be made, written or sealed.
    pub fn holding(bytes: &[u8]) -> Result<Self, MemoryFileError> {
        let mut file = MemoryFile::new()?;
        file.replace(bytes)?;
        file.seal()
    }

    /// The content, as long as it has at most `limit` bytes. The same at every call.
    ///
    /// # Errors
    /// [`MemoryFileError::TooLong`], [`MemoryFileError::Read`].
    pub fn read(&self, limit: u64) -> Result<Vec<u8>, MemoryFileError> {
        self.inner.read(limit)
    }

    /// The path by which a program it is [passed](crate::Program::pass_sealed) to opens it.
    #[must_use]
    pub fn path_in_child(&self) -> PathBuf {
        self.inner.path()
    }

    pub(crate) fn passed(&self) -> Arc<Passed> {
        Arc::clone(&self.inner)
    }
}
