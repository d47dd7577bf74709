//! An installation as one archive: what goes in, how it is written, how it is opened elsewhere.
//!
//! Never: knows a command, asks an index, or runs a program.

pub mod cleaned;
pub mod imports;
pub mod manifest;
pub mod open;
pub mod relocate;
pub mod rules;
pub mod write;

use camino::Utf8PathBuf;

/// What a member of an archive consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file of this machine as it is.
    File(Utf8PathBuf),
    /// These bytes.
    Bytes(Vec<u8>),
    /// A link that says this.
    Link(String),
    /// A directory with nothing in it.
    Empty,
}

/// A member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its path below the archive's one directory, `/`-separated.
    pub path: String,
    /// What it consists of.
    pub content: Content,
    /// Its size in bytes.
    pub size: u64,
    /// It may be run.
    pub program: bool,
}

impl Item {
    /// Makes a file of these bytes.
    pub fn bytes(path: impl Into<String>, bytes: impl Into<Vec<u8>>, program: bool) -> Self {
        let bytes = bytes.into();
        Self {
            path: path.into(),
            size: bytes.len() as u64,
            content: Content::Bytes(bytes),
            program,
        }
    }
}

/// Why an archive cannot be written or opened.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file of this machine.
    #[error(transparent)]
    File(#[from] crate::host::FsError),
    /// The archive is damaged, or is none.
    #[error("{0}")]
    Damaged(String),
    /// A member would leave the directory, or take the place of another.
    #[error("{0}")]
    Unsafe(String),
    /// The work was asked to stop.
    #[error("interrupted")]
    Interrupted,
}
