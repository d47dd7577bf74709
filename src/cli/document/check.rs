//! What a check found.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ConflictDocument, SubsetDocument};
use crate::gate::Finding;
use crate::ops::changes::ChangeInfo;
use crate::ops::check::CheckOutcome;

/// What a check came to, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckWord {
    /// No finding of level `error`.
    Pass,
    /// At least one finding of level `error`.
    Fail,
}

/// What a check found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CheckDocument {
    /// What it came to.
    pub status: CheckWord,
    /// What was found, by code, and within one in the order it was found.
    pub findings: Vec<Finding>,
    /// Conflicts, old ones too.
    pub conflicts: Vec<ConflictDocument>,
    /// What a joint resolution would change against the environment, by name.
    pub changes: Vec<ChangeInfo>,
    /// The lock that stood for an installation.
    pub against: Option<String>,
    /// The most nodes that can live together; null unless `--subset` asks, and where not even
    /// the core has an answer.
    pub subset: Option<SubsetDocument>,
}

impl From<&CheckOutcome> for CheckDocument {
    fn from(found: &CheckOutcome) -> Self {
        Self {
            status: if found.pass {
                CheckWord::Pass
            } else {
                CheckWord::Fail
            },
            findings: found.findings.clone(),
            conflicts: ConflictDocument::all(&found.conflicts),
            changes: found.changes.clone(),
            against: found.against.clone(),
            subset: found.subset.iter().flatten().map(Into::into).next(),
        }
    }
}
