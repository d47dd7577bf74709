//! The joint answer of an installation that may contradict itself already: what it
//! violates as it is does not stand in the way of a change, and is recorded.

use std::collections::BTreeSet;

use super::context::{Context, Site};
use super::error::OpError;
use super::inputs::ResolveFlags;
use super::lock::resolve_lines;
use super::other_versions::Nodes;
use super::ways::Ground;
use super::ways_out::{Search, find_ways_out};
use crate::environment::Installed;
use crate::environment::installed::SEEDS;
use crate::gate::find_violations;
use crate::index::RemoteIndex;
use crate::lock::Lock;
use crate::package::{FileKind, Marker, Name, Target, Version};
use crate::requirements::waiver::may_waive;
use crate::requirements::{
    Asker, IndexOption, Line, OriginKind, RequirementSet, Waiver, WaiverReason,
};
use crate::resolve::targets::Task;
use crate::resolve::{
    Conflict, Options, Outcome, Package, Preferences, RequiredBy, Resolution, Warning,
};
use crate::workspace::Settings;
use crate::workspace::settings::Unsupplied;

/// What need not be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// Nothing.
    Nothing,
    /// Nothing, but old conflicts are passed over to see what lies behind them.
    Strict,
    /// What a lock of this installation waived; without one, what is violated as it is.
    Known,
    /// That, and every conflict in which no node at hand takes part.
    Old,
}

/// Stands for ComfyUI among the nodes at hand: no node has such a name.
pub const CORE: &str = "/ComfyUI";

/// What the joint answers of one installation share.
pub struct Joint<'a> {
    /// The machine.
    pub context: &'a Context,
    /// The policy.
    pub settings: &'a Settings,
    /// The target of what is installed.
    pub own: &'a Target,
    /// What decides the answer.
    pub flags: &'a ResolveFlags,
    /// What for.
    pub targets: &'a [Target],
    /// What could be had.
    pub index: &'a RemoteIndex,
    /// What to keep.
    pub preferences: Preferences,
    /// What need not be met.
    pub tolerance: Tolerance,
    /// The nodes at hand: what they ask for is never waived.
    pub new: BTreeSet<&'a str>,
    /// What is waived from the start.
    pub waivers: Vec<Waiver>,
    /// What was waived and is to be met if that can be: it is waived again where not.
    pub reserve: Vec<Waiver>,
    /// What is merely absent and is to come, where nothing is in its way and nothing has to
    /// be built for it.
    pub due: Vec<Waiver>,
    /// What is installed.
    pub installed: &'a Installed,
    /// No lock says yet what is waived, and what is asked for is not merely absent.
    pub lived_in: bool,
    /// The nodes that may have other versions.
    pub nodes: Option<Nodes<'a>>,
    /// Indexes that files name.
    pub offered: &'a [IndexOption],
}

/// A joint answer.
pub struct JointAnswer {
    /// The answer, or the conflicts that stand in its way.
    pub outcome: Outcome,
    /// Conflicts that were there before.
    pub old: Vec<Conflict>,
    /// What need not be met.
    pub waivers: Vec<Waiver>,
    /// Lines that nobody can supply.
    pub warnings: Vec<Warning>,
}

/// Returns what an installation waives before anything is resolved.
pub fn known_waivers(
    site: &Site,
    known: &RequirementSet,
    installed: &Installed,
    lock: Option<&Lock>,
    targets: &[Target],
) -> Vec<Waiver> {
    let version = |name: &Name| Some(installed.seen_as(name)?.version.clone());
    let mut waivers = match lock.filter(|lock| lock.is_own()) {
        Some(lock) => lock.standing_waivers(&known.lines, version),
        None => {
            let nodes = installed_nodes(&known.lines, installed);
            let is_there = |asker: &Asker| match asker {
                Asker::Line(origin) => origin
                    .name
                    .as_ref()
                    .is_some_and(|name| nodes.contains(name)),
                Asker::Package { .. } => has_core(&known.lines, installed),
            };
            violations(site, known, installed)
                .into_iter()
                .filter(|waiver| !is_core(&waiver.asker))
                .filter(|waiver| waiver.installed.is_some() || is_there(&waiver.asker))
                .collect()
        }
    };
    // What holds for one platform says nothing of another.
    waivers.retain_mut(|waiver| {
        let mut same = targets
            .iter()
            .filter(|target| is_same(&waiver.target, target));
        let exact = targets
            .iter()
            .find(|target| waiver.target == target.to_string());
        let Some(target) = exact.or_else(|| same.next()) else {
            return false;
        };
        waiver.target = target.to_string();
        true
    });
    waivers
}

