//! Running a program: argv only (never a shell), in a process group of its own, with cancel, time limit, a streamed
//! log and files that live in memory.
//!
//! [`Program`] says what to run; [`Program::run`] and [`Program::run_streaming`] run it to its end and return
//! [`Finished`]. [`MemoryFile`] holds what must not touch a disk, such as a plan; it is passed to a program by path and,
//! once sealed, refuses every write.
//!
//! # What ends with what
//! - The program leads a process group. Whatever ends the run (the program itself, a cancel, the time limit, the
//!   dropped future) ends every process that is still in the group. A process that left the group on purpose
//!   (`setsid`) is not followed; the isolated run is the answer to code that is not trusted.
//! - When this process dies of SIGKILL the program is not told: Linux's parent-death signal can only be set between fork
//!   and exec, which safe Rust cannot do, and it follows the *thread* that forked. The program then sees a closed pipe on
//!   its next output and goes on or ends as it sees fit. What it may have done counts as unknown to whoever starts next.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod group;
mod log;
mod memory_file;
mod program;
mod run;
mod terminal;

pub use log::{CHUNK_BYTES, CHUNK_DELAY, Captured, LogChunk, OutputTooLong, Stream};
pub use memory_file::{Backing, MemoryFile, MemoryFileError, SealedMemoryFile};
pub use program::{Output, Program, RunError, USUAL_ENV};
pub use run::{Ending, Exit, Finished, StopReason, StopSignal, StopSteps};
