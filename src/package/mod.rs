//! The words of Python packaging as pure values.
//!
//! Names, versions and their ranges, requirements with markers, metadata, wheel
//! tags, files and where they come from, and the target a lock is made for.
//!
//! Never: reads a file, asks a network, or knows ComfyUI.

pub mod artifact;
pub mod marker;
pub mod metadata;
pub mod name;
pub mod requirement;
pub mod tags;
pub mod target;
pub mod venv;
pub mod version;
pub mod wheel;

pub use artifact::{DistFile, FileKind, Hashes, Source, Vcs, redact};
pub use marker::Marker;
pub use metadata::Metadata;
pub use name::{Extra, Name};
pub use requirement::{Requirement, RequirementError};
pub use target::{Platform, Target};
pub use venv::VenvConfig;
pub use version::{Range, Specifiers, Version};
pub use wheel::WheelName;
