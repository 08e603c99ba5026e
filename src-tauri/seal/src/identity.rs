//! This device's age X25519 identity: what was sealed to its recipient opens with it.
//!
//! It is kept in a file with mode 0600 in the data directory, unencrypted, in the form of `age-keygen`: whoever can read
//! the user's files can read it. `age -d -i FILE review.age` opens a bundle with it. A lost identity is no disaster:
//! make a new one, announce it, and have open changes sealed again.

use std::fmt;
use std::path::Path;
use std::str::FromStr as _;

use age::secrecy::ExposeSecret as _;
use age::x25519;
use countersign_domain::names::{NameError, Recipient};
use zeroize::Zeroizing;

use crate::private_file::{self, PrivateFileError};

/// Why an identity could not be loaded or stored.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The file holds something else, or several identities.
    #[error("the file does not hold exactly one age X25519 identity (AGE-SECRET-KEY-1…)")]
    Unreadable,
    /// age's own recipient text is not one.
    #[error(transparent)]
    Recipient(#[from] NameError),
}

/// A device's secret half. `Debug` prints the public half.
#[derive(Clone)]
pub struct DeviceIdentity {
    secret: x25519::Identity,
    recipient: Recipient,
}

impl DeviceIdentity {
    /// A new random identity, not stored anywhere.
    ///
    /// # Errors
    /// [`IdentityError::Recipient`], which only a defect in age could cause.
    pub fn generate() -> Result<Self, IdentityError> {
        Self::from_secret(x25519::Identity::generate())
    }

    /// A new random identity, stored at `path` with mode 0600.
    ///
    /// # Errors
    /// [`PrivateFileError::Exists`] when there is one already; nothing is replaced.
    pub fn create(path: &Path) -> Result<Self, IdentityError> {
        let identity = Self::generate()?;
        identity.store(path)?;
        Ok(identity)
    }

    /// Reads an identity as [`DeviceIdentity::store`] or `age-keygen` wrote it: comments and one secret key.
    ///
    /// # Errors
    /// [`PrivateFileError::Missing`] when there is none, [`PrivateFileError::Exposed`] when others can read it,
    /// [`IdentityError::Unreadable`] when it holds anything else.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        let bytes = private_file::read(path)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| IdentityError::Unreadable)?;
        let mut keys = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (Some(key), None) = (keys.next(), keys.next()) else {
            return Err(IdentityError::Unreadable);
        };
        Self::from_secret(x25519::Identity::from_str(key).map_err(|_| IdentityError::Unreadable)?)
    }

    /// Stores the identity at `path` with mode 0600.
    ///
    /// # Errors
    /// [`PrivateFileError::Exists`] when something is there already; nothing is replaced.
    pub fn store(&self, path: &Path) -> Result<(), IdentityError> {
        let secret = self.secret.to_string();
        let text = Zeroizing::new(format!("# public key: {}\n{}\n", self.recipient, secret.expose_secret()));
        Ok(private_file::create(path, text.as_bytes())?)
    }

    /// The public half: what others seal to.
    #[must_use]
    pub fn recipient(&self) -> &Recipient {
        &self.recipient
    }

    pub(crate) fn secret(&self) -> &x25519::Identity {
        &self.secret
    }

    fn from_secret(secret: x25519::Identity) -> Result<Self, IdentityError> {
        let recipient = Recipient::new(secret.to_public().to_string())?;
        Ok(Self { secret, recipient })
    }
}

impl fmt::Debug for DeviceIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceIdentity({})", self.recipient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.txt");
        let identity = DeviceIdentity::create(&path).unwrap();
        assert_eq!(DeviceIdentity::load(&path).unwrap().recipient(), identity.recipient());
        assert!(matches!(DeviceIdentity::create(&path), Err(IdentityError::File(PrivateFileError::Exists(_)))));
        assert_eq!(DeviceIdentity::load(&path).unwrap().recipient(), identity.recipient());
    }

    #[test]
    fn anything_but_one_identity_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let load = |name: &str, text: &str| {
            let path = directory.path().join(name);
            private_file::create(&path, text.as_bytes()).unwrap();
            DeviceIdentity::load(&path)
        };
        let secret = x25519::Identity::generate().to_string();
        let secret = secret.expose_secret();
        assert!(load("one", &format!("# x\n\n  {secret}  \n")).is_ok());
        for (name, text) in [("none", "# x\n"), ("two", &format!("{secret}\n{secret}\n")), ("other", "hello\n")] {
            assert!(matches!(load(name, text), Err(IdentityError::Unreadable)), "{name}");
        }
        let missing = DeviceIdentity::load(&directory.path().join("missing"));
        assert!(matches!(missing, Err(IdentityError::File(PrivateFileError::Missing(_)))));
    }

    #[test]
    fn debug_prints_the_public_half() {
        let identity = DeviceIdentity::generate().unwrap();
        assert_eq!(format!("{identity:?}"), format!("DeviceIdentity({})", identity.recipient()));
    }
}
