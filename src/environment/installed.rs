//! The distributions in an environment, read from their dist-info directories.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::OnceLock;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use super::interpreter::Interpreter;
use super::record::{self, Row};
use crate::host::fs::{self, FsError};
use crate::package::artifact::without_credentials;
use crate::package::{Metadata, Name, Source, Vcs, Version};

/// What `direct_url.json` says (PEP 610).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct DirectUrl {
    url: String,
    subdirectory: Option<String>,
    vcs_info: Option<VcsInfo>,
    dir_info: Option<DirInfo>,
    archive_info: Option<ArchiveInfo>,
}

impl DirectUrl {
    fn parse(file: Option<Vec<u8>>) -> Option<Self> {
        serde_json::from_slice(&file?).ok()
    }

    fn sha256(&self) -> Option<String> {
        self.archive_info.clone()?.sha256()
    }

    /// Returns the directory that it is in, if it is installed in place.
    fn editable(&self) -> Option<String> {
        let info = self.dir_info.as_ref().filter(|info| info.editable);
        let path = info.and_then(|_| path_of(&self.url));
        path.map(Utf8PathBuf::into_string)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct ArchiveInfo {
    hash: Option<String>,
    hashes: BTreeMap<String, String>,
}

impl ArchiveInfo {
    /// Returns the digest: in a table of its own, or as `sha256=…` in files of before.
    fn sha256(self) -> Option<String> {
        let old = self
            .hash
            .as_deref()
            .and_then(|text| text.strip_prefix("sha256="));
        let found = self.hashes.get("sha256").map(String::as_str).or(old)?;
        Some(found.to_ascii_lowercase())
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct VcsInfo {
    commit_id: String,
    requested_revision: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct DirInfo {
    #[serde(default)]
    editable: bool,
}

/// Where an installed distribution says it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origination {
    /// It says nothing: an index.
    Index,
    /// `direct_url.json` names a source that is or may still be there.
    Direct(Source),
    /// `direct_url.json` names a file that is gone (official portables are built
    /// so): it counts as coming from an index.
    GoneFile {
        /// The URL.
        url: String,
        /// The digest of the file, where it was written down.
        sha256: Option<String>,
    },
}

/// One installed distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// Its name.
    pub name: Name,
    /// Its version.
    pub version: Version,
    /// Its dist-info or egg-info directory.
    pub dir: Utf8PathBuf,
    /// Where it says it came from.
    pub origination: Origination,
    /// The digest of its own files by RECORD; `None` without a RECORD.
    pub digest: Option<String>,
    /// Parts that a whole dist-info has and this one lacks.
    pub lacks: Vec<&'static str>,
    /// The program that installed it, by its own word.
    pub installer: Option<String>,
    /// The digest of the archive that it was installed from, where that was written down.
    pub archive: Option<String>,
    /// The directory that it is in, if it was installed in place.
    pub editable: Option<String>,
    /// The wheel tags it was built for, read when they are asked for.
    tags: OnceLock<Vec<String>>,
}

impl Distribution {
    /// Makes a whole one that comes from an index, as its dist-info would say.
    pub fn new(name: Name, version: Version, dir: Utf8PathBuf, tags: Vec<String>) -> Self {
        Self {
            name,
            version,
            dir,
            origination: Origination::Index,
            digest: None,
            lacks: Vec::new(),
            installer: None,
            archive: None,
            editable: None,
            tags: OnceLock::from(tags),
        }
    }

    /// Returns the wheel tags it was built for, one text each.
    pub fn tags(&self) -> &[String] {
        self.tags.get_or_init(|| wheel_tags(&self.dir))
    }

    /// Reports whether conda installed it: no index has its files.
    pub fn is_of_conda(&self) -> bool {
        self.installer.as_deref() == Some("conda")
    }

    /// Reports whether it can neither be replaced nor removed: conda keeps to itself
    /// which files it has.
    pub fn is_fixed(&self) -> bool {
        self.is_of_conda() && self.lacks.contains(&"RECORD")
    }

    /// Reads its requirements; a broken METADATA has none.
    pub fn metadata(&self) -> Metadata {
        ["METADATA", "PKG-INFO"]
            .iter()
            .find_map(|name| fs::find_bytes(&self.dir.join(name)).ok().flatten())
            .map(|bytes| Metadata::parse(&String::from_utf8_lossy(&bytes)))
            .unwrap_or_default()
    }

    /// Reads its RECORD.
    pub fn rows(&self) -> Vec<Row> {
        fs::find_bytes(&self.dir.join("RECORD"))
            .ok()
            .flatten()
            .map(|bytes| record::parse(&String::from_utf8_lossy(&bytes)))
            .unwrap_or_default()
    }
}

/// All distributions of an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installed {
    by_name: BTreeMap<Name, Distribution>,
    /// Distributions of which two metadata directories were found; the newer
    /// version is the one listed.
    pub doubled: Vec<(Name, Utf8PathBuf)>,
    /// What a virtual environment sees of its base: read, never changed.
    base: Option<Base>,
}

/// The packages of the Python that a virtual environment was made from and sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Base {
    /// The Python's prefix.
    pub prefix: Utf8PathBuf,
    by_name: BTreeMap<Name, Distribution>,
}

impl Base {
    /// Returns all its distributions, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Distribution> {
        self.by_name.values()
    }
}

