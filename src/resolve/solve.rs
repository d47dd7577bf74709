//! One solve: some lines in, picks or a proof out.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use pubgrub::{DerivationTree, PubGrubError};

use super::provider::{Lessons, Pins, Provider, Stop};
use super::world::{Pkg, World};
use crate::index::IndexError;
use crate::package::{Range, Version};
use crate::progress::Cancel;

/// The proof that there is no answer.
pub type Proof = DerivationTree<Pkg, Range, String>;

/// The picks of a solve: versions by name, and the extras wanted of each.
#[derive(Debug, Clone, Default)]
pub struct Picks {
    /// Version by name.
    pub versions: BTreeMap<u32, Version>,
    /// Extras by name.
    pub extras: BTreeMap<u32, BTreeSet<u32>>,
}

/// What a solve came to.
#[derive(Debug)]
pub enum Solved {
    /// An answer.
    Picks(Picks),
    /// A proof that there is none.
    Proof(Box<Proof>),
    /// It was given up after too many steps.
    GaveUp,
}

/// Solves over the lines `active`.
///
/// Packages that prove troublesome are decided early, and where that comes too late,
/// in a fresh start; each moves at most twice, so this ends.
///
/// # Errors
///
/// Fails if the world could not be asked or the work was interrupted.
pub fn solve(
    world: &World<'_>,
    active: &[u32],
    cancel: &Cancel,
    limit: Option<u64>,
) -> Result<Solved, IndexError> {
    solve_pinned(world, active, cancel, limit, &Pins::default())
}

/// Solves over the lines `active` with some packages held to a version.
///
/// # Errors
///
/// Fails if the world could not be asked or the work was interrupted.
pub fn solve_pinned(
    world: &World<'_>,
    active: &[u32],
    cancel: &Cancel,
    limit: Option<u64>,
    pins: &Pins,
) -> Result<Solved, IndexError> {
    let lessons = RefCell::new(Lessons::default());
    loop {
        world.solves.set(world.solves.get() + 1);
        let provider = Provider::new(world, active, cancel, limit, &lessons, pins);
        let stop = match pubgrub::resolve(&provider, Pkg::Root, Version::new([0])) {
            Ok(selected) => return Ok(Solved::Picks(collect(selected.iter()))),
            Err(PubGrubError::NoSolution(proof)) => return Ok(Solved::Proof(Box::new(proof))),
            Err(
                PubGrubError::ErrorRetrievingDependencies { source, .. }
                | PubGrubError::ErrorChoosingVersion { source, .. }
                | PubGrubError::ErrorInShouldCancel(source),
            ) => source,
        };
        match stop {
            Stop::Index(error) => return Err(error),
            Stop::Steps => return Ok(Solved::GaveUp),
            Stop::Restart => {}
        }
    }
}

fn collect<'s>(selected: impl Iterator<Item = (&'s Pkg, &'s Version)>) -> Picks {
    let mut picks = Picks::default();
    for (package, version) in selected {
        match *package {
            Pkg::Name(name) => {
                picks.versions.insert(name, version.clone());
            }
            Pkg::Extra(name, extra) => {
                picks.extras.entry(name).or_default().insert(extra);
            }
            Pkg::Root | Pkg::Line(_) | Pkg::Policy(_) | Pkg::Family(_) => {}
        }
    }
    picks
}
