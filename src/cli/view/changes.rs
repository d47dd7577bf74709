//! Changes of packages and nodes as a table and as JSON.

use comfy_table::{ContentArrangement, Table};

use crate::cli::screen::Screen;
use crate::lock::ChangeKind;
use crate::ops::changes::{ChangeInfo, NodeChange, NodeChangeKind};
use crate::package::artifact::{printable, show_bytes};
use crate::workspace::node::Node;

/// Returns a table without lines, as wide as the terminal.
pub fn table() -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(Screen::width());
    table
}

/// Returns the sign of a change, readable without colour.
pub(super) fn sign(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Add => "+",
        ChangeKind::Remove => "-",
        ChangeKind::Upgrade => "↑",
        ChangeKind::Downgrade => "↓",
        ChangeKind::Replace => "~",
    }
}

/// Returns the word of a change.
pub(super) fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Add => "add",
        ChangeKind::Remove => "remove",
        ChangeKind::Upgrade => "upgrade",
        ChangeKind::Downgrade => "downgrade",
        ChangeKind::Replace => "replace",
    }
}

/// Returns the changes as people read them.
pub fn to_text(changes: &[ChangeInfo], nodes: &[NodeChange]) -> String {
    let mut text = String::new();
    for node in nodes {
        let (sign, word) = match node.kind {
            NodeChangeKind::Add => ("+", "add"),
            NodeChangeKind::Remove => ("-", "remove"),
            NodeChangeKind::Update => ("~", "update"),
            NodeChangeKind::Enable => ("+", "enable"),
            NodeChangeKind::Disable => ("-", "disable"),
        };
        let at = |node: &Option<Node>| node.as_ref().map_or(String::new(), version_of);
        let arrow = match (at(&node.from), at(&node.to)) {
            (from, to) if from.is_empty() || from == to => to,
            (from, to) if to.is_empty() => from,
            (from, to) => format!("{from} → {to}"),
        };
        let line = format!("  {sign} node {} {word} {arrow}", printable(&node.dir));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if changes.is_empty() {
        return text;
    }
    let mut rows = table();
    for change in changes {
        let version = match (&change.from, &change.to) {
            (Some(from), Some(to)) if from == to => from.clone(),
            (Some(from), Some(to)) => format!("{from} → {to}"),
            (from, to) => from.clone().or(to.clone()).unwrap_or_default(),
        };
        let mut notes = Vec::new();
        if change.protected {
            notes.push("PROTECTED".to_owned());
        }
        if change.needs_rebuild {
            notes.push("NEEDS REBUILD".to_owned());
        }
        if change.major {
            notes.push("major".to_owned());
        }
        if change.sdist {
            notes.push("built from source".to_owned());
        }
        if change.pending {
            notes.push("due anyway".to_owned());
        }
        if let Some(bytes) = change.bytes {
            notes.push(show_bytes(bytes));
        }
        if let Some(supply) = change.supply {
            notes.push(supply.as_str().to_owned());
        }
        if let Some(step) = change.because.first() {
            notes.push(format!("for {}", step.package));
        }
        rows.add_row(vec![
            format!(" {} {}", sign(change.kind), change.name),
            word(change.kind).to_owned(),
            version,
            notes.join(", "),
        ]);
    }
    text.push_str(&trimmed(&rows));
    text
}

/// Returns the change of ComfyUI as people read it: from which commit to which.
pub fn core_to_text(core: Option<&NodeChange>) -> String {
    let Some(core) = core else {
        return String::new();
    };
    let at = |node: &Option<Node>| {
        let Some(node) = node else {
            return "?".to_owned();
        };
        match (&node.commit, &node.version) {
            (Some(_), Some(version)) => format!("{} ({})", version_of(node), printable(version)),
            _ => version_of(node),
        }
    };
    format!("  ~ ComfyUI {} → {}\n", at(&core.from), at(&core.to))
}

/// Returns a table's text without the spaces that fill its last column.
pub fn trimmed(table: &Table) -> String {
    let mut text = String::new();
    for line in table.to_string().lines() {
        text.push_str(printable(line).trim_end());
        text.push('\n');
    }
    text
}

/// Returns a node's commit or version in short.
pub fn version_of(node: &Node) -> String {
    match (&node.commit, &node.version) {
        (Some(commit), _) => commit.chars().take(10).collect(),
        (None, Some(version)) => printable(version),
        (None, None) => String::new(),
    }
}

/// Counts things: `1 file`, `2 files`.
pub fn counted(count: impl TryInto<u64>, thing: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    let more = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{more}")
}

/// Counts changes in words: `2 added, 1 removed`.
pub fn summary(changes: &[ChangeInfo]) -> String {
    let parts: Vec<String> = [
        (ChangeKind::Add, "added"),
        (ChangeKind::Upgrade, "upgraded"),
        (ChangeKind::Downgrade, "downgraded"),
        (ChangeKind::Replace, "replaced"),
        (ChangeKind::Remove, "removed"),
    ]
    .iter()
    .filter_map(|(kind, word)| {
        let count = changes.iter().filter(|change| change.kind == *kind).count();
        (count > 0).then(|| format!("{count} {word}"))
    })
    .collect();
    if parts.is_empty() {
        "no package changes".to_owned()
    } else {
        parts.join(", ")
    }
}
