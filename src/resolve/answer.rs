//! The picks of a solve as packages with files, edges and everyone who asks.

use std::collections::{BTreeMap, BTreeSet};

use super::candidates::Choice;
use super::families::family_warnings;
use super::resolution::{Dependency, Package, RequiredBy, Warning};
use super::solve::Picks;
use super::unfixed;
use super::world::World;
use crate::index::IndexError;
use crate::package::requirement::split;
use crate::package::{Extra, Source};
use crate::requirements::{Line, Origin, Role};

/// Turns picks into packages with files and edges.
///
/// # Errors
///
/// Fails if the world could not be asked.
pub fn packages(
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
    for &at in &world.order {
        let line = &world.lines[at as usize];
        let marker = line.requirement.marker.text();
        note_open(world, marker, &[], warnings, || {
            (format!("`{}`", line.text), Some(line.origin.clone()))
        });
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
        let wanted: Vec<_> = picks
            .extras
            .get(&name)
            .into_iter()
            .flatten()
            .map(|&extra| world.extra(extra))
            .collect();
        for text in &deps.metadata().requires_dist {
            if let Ok(parts) = split(text) {
                note_open(world, parts.marker, &wanted, warnings, || {
                    (format!("`{text}` of {} {version}", world.name(name)), None)
                });
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
    for index in world.untimed_indexes() {
        let so = if world.options.untimed_count {
            "what is new on it since cannot be told from what was there then"
        } else {
            "its files count as too new for --exclude-newer"
        };
        let index = crate::package::redact(&index);
        let text = format!("{index} tells no upload times, so {so}");
        warnings.insert(Warning::new("no-upload-time", text));
    }
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
                return Err(IndexError::damaged(candidates.page(), &name));
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

/// A marker on what the target leaves open may come out otherwise on the machine.
fn note_open(
    world: &World<'_>,
    marker: &str,
    extras: &[Extra],
    warnings: &mut BTreeSet<Warning>,
    who: impl FnOnce() -> (String, Option<Origin>),
) {
    if let Some(attribute) = unfixed::open_attribute(world.target, marker, extras) {
        let (who, origin) = who();
        warnings.insert(Warning {
            code: "open-marker",
            message: format!("{who} depends on {attribute}, which the target leaves open"),
            origin,
        });
    }
}
