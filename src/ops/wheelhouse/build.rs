//! `wheelhouse build`: every wheel of the lock in a folder.
//!
//! What is there already and has its digest is left alone; what is fetched goes through
//! parts that the next run takes up; the lists are written last, and until then the folder
//! says of itself that it is not complete.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::fetch::{Need, fill};
use super::make::{Maker, NotMade};
use super::place::{Targets, check_free, folder, targets};
use crate::host::{UseLock, digest, fs};
use crate::lock::Lock;
use crate::ops::context::{Context, Site};
use crate::ops::error::OpError;
use crate::ops::inputs::{ResolveFlags, families};
use crate::package::WheelName;
use crate::package::artifact::without_credentials;
use crate::wheelhouse::manifest::{SCHEMA, write_text};
use crate::wheelhouse::names::colliding;
use crate::wheelhouse::texts::{self, Wheels, house_lock};
use crate::wheelhouse::{
    BUILD, CONSTRAINTS, Gap, Get, HouseError, HouseFile, HouseTarget, Item, MANIFEST, Manifest,
    PARTS, PYLOCK, Provenance, REQUIREMENTS, wanted,
};
use crate::workspace::Settings;
use crate::workspace::settings::FamilyMode;

/// What to fill a folder with.
#[derive(Debug, Clone, Default)]
pub struct BuildRequest {
    /// The folder; that of the installation if none is named.
    pub dir: Option<Utf8PathBuf>,
    /// Targets of the lock, `TRIPLE` or `TRIPLE@PYTHON`; this machine's if there are none.
    pub targets: Vec<String>,
    /// All targets of the lock.
    pub all_targets: bool,
    /// Remove wheels of earlier builds that the lock does not need.
    pub prune: bool,
}

/// How a wheel came to lie in the folder this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was there.
    Kept,
    /// It is new there.
    New,
}

/// What filling a folder came to.
#[derive(Debug, Clone)]
pub struct BuildOutcome {
    /// The folder.
    pub dir: Utf8PathBuf,
    /// What it is for.
    pub targets: Vec<String>,
    /// Its wheels, by name.
    pub files: Vec<(HouseFile, Fate)>,
    /// What builds were made with.
    pub tools: Vec<HouseFile>,
    /// What is lacking.
    pub gaps: Vec<Gap>,
    /// Wheels that the lock does not need, by name; `true` if removed.
    pub stale: Vec<(String, bool)>,
    /// How much came over the network.
    pub fetched_bytes: u64,
    /// A file of the folder was written or removed.
    pub changed: bool,
    /// Things worth knowing: code and message.
    pub warnings: Vec<(&'static str, String)>,
}

/// Fills a folder with the wheels of the lock.
///
/// # Errors
///
/// Fails without a lock, if the folder is something else, or if a wheel could not be had;
/// what has come is taken up by the next run.
pub fn run(context: &Context, request: &BuildRequest) -> Result<BuildOutcome, OpError> {
    let installation = context.installation()?;
    let path = installation.lock_path();
    let text = fs::find_text(&path)?
        .ok_or_else(|| OpError::NotFound(format!("there is no lock at `{path}`")))?;
    let lock = Lock::parse(&text, &path)?;
    let site = context.site();
    let chosen = match site {
        // Without a Python nobody knows which machine this is.
        Err(error) if request.targets.is_empty() && !request.all_targets => return Err(error),
        ref site => {
            let site = site.as_ref().ok();
            targets(&lock, site, &request.targets, request.all_targets)?
        }
    };
    let dir = folder(context, request.dir.as_ref())?;
    check_free(&dir)?;
    let old = Manifest::find(&dir)?;
    let plan = wanted(&lock, &chosen.all, chosen.own, &installation.root)?;
    let parts = dir.join(PARTS);
    fs::create_dir_all(&parts)?;
    fs::check_writable(&dir)?;
    // A file system without locks has no second build at the same time often enough.
    let alone = UseLock::try_alone(&parts.join("lock"));
    if matches!(alone, Ok(None)) {
        return Err(OpError::Busy(format!("wheelhouse build of `{dir}`")));
    }
    let mut work = Work {
        context,
        settings: &installation.settings,
        dir: &dir,
        chosen: &chosen,
        manifest: Manifest {
            schema: SCHEMA,
            created_by: "portenv".to_owned(),
            complete: false,
            lock: format!("sha256:{}", digest::sha256(text.as_bytes())),
            targets: (chosen.all.iter())
                .map(|(name, target)| HouseTarget::new(name, target))
                .collect(),
            gaps: plan.gaps.clone(),
            ..Manifest::default()
        },
        old: old.unwrap_or_default(),
        wheels: BTreeMap::new(),
        fates: BTreeMap::new(),
        fetched: 0,
        warnings: Vec::new(),
    };
    work.say_what_is_left_out()?;
    work.fetch(&plan.items)?;
    work.make(&plan.items, site.as_ref().ok())?;
    work.check_collisions()?;
    let changed = work.write(&lock)?;
    let stale = work.stale(request.prune)?;
    let outcome = work.outcome(stale, changed);
    drop(alone);
    fs::remove_all(&parts)?;
    Ok(outcome)
}

/// One build under way.
struct Work<'a> {
    context: &'a Context,
    settings: &'a Settings,
    dir: &'a Utf8Path,
    chosen: &'a Targets,
    manifest: Manifest,
    old: Manifest,
    /// The wheels of each package, by name and version of the lock.
    wheels: BTreeMap<(crate::package::Name, Option<crate::package::Version>), Vec<HouseFile>>,
    fates: BTreeMap<String, Fate>,
    fetched: u64,
    warnings: Vec<(&'static str, String)>,
}

impl Work<'_> {
    /// A check has no settings to read, and resolves as the lock was resolved.
    fn say_what_is_left_out(&mut self) -> Result<(), OpError> {
        let mut exclude = self.settings.policy.exclude.clone();
        exclude.sort();
        self.manifest.exclude = exclude;
        let families = families(self.settings)?;
        self.manifest.unify = families
            .into_iter()
            .filter(|family| family.mode == FamilyMode::Unify)
            .map(|family| family.members)
            .collect();
        Ok(())
    }

