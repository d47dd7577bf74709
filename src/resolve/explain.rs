//! A conflict in words that name node, file and line.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::candidates::{Candidates, Unfit};
use super::conflict::{CoreLine, Edge, Step};
use super::world::{Pkg, World};
use crate::index::IndexError;
use crate::package::version::show_range;
use crate::package::{Name, Range, Requirement};

/// Describes how a package comes to ask for another: all its requirements on it
/// that a proof rests on, in one sentence.
pub(super) fn step<'e>(
    world: &World<'_>,
    asking: Pkg,
    asked: u32,
    edges: impl Iterator<Item = &'e Edge>,
) -> Step {
    let (mut versions, mut wanted) = (Range::empty(), Range::empty());
    for edge in edges {
        versions = versions.union(&edge.versions);
        wanted = wanted.union(&edge.asked);
    }
    let (Pkg::Name(number) | Pkg::Extra(number, _)) = asking else {
        unreachable!("BUG: lines and policies are no packages")
    };
    let mut shown = show_range(&versions);
    let mut texts = BTreeSet::new();
    if let Ok(Some(candidates)) = world.candidates(number) {
        let all: Vec<_> = (0..candidates.page().len())
            .rev()
            .map(|at| candidates.page().version(at).clone())
            .collect();
        shown = show_range(&versions.simplify(all.iter()));
        // Any version that was looked at will do to quote the requirement.
        for version in candidates.in_order(&versions).take(40) {
            let Some(deps) = world.deps_known(number, &version) else {
                continue;
            };
            let gated = match asking {
                Pkg::Extra(_, extra) => world.extra_deps(&deps, extra).ok(),
                _ => None,
            };
            let gated = gated.iter().flat_map(|deps| deps.iter());
            let of_asked = deps
                .base
                .iter()
                .chain(gated)
                .filter(|dep| dep.name == asked);
            texts.extend(of_asked.map(|dep| dep.text.clone()));
        }
    }
    let requirement = match texts.len() {
        1 => texts.pop_first().unwrap_or_default(),
        // What they have in common, where each asks for something else.
        _ if wanted == Range::full() => world.name(asked).to_string(),
        _ => format!("{}{}", world.name(asked), show_range(&wanted)),
    };
    Step {
        package: world.name(number),
        version: shown,
        requirement,
    }
}

/// Says the whole conflict in a few lines.
///
/// # Errors
///
/// Fails if the world could not be asked.
pub fn explain(
    world: &World<'_>,
    core: &[u32],
    packages: &[Name],
    requirements: &[CoreLine],
) -> Result<String, IndexError> {
    if let ([line], [told]) = (core, requirements) {
        if let Some(supply) = missing_supply(world, *line)? {
            return Ok(supply);
        }
        if let Some(mut supply) = missing_at_the_end(world, &told.via)? {
            tell_lines(&mut supply, requirements);
            return Ok(supply);
        }
    }
    Ok(contradiction(packages, requirements))
}

/// Says that nothing satisfies all of some lines.
pub(super) fn contradiction(packages: &[Name], requirements: &[CoreLine]) -> String {
    let contested: Vec<&str> = packages.iter().map(Name::as_str).collect();
    let mut text = format!(
        "no version of {} satisfies all of these",
        contested.join(", ")
    );
    tell_lines(&mut text, requirements);
    text
}

/// Says that members of a family of which only one may be there are wanted together.
pub(super) fn rivalry(packages: &[Name], requirements: &[CoreLine]) -> String {
    let names: Vec<&str> = packages.iter().map(Name::as_str).collect();
    let mut text = format!(
        "{} own the same modules, and the policy allows only one of them",
        names.join(" and ")
    );
    tell_lines(&mut text, requirements);
    text
}

fn tell_lines(text: &mut String, requirements: &[CoreLine]) {
    for line in requirements {
        let _ = write!(
            text,
            "; {} ({}) asks for {}",
            line.origin.owner(),
            line.origin.place_of_line(),
            line.requirement
        );
        for step in &line.via {
            let _ = write!(
                text,
                ", {} {} needs {}",
                step.package, step.version, step.requirement
            );
        }
    }
}

