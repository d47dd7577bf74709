//! The lock: `pylock.toml` (PEP 751), the one answer for all targets.
//!
//! Goals: uv and pip install it as it is; a change of one requirement changes few
//! lines; the same answer is the same bytes; who asked for what stands beside each
//! package. Our own facts live under `[tool.portenv]` and
//! `[packages.tool.portenv]`, which installers ignore.
//!
//! Rules of change: a reader refuses a higher `schema`; fields may be added within
//! one; a lock whose tables another tool dropped is a foreign lock: its versions
//! are preferred, its provenance is unknown.
//!
//! Never: touches the network, or writes `packages.requires-python` (uv refuses
//! the whole file for one package's upper bound).

pub mod compare;
pub mod emit;
pub mod export;
pub mod freshness;
pub mod left_out;
pub mod members;
pub mod model;
pub mod read;
pub mod selection;
mod waivers;
pub mod write;

pub use compare::{Change, ChangeKind, compare};
pub use freshness::{StaleReason, check_freshness, line_key};
pub use left_out::LeftOutNode;
pub use members::{LockedCore, LockedNode, Members};
pub use model::{Lock, LockedPackage};
pub use read::LockError;
