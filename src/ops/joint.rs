//! The joint answer of an installation that may contradict itself already: what it
//! violates as it is does not stand in the way of a change, and is recorded.

use std::collections::BTreeSet;

use super::context::{Context, Site};
use super::error::OpError;
use super::inputs::ResolveFlags;
use super::lock::resolve_lines;
use super::ways_out::{Search, find_ways_out};
use crate::environment::Installed;
use crate::environment::installed::SEEDS;
use crate::gate::find_violations;
use crate::index::RemoteIndex;
use crate::lock::Lock;
use crate::package::{Name, Target, Version};
use crate::requirements::waiver::may_waive;
use crate::requirements::{Asker, Line, OriginKind, RequirementSet, Waiver, WaiverReason};
use crate::resolve::{Conflict, Outcome, Preferences, Warning};
use crate::workspace::Settings;
use crate::workspace::settings::{Prerelease, Unsupplied};

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

/// What the joint answers of one installation share.
pub struct Joint<'a> {
    /// The machine.
    pub context: &'a Context,
    /// The installation.
    pub site: &'a Site,
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
    /// What is installed.
    pub installed: &'a Installed,
    /// No lock says yet what is waived, and what is asked for is not merely absent.
    pub lived_in: bool,
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
///
/// # Errors
///
/// Fails if the settings cannot be used.
pub fn known_waivers(
    site: &Site,
    known: &RequirementSet,
    installed: &Installed,
    lock: Option<&Lock>,
    targets: &[Target],
) -> Result<Vec<Waiver>, OpError> {
    let version = |name: &Name| Some(installed.seen_as(name)?.version.clone());
    let own = lock.filter(|lock| lock.input_digest.is_some());
    let mut waivers = match own {
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
            violations(site, known, installed)?
                .into_iter()
                .filter(|waiver| !is_core(&waiver.asker))
                .filter(|waiver| waiver.installed.is_some() || is_there(&waiver.asker))
                .collect()
        }
    };
    for waiver in &mut waivers {
        // The same environment under a newer patch of its Python.
        if let ([target], true) = (targets, own.is_none_or(|lock| lock.targets.len() == 1)) {
            waiver.target = target.to_string();
        }
    }
    Ok(waivers)
}

/// Finds what an installation violates as it is.
///
/// # Errors
///
/// Fails if the settings cannot be used.
pub fn violations(
    site: &Site,
    set: &RequirementSet,
    installed: &Installed,
) -> Result<Vec<Waiver>, OpError> {
    let exclude = excluded(&site.installation.settings);
    Ok(find_violations(
        &set.lines,
        installed,
        &site.target,
        &exclude,
    ))
}

fn excluded(settings: &Settings) -> BTreeSet<Name> {
    let names = settings.policy.exclude.iter();
    names.filter_map(|text| Name::parse(text)).collect()
}

fn is_core(asker: &Asker) -> bool {
    matches!(asker, Asker::Line(origin) if origin.kind != OriginKind::Node)
}

/// Reports whether an installation was made by others: no lock says yet what is waived, and
/// most of what ComfyUI asks for is installed.
pub fn is_lived_in(lines: &[Line], installed: &Installed, lock: Option<&Lock>) -> bool {
    lock.is_none_or(|lock| lock.input_digest.is_none()) && has_core(lines, installed)
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

    /// Waives a conflict if it may be.
    fn pass_over(&self, answer: &mut JointAnswer, lines: &[Line], conflict: &Conflict) {
        let Some(reason) = self.tolerates(conflict) else {
            return;
        };
        let left_out = self.left_out(lines, conflict, reason);
        if left_out.is_empty() {
            return;
        }
        if reason == WaiverReason::Unsupplied {
            let origin = conflict.requirements.first();
            let message = format!("{}; it is left out", conflict.explanation);
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
        loop {
            let mut preferences = self.preferences.clone();
            preferences.set_waivers(answer.waivers.clone());
            let found = match self.resolve(lines, &preferences)? {
                Outcome::Conflicts(found) => found,
                resolved @ Outcome::Resolved(_) => {
                    answer.outcome = resolved;
                    return Ok(answer);
                }
            };
            let again = taken_back(&mut reserve, lines, &found);
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
            &self.site.installation.settings,
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
        let allowing = ResolveFlags {
            prerelease: Some(Prerelease::Allow),
            ..self.flags.clone()
        };
        let search = Search {
            lines,
            resolve: &|lines, prereleases| {
                let flags = if prereleases { &allowing } else { self.flags };
                let settings = &self.site.installation.settings;
                let (context, targets) = (self.context, self.targets);
                resolve_lines(
                    context,
                    lines,
                    targets,
                    flags,
                    settings,
                    &preferences,
                    self.index,
                )
            },
            installed: self.installed,
            settled: true,
        };
        find_ways_out(&search, conflicts)
    }

    /// Says why a conflict does not stand in the way, if it does not.
    fn tolerates(&self, conflict: &Conflict) -> Option<WaiverReason> {
        let of_new = is_of(conflict, &self.new);
        let settings = &self.site.installation.settings;
        let waives = settings.resolve.unsupplied.unwrap_or_default() == Unsupplied::Waive;
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

    /// The lines that are left out for a conflict: nodes' lines, never ComfyUI's.
    fn left_out(&self, lines: &[Line], conflict: &Conflict, reason: WaiverReason) -> Vec<Waiver> {
        let bad = conflict.lines.iter().filter_map(|&at| {
            let line = lines.get(usize::try_from(at).ok()?)?;
            let asks = may_waive(line) && !self.is_new(line);
            asks.then(|| Waiver {
                asker: Asker::Line(line.origin.clone()),
                requirement: line.text.clone(),
                name: line.requirement.name.clone(),
                reason,
                installed: self.version(&line.requirement.name),
                target: conflict.target.clone(),
                note: None,
            })
        });
        bad.collect()
    }

    fn version(&self, name: &Name) -> Option<Version> {
        Some(self.installed.seen_as(name)?.version.clone())
    }

    fn is_new(&self, line: &Line) -> bool {
        let name = line.origin.name.as_deref();
        line.origin.kind == OriginKind::Node && name.is_some_and(|name| self.new.contains(name))
    }
}

/// Takes out of the reserve what takes part in conflicts; all of it if nothing does.
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
    if taken.is_empty() {
        return left;
    }
    *reserve = left;
    taken
}

/// Reports whether a line of the new nodes takes part in a conflict.
pub fn is_of(conflict: &Conflict, nodes: &BTreeSet<&str>) -> bool {
    conflict.requirements.iter().any(|line| {
        let name = line.origin.name.as_deref();
        line.origin.kind == OriginKind::Node && name.is_some_and(|name| nodes.contains(name))
    })
}