/// Reports whether nobody has a file for what a line leads to, on this target and under
/// any policy. A version that never was is the line's own mistake. `asked` is what the way
/// asks for and cannot have.
///
/// # Errors
///
/// Fails if the world could not be asked.
pub(super) fn is_unsupplied<'e>(
    world: &World<'_>,
    at: u32,
    asked: impl Iterator<Item = (u32, &'e Range)>,
) -> Result<bool, IndexError> {
    let name = &world.lines[at as usize].requirement.name;
    let Some(candidates) = world.candidates(world.number(name))? else {
        return Ok(true);
    };
    let by_policy = |candidates: &Candidates, range: &Range| {
        let of_policy = [
            Unfit::NoTime,
            Unfit::TooNew,
            Unfit::OnlySdist,
            Unfit::Prerelease,
        ];
        let reasons = candidates.reasons(range);
        of_policy.iter().any(|reason| reasons.contains_key(reason))
    };
    let range = world.line_range(at);
    if candidates.in_order(&range).next().is_some() {
        for (name, range) in asked {
            if let Some(candidates) = world.candidates(name)?
                && by_policy(&candidates, range)
            {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    Ok(!candidates.reasons(&range).is_empty() && !by_policy(&candidates, &range))
}

/// Says why nothing can serve a line that is in conflict with nobody.
fn missing_supply(world: &World<'_>, at: u32) -> Result<Option<String>, IndexError> {
    let line = &world.lines[at as usize];
    let number = world.number(&line.requirement.name);
    if line.requirement.url.is_some()
        && let Some(Err(reason)) = world.direct_of(number)
    {
        return Ok(Some(reason));
    }
    let range = world.line_range(at);
    if range.is_empty() {
        return Ok(Some(format!("`{}` admits no version at all", line.text)));
    }
    unusable(world, number, &range, &line.text)
}

/// Says why nothing can serve what a way from a line leads to.
fn missing_at_the_end(world: &World<'_>, via: &[Step]) -> Result<Option<String>, IndexError> {
    let Some(wanted) = via
        .last()
        .and_then(|step| Requirement::parse(&step.requirement).ok())
    else {
        return Ok(None);
    };
    let range = wanted.specifiers.range();
    let number = world.number(&wanted.name);
    // What is wanted of others too may be excluded by these.
    if wanted.url.is_some() || world.url_of(number).is_some() {
        return Ok(None);
    }
    let text = format!("{}{}", wanted.name, wanted.specifiers.text());
    unusable(world, number, &range, &text)
}

/// Says why no version of a range can be used; nothing if one can.
fn unusable(
    world: &World<'_>,
    number: u32,
    range: &Range,
    wanted: &str,
) -> Result<Option<String>, IndexError> {
    let name = world.name(number);
    let Some(candidates) = world.candidates(number)? else {
        return Ok(Some(format!(
            "there is no package `{name}` on the configured indexes"
        )));
    };
    if let Some(version) = candidates.in_order(range).next() {
        // A file that fits may still be of no use.
        return Ok(match world.deps(number, &version)? {
            Err(reason) => Some(format!(
                "no version of {name} that satisfies {wanted} can be used; {version}: {reason}"
            )),
            Ok(_) => None,
        });
    }
    let mut text = String::new();
    let reasons = candidates.reasons(range);
    if reasons.is_empty() {
        let _ = write!(text, "no version of {name} satisfies {wanted}");
        if let Some(newest) = (0..candidates.page().len()).next() {
            let _ = write!(
                text,
                "; the newest is {}",
                candidates.page().version(newest)
            );
        } else {
            let _ = write!(text, "; its page lists no usable file");
        }
    } else {
        let _ = write!(
            text,
            "no version of {name} that satisfies {wanted} can be used"
        );
        for (reason, versions) in &reasons {
            let count = versions.len();
            let shown = if count == 1 {
                versions[0].to_string()
            } else {
                format!("each of {count} versions")
            };
            let _ = write!(text, "; {shown} {}", reason.shown(world.target));
        }
    }
    let (older, newer) = candidates.nearest(range);
    let near: Vec<String> = older
        .into_iter()
        .chain(newer)
        .map(|version| version.to_string())
        .collect();
    if !near.is_empty() {
        let _ = write!(text, "; usable nearby: {}", near.join(" and "));
    }
    Ok(Some(text))
}
