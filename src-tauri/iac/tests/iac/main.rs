//! What this room promises, over small inputs made here and plans made by the real tool.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first fault")]

mod ansi;
mod files;
mod hcl;
mod plan_json;
mod real_tool;
mod tool;
mod units;
