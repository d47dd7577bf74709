//! Wheels that nobody offers: built through uv with tools that stay in the folder, or packed
//! again from what is installed.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::fetch::{Need, fill};
use crate::host::{digest, fs};
use crate::index::{BuildFailure, IndexConfig, RemoteIndex};
use crate::ops::context::{Context, Site};
use crate::ops::error::OpError;
use crate::ops::inputs::ResolveFlags;
use crate::ops::transaction::uv_for;
use crate::package::artifact::{show_bytes, without_credentials};
use crate::package::{DistFile, FileKind, Name, Requirement, Version, WheelName};
use crate::requirements::{Line, Origin, OriginKind, Role};
use crate::resolve::targets::Task;
use crate::resolve::{NamesOrAll, Outcome, Preferences, resolve};
use crate::store::repack;
use crate::uv::{Project, Uv, Workshop};
use crate::wheelhouse::names::check_name;
use crate::wheelhouse::{BUILD, Get, HouseFile, Item, PARTS, Provenance};

/// What builds wheels for one folder.
pub(super) struct Maker<'a> {
    context: &'a Context,
    site: &'a Site,
    dir: &'a Utf8Path,
    config: IndexConfig,
    index: RemoteIndex,
    uv: Option<Uv>,
    /// What builds were made with, by place.
    pub(super) tools: BTreeMap<String, HouseFile>,
    /// How much came over the network for builds.
    pub(super) fetched: u64,
    /// Things worth knowing: code and message.
    pub(super) warnings: Vec<(&'static str, String)>,
}

/// Why there is no wheel.
pub(super) enum NotMade {
    /// The project or this machine cannot; that is a gap of the folder.
    Gap(String),
    /// Nothing can go on.
    Error(OpError),
}

impl<E: Into<OpError>> From<E> for NotMade {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl From<BuildFailure> for NotMade {
    fn from(failure: BuildFailure) -> Self {
        Self::Gap(failure.to_string())
    }
}

impl<'a> Maker<'a> {
    pub(super) fn new(
        context: &'a Context,
        site: &'a Site,
        dir: &'a Utf8Path,
    ) -> Result<Self, OpError> {
        let flags = ResolveFlags::default();
        let settings = &site.installation.settings;
        Ok(Self {
            context,
            site,
            dir,
            config: flags.index_config(context, settings, &[])?,
            index: flags.open_index(context, settings, &[], None)?,
            uv: None,
            tools: BTreeMap::new(),
            fetched: 0,
            warnings: Vec::new(),
        })
    }

    /// Returns what the wheel of an item is made from, as a text that is another when the
    /// wheel would be; `None` if that cannot be told beforehand.
    pub(super) fn basis(&self, item: &Item) -> Option<String> {
        let target = &self.site.target;
        match &item.get {
            Get::Fetch(_) | Get::Copy(..) => None,
            Get::BuildFile {
                file, subdirectory, ..
            } => {
                let (algorithm, hex) = file.hashes.iter().next_back()?;
                let inner = subdirectory.as_deref().unwrap_or("");
                Some(format!("{algorithm}:{hex} {inner} {target}"))
            }
            Get::BuildCommit(vcs) => {
                let inner = vcs.subdirectory.as_deref().unwrap_or("");
                Some(format!("commit:{} {inner} {target}", vcs.commit))
            }
            Get::BuildDirectory(path) => {
                let tree = tree_digest(path);
                Some(format!("tree:{tree} {target}"))
            }
            Get::Repack => {
                let installed = self.site.installed().ok()?;
                let digest = installed.get(&item.name)?.digest.clone()?;
                Some(format!("record:{digest} {target}"))
            }
        }
    }

    /// Makes the wheel of an item and puts it into the folder.
    pub(super) fn make(&mut self, item: &Item) -> Result<HouseFile, NotMade> {
        self.context.check_cancel()?;
        let basis = self.basis(item);
        if item.get == Get::Repack {
            let wheel = self.repack(item)?;
            return self.settle(item, &wheel, Provenance::Repacked, None, basis);
        }
        // The wheel lies in the project's directory, which goes with it.
        let (wheel, _project, url) = self.build(item)?;
        self.settle(item, &wheel, Provenance::Built, url, basis)
    }

