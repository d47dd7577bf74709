//! What nodes were checked against, and beside which others.

use schemars::JsonSchema;
use serde::Serialize;

use super::ConflictDocument;
use crate::ops::beside::{Beside, Fit};
use crate::ops::release::Release;

/// ComfyUI at a commit of its repository.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Release")]
pub struct ReleaseDocument {
    /// The tag, branch or commit.
    pub name: String,
    /// The commit.
    #[schemars(regex(pattern = r"^[0-9a-f]{40,64}$"))]
    pub commit: String,
    /// When it was committed (RFC 3339, UTC).
    pub time: String,
    /// The repository, without credentials.
    pub url: String,
}

impl From<&Release> for ReleaseDocument {
    fn from(release: &Release) -> Self {
        let time = jiff::Timestamp::from_second(release.time).unwrap_or_default();
        Self {
            name: release.name.clone(),
            commit: release.commit.clone(),
            time: time.to_string(),
            url: release.url.clone(),
        }
    }
}

/// A node of a list, judged beside the nodes at hand.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Beside")]
pub struct BesideDocument {
    /// Its name; what the list says of it where it could not be read.
    pub node: String,
    /// Where it comes from, as the list says, without credentials.
    pub source: String,
    /// Branch, tag or commit, as the list says.
    pub rev: Option<String>,
    /// How it goes with the nodes at hand.
    pub status: Fit,
    /// Why it is in the list, as the list says.
    pub reason: Option<String>,
    /// Why it could not be read, or what of it was left out.
    pub message: Option<String>,
    /// What it cannot agree on with the nodes at hand; among the conflicts of the check too.
    pub conflicts: Vec<ConflictDocument>,
}

impl From<&Beside> for BesideDocument {
    fn from(row: &Beside) -> Self {
        Self {
            node: row.node.clone(),
            source: row.source.clone(),
            rev: row.rev.clone(),
            status: row.fit,
            reason: row.reason.clone(),
            message: row.message.clone(),
            conflicts: ConflictDocument::all(&row.conflicts),
        }
    }
}
