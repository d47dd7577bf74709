//! `verify --fix`: what is broken installed anew at the same version and from the same source,
//! and what an installer left over moved to the trash, as one operation.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::Evidence;
use crate::environment::files::{Flaw, normal};
use crate::environment::{Distribution, Origination};
use crate::host::{DirLock, digest, fs};
use crate::nodes::trash;
use crate::ops::context::{Context, Site};
use crate::ops::error::OpError;
use crate::ops::inputs::families;
use crate::ops::packages::{Anew, PackageGoal, Wanted, check_applicable};
use crate::ops::restore;
use crate::ops::transaction::Transaction;
use crate::package::{Hashes, Name, Source, Version};
use crate::plan::{Goal, Removal};
use crate::requirements::origin::show_path;
use crate::snapshot::{PackageState, SourceRecord, State};
use crate::sync::run::RunSource;

/// What a repair came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fixed {
    /// The operation's number, if anything was changed.
    pub operation: Option<i64>,
    /// The snapshot before.
    pub before: Option<String>,
    /// The snapshot after.
    pub after: Option<String>,
    /// What was installed anew, by name.
    pub reinstalled: Vec<(Name, Version)>,
    /// What was moved, from where to where, relative to the root where it lies in it.
    pub moved: Vec<(String, String)>,
    /// Where files lie that were replaced and were not what had been installed.
    pub kept: Option<String>,
    /// What could not be repaired, by name, and why.
    pub left: Vec<(String, String)>,
}

/// What is to be repaired, before it is known where it can be had.
#[derive(Debug, Default)]
struct Broken {
    names: BTreeSet<Name>,
    left: BTreeMap<String, String>,
}

/// Repairs what can be repaired.
///
/// # Errors
///
/// Fails if a change was begun and could not be made; it is undone then.
pub(super) fn run(
    context: &Context,
    site: &Site,
    held: DirLock,
    evidence: &Evidence,
    command: &str,
) -> Result<Fixed, OpError> {
    let Broken {
        mut names,
        mut left,
    } = broken(site, evidence)?;
    if names.is_empty() && evidence.health.leftovers.is_empty() {
        return Ok(Fixed {
            left: left.into_iter().collect(),
            ..Fixed::default()
        });
    }
    if site.interpreter.managed && !site.installation.settings.installation.allow_system {
        return Err(OpError::ManagedPython(site.interpreter.path.clone()));
    }
    let mut change = Transaction::prepare(context, site, held)?;
    let goal = goal_of(site, evidence, &change.before, &mut names, &mut left);
    check_applicable(site, &goal, &evidence.installed)?;
    let mut fixed = Fixed {
        left: left.into_iter().collect(),
        ..Fixed::default()
    };
    if names.is_empty() && evidence.health.leftovers.is_empty() {
        return Ok(fixed);
    }
    let stamp = context.clock.now().to_string();
    fixed.kept = keep_changed(site, evidence, &names, &stamp)?;
    let lock = evidence.lock.as_ref();
    change.open("verify", command)?;
    let moved = &mut fixed.moved;
    let finished = change.run(|change| {
        let mut throw_away = |change: &mut Transaction<'_>, path: &Utf8Path| {
            let from = show_path(&site.installation.root, path);
            let entry = path.file_name().unwrap_or_default();
            let place = trash::free_place(&trash_dir(site), entry, &stamp);
            let to = format!(".portenv/trash/{place}");
            change.move_path(&from, &to)?;
            moved.push((from, to));
            Ok::<(), OpError>(())
        };
        for leftover in &evidence.health.leftovers {
            throw_away(change, &leftover.path)?;
        }
        if !names.is_empty() {
            change.packages(&goal)?;
        }
        // What has the RECORD of another version is not removed by going through it.
        let now = site.installed()?;
        for (_, dir) in now.doubled.iter().filter(|(name, _)| names.contains(name)) {
            throw_away(change, dir)?;
        }
        change.finish(lock, None, None)
    })?;
    let wanted = |name: &Name| Some((name.clone(), goal.wanted.get(name)?.goal.version.clone()));
    fixed.reinstalled = names.iter().filter_map(wanted).collect();
    fixed.operation = Some(finished.operation);
    fixed.before = Some(finished.before);
    fixed.after = Some(finished.after);
    Ok(fixed)
}

