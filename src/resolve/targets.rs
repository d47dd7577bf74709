//! One solve a target, merged into one answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::candidates::Choice;
use super::conflict::{Conflict, find_conflicts};
use super::families::{family_warnings, solve_unified};
use super::keep::keep_more;
use super::options::Options;
use super::preferences::Preferences;
use super::resolution::{Dependency, Package, RequiredBy, Resolution, Warning};
use super::scout::Walker;
use super::solve::{Picks, Solved};
use super::world::World;
use crate::index::{Index, IndexError};
use crate::package::{Name, Source, Target, Version};
use crate::progress::Cancel;
use crate::requirements::{Line, Role};

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
pub struct Task<'a> {
    /// Everything asked for.
    pub lines: &'a [Line],
    /// The targets, this machine first.
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

/// Resolves for every target; later targets prefer what earlier ones picked.
///
/// # Errors
///
/// Fails if the world could not be asked, or the work was interrupted.
pub fn resolve(task: &Task<'_>) -> Result<Outcome, ResolveError> {
    let mut merged: BTreeMap<(Name, Version, Source), (Package, Vec<usize>)> = BTreeMap::new();
    let mut warnings = BTreeSet::new();
    let mut stats: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut preferences = task.preferences.clone();
    for (at, target) in task.targets.iter().enumerate() {
        let task = Task {
            preferences: &preferences,
            ..*task
        };
        let mut world = World::new(
            task.lines,
            target,
            task.options,
            task.preferences,
            task.index,
        );
        let names = world.asked_names();
        let preferred = names
            .iter()
            .filter_map(|name| Some((name.clone(), task.preferences.of(name).next()?.clone())));
        task.index
            .begin(&names, Arc::new(Walker::new(task.lines, target, preferred)));
        world.follow_addresses()?;
        let active = active_lines(&world);
        let picks = match solve_unified(&mut world, &active, task.cancel)? {
            Solved::Picks(picks) => keep_more(&world, &active, picks, task.cancel)?,
            Solved::Proof(proof) => {
                return find_conflicts(&world, &active, *proof, task.cancel)
                    .map(Outcome::Conflicts);
            }
            Solved::GaveUp => return Err(IndexError::Interrupted),
        };
        for package in packages(&world, &active, &picks, &mut warnings)? {
            let key = (
                package.name.clone(),
                package.version.clone(),
                package.source.clone(),
            );
            merged
                .entry(key)
                .and_modify(|(known, places)| {
                    known.join(&package);
                    places.push(at);
                })
                .or_insert((package, vec![at]));
        }
        *stats.entry("decisions").or_default() += world.decisions.get();
        *stats.entry("rejections").or_default() += world.rejections.get();
        *stats.entry("versions_visited").or_default() += world.visited();
        *stats.entry("solves").or_default() += world.solves.get();
        let picked: Vec<(Name, Version)> = picks
            .versions
            .iter()
            .map(|(&name, version)| (world.name(name), version.clone()))
            .collect();
        drop(world);
        // Aligned versions are worth more than what was locked; and what is installed
        // here cannot be kept elsewhere.
        preferences.forget_installed();
        for (name, version) in picked {
            preferences.add_locked(name, version);
        }
    }
    let mut versions: BTreeMap<Name, usize> = BTreeMap::new();
    for (name, ..) in merged.keys() {
        *versions.entry(name.clone()).or_default() += 1;
    }
    let packages = merged
        .into_values()
        .map(|(mut package, places)| {
            // A name that stands once says enough.
            for dependency in &mut package.dependencies {
                if versions.get(&dependency.name) == Some(&1) {
                    dependency.version = None;
                }
            }
            package.dependencies.dedup();
            if places.len() < task.targets.len() {
                let markers: Vec<String> = places
                    .iter()
                    .map(|&at| format!("({})", task.targets[at].marker()))
                    .collect();
                package.marker = Some(markers.join(" or "));
            }
            package
        })
        .collect();
    Ok(Outcome::Resolved(Box::new(Resolution {
        targets: task.targets.to_vec(),
        packages,
        warnings: warnings.into_iter().collect(),
        exclude_newer: task.options.exclude_newer,
        stats,
    })))
}

/// Returns the numbers of the lines that ask for something on the target.
pub fn active_lines(world: &World<'_>) -> Vec<u32> {
    let is_active = |at: &u32| world.is_active(&world.lines[*at as usize]);
    world.order.iter().copied().filter(is_active).collect()
}

impl Package {
    fn join(&mut self, other: &Self) {
        for file in &other.files {
            if !self.files.contains(file) {
                self.files.push(file.clone());
            }
        }
        for by in &other.required_by {
            if !self.required_by.contains(by) {
                self.required_by.push(by.clone());
            }
        }
        for dependency in &other.dependencies {
            if !self.dependencies.contains(dependency) {
                self.dependencies.push(dependency.clone());
            }
        }
        for extra in &other.extras {
            if !self.extras.contains(extra) {
                self.extras.push(extra.clone());
            }
        }
        self.extras.sort();
        self.required_by.sort();
        self.dependencies.sort();
    }
}

