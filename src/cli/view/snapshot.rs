//! Snapshots.

use super::changes::{table, trimmed, version_of};
use super::show_document;
use crate::cli::document::SnapshotDocument;
use crate::cli::document::snapshot::SnapshotEntry;
use crate::cli::failure::Exit;
use crate::cli::screen::{Format, Screen};
use crate::ops::snapshot::Shown;
use crate::package::artifact::printable;

/// Shows all snapshots.
pub fn show_list(screen: &Screen, list: &[Shown]) -> Exit {
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
    screen
        .hint("p counts packages, n nodes; portenv rollback ID goes back to one, the newest is @");
    Exit::Done
}

/// Returns snapshots as a table, a line each.
pub fn rows_to_text(list: &[Shown]) -> String {
    if list.is_empty() {
        return String::new();
    }
    let mut rows = table();
    for shown in list {
        let state = &shown.state;
        let command = &shown.snapshot.operation.command;
        let label = shown
            .snapshot
            .label()
            .filter(|label| label != command)
            .map_or(String::new(), |label| format!(" ({})", printable(label)));
        rows.add_row(vec![
            shown.snapshot.id.clone(),
            local_time(shown.snapshot.operation.ended.as_deref()),
            format!("{}p {}n", state.packages.len(), state.nodes.len()),
            format!("{}{label}", printable(command)),
        ]);
    }
    trimmed(&rows)
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
    let mut rows = table();
    for package in &state.packages {
        let source = package
            .source
            .as_ref()
            .map_or("no source".to_owned(), |source| source.to_source().shown());
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
fn local_time(text: Option<&str>) -> String {
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
