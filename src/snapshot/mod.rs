//! The history: append-only, in SQLite.
//!
//! Two kinds of record. A *state* says what the installation looked like and is
//! stored by content: equal states share a row, equal distributions and lock
//! entries share theirs. An *operation* says what happened and points from the
//! state before to the state after. A *snapshot* is the outcome of an operation
//! that ended well. Nothing is rewritten; a rollback is one more operation.
//!
//! Locking: writers hold the directory lock, readers need none. Compatibility:
//! migrations are an append-only list counted by `user_version`; a newer file is
//! only read, and who would write it is told what was found and what is known. Speed: one transaction a record.
//! Odd file systems: WAL only where the file system is known to be local.
//!
//! Never: changes the installation.

pub mod db;
pub mod error;
pub mod history;
pub mod model;
pub mod prune;
pub mod retention;
mod rows;
pub mod salvage;
pub mod schema;

pub use db::Db;
pub use error::SnapshotError;
pub use history::{BISECT, BISECTED, REDO, Resolved, UNDO, Walk, bisect_origin, find_snapshot};
pub use model::{
    AS_FOUND, BaseState, Keep, Kept, Operation, Outcome, PackageState, Snapshot, SourceRecord,
    State, Step,
};
