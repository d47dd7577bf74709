//! Packages: what is wanted, through uv, read back.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::context::{Context, Site};
use super::error::OpError;
use super::inputs::ResolveFlags;
use super::keep::within;
use super::obstacle::check_replaceable;
use super::restore;
use super::transaction::scratch_dir;
use crate::environment::Installed;
use crate::environment::files::{Depth, normal};
use crate::environment::unrecorded::find_unrecorded;
use crate::host::{DirLock, digest, fs, volume};
use crate::lock::{ChangeKind, Lock};
use crate::nodes::trash;
use crate::package::{Hashes, Name, Source, Target};
use crate::plan::{Goal, Plan, Removal, between, rests_on_base};
use crate::snapshot::{Kept, SourceRecord, State};
use crate::store::place_of;
use crate::sync::run::RunSource;
use crate::sync::{Fault, RunEntry, RunLock, check_distribution, verify};
use crate::uv::{SyncCall, Uv, UvError};

/// One package that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its version, and its digest where that is known.
    pub goal: Goal,
    /// Where uv takes it from; `None` if nowhere.
    pub source: Option<RunSource>,
    /// How much is downloaded, where that is known.
    pub bytes: Option<u64>,
    /// The index it comes from.
    pub index: Option<String>,
    /// What the store keeps of it.
    pub kept: Option<Kept>,
    /// Where uv takes it from if the store's wheel of it is damaged.
    pub otherwise: Option<RunSource>,
}

impl Wanted {
    /// Reports whether an imprint is all there is of it, which uv knows nothing of.
    pub fn is_imprint(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.whole)
    }
}

/// What the environment should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageGoal {
    /// What is wanted, by name.
    pub wanted: BTreeMap<Name, Wanted>,
    /// What goes.
    pub removal: Removal,
    /// What is installed anew although it is there.
    pub anew: Anew,
}

/// What is installed anew although it is there, because its files are known to be broken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anew {
    /// The packages.
    pub names: BTreeSet<Name>,
    /// uv's cache is passed by: files that are links into it are broken there too.
    pub past_cache: bool,
}

impl PackageGoal {
    /// Makes the goal of a lock: its packages there, what earlier locks brought and
    /// this one does not name gone.
    pub fn of_lock(lock: &Lock, target: &Target, root: &Utf8Path, removal: Removal) -> Self {
        let mut wanted = BTreeMap::new();
        for package in lock.active(target) {
            let Some(version) = package.version.clone() else {
                continue;
            };
            let file = package.file_for(target);
            let source = match &package.source {
                Source::Index(_) => {
                    file.map(|file| match crate::index::folder::path_of(&file.url) {
                        Some(path) => RunSource::Local {
                            path: path.into_string(),
                            hashes: file.hashes.clone(),
                        },
                        None => RunSource::File {
                            filename: file.filename.clone(),
                            url: file.url.clone(),
                            hashes: file.hashes.clone(),
                            sdist: file.kind == crate::package::FileKind::Sdist,
                            index: match &package.source {
                                Source::Index(index) => Some(index.clone()),
                                _ => None,
                            },
                        },
                    })
                }
                Source::Url { url, subdirectory } => Some(RunSource::Archive {
                    url: url.clone(),
                    subdirectory: subdirectory.clone(),
                    hashes: package
                        .files
                        .first()
                        .map(|file| file.hashes.clone())
                        .unwrap_or_default(),
                }),
                Source::Git(vcs) => Some(RunSource::Git {
                    url: vcs.url.clone(),
                    commit: vcs.commit.clone(),
                    subdirectory: vcs.subdirectory.clone(),
                }),
                Source::Path { path, editable } => Some(match package.files.first() {
                    Some(file) => RunSource::Local {
                        path: root.join(path).into_string(),
                        hashes: file.hashes.clone(),
                    },
                    None => RunSource::Directory {
                        path: root.join(path).into_string(),
                        editable: *editable,
                    },
                }),
            };
            let index = match &package.source {
                Source::Index(index) => Some(index.clone()),
                _ => None,
            };
            let bytes = file.and_then(|file| file.size);
            let place = match &package.source {
                Source::Git(_) => Some(package.source.clone()),
                Source::Path { path, editable } if package.files.is_empty() => Some(Source::Path {
                    path: root.join(path).into_string(),
                    editable: *editable,
                }),
                _ => None,
            };
            wanted.insert(
                package.name.clone(),
                Wanted {
                    goal: Goal {
                        version,
                        digest: None,
                        source: place,
                    },
                    source,
                    bytes,
                    index,
                    kept: None,
                    otherwise: None,
                },
            );
        }
        for (name, version) in &lock.kept {
            wanted.insert(
                name.clone(),
                Wanted {
                    goal: Goal {
                        version: version.clone(),
                        digest: None,
                        source: None,
                    },
                    source: None,
                    bytes: None,
                    index: None,
                    kept: None,
                    otherwise: None,
                },
            );
        }
        Self {
            wanted,
            removal,
            anew: Anew::default(),
        }
    }

