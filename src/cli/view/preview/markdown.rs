//! The page in Markdown, for a pull request's comment or a job's summary: what deserves a
//! look in the open, the rest folded away.

use std::fmt::Write;

use super::chain::lead;
use super::page::subject;
use super::{others, totals, verdict};
use crate::cli::document::{WarningDocument, scripts_of};
use crate::cli::view::changes::{version_of, word};
use crate::cli::view::markdown::{code, folded, more, of_conflict, of_old_conflicts, plain};
use crate::lock::ChangeKind;
use crate::ops::attention::{Attention, attention};
use crate::ops::changes::ChangeInfo;
use crate::ops::preview::{Preview, PreviewStatus};
use crate::package::artifact::show_bytes;

/// How many rows of a table are shown: a comment has no more than 65536 characters.
const ROWS: usize = 60;
/// How many conflicts are unfolded.
const CONFLICTS: usize = 5;
/// How many other things are listed.
const LISTED: usize = 25;

/// Returns the page.
pub(super) fn of(preview: &Preview, warnings: &[WarningDocument]) -> String {
    let mut text = String::from("## portenv preview: ");
    let (word, rest) = verdict_parts(preview);
    let _ = writeln!(text, "{word}\n\n{rest}");
    let mut facts: Vec<String> = preview
        .nodes
        .iter()
        .map(|node| {
            let named = format!("{} {}", node.dir, version_of(node));
            format!("node {}", code(named.trim_end()))
        })
        .collect();
    if preview.status != PreviewStatus::Conflict {
        facts.extend(totals(preview));
        facts.push(format!("plan {}", code(&preview.plan)));
    }
    let _ = writeln!(text, "\n{}", facts.join(" · "));
    let points = attention(preview);
    if !points.is_empty() {
        text.push('\n');
        for point in points.iter().take(LISTED) {
            let _ = writeln!(text, "- {}", of_point(preview, point));
        }
        more(&mut text, points.len(), LISTED, "points");
    }
    let (new, old): (Vec<_>, Vec<_>) = preview.conflicts.iter().partition(|it| it.new);
    for conflict in new.iter().take(CONFLICTS) {
        of_conflict(&mut text, conflict);
    }
    more(&mut text, new.len(), CONFLICTS, "conflicts");
    if preview.status != PreviewStatus::Conflict {
        let parts = others(&preview.changes);
        if !parts.changed.is_empty() {
            text.push_str("\n### Changes of what is installed\n");
            table(&mut text, preview, &parts.changed);
        }
        for (title, rows) in [
            ("New packages", &parts.new),
            ("Due anyway, without the nodes", &parts.pending),
        ] {
            if !rows.is_empty() {
                folded(&mut text, &format!("{title} ({})", rows.len()));
                table(&mut text, preview, rows);
                text.push_str("\n</details>\n");
            }
        }
    }
    for script in scripts_of(preview).filter(|it| !it.acts.is_empty()) {
        let title = format!(
            "<code>install.py</code> of {}, which is not run, seems to do {} things",
            code(&script.origin.owner()),
            script.acts.len()
        );
        folded(&mut text, &title);
        text.push_str("\n| line | seems to | code |\n|--:|---|---|\n");
        for act in script.acts.iter().take(LISTED) {
            let what = act.kind.shown();
            let _ = writeln!(text, "| {} | {what} | {} |", act.line, code(&act.text));
        }
        more(&mut text, script.acts.len(), LISTED, "lines");
        text.push_str("\n</details>\n");
    }
    of_old_conflicts(&mut text, &old, CONFLICTS);
    if !warnings.is_empty() {
        folded(&mut text, &format!("Warnings ({})", warnings.len()));
        text.push('\n');
        for warning in warnings.iter().take(LISTED) {
            let place = warning.origin.as_ref().map_or(String::new(), |origin| {
                format!("{}: ", code(&origin.place_of_line()))
            });
            let _ = writeln!(text, "- {place}{}", plain(&warning.message));
        }
        more(&mut text, warnings.len(), LISTED, "warnings");
        text.push_str("\n</details>\n");
    }
    text
}

fn verdict_parts(preview: &Preview) -> (String, String) {
    let whole = verdict(preview);
    let (word, rest) = whole.split_once(": ").unwrap_or((&whole, ""));
    // The name of a node in it is a stranger's.
    (word.to_owned(), plain(rest))
}

fn of_point(preview: &Preview, point: &Attention) -> String {
    let mut parts = Vec::new();
    if point.stops {
        parts.push("**blocks**".to_owned());
    }
    let subject = subject(point);
    if !subject.is_empty() {
        parts.push(code(&subject));
    }
    if let (None, Some(origin)) = (&point.package, &point.origin) {
        let words = point.notes.join(", ");
        let place = lead(preview, origin, &words);
        let place = place.trim_end_matches(": ");
        if !place.is_empty() {
            parts.push(code(place));
        }
    }
    let notes: Vec<String> = point.notes.iter().map(|note| plain(note)).collect();
    let codes: Vec<String> = point.codes.iter().map(|word| code(word)).collect();
    let codes = match codes.as_slice() {
        [] => String::new(),
        some => format!(" ({})", some.join(", ")),
    };
    format!("{}: {}{codes}", parts.join(" "), notes.join(", "))
        .trim_start_matches(": ")
        .to_owned()
}

fn table(text: &mut String, preview: &Preview, rows: &[&ChangeInfo]) {
    text.push_str("\n| | package | from | to | size | because |\n|---|---|---|---|--:|---|\n");
    for change in rows.iter().take(ROWS) {
        let version = |version: &Option<String>| version.as_deref().map_or(String::new(), code);
        let bytes = change.bytes.filter(|_| change.kind != ChangeKind::Remove);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            what(change),
            code(change.name.as_str()),
            version(&change.from),
            version(&change.to),
            bytes.map_or(String::new(), show_bytes),
            because(preview, change)
        );
    }
    more(text, rows.len(), ROWS, "packages");
}

fn what(change: &ChangeInfo) -> String {
    let major = if change.major { "major " } else { "" };
    let mut text = format!("{major}{}", word(change.kind));
    for (holds, word) in [
        (change.protected, "**protected**"),
        (change.needs_rebuild, "**needs rebuild**"),
        (change.local_change, "another build"),
        (change.sdist, "built from source"),
        (change.new_index, "new index"),
    ] {
        if holds {
            let _ = write!(text, ", {word}");
        }
    }
    text
}

fn because(preview: &Preview, change: &ChangeInfo) -> String {
    let parts = super::chain::Chain::of(preview, change).full();
    let parts: Vec<String> = parts.iter().map(|part| code(part)).collect();
    parts.join("<br>")
}
