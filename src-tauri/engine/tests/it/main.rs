//! The use cases over real Git, a real tool, real OpenSSH and age.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first fault")]

mod applying;
mod canary;
mod flow;
mod gate;
mod input;
mod small;
mod world;
