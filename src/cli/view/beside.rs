//! The nodes of a list beside those at hand, as people read them: one line each.

use std::fmt::Write;

use crate::ops::beside::{Beside, Fit};
use crate::package::artifact::printable;

/// Returns how a node goes with the others, in words.
pub fn word(fit: Fit) -> &'static str {
    match fit {
        Fit::Fits => "fits",
        Fit::Conflicts => "conflicts",
        Fit::Unread => "could not be read",
        Fit::Itself => "is the node itself",
        Fit::NotAsked => "not asked",
    }
}

/// Returns what there is to say of a node besides.
pub fn remark(row: &Beside) -> String {
    let packages = row.conflicts.iter().flat_map(|conflict| &conflict.packages);
    let packages: Vec<&str> = packages.map(crate::package::Name::as_str).collect();
    let mut parts = vec![packages.join(", ")];
    parts.extend(row.message.clone());
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}

/// Returns the name with its revision.
pub fn name(row: &Beside) -> String {
    let rev = row.rev.as_ref();
    rev.map_or(row.node.clone(), |rev| format!("{}@{rev}", row.node))
}

/// Counts the nodes that fit: `3 of 5 nodes of the list fit`.
pub fn counted(rows: &[Beside]) -> String {
    let fit = |row: &&Beside| matches!(row.fit, Fit::Fits | Fit::Itself);
    let count = rows.iter().filter(fit).count();
    format!("{count} of {} nodes of the list fit", rows.len())
}

/// Returns the list as text.
pub fn text(rows: &[Beside]) -> String {
    let mut text = format!("{}\n", counted(rows));
    for row in rows {
        let remark = remark(row);
        let colon = if remark.is_empty() { "" } else { ": " };
        let line = format!("{} {}{colon}{remark}", name(row), word(row.fit));
        let _ = writeln!(text, "  {}", printable(&line));
    }
    text
}
