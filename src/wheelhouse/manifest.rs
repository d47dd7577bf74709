//! `wheelhouse.toml`: what is in the folder, and where each file came from.
//!
//! Everything is in a fixed order and nothing tells the time, so equal folders have equal
//! lists. Fields may be added within a schema; a reader refuses a higher one.

use std::collections::BTreeMap;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use super::MANIFEST;
use super::error::HouseError;
use super::names::check_name;
use crate::host::fs;
use crate::package::target::{MachineFacts, Os};
use crate::package::{Name, Platform, Target};

/// The schema that this program writes and knows.
pub const SCHEMA: i64 = 1;

/// A machine that a folder is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HouseTarget {
    /// As the lock has it: `TRIPLE@PYTHON`.
    pub name: String,
    /// The version of the C library or of macOS, which decides which wheels fit; what the
    /// triple stands for if it is not told.
    pub system: Option<String>,
}

/// Where a file came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// A wheel as an index or an address has it.
    Fetched,
    /// A wheel of this machine.
    Copied,
    /// Built from an sdist, a commit or a directory.
    Built,
    /// Packed again from what was installed.
    Repacked,
    /// An sdist that a wheel was built from.
    Source,
}

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HouseFile {
    /// Its name; below `build/` for those that builds were made with.
    pub name: String,
    /// The package.
    pub package: Name,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// How it came here.
    pub from: Provenance,
    /// Its address, or that of what it was built from, without credentials.
    pub url: Option<String>,
    /// The index that lists it.
    pub index: Option<String>,
    /// What it was built from, by digest or commit, and with which Python: the same need not
    /// be built again.
    pub built_from: Option<String>,
}

/// Something that a target lacks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// The target.
    pub target: String,
    /// The package.
    pub package: Name,
    /// Its version, where that is known.
    pub version: Option<String>,
    /// Why it is lacking.
    pub reason: String,
}

/// What a folder says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// The number of the format.
    pub schema: i64,
    /// Which program wrote it.
    pub created_by: String,
    /// All of it is there; false while a build is under way or after it was cut short.
    pub complete: bool,
    /// The digest of the lock that it was made from.
    pub lock: String,
    /// Packages that the policy leaves out, whoever asks for them.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Wheels of earlier builds that this one does not need.
    #[serde(default)]
    pub stale: Vec<String>,
    /// Families of which one member answers for all.
    #[serde(default)]
    pub unify: Vec<Vec<Name>>,
    /// The digests of the texts beside it, by name.
    #[serde(default)]
    pub texts: BTreeMap<String, String>,
    /// What it is for.
    #[serde(default)]
    pub targets: Vec<HouseTarget>,
    /// The wheels of the lock, by name.
    #[serde(default)]
    pub files: Vec<HouseFile>,
    /// What builds were made with, and of what, by name.
    #[serde(default)]
    pub tools: Vec<HouseFile>,
    /// What is lacking.
    #[serde(default)]
    pub gaps: Vec<Gap>,
}

impl Manifest {
    /// Reads the list of a folder, if it has one.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read, is of a newer format, or names a file outside.
    pub fn find(dir: &Utf8Path) -> Result<Option<Self>, HouseError> {
        let path = dir.join(MANIFEST);
        let Some(text) = fs::find_text(&path)? else {
            return Ok(None);
        };
        Self::parse(&text, &path).map(Some)
    }

    /// Reads the list of a folder that must be a wheelhouse.
    ///
    /// # Errors
    ///
    /// As [`Manifest::find`], and if there is none.
    pub fn read(dir: &Utf8Path) -> Result<Self, HouseError> {
        Self::find(dir)?.ok_or_else(|| HouseError::NotOne(dir.to_owned()))
    }

