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
    /// It has all words that it needs; none of the caller's is to be added.
    #[serde(skip)]
    as_typed: bool,
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
            as_typed: false,
        }
    }

    /// Marks it as one that has all words it needs.
    pub fn as_typed(mut self) -> Self {
        self.as_typed = true;
        self
    }

    /// Reports whether it has all words it needs.
    pub fn is_as_typed(&self) -> bool {
        self.as_typed
    }

    /// Adds words at the end.
    pub fn with(mut self, words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.argv.extend(words.into_iter().map(Into::into));
        self
    }
}