fn trash_dir(site: &Site) -> Utf8PathBuf {
    site.installation.own_dir().join("trash")
}

/// Works out which packages are to be installed anew, and says of others why not.
fn broken(site: &Site, evidence: &Evidence) -> Result<Broken, OpError> {
    let mut broken = Broken::default();
    let mut patched: BTreeMap<&Name, &str> = BTreeMap::new();
    for fault in &evidence.look.faults {
        if evidence.is_patch(fault) {
            patched.entry(&fault.package).or_insert(&fault.path);
        } else {
            broken.names.insert(fault.package.clone());
        }
    }
    for fault in &evidence.health.faults {
        if fault.is_missing {
            broken
                .left
                .insert(fault.package.to_string(), fault.message.clone());
        } else {
            broken.names.insert(fault.package.clone());
        }
    }
    let order = families(&site.installation.settings)?;
    for shared in &evidence.look.shared {
        // Most capable first, else by name.
        let rank = |name: &Name| {
            let mut places = order
                .iter()
                .filter_map(|family| family.members.iter().position(|member| member == name));
            places.next().unwrap_or(usize::MAX)
        };
        let mut owners: Vec<&Name> = shared.owners.iter().collect();
        owners.sort_by_key(|name| rank(name));
        let mut due = owners.iter().filter(|name| broken.names.contains(**name));
        let chosen: &Name = match due.next() {
            Some(first) => first,
            None if shared.is_mixed => owners[0],
            None => continue,
        };
        // Each would overwrite the other, and the first would be broken again.
        for other in owners.iter().filter(|name| **name != chosen) {
            if broken.names.remove(*other) {
                let why = format!("it shares files with {chosen}, which was installed anew");
                broken.left.insert(other.to_string(), why);
            }
        }
        broken.names.insert(chosen.clone());
    }
    for (name, path) in patched {
        // What is kept of an edited file is put back over the new one.
        let known = evidence.known.as_ref();
        let kept = known.and_then(|known| known.state.package(name)?.kept.as_ref());
        let parts = kept.and_then(|kept| restore::parts(site, kept));
        if parts.is_some_and(|parts| parts.iter().any(|part| part.path == *path)) {
            continue;
        }
        if broken.names.remove(name) {
            let why = format!("to install it anew would undo the local patch in `{path}`");
            broken.left.insert(name.to_string(), why);
        }
    }
    Ok(broken)
}

/// Makes the goal of a repair; what can be had nowhere goes from `names` to `left`.
fn goal_of(
    site: &Site,
    evidence: &Evidence,
    before: &State,
    names: &mut BTreeSet<Name>,
    left: &mut BTreeMap<String, String>,
) -> PackageGoal {
    let mut wanted = BTreeMap::new();
    let candidates: Vec<Name> = names.iter().cloned().collect();
    for name in candidates {
        let found = evidence.installed.get(&name);
        let source = found.and_then(|found| source_of(site, evidence, before, found));
        let why = match (&source, found) {
            (_, Some(found)) if found.is_fixed() => Some("conda keeps its files".to_owned()),
            (Some(source), _) => lacking(source),
            (None, _) => Some("no index, snapshot or lock has it".to_owned()),
        };
        match (why, source) {
            (None, Some(source)) => {
                wanted.insert(name, source);
            }
            (why, _) => {
                names.remove(&name);
                left.insert(name.to_string(), why.unwrap_or_default());
            }
        }
    }
    let faults = evidence.look.faults.iter();
    let mut broken = faults.filter(|fault| names.contains(&fault.package));
    let past_cache = broken.any(|fault| fault.stamp.is_some_and(|stamp| stamp.is_linked));
    PackageGoal {
        wanted,
        // Everything else stays.
        removal: Removal::Brought(BTreeSet::new()),
        anew: Anew {
            names: names.clone(),
            past_cache,
        },
    }
}

/// Says what is gone that a package was to be installed from.
fn lacking(wanted: &Wanted) -> Option<String> {
    match &wanted.source {
        None => Some("no index, snapshot or lock has it".to_owned()),
        Some(RunSource::Local { path, .. } | RunSource::Directory { path, .. }) => {
            (!fs::exists(path.as_str().into())).then(|| format!("`{path}` is gone"))
        }
        Some(_) => None,
    }
}

