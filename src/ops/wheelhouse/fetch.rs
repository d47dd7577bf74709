//! Wheels and sdists as they are: kept, taken from this machine, or fetched.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use crate::host::{digest, fs, volume};
use crate::index::download::holds;
use crate::index::{Download, FileJob, IndexConfig, IndexError, download_files};
use crate::ops::context::Context;
use crate::ops::error::OpError;
use crate::package::{DistFile, redact};
use crate::wheelhouse::PARTS;

/// One file that is to lie in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    /// What it is.
    pub(super) file: DistFile,
    /// Where it lies, if it is on this machine.
    pub(super) path: Option<Utf8PathBuf>,
    /// Its name relative to the folder.
    pub(super) place: String,
}

/// A file that lies in the folder now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Here {
    pub(super) sha256: String,
    pub(super) size: u64,
    /// It was not there before.
    pub(super) is_new: bool,
    /// It came over the network.
    pub(super) was_fetched: bool,
}

/// Looks which files are there already, by digest.
pub(super) fn find_here(dir: &Utf8Path, needs: &[Need]) -> Result<BTreeMap<String, Here>, OpError> {
    let mut found = BTreeMap::new();
    for need in needs {
        let path = dir.join(&need.place);
        // A link may lead anywhere, and may lead elsewhere tomorrow.
        if fs::link_target(&path).is_some() {
            fs::remove_all(&path)?;
            continue;
        }
        if !fs::is_file(&path) {
            continue;
        }
        let (size, _) = fs::stamp(&path)?;
        if need.file.size.is_some_and(|wanted| wanted != size) {
            continue;
        }
        let sha256 = digest::sha256_of_file(&path)?;
        if holds(&path, &need.file.hashes, Some(&sha256))? == Some(true) {
            let here = Here {
                sha256,
                size,
                is_new: false,
                was_fetched: false,
            };
            found.insert(need.place.clone(), here);
        }
    }
    Ok(found)
}

/// Puts files into the folder; what is there already is not asked for.
pub(super) fn fill(
    context: &Context,
    config: &IndexConfig,
    dir: &Utf8Path,
    needs: &[Need],
) -> Result<BTreeMap<String, Here>, OpError> {
    let mut found = find_here(dir, needs)?;
    let parts = dir.join(PARTS);
    let mut jobs: BTreeMap<String, FileJob> = BTreeMap::new();
    for need in needs {
        if found.contains_key(&need.place) {
            continue;
        }
        context.check_cancel()?;
        let part = parts.join(need.place.replace('/', "_"));
        let source = (need.path.clone()).or_else(|| kept(context, &need.file));
        if let Some(source) = source.filter(|_| !jobs.contains_key(&need.place)) {
            let here = copy(&source, &part, &dir.join(&need.place), need)?;
            found.insert(need.place.clone(), here);
            continue;
        }
        let job = FileJob {
            url: need.file.url.clone(),
            filename: need.file.filename.clone(),
            hashes: need.file.hashes.clone(),
            size: need.file.size,
            part,
            into: dir.join(&need.place),
        };
        jobs.insert(need.place.clone(), job);
    }
    check_room(dir, jobs.values())?;
    let places: Vec<String> = jobs.keys().cloned().collect();
    let jobs = jobs.into_values().collect();
    let downloads = download_files(config, jobs, &context.progress, &context.cancel)?;
    for (place, Download { sha256, size, .. }) in places.into_iter().zip(downloads) {
        let here = Here {
            sha256,
            size,
            is_new: true,
            was_fetched: true,
        };
        found.insert(place, here);
    }
    Ok(found)
}

/// Resolving has fetched some files whole, sdists above all.
fn kept(context: &Context, file: &DistFile) -> Option<Utf8PathBuf> {
    let sha256 = file.sha256().filter(|hex| hex.len() == 64)?;
    let dir = context
        .cache_dir
        .as_ref()?
        .join("sdists")
        .join(&sha256[..32]);
    let path = dir.join(&file.filename);
    let is_it = fs::is_file(&path) && digest::sha256_of_file(&path).is_ok_and(|it| it == sha256);
    is_it.then_some(path)
}

fn copy(source: &Utf8Path, part: &Utf8Path, into: &Utf8Path, need: &Need) -> Result<Here, OpError> {
    if !fs::is_file(source) {
        return Err(OpError::NotFound(format!("there is no file `{source}`")));
    }
    // A link is copied as what it leads to.
    let real = fs::canonical(source)?;
    fs::remove_all(part)?;
    fs::copy_tree(&real, part)?;
    let sha256 = digest::sha256_of_file(part)?;
    if holds(part, &need.file.hashes, Some(&sha256))? == Some(false) {
        fs::remove_all(part)?;
        return Err(IndexError::Integrity {
            url: redact(&need.file.url),
            detail: "the file does not have the hash that is recorded".to_owned(),
        }
        .into());
    }
    let (size, _) = fs::stamp(part)?;
    fs::rename(part, into)?;
    Ok(Here {
        sha256,
        size,
        is_new: true,
        was_fetched: false,
    })
}

fn check_room<'a>(dir: &Utf8Path, jobs: impl Iterator<Item = &'a FileJob>) -> Result<(), OpError> {
    let lacking = |job: &FileJob| {
        let here = fs::stamp(&job.part).map_or(0, |(size, _)| size);
        job.size.unwrap_or(0).saturating_sub(here)
    };
    let needed: u64 = jobs.map(lacking).sum();
    match volume::free_bytes(dir) {
        Some(free) if free < needed => Err(OpError::NoRoom {
            path: dir.to_owned(),
            needed,
            free,
        }),
        _ => Ok(()),
    }
}
