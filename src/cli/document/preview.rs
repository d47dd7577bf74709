//! What adding nodes would change.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ConflictDocument, WaiverDocument, WarningDocument};
use crate::ops::changes::ChangeInfo;
use crate::ops::preview::{Preview, PreviewStatus};
use crate::workspace::node::Node;

/// What adding nodes would change.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PreviewDocument {
    /// What it came to.
    pub status: PreviewStatus,
    /// The digest of the state before and after: `portenv add --plan` applies exactly that.
    #[schemars(regex(pattern = r"^[0-9a-f]{16}$"))]
    pub plan: String,
    /// The nodes that would come or change, as they were named.
    pub nodes: Vec<Node>,
    /// What would change against the environment, by name; where blocked, what it would do.
    pub changes: Vec<ChangeInfo>,
    /// Conflicts, old ones too.
    pub conflicts: Vec<ConflictDocument>,
    /// Things worth knowing, in the order they were found.
    pub warnings: Vec<WarningDocument>,
    /// How many bytes would be downloaded, as far as the index states sizes.
    pub download_bytes: u64,
    /// How many bytes would be on disk; null where it is not known.
    pub installed_bytes: Option<u64>,
    /// Requirements that are not met and did not stand in the way.
    pub waivers: Vec<WaiverDocument>,
}

impl PreviewDocument {
    /// Gathers the warnings of reading and resolving.
    pub fn warnings_of(preview: &Preview) -> Vec<WarningDocument> {
        let problems = preview.set.problems.iter().map(WarningDocument::of_problem);
        let warnings = preview.warnings.iter().map(WarningDocument::of_warning);
        problems.chain(warnings).collect()
    }
}

impl From<&Preview> for PreviewDocument {
    fn from(preview: &Preview) -> Self {
        Self {
            status: preview.status,
            plan: preview.plan.clone(),
            nodes: preview.nodes.clone(),
            changes: preview.changes.clone(),
            conflicts: ConflictDocument::all(&preview.conflicts),
            warnings: Self::warnings_of(preview),
            download_bytes: preview.download_bytes,
            installed_bytes: None,
            waivers: WaiverDocument::all(&preview.waivers),
        }
    }
}
