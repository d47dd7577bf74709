//! The only door to the machine: files, child programs, the clock.
//!
//! Never: knows anything about Python, ComfyUI or the network.

pub mod claim;
pub mod clock;
pub mod digest;
pub mod footprint;
pub mod foreground;
pub mod fs;
pub mod handover;
pub mod hold;
pub mod lockfile;
pub mod others;
pub mod partial;
pub mod process;
pub mod tree;
pub mod volume;
pub mod watched;

pub use claim::Machine;
pub use clock::Clock;
pub use fs::FsError;
pub use lockfile::{Busy, DirLock, LockAttempt, LockPolicy, UseLock};
