//! `recover`: puts back what an interrupted operation left.

use super::context::Context;
use super::error::OpError;
use super::outcome::{Applied, AppliedStatus};
use super::transaction::{heal, take_lock};
use crate::snapshot::Db;

/// Undoes an interrupted operation, if there is one.
///
/// # Errors
///
/// Fails if it cannot be undone whole.
pub fn run(context: &Context) -> Result<Applied, OpError> {
    let site = context.site()?;
    let own = site.installation.own_dir();
    let open = Db::find(&own)?
        .map(|db| db.open_operation())
        .transpose()?
        .flatten();
    let Some(operation) = open else {
        return Ok(Applied::still(AppliedStatus::Nothing));
    };
    let held = take_lock(context, &site, "recover")?;
    let mut db = Db::open(&own)?;
    if !heal(context, &site, &mut db, &held)? {
        // Another run ended it while this one waited.
        return Ok(Applied::still(AppliedStatus::Nothing));
    }
    let head = db.head()?.map(|head| head.id);
    Ok(Applied {
        operation: Some(operation.number),
        before: operation.parent,
        after: head,
        ..Applied::still(AppliedStatus::Undone)
    })
}