    /// Says of the folder that it is not complete, and what is in it so far.
    fn begin(&self) -> Result<(), OpError> {
        let mut files: BTreeMap<&str, &HouseFile> = (self.old.files.iter())
            .map(|file| (file.name.as_str(), file))
            .collect();
        for file in self.wheels.values().flatten() {
            files.insert(&file.name, file);
        }
        let so_far = Manifest {
            files: files.into_values().cloned().collect(),
            tools: self.old.tools.clone(),
            stale: self.old.stale.clone(),
            ..self.manifest.clone()
        };
        Ok(so_far.write(self.dir)?)
    }

    fn fetch(&mut self, items: &[Item]) -> Result<(), OpError> {
        let mut needs = Vec::new();
        let mut of = Vec::new();
        for item in items {
            let (file, path) = match &item.get {
                Get::Fetch(file) => (file, None),
                Get::Copy(path, file) => (file, Some(path.clone())),
                _ => continue,
            };
            needs.push(Need {
                file: file.clone(),
                path,
                place: file.filename.clone(),
            });
            of.push(item);
        }
        let flags = ResolveFlags::default();
        let config = flags.index_config(self.context, self.settings, &[])?;
        if super::fetch::find_here(self.dir, &needs)?.len() < needs.len() {
            self.begin()?;
        }
        let found = fill(self.context, &config, self.dir, &needs)?;
        for (need, item) in needs.iter().zip(of) {
            let Some(here) = found.get(&need.place) else {
                continue;
            };
            if here.was_fetched {
                self.fetched += here.size;
            }
            let version = WheelName::parse(&need.place).map(|wheel| wheel.version.to_string());
            let is_remote = need.path.is_none();
            let file = HouseFile {
                name: need.place.clone(),
                package: item.name.clone(),
                version: version.unwrap_or_default(),
                sha256: here.sha256.clone(),
                size: here.size,
                from: if is_remote {
                    Provenance::Fetched
                } else {
                    Provenance::Copied
                },
                url: is_remote.then(|| without_credentials(&need.file.url)),
                index: item.index.clone().filter(|_| is_remote),
                built_from: None,
            };
            let fate = if here.is_new { Fate::New } else { Fate::Kept };
            self.put(item, file, fate);
        }
        Ok(())
    }