/// Reports whether a target is the one of this name, perhaps with a newer patch of its
/// Python.
fn is_same(text: &str, target: &Target) -> bool {
    let minor = |text: &str| {
        let (triple, python) = text.split_once('@')?;
        let parts: Vec<&str> = python.splitn(3, '.').take(2).collect();
        Some((triple.to_owned(), parts.join(".")))
    };
    minor(text) == minor(&target.to_string())
}

/// Finds what an installation violates as it is.
pub fn violations(site: &Site, set: &RequirementSet, installed: &Installed) -> Vec<Waiver> {
    let exclude = excluded(&site.installation.settings);
    find_violations(&set.lines, installed, &site.target, &exclude)
}

pub(super) fn excluded(settings: &Settings) -> BTreeSet<Name> {
    let names = settings.policy.exclude.iter();
    names.filter_map(|text| Name::parse(text)).collect()
}

fn is_core(asker: &Asker) -> bool {
    matches!(asker, Asker::Line(origin) if origin.kind != OriginKind::Node)
}

/// Reports whether an installation was made by others: no lock says yet what is waived, and
/// most of what ComfyUI asks for is installed.
pub fn is_lived_in(lines: &[Line], installed: &Installed, lock: Option<&Lock>) -> bool {
    !is_locked(lock) && has_core(lines, installed)
}

/// Reports whether there is a lock of this program, which says what is waived.
pub fn is_locked(lock: Option<&Lock>) -> bool {
    lock.is_some_and(Lock::is_own)
}

fn has_core(lines: &[Line], installed: &Installed) -> bool {
    let of_core = |line: &&Line| line.origin.kind == OriginKind::Core;
    let has_core = lines.iter().any(|line| of_core(&line));
    let wanted = lines.iter().filter(|line| of_core(line) || !has_core);
    let (mut there, mut all) = (0, 0);
    for line in wanted {
        let name = &line.requirement.name;
        all += 1;
        there += usize::from(installed.seen_as(name).is_some() && !SEEDS.contains(&name.as_str()));
    }
    there * 2 > all
}

/// Names the nodes whose requirements were installed once, be it in part. What a node that
/// was only put there asks for is not violated but due.
fn installed_nodes<'l>(lines: &'l [Line], installed: &Installed) -> BTreeSet<&'l String> {
    if !has_core(lines, installed) {
        return BTreeSet::new();
    }
    let core: BTreeSet<&Name> = lines
        .iter()
        .filter(|line| line.origin.kind == OriginKind::Core)
        .map(|line| &line.requirement.name)
        .collect();
    lines
        .iter()
        .filter(|line| may_waive(line) && !core.contains(&line.requirement.name))
        .filter(|line| installed.seen_as(&line.requirement.name).is_some())
        .filter_map(|line| line.origin.name.as_ref())
        .collect()
}

