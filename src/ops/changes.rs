//! Changes as every outcome shows them.

use serde::Serialize;

use super::backend;
use super::supply::Supply;
use crate::lock::{Change, ChangeKind};
use crate::package::{Name, Version};
use crate::plan::Plan;
use crate::requirements::Origin;
use crate::resolve::Step;
use crate::snapshot::State;
use crate::workspace::node::Node;

/// A change of one package.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Change")]
pub struct ChangeInfo {
    /// The package.
    pub name: Name,
    /// What happens to it.
    pub kind: ChangeKind,
    /// The version before.
    pub from: Option<String>,
    /// The version after.
    pub to: Option<String>,
    /// The first number of the version changes (PEP 440 release).
    pub major: bool,
    /// It is protected.
    pub protected: bool,
    /// It was built for another torch than the one the plan brings.
    pub needs_rebuild: bool,
    /// It is due even without the nodes at hand.
    pub pending: bool,
    /// How a node at hand comes to ask for it.
    pub because: Vec<StepInfo>,
    /// The line that leads to it; null where it goes.
    pub line: Option<AskingLine>,
    /// It is built from an sdist.
    pub sdist: bool,
    /// Where it comes from: an index's base URL or an address, without credentials.
    pub index: Option<String>,
    /// Nothing that is locked so far comes from that index.
    pub new_index: bool,
    /// Another build: the local label of the version changes (PEP 440).
    pub local_change: bool,
    /// How many bytes are downloaded; null where the index states no size.
    pub bytes: Option<u64>,
    /// How many bytes it comes to on disk; null but where resolving read the wheel's directory.
    pub installed_bytes: Option<u64>,
    /// How many bytes the files take that it takes the place of, by their RECORD.
    pub freed_bytes: Option<u64>,
    /// Where the files come from; null where that was not looked for.
    pub supply: Option<Supply>,
}

/// The line that leads to a change.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct AskingLine {
    /// The line as written.
    pub requirement: String,
    /// Where it stands.
    pub origin: Origin,
}

/// One step of a chain.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Step")]
pub struct StepInfo {
    /// The package that asks.
    pub package: Name,
    /// Which of its versions.
    pub version: String,
    /// What it asks for.
    pub requirement: String,
}

impl From<&Step> for StepInfo {
    fn from(step: &Step) -> Self {
        Self {
            package: step.package.clone(),
            version: step.version.clone(),
            requirement: step.requirement.clone(),
        }
    }
}

impl ChangeInfo {
    /// Makes the views of what a plan changes.
    pub fn all(plan: &Plan) -> Vec<Self> {
        plan.steps
            .iter()
            .map(|step| Self::new(&step.change))
            .collect()
    }

    /// Makes the view of a bare change.
    pub fn new(change: &Change) -> Self {
        let text = |version: &Option<Version>| version.as_ref().map(ToString::to_string);
        Self {
            name: change.name.clone(),
            kind: change.kind,
            from: text(&change.from),
            to: text(&change.to),
            major: change.is_major(),
            protected: false,
            needs_rebuild: false,
            pending: false,
            because: Vec::new(),
            line: None,
            sdist: false,
            index: None,
            new_index: false,
            local_change: is_other_build(change),
            bytes: None,
            installed_bytes: None,
            freed_bytes: None,
            supply: None,
        }
    }

    /// Makes the view of a package that the plan leaves alone and breaks.
    pub fn needing_rebuild(name: &Name, version: &Version) -> Self {
        Self {
            protected: true,
            needs_rebuild: true,
            ..Self::new(&Change {
                name: name.clone(),
                kind: ChangeKind::Replace,
                from: Some(version.clone()),
                to: Some(version.clone()),
            })
        }
    }
}

/// Reports whether the text behind `+` is another one.
fn is_other_build(change: &Change) -> bool {
    let label = |version: &Version| backend::local_label(version);
    matches!((&change.from, &change.to), (Some(from), Some(to)) if label(from) != label(to))
}

/// What happens to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeChangeKind {
    /// It comes.
    Add,
    /// It goes.
    Remove,
    /// Another commit, version or content.
    Update,
    /// It is loaded again.
    Enable,
    /// It is loaded no more.
    Disable,
}

/// A change of one node.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct NodeChange {
    /// Its directory.
    pub dir: String,
    /// What happens to it.
    pub kind: NodeChangeKind,
    /// What it was.
    pub from: Option<Node>,
    /// What it is.
    pub to: Option<Node>,
}

/// Compares two sets of nodes by name; sorted by directory.
pub fn compare_nodes(before: &[Node], after: &[Node]) -> Vec<NodeChange> {
    let mut changes = Vec::new();
    for old in before {
        let new = after.iter().find(|node| node.dir == old.dir).or_else(|| {
            after.iter().find(|node| {
                node.name == old.name && !before.iter().any(|other| other.dir == node.dir)
            })
        });
        let kind = match new {
            None => NodeChangeKind::Remove,
            Some(new) if new.enabled && !old.enabled => NodeChangeKind::Enable,
            Some(new) if !new.enabled && old.enabled => NodeChangeKind::Disable,
            Some(new) if new.differs_from(old) => NodeChangeKind::Update,
            Some(_) => continue,
        };
        changes.push(NodeChange {
            dir: new.unwrap_or(old).dir.clone(),
            kind,
            from: Some(old.clone()),
            to: new.cloned(),
        });
    }
    for new in after {
        let known = before.iter().any(|old| old.dir == new.dir)
            || changes.iter().any(|change| change.to.as_ref() == Some(new));
        if !known {
            changes.push(NodeChange {
                dir: new.dir.clone(),
                kind: NodeChangeKind::Add,
                from: None,
                to: Some(new.clone()),
            });
        }
    }
    changes.sort_by(|a, b| a.dir.cmp(&b.dir));
    changes
}

/// The difference between two states.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Difference {
    /// Packages.
    pub changes: Vec<ChangeInfo>,
    /// Nodes.
    pub nodes: Vec<NodeChange>,
    /// The core's commit or version changed.
    pub core: Option<NodeChange>,
    /// Packages of the read-only base beneath: others changed them, and no rollback does.
    pub base: Vec<ChangeInfo>,
}

impl Difference {
    /// Compares two states.
    pub fn between(before: &State, after: &State) -> Self {
        let compared = |before, after| {
            let changes = crate::lock::compare(&before, &after);
            changes.iter().map(ChangeInfo::new).collect()
        };
        let changes = compared(before.sides(), after.sides());
        let base = compared(before.base_sides(), after.base_sides());
        let nodes = compare_nodes(&before.nodes, &after.nodes);
        let core = match (&before.core, &after.core) {
            (Some(old), Some(new)) if old.commit != new.commit || old.version != new.version => {
                Some(NodeChange {
                    dir: new.dir.clone(),
                    kind: NodeChangeKind::Update,
                    from: Some(old.clone()),
                    to: Some(new.clone()),
                })
            }
            _ => None,
        };
        Self {
            changes,
            nodes,
            core,
            base,
        }
    }

    /// Reports whether there is no difference.
    pub fn is_empty(&self) -> bool {
        self.is_of_base() && self.base.is_empty()
    }

    /// Reports whether nothing differs but perhaps the base, which is not ours to change.
    pub fn is_of_base(&self) -> bool {
        self.changes.is_empty() && self.nodes.is_empty() && self.core.is_none()
    }
}
