//! Makes the picks of several targets as alike as they can cheaply be.
//!
//! A later target prefers what earlier ones picked. Where it could not take a
//! pick, the others are moved to its own once, and whichever assignment has fewer
//! names with more than one version stays.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::candidates::Candidates;
use super::families::divided;
use super::provider::Pins;
use super::solve::{Picks, Solved, solve_pinned};
use super::world::World;
use crate::index::IndexError;
use crate::package::{Name, Range, Target, Version};
use crate::progress::Cancel;

/// Names that are tried to be moved; each once.
const MOST_NAMES: usize = 24;
/// Steps after which a trial solve is given up.
const TRIAL_STEPS: u64 = 20_000;

/// What a target takes over from others where it can.
#[derive(Debug, Default)]
pub struct Alignment {
    /// Versions to try first, by name.
    pub wishes: FxHashMap<u32, Vec<Version>>,
}

impl Alignment {
    /// Chooses the first wish in a range that can be had.
    pub fn choose(&self, name: u32, range: &Range, candidates: &Candidates) -> Option<Version> {
        let wishes = self.wishes.get(&name)?;
        // What one target may have as a pre-release is not allowed for another.
        let allowed = |version: &Version| {
            let only = Range::singleton(version.clone());
            !version.any_prerelease() || candidates.in_order(&only).next().is_some()
        };
        let fits = |version: &&Version| {
            range.contains(*version) && candidates.judge(version).is_ok() && allowed(version)
        };
        wishes.iter().find(fits).cloned()
    }
}

/// A target that was solved, with what it takes to solve it again.
pub struct Place<'a> {
    /// Its world.
    pub world: World<'a>,
    /// The lines that count there.
    pub active: Vec<u32>,
    /// What was picked.
    pub picks: Picks,
    /// The places of the targets in the task that this answer is for, its own first.
    pub targets: Vec<usize>,
}

/// Versions by name.
type Picked = BTreeMap<Name, Version>;

impl Place<'_> {
    fn picked(&self) -> Picked {
        named(&self.world, &self.picks)
    }

    /// Reports whether nothing that was locked or installed there has moved.
    fn keeps_all(&self, before: &Picked, after: &Picked) -> bool {
        before.iter().all(|(name, version)| {
            after.get(name).is_none_or(|now| now == version) || !self.keeps(name, version)
        })
    }

    /// Reports whether a pick is what was locked or installed there.
    fn keeps(&self, name: &Name, version: &Version) -> bool {
        self.world.preferences.of(name).any(|kept| kept == version)
    }
}

fn named(world: &World<'_>, picks: &Picks) -> Picked {
    let versions = picks.versions.iter();
    versions
        .map(|(&name, version)| (world.name(name), version.clone()))
        .collect()
}

/// Lets a world prefer what other targets picked, earlier ones first.
pub fn prefer<'p, 'a: 'p>(world: &World<'_>, others: impl Iterator<Item = &'p Place<'a>>) {
    let picked: Vec<Picked> = others.map(Place::picked).collect();
    let picked: Vec<&Picked> = picked.iter().collect();
    *world.alignment.borrow_mut() = alignment(world, &picked);
}

fn alignment(world: &World<'_>, picked: &[&Picked]) -> Alignment {
    let mut wishes: FxHashMap<u32, Vec<Version>> = FxHashMap::default();
    for (name, version) in picked.iter().copied().flatten() {
        let wishes = wishes.entry(world.number(name)).or_default();
        if !wishes.contains(version) {
            wishes.push(version.clone());
        }
    }
    Alignment { wishes }
}

/// Returns the names that have more than one version.
fn split_names(picked: &[Picked]) -> BTreeSet<Name> {
    let mut seen: BTreeMap<&Name, &Version> = BTreeMap::new();
    let mut split = BTreeSet::new();
    for (name, version) in picked.iter().flatten() {
        if *seen.entry(name).or_insert(version) != version {
            split.insert(name.clone());
        }
    }
    split
}

