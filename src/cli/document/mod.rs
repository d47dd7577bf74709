//! The JSON documents that programs read, as types: one file per outcome.
//!
//! A field's type and comment are its contract: the schemas under `corpus/schemas/`
//! are made from them. Fields are added and never taken away within `/1`.
//!
//! Never: prints, or decides what an outcome is.

pub mod applied;
pub mod beside;
pub mod bisect;
pub mod cache;
pub mod check;
pub mod code;
pub mod conflict;
pub mod demo;
pub mod diff;
pub mod explain;
pub mod export;
pub mod failure;
pub mod init;
pub mod next;
pub mod pack;
pub mod preview;
pub mod progress;
pub mod prune;
pub mod resolution;
pub mod schemas;
pub mod snapshot;
pub mod status;
pub mod subset;
pub mod text;
pub mod tree;
pub mod update;
pub mod venv;
pub mod verify;
pub mod waiver;
pub mod warning;
pub mod wheelhouse;
pub mod why;

pub use applied::{AppliedDocument, AppliedWord, StoppedDocument};
pub use beside::{BesideDocument, ReleaseDocument};
pub use cache::CacheDocument;
pub use check::{CheckDocument, CheckWord};
pub use code::ErrorCode;
pub use conflict::ConflictDocument;
pub use diff::DiffDocument;
pub use explain::{ExplainDocument, LastConflictDocument};
pub use export::ExportDocument;
pub use failure::FailureDocument;
pub use init::InitDocument;
pub use next::Next;
pub use pack::{PackDocument, UnpackDocument};
pub use preview::{PreviewDocument, ScriptDocument, scripts_of};
pub use resolution::{LockDocument, ResolveDocument};
pub use schemas::{Schemas, document, schemas};
pub use snapshot::SnapshotDocument;
pub use status::StatusDocument;
pub use subset::{LeftOutDocument, SubsetDocument};
pub use text::TextDocument;
pub use tree::TreeDocument;
pub use update::{UpdateDocument, UpdateWord};
pub use verify::VerifyDocument;
pub use waiver::WaiverDocument;
pub use warning::WarningDocument;
pub use why::WhyDocument;
