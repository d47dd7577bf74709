//! What the store keeps of each distribution, so that it comes back byte for byte.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::capture::Knowledge;
use super::context::{Context, Site};
use super::error::OpError;
use crate::environment::files::{Depth, FileFault, Flaw, look};
use crate::environment::record::is_of_installer;
use crate::environment::unrecorded::find_unrecorded;
use crate::environment::{Distribution, Installed};
use crate::host::{digest, fs};
use crate::package::Name;
use crate::package::target::Os;
use crate::snapshot::{Keep, Kept, PackageState, SourceRecord, State};
use crate::store::{Part, Put, StoreError, place_of, put_imprint, repack};
use crate::workspace::settings::StoreMode;

/// What is larger was written by no hand.
const MOST: u64 = 64 << 20;

/// What is larger is not kept beside a wheel that can be had again with it.
const SMALL: u64 = 1 << 20;

/// What is kept, and what has to be kept now.
pub(super) struct Keeper<'a> {
    site: &'a Site,
    installed: &'a Installed,
    mode: StoreMode,
    store: Utf8PathBuf,
    /// Faults of files, by package; of packages that no earlier state knows as they are.
    faults: BTreeMap<Name, Vec<FileFault>>,
    fresh: BTreeSet<Name>,
}

impl<'a> Keeper<'a> {
    /// Looks at the files of what is new; at nothing if nothing is to be written.
    pub(super) fn new(
        context: &Context,
        site: &'a Site,
        installed: &'a Installed,
        knowledge: &Knowledge<'_>,
    ) -> Result<Self, OpError> {
        let mut keeper = Self {
            site,
            installed,
            mode: site.installation.settings.policy.store.unwrap_or_default(),
            store: site.installation.own_dir().join("store"),
            faults: BTreeMap::new(),
            fresh: BTreeSet::new(),
        };
        if knowledge.index.is_none() {
            return Ok(keeper);
        }
        let own: Vec<&Distribution> = installed.iter().filter(|it| !it.is_fixed()).collect();
        let fresh: Vec<&Distribution> = own
            .iter()
            .copied()
            .filter(|found| known(found, knowledge).is_none_or(|it| !keeper.holds(it)))
            .collect();
        keeper.fresh = fresh.iter().map(|it| it.name.clone()).collect();
        let mut faults = faults_of(context, site, &fresh)?;
        if !faults.is_empty() && fresh.len() < own.len() {
            // What another package owns as well is judged beside that.
            faults = faults_of(context, site, &own)?;
        }
        for fault in faults {
            let list = keeper.faults.entry(fault.package.clone()).or_default();
            list.push(fault);
        }
        Ok(keeper)
    }

    /// Reports whether the store has what was kept of a package, as far as sizes tell.
    fn holds(&self, known: &PackageState) -> bool {
        let Some(kept) = &known.kept else {
            return false;
        };
        let is_there = |keep: &Keep| {
            fs::stamp(&self.store.join(&keep.file)).is_ok_and(|(size, _)| size == keep.bytes)
        };
        let whole = self.mode != StoreMode::All || kept.whole || kept.wheel.is_some();
        let imprinted = kept.imprint.is_some() || self.mode == StoreMode::None;
        whole && imprinted && kept.wheel.iter().chain(&kept.imprint).all(is_there)
    }

    /// Returns what is kept of a package: what an earlier state knows of it, or what can be
    /// kept now.
    pub(super) fn keep(
        &self,
        distribution: &Distribution,
        source: Option<&SourceRecord>,
        knowledge: &Knowledge<'_>,
    ) -> Result<Option<Kept>, OpError> {
        let before = known(distribution, knowledge).and_then(|known| known.kept.clone());
        if !self.fresh.contains(&distribution.name) {
            return Ok(before);
        }
        let faults = self
            .faults
            .get(&distribution.name)
            .map_or(&[][..], Vec::as_slice);
        // What an earlier state knows as whole was damaged since, and not edited before.
        let patches = match &before {
            Some(before) => before.patches.clone(),
            None => edited(distribution, faults),
        };
        let mut kept = Kept {
            patches,
            astray: distribution
                .editable
                .clone()
                .filter(|dir| !fs::is_dir(dir.as_str().into())),
            ..Kept::default()
        };
        if self.mode == StoreMode::None {
            return Ok(Some(kept));
        }
        let is_patch = |fault: &FileFault| {
            let now = digest::sha256_of_file(&fault.place).ok();
            now.is_some() && kept.patches.get(&fault.path) == now.as_ref()
        };
        if !faults.iter().all(is_patch) {
            // What is damaged is not worth keeping; what was kept before may still be there.
            return Ok(before.or(Some(kept)));
        }
        let needs_wheel = match source {
            Some(SourceRecord::Store { .. }) => false,
            _ if self.mode == StoreMode::All => true,
            Some(SourceRecord::Index { .. }) => false,
            Some(SourceRecord::Url { url, hashes, .. }) => {
                hashes.is_empty() || !url.ends_with(".whl")
            }
            Some(SourceRecord::Git { .. } | SourceRecord::Path { .. }) => true,
            // No index has it; one that was never asked may.
            None => distribution.editable.is_some(),
        };
        let has_record = distribution.lacks.is_empty();
        if needs_wheel && has_record {
            kept.wheel = written(repack(distribution, &self.store))?;
        }
        if let Some(SourceRecord::Store { file, sha256 }) = source {
            kept.wheel = fs::stamp(&self.store.join(file))
                .ok()
                .map(|(bytes, _)| Keep {
                    file: file.clone(),
                    sha256: sha256.clone(),
                    bytes,
                });
        }
        let stored = kept.wheel.is_some();
        kept.whole = !has_record && source.is_none() && !distribution.is_of_conda();
        if !has_record && !kept.whole {
            return Ok(Some(kept));
        }
        let parts = self.parts(distribution, &kept, stored);
        kept.imprint = match parts {
            Some(parts) => written(put_imprint(&parts, &self.store))?,
            None => None,
        };
        kept.whole &= kept.imprint.is_some();
        Ok(Some(kept))
    }

