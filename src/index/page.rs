//! One package on one index as a compact record, newest version first.
//!
//! The record does not depend on a target. Versions are parsed only when they
//! are looked at, and addresses and digests (the cold part) only for the files
//! that are chosen: a solve looks at a handful of versions of each package.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::simple::ListedFile;
use crate::package::wheel::{WheelName, is_sdist, sdist_version};
use crate::package::{DistFile, FileKind, Name, Version};

/// The number in [`FileRef::tags`] that stands for an sdist.
pub const SDIST: u32 = u32::MAX;

/// What deciding about a file needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// Which of the page's tag sets it has; [`SDIST`] for an sdist.
    pub tags: u32,
    /// Which of the page's requires-python texts it has, plus one; 0 for none.
    pub python: u32,
    /// It was withdrawn.
    pub yanked: bool,
    /// Seconds since 1970, if told.
    pub upload_time: Option<i64>,
    /// Where its record begins in the cold part, in bytes.
    pub cold: u32,
}

impl FileRef {
    /// Tells wheel from sdist.
    pub fn kind(&self) -> FileKind {
        if self.tags == SDIST {
            FileKind::Sdist
        } else {
            FileKind::Wheel
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Hot {
    versions: Vec<HotVersion>,
    tags: Vec<String>,
    pythons: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct HotVersion {
    text: String,
    files: Vec<FileRef>,
    #[serde(skip)]
    parsed: OnceLock<Version>,
}

/// The rest of what an index says of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColdFile {
    /// Name, address, digests, size.
    pub file: DistFile,
    /// Why it was withdrawn.
    pub yanked: Option<String>,
    /// Its metadata can be had alone, with its digest if told.
    pub metadata: Option<Option<String>>,
}

/// Where the cold part lies when it is not in memory.
pub trait ColdPart: Send + Sync {
    /// Reads up to `length` bytes from `offset` on; fewer at the end.
    fn read(&self, offset: usize, length: usize) -> Option<Vec<u8>>;
}

/// The cold part: one record per file, newest version first, each read alone.
enum Cold {
    Here(Vec<u8>),
    Kept(Arc<dyn ColdPart>),
}

impl fmt::Debug for Cold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Kept(_) => f.write_str("kept"),
        }
    }
}

/// One package on one index.
#[derive(Debug)]
pub struct Page {
    index: String,
    hot: Hot,
    cold: Cold,
    skipped: Vec<String>,
}

impl Page {
    /// Makes the record of what an index lists for a name. Files that are neither
    /// wheels nor readable sdists of this name are set aside.
    pub fn new(index: &str, name: &Name, listed: Vec<ListedFile>) -> Self {
        let mut versions: BTreeMap<Version, Vec<(FileRef, ColdFile)>> = BTreeMap::new();
        let mut tags = Numbering::default();
        let mut pythons = Numbering::default();
        let mut skipped = Vec::new();
        for listed in listed {
            let wheel = WheelName::parse(&listed.filename).filter(|wheel| wheel.name == *name);
            let (version, tag, kind) = if let Some(wheel) = wheel {
                (wheel.version, tags.of(&wheel.tags), FileKind::Wheel)
            } else if let Some(version) =
                sdist_version(&listed.filename, name).filter(|_| is_sdist(&listed.filename))
            {
                (version, SDIST, FileKind::Sdist)
            } else {
                skipped.push(listed.filename);
                continue;
            };
            let reference = FileRef {
                tags: tag,
                python: listed
                    .requires_python
                    .as_deref()
                    .map_or(0, |text| pythons.of(text) + 1),
                yanked: listed.yanked.is_some(),
                upload_time: listed.upload_time,
                cold: 0,
            };
            let cold = ColdFile {
                file: DistFile {
                    filename: listed.filename,
                    url: listed.url,
                    hashes: listed.hashes,
                    size: listed.size,
                    upload_time: listed.upload_time,
                    kind,
                },
                yanked: listed.yanked,
                metadata: listed.metadata,
            };
            versions.entry(version).or_default().push((reference, cold));
        }
        let mut cold = Vec::new();
        let versions = versions
            .into_iter()
            .rev()
            .map(|(version, files)| HotVersion {
                text: version.to_string(),
                files: files
                    .into_iter()
                    .map(|(mut reference, file)| {
                        reference.cold = u32::try_from(cold.len()).unwrap_or(u32::MAX);
                        cold.extend(postcard::to_stdvec(&file).unwrap_or_default());
                        reference
                    })
                    .collect(),
                parsed: version.into(),
            })
            .collect();
        Self {
            index: index.to_owned(),
            hot: Hot {
                versions,
                tags: tags.texts,
                pythons: pythons.texts,
            },
            cold: Cold::Here(cold),
            skipped,
        }
    }