    fn put(&mut self, item: &Item, file: HouseFile, fate: Fate) {
        self.fates.insert(file.name.clone(), fate);
        let key = (item.name.clone(), item.version.clone());
        let files = self.wheels.entry(key).or_default();
        if !files.iter().any(|known| known.name == file.name) {
            files.push(file);
        }
    }

    fn gap(&mut self, item: &Item, at: usize, reason: &str) {
        self.manifest.gaps.push(Gap {
            target: self.chosen.all[at].0.clone(),
            package: item.name.clone(),
            version: item.version.as_ref().map(ToString::to_string),
            reason: reason.to_owned(),
        });
    }

    fn make(&mut self, items: &[Item], site: Option<&Site>) -> Result<(), OpError> {
        let made: Vec<&Item> = items.iter().filter(|item| item.wheel().is_none()).collect();
        if made.is_empty() {
            return Ok(());
        }
        let Some(site) = site else {
            for item in made {
                for at in item.targets.clone() {
                    self.gap(item, at, "there is no Python here to build its wheel with");
                }
            }
            return Ok(());
        };
        let mut maker = Maker::new(self.context, site, self.dir)?;
        let mut reused = false;
        for item in made {
            let known = self.built_before(&maker, item)?;
            let (file, fate) = match known {
                Some(file) => {
                    reused = true;
                    (Ok(file), Fate::Kept)
                }
                None => {
                    self.begin()?;
                    (maker.make(item), Fate::New)
                }
            };
            match file {
                Ok(file) => self.put_fitting(item, &file, fate),
                Err(NotMade::Gap(reason)) => {
                    for at in item.targets.clone() {
                        if self.chosen.own == Some(at) {
                            self.gap(item, at, &reason);
                        } else {
                            let why = format!(
                                "only its source is offered for this target, and here {reason}"
                            );
                            self.gap(item, at, &why);
                        }
                    }
                }
                Err(NotMade::Error(error)) => return Err(error),
            }
        }
        self.fetched += maker.fetched;
        self.warnings.append(&mut maker.warnings);
        let mut tools = maker.tools;
        if reused {
            for file in &self.old.tools {
                if fs::is_file(&self.dir.join(&file.name)) {
                    tools
                        .entry(file.name.clone())
                        .or_insert_with(|| file.clone());
                }
            }
        }
        self.manifest.tools = tools.into_values().collect();
        Ok(())
    }

    /// A wheel built here serves every target that its tags fit: one without machine code
    /// all of them.
    fn put_fitting(&mut self, item: &Item, file: &HouseFile, fate: Fate) {
        let tags = WheelName::parse(&file.name).map(|wheel| wheel.tags);
        for at in item.targets.clone() {
            let target = &self.chosen.all[at].1;
            if tags
                .as_deref()
                .is_some_and(|tags| target.rank(tags).is_some())
            {
                self.put(item, file.clone(), fate);
            } else {
                let reason = format!(
                    "no wheel of it is offered, and `{}`, which was built here, does not fit",
                    file.name
                );
                self.gap(item, at, &reason);
            }
        }
    }

    /// Finds the wheel that an earlier run made of the very same.
    fn built_before(&self, maker: &Maker<'_>, item: &Item) -> Result<Option<HouseFile>, OpError> {
        let Some(basis) = maker.basis(item) else {
            return Ok(None);
        };
        let mut known = self.old.files.iter();
        let Some(file) = known
            .find(|file| file.package == item.name && file.built_from.as_ref() == Some(&basis))
        else {
            return Ok(None);
        };
        let path = self.dir.join(&file.name);
        let is_it = fs::link_target(&path).is_none()
            && fs::is_file(&path)
            && digest::sha256_of_file(&path)? == file.sha256;
        Ok(is_it.then(|| file.clone()))
    }

