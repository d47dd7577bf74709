//! `rollback`: back to a recorded state, packages, nodes and core, as one more
//! operation.

use std::collections::BTreeMap;

use super::changes::{ChangeInfo, Difference, NodeChange};
use super::context::{Context, Site};
use super::damage::find_damage;
use super::error::OpError;
use super::outcome::{Applied, AppliedStatus, Consent, plan_basis, plan_digest};
use super::packages::{PackageGoal, check_applicable};
use super::rebuild;
use super::restore_nodes::{
    Places, difference, fetch_nodes, lost_edits, needs_no_network, origins, places_of, prove_nodes,
    refuse_dirty, refuse_lost, restore_node,
};
use super::supply::{Supply, check_supplies, find_supplies};
use super::transaction::{LOCK_WRITTEN, Transaction, scratch_dir, start};
use crate::environment::Installed;
use crate::lock::Lock;
use crate::package::Name;
use crate::snapshot::{
    BISECT, BISECTED, Db, REDO, Resolved, Snapshot, State, UNDO, Walk, find_snapshot,
};

/// Which parts go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parts {
    /// All.
    #[default]
    All,
    /// Packages.
    Packages,
    /// Nodes.
    Nodes,
    /// The core.
    Core,
}

/// Where to go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Destination {
    /// Back over the newest change, whoever made it.
    #[default]
    Before,
    /// To a snapshot, by what a person typed.
    Named(String),
    /// One operation back on the line that undo and redo walk.
    Undo,
    /// One operation forward on it.
    Redo,
    /// To a snapshot, to try something out there.
    Bisect(String),
    /// Back from there to where it began, even if nothing differs: that ends it.
    Bisected(String),
}

impl Destination {
    /// Returns the kind of the operation that goes there: the word that the user types.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Before | Self::Named(_) => "rollback",
            Self::Undo => UNDO,
            Self::Redo => REDO,
            Self::Bisect(_) => BISECT,
            Self::Bisected(_) => BISECTED,
        }
    }
}

/// How to roll back.
#[derive(Debug, Clone, Default)]
pub struct RollbackRequest {
    /// Where to.
    pub to: Destination,
    /// Which parts.
    pub parts: Parts,
    /// Only show the plan.
    pub dry_run: bool,
    /// Put changed files of checkouts that are in the way aside, under a name.
    pub stash: bool,
}

/// Finds a snapshot by what a person typed.
///
/// # Errors
///
/// Fails if there is none or several.
pub fn find<'s>(snapshots: &'s [Snapshot], name: &str) -> Result<&'s Snapshot, OpError> {
    match find_snapshot(snapshots, name) {
        Resolved::One(snapshot) => Ok(snapshot),
        Resolved::Ambiguous(ids) => Err(OpError::Ambiguous {
            name: name.to_owned(),
            ids: ids.into_iter().map(str::to_owned).collect(),
        }),
        Resolved::None => Err(OpError::NotFound(format!(
            "there is no snapshot `{name}`; portenv snapshot list shows them"
        ))),
    }
}

