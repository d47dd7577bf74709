//! What is asked for: requirement files of every kind, each line with its origin.
//!
//! Text becomes logical lines ([`mod@line`]), lines become statements ([`statement`]),
//! a file with its includes becomes entries ([`mod@file`]), and all files of an
//! installation become one [`RequirementSet`] ([`set`]). Readers never fail on a
//! stranger's text: they return what they understood and the [`Problem`]s, and
//! the caller decides what is fatal. Nothing is dropped without one of the two.
//!
//! Never: runs `setup.py` or `install.py`, asks a network, or prefers a version.

pub mod file;
pub mod line;
pub mod origin;
pub mod poetry;
pub mod pyproject;
pub mod script;
pub mod set;
pub mod setupcfg;
pub mod statement;
pub mod text;
pub mod waiver;

pub use file::{Entry, FileContent, IndexOption, read_requirements};
pub use origin::{Origin, OriginKind, Problem, Severity};
pub use script::{Act, ActKind};
pub use set::{InstallScript, Line, RequirementSet, Role};
pub use statement::{Statement, Wanted};
pub use waiver::{Asker, Waiver, WaiverReason};
