//! The state of an installation, and what `init` found.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::changes::{counted, to_text};
use super::diff;
use super::snapshot::local_time;
use super::{show_document, show_warnings, waivers};
use crate::cli::document::{InitDocument, StatusDocument, WarningDocument};
use crate::cli::failure::{Exit, Next};
use crate::cli::screen::{Format, Screen};
use crate::ops::init::InitOutcome;
use crate::ops::status::Status;
use crate::package::Name;
use crate::package::artifact::printable;

/// Shows the state of an installation.
pub fn show_status(screen: &Screen, status: &Status, exit_code: bool, list: bool) -> Exit {
    let differs =
        !status.drift.is_empty() || !status.stale.is_empty() || status.interrupted.is_some();
    let exit = if exit_code && differs {
        Exit::No
    } else {
        Exit::Done
    };
    if screen.format == Format::Json {
        show_document(
            screen,
            "status",
            &StatusDocument::from(status),
            &next(status),
        );
        return exit;
    }
    let mut text = format!(
        "installation  {} ({})\nComfyUI       {} ({})\npython        {} {} ({})\n",
        status.root,
        status.layout.name(),
        status.core.as_deref().unwrap_or("none"),
        status.core_reason,
        status.python_version,
        status.python,
        status.python_reason,
    );
    if let Some(base) = &status.base {
        let _ = writeln!(
            text,
            "base          {} packages at {} (read-only)",
            base.packages.len(),
            base.prefix
        );
    }
    let _ = writeln!(
        text,
        "content       {}, {}",
        counted(status.counts.0, "package"),
        counted(status.counts.1, "node")
    );
    let _ = writeln!(
        text,
        "snapshot      {}",
        status.snapshot.as_deref().unwrap_or("none yet")
    );
    let lock = match (status.locked, status.stale.len()) {
        (false, _) => "none yet",
        (true, 0) if status.unsynced.is_empty() => "fresh, and installed",
        (true, 0) if status.drift.is_empty() => "fresh; a sync would change:",
        (true, 0) => "fresh, but something else is installed",
        (true, _) => "stale",
    };
    let _ = writeln!(text, "lock          {lock}");
    if status.drift.is_empty() {
        text.push_str(&to_text(&status.unsynced, &[]));
    }
    for reason in status.stale.iter().take(10) {
        let _ = writeln!(text, "              {}", printable(&reason.shown()));
    }
    for left in &status.left_out {
        let shown = format!("{}: {}", left.node, left.reason);
        let _ = writeln!(text, "left out      {}", printable(&shown));
    }
    if !status.waivers.is_empty() {
        let unmet = counted(status.waivers.len(), "requirement");
        // Without a lock it is open yet which of these will be met.
        let fate = if status.locked { ", and let be" } else { "" };
        let _ = writeln!(text, "violated      {unmet}{fate}");
    }
    if list {
        text.push_str(&waivers::text(&status.waivers));
    }
    if let Some(operation) = &status.interrupted {
        let _ = writeln!(
            text,
            "interrupted   {} ({}), begun {}",
            operation.kind,
            printable(&operation.command),
            operation.started
        );
    }
    for pending in &status.pending {
        let _ = writeln!(text, "pending       {}", printable(&pending.file));
        for action in &pending.actions {
            let _ = writeln!(text, "              {}", printable(action));
        }
    }
    if status.snapshot.is_some() {
        if status.drift.is_empty() {
            let _ = writeln!(text, "drift         none");
        } else {
            let _ = writeln!(
                text,
                "drift         since {} of {}:",
                status.snapshot.as_deref().unwrap_or("?"),
                local_time(status.snapshot_time.as_deref())
            );
            text.push_str(&diff::text(&status.drift));
            text.push_str(&traces_text(status));
        }
    }
    screen.result(text.trim_end());
    for hint in &status.hints {
        screen.hint(hint);
    }
    if status.hints.is_empty() {
        screen.hint("nothing is amiss; portenv preview NODE shows what a node would change");
    }
    if list && !status.waivers.is_empty() {
        screen.hint("portenv lock --strict finds versions that meet these too");
    } else if status.locked && !status.waivers.is_empty() {
        screen.hint("portenv status --waivers lists the violated requirements");
    }
    exit
}

/// Says who changed packages, a few lines for each go.
fn traces_text(status: &Status) -> String {
    /// How many packages of one go are named.
    const SHOWN: usize = 5;
    let mut text = String::new();
    for edited in &status.edited {
        let files: Vec<&str> = edited.files.iter().map(String::as_str).collect();
        let line = format!("edited in {}: {}", edited.dir, few(&files));
        let _ = writeln!(text, "  {}", printable(&line));
    }
    for trace in &status.traces {
        let changes = trace.packages.iter().filter_map(|name| {
            let mut changes = status.drift.changes.iter();
            changes.find(|change| change.name == *name)
        });
        let shown: Vec<String> = changes
            .take(SHOWN)
            .map(|change| match (&change.from, &change.to) {
                (Some(from), Some(to)) if from == to => format!("{} {to}", change.name),
                (Some(from), Some(to)) => format!("{} {from} → {to}", change.name),
                (None, Some(to)) => format!("{} {to}", change.name),
                (from, None) => {
                    let from = from.as_deref().unwrap_or_default();
                    format!("{} {from} removed", change.name)
                }
            })
            .collect();
        let more = match trace.packages.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let by = match &trace.by {
            Some(by) => format!("by {by}"),
            None => "by nobody knows whom".to_owned(),
        };
        let at = trace.began.as_deref().map_or(String::new(), |began| {
            format!(" at {}", local_time(Some(began)))
        });
        let line = format!("{by}{at}: {}{more}", shown.join(", "));
        let _ = writeln!(text, "  {}", printable(&line));
        if !trace.requested.is_empty() && trace.requested.len() < trace.packages.len() {
            let names: Vec<&str> = trace.requested.iter().map(Name::as_str).collect();
            let _ = writeln!(text, "    asked for by name: {}", few(&names));
        }
        for suspect in &trace.nodes {
            let new = if suspect.is_new {
                ", which is new too"
            } else {
                ""
            };
            let line = format!("perhaps for {}{new}: {}", suspect.node, suspect.why);
            let _ = writeln!(text, "    {}", printable(&line));
        }
    }
    text
}

