//! Markdown for a pull request's comment or `$GITHUB_STEP_SUMMARY`.

use std::fmt::Write;

use super::{Weight, against, beside, counted, status};
use crate::cli::failure::Failure;
use crate::cli::view::markdown::{
    code, failed_as, folded, more, of_conflict, of_old_conflicts, plain,
};
use crate::lock::ChangeKind;
use crate::ops::beside::Beside;
use crate::ops::changes::ChangeInfo;
use crate::ops::check::CheckOutcome;

/// How many rows of a table are shown: a comment has no more than 65536 characters.
const ROWS: usize = 60;
/// How many conflicts are unfolded.
const CONFLICTS: usize = 10;

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
    let (new, old): (Vec<_>, Vec<_>) =
        (found.conflicts.iter()).partition(|conflict| conflict.new || !found.has_candidates);
    for conflict in new.iter().take(CONFLICTS) {
        of_conflict(&mut text, conflict);
    }
    more(&mut text, new.len(), CONFLICTS, "conflicts");
    of_old_conflicts(&mut text, &old, CONFLICTS);
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
    failed_as("check", "The check could not be done.", failure)
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
