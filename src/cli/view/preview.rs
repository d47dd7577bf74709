//! A preview: the page people look at before an install.

use std::collections::BTreeSet;

use super::changes::{counted, summary};
use super::markdown::failed_as;
use super::{conflict, show_document, show_warnings, waivers};
use crate::cli::document::{PreviewDocument, StoppedDocument, WarningDocument};
use crate::cli::failure::{Exit, Failure, Next};
use crate::cli::screen::{Format, Screen};
use crate::gate::Code;
use crate::lock::ChangeKind;
use crate::ops::changes::{ChangeInfo, NodeChange};
use crate::ops::preview::{Preview, PreviewStatus};
use crate::package::artifact::{printable, show_bytes};
use crate::requirements::OriginKind;
use crate::resolve::Conflict;

mod chain;
mod markdown;
mod page;

/// Shows a preview.
pub fn show_preview(screen: &Screen, command: &str, preview: &Preview, verbose: u8) -> Exit {
    show(screen, preview, verbose, |next| {
        show_document(screen, command, &PreviewDocument::from(preview), next);
    })
}

/// Shows why a change of nodes stopped at its preview.
pub fn show_stopped(
    screen: &Screen,
    command: &str,
    preview: &Preview,
    nodes: Vec<NodeChange>,
    verbose: u8,
) -> Exit {
    let body = StoppedDocument::new(preview, nodes);
    let exit = show(screen, preview, verbose, |next| {
        show_document(screen, command, &body, next);
    });
    screen.note("nothing was changed");
    exit
}

/// Returns the page as people read it before they are asked.
pub fn page(preview: &Preview, plan: &str, verbose: u8) -> String {
    page::of(preview, plan, verbose)
}

/// Shows that a preview could not be made, where a page was wanted.
pub fn show_failed(screen: &Screen, failure: &Failure) {
    let what = "The preview could not be made.";
    screen.result(&failed_as("preview", what, failure));
}

fn show(screen: &Screen, preview: &Preview, verbose: u8, write: impl FnOnce(&[Next])) -> Exit {
    let warnings = untold(preview);
    let exit = if preview.status == PreviewStatus::Ok {
        Exit::Done
    } else {
        Exit::No
    };
    match screen.format {
        Format::Json => write(&next(screen, preview)),
        Format::Markdown => screen.result(&markdown::of(preview, &warnings)),
        _ => screen.result(page::of(preview, &preview.plan, verbose).trim_end()),
    }
    // The verdict first: the page stands above what is only worth knowing. What is odd about
    // files of nodes that are here anyway is no news.
    if screen.format != Format::Markdown {
        let (ours, others): (Vec<_>, Vec<_>) = (warnings.into_iter())
            .partition(|warning| verbose > 0 || !is_of_others(preview, warning));
        show_warnings(screen, &ours, verbose);
        if !others.is_empty() {
            let count = counted(others.len(), "warning");
            screen.note(&format!("{count} about other nodes (-v shows all)"));
        }
    }
    let old = preview
        .conflicts
        .iter()
        .filter(|conflict| !conflict.new)
        .count();
    if old > 0 && preview.status == PreviewStatus::Ok {
        screen.warning(&format!(
            "{old} conflicts were there before; their lines were left out"
        ));
    }
    if let Some(counted) = waivers::counted(&preview.waivers) {
        screen.note(&counted);
    }
    match preview.status {
        PreviewStatus::Ok if screen.format != Format::Text => {}
        PreviewStatus::Ok => {
            screen.hint("portenv add with the same words does this, and asks first");
        }
        PreviewStatus::Blocked => {
            screen.error("this would change protected packages, so it is blocked");
            screen.note(conflict::to_text(&preview.conflicts).trim_end());
            conflict::show_permission(screen, &preview.changes);
        }
        PreviewStatus::Conflict => screen.error(conflict::to_text(&preview.conflicts).trim_end()),
    }
    exit
}

/// Lists the warnings that the page does not tell already, by code or word for word.
fn untold(preview: &Preview) -> Vec<WarningDocument> {
    let told: BTreeSet<&str> = (preview.findings.iter())
        .filter(|finding| finding.new)
        .flat_map(|finding| [finding.code, finding.message.as_str()])
        .collect();
    let mut warnings = PreviewDocument::warnings_of(preview);
    warnings.retain(|warning| match warning.code.as_str() {
        "family" => !told.contains(Code::Family.as_str()),
        "needs-rebuild" => false,
        _ => !told.contains(warning.message.as_str()),
    });
    warnings
}

/// Reports whether a warning is about a file of a node that is not at hand.
fn is_of_others(preview: &Preview, warning: &WarningDocument) -> bool {
    let origin = warning.origin.as_ref();
    origin.is_some_and(|origin| {
        let mut nodes = preview.nodes.iter();
        origin.kind == OriginKind::Node
            && !nodes.any(|node| Some(&node.name) == origin.name.as_ref())
    })
}

