//! One package on one index as a compact record, newest version first.
//!
//! The record does not depend on a target. Versions are parsed only when they
//! are looked at, their files likewise, and addresses and digests (the cold part)
//! only for the files that are chosen: a solve looks at a handful of versions of
//! each package.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

pub use super::cold::ColdPart;
use super::cold::{self, Cold};
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

/// What stands before the files' records in the hot part.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Head {
    /// The versions, newest first, each with a line break behind it.
    versions: String,
    /// How long the files' records are together, without the four bytes for each
    /// version that stand before them and say where its own begin.
    length: u32,
    tags: Vec<String>,
    pythons: Vec<String>,
    /// What addresses begin with.
    places: Vec<String>,
}

/// A version, understood as far as it was looked at.
#[derive(Debug, Default)]
struct Slot {
    /// Where its text ends.
    end: usize,
    parsed: OnceLock<Version>,
    files: OnceLock<Box<[FileRef]>>,
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

/// One package on one index.
#[derive(Debug)]
pub struct Page {
    index: String,
    head: Head,
    slots: Vec<Slot>,
    /// Where the files of each version begin in their records, and the records.
    files: Vec<u8>,
    cold: Cold,
    skipped: Vec<String>,
}

impl Page {
    /// Makes the record of what an index lists for a name. Files that are neither
    /// wheels nor readable sdists of this name are set aside.
    pub fn new(index: &str, name: &Name, listed: Vec<ListedFile>) -> Self {
        let mut groups = Groups::default();
        let mut tags = Numbering::default();
        let kinds: Vec<Option<(usize, u32)>> = {
            // A page names few versions often.
            let mut known: FxHashMap<&str, Option<usize>> = FxHashMap::default();
            let mut own = None;
            let mut kind = |filename| {
                let Some((project, version, tag)) = WheelName::split(filename) else {
                    let version = sdist_version(filename, name).filter(|_| is_sdist(filename))?;
                    return Some((groups.of(version), SDIST));
                };
                if own != Some(project) {
                    (Name::parse(project).as_ref() == Some(name)).then(|| own = Some(project))?;
                }
                let parsed = known
                    .entry(version)
                    .or_insert_with(|| Some(groups.of(WheelName::version_of(version)?)));
                Some(((*parsed)?, tags.of(tag)))
            };
            listed.iter().map(|file| kind(&file.filename)).collect()
        };
        let mut pythons = Numbering::default();
        let mut skipped = Vec::new();
        let mut files: Vec<Vec<(FileRef, ColdFile)>> = Vec::new();
        files.resize_with(groups.0.len(), Vec::new);
        for (listed, kind) in listed.into_iter().zip(kinds) {
            let Some((group, tags)) = kind else {
                skipped.push(listed.filename);
                continue;
            };
            let reference = FileRef {
                tags,
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
                    kind: reference.kind(),
                },
                yanked: listed.yanked,
                metadata: listed.metadata,
            };
            files[group].push((reference, cold));
        }
        let (mut cold, mut hot) = (Vec::new(), Vec::new());
        let mut places = Numbering::default();
        let mut head = Head::default();
        let mut slots = Vec::new();
        let mut starts = Vec::new();
        for (version, group) in groups.0.into_iter().rev() {
            head.versions.push_str(&version.to_string());
            let end = head.versions.len();
            head.versions.push('\n');
            starts.extend(size(hot.len()).to_le_bytes());
            let mut references = Vec::new();
            for (mut reference, file) in std::mem::take(&mut files[group]) {
                reference.cold = size(cold.len());
                cold::write(&mut cold, &file, |place| places.of(place));
                references.push(reference);
            }
            hot.extend(postcard::to_stdvec(&references).unwrap_or_default());
            slots.push(Slot {
                end,
                parsed: version.into(),
                files: references.into_boxed_slice().into(),
            });
        }
        head.length = size(hot.len());
        head.tags = tags.texts;
        head.pythons = pythons.texts;
        head.places = places.texts;
        Self {
            index: index.to_owned(),
            head,
            slots,
            files: [starts, hot].concat(),
            cold: Cold::Here(Arc::new(cold)),
            skipped,
        }
    }

