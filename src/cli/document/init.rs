//! What `init` found and did.

use schemars::JsonSchema;
use serde::Serialize;

use super::snapshot::{BaseDocument, Unrestorable};
use super::{AppliedWord, ConflictDocument, WarningDocument};
use crate::ops::backend::Backend;
use crate::ops::changes::ChangeInfo;
use crate::ops::init::InitOutcome;
use crate::workspace::Layout;
use crate::workspace::node::Node;

/// What `init` found and did.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct InitDocument {
    /// `done` if a file or a snapshot was written, else `nothing`.
    pub status: AppliedWord,
    /// Always null.
    pub operation: Option<i64>,
    /// Always null.
    pub before: Option<String>,
    /// The id of the newest snapshot.
    pub after: String,
    /// Always empty.
    pub changes: Vec<ChangeInfo>,
    /// The custom nodes, by name.
    pub nodes: Vec<Node>,
    /// Always empty.
    pub conflicts: Vec<ConflictDocument>,
    /// What is to be known of torch's build.
    pub warnings: Vec<WarningDocument>,
    /// The installation's directory.
    pub root: String,
    /// How it is laid out.
    pub layout: Layout,
    /// ComfyUI itself.
    pub core: Option<Node>,
    /// Why this core, in words.
    pub core_reason: String,
    /// What the environment sees of its read-only base; null if it sees none.
    pub base: Option<BaseDocument>,
    /// The Python's path, relative to the root where it lies in it.
    pub python: String,
    /// Its version.
    pub python_version: String,
    /// Why it was chosen, in words.
    pub python_reason: String,
    /// The version of torch that is installed, with its backend's tag.
    pub torch: Option<String>,
    /// What torch was built for, and where it is from.
    pub backend: Option<Backend>,
    /// How many distributions are installed.
    pub packages: usize,
    /// `portenv.toml` was written.
    pub written: bool,
    /// What a rollback to this snapshot could not bring back.
    pub unrestorable: Vec<Unrestorable>,
}

impl From<&InitOutcome> for InitDocument {
    fn from(found: &InitOutcome) -> Self {
        Self {
            status: if found.written || found.recorded {
                AppliedWord::Done
            } else {
                AppliedWord::Nothing
            },
            operation: None,
            before: None,
            after: found.snapshot.clone(),
            changes: Vec::new(),
            nodes: found.nodes.clone(),
            conflicts: Vec::new(),
            warnings: (found.warnings.iter())
                .map(|(code, message)| WarningDocument::new(code, message))
                .collect(),
            root: found.root.clone(),
            layout: found.layout,
            core: found.core.clone(),
            core_reason: found.core_reason.to_owned(),
            base: found.base.as_ref().map(Into::into),
            python: found.python.clone(),
            python_version: found.python_version.clone(),
            python_reason: found.python_reason.clone(),
            torch: found.torch.clone(),
            backend: found.backend.clone(),
            packages: found.packages,
            written: found.written,
            unrestorable: Unrestorable::all(&found.unrestorable),
        }
    }
}
