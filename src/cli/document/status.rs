//! The state of an installation.

use schemars::JsonSchema;
use serde::Serialize;

use super::resolution::StaleDocument;
use super::snapshot::BaseDocument;
use super::{DiffDocument, LeftOutDocument, WaiverDocument};
use crate::ops::changes::ChangeInfo;
use crate::ops::status::{Edited, Pending, Status};
use crate::ops::traces::Trace;
use crate::snapshot::Operation;
use crate::workspace::Layout;

/// The state of an installation.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StatusDocument {
    /// The installation's directory.
    pub root: String,
    /// How it is laid out.
    pub layout: Layout,
    /// ComfyUI's directory, relative to the root where it lies in it; null if a base
    /// directory names none.
    pub core: Option<String>,
    /// Why this core, in words.
    pub core_reason: String,
    /// The Python's path, relative to the root where it lies in it.
    pub python: String,
    /// Its version.
    pub python_version: String,
    /// Why it was chosen, in words.
    pub python_reason: String,
    /// What the environment sees of its read-only base; null if it sees none.
    pub base: Option<BaseDocument>,
    /// The id of the newest snapshot; null before the first.
    pub snapshot: Option<String>,
    /// One digest (SHA-256) of what is here now, equal on machines that are equal: packages by
    /// name, version and RECORD, and by source where that is no index; nodes by directory,
    /// source, commit or content, and whether they are enabled; changed files of checkouts; the
    /// core's commit, Python's version, the platform. No path beyond the installation is in it.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub state: String,
    /// When that was taken (RFC 3339, UTC); null before the first.
    pub snapshot_time: Option<String>,
    /// What differs from the newest snapshot.
    pub drift: DiffDocument,
    /// Files that were changed in checkouts of nodes since then, by node.
    pub edited: Vec<Edited>,
    /// Who changed these packages, as far as what they left tells: the earliest first, removals last.
    pub traces: Vec<Trace>,
    /// Why the lock is stale; empty if it is fresh, or if there is none.
    pub stale: Vec<StaleDocument>,
    /// What `portenv sync` would change, by name; empty if the lock is stale or there is none.
    pub unsynced: Vec<ChangeInfo>,
    /// An operation that was cut short and has to be undone; null if there is none.
    pub interrupted: Option<InterruptedDocument>,
    /// Files that make ComfyUI-Manager change things at the next start.
    pub startup_scripts: Vec<String>,
    /// What these files do, one entry for each.
    pub pending: Vec<Pending>,
    /// What to do next, in words.
    pub hints: Vec<String>,
    /// Requirements that are violated and do not stand in the way: by the lock, else as things are.
    pub waivers: Vec<WaiverDocument>,
    /// Nodes that the lock was made without, by name.
    pub left_out: Vec<LeftOutDocument>,
}

/// An operation that was cut short.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Interrupted")]
pub struct InterruptedDocument {
    /// Its number in the history.
    pub operation: i64,
    /// Its kind: `add`, `rollback` and so on.
    pub kind: String,
    /// The command line.
    pub command: String,
    /// When it began (RFC 3339, UTC).
    pub started: String,
}

impl From<&Operation> for InterruptedDocument {
    fn from(operation: &Operation) -> Self {
        Self {
            operation: operation.number,
            kind: operation.kind.clone(),
            command: operation.command.clone(),
            started: operation.started.clone(),
        }
    }
}

impl From<&Status> for StatusDocument {
    fn from(status: &Status) -> Self {
        Self {
            root: status.root.clone(),
            layout: status.layout,
            core: status.core.clone(),
            core_reason: status.core_reason.to_owned(),
            python: status.python.clone(),
            python_version: status.python_version.clone(),
            python_reason: status.python_reason.clone(),
            base: status.base.as_ref().map(Into::into),
            snapshot: status.snapshot.clone(),
            state: status.state.clone(),
            snapshot_time: status.snapshot_time.clone(),
            drift: DiffDocument::new("@", "env", &status.drift),
            edited: status.edited.clone(),
            traces: status.traces.clone(),
            stale: StaleDocument::all(&status.stale),
            unsynced: status.unsynced.clone(),
            interrupted: status.interrupted.as_ref().map(Into::into),
            startup_scripts: status.startup_scripts.clone(),
            pending: status.pending.clone(),
            hints: status.hints.clone(),
            waivers: WaiverDocument::all(&status.waivers),
            left_out: status.left_out.iter().map(Into::into).collect(),
        }
    }
}
