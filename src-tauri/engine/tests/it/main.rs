//! The use cases over real Git, a real tool, real OpenSSH and age.

mod flow;
mod world;
