//! What lies in the cache, and what went.

use schemars::JsonSchema;
use serde::Serialize;

use super::show_json;
use crate::cli::failure::Exit;
use crate::cli::screen::{Format, Screen};
use crate::ops::cache::{CacheOutcome, CacheRequest};
use crate::package::artifact::{printable, show_bytes};

/// One part of the cache.
#[derive(Debug, Serialize, JsonSchema)]
struct PartView {
    part: &'static str,
    bytes: u64,
    files: u64,
}

/// Something that was removed.
#[derive(Debug, Serialize, JsonSchema)]
struct RemovedView<'a> {
    part: &'static str,
    path: &'a str,
    /// Null for answers, which share one file.
    bytes: Option<u64>,
    reason: &'static str,
}

/// `portenv.cache/1`.
#[derive(Debug, Serialize, JsonSchema)]
struct Document<'a> {
    path: &'a str,
    /// What is there now: answers, sdists, git, interpreters, uv, scratch.
    parts: Vec<PartView>,
    bytes: u64,
    removed: Vec<RemovedView<'a>>,
    freed_bytes: u64,
    /// What is not portenv's, and left alone; by path.
    others: &'a [String],
}

/// Shows what lies in the cache, and what went.
pub fn show_cache(screen: &Screen, request: &CacheRequest, outcome: &CacheOutcome) -> Exit {
    let bytes = outcome.parts.iter().map(|(_, weight)| weight.bytes).sum();
    if screen.format == Format::Json {
        let document = Document {
            path: outcome.dir.as_str(),
            parts: (outcome.parts.iter())
                .map(|(part, weight)| PartView {
                    part: part.as_str(),
                    bytes: weight.bytes,
                    files: weight.files,
                })
                .collect(),
            bytes,
            removed: (outcome.removed.iter())
                .map(|removed| RemovedView {
                    part: removed.part.as_str(),
                    path: &removed.path,
                    bytes: removed.bytes,
                    reason: removed.why.as_str(),
                })
                .collect(),
            freed_bytes: outcome.freed,
            others: &outcome.others,
        };
        let body = serde_json::to_value(&document).unwrap_or_default();
        show_json(screen, "cache", body, &[]);
        return Exit::Done;
    }
    if matches!(request, CacheRequest::Look) {
        // The path alone, so that other programs can take it.
        screen.result(outcome.dir.as_str());
        for (part, weight) in outcome.parts.iter().filter(|(_, weight)| weight.files > 0) {
            let (name, size) = (part.as_str(), show_bytes(weight.bytes));
            screen.note(&format!("  {name:<13}{size:>10}  {} files", weight.files));
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
