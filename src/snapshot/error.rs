//! What can be wrong with a history.

use camino::Utf8PathBuf;

use crate::host::FsError;

/// What went wrong with the history.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// SQLite failed.
    #[error("the history `{path}` cannot be used")]
    Sqlite {
        /// The file.
        path: Utf8PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The file is of a newer portenv.
    #[error(
        "the history `{path}` has schema {found}, but this version of portenv knows only {known}"
    )]
    Newer {
        /// The file.
        path: Utf8PathBuf,
        /// The schema found.
        found: i64,
        /// The schema known.
        known: i64,
    },
    /// A record cannot be understood.
    #[error("the history `{path}` is damaged: {detail}")]
    Damaged {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A file could not be made.
    #[error(transparent)]
    File(#[from] FsError),
}

impl SnapshotError {
    /// Reports whether the file itself is at fault, and not the disk or who holds it.
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode as Code;
        match self {
            Self::Damaged { .. } => true,
            Self::Sqlite { source, .. } => matches!(
                source.sqlite_error_code(),
                None | Some(Code::DatabaseCorrupt | Code::NotADatabase | Code::Unknown)
            ),
            Self::Newer { .. } | Self::File(_) => false,
        }
    }
}