/// Goes to a snapshot: back or forward. `tell` hears of the operation that is undone or
/// done again, before anything is asked.
///
/// # Errors
///
/// Fails if there is nothing to go back to, a checkout has changed files, without
/// consent, or if it could not be applied.
pub fn run(
    context: &Context,
    request: &RollbackRequest,
    command: &str,
    consent: &Consent<'_>,
    tell: &dyn Fn(&str),
) -> Result<Applied, OpError> {
    let site = context.site()?;
    let kind = request.to.kind();
    if request.dry_run {
        let mut aim = aim(context, &site, request)?;
        if let Some(over) = &aim.over {
            tell(over);
        }
        let installed = site.installed()?;
        let mut goal = PackageGoal::of_state(&aim.wanted, &site.installation.own_dir());
        let mut damage = find_damage(context, &site, &mut goal, &installed)?;
        let mut supplies = find_supplies(context, &site, &mut goal, &installed)?;
        damage.leave(&mut goal, &mut supplies);
        aim.difference.changes = changes_of(&goal, &installed, &supplies);
        mark_broken(&site, &aim.wanted, &mut aim.difference.changes)?;
        let still = aim.difference.is_of_base() && aim.wanted.lock == aim.now.lock;
        let status = if still && damage.is_empty() {
            AppliedStatus::Nothing
        } else {
            AppliedStatus::DryRun
        };
        let plan = plan_of(&site, &aim.now, &aim.target, request.parts)?;
        return Ok(Applied {
            plan: (status == AppliedStatus::DryRun).then_some(plan),
            warnings: damage
                .warnings()
                .into_iter()
                .chain(warnings(&aim.difference))
                .collect(),
            node_origins: origins(&site, &aim.difference, &aim.places),
            changes: aim.difference.changes,
            nodes: aim.difference.nodes,
            ..Applied::still(status)
        });
    }
    // Nothing is written for a name that means nothing.
    let known = match Db::find(&site.installation.own_dir())? {
        Some(db) => db.snapshots()?,
        None => Vec::new(),
    };
    if known.is_empty() {
        return Err(no_history());
    }
    if let Destination::Named(name) = &request.to {
        find(&known, name)?;
    }
    let held = start(context, &site, kind)?;
    let Aim {
        target,
        over,
        now,
        wanted,
        places,
        difference,
    } = aim(context, &site, request)?;
    if let Some(over) = &over {
        tell(over);
    }
    let plan = plan_of(&site, &now, &target, request.parts)?;
    // A plan that was named is done as it was, or not at all.
    if consent.plan.is_some_and(|named| named != plan) {
        return Err(OpError::PlanStale);
    }
    let mut warnings = base_warnings(&difference);
    warnings.extend(lost_edits(&difference));
    let mut goal = PackageGoal::of_state(&wanted, &site.installation.own_dir());
    let installed = site.installed()?;
    let mut damage = find_damage(context, &site, &mut goal, &installed)?;
    let mut supplies = find_supplies(context, &site, &mut goal, &installed)?;
    damage.leave(&mut goal, &mut supplies);
    warnings.extend(damage.warnings());
    let ends = matches!(request.to, Destination::Bisected(_));
    if difference.is_of_base() && wanted.lock == now.lock && !ends && damage.is_empty() {
        return Ok(Applied {
            warnings,
            ..Applied::still(AppliedStatus::Nothing)
        });
    }
    if wanted.python != now.python {
        return Err(OpError::PythonMismatch {
            recorded: wanted.python,
            found: now.python,
        });
    }
    if !request.stash {
        refuse_dirty(&difference)?;
    }
    refuse_foreign_core(&difference)?;
    refuse_lost(&site, &difference, &places)?;
    check_applicable(&site, &goal, &installed)?;
    check_supplies(&goal, &supplies)?;
    let mut changes = changes_of(&goal, &installed, &supplies);
    mark_broken(&site, &wanted, &mut changes)?;
    warnings.extend(rebuild::warnings(&changes));
    consent.get(&plan, &changes, &difference.nodes)?;
    // Drift is recorded only now that there will be a change.
    let mut transaction = Transaction::prepare(context, &site, held)?;
    if !Difference::between(&now, &transaction.before).is_empty() {
        return Err(OpError::PlanStale);
    }
    let lock = wanted
        .lock
        .as_deref()
        .and_then(|text| Lock::parse(text, camino::Utf8Path::new("pylock.toml")).ok());
    let (_guard, scratch) = scratch_dir(&site)?;
    transaction.open(kind, command)?;
    let node_origins = origins(&site, &difference, &places);
    let mut stashed = Vec::new();
    let finished = transaction.run(|change| {
        // Everything that may need the network comes before the first change.
        let fetched = fetch_nodes(context, &site, &difference, &places, &scratch)?;
        for (node, from) in difference.nodes.iter().zip(&fetched) {
            stashed.extend(restore_node(change, node, from.as_deref())?);
        }
        if let Some(NodeChange { to: Some(core), .. }) = &difference.core
            && let Some(commit) = &core.commit
        {
            if now.core.as_ref().is_some_and(|core| core.dirty) {
                stashed.extend(change.stash(&core.dir)?);
            }
            needs_no_network(context, &site, core)?;
            change.checkout(&core.dir, commit)?;
        }
        context.check_cancel()?;
        change.packages(&goal)?;
        if wanted.lock != change.before.lock {
            change.write_lock(wanted.lock.as_deref())?;
        }
        prove_nodes(&site, &wanted, &difference)?;
        change.finish(lock.as_ref(), Some(&wanted), Some(&target.id))
    })?;
    warnings.extend(stashed.into_iter().map(|text| ("stashed", text)));
    Ok(Applied {
        node_origins,
        warnings,
        ..Applied::done(finished)
    })
}

/// Makes the views of what a goal changes, each with where it comes from.
fn changes_of(
    goal: &PackageGoal,
    installed: &Installed,
    supplies: &BTreeMap<Name, Supply>,
) -> Vec<ChangeInfo> {
    let mut changes = ChangeInfo::all(&goal.plan(installed));
    for change in &mut changes {
        change.supply = supplies.get(&change.name).copied();
    }
    changes
}

/// Marks what would not work with the torch to come.
fn mark_broken(site: &Site, wanted: &State, changes: &mut Vec<ChangeInfo>) -> Result<(), OpError> {
    match Db::find(&site.installation.own_dir())? {
        Some(db) => rebuild::mark_for_state(changes, &site.installed()?, wanted, &db),
        None => Ok(()),
    }
}

/// Says what a plan leaves in need of a rebuild, and what it cannot bring back.
fn warnings(difference: &Difference) -> Vec<(&'static str, String)> {
    let mut all = rebuild::warnings(&difference.changes);
    all.extend(base_warnings(difference));
    all.extend(lost_edits(difference));
    all
}

