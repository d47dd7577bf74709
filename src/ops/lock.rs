//! `lock`: everything asked for → one answer → `pylock.toml`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::context::{Context, Site};
use super::error::OpError;
use super::inputs::{ResolveFlags, finish_inputs, name_lines};
use super::joint::{Joint, Tolerance, is_lived_in, is_locked, known_waivers};
use super::members::{members_of, moved};
use super::other_versions::Nodes;
use super::rebuild::refuse_lock;
use super::subset::{NodeLeftOut, Subset, best_effort};
use super::transaction::start;
use crate::environment::{Distribution, Installed};
use crate::index::{Index, RemoteIndex};
use crate::lock::{Lock, StaleReason, check_freshness};
use crate::nodes::Staged;
use crate::package::target::markers;
use crate::package::{Marker, Name, Requirement, Source, Specifiers, Target};
use crate::requirements::set::gather;
use crate::requirements::{Line, Origin, Problem, RequirementSet, Role, Waiver, WaiverReason};
use crate::resolve::targets::Task;
use crate::resolve::{Conflict, Kept, Outcome, Preferences, Resolution, Warning, resolve};
use crate::workspace::Settings;
use crate::workspace::settings::BuildMode;

/// How to lock.
#[derive(Debug, Clone, Default)]
pub struct LockRequest {
    /// Only say whether the lock is stale.
    pub check: bool,
    /// Choose every version anew.
    pub upgrade: bool,
    /// Choose these anew.
    pub upgrade_packages: Vec<String>,
    /// Protected packages that may change.
    pub allow_change: Vec<String>,
    /// Waive nothing.
    pub strict: bool,
    /// Leave out as few nodes as it takes, and look for these as long at most.
    pub best_effort: Option<Duration>,
    /// What decides the answer.
    pub flags: ResolveFlags,
}

/// What locking came to.
pub struct LockOutcome {
    /// The answer or the conflicts; `None` if nothing was resolved.
    pub outcome: Option<Outcome>,
    /// The lock's path.
    pub path: Utf8PathBuf,
    /// The file was changed.
    pub written: bool,
    /// Why the lock was stale before.
    pub stale: Vec<StaleReason>,
    /// Problems that did not stop the work.
    pub problems: Vec<Problem>,
    /// Warnings beside the answer's own.
    pub warnings: Vec<Warning>,
    /// Conflicts that were there before; their lines were left out.
    pub old: Vec<Conflict>,
    /// What is not met and did not stand in the way.
    pub waivers: Vec<Waiver>,
    /// Nodes that the lock is made without.
    pub left_out: Vec<NodeLeftOut>,
    /// What was searched for them, if it was.
    pub subset: Option<Subset>,
    /// The targets.
    pub targets: Vec<Target>,
    /// Counters of the network.
    pub stats: Vec<(&'static str, u64)>,
}

/// Everything a resolution of an installation needs.
pub struct Inputs {
    /// What is asked for.
    pub set: RequirementSet,
    /// What for.
    pub targets: Vec<Target>,
    /// The lock of today.
    pub lock: Option<Lock>,
}

/// Gathers what an installation asks for.
///
/// # Errors
///
/// Fails on bad input.
pub fn inputs(context: &Context, site: &Site, flags: &ResolveFlags) -> Result<Inputs, OpError> {
    let mut set = gather(&site.installation, &context.variables)?;
    finish_inputs(context, &mut set, flags)?;
    let targets = flags.targets(&site.installation.settings, Some(&site.target))?;
    let lock = Lock::find(&site.installation.lock_path())?;
    Ok(Inputs { set, targets, lock })
}

/// Returns the names that must keep version, local tag and index.
pub fn protected(settings: &Settings, installed: &Installed, allow_change: &[String]) -> Vec<Name> {
    let default = || {
        ["torch", "torchvision", "torchaudio", "xformers"]
            .map(str::to_owned)
            .to_vec()
    };
    let named = settings.policy.protect.clone().unwrap_or_else(default);
    let allowed: Vec<Name> = allow_change
        .iter()
        .filter_map(|text| Name::parse(text))
        .collect();
    installed
        .iter()
        .filter(|distribution| {
            distribution.version.is_local()
                || named
                    .iter()
                    .any(|text| Name::parse(text).as_ref() == Some(&distribution.name))
        })
        .map(|distribution| distribution.name.clone())
        .filter(|name| !allowed.contains(name))
        .collect()
}

/// Makes the lines that keep protected packages as they are, on the machine that has
/// them: of several targets that is the real one.
pub fn protection_lines(names: &[Name], installed: &Installed, targets: &[Target]) -> Vec<Line> {
    protection_lines_of(names.iter().filter_map(|name| installed.get(name)), targets)
}

fn protection_lines_of<'a>(
    distributions: impl Iterator<Item = &'a Distribution>,
    targets: &[Target],
) -> Vec<Line> {
    let own = match targets {
        [_] => Some(Marker::default()),
        several => several
            .iter()
            .zip(markers(several))
            .find(|(target, _)| target.is_real())
            .and_then(|(_, marker)| Marker::parse(&marker).ok()),
    };
    let Some(marker) = own else {
        return Vec::new();
    };
    distributions
        .map(|distribution| {
            let specifiers = Specifiers::exactly(&distribution.version);
            Line {
                origin: Origin::installed(distribution.name.as_str()),
                text: format!("{}{}", distribution.name, specifiers.text()),
                requirement: Requirement {
                    specifiers,
                    marker: marker.clone(),
                    ..Requirement::any(distribution.name.clone())
                },
                hashes: Vec::new(),
                editable: false,
                role: Role::Protect,
                base: Utf8PathBuf::new(),
            }
        })
        .collect()
}

