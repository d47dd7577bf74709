//! `wheelhouse install`: the environment from the folder alone, as one operation.
//!
//! No request is made: the context is cut off before anything is looked at, every wheel is
//! hashed before anything changes, and what a later rollback needs is recorded from the
//! folder's own list, not asked of an index.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};

use camino::{Utf8Path, Utf8PathBuf};
use url::Url;

use super::place::folder;
use crate::environment::{Installed, record};
use crate::host::{digest, fs};
use crate::lock::{ChangeKind, Lock};
use crate::ops::changes::ChangeInfo;
use crate::ops::context::{Context, Site};
use crate::ops::error::OpError;
use crate::ops::installer::{Installer, InstallerChoice};
use crate::ops::outcome::{Applied, AppliedStatus, Consent, plan_basis, plan_digest};
use crate::ops::packages::{PackageGoal, check_applicable};
use crate::ops::preview::brought;
use crate::ops::rebuild;
use crate::ops::transaction::{Transaction, start};
use crate::package::{FileKind, Hashes, Target, WheelName};
use crate::plan::{Plan, Removal};
use crate::snapshot::{PackageState, SourceRecord, State};
use crate::store::repack;
use crate::wheelhouse::{
    Finding, HouseError, HouseFile, HouseTarget, Manifest, PYLOCK, Provenance, inspect,
};
use crate::workspace::settings::StoreMode;

/// How to install from a folder.
#[derive(Debug, Clone, Default)]
pub struct InstallRequest {
    /// The folder; that of the installation if none is named.
    pub dir: Option<Utf8PathBuf>,
    /// Remove what the folder's lock does not name, seeds excepted.
    pub prune: bool,
    /// Only show the plan.
    pub dry_run: bool,
    /// Who installs.
    pub installer: InstallerChoice,
}

/// Makes the environment equal the lock of a folder, without the network.
///
/// # Errors
///
/// Fails if the folder is none, is for another machine or Python, or is not whole; without
/// consent; or if it could not be applied.
pub fn run(
    context: &Context,
    request: &InstallRequest,
    command: &str,
    consent: &Consent<'_>,
) -> Result<Applied, OpError> {
    let context = &context.cut_off();
    let dir = folder(context, request.dir.as_ref())?;
    let manifest = Manifest::read(&dir)?;
    let site = context.site()?;
    let mut lock = read_lock(&dir, &manifest, &site.target)?;
    // Before a single package is touched: one that turns out broken halfway costs an undo.
    check_whole(context, &dir, &manifest, &lock, &site)?;
    settle(&mut lock, &dir);
    let held = (!request.dry_run)
        .then(|| start(context, &site, "wheelhouse install"))
        .transpose()?;
    let removal = if request.prune {
        Removal::Others
    } else {
        brought(&site, Some(&lock))?
    };
    let installed = site.installed()?;
    let mut goal = PackageGoal::of_lock(&lock, &site.target, &dir, removal);
    goal.anew.names = other_content(&dir, &manifest, &lock, &site.target, &installed);
    let steps = goal.plan(&installed);
    let mut changes = ChangeInfo::all(&steps);
    rebuild::mark_for_lock(&mut changes, &installed, &lock, &site.target);
    let mut warnings = rebuild::warnings(&changes);
    warnings.extend(other_lock(&site, &manifest)?);
    let shown: Vec<String> = changes
        .iter()
        .map(|change| format!("{} {:?} {:?}", change.name, change.from, change.to))
        .collect();
    let plan = plan_digest(&[
        &plan_basis(&site, &installed)?,
        &shown.join("\n"),
        &lock.to_toml(),
    ]);
    let named = consent.plan.filter(|_| !request.dry_run);
    if named.is_some_and(|named| named != plan) {
        return Err(OpError::PlanStale);
    }
    let held = match held {
        Some(held) if !changes.is_empty() => held,
        held => {
            let status = if held.is_none() && !changes.is_empty() {
                AppliedStatus::DryRun
            } else {
                AppliedStatus::Nothing
            };
            return Ok(Applied {
                plan: (status == AppliedStatus::DryRun).then_some(plan),
                changes,
                warnings,
                ..Applied::still(status)
            });
        }
    };
    check_applicable(&site, &goal, &installed)?;
    let installer = Installer::here(context, &site, request.installer)?;
    consent.get(&plan, &changes, &[])?;
    let mut change = Transaction::prepare(context, &site, held)?;
    if matches!(installer, Installer::Pip(_)) {
        keep_what_goes(&site, &installed, &steps, &mut change.before)?;
    }
    let finished = change.run(|change| {
        change.open("wheelhouse", command)?;
        change.packages_by(&installer, &goal)?;
        let sources = sources(&dir, &manifest, &lock, &site)?;
        change.finish(None, Some(&sources), None)
    })?;
    Ok(Applied {
        warnings,
        ..Applied::done(finished)
    })
}

