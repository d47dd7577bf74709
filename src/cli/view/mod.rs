//! Outcomes as text and JSON, one file per outcome.
//!
//! Never: works anything out; what is shown was decided in `ops`.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::advice::after_failure;
use super::document::{FailureDocument, TextDocument, WarningDocument, document};
use super::failure::{Exit, Failure, LISTS_COMMANDS, Next};
use super::screen::{Format, Screen};

pub mod applied;
pub mod beside;
pub mod bisect;
pub mod cache;
pub mod changes;
pub mod check;
pub mod conflict;
pub mod diff;
pub mod explain;
pub mod export;
mod markdown;
pub mod pack;
pub mod preview;
pub mod prune;
pub mod resolve;
pub mod self_info;
pub mod snapshot;
pub mod status;
pub mod subset;
pub mod tree;
pub mod update;
pub mod venv;
pub mod verify;
pub mod waivers;
pub mod wheelhouse;
pub mod why;

/// Shows warnings on stderr: a few in full, many as a count.
pub fn show_warnings(screen: &Screen, warnings: &[WarningDocument], verbose: u8) {
    const MOST: usize = 8;
    let shown = if verbose > 0 { warnings.len() } else { MOST };
    for warning in warnings.iter().take(shown) {
        screen.warning(&warning.shown());
    }
    if warnings.len() > shown {
        screen.note(&format!(
            "and {} more warnings (-v shows all)",
            warnings.len() - shown
        ));
    }
}

/// Writes a document, its schema first and what to run next last.
pub fn show_document(
    screen: &Screen,
    command: &str,
    body: &(impl Serialize + JsonSchema),
    next: &[Next],
) {
    write(screen, command, body, next);
}

/// Writes a document whose outcome has no type of its own.
#[expect(clippy::needless_pass_by_value, reason = "made where it is shown")]
pub fn show_json(screen: &Screen, command: &str, body: Value, next: &[Next]) {
    write(screen, command, &body, next);
}

fn write(screen: &Screen, command: &str, body: &impl Serialize, next: &[Next]) {
    let next: Vec<Next> = next
        .iter()
        .map(|next| screen.line().complete(next))
        .collect();
    screen.result(&document(command, body, &next));
}

/// Shows a result that is a text by nature.
pub fn show_text(screen: &Screen, command: &str, text: &str) -> Exit {
    if screen.format == Format::Json {
        let body = TextDocument {
            text: text.to_owned(),
        };
        show_document(screen, command, &body, &[]);
    } else {
        screen.result(text);
    }
    Exit::Done
}

/// Shows a failure: text on stderr in every format, and in JSON the document too.
pub fn show_failure(screen: &Screen, command: &str, failure: &Failure) {
    screen.error(&failure.message);
    for hint in &failure.hints {
        match screen.line().named() {
            Some(name) if hint == LISTS_COMMANDS => screen.hint(&format!(
                "portenv {name} --help lists its arguments and flags"
            )),
            _ => screen.hint(hint),
        }
    }
    if screen.format == Format::Json {
        let body = FailureDocument::from(failure);
        let next = after_failure(failure, screen.line());
        show_document(screen, command, &body, &next);
    } else if command == "check" {
        check::show_failed(screen, failure);
    } else if command == "preview" && screen.format == Format::Markdown {
        preview::show_failed(screen, failure);
    }
}
