//! Scenarios that cross crates.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test that asked")]

mod covered;
mod stock_tools;
mod window;
