//! The real uv: found or fetched, called with everything spelt out.
//!
//! Never: decides what is installed, or lets uv's own configuration in.

pub mod build;
pub mod call;
pub mod locate;
pub mod venv;
pub mod wheel;

pub use build::UvBuilder;
pub use call::{ProbeCall, SyncCall, Uv, UvError};
pub use locate::{Search, find_uv, look_for_uv};
pub use venv::VenvCall;
pub use wheel::{Project, Workshop};