    /// Reads the files of an imprint; `None` if one cannot be had.
    fn parts(&self, distribution: &Distribution, kept: &Kept, stored: bool) -> Option<Vec<Part>> {
        let site = distribution.dir.parent()?;
        let within = within(self.site);
        let mut paths: BTreeSet<String> = if kept.whole {
            find_unrecorded(distribution, self.installed)
                .into_iter()
                .collect()
        } else {
            let rows = distribution.rows().into_iter().map(|row| row.path);
            let is_ours = |path: &String| is_of_installer(path) && !path.contains("__pycache__/");
            rows.filter(is_ours).collect()
        };
        paths.extend(kept.patches.keys().cloned());
        if !kept.whole {
            let dir = distribution.dir.file_name()?;
            let notes = ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json"];
            let notes = notes.iter().map(|note| format!("{dir}/{note}"));
            paths.extend(notes.filter(|note| fs::is_file(&site.join(note))));
        }
        let mut parts = Vec::new();
        for path in paths {
            let place = place_of(&path, site, within)?;
            let Ok((size, _)) = fs::stamp(&place) else {
                continue;
            };
            if size > MOST || size > SMALL && !stored && path.starts_with("../") {
                if kept.whole {
                    return None;
                }
                continue;
            }
            parts.push(Part {
                bytes: fs::read_bytes(&place).ok()?,
                runs: fs::is_program(&place),
                path,
            });
        }
        Some(parts)
    }
}

/// Returns the environment's own directory: nothing of a package lies outside it.
pub(super) fn within(site: &Site) -> &Utf8Path {
    let interpreter = &site.interpreter;
    interpreter
        .environment
        .as_deref()
        .unwrap_or(&interpreter.prefix)
}

/// Finds what earlier states know of a distribution as it is.
fn known<'k>(distribution: &Distribution, knowledge: &Knowledge<'k>) -> Option<&'k PackageState> {
    // The last is what was just gone back to.
    knowledge.states.iter().rev().find_map(|state| {
        let known = state.package(&distribution.name)?;
        let same = known.version == distribution.version && known.digest == distribution.digest;
        (same && known.kept.is_some()).then_some(known)
    })
}

pub(super) fn faults_of(
    context: &Context,
    site: &Site,
    own: &[&Distribution],
) -> Result<Vec<FileFault>, OpError> {
    let ignores_case = matches!(site.target.platform.os(), Os::Windows | Os::MacOs(..));
    let watch = |_: u64, _: u64, _: &str| !context.cancel.is_requested();
    let found = look(own, ignores_case, Depth::Newer, &watch);
    Ok(found.ok_or(OpError::Interrupted)?.faults)
}

/// Returns the files that somebody wrote after the package was installed. What a failing disk
/// damages keeps the time of its installation, and a file without content was cut short.
fn edited(distribution: &Distribution, faults: &[FileFault]) -> BTreeMap<String, String> {
    let Ok(Some(installed)) = fs::find_stamp(&distribution.dir.join("RECORD")) else {
        return BTreeMap::new();
    };
    let by_hand = faults.iter().filter(|fault| {
        let is_later = |stamp: fs::Stamp| {
            stamp.changed > installed.changed && (1..=MOST).contains(&stamp.size)
        };
        matches!(fault.flaw, Flaw::Size(..) | Flaw::Content) && fault.stamp.is_some_and(is_later)
    });
    by_hand
        .filter_map(|fault| {
            let sha256 = digest::sha256_of_file(&fault.place).ok()?;
            Some((fault.path.clone(), sha256))
        })
        .collect()
}

/// What cannot be kept is named, and nothing fails by it but by a full disk.
fn written(put: Result<Put, StoreError>) -> Result<Option<Keep>, OpError> {
    match put {
        Ok(Put {
            file,
            sha256,
            bytes,
        }) => Ok(Some(Keep {
            file,
            sha256,
            bytes,
        })),
        Err(StoreError::File(error)) if error.is_full() => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// Mends files of the store that are not what was kept, of packages that are about to go: as
/// long as one is installed as it was, it can be kept once more.
pub(super) fn mend(site: &Site, before: &State, installed: &Installed, names: &[Name]) {
    let store = site.installation.own_dir().join("store");
    let is_whole = |keep: &Keep| {
        let found = digest::sha256_of_file(&store.join(&keep.file));
        found.is_ok_and(|found| found == keep.sha256)
    };
    for name in names {
        let (Some(known), Some(found)) = (before.package(name), installed.get(name)) else {
            continue;
        };
        let kept = known.kept.as_ref().filter(|_| known.digest == found.digest);
        // The same content is the same file under the same name; another is none of ours.
        if let Some(wheel) = kept.and_then(|kept| kept.wheel.as_ref())
            && !is_whole(wheel)
        {
            let _ = repack(found, &store);
        }
        if let Some(kept) = kept.filter(|kept| !kept.imprint.iter().all(is_whole)) {
            let keeper = Keeper {
                site,
                installed,
                mode: StoreMode::Needed,
                store: store.clone(),
                faults: BTreeMap::new(),
                fresh: BTreeSet::new(),
            };
            if let Some(parts) = keeper.parts(found, kept, kept.wheel.is_some()) {
                let _ = put_imprint(&parts, &store);
            }
        }
    }
}
