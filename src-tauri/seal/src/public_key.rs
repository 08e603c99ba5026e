//! OpenSSH public keys that count here. RSA, DSA, certificates and everything unknown are refused by name.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use countersign_domain::names::{Fingerprint, NameError, quoted};
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};

use crate::wire::Reader;

const ED25519_NAME: &str = "ssh-ed25519";
const ECDSA_P256_NAME: &str = "ecdsa-sha2-nistp256";
const SK_ED25519_NAME: &str = "sk-ssh-ed25519@openssh.com";
const SK_ECDSA_P256_NAME: &str = "sk-ecdsa-sha2-nistp256@openssh.com";

/// Largest accepted encoding in bytes. The keys that count need less than 1 KiB; an RSA key of 16,384 bits needs 2 KiB and
/// is still to be refused by name.
const MAX_BLOB_BYTES: usize = 16 * 1024;

/// The flag in a hardware key's signature that says its owner touched it (PROTOCOL.u2f: `SSH_SK_USER_PRESENCE_REQD`).
const USER_PRESENT: u8 = 0x01;

/// Why a public key does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// Not an OpenSSH public key.
    #[error("not an OpenSSH public key: {0}")]
    Unreadable(&'static str),
    /// A certificate; which key it stands for depends on an authority outside the repository.
    #[error("{0} is an SSH certificate; use the plain key")]
    Certificate(String),
    /// An algorithm that is not accepted, RSA among them.
    #[error("the algorithm {0} is not accepted; use ed25519, ecdsa-p256 or a hardware key of these")]
    Algorithm(String),
    /// The name inside the encoding is another than the one in front of it.
    #[error("the key is labelled {label}, but its encoding says {found}")]
    Label {
        /// The first word of the line.
        label: String,
        /// What the key is.
        found: &'static str,
    },
}

impl From<NameError> for PublicKeyError {
    fn from(_: NameError) -> Self {
        Self::Unreadable("its fingerprint cannot be computed")
    }
}

/// Why a signature by a known key was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Not a signature of this key's algorithm over these bytes.
    Mismatch,
    /// Good, but the hardware key was not touched.
    NoPresence,
    /// The signature names another algorithm than the key's.
    Algorithm,
}

/// An OpenSSH public key of an accepted algorithm.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    blob: Vec<u8>,
    material: Material,
    fingerprint: Fingerprint,
}

#[derive(Clone, PartialEq, Eq)]
enum Material {
    Ed25519([u8; 32]),
    EcdsaP256([u8; 65]),
    SkEd25519 { key: [u8; 32], application: Vec<u8> },
    SkEcdsaP256 { key: [u8; 65], application: Vec<u8> },
}

impl PublicKey {
    /// Reads a public key as `ssh-keygen` writes it: algorithm, base64, and a comment that is ignored.
    ///
    /// # Errors
    /// [`PublicKeyError`] says why the key does not count.
    pub fn parse(line: &str) -> Result<Self, PublicKeyError> {
        let mut words = line.split_ascii_whitespace();
        let label = words.next().ok_or(PublicKeyError::Unreadable("it is empty"))?;
        let encoded = words.next().ok_or(PublicKeyError::Unreadable("expected an algorithm and a base64 word"))?;
        let key = Self::from_base64(encoded)?;
        if label != key.algorithm() {
            return Err(PublicKeyError::Label { label: quoted(label), found: key.algorithm() });
        }
        Ok(key)
    }

    pub(crate) fn from_base64(encoded: &str) -> Result<Self, PublicKeyError> {
        if encoded.len() > MAX_BLOB_BYTES * 2 {
            return Err(PublicKeyError::Unreadable("it is longer than any accepted key"));
        }
        let blob = STANDARD.decode(encoded).map_err(|_| PublicKeyError::Unreadable("it is not base64"))?;
        Self::from_blob(&blob)
    }

    /// Reads the wire encoding, whole.
    pub(crate) fn from_blob(blob: &[u8]) -> Result<Self, PublicKeyError> {
        if blob.len() > MAX_BLOB_BYTES {
            return Err(PublicKeyError::Unreadable("it is longer than any accepted key"));
        }
        let mut reader = Reader::new(blob);
        let name = reader.string().ok_or(PublicKeyError::Unreadable("it is cut off"))?;
        let material = Material::read(name, reader)?;
        let hash = ring::digest::digest(&ring::digest::SHA256, blob);
        let fingerprint = Fingerprint::new(format!("SHA256:{}", STANDARD_NO_PAD.encode(hash)))?;
        Ok(Self { blob: blob.to_vec(), material, fingerprint })
    }

