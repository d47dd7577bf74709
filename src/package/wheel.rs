//! File names of wheels and sdists: name, version and tags out of a name.

use super::name::Name;
use super::version::Version;
use std::str::FromStr;

/// What a wheel's file name says (binary distribution format, PyPA).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelName {
    /// The distribution.
    pub name: Name,
    /// Its version.
    pub version: Version,
    /// The tags as written: `py2.py3-none-any`.
    pub tags: String,
}

impl WheelName {
    /// Reads a wheel's file name; `None` if it is malformed in any part.
    pub fn parse(filename: &str) -> Option<Self> {
        let (name, version, tags) = Self::split(filename)?;
        Some(Self {
            name: Name::parse(name)?,
            version: Self::version_of(version)?,
            tags: tags.to_owned(),
        })
    }

    /// Cuts a wheel's file name into the texts of name, version and tags.
    pub fn split(filename: &str) -> Option<(&str, &str, &str)> {
        let stem = filename.strip_suffix(".whl")?;
        let dashes = stem.bytes().filter(|&byte| byte == b'-').count();
        let (name, rest) = stem.split_once('-')?;
        let (version, mut tags) = rest.split_once('-')?;
        if dashes == 5 {
            let (build, rest) = tags.split_once('-')?;
            if !build.starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            tags = rest;
        } else if dashes != 4 {
            return None;
        }
        let whole = tags.split(['-', '.']).all(|tag| !tag.is_empty());
        whole.then_some((name, version, tags))
    }

    /// Reads a version as a wheel's file name spells it.
    pub fn version_of(text: &str) -> Option<Version> {
        Version::from_str(&text.replace('_', "-")).ok()
    }
}

/// Reads the version out of an sdist's file name, given the project's name.
///
/// `pytorch-lightning-1.0.tar.gz` shows why the name is needed: names may hold
/// dashes, and so may versions of old uploads.
pub fn sdist_version(filename: &str, name: &Name) -> Option<Version> {
    let stem = [".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz"]
        .iter()
        .find_map(|ending| filename.strip_suffix(ending))?;
    for (at, _) in stem.match_indices('-') {
        if Name::parse(&stem[..at]).as_ref() == Some(name)
            && let Ok(version) = Version::from_str(&stem[at + 1..])
        {
            return Some(version);
        }
    }
    None
}

/// Reports whether the file is an sdist that can be read: gzip or zip.
pub fn is_sdist(filename: &str) -> bool {
    filename.ends_with(".tar.gz") || filename.ends_with(".zip") || filename.ends_with(".tgz")
}
