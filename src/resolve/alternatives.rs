//! Other sets of lines than what is asked for, tried one after the other in one world:
//! what was understood of pages and metadata for one serves all.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::alike::ParsedMarkers;
use super::scout::Walker;
use super::solve::{Picks, Solved, solve};
use super::targets::{Outcome, Task, active_lines, distinct_lines, in_order, resolve};
use super::world::World;
use crate::index::IndexError;
use crate::package::{Name, Version};
use crate::requirements::{Line, Role};
use crate::workspace::settings::FamilyMode;

/// What a try came to.
#[derive(Debug, Clone, Default)]
pub struct Versions {
    /// The versions on the first target.
    pub picked: BTreeMap<Name, Version>,
    /// Of one of them only a build could tell what it needs; an answer would run it, and the
    /// try did not.
    pub unverified: bool,
}

/// Lines of which some are asked for and the others only by a try that names them.
pub struct Alternatives<'a> {
    task: &'a Task<'a>,
    /// The number of the first line that only a try asks for.
    asked: u32,
    worlds: Vec<World<'a>>,
}

/// Lends `tries` the worlds in which lines are tried: the first `asked` lines of the task
/// are asked for, the others, which are plain requirements without addresses, where a try
/// names them.
///
/// # Errors
///
/// Fails if the world could not be asked, or as `tries` does.
pub fn with_alternatives<T, E: From<IndexError>>(
    task: &Task<'_>,
    asked: usize,
    tries: impl FnOnce(&Alternatives<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let order = in_order(task);
    let parsed = Rc::new(ParsedMarkers::default());
    let mut worlds = Vec::new();
    for (at, preferences) in &order {
        let target = &task.targets[*at];
        let mut world =
            World::new(task.lines, target, task.options, preferences, task.index).sharing(&parsed);
        let names = world.asked_names();
        let asked = &task.lines[..asked];
        let walker = Walker::new(asked, target, std::iter::empty());
        task.index.begin(&names, Arc::new(walker));
        world.follow_addresses()?;
        worlds.push(world);
    }
    let asked = u32::try_from(asked).unwrap_or(u32::MAX);
    tries(&Alternatives {
        task,
        asked,
        worlds,
    })
}

impl Alternatives<'_> {
    /// Resolves what is asked for without some lines and with others, by number. Returns
    /// nothing if there is no answer, or none after so many steps.
    ///
    /// # Errors
    ///
    /// Fails if the world could not be asked or the work was interrupted.
    pub fn answer(
        &self,
        out: &BTreeSet<u32>,
        with: &[u32],
        steps: u64,
    ) -> Result<Option<Versions>, IndexError> {
        if self.differs_in_more_than_requirements(out, with) {
            return self.anew(out, with);
        }
        let mut solved: Vec<&World<'_>> = Vec::new();
        let mut first = None;
        for world in &self.worlds {
            // The same questions with the same answers lead to the same picks.
            if solved.iter().any(|known| known.judges_alike(world.target)) {
                continue;
            }
            let mut active = active_lines(world);
            active.retain(|at| *at < self.asked && !out.contains(at) || with.contains(at));
            let active = distinct_lines(world, &active);
            let Solved::Picks(picks) = solve(world, &active, self.task.cancel, Some(steps))? else {
                return Ok(None);
            };
            if rests_on_a_wish(world, &picks) {
                return self.anew(out, with);
            }
            let builds = self.task.index.builds();
            first.get_or_insert_with(|| versions(world, &picks, builds));
            solved.push(world);
        }
        Ok(first)
    }

    /// Reports whether what goes or comes says more than which versions will do: a world
    /// knows addresses, constraints and families once and for all.
    fn differs_in_more_than_requirements(&self, out: &BTreeSet<u32>, with: &[u32]) -> bool {
        let lines = out.iter().chain(with);
        let mut lines = lines.filter_map(|&at| self.task.lines.get(at as usize));
        let unifies = |family: &super::families::Family| family.mode == FamilyMode::Unify;
        lines.any(|line| line.role != Role::Require || line.requirement.url.is_some())
            || self.task.options.families.iter().any(unifies)
    }

    /// Resolves just the lines of a try in a world of their own.
    fn anew(&self, out: &BTreeSet<u32>, with: &[u32]) -> Result<Option<Versions>, IndexError> {
        let all = (0u32..).zip(self.task.lines);
        let its = all.filter(|(at, _)| *at < self.asked && !out.contains(at) || with.contains(at));
        let lines: Vec<Line> = its.map(|(_, line)| line.clone()).collect();
        answer(&Task {
            lines: &lines,
            ..*self.task
        })
    }
}

/// Resolves a task that is only tried; the versions are those of its first target.
///
/// # Errors
///
/// Fails if the world could not be asked or the work was interrupted.
pub fn answer(task: &Task<'_>) -> Result<Option<Versions>, IndexError> {
    let Outcome::Resolved(found) = resolve(task)? else {
        return Ok(None);
    };
    let packages = found.packages.iter().rev();
    let picked = packages.map(|package| (package.name.clone(), package.version.clone()));
    let mut warnings = found.warnings.iter();
    Ok(Some(Versions {
        picked: picked.collect(),
        unverified: task.index.builds()
            && warnings.any(|warning| warning.code == "unverified-metadata"),
    }))
}

/// Reports whether an answer takes what only a line that names it may take: a line that
/// was left out may have been the one.
fn rests_on_a_wish(world: &World<'_>, picks: &Picks) -> bool {
    use super::candidates::Choice;
    picks.versions.iter().any(|(&number, version)| {
        let withdrawn = || match world.candidates(number) {
            Ok(Some(candidates)) => {
                matches!(candidates.judge(version), Ok(Choice::File { install, .. }) if install.yanked)
            }
            _ => false,
        };
        version.any_prerelease() || withdrawn()
    })
}

fn versions(world: &World<'_>, picks: &Picks, builds: bool) -> Versions {
    let picked = picks.versions.iter();
    let is_unverified = |(&number, version): (&u32, &Version)| {
        let deps = world.deps(number, version);
        deps.is_ok_and(|deps| deps.is_ok_and(|deps| deps.metadata().unverified))
    };
    Versions {
        unverified: builds && picked.clone().any(is_unverified),
        picked: picked
            .map(|(&number, version)| (world.name(number), version.clone()))
            .collect(),
    }
}