/// Reads the lock of a folder, if it is for this machine.
pub(in crate::ops) fn read_lock(
    dir: &Utf8Path,
    manifest: &Manifest,
    target: &Target,
) -> Result<Lock, OpError> {
    let path = dir.join(PYLOCK);
    let Some(lock) = Lock::find(&path)? else {
        return Err(HouseError::Unfit {
            dir: dir.to_owned(),
            findings: vec![format!("`{PYLOCK}` is missing")],
            changed: false,
        }
        .into());
    };
    let is_here = |found: &Target| {
        found.platform.triple() == target.platform.triple()
            && found.python_minor() == target.python_minor()
    };
    let targets: Vec<Target> = manifest
        .targets
        .iter()
        .filter_map(HouseTarget::target)
        .collect();
    if targets.iter().any(is_here) {
        return Ok(lock);
    }
    let triple = target.platform.triple();
    let pythons: Vec<String> = (targets.iter())
        .filter(|found| found.platform.triple() == triple)
        .map(Target::python_minor)
        .collect();
    if pythons.is_empty() {
        let names: Vec<&str> = manifest.targets.iter().map(|it| it.name.as_str()).collect();
        return Err(HouseError::Elsewhere {
            dir: dir.to_owned(),
            targets: names.join(", "),
            here: target.to_string(),
        }
        .into());
    }
    Err(HouseError::OtherPython {
        dir: dir.to_owned(),
        wanted: pythons.join(", "),
        here: target.python.to_string(),
    }
    .into())
}

/// Demands that everything that counts here is there and is what it was.
pub(in crate::ops) fn check_whole(
    context: &Context,
    dir: &Utf8Path,
    manifest: &Manifest,
    lock: &Lock,
    site: &Site,
) -> Result<(), OpError> {
    lock.check_markers_on(&site.target)
        .map_err(|(name, message)| HouseError::Name {
            package: name.to_string(),
            message,
        })?;
    context.progress.begin("looking at the wheels", None);
    // With this machine's own tags: it may have an older C library than the one that the
    // folder was filled on.
    let name = site.target.to_string();
    let here = manifest.targets.iter().find(|known| {
        known.target().is_some_and(|found| {
            found.platform.triple() == site.target.platform.triple()
                && found.python_minor() == site.target.python_minor()
        })
    });
    let here = here.map_or(name, |known| known.name.clone());
    let needed: BTreeSet<&str> = (lock.active(&site.target))
        .filter_map(|package| package.file_for(&site.target))
        .map(|file| file.filename.as_str())
        .collect();
    // Files of other targets may be broken without harm here.
    let narrow = Manifest {
        files: (manifest.files.iter())
            .filter(|file| needed.contains(file.name.as_str()))
            .cloned()
            .collect(),
        tools: Vec::new(),
        ..manifest.clone()
    };
    let here = HouseTarget::new(&here, &site.target);
    let findings = inspect(dir, &narrow, lock, &[&here]);
    context.progress.end();
    let findings: Vec<Finding> = findings?;
    let errors: Vec<&Finding> = (findings.iter())
        .filter(|finding| finding.code.is_error())
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    let changed = errors
        .iter()
        .any(|finding| finding.code == crate::wheelhouse::Code::Changed);
    Err(HouseError::Unfit {
        dir: dir.to_owned(),
        findings: errors
            .iter()
            .map(|finding| finding.message.clone())
            .collect(),
        changed,
    }
    .into())
}

/// Makes the paths of a folder's lock those of files on this machine.
pub(in crate::ops) fn settle(lock: &mut Lock, dir: &Utf8Path) {
    for file in lock
        .packages
        .iter_mut()
        .flat_map(|package| &mut package.files)
    {
        if let Ok(url) = Url::from_file_path(dir.join(&file.filename)) {
            file.url = url.to_string();
        }
        file.kind = FileKind::Wheel;
    }
}

/// A folder of another lock is fine, but whoever installs from it should know.
pub(in crate::ops) fn other_lock(
    site: &Site,
    manifest: &Manifest,
) -> Result<Option<(&'static str, String)>, OpError> {
    let text = fs::find_text(&site.installation.lock_path())?;
    let same =
        |text: &String| format!("sha256:{}", digest::sha256(text.as_bytes())) == manifest.lock;
    Ok(match text {
        Some(text) if !same(&text) => Some((
            "other-lock",
            "the wheelhouse was filled from another lock than pylock.toml of this installation"
                .to_owned(),
        )),
        _ => None,
    })
}

/// Returns packages that are there in the right version and with another content. Of a
/// wheel from an index, name and version say what it is; one that was made here may be made
/// of something else by now.
fn other_content(
    dir: &Utf8Path,
    manifest: &Manifest,
    lock: &Lock,
    target: &Target,
    installed: &Installed,
) -> BTreeSet<crate::package::Name> {
    let mut names = BTreeSet::new();
    for package in lock.active(target) {
        let file = package.file_for(target);
        let made = file
            .and_then(|file| manifest.file(&file.filename))
            .filter(|file| matches!(file.from, Provenance::Built | Provenance::Repacked));
        let found = installed.get(&package.name);
        if let (Some(file), Some(found)) = (made, found)
            && package.version.as_ref() == Some(&found.version)
            && let Some(digest) = content_of(&dir.join(&file.name))
            && found.digest.as_ref() != Some(&digest)
        {
            names.insert(package.name.clone());
        }
    }
    names
}