/// Finds where a broken package came from: the newest snapshot knows, else what its repair
/// begins with, else its own word, else the lock.
fn source_of(
    site: &Site,
    evidence: &Evidence,
    before: &State,
    found: &Distribution,
) -> Option<Wanted> {
    let mut versions = vec![found.version.clone()];
    let doubles = evidence.installed.doubled.iter();
    let doubles = doubles.filter(|(name, _)| *name == found.name);
    versions.extend(doubles.filter_map(|(_, dir)| version_of(dir)));
    let is_one = |package: &&PackageState| {
        // Another build of one version is another package, if both say what they are.
        let same = package.digest == found.digest || found.digest.is_none() || versions.len() > 1;
        versions.contains(&package.version) && same && package.source.is_some()
    };
    let known = evidence.known.as_ref();
    let known = known.and_then(|known| known.state.package(&found.name));
    // What was packed just now is as broken as what it was packed from.
    let fresh = before.package(&found.name).filter(|package| {
        let is_stored = matches!(package.source, Some(SourceRecord::Store { .. }));
        package.version == found.version && !is_stored
    });
    if let Some(package) = known.filter(is_one).or(fresh.filter(is_one)) {
        let mut package = package.clone();
        let is_kept = package
            .kept
            .as_ref()
            .is_some_and(|kept| kept.wheel.is_some());
        if !is_kept && !is_wheel(package.source.as_ref()) {
            // A second build differs.
            package.digest = None;
        }
        let name = package.name.clone();
        let state = State {
            packages: vec![package],
            ..State::default()
        };
        let mut goal = PackageGoal::of_state(&state, &site.installation.own_dir());
        return goal.wanted.remove(&name);
    }
    if let Some(file) = file_of(found) {
        return Some(file);
    }
    let lock = evidence.lock.as_ref()?;
    let nothing = Removal::Brought(BTreeSet::new());
    let root = &site.installation.root;
    let mut goal = PackageGoal::of_lock(lock, &site.target, root, nothing);
    goal.wanted
        .remove(&found.name)
        .filter(|wanted| versions.contains(&wanted.goal.version))
}

/// Returns the file on this machine that a package was installed from, if it is still there.
fn file_of(found: &Distribution) -> Option<Wanted> {
    let Origination::Direct(Source::Path { path, .. }) = &found.origination else {
        return None;
    };
    let file = Utf8Path::new(path);
    let is_wheel = file.extension() == Some("whl") && fs::is_file(file);
    let sha256 = is_wheel.then(|| digest::sha256_of_file(file).ok())??;
    Some(Wanted {
        goal: Goal {
            version: found.version.clone(),
            digest: found.digest.clone(),
            source: None,
        },
        source: Some(RunSource::Local {
            path: path.clone(),
            hashes: Hashes::from([("sha256".to_owned(), sha256)]),
        }),
        bytes: None,
        index: None,
        kept: None,
        otherwise: None,
    })
}

fn is_wheel(source: Option<&SourceRecord>) -> bool {
    match source {
        Some(SourceRecord::Index { filename, .. }) => filename.ends_with(".whl"),
        Some(SourceRecord::Store { .. }) => true,
        _ => false,
    }
}

fn version_of(dir: &Utf8Path) -> Option<Version> {
    let stem = dir.file_name()?.strip_suffix(".dist-info")?;
    stem.split_once('-')?.1.replace('_', "-").parse().ok()
}

/// Copies files to the trash that will be replaced and are not what was installed: somebody
/// may have written them. Returns where they lie.
fn keep_changed(
    site: &Site,
    evidence: &Evidence,
    names: &BTreeSet<Name>,
    stamp: &str,
) -> Result<Option<String>, OpError> {
    /// What is larger was written by no hand.
    const MOST: u64 = 64 << 20;
    let place = trash::free_place(&trash_dir(site), "changed-files", stamp);
    let dir = trash_dir(site).join(&place);
    let mut any = false;
    for fault in &evidence.look.faults {
        let is_changed = matches!(fault.flaw, Flaw::Size(..) | Flaw::Content);
        let fits = fault.stamp.is_some_and(|it| it.size <= MOST);
        if names.contains(&fault.package) && is_changed && fits {
            let to = dir.join(fault.package.as_str());
            fs::copy_tree(&fault.place, &to.join(normal(&fault.path, false)))?;
            any = true;
        }
    }
    Ok(any.then(|| format!(".portenv/trash/{place}")))
}