    fn repack(&self, item: &Item) -> Result<Utf8PathBuf, NotMade> {
        let installed = self.site.installed()?;
        let Some(found) = installed
            .get(&item.name)
            .filter(|found| item.version.as_ref() == Some(&found.version))
        else {
            let text = "no index has it, and it is not installed here in this version";
            return Err(NotMade::Gap(text.to_owned()));
        };
        let store = self.dir.join(PARTS).join("store");
        match repack(found, &store) {
            Ok(put) => Ok(store.join(put.file)),
            Err(crate::store::StoreError::File(error)) => Err(error.into()),
            Err(error) => Err(NotMade::Gap(error.to_string())),
        }
    }

    fn build(&mut self, item: &Item) -> Result<(Utf8PathBuf, Project, Option<String>), NotMade> {
        let parts = self.dir.join(PARTS);
        let (source, inner, url) = match &item.get {
            Get::BuildFile {
                file,
                subdirectory,
                path,
            } => {
                let place = format!("{BUILD}/{}", file.filename);
                let need = Need {
                    file: file.clone(),
                    path: path.clone(),
                    place: place.clone(),
                };
                self.fetch(&[(
                    need,
                    item.name.clone(),
                    item.version.clone(),
                    Provenance::Source,
                )])?;
                let url = without_credentials(&file.url);
                (self.dir.join(place), subdirectory.clone(), Some(url))
            }
            Get::BuildCommit(vcs) => {
                let dir = self.index.checkout(vcs).map_err(|error| match error {
                    crate::index::MetadataError::Index(error) => NotMade::from(error),
                    error => NotMade::Gap(error.to_string()),
                })?;
                let url = format!("git+{}@{}", without_credentials(&vcs.url), vcs.commit);
                (dir, vcs.subdirectory.clone(), Some(url))
            }
            Get::BuildDirectory(path) if !fs::is_dir(path) => {
                return Err(NotMade::Gap(format!("there is no directory `{path}`")));
            }
            Get::BuildDirectory(path) => (path.clone(), None, None),
            _ => return Err(NotMade::Gap("it is not built".to_owned())),
        };
        let project = Project::open(&source, inner.as_deref(), &parts.join("builds"))?;
        let progress = &self.context.progress;
        progress.begin(&format!("building {}", item.name), None);
        let built = self.build_project(item, &project);
        self.context.progress.end();
        if self.context.cancel.is_requested() {
            return Err(OpError::Interrupted.into());
        }
        Ok((built?, project, url))
    }

    fn build_project(&mut self, item: &Item, project: &Project) -> Result<Utf8PathBuf, NotMade> {
        let uv = match &self.uv {
            Some(uv) => uv.clone(),
            None => {
                let uv = uv_for(self.context, self.site)?;
                self.uv.insert(uv).clone()
            }
        };
        let tools = self.dir.join(BUILD);
        fs::create_dir_all(&tools)?;
        let python = self.site.interpreter.path.as_str();
        let folder = IndexConfig {
            find_links: vec![tools.to_string()],
            offline: true,
            ..IndexConfig::default()
        };
        let cancel = &self.context.cancel;
        let shop = Workshop {
            uv: &uv,
            python,
            config: &folder,
            cancel,
        };
        // With what lies in the folder alone, so that it is known to be enough.
        let mut lacking = self.bring(project.stated())?;
        if lacking.is_none() {
            let more = project.asked(&shop)?;
            if !more.is_empty() {
                let all: Vec<String> = project.stated().iter().chain(&more).cloned().collect();
                lacking = self.bring(&all)?;
            }
        }
        let Some(reason) = lacking else {
            return Ok(project.wheel(&shop)?);
        };
        self.warnings.push((
            "build-tools",
            format!(
                "what the build of {} needs is not in the folder: {reason}",
                item.name
            ),
        ));
        let shop = Workshop {
            config: &self.config,
            ..shop
        };
        Ok(project.wheel(&shop)?)
    }

