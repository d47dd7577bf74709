//! Snapshots.

use super::changes::{table, trimmed, version_of};
use super::show_document;
use crate::cli::document::SnapshotDocument;
use crate::cli::document::snapshot::SnapshotEntry;
use crate::cli::failure::Exit;
use crate::cli::screen::{Format, Screen};
use crate::lock::ChangeKind;
use crate::ops::changes::{ChangeInfo, NodeChange, NodeChangeKind};
use crate::ops::snapshot::{Shown, Since};
use crate::package::artifact::{printable, show_bytes};
use crate::snapshot::SourceRecord;
use crate::workspace::node::Node;

/// Shows all snapshots.
pub fn show_list(screen: &Screen, list: &[Shown], stored: u64) -> Exit {
    if screen.format == Format::Json {
        let entry = |shown| SnapshotEntry::new(shown, false);
        let snapshots = list.iter().map(entry).collect();
        show_document(screen, "snapshot", &SnapshotDocument { snapshots }, &[]);
        return Exit::Done;
    }
    if list.is_empty() {
        screen.note("there is no snapshot yet");
        screen.hint("portenv init records the first");
        return Exit::Done;
    }
    screen.result(rows_to_text(list).trim_end());
    if stored > 0 {
        let bytes = show_bytes(stored);
        screen.note(&format!("the store keeps {bytes} for going back to these"));
    }
    screen
        .hint("p counts packages, n nodes; portenv rollback ID goes back to one, the newest is @");
    Exit::Done
}

