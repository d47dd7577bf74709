//! `diff`: any two of snapshots, locks and the environment.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::changes::Difference;
use super::context::{Context, Site};
use super::error::OpError;
use super::rollback::find;
use super::status::present;
use crate::host::fs;
use crate::lock::Lock;
use crate::package::Name;
use crate::snapshot::{Db, PackageState, State};

/// A difference with what was compared.
#[derive(Debug, Clone)]
pub struct DiffOutcome {
    /// The first.
    pub from: String,
    /// The second.
    pub to: String,
    /// What differs.
    pub difference: Difference,
    /// The texts of both locks, where both sides have one.
    pub locks: Option<(String, String)>,
}

/// Compares two things; without any, the newest snapshot with the environment,
/// with one, that with the environment.
///
/// # Errors
///
/// Fails if a name means nothing.
pub fn run(
    context: &Context,
    from: Option<&str>,
    to: Option<&str>,
) -> Result<DiffOutcome, OpError> {
    let site = context.site()?;
    let (from, to) = (from.unwrap_or("@"), to.unwrap_or("env"));
    let mut before = read(context, &site, from)?;
    let mut after = read(context, &site, to)?;
    let locks = before.1.take().zip(after.1.take());
    // A lock knows no nodes and no digests: only what both sides know is compared.
    if before.2 || after.2 {
        // What an environment sees of its base counts as far as a lock names it.
        let named = |state: &State| -> BTreeSet<Name> {
            state
                .packages
                .iter()
                .map(|package| package.name.clone())
                .collect()
        };
        let names = [named(&after.0), named(&before.0)];
        for (state, other) in [&mut before.0, &mut after.0].into_iter().zip(&names) {
            let own = named(state);
            let base = state
                .base
                .take()
                .map(|base| base.packages)
                .unwrap_or_default();
            let counts = |package: &PackageState| {
                other.contains(&package.name) && !own.contains(&package.name)
            };
            state.packages.extend(base.into_iter().filter(counts));
        }
        for state in [&mut before.0, &mut after.0] {
            state.nodes.clear();
            state.core = None;
            state
                .packages
                .iter_mut()
                .for_each(|package| package.digest = None);
        }
    }
    Ok(DiffOutcome {
        from: from.to_owned(),
        to: to.to_owned(),
        difference: Difference::between(&before.0, &after.0),
        locks,
    })
}

type Side = (State, Option<String>, bool);

fn read(context: &Context, site: &Site, name: &str) -> Result<Side, OpError> {
    let db = Db::find(&site.installation.own_dir())?;
    if name == "env" {
        let state = match &db {
            Some(db) => present(context, site, db)?,
            None => {
                let installed = site.installed()?;
                let nothing = super::capture::Knowledge {
                    states: Vec::new(),
                    lock: None,
                    index: None,
                };
                super::capture::capture(context, site, &installed, &nothing)?
            }
        };
        let lock = state.lock.clone();
        return Ok((state, lock, false));
    }
    let path = if name == "lock" {
        site.installation.lock_path()
    } else {
        context.dir.join(name)
    };
    if name == "lock" || (name.ends_with(".toml") && fs::is_file(&path)) {
        return of_lock(&path, &site.target);
    }
    let db = db.ok_or_else(|| {
        OpError::NotFound("there is no snapshot yet; portenv init records the first".to_owned())
    })?;
    let snapshots = db.snapshots()?;
    let state = db.state_of(find(&snapshots, name)?)?;
    let lock = state.lock.clone();
    Ok((state, lock, false))
}

fn of_lock(path: &Utf8Path, target: &crate::package::Target) -> Result<Side, OpError> {
    let lock = Lock::find(path)?
        .ok_or_else(|| OpError::NotFound(format!("there is no lock at `{path}`")))?;
    let mut packages: Vec<PackageState> = lock
        .active(target)
        .filter_map(|package| {
            Some(PackageState {
                name: package.name.clone(),
                version: package.version.clone()?,
                digest: None,
                source: None,
                kept: None,
            })
        })
        .collect();
    packages.extend(lock.kept.iter().map(|(name, version)| PackageState {
        name: name.clone(),
        version: version.clone(),
        digest: None,
        source: None,
        kept: None,
    }));
    Ok((
        State {
            packages,
            ..State::default()
        },
        fs::find_text(path)?,
        true,
    ))
}
