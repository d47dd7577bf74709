//! Differences.

use super::changes::{summary, to_text, version_of};
use super::show_document;
use crate::cli::document::DiffDocument;
use crate::cli::failure::{Exit, Next};
use crate::cli::screen::{Format, Screen};
use crate::ops::changes::Difference;
use crate::ops::diff::DiffOutcome;

/// Returns a difference as people read it.
pub fn text(found: &Difference) -> String {
    let mut text = String::new();
    if let Some(core) = &found.core {
        let at = |node: &Option<crate::workspace::node::Node>| {
            node.as_ref().map(version_of).unwrap_or_default()
        };
        text.push_str(&format!(
            "  ~ ComfyUI {} → {}\n",
            at(&core.from),
            at(&core.to)
        ));
    }
    text.push_str(&to_text(&found.changes, &found.nodes));
    if !found.base.is_empty() {
        text.push_str("in the read-only base beneath:\n");
        text.push_str(&to_text(&found.base, &[]));
    }
    text
}

/// Shows a difference.
pub fn show_diff(screen: &Screen, found: &DiffOutcome, exit_code: bool) -> Exit {
    let exit = if exit_code && !found.difference.is_empty() {
        Exit::No
    } else {
        Exit::Done
    };
    if screen.format == Format::Json {
        let next = if found.difference.is_empty() {
            Vec::new()
        } else {
            vec![next(found)]
        };
        let body = DiffDocument::new(&found.from, &found.to, &found.difference);
        show_document(screen, "diff", &body, &next);
        return exit;
    }
    if found.difference.is_empty() {
        screen.note(&format!(
            "no difference between {} and {}",
            found.from, found.to
        ));
    } else {
        screen.result(text(&found.difference).trim_end());
        screen.note(&format!(
            "{} → {}: {}",
            found.from,
            found.to,
            summary(&found.difference.changes)
        ));
    }
    if let Some((old, new)) = found.locks.as_ref().filter(|(old, new)| old != new) {
        let diff = similar::TextDiff::from_lines(old.as_str(), new.as_str());
        screen.note(
            &diff
                .unified_diff()
                .context_radius(1)
                .header("pylock.toml (before)", "pylock.toml (after)")
                .to_string(),
        );
    }
    exit
}

fn next(found: &DiffOutcome) -> Next {
    let is_lock = |name: &str| name == "lock" || name.ends_with(".toml");
    let (from, to) = (found.from.as_str(), found.to.as_str());
    if (from == "lock" && to == "env") || (from == "env" && to == "lock") {
        return Next::new(
            "portenv sync --dry-run",
            false,
            "shows what makes the environment equal the lock",
        );
    }
    if is_lock(from) || from == "env" {
        return Next::new("portenv status", false, "shows the installation as it is");
    }
    let words = ["portenv", "rollback", from, "--dry-run"];
    Next::of(words, false, "shows the way back to the first of both")
}
