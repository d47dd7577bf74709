//! Snapshots.

use schemars::JsonSchema;
use serde::Serialize;

use crate::ops::changes::{ChangeInfo, NodeChange};
use crate::ops::snapshot::Shown;
use crate::package::Name;
use crate::package::artifact::SourceView;
use crate::snapshot::BaseState;
use crate::workspace::node::Node;

/// Snapshots, newest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SnapshotDocument {
    /// The snapshots; `list` leaves their packages and nodes empty.
    pub snapshots: Vec<SnapshotEntry>,
}

/// A recorded state.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Snapshot")]
pub struct SnapshotEntry {
    /// Its id: 12 hex digits.
    #[schemars(regex(pattern = r"^[0-9a-f]{12}$"))]
    pub id: String,
    /// The id of the snapshot before it.
    pub parent: Option<String>,
    /// When it was made (RFC 3339, UTC).
    pub time: Option<String>,
    /// Its label.
    pub label: Option<String>,
    /// The command line that left it.
    pub command: String,
    /// The digest of its state: equal digests mean equal states.
    pub state: Option<String>,
    /// ComfyUI itself.
    pub core: Option<Node>,
    /// The Python's version.
    pub python: String,
    /// The platform's triple.
    pub platform: String,
    /// What the environment sees of its read-only base; null if it sees none.
    pub base: Option<BaseDocument>,
    /// The distributions, by name.
    pub packages: Vec<SnapshotPackage>,
    /// The custom nodes, by directory.
    pub nodes: Vec<Node>,
    /// How many bytes of packages the store keeps for it; it shares files with other snapshots.
    pub stored_bytes: u64,
    /// What a rollback to it could not bring back.
    pub unrestorable: Vec<Unrestorable>,
    /// Packages that changed since the snapshot before it in the list, by name; empty for the
    /// first.
    pub changes: Vec<ChangeInfo>,
    /// Nodes that changed since then, by directory.
    pub node_changes: Vec<NodeChange>,
    /// How ComfyUI changed since then; null if it did not.
    pub core_change: Option<NodeChange>,
    /// The lock is another one than then.
    pub lock_changed: bool,
}

/// The read-only base beneath an environment.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Base")]
pub struct BaseDocument {
    /// The prefix of its Python.
    pub prefix: String,
    /// How many distributions it has.
    pub packages: usize,
    /// The digest of these: equal digests mean equal bases.
    pub digest: String,
}

impl From<&BaseState> for BaseDocument {
    fn from(base: &BaseState) -> Self {
        Self {
            prefix: base.prefix.clone(),
            packages: base.packages.len(),
            digest: base.digest(),
        }
    }
}

/// One distribution of a snapshot.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SnapshotPackage {
    /// Its normalised name (PEP 503).
    pub name: Name,
    /// Its normalised version (PEP 440).
    pub version: String,
    /// Where it can be had again; null if nowhere.
    pub source: Option<SourceView>,
    /// The store has it: it comes back without any network.
    pub stored: bool,
}

/// Something that could not be brought back.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Unrestorable {
    /// The package or node.
    pub name: String,
    /// Why, in words.
    pub reason: String,
}

impl Unrestorable {
    /// Makes the views of several.
    pub fn all(list: &[(String, String)]) -> Vec<Self> {
        let view = |(name, reason): &(String, String)| Self {
            name: name.clone(),
            reason: reason.clone(),
        };
        list.iter().map(view).collect()
    }
}

impl SnapshotEntry {
    /// Makes the view of a snapshot, with packages and nodes if it is to be full.
    pub fn new(shown: &Shown, full: bool) -> Self {
        let state = &shown.state;
        let operation = &shown.snapshot.operation;
        let packages = state.packages.iter().filter(|_| full);
        let since = shown.since.as_ref();
        let difference = since.map(|since| since.difference.clone());
        let difference = difference.unwrap_or_default();
        Self {
            id: shown.snapshot.id.clone(),
            parent: operation.parent.clone(),
            time: operation.ended.clone(),
            label: shown.snapshot.label().map(str::to_owned),
            command: operation.command.clone(),
            state: operation.after.clone(),
            core: state.core.clone(),
            python: state.python.clone(),
            platform: state.platform.clone(),
            base: state.base.as_ref().map(Into::into),
            packages: packages
                .map(|package| SnapshotPackage {
                    name: package.name.clone(),
                    version: package.version.to_string(),
                    source: (package.source.as_ref()).map(|source| source.to_source().view()),
                    stored: package.is_stored(),
                })
                .collect(),
            nodes: state.nodes.iter().filter(|_| full).cloned().collect(),
            stored_bytes: state.stored_bytes(),
            unrestorable: Unrestorable::all(&state.unrestorable()),
            changes: difference.changes,
            node_changes: difference.nodes,
            core_change: difference.core,
            lock_changed: since.is_some_and(|since| since.lock),
        }
    }
}