    /// The key's fingerprint, as `ssh-keygen -l` prints it.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// OpenSSH's name for the key's algorithm.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self.material {
            Material::Ed25519(_) => ED25519_NAME,
            Material::EcdsaP256(_) => ECDSA_P256_NAME,
            Material::SkEd25519 { .. } => SK_ED25519_NAME,
            Material::SkEcdsaP256 { .. } => SK_ECDSA_P256_NAME,
        }
    }

    /// True for keys that live in a hardware token and sign only when touched.
    #[must_use]
    pub fn is_hardware(&self) -> bool {
        matches!(self.material, Material::SkEd25519 { .. } | Material::SkEcdsaP256 { .. })
    }

    /// Algorithm and base64, without a comment: what goes into `allowed_signers` and what [`PublicKey::parse`] reads.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.algorithm(), STANDARD.encode(&self.blob))
    }

    pub(crate) fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// Checks `signature`, an SSH signature blob, over `message`.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Refused> {
        let mut reader = Reader::new(signature);
        let name = reader.string().ok_or(Refused::Mismatch)?;
        if name != self.algorithm().as_bytes() {
            return Err(Refused::Algorithm);
        }
        let raw = reader.string().ok_or(Refused::Mismatch)?;
        match &self.material {
            Material::Ed25519(key) => {
                reader.end().ok_or(Refused::Mismatch)?;
                verify_ed25519(key, message, raw)
            }
            Material::EcdsaP256(key) => {
                reader.end().ok_or(Refused::Mismatch)?;
                verify_ecdsa(key, message, raw)
            }
            Material::SkEd25519 { key, application } => {
                let touch = Touch::read(reader).ok_or(Refused::Mismatch)?;
                verify_ed25519(key, &touch.signed(application, message), raw)?;
                touch.require()
            }
            Material::SkEcdsaP256 { key, application } => {
                let touch = Touch::read(reader).ok_or(Refused::Mismatch)?;
                verify_ecdsa(key, &touch.signed(application, message), raw)?;
                touch.require()
            }
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm(), self.fingerprint)
    }
}

impl Material {
    fn read(name: &[u8], mut reader: Reader<'_>) -> Result<Self, PublicKeyError> {
        let damaged = PublicKeyError::Unreadable("its parts do not fit its algorithm");
        let name = String::from_utf8_lossy(name);
        let material = match &*name {
            ED25519_NAME => read_array(&mut reader).map(Self::Ed25519),
            ECDSA_P256_NAME => read_point(&mut reader).map(Self::EcdsaP256),
            SK_ED25519_NAME => read_array(&mut reader)
                .and_then(|key| Some(Self::SkEd25519 { key, application: reader.string()?.to_vec() })),
            SK_ECDSA_P256_NAME => read_point(&mut reader)
                .and_then(|key| Some(Self::SkEcdsaP256 { key, application: reader.string()?.to_vec() })),
            other if other.contains("-cert-v") => return Err(PublicKeyError::Certificate(quoted(other))),
            other => return Err(PublicKeyError::Algorithm(quoted(other))),
        };
        match (material, reader.end()) {
            (Some(material), Some(())) => Ok(material),
            _ => Err(damaged),
        }
    }
}

fn read_array<const N: usize>(reader: &mut Reader<'_>) -> Option<[u8; N]> {
    reader.string()?.try_into().ok()
}

/// The curve's name and an uncompressed point on it.
fn read_point(reader: &mut Reader<'_>) -> Option<[u8; 65]> {
    if reader.string()? != b"nistp256" {
        return None;
    }
    read_array(reader).filter(|point: &[u8; 65]| point[0] == 4)
}

fn verify_ed25519(key: &[u8; 32], message: &[u8], raw: &[u8]) -> Result<(), Refused> {
    UnparsedPublicKey::new(&ED25519, key).verify(message, raw).map_err(|_| Refused::Mismatch)
}

/// `raw` holds the two numbers r and s; ring wants them as 32 bytes each.
fn verify_ecdsa(key: &[u8; 65], message: &[u8], raw: &[u8]) -> Result<(), Refused> {
    let fixed = fixed_ecdsa(raw).ok_or(Refused::Mismatch)?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message, &fixed).map_err(|_| Refused::Mismatch)
}

fn fixed_ecdsa(raw: &[u8]) -> Option<[u8; 64]> {
    let mut reader = Reader::new(raw);
    let r: [u8; 32] = reader.unsigned()?;
    let s: [u8; 32] = reader.unsigned()?;
    reader.end()?;
    let mut fixed = [0; 64];
    fixed[..32].copy_from_slice(&r);
    fixed[32..].copy_from_slice(&s);
    Some(fixed)
}

/// What a hardware key adds to a signature (PROTOCOL.u2f, "SSH U2F Signatures").
struct Touch {
    flags: u8,
    counter: u32,
}

impl Touch {
    fn read(mut reader: Reader<'_>) -> Option<Self> {
        let touch = Self { flags: reader.byte()?, counter: reader.uint32()? };
        reader.end()?;
        Some(touch)
    }

    /// The bytes the token signed.
    fn signed(&self, application: &[u8], message: &[u8]) -> Vec<u8> {
        let hash = |bytes| ring::digest::digest(&ring::digest::SHA256, bytes);
        let mut signed = Vec::with_capacity(32 + 1 + 4 + 32);
        signed.extend_from_slice(hash(application).as_ref());
        signed.push(self.flags);
        signed.extend_from_slice(&self.counter.to_be_bytes());
        signed.extend_from_slice(hash(message).as_ref());
        signed
    }

    /// Stock verification does not look at the flag; here a signature without a touch does not count.
    fn require(&self) -> Result<(), Refused> {
        if self.flags & USER_PRESENT == 0 { Err(Refused::NoPresence) } else { Ok(()) }
    }
}
