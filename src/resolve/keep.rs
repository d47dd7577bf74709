//! The minimal change: what could have stayed, stays.
//!
//! The solver tries a preferred version first, but a package decided before may have
//! ruled it out where another choice of that one would not have. So each package that
//! moved off its preference is tried once more, held to it; the answer is taken if
//! fewer packages move.

use std::collections::BTreeMap;

use super::families::divided;
use super::provider::Pins;
use super::solve::{Picks, Solved, solve_pinned};
use super::world::World;
use crate::index::IndexError;
use crate::package::Version;
use crate::progress::Cancel;

/// Steps after which a trial is given up.
const STEPS: u64 = 5_000;
/// How many trials are made at most.
const TRIALS: usize = 64;

/// Moves an answer nearer to what is preferred, where an answer nearer to it exists.
///
/// # Errors
///
/// Fails if the world could not be asked or the work was interrupted.
pub(super) fn keep_more(
    world: &World<'_>,
    active: &[u32],
    mut picks: Picks,
    cancel: &Cancel,
) -> Result<Picks, IndexError> {
    let mut moved = moved(world, &picks);
    let mut open: Vec<u32> = moved.keys().copied().collect();
    open.sort_by_key(|&number| world.name(number));
    for number in open.into_iter().take(TRIALS) {
        // An earlier trial may have brought it back.
        let Some(version) = moved.get(&number) else {
            continue;
        };
        let pins = Pins::from_iter([(number, version.clone())]);
        let trial = match solve_pinned(world, active, cancel, Some(STEPS), &pins) {
            // What nobody has here is no better than what was found.
            Err(IndexError::Offline { .. }) => continue,
            trial => trial?,
        };
        if let Solved::Picks(found) = trial
            && divided(world, &found).is_none()
        {
            let left = self::moved(world, &found);
            if left.len() < moved.len() && left.keys().all(|key| moved.contains_key(key)) {
                picks = found;
                moved = left;
            }
        }
    }
    Ok(picks)
}

/// Returns the packages of an answer that are not at the version preferred, with that
/// version. One that an index no longer offers and nobody has cannot be kept.
fn moved(world: &World<'_>, picks: &Picks) -> BTreeMap<u32, Version> {
    let mut moved = BTreeMap::new();
    for (&number, version) in &picks.versions {
        let Some(preferred) = world.first_preferred(number) else {
            continue;
        };
        if preferred != *version
            && world.url_of(number).is_none()
            && let Ok(Some(candidates)) = world.candidates(number)
            && candidates.judge(&preferred).is_ok()
        {
            moved.insert(number, preferred);
        }
    }
    moved
}
