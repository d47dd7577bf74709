//! A preview: the page people look at before an install.

use super::changes::{summary, to_text, version_of};
use super::{conflict, show_document, show_warnings, waivers};
use crate::cli::document::PreviewDocument;
use crate::cli::failure::{Exit, Next};
use crate::cli::screen::{Format, Screen};
use crate::ops::preview::{Preview, PreviewStatus};
use crate::package::artifact::{printable, show_bytes};
use crate::package::redact;

/// Shows a preview, or why `add` stops.
pub fn show_preview(screen: &Screen, command: &str, preview: &Preview, verbose: u8) -> Exit {
    show_warnings(screen, &PreviewDocument::warnings_of(preview), verbose);
    let exit = if preview.status == PreviewStatus::Ok {
        Exit::Done
    } else {
        Exit::No
    };
    if screen.format == Format::Json {
        let next = match preview.status {
            PreviewStatus::Ok => Vec::new(),
            PreviewStatus::Blocked => {
                let names: Vec<&str> = preview
                    .changes
                    .iter()
                    .filter(|change| change.protected)
                    .map(|change| change.name.as_str())
                    .collect();
                let mut next = Next::new(
                    "portenv preview",
                    false,
                    "shows the change of protected packages as allowed",
                )
                .with(preview.asked.iter().map(|node| redact(node)));
                for name in names {
                    next = next.with(["--allow-change", name]);
                }
                vec![next]
            }
            PreviewStatus::Conflict => vec![Next::new(
                "portenv status",
                false,
                "shows the installation as it is",
            )],
        };
        show_document(screen, command, &PreviewDocument::from(preview), &next);
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
        PreviewStatus::Ok => {}
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