    /// Returns the record as two byte strings, for the cache; the cold part only
    /// while it is in memory.
    pub fn encode(&self) -> (Vec<u8>, Vec<u8>) {
        let hot = postcard::to_stdvec(&self.hot).unwrap_or_default();
        let cold = match &self.cold {
            Cold::Here(bytes) => bytes.clone(),
            Cold::Kept(_) => Vec::new(),
        };
        (hot, cold)
    }

    /// Reads a record back, its cold part left where it is; `None` if it is damaged.
    pub fn decode(index: &str, hot: &[u8], cold: Arc<dyn ColdPart>) -> Option<Self> {
        Some(Self {
            index: index.to_owned(),
            hot: postcard::from_bytes(hot).ok()?,
            cold: Cold::Kept(cold),
            skipped: Vec::new(),
        })
    }

    /// Returns the base URL of the index.
    pub fn index(&self) -> &str {
        &self.index
    }

    /// Returns how many versions there are.
    pub fn len(&self) -> usize {
        self.hot.versions.len()
    }

    /// Reports whether there is no version.
    pub fn is_empty(&self) -> bool {
        self.hot.versions.is_empty()
    }

    /// Returns the version at a place; 0 is the newest.
    pub fn version(&self, at: usize) -> &Version {
        let version = &self.hot.versions[at];
        version
            .parsed
            .get_or_init(|| Version::from_str(&version.text).unwrap_or_else(|_| Version::new([0])))
    }

    /// Finds the place of a version.
    pub fn find(&self, version: &Version) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.version(middle).cmp(version) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => low = middle + 1,
                std::cmp::Ordering::Less => high = middle,
            }
        }
        None
    }

    /// Returns the files of a version.
    pub fn files(&self, at: usize) -> &[FileRef] {
        &self.hot.versions[at].files
    }

    /// Returns the distinct tag sets of the page's wheels.
    pub fn tag_sets(&self) -> &[String] {
        &self.hot.tags
    }

    /// Returns the distinct requires-python texts.
    pub fn python_texts(&self) -> &[String] {
        &self.hot.pythons
    }

    /// Returns everything the index says of a file; `None` if the record is damaged.
    pub fn cold(&self, file: FileRef) -> Option<ColdFile> {
        let offset = file.cold as usize;
        match &self.cold {
            Cold::Here(bytes) => postcard::take_from_bytes(bytes.get(offset..)?)
                .ok()
                .map(|(cold, _)| cold),
            // A record is a few hundred bytes; long addresses need a second look.
            Cold::Kept(part) => [1 << 10, 1 << 16].iter().find_map(|&length| {
                let bytes = part.read(offset, length)?;
                postcard::take_from_bytes(&bytes).ok().map(|(cold, _)| cold)
            }),
        }
    }

    /// Returns what the record was made of, so that more files can join it.
    pub fn listed(&self) -> Vec<ListedFile> {
        let mut files = Vec::new();
        for reference in self.hot.versions.iter().flat_map(|version| &version.files) {
            let Some(cold) = self.cold(*reference) else {
                continue;
            };
            files.push(ListedFile {
                filename: cold.file.filename.clone(),
                url: cold.file.url.clone(),
                hashes: cold.file.hashes.clone(),
                size: cold.file.size,
                requires_python: reference
                    .python
                    .checked_sub(1)
                    .and_then(|at| self.hot.pythons.get(at as usize))
                    .cloned(),
                yanked: cold.yanked.clone(),
                upload_time: reference.upload_time,
                metadata: cold.metadata.clone(),
            });
        }
        files
    }

    /// Returns names of files that are no distributions of this package.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }
}

#[derive(Default)]
struct Numbering {
    texts: Vec<String>,
    numbers: rustc_hash::FxHashMap<String, u32>,
}

impl Numbering {
    fn of(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX - 1);
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}
