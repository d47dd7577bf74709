//! The installation on disk: its root, core, custom nodes and `portenv.toml`.
//!
//! Never: reads a requirement, asks a network, or changes a file.

pub mod discover;
pub mod node;
pub mod python;
pub mod settings;

pub use discover::{Installation, Layout, WorkspaceError, find_installation};
pub use node::{Core, Node, NodeKind};
pub use python::{PythonChoice, PythonReason, choose_python};
pub use settings::{Settings, SettingsError};
