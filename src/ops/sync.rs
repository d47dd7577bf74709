//! `sync`: make the environment equal the lock; with `all` nodes and ComfyUI too.

use super::assemble::{Assembly, assemble};
use super::bring::check_still;
use super::changes::{ChangeInfo, Difference};
use super::context::{Context, Site};
use super::error::OpError;
use super::inputs::ResolveFlags;
use super::lock::inputs;
use super::outcome::{Applied, AppliedStatus, Consent, plan_basis, plan_digest};
use super::packages::{PackageGoal, check_applicable};
use super::preview::brought;
use super::rebuild;
use super::restore_nodes::refuse_dirty;
use super::transaction::{Transaction, scratch_dir, start};
use crate::lock::{Lock, check_freshness};
use crate::plan::Removal;

/// How to sync.
#[derive(Debug, Clone, Copy, Default)]
pub struct SyncRequest {
    /// Nodes and ComfyUI too become what the lock names.
    pub all: bool,
    /// Remove what the lock does not name, seeds excepted.
    pub prune: bool,
    /// Only show the plan.
    pub dry_run: bool,
}

/// Makes the environment equal the lock. `tell` hears what that would change before
/// anybody is asked.
///
/// # Errors
///
/// Fails without a lock or consent, or if it could not be applied.
pub fn run(
    context: &Context,
    request: SyncRequest,
    command: &str,
    consent: &Consent<'_>,
    tell: &dyn Fn(&Applied),
) -> Result<Applied, OpError> {
    let site = context.site()?;
    let held = (!request.dry_run)
        .then(|| start(context, &site, "sync"))
        .transpose()?;
    let path = site.installation.lock_path();
    let lock = Lock::find_on(&path, &site.target)?
        .ok_or_else(|| OpError::NotFound(format!("there is no lock at `{path}`")))?;
    check_target(&lock, &site.target)?;
    let removal = if request.prune {
        Removal::Others
    } else {
        brought(&site, Some(&lock))?
    };
    let goal = PackageGoal::of_lock(&lock, &site.target, &site.installation.root, removal);
    let installed = site.installed()?;
    let steps = goal.plan(&installed);
    let mut changes = ChangeInfo::all(&steps);
    rebuild::mark_for_lock(&mut changes, &installed, &lock, &site.target);
    let extra: Vec<String> = steps
        .extra
        .iter()
        .filter(|name| !crate::environment::installed::SEEDS.contains(&name.as_str()))
        .filter_map(|name| installed.get(name))
        .map(|distribution| format!("{} {}", distribution.name, distribution.version))
        .collect();
    let mut warnings = rebuild::warnings(&changes);
    let assembly = if request.all {
        Some(assemble(&site, &lock, request.prune)?)
    } else {
        None
    };
    let assembly = assembly.as_ref();
    warnings.extend(assembly.into_iter().flat_map(|it| it.warnings.clone()));
    let moves = assembly.filter(|assembly| !assembly.is_empty());
    // What nodes ask for that are still to come is in none of their files yet.
    if moves.is_none() && is_stale(context, &site, &lock) {
        warnings.push((
            "stale",
            "the lock is stale, and this goes by it as it is; portenv lock brings it up to date"
                .to_owned(),
        ));
    }
    if !extra.is_empty() {
        warnings.push((
            "extra",
            format!("not in the lock, and left alone: {}", extra.join(", ")),
        ));
    }
    let shown: Vec<String> = changes
        .iter()
        .map(|change| format!("{} {:?} {:?}", change.name, change.from, change.to))
        .collect();
    let plan = plan_digest(&[
        &plan_basis(&site, &installed)?,
        &shown.join("\n"),
        &lock.to_toml(),
        &moves.map_or_else(String::new, Assembly::shown),
    ]);
    // A plan that was named is done as it was, or not at all.
    let named = consent.plan.filter(|_| !request.dry_run);
    if named.is_some_and(|named| named != plan) {
        return Err(OpError::PlanStale);
    }
    let difference = moves.map_or_else(Difference::default, |it| it.difference.clone());
    let planned = Applied {
        nodes: difference.nodes.clone(),
        core: difference.core.clone(),
        changes,
        ..Applied::still(AppliedStatus::DryRun)
    };
    let held = match held {
        Some(held) if !planned.changes.is_empty() || moves.is_some() => held,
        held => {
            let is_due = !planned.changes.is_empty() || moves.is_some();
            let status = if held.is_none() && is_due {
                AppliedStatus::DryRun
            } else {
                AppliedStatus::Nothing
            };
            return Ok(Applied {
                plan: (status == AppliedStatus::DryRun).then_some(plan),
                status,
                warnings,
                ..planned
            });
        }
    };
    refuse_dirty(&difference)?;
    check_applicable(&site, &goal, &installed)?;
    let ask = |_: &[_], _: &[_]| {
        tell(&planned);
        (consent.ask)(&[], &[])
    };
    Consent {
        ask: &ask,
        ..*consent
    }
    .get(&plan, &planned.changes, &planned.nodes)?;
    let transaction = Transaction::prepare(context, &site, held)?;
    let all = difference.nodes.iter().chain(&difference.core);
    check_still(&transaction.before, all)?;
    let (_guard, scratch) = scratch_dir(&site)?;
    let finished = transaction.run(|change| {
        change.open("sync", command)?;
        if let Some(assembly) = moves {
            assembly.put(change, &scratch)?;
        }
        context.check_cancel()?;
        change.packages(&goal)?;
        if let Some(assembly) = moves {
            assembly.prove(&site)?;
        }
        change.finish(Some(&lock), None, None)
    })?;
    Ok(Applied {
        warnings,
        ..Applied::done(finished)
    })
}

/// Reports whether requirements are others by now than those that the lock answers. One
/// that cannot be read is no reason not to install what is locked.
fn is_stale(context: &Context, site: &Site, lock: &Lock) -> bool {
    let flags = ResolveFlags {
        skip_invalid: true,
        ..ResolveFlags::default()
    };
    // Without the core's lines every lock would look stale.
    let inputs = site
        .needs_core()
        .and_then(|()| inputs(context, site, &flags));
    inputs.is_ok_and(|inputs| !check_freshness(Some(lock), &inputs.set, &inputs.targets).is_empty())
}

/// A lock for other machines must not be installed here.
///
/// # Errors
///
/// Fails if no environment of the lock is this one.
pub fn check_target(lock: &Lock, target: &crate::package::Target) -> Result<(), OpError> {
    let fits = lock.environments.is_empty()
        || lock.environments.iter().any(|text| {
            crate::package::Marker::parse(text)
                .is_ok_and(|marker| marker.holds(target.environment()))
        });
    if fits {
        Ok(())
    } else {
        Err(OpError::Refused(format!(
            "the lock was made for {}, but this is {target}; run portenv lock",
            lock.targets.join(", ")
        )))
    }
}
