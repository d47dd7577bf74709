//! What changing commands came to.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ConflictDocument, WaiverDocument, WarningDocument};
use crate::ops::changes::{ChangeInfo, NodeChange};
use crate::ops::outcome::{Applied, AppliedStatus};
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
    /// Conflicts: those that were there before and were left out, or those that stopped it.
    pub conflicts: Vec<ConflictDocument>,
    /// Things worth knowing, in the order they were found.
    pub warnings: Vec<WarningDocument>,
    /// Requirements that are not met and did not stand in the way.
    pub waivers: Vec<WaiverDocument>,
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
            conflicts: ConflictDocument::all(&applied.conflicts),
            warnings: applied.warnings.iter().map(warning).collect(),
            waivers: WaiverDocument::all(&applied.waivers),
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
            conflicts: ConflictDocument::all(conflicts),
            warnings: Vec::new(),
            waivers: Vec::new(),
        }
    }
}
