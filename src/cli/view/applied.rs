//! What changing commands came to.

use super::changes::{self, summary};
use super::{conflict, show_document, show_warnings, waivers};
use crate::cli::document::AppliedDocument;
use crate::cli::failure::{Exit, Next};
use crate::cli::screen::{Format, Screen};
use crate::ops::changes::NodeChangeKind;
use crate::ops::outcome::{Applied, AppliedStatus};
use crate::package::artifact::printable;
use crate::resolve::Conflict;

/// Shows what a changing command came to.
pub fn show_applied(screen: &Screen, command: &str, applied: &Applied) -> Exit {
    let body = AppliedDocument::from(applied);
    show_warnings(screen, &body.warnings, 1);
    if screen.format == Format::Json {
        show_document(screen, command, &body, &next(screen, command, applied));
        return Exit::Done;
    }
    screen.result(to_text(applied).trim_end());
    if applied.status == AppliedStatus::DryRun {
        for origin in &applied.node_origins {
            let from = match origin.from.as_str() {
                "moved" => "from where it was moved to",
                "trash" => "from the trash",
                "checkout" => "by the checkout at its place",
                "store" => "from the store",
                "remote" => "from its remote",
                _ => "from nowhere: nothing has it",
            };
            let dir = printable(&origin.dir);
            screen.note(&format!("node {dir} comes back {from}"));
        }
    }
    match applied.status {
        AppliedStatus::Done => {
            screen.note(&format!("done: {}", summary(&applied.changes)));
            let mut nodes = applied.nodes.iter();
            if nodes.any(|node| node.kind == NodeChangeKind::Remove) {
                screen.note("what was removed of nodes lies in `.portenv/trash`");
            }
            if let Some(counted) = waivers::counted(&applied.waivers) {
                screen.note(&counted);
            }
            if let Some(after) = &applied.after {
                let back = match command {
                    "undo" => "portenv redo goes forward again, portenv undo one further back",
                    "redo" => "portenv undo goes back again",
                    _ => "portenv rollback takes this back",
                };
                screen.note(&format!("snapshot {after}; {back}"));
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

/// Returns all that changes or would change, ComfyUI first.
pub fn to_text(applied: &Applied) -> String {
    let core = changes::core_to_text(applied.core.as_ref());
    format!(
        "{core}{}",
        changes::to_text(&applied.changes, &applied.nodes)
    )
}

/// Shows that what is left has no answer; nothing was changed.
pub fn show_conflicts(screen: &Screen, command: &str, conflicts: &[Conflict]) -> Exit {
    if screen.format == Format::Json {
        show_document(
            screen,
            command,
            &AppliedDocument::stopped_by(conflicts),
            &[Next::new(
                "portenv check",
                false,
                "shows the same conflict for the whole installation",
            )],
        );
    }
    screen.error(conflict::to_text(conflicts).trim_end());
    screen.note("nothing was changed");
    Exit::No
}

/// Names the operation that undo or redo goes over.
pub fn step_to_text(command: &str, over: &str) -> String {
    let word = if command == "redo" {
        "again"
    } else {
        "back over"
    };
    format!("{word}: {}", printable(over))
}

fn next(screen: &Screen, command: &str, applied: &Applied) -> Vec<Next> {
    match applied.status {
        AppliedStatus::Done if command == "undo" => vec![
            Next::new("portenv redo", true, "goes forward again"),
            Next::new("portenv undo", true, "goes one operation further back"),
        ],
        AppliedStatus::Done if command == "redo" => {
            vec![Next::new("portenv undo", true, "goes back again")]
        }
        AppliedStatus::Done => {
            let back = applied.before.iter();
            back.map(|before| {
                let words = ["portenv", "rollback", before];
                Next::of(words, true, "goes back to the state before")
            })
            .collect()
        }
        AppliedStatus::Nothing => Vec::new(),
        AppliedStatus::DryRun => {
            let line = screen.line().clone().unsigned().without("--dry-run", false);
            vec![match &applied.plan {
                Some(plan) => line
                    .with(["--plan", plan])
                    .next("applies exactly this plan"),
                None => line.next("does it, and asks"),
            }]
        }
        AppliedStatus::Undone => vec![Next::new(
            "portenv status",
            false,
            "shows the installation as it is",
        )],
    }
}
