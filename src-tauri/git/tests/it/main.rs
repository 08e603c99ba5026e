//! Everything here runs against repositories that the real `git` program made.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod checkouts;
mod diffs;
mod history;
mod merging;
mod network;
mod opening;
mod sharing;
mod trees;
mod world;
