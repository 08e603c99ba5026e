//! Scenarios that cross crates.

mod covered;
mod stock_tools;
mod window;
