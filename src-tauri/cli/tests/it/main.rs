//! The real binary, as people and scripts run it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod clones;
mod demo;
mod help;
mod program;
mod serve;
mod view;