    /// Reads the text of a list; `file` is named in errors.
    ///
    /// # Errors
    ///
    /// As [`Manifest::find`].
    pub fn parse(text: &str, file: &Utf8Path) -> Result<Self, HouseError> {
        let invalid = |offset: usize, message: &str| {
            let before = text.get(..offset).unwrap_or(text);
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            HouseError::Invalid {
                file: file.to_owned(),
                line: number(before.matches('\n').count() + 1),
                column: number(before[line_start..].chars().count() + 1),
                message: message.lines().next().unwrap_or("invalid").to_owned(),
            }
        };
        let schema = text
            .parse::<toml::Table>()
            .ok()
            .and_then(|table| table.get("schema")?.as_integer());
        if let Some(found) = schema.filter(|found| *found > SCHEMA) {
            return Err(HouseError::Newer {
                file: file.to_owned(),
                found,
                known: SCHEMA,
            });
        }
        let read: Self = toml::from_str(text)
            .map_err(|error| invalid(error.span().map_or(0, |span| span.start), error.message()))?;
        let place = |name: &str| text.find(&format!("{name:?}")).unwrap_or(0);
        for file in &read.files {
            check_name(&file.name).map_err(|message| invalid(place(&file.name), &message))?;
        }
        for name in read.stale.iter().chain(read.texts.keys()) {
            check_name(name).map_err(|message| invalid(place(name), &message))?;
        }
        for file in &read.tools {
            let inner = file.name.strip_prefix("build/").unwrap_or("");
            check_name(inner).map_err(|message| invalid(place(&file.name), &message))?;
        }
        for file in read.files.iter().chain(&read.tools) {
            let is_digest = file.sha256.len() == 64
                && (file.sha256.bytes()).all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if !is_digest {
                let message = format!("`{}` has no digest of SHA-256", file.name);
                return Err(invalid(place(&file.name), &message));
            }
        }
        Ok(read)
    }

    /// Returns the text of the list.
    pub fn to_toml(&self) -> String {
        let text = toml::to_string(self).expect("BUG: a list of texts and numbers is not TOML");
        format!("# Made by portenv wheelhouse build; says what is in this folder.\n{text}")
    }

    /// Writes the list if it differs from what is there.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be replaced.
    pub fn write(&self, dir: &Utf8Path) -> Result<(), HouseError> {
        write_text(dir, MANIFEST, &self.to_toml())?;
        Ok(())
    }

    /// Finds a wheel by its name.
    pub fn file(&self, name: &str) -> Option<&HouseFile> {
        self.files.iter().find(|file| file.name == name)
    }
}

/// Writes a text of a folder if it differs from what is there; `true` if it did.
///
/// # Errors
///
/// Fails if the file cannot be replaced.
pub fn write_text(dir: &Utf8Path, name: &str, text: &str) -> Result<bool, HouseError> {
    let path = dir.join(name);
    if fs::find_bytes(&path)?.is_some_and(|old| old == text.as_bytes()) {
        return Ok(false);
    }
    fs::write_atomic(&path, text.as_bytes())?;
    Ok(true)
}

impl HouseTarget {
    /// Makes the record of a target, as the lock names it.
    pub fn new(name: &str, target: &Target) -> Self {
        let system = match target.platform.os() {
            _ if !target.is_real() => None,
            Os::Linux(major, minor) | Os::Musl(major, minor) | Os::MacOs(major, minor) => {
                Some(format!("{major}.{minor}"))
            }
            Os::Windows => None,
        };
        Self {
            name: name.to_owned(),
            system,
        }
    }

    /// Returns the target that is meant; `None` if this version of portenv knows none such.
    pub fn target(&self) -> Option<Target> {
        let plain = crate::lock::selection::parse_target(&self.name)?;
        let Some((major, minor)) = self.system.as_ref().and_then(|text| text.split_once('.'))
        else {
            return Some(plain);
        };
        let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
        let os = match plain.platform.os() {
            Os::Linux(..) => Os::Linux(major, minor),
            Os::Musl(..) => Os::Musl(major, minor),
            Os::MacOs(..) => Os::MacOs(major, minor),
            Os::Windows => Os::Windows,
        };
        let platform = Platform::new(os, plain.platform.arch());
        Some(Target::new(
            platform,
            plain.python,
            &MachineFacts::default(),
        ))
    }
}
