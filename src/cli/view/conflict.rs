//! Conflicts: the lines at fault, each with node, file and line.

use std::fmt::Write;

use crate::cli::document::ConflictDocument;
use crate::cli::document::conflict::{ConflictLine, Suggestion};
use crate::package::artifact::printable;
use crate::resolve::Conflict;

/// How many ways out of a conflict are shown where it is met.
pub const MOST: usize = 3;

/// Returns the conflicts as people read them, each with the ways out that change least.
pub fn to_text(conflicts: &[Conflict]) -> String {
    let mut text = String::new();
    for conflict in ConflictDocument::all(conflicts) {
        head(&mut text, &conflict);
        for line in rows(&conflict) {
            text.push_str(&line);
        }
        tail(&mut text, &conflict, MOST, |way| {
            format!("    {}. {}{}\n", way.number, way.text, done_by(way))
        });
    }
    printable(&text)
}

/// Returns the conflicts with all ways out, in lines of a width as far as words allow.
pub fn in_full(conflicts: &[ConflictDocument], width: usize) -> String {
    let mut text = String::new();
    for conflict in conflicts {
        head(&mut text, conflict);
        let table = rows(conflict);
        let fits = |row: &String| row.lines().all(|line| line.chars().count() <= width);
        if table.iter().all(fits) {
            text.extend(table);
        } else {
            text.extend(
                conflict
                    .requirements
                    .iter()
                    .map(|line| stacked(line, width)),
            );
        }
        tail(&mut text, conflict, usize::MAX, |way| {
            let lead = format!("    {}. ", way.number);
            let whole = format!("{}{}", way.text, done_by(way));
            let indent = " ".repeat(lead.chars().count());
            wrapped(&whole, &lead, &indent, width)
        });
    }
    printable(text.trim_end())
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

fn tail(
    text: &mut String,
    conflict: &ConflictDocument,
    most: usize,
    shown: impl Fn(&Suggestion) -> String,
) {
    if is_supply(conflict) {
        let _ = writeln!(text, "    {}", conflict.explanation);
    }
    text.push('\n');
    if conflict.suggestions.is_empty() {
        return;
    }
    text.push_str("  ways out (each was tried)\n");
    text.extend(conflict.suggestions.iter().take(most).map(shown));
    text.push('\n');
}

fn done_by(way: &Suggestion) -> String {
    match (way.argv.is_empty(), way.flags.is_empty()) {
        (false, _) => format!(": {}", way.argv.join(" ")),
        (true, false) => format!(": {}", way.flags.join(" ")),
        (true, true) => String::new(),
    }
}
