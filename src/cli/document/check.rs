//! What a check found.

use schemars::JsonSchema;
use serde::Serialize;

use super::{BesideDocument, ConflictDocument, ReleaseDocument, SubsetDocument, WarningDocument};
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
    /// The lock, requirements file or checkout that stood for an installation.
    pub against: Option<String>,
    /// The release of ComfyUI that stood for an installation.
    pub core: Option<ReleaseDocument>,
    /// What indexes had at this instant (RFC 3339, UTC) counts, as follows from that lock or
    /// release; null where a cut-off is named, or today's indexes count.
    pub as_of: Option<String>,
    /// Things worth knowing that did not stop the work.
    pub warnings: Vec<WarningDocument>,
    /// The nodes of the list given by `--with`, in its order; null without one.
    pub with: Option<Vec<BesideDocument>>,
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
            core: found.core.as_ref().map(Into::into),
            as_of: found.as_of.map(|time| time.to_string()),
            warnings: (found.warnings.iter())
                .map(WarningDocument::of_warning)
                .collect(),
            with: (found.beside.as_ref()).map(|rows| rows.iter().map(Into::into).collect()),
            subset: found.subset.iter().flatten().map(Into::into).next(),
        }
    }
}
