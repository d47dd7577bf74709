//! What differs between two sets of packages: locks, snapshots, environments.

use std::collections::BTreeMap;

use crate::package::{Name, Source, Version};

/// What happens to a package.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It comes.
    Add,
    /// It goes.
    Remove,
    /// A higher version.
    Upgrade,
    /// A lower version.
    Downgrade,
    /// The same version from elsewhere, or another local version.
    Replace,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The package.
    pub name: Name,
    /// What happens to it.
    pub kind: ChangeKind,
    /// The version before.
    pub from: Option<Version>,
    /// The version after.
    pub to: Option<Version>,
}

/// A package on one side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Its version.
    pub version: Version,
    /// Where it comes from, if that is known and counts.
    pub source: Option<Source>,
    /// The digest of its files by RECORD, if that is known.
    pub digest: Option<String>,
}

impl Side {
    /// Makes a side of which only the version is known.
    pub fn of(version: Version) -> Self {
        Self {
            version,
            source: None,
            digest: None,
        }
    }
}

/// Packages by name.
pub type Sides = BTreeMap<Name, Side>;

/// Compares two sets, sorted by name.
pub fn compare(before: &Sides, after: &Sides) -> Vec<Change> {
    let mut changes = Vec::new();
    let names: std::collections::BTreeSet<&Name> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        let kind = match (old, new) {
            (None, Some(_)) => ChangeKind::Add,
            (Some(_), None) => ChangeKind::Remove,
            (Some(old), Some(new)) => match kind_between(old, new) {
                Some(kind) => kind,
                None => continue,
            },
            (None, None) => continue,
        };
        changes.push(Change {
            name: name.clone(),
            kind,
            from: old.map(|side| side.version.clone()),
            to: new.map(|side| side.version.clone()),
        });
    }
    changes
}

fn kind_between(old: &Side, new: &Side) -> Option<ChangeKind> {
    let bare = |version: &Version| version.clone().without_local();
    if old.version == new.version {
        let moved = matches!((&old.source, &new.source), (Some(a), Some(b)) if a != b);
        let altered = matches!((&old.digest, &new.digest), (Some(a), Some(b)) if a != b);
        return (moved || altered).then_some(ChangeKind::Replace);
    }
    // Another local version is another build, not a newer one.
    if bare(&old.version) == bare(&new.version) {
        return Some(ChangeKind::Replace);
    }
    Some(if old.version < new.version {
        ChangeKind::Upgrade
    } else {
        ChangeKind::Downgrade
    })
}

impl Change {
    /// Reports whether the first number of the version changes.
    pub fn is_major(&self) -> bool {
        let first = |version: &Option<Version>| {
            version
                .as_ref()
                .map(|version| (version.epoch(), version.release().first().copied()))
        };
        matches!((first(&self.from), first(&self.to)), (Some(a), Some(b)) if a != b)
    }
}
