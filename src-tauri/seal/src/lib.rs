//! Signatures and secrets. What is signed can be checked with stock OpenSSH, what is sealed opens with stock `age`.
//!
//! This room knows `countersign-domain` only. It reads private keys and talks to the user's ssh-agent; it never writes a
//! plaintext plan anywhere, and no error or `Debug` text of it carries a secret.
//!
//! | module | holds |
//! | --- | --- |
//! | [`public_key`] | the OpenSSH public keys that count here: ed25519, ecdsa-p256 and hardware keys of these |
//! | [`allowed_signers`] | who may sign: OpenSSH's `allowed_signers`, read strictly, and the verifier built from it |
//! | [`sshsig`] | detached SSHSIG signatures |
//! | [`keys`] | keys to sign with, in files and in ssh-agent |
//! | [`identity`] | this device's age identity, which opens what was sealed to it |
//! | [`bundle`] | `review.age` and `apply.age` |
//! | [`commitment`] | a keyed digest of a plan that leaks nothing of it |
//! | [`private_file`] | files only their owner may read |
//!
//! Everything blocks: on a GUI or async thread, call it from a blocking task. An agent may wait for a touch or a
//! confirmation for minutes.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod allowed_signers;
pub mod bundle;
pub mod commitment;
pub mod identity;
pub mod keys;
pub mod private_file;
pub mod public_key;
pub mod sshsig;

mod agent;
mod wire;

use countersign_domain::names::{Digest, Nonce};

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes: {0}")]
pub struct NoRandomness(#[from] getrandom::Error);

/// The SHA-256 of `bytes`; a statement's id is that of its payload.
#[must_use]
pub fn digest(bytes: &[u8]) -> Digest {
    let mut value = [0; 32];
    value.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    Digest::from_bytes(value)
}

/// 128 random bits for a statement.
///
/// # Errors
/// [`NoRandomness`] when the operating system has none.
pub fn nonce() -> Result<Nonce, NoRandomness> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits)?;
    Ok(Nonce::from_bytes(bits))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_digest_is_sha_256_in_hexadecimal() {
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(super::digest(b"abc").as_str(), abc);
    }

    #[test]
    fn nonces_differ() {
        assert_ne!(super::nonce().unwrap(), super::nonce().unwrap());
    }
}
