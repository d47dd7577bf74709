//! Environments beside the live one.

use camino::Utf8Path;
use schemars::JsonSchema;
use serde::Serialize;

use super::WarningDocument;
use crate::ops::venv::create::Created;
use crate::ops::venv::note::{Note, OriginKind};

/// Where packages come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VenvOriginWord {
    /// The installation's lock.
    Lock,
    /// The lock of a folder of wheels.
    Wheelhouse,
    /// A snapshot.
    Snapshot,
}

/// An environment.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct VenvDocument {
    /// Its name.
    pub name: String,
    /// Where it lies.
    pub dir: String,
    /// When it was made, UTC.
    pub created: String,
    /// The version of its Python.
    pub python: String,
    /// Where its packages come from.
    pub from: VenvOriginWord,
    /// The lock's or folder's path, or the snapshot's id.
    pub origin: String,
    /// The SHA-256 of that lock or state.
    pub digest: String,
    /// How many packages it has.
    pub packages: usize,
}

impl VenvDocument {
    /// Makes it of a note and where that lies.
    pub fn new(note: &Note, dir: &Utf8Path) -> Self {
        Self {
            name: note.name.clone(),
            dir: dir.to_string(),
            created: note.created.clone(),
            python: note.python.clone(),
            from: match note.kind {
                OriginKind::Lock => VenvOriginWord::Lock,
                OriginKind::Wheelhouse => VenvOriginWord::Wheelhouse,
                OriginKind::Snapshot => VenvOriginWord::Snapshot,
            },
            origin: note.origin.clone(),
            digest: note.digest.clone(),
            packages: note.packages,
        }
    }
}

/// How making one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VenvCreateWord {
    /// It is there.
    Done,
}

/// What `venv create` came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct VenvCreateDocument {
    /// How it ended.
    pub status: VenvCreateWord,
    /// The environment.
    pub environment: VenvDocument,
    /// Its interpreter.
    pub interpreter: String,
    /// How many files it has.
    pub files: u64,
    /// How many bytes these have.
    pub bytes: u64,
    /// How many of these are links to what uv's cache has, and took no room. What a file
    /// system shares behind the scenes counts as its own.
    pub shared_bytes: u64,
    /// Things worth knowing.
    pub warnings: Vec<WarningDocument>,
}

impl From<&Created> for VenvCreateDocument {
    fn from(created: &Created) -> Self {
        let warnings = created.warnings.iter();
        Self {
            status: VenvCreateWord::Done,
            environment: VenvDocument::new(&created.note, &created.dir),
            interpreter: created.python.to_string(),
            files: created.footprint.files,
            bytes: created.footprint.bytes,
            shared_bytes: created.footprint.shared_bytes,
            warnings: warnings
                .map(|(code, message)| WarningDocument::new(code, message))
                .collect(),
        }
    }
}

/// What `venv list` found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct VenvListDocument {
    /// The environments, by name.
    pub environments: Vec<VenvDocument>,
}

/// How removing one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VenvRemoveWord {
    /// It is in the trash.
    Removed,
}

/// What `venv remove` came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct VenvRemoveDocument {
    /// How it ended.
    pub status: VenvRemoveWord,
    /// Its name.
    pub name: String,
    /// Where it lies now.
    pub trash: String,
}