/// Turns picks into packages with files and edges.
fn packages(
    world: &World<'_>,
    active: &[u32],
    picks: &Picks,
    warnings: &mut BTreeSet<Warning>,
) -> Result<Vec<Package>, IndexError> {
    let mut required_by: BTreeMap<u32, Vec<RequiredBy>> = BTreeMap::new();
    for &at in active {
        let line = &world.lines[at as usize];
        let name = world.number_of(line);
        required_by.entry(name).or_default().push(RequiredBy::Line {
            origin: line.origin.clone(),
            requirement: line.text.clone(),
        });
        note_extras(world, picks, line, warnings);
    }
    let mut edges: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for (&name, version) in &picks.versions {
        let Ok(deps) = world.deps(name, version)? else {
            continue;
        };
        let mut all: Vec<_> = deps.base.clone();
        for &extra in picks.extras.get(&name).into_iter().flatten() {
            if let Ok(more) = world.extra_deps(&deps, extra) {
                all.extend(more.iter().cloned());
            }
        }
        for dep in all
            .iter()
            .filter(|dep| picks.versions.contains_key(&dep.name) && dep.name != name)
        {
            edges.entry(name).or_default().insert(dep.name);
            required_by
                .entry(dep.name)
                .or_default()
                .push(RequiredBy::Package {
                    package: world.name(name),
                    version: version.to_string(),
                    requirement: dep.text.clone(),
                });
        }
        if deps.metadata().unverified {
            let text = format!(
                "the dependencies of {} {version} come from an older record, since only a build could tell them",
                world.name(name)
            );
            warnings.insert(Warning::new("unverified-metadata", text));
        }
        if let Some(python) = &deps.metadata().requires_python
            && crate::package::Specifiers::parse(python)
                .is_ok_and(|specifiers| specifiers.ignores_python(&world.target.python))
        {
            let text = format!(
                "{} {version} says it is for Python {python}; its upper bound is ignored",
                world.name(name)
            );
            warnings.insert(Warning::new("requires-python-upper", text));
        }
    }
    family_warnings(world, picks, warnings);
    let mut packages = Vec::new();
    for (&number, version) in &picks.versions {
        let name = world.name(number);
        let Some(candidates) = world.candidates(number)? else {
            continue;
        };
        let mut extras: Vec<_> = picks
            .extras
            .get(&number)
            .into_iter()
            .flatten()
            .map(|&extra| world.extra(extra))
            .collect();
        extras.sort();
        let mut by = required_by.remove(&number).unwrap_or_default();
        by.sort();
        by.dedup();
        let mut package = Package {
            name: name.clone(),
            version: version.clone(),
            extras,
            marker: None,
            source: Source::Index(candidates.page().index().to_owned()),
            files: Vec::new(),
            required_by: by,
            dependencies: edges
                .remove(&number)
                .unwrap_or_default()
                .into_iter()
                .map(|to| Dependency {
                    name: world.name(to),
                    version: picks.versions.get(&to).cloned(),
                })
                .collect(),
            kept: true,
            yanked: None,
        };
        package.dependencies.sort();
        if let Ok(Choice::File { install, .. }) = candidates.judge(version) {
            let Some(cold) = candidates.page().cold(install) else {
                return Err(IndexError::Integrity {
                    url: candidates.page().index().to_owned(),
                    detail: format!(
                        "what the cache keeps of {name} is damaged; --refresh asks again"
                    ),
                });
            };
            package.kept = false;
            package.files.push(cold.file.clone());
            package.yanked.clone_from(&cold.yanked);
            if let Some(reason) = &cold.yanked {
                let reason = if reason.is_empty() {
                    String::new()
                } else {
                    format!(": {}", crate::package::artifact::printable(reason))
                };
                warnings.insert(Warning::new(
                    "yanked",
                    format!("{name} {version} was withdrawn (yanked){reason}"),
                ));
            }
            // The sdist stands beside the wheel for those who build everything.
            let at = candidates.page().find(version);
            let sdist = at.and_then(|at| {
                candidates
                    .page()
                    .files(at)
                    .iter()
                    .find(|file| file.tags == crate::index::page::SDIST)
            });
            if let Some(cold) = sdist
                .filter(|file| **file != install && !file.yanked)
                .and_then(|file| candidates.page().cold(*file))
            {
                package.files.push(cold.file.clone());
            }
        }
        if let Some(Ok(found)) = world.direct_of(number) {
            if found.is_tree() {
                // Its one file only stands for it in the page.
                package.files.clear();
            }
            package.source = found.source;
            if let Source::Path { editable, .. } = &mut package.source {
                let of_name = |&&at: &&u32| world.lines[at as usize].requirement.name == name;
                let mut lines = active.iter().filter(of_name);
                *editable = lines.any(|&at| world.lines[at as usize].editable);
            }
        }
        packages.push(package);
    }
    Ok(packages)
}

/// An unknown extra is worth a word and nothing more, as for pip and uv.
fn note_extras(world: &World<'_>, picks: &Picks, line: &Line, warnings: &mut BTreeSet<Warning>) {
    if line.role != Role::Require || line.requirement.extras.is_empty() {
        return;
    }
    let number = world.number_of(line);
    let Some(version) = picks.versions.get(&number) else {
        return;
    };
    let Ok(Ok(deps)) = world.deps(number, version) else {
        return;
    };
    for extra in &line.requirement.extras {
        if !deps.metadata().knows_extra(extra) {
            warnings.insert(Warning {
                code: "unknown-extra",
                message: format!("{} {version} has no extra `{extra}`", line.requirement.name),
                origin: Some(line.origin.clone()),
            });
        }
    }
}
