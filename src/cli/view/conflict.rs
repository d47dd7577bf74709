//! Conflicts: the lines at fault, each with node, file and line.

use std::fmt::Write;

use super::explain::quoted;
use crate::cli::document::ConflictDocument;
use crate::cli::document::conflict::{ConflictLine, Suggestion};
use crate::cli::screen::Screen;
use crate::ops::changes::ChangeInfo;
use crate::package::artifact::printable;
use crate::resolve::Conflict;

/// How many ways out of a conflict are shown where it is met.
pub const MOST: usize = 3;

/// How wide a conflict may be that is shown where it is met: what it interrupts may be a
/// script, whose reader has a terminal of any size.
const WIDTH: usize = 80;

/// Returns the conflicts as people read them, each with the ways out that change least.
pub fn to_text(conflicts: &[Conflict]) -> String {
    texts(&ConflictDocument::all(conflicts), WIDTH, MOST)
}

/// Returns the conflicts with all ways out, in lines of a width as far as words allow.
pub fn in_full(conflicts: &[ConflictDocument], width: usize) -> String {
    texts(conflicts, width, usize::MAX).trim_end().to_owned()
}

/// Says with which command what is protected may change: all of it at once, for one alone
/// seldom can.
pub fn show_permission(screen: &Screen, changes: &[ChangeInfo]) {
    let names = changes.iter().filter(|change| change.protected);
    let names: Vec<&str> = names.map(|change| change.name.as_str()).collect();
    let flags = names.iter().flat_map(|name| ["--allow-change", *name]);
    let again = screen.line().clone().unsigned().with(flags).next("");
    screen.hint(&format!(
        "{} lets {} change",
        quoted(&screen.line().complete(&again).argv),
        names.join(", ")
    ));
}

fn texts(conflicts: &[ConflictDocument], width: usize, most: usize) -> String {
    let mut text = String::new();
    for conflict in conflicts {
        head(&mut text, conflict);
        let table = rows(conflict);
        let fits = |row: &String| row.lines().all(|line| line.chars().count() <= width);
        if table.iter().all(fits) {
            text.extend(table);
        } else {
            let lines = conflict.requirements.iter();
            text.extend(lines.map(|line| stacked(line, width)));
        }
        if is_supply(conflict) {
            text.push_str(&wrapped(&conflict.explanation, "    ", "    ", width));
        }
        text.push('\n');
        ways_out(&mut text, conflict, width, most);
    }
    printable(&text)
}

fn ways_out(text: &mut String, conflict: &ConflictDocument, width: usize, most: usize) {
    let untried = |lead: &str| {
        let told = format!(
            "{} possible ones were not tried in time; the same command again may get further",
            conflict.untried
        );
        wrapped(&told, lead, "    ", width)
    };
    if conflict.suggestions.is_empty() {
        if conflict.untried > 0 {
            text.push_str(&untried("  no way out yet: "));
            text.push('\n');
        }
        return;
    }
    text.push_str("  ways out (each was tried)\n");
    for way in conflict.suggestions.iter().take(most) {
        let lead = format!("    {}. ", way.number);
        let whole = format!("{}{}", way.text, done_by(way));
        let indent = " ".repeat(lead.chars().count());
        text.push_str(&wrapped(&whole, &lead, &indent, width));
    }
    if conflict.untried > 0 && conflict.suggestions.len() < MOST {
        text.push_str(&untried("    more: "));
    }
    text.push('\n');
}

/// Fills lines with words; a word that is longer than a line stays whole.
pub fn wrapped(text: &str, lead: &str, indent: &str, width: usize) -> String {
    let mut out = String::new();
    let (mut line, mut empty) = (lead.to_owned(), true);
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            let _ = writeln!(out, "{line}");
            (line, empty) = (indent.to_owned(), true);
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    let _ = writeln!(out, "{line}");
    out
}

fn is_supply(conflict: &ConflictDocument) -> bool {
    conflict.requirements.len() == 1
}

fn head(text: &mut String, conflict: &ConflictDocument) {
    let headline = if is_supply(conflict) {
        "this requirement cannot be met"
    } else {
        "these requirements cannot hold together"
    };
    let _ = writeln!(text, "{headline}\n");
    if let Some(name) = conflict.packages.first() {
        let _ = writeln!(text, "  {name}");
    }
}

/// The lines as a table, each with the chain that it leads through.
fn rows(conflict: &ConflictDocument) -> Vec<String> {
    let lines = &conflict.requirements;
    let widest = |of: fn(&ConflictLine) -> String, most: usize| {
        let lengths = lines.iter().map(|line| of(line).chars().count());
        lengths.max().unwrap_or(0).min(most)
    };
    let owner = widest(|line| line.origin.owner(), 32);
    let place = widest(|line| line.origin.place_of_line(), 60);
    let row = |line: &ConflictLine| {
        let mut row = format!(
            "    {:owner$}  {:place$}  {}\n",
            line.origin.owner(),
            line.origin.place_of_line(),
            line.requirement
        );
        for step in chain(line) {
            let _ = writeln!(row, "    {:owner$}  {step}", "");
        }
        row
    };
    lines.iter().map(row).collect()
}

/// One line of a conflict below the other, where a table is too wide.
fn stacked(line: &ConflictLine, width: usize) -> String {
    let lead = format!("    {}  ", line.origin.owner());
    let deep = " ".repeat(6);
    let mut text = wrapped(&line.requirement, &lead, &deep, width);
    let _ = writeln!(text, "{deep}{}", line.origin.place_of_line());
    for step in chain(line) {
        text.push_str(&wrapped(&step, &deep, &" ".repeat(8), width));
    }
    text
}

fn chain(line: &ConflictLine) -> impl Iterator<Item = String> {
    let steps = line.via.iter();
    steps.map(|step| {
        let version = step.version.trim_start_matches("==");
        format!("{} {version} needs {}", step.package, step.requirement)
    })
}

fn done_by(way: &Suggestion) -> String {
    match (way.argv.is_empty(), way.flags.is_empty()) {
        (false, _) => format!(": {}", way.argv.join(" ")),
        (true, false) => format!(": {}", way.flags.join(" ")),
        (true, true) => String::new(),
    }
}
