//! The record on this machine, in one SQLite file: statements (append-only and hash-chained), what still has to be
//! published, runs, clones, settings, and caches that can be dropped.
//!
//! Times come from the caller. Nothing in plain text that could hold a secret enters the file: logs and bundles come
//! sealed, reveals without the value.
//!
//! | module | holds |
//! | --- | --- |
//! | [`Store`] | opening, creating, refusing |
//! | [`statements`] | the append-only record, the outbox, the tips of shared logs |
//! | [`chain`] | what a row's hash covers, and the check that finds the first bad row |
//! | [`clones`] | the clones that are watched |
//! | [`runs`] | what was run, by which session, and how it ended |
//! | [`reveals`] | who looked at which sensitive value |
//! | [`bundles`] | sealed bundles |
//! | [`shelf`] | settings, cache, viewed marks |

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod bundles;
pub mod chain;
pub mod clones;
mod error;
mod open;
pub mod reveals;
mod row;
pub mod runs;
mod session;
pub mod shelf;
pub mod statements;

pub use error::StoreError;
pub use open::{FILE_NAME, Store};

use countersign_domain::names::Digest;

/// The SHA-256 of `bytes`: a statement's id from its payload, a bundle's name from its ciphertext.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    digest_of(ring::digest::digest(&ring::digest::SHA256, bytes))
}

fn digest_of(hash: ring::digest::Digest) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hash.as_ref());
    Digest::from_bytes(bytes)
}
