//! What must change for an environment to be what is wanted.
//!
//! Never: does any of it.

pub mod between;
pub mod step;

pub use between::{Goal, Removal, between};
pub use step::{Plan, PlanStep};