/// Returns the digest that a wheel will have once it is installed; `None` if its RECORD
/// cannot be read.
fn content_of(path: &Utf8Path) -> Option<String> {
    let wheel = WheelName::split(path.file_name()?)?;
    let bytes = fs::read_bytes(path).ok()?;
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    let is_record = |name: &String| {
        let stem = name.strip_suffix(".dist-info/RECORD");
        stem.is_some_and(|stem| !stem.contains('/'))
    };
    let mut names = (archive.file_names()).filter_map(|name| Some(name.ok()?.into_owned()));
    let name = names.find(is_record)?;
    drop(names);
    let mut text = String::new();
    archive
        .by_name(&name)
        .ok()?
        .take(64 << 20)
        .read_to_string(&mut text)
        .ok()?;
    let data = format!("{}-{}.data/", wheel.0, wheel.1);
    let mut rows = record::parse(&text);
    rows.retain_mut(|row| {
        // What goes to site-packages stays a file of its own; the rest lies elsewhere and
        // is the installer's (binary distribution format).
        let Some(rest) = row.path.strip_prefix(&data) else {
            return true;
        };
        let inner = rest
            .strip_prefix("purelib/")
            .or_else(|| rest.strip_prefix("platlib/"));
        match inner.map(str::to_owned) {
            Some(inner) => {
                row.path = inner;
                true
            }
            None => false,
        }
    });
    Some(record::content_digest(&rows))
}

/// Keeps what goes or is replaced in the store: pip has nothing to put it back from, and
/// there is no network to fetch it again.
fn keep_what_goes(
    site: &Site,
    installed: &Installed,
    steps: &Plan,
    before: &mut State,
) -> Result<(), OpError> {
    if site.installation.settings.policy.store == Some(StoreMode::None) {
        return Ok(());
    }
    let store = site.installation.own_dir().join("store");
    for step in &steps.steps {
        let name = &step.change.name;
        if step.change.kind == ChangeKind::Add {
            continue;
        }
        let state = before.packages.iter_mut().find(|known| known.name == *name);
        let (Some(state), Some(found)) = (state, installed.get(name)) else {
            continue;
        };
        if matches!(state.source, Some(SourceRecord::Store { .. })) {
            continue;
        }
        match repack(found, &store) {
            Ok(put) => {
                let (file, sha256) = (put.file, put.sha256);
                state.source = Some(SourceRecord::Store { file, sha256 });
            }
            Err(crate::store::StoreError::File(error)) => return Err(error.into()),
            // What is broken cannot be put back by anyone.
            Err(_) => {}
        }
    }
    Ok(())
}

/// Says where each package can be had again: of an index at the address that the folder's
/// list names; what was made here goes to the store as it is.
fn sources(
    dir: &Utf8Path,
    manifest: &Manifest,
    lock: &Lock,
    site: &Site,
) -> Result<State, OpError> {
    let installed = site.installed()?;
    let keeps = site.installation.settings.policy.store != Some(StoreMode::None);
    let mut packages = Vec::new();
    for package in lock.active(&site.target) {
        let file = package.file_for(&site.target);
        let (Some(file), Some(found)) = (
            file.and_then(|file| manifest.file(&file.filename)),
            installed.get(&package.name),
        ) else {
            continue;
        };
        let source = match (&file.url, file.from) {
            (Some(url), Provenance::Fetched) => Some(SourceRecord::Index {
                index: file.index.clone().unwrap_or_default(),
                filename: file.name.clone(),
                url: url.clone(),
                hashes: Hashes::from([("sha256".to_owned(), file.sha256.clone())]),
                size: Some(file.size),
            }),
            _ if keeps => Some(put(dir, file, site)?),
            _ => None,
        };
        packages.push(PackageState {
            name: found.name.clone(),
            version: found.version.clone(),
            digest: found.digest.clone(),
            source,
            kept: None,
        });
    }
    Ok(State {
        packages,
        ..State::default()
    })
}

/// Puts a wheel of the folder into the store.
fn put(dir: &Utf8Path, file: &HouseFile, site: &Site) -> Result<SourceRecord, OpError> {
    let place = format!("wheels/{}/{}", &file.sha256[..32], file.name);
    let path = site.installation.own_dir().join("store").join(&place);
    if !fs::is_file(&path) {
        fs::write_atomic(&path, &fs::read_bytes(&dir.join(&file.name))?)?;
    }
    Ok(SourceRecord::Store {
        file: place,
        sha256: file.sha256.clone(),
    })
}
