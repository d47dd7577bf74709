//! Which folder, and for which of the lock's targets.

use camino::{Utf8Path, Utf8PathBuf};

use crate::host::fs;
use crate::lock::Lock;
use crate::lock::selection::parse_target;
use crate::ops::context::{Context, Site};
use crate::ops::error::OpError;
use crate::ops::installer::WHEELHOUSE;
use crate::ops::sync::check_target;
use crate::package::{Marker, Target};
use crate::wheelhouse::{HouseError, MANIFEST, PARTS};

/// Returns the folder that is meant; only without a name is an installation needed.
pub(super) fn folder(
    context: &Context,
    named: Option<&Utf8PathBuf>,
) -> Result<Utf8PathBuf, OpError> {
    match named {
        Some(dir) => Ok(context.dir.join(dir)),
        None => Ok(context.installation()?.root.join(WHEELHOUSE)),
    }
}

/// Refuses a folder in which something else lies: it would be lost among wheels, and what
/// is removed there later might be it.
pub(super) fn check_free(dir: &Utf8Path) -> Result<(), OpError> {
    let taken = || Err(HouseError::Taken(dir.to_owned()).into());
    if !fs::is_dir(dir) {
        return if fs::exists(dir) { taken() } else { Ok(()) };
    }
    let names = fs::list_dir(dir)?;
    let is_ours = names.iter().any(|name| name == MANIFEST || name == PARTS);
    if names.is_empty() || is_ours {
        Ok(())
    } else {
        taken()
    }
}

/// The targets that were chosen, and which of them this machine is.
#[derive(Debug)]
pub(super) struct Targets {
    /// Each with its name in the lock.
    pub(super) all: Vec<(String, Target)>,
    /// This machine's among them.
    pub(super) own: Option<usize>,
}

/// Chooses targets of a lock: those named, all, or this machine's, if that has a Python.
pub(super) fn targets(
    lock: &Lock,
    site: Option<&Site>,
    named: &[String],
    all: bool,
) -> Result<Targets, OpError> {
    let is_here = |site: &Site, at: usize| {
        (lock.environments.get(at)).is_some_and(|text| {
            Marker::parse(text).is_ok_and(|marker| marker.holds(site.target.environment()))
        })
    };
    let known = || lock.targets.iter().enumerate();
    if let Some(site) = site.filter(|_| named.is_empty() && !all) {
        check_target(lock, &site.target)?;
        let mut here = known().filter(|(at, _)| is_here(site, *at));
        let name = here
            .next()
            .map_or_else(|| site.target.to_string(), |(_, name)| name.clone());
        return Ok(Targets {
            all: vec![(name, site.target.clone())],
            own: Some(0),
        });
    }
    let mut chosen: Vec<usize> = Vec::new();
    if all {
        chosen.extend(0..lock.targets.len());
    }
    for wanted in named {
        let is_meant = |text: &str| text == wanted || text.split('@').next() == Some(wanted);
        let mut meant = known().filter(|(_, text)| is_meant(text));
        match (meant.next(), meant.next()) {
            (Some((at, _)), None) => chosen.push(at),
            _ => return Err(unknown(lock, wanted)),
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    let mut found = Targets {
        all: Vec::new(),
        own: None,
    };
    for at in chosen {
        let name = &lock.targets[at];
        let target = match &site {
            Some(site) if is_here(site, at) => {
                found.own = Some(found.all.len());
                site.target.clone()
            }
            _ => parse_target(name).ok_or_else(|| unknown(lock, name))?,
        };
        found.all.push((name.clone(), target));
    }
    if found.all.is_empty() {
        let message = "the lock names no targets; portenv lock makes one that does";
        return Err(OpError::Usage(message.to_owned()));
    }
    Ok(found)
}

fn unknown(lock: &Lock, wanted: &str) -> OpError {
    OpError::Usage(format!(
        "the lock is not for `{wanted}`, or for several such; it is for {}",
        lock.targets.join(", ")
    ))
}