/// Tries each name with several versions once, and returns how many were moved.
///
/// # Errors
///
/// Fails if the world could not be asked or the work was interrupted.
pub fn align(
    places: &mut [Place<'_>],
    targets: &[Target],
    cancel: &Cancel,
) -> Result<u64, IndexError> {
    let mut picked: Vec<Picked> = places.iter().map(Place::picked).collect();
    let mut split = split_names(&picked);
    let mut tried: BTreeSet<Name> = BTreeSet::new();
    let mut moved = 0;
    while tried.len() < MOST_NAMES {
        let Some(name) = split.difference(&tried).next().cloned() else {
            break;
        };
        tried.insert(name.clone());
        let Some(version) = common_version(places, &picked, &name)? else {
            continue;
        };
        let Some(trial) = move_all(places, targets, &picked, &name, &version, cancel)? else {
            continue;
        };
        let mut assigned = picked.clone();
        for (at, picks) in &trial {
            assigned[*at] = named(&places[*at].world, picks);
        }
        let left = split_names(&assigned);
        let stays = places
            .iter()
            .zip(picked.iter().zip(&assigned))
            .all(|(place, (before, after))| place.keeps_all(before, after));
        if stays && left.len() < split.len() {
            for (at, picks) in trial {
                places[at].picks = picks;
            }
            picked = assigned;
            split = left;
            moved += 1;
        }
    }
    Ok(moved)
}

/// Returns the first later pick of a name that every target could take, going by
/// the files alone. What is locked or installed somewhere does not move.
fn common_version(
    places: &[Place<'_>],
    picked: &[Picked],
    name: &Name,
) -> Result<Option<Version>, IndexError> {
    let mut versions: Vec<&Version> = Vec::new();
    for version in picked.iter().filter_map(|picked| picked.get(name)) {
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    'next: for version in versions.into_iter().skip(1) {
        for (place, picked) in places.iter().zip(picked) {
            let Some(own) = picked.get(name) else {
                continue;
            };
            if own == version {
                continue;
            }
            let candidates = place.world.candidates(place.world.number(name))?;
            let fits = candidates.is_some_and(|candidates| candidates.judge(version).is_ok());
            if !fits || place.keeps(name, own) {
                continue 'next;
            }
        }
        return Ok(Some(version.clone()));
    }
    Ok(None)
}

/// Solves every target that picked another version again, held to this one; `None`
/// if one of them cannot take it.
fn move_all(
    places: &[Place<'_>],
    targets: &[Target],
    picked: &[Picked],
    name: &Name,
    version: &Version,
    cancel: &Cancel,
) -> Result<Option<Vec<(usize, Picks)>>, IndexError> {
    let mut trial = Vec::new();
    for (at, place) in places.iter().enumerate() {
        if picked[at].get(name).is_none_or(|own| own == version) {
            continue;
        }
        // Its own picks before those of others: only what must move moves.
        let others = picked.iter().enumerate().filter(|(other, _)| *other != at);
        let wished: Vec<&Picked> = std::iter::once(&picked[at])
            .chain(others.map(|(_, picked)| picked))
            .collect();
        *place.world.alignment.borrow_mut() = alignment(&place.world, &wished);
        let pins = Pins::from_iter([(place.world.number(name), version.clone())]);
        let limit = Some(TRIAL_STEPS);
        let picks = match solve_pinned(&place.world, &place.active, cancel, limit, &pins) {
            Ok(Solved::Picks(picks)) => picks,
            Ok(Solved::Proof(_) | Solved::GaveUp) => return Ok(None),
            // There is an answer already; this one would only be more alike.
            Err(IndexError::Offline { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        // What was looked at for the trial may come out otherwise on a target that the
        // answer is shared with.
        let mut others = place.targets.iter().skip(1);
        if divided(&place.world, &picks).is_some()
            || !others.all(|&other| place.world.judges_alike(&targets[other]))
        {
            return Ok(None);
        }
        trial.push((at, picks));
    }
    Ok(Some(trial))
}