/// Returns snapshots as a log: a line each, and below it what changed.
pub fn rows_to_text(list: &[Shown]) -> String {
    let mut text = String::new();
    for shown in list {
        let (state, snapshot) = (&shown.state, &shown.snapshot);
        let command = &snapshot.operation.command;
        let mut labels = String::new();
        for label in snapshot.labels.iter().filter(|label| *label != command) {
            labels.push_str(&format!(" ({})", printable(label)));
        }
        text.push_str(&format!(
            "{}  {}  {}p {}n  {}{labels}\n",
            snapshot.id,
            local_time(snapshot.operation.ended.as_deref()),
            state.packages.len(),
            state.nodes.len(),
            printable(command),
        ));
        for line in shown.since.iter().flat_map(since_to_lines) {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}

/// Says in a few lines what changed: nodes by name, of packages the counts and the first.
pub fn since_to_lines(since: &Since) -> Vec<String> {
    const MOST: usize = 4;
    let difference = &since.difference;
    let mut lines = Vec::new();
    if let Some(core) = &difference.core {
        let at = |node: &Option<Node>| node.as_ref().map_or(String::new(), version_of);
        lines.push(format!("ComfyUI {} → {}", at(&core.from), at(&core.to)));
    }
    let nodes: Vec<String> = difference.nodes.iter().map(node_to_word).collect();
    if !nodes.is_empty() {
        lines.push(format!("nodes: {}", nodes.join(", ")));
    }
    let of = |kinds: &[ChangeKind]| -> Vec<&ChangeInfo> {
        let all = difference.changes.iter();
        all.filter(|change| kinds.contains(&change.kind)).collect()
    };
    let groups = [
        ("+", of(&[ChangeKind::Add])),
        ("-", of(&[ChangeKind::Remove])),
        (
            "~",
            of(&[
                ChangeKind::Upgrade,
                ChangeKind::Downgrade,
                ChangeKind::Replace,
            ]),
        ),
    ];
    let counts: Vec<String> = (groups.iter())
        .filter(|(_, changes)| !changes.is_empty())
        .map(|(sign, changes)| format!("{sign}{}", changes.len()))
        .collect();
    let mut names: Vec<String> = (groups.iter())
        .flat_map(|(sign, changes)| changes.iter().map(move |change| (sign, change)))
        .map(|(sign, change)| match (&change.from, &change.to) {
            (Some(from), Some(to)) if from != to => format!("{sign}{} {from} → {to}", change.name),
            (from, to) => {
                let version = from.as_ref().or(to.as_ref());
                format!("{sign}{} {}", change.name, version.map_or("", |it| it))
            }
        })
        .collect();
    if names.len() > MOST {
        let more = format!("and {} more", names.len() - MOST + 1);
        names.truncate(MOST - 1);
        names.push(more);
    }
    if !counts.is_empty() {
        let (counts, names) = (counts.join(" "), names.join(", "));
        lines.push(format!("packages {counts}: {names}"));
    }
    if lines.is_empty() && since.lock {
        lines.push("only the lock".to_owned());
    }
    lines
}

fn node_to_word(change: &NodeChange) -> String {
    let node = change.to.as_ref().or(change.from.as_ref());
    let name = node.map_or_else(|| change.dir.clone(), |node| node.name.clone());
    let name = printable(&name);
    match change.kind {
        NodeChangeKind::Add => format!("+{name}"),
        NodeChangeKind::Remove => format!("-{name}"),
        NodeChangeKind::Update => format!("~{name}"),
        NodeChangeKind::Enable => format!("+{name} (enabled)"),
        NodeChangeKind::Disable => format!("-{name} (disabled)"),
    }
}

/// Shows one snapshot in full.
pub fn show_one(screen: &Screen, shown: &Shown) -> Exit {
    if screen.format == Format::Json {
        let snapshots = vec![SnapshotEntry::new(shown, true)];
        show_document(screen, "snapshot", &SnapshotDocument { snapshots }, &[]);
        return Exit::Done;
    }
    let state = &shown.state;
    let mut text = format!(
        "snapshot  {}\ntime      {}\n",
        shown.snapshot.id,
        local_time(shown.snapshot.operation.ended.as_deref())
    );
    if let Some(label) = shown.snapshot.label() {
        text.push_str(&format!("label     {}\n", printable(label)));
    }
    for line in shown.since.iter().flat_map(since_to_lines) {
        text.push_str(&format!("changed   {line}\n"));
    }
    text.push_str(&format!(
        "command   {}\npython    {} on {}\n",
        printable(&shown.snapshot.operation.command),
        state.python,
        state.platform
    ));
    if let Some(base) = &state.base {
        text.push_str(&format!(
            "base      {} packages at {} (read-only)\n",
            base.packages.len(),
            printable(&base.prefix)
        ));
    }
    if let Some(core) = &state.core {
        text.push_str(&format!("ComfyUI   {}\n", version_of(core)));
    }
    for node in &state.nodes {
        let mark = if node.enabled { "" } else { " (disabled)" };
        text.push_str(&format!(
            "node      {} {}{mark}\n",
            printable(&node.name),
            version_of(node)
        ));
    }
    let bytes = state.stored_bytes();
    if bytes > 0 {
        text.push_str(&format!("store     {}\n", show_bytes(bytes)));
    }
    let mut rows = table();
    for package in &state.packages {
        let known = package.source.as_ref();
        let mut source = match known {
            None if package.is_stored() => "the store".to_owned(),
            None => "no source".to_owned(),
            Some(source) => source.to_source().shown(),
        };
        if package.is_stored() && !matches!(known, None | Some(SourceRecord::Store { .. })) {
            source.push_str(", in the store");
        }
        rows.add_row(vec![
            format!("  {}", package.name),
            package.version.to_string(),
            source,
        ]);
    }
    if !state.packages.is_empty() {
        text.push_str(&trimmed(&rows));
    }
    for (name, reason) in state.unrestorable() {
        text.push_str(&format!(
            "cannot be brought back: {}: {}\n",
            printable(&name),
            printable(&reason)
        ));
    }
    screen.result(text.trim_end());
    Exit::Done
}

/// Shows the snapshot that was just made or named.
pub fn show_created(screen: &Screen, shown: &Shown) -> Exit {
    if screen.format == Format::Json {
        return show_one(screen, shown);
    }
    let label = shown
        .snapshot
        .label()
        .map_or(String::new(), |label| format!(" ({})", printable(label)));
    screen.result(&format!("snapshot {}{label}", shown.snapshot.id));
    for (name, reason) in shown.state.unrestorable() {
        screen.warning(&format!(
            "{} could not be brought back by a rollback: {}",
            printable(&name),
            printable(&reason)
        ));
    }
    Exit::Done
}

/// Files keep UTC; people read their own time, with its offset.
pub(super) fn local_time(text: Option<&str>) -> String {
    let Some(text) = text else {
        return String::new();
    };
    text.parse::<jiff::Timestamp>().map_or_else(
        |_| text.to_owned(),
        |time| {
            time.to_zoned(jiff::tz::TimeZone::system())
                .strftime("%Y-%m-%d %H:%M:%S%:z")
                .to_string()
        },
    )
}
