//! `remove`: nodes to the trash, and what only they asked for out of the
//! environment.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;

use super::changes::{ChangeInfo, NodeChange, NodeChangeKind};
use super::context::Context;
use super::error::OpError;
use super::graph::no_node;
use super::inputs::{ResolveFlags, finish_inputs, name_lines};
use super::joint::{Joint, Tolerance, is_lived_in, known_waivers};
use super::lock::{fixed_lines, make_lock, open_index, preferences, protected, protection_lines};
use super::members::write_lock;
use super::outcome::{Applied, Consent, plan_basis, plan_digest};
use super::packages::check_applicable;
use super::preview::goal_of;
use super::rebuild::mark_for_lock;
use super::transaction::{Transaction, start};
use crate::lock::Lock;
use crate::nodes::select::{Selected, select};
use crate::requirements::Line;
use crate::requirements::set::gather_with;
use crate::resolve::{Conflict, Outcome};
use crate::workspace::node::Node;
use crate::workspace::settings::BuildMode;

/// What `remove` came to.
pub enum RemoveOutcome {
    /// It was done.
    Done(Box<Applied>),
    /// What is left has no answer.
    No(Vec<Conflict>),
}

/// Removes nodes by name or directory.
///
/// # Errors
///
/// Fails if a node is not there, without consent, or if it could not be applied.
pub fn run(
    context: &Context,
    names: &[String],
    flags: &ResolveFlags,
    command: &str,
    consent: &Consent<'_>,
) -> Result<RemoveOutcome, OpError> {
    let site = context.site()?;
    let held = start(context, &site, "remove")?;
    site.needs_core()?;
    let here = site.installation.nodes()?;
    let mut going: Vec<Node> = Vec::new();
    for name in names {
        // What is loaded is meant before what is not.
        let found = match select(&here, name, |node| node.enabled) {
            Selected::None => select(&here, name, |node| !node.enabled),
            found => found,
        };
        let node = match found {
            Selected::One(node) => node,
            Selected::Several(ids) => {
                return Err(OpError::Ambiguous {
                    name: name.clone(),
                    ids,
                });
            }
            Selected::None => return Err(no_node(name, &here)),
        };
        if node.dirty {
            return Err(OpError::Dirty(node.dir.clone()));
        }
        if !going.contains(node) {
            going.push(node.clone());
        }
    }
    let staying: Vec<(Node, Utf8PathBuf)> = here
        .into_iter()
        .filter(|node| node.enabled && !going.contains(node))
        .map(|node| {
            let path = site.installation.root.join(&node.dir);
            (node, path)
        })
        .collect();
    let mut set = gather_with(&site.installation, &staying, &context.variables);
    finish_inputs(context, &mut set, flags)?;
    let installed = site.installed()?;
    let old_lock = Lock::find(&site.installation.lock_path())?;
    let targets = flags.targets(&site.installation.settings, Some(&site.target))?;
    let index = open_index(context, &site, flags, &targets, BuildMode::Allow)?;
    name_lines(&mut set, &targets, &index, flags.skip_invalid)?;
    let protections = protection_lines(
        &protected(&site.installation.settings, &installed, &[]),
        &installed,
        &targets,
    );
    let fixed = fixed_lines(&installed, &targets, &[]);
    let lines: Vec<Line> = (set.lines.iter())
        .chain(&protections)
        .chain(&fixed)
        .cloned()
        .collect();
    let old = old_lock.as_ref();
    // Taking a node out breaks nothing anew: what contradicts did so before.
    let found = Joint {
        context,
        settings: &site.installation.settings,
        own: &site.target,
        flags,
        targets: &targets,
        index: &index,
        preferences: preferences(old, &installed),
        tolerance: Tolerance::Old,
        new: BTreeSet::new(),
        waivers: known_waivers(&site, &set, &installed, old, &targets),
        reserve: Vec::new(),
        due: Vec::new(),
        installed: &installed,
        lived_in: is_lived_in(&set.lines, &installed, old),
        nodes: None,
        offered: &[],
    }
    .solve(&lines)?;
    let conflicts = found.old;
    let mut resolution = match found.outcome {
        Outcome::Resolved(resolution) => resolution,
        Outcome::Conflicts(conflicts) => return Ok(RemoveOutcome::No(conflicts)),
    };
    let mut lock = make_lock(&site, &mut resolution, &set, &[], &index)?;
    lock.set_waivers(&found.waivers, &resolution);
    let goal = goal_of(&site, &lock, old)?;
    let mut changes = ChangeInfo::all(&goal.plan(&installed));
    mark_for_lock(&mut changes, &installed, &lock, &site.target);
    let nodes: Vec<NodeChange> = going
        .iter()
        .map(|node| NodeChange {
            dir: node.dir.clone(),
            kind: NodeChangeKind::Remove,
            from: Some(node.clone()),
            to: None,
        })
        .collect();
    check_applicable(&site, &goal, &installed)?;
    let dirs: Vec<&str> = going.iter().map(|node| node.dir.as_str()).collect();
    consent.get(
        &plan_digest(&[
            &plan_basis(&site, &installed)?,
            &dirs.join(" "),
            &lock.to_toml(),
        ]),
        &changes,
        &nodes,
    )?;
    let finished = Transaction::prepare(context, &site, held)?.run(|change| {
        change.open("remove", command)?;
        let stamp = context.clock.now().to_string();
        for node in &going {
            change.throw_away(&node.dir, &stamp)?;
        }
        context.check_cancel()?;
        change.packages(&goal)?;
        write_lock(change, &lock)?;
        change.finish(Some(&lock), None, None)
    })?;
    let mut applied = Applied::done(finished);
    applied.conflicts = conflicts;
    applied.waivers = lock.waivers;
    Ok(RemoveOutcome::Done(Box::new(applied)))
}
