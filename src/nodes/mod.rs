//! Node directories in and out: what a NODE argument and a list of nodes mean, staging,
//! what upstream has, the trash.
//!
//! Never: runs a node's code, `install.py` and git hooks included, or deletes a
//! node's directory.

pub mod list;
pub mod select;
pub mod source;
pub mod stage;
pub mod trash;
pub mod upstream;

pub use list::{ListedNode, parse_list};
pub use source::{NodeSource, parse_node};
pub use stage::{NodeError, Staged, stage};
