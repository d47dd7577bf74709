//! A conflict in words that name node, file and line.

use std::fmt::Write;

use super::conflict::{CoreLine, Step};
use super::world::World;
use crate::index::IndexError;
use crate::package::version::show_range;
use crate::package::{Name, Range};

/// Describes how a package comes to ask for another.
pub fn step(world: &World<'_>, asking: u32, versions: &Range, asked: u32) -> Step {
    let package = world.name(asking);
    let mut requirement = world.name(asked).to_string();
    let mut shown = show_range(versions);
    if let Ok(Some(candidates)) = world.candidates(asking) {
        let all: Vec<_> = (0..candidates.page().len())
            .rev()
            .map(|at| candidates.page().version(at).clone())
            .collect();
        shown = show_range(&versions.simplify(all.iter()));
        // Any version that was looked at will do to quote the requirement.
        let sample = candidates.in_order(versions).take(40).find_map(|version| {
            let deps = world.deps_known(asking, &version)?;
            deps.base
                .iter()
                .find(|dep| dep.name == asked)
                .map(|dep| dep.text.clone())
        });
        if let Some(text) = sample {
            requirement = text;
        }
    }
    Step {
        package,
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
    let mut text = String::new();
    if let [line] = core
        && requirements.len() == 1
        && let Some(supply) = missing_supply(world, *line)?
    {
        return Ok(supply);
    }
    let contested: Vec<&str> = packages.iter().map(Name::as_str).collect();
    let _ = write!(
        text,
        "no version of {} satisfies all of these",
        contested.join(", ")
    );
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
    Ok(text)
}

/// Says why nothing can serve a line that is in conflict with nobody.
fn missing_supply(world: &World<'_>, line: u32) -> Result<Option<String>, IndexError> {
    let line = &world.lines[line as usize];
    let name = &line.requirement.name;
    let number = world.number(name);
    let Some(candidates) = world.candidates(number)? else {
        return Ok(Some(format!(
            "there is no package `{name}` on the configured indexes"
        )));
    };
    if let Some(url) = &line.requirement.url
        && candidates.page().is_empty()
    {
        return Ok(Some(format!(
            "`{}` cannot be used as a package",
            crate::package::redact(url)
        )));
    }
    let range = line.requirement.specifiers.range();
    if range.is_empty() {
        return Ok(Some(format!("`{}` admits no version at all", line.text)));
    }
    if candidates.in_order(&range).next().is_some() {
        return Ok(None);
    }
    let mut text = String::new();
    let reasons = candidates.reasons(&range);
    if reasons.is_empty() {
        let _ = write!(text, "no version of {name} satisfies {}", line.text);
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
            "no version of {name} that satisfies {} can be used",
            line.text
        );
        for (reason, versions) in &reasons {
            let count = versions.len();
            let shown = if count == 1 {
                versions[0].to_string()
            } else {
                format!("{count} versions")
            };
            let _ = write!(text, "; {shown} {}", reason.shown(world.target));
        }
    }
    let (older, newer) = candidates.nearest(&range);
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
