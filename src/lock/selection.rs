//! Which entries count where, checked: on no target may two of one name.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::model::Lock;
use crate::package::target::MachineFacts;
use crate::package::{Marker, Name, Platform, Target, Version};

/// The name of an entry, and what is wrong with its marker.
pub type Wrong = (Name, String);

impl Lock {
    /// Judges every marker on every target that the lock says it is for.
    ///
    /// # Errors
    ///
    /// Returns the first entry whose marker cannot be read, or that stands more than
    /// once on a target.
    pub fn check_markers(&self) -> Result<(), Wrong> {
        let markers = self.markers()?;
        // Another program's lock names no targets; one by a newer version of this
        // program may name unknown ones.
        let mut targets = self.targets.iter().filter_map(|text| parse_target(text));
        targets.try_for_each(|target| check(&markers, &target))
    }

    /// Judges every marker on one target.
    ///
    /// # Errors
    ///
    /// As [`Lock::check_markers`].
    pub fn check_markers_on(&self, target: &Target) -> Result<(), Wrong> {
        check(&self.markers()?, target)
    }

    fn markers(&self) -> Result<Vec<(&Name, Marker)>, Wrong> {
        self.packages
            .iter()
            .map(|package| {
                let text = package.marker.as_deref().unwrap_or("");
                let marker = Marker::parse(text).map_err(|error| (package.name.clone(), error))?;
                Ok((&package.name, marker))
            })
            .collect()
    }
}

fn check(markers: &[(&Name, Marker)], target: &Target) -> Result<(), Wrong> {
    let mut active: BTreeSet<&Name> = BTreeSet::new();
    for (name, marker) in markers {
        if marker.holds(target.environment()) && !active.insert(name) {
            let message = format!("more than one of its entries counts on {target}");
            return Err(((*name).clone(), message));
        }
    }
    Ok(())
}

impl Lock {
    /// Returns what counts on one of the lock's targets, named `TRIPLE@PYTHON`, or by its
    /// triple where only one has it; `None` if the lock is not for it.
    pub fn narrowed(&self, target: &str) -> Option<Self> {
        let is_meant = |text: &String| {
            text == target
                || text
                    .split('@')
                    .next()
                    .is_some_and(|triple| triple == target)
        };
        let mut meant = (self.targets.iter().enumerate()).filter(|(_, text)| is_meant(text));
        let (at, text) = meant.next().filter(|_| meant.next().is_none())?;
        let target = parse_target(text)?;
        let mut narrow = Self {
            environments: self.environments.get(at).cloned().into_iter().collect(),
            targets: vec![text.clone()],
            packages: self.active(&target).cloned().collect(),
            ..self.clone()
        };
        for package in &mut narrow.packages {
            package.marker = None;
        }
        Some(narrow)
    }
}

/// Reads `TRIPLE@PYTHON` as [`Target`] shows itself.
pub fn parse_target(text: &str) -> Option<Target> {
    let (triple, python) = text.split_once('@')?;
    let platform = Platform::from_str(triple).ok()?;
    let python = Version::from_str(python).ok()?;
    Some(Target::new(platform, python, &MachineFacts::default()))
}
