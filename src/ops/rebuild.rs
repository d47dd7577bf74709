//! What a plan that moves torch breaks: packages built for the torch that goes.

use std::collections::BTreeMap;

use super::changes::ChangeInfo;
use super::context::Site;
use super::error::OpError;
use super::preview::goal_of;
use crate::environment::{Distribution, Installed};
use crate::gate::abi::{Fit, TorchMove, fit, is_bound};
use crate::lock::{ChangeKind, Lock};
use crate::package::{Name, Target, Version};
use crate::resolve::RequiredBy;
use crate::snapshot::{Db, State};

/// Marks the packages that would not work with the torch to come, and adds those that
/// the plan leaves alone: they stay installed and break.
///
/// `requires` returns what a package of the plan is known to require of torch, or `None`
/// if it was seen with the torch to come; `seen` says that of an installed one that stays.
pub fn mark(
    changes: &mut Vec<ChangeInfo>,
    installed: &Installed,
    requires: impl Fn(&Name) -> Option<Vec<String>>,
    seen: impl Fn(&Distribution) -> bool,
) {
    let Some(moved) = torch_move(changes) else {
        return;
    };
    for found in installed.iter() {
        if !is_bound(&found.name, &found.version, found.tags()) {
            continue;
        }
        let change = changes.iter_mut().find(|change| change.name == found.name);
        if let Some(change) = change {
            let to = change
                .to
                .as_deref()
                .and_then(|to| to.parse::<Version>().ok());
            let Some(to) = to.filter(|_| change.kind != ChangeKind::Remove) else {
                continue;
            };
            // What is built here is built for the torch that is here.
            let broken = !change.sdist
                && to != found.version
                && requires(&found.name)
                    .is_some_and(|requires| fit(&to, &requires, &moved) != Fit::Fits);
            change.needs_rebuild = broken;
            change.protected |= broken;
        } else if fit(&found.version, &found.metadata().requires_dist, &moved) != Fit::Fits
            && !seen(found)
        {
            changes.push(ChangeInfo::needing_rebuild(&found.name, &found.version));
        }
    }
    changes.sort_by_cached_key(|change| (change.kind != ChangeKind::Remove, change.name.clone()));
}

/// Marks what a lock's plan breaks.
pub fn mark_for_lock(
    changes: &mut Vec<ChangeInfo>,
    installed: &Installed,
    lock: &Lock,
    target: &Target,
) {
    let asking = |name: &Name| {
        let torch = lock
            .active(target)
            .filter(|found| found.name.as_str() == "torch");
        let found = torch
            .flat_map(|torch| &torch.required_by)
            .filter_map(|by| match by {
                RequiredBy::Package {
                    package,
                    requirement,
                    ..
                } if package == name => Some(requirement.clone()),
                _ => None,
            })
            .collect();
        Some(found)
    };
    mark(changes, installed, asking, |_| false);
}

/// Marks what going back to a recorded state breaks. What is restored was seen with the
/// torch of that state; what stays goes with the torch that it was first seen with.
///
/// # Errors
///
/// Fails if the history cannot be read.
pub fn mark_for_state(
    changes: &mut Vec<ChangeInfo>,
    installed: &Installed,
    wanted: &State,
    db: &Db,
) -> Result<(), OpError> {
    if torch_move(changes).is_none() {
        return Ok(());
    }
    let torch = |state: &State| {
        let name = Name::parse("torch")?;
        state.package(&name).map(|found| found.version.clone())
    };
    // Oldest first: the newest of each file's records would be of today.
    let mut first = BTreeMap::new();
    for snapshot in db.snapshots()?.iter().rev() {
        let state = db.state_of(snapshot)?;
        for package in &state.packages {
            let key = (package.name.clone(), package.digest.clone());
            first.entry(key).or_insert_with(|| torch(&state));
        }
    }
    let seen = |found: &Distribution| {
        let key = (found.name.clone(), found.digest.clone());
        first.get(&key) == Some(&torch(wanted))
    };
    mark(changes, installed, |_| None, seen);
    Ok(())
}

/// Refuses a lock that would break what is installed beside it.
///
/// # Errors
///
/// Fails if it would, or if the history cannot be read.
pub fn refuse_lock(
    site: &Site,
    installed: &Installed,
    lock: &Lock,
    old: Option<&Lock>,
    allowed: &[String],
) -> Result<(), OpError> {
    let goal = goal_of(site, lock, old)?;
    let mut changes = ChangeInfo::all(&goal.plan(installed));
    mark_for_lock(&mut changes, installed, lock, &site.target);
    let names: Vec<&str> = blocking(&changes, allowed)
        .iter()
        .map(|change| change.name.as_str())
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(OpError::Refused(format!(
        "the lock would move torch, and these are built for the torch that is installed: {}; \
         rebuild them for the new one, or accept that with {}",
        names.join(", "),
        names
            .iter()
            .map(|name| format!("--allow-change {name}"))
            .collect::<Vec<_>>()
            .join(" ")
    )))
}

/// Finds torch among the changes. A torch that comes breaks nothing.
fn torch_move(changes: &[ChangeInfo]) -> Option<TorchMove> {
    let torch = changes
        .iter()
        .find(|change| change.name.as_str() == "torch")?;
    let read = |text: &Option<String>| text.as_deref()?.parse::<Version>().ok();
    let moved = TorchMove {
        from: read(&torch.from)?,
        to: read(&torch.to),
    };
    (moved.to.as_ref() != Some(&moved.from)).then_some(moved)
}

/// Lists the packages that need a rebuild and that nobody allowed to break.
pub fn blocking<'c>(changes: &'c [ChangeInfo], allowed: &[String]) -> Vec<&'c ChangeInfo> {
    let allowed: Vec<Name> = allowed
        .iter()
        .filter_map(|text| Name::parse(text))
        .collect();
    changes
        .iter()
        .filter(|change| change.needs_rebuild && !allowed.contains(&change.name))
        .collect()
}

/// Says it in words: code and message.
pub fn warnings(changes: &[ChangeInfo]) -> Vec<(&'static str, String)> {
    let names: Vec<&str> = changes
        .iter()
        .filter(|change| change.needs_rebuild)
        .map(|change| change.name.as_str())
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "built for the torch that is installed, and broken with the one to come until rebuilt: {}",
        names.join(", ")
    );
    vec![("needs-rebuild", message)]
}
