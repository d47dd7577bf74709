//! Outcomes as text and JSON, one file per outcome.
//!
//! Never: works anything out; what is shown was decided in `ops`.

use serde::Serialize;
use serde_json::{Value, json};

use super::failure::{Failure, Next};
use super::screen::{Format, Screen};
use crate::requirements::{Origin, Problem};

pub mod applied;
pub mod changes;
pub mod check;
pub mod conflict;
pub mod diff;
pub mod preview;
pub mod resolve;
pub mod self_info;
pub mod snapshot;
pub mod status;

/// A warning as JSON shows it.
#[derive(Debug, Clone, Serialize)]
pub struct WarningView {
    code: String,
    message: String,
    origin: Option<Origin>,
}

impl WarningView {
    /// Makes the view of a problem that did not stop the work.
    pub fn of_problem(problem: &Problem) -> Self {
        let fix = problem
            .fix
            .as_ref()
            .map_or(String::new(), |fix| format!(" ({fix})"));
        Self {
            code: problem.code.to_owned(),
            message: format!("{}{fix}", problem.message),
            origin: Some(problem.origin.clone()),
        }
    }

    /// Makes the view of a resolver's warning.
    pub fn of_warning(warning: &crate::resolve::Warning) -> Self {
        Self {
            code: warning.code.to_owned(),
            message: warning.message.clone(),
            origin: warning.origin.clone(),
        }
    }

    /// Makes a view from its parts.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            origin: None,
        }
    }

    /// Returns the warning as one line.
    pub fn shown(&self) -> String {
        match &self.origin {
            Some(origin) => format!("{}: {}", origin.place(), self.message),
            None => self.message.clone(),
        }
    }
}

/// Shows warnings on stderr: a few in full, many as a count.
pub fn show_warnings(screen: &Screen, warnings: &[WarningView], verbose: u8) {
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

/// Writes a document with its schema first.
pub fn show_json(screen: &Screen, command: &str, mut body: Value, next: &[Next]) {
    let mut document = serde_json::Map::new();
    document.insert("schema".to_owned(), json!(format!("portenv.{command}/1")));
    if let Some(fields) = body.as_object_mut() {
        document.append(fields);
    }
    document.insert("next".to_owned(), json!(next));
    screen.result(&escaped(&Value::Object(document).to_string()));
}

/// JSON escapes the control characters of ASCII; those beyond it and the marks
/// that turn the direction of text reach a terminal just as well.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\u{7f}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// Shows a failure: text on stderr in every format, and in JSON the document too.
pub fn show_failure(screen: &Screen, command: &str, failure: &Failure) {
    screen.error(&failure.message);
    for hint in &failure.hints {
        screen.hint(hint);
    }
    if screen.format == Format::Json {
        let message = crate::package::artifact::printable(&failure.message);
        let error = json!({"code": failure.code, "message": message, "origin": failure.origin});
        let mut body = json!({"status": "error", "error": error});
        if let Some(plan) = &failure.plan {
            body["plan"] = json!(plan);
        }
        show_json(screen, command, body, &failure.next);
    }
}
