//! A list of nodes: `nodes.toml`.
//!
//! ```toml
//! [[node]]
//! source = "https://github.com/someone/some-node"   # what a NODE argument may be
//! rev = "v1.2"                  # branch, tag or commit of a repository; `pin` says the same
//! reason = "many workflows use it"
//! weight = 3
//! ```

use serde::Deserialize;
use toml::Spanned;

/// One node of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedNode {
    /// Where it comes from: what a NODE argument may be.
    pub source: String,
    /// Branch, tag or commit.
    pub rev: Option<String>,
    /// Why it is in the list.
    pub reason: Option<String>,
    /// The line of the list that names it, from 1.
    pub line: u32,
}

/// What is wrong with a list, and where: line and column count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListError {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawList {
    #[serde(default)]
    node: Vec<RawNode>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNode {
    source: Spanned<String>,
    #[serde(alias = "pin")]
    rev: Option<String>,
    reason: Option<String>,
    // Of use where not all nodes can live together.
    #[serde(rename = "weight")]
    _weight: Option<u32>,
}

/// Reads a list of nodes.
///
/// # Errors
///
/// Fails with line and column on anything unknown or malformed.
pub fn parse_list(text: &str) -> Result<Vec<ListedNode>, ListError> {
    let place = |offset: usize| {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
        (number(line), number(column))
    };
    let raw: RawList = toml::from_str(text).map_err(|error| {
        let (line, column) = place(error.span().map_or(0, |span| span.start));
        let message = error.message().lines().next().unwrap_or("invalid");
        ListError {
            line,
            column,
            message: message.to_owned(),
        }
    })?;
    let node = |node: RawNode| ListedNode {
        line: place(node.source.span().start).0,
        source: node.source.into_inner(),
        rev: node.rev,
        reason: node.reason,
    };
    Ok(raw.node.into_iter().map(node).collect())
}
