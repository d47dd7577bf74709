//! What an installation looks like now, and where each part can be had again.

use std::sync::Arc;

use super::context::{Context, Site};
use super::error::OpError;
use super::keep::Keeper;
use super::keep_nodes::{find_nodes, keep_nodes};
use crate::environment::{Distribution, Installed, Origination};
use crate::host::{digest, fs};
use crate::index::{Index, IndexError, Page, Scout, Want};
use crate::lock::Lock;
use crate::package::{DistFile, FileKind, Metadata, Name, Source, Target, Version};
use crate::snapshot::{BaseState, PackageState, SourceRecord, State};
use crate::store::repack;
use crate::workspace::settings::StoreMode;

/// Where sources may be learnt from.
pub struct Knowledge<'a> {
    /// Earlier states: an unchanged package keeps its source.
    pub states: Vec<&'a State>,
    /// The lock that a sync was made from.
    pub lock: Option<&'a Lock>,
    /// The indexes, for what nothing else knows; `None` to look no further.
    pub index: Option<&'a dyn Index>,
}

/// Reads the present state. Writes nothing but wheels of the store, and those only
/// with an index to prove that they are needed.
///
/// # Errors
///
/// Fails if nodes, core or lock cannot be read.
pub fn capture(
    context: &Context,
    site: &Site,
    installed: &Installed,
    knowledge: &Knowledge<'_>,
) -> Result<State, OpError> {
    let installation = &site.installation;
    let asks = knowledge.index.is_some();
    if asks {
        context.progress.count(
            "recording what is installed",
            Some(installed.len() as u64),
            "packages",
        );
    }
    if let Some(index) = knowledge.index {
        // All pages at once: one after the other is a wait per package.
        let unknown: Vec<Name> = installed
            .iter()
            .filter(|distribution| known_source(distribution, knowledge).is_none())
            .filter(|distribution| {
                let locked = knowledge.lock.and_then(|lock| lock.get(&distribution.name));
                locked.is_none_or(|locked| locked.version.as_ref() != Some(&distribution.version))
            })
            .map(|distribution| distribution.name.clone())
            .collect();
        if !unknown.is_empty() {
            index.begin(&unknown, Arc::new(NoGuess));
        }
    }
    let keeper = Keeper::new(context, site, installed, knowledge)?;
    let mut packages = Vec::new();
    for (done, distribution) in (0u64..).zip(installed.iter()) {
        // Without an index it is quick, and the proof of an undoing.
        if asks {
            context.check_cancel()?;
            context.progress.at(done, distribution.name.as_str());
        }
        let source = source_of(site, distribution, knowledge)?;
        packages.push(PackageState {
            name: distribution.name.clone(),
            version: distribution.version.clone(),
            digest: distribution.digest.clone(),
            kept: keeper.keep(distribution, source.as_ref(), knowledge)?,
            source,
        });
    }
    if asks {
        context.progress.end();
    }
    let mut nodes = find_nodes(site, &knowledge.states)?;
    if asks {
        keep_nodes(context, site, &mut nodes)?;
    }
    Ok(State {
        packages,
        nodes,
        core: installation.core(),
        python: site.target.python.to_string(),
        python_path: crate::requirements::origin::show_path(
            &installation.root,
            &site.interpreter.path,
        ),
        platform: site.target.platform.triple(),
        lock: fs::find_text(&installation.lock_path())?,
        base: installed.base().map(|base| BaseState {
            prefix: base.prefix.to_string(),
            packages: base.iter().map(beneath).collect(),
        }),
    })
}

/// What is not ours to change is recorded by version and digest alone.
fn beneath(distribution: &Distribution) -> PackageState {
    PackageState {
        name: distribution.name.clone(),
        version: distribution.version.clone(),
        digest: distribution.digest.clone(),
        source: None,
        kept: None,
    }
}

/// Only the pages themselves are wanted; nothing follows from one.
struct NoGuess;

impl Scout for NoGuess {
    fn page_arrived(&self, _: &Name, _: &Arc<Page>) -> Vec<Want> {
        Vec::new()
    }

    fn metadata_arrived(&self, _: &Name, _: &Version, _: &Metadata) -> Vec<Want> {
        Vec::new()
    }
}

/// The source that an earlier state knows of an unchanged distribution.
fn known_source(distribution: &Distribution, knowledge: &Knowledge<'_>) -> Option<SourceRecord> {
    knowledge.states.iter().find_map(|state| {
        let known = state.package(&distribution.name)?;
        let same = known.version == distribution.version && known.digest == distribution.digest;
        same.then(|| known.source.clone()).flatten()
    })
}

fn source_of(
    site: &Site,
    distribution: &Distribution,
    knowledge: &Knowledge<'_>,
) -> Result<Option<SourceRecord>, OpError> {
    if let Some(known) = known_source(distribution, knowledge) {
        return Ok(Some(known));
    }
    let mut wheel = None;
    // What was built here can be had again only as it is: a second build would differ.
    let mut built = None;
    // No index has the files of conda's build, only others of the same version.
    if distribution.is_of_conda() {
        let store = knowledge
            .index
            .map(|_| keep(site, distribution))
            .transpose()?;
        return Ok(store.flatten());
    }
    if let Origination::Direct(source) = &distribution.origination {
        // A wheel by path may be gone tomorrow; a commit or address stays.
        match source {
            Source::Path {
                editable: false,
                path,
            } if fs::is_file(path.as_str().into()) => wheel = Some(path.as_str()),
            _ => return Ok(direct(source, distribution)),
        }
    } else if distribution.editable.is_some() {
        // An index may have the name and version, and never these files.
        return Ok(None);
    } else if let Some(record) = knowledge
        .lock
        .and_then(|lock| from_lock(lock, distribution, &site.target))
    {
        if !is_built(&record) {
            return Ok(Some(record));
        }
        built = Some(record);
    }
    let Some(index) = knowledge.index else {
        return Ok(built);
    };
    match from_index(index, distribution, &site.target) {
        _ if built.is_some() => {}
        Ok(Some(record)) if !is_another(&record, distribution, wheel, knowledge) => {
            if !is_built(&record) {
                return Ok(Some(record));
            }
            built = Some(record);
        }
        Err(IndexError::Interrupted) => return Err(OpError::Interrupted),
        // Without the network nothing proves that a package of an index must be kept.
        Err(_) if wheel.is_none() => return Ok(None),
        _ => {}
    }
    Ok(keep(site, distribution)?.or(built))
}

