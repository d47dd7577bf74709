//! The system's git: no prompt, no hook, no configuration of the repository's
//! making that could run a program.
//!
//! Never: decides which commit is wanted, or overwrites changed files.

pub mod change;
pub mod keep;
mod plain;
pub mod read;
pub mod remote;
pub mod upstream;
pub mod versions;

pub use change::{CloneSpec, checkout, clone, fetch_commit};
pub use read::{Checkout, GitError, holds_more, read_checkout};
