//! What this room promises, over small inputs made here and plans made by the real tool.

mod ansi;
mod files;
mod hcl;
mod plan_json;
mod real_tool;
mod tool;
mod units;
