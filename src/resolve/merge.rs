//! Several targets' answers as one, each entry with the marker that selects it.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::markers::{Markers, Places};
use super::resolution::Package;
use crate::package::{FileKind, Marker, Name, Source, Target, Version};

/// What tells entries apart.
type Key = (Name, Version, Source);

/// Merges answers by name, version and source. Each comes with the places of the
/// targets that it is for; together they are for all targets.
///
/// # Panics
///
/// Panics if a marker does not select what it was made for, which is a bug: no
/// lock may install something else than was solved.
pub fn merge(targets: &[Target], answers: Vec<(Vec<usize>, Vec<Package>)>) -> Vec<Package> {
    let mut merged: BTreeMap<Key, (Package, Places)> = BTreeMap::new();
    for (places, packages) in answers {
        let places = places
            .iter()
            .fold(0, |all: Places, &place| all | 1 << place);
        for package in packages {
            let key = (
                package.name.clone(),
                package.version.clone(),
                package.source.clone(),
            );
            merged
                .entry(key)
                .and_modify(|(known, all)| {
                    known.join(&package);
                    *all |= places;
                })
                .or_insert((package, places));
        }
    }
    let mut entries: BTreeMap<Name, usize> = BTreeMap::new();
    for (name, ..) in merged.keys() {
        *entries.entry(name.clone()).or_default() += 1;
    }
    let mut markers = Markers::new(targets);
    let merged: Vec<(Package, Places)> = merged
        .into_values()
        .map(|(mut package, places)| {
            // A name that stands once says enough.
            for dependency in &mut package.dependencies {
                if entries.get(&dependency.name) == Some(&1) {
                    dependency.version = None;
                }
            }
            package.dependencies.dedup();
            // Wheels in the order of the targets, best first; the sdist is the last resort.
            package
                .files
                .sort_by_key(|file| file.kind == FileKind::Sdist);
            package.marker = markers.of(places);
            (package, places)
        })
        .collect();
    check(targets, &merged);
    merged.into_iter().map(|(package, _)| package).collect()
}

/// Judges each marker on each target: what is selected there must be its answer.
fn check(targets: &[Target], merged: &[(Package, Places)]) {
    let mut selected: FxHashMap<Option<&str>, Places> = FxHashMap::default();
    for (package, places) in merged {
        let marker = package.marker.as_deref();
        let found = *selected.entry(marker).or_insert_with(|| {
            let marker = Marker::parse(marker.unwrap_or(""))
                .unwrap_or_else(|error| panic!("BUG: a marker of ours cannot be read: {error}"));
            targets
                .iter()
                .enumerate()
                .filter(|(_, target)| marker.holds(target.environment()))
                .fold(0, |all: Places, (at, _)| all | 1 << at)
        });
        assert!(
            found == *places,
            "BUG: `{}` does not select the targets of {} {}",
            marker.unwrap_or("always"),
            package.name,
            package.version
        );
    }
}

impl Package {
    fn join(&mut self, other: &Self) {
        for file in &other.files {
            if !self.files.contains(file) {
                self.files.push(file.clone());
            }
        }
        self.extras.extend(other.extras.iter().cloned());
        self.required_by.extend(other.required_by.iter().cloned());
        self.dependencies.extend(other.dependencies.iter().cloned());
        self.extras.sort();
        self.extras.dedup();
        self.required_by.sort();
        self.required_by.dedup();
        self.dependencies.sort();
        self.dependencies.dedup();
    }
}
