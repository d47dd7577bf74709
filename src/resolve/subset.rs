//! The largest set of nodes that can live together.
//!
//! An implicit hitting set: what is known of conflicts says which nodes to leave out at
//! least ([`cover`](super::cover)), a solve without them finds an answer or further
//! conflicts, and so on until both sides meet. The bound holds for every set of nodes; an
//! answer is there from the first round on.
//!
//! Conflicts are found in a world that knows all lines, where what is withdrawn or a
//! pre-release may be taken if any node names it. A set is only an answer once the caller
//! has resolved exactly its lines; where that fails, the set is out and the bound stays.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::addresses::same_place;
use super::alike::ParsedMarkers;
use super::conflict::{Conflict, core_of, describe};
use super::cover::{Clause, add, cover};
use super::involved::{asks_as_much, involved};
use super::preferences::Preferences;
use super::scout::Walker;
use super::solve::{Solved, solve};
use super::targets::{Task, active_lines, distinct_lines};
use super::world::World;
use crate::index::IndexError;
use crate::package::Target;
use crate::requirements::Role;

/// Steps after which a solve is given up.
const STEPS: u64 = 200_000;
/// Branches after which a cover is taken as it is.
const BRANCHES: u64 = 100_000;
/// How many worlds of one target are kept.
const MOST_WORLDS: usize = 4;

/// A node that may be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// What it is worth.
    pub weight: u64,
    /// Its lines by number.
    pub lines: Vec<u32>,
}

/// What to search in.
pub struct SubsetTask<'a> {
    /// All lines and what decides about them.
    pub task: Task<'a>,
    /// What may be left out; lines of nobody always count.
    pub members: &'a [Member],
    /// Lines that nothing can supply do not count.
    pub waives_unsupplied: bool,
    /// Those left out are parted into groups that can live with the rest of the lines.
    pub groups: bool,
    /// Hears the best weight found and the most there could be; `false` ends the search.
    pub watch: &'a dyn Fn(u64, u64) -> bool,
}

/// What became of a set when just its lines were resolved.
#[derive(Debug)]
pub enum Verdict {
    /// It has an answer.
    Holds,
    /// It has none.
    Fails {
        /// The conflicts, lines by number in the task.
        conflicts: Vec<Conflict>,
        /// They hold for every set with these lines.
        certain: bool,
    },
}

/// Resolves just the lines of members by number; it also hears which lines nothing can
/// supply, a conflict each.
pub type Verify<'a, E> = dyn FnMut(&[usize], &[Conflict]) -> Result<Verdict, E> + 'a;

/// Why a member is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its number.
    pub member: usize,
    /// What keeps it out of the set; empty only if the search for it was given up.
    pub conflicts: Vec<Conflict>,
}

/// The largest set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargestSubset {
    /// The members in it, by number.
    pub kept: Vec<usize>,
    /// The others.
    pub left_out: Vec<LeftOut>,
    /// Those left out, in groups that each can live with the lines of nobody; those that
    /// cannot do so even alone are in none.
    pub groups: Vec<Vec<usize>>,
    /// What the set is worth.
    pub weight: u64,
    /// No set is worth more.
    pub bound: u64,
    /// Sets of members that were tried in the solver.
    pub tried: u64,
}

/// Finds the members of the greatest weight that can live together. `verify` has the
/// last word on a set. Without an answer even for the lines of nobody there
/// is none.
///
/// # Errors
///
/// Fails if the world could not be asked, the work was interrupted, or as `verify` does.
pub fn find_largest_subset<E: From<IndexError>>(
    task: &SubsetTask<'_>,
    verify: &mut Verify<'_, E>,
) -> Result<Option<LargestSubset>, E> {
    let preferences: Vec<Preferences> = (task.task.targets.iter())
        .map(|target| task.task.preferences.on(target))
        .collect();
    let mut search = Search::new(task, &preferences);
    search.read_contradictions()?;
    let nobody = vec![false; task.members.len()];
    let Some((out, bound)) = search.settle(&nobody, true, verify)? else {
        return Ok(None);
    };
    let kept = without(&out);
    let mut left_out = Vec::new();
    for member in (0..out.len()).filter(|&at| out[at]) {
        let conflicts = search.reasons(&out, member)?;
        left_out.push(LeftOut { member, conflicts });
    }
    let mut groups = Vec::new();
    let mut placed: Vec<bool> = out.iter().map(|out| !out).collect();
    while task.groups && placed.contains(&false) {
        let Some((apart, _)) = search.settle(&placed, false, verify)? else {
            break;
        };
        let group = without(&apart);
        if group.is_empty() {
            break;
        }
        for &at in &group {
            placed[at] = true;
        }
        groups.push(group);
    }
    Ok(Some(LargestSubset {
        weight: search.worth(&out),
        kept,
        left_out,
        groups,
        bound,
        tried: search.tried,
    }))
}

