//! What `snapshot prune` took out.

use super::changes::counted;
use super::snapshot::rows_to_text;
use super::{show_document, show_warnings};
use crate::cli::document::AppliedWord;
use crate::cli::document::prune::PruneDocument;
use crate::cli::failure::Exit;
use crate::cli::screen::{Format, Screen};
use crate::ops::prune::PruneOutcome;
use crate::package::artifact::{printable, show_bytes};

/// Shows what of the history went, or would go.
pub fn show_prune(screen: &Screen, outcome: &PruneOutcome) -> Exit {
    let document = PruneDocument::from(outcome);
    show_warnings(screen, &document.warnings, 1);
    let dry = matches!(document.status, AppliedWord::DryRun);
    if screen.format == Format::Json {
        let line = screen.line().clone().without("--dry-run", false);
        let next = dry.then(|| line.next("does it"));
        show_document(screen, "snapshot", &document, next.as_slice());
        return Exit::Done;
    }
    let mut text = rows_to_text(&outcome.snapshots);
    for file in &document.store {
        let (path, bytes) = (printable(&file.path), show_bytes(file.bytes));
        text.push_str(&format!("  - .portenv/store/{path} {bytes}\n"));
    }
    for file in &document.trash {
        let (path, bytes) = (printable(&file.path), show_bytes(file.bytes));
        text.push_str(&format!("  - .portenv/trash/{path} {bytes}\n"));
    }
    screen.result(text.trim_end());
    let gone = counted(document.snapshots.len(), "snapshot");
    let bytes = show_bytes(document.freed_bytes);
    screen.note(&match document.status {
        AppliedWord::Nothing => format!("nothing to prune: {} kept", document.kept),
        AppliedWord::DryRun => {
            format!(
                "nothing was removed; this would be: {gone}, {bytes}; {} kept",
                document.kept
            )
        }
        _ => format!("{gone} removed, {bytes} freed; {} kept", document.kept),
    });
    Exit::Done
}
