//! Results that are texts by nature.

use schemars::JsonSchema;
use serde::Serialize;

/// A text that another program reads: a completion script, a manual page.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TextDocument {
    /// The text.
    pub text: String,
}
