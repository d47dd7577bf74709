//! Conflicts: the lines at fault.

use schemars::JsonSchema;
use serde::Serialize;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, value};

use crate::lock::compare;
use crate::lock::compare::{Side, Sides};
use crate::ops::changes::{ChangeInfo, StepInfo};
use crate::package::Name;
use crate::requirements::Origin;
use crate::resolve::{Conflict, Edit};

/// Requirements that cannot hold together, or one that nothing can meet.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Conflict")]
pub struct ConflictDocument {
    /// The contested packages, normalised names (PEP 503).
    pub packages: Vec<Name>,
    /// The lines of the minimal core: without any one of them there is an answer to the others.
    pub requirements: Vec<ConflictLine>,
    /// The whole in words.
    pub explanation: String,
    /// It is not there without the nodes that were named; true where no node was.
    pub new: bool,
    /// Ways out; empty where none was looked for.
    pub suggestions: Vec<Suggestion>,
}

/// One line of a conflict.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ConflictLine {
    /// The requirement as written (PEP 508).
    pub requirement: String,
    /// Where it stands.
    pub origin: Origin,
    /// The chain from the line's own package to the contested one; empty if they are one.
    pub via: Vec<StepInfo>,
}

/// A way out of a conflict.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Suggestion {
    /// A word for programs; the list is open.
    pub kind: String,
    /// What to do, in words.
    pub text: String,
    /// What it would change against the environment.
    pub changes: Vec<ChangeInfo>,
    /// What to add to `portenv.toml` (TOML); null where flags do it, or where there is no
    /// installation.
    pub settings: Option<String>,
    /// Flags that do it when they are added to the command; empty where settings do.
    pub flags: Vec<String>,
    /// The command that does it; empty where settings or flags do.
    pub argv: Vec<String>,
    /// It was tried and has an answer.
    pub verified: bool,
}

impl From<&Conflict> for ConflictDocument {
    fn from(conflict: &Conflict) -> Self {
        let line = |line: &crate::resolve::CoreLine| ConflictLine {
            requirement: line.requirement.clone(),
            origin: line.origin.clone(),
            via: line.via.iter().map(StepInfo::from).collect(),
        };
        Self {
            packages: conflict.packages.clone(),
            requirements: conflict.requirements.iter().map(line).collect(),
            explanation: conflict.explanation.clone(),
            new: conflict.new,
            suggestions: conflict.suggestions.iter().map(Into::into).collect(),
        }
    }
}

impl From<&crate::resolve::Suggestion> for Suggestion {
    fn from(found: &crate::resolve::Suggestion) -> Self {
        let (mut before, mut after) = (Sides::new(), Sides::new());
        for (name, from, to) in &found.changes {
            before.extend(
                from.clone()
                    .map(|version| (name.clone(), Side::of(version))),
            );
            after.extend(to.clone().map(|version| (name.clone(), Side::of(version))));
        }
        let changes = compare(&before, &after);
        Self {
            kind: found.kind.as_str().to_owned(),
            text: found.text.clone(),
            changes: changes.iter().map(ChangeInfo::new).collect(),
            settings: found.edit.as_ref().and_then(settings),
            flags: found.flags.clone(),
            argv: (found
                .command
                .first()
                .map(|_| "portenv".to_owned())
                .into_iter())
            .chain(found.command.iter().cloned())
            .collect(),
            verified: true,
        }
    }
}

/// Returns an edit as the part of `portenv.toml` that it adds; what it takes away has none.
fn settings(edit: &Edit) -> Option<String> {
    let mut document = DocumentMut::new();
    let (header, key, value) = match edit {
        Edit::Override {
            name,
            specifier,
            nodes,
        } => {
            let mut inner = InlineTable::new();
            inner.insert("specifier", specifier.as_str().into());
            inner.insert("for", nodes.iter().collect::<Array>().into());
            (vec!["overrides"], name.as_str(), value(inner))
        }
        Edit::Sources { node } => (vec!["nodes", node], "sources", value("requirements")),
        Edit::Ignore { node } => (vec!["nodes", node], "ignore", value(true)),
        Edit::Exclude { name } => {
            let names: Array = [name.as_str()].into_iter().collect();
            (vec!["policy"], "exclude", value(names))
        }
        Edit::Prerelease => (vec!["resolve"], "prerelease", value("allow")),
        Edit::Unconstrain { .. } => return None,
        Edit::Index {
            name,
            url,
            packages,
        } => {
            let mut index = Table::new();
            index.insert("name", value(name));
            index.insert("url", value(url));
            index.insert("packages", value(packages.iter().collect::<Array>()));
            let tables: ArrayOfTables = [index].into_iter().collect();
            document.insert("index", Item::ArrayOfTables(tables));
            return Some(document.to_string());
        }
    };
    let mut table = document.as_table_mut();
    for part in header {
        let mut inner = Table::new();
        // Only the last of `[nodes.NAME]` has a line of its own.
        inner.set_implicit(true);
        let item = table.entry(part).or_insert(Item::Table(inner));
        table = item.as_table_mut()?;
    }
    table.insert(key, value);
    Some(document.to_string())
}

impl ConflictDocument {
    /// Makes the views of several.
    pub fn all(conflicts: &[Conflict]) -> Vec<Self> {
        conflicts.iter().map(Self::from).collect()
    }
}
