//! The state of an installation, and what `init` found.

use std::fmt::Write;

use serde_json::json;

use super::diff;
use super::show_json;
use crate::cli::failure::{Exit, Next};
use crate::cli::screen::{Format, Screen};
use crate::ops::init::InitOutcome;
use crate::ops::status::Status;
use crate::package::artifact::printable;
use crate::snapshot::BaseState;

/// Shows the state of an installation.
pub fn show_status(screen: &Screen, status: &Status, exit_code: bool) -> Exit {
    let differs =
        !status.drift.is_empty() || !status.stale.is_empty() || status.interrupted.is_some();
    let exit = if exit_code && differs {
        Exit::No
    } else {
        Exit::Done
    };
    if screen.format == Format::Json {
        let interrupted = status
            .interrupted
            .as_ref()
            .map(|operation| json!({"operation": operation.number, "kind": operation.kind, "command": operation.command, "started": operation.started}));
        let body = json!({
            "root": status.root,
            "layout": status.layout,
            "core": status.core,
            "core_reason": status.core_reason,
            "python": status.python,
            "python_version": status.python_version,
            "python_reason": status.python_reason,
            "base": status.base.as_ref().map(base),
            "snapshot": status.snapshot,
            "drift": diff::difference("@", "env", &status.drift),
            "stale": status.stale.iter().map(super::resolve::stale).collect::<Vec<_>>(),
            "interrupted": interrupted,
            "startup_scripts": status.startup_scripts,
            "hints": status.hints,
        });
        let next = if exit == Exit::No {
            vec![Next::new(
                "portenv rollback",
                true,
                "goes back over the newest change",
            )]
        } else {
            Vec::new()
        };
        show_json(screen, "status", body, &next);
        return exit;
    }
    let mut text = format!(
        "installation  {} ({})\nComfyUI       {} ({})\npython        {} {} ({})\n",
        status.root,
        status.layout,
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
        "content       {} packages, {} nodes",
        status.counts.0, status.counts.1
    );
    let _ = writeln!(
        text,
        "snapshot      {}",
        status.snapshot.as_deref().unwrap_or("none yet")
    );
    let lock = match (status.locked, status.stale.len()) {
        (false, _) => "none yet".to_owned(),
        (true, 0) => "fresh".to_owned(),
        (true, _) => "stale".to_owned(),
    };
    let _ = writeln!(text, "lock          {lock}");
    for reason in status.stale.iter().take(10) {
        let _ = writeln!(text, "              {}", printable(&reason.shown()));
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
    for script in &status.startup_scripts {
        let _ = writeln!(text, "pending       {}", printable(script));
    }
    if status.snapshot.is_some() {
        if status.drift.is_empty() {
            let _ = writeln!(text, "drift         none");
        } else {
            let _ = writeln!(
                text,
                "drift         since {}:",
                status.snapshot.as_deref().unwrap_or("?")
            );
            text.push_str(&diff::text(&status.drift));
        }
    }
    screen.result(text.trim_end());
    for hint in &status.hints {
        screen.hint(hint);
    }
    exit
}

/// Returns the base beneath an environment as JSON shows it.
pub fn base(base: &BaseState) -> serde_json::Value {
    json!({"prefix": base.prefix, "packages": base.packages.len(), "digest": base.digest()})
}

/// Shows what `init` found and did.
pub fn show_init(screen: &Screen, found: &InitOutcome) -> Exit {
    if screen.format == Format::Json {
        let unrestorable: Vec<_> = found
            .unrestorable
            .iter()
            .map(|(name, reason)| json!({"name": name, "reason": reason}))
            .collect();
        let body = json!({
            "status": if found.written || found.recorded { "done" } else { "nothing" },
            "operation": null,
            "before": null,
            "after": found.snapshot,
            "changes": [],
            "nodes": found.nodes,
            "conflicts": [],
            "warnings": [],
            "root": found.root,
            "layout": found.layout,
            "core": found.core,
            "core_reason": found.core_reason,
            "base": found.base.as_ref().map(base),
            "python": found.python,
            "python_version": found.python_version,
            "python_reason": found.python_reason,
            "torch": found.torch,
            "packages": found.packages,
            "written": found.written,
            "unrestorable": unrestorable,
        });
        show_json(screen, "init", body, &[]);
        return Exit::Done;
    }
    let mut text = format!("installation  {} ({})\n", found.root, found.layout);
    match &found.core {
        Some(core) => {
            let _ = writeln!(
                text,
                "ComfyUI       {} {} at {} ({})",
                core.version.as_deref().unwrap_or("of unknown version"),
                super::changes::version_of(core),
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
    let enabled = found.nodes.iter().filter(|node| node.enabled).count();
    let _ = writeln!(
        text,
        "content       {} packages, {enabled} nodes ({} disabled)",
        found.packages,
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
    if found.written {
        screen.note("wrote `portenv.toml`");
    }
    for (name, reason) in &found.unrestorable {
        screen.warning(&format!(
            "{} could not be brought back by a rollback: {}",
            printable(name),
            printable(reason)
        ));
    }
    screen.hint("portenv lock resolves core and nodes together; portenv preview NODE shows what a node would change");
    Exit::Done
}
