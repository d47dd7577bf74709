//! Versions of one package, each tried in the solver beside everything else.

use std::rc::Rc;
use std::sync::Arc;

use super::alike::ParsedMarkers;
use super::conflict::{Conflict, CoreLine, Step, core_of, describe, find_conflicts, removable};
use super::families::solve_unified;
use super::holds::{Guilt, Holds, Move, Stretch, Verdict};
use super::keep::keep_more;
use super::preferences::Preferences;
use super::scout::Walker;
use super::solve::{Picks, Solved, solve};
use super::targets::{Task, active_lines, distinct_lines};
use super::world::World;
use crate::index::IndexError;
use crate::package::requirement::split;
use crate::package::{Target, Version};
use crate::requirements::Line;

/// How many stretches are looked into at most.
const MOST_STRETCHES: usize = 8;
/// How many independent cores are named for one stretch.
const MOST_CORES: usize = 6;
/// Steps after which a trial solve is given up.
const TRIAL_STEPS: u64 = 20_000;
/// The same where something is known already: what else there is must not cost much.
const FURTHER_STEPS: u64 = 3_000;
/// How often conflicting lines are left out before the trials.
const MOST_CONFLICTS: usize = 16;

/// One target's world with its answer of today.
struct Place<'a> {
    world: World<'a>,
    active: Vec<u32>,
    picks: Picks,
}

/// The worlds in which versions are tried.
pub(super) struct Trials<'a> {
    places: Vec<Place<'a>>,
    /// The number of the first trial line.
    first: u32,
}

/// What became of a version, on which target, and which lines prove it.
struct Judged {
    verdict: Verdict,
    place: usize,
    /// Each excludes the version by itself.
    cores: Vec<Vec<u32>>,
    /// The cores are not by text alone.
    by_proof: bool,
}

impl Judged {
    fn here(verdict: Verdict) -> Self {
        Self {
            verdict,
            place: 0,
            cores: Vec::new(),
            by_proof: false,
        }
    }
}

impl<'a> Trials<'a> {
    /// Finds the answer of today on each target, leaving out lines that conflict anyway.
    pub(super) fn new(
        task: &Task<'a>,
        lines: &'a [Line],
        preferences: &'a [Preferences],
        conflicts: &mut Vec<Conflict>,
    ) -> Result<Self, IndexError> {
        let first = u32::try_from(task.lines.len()).expect("BUG: fewer than four billion lines");
        let parsed = Rc::new(ParsedMarkers::default());
        let mut places = Vec::new();
        for (target, preferences) in task.targets.iter().zip(preferences) {
            let mut world =
                World::new(lines, target, task.options, preferences, task.index).sharing(&parsed);
            let names = world.asked_names();
            let preferred = names.iter().filter_map(|name| {
                let version = world.first_preferred(world.number(name))?;
                Some((name.clone(), version))
            });
            let scout = Walker::new(task.lines, target, preferred);
            task.index.begin(&names, Arc::new(scout));
            world.follow_addresses()?;
            let mut active = active_lines(&world);
            active.retain(|&at| at < first);
            let mut active = distinct_lines(&world, &active);
            let mut picks = None;
            for _ in 0..MOST_CONFLICTS {
                let proof = match solve_unified(&mut world, &active, task.cancel)? {
                    Solved::Picks(found) => {
                        picks = Some(keep_more(&world, &active, found, task.cancel)?);
                        break;
                    }
                    Solved::Proof(proof) => proof,
                    Solved::GaveUp => break,
                };
                let found = find_conflicts(&world, &active, *proof, task.cancel)?;
                let out: Vec<u32> = found
                    .iter()
                    .filter(|conflict| !conflict.shadowed)
                    .flat_map(|conflict| removable(&world, &conflict.lines))
                    .collect();
                active.retain(|at| !out.contains(at));
                conflicts.extend(found);
                if out.is_empty() {
                    break;
                }
            }
            let Some(picks) = picks else { continue };
            places.push(Place {
                world,
                active,
                picks,
            });
        }
        Ok(Self { places, first })
    }

    /// Tries versions in turn until one fits.
    pub(super) fn walk(
        &self,
        task: &Task<'_>,
        versions: &[Version],
        holds: &mut Holds,
    ) -> Result<(), IndexError> {
        let mut known = Judged::here(Verdict::Held(Vec::new()));
        for ((at, version), trial) in versions.iter().enumerate().zip(self.first..) {
            if let Some(stretch) = holds.stretches.last_mut()
                && self.holds_too(&known, trial, task)?
            {
                stretch.oldest = version.clone();
                stretch.count += 1;
                continue;
            }
            if holds.stretches.len() >= MOST_STRETCHES {
                holds.untried += versions.len() - at;
                break;
            }
            known = match self.judge(trial, task) {
                Ok(found) => found,
                Err(error @ (IndexError::Offline { .. } | IndexError::Unreachable { .. })) => {
                    Judged::here(Verdict::Unknown(error.to_string()))
                }
                Err(error) => return Err(error),
            };
            let target = (known.place > 0).then(|| self.target(known.place));
            match holds.stretches.last_mut() {
                Some(last) if last.verdict == known.verdict && last.target == target => {
                    last.oldest = version.clone();
                    last.count += 1;
                }
                _ => holds.stretches.push(Stretch {
                    newest: version.clone(),
                    oldest: version.clone(),
                    count: 1,
                    verdict: known.verdict.clone(),
                    target,
                }),
            }
            if matches!(known.verdict, Verdict::Fits(_)) {
                break;
            }
            // What is not said by text takes what each version asks for.
            if known.by_proof {
                let world = &self.places[known.place].world;
                let number = world.number(&world.lines[trial as usize].requirement.name);
                world.prefetch_versions(number, versions[at..].iter().cloned());
            }
        }
        Ok(())
    }