    fn check_collisions(&self) -> Result<(), OpError> {
        let mut names: BTreeMap<&str, &HouseFile> = BTreeMap::new();
        for file in self.wheels.values().flatten() {
            if let Some(other) = names.insert(&file.name, file)
                && other.sha256 != file.sha256
            {
                return Err(collision(file, &other.name));
            }
        }
        match colliding(names.keys().copied()).first() {
            Some((one, other)) => Err(collision(names[one], other)),
            None => Ok(()),
        }
    }

    /// Writes the texts, and last the list that says that all is there.
    fn write(&mut self, lock: &Lock) -> Result<bool, OpError> {
        let wheels: Wheels<'_> = (self.wheels.iter())
            .map(|(key, files)| (key.clone(), files.iter().collect()))
            .collect();
        let house = house_lock(lock, &self.chosen.all, &wheels);
        let mut changed = false;
        for (name, text) in [
            (PYLOCK, house.to_toml()),
            (REQUIREMENTS, texts::requirements(&house)),
            (CONSTRAINTS, texts::constraints(&house)),
        ] {
            changed |= write_text(self.dir, name, &text)?;
            let sha256 = digest::sha256(text.as_bytes());
            self.manifest.texts.insert(name.to_owned(), sha256);
        }
        let files: BTreeMap<&str, &HouseFile> = (self.wheels.values().flatten())
            .map(|file| (file.name.as_str(), file))
            .collect();
        self.manifest.files = files.into_values().cloned().collect();
        self.manifest.gaps.sort();
        self.manifest.gaps.dedup();
        Ok(changed || self.fates.values().any(|fate| *fate == Fate::New))
    }

    /// Finds what earlier builds left and this one does not need, removes it if that is
    /// wanted, and writes the list.
    fn stale(&mut self, prune: bool) -> Result<Vec<(String, bool)>, OpError> {
        let old = self.old.files.iter().chain(&self.old.tools);
        let old: BTreeSet<&str> = old
            .map(|file| file.name.as_str())
            .chain(self.old.stale.iter().map(String::as_str))
            .collect();
        let is_needed = |name: &str| {
            let mut files = self.manifest.files.iter().chain(&self.manifest.tools);
            files.any(|file| file.name == name)
        };
        let mut stale = Vec::new();
        for name in old {
            let path = self.dir.join(name);
            if is_needed(name) || !(fs::exists(&path) || fs::link_target(&path).is_some()) {
                continue;
            }
            if prune {
                fs::remove_all(&path)?;
            }
            stale.push((name.to_owned(), prune));
        }
        if prune {
            fs::remove_empty_dir(&self.dir.join(BUILD));
        } else {
            self.manifest.stale = (stale.iter())
                // Those of builds are listed there, below their own folder.
                .filter(|(name, _)| !name.contains('/'))
                .map(|(name, _)| name.clone())
                .collect();
        }
        self.manifest.complete = true;
        self.manifest.write(self.dir)?;
        Ok(stale)
    }

    fn outcome(self, stale: Vec<(String, bool)>, changed: bool) -> BuildOutcome {
        let fates = self.fates;
        let files = self.manifest.files.into_iter();
        let mut warnings = self.warnings;
        if !stale.is_empty() && stale.iter().all(|(_, removed)| !removed) {
            let names: Vec<&str> = stale.iter().map(|(name, _)| name.as_str()).collect();
            warnings.push((
                "stale",
                format!(
                    "not needed by the lock any more, and left in the folder: {}",
                    names.join(", ")
                ),
            ));
        }
        BuildOutcome {
            dir: self.dir.to_owned(),
            targets: self
                .chosen
                .all
                .iter()
                .map(|(name, _)| name.clone())
                .collect(),
            files: files
                .map(|file| {
                    let fate = fates.get(&file.name).copied().unwrap_or(Fate::Kept);
                    (file, fate)
                })
                .collect(),
            tools: self.manifest.tools,
            gaps: self.manifest.gaps,
            changed: changed || stale.iter().any(|(_, removed)| *removed),
            stale,
            fetched_bytes: self.fetched,
            warnings,
        }
    }
}

fn collision(file: &HouseFile, other: &str) -> OpError {
    HouseError::Name {
        package: file.package.to_string(),
        message: format!(
            "`{}` and `{other}` would be one file in the folder {MANIFEST} lies in",
            file.name
        ),
    }
    .into()
}