/// The verdict in one line: a word, a colon, what it comes to.
fn verdict(preview: &Preview) -> String {
    match preview.status {
        PreviewStatus::Conflict => {
            "conflict: no versions meet all lines, so nothing can be done".to_owned()
        }
        PreviewStatus::Blocked => format!(
            "blocked: {}, protected packages among them",
            summary(&preview.changes)
        ),
        PreviewStatus::Ok if preview.changes.is_empty() => {
            let nodes: Vec<String> = (preview.nodes.iter())
                .map(|node| printable(&node.name).replace('`', "'"))
                .collect();
            format!("ok: no package changes for `{}`", nodes.join("`, `"))
        }
        PreviewStatus::Ok => format!("ok: {}", summary(&preview.changes)),
    }
}

/// What it costs; nothing if nothing comes.
fn totals(preview: &Preview) -> Option<String> {
    let weight = preview.weight;
    let mut parts = Vec::new();
    if weight.download > 0 {
        parts.push(format!("{} to download", show_bytes(weight.download)));
    }
    match weight.installed {
        Some(0) => {}
        Some(bytes) => parts.push(format!("{} on disk", show_bytes(bytes))),
        // No more than the download says nothing new.
        None if weight.at_least > weight.download => {
            parts.push(format!("at least {} on disk", show_bytes(weight.at_least)));
        }
        None => {}
    }
    let freed: u64 = (preview.changes.iter())
        .filter_map(|change| change.freed_bytes)
        .sum();
    if freed > 0 {
        parts.push(format!("{} freed", show_bytes(freed)));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Changes by what they mean to whoever reads them.
struct Parts<'a> {
    /// What is installed becomes something else: the worst first.
    changed: Vec<&'a ChangeInfo>,
    /// What comes.
    new: Vec<&'a ChangeInfo>,
    /// What is due even without the nodes.
    pending: Vec<&'a ChangeInfo>,
}

fn others(changes: &[ChangeInfo]) -> Parts<'_> {
    let (pending, here): (Vec<_>, Vec<_>) = changes
        .iter()
        .partition(|it| it.pending && !it.needs_rebuild);
    let (new, mut changed): (Vec<_>, Vec<_>) = here
        .into_iter()
        .partition(|change| change.kind == ChangeKind::Add);
    changed.sort_by_key(|change| match change.kind {
        _ if change.needs_rebuild => 1,
        ChangeKind::Remove => 0,
        ChangeKind::Downgrade => 2,
        ChangeKind::Upgrade if change.major => 3,
        ChangeKind::Replace => 4,
        ChangeKind::Upgrade | ChangeKind::Add => 5,
    });
    Parts {
        changed,
        new,
        pending,
    }
}

fn next(screen: &Screen, preview: &Preview) -> Vec<Next> {
    let line = screen.line().clone().unsigned();
    match preview.status {
        PreviewStatus::Ok => {
            // A build may tell another story than what the preview went by.
            let evidence = (!line.gives("--build")).then_some(["--build", "static"]);
            let add = line
                .renamed("add")
                .with(evidence.into_iter().flatten())
                .with(["--plan", &preview.plan]);
            vec![add.next("applies exactly this plan")]
        }
        PreviewStatus::Blocked => {
            let protected = preview.changes.iter().filter(|change| change.protected);
            let allowed = protected.flat_map(|change| ["--allow-change", change.name.as_str()]);
            let allowing = line.renamed("preview").with(allowed);
            vec![allowing.next("shows the change of protected packages as allowed")]
        }
        PreviewStatus::Conflict => {
            let asked: Vec<&str> = preview
                .nodes
                .iter()
                .map(|node| node.name.as_str())
                .collect();
            let mut next = without_nodes(&preview.conflicts, &asked);
            next.push(
                line.renamed("preview")
                    .next("the same once one of the lines is another"),
            );
            next
        }
    }
}

/// Names the nodes that could go, so that a conflict has an end.
pub fn without_nodes(conflicts: &[Conflict], but: &[&str]) -> Vec<Next> {
    let lines = conflicts.iter().flat_map(|conflict| &conflict.requirements);
    let nodes = lines.filter(|line| line.origin.kind == OriginKind::Node);
    let names: BTreeSet<&str> = nodes
        .filter_map(|line| line.origin.name.as_deref())
        .filter(|name| !but.contains(name))
        .collect();
    let remove = |name| {
        let words = ["portenv", "remove", name];
        Next::of(
            words,
            true,
            "takes out a node that has part in it, and asks",
        )
    };
    names.into_iter().map(remove).collect()
}
