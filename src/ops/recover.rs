//! `recover`: puts back what an interrupted operation or bisect left.

use super::bisect;
use super::context::Context;
use super::error::OpError;
use super::outcome::{Applied, AppliedStatus};
use super::transaction::{heal_operation, record_present};
use super::turn::take_lock;
use crate::requirements::origin::show_path;
use crate::snapshot::Db;
use crate::snapshot::salvage::salvage;

/// The label of the snapshot that is taken once a damaged history was rebuilt.
const REBUILT: &str = "rebuilt";

/// Rebuilds a damaged history, undoes an interrupted operation, if there is one, and goes back to where an
/// interrupted bisect began.
///
/// # Errors
///
/// Fails if it cannot be undone whole.
pub fn run(context: &Context, command: &str) -> Result<Applied, OpError> {
    let rebuilt = rebuild(context)?;
    let mut healed = heal_one(context)?;
    if let Some(words) = rebuilt {
        if healed.status == AppliedStatus::Nothing {
            healed.status = AppliedStatus::Done;
        }
        healed.warnings.push(("rebuilt", words));
    }
    Ok(match bisect::end(context, command)? {
        Some(applied) => Applied {
            status: AppliedStatus::Undone,
            warnings: [healed.warnings, applied.warnings].concat(),
            ..applied
        },
        None => healed,
    })
}

/// Rebuilds a damaged history from what can be read of it, and says what became of it;
/// `None` if it is whole.
fn rebuild(context: &Context) -> Result<Option<String>, OpError> {
    let site = context.site()?;
    let own = site.installation.own_dir();
    let damage = || match Db::find(&own).and_then(|db| db.map_or(Ok(()), |db| db.check())) {
        Err(error) if error.is_damage() => Ok(true),
        other => other.map(|()| false),
    };
    if !damage()? {
        return Ok(None);
    }
    let _held = take_lock(context, &site, "recover")?;
    // Another run may have done it while this one waited.
    if !damage()? {
        return Ok(None);
    }
    let salvaged = salvage(&own, &context.clock.now().to_string())?;
    let mut db = Db::open(&own)?;
    if db.open_operation()?.is_none() {
        let (_, present) = record_present(context, &site, &mut db)?;
        db.label(&present, REBUILT)?;
    }
    let mut words = format!(
        "the damaged history lies at `{}` now; {} of its snapshots could be kept",
        show_path(&site.installation.root, &salvaged.aside),
        salvaged.kept
    );
    if !salvaged.lost.is_empty() {
        words.push_str(&format!(", not {}", salvaged.lost.join(", ")));
    }
    Ok(Some(words))
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