/// One target with the worlds in which it was solved.
struct Place<'a> {
    target: &'a Target,
    preferences: &'a Preferences,
    /// By the members left out of those whose lines bring more than a requirement.
    worlds: Vec<(Vec<usize>, World<'a>)>,
}

/// What a try came to.
enum Try {
    Holds,
    Fails(Clause),
    GaveUp,
}

struct Search<'a> {
    task: &'a SubsetTask<'a>,
    weights: Vec<u64>,
    /// The member of each line.
    owner: Vec<Option<usize>>,
    /// Lines of members that give an address or a bound, which is there or not for all.
    standing: Vec<u32>,
    places: Vec<Place<'a>>,
    parsed: Rc<ParsedMarkers>,
    /// Conflicts that hold for every set.
    certain: Vec<Clause>,
    /// Conflicts that hold for the sets in which they were found.
    found: Vec<Clause>,
    /// Lines that nothing can supply, by place.
    off: BTreeSet<(usize, u32)>,
    /// The same as they are told.
    unsupplied: Vec<Conflict>,
    /// How often something was learned.
    learned: u64,
    tried: u64,
}

impl<'a> Search<'a> {
    fn new(task: &'a SubsetTask<'a>, preferences: &'a [Preferences]) -> Self {
        let lines = task.task.lines;
        let mut owner = vec![None; lines.len()];
        for (at, member) in task.members.iter().enumerate() {
            for &line in &member.lines {
                owner[line as usize] = Some(at);
            }
        }
        let stands = |at: &u32| {
            let line = &lines[*at as usize];
            owner[*at as usize].is_some()
                && (line.role != Role::Require || line.requirement.url.is_some())
        };
        let standing = (0u32..).zip(lines).map(|(at, _)| at).filter(stands);
        Self {
            weights: task.members.iter().map(|member| member.weight).collect(),
            standing: standing.collect(),
            owner,
            places: (task.task.targets.iter().zip(preferences))
                .map(|(target, preferences)| Place {
                    target,
                    preferences,
                    worlds: Vec::new(),
                })
                .collect(),
            parsed: Rc::default(),
            certain: Vec::new(),
            found: Vec::new(),
            off: BTreeSet::new(),
            unsupplied: Vec::new(),
            learned: 0,
            tried: 0,
            task,
        }
    }

    fn worth(&self, out: &[bool]) -> u64 {
        let kept = self.weights.iter().zip(out).filter(|(_, out)| !**out);
        kept.map(|(weight, _)| weight).sum()
    }

    /// Finds the best set without the members that are `never` in it, or with a look at
    /// one round only a good one. Returns who is out and the bound.
    fn settle<E: From<IndexError>>(
        &mut self,
        never: &[bool],
        best: bool,
        verify: &mut Verify<'_, E>,
    ) -> Result<Option<(Vec<bool>, u64)>, E> {
        let mut held: Option<Vec<bool>> = None;
        loop {
            let Some(bound) = self.bound(never) else {
                return Ok(None);
            };
            let worth = held.as_ref().map_or(0, |out| self.worth(out));
            let goes_on = (self.task.watch)(worth, bound);
            let mut done = !best || !goes_on || worth >= bound;
            if held.is_none() || !done {
                let known = self.learned;
                let Some(start) = self.start(never, best) else {
                    return Ok(None);
                };
                let Some(out) = self.descend(start, never, bound, best)? else {
                    return Ok(None);
                };
                if held.is_none() || self.worth(&out) > worth {
                    held = Some(out);
                }
                done |= self.learned == known;
            }
            if let (true, Some(out)) = (done, &held) {
                match verify(&without(out), &self.unsupplied)? {
                    Verdict::Holds => {
                        let bound = self.bound(never).unwrap_or(bound);
                        return Ok(held.map(|out| (out, bound)));
                    }
                    Verdict::Fails { conflicts, certain } => {
                        if !self.refuse(out, &conflicts, certain) {
                            return Ok(None);
                        }
                        held = None;
                    }
                }
            }
        }
    }