impl Joint<'_> {
    /// Waives nothing from the start where nothing is to be waived.
    pub fn strictly(mut self, strict: bool, tolerance: Tolerance) -> Self {
        if strict {
            self.waivers.clear();
            self.reserve.clear();
            self.due.clear();
            self.tolerance = tolerance;
        }
        self
    }

    /// Resolves lines, and waives what may be waived until there is an answer or a
    /// conflict that may not: leaving a line out can bring others to light.
    ///
    /// # Errors
    ///
    /// Fails if the network could not be asked.
    pub fn solve(&self, lines: &[Line]) -> Result<JointAnswer, OpError> {
        self.solve_on(lines, self.empty())
    }

    /// Returns the answer to begin with.
    fn empty(&self) -> JointAnswer {
        JointAnswer {
            outcome: Outcome::Conflicts(Vec::new()),
            old: Vec::new(),
            waivers: self.waivers.clone(),
            warnings: Vec::new(),
        }
    }

    /// Resolves some of all lines, where conflicts of all lines are known that are waived.
    ///
    /// # Errors
    ///
    /// Fails if the network could not be asked.
    pub fn solve_knowing(
        &self,
        lines: &[Line],
        all: &[Line],
        known: &[Conflict],
    ) -> Result<JointAnswer, OpError> {
        let mut answer = self.empty();
        for conflict in known {
            self.pass_over(&mut answer, all, conflict);
        }
        self.solve_on(lines, answer)
    }

    /// Waives a conflict if it may be. One that shows only without another's lines may be
    /// gone with what is waived for that.
    fn pass_over(&self, answer: &mut JointAnswer, lines: &[Line], conflict: &Conflict) {
        let Some(reason) = self.tolerates(conflict).filter(|_| !conflict.shadowed) else {
            return;
        };
        let left_out = self.left_out(lines, conflict, reason, &answer.waivers);
        if left_out.is_empty() {
            return;
        }
        if reason == WaiverReason::Unsupplied {
            let origin = conflict.requirements.first();
            let who = origin.map_or_else(String::new, |line| line.origin.owner());
            let message = format!(
                "{}; the rest goes ahead without it, and {who} may not work",
                conflict.explanation
            );
            answer.warnings.push(Warning {
                origin: origin.map(|line| line.origin.clone()),
                ..Warning::new("unsupplied", message)
            });
        } else {
            answer.old.push(Conflict {
                new: false,
                ..conflict.clone()
            });
        }
        answer.waivers.extend(left_out);
    }

    fn solve_on(&self, lines: &[Line], mut answer: JointAnswer) -> Result<JointAnswer, OpError> {
        let mut reserve = self.reserve.clone();
        let mut due = self.due.clone();
        let mut came: Vec<Waiver> = Vec::new();
        loop {
            let mut preferences = self.preferences.clone();
            preferences.set_waivers(answer.waivers.clone());
            let found = match self.resolve(lines, &preferences)? {
                Outcome::Conflicts(found) => found,
                Outcome::Resolved(resolution) => {
                    // Each once: what had to be waived again stays so.
                    let ends = |waiver: &Waiver| comes(waiver, &resolution);
                    let (ended, stays): (Vec<_>, Vec<_>) = (answer.waivers.into_iter())
                        .partition(|waiver| !came.contains(waiver) && ends(waiver));
                    answer.waivers = stays;
                    if !ended.is_empty() {
                        came.extend(ended);
                        continue;
                    }
                    let built = led_to_builds(&mut due, &resolution, self.installed);
                    if !built.is_empty() {
                        answer.waivers.extend(built);
                        continue;
                    }
                    answer.outcome = Outcome::Resolved(resolution);
                    return Ok(answer);
                }
            };
            let mut again = taken_back(&mut due, lines, &found);
            if again.is_empty() {
                again = taken_back(&mut reserve, lines, &found);
            }
            if again.is_empty() {
                again = std::mem::take(&mut reserve);
            }
            if !again.is_empty() {
                answer.waivers.extend(again);
                continue;
            }
            let before = answer.waivers.len();
            for conflict in &found {
                self.pass_over(&mut answer, lines, conflict);
            }
            if answer.waivers.len() == before {
                answer.outcome = Outcome::Conflicts(found);
                return Ok(answer);
            }
        }
    }

    /// Resolves lines under what is waived, and waives nothing more.
    ///
    /// # Errors
    ///
    /// Fails if the network could not be asked.
    pub fn resolve(&self, lines: &[Line], preferences: &Preferences) -> Result<Outcome, OpError> {
        resolve_lines(
            self.context,
            lines,
            self.targets,
            self.flags,
            self.settings,
            preferences,
            self.index,
        )
    }

    /// Finds ways out of conflicts, each tried under what is waived.
    ///
    /// # Errors
    ///
    /// Fails if the network could not be asked.
    pub fn find_ways_out(
        &self,
        lines: &[Line],
        waivers: &[Waiver],
        conflicts: &mut [Conflict],
    ) -> Result<(), OpError> {
        let mut preferences = self.preferences.clone();
        preferences.set_waivers(waivers.to_vec());
        let now = self.context.clock.now();
        let settings = self.settings;
        let options = Options {
            trial: true,
            ..self.flags.options(settings, &[], now)?
        };
        let search = Search {
            task: Task {
                lines,
                targets: self.targets,
                options: &options,
                preferences: &preferences,
                index: self.index,
                cancel: &self.context.cancel,
            },
            ground: Ground {
                lines,
                targets: self.targets,
                nodes: self.nodes,
                offered: self.offered,
            },
            open: &|table| {
                let mut settings = settings.clone();
                settings.index.push(table.clone());
                self.flags.open_index(self.context, &settings, &[], None)
            },
            installed: self.installed,
            settled: true,
        };
        let progress = &self.context.progress;
        progress.begin("looking for ways out", None);
        let found = find_ways_out(&search, conflicts);
        progress.end();
        found
    }

    /// Says why a conflict does not stand in the way, if it does not.
    fn tolerates(&self, conflict: &Conflict) -> Option<WaiverReason> {
        let of_new = is_of(conflict, &self.new);
        let waives = self.settings.resolve.unsupplied.unwrap_or_default() == Unsupplied::Waive;
        let tolerant = matches!(self.tolerance, Tolerance::Known | Tolerance::Old);
        if conflict.unsupplied && waives && !of_new && tolerant {
            return Some(WaiverReason::Unsupplied);
        }
        let old = match self.tolerance {
            Tolerance::Nothing => false,
            Tolerance::Strict | Tolerance::Old => !of_new,
            Tolerance::Known => self.lived_in,
        };
        old.then_some(WaiverReason::Conflict)
    }

    /// What is waived for a conflict: nodes' lines, never ComfyUI's, are left out; where
    /// all are met as things are, it is what a package asks for that is not.
    fn left_out(
        &self,
        lines: &[Line],
        conflict: &Conflict,
        reason: WaiverReason,
        known: &[Waiver],
    ) -> Vec<Waiver> {
        let asking = conflict.lines.iter().filter_map(|&at| {
            let line = lines.get(usize::try_from(at).ok()?)?;
            (may_waive(line) && !self.is_new(line)).then_some(line)
        });
        let (met, unmet): (Vec<&Line>, Vec<&Line>) =
            asking.partition(|line| self.is_met(line, &conflict.target));
        if unmet.is_empty() && !met.is_empty() && reason == WaiverReason::Conflict {
            let unmet = self.unmet_by_packages(lines, conflict, known);
            if !unmet.is_empty() {
                return unmet;
            }
        }
        // What works today goes on working, if leaving out the others will do.
        let out = if unmet.is_empty() { met } else { unmet };
        let waiver = |line: &Line| Waiver {
            asker: Asker::Line(line.origin.clone()),
            requirement: line.text.clone(),
            name: line.requirement.name.clone(),
            reason,
            installed: self.version(&line.requirement.name),
            target: conflict.target.clone(),
            note: None,
        };
        out.into_iter().map(waiver).collect()
    }

    /// What packages on the ways of a conflict ask for and do not have.
    fn unmet_by_packages(
        &self,
        lines: &[Line],
        conflict: &Conflict,
        known: &[Waiver],
    ) -> Vec<Waiver> {
        let exclude = excluded(self.settings);
        let asks = |name: &Name| {
            let mut steps = conflict.requirements.iter().flat_map(|line| &line.via);
            steps.any(|step| step.package == *name)
        };
        find_violations(lines, self.installed, self.own, &exclude)
            .into_iter()
            .filter(|waiver| matches!(&waiver.asker, Asker::Package { name, .. } if asks(name)))
            .map(|waiver| Waiver {
                target: conflict.target.clone(),
                ..waiver
            })
            .filter(|waiver| !known.contains(waiver))
            .collect()
    }

    /// Reports whether what is installed is what a line asks for.
    fn is_met(&self, line: &Line, target: &str) -> bool {
        let wanted = &line.requirement;
        is_same(target, self.own)
            && self.version(&wanted.name).is_some_and(|version| {
                wanted.url.is_some() || wanted.specifiers.range().contains(&version)
            })
    }

    fn version(&self, name: &Name) -> Option<Version> {
        Some(self.installed.seen_as(name)?.version.clone())
    }

    fn is_new(&self, line: &Line) -> bool {
        let name = line.origin.name.as_deref();
        line.origin.kind == OriginKind::Node && name.is_some_and(|name| self.new.contains(name))
    }
}