    /// Puts what a build needs into the folder; returns why that cannot be, if so.
    fn bring(&mut self, texts: &[String]) -> Result<Option<String>, OpError> {
        let mut lines = Vec::new();
        for text in texts {
            match Requirement::parse(text) {
                Ok(requirement) if requirement.url.is_none() => lines.push(Line {
                    origin: Origin::file(OriginKind::File, None, "pyproject.toml"),
                    text: text.clone(),
                    requirement,
                    hashes: Vec::new(),
                    editable: false,
                    role: Role::Require,
                    base: self.dir.to_owned(),
                }),
                _ => return Ok(Some(format!("`{text}` names no version of an index"))),
            }
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let flags = ResolveFlags::default();
        let settings = &self.site.installation.settings;
        let mut options = flags.options(settings, &[], self.context.clock.now())?;
        options.only_binary = NamesOrAll {
            all: true,
            ..NamesOrAll::default()
        };
        options.no_binary = NamesOrAll::default();
        options.trial = true;
        let outcome = resolve(&Task {
            lines: &lines,
            targets: std::slice::from_ref(&self.site.target),
            options: &options,
            preferences: &Preferences::default(),
            index: &self.index,
            cancel: &self.context.cancel,
        })?;
        let Outcome::Resolved(resolution) = outcome else {
            return Ok(Some(format!("no wheels fit {}", texts.join(", "))));
        };
        let mut needs = Vec::new();
        for package in &resolution.packages {
            let Some(file) = (package.files.iter()).find(|file| file.kind == FileKind::Wheel)
            else {
                return Ok(Some(format!("{} has no wheel", package.name)));
            };
            if file.hashes.is_empty() || check_name(&file.filename).is_err() {
                return Ok(Some(format!(
                    "its index states no hash of {}",
                    package.name
                )));
            }
            let need = Need {
                path: crate::index::folder::path_of(&file.url),
                place: format!("{BUILD}/{}", file.filename),
                file: file.clone(),
            };
            let version = Some(package.version.clone());
            needs.push((need, package.name.clone(), version, Provenance::Fetched));
        }
        self.fetch(&needs)?;
        Ok(None)
    }

    fn fetch(
        &mut self,
        needs: &[(Need, Name, Option<Version>, Provenance)],
    ) -> Result<(), OpError> {
        let plain: Vec<Need> = needs.iter().map(|(need, ..)| need.clone()).collect();
        let found = fill(self.context, &self.config, self.dir, &plain)?;
        for (need, name, version, from) in needs {
            let Some(here) = found.get(&need.place) else {
                continue;
            };
            if here.was_fetched {
                self.fetched += here.size;
            }
            let DistFile { url, .. } = &need.file;
            let file = HouseFile {
                name: need.place.clone(),
                package: name.clone(),
                version: version
                    .as_ref()
                    .map_or_else(String::new, ToString::to_string),
                sha256: here.sha256.clone(),
                size: here.size,
                from: *from,
                url: need.path.is_none().then(|| without_credentials(url)),
                index: None,
                built_from: None,
            };
            self.tools.insert(need.place.clone(), file);
        }
        Ok(())
    }

    /// Moves a wheel that was made to its place, if it is what was wanted.
    fn settle(
        &self,
        item: &Item,
        wheel: &Utf8Path,
        from: Provenance,
        url: Option<String>,
        basis: Option<String>,
    ) -> Result<HouseFile, NotMade> {
        let name = wheel.file_name().unwrap_or_default().to_owned();
        let wrong = |what: String| NotMade::Gap(format!("its build made `{name}`, {what}"));
        check_name(&name).map_err(wrong)?;
        let parsed =
            WheelName::parse(&name).ok_or_else(|| wrong("which is no wheel's name".to_owned()))?;
        let is_wanted = parsed.name == item.name
            && (item.version.as_ref()).is_none_or(|wanted| *wanted == parsed.version);
        if !is_wanted {
            let version = item
                .version
                .as_ref()
                .map_or_else(String::new, ToString::to_string);
            return Err(wrong(format!("not {} {version}", item.name)));
        }
        let sha256 = digest::sha256_of_file(wheel)?;
        let (size, _) = fs::stamp(wheel)?;
        if size == 0 {
            return Err(wrong(format!("which has {}", show_bytes(size))));
        }
        let into = self.dir.join(&name);
        fs::remove_all(&into)?;
        fs::rename(wheel, &into)?;
        Ok(HouseFile {
            name,
            package: item.name.clone(),
            version: parsed.version.to_string(),
            sha256,
            size,
            from,
            url,
            index: item.index.clone(),
            built_from: basis,
        })
    }
}

/// Returns the digest of a directory's files and names; what builds leave behind and what
/// versions are kept in says nothing.
fn tree_digest(path: &Utf8Path) -> String {
    let mut text = String::new();
    if let Some(target) = fs::link_target(path) {
        text = target;
    } else if fs::is_dir(path) {
        for name in fs::find_dir(path).unwrap_or_default() {
            if !matches!(name.as_str(), ".git" | "__pycache__") {
                text.push_str(&format!("{name} {}\n", tree_digest(&path.join(&name))));
            }
        }
    } else {
        text = digest::sha256_of_file(path).unwrap_or_default();
    }
    digest::sha256(text.as_bytes())
}