    fn target(&self, place: usize) -> String {
        let target: &Target = self.places[place].world.target;
        target.to_string()
    }

    /// Reports whether what excludes one version excludes another too.
    fn holds_too(&self, proven: &Judged, trial: u32, task: &Task<'_>) -> Result<bool, IndexError> {
        let world = &self.places[proven.place].world;
        for core in &proven.cores {
            let lines: Vec<u32> = core.iter().copied().chain([trial]).collect();
            match solve(world, &lines, task.cancel, Some(TRIAL_STEPS)) {
                Ok(Solved::Proof(_)) => {}
                Ok(_) | Err(IndexError::Offline { .. } | IndexError::Unreachable { .. }) => {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(!proven.cores.is_empty())
    }

    fn judge(&self, trial: u32, task: &Task<'_>) -> Result<Judged, IndexError> {
        let mut moves = Vec::new();
        for (place, at) in self.places.iter().zip(0..) {
            let with: Vec<u32> = place.active.iter().copied().chain([trial]).collect();
            match solve(&place.world, &with, task.cancel, Some(TRIAL_STEPS))? {
                Solved::Picks(picks) => {
                    if at == 0 {
                        let picks = keep_more(&place.world, &with, picks, task.cancel)?;
                        moves = place.moves(&picks, trial);
                    }
                }
                Solved::Proof(_) => {
                    let judged = place.accuse(trial, task)?;
                    return Ok(Judged {
                        place: at,
                        ..judged
                    });
                }
                Solved::GaveUp => {
                    let text = "the search was given up after too many steps".to_owned();
                    return Ok(Judged::here(Verdict::Unknown(text)));
                }
            }
        }
        Ok(Judged::here(if self.places.is_empty() {
            Verdict::Unknown("what is asked for has no answer in any case".to_owned())
        } else {
            Verdict::Fits(moves)
        }))
    }
}

impl Place<'_> {
    /// Names the lines that exclude a version: those that say so, then one core after
    /// the other, each found among what the ones before leave.
    fn accuse(&self, trial: u32, task: &Task<'_>) -> Result<Judged, IndexError> {
        let world = &self.world;
        let all = active_lines(world);
        let mut remaining: Vec<u32> = self.active.iter().copied().chain([trial]).collect();
        let (mut guilts, mut cores) = self.outspoken(trial, &all, &mut remaining);
        // A policy cannot be left out to see what else there is.
        let has_policy = cores.iter().any(Vec::is_empty);
        let by_proof = cores.is_empty();
        while guilts.len() < MOST_CORES && !has_policy {
            let steps = if guilts.is_empty() {
                TRIAL_STEPS
            } else {
                FURTHER_STEPS
            };
            let proof = match solve(world, &remaining, task.cancel, Some(steps)) {
                Ok(Solved::Proof(proof)) => proof,
                Ok(Solved::Picks(_) | Solved::GaveUp) => break,
                Err(IndexError::Offline { .. } | IndexError::Unreachable { .. })
                    if !guilts.is_empty() =>
                {
                    break;
                }
                Err(error) => return Err(error),
            };
            let core = core_of(world, &proof, task.cancel)?;
            let found = describe(world, &core, task.cancel)?;
            let others: Vec<u32> = core.into_iter().filter(|&at| at != trial).collect();
            let wanted = &world.lines[trial as usize];
            let (own, lines): (Vec<_>, Vec<_>) = (found.requirements.into_iter())
                .partition(|line| line.origin == wanted.origin && line.requirement == wanted.text);
            let asks: Vec<Step> = own.into_iter().flat_map(|line| line.via).collect();
            if lines.is_empty() {
                // Nobody could have it, whatever the lines say.
                return Ok(Judged::here(self.unusable(trial, asks.last())?));
            }
            let (alike, lines) = self.alike(&others, &all, lines);
            guilts.push(Guilt {
                lines,
                asks,
                packages: found.packages,
            });
            remaining.retain(|at| !others.contains(at) && !alike.contains(at));
            let is_last = others.is_empty();
            // Whether further ones exclude other versions too is not worth asking for.
            if cores.is_empty() {
                cores.push(others);
            }
            if is_last {
                break;
            }
        }
        Ok(Judged {
            verdict: Verdict::Held(guilts),
            place: 0,
            cores,
            by_proof,
        })
    }

    /// Finds the lines and policies on the package whose text excludes the version,
    /// and takes the lines out of what remains. No metadata is needed for that.
    fn outspoken(
        &self,
        trial: u32,
        all: &[u32],
        remaining: &mut Vec<u32>,
    ) -> (Vec<Guilt>, Vec<Vec<u32>>) {
        let world = &self.world;
        let trial = &world.lines[trial as usize];
        let name = &trial.requirement.name;
        let number = world.number(name);
        let (mut guilts, mut cores) = (Vec::new(), Vec::new());
        let Some(version) = trial.requirement.specifiers.pinned() else {
            return (guilts, cores);
        };
        let excludes = |at: u32| {
            let wanted = &world.lines[at as usize].requirement;
            wanted.url.is_none() && !wanted.specifiers.range().contains(version)
        };
        let mut add = |lines: Vec<CoreLine>, core: Vec<u32>| {
            cores.push(core);
            guilts.push(Guilt {
                lines,
                asks: Vec::new(),
                packages: vec![name.clone()],
            });
        };
        let overrides = world.overrides_of(number);
        if overrides.is_empty() {
            let lines: Vec<u32> = (remaining.iter().copied())
                .filter(|&at| {
                    let line = &world.lines[at as usize];
                    world.number_of(line) == number && world.scoped_override(line).is_none()
                })
                .filter(|&at| excludes(at))
                .collect();
            remaining.retain(|at| !lines.contains(at));
            for at in lines {
                let first = vec![CoreLine::of(&world.lines[at as usize])];
                let (_, lines) = self.alike(&[at], all, first);
                add(lines, vec![at]);
            }
        }
        let policies = overrides.iter().chain(world.constraints_on(number));
        for &at in policies.filter(|&&at| excludes(at)) {
            add(vec![CoreLine::of(&world.lines[at as usize])], Vec::new());
        }
        (guilts, cores)
    }

    /// Says why a version cannot be used at all.
    fn unusable(&self, trial: u32, missing: Option<&Step>) -> Result<Verdict, IndexError> {
        let line = &self.world.lines[trial as usize];
        let number = self.world.number(&line.requirement.name);
        let Some(version) = line.requirement.specifiers.pinned() else {
            return Ok(Verdict::Unusable("it cannot be used".to_owned()));
        };
        if let Some(candidates) = self.world.candidates(number)?
            && let Err(unfit) = candidates.judge(version)
        {
            return Ok(Verdict::Unfit(unfit, unfit.shown(self.world.target)));
        }
        Ok(Verdict::Unusable(
            match self.world.deps(number, version)? {
                Err(reason) => reason,
                Ok(_) => match missing {
                    None => "what it needs cannot be had".to_owned(),
                    Some(step) => {
                        let text = &step.requirement;
                        let wanted =
                            split(text).map_or(text.as_str(), |parts| parts.without_marker(text));
                        format!("{} needs {wanted}, which cannot be had", step.package)
                    }
                },
            },
        ))
    }

    /// Adds to the lines of a core those that ask for the same; dozens of nodes may
    /// have one line. Returns their numbers too.
    fn alike(&self, core: &[u32], all: &[u32], lines: Vec<CoreLine>) -> (Vec<u32>, Vec<CoreLine>) {
        let how = |at: u32| {
            let line = &self.world.lines[at as usize];
            let wanted = &line.requirement;
            let override_of = self.world.scoped_override(line);
            (
                &wanted.name,
                &wanted.extras,
                wanted.specifiers.text(),
                &wanted.url,
                override_of,
            )
        };
        let mut numbers = Vec::new();
        let mut out = Vec::new();
        for line in lines {
            let of = |at: &&u32| {
                let known = &self.world.lines[**at as usize];
                known.origin == line.origin && known.text == line.requirement
            };
            let at = core.iter().find(of).copied();
            out.push(line);
            let (Some(at), Some(first)) = (at, out.last().cloned()) else {
                continue;
            };
            for &other in all
                .iter()
                .filter(|&&other| other != at && how(other) == how(at))
            {
                numbers.push(other);
                out.push(CoreLine {
                    requirement: self.world.lines[other as usize].text.clone(),
                    origin: self.world.lines[other as usize].origin.clone(),
                    via: first.via.clone(),
                });
            }
        }
        (numbers, out)
    }

    /// Compares an answer with that of today, less the package itself.
    fn moves(&self, picks: &Picks, trial: u32) -> Vec<Move> {
        let own = &self.world.lines[trial as usize].requirement.name;
        let numbers = self.picks.versions.keys().chain(picks.versions.keys());
        let mut moves: Vec<Move> = numbers
            .map(|number| Move {
                name: self.world.name(*number),
                from: self.picks.versions.get(number).cloned(),
                to: picks.versions.get(number).cloned(),
            })
            .filter(|change| change.from != change.to && change.name != *own)
            .collect();
        moves.sort_by(|a, b| a.name.cmp(&b.name));
        moves.dedup();
        moves
    }
}
