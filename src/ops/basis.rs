//! What a check is about: an installation, or what stands for one where there is none: a
//! lock, or the requirement files of ComfyUI.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::check::CheckRequest;
use super::context::Context;
use super::error::OpError;
use super::release::{REPOSITORY, Release, find_release};
use crate::host::fs;
use crate::index::config::PYPI;
use crate::lock::Lock;
use crate::package::{Name, Source};
use crate::requirements::file::Reading;
use crate::requirements::origin::show_path;
use crate::requirements::set::gather_with;
use crate::requirements::{Origin, OriginKind, RequirementSet, read_requirements};
use crate::workspace::discover::CoreReason;
use crate::workspace::settings::{IndexTable, Settings};
use crate::workspace::{Installation, Layout, WorkspaceError};

/// The targets of a check against ComfyUI's files, unless a flag or the settings name
/// others: those of the locks that this project comes with, the same on every machine.
const TARGETS: [&str; 3] = [
    "x86_64-unknown-linux-gnu",
    "x86_64-pc-windows-msvc",
    "aarch64-apple-darwin",
];
const PYTHON: &str = "3.12";

/// What a check is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Basis {
    /// The installation.
    Installation,
    /// A lock.
    Lock(Utf8PathBuf),
    /// One requirements file that ComfyUI's stands for.
    File(Utf8PathBuf),
    /// A checkout of ComfyUI, of which only the requirement files count.
    Checkout(Utf8PathBuf),
    /// A release, in the words of [`find_release`].
    Release(String),
}

/// What was read of it.
pub(super) struct Opened {
    /// The lock, if it is one.
    pub(super) lock: Option<Lock>,
    /// What ComfyUI's files ask for, where these are at hand.
    pub(super) core: RequirementSet,
    /// Its name for people.
    pub(super) shown: String,
    /// The file, for those who look for it.
    pub(super) path: Utf8PathBuf,
    /// The release, if it is one.
    pub(super) release: Option<Release>,
    /// The instant that it is of, in seconds since 1970.
    pub(super) as_of: Option<i64>,
}

impl Basis {
    /// Decides what a request is about. A path that exists is a path: a directory a
    /// checkout, a file a lock or a requirements file; any other word is a release.
    ///
    /// # Errors
    ///
    /// Fails if nothing is there to be checked.
    pub(super) fn of(context: &Context, request: &CheckRequest) -> Result<Self, OpError> {
        let basis = match (&request.against, &request.core) {
            (Some(lock), _) => Self::Lock(lock.clone()),
            (None, None) => Self::Installation,
            (None, Some(word)) => Self::of_core(context, request, word)?,
        };
        let usage = |text: &str| Err(OpError::Usage(text.to_owned()));
        if basis == Self::Installation {
            return match &request.with {
                None => Ok(basis),
                Some(_) => usage(
                    "a list of nodes is judged beside a lock or a release of ComfyUI, and none is named",
                ),
            };
        }
        if request.nodes.is_empty() {
            return usage("no node is named; `.` is the one in the working directory");
        }
        Ok(basis)
    }

    fn of_core(context: &Context, request: &CheckRequest, word: &str) -> Result<Self, OpError> {
        let path = context.dir.join(word);
        if fs::is_dir(&path) {
            // With an installation around it is that one's checkout.
            let alone = !request.nodes.is_empty()
                && fs::is_file(&path.join("requirements.txt"))
                && matches!(
                    context.installation(),
                    Err(OpError::Workspace(WorkspaceError::NotFound { .. }))
                );
            return Ok(if alone {
                Self::Checkout(path)
            } else {
                Self::Installation
            });
        }
        if fs::is_file(&path) {
            let is_lock = is_lock_name(path.file_name().unwrap_or_default());
            return Ok(if is_lock {
                Self::Lock(path)
            } else {
                Self::File(path)
            });
        }
        let is_path = word.starts_with(['.', '/', '~'])
            || word.contains('\\')
            || [".txt", ".toml"].iter().any(|end| word.ends_with(end));
        if is_path {
            let message = format!("there is no file or directory `{word}`");
            return Err(OpError::NotFound(message));
        }
        Ok(Self::Release(word.to_owned()))
    }

