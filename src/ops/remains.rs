//! What a uv that was killed leaves of packages: how an undoing tells, and what it does.
//!
//! uv takes out file by file what goes and puts in file by file what comes. In between, a
//! RECORD may name files that are gone, and files may lie there that no RECORD names. So
//! before each change it is noted what it touches and what lies about already.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::context::{Context, Site};
use super::error::OpError;
use super::packages::PackageGoal;
use crate::environment::files::{Depth, Flaw, look};
use crate::environment::strays::{find_strays, is_compiled};
use crate::environment::{Distribution, Installed};
use crate::host::{FsError, fs};
use crate::nodes::trash;
use crate::package::Name;
use crate::requirements::origin::show_path;
use crate::snapshot::{State, Touched};

/// Notes what a change of packages is to touch, and what is odd before it.
pub fn before(site: &Site, installed: &Installed, names: &[Name]) -> Touched {
    let mut odd = flaws(installed, names.iter());
    for name in not_whole(installed) {
        odd.entry(name).or_default();
    }
    let root = &site.installation.root;
    let strays = find_strays(&site.interpreter, installed).into_iter();
    Touched {
        names: names.to_vec(),
        odd,
        strays: Some(strays.map(|path| show_path(root, &path)).collect()),
    }
}

/// Names what has no whole metadata, or more than one.
fn not_whole(installed: &Installed) -> impl Iterator<Item = Name> {
    let lacking = installed.iter().filter(|found| !found.lacks.is_empty());
    let doubled = installed.doubled.iter().map(|(name, _)| name);
    lacking.map(|found| &found.name).chain(doubled).cloned()
}

/// Counts files that are gone or of another size than recorded, by package.
fn flaws<'a>(installed: &Installed, names: impl Iterator<Item = &'a Name>) -> BTreeMap<Name, u64> {
    let found: Vec<&Distribution> = names.filter_map(|name| installed.get(name)).collect();
    let looked = look(&found, false, Depth::Sizes, &|_, _, _| true);
    let mut flaws = BTreeMap::new();
    for fault in looked.unwrap_or_default().faults {
        if !matches!(fault.flaw, Flaw::Unreadable(_)) {
            *flaws.entry(fault.package).or_default() += 1;
        }
    }
    flaws
}

/// Makes a recorded state's goal one that a killed uv does not deceive: what has lost files
/// since is installed anew, and what was not whole before stays so.
pub fn aim(goal: &mut PackageGoal, installed: &Installed, before: &State, touched: &Touched) {
    let as_recorded = |name: &&Name| {
        let pair = installed.get(name).zip(before.package(name));
        pair.is_some_and(|(here, then)| here.version == then.version && here.digest == then.digest)
    };
    let there: Vec<&Name> = touched.names.iter().filter(as_recorded).collect();
    let flaws = flaws(installed, there.iter().copied());
    let more = |name: &Name| flaws.get(name) > touched.odd.get(name).or(Some(&0));
    let damaged = there.iter().filter(|name| more(name));
    goal.anew.names.extend(damaged.map(|name| (*name).clone()));
    let odd = touched.odd.keys().filter(as_recorded);
    let same: BTreeSet<Name> = odd.filter(|name| !more(name)).cloned().collect();
    goal.stays.extend(same);
}

/// Takes away what lies in the environment since a change began and no package accounts for.
/// What has another name elsewhere, such as in uv's cache, is removed; with `keeps`, the rest
/// goes to the trash, for others may have put it there since.
///
/// # Errors
///
/// Fails if something cannot be moved or removed.
pub fn sweep(
    context: &Context,
    site: &Site,
    touched: &Touched,
    keeps: bool,
) -> Result<(), OpError> {
    let Some(known) = &touched.strays else {
        return Ok(());
    };
    let root = &site.installation.root;
    let known: BTreeSet<Utf8PathBuf> = known.iter().map(|path| root.join(path)).collect();
    let mut new = Vec::new();
    for path in find_strays(&site.interpreter, &site.installed()?) {
        pick_new(path, &known, &mut new)?;
    }
    if new.is_empty() {
        return Ok(());
    }
    let trash_dir = site.installation.own_dir().join("trash");
    let now = context.clock.now().to_string();
    let place = trash_dir.join(trash::free_place(&trash_dir, "left-over", &now));
    for path in new {
        if keeps {
            put_away(
                &path,
                &place.join(show_path(&site.interpreter.home(), &path)),
            )?;
        }
        fs::remove_all(&path)?;
    }
    Ok(())
}

/// Picks what was not there before out of a stray and what is below it.
fn pick_new(
    path: Utf8PathBuf,
    known: &BTreeSet<Utf8PathBuf>,
    new: &mut Vec<Utf8PathBuf>,
) -> Result<(), FsError> {
    if path.ancestors().any(|part| known.contains(part)) {
        return Ok(());
    }
    if !known.iter().any(|one| one.starts_with(&path)) {
        new.push(path);
        return Ok(());
    }
    for name in fs::find_dir(&path)? {
        pick_new(path.join(name), known, new)?;
    }
    Ok(())
}

/// Moves to a place what is there under no other name, file by file.
fn put_away(path: &Utf8Path, place: &Utf8Path) -> Result<(), FsError> {
    if is_compiled(path) || fs::link_target(path).is_some() {
        return Ok(());
    }
    if fs::is_dir(path) {
        for name in fs::find_dir(path)? {
            put_away(&path.join(&name), &place.join(&name))?;
        }
        return Ok(());
    }
    match fs::find_stamp(path)? {
        Some(stamp) if stamp.is_linked || stamp.size == 0 => Ok(()),
        Some(_) => fs::rename(path, place),
        None => Ok(()),
    }
}
