//! What adding nodes would change.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ConflictDocument, WaiverDocument, WarningDocument};
use crate::gate::Finding;
use crate::ops::attention::{Attention, attention};
use crate::ops::changes::ChangeInfo;
use crate::ops::facts::{BreakInfo, SharedInfo};
use crate::ops::preview::{Preview, PreviewStatus};
use crate::requirements::{Act, InstallScript, OriginKind};
use crate::workspace::node::Node;

/// A node's `install.py`, as it reads; only `add --run-install-script` runs it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Script")]
pub struct ScriptDocument {
    /// The node's name.
    pub node: Option<String>,
    /// The file, relative to the root.
    pub file: Option<String>,
    /// What it seems to do, by line.
    pub acts: Vec<Act>,
}

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
    /// How many bytes would be on disk of what comes; null unless it is known of each package:
    /// only where resolving had to read the wheels themselves.
    pub installed_bytes: Option<u64>,
    /// How many bytes would be on disk at least; a wheel of unknown size counts as packed.
    pub installed_bytes_least: u64,
    /// Requirements that are not met and did not stand in the way.
    pub waivers: Vec<WaiverDocument>,
    /// Those of them that the lock so far does not have.
    pub new_waivers: Vec<WaiverDocument>,
    /// What deserves a look before anything else, most important first.
    pub attention: Vec<Attention>,
    /// What `check` would find of these nodes, by code.
    pub findings: Vec<Finding>,
    /// What breaks of what stays, though no line leads to it.
    pub breaks: Vec<BreakInfo>,
    /// Files of what goes or is replaced that packages that stay have too, by package.
    pub shared: Vec<SharedInfo>,
    /// The `install.py` of the nodes that would come.
    pub scripts: Vec<ScriptDocument>,
}

/// Lists the `install.py` of the nodes at hand.
pub fn scripts_of(preview: &Preview) -> impl Iterator<Item = &InstallScript> {
    let is_at_hand = |script: &&InstallScript| {
        let mut nodes = preview.nodes.iter();
        script.origin.kind == OriginKind::Node
            && nodes.any(|node| Some(&node.name) == script.origin.name.as_ref())
    };
    preview.set.install_scripts.iter().filter(is_at_hand)
}

impl From<&InstallScript> for ScriptDocument {
    fn from(script: &InstallScript) -> Self {
        Self {
            node: script.origin.name.clone(),
            file: script.origin.file.clone(),
            acts: script.acts.clone(),
        }
    }
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
            download_bytes: preview.weight.download,
            installed_bytes: preview.weight.installed,
            installed_bytes_least: preview.weight.at_least,
            waivers: WaiverDocument::all(&preview.waivers),
            new_waivers: WaiverDocument::all(&preview.new_waivers),
            attention: attention(preview),
            findings: preview.findings.clone(),
            breaks: preview.breaks.clone(),
            shared: preview.shared.clone(),
            scripts: scripts_of(preview).map(ScriptDocument::from).collect(),
        }
    }
}
