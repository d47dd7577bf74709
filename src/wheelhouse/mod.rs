//! The files of a lock in one folder, with a lock beside them that names them by path.
//!
//! `wheelhouse.toml` says what is in the folder and where it came from ([`manifest`]),
//! `pylock.toml` is the lock with relative paths (PEP 751), `requirements-frozen.txt` and
//! `constraints.txt` say the same to pip ([`texts`]). What a lock needs of such a folder is
//! worked out by [`mod@wanted`], whether all of it is there by [`mod@inspect`].
//!
//! Never: asks the network, builds or installs anything.

pub mod error;
pub mod inspect;
pub mod manifest;
pub mod names;
pub mod texts;
pub mod wanted;

pub use error::HouseError;
pub use inspect::{Code, Finding, inspect};
pub use manifest::{Gap, HouseFile, HouseTarget, Manifest, Provenance};
pub use wanted::{Get, Item, Wanted, wanted};

/// The file that makes a folder a wheelhouse.
pub const MANIFEST: &str = "wheelhouse.toml";
/// The lock with relative paths.
pub const PYLOCK: &str = "pylock.toml";
/// Versions with hashes, for pip.
pub const REQUIREMENTS: &str = "requirements-frozen.txt";
/// Versions only.
pub const CONSTRAINTS: &str = "constraints.txt";
/// What builds were made with, and of what.
pub const BUILD: &str = "build";
/// What is not whole yet.
pub const PARTS: &str = ".parts";
