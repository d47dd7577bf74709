//! What lies in the cache, and what went.

use super::changes::counted;
use super::show_document;
use crate::cli::document::CacheDocument;
use crate::cli::failure::Exit;
use crate::cli::screen::{Format, Screen};
use crate::ops::cache::{CacheOutcome, CacheRequest};
use crate::package::artifact::{printable, show_bytes};

/// Shows what lies in the cache, and what went.
pub fn show_cache(screen: &Screen, request: &CacheRequest, outcome: &CacheOutcome) -> Exit {
    let document = CacheDocument::from(outcome);
    let bytes = document.bytes;
    if screen.format == Format::Json {
        show_document(screen, "cache", &document, &[]);
        return Exit::Done;
    }
    if matches!(request, CacheRequest::Look) {
        // The path alone, so that other programs can take it.
        screen.result(outcome.dir.as_str());
        for (part, weight) in outcome.parts.iter().filter(|(_, weight)| weight.files > 0) {
            let (name, size) = (part.as_str(), show_bytes(weight.bytes));
            let files = counted(weight.files, "file");
            screen.note(&format!("  {name:<13}{size:>10}  {files}"));
        }
        screen.note(&format!("  {:<13}{:>10}", "all", show_bytes(bytes)));
    } else {
        let mut text = String::new();
        for removed in &outcome.removed {
            let size = removed.bytes.map_or(String::new(), show_bytes);
            let path = printable(&removed.path);
            text.push_str(&format!("  - {path} {size}\n").replace(" \n", "\n"));
        }
        screen.result(text.trim_end());
        screen.note(&format!(
            "{} freed, {} left",
            show_bytes(outcome.freed),
            show_bytes(bytes)
        ));
    }
    if !outcome.others.is_empty() {
        let shown: Vec<String> = outcome.others.iter().take(5).cloned().collect();
        screen.warning(&format!(
            "not portenv's, and left alone: {}",
            shown.join(", ")
        ));
    }
    Exit::Done
}
