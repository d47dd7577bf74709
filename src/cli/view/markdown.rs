//! Parts of Markdown pages, as GitHub shows them.
//!
//! What strangers wrote stands in `<code>` with every sign that Markdown, HTML or a table
//! gives a meaning as a numeric reference: such a reference is never taken for structure
//! (CommonMark 6.2), and in `<code>` no person is mentioned and no address becomes a link.

use std::fmt::Write;

use crate::cli::failure::Failure;
use crate::package::artifact::printable;
use crate::resolve::Conflict;

/// How many ways out of one conflict are shown.
const WAYS: usize = 3;

/// Tells that a command could not do what it is for.
pub(super) fn failed_as(command: &str, what: &str, failure: &Failure) -> String {
    let mut text = format!("## portenv {command}: error\n\n{what}\n\n");
    let _ = writeln!(text, "- {}", code(&failure.message));
    for hint in &failure.hints {
        let _ = writeln!(text, "- hint: {}", code(hint));
    }
    text
}

/// Tells of a conflict: its lines, their chains, and ways out.
pub(super) fn of_conflict(text: &mut String, conflict: &Conflict) {
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

/// Shows conflicts that were there before, folded away; `most` of them, and how many more.
pub(super) fn of_old_conflicts(text: &mut String, old: &[&Conflict], most: usize) {
    if old.is_empty() {
        return;
    }
    let title = format!("Conflicts that were there before ({})", old.len());
    folded(text, &title);
    for conflict in old.iter().take(most) {
        of_conflict(text, conflict);
    }
    more(text, old.len(), most, "conflicts");
    text.push_str("\n</details>\n");
}

/// Begins what is folded away; `</details>` ends it.
pub(super) fn folded(text: &mut String, title: &str) {
    let _ = writeln!(text, "\n<details><summary>{title}</summary>");
}

/// Says how many are not shown.
pub(super) fn more(text: &mut String, count: usize, shown: usize, what: &str) {
    if count > shown {
        let _ = writeln!(text, "\nand {} more {what}.", count - shown);
    }
}

/// Text that is shown as it is, in the font of code.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", referenced(text))
}

/// Words with what stands between backticks in them as code.
pub(super) fn plain(text: &str) -> String {
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
