//! Markdown for a pull request's comment or `$GITHUB_STEP_SUMMARY`.
//!
//! What strangers wrote stands in `<code>` with every sign that Markdown, HTML or a table
//! gives a meaning as a numeric reference: such a reference is never taken for structure
//! (CommonMark 6.2), and in `<code>` no person is mentioned and no address becomes a link.

use std::fmt::Write;

use super::{Weight, against, beside, counted, status};
use crate::cli::failure::Failure;
use crate::lock::ChangeKind;
use crate::ops::beside::Beside;
use crate::ops::changes::ChangeInfo;
use crate::ops::check::CheckOutcome;
use crate::package::artifact::printable;
use crate::resolve::Conflict;

/// How many rows of a table are shown: a comment has no more than 65536 characters.
const ROWS: usize = 60;
/// How many conflicts are unfolded.
const CONFLICTS: usize = 10;
/// How many ways out of one conflict are shown.
const WAYS: usize = 3;

pub(super) fn of(found: &CheckOutcome) -> String {
    let mut text = format!("## portenv check: {}\n\n", status(found));
    let _ = writeln!(text, "{}", summary(found));
    if !found.findings.is_empty() {
        text.push_str("\n| code | level | where | what |\n|---|---|---|---|\n");
        for finding in found.findings.iter().take(ROWS) {
            let place = finding
                .origin
                .as_ref()
                .map_or(String::new(), |origin| code(&origin.place_of_line()));
            let level = Weight::of(found, finding).word();
            let what = plain(&finding.message);
            let _ = writeln!(text, "| {} | {level} | {place} | {what} |", finding.code);
        }
        more(&mut text, found.findings.len(), ROWS, "findings");
    }
    if let Some(rows) = &found.beside {
        of_list(&mut text, rows);
    }
    let (new, old): (Vec<_>, Vec<_>) = (found.conflicts.iter()).partition(|conflict| conflict.new);
    for conflict in new.iter().take(CONFLICTS) {
        of_conflict(&mut text, conflict);
    }
    more(&mut text, new.len(), CONFLICTS, "conflicts");
    if !old.is_empty() {
        folded(
            &mut text,
            &format!("Conflicts that were there before ({})", old.len()),
        );
        for conflict in old.iter().take(CONFLICTS) {
            of_conflict(&mut text, conflict);
        }
        more(&mut text, old.len(), CONFLICTS, "conflicts");
        text.push_str("\n</details>\n");
    }
    if !found.changes.is_empty() {
        folded(
            &mut text,
            &format!("What would change ({})", found.changes.len()),
        );
        text.push_str("\n| package | from | to |\n|---|---|---|\n");
        for change in found.changes.iter().take(ROWS) {
            of_change(&mut text, change);
        }
        more(&mut text, found.changes.len(), ROWS, "changes");
        text.push_str("\n</details>\n");
    }
    if !found.findings.is_empty() {
        text.push_str("\n`portenv explain CODE` tells what a code means and how to mend it.\n");
    }
    text
}

pub(super) fn failed(failure: &Failure) -> String {
    let mut text = String::from("## portenv check: error\n\nThe check could not be done.\n\n");
    let _ = writeln!(text, "- {}", code(&failure.message));
    for hint in &failure.hints {
        let _ = writeln!(text, "- hint: {}", code(hint));
    }
    text
}

fn summary(found: &CheckOutcome) -> String {
    let mut parts = vec![counted(found)];
    let mut add = |count: usize, word: &str| match count {
        0 => {}
        1 => parts.push(format!("1 {word}")),
        _ => parts.push(format!("{count} {word}s")),
    };
    add(found.conflicts.len(), "conflict");
    add(found.changes.len(), "package change");
    if let Some(lock) = against(found) {
        parts.push(format!("against {}", code(&lock)));
    }
    parts.join(" · ")
}

fn of_list(text: &mut String, rows: &[Beside]) {
    let _ = writeln!(text, "\n{}:\n", plain(&beside::counted(rows)));
    text.push_str("| node | together | about |\n|---|---|---|\n");
    for row in rows.iter().take(ROWS) {
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            code(&beside::name(row)),
            beside::word(row.fit),
            plain(&beside::remark(row))
        );
    }
    more(text, rows.len(), ROWS, "nodes");
}

fn of_conflict(text: &mut String, conflict: &Conflict) {
    let name = conflict.packages.first();
    let name = name.map_or("requirements", |name| name.as_str());
    let _ = writeln!(text, "\n### Conflict: {}\n", code(name));
    for line in &conflict.requirements {
        let _ = writeln!(
            text,
            "- {}, {}: {}",
            plain(&line.origin.owner()),
            code(&line.origin.place_of_line()),
            code(&line.requirement)
        );
        for step in &line.via {
            let version = step.version.trim_start_matches("==");
            let asking = code(&format!("{} {version}", step.package));
            let _ = writeln!(text, "  - {asking} needs {}", code(&step.requirement));
        }
    }
    if conflict.requirements.len() == 1 {
        let _ = writeln!(text, "\n{}", plain(&conflict.explanation));
    }
    if conflict.suggestions.is_empty() {
        return;
    }
    text.push_str("\nWays out, each tried:\n\n");
    for (at, way) in conflict.suggestions.iter().take(WAYS).enumerate() {
        let flags = if way.flags.is_empty() {
            String::new()
        } else {
            format!(": {}", code(&way.flags.join(" ")))
        };
        let _ = writeln!(text, "{}. {}{flags}", at + 1, plain(&way.text));
    }
}

fn of_change(text: &mut String, change: &ChangeInfo) {
    let version = |version: &Option<String>| version.as_deref().map_or(String::new(), code);
    let note = match (change.kind, change.protected) {
        (_, true) => " (protected)",
        (ChangeKind::Downgrade, false) => " (downgrade)",
        _ => "",
    };
    let _ = writeln!(
        text,
        "| {} | {} | {}{note} |",
        code(change.name.as_str()),
        version(&change.from),
        version(&change.to)
    );
}

fn folded(text: &mut String, title: &str) {
    let _ = writeln!(text, "\n<details><summary>{title}</summary>");
}

fn more(text: &mut String, count: usize, shown: usize, what: &str) {
    if count > shown {
        let _ = writeln!(text, "\nand {} more {what}.", count - shown);
    }
}

/// Text that is shown as it is, in the font of code.
fn code(text: &str) -> String {
    format!("<code>{}</code>", referenced(text))
}

/// Words with what stands between backticks in them as code.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            out.push_str(&code(part));
        } else {
            // Else a name after `@` would call a person.
            out.push_str(&referenced(part).replace("&#64;", "&#64;\u{200b}"));
        }
    }
    out
}

fn referenced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let text = printable(text);
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let within = |c: char| c.is_alphanumeric();
        match c {
            '\n' | '\t' => out.push(' '),
            // Within a word it has no meaning.
            '_' if within(before) && chars.peek().copied().is_some_and(within) => out.push(c),
            c if c.is_alphanumeric() || !c.is_ascii() || " .,:;/=-+()\"'%?".contains(c) => {
                out.push(c);
            }
            c => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
        }
        before = c;
    }
    out
}
