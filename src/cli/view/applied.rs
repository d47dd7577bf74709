//! What changing commands came to.

use serde_json::json;

use super::changes::{summary, to_text};
use super::{WarningView, conflict, show_json, show_warnings, waivers};
use crate::cli::failure::{Exit, Next};
use crate::cli::screen::{Format, Screen};
use crate::ops::outcome::{Applied, AppliedStatus};
use crate::resolve::Conflict;

/// Shows what a changing command came to.
pub fn show_applied(screen: &Screen, command: &str, applied: &Applied) -> Exit {
    let warnings: Vec<WarningView> = applied
        .warnings
        .iter()
        .map(|(code, message)| WarningView::new(code, message.clone()))
        .collect();
    show_warnings(screen, &warnings, 1);
    if screen.format == Format::Json {
        let body = json!({
            "status": applied.status,
            "operation": applied.operation,
            "before": applied.before,
            "after": applied.after,
            "changes": applied.changes,
            "nodes": applied.nodes,
            "conflicts": conflict::to_json(&applied.conflicts),
            "warnings": warnings,
            "waivers": waivers::views(&applied.waivers),
        });
        show_json(screen, command, body, &[]);
        return Exit::Done;
    }
    screen.result(to_text(&applied.changes, &applied.nodes).trim_end());
    match applied.status {
        AppliedStatus::Done => {
            screen.note(&format!("done: {}", summary(&applied.changes)));
            if let Some(counted) = waivers::counted(&applied.waivers) {
                screen.note(&counted);
            }
            if let Some(after) = &applied.after {
                screen.note(&format!(
                    "snapshot {after}; portenv rollback takes this back"
                ));
            }
        }
        AppliedStatus::Nothing => screen.note("nothing to do"),
        AppliedStatus::DryRun => screen.note(&format!(
            "nothing was changed; this would be: {}",
            summary(&applied.changes)
        )),
        AppliedStatus::Undone => {
            screen.note("the interrupted operation was undone; everything is as it was before");
        }
    }
    Exit::Done
}

/// Shows that what is left has no answer; nothing was changed.
pub fn show_conflicts(screen: &Screen, command: &str, conflicts: &[Conflict]) -> Exit {
    if screen.format == Format::Json {
        let body = json!({
            "status": "conflict",
            "operation": null,
            "before": null,
            "after": null,
            "changes": [],
            "nodes": [],
            "conflicts": conflict::to_json(conflicts),
            "warnings": [],
        });
        show_json(
            screen,
            command,
            body,
            &[Next::new(
                "portenv lock",
                false,
                "shows the same conflict for the whole installation",
            )],
        );
    }
    screen.error(conflict::to_text(conflicts).trim_end());
    screen.note("nothing was changed");
    Exit::No
}
