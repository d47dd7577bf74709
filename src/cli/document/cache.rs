//! What lies in the cache, and what went.

use schemars::JsonSchema;
use serde::Serialize;

use crate::ops::cache::CacheOutcome;

/// One part of the cache.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CachePart {
    /// answers, sdists, git, interpreters, uv, conflicts or scratch.
    pub part: String,
    /// How large it is now.
    pub bytes: u64,
    /// How many files it has.
    pub files: u64,
}

/// Something that was removed from the cache.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RemovedDocument {
    /// Of which part it was.
    pub part: String,
    /// Its path in the cache; of an answer, the index and the package.
    pub path: String,
    /// How large it was; null for an answer, for these share one file.
    pub bytes: Option<u64>,
    /// unused, superseded, leftover or asked.
    pub reason: String,
}

/// What lies in the cache, and what went.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CacheDocument {
    /// The cache's directory.
    pub path: String,
    /// Every part, always in the same order.
    pub parts: Vec<CachePart>,
    /// How large all parts are together.
    pub bytes: u64,
    /// What was removed.
    pub removed: Vec<RemovedDocument>,
    /// How much smaller the whole became.
    pub freed_bytes: u64,
    /// What is not portenv's and was left alone; by path.
    pub others: Vec<String>,
}

impl From<&CacheOutcome> for CacheDocument {
    fn from(outcome: &CacheOutcome) -> Self {
        let parts = outcome.parts.iter().map(|(part, weight)| CachePart {
            part: part.as_str().to_owned(),
            bytes: weight.bytes,
            files: weight.files,
        });
        let removed = outcome.removed.iter().map(|removed| RemovedDocument {
            part: removed.part.as_str().to_owned(),
            path: removed.path.clone(),
            bytes: removed.bytes,
            reason: removed.why.as_str().to_owned(),
        });
        Self {
            path: outcome.dir.to_string(),
            parts: parts.collect(),
            bytes: outcome.parts.iter().map(|(_, weight)| weight.bytes).sum(),
            removed: removed.collect(),
            freed_bytes: outcome.freed,
            others: outcome.others.clone(),
        }
    }
}