    /// Returns the record as two byte strings, for the cache; the cold part only
    /// while it is in memory.
    pub fn encode(&self) -> (Vec<u8>, Arc<Vec<u8>>) {
        let mut hot = postcard::to_stdvec(&self.head).unwrap_or_default();
        hot.extend_from_slice(&self.files);
        let cold = match &self.cold {
            Cold::Here(bytes) => Arc::clone(bytes),
            Cold::Kept(_) => Arc::default(),
        };
        (hot, cold)
    }

    /// Reads a record back, its cold part left where it is; `None` if it is damaged.
    pub fn decode(index: &str, hot: &[u8], cold: Arc<dyn ColdPart>) -> Option<Self> {
        let (head, files) = postcard::take_from_bytes::<Head>(hot).ok()?;
        let ends = memchr::memchr_iter(b'\n', head.versions.as_bytes());
        let slots: Vec<Slot> = ends
            .map(|end| Slot {
                end,
                ..Slot::default()
            })
            .collect();
        let whole = head.length as usize + 4 * slots.len() == files.len();
        whole.then(|| Self {
            index: index.to_owned(),
            files: files.to_vec(),
            head,
            slots,
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
        self.slots.len()
    }

    /// Reports whether there is no version.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Returns the version at a place; 0 is the newest.
    pub fn version(&self, at: usize) -> &Version {
        let slot = &self.slots[at];
        slot.parsed.get_or_init(|| {
            let start = at.checked_sub(1).map_or(0, |at| self.slots[at].end + 1);
            let text = self.head.versions.get(start..slot.end).unwrap_or("");
            Version::from_str(text).unwrap_or_else(|_| Version::new([0]))
        })
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
        self.slots[at].files.get_or_init(|| {
            let (starts, files) = self.files.split_at(4 * self.len());
            let start = starts
                .chunks_exact(4)
                .nth(at)
                .and_then(|it| it.try_into().ok());
            let start = start.map_or(0, u32::from_le_bytes) as usize;
            let bytes = files.get(start..).unwrap_or_default();
            postcard::take_from_bytes::<Vec<FileRef>>(bytes)
                .map_or_else(|_| Box::default(), |(files, _)| files.into_boxed_slice())
        })
    }

    /// Returns the distinct tag sets of the page's wheels.
    pub fn tag_sets(&self) -> &[String] {
        &self.head.tags
    }

    /// Returns the distinct requires-python texts.
    pub fn python_texts(&self) -> &[String] {
        &self.head.pythons
    }

    /// Returns everything the index says of a file; `None` if the record is damaged.
    pub fn cold(&self, file: FileRef) -> Option<ColdFile> {
        let offset = file.cold as usize;
        match &self.cold {
            Cold::Here(bytes) => cold::read(bytes.get(offset..)?, file, &self.head.places),
            // A record is a few hundred bytes; long names need a second look.
            Cold::Kept(part) => [1 << 9, 1 << 16].iter().find_map(|&length| {
                let bytes = part.read(offset, length)?;
                cold::read(&bytes, file, &self.head.places)
            }),
        }
    }

    /// Returns what the record was made of, so that more files can join it.
    pub fn listed(&self) -> Vec<ListedFile> {
        let mut files = Vec::new();
        for reference in (0..self.len()).flat_map(|at| self.files(at)) {
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
                    .and_then(|at| self.head.pythons.get(at as usize))
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

fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The distinct versions of a page, each with a number.
#[derive(Default)]
struct Groups(BTreeMap<Version, usize>);

impl Groups {
    fn of(&mut self, version: Version) -> usize {
        let next = self.0.len();
        *self.0.entry(version).or_insert(next)
    }
}

#[derive(Default)]
struct Numbering {
    texts: Vec<String>,
    numbers: FxHashMap<String, u32>,
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