/// Reports whether an answer brings what a waiver lets be absent: then its line counts.
fn comes(waiver: &Waiver, answer: &Resolution) -> bool {
    let mut targets = answer.targets.iter();
    let Some(target) = targets.find(|target| target.to_string() == waiver.target) else {
        return false;
    };
    let counts = |marker: &Option<String>| {
        let marker = marker.as_deref().map(Marker::parse);
        marker.is_none_or(|marker| marker.is_ok_and(|one| one.holds(target.environment())))
    };
    let picked = |name: &Name, version: Option<&Version>| {
        answer.packages.iter().any(|one| {
            one.name == *name && version.is_none_or(|is| *is == one.version) && counts(&one.marker)
        })
    };
    let asks = match &waiver.asker {
        Asker::Line(_) => true,
        Asker::Package { name, version } => picked(name, Some(version)),
    };
    let absent = waiver.reason == WaiverReason::Violated && waiver.installed.is_none();
    absent && asks && picked(&waiver.name, None)
}

/// Takes out of what is due what leads to packages that would have to be built: a build
/// that fails would be in the way of everything else.
fn led_to_builds(due: &mut Vec<Waiver>, answer: &Resolution, installed: &Installed) -> Vec<Waiver> {
    let is_new = |package: &Package| {
        let there = installed.get(&package.name);
        there.is_none_or(|there| there.version != package.version)
    };
    let is_built = |package: &&Package| {
        let file = package.files.first();
        is_new(package) && file.is_some_and(|file| file.kind == FileKind::Sdist)
    };
    let mut reached: BTreeSet<&Name> = BTreeSet::new();
    let mut open: Vec<&Package> = answer.packages.iter().filter(is_built).collect();
    let mut asks: Vec<(&Name, &RequiredBy)> = Vec::new();
    while let Some(package) = open.pop() {
        if !reached.insert(&package.name) {
            continue;
        }
        for by in &package.required_by {
            asks.push((&package.name, by));
            if let RequiredBy::Package { package, .. } = by {
                let asking = answer.packages.iter().filter(|one| one.name == *package);
                // What is there stays there, whatever it asks for.
                open.extend(asking.filter(|one| is_new(one)));
            }
        }
    }
    let leads = |waiver: &Waiver| {
        asks.iter().any(|(name, by)| match (&waiver.asker, by) {
            (
                Asker::Line(origin),
                RequiredBy::Line {
                    origin: other,
                    requirement,
                },
            ) => {
                origin.file == other.file
                    && origin.name == other.name
                    && waiver.requirement == *requirement
            }
            (Asker::Package { name: asking, .. }, RequiredBy::Package { package, .. }) => {
                asking == package && waiver.name == **name
            }
            _ => false,
        })
    };
    let (led, rest): (Vec<Waiver>, Vec<Waiver>) = std::mem::take(due).into_iter().partition(leads);
    *due = rest;
    led
}

