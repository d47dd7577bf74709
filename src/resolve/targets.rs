//! One solve a target, merged into one answer.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::align::{Place, align, prefer};
use super::alike::ParsedMarkers;
use super::answer::packages;
use super::conflict::{Conflict, find_conflicts};
use super::families::solve_unified;
use super::keep::keep_more;
use super::merge::merge;
use super::options::Options;
use super::preferences::Preferences;
use super::resolution::Resolution;
use super::scout::Walker;
use super::solve::Solved;
use super::world::World;
use crate::index::{Index, IndexError};
use crate::package::Target;
use crate::progress::Cancel;
use crate::requirements::Line;

/// What a resolution came to.
#[derive(Debug)]
pub enum Outcome {
    /// An answer.
    Resolved(Box<Resolution>),
    /// There is none, and why.
    Conflicts(Vec<Conflict>),
}

/// Why there is neither an answer nor a proof.
pub type ResolveError = IndexError;

/// What to resolve with.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// Everything asked for.
    pub lines: &'a [Line],
    /// The targets, which markers can tell apart; at most
    /// [`MOST_TARGETS`](super::markers::MOST_TARGETS).
    pub targets: &'a [Target],
    /// What decides between answers.
    pub options: &'a Options,
    /// What to keep.
    pub preferences: &'a Preferences,
    /// What could be had.
    pub index: &'a dyn Index,
    /// Asks the work to stop.
    pub cancel: &'a Cancel,
}

/// Resolves for every target, this machine first; later targets prefer what earlier
/// ones picked.
///
/// # Errors
///
/// Fails if the world could not be asked, or the work was interrupted.
pub fn resolve(task: &Task<'_>) -> Result<Outcome, ResolveError> {
    let order = in_order(task);
    let parsed = Rc::new(ParsedMarkers::default());
    let mut places: Vec<Place<'_>> = Vec::new();
    for (at, preferences) in &order {
        let at = *at;
        let target = &task.targets[at];
        // The same questions with the same answers lead to the same picks.
        let mut known = places.iter_mut();
        if let Some(place) = known.find(|place| place.world.judges_alike(target)) {
            place.targets.push(at);
            continue;
        }
        let mut world =
            World::new(task.lines, target, task.options, preferences, task.index).sharing(&parsed);
        prefer(&world, places.iter());
        let names = world.asked_names();
        let preferred = names.iter().filter_map(|name| {
            let version = world.first_preferred(world.number(name))?;
            Some((name.clone(), version))
        });
        task.index
            .begin(&names, Arc::new(Walker::new(task.lines, target, preferred)));
        world.follow_addresses()?;
        let active = active_lines(&world);
        let distinct = distinct_lines(&world, &active);
        let picks = match solve_unified(&mut world, &distinct, task.cancel)? {
            Solved::Picks(picks) if task.options.trial => picks,
            Solved::Picks(picks) => keep_more(&world, &distinct, picks, task.cancel)?,
            Solved::Proof(_) if task.options.trial => return Ok(Outcome::Conflicts(Vec::new())),
            Solved::Proof(proof) => {
                let mut conflicts = find_conflicts(&world, &active, *proof, task.cancel)?;
                if task.targets.len() > 1 {
                    for conflict in &mut conflicts {
                        conflict.explanation = format!("for {target}: {}", conflict.explanation);
                    }
                }
                return Ok(Outcome::Conflicts(conflicts));
            }
            Solved::GaveUp => return Err(IndexError::Interrupted),
        };
        places.push(Place {
            world,
            active,
            picks,
            targets: vec![at],
        });
    }
    let aligned = align(&mut places, task.targets, task.cancel)?;
    let mut stats: BTreeMap<&'static str, u64> = BTreeMap::new();
    if task.targets.len() > 1 {
        stats.insert("aligned", aligned);
        stats.insert("targets", task.targets.len() as u64);
        stats.insert("targets_shared", (task.targets.len() - places.len()) as u64);
    }
    // In the order of the task: what is written does not depend on the machine.
    places.sort_by_key(|place| place.targets.iter().min().copied());
    let mut warnings = BTreeSet::new();
    let mut answers = Vec::new();
    for place in &places {
        let found = packages(&place.world, &place.active, &place.picks, &mut warnings)?;
        answers.push((place.targets.clone(), found));
        *stats.entry("decisions").or_default() += place.world.decisions.get();
        *stats.entry("rejections").or_default() += place.world.rejections.get();
        *stats.entry("versions_visited").or_default() += place.world.visited();
        *stats.entry("solves").or_default() += place.world.solves.get();
    }
    Ok(Outcome::Resolved(Box::new(Resolution {
        targets: task.targets.to_vec(),
        packages: merge(task.targets, answers),
        warnings: warnings.into_iter().collect(),
        exclude_newer: task.options.exclude_newer,
        stats,
    })))
}

/// Orders the targets, this machine first, each with what is to be kept there.
pub(super) fn in_order(task: &Task<'_>) -> Vec<(usize, Preferences)> {
    let mut order: Vec<usize> = (0..task.targets.len()).collect();
    order.sort_by_key(|&at| !task.targets[at].is_real());
    let steps = order.into_iter().enumerate();
    steps
        .map(|(step, at)| {
            let mut preferences = task.preferences.on(&task.targets[at]);
            // What is installed here cannot be kept elsewhere.
            if step > 0 {
                preferences.forget_installed();
            }
            (at, preferences)
        })
        .collect()
}

/// Leaves out lines that ask for what an earlier one asks for: dozens of nodes want
/// `numpy`, and each line is a decision. All lines are named where an answer is told.
pub(super) fn distinct_lines(world: &World<'_>, active: &[u32]) -> Vec<u32> {
    let mut seen = BTreeSet::new();
    let is_new = |at: &u32| {
        let line = &world.lines[*at as usize];
        let wanted = &line.requirement;
        let how = (&wanted.extras, wanted.specifiers.text(), &wanted.url);
        let place = wanted.url.as_ref().map(|_| &line.base);
        let policy = (world.scoped_override(line), world.waived(*at));
        seen.insert((&wanted.name, how, place, policy))
    };
    active.iter().copied().filter(is_new).collect()
}

/// Returns the numbers of the lines that ask for something on the target.
pub fn active_lines(world: &World<'_>) -> Vec<u32> {
    let is_active = |at: &u32| world.is_active(*at);
    world.order.iter().copied().filter(is_active).collect()
}