/// Makes the lines that keep what portenv cannot change: what an environment sees of its
/// base, and what conda installed without saying which files it has. Names in
/// `allow_change` are installed over the base.
pub fn fixed_lines(
    installed: &Installed,
    targets: &[Target],
    allow_change: &[String],
) -> Vec<Line> {
    let allowed = |name: &Name| {
        let mut names = allow_change.iter().filter_map(|text| Name::parse(text));
        names.any(|allowed| allowed == *name)
    };
    let prefix = installed.base().map(|base| base.prefix.as_str());
    let mut lines = Vec::new();
    for found in installed.seen() {
        let owner = match prefix {
            Some(prefix) if installed.beneath(&found.name).is_some() => prefix,
            _ if found.is_fixed() => "conda",
            _ => continue,
        };
        if allowed(&found.name) {
            continue;
        }
        let held = protection_lines_of(std::iter::once(found), targets);
        lines.extend(held.into_iter().map(|mut line| {
            line.origin.file = Some(owner.to_owned());
            line
        }));
    }
    lines
}

/// Prefers what is locked, then what is installed.
pub fn preferences(lock: Option<&Lock>, installed: &Installed) -> Preferences {
    let mut preferences = Preferences::default();
    if let Some(lock) = lock {
        lock.prefer(&mut preferences);
    }
    for distribution in installed.seen() {
        let kept = Kept {
            version: distribution.version.clone(),
            metadata: Arc::new(distribution.metadata()),
        };
        preferences.add_installed(distribution.name.clone(), kept);
    }
    preferences
}

