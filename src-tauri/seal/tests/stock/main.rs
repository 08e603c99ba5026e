//! What this room signs, seals and commits to, against the stock programs that people check it with: `ssh-keygen`,
//! `ssh-agent`, `ssh-add`, `age`, `age-keygen`, `tar`, `sed` and `openssl`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod agents;
mod bundles;
mod keys;
mod signatures;
mod world;
