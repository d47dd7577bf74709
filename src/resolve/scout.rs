//! Guesses ahead of the solver what it will ask for.
//!
//! Per name a hint is kept: the intersection of all ranges seen so far, unless
//! that would be empty. The version that the strategy would pick under the hint
//! is asked for before the solver gets there.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use crate::index::page::SDIST;
use crate::index::{FileRef, Page, Scout, Want};
use crate::package::marker::mentions_extra;
use crate::package::requirement::split;
use crate::package::{Extra, Marker, Metadata, Name, Range, Requirement, Target, Version};
use crate::requirements::{Line, Role};

#[derive(Default)]
struct Known {
    hints: FxHashMap<Name, Range>,
    extras: FxHashMap<Name, Vec<Extra>>,
    pages: FxHashMap<Name, (Arc<Page>, Vec<Offer>)>,
    metadata: FxHashMap<Name, Metadata>,
    asked: FxHashMap<Name, Version>,
    preferred: FxHashMap<Name, Version>,
    /// Whether a marker holds with no extra asked for.
    markers: FxHashMap<String, bool>,
}

/// A version that fits, with the file that tells its metadata.
struct Offer {
    version: Version,
    file: FileRef,
}

/// The resolver's scout for one target.
pub struct Walker {
    target: Target,
    known: Mutex<Known>,
}

impl Walker {
    /// Begins with the lines' own ranges and extras.
    pub fn new(
        lines: &[Line],
        target: &Target,
        preferred: impl Iterator<Item = (Name, Version)>,
    ) -> Self {
        let mut known = Known {
            preferred: preferred.collect(),
            ..Known::default()
        };
        for line in lines {
            if !matches!(line.role, Role::Require | Role::Constrain | Role::Protect)
                || !line.requirement.marker.holds(target.environment())
            {
                continue;
            }
            known.narrow(&line.requirement.name, &line.requirement.specifiers.range());
            known.add_extras(&line.requirement.name, &line.requirement.extras);
        }
        Self {
            target: target.clone(),
            known: Mutex::new(known),
        }
    }

    /// Lists the versions of a page that a wheel or sdist serves, newest first,
    /// as many as are worth guessing among.
    fn offers(&self, page: &Page) -> Vec<Offer> {
        let ranks: Vec<bool> = page
            .tag_sets()
            .iter()
            .map(|tags| self.target.rank(tags).is_some())
            .collect();
        let mut offers = Vec::new();
        for at in 0..page.len() {
            let files = page.files(at);
            let wheel = files
                .iter()
                .find(|file| !file.yanked && file.tags != SDIST && ranks[file.tags as usize]);
            let Some(file) = wheel.or_else(|| files.iter().find(|file| !file.yanked)) else {
                continue;
            };
            let version = page.version(at).clone();
            if version.any_prerelease() {
                continue;
            }
            offers.push(Offer {
                version,
                file: *file,
            });
        }
        offers
    }
}

impl Known {
    /// Narrows a hint; an empty intersection is left to the solver.
    fn narrow(&mut self, name: &Name, range: &Range) {
        let hint = self.hints.entry(name.clone()).or_insert_with(Range::full);
        let narrower = hint.intersection(range);
        if !narrower.is_empty() {
            *hint = narrower;
        }
    }

    fn add_extras(&mut self, name: &Name, extras: &[Extra]) -> bool {
        let known = self.extras.entry(name.clone()).or_default();
        let before = known.len();
        for extra in extras {
            if !known.contains(extra) {
                known.push(extra.clone());
            }
        }
        known.len() > before
    }

    /// Picks what the solver would, if that differs from what was asked.
    fn pick(&mut self, name: &Name) -> Option<Want> {
        let hint = self.hints.get(name)?;
        let (page, offers) = self.pages.get(name)?;
        let preferred = self
            .preferred
            .get(name)
            .filter(|version| hint.contains(*version));
        let offer = preferred
            .and_then(|version| offers.iter().find(|offer| offer.version == *version))
            .or_else(|| offers.iter().find(|offer| hint.contains(&offer.version)))?;
        if self.asked.get(name) == Some(&offer.version) {
            return None;
        }
        let cold = page.cold(offer.file)?;
        let version = offer.version.clone();
        self.asked.insert(name.clone(), version.clone());
        Some(Want::Metadata(name.clone(), version, Box::new(cold)))
    }

    fn holds(&mut self, target: &Target, marker: &str, extras: &[Extra]) -> bool {
        if marker.is_empty() {
            return true;
        }
        let judge = |extras: &[Extra]| {
            Marker::parse(marker)
                .is_ok_and(|marker| marker.holds_with(target.environment(), extras))
        };
        // Few markers stand in thousands of requirements.
        let without = match self.markers.get(marker) {
            Some(&known) => known,
            None => {
                let holds = judge(&[]);
                self.markers.insert(marker.to_owned(), holds);
                holds
            }
        };
        without || !extras.is_empty() && mentions_extra(marker) && judge(extras)
    }

    /// Follows the requirements of some metadata.
    fn follow(&mut self, target: &Target, name: &Name, metadata: &Metadata) -> Vec<Want> {
        let extras = self.extras.get(name).cloned().unwrap_or_default();
        let mut wants = Vec::new();
        for text in &metadata.requires_dist {
            let Ok(parts) = split(text) else { continue };
            if parts.url.is_some() || !self.holds(target, parts.marker, &extras) {
                continue;
            }
            let Ok(requirement) = Requirement::parse(parts.without_marker(text)) else {
                continue;
            };
            self.narrow(&requirement.name, &requirement.specifiers.range());
            let more = self.add_extras(&requirement.name, &requirement.extras);
            wants.push(Want::Page(requirement.name.clone()));
            wants.extend(self.pick(&requirement.name));
            if more && let Some(metadata) = self.metadata.get(&requirement.name).cloned() {
                wants.extend(self.follow(target, &requirement.name, &metadata));
            }
        }
        wants
    }
}

impl Scout for Walker {
    fn page_arrived(&self, name: &Name, page: &Arc<Page>) -> Vec<Want> {
        let offers = self.offers(page);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.hints.entry(name.clone()).or_insert_with(Range::full);
        known.pages.insert(name.clone(), (Arc::clone(page), offers));
        known.pick(name).into_iter().collect()
    }

    fn metadata_arrived(&self, name: &Name, version: &Version, metadata: &Metadata) -> Vec<Want> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // The solver's batches bring older versions too; only our own pick leads on.
        if known.asked.get(name).is_some_and(|asked| asked != version) {
            return Vec::new();
        }
        known.metadata.insert(name.clone(), metadata.clone());
        known.follow(&self.target, name, metadata)
    }
}
