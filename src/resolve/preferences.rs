//! Picks to keep from before: what is locked, then what is installed.

use std::collections::BTreeMap;

use crate::package::{Metadata, Name, Version};

/// An installed version that can be kept even if no index has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The version.
    pub version: Version,
    /// What its METADATA says.
    pub metadata: Metadata,
}

/// Versions to try first, by name. Soft: a preference never makes an answer fail.
#[derive(Debug, Clone, Default)]
pub struct Preferences {
    locked: BTreeMap<Name, Version>,
    installed: BTreeMap<Name, Kept>,
}

impl Preferences {
    /// Adds a locked version.
    pub fn add_locked(&mut self, name: Name, version: Version) {
        self.locked.insert(name, version);
    }

    /// Adds an installed version.
    pub fn add_installed(&mut self, name: Name, kept: Kept) {
        self.installed.insert(name, kept);
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
            self.locked.entry(name).or_insert(kept.version);
        }
    }

    /// Returns the versions to try first, in order.
    pub fn of(&self, name: &Name) -> impl Iterator<Item = &Version> {
        self.locked
            .get(name)
            .into_iter()
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
