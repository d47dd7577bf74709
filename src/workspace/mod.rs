//! The installation on disk: its root, core, custom nodes and `portenv.toml`.
//!
//! Never: judges a requirement, asks a network, or changes a file.

pub mod content;
pub mod discover;
mod evidence;
pub mod extra_paths;
pub mod node;
pub mod python;
pub mod settings;
pub mod startup;

pub use discover::{
    CoreReason, Installation, Layout, WorkspaceError, find_installation, find_installation_with,
};
pub use extra_paths::Note;
pub use node::{Core, Node, NodeKind};
pub use python::{PythonChoice, PythonReason, choose_python};
pub use settings::{Settings, SettingsError};
