//! What is recorded of a package: a gzipped text, one fact a line.
//!
//! ```text
//! m Metadata-Version: 2.4     a metadata text begins, without name and version
//! = Requires-Dist: six        … and goes on
//! p >=3.9                     a requires-python
//! v 0 1.17.0                  a version, with the number of its metadata text
//! f 11050 1733291000 RwO… 0 six-1.17.0-py2.py3-none-any.whl
//! y broken on Windows         why the file before was yanked
//! ```
//!
//! Of a file: its size, seconds since 1970, SHA-256 in base64, the number of its requires-python
//! or `-`, and its name. Texts come first, for versions share them and gzip looks back 32 KiB
//! only; digests, which no compression shortens, make up half of all.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Read as _, Write as _},
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

/// A package: its versions, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProjectFacts {
    /// The normalised name.
    pub(crate) name: String,
    /// Its versions.
    pub(crate) versions: Vec<VersionFacts>,
}

/// A version, all of whose files are taken to have one metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct VersionFacts {
    /// As its metadata spells it.
    pub(crate) version: String,
    /// Header lines without `Name` and `Version`, `Metadata-Version` first.
    pub(crate) metadata: String,
    /// Its files, in the order of the page.
    pub(crate) files: Vec<FileFacts>,
}

/// A file as the index listed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileFacts {
    /// Its name.
    pub(crate) filename: String,
    /// Bytes.
    pub(crate) size: u64,
    /// When it was uploaded, in seconds since 1970.
    pub(crate) uploaded: i64,
    /// Its digest.
    pub(crate) sha256: [u8; 32],
    /// The Pythons it is for, as the page states them.
    pub(crate) requires_python: Option<String>,
    /// Why it was yanked.
    pub(crate) yanked: Option<String>,
}

impl FileFacts {
    /// Tells a wheel from an sdist.
    pub(crate) fn is_wheel(&self) -> bool {
        Path::new(&self.filename).extension() == Some("whl".as_ref())
    }
}

impl VersionFacts {
    /// Returns the metadata as a distribution holds it.
    pub(crate) fn metadata_text(&self, name: &str) -> String {
        let (first, rest) = self.metadata.split_once('\n').unwrap_or_default();
        format!("{first}\nName: {name}\nVersion: {}\n{rest}", self.version)
    }
}

impl ProjectFacts {
    /// Reads a package's recording; `None` if there is none.
    pub(crate) fn read(dir: &Path, name: &str) -> io::Result<Option<Self>> {
        let packed = match fs::read(dir.join(format!("{name}.gz"))) {
            Ok(packed) => packed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = String::new();
        GzDecoder::new(packed.as_slice()).read_to_string(&mut text)?;
        let facts = Self::parse(name, &text).ok_or_else(|| {
            let message = format!("the recording of {name} is not understood");
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        Ok(Some(facts))
    }

    /// Writes the recording and returns its size; equal facts give equal bytes.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<usize> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(self.text().as_bytes())?;
        let packed = gzip.finish()?;
        fs::write(dir.join(format!("{}.gz", self.name)), &packed)?;
        Ok(packed.len())
    }

    fn text(&self) -> String {
        let (mut texts, mut pythons) = (Vec::new(), Vec::new());
        let mut versions = String::new();
        for version in &self.versions {
            let at = number_of(&mut texts, &version.metadata);
            writeln!(versions, "v {at} {}", version.version).unwrap();
            for file in &version.files {
                let python = file
                    .requires_python
                    .as_deref()
                    .map_or("-".into(), |text| number_of(&mut pythons, text).to_string());
                let digest = STANDARD_NO_PAD.encode(file.sha256);
                let FileFacts { size, uploaded, .. } = file;
                let name = &file.filename;
                writeln!(versions, "f {size} {uploaded} {digest} {python} {name}").unwrap();
                if let Some(reason) = &file.yanked {
                    writeln!(versions, "y {}", reason.replace(['\r', '\n'], " ")).unwrap();
                }
            }
        }
        let mut all = String::new();
        for text in texts {
            for (at, line) in text.lines().enumerate() {
                writeln!(all, "{} {line}", if at == 0 { 'm' } else { '=' }).unwrap();
            }
        }
        for python in pythons {
            writeln!(all, "p {python}").unwrap();
        }
        all + &versions
    }

    fn parse(name: &str, text: &str) -> Option<Self> {
        let (mut texts, mut pythons) = (Vec::<String>::new(), Vec::new());
        let mut versions = Vec::<VersionFacts>::new();
        for line in text.lines() {
            let (kind, rest) = line.split_once(' ')?;
            match kind {
                "m" => texts.push(format!("{rest}\n")),
                "=" => {
                    let text = texts.last_mut()?;
                    text.push_str(rest);
                    text.push('\n');
                }
                "p" => pythons.push(rest.to_owned()),
                "v" => {
                    let (at, version) = rest.split_once(' ')?;
                    versions.push(VersionFacts {
                        version: version.to_owned(),
                        metadata: texts.get(at.parse::<usize>().ok()?)?.clone(),
                        files: Vec::new(),
                    });
                }
                "f" => versions.last_mut()?.files.push(file(rest, &pythons)?),
                "y" => versions.last_mut()?.files.last_mut()?.yanked = Some(rest.to_owned()),
                _ => return None,
            }
        }
        let name = name.to_owned();
        Some(Self { name, versions })
    }
}

fn file(text: &str, pythons: &[String]) -> Option<FileFacts> {
    let mut words = text.splitn(5, ' ');
    Some(FileFacts {
        size: words.next()?.parse().ok()?,
        uploaded: words.next()?.parse().ok()?,
        sha256: STANDARD_NO_PAD
            .decode(words.next()?)
            .ok()?
            .try_into()
            .ok()?,
        requires_python: match words.next()? {
            "-" => None,
            at => Some(pythons.get(at.parse::<usize>().ok()?)?.clone()),
        },
        filename: words.next()?.to_owned(),
        yanked: None,
    })
}

/// Returns the place of a text in a list, which it joins if it is new.
fn number_of<'a>(known: &mut Vec<&'a str>, text: &'a str) -> usize {
    let at = known.iter().position(|known| *known == text);
    at.unwrap_or_else(|| {
        known.push(text);
        known.len() - 1
    })
}
