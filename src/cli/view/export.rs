//! What `export` came to.

use super::{show_document, show_warnings};
use crate::cli::document::ExportDocument;
use crate::cli::failure::Exit;
use crate::cli::screen::{Format, Screen};
use crate::ops::export::ExportOutcome;

/// Shows what `export` came to: the text itself, unless a file was named.
pub fn show_export(screen: &Screen, outcome: &ExportOutcome) -> Exit {
    let document = ExportDocument::from(outcome);
    show_warnings(screen, &document.warnings, 0);
    if screen.format == Format::Json {
        show_document(screen, "export", &document, &[]);
        return Exit::Done;
    }
    match &outcome.path {
        Some(path) if outcome.written => screen.note(&format!("wrote `{path}`")),
        Some(path) => screen.note(&format!("`{path}` says so already")),
        None => screen.result(&outcome.text),
    }
    Exit::Done
}
