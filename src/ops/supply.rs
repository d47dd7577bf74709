//! Where each package of a recorded state would come from, found out before anything changes.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::Serialize;

use super::context::{Context, Site};
use super::error::OpError;
use super::inputs::ResolveFlags;
use super::packages::PackageGoal;
use super::transaction::{scratch_dir, uv_for};
use crate::environment::Installed;
use crate::host::{digest, fs};
use crate::lock::ChangeKind;
use crate::package::Name;
use crate::store::find_imprint;
use crate::sync::run::RunSource;
use crate::sync::{RunEntry, RunLock};
use crate::uv::ProbeCall;

/// Where a package comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Supply {
    /// The store, without any network.
    Store,
    /// uv's cache, without any network.
    Cache,
    /// A file or directory of this machine.
    Disk,
    /// The network: an index, an address or a repository.
    Network,
    /// Nowhere without the network, which may not be asked.
    Offline,
    /// A file of the store that is not what was kept.
    Damaged,
    /// Nowhere.
    Nowhere,
}

impl Supply {
    /// Returns the words for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Store => "from the store",
            Self::Cache => "from uv's cache",
            Self::Disk => "from this disk",
            Self::Network => "from the network",
            Self::Offline => "not to be had offline",
            Self::Damaged => "damaged in the store",
            Self::Nowhere => "not to be had",
        }
    }
}

/// Finds out where everything comes from that a goal has to install. What the store has
/// damaged is taken from where the package came from, if that is still to be had.
///
/// # Errors
///
/// Fails if uv is needed to look into its cache and cannot be had.
pub(super) fn find_supplies(
    context: &Context,
    site: &Site,
    goal: &mut PackageGoal,
    installed: &Installed,
) -> Result<BTreeMap<Name, Supply>, OpError> {
    let plan = goal.plan(installed);
    let mut supplies = BTreeMap::new();
    let mut asked = Vec::new();
    let store = site.installation.own_dir().join("store");
    for step in &plan.steps {
        let name = &step.change.name;
        if step.change.kind == ChangeKind::Remove {
            continue;
        }
        let Some(wanted) = goal.wanted.get_mut(name) else {
            continue;
        };
        let kept = wanted.kept.as_ref();
        let imprint = kept.and_then(|kept| kept.imprint.as_ref());
        let whole = kept.is_some_and(|kept| kept.whole);
        if let Some(imprint) = imprint
            && find_imprint(&store.join(&imprint.file), &imprint.sha256).is_none()
        {
            supplies.insert(name.clone(), Supply::Damaged);
            continue;
        }
        if whole {
            supplies.insert(name.clone(), Supply::Store);
            continue;
        }
        if is_damaged(wanted.source.as_ref())
            && let Some(other) = wanted.otherwise.take()
        {
            wanted.source = Some(other);
        }
        let supply = match &wanted.source {
            None => Supply::Nowhere,
            Some(RunSource::Local { path, .. }) => {
                let is_stored = Utf8Path::new(path).starts_with(&store);
                match (is_stored, is_damaged(wanted.source.as_ref())) {
                    (true, true) => Supply::Damaged,
                    (true, false) => Supply::Store,
                    (false, true) => Supply::Nowhere,
                    (false, false) => Supply::Disk,
                }
            }
            Some(RunSource::Directory { path, .. }) if fs::is_dir(path.as_str().into()) => {
                Supply::Disk
            }
            Some(RunSource::Directory { .. }) => Supply::Nowhere,
            Some(_) if !context.offline => Supply::Network,
            Some(source) => {
                asked.push(RunEntry {
                    name: name.clone(),
                    version: wanted.goal.version.clone(),
                    source: source.clone(),
                });
                continue;
            }
        };
        supplies.insert(name.clone(), supply);
    }
    if !asked.is_empty() {
        let missing = missing_in_cache(context, site, &asked)?;
        for entry in asked {
            let supply = if missing.contains(&entry.name) {
                Supply::Offline
            } else {
                Supply::Cache
            };
            supplies.insert(entry.name, supply);
        }
    }
    Ok(supplies)
}

/// Refuses a change that could not be ended, before it begins.
///
/// # Errors
///
/// Fails if something is damaged, or cannot be had offline.
pub(super) fn check_supplies(
    goal: &PackageGoal,
    supplies: &BTreeMap<Name, Supply>,
) -> Result<(), OpError> {
    let named = |wanted: Supply| -> Vec<String> {
        let names = supplies.iter().filter(|(_, supply)| **supply == wanted);
        names
            .map(|(name, _)| match goal.wanted.get(name) {
                Some(wanted) => format!("{name} {}", wanted.goal.version),
                None => name.to_string(),
            })
            .collect()
    };
    let (nowhere, damaged, offline) = (
        named(Supply::Nowhere),
        named(Supply::Damaged),
        named(Supply::Offline),
    );
    if !nowhere.is_empty() {
        return Err(OpError::Unrestorable(nowhere));
    }
    if !damaged.is_empty() {
        return Err(OpError::StoreDamaged(damaged));
    }
    if !offline.is_empty() {
        return Err(OpError::NotAtHand(offline));
    }
    Ok(())
}

fn is_damaged(source: Option<&RunSource>) -> bool {
    let Some(RunSource::Local { path, hashes }) = source else {
        return false;
    };
    let found = digest::sha256_of_file(path.as_str().into()).ok();
    match hashes.get("sha256") {
        Some(wanted) => found.as_ref() != Some(wanted),
        None => found.is_none(),
    }
}

/// Names what uv has not in its cache. Only installing tells, so it installs into a directory
/// that goes at once: all together, and one by one if that fails.
fn missing_in_cache(
    context: &Context,
    site: &Site,
    entries: &[RunEntry],
) -> Result<Vec<Name>, OpError> {
    let uv = uv_for(context, site)?;
    let indexes =
        ResolveFlags::default().index_config(context, &site.installation.settings, &[])?;
    context.progress.begin("looking into uv's cache", None);
    let has = |entries: &[RunEntry]| -> Result<bool, OpError> {
        let (_guard, dir) = scratch_dir(site)?;
        let lock = RunLock {
            entries: entries.to_vec(),
        };
        let names: Vec<Name> = entries.iter().map(|entry| entry.name.clone()).collect();
        let path: Utf8PathBuf = dir.join("pylock.toml");
        fs::write_quickly(&path, lock.to_toml().as_bytes())?;
        Ok(uv.has_cached(&ProbeCall {
            python: &site.interpreter.path,
            lock: &path,
            target: &dir.join("probe"),
            build: lock.needs_build(&names),
            indexes: &indexes,
        })?)
    };
    let mut missing = Vec::new();
    if !has(entries)? {
        for entry in entries {
            context.check_cancel()?;
            if !has(std::slice::from_ref(entry))? {
                missing.push(entry.name.clone());
            }
        }
    }
    context.progress.end();
    Ok(missing)
}