/// Says what of the base beneath is not as it was: no rollback brings that back.
fn base_warnings(difference: &Difference) -> Vec<(&'static str, String)> {
    if difference.base.is_empty() {
        return Vec::new();
    }
    let version = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
    let shown: Vec<String> = (difference.base.iter().take(8))
        .map(|change| {
            let (now, then) = (version(&change.from), version(&change.to));
            format!("{} {now} (then {then})", change.name)
        })
        .collect();
    let text = format!(
        "the base beneath the environment is read-only and stays as it is: {}",
        shown.join(", ")
    );
    vec![("base", text)]
}

fn plan_of(site: &Site, now: &State, to: &Snapshot, parts: Parts) -> Result<String, OpError> {
    let basis = plan_basis(site, &site.installed()?)?;
    Ok(plan_digest(&[
        &basis,
        &now.digest(),
        &to.id,
        &format!("{parts:?}"),
    ]))
}

/// Where a rollback goes, worked out without writing anything.
struct Aim {
    target: Snapshot,
    /// What is undone or done again.
    over: Option<String>,
    now: State,
    wanted: State,
    places: Places,
    difference: Difference,
}

fn aim(context: &Context, site: &Site, request: &RollbackRequest) -> Result<Aim, OpError> {
    let db = Db::find(&site.installation.own_dir())?.ok_or_else(no_history)?;
    let snapshots = db.snapshots()?;
    let head = snapshots.first().ok_or_else(no_history)?;
    let now = super::status::present(context, site, &db)?;
    let newest = db.state_of(head)?;
    let by_others = !Difference::between(&newest, &now).is_of_base();
    let drifted = by_others || newest.lock != now.lock;
    let at = |target: &Snapshot| {
        let wanted = narrowed(&db.state_of(target)?, &now, request.parts);
        let places = places_of(site, &db, target, &wanted)?;
        let difference = difference(&now, &wanted, &places);
        Ok(Aim {
            target: target.clone(),
            over: None,
            now: now.clone(),
            wanted,
            places,
            difference,
        })
    };
    let (stops, over): (Vec<&Snapshot>, _) = match &request.to {
        Destination::Before => {
            let back = if drifted { "@" } else { "@~1" };
            return at(find(&snapshots, back)?);
        }
        Destination::Named(name) | Destination::Bisect(name) | Destination::Bisected(name) => {
            return at(find(&snapshots, name)?);
        }
        Destination::Undo => {
            let walk = Walk::of(&snapshots);
            let over = match walk.at() {
                Some(at) if !drifted => at.operation.command.clone(),
                _ if by_others => "changes made by others".to_owned(),
                _ => LOCK_WRITTEN.to_owned(),
            };
            (walk.back(drifted).collect(), Some(over))
        }
        Destination::Redo => (Walk::of(&snapshots).ahead(drifted).collect(), None),
    };
    // A step that leads to what is there already would be none: it goes one further.
    for stop in stops {
        let found = at(stop)?;
        if !found.difference.is_of_base() || found.wanted.lock != now.lock {
            let over = over.unwrap_or_else(|| stop.operation.command.clone());
            return Ok(Aim {
                over: Some(over),
                ..found
            });
        }
    }
    Err(no_step(&request.to, drifted))
}

/// There is no row before the first snapshot and none after the last: a sentence ends the
/// walk either way.
fn no_step(to: &Destination, drifted: bool) -> OpError {
    OpError::Refused(
        match to {
            Destination::Redo if drifted => {
                "there is nothing to redo: something was changed since the last undo"
            }
            Destination::Redo => {
                "there is nothing to redo: nothing was undone since the last change"
            }
            _ => "there is nothing to undo: this is where the history begins",
        }
        .to_owned(),
    )
}

pub(super) fn no_history() -> OpError {
    OpError::NotFound("there is no snapshot yet; portenv init records the first".to_owned())
}

/// Takes only the wanted parts from the recorded state.
fn narrowed(recorded: &State, now: &State, parts: Parts) -> State {
    let mut state = now.clone();
    if matches!(parts, Parts::All | Parts::Packages) {
        state.packages.clone_from(&recorded.packages);
        state.lock.clone_from(&recorded.lock);
        state.python.clone_from(&recorded.python);
        state.base.clone_from(&recorded.base);
    }
    if matches!(parts, Parts::All | Parts::Nodes) {
        state.nodes.clone_from(&recorded.nodes);
    }
    if matches!(parts, Parts::All | Parts::Core) {
        state.core.clone_from(&recorded.core);
    }
    state
}

/// A core that another program owns is recorded and never changed, and one without
/// history cannot be taken back.
fn refuse_foreign_core(difference: &Difference) -> Result<(), OpError> {
    let Some(NodeChange { to: Some(core), .. }) = &difference.core else {
        return Ok(());
    };
    if core.commit.is_some() && !camino::Utf8Path::new(&core.dir).is_absolute() {
        return Ok(());
    }
    Err(OpError::Refused(format!(
        "ComfyUI itself at `{}` is not ours to take back; name the parts that are with --only",
        core.dir
    )))
}
