//! What was kept beside a package's wheel, put back once the wheel is installed again.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;

use super::context::Site;
use super::error::OpError;
use super::keep::within;
use super::packages::{PackageGoal, Wanted};
use crate::environment::Installed;
use crate::host::fs;
use crate::package::Name;
use crate::snapshot::Kept;
use crate::store::{Part, StoreError, find_imprint, place_of, restore};

/// Puts back the imprints of everything wanted; of what was `made` just now, files go first
/// that its imprint does not know.
///
/// # Errors
///
/// Fails if a file cannot be written, or the store has not what is needed whole.
pub(super) fn run(site: &Site, goal: &PackageGoal, made: &[Name]) -> Result<(), OpError> {
    if goal.wanted.values().all(|wanted| wanted.kept.is_none()) {
        return Ok(());
    }
    let installed = site.installed()?;
    for (name, wanted) in &goal.wanted {
        let Some((kept, dir)) = place(site, &installed, name, wanted) else {
            continue;
        };
        let Some(parts) = parts(site, kept) else {
            if kept.whole && made.contains(name) {
                let shown = format!("{name} {}", wanted.goal.version);
                return Err(OpError::StoreDamaged(vec![shown]));
            }
            continue;
        };
        if made.contains(name)
            && let Some(found) = installed.get(name).filter(|_| !kept.whole)
        {
            let known: BTreeSet<&str> = parts.iter().map(|part| part.path.as_str()).collect();
            let record = parts
                .iter()
                .find(|part| part.path.ends_with(".dist-info/RECORD"));
            let recorded = record.map(|part| String::from_utf8_lossy(&part.bytes).into_owned());
            let recorded = crate::environment::record::parse(&recorded.unwrap_or_default());
            let recorded: BTreeSet<&str> = recorded.iter().map(|row| row.path.as_str()).collect();
            for row in found.rows() {
                let stays = known.contains(row.path.as_str())
                    || recorded.contains(row.path.as_str())
                    || row.path.contains("__pycache__/");
                let place = place_of(&row.path, &dir, within(site));
                if let Some(place) = place.filter(|_| !stays && !recorded.is_empty()) {
                    fs::remove_all(&place)?;
                }
            }
        }
        for part in &parts {
            restore(part, &dir, within(site)).map_err(not_restored)?;
        }
    }
    Ok(())
}

fn not_restored(error: StoreError) -> OpError {
    match error {
        StoreError::File(error) => error.into(),
        StoreError::NotWhole(text) => OpError::Refused(text),
    }
}

/// Reads what an imprint holds; `None` if there is none or it is damaged.
pub(super) fn parts(site: &Site, kept: &Kept) -> Option<Vec<Part>> {
    let imprint = kept.imprint.as_ref()?;
    let path = site
        .installation
        .own_dir()
        .join("store")
        .join(&imprint.file);
    find_imprint(&path, &imprint.sha256)
}

/// Returns what is kept of a package and the site-packages it belongs to, if what is there is
/// what is wanted.
fn place<'w>(
    site: &Site,
    installed: &Installed,
    name: &Name,
    wanted: &'w Wanted,
) -> Option<(&'w Kept, Utf8PathBuf)> {
    let kept = wanted.kept.as_ref()?;
    match installed.get(name) {
        Some(found) => {
            let same = found.version == wanted.goal.version && found.digest == wanted.goal.digest;
            same.then(|| Some((kept, found.dir.parent()?.to_owned())))?
        }
        None => kept.whole.then(|| (kept, site.interpreter.purelib.clone())),
    }
}
