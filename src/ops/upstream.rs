//! What is new upstream of a node, as values to be shown.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::context::{Context, Site};
use crate::host::fs;
use crate::nodes::upstream::{Offer, Standing};
use crate::requirements::set::{gather_core, gather_node};
use crate::requirements::{RequirementSet, Role};
use crate::workspace::node::Node;

/// How a node stands to its upstream, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateState {
    /// There is something newer, or what was named.
    Due,
    /// It has what there is.
    Current,
    /// It is left alone, for the reason told.
    Left,
}

/// What happens to a node's `install.py`, which an update never runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScriptChange {
    /// It comes.
    New,
    /// It is another one.
    Changed,
    /// It goes.
    Removed,
    /// It stays as it is.
    Unchanged,
}

/// Lines of one package that differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RequirementChange {
    /// The package.
    pub name: String,
    /// What was asked of it.
    pub from: String,
    /// What is asked of it.
    pub to: String,
}

/// How what a node asks for differs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RequirementDiff {
    /// Lines on packages that it did not ask for.
    pub added: Vec<String>,
    /// Lines on packages that it asks for no more.
    pub removed: Vec<String>,
    /// Packages of which it asks something else, by name.
    pub changed: Vec<RequirementChange>,
}

/// What an update of one node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NodeUpdate {
    /// The node's name.
    pub node: String,
    /// Its directory.
    pub dir: String,
    /// How it stands.
    pub state: UpdateState,
    /// The commit that is there.
    pub from: Option<String>,
    /// The commit that there is upstream.
    pub to: Option<String>,
    /// The branch that moves along.
    pub branch: Option<String>,
    /// How many commits come.
    pub commits: u64,
    /// How many commits go, as they do on the way back to an older one.
    pub commits_removed: u64,
    /// When the oldest commit that comes was made.
    pub oldest: Option<String>,
    /// When the newest was.
    pub newest: Option<String>,
    /// The first lines of the newest commits' messages, newest first.
    pub subjects: Vec<String>,
    /// How many files change.
    pub files_changed: u64,
    /// How many lines come.
    pub lines_added: u64,
    /// How many lines go.
    pub lines_removed: u64,
    /// How much larger its files are together, in bytes.
    pub growth_bytes: i64,
    /// How what it asks for differs.
    pub requirements: RequirementDiff,
    /// What happens to its `install.py`; null if it has none.
    pub install_script: Option<ScriptChange>,
    /// Why it is left alone.
    pub reason: Option<String>,
}

/// Makes the view of a node of which nothing is known upstream.
pub fn bare(node: &Node) -> NodeUpdate {
    NodeUpdate {
        node: node.name.clone(),
        dir: node.dir.clone(),
        state: UpdateState::Left,
        from: node.commit.clone(),
        to: None,
        branch: None,
        commits: 0,
        commits_removed: 0,
        oldest: None,
        newest: None,
        subjects: Vec::new(),
        files_changed: 0,
        lines_added: 0,
        lines_removed: 0,
        growth_bytes: 0,
        requirements: RequirementDiff::default(),
        install_script: None,
        reason: None,
    }
}

/// Why a node is left alone.
pub fn reason(offer: &Offer) -> Option<String> {
    let dir = &offer.ask.node.dir;
    Some(match &offer.standing {
        Standing::Due | Standing::Current => return None,
        Standing::Pinned => {
            "it is at a commit without a branch, so it is pinned; name it, or NODE@REV, to move it"
                .to_owned()
        }
        Standing::NotGit => {
            "it is no git checkout; add it again from where it came from".to_owned()
        }
        Standing::NoRemote => "its repository has no remote, or no commit yet".to_owned(),
        Standing::Diverged => format!(
            "it has commits of its own that are not upstream; run git -C {dir} rebase, or name NODE@REV to leave them on their branch"
        ),
        Standing::Dirty => "it has changed files, which are never overwritten".to_owned(),
        Standing::InTheWay(files) => format!(
            "files that are not git's are in the way: {}",
            files.iter().take(3).cloned().collect::<Vec<_>>().join(", ")
        ),
        Standing::Failed(error) => error.to_string(),
    })
}

