//! What an installation violates already, as one counted line or in full.

use schemars::JsonSchema;
use serde::Serialize;

use crate::package::artifact::printable;
use crate::requirements::{Asker, OriginKind, Waiver};

/// A requirement that is not met and does not stand in the way.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct WaiverView {
    /// `core`, `node` or `package`: who asks.
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
    /// Why it is not met: `violated`, `conflict` or `unsupplied`.
    reason: &'static str,
    /// The target that it is about.
    target: String,
}

impl WaiverView {
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

/// Makes the views of waivers.
pub fn views(waivers: &[Waiver]) -> Vec<WaiverView> {
    waivers.iter().map(WaiverView::of).collect()
}

/// Counts waivers in a sentence; nothing for none.
pub fn counted(waivers: &[Waiver]) -> Option<String> {
    let count = match waivers.len() {
        0 => return None,
        1 => "1 requirement is".to_owned(),
        count => format!("{count} requirements are"),
    };
    Some(format!(
        "{count} violated already and not touched by this; portenv status --waivers lists them"
    ))
}

/// Returns waivers as people read them, a line each.
pub fn text(waivers: &[Waiver]) -> String {
    let lines = waivers.iter().map(|waiver| {
        let shown = printable(&waiver.shown());
        format!("  {shown}\n")
    });
    lines.collect()
}
