//! Picks to keep from before: what is locked, then what is installed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::package::{Marker, Metadata, Name, Target, Version};
use crate::requirements::Waiver;

/// An installed version that can be kept even if no index has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The version.
    pub version: Version,
    /// What its METADATA says.
    pub metadata: Arc<Metadata>,
}

/// Versions to try first, by name. Soft: a preference never makes an answer fail.
#[derive(Debug, Clone, Default)]
pub struct Preferences {
    /// Each with the marker under which it was locked.
    locked: BTreeMap<Name, Vec<(Version, Marker)>>,
    installed: BTreeMap<Name, Kept>,
    waivers: Vec<Waiver>,
}

impl Preferences {
    /// Adds a version that was locked for all targets.
    pub fn add_locked(&mut self, name: Name, version: Version) {
        self.locked.insert(name, vec![(version, Marker::default())]);
    }

    /// Adds a version that was locked for the targets where its marker is true.
    pub fn add_locked_where(&mut self, name: Name, version: Version, marker: Marker) {
        self.locked.entry(name).or_default().push((version, marker));
    }

    /// Returns what to prefer on one target: of what is locked, that which was locked
    /// for it, or all of it where nothing was.
    #[must_use]
    pub fn on(&self, target: &Target) -> Self {
        let counts = |marker: &Marker| marker.holds(target.environment());
        let mut preferences = self.clone();
        for versions in preferences.locked.values_mut() {
            if versions.iter().any(|(_, marker)| counts(marker)) {
                versions.retain(|(_, marker)| counts(marker));
            }
        }
        let here = target.to_string();
        preferences.waivers.retain(|waiver| waiver.target == here);
        preferences
    }

    /// Adds an installed version.
    pub fn add_installed(&mut self, name: Name, kept: Kept) {
        self.installed.insert(name, kept);
    }

    /// Sets what need not be met: the installed version will do instead.
    pub fn set_waivers(&mut self, waivers: Vec<Waiver>) {
        self.waivers = waivers;
    }

    /// Returns what need not be met.
    pub fn waivers(&self) -> &[Waiver] {
        &self.waivers
    }

    /// Forgets a name, so that its version is chosen anew.
    pub fn forget(&mut self, name: &Name) {
        self.locked.remove(name);
        self.installed.remove(name);
    }

    /// Forgets which versions to prefer but not what is installed.
    pub fn forget_all(&mut self) {
        self.locked.clear();
        self.installed.clear();
    }

    /// Forgets what may be kept without an index; its versions are still preferred.
    pub fn forget_installed(&mut self) {
        for (name, kept) in std::mem::take(&mut self.installed) {
            self.locked
                .entry(name)
                .or_insert_with(|| vec![(kept.version, Marker::default())]);
        }
    }

    /// Returns the versions to try first, in order.
    pub fn of(&self, name: &Name) -> impl Iterator<Item = &Version> {
        self.locked
            .get(name)
            .into_iter()
            .flatten()
            .map(|(version, _)| version)
            .chain(self.installed.get(name).map(|kept| &kept.version))
    }

    /// Returns the installed version that can be kept without any index.
    pub fn kept(&self, name: &Name) -> Option<&Kept> {
        self.installed.get(name)
    }

    /// Reports whether there is no preference at all.
    pub fn is_empty(&self) -> bool {
        self.locked.is_empty() && self.installed.is_empty()
    }

    /// Reports whether there is a preference for a name.
    pub fn has(&self, name: &Name) -> bool {
        self.locked.contains_key(name) || self.installed.contains_key(name)
    }
}