    /// Makes the goal of a recorded state: exactly that, extras too.
    pub fn of_state(state: &State, own_dir: &Utf8Path) -> Self {
        let wanted = state
            .packages
            .iter()
            .map(|package| {
                let (source, bytes, index) = match &package.source {
                    None => (None, None, None),
                    Some(record) => {
                        let (bytes, index) = match record {
                            SourceRecord::Index { size, index, .. } => (*size, Some(index.clone())),
                            _ => (None, None),
                        };
                        (Some(run_source(record, own_dir)), bytes, index)
                    }
                };
                let kept = package.kept.clone();
                let wheel = kept.as_ref().and_then(|kept| kept.wheel.as_ref());
                let wheel = wheel.map(|keep| RunSource::Local {
                    path: own_dir.join("store").join(&keep.file).into_string(),
                    hashes: Hashes::from([("sha256".to_owned(), keep.sha256.clone())]),
                });
                let (source, otherwise) = match wheel {
                    Some(wheel) => (Some(wheel), source),
                    None => (source, None),
                };
                let goal = Goal {
                    version: package.version.clone(),
                    digest: package.digest.clone(),
                    source: None,
                };
                (
                    package.name.clone(),
                    Wanted {
                        goal,
                        source,
                        bytes,
                        index,
                        kept,
                        otherwise,
                    },
                )
            })
            .collect();
        Self {
            wanted,
            removal: Removal::Everything,
            anew: Anew::default(),
        }
    }

    /// Returns versions and digests alone.
    pub fn goals(&self) -> BTreeMap<Name, Goal> {
        self.wanted
            .iter()
            .map(|(name, wanted)| (name.clone(), wanted.goal.clone()))
            .collect()
    }

    /// Works out what must change.
    pub fn plan(&self, installed: &Installed) -> Plan {
        let mut plan = between(installed, &self.goals(), &self.removal);
        plan.replace_too(installed, &self.anew.names);
        plan
    }

    /// Reports whether nothing must change.
    pub fn is_met(&self, installed: &Installed) -> bool {
        self.plan(installed).is_empty()
    }

    /// Names what would have to be installed and can be had nowhere, or only damaged.
    pub fn lacking(&self, installed: &Installed) -> Vec<String> {
        let plan = self.plan(installed);
        let steps = plan.steps.iter().map(|step| &step.change);
        let comes = steps.filter(|change| change.kind != ChangeKind::Remove);
        comes
            .filter_map(|change| {
                let wanted = self.wanted.get(&change.name)?;
                let version = &wanted.goal.version;
                match &wanted.source {
                    None if wanted.is_imprint() => None,
                    None => Some(format!("{} {version}", change.name)),
                    Some(RunSource::Local { path, hashes }) => {
                        let fault = fault_of(path.as_str().into(), hashes)?;
                        Some(format!("{} {version} (`{path}` is {fault})", change.name))
                    }
                    Some(_) => None,
                }
            })
            .collect()
    }
}

