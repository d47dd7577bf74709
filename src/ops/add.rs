//! `add`: preview, consent, then one operation: checkout, sync, `install.py` if that was
//! asked for, lock, snapshot.

use super::changes::{NodeChange, NodeChangeKind};
use super::context::Context;
use super::error::OpError;
use super::install_script::run_all;
use super::members::write_lock;
use super::outcome::{Applied, Consent};
use super::packages::check_applicable;
use super::preview::{Preview, PreviewRequest, PreviewStatus, goal_of, preview_in};
use super::transaction::{Transaction, scratch_dir, start};
use crate::host::fs;
use crate::lock::Lock;
use crate::nodes::Staged;
use crate::workspace::node::Node;

/// What `add` came to.
pub enum AddOutcome {
    /// It was done.
    Done(Box<Applied>),
    /// It cannot be: conflict or block, and the nodes that would have changed.
    No(Box<Preview>, Vec<NodeChange>),
}

/// Adds nodes, or puts newer ones in place of those of the same name. `tell` hears what
/// that would change before anybody is asked.
///
/// # Errors
///
/// Fails on bad input, without consent, or if it could not be applied; the state
/// before then stands or was put back.
pub fn run(
    context: &Context,
    request: &PreviewRequest,
    command: &str,
    consent: &Consent<'_>,
    tell: &dyn Fn(&Preview),
) -> Result<AddOutcome, OpError> {
    let site = context.site()?;
    let held = start(context, &site, "add")?;
    let (_guard, scratch) = scratch_dir(&site)?;
    let preview = preview_in(context, &site, request, &scratch)?;
    let nodes = changes_of(&site.installation.nodes()?, &preview.staged);
    let (PreviewStatus::Ok, Some(lock)) = (preview.status, preview.lock.as_ref()) else {
        return Ok(AddOutcome::No(Box::new(preview), nodes));
    };
    let mut known = nodes.iter().filter_map(|node| node.from.as_ref());
    if let Some(dirty) = known.find(|node| node.dirty) {
        return Err(OpError::Dirty(dirty.dir.clone()));
    }
    let old_lock = Lock::find(&site.installation.lock_path())?;
    let goal = goal_of(&site, lock, old_lock.as_ref())?;
    check_applicable(&site, &goal, &site.installed()?)?;
    let ask = |_: &[_], _: &[_]| {
        tell(&preview);
        (consent.ask)(&[], &[])
    };
    let asking = Consent {
        ask: &ask,
        ..*consent
    };
    asking.get(&preview.plan, &preview.changes, &nodes)?;
    let transaction = Transaction::prepare(context, &site, held)?;
    let mut told = Vec::new();
    let finished = transaction.run(|change| {
        change.open("add", command)?;
        let stamp = context.clock.now().to_string();
        for staged in &preview.staged {
            if fs::exists(&site.installation.root.join(&staged.node.dir)) {
                change.throw_away(&staged.node.dir, &stamp)?;
            }
            let from = staged
                .path
                .strip_prefix(&site.installation.root)
                .unwrap_or(&staged.path);
            change.move_path(from.as_str(), &staged.node.dir)?;
        }
        context.check_cancel()?;
        change.packages(&goal)?;
        if let Some(limit) = request.scripts {
            let nodes = preview.staged.iter().map(|staged| &staged.node);
            told = run_all(change, nodes, &goal, limit)?;
        }
        write_lock(change, lock)?;
        change.finish(Some(lock), None, None)
    })?;
    let mut applied = Applied::done(finished);
    applied.conflicts = preview.conflicts;
    applied.waivers = preview.waivers;
    applied.warnings = told;
    Ok(AddOutcome::Done(Box::new(applied)))
}

/// What happens to the nodes that are here when the staged ones come.
fn changes_of(here: &[Node], staged: &[Staged]) -> Vec<NodeChange> {
    let change = |new: &Staged| {
        let known = here.iter().find(|node| node.dir == new.node.dir);
        NodeChange {
            dir: new.node.dir.clone(),
            kind: if known.is_some() {
                NodeChangeKind::Update
            } else {
                NodeChangeKind::Add
            },
            from: known.cloned(),
            to: Some(new.node.clone()),
        }
    };
    staged.iter().map(change).collect()
}
