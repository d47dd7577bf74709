//! The tour.

use schemars::JsonSchema;
use serde::Serialize;

/// What the tour showed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DemoDocument {
    /// Always `done`.
    pub status: DemoWord,
    /// Where the throw-away installation was.
    pub root: String,
    /// It is still there.
    pub kept: bool,
    /// The commands that were run, in their order.
    pub steps: Vec<DemoStep>,
}

/// The one word of a tour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DemoWord {
    /// Every step ended as it was meant to.
    Done,
}

/// One command of the tour.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DemoStep {
    /// Its words, the program first.
    pub argv: Vec<String>,
    /// Its exit code.
    pub exit: u8,
    /// What it is to show, in words.
    pub says: String,
}
