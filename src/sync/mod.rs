//! Carrying out a plan through a lock made for the run, and reading back.
//!
//! Never: trusts an exit code, or hands uv the lock itself (uv removes what its
//! file does not name).

pub mod pip;
pub mod run;
pub mod verify;

pub use pip::{Pip, PipCall};
pub use run::{RunEntry, RunLock};
pub use verify::{Fault, check_distribution, verify};
