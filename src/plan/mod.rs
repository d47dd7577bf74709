//! What must change for an environment to be what is wanted.
//!
//! Never: does any of it.

pub mod between;
pub mod step;

pub use between::{Goal, Removal, between, rests_on_base};
pub use step::{Plan, PlanStep};