/// Tools that stay unless a lock names them.
pub const SEEDS: [&str; 4] = ["pip", "setuptools", "wheel", "uv"];

impl Installed {
    /// Reads an interpreter's environment.
    ///
    /// # Errors
    ///
    /// Fails if a site-packages directory cannot be listed.
    pub fn read(interpreter: &Interpreter) -> Result<Self, FsError> {
        let mut found = Self::default();
        for dir in interpreter.site_packages() {
            for name in fs::find_dir(&dir)? {
                if let Some(distribution) = read_distribution(&dir, &name) {
                    found.add(distribution);
                }
            }
        }
        if !interpreter.beneath.is_empty() {
            let mut base = Base {
                prefix: interpreter.prefix.clone(),
                by_name: BTreeMap::new(),
            };
            // What an earlier directory of the search path holds hides what is in a later one.
            for dir in &interpreter.beneath {
                for name in fs::find_dir(dir)? {
                    if let Some(distribution) = read_distribution(dir, &name) {
                        base.by_name
                            .entry(distribution.name.clone())
                            .or_insert(distribution);
                    }
                }
            }
            found.base = Some(base);
        }
        Ok(found)
    }

    /// Returns the base that is seen beneath, if one is.
    pub fn base(&self) -> Option<&Base> {
        self.base.as_ref()
    }

    /// Finds what of the base is seen under a name: nothing if the environment has its own.
    pub fn beneath(&self, name: &Name) -> Option<&Distribution> {
        match self.by_name.get(name) {
            Some(_) => None,
            None => self.base.as_ref()?.by_name.get(name),
        }
    }

    /// Finds what Python sees under a name: the environment's own, else the base's.
    pub fn seen_as(&self, name: &Name) -> Option<&Distribution> {
        self.get(name).or_else(|| self.beneath(name))
    }

    /// Returns all that Python sees: the environment's own, then what shows of the base.
    pub fn seen(&self) -> impl Iterator<Item = &Distribution> {
        let base = self.base.iter().flat_map(Base::iter);
        let showing = base.filter(|found| !self.by_name.contains_key(&found.name));
        self.iter().chain(showing)
    }

    /// Adds one distribution; of two with one name the newer is listed.
    pub fn add(&mut self, distribution: Distribution) {
        match self.by_name.get_mut(&distribution.name) {
            None => {
                self.by_name.insert(distribution.name.clone(), distribution);
            }
            Some(known) if known.version < distribution.version => {
                let old = std::mem::replace(known, distribution);
                self.doubled.push((old.name, old.dir));
            }
            Some(_) => self.doubled.push((distribution.name, distribution.dir)),
        }
    }

    /// Finds a distribution.
    pub fn get(&self, name: &Name) -> Option<&Distribution> {
        self.by_name.get(name)
    }

