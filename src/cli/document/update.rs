//! What is new upstream, and what `update` came to.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ConflictDocument, PreviewDocument, ScriptDocument, WaiverDocument, WarningDocument};
use crate::gate::Finding;
use crate::ops::attention::Attention;
use crate::ops::changes::{ChangeInfo, NodeChange};
use crate::ops::outcome::AppliedStatus;
use crate::ops::preview::PreviewStatus;
use crate::ops::update::UpdateOutcome;
use crate::ops::update_core::CoreUpdate;
use crate::ops::upstream::NodeUpdate;

/// How an update ended, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateWord {
    /// It was done.
    Done,
    /// There was nothing to do.
    Nothing,
    /// Only shown; nothing was changed.
    DryRun,
    /// It would change something protected; nothing was changed.
    Blocked,
    /// There is no answer with the newer nodes or ComfyUI; nothing was changed.
    Conflict,
}

/// What an update of nodes or of ComfyUI came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct UpdateDocument {
    /// How it ended.
    pub status: UpdateWord,
    /// The digest of the state before and after: `portenv update --plan` applies exactly that.
    pub plan: Option<String>,
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
    /// Conflicts: those that were there before and were left out, or those that stopped it.
    pub conflicts: Vec<ConflictDocument>,
    /// Things worth knowing, in the order they were found.
    pub warnings: Vec<WarningDocument>,
    /// What is not met and does not stand in the way.
    pub waivers: Vec<WaiverDocument>,
    /// What is new upstream of each node, and why nodes are left alone; by directory.
    pub updates: Vec<NodeUpdate>,
    /// What is new upstream of ComfyUI, and why that is meant; null unless `--core` was given.
    pub core_update: Option<CoreUpdate>,
    /// What deserves a look before anything else, most important first.
    pub attention: Vec<Attention>,
    /// What `check` would find of the newer nodes, by code.
    pub findings: Vec<Finding>,
    /// The `install.py` of the newer nodes.
    pub scripts: Vec<ScriptDocument>,
    /// How many bytes would be downloaded, as far as the index states sizes.
    pub download_bytes: u64,
    /// How many bytes would be on disk of what comes; null unless it is known of each package.
    pub installed_bytes: Option<u64>,
}

impl From<&UpdateOutcome> for UpdateDocument {
    fn from(outcome: &UpdateOutcome) -> Self {
        let applied = &outcome.applied;
        let warning =
            |(code, message): &(&'static str, String)| WarningDocument::new(code, message);
        let mut warnings: Vec<WarningDocument> = applied.warnings.iter().map(warning).collect();
        if let Some(preview) = &outcome.no {
            warnings.extend(preview.set.problems.iter().map(WarningDocument::of_problem));
        }
        let status = match (outcome.no.as_ref().map(|no| no.status), applied.status) {
            (Some(PreviewStatus::Blocked), _) => UpdateWord::Blocked,
            (Some(_), _) => UpdateWord::Conflict,
            (None, AppliedStatus::Done) => UpdateWord::Done,
            (None, AppliedStatus::DryRun) => UpdateWord::DryRun,
            (None, _) => UpdateWord::Nothing,
        };
        let shown = outcome.preview.as_ref().or(outcome.no.as_ref());
        let shown = shown.map(|preview| PreviewDocument::from(preview.as_ref()));
        let (attention, findings, scripts, download_bytes, installed_bytes) =
            shown.map_or_else(Default::default, |shown| {
                let of = (shown.attention, shown.findings, shown.scripts);
                (
                    of.0,
                    of.1,
                    of.2,
                    shown.download_bytes,
                    shown.installed_bytes,
                )
            });
        Self {
            status,
            plan: outcome.plan.clone(),
            operation: applied.operation,
            before: applied.before.clone(),
            after: applied.after.clone(),
            changes: applied.changes.clone(),
            nodes: applied.nodes.clone(),
            core: applied.core.clone(),
            conflicts: ConflictDocument::all(&applied.conflicts),
            warnings,
            waivers: WaiverDocument::all(&applied.waivers),
            updates: outcome.updates.clone(),
            core_update: outcome.core.clone(),
            attention,
            findings,
            scripts,
            download_bytes,
            installed_bytes,
        }
    }
}