/// Takes out of the reserve what takes part in conflicts.
fn taken_back(reserve: &mut Vec<Waiver>, lines: &[Line], found: &[Conflict]) -> Vec<Waiver> {
    let takes_part = |waiver: &Waiver| match &waiver.asker {
        Asker::Line(_) => found.iter().flat_map(|one| &one.lines).any(|&at| {
            let line = usize::try_from(at).ok().and_then(|at| lines.get(at));
            line.is_some_and(|line| waiver.is_of(line))
        }),
        Asker::Package { name, .. } => {
            let lines = found.iter().flat_map(|one| &one.requirements);
            let mut steps = lines.flat_map(|line| &line.via);
            steps.any(|step| step.package == *name)
        }
    };
    let (taken, left): (Vec<Waiver>, Vec<Waiver>) =
        std::mem::take(reserve).into_iter().partition(takes_part);
    *reserve = left;
    taken
}

/// Reports whether a line of the new nodes, or of a new ComfyUI, takes part in a conflict.
pub fn is_of(conflict: &Conflict, nodes: &BTreeSet<&str>) -> bool {
    conflict.requirements.iter().any(|line| {
        let name = line.origin.name.as_deref();
        match line.origin.kind {
            OriginKind::Core => nodes.contains(CORE),
            OriginKind::Node => name.is_some_and(|name| nodes.contains(name)),
            _ => false,
        }
    })
}
