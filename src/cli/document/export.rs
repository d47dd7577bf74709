//! The lock in the words of other installers.

use schemars::JsonSchema;
use serde::Serialize;

use super::WarningDocument;
use crate::ops::export::{ExportKind, ExportOutcome};

/// A package that is only a comment in what was exported.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LeftDocument {
    /// The package.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// What `export` came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ExportDocument {
    /// In what words.
    pub kind: ExportKind,
    /// The file; null if none was named.
    pub path: Option<String>,
    /// The file was changed.
    pub written: bool,
    /// The text; null if a file was named.
    pub text: Option<String>,
    /// The targets it is for, as the lock has them.
    pub targets: Vec<String>,
    /// How many packages the lock has there.
    pub packages: u64,
    /// What is only a comment in the text, in its order.
    pub left: Vec<LeftDocument>,
    /// Things worth knowing, in the order they were found.
    pub warnings: Vec<WarningDocument>,
}

impl From<&ExportOutcome> for ExportDocument {
    fn from(outcome: &ExportOutcome) -> Self {
        let warning =
            |(code, message): &(&'static str, String)| WarningDocument::new(code, message);
        let mut warnings: Vec<WarningDocument> = outcome.warnings.iter().map(warning).collect();
        let left = outcome.left.iter();
        warnings.extend(left.map(|(name, reason)| {
            WarningDocument::new("no-hash", format!("`{name}` is only a comment: {reason}"))
        }));
        let left = outcome.left.iter().map(|(name, reason)| LeftDocument {
            name: name.clone(),
            reason: reason.clone(),
        });
        Self {
            kind: outcome.kind,
            path: outcome.path.as_ref().map(ToString::to_string),
            written: outcome.written,
            text: outcome.path.is_none().then(|| outcome.text.clone()),
            targets: outcome.targets.clone(),
            packages: outcome.packages,
            left: left.collect(),
            warnings,
        }
    }
}
