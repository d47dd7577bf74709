//! The most nodes that can live together, and those that are left out.

use schemars::JsonSchema;
use serde::Serialize;

use super::ConflictDocument;
use crate::lock::LeftOutNode;
use crate::ops::subset::{NodeLeftOut, Subset};

/// The most nodes that can live together with the core.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Subset")]
pub struct SubsetDocument {
    /// The nodes that ask for something and can live together, by name.
    pub nodes: Vec<String>,
    /// The others, by name.
    pub left_out: Vec<LeftOutDocument>,
    /// Those left out in groups that can live with the core, largest first. A node that cannot
    /// live with the core even alone is in none.
    pub groups: Vec<Vec<String>>,
    /// No other nodes are worth more; false where the search was ended before that was sure.
    pub proved: bool,
    /// No other nodes are worth more than this.
    pub bound: u64,
    /// What the nodes are worth: their number, unless `portenv.toml` gives them weights.
    pub weight: u64,
}

/// A node that is left out.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "LeftOut")]
pub struct LeftOutDocument {
    /// The node's directory name.
    pub node: String,
    /// Why, in words.
    pub reason: String,
    /// What keeps it out; empty where an earlier command left it out.
    pub conflicts: Vec<ConflictDocument>,
}

impl From<&Subset> for SubsetDocument {
    fn from(found: &Subset) -> Self {
        Self {
            nodes: found.nodes.clone(),
            left_out: LeftOutDocument::all(&found.left_out),
            groups: found.groups.clone(),
            proved: found.is_proved(),
            bound: found.bound,
            weight: found.weight,
        }
    }
}

impl From<&NodeLeftOut> for LeftOutDocument {
    fn from(left: &NodeLeftOut) -> Self {
        Self {
            node: left.node.clone(),
            reason: left.reason.clone(),
            conflicts: ConflictDocument::all(&left.conflicts),
        }
    }
}

impl From<&LeftOutNode> for LeftOutDocument {
    fn from(left: &LeftOutNode) -> Self {
        Self::from(&NodeLeftOut::from(left))
    }
}

impl LeftOutDocument {
    /// Makes the views of several.
    pub fn all(left: &[NodeLeftOut]) -> Vec<Self> {
        left.iter().map(Self::from).collect()
    }
}
