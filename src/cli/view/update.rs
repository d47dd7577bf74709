//! What is new upstream, and what `update` came to.

use super::changes::{counted, summary, to_text};
use super::preview::page;
use super::{conflict, show_document, show_warnings, waivers};
use crate::cli::document::{Next, UpdateDocument, UpdateWord};
use crate::cli::failure::Exit;
use crate::cli::screen::{Format, Screen};
use crate::ops::update::UpdateOutcome;
use crate::ops::update_core::CoreUpdate;
use crate::ops::upstream::{NodeUpdate, ScriptChange, UpdateState};
use crate::package::artifact::{printable, show_bytes};

/// Shows what `update` came to.
pub fn show_update(screen: &Screen, outcome: &UpdateOutcome, verbose: u8) -> Exit {
    let applied = &outcome.applied;
    let document = UpdateDocument::from(outcome);
    let status = document.status;
    show_warnings(screen, &document.warnings, verbose);
    if screen.format == Format::Json {
        let next = match status {
            UpdateWord::Conflict | UpdateWord::Blocked => vec![Next::new(
                "portenv status",
                false,
                "shows the installation as it is",
            )],
            _ => Vec::new(),
        };
        show_document(screen, "update", &document, &next);
    } else {
        let text = match status {
            UpdateWord::Done => {
                let changes = to_text(&applied.changes, &[]);
                format!("{}{changes}", all_to_text(outcome))
            }
            UpdateWord::Nothing => all_to_text(outcome),
            UpdateWord::DryRun | UpdateWord::Blocked | UpdateWord::Conflict => {
                to_be_asked(outcome, verbose)
            }
        };
        screen.result(text.trim_end());
    }
    if let Some(counted) = waivers::counted(&applied.waivers) {
        screen.note(&counted);
    }
    match status {
        UpdateWord::Done => {
            screen.note(&format!("done: {}", summary(&applied.changes)));
            if let Some(after) = &applied.after {
                screen.note(&format!(
                    "snapshot {after}; portenv rollback takes this back"
                ));
            }
            Exit::Done
        }
        UpdateWord::DryRun => {
            screen.note(&format!(
                "nothing was changed; this would be: {}",
                summary(&applied.changes)
            ));
            Exit::Done
        }
        UpdateWord::Nothing => {
            screen.note("nothing to do");
            Exit::Done
        }
        UpdateWord::Blocked => {
            screen.error("this would change protected packages, so it is blocked");
            screen.note(conflict::to_text(&applied.conflicts).trim_end());
            conflict::show_permission(screen, &applied.changes);
            Exit::No
        }
        UpdateWord::Conflict => {
            screen.error(conflict::to_text(&applied.conflicts).trim_end());
            screen.note(match &outcome.core {
                Some(_) => "nothing was changed; name the node too to update both",
                None => "nothing was changed; name nodes to update only these",
            });
            Exit::No
        }
    }
}

/// Returns what is new upstream, and the page of what that does to packages.
pub fn to_be_asked(outcome: &UpdateOutcome, verbose: u8) -> String {
    let mut text = all_to_text(outcome);
    let plan = outcome.plan.as_deref().unwrap_or_default();
    match outcome.preview.as_ref().or(outcome.no.as_ref()) {
        Some(preview) => {
            text.push('\n');
            text.push_str(&page(preview, plan, verbose));
        }
        None if plan.is_empty() => {}
        None => text.push_str(&format!("plan {plan}\n")),
    }
    text
}

/// Returns what is new upstream of ComfyUI, if that is meant, and of nodes.
fn all_to_text(outcome: &UpdateOutcome) -> String {
    let core = outcome.core.as_ref().map(core_to_text);
    format!(
        "{}{}",
        core.unwrap_or_default(),
        updates_to_text(&outcome.updates)
    )
}

fn core_to_text(core: &CoreUpdate) -> String {
    let update = &core.update;
    let because = printable(&core.because);
    match (update.state, &update.reason) {
        (UpdateState::Due, _) => {
            let version = |version: &Option<String>| -> String {
                version.as_deref().map_or_else(|| "?".to_owned(), printable)
            };
            let (from, to) = (version(&core.from_version), version(&core.to_version));
            let versions = if from == to {
                format!("version {from}")
            } else {
                format!("version {from} → {to}")
            };
            format!("{}      {versions}; {because}\n", due(update, "ComfyUI"))
        }
        (_, Some(reason)) => format!("  = ComfyUI stays: {}\n", printable(reason)),
        _ => format!("  = ComfyUI is up to date: {because}\n"),
    }
}

/// Returns what is new upstream as people read it.
pub fn updates_to_text(updates: &[NodeUpdate]) -> String {
    let mut text = String::new();
    for update in updates.iter().filter(|one| one.state == UpdateState::Due) {
        text.push_str(&due(update, &format!("node {}", printable(&update.dir))));
    }
    for update in updates {
        if let Some(reason) = &update.reason {
            text.push_str(&format!(
                "  = node {} stays: {}\n",
                printable(&update.dir),
                printable(reason)
            ));
        }
    }
    let current = updates
        .iter()
        .filter(|update| update.state == UpdateState::Current)
        .count();
    if current > 0 {
        text.push_str(&format!("  = {current} up to date\n"));
    }
    text
}

fn due(update: &NodeUpdate, who: &str) -> String {
    let short = |commit: &Option<String>| -> String {
        commit
            .iter()
            .flat_map(|text| text.chars().take(10))
            .collect()
    };
    let mut text = format!(
        "  ~ {who} {} → {}{}\n",
        short(&update.from),
        short(&update.to),
        update
            .branch
            .as_ref()
            .map_or(String::new(), |branch| format!(" on {}", printable(branch)))
    );
    let day = |time: &Option<String>| -> String {
        time.iter().flat_map(|text| text.chars().take(10)).collect()
    };
    if update.commits > 0 {
        let (oldest, newest) = (day(&update.oldest), day(&update.newest));
        let when = if oldest == newest {
            oldest
        } else {
            format!("{oldest} to {newest}")
        };
        let commits = counted(update.commits, "new commit");
        text.push_str(&format!("      {commits}, {when}\n"));
        for subject in &update.subjects {
            text.push_str(&format!("        {}\n", printable(subject)));
        }
        if update.commits > update.subjects.len() as u64 {
            text.push_str("        …\n");
        }
    }
    if update.commits_removed > 0 {
        let commits = counted(update.commits_removed, "commit");
        text.push_str(&format!("      {commits} back\n"));
    }
    let sign = if update.growth_bytes < 0 { "-" } else { "+" };
    text.push_str(&format!(
        "      {}, +{} -{} lines, {sign}{}\n",
        counted(update.files_changed, "file"),
        update.lines_added,
        update.lines_removed,
        show_bytes(update.growth_bytes.unsigned_abs())
    ));
    let requirements = &update.requirements;
    for line in &requirements.added {
        text.push_str(&format!("      + requires {}\n", printable(line)));
    }
    for line in &requirements.removed {
        text.push_str(&format!("      - requires {}\n", printable(line)));
    }
    for change in &requirements.changed {
        text.push_str(&format!(
            "      ~ requires {} → {}\n",
            printable(&change.from),
            printable(&change.to)
        ));
    }
    match update.install_script {
        Some(ScriptChange::New) => {
            text.push_str("      ! install.py is new; update never runs it\n");
        }
        Some(ScriptChange::Changed) => {
            text.push_str("      ! install.py changed; update never runs it\n");
        }
        _ => {}
    }
    text
}
