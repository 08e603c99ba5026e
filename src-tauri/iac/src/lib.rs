//! Reading infrastructure code and what its tools say.
//!
//! Everything this room reads is hostile: plans, logs and code come from changes under review. Nothing here runs a
//! program, and nothing here evaluates code: only literals are taken from it.
//!
//! | module | reads |
//! | --- | --- |
//! | [`plan_json`] | `show -json` of a saved plan → the plan model |
//! | [`ansi`] | a tool's log → lines of styled text, every other terminal escape dropped |
//! | [`files`] | the one way to the files of a repository: a Git tree or a directory |
//! | [`hcl`] | `.tf`, `.tofu` and their JSON forms → module calls, backends, remote states |
//! | [`units`] | a live repository → its units and what depends on what |
//! | [`inputs`] | a unit → every directory and file its plan is made from |
//! | [`tool`] | argument lists, environments and answers of `terraform` and `tofu` |

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod ansi;
pub mod files;
pub mod hcl;
pub mod inputs;
pub mod plan_json;
pub mod tool;
pub mod units;
