//! What an installation violates already.

use schemars::JsonSchema;
use serde::Serialize;

use crate::package::Name;
use crate::requirements::{Asker, OriginKind, Waiver, WaiverReason};

/// What asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AskerKind {
    /// A line of ComfyUI's own.
    Core,
    /// A line of a node.
    Node,
    /// The metadata of an installed package.
    Package,
}

/// A requirement that is not met and does not stand in the way.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Waiver")]
pub struct WaiverDocument {
    /// What asks.
    pub kind: AskerKind,
    /// The node's directory name or the package that asks.
    pub asker: Option<String>,
    /// The version of the package that asks.
    pub version: Option<String>,
    /// The file of the line that asks.
    pub file: Option<String>,
    /// The line in that file, from 1.
    pub line: Option<u32>,
    /// What is asked for (PEP 508).
    pub wanted: String,
    /// The package asked for.
    pub package: Name,
    /// Its installed version; null if it is not installed.
    pub installed: Option<String>,
    /// Why it is not met.
    pub reason: WaiverReason,
    /// The target that it is about.
    pub target: String,
}

impl WaiverDocument {
    /// Makes the view of a waiver.
    pub fn of(waiver: &Waiver) -> Self {
        let (kind, asker, version, file, line) = match &waiver.asker {
            Asker::Line(origin) => {
                let kind = if origin.kind == OriginKind::Core {
                    AskerKind::Core
                } else {
                    AskerKind::Node
                };
                let (name, file) = (origin.name.clone(), origin.file.clone());
                (kind, name, None, file, origin.line)
            }
            Asker::Package { name, version } => {
                let (name, version) = (name.to_string(), version.to_string());
                (AskerKind::Package, Some(name), Some(version), None, None)
            }
        };
        Self {
            kind,
            asker,
            version,
            file,
            line,
            wanted: waiver.requirement.clone(),
            package: waiver.name.clone(),
            installed: waiver.installed.as_ref().map(ToString::to_string),
            reason: waiver.reason,
            target: waiver.target.clone(),
        }
    }

    /// Makes the views of several.
    pub fn all(waivers: &[Waiver]) -> Vec<Self> {
        waivers.iter().map(Self::of).collect()
    }
}
