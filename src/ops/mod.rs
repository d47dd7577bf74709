//! One file per command: plain options in, an outcome as a value out.
//!
//! Never: prints, parses arguments, or knows an exit code.

pub mod context;
pub mod error;
pub mod inputs;
pub mod lock;
pub mod resolve;

pub use context::Context;
pub use error::OpError;
