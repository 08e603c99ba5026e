//! The words and rules of Countersign.
//!
//! This room is pure: no I/O, no async, no clock (time is passed in) and no randomness. It holds the types every
//! other room speaks with, and the one function the product exists for: [`gate::evaluate`].
//!
//! | module | holds |
//! | --- | --- |
//! | [`names`] | validated names: units, commits, branches, persons, digests |
//! | [`change`] | a proposal to merge, what it touches, where it stands in the queue |
//! | [`plan`] | what a dry run says it would do, danger first |
//! | [`statement`] | what gets signed, and how signed bytes become a [`statement::Verified`] |
//! | [`policy`] | who may sign, how many, for what |
//! | [`gate`] | (policy, change, statements, now) → verdict |

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod change;
pub mod gate;
pub mod names;
pub mod plan;
pub mod policy;
pub mod statement;
