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
        let stem = filename.strip_suffix(".whl")?;
        let parts: Vec<&str> = stem.split('-').collect();
        let (name, version, tags) = match parts.as_slice() {
            [name, version, tags @ ..] if tags.len() == 3 => (name, version, tags),
            [name, version, build, tags @ ..]
                if tags.len() == 3 && build.starts_with(|c: char| c.is_ascii_digit()) =>
            {
                (name, version, tags)
            }
            _ => return None,
        };
        if tags
            .iter()
            .any(|tag| tag.is_empty() || tag.split('.').any(str::is_empty))
        {
            return None;
        }
        Some(Self {
            name: Name::parse(name)?,
            version: Version::from_str(&version.replace('_', "-")).ok()?,
            tags: tags.join("-"),
        })
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
