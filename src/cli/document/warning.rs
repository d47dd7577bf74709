//! What is worth knowing besides the result.

use schemars::JsonSchema;
use serde::Serialize;

use crate::requirements::{Origin, Problem};

/// Something worth knowing that did not stop the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Warning")]
pub struct WarningDocument {
    /// A word for programs; the list is open.
    pub code: String,
    /// What it is, in words.
    pub message: String,
    /// Where it comes from.
    pub origin: Option<Origin>,
}

impl WarningDocument {
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