/// Locks the installation.
///
/// # Errors
///
/// Fails on bad input, if the network could not be asked, or if the lock cannot
/// be written.
pub fn run(context: &Context, request: &LockRequest) -> Result<LockOutcome, OpError> {
    let site = context.site()?;
    site.needs_core()?;
    let _held = (!request.check)
        .then(|| start(context, &site, "lock"))
        .transpose()?;
    let flags = &request.flags;
    let mut inputs = inputs(context, &site, flags)?;
    let path = site.installation.lock_path();
    let stale = check_freshness(inputs.lock.as_ref(), &inputs.set, &inputs.targets);
    if request.check {
        return Ok(LockOutcome {
            outcome: None,
            path,
            written: false,
            stale,
            problems: inputs.set.problems,
            warnings: moved(&site, inputs.lock.as_ref())?,
            old: Vec::new(),
            left_out: left_out_of(inputs.lock.as_ref()),
            subset: None,
            waivers: inputs.lock.map(|lock| lock.waivers).unwrap_or_default(),
            targets: inputs.targets,
            stats: Vec::new(),
        });
    }
    let index = open_index(context, &site, flags, &inputs.targets, BuildMode::Allow)?;
    name_lines(&mut inputs.set, &inputs.targets, &index, flags.skip_invalid)?;
    let installed = site.installed()?;
    let mut preferences = preferences(inputs.lock.as_ref(), &installed);
    forget(&mut preferences, request.upgrade, &request.upgrade_packages)?;
    let settings = &site.installation.settings;
    let mut lines = inputs.set.lines.clone();
    let is_elsewhere = |target: &Target| target.platform != site.target.platform;
    let is_for_here = !inputs.targets.iter().all(is_elsewhere);
    if is_for_here {
        lines.extend(protection_lines(
            &protected(settings, &installed, &request.allow_change),
            &installed,
            &inputs.targets,
        ));
        lines.extend(fixed_lines(
            &installed,
            &inputs.targets,
            &request.allow_change,
        ));
    }
    let old_lock = inputs.lock.as_ref();
    let mut waivers = known_waivers(&site, &inputs.set, &installed, old_lock, &inputs.targets);
    if request.best_effort.is_some() {
        waivers.retain(|waiver| waiver.reason != WaiverReason::LeftOut);
    }
    // What is chosen anew may be chosen so that it is met.
    let anew: Vec<Name> = (request.upgrade_packages.iter())
        .filter_map(|text| Name::parse(text))
        .collect();
    let (reserve, waivers): (Vec<_>, Vec<_>) = waivers.into_iter().partition(|waiver| {
        let is_anew = request.upgrade || anew.contains(&waiver.name);
        // A node is left out as a whole or not at all.
        is_anew && waiver.reason != WaiverReason::LeftOut
    });
    // The first lock brings what is merely absent; later ones keep to what it waived.
    let is_due = |waiver: &Waiver| waiver.installed.is_none() && !is_locked(old_lock);
    let (due, waivers) = waivers.into_iter().partition(is_due);
    let nodes = site.installation.enabled_nodes()?;
    let joint = Joint {
        context,
        settings,
        own: &site.target,
        flags,
        targets: &inputs.targets,
        index: &index,
        preferences,
        tolerance: Tolerance::Known,
        new: BTreeSet::new(),
        waivers,
        reserve,
        due,
        installed: &installed,
        lived_in: is_lived_in(&inputs.set.lines, &installed, old_lock),
        nodes: Some(Nodes {
            installation: &site.installation,
            placed: &nodes,
            variables: &context.variables,
        }),
        offered: &inputs.set.options,
    }
    .strictly(request.strict, Tolerance::Nothing);
    let (mut found, subset) = match request.best_effort {
        Some(limit) => best_effort(&joint, &lines, limit, request.strict)?,
        None => (joint.solve(&lines)?, None),
    };
    if let Outcome::Conflicts(conflicts) = &mut found.outcome {
        joint.find_ways_out(&lines, &found.waivers, conflicts)?;
    }
    let mut written = false;
    let mut waivers = Vec::new();
    let mut left_out = Vec::new();
    let outcome = match found.outcome {
        Outcome::Resolved(mut resolution) => {
            let mut lock = make_lock(&site, &mut resolution, &inputs.set, &[], &index)?;
            lock.set_waivers(&found.waivers, &resolution);
            if is_for_here {
                refuse_lock(&site, &installed, &lock, old_lock, &request.allow_change)?;
            }
            lock = lock.with_members(members_of(&site)?);
            written = lock.write(&path)?;
            left_out = match &subset {
                Some(subset) => subset.left_out.clone(),
                None => left_out_of(Some(&lock)),
            };
            waivers = lock.waivers;
            Outcome::Resolved(resolution)
        }
        conflicts @ Outcome::Conflicts(_) => conflicts,
    };
    let stats = index.stats().counts();
    Ok(LockOutcome {
        outcome: Some(outcome),
        path,
        written,
        stale,
        problems: inputs.set.problems,
        warnings: found.warnings,
        old: found.old,
        left_out,
        subset,
        waivers,
        targets: inputs.targets,
        stats,
    })
}

