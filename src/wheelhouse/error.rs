//! Why a folder cannot be used as a wheelhouse.

use camino::Utf8PathBuf;

use crate::host::FsError;
use crate::lock::LockError;

/// A folder that cannot be used as a wheelhouse.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FsError),
    /// Its lock cannot be read.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// There is no wheelhouse.
    #[error("`{0}` is no wheelhouse: there is no `wheelhouse.toml` in it")]
    NotOne(Utf8PathBuf),
    /// Something else lies there.
    #[error("`{0}` is not empty and no wheelhouse, so nothing is written there")]
    Taken(Utf8PathBuf),
    /// Its list of files cannot be read.
    #[error("{file}:{line}:{column}: {message}")]
    Invalid {
        /// The file.
        file: Utf8PathBuf,
        /// The line, from 1.
        line: u32,
        /// The column, from 1.
        column: u32,
        /// What is wrong.
        message: String,
    },
    /// Its list of files is of a newer format.
    #[error("`{file}` has schema {found}, but this version of portenv knows only {known}")]
    Newer {
        /// The file.
        file: Utf8PathBuf,
        /// The number found.
        found: i64,
        /// The number known.
        known: i64,
    },
    /// A file of the lock cannot have its name in a folder.
    #[error("{package}: {message}")]
    Name {
        /// The package.
        package: String,
        /// What is wrong.
        message: String,
    },
    /// It is for other machines.
    #[error("the wheelhouse `{dir}` is for {targets}, but this is {here}")]
    Elsewhere {
        /// The folder.
        dir: Utf8PathBuf,
        /// What it is for.
        targets: String,
        /// This machine.
        here: String,
    },
    /// It is for another Python.
    #[error(
        "the wheelhouse `{dir}` is for Python {wanted}, but this installation's Python is {here}"
    )]
    OtherPython {
        /// The folder.
        dir: Utf8PathBuf,
        /// What it is for.
        wanted: String,
        /// This one.
        here: String,
    },
    /// Something is lacking or not what it should be.
    #[error("the wheelhouse `{dir}` cannot be installed from: {}", .findings.join("; "))]
    Unfit {
        /// The folder.
        dir: Utf8PathBuf,
        /// What is wrong.
        findings: Vec<String>,
        /// A file is another than was recorded.
        changed: bool,
    },
}