/// Says what is wrong with a file that a package is to be installed from.
fn fault_of(path: &Utf8Path, hashes: &Hashes) -> Option<&'static str> {
    if !fs::is_file(path) {
        return Some("gone");
    }
    let expected = hashes.get("sha256")?;
    let is_whole = digest::sha256_of_file(path).is_ok_and(|found| found == *expected);
    (!is_whole).then_some("damaged")
}

fn run_source(record: &SourceRecord, own_dir: &Utf8Path) -> RunSource {
    match record.clone() {
        SourceRecord::Index {
            filename,
            url,
            hashes,
            index,
            ..
        } => match crate::index::folder::path_of(&url) {
            Some(path) => RunSource::Local {
                path: path.into_string(),
                hashes,
            },
            None => RunSource::File {
                sdist: !filename.ends_with(".whl"),
                filename,
                url,
                hashes,
                index: Some(index),
            },
        },
        SourceRecord::Url {
            url,
            subdirectory,
            hashes,
        } => RunSource::Archive {
            url,
            subdirectory,
            hashes,
        },
        SourceRecord::Git {
            url,
            commit,
            subdirectory,
            ..
        } => RunSource::Git {
            url,
            commit,
            subdirectory,
        },
        SourceRecord::Path { path, editable } => RunSource::Directory { path, editable },
        SourceRecord::Store { file, sha256 } => RunSource::Local {
            path: own_dir.join("store").join(file).into_string(),
            hashes: Hashes::from([("sha256".to_owned(), sha256)]),
        },
    }
}

/// Refuses to change the packages of a Python that another program manages (PEP 668).
///
/// # Errors
///
/// Fails if something is to change and the user has not allowed it.
fn check_managed(site: &Site, goal: &PackageGoal, installed: &Installed) -> Result<(), OpError> {
    let allowed = site.installation.settings.installation.allow_system;
    if site.interpreter.managed && !allowed && !goal.is_met(installed) {
        return Err(OpError::ManagedPython(site.interpreter.path.clone()));
    }
    Ok(())
}

/// Demands, before anything is changed, that nothing stands in the way of a goal: who manages
/// the Python, what may not be written, and what a program has loaded.
///
/// # Errors
///
/// Fails with the first thing in the way.
pub fn check_applicable(
    site: &Site,
    goal: &PackageGoal,
    installed: &Installed,
) -> Result<(), OpError> {
    check_managed(site, goal, installed)?;
    check_replaceable(site, goal, installed)
}

