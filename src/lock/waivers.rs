//! Waivers in a lock: read, written, and held against what is installed today.

use serde::Deserialize;

use super::emit::{inline, pair};
use super::model::Lock;
use super::write::{kind, without_user_info};
use crate::package::{Name, Range, Requirement, Version};
use crate::requirements::waiver::may_waive;
use crate::requirements::{Asker, Line, Origin, OriginKind, Waiver, WaiverReason};
use crate::resolve::Resolution;

/// A waiver as the file has it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RawWaiver {
    kind: Option<OriginKind>,
    name: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    package: Option<Name>,
    version: Option<String>,
    wanted: String,
    distribution: Name,
    installed: Option<String>,
    reason: String,
    target: String,
}

impl TryFrom<RawWaiver> for Waiver {
    type Error = String;

    fn try_from(raw: RawWaiver) -> Result<Self, String> {
        let version = |text: String| {
            let parsed = text.parse::<Version>();
            parsed.map_err(|_| format!("`{text}` is not a version"))
        };
        let asker = match (raw.package, raw.version) {
            (Some(name), Some(text)) => Asker::Package {
                name,
                version: version(text)?,
            },
            _ => Asker::Line(Origin {
                kind: raw.kind.unwrap_or(OriginKind::Node),
                name: raw.name,
                file: raw.file,
                line: raw.line,
                column: None,
            }),
        };
        let known = WaiverReason::ALL.into_iter();
        let reason = known.into_iter().find(|one| one.as_str() == raw.reason);
        Ok(Self {
            asker,
            requirement: raw.wanted,
            name: raw.distribution,
            reason: reason.ok_or_else(|| format!("`{}` is no reason of a waiver", raw.reason))?,
            installed: raw.installed.map(version).transpose()?,
            target: raw.target,
            note: None,
        })
    }
}

/// Writes a waiver as an inline table.
pub(super) fn emit(waiver: &Waiver) -> String {
    let mut parts = match &waiver.asker {
        Asker::Line(origin) => vec![
            pair("kind", kind(origin.kind)),
            origin.name.as_ref().and_then(|name| pair("name", name)),
            origin.file.as_ref().and_then(|file| pair("file", file)),
            origin.line.map(|line| format!("line = {line}")),
        ],
        Asker::Package { name, version } => vec![
            pair("package", name.as_str()),
            pair("version", &version.to_string()),
        ],
    };
    let installed = waiver.installed.as_ref().map(ToString::to_string);
    parts.extend([
        pair("wanted", &without_user_info(&waiver.requirement)),
        pair("distribution", waiver.name.as_str()),
        installed.and_then(|version| pair("installed", &version)),
        pair("reason", waiver.reason.as_str()),
        pair("target", &waiver.target),
    ]);
    inline(&parts)
}

impl Lock {
    /// Returns its waivers that still hold: the line is there as it was, and so is the
    /// installed version. The lines of nodes that were left out are among them.
    pub fn standing_waivers(
        &self,
        lines: &[Line],
        installed: impl Fn(&Name) -> Option<Version>,
    ) -> Vec<Waiver> {
        let holds = |waiver: &&Waiver| {
            let asks = match &waiver.asker {
                // The file may have been edited: what may not be waived never is.
                Asker::Line(_) => (lines.iter()).any(|line| may_waive(line) && waiver.is_of(line)),
                Asker::Package { name, version } => installed(name).as_ref() == Some(version),
            };
            // What nobody has for the target does not depend on what is installed.
            let same = waiver.reason == WaiverReason::Unsupplied
                || installed(&waiver.name) == waiver.installed;
            asks && same
        };
        let mut standing: Vec<Waiver> = self.waivers.iter().filter(holds).cloned().collect();
        standing.extend(self.left_out_waivers(lines));
        standing
    }

    /// Takes over the waivers that an answer made use of.
    pub fn set_waivers(&mut self, waivers: &[Waiver], answer: &Resolution) {
        let picked = |name: &Name, version: &Version| {
            let mut all = answer.packages.iter().filter(|one| one.name == *name);
            all.any(|one| one.version == *version)
        };
        let used = |waiver: &&Waiver| {
            let asks = match &waiver.asker {
                Asker::Line(_) => true,
                Asker::Package { name, version } => picked(name, version),
            };
            // Where the answer moved on, the requirement is met again.
            let unmet = match &waiver.installed {
                Some(version) if waiver.reason == WaiverReason::Violated => {
                    picked(&waiver.name, version)
                        && !range_of(&waiver.requirement).contains(version)
                }
                _ => true,
            };
            asks && unmet
        };
        self.set_left_out(waivers);
        let by_line = waivers
            .iter()
            .filter(|waiver| waiver.reason != WaiverReason::LeftOut);
        self.waivers = by_line.filter(used).cloned().collect();
        for waiver in &mut self.waivers {
            if let Asker::Line(origin) = &mut waiver.asker {
                origin.column = None;
            }
        }
        self.waivers.sort();
        self.waivers.dedup();
    }
}

fn range_of(requirement: &str) -> Range {
    Requirement::parse(requirement).map_or_else(
        |_| Range::empty(),
        |requirement| requirement.specifiers.range(),
    )
}
