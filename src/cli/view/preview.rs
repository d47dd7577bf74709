//! A preview: the page people look at before an install.

use std::collections::BTreeSet;

use super::changes::{summary, to_text, version_of};
use super::{conflict, show_document, show_warnings, waivers};
use crate::cli::document::{PreviewDocument, StoppedDocument};
use crate::cli::failure::{Exit, Next};
use crate::cli::screen::{Format, Screen};
use crate::ops::changes::NodeChange;
use crate::ops::preview::{Preview, PreviewStatus};
use crate::package::artifact::{printable, show_bytes};
use crate::requirements::OriginKind;
use crate::resolve::Conflict;

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

fn show(screen: &Screen, preview: &Preview, verbose: u8, write: impl FnOnce(&[Next])) -> Exit {
    show_warnings(screen, &PreviewDocument::warnings_of(preview), verbose);
    let exit = if preview.status == PreviewStatus::Ok {
        Exit::Done
    } else {
        Exit::No
    };
    if screen.format == Format::Json {
        write(&next(screen, preview));
    } else {
        screen.result(text(preview).trim_end());
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
        PreviewStatus::Ok if screen.format == Format::Json => {}
        PreviewStatus::Ok => {
            screen.hint("portenv add with the same words does this, and asks first");
        }
        PreviewStatus::Blocked => {
            screen.error("this would change protected packages, so it is blocked");
            screen.note(conflict::to_text(&preview.conflicts).trim_end());
            for change in preview.changes.iter().filter(|change| change.protected) {
                screen.hint(&format!("--allow-change {} lets it change", change.name));
            }
        }
        PreviewStatus::Conflict => screen.error(conflict::to_text(&preview.conflicts).trim_end()),
    }
    exit
}

fn text(preview: &Preview) -> String {
    let mut text = String::new();
    for node in &preview.nodes {
        let line = format!("node {} {}", printable(&node.dir), version_of(node));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if preview.status == PreviewStatus::Conflict {
        return text;
    }
    text.push_str(&to_text(&preview.changes, &[]));
    let download = if preview.download_bytes > 0 {
        format!("; {} to download", show_bytes(preview.download_bytes))
    } else {
        String::new()
    };
    text.push_str(&format!(
        "{}{download}\nplan {}\n",
        summary(&preview.changes),
        preview.plan
    ));
    text
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