/// Makes the record of an address, with the digest that its installer wrote down.
fn direct(source: &Source, distribution: &Distribution) -> Option<SourceRecord> {
    let mut record = SourceRecord::of_direct(source)?;
    if let (SourceRecord::Url { hashes, .. }, Some(sha256)) = (&mut record, &distribution.archive) {
        hashes.insert("sha256".to_owned(), sha256.clone());
    }
    Some(record)
}

/// Keeps a distribution in the store as it is installed, if that may and can be.
fn keep(site: &Site, distribution: &Distribution) -> Result<Option<SourceRecord>, OpError> {
    if site.installation.settings.policy.store == Some(StoreMode::None)
        || !distribution.lacks.is_empty()
    {
        return Ok(None);
    }
    let store = site.installation.own_dir().join("store");
    match repack(distribution, &store) {
        Ok(put) => Ok(Some(SourceRecord::Store {
            file: put.file,
            sha256: put.sha256,
        })),
        Err(crate::store::StoreError::File(error)) if error.is_full() => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// Reports whether a source has to be built.
fn is_built(record: &SourceRecord) -> bool {
    matches!(record, SourceRecord::Index { filename, .. } if !filename.ends_with(".whl"))
}

/// Reports whether a distribution is known to come from another file than this one of
/// the same name: the wheel it was installed from is still there and differs, or this
/// one is known to hold other files.
fn is_another(
    record: &SourceRecord,
    distribution: &Distribution,
    wheel: Option<&str>,
    knowledge: &Knowledge<'_>,
) -> bool {
    let differs = wheel.is_some_and(|path| {
        let here = digest::sha256_of_file(path.into()).ok();
        !matches!(record, SourceRecord::Index { hashes, .. } if hashes.get("sha256") == here.as_ref())
    });
    let known = (knowledge.states.iter()).filter_map(|state| state.package(&distribution.name));
    differs
        || known.into_iter().any(|known| {
            known.version == distribution.version
                && known.digest != distribution.digest
                && known.source.as_ref() == Some(record)
        })
}

fn record(index: &str, file: &DistFile) -> SourceRecord {
    SourceRecord::Index {
        index: index.to_owned(),
        filename: file.filename.clone(),
        url: file.url.clone(),
        hashes: file.hashes.clone(),
        size: file.size,
    }
}

fn from_lock(lock: &Lock, distribution: &Distribution, target: &Target) -> Option<SourceRecord> {
    let locked = lock
        .get(&distribution.name)
        .filter(|locked| locked.version.as_ref() == Some(&distribution.version))?;
    match &locked.source {
        Source::Index(index) => Some(record(index, locked.file_for(target)?)),
        Source::Url { url, subdirectory } => Some(SourceRecord::Url {
            url: url.clone(),
            subdirectory: subdirectory.clone(),
            hashes: locked
                .files
                .first()
                .map(|file| file.hashes.clone())
                .unwrap_or_default(),
        }),
        // A wheel by path may be gone tomorrow: it is kept as it is installed.
        Source::Path { .. } if !locked.files.is_empty() => None,
        source => SourceRecord::of_direct(source),
    }
}

/// Looks for the file by its digest where that was written down, else by name, version
/// and fit; a wheel that was built here from an sdist is found as that sdist.
fn from_index(
    index: &dyn Index,
    distribution: &Distribution,
    target: &Target,
) -> Result<Option<SourceRecord>, IndexError> {
    let Some(page) = index.page(&distribution.name)? else {
        return Ok(None);
    };
    let Some(at) = page.find(&distribution.version) else {
        return Ok(None);
    };
    let files = page.files(at);
    if let Origination::GoneFile {
        sha256: Some(sha256),
        ..
    } = &distribution.origination
    {
        // A file of the same name with another digest is another build.
        let mut all = files.iter().filter_map(|file| page.cold(*file));
        let same = all.find(|cold| cold.file.sha256() == Some(sha256));
        let hashed = files
            .iter()
            .filter_map(|file| page.cold(*file))
            .all(|cold| cold.file.sha256().is_some());
        if same.is_some() || hashed {
            return Ok(same.map(|cold| record(page.index(), &cold.file)));
        }
    }
    let wheel = files
        .iter()
        .filter(|file| file.kind() == FileKind::Wheel)
        .filter_map(|file| {
            Some((
                target
                    .tags()
                    .rank(page.tag_sets().get(file.tags as usize)?)?,
                *file,
            ))
        })
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, file)| file);
    let chosen = wheel.or_else(|| {
        files
            .iter()
            .find(|file| file.kind() == FileKind::Sdist)
            .copied()
    });
    Ok(chosen
        .and_then(|file| page.cold(file))
        .map(|cold| record(page.index(), &cold.file)))
}
