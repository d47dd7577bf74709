//! What need not be met: an installation that violates a requirement already keeps what
//! it has, and a line that was left out does not count.

use super::world::World;
use crate::package::{Range, Version};
use crate::requirements::{Asker, WaiverReason};

impl World<'_> {
    /// Learns what need not be met.
    pub(super) fn waive(&mut self) {
        for waiver in self.preferences.waivers() {
            if let Asker::Package { name, version } = &waiver.asker {
                let key = (self.number(name), version.clone());
                let asked = self.number(&waiver.name);
                let installed = waiver.installed.clone().map(|version| (asked, version));
                self.waived_deps.entry(key).or_default().extend(installed);
                continue;
            }
            for &at in &self.order {
                if waiver.is_of(&self.lines[at as usize]) {
                    // One that is only violated counts, but for what is installed.
                    let instead = waiver.installed.clone();
                    let instead = instead.filter(|_| waiver.reason == WaiverReason::Violated);
                    self.waived_lines.insert(at, instead);
                }
            }
        }
    }

    /// Reports whether a line does not count here.
    pub(super) fn is_off(&self, at: u32) -> bool {
        matches!(self.waived_lines.get(&at), Some(None))
    }

    /// Returns the installed version that will do for a line that excludes it.
    pub fn waived(&self, at: u32) -> Option<&Version> {
        self.waived_lines.get(&at)?.as_ref()
    }

    /// Returns the versions that will do for a line.
    pub fn line_range(&self, at: u32) -> Range {
        let range = self.lines[at as usize].requirement.specifiers.range();
        match self.waived(at) {
            Some(version) => range.union(&Range::singleton(version.clone())),
            None => range,
        }
    }
}
