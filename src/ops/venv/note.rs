//! `portenv-venv.json` in an environment: what it was made of.

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::host::fs;
use crate::ops::error::OpError;

/// The file's name.
pub const NOTE: &str = "portenv-venv.json";

/// Where the packages of an environment come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OriginKind {
    /// The installation's lock.
    Lock,
    /// The lock of a folder of wheels.
    Wheelhouse,
    /// A snapshot.
    Snapshot,
}

/// What an environment was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its name.
    pub name: String,
    /// When it was made, UTC.
    pub created: String,
    /// The version of its Python.
    pub python: String,
    /// Where its packages come from.
    pub kind: OriginKind,
    /// The lock's or folder's path, or the snapshot's id.
    pub origin: String,
    /// The SHA-256 of the lock or the recorded state.
    pub digest: String,
    /// How many packages it has.
    pub packages: usize,
}

impl Note {
    /// Reads the note of an environment; `None` if there is none that can be read.
    pub fn find(dir: &Utf8Path) -> Option<Self> {
        let text = fs::find_text(&dir.join(NOTE)).ok()??;
        serde_json::from_str(&text).ok()
    }

    /// Writes it into an environment.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn write(&self, dir: &Utf8Path) -> Result<(), OpError> {
        // Texts and a number: nothing of it can fail to be JSON.
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        Ok(fs::write_atomic(&dir.join(NOTE), text.as_bytes())?)
    }
}
