//! What is new upstream, and what `update` came to.

use schemars::JsonSchema;
use serde::Serialize;

use super::changes::{summary, to_text};
use super::{WarningView, conflict, show_json, show_warnings};
use crate::cli::failure::{Exit, Next};
use crate::cli::screen::{Format, Screen};
use crate::ops::changes::{ChangeInfo, NodeChange};
use crate::ops::outcome::AppliedStatus;
use crate::ops::preview::PreviewStatus;
use crate::ops::update::UpdateOutcome;
use crate::ops::upstream::{NodeUpdate, ScriptChange, UpdateState};
use crate::package::artifact::{printable, show_bytes};

/// How `update` ended.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Status {
    Done,
    Nothing,
    DryRun,
    Blocked,
    Conflict,
}

/// `portenv.update/1`.
#[derive(Debug, Serialize, JsonSchema)]
struct Document<'a> {
    status: Status,
    plan: Option<&'a str>,
    operation: Option<i64>,
    before: Option<&'a str>,
    after: Option<&'a str>,
    #[schemars(with = "Vec<serde_json::Value>")]
    changes: &'a [ChangeInfo],
    #[schemars(with = "Vec<serde_json::Value>")]
    nodes: &'a [NodeChange],
    conflicts: serde_json::Value,
    #[schemars(with = "Vec<serde_json::Value>")]
    warnings: Vec<WarningView>,
    /// The nodes, by directory.
    updates: &'a [NodeUpdate],
}

/// Shows what `update` came to.
pub fn show_update(screen: &Screen, outcome: &UpdateOutcome, verbose: u8) -> Exit {
    let applied = &outcome.applied;
    let mut warnings: Vec<WarningView> = applied
        .warnings
        .iter()
        .map(|(code, message)| WarningView::new(code, message.clone()))
        .collect();
    if let Some(preview) = &outcome.no {
        warnings.extend(preview.problems.iter().map(WarningView::of_problem));
    }
    show_warnings(screen, &warnings, verbose);
    let status = match (outcome.no.as_ref().map(|no| no.status), applied.status) {
        (Some(PreviewStatus::Blocked), _) => Status::Blocked,
        (Some(_), _) => Status::Conflict,
        (None, AppliedStatus::Done) => Status::Done,
        (None, AppliedStatus::DryRun) => Status::DryRun,
        (None, _) => Status::Nothing,
    };
    if screen.format == Format::Json {
        let document = Document {
            status,
            plan: outcome.plan.as_deref(),
            operation: applied.operation,
            before: applied.before.as_deref(),
            after: applied.after.as_deref(),
            changes: &applied.changes,
            nodes: &applied.nodes,
            conflicts: conflict::to_json(&applied.conflicts),
            warnings,
            updates: &outcome.updates,
        };
        let next = match status {
            Status::Conflict | Status::Blocked => vec![Next::new(
                "portenv status",
                false,
                "shows the installation as it is",
            )],
            _ => Vec::new(),
        };
        let body = serde_json::to_value(&document).unwrap_or_default();
        show_json(screen, "update", body, &next);
    } else {
        let mut text = updates_to_text(&outcome.updates);
        let done = matches!(status, Status::Done | Status::DryRun);
        if done {
            text.push_str(&to_text(&applied.changes, &[]));
        }
        if let (Status::DryRun, Some(plan)) = (status, &outcome.plan) {
            text.push_str(&format!("plan {plan}\n"));
        }
        screen.result(text.trim_end());
    }
    match status {
        Status::Done => {
            screen.note(&format!("done: {}", summary(&applied.changes)));
            if let Some(after) = &applied.after {
                screen.note(&format!(
                    "snapshot {after}; portenv rollback takes this back"
                ));
            }
            Exit::Done
        }
        Status::DryRun => {
            screen.note(&format!(
                "nothing was changed; this would be: {}",
                summary(&applied.changes)
            ));
            Exit::Done
        }
        Status::Nothing => {
            screen.note("nothing to do");
            Exit::Done
        }
        Status::Blocked => {
            screen.error("this would change protected packages, so it is blocked");
            screen.note(conflict::to_text(&applied.conflicts).trim_end());
            for change in applied.changes.iter().filter(|change| change.protected) {
                screen.hint(&format!("--allow-change {} lets it change", change.name));
            }
            Exit::No
        }
        Status::Conflict => {
            screen.error(conflict::to_text(&applied.conflicts).trim_end());
            screen.note("nothing was changed; name nodes to update only these");
            Exit::No
        }
    }
}

/// Returns what is new upstream as people read it.
pub fn updates_to_text(updates: &[NodeUpdate]) -> String {
    let mut text = String::new();
    for update in updates.iter().filter(|one| one.state == UpdateState::Due) {
        text.push_str(&due(update));
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

fn due(update: &NodeUpdate) -> String {
    let short = |commit: &Option<String>| -> String {
        commit
            .iter()
            .flat_map(|text| text.chars().take(10))
            .collect()
    };
    let mut text = format!(
        "  ~ node {} {} → {}{}\n",
        printable(&update.dir),
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
        text.push_str(&format!("      {} new commits, {when}\n", update.commits));
        for subject in &update.subjects {
            text.push_str(&format!("        {}\n", printable(subject)));
        }
        if update.commits > update.subjects.len() as u64 {
            text.push_str("        …\n");
        }
    }
    if update.commits_removed > 0 {
        text.push_str(&format!("      {} commits back\n", update.commits_removed));
    }
    let sign = if update.growth_bytes < 0 { "-" } else { "+" };
    text.push_str(&format!(
        "      {} files, +{} -{} lines, {sign}{}\n",
        update.files_changed,
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
            text.push_str("      ! install.py is new; portenv never runs it\n");
        }
        Some(ScriptChange::Changed) => {
            text.push_str("      ! install.py changed; portenv never runs it\n");
        }
        _ => {}
    }
    text
}
