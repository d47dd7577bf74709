//! Ways out of a conflict. Each is tried with everything that is asked for before it is
//! offered, so that none leads into the next conflict.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::error::OpError;
use super::ways::{Ground, How, Way, is_free, relaxed, ways_of};
use crate::environment::Installed;
use crate::index::{Index, IndexError, Purpose, RemoteIndex};
use crate::package::{Name, Version};
use crate::requirements::Line;
use crate::resolve::alternatives::answer;
use crate::resolve::targets::Task;
use crate::resolve::{
    Alternatives, Conflict, Options, Preferences, Suggestion, SuggestionKind, Versions,
    with_alternatives,
};
use crate::workspace::settings::{IndexTable, Prerelease};

/// How long ways out are looked for. What was found till then is offered.
const PATIENCE: Duration = Duration::from_secs(4);
/// How many other indexes are asked: each is opened for it.
const MOST_INDEXES: usize = 3;

/// What a search for ways out rests on.
pub struct Search<'a> {
    /// Everything that was asked for when the conflicts were found, policy too; its options
    /// say that it is only tried.
    pub task: Task<'a>,
    /// Where ways out may lie, beyond that.
    pub ground: Ground<'a>,
    /// Opens the indexes with one more.
    pub open: &'a dyn Fn(&IndexTable) -> Result<RemoteIndex, OpError>,
    /// What is installed.
    pub installed: &'a Installed,
    /// Settings can be changed: there is an installation.
    pub settled: bool,
}

/// A way out of one of the conflicts.
struct Try {
    conflict: usize,
    way: Way,
    /// The numbers of the lines that come with it in the shared worlds.
    with: Vec<u32>,
}

/// Finds ways out of conflicts and puts them into these, least change first.
///
/// Each conflict is looked at alone: the lines of nodes in the others are left out. All
/// conflicts get their likely ways tried before any gets its unlikely ones.
///
/// # Errors
///
/// Fails if the work was interrupted.
pub fn find_ways_out(search: &Search<'_>, conflicts: &mut [Conflict]) -> Result<(), OpError> {
    let begun = Instant::now();
    let others = lines_of_others(search.task.lines, conflicts);
    let mut tries: Vec<(usize, Try)> = Vec::new();
    for (conflict, told) in conflicts.iter().enumerate() {
        let ways = ways_of(&search.ground, told).into_iter().enumerate();
        tries.extend(ways.map(|(rank, way)| {
            let with = Vec::new();
            (
                rank,
                Try {
                    conflict,
                    way,
                    with,
                },
            )
        }));
    }
    tries.sort_by_key(|(rank, one)| (is_dear(&one.way), *rank, one.conflict));
    let mut tries: Vec<Try> = tries.into_iter().map(|(_, one)| one).collect();
    let asked = search.task.lines.len();
    let lines = add_lines(search.task.lines, &mut tries);
    let task = Task {
        lines: &lines,
        ..search.task
    };
    let mut found: Vec<Vec<(usize, Suggestion)>> = vec![Vec::new(); conflicts.len()];
    let mut finder = Finder {
        search,
        begun,
        has_python: BTreeSet::new(),
        indexes: 0,
    };
    search.task.index.begin_for(finder.purpose());
    let mut untried = vec![0; conflicts.len()];
    for one in &tries {
        untried[one.conflict] += 1;
    }
    let done = with_alternatives(&task, asked, |alternatives| {
        for one in tries {
            if begun.elapsed() > PATIENCE {
                break;
            }
            let conflict = one.conflict;
            untried[conflict] -= 1;
            if let Some(offer) = finder.try_one(alternatives, one, &others[conflict])? {
                found[conflict].push(offer);
            }
        }
        Ok(())
    });
    search.task.index.begin_for(Purpose::Answer);
    pass_over_silence(done)?;
    for ((conflict, found), untried) in conflicts.iter_mut().zip(found).zip(untried) {
        conflict.suggestions = ranked(found);
        conflict.untried = untried;
    }
    Ok(())
}

