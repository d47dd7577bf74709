//! What changing commands came to.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ConflictDocument, PreviewDocument, ScriptDocument, WaiverDocument, WarningDocument};
use crate::gate::Finding;
use crate::ops::attention::Attention;
use crate::ops::changes::{ChangeInfo, NodeChange};
use crate::ops::outcome::{Applied, AppliedStatus, NodeOrigin};
use crate::ops::preview::{Preview, PreviewStatus};
use crate::resolve::Conflict;

/// How a changing command ended, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AppliedWord {
    /// It was done.
    Done,
    /// There was nothing to do.
    Nothing,
    /// Only shown; nothing was changed.
    DryRun,
    /// An interrupted operation was undone.
    Undone,
    /// There is no answer; nothing was changed.
    Conflict,
    /// Only by changing something protected; nothing was changed.
    Blocked,
}

impl From<AppliedStatus> for AppliedWord {
    fn from(status: AppliedStatus) -> Self {
        match status {
            AppliedStatus::Done => Self::Done,
            AppliedStatus::Nothing => Self::Nothing,
            AppliedStatus::DryRun => Self::DryRun,
            AppliedStatus::Undone => Self::Undone,
        }
    }
}

/// What a changing command came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AppliedDocument {
    /// How it ended.
    pub status: AppliedWord,
    /// The operation's number in the history.
    pub operation: Option<i64>,
    /// The id of the snapshot before.
    pub before: Option<String>,
    /// The id of the snapshot after.
    pub after: Option<String>,
    /// Packages that changed or would change, by name.
    pub changes: Vec<ChangeInfo>,
    /// Nodes that changed or would change, by directory.
    pub nodes: Vec<NodeChange>,
    /// ComfyUI, if it changed or would change; null if not.
    pub core: Option<NodeChange>,
    /// Where each node comes from that has to be had again, by directory; of a rollback alone.
    pub node_origins: Vec<NodeOrigin>,
    /// Conflicts: those that were there before and were left out, or those that stopped it.
    pub conflicts: Vec<ConflictDocument>,
    /// Things worth knowing, in the order they were found.
    pub warnings: Vec<WarningDocument>,
    /// Requirements that are not met and did not stand in the way.
    pub waivers: Vec<WaiverDocument>,
    /// With `dry-run`, and where it was stopped, the digest of the state before and after: `--plan`
    /// applies exactly that.
    #[schemars(regex(pattern = r"^[0-9a-f]{16}$"))]
    pub plan: Option<String>,
}

impl From<&Applied> for AppliedDocument {
    fn from(applied: &Applied) -> Self {
        let warning =
            |(code, message): &(&'static str, String)| WarningDocument::new(code, message);
        Self {
            status: applied.status.into(),
            operation: applied.operation,
            before: applied.before.clone(),
            after: applied.after.clone(),
            changes: applied.changes.clone(),
            nodes: applied.nodes.clone(),
            core: applied.core.clone(),
            node_origins: applied.node_origins.clone(),
            conflicts: ConflictDocument::all(&applied.conflicts),
            warnings: applied.warnings.iter().map(warning).collect(),
            waivers: WaiverDocument::all(&applied.waivers),
            plan: applied.plan.clone(),
        }
    }
}

/// A change of nodes that stopped at its preview: what it would do, and why it may not.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StoppedDocument {
    /// As if it had been applied, with what would change.
    #[serde(flatten)]
    pub applied: AppliedDocument,
    /// How many bytes would be downloaded, as far as the index states sizes.
    pub download_bytes: u64,
    /// How many bytes would be on disk of what comes; null unless it is known of each package.
    pub installed_bytes: Option<u64>,
    /// What deserves a look before anything else, most important first.
    pub attention: Vec<Attention>,
    /// What `check` would find of these nodes, by code.
    pub findings: Vec<Finding>,
    /// The `install.py` of the nodes that would come.
    pub scripts: Vec<ScriptDocument>,
}

impl StoppedDocument {
    /// Makes the document of a preview that is not `ok`, with the nodes that would change.
    pub fn new(preview: &Preview, nodes: Vec<NodeChange>) -> Self {
        let shown = PreviewDocument::from(preview);
        Self {
            applied: AppliedDocument {
                status: match preview.status {
                    PreviewStatus::Blocked => AppliedWord::Blocked,
                    PreviewStatus::Ok | PreviewStatus::Conflict => AppliedWord::Conflict,
                },
                operation: None,
                before: None,
                after: None,
                changes: shown.changes,
                nodes,
                core: None,
                node_origins: Vec::new(),
                conflicts: shown.conflicts,
                warnings: shown.warnings,
                waivers: shown.waivers,
                plan: Some(shown.plan),
            },
            download_bytes: shown.download_bytes,
            installed_bytes: shown.installed_bytes,
            attention: shown.attention,
            findings: shown.findings,
            scripts: shown.scripts,
        }
    }
}

impl AppliedDocument {
    /// Makes the document of a change that has no answer.
    pub fn stopped_by(conflicts: &[Conflict]) -> Self {
        Self {
            status: AppliedWord::Conflict,
            operation: None,
            before: None,
            after: None,
            changes: Vec::new(),
            nodes: Vec::new(),
            core: None,
            node_origins: Vec::new(),
            conflicts: ConflictDocument::all(conflicts),
            warnings: Vec::new(),
            waivers: Vec::new(),
            plan: None,
        }
    }
}