    /// The most that a set without some members could be worth.
    fn bound(&self, never: &[bool]) -> Option<u64> {
        let clauses: Vec<Clause> = still_open(&self.certain, never);
        let cover = cover(&self.weights, &clauses, BRANCHES)?;
        Some(self.worth(never) - cover.bound)
    }

    /// Whom to leave out by all that is known.
    fn start(&self, never: &[bool], best: bool) -> Option<Vec<bool>> {
        let mut clauses = still_open(&self.certain, never);
        clauses.extend(still_open(&self.found, never));
        let cover = cover(&self.weights, &clauses, if best { BRANCHES } else { 1 })?;
        Some(cover.out.iter().zip(never).map(|(a, b)| *a || *b).collect())
    }

    /// Leaves members out until there is an answer, then takes back whom it can. Nothing
    /// if there is no answer even without any.
    fn descend(
        &mut self,
        mut out: Vec<bool>,
        never: &[bool],
        bound: u64,
        best: bool,
    ) -> Result<Option<Vec<bool>>, IndexError> {
        loop {
            match self.attempt(&out)? {
                Try::Holds => break,
                Try::Fails(clause) => {
                    let part = clause.cheapest(&self.weights, &out);
                    if part.is_empty() {
                        return Ok(None);
                    }
                    for at in part {
                        out[at] = true;
                    }
                }
                Try::GaveUp => {
                    // From nothing on it takes many small tries instead of one large one.
                    if !out.contains(&false) {
                        return Ok(None);
                    }
                    out.fill(true);
                }
            }
        }
        let mut back: Vec<usize> = (0..out.len()).filter(|&at| out[at] && !never[at]).collect();
        back.sort_by_key(|&at| (std::cmp::Reverse(self.weights[at]), at));
        for at in back {
            if best && !(self.task.watch)(self.worth(&out), bound) {
                break;
            }
            out[at] = false;
            let known = self.certain.iter().chain(&self.found);
            let fits = !known.clone().any(|clause| clause.is_open(&out))
                && matches!(self.attempt(&out)?, Try::Holds);
            out[at] = !fits;
        }
        Ok(Some(out))
    }

    /// Takes over conflicts that only came to light when just the lines of a set were
    /// resolved. Reports whether there is anybody left to leave out.
    fn refuse(&mut self, out: &[bool], conflicts: &[Conflict], certain: bool) -> bool {
        let mut learned = false;
        for conflict in conflicts {
            let members = conflict
                .lines
                .iter()
                .filter_map(|&at| self.owner[at as usize]);
            let clause = Clause::new(members.map(|at| vec![at]).collect(), Vec::new());
            if clause.parts.is_empty() {
                return false;
            }
            learned |= clause.is_open(out);
            let list = if certain {
                &mut self.certain
            } else {
                &mut self.found
            };
            self.learned += u64::from(add(list, clause));
        }
        if !learned {
            // What it is about cannot be told, but it is about this set.
            let all = without(out).into_iter().map(|at| vec![at]).collect();
            let clause = Clause::new(
                all,
                without(&out.iter().map(|out| !out).collect::<Vec<_>>()),
            );
            if clause.parts.is_empty() {
                return false;
            }
            self.found.push(clause);
        }
        true
    }
}

/// The members that are not out.
fn without(out: &[bool]) -> Vec<usize> {
    (0..out.len()).filter(|&at| !out[at]).collect()
}