/// Makes the environment what is wanted and reads it back.
///
/// # Errors
///
/// Fails before any change if something can be had nowhere or the disk is too
/// full; fails after if uv failed or the result is not what was wanted.
pub fn apply(
    context: &Context,
    site: &Site,
    uv: &Uv,
    held: &DirLock,
    goal: &PackageGoal,
) -> Result<(), OpError> {
    let installed = site.installed()?;
    let plan = goal.plan(&installed);
    if plan.is_empty() {
        return restore::run(site, goal, &[]);
    }
    check_managed(site, goal, &installed)?;
    check_room(site, goal, &plan)?;
    let changed: Vec<Name> = plan
        .steps
        .iter()
        .filter(|step| step.change.kind != ChangeKind::Remove)
        .map(|step| step.change.name.clone())
        .collect();
    let lock = run_lock(goal, &installed, &plan, &changed)?;
    let (_guard, dir) = scratch_dir(site)?;
    let path = dir.join("pylock.toml");
    fs::write_atomic(&path, lock.to_toml().as_bytes())?;
    let aside = set_hollow_aside(site, &installed, &plan, &context.clock.now().to_string())?;
    let doubles = set_doubles_aside(&installed, &plan, &dir)?;
    context
        .progress
        .begin(&format!("installing {} packages", changed.len()), None);
    let reinstall = plan.reinstalls();
    let indexes =
        ResolveFlags::default().index_config(context, &site.installation.settings, &[])?;
    let sync = |again: &[Name], offline, past_cache| -> Result<Result<_, UvError>, OpError> {
        let call = SyncCall {
            python: &site.interpreter.path,
            lock: &path,
            reinstall: again,
            offline,
            past_cache,
            build: lock.needs_build(&changed),
            break_system: site.interpreter.managed,
            indexes: &indexes,
        };
        Ok(uv.pip_sync(&call, Some(held.share()?)))
    };
    let past_cache = goal.anew.past_cache;
    let mut synced = sync(&reinstall, context.offline, past_cache)?;
    // uv asks again for what it keeps. Where nobody answers, what it keeps will do, for the
    // hashes are known; and it fetches everything before it changes anything.
    if matches!(synced, Err(UvError::Failed { network: true, .. })) && !context.offline {
        let kept = sync(&reinstall, true, past_cache)?;
        if kept.is_ok() {
            synced = kept;
        }
    }
    context.progress.end();
    let put_back = |moved: &[(Utf8PathBuf, Utf8PathBuf)]| -> Result<(), OpError> {
        for (from, to) in moved.iter().rev().filter(|(from, _)| !fs::exists(from)) {
            fs::rename(to, from)?;
        }
        Ok(())
    };
    put_back(&doubles)?;
    if synced.is_err() {
        put_back(&aside)?;
    }
    synced?;
    if goal.anew.past_cache {
        uv.forget(&changed);
    }
    let made: Vec<Name> = (changed.iter())
        .filter(|name| !goal.wanted.get(*name).is_some_and(Wanted::is_imprint))
        .cloned()
        .collect();
    let now = site.installed()?;
    let mut faults = broken(&now, goal, &made, goal.anew.past_cache);
    // What uv had in its cache may be as broken as what was there before.
    if !faults.is_empty() && !context.offline && !goal.anew.past_cache {
        uv.forget(&made);
        sync(&made, false, true)??;
        faults = broken(&site.installed()?, goal, &made, true);
    }
    if !faults.is_empty() {
        return Err(OpError::NotAsWanted(faults));
    }
    restore::run(site, goal, &changed)?;
    let stays: Vec<_> = plan
        .extra
        .iter()
        .filter_map(|name| installed.get(name))
        .cloned()
        .collect();
    let faults = verify(&site.installed()?, &goal.goals(), &stays, &plan.removed());
    if faults.is_empty() {
        Ok(())
    } else {
        Err(OpError::NotAsWanted(faults))
    }
}

/// Says which of the packages that were just installed are not whole.
///
/// A wheel of the store is proved by its own digest, and holds what was there when it was kept;
/// and what comes past the cache is as its builder made it, whatever RECORD says.
fn broken(installed: &Installed, goal: &PackageGoal, names: &[Name], again: bool) -> Vec<Fault> {
    let found = names.iter().filter_map(|name| installed.get(name));
    found
        .filter_map(|found| {
            let wanted = goal.wanted.get(&found.name);
            let local = wanted.and_then(|wanted| wanted.source.as_ref());
            let is_proved = again || matches!(local, Some(RunSource::Local { .. }));
            let depth = if is_proved {
                Depth::Sizes
            } else {
                Depth::Unpacked
            };
            Some(Fault {
                package: found.name.clone(),
                message: check_distribution(found, depth).err()?,
            })
        })
        .collect()
}