    /// Returns all, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Distribution> {
        self.by_name.values()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Reports whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

fn read_distribution(site: &Utf8Path, entry: &str) -> Option<Distribution> {
    let dir = site.join(entry);
    if let Some(stem) = entry.strip_suffix(".dist-info") {
        let (name, version) = stem.split_once('-')?;
        let name = Name::parse(name)?;
        let version = Version::from_str(&version.replace('_', "-")).ok()?;
        // One listing and one reading each: on a network's file system, every further call
        // is felt in an environment of hundreds.
        let entries = fs::find_entries(&dir);
        let kind = |file: &str| entries.iter().find(|(name, _)| name == file);
        let is_there = |file: &str| {
            kind(file).is_some_and(|(_, is_plain)| *is_plain || fs::is_file(&dir.join(file)))
        };
        let read = |file: &str| match kind(file) {
            Some((_, true)) => fs::read_bytes(&dir.join(file)).ok(),
            Some((_, false)) => fs::find_bytes(&dir.join(file)).ok().flatten(),
            None => None,
        };
        let rows = read("RECORD")
            .map(|bytes| record::parse(&String::from_utf8_lossy(&bytes)))
            .unwrap_or_default();
        let digest = (!rows.is_empty()).then(|| record::content_digest(&rows));
        // One that was cleaned on purpose is still the one that was installed.
        let cleaned = read(record::CLEANED)
            .and_then(|bytes| serde_json::from_slice::<record::Cleaned>(&bytes).ok())
            .filter(|cleaned| digest.as_ref() == Some(&cleaned.left));
        let lacks = ["METADATA", "WHEEL", "RECORD"].into_iter();
        let direct = DirectUrl::parse(read("direct_url.json"));
        return Some(Distribution {
            name,
            version,
            archive: direct.as_ref().and_then(DirectUrl::sha256),
            editable: direct.as_ref().and_then(DirectUrl::editable),
            origination: direct.map_or(Origination::Index, origination),
            digest: cleaned.map_or(digest, |cleaned| Some(cleaned.digest)),
            lacks: lacks.filter(|file| !is_there(file)).collect(),
            tags: OnceLock::new(),
            installer: installer(read("INSTALLER")),
            dir,
        });
    }
    let stem = entry.strip_suffix(".egg-info")?;
    let file = if fs::is_dir(&dir) {
        dir.join("PKG-INFO")
    } else {
        dir.clone()
    };
    let metadata = Metadata::parse(&String::from_utf8_lossy(&fs::find_bytes(&file).ok()??));
    Some(Distribution {
        name: Name::parse(&metadata.name).or_else(|| Name::parse(stem.split('-').next()?))?,
        version: Version::from_str(&metadata.version).ok()?,
        installer: installer(fs::find_bytes(&dir.join("INSTALLER")).ok().flatten()),
        dir,
        origination: Origination::Index,
        digest: None,
        lacks: vec!["RECORD"],
        archive: None,
        editable: None,
        tags: OnceLock::from(Vec::new()),
    })
}

/// Reads which program installed a distribution (PEP 376).
fn installer(file: Option<Vec<u8>>) -> Option<String> {
    let bytes = file?;
    let text = String::from_utf8_lossy(&bytes);
    Some(text.lines().next()?.trim().to_owned())
}

fn wheel_tags(dir: &Utf8Path) -> Vec<String> {
    let bytes = fs::find_bytes(&dir.join("WHEEL"))
        .ok()
        .flatten()
        .unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .lines()
        .filter_map(|line| line.strip_prefix("Tag:"))
        .map(|tag| tag.trim().to_owned())
        .collect()
}

fn path_of(url: &str) -> Option<Utf8PathBuf> {
    let url = url::Url::parse(url).ok()?;
    let path = (url.scheme() == "file").then(|| url.to_file_path().ok())??;
    Utf8PathBuf::from_path_buf(path).ok()
}

fn gone(url: String, archive: Option<ArchiveInfo>) -> Origination {
    let sha256 = archive.and_then(ArchiveInfo::sha256);
    Origination::GoneFile { url, sha256 }
}

fn origination(direct: DirectUrl) -> Origination {
    let url = without_credentials(&direct.url);
    if let Some(vcs) = direct.vcs_info {
        return Origination::Direct(Source::Git(Vcs {
            url,
            requested: vcs.requested_revision,
            commit: vcs.commit_id,
            subdirectory: direct.subdirectory,
        }));
    }
    match path_of(&url) {
        Some(path) if fs::exists(&path) => Origination::Direct(Source::Path {
            path: path.into_string(),
            editable: direct.dir_info.is_some_and(|info| info.editable),
        }),
        Some(_) => gone(url, direct.archive_info),
        None if url.starts_with("file:") => gone(url, direct.archive_info),
        None => Origination::Direct(Source::Url {
            url,
            subdirectory: direct.subdirectory,
        }),
    }
}