/// Shows what `init` found and did.
pub fn show_init(screen: &Screen, found: &InitOutcome) -> Exit {
    if screen.format == Format::Json {
        show_warnings(screen, &warnings(found), 1);
        let lock = Next::new("portenv lock", true, "resolves core and nodes together");
        show_document(screen, "init", &InitDocument::from(found), &[lock]);
        return Exit::Done;
    }
    let mut text = format!("installation  {} ({})\n", found.root, found.layout.name());
    match &found.core {
        Some(core) => {
            let commit = core.commit.as_ref().map_or(String::new(), |_| {
                format!(" {}", super::changes::version_of(core))
            });
            let _ = writeln!(
                text,
                "ComfyUI       {}{commit} at {} ({})",
                core.version.as_deref().unwrap_or("of unknown version"),
                core.dir,
                found.core_reason
            );
        }
        None => {
            let _ = writeln!(text, "ComfyUI       none ({})", found.core_reason);
        }
    }
    if let Some(base) = &found.base {
        let _ = writeln!(
            text,
            "base          {} packages at {} (read-only)",
            base.packages.len(),
            base.prefix
        );
    }
    let _ = writeln!(
        text,
        "python        {} {} ({})",
        found.python_version, found.python, found.python_reason
    );
    let _ = writeln!(
        text,
        "torch         {}",
        found.torch.as_deref().unwrap_or("not installed")
    );
    if let Some(backend) = &found.backend {
        let version = backend.version.as_deref().unwrap_or("");
        let index = backend.index.as_deref().unwrap_or("an unknown index");
        let line = format!("{} {version}", backend.kind.as_str());
        let _ = writeln!(text, "backend       {} of {index}", line.trim_end());
    }
    let enabled = found.nodes.iter().filter(|node| node.enabled).count();
    let _ = writeln!(
        text,
        "content       {}, {} ({} disabled)",
        counted(found.packages, "package"),
        counted(enabled, "node"),
        found.nodes.len() - enabled
    );
    let _ = writeln!(
        text,
        "snapshot      {}{}",
        found.snapshot,
        if found.recorded {
            ""
        } else {
            " (already there)"
        }
    );
    screen.result(text.trim_end());
    show_warnings(screen, &warnings(found), 1);
    if found.written {
        screen.note("wrote `portenv.toml`");
    }
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, reason) in &found.unrestorable {
        by_reason.entry(reason).or_default().push(name);
    }
    for (reason, names) in by_reason {
        screen.warning(&format!(
            "{} could not be brought back by a rollback: {}",
            printable(&few(&names)),
            printable(reason)
        ));
    }
    screen.hint("portenv lock resolves core and nodes together; portenv preview NODE shows what a node would change");
    Exit::Done
}

/// What to do about a state, the most urgent first.
fn next(status: &Status) -> Vec<Next> {
    let mut next = Vec::new();
    if status.interrupted.is_some() {
        next.push(Next::new(
            "portenv recover",
            true,
            "puts back what an interrupted operation left",
        ));
    }
    if status.snapshot.is_none() {
        next.push(Next::new(
            "portenv init",
            true,
            "records this state as the first snapshot",
        ));
    } else if !status.drift.is_empty() {
        next.push(Next::new(
            "portenv rollback",
            true,
            "goes back over what changed since the newest snapshot, and asks",
        ));
        next.push(Next::new(
            "portenv snapshot create",
            true,
            "keeps what changed since the newest snapshot",
        ));
    }
    if !status.locked {
        next.push(Next::new(
            "portenv lock",
            true,
            "resolves core and nodes together",
        ));
    } else if !status.stale.is_empty() {
        next.push(Next::new(
            "portenv lock",
            true,
            "brings the lock up to date",
        ));
    } else if status.drift.is_empty() && !status.unsynced.is_empty() {
        next.push(Next::new(
            "portenv sync",
            true,
            "makes the packages what the lock says, and asks",
        ));
    }
    next
}

/// Names a few of many: `a, b, c and 57 more`.
fn few(names: &[&str]) -> String {
    const MOST: usize = 3;
    let shown = names[..names.len().min(MOST)].join(", ");
    match names.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn warnings(found: &InitOutcome) -> Vec<WarningDocument> {
    let all = found.warnings.iter();
    all.map(|(code, message)| WarningDocument::new(code, message))
        .collect()
}