/// Moves to the trash what has no RECORD of packages that change: uv neither removes nor
/// replaces that, and would leave two of one name, or old modules beneath new ones. Returns
/// where each file or directory was and is.
fn set_hollow_aside(
    site: &Site,
    installed: &Installed,
    plan: &Plan,
    stamp: &str,
) -> Result<Vec<(Utf8PathBuf, Utf8PathBuf)>, OpError> {
    let trash = site.installation.own_dir().join("trash");
    let listed = installed.iter().map(|found| (&found.name, &found.dir));
    let doubled = installed.doubled.iter().map(|(name, dir)| (name, dir));
    let mut aside = Vec::new();
    for (name, dir) in listed.chain(doubled) {
        let changes = plan.steps.iter().any(|step| step.change.name == *name);
        if !changes || fs::is_file(&dir.join("RECORD")) || !fs::exists(dir) {
            continue;
        }
        let files = match installed.get(name).filter(|found| found.dir == *dir) {
            Some(found) => find_unrecorded(found, installed),
            None => Vec::new(),
        };
        let place = trash::free_place(&trash, &format!("no-record-{name}"), stamp);
        let entry = dir.file_name().unwrap_or_default().to_owned();
        let parent = dir.parent().unwrap_or(dir);
        let inside = |file: &String| file.starts_with(&format!("{entry}/")) || *file == entry;
        let others = files.iter().filter(|file| !inside(file));
        for file in others.chain([&entry]) {
            // What lies outside of the environment is not touched.
            let Some(from) = place_of(file, parent, within(site)) else {
                continue;
            };
            let to = trash
                .join(&place)
                .join(normal(file, false).replace("../", "_/"));
            if let Some(above) = to.parent() {
                fs::create_dir_all(above)?;
            }
            fs::rename(&from, &to)?;
            aside.push((from, to));
        }
    }
    Ok(aside)
}

/// Moves aside the second metadata directory of packages that stay: of two, uv takes neither
/// for what is wanted, and would install the package from where there is nothing. Returns
/// where each was and is.
fn set_doubles_aside(
    installed: &Installed,
    plan: &Plan,
    scratch: &Utf8Path,
) -> Result<Vec<(Utf8PathBuf, Utf8PathBuf)>, OpError> {
    let mut aside = Vec::new();
    for (name, dir) in &installed.doubled {
        let stays = !plan.steps.iter().any(|step| step.change.name == *name);
        if stays && fs::exists(dir) {
            let to = scratch.join(format!("double-{}", aside.len()));
            fs::rename(dir, &to)?;
            aside.push((dir.clone(), to));
        }
    }
    Ok(aside)
}

/// uv removes what its file does not name, so everything that stays is named.
fn run_lock(
    goal: &PackageGoal,
    installed: &Installed,
    plan: &Plan,
    changed: &[Name],
) -> Result<RunLock, OpError> {
    let mut entries = BTreeMap::new();
    for (name, wanted) in &goal.wanted {
        // uv looks at the environment alone, and would install what the base has.
        if rests_on_base(installed, name, &wanted.goal) {
            continue;
        }
        // What was not made from a wheel is no business of uv's once it is there again.
        if wanted.is_imprint() && changed.contains(name) {
            continue;
        }
        let source = if changed.contains(name) {
            wanted.source.clone().ok_or_else(|| {
                OpError::Unrestorable(vec![format!("{name} {}", wanted.goal.version)])
            })?
        } else {
            RunSource::Stays
        };
        entries.insert(
            name.clone(),
            RunEntry {
                name: name.clone(),
                version: wanted.goal.version.clone(),
                source,
            },
        );
    }
    for distribution in plan.extra.iter().filter_map(|name| installed.get(name)) {
        let entry = RunEntry {
            name: distribution.name.clone(),
            version: distribution.version.clone(),
            source: RunSource::Stays,
        };
        entries.insert(distribution.name.clone(), entry);
    }
    Ok(RunLock {
        entries: entries.into_values().collect(),
    })
}

/// Wheels unpack to about three times their size, and the old files go only when
/// the new ones are there.
fn check_room(site: &Site, goal: &PackageGoal, plan: &Plan) -> Result<(), OpError> {
    let purelib = &site.interpreter.purelib;
    fs::check_writable(purelib)?;
    let names: BTreeSet<&Name> = plan.steps.iter().map(|step| &step.change.name).collect();
    let needed: u64 = names
        .iter()
        .filter_map(|name| goal.wanted.get(*name)?.bytes)
        .sum::<u64>()
        .saturating_mul(3);
    match volume::free_bytes(purelib) {
        Some(free) if free < needed => Err(OpError::NoRoom {
            path: purelib.clone(),
            needed,
            free,
        }),
        _ => Ok(()),
    }
}
