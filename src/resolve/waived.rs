//! What need not be met: an installation that violates a requirement already keeps what
//! it has, and a line that was left out does not count.

use super::world::World;
use crate::package::{Range, Version};
use crate::requirements::waiver::means;
use crate::requirements::{Asker, WaiverReason};

/// What becomes of a line that need not be met.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WaivedLine {
    /// The installed version will do too.
    Instead(Version),
    /// What it asks for need not be there; if it is, as the line says.
    Absent,
    /// It does not count.
    LeftOut,
}

/// The name that a package asks for, how, and its installed version; nothing where it is
/// not installed.
pub(super) type Waived = Vec<(u32, String, Option<Version>)>;

impl World<'_> {
    /// Learns what need not be met.
    pub(super) fn waive(&mut self) {
        for waiver in self.preferences.waivers() {
            if let Asker::Package { name, version } = &waiver.asker {
                let key = (self.number(name), version.clone());
                let asked = self.number(&waiver.name);
                let text = means(&waiver.requirement);
                let instead = (asked, text, waiver.installed.clone());
                self.waived_deps.entry(key).or_default().push(instead);
                continue;
            }
            let waived = match (waiver.reason, &waiver.installed) {
                (WaiverReason::Violated, Some(version)) => WaivedLine::Instead(version.clone()),
                (WaiverReason::Violated, None) => WaivedLine::Absent,
                (WaiverReason::Conflict | WaiverReason::Unsupplied | WaiverReason::LeftOut, _) => {
                    WaivedLine::LeftOut
                }
            };
            for &at in &self.order {
                if waiver.is_of(&self.lines[at as usize]) {
                    self.waived_lines.insert(at, waived.clone());
                }
            }
        }
    }

    /// Takes lines out for good, with the addresses and bounds that they bring. Only before
    /// anything was asked.
    pub(super) fn leave_out(&mut self, lines: &[u32]) {
        self.waived_lines
            .extend(lines.iter().map(|&at| (at, WaivedLine::LeftOut)));
        for bounds in self.constraints.values_mut() {
            bounds.retain(|at| !lines.contains(at));
        }
        let gone: Vec<u32> = (self.urls.iter())
            .filter(|(_, (_, at))| lines.contains(at))
            .map(|(&name, _)| name)
            .collect();
        for name in gone {
            self.urls.remove(&name);
            // Another line may give the name an address.
            let mut others = self.order.iter().filter(|&&at| self.is_active(at));
            let next = others.find_map(|&at| {
                let wanted = &self.lines[at as usize].requirement;
                let url = wanted.url.clone()?;
                (self.number(&wanted.name) == name).then_some((url, at))
            });
            if let Some(next) = next {
                self.urls.insert(name, next);
            }
        }
    }

    /// Returns what becomes of a line that need not be met.
    pub(super) fn waived(&self, at: u32) -> Option<&WaivedLine> {
        self.waived_lines.get(&at)
    }

    /// Reports whether a line asks for nothing here.
    pub(super) fn is_off(&self, at: u32) -> bool {
        let waived = self.waived(at);
        matches!(waived, Some(WaivedLine::Absent | WaivedLine::LeftOut))
    }

    /// Returns the installed version that will do for a line that excludes it.
    pub fn instead(&self, at: u32) -> Option<&Version> {
        match self.waived(at)? {
            WaivedLine::Instead(version) => Some(version),
            WaivedLine::Absent | WaivedLine::LeftOut => None,
        }
    }

    /// Returns the versions that will do for a line.
    pub fn line_range(&self, at: u32) -> Range {
        let range = self.lines[at as usize].requirement.specifiers.range();
        match self.instead(at) {
            Some(version) => range.union(&Range::singleton(version.clone())),
            None => range,
        }
    }
}
