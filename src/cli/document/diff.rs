//! Differences.

use schemars::JsonSchema;
use serde::Serialize;

use crate::ops::changes::{ChangeInfo, Difference, NodeChange};
use crate::workspace::node::Node;

/// What differs between two states.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DiffDocument {
    /// What the first side is: a snapshot id, `@`, `lock`, `env` or a lock file.
    pub from: String,
    /// What the second side is.
    pub to: String,
    /// Packages that differ, by name.
    pub changes: Vec<ChangeInfo>,
    /// Nodes that differ, by directory.
    pub nodes: Vec<NodeChange>,
    /// The core as the second side has it; null if it does not differ.
    pub core: Option<Node>,
    /// Packages of the read-only base beneath the environment that differ, by name.
    pub base: Vec<ChangeInfo>,
}

impl DiffDocument {
    /// Makes the document of a difference.
    pub fn new(from: &str, to: &str, found: &Difference) -> Self {
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
            changes: found.changes.clone(),
            nodes: found.nodes.clone(),
            core: found.core.as_ref().and_then(|core| core.to.clone()),
            base: found.base.clone(),
        }
    }
}
