//! What an installation violates as it is: requirements of ComfyUI, of nodes and of the
//! packages these lead to that the environment does not meet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::environment::{Distribution, Installed};
use crate::package::requirement::split;
use crate::package::{Extra, Marker, Metadata, Name, Requirement, Target, Version};
use crate::requirements::waiver::may_waive;
use crate::requirements::{Asker, Line, Role, Waiver, WaiverReason};

/// Finds the requirements that an environment does not meet: lines first, in their order,
/// then what installed packages ask for, by name.
///
/// Only packages that lines lead to are looked at. A requirement that an override
/// replaces is the override's matter.
pub fn find_violations(
    lines: &[Line],
    installed: &Installed,
    target: &Target,
    exclude: &BTreeSet<Name>,
) -> Vec<Waiver> {
    walk(lines, installed, target, exclude, VecDeque::new())
}

/// Finds what the metadata of installed packages asks for and the environment does not have,
/// by package: of all packages, whether lines lead to them or not, but not of a base beneath.
///
/// An extra counts where a line or another package asks for it.
pub fn find_unmet(
    lines: &[Line],
    installed: &Installed,
    target: &Target,
    exclude: &BTreeSet<Name>,
) -> Vec<Waiver> {
    let all = installed.iter();
    let all = all.map(|found| (found.name.clone(), Vec::new()));
    let mut found = walk(lines, installed, target, exclude, all.collect());
    found.retain(|waiver| match &waiver.asker {
        Asker::Package { name, .. } => installed.get(name).is_some(),
        Asker::Line(_) => false,
    });
    found
}

fn walk(
    lines: &[Line],
    installed: &Installed,
    target: &Target,
    exclude: &BTreeSet<Name>,
    mut open: VecDeque<(Name, Vec<Extra>)>,
) -> Vec<Waiver> {
    let overridden = |name: &Name, line: Option<&Line>| {
        lines.iter().any(|other| match &other.role {
            Role::Override { only_for, .. } if other.requirement.name == *name => {
                let node = line.and_then(|line| line.origin.name.as_deref());
                only_for.is_empty()
                    || node.is_some_and(|node| {
                        only_for.iter().any(|name| name.eq_ignore_ascii_case(node))
                    })
            }
            _ => false,
        })
    };
    let check = |asker: Asker, wanted: &Requirement, text: &str, must: bool| {
        let there = installed.seen_as(&wanted.name);
        let met = match there {
            Some(found) => {
                wanted.url.is_some() || wanted.specifiers.range().contains(&found.version)
            }
            None => !must,
        };
        (!met).then(|| Waiver {
            asker,
            requirement: text.to_owned(),
            name: wanted.name.clone(),
            reason: WaiverReason::Violated,
            installed: there.map(|found| found.version.clone()),
            target: target.to_string(),
            note: None,
        })
    };
    let mut found = Vec::new();
    for line in lines {
        let wanted = &line.requirement;
        if !wanted.marker.holds(target.environment()) || exclude.contains(&wanted.name) {
            continue;
        }
        let must = match line.role {
            Role::Require => true,
            Role::Constrain if may_waive(line) => false,
            _ => continue,
        };
        if must {
            open.push_back((wanted.name.clone(), wanted.extras.clone()));
        }
        if !overridden(&wanted.name, Some(line)) {
            let asker = Asker::Line(line.origin.clone());
            found.extend(check(asker, wanted, &line.text, must));
        }
    }
    let mut kept: BTreeMap<Name, Metadata> = BTreeMap::new();
    let mut seen: BTreeSet<(Name, Option<Extra>)> = BTreeSet::new();
    let mut of_packages = BTreeSet::new();
    while let Some((name, extras)) = open.pop_front() {
        let Some(asking) = installed.seen_as(&name) else {
            continue;
        };
        let parts = std::iter::once(None).chain(extras.into_iter().map(Some));
        for part in parts.filter(|part| seen.insert((name.clone(), part.clone()))) {
            let metadata = kept
                .entry(name.clone())
                .or_insert_with(|| asking.metadata());
            for (wanted, text) in asked(metadata, target, part.as_ref()) {
                if exclude.contains(&wanted.name) {
                    continue;
                }
                if !overridden(&wanted.name, None) {
                    of_packages.extend(check(package(asking), &wanted, text, true));
                }
                open.push_back((wanted.name, wanted.extras));
            }
        }
    }
    found.extend(of_packages);
    found
}

/// Finds what an installed package asks for that is met today and no more once packages
/// moved: what it asks for, and as what text. `None` is a package that goes.
pub fn find_broken(
    asking: &Distribution,
    installed: &Installed,
    moved: &BTreeMap<&Name, Option<Version>>,
    target: &Target,
) -> Vec<(Name, String)> {
    let metadata = asking.metadata();
    let broken = asked(&metadata, target, None).filter(|(wanted, _)| {
        let (Some(there), Some(to)) = (installed.seen_as(&wanted.name), moved.get(&wanted.name))
        else {
            return false;
        };
        let range = wanted.specifiers.range();
        let met = wanted.url.is_some() || range.contains(&there.version);
        let stays = to
            .as_ref()
            .is_some_and(|to| wanted.url.is_some() || range.contains(to));
        met && !stays
    });
    broken
        .map(|(wanted, text)| (wanted.name, text.to_owned()))
        .collect()
}

fn package(asking: &Distribution) -> Asker {
    Asker::Package {
        name: asking.name.clone(),
        version: asking.version.clone(),
    }
}

/// What metadata asks for on a target: always, or for an extra besides.
fn asked<'m>(
    metadata: &'m Metadata,
    target: &'m Target,
    extra: Option<&'m Extra>,
) -> impl Iterator<Item = (Requirement, &'m str)> {
    let extras: Vec<Extra> = extra.into_iter().cloned().collect();
    metadata.requires_dist.iter().filter_map(move |text| {
        let parts = split(text).ok()?;
        let bare = Requirement::parse(parts.without_marker(text)).ok()?;
        // One that cannot be read holds, as it does in resolving.
        let marker = Marker::parse(parts.marker).unwrap_or_default();
        let always = marker.holds(target.environment());
        let holds = match extra {
            None => always,
            Some(_) => !always && marker.holds_with(target.environment(), &extras),
        };
        holds.then_some((bare, text.as_str()))
    })
}