/// For each conflict the lines that only the others could do without.
fn lines_of_others(lines: &[Line], conflicts: &[Conflict]) -> Vec<BTreeSet<u32>> {
    let free = |conflict: &Conflict| -> BTreeSet<u32> {
        let its = conflict.lines.iter().copied();
        its.filter(|&at| lines.get(at as usize).is_some_and(is_free))
            .collect()
    };
    let removable: Vec<BTreeSet<u32>> = conflicts.iter().map(free).collect();
    let of_others = |at: usize| {
        let others = removable.iter().enumerate();
        others
            .filter(|(other, _)| *other != at)
            .flat_map(|(_, lines)| lines.difference(&removable[at]).copied())
            .collect()
    };
    (0..conflicts.len()).map(of_others).collect()
}

/// Adds the lines that come with tries to those asked for. A line with an address says
/// more than which versions will do, so a try with one gets a world of its own.
fn add_lines(asked: &[Line], tries: &mut [Try]) -> Vec<Line> {
    let mut lines = asked.to_vec();
    for one in tries {
        let more: &[Line] = match &one.way.how {
            How::AnyVersion(_, _, line) => std::slice::from_ref(line),
            How::Lines(_, more) if !more.iter().any(says_more) => more,
            _ => continue,
        };
        for line in more {
            one.with.extend(u32::try_from(lines.len()));
            lines.push(line.clone());
        }
    }
    lines
}

fn says_more(line: &Line) -> bool {
    line.requirement.url.is_some() || line.role != crate::requirements::Role::Require
}

/// Reports whether a try takes more than a solve among what is known.
fn is_dear(way: &Way) -> bool {
    match &way.how {
        How::AnyVersion(..) => false,
        How::Lines(_, more) => more.iter().any(says_more),
        How::Prereleases | How::Python(_) | How::Index(_) => true,
    }
}

/// What cannot be asked for is no way out; the conflict stands all the same.
fn pass_over_silence<T: Default>(found: Result<T, OpError>) -> Result<T, OpError> {
    match found {
        Err(OpError::Index(IndexError::Interrupted)) => Err(OpError::Interrupted),
        Err(OpError::Index(_)) => Ok(T::default()),
        found => found,
    }
}

struct Finder<'a> {
    search: &'a Search<'a>,
    begun: Instant,
    /// Conflicts with which another Python is known to help.
    has_python: BTreeSet<usize>,
    /// How many other indexes were asked.
    indexes: usize,
}

