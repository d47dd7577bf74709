//! `recover`: puts back what an interrupted operation or bisect left.

use super::bisect;
use super::context::Context;
use super::error::OpError;
use super::outcome::{Applied, AppliedStatus};
use super::transaction::{heal_operation, take_lock};
use crate::snapshot::Db;

/// Undoes an interrupted operation, if there is one, and goes back to where an
/// interrupted bisect began.
///
/// # Errors
///
/// Fails if it cannot be undone whole.
pub fn run(context: &Context, command: &str) -> Result<Applied, OpError> {
    let healed = heal_one(context)?;
    Ok(match bisect::end(context, command)? {
        Some(applied) => Applied {
            status: AppliedStatus::Undone,
            ..applied
        },
        None => healed,
    })
}

fn heal_one(context: &Context) -> Result<Applied, OpError> {
    let site = context.site()?;
    let own = site.installation.own_dir();
    let open = Db::find(&own)?
        .map(|db| db.unfinished_operation())
        .transpose()?
        .flatten();
    let Some(operation) = open else {
        return Ok(Applied::still(AppliedStatus::Nothing));
    };
    let held = take_lock(context, &site, "recover")?;
    let mut db = Db::open(&own)?;
    // Another run may have ended it while this one waited.
    let still = db.unfinished_operation()?;
    if still.is_none_or(|still| still.number != operation.number) {
        return Ok(Applied::still(AppliedStatus::Nothing));
    }
    heal_operation(context, &site, &mut db, &held, &operation)?;
    let head = db.head()?.map(|head| head.id);
    Ok(Applied {
        operation: Some(operation.number),
        before: operation.parent,
        after: head,
        ..Applied::still(AppliedStatus::Undone)
    })
}
