//! A forge that is a bare repository, and several people's clones of it, driven by the real `git` program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod changes;
mod merging;
mod publishing;
mod world;
