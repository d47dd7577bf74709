//! What `export` came to.

use schemars::JsonSchema;
use serde::Serialize;

use super::{WarningView, show_json, show_warnings};
use crate::cli::failure::Exit;
use crate::cli::screen::{Format, Screen};
use crate::ops::export::{ExportKind, ExportOutcome};

/// A package that is only a comment.
#[derive(Debug, Serialize, JsonSchema)]
struct Left<'a> {
    name: &'a str,
    reason: &'a str,
}

/// `portenv.export/1`.
#[derive(Debug, Serialize, JsonSchema)]
struct Document<'a> {
    kind: ExportKind,
    /// The file; null if none was named.
    path: Option<&'a str>,
    /// The file was changed.
    written: bool,
    /// The text; null if a file was named.
    text: Option<&'a str>,
    targets: &'a [String],
    packages: u64,
    /// What is only a comment in the text, as in the text.
    left: Vec<Left<'a>>,
    #[schemars(with = "Vec<serde_json::Value>")]
    warnings: Vec<WarningView>,
}

/// Shows what `export` came to: the text itself, unless a file was named.
pub fn show_export(screen: &Screen, outcome: &ExportOutcome) -> Exit {
    let mut warnings: Vec<WarningView> = outcome
        .warnings
        .iter()
        .map(|(code, message)| WarningView::new(code, message.clone()))
        .collect();
    let left = outcome.left.iter();
    warnings.extend(left.map(|(name, reason)| {
        let message = format!("`{name}` is only a comment: {reason}");
        WarningView::new("no-hash", message)
    }));
    show_warnings(screen, &warnings, 0);
    if screen.format == Format::Json {
        let document = Document {
            kind: outcome.kind,
            path: outcome.path.as_ref().map(|path| path.as_str()),
            written: outcome.written,
            text: outcome.path.is_none().then_some(&outcome.text),
            targets: &outcome.targets,
            packages: outcome.packages,
            left: (outcome.left.iter())
                .map(|(name, reason)| Left { name, reason })
                .collect(),
            warnings,
        };
        let body = serde_json::to_value(&document).unwrap_or_default();
        show_json(screen, "export", body, &[]);
        return Exit::Done;
    }
    match &outcome.path {
        Some(path) if outcome.written => screen.note(&format!("wrote `{path}`")),
        Some(path) => screen.note(&format!("`{path}` says so already")),
        None => screen.result(&outcome.text),
    }
    Exit::Done
}