impl Finder<'_> {
    /// How long an answer is looked for. With time to spare one that is hard to find is
    /// worth it; later on several tries are.
    fn steps(&self) -> u64 {
        if self.begun.elapsed() < PATIENCE / 2 {
            20_000
        } else {
            5_000
        }
    }

    fn purpose(&self) -> Purpose {
        let until = self.begun + PATIENCE;
        Purpose::WaysOut { until }
    }

    /// Tries one way; returns it if it is one, with how much of what is installed it moves.
    fn try_one(
        &mut self,
        alternatives: &Alternatives<'_>,
        one: Try,
        others: &BTreeSet<u32>,
    ) -> Result<Option<(usize, Suggestion)>, OpError> {
        let Try {
            conflict,
            mut way,
            with,
        } = one;
        let found = match &way.how {
            How::AnyVersion(_, out, _) => {
                let out = others.union(out).copied().collect();
                alternatives
                    .answer(&out, &with, self.steps())
                    .map_err(OpError::Index)
            }
            How::Lines(out, more) if with.len() == more.len() => {
                let out = others.union(out).copied().collect();
                alternatives
                    .answer(&out, &with, self.steps())
                    .map_err(OpError::Index)
            }
            How::Lines(out, more) => {
                let out: BTreeSet<u32> = others.union(out).copied().collect();
                self.anew(&out, more, |task| Ok(answer(&task)?))
            }
            How::Prereleases => {
                let allowing = Options {
                    prerelease: Prerelease::Allow,
                    ..self.search.task.options.clone()
                };
                self.anew(others, &[], |task| {
                    let options = &allowing;
                    Ok(answer(&Task { options, ..task })?)
                })
            }
            How::Python(_) if self.has_python.contains(&conflict) => Ok(None),
            How::Python(target) => {
                let mut preferences: Preferences = self.search.task.preferences.clone();
                preferences.forget_installed();
                self.anew(others, &[], |task| {
                    let targets = std::slice::from_ref(&**target);
                    let preferences = &preferences;
                    Ok(answer(&Task {
                        targets,
                        preferences,
                        ..task
                    })?)
                })
            }
            How::Index(_) if self.indexes >= MOST_INDEXES => Ok(None),
            How::Index(table) => {
                self.indexes += 1;
                self.anew(others, &[], |task| {
                    let index = (self.search.open)(table)?;
                    index.begin_for(self.purpose());
                    let index = &index;
                    Ok(answer(&Task { index, ..task })?)
                })
            }
        };
        let Some(versions) = pass_over_silence(found)? else {
            return Ok(None);
        };
        if let How::AnyVersion(at, ..) = way.how {
            let line = &self.search.task.lines[at as usize];
            let Some(version) = versions.picked.get(&line.requirement.name) else {
                return Ok(None);
            };
            relaxed(&mut way, line, version);
        }
        if way.kind == SuggestionKind::Python {
            self.has_python.insert(conflict);
        }
        Ok(Some(self.offer(way, &versions)))
    }

    /// Resolves what is asked for, less some lines and with others, from the beginning.
    fn anew(
        &self,
        out: &BTreeSet<u32>,
        more: &[Line],
        solve: impl FnOnce(Task<'_>) -> Result<Option<Versions>, OpError>,
    ) -> Result<Option<Versions>, OpError> {
        // It takes as long as a whole resolution, of which one is always affordable.
        if self.begun.elapsed() > PATIENCE {
            return Ok(None);
        }
        let all = (0u32..).zip(self.search.task.lines);
        let stays = all.filter(|(at, _)| !out.contains(at));
        let stays = stays.map(|(_, line)| line).chain(more);
        let lines: Vec<Line> = stays.cloned().collect();
        solve(Task {
            lines: &lines,
            ..self.search.task
        })
    }

    fn offer(&self, way: Way, versions: &Versions) -> (usize, Suggestion) {
        let changes = self.changes(versions);
        let mut comes: Vec<String> = (way.shown.iter())
            .filter_map(|name| Some(format!("{name} {}", versions.picked.get(name)?)))
            .collect();
        if !self.search.installed.is_empty() {
            let others = changes
                .iter()
                .filter(|(name, ..)| !way.shown.contains(name));
            comes.push(match others.count() {
                0 => "nothing else changes".to_owned(),
                1 => "1 other change".to_owned(),
                count => format!("{count} other changes"),
            });
        }
        if versions.unverified {
            comes.push("as far as is known without a build".to_owned());
        }
        let text = if comes.is_empty() {
            way.what
        } else {
            format!("{} → {}", way.what, comes.join(", "))
        };
        let moved = changes.iter().filter(|(_, from, _)| from.is_some()).count();
        let settled = self.search.settled;
        let suggestion = Suggestion {
            kind: way.kind,
            text,
            changes,
            edit: way.edit.filter(|_| settled),
            flags: way.flags,
            command: way.command,
            verified: !versions.unverified,
        };
        (moved, suggestion)
    }

    fn changes(&self, versions: &Versions) -> Vec<(Name, Option<Version>, Option<Version>)> {
        if self.search.installed.is_empty() {
            return Vec::new();
        }
        let versions = versions.picked.iter();
        versions
            .filter_map(|(name, version)| {
                let from = self.search.installed.seen_as(name);
                let from = from.map(|found| found.version.clone());
                let same = from.as_ref() == Some(version);
                (!same).then(|| (name.clone(), from, Some(version.clone())))
            })
            .collect()
    }
}

/// Least change first; after that what takes a whole node away, then what lets something
/// protected change, and last what takes another Python.
fn ranked(mut found: Vec<(usize, Suggestion)>) -> Vec<Suggestion> {
    found.sort_by_key(|(moved, suggestion)| {
        let depth = match suggestion.kind {
            SuggestionKind::Python => 3,
            SuggestionKind::AllowChange => 2,
            SuggestionKind::LeaveOut => 1,
            _ => 0,
        };
        (depth, *moved, suggestion.kind)
    });
    found
        .into_iter()
        .map(|(_, suggestion)| suggestion)
        .collect()
}