/// The clauses without the members that are out in any case.
fn still_open(clauses: &[Clause], never: &[bool]) -> Vec<Clause> {
    let left = |part: &Vec<usize>| -> Vec<usize> {
        part.iter().copied().filter(|&at| !never[at]).collect()
    };
    let open = clauses.iter().filter(|clause| clause.is_open(never));
    open.map(|clause| {
        Clause::new(
            clause.parts.iter().map(left).collect(),
            left(&clause.unless),
        )
    })
    .collect()
}

/// Where lines meet a world.
impl Search<'_> {
    /// Tries the members that are not out, with the lines of nobody.
    fn attempt(&mut self, out: &[bool]) -> Result<Try, IndexError> {
        self.tried += 1;
        for place in 0..self.places.len() {
            loop {
                let at = self.world(place, out)?;
                let world = &self.places[place].worlds[at].1;
                let active = distinct_lines(world, &self.active(place, world, out));
                let proof = match solve(world, &active, self.task.task.cancel, Some(STEPS))? {
                    Solved::Picks(_) => break,
                    Solved::GaveUp => return Ok(Try::GaveUp),
                    Solved::Proof(proof) => proof,
                };
                let core = core_of(world, &proof, self.task.task.cancel)?;
                if let (&[line], true) = (&core[..], self.task.waives_unsupplied)
                    && self.owner[line as usize].is_some()
                {
                    let told = describe(world, &core, self.task.task.cancel)?;
                    if told.unsupplied {
                        let same = |at: &u32| {
                            self.owner[*at as usize].is_some()
                                && distinct_lines(world, &[line, *at]).len() == 1
                        };
                        let all = world.order.iter().copied();
                        let lines: Vec<u32> = all.filter(same).collect();
                        self.unsupplied.push(Conflict {
                            lines: lines.clone(),
                            ..told
                        });
                        self.pass_over(place, &lines)?;
                        continue;
                    }
                }
                let clause = self.clause(place, world, &core, out)?;
                self.learned += u64::from(add(&mut self.certain, clause.clone()));
                return Ok(Try::Fails(clause));
            }
        }
        Ok(Try::Holds)
    }

    /// Goes on without lines that nothing can supply. They may be why others were thought
    /// to be in the way, so that all is learned anew.
    fn pass_over(&mut self, place: usize, lines: &[u32]) -> Result<(), IndexError> {
        self.off.extend(lines.iter().map(|&line| (place, line)));
        self.learned += 1;
        self.certain.clear();
        self.found.clear();
        self.read_contradictions()
    }

    /// The lines that ask for something on a target, whoever is out.
    fn asked(&self, place: usize, world: &World<'_>) -> Vec<u32> {
        let mut active = active_lines(world);
        active.retain(|&at| !self.off.contains(&(place, at)));
        active
    }

    /// The lines that ask for something without the members that are out.
    fn active(&self, place: usize, world: &World<'_>, out: &[bool]) -> Vec<u32> {
        let is_in = |at: &u32| self.owner[*at as usize].is_none_or(|member| !out[member]);
        let mut active = self.asked(place, world);
        active.retain(is_in);
        active
    }

    /// Finds or makes the world of a place in which the standing lines of those who are
    /// out do not stand.
    fn world(&mut self, place: usize, out: &[bool]) -> Result<usize, IndexError> {
        let gone = |at: &&u32| self.owner[**at as usize].is_some_and(|member| out[member]);
        let lines: Vec<u32> = self.standing.iter().filter(gone).copied().collect();
        let mut key: Vec<usize> = lines
            .iter()
            .filter_map(|&at| self.owner[at as usize])
            .collect();
        key.dedup();
        let place = &mut self.places[place];
        if let Some(at) = place.worlds.iter().position(|(known, _)| *known == key) {
            return Ok(at);
        }
        let task = &self.task.task;
        let mut world = World::new(
            task.lines,
            place.target,
            task.options,
            place.preferences,
            task.index,
        )
        .sharing(&self.parsed);
        world.leave_out(&lines);
        let names = world.asked_names();
        let preferred = names.iter().filter_map(|name| {
            let version = world.first_preferred(world.number(name))?;
            Some((name.clone(), version))
        });
        let scout = Walker::new(task.lines, place.target, preferred);
        task.index.begin(&names, Arc::new(scout));
        world.follow_addresses()?;
        if place.worlds.len() == MOST_WORLDS {
            place.worlds.remove(0);
        }
        place.worlds.push((key, world));
        Ok(place.worlds.len() - 1)
    }

    /// Says of a core which members it is about: whoever asks for as much as a line of it
    /// does or more is in the way as well.
    fn clause(
        &self,
        place: usize,
        world: &World<'_>,
        core: &[u32],
        out: &[bool],
    ) -> Result<Clause, IndexError> {
        let active = self.asked(place, world);
        let mut parts = Vec::new();
        for &at in core {
            let alike = active
                .iter()
                .filter(|&&other| asks_as_much(world, other, at));
            let owners: Option<Vec<usize>> =
                alike.map(|&other| self.owner[other as usize]).collect();
            // What nobody can leave out is no part.
            parts.extend(owners);
        }
        let mut unless = Vec::new();
        if !self.standing.is_empty()
            && let Solved::Proof(proof) = solve(world, core, self.task.task.cancel, Some(STEPS))?
        {
            let involved = involved(world, &proof);
            for &at in &involved.policies {
                parts.extend(self.owner[at as usize].map(|member| vec![member]));
            }
            for name in &involved.names {
                match world.url_of(world.number(name)) {
                    Some((_, at)) => {
                        let same = |other: &&u32| {
                            let url = |at: u32| world.lines[at as usize].requirement.url.as_deref();
                            let (Some(one), Some(two)) = (url(at), url(**other)) else {
                                return false;
                            };
                            same_place(one, two)
                        };
                        let givers = active.iter().filter(same);
                        let owners: Option<Vec<usize>> =
                            givers.map(|&other| self.owner[other as usize]).collect();
                        parts.extend(owners.filter(|owners| !owners.is_empty()));
                    }
                    None => unless.extend(self.standing.iter().filter_map(|&at| {
                        let wanted = &world.lines[at as usize].requirement;
                        let gives = wanted.url.is_some() && wanted.name == *name;
                        self.owner[at as usize].filter(|&member| gives && out[member])
                    })),
                }
            }
        }
        Ok(Clause::new(parts, unless))
    }

    /// Finds contradictions by text, which no world needs to be asked about.
    fn read_contradictions(&mut self) -> Result<(), IndexError> {
        let nobody = vec![false; self.weights.len()];
        for place in 0..self.places.len() {
            let at = self.world(place, &nobody)?;
            let world = &self.places[place].worlds[at].1;
            let mut by_name: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
            for at in distinct_lines(world, &self.asked(place, world)) {
                let line = &world.lines[at as usize];
                let name = world.number(&line.requirement.name);
                let is_plain = line.requirement.url.is_none()
                    && world.overrides_of(name).is_empty()
                    && world.scoped_override(line).is_none()
                    && !world.has_url(name);
                if is_plain && world.number_of(line) == name {
                    by_name.entry(name).or_default().push(at);
                }
            }
            let mut clauses = Vec::new();
            for lines in by_name.values() {
                for (at, &one) in lines.iter().enumerate() {
                    let range = world.line_range(one);
                    for &two in &lines[at + 1..] {
                        if range.is_disjoint(&world.line_range(two)) && !range.is_empty() {
                            clauses.push(self.clause(place, world, &[one, two], &nobody)?);
                        }
                    }
                }
            }
            for clause in clauses {
                self.learned += u64::from(add(&mut self.certain, clause));
            }
        }
        Ok(())
    }

    /// Says what keeps a member out.
    fn reasons(&mut self, out: &[bool], member: usize) -> Result<Vec<Conflict>, IndexError> {
        let mut with = out.to_vec();
        with[member] = false;
        let cancel = self.task.task.cancel;
        for place in 0..self.places.len() {
            let at = self.world(place, &with)?;
            let world = &self.places[place].worlds[at].1;
            let active = distinct_lines(world, &self.active(place, world, &with));
            if let Solved::Proof(proof) = solve(world, &active, cancel, Some(STEPS))? {
                let core = core_of(world, &proof, cancel)?;
                return Ok(vec![describe(world, &core, cancel)?]);
            }
        }
        Ok(Vec::new())
    }
}
