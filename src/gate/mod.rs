//! Findings with codes, for the gate that CI relies on.
//!
//! Never: asks a network or an environment itself.

pub mod codes;
pub mod policies;
pub mod violations;

pub use codes::{Code, Finding};
pub use violations::find_violations;
