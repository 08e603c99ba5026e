//! Detached SSHSIG signatures (OpenSSH's PROTOCOL.sshsig): the bytes between `-----BEGIN SSH SIGNATURE-----` and its end.
//!
//! Anyone can check one without this program:
//! `ssh-keygen -Y verify -f allowed_signers -I PERSON -n approval@countersign -s STATEMENT.sig < STATEMENT`.
//! Here more is asked: the hash is sha512, the namespace is one of ours, the reserved field is empty, the key is not a
//! certificate and not RSA, and a hardware key was touched.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_domain::names::quoted;
use countersign_domain::statement::{SignatureRefusal, StatementKind};

use crate::public_key::{PublicKey, PublicKeyError, Refused};
use crate::wire::{Reader, put_string};

/// Largest accepted armored signature in bytes; a hardware key's is below 1 KiB.
pub const MAX_SIGNATURE_BYTES: usize = 16 * 1024;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
const HASH: &str = "sha512";
/// Where `ssh-keygen` breaks lines.
const LINE_WIDTH: usize = 70;

/// A signature that matches its bytes. Whose key it is, and whether that person may sign, is
/// [`crate::allowed_signers`]' question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentic {
    /// What the signature's namespace stands for.
    pub kind: StatementKind,
    /// The key that signed.
    pub key: PublicKey,
}

/// Checks an armored signature over `payload`.
///
/// # Errors
/// [`SignatureRefusal`] says why it does not count. Never `UnknownKey`, `NamespaceNotAllowed` or `NotValidAt`: no list of
/// signers is asked here.
pub fn verify(payload: &[u8], armored: &[u8]) -> Result<Authentic, SignatureRefusal> {
    let blob = unarmor(armored)?;
    let parts = Parts::read(&blob)?;
    let namespace = String::from_utf8_lossy(parts.namespace);
    let kind = StatementKind::from_namespace(&namespace)
        .ok_or_else(|| SignatureRefusal::UnknownNamespace(quoted(&namespace)))?;
    if parts.hash != HASH.as_bytes() {
        return Err(SignatureRefusal::HashAlgorithm(quoted(&String::from_utf8_lossy(parts.hash))));
    }
    let key = PublicKey::from_blob(parts.key).map_err(key_refusal)?;
    let message = signed_data(&namespace, payload);
    key.verify(&message, parts.signature).map_err(|refused| signature_refusal(refused, &key, parts.signature))?;
    Ok(Authentic { kind, key })
}

/// The bytes a key signs: the payload's hash bound to the namespace.
pub(crate) fn signed_data(namespace: &str, payload: &[u8]) -> Vec<u8> {
    let mut data = MAGIC.to_vec();
    put_string(&mut data, namespace.as_bytes());
    put_string(&mut data, b"");
    put_string(&mut data, HASH.as_bytes());
    put_string(&mut data, ring::digest::digest(&ring::digest::SHA512, payload).as_ref());
    data
}

/// Wraps `signature`, an SSH signature blob over [`signed_data`], as `ssh-keygen -Y sign` does.
pub(crate) fn armor(key: &PublicKey, namespace: &str, signature: &[u8]) -> Vec<u8> {
    let mut blob = MAGIC.to_vec();
    blob.extend_from_slice(&VERSION.to_be_bytes());
    put_string(&mut blob, key.blob());
    put_string(&mut blob, namespace.as_bytes());
    put_string(&mut blob, b"");
    put_string(&mut blob, HASH.as_bytes());
    put_string(&mut blob, signature);

    let mut armored = format!("{BEGIN}\n").into_bytes();
    for line in STANDARD.encode(blob).as_bytes().chunks(LINE_WIDTH) {
        armored.extend_from_slice(line);
        armored.push(b'\n');
    }
    armored.extend_from_slice(END.as_bytes());
    armored.push(b'\n');
    armored
}

fn unreadable(problem: &str) -> SignatureRefusal {
    SignatureRefusal::Unreadable(problem.to_owned())
}

fn unarmor(armored: &[u8]) -> Result<Vec<u8>, SignatureRefusal> {
    if armored.len() > MAX_SIGNATURE_BYTES {
        return Err(unreadable("it is longer than any SSH signature"));
    }
    let inner = armored
        .strip_prefix(BEGIN.as_bytes())
        .and_then(|rest| rest.trim_ascii_end().strip_suffix(END.as_bytes()))
        .ok_or_else(|| unreadable("it is not an armored SSH signature"))?;
    if !inner.ends_with(b"\n") || !matches!(inner, [b'\n', ..] | [b'\r', b'\n', ..]) {
        return Err(unreadable("its first or last line is damaged"));
    }
    let digits: Vec<u8> = inner.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(digits).map_err(|_| unreadable("it is not base64"))
}

struct Parts<'a> {
    key: &'a [u8],
    namespace: &'a [u8],
    hash: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(blob: &'a [u8]) -> Result<Self, SignatureRefusal> {
        let cut_off = || unreadable("it is cut off or has bytes left over");
        let mut reader = Reader::new(blob);
        if reader.take(MAGIC.len()) != Some(MAGIC) {
            return Err(unreadable("it is not an SSH signature"));
        }
        if reader.uint32().ok_or_else(cut_off)? != VERSION {
            return Err(unreadable("its version is not 1"));
        }
        let key = reader.string().ok_or_else(cut_off)?;
        let namespace = reader.string().ok_or_else(cut_off)?;
        let reserved = reader.string().ok_or_else(cut_off)?;
        let hash = reader.string().ok_or_else(cut_off)?;
        let signature = reader.string().ok_or_else(cut_off)?;
        reader.end().ok_or_else(cut_off)?;
        if !reserved.is_empty() {
            return Err(unreadable("its reserved field is not empty"));
        }
        Ok(Self { key, namespace, hash, signature })
    }
}

fn key_refusal(error: PublicKeyError) -> SignatureRefusal {
    match error {
        PublicKeyError::Certificate(_) => SignatureRefusal::Certificate,
        PublicKeyError::Algorithm(name) => SignatureRefusal::Algorithm(name),
        PublicKeyError::Unreadable(problem) => SignatureRefusal::Unreadable(format!("in its key: {problem}")),
        PublicKeyError::Label { .. } => unreadable("in its key: the algorithm is not the key's"),
    }
}

fn signature_refusal(refused: Refused, key: &PublicKey, signature: &[u8]) -> SignatureRefusal {
    match refused {
        Refused::Mismatch => SignatureRefusal::Mismatch,
        Refused::NoPresence => SignatureRefusal::NoPresence(key.fingerprint().clone()),
        Refused::Algorithm => {
            let name = Reader::new(signature).string().unwrap_or_default();
            SignatureRefusal::Algorithm(quoted(&String::from_utf8_lossy(name)))
        }
    }
}
