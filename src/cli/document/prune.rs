//! What `snapshot prune` took out.

use schemars::JsonSchema;
use serde::Serialize;

use super::snapshot::SnapshotEntry;
use super::{AppliedWord, WarningDocument};
use crate::ops::prune::PruneOutcome;
use crate::store::collect::Stored;

/// A file or directory that goes.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PrunedFile {
    /// Its path, relative to the store or the trash.
    pub path: String,
    /// How large it is.
    pub bytes: u64,
}

/// What of the history went, or would go.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PruneDocument {
    /// done, nothing or dry-run.
    pub status: AppliedWord,
    /// The snapshots, newest first, their packages and nodes empty.
    pub snapshots: Vec<SnapshotEntry>,
    /// How many snapshots stay.
    pub kept: usize,
    /// Files of the store that no other snapshot needs, by path.
    pub store: Vec<PrunedFile>,
    /// Entries of the trash, by path.
    pub trash: Vec<PrunedFile>,
    /// How many bytes the history itself shrinks by.
    pub db_bytes: u64,
    /// How many bytes go in all.
    pub freed_bytes: u64,
    /// Things worth knowing.
    pub warnings: Vec<WarningDocument>,
}

impl From<&PruneOutcome> for PruneDocument {
    fn from(outcome: &PruneOutcome) -> Self {
        let files = |list: &[Stored]| -> Vec<PrunedFile> {
            let view = |stored: &Stored| PrunedFile {
                path: stored.file.clone(),
                bytes: stored.bytes,
            };
            list.iter().map(view).collect()
        };
        let all = outcome.store.iter().chain(&outcome.trash);
        let copies = (outcome.only_copies.iter()).map(|name| {
            let message = format!("no repository has `{name}`: no rollback can bring it back");
            WarningDocument::new("only-copy", &message)
        });
        let held = (outcome.held_by.iter()).map(|name| {
            let message = format!(
                "the store stays as it is while `.portenv/{name}` is there: its snapshots may need it; delete that file to prune the store"
            );
            WarningDocument::new("held-by", &message)
        });
        Self {
            status: outcome.status.into(),
            snapshots: (outcome.snapshots.iter())
                .map(|shown| SnapshotEntry::new(shown, false))
                .collect(),
            kept: outcome.kept,
            store: files(&outcome.store),
            trash: files(&outcome.trash),
            db_bytes: outcome.db_bytes,
            freed_bytes: outcome.db_bytes + all.map(|stored| stored.bytes).sum::<u64>(),
            warnings: copies.chain(held).collect(),
        }
    }
}
