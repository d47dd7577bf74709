//! `add`: preview, consent, then one operation: checkout, lock, sync, snapshot.

use super::changes::{NodeChange, NodeChangeKind};
use super::context::Context;
use super::error::OpError;
use super::outcome::{Applied, Consent};
use super::packages::PackageGoal;
use super::preview::{Preview, PreviewRequest, PreviewStatus, brought, preview_in};
use super::transaction::{Transaction, scratch_dir, start};
use crate::host::fs;
use crate::lock::Lock;
use crate::nodes::trash::free_place;

/// What `add` came to.
pub enum AddOutcome {
    /// It was done.
    Done(Box<Applied>),
    /// It cannot be: conflict or block.
    No(Box<Preview>),
}

/// Adds nodes, or puts newer ones in place of those of the same name.
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
) -> Result<AddOutcome, OpError> {
    let site = context.site()?;
    let held = start(context, &site, "add")?;
    let (_guard, scratch) = scratch_dir(&site)?;
    let preview = preview_in(context, &site, request, &scratch)?;
    let (PreviewStatus::Ok, Some(lock)) = (preview.status, preview.lock.as_ref()) else {
        return Ok(AddOutcome::No(Box::new(preview)));
    };
    let here = site.installation.nodes()?;
    let mut nodes = Vec::new();
    for staged in &preview.staged {
        let known = here.iter().find(|node| node.dir == staged.node.dir);
        if let Some(known) = known
            && known.dirty
        {
            return Err(OpError::Dirty(known.dir.clone()));
        }
        let kind = if known.is_some() {
            NodeChangeKind::Update
        } else {
            NodeChangeKind::Add
        };
        nodes.push(NodeChange {
            dir: staged.node.dir.clone(),
            kind,
            from: known.cloned(),
            to: Some(staged.node.clone()),
        });
    }
    consent.get(&preview.plan, &preview.changes, &nodes)?;
    let transaction = Transaction::prepare(context, &site, held)?;
    let old_lock = Lock::find(&site.installation.lock_path())?;
    let goal = PackageGoal::of_lock(
        lock,
        &site.target,
        &site.installation.root,
        brought(&site, old_lock.as_ref())?,
    );
    let finished = transaction.run(|change| {
        change.open("add", command)?;
        let stamp = context.clock.now().to_string();
        for staged in &preview.staged {
            if fs::exists(&site.installation.root.join(&staged.node.dir)) {
                let place = free_place(
                    &site.installation.own_dir().join("trash"),
                    &staged.name,
                    &stamp,
                );
                change.move_path(&staged.node.dir, &format!(".portenv/trash/{place}"))?;
            }
            let from = staged
                .path
                .strip_prefix(&site.installation.root)
                .unwrap_or(&staged.path);
            change.move_path(from.as_str(), &staged.node.dir)?;
        }
        context.check_cancel()?;
        change.packages(&goal)?;
        change.write_lock(Some(&lock.to_toml()))?;
        change.finish(Some(lock), None, None)
    })?;
    let mut applied = Applied::done(finished);
    applied.conflicts = preview.conflicts;
    applied.waivers = preview.waivers;
    Ok(AddOutcome::Done(Box::new(applied)))
}
