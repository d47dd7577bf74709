//! What an installation violates already.

use schemars::JsonSchema;
use serde::Serialize;

use crate::requirements::{Asker, OriginKind, Waiver};

/// A requirement that is not met and does not stand in the way.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Waiver")]
pub struct WaiverDocument {
    /// Who asks.
    #[schemars(extend("enum" = ["core", "node", "package"]))]
    kind: &'static str,
    /// The node's directory name or the package that asks.
    asker: Option<String>,
    /// The version of the package that asks.
    version: Option<String>,
    /// The file of the line that asks.
    file: Option<String>,
    /// The line in that file, from 1.
    line: Option<u32>,
    /// What is asked for (PEP 508).
    wanted: String,
    /// The package asked for.
    package: String,
    /// Its installed version; null if it is not installed.
    installed: Option<String>,
    /// Why it is not met.
    #[schemars(extend("enum" = ["violated", "conflict", "unsupplied"]))]
    reason: &'static str,
    /// The target that it is about.
    target: String,
}

impl WaiverDocument {
    /// Makes the views of several.
    pub fn all(waivers: &[Waiver]) -> Vec<Self> {
        waivers.iter().map(Self::of).collect()
    }

    /// Makes the view of a waiver.
    pub fn of(waiver: &Waiver) -> Self {
        let (kind, asker, version, file, line) = match &waiver.asker {
            Asker::Line(origin) => {
                let kind = if origin.kind == OriginKind::Core {
                    "core"
                } else {
                    "node"
                };
                let (name, file) = (origin.name.clone(), origin.file.clone());
                (kind, name, None, file, origin.line)
            }
            Asker::Package { name, version } => {
                let (name, version) = (name.to_string(), version.to_string());
                ("package", Some(name), Some(version), None, None)
            }
        };
        Self {
            kind,
            asker,
            version,
            file,
            line,
            wanted: waiver.requirement.clone(),
            package: waiver.name.to_string(),
            installed: waiver.installed.as_ref().map(ToString::to_string),
            reason: waiver.reason.as_str(),
            target: waiver.target.clone(),
        }
    }
}
