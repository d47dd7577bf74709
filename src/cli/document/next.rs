//! What to run next.

use schemars::JsonSchema;
use serde::Serialize;

/// A command to run next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Next {
    /// The words of the command, the program first; ready to be run as they are, without a shell.
    pub argv: Vec<String>,
    /// It changes something.
    pub changes: bool,
    /// What it is good for, in words.
    pub why: String,
}

impl Next {
    /// Makes a next command of a line that this program's own source spells out.
    ///
    /// What a person typed may hold spaces; it never comes this way.
    pub fn new(line: &'static str, changes: bool, why: &str) -> Self {
        Self::of(line.split(' '), changes, why)
    }

    /// Makes a next command of its words.
    pub fn of(
        words: impl IntoIterator<Item = impl Into<String>>,
        changes: bool,
        why: impl Into<String>,
    ) -> Self {
        Self {
            argv: words.into_iter().map(Into::into).collect(),
            changes,
            why: why.into(),
        }
    }

    /// Adds words at the end.
    pub fn with(mut self, words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.argv.extend(words.into_iter().map(Into::into));
        self
    }
}
