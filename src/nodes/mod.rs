//! Node directories in and out: what a NODE argument means, staging, what upstream
//! has, the trash.
//!
//! Never: runs a node's code, `install.py` and git hooks included, or deletes a
//! node's directory.

pub mod select;
pub mod source;
pub mod stage;
pub mod trash;
pub mod upstream;

pub use source::{NodeSource, parse_node};
pub use stage::{NodeError, Staged, stage};