const SUBJECTS: usize = 5;

/// Describes what is new upstream of a node.
pub fn describe(context: &Context, site: &Site, offer: &Offer) -> NodeUpdate {
    let between = &offer.between;
    let sum = |of: fn(&(String, u64, u64)) -> u64| between.files.iter().map(of).sum();
    let mut update = NodeUpdate {
        state: match offer.standing {
            Standing::Due => UpdateState::Due,
            Standing::Current => UpdateState::Current,
            _ => UpdateState::Left,
        },
        from: offer.from.clone(),
        to: offer.to.clone(),
        branch: offer.branch.clone(),
        commits: between.commits.len() as u64,
        commits_removed: between.gone,
        oldest: between.commits.iter().map(|(time, _)| in_utc(time)).min(),
        newest: between.commits.iter().map(|(time, _)| in_utc(time)).max(),
        subjects: (between.commits.iter().take(SUBJECTS))
            .map(|(_, subject)| subject.clone())
            .collect(),
        files_changed: between.files.len() as u64,
        lines_added: sum(|file| file.1),
        lines_removed: sum(|file| file.2),
        growth_bytes: between.growth,
        reason: reason(offer),
        ..bare(&offer.ask.node)
    };
    if let Some(aside) = &offer.aside {
        let script =
            |dir: &camino::Utf8Path| fs::find_bytes(&dir.join("install.py")).ok().flatten();
        update.install_script = match (script(&offer.ask.path), script(aside)) {
            (None, None) => None,
            (None, Some(_)) => Some(ScriptChange::New),
            (Some(_), None) => Some(ScriptChange::Removed),
            (Some(old), Some(new)) if old == new => Some(ScriptChange::Unchanged),
            _ => Some(ScriptChange::Changed),
        };
        let asked = |path: &camino::Utf8Path| {
            let mut set = RequirementSet::default();
            let (node, here) = (&offer.ask.node, &site.installation);
            if here.comfyui.as_deref() == Some(&offer.ask.path) {
                gather_core(&mut set, here, path, &context.variables);
            } else {
                gather_node(&mut set, here, node, path, &context.variables);
            }
            asked_for(&set)
        };
        update.requirements = differ(&asked(&offer.ask.path), &asked(aside));
    }
    update
}

fn in_utc(time: &str) -> String {
    time.parse::<jiff::Timestamp>()
        .map_or_else(|_| time.to_owned(), |time| time.to_string())
}

type Asked = BTreeMap<String, BTreeSet<String>>;

/// What a node asks for, by package; lines without a name by their text.
fn asked_for(set: &RequirementSet) -> Asked {
    let mut asked = Asked::new();
    for line in set.lines.iter().filter(|line| line.role == Role::Require) {
        let text = crate::package::redact(&line.requirement.to_string());
        let name = line.requirement.name.to_string();
        asked.entry(name).or_default().insert(text);
    }
    for entry in &set.unnamed {
        let text = crate::package::redact(&entry.text);
        asked.entry(text.clone()).or_default().insert(text);
    }
    asked
}

fn differ(before: &Asked, after: &Asked) -> RequirementDiff {
    let shown = |texts: &BTreeSet<String>| texts.iter().cloned().collect::<Vec<_>>().join(", ");
    let only = |these: &Asked, others: &Asked| {
        let gone = these.iter().filter(|(name, _)| !others.contains_key(*name));
        gone.flat_map(|(_, texts)| texts.iter().cloned()).collect()
    };
    let changed = before.iter().filter_map(|(name, from)| {
        let to = after.get(name).filter(|to| *to != from)?;
        Some(RequirementChange {
            name: name.clone(),
            from: shown(from),
            to: shown(to),
        })
    });
    RequirementDiff {
        added: only(after, before),
        removed: only(before, after),
        changed: changed.collect(),
    }
}