    /// Reads it, and fetches what is not here: below `scratch` where there is no cache.
    ///
    /// # Errors
    ///
    /// Fails on bad input, or if it cannot be had.
    pub(super) fn open(
        &self,
        context: &Context,
        request: &CheckRequest,
        dir: &Utf8Path,
        scratch: &Utf8Path,
    ) -> Result<Opened, OpError> {
        let mut opened = Opened {
            lock: None,
            core: RequirementSet::default(),
            shown: String::new(),
            path: Utf8PathBuf::new(),
            release: None,
            as_of: None,
        };
        match self {
            Self::Installation => {
                return Err(OpError::Usage("no lock or release is named".to_owned()));
            }
            Self::Lock(lock) => {
                opened.path = context.dir.join(lock);
                let found = Lock::find(&opened.path)?;
                let found = found
                    .ok_or_else(|| OpError::NotFound(format!("there is no lock at `{lock}`")))?;
                opened.as_of = instant_of(&found);
                opened.lock = Some(found);
                opened.shown = show_path(dir, &opened.path);
            }
            Self::File(file) => {
                opened.path = fs::canonical(file)?;
                opened.shown = show_path(dir, &opened.path);
                let owner = Origin::file(OriginKind::Core, None, &opened.shown);
                let reading = Reading {
                    root: dir,
                    owner: &owner,
                    variables: &context.variables,
                };
                let content = read_requirements(&opened.path, &reading);
                opened.core.add_file(content);
            }
            Self::Checkout(checkout) => {
                let checkout = fs::canonical(checkout)?;
                opened.core = core_of(context, dir, &checkout);
                opened.shown = show_path(dir, &checkout);
                opened.path = checkout.join("requirements.txt");
            }
            Self::Release(word) => {
                let url = request.core_url.as_deref().unwrap_or(REPOSITORY);
                let release = find_release(context, url, word, scratch)?;
                opened.core = core_of(context, &release.dir, &release.dir);
                opened.shown = format!("ComfyUI {}", release.name);
                opened.path = release.dir.join("requirements.txt");
                opened.as_of = Some(release.time);
                opened.release = Some(release);
            }
        }
        Ok(opened)
    }
}

/// The names that PEP 751 gives to locks.
fn is_lock_name(name: &str) -> bool {
    name == "pylock.toml" || name.starts_with("pylock.") && name.ends_with(".toml")
}

/// Returns the instant that a lock is of: its cut-off, else when the newest of its files
/// was uploaded. What came later was not there to be chosen.
fn instant_of(lock: &Lock) -> Option<i64> {
    let named = lock.exclude_newer.as_ref();
    let named = named.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let files = lock.packages.iter().flat_map(|package| &package.files);
    named
        .map(jiff::Timestamp::as_second)
        .or_else(|| files.filter_map(|file| file.upload_time).max())
}

/// Gathers what ComfyUI's own files ask for, each shown relative to `root`.
fn core_of(context: &Context, root: &Utf8Path, core: &Utf8Path) -> RequirementSet {
    let here = Installation {
        comfyui: Some(core.to_owned()),
        ..stand_in(root, Settings::default())
    };
    gather_with(&here, &[], &context.variables)
}

/// An installation with nothing in it, for those who read nodes.
pub(super) fn stand_in(dir: &Utf8Path, settings: Settings) -> Installation {
    Installation {
        root: dir.to_owned(),
        layout: Layout::Base,
        comfyui: None,
        core_reason: CoreReason::None,
        custom_nodes: vec![dir.join("custom_nodes")],
        settings,
        notes: Vec::new(),
    }
}

/// Adds what a check against ComfyUI's files is for, where the settings do not say.
pub(super) fn settle_targets(settings: &mut Settings) {
    let resolve = &mut settings.resolve;
    resolve
        .targets
        .get_or_insert_with(|| TARGETS.map(str::to_owned).to_vec());
    resolve
        .python_version
        .get_or_insert_with(|| PYTHON.to_owned());
}

/// The settings that hold: what `portenv.toml` says of the gate and of indexes, and what
/// the lock says of the rest.
pub(super) fn settings_of(mut settings: Settings, lock: &Lock) -> Settings {
    // These were applied when the lock was made, or were not.
    settings.overrides = BTreeMap::new();
    settings.constraints = BTreeMap::new();
    if !lock.targets.is_empty() {
        settings.resolve.targets = Some(lock.targets.clone());
    }
    let mut used: BTreeMap<&str, Vec<&Name>> = BTreeMap::new();
    for package in &lock.packages {
        if let Source::Index(url) = &package.source {
            used.entry(url.as_str()).or_default().push(&package.name);
        }
    }
    let is_pypi = |url: &str| url.trim_end_matches('/') == PYPI.trim_end_matches('/');
    let most = used.iter().max_by_key(|(_, names)| names.len());
    let main = (used.keys().find(|url| is_pypi(url)).copied())
        .or_else(|| most.map(|(url, _)| *url))
        .unwrap_or(PYPI)
        .to_owned();
    let known = |settings: &Settings, url: &str| {
        let mut tables = settings.index.iter();
        tables.any(|table| table.url.trim_end_matches('/') == url.trim_end_matches('/'))
    };
    // A package stays with the index that it was locked from.
    for (at, (url, names)) in used.iter().filter(|(url, _)| **url != main).enumerate() {
        if !known(&settings, url) {
            settings.index.push(IndexTable {
                name: format!("lock-{at}"),
                url: (*url).to_owned(),
                default: false,
                packages: names.iter().map(ToString::to_string).collect(),
            });
        }
    }
    if !settings.index.iter().any(|table| table.default) && !is_pypi(&main) {
        settings.index.push(IndexTable {
            name: "lock".to_owned(),
            url: main,
            default: true,
            packages: Vec::new(),
        });
    }
    settings
}