fn left_out_of(lock: Option<&Lock>) -> Vec<NodeLeftOut> {
    let left = lock.iter().flat_map(|lock| &lock.left_out);
    left.map(Into::into).collect()
}

/// Forgets preferences for what is to be chosen anew.
///
/// # Errors
///
/// Fails on a word that is no name.
pub fn forget(preferences: &mut Preferences, all: bool, names: &[String]) -> Result<(), OpError> {
    if all {
        preferences.forget_all();
    }
    for text in names {
        let name = Name::parse(text)
            .ok_or_else(|| OpError::Usage(format!("`{text}` is not a package name")))?;
        preferences.forget(&name);
    }
    Ok(())
}

/// Opens the indexes of an installation.
///
/// # Errors
///
/// Fails on an address that cannot be read.
pub fn open_index(
    context: &Context,
    site: &Site,
    flags: &ResolveFlags,
    targets: &[Target],
    build: BuildMode,
) -> Result<RemoteIndex, OpError> {
    let settings = &site.installation.settings;
    let target = targets.first().unwrap_or(&site.target);
    let builder = if flags.may_build(settings, build) {
        Some(flags.builder(
            context,
            settings,
            &[],
            site.interpreter.path.to_string(),
            target,
        )?)
    } else {
        None
    };
    // A node cannot bring an index into the resolution, so files' options stay out.
    flags.open_index(context, settings, &[], builder)
}

/// Resolves lines under an installation's settings.
///
/// # Errors
///
/// Fails if the network could not be asked.
pub fn resolve_lines(
    context: &Context,
    lines: &[Line],
    targets: &[Target],
    flags: &ResolveFlags,
    settings: &Settings,
    preferences: &Preferences,
    index: &dyn Index,
) -> Result<Outcome, OpError> {
    let options = flags.options(settings, &[], context.clock.now())?;
    context.progress.count("resolving", None, "pages");
    let outcome = resolve(&Task {
        lines,
        targets,
        options: &options,
        preferences,
        index,
        cancel: &context.cancel,
    });
    context.progress.end();
    Ok(outcome?)
}

/// Fills in digests and sizes that the index did not tell, by fetching the files.
///
/// # Errors
///
/// Fails if a file could not be had.
fn complete_hashes(resolution: &mut Resolution, index: &dyn Index) -> Result<(), OpError> {
    for file in resolution
        .packages
        .iter_mut()
        .flat_map(|package| &mut package.files)
    {
        if file.hashes.is_empty() {
            let found = index.download(file)?;
            file.hashes.insert("sha256".to_owned(), found.sha256);
            file.size = Some(found.size);
        }
    }
    Ok(())
}

/// Makes the lock of an answer: every digest known, paths as the lock has them.
///
/// # Errors
///
/// Fails if a file whose digest no index told could not be had.
pub fn make_lock(
    site: &Site,
    resolution: &mut Resolution,
    set: &RequirementSet,
    staged: &[Staged],
    index: &dyn Index,
) -> Result<Lock, OpError> {
    complete_hashes(resolution, index)?;
    let installation = &site.installation;
    let indexes = installation
        .settings
        .index
        .iter()
        .map(|index| (index.name.clone(), crate::package::redact(&index.url)))
        .collect();
    let cut_off = resolution.exclude_newer;
    let mut lock = Lock::from_resolution(resolution, set, indexes, cut_off);
    settle_paths(&mut lock, &installation.root, staged);
    Ok(lock)
}

/// Writes paths of local files as the lock has them: relative to the root, and where a
/// staged node will lie.
fn settle_paths(lock: &mut Lock, root: &Utf8Path, staged: &[Staged]) {
    for package in &mut lock.packages {
        let Source::Path { path, .. } = &mut package.source else {
            continue;
        };
        // By components, so that `./wheels` and `wheels` are one text.
        let mut settled: Utf8PathBuf = Utf8Path::new(&*path).components().collect();
        for node in staged {
            if let Ok(rest) = settled.strip_prefix(&node.path) {
                settled = root.join(&node.node.dir).join(rest);
            }
        }
        *path = crate::requirements::origin::show_path(root, &settled);
    }
}
