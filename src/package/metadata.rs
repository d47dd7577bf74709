//! Core metadata: the headers of METADATA and PKG-INFO as values.

use super::name::{Extra, Name};
use super::version::Version;
use std::collections::BTreeSet;
use std::str::FromStr;

/// What the resolver needs of a distribution's metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Metadata {
    /// The name as written.
    pub name: String,
    /// The version as written.
    pub version: String,
    /// The metadata's own version: 2.1, 2.2 and so on.
    pub metadata_version: String,
    /// The requirements, one text each.
    pub requires_dist: Vec<String>,
    /// The Pythons it is meant for.
    pub requires_python: Option<String>,
    /// The extras it knows.
    pub provides_extra: Vec<String>,
    /// The fields that a build may change (PEP 643).
    pub dynamic: Vec<String>,
    /// Not the distribution's own word but older evidence, unproved until built.
    pub unverified: bool,
}

impl Metadata {
    /// What stands for metadata that only a build could tell.
    pub fn unknown(name: &Name, version: &Version) -> Self {
        Self {
            name: name.to_string(),
            version: version.to_string(),
            unverified: true,
            ..Self::default()
        }
    }

    /// Reads the headers of METADATA or PKG-INFO, up to the first blank line.
    ///
    /// ```
    /// use portenv::package::Metadata;
    /// let text = "Metadata-Version: 2.1\nName: a\nVersion: 1\nRequires-Dist: b>=1\n\nRequires-Dist: no\n";
    /// assert_eq!(Metadata::parse(text).requires_dist, ["b>=1"]);
    /// ```
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        let mut field = String::new();
        for line in text.trim_start_matches('\u{feff}').lines() {
            if line.is_empty() {
                break;
            }
            if line.starts_with([' ', '\t']) {
                field.push(' ');
                field.push_str(line.trim());
                continue;
            }
            found.take(&field);
            line.clone_into(&mut field);
        }
        found.take(&field);
        found
    }

    fn take(&mut self, field: &str) {
        let Some((key, value)) = field.split_once(':') else {
            return;
        };
        let value = value.trim();
        if key.eq_ignore_ascii_case("requires-dist") {
            self.requires_dist.push(value.to_owned());
        } else if key.eq_ignore_ascii_case("requires-python") {
            self.requires_python = Some(value.to_owned());
        } else if key.eq_ignore_ascii_case("provides-extra") {
            self.provides_extra.push(value.to_owned());
        } else if key.eq_ignore_ascii_case("name") {
            value.clone_into(&mut self.name);
        } else if key.eq_ignore_ascii_case("version") {
            value.clone_into(&mut self.version);
        } else if key.eq_ignore_ascii_case("metadata-version") {
            value.clone_into(&mut self.metadata_version);
        } else if key.eq_ignore_ascii_case("dynamic") {
            self.dynamic.push(value.to_owned());
        }
    }

    /// Reports whether the metadata is what it claims to be: of this
    /// distribution at this version.
    pub fn is_of(&self, name: &Name, version: &Version) -> bool {
        Name::parse(&self.name).as_ref() == Some(name)
            && Version::from_str(&self.version)
                .is_ok_and(|found| found.clone().without_local() == version.clone().without_local())
    }

    /// Reports whether an sdist's PKG-INFO binds every wheel built from it (PEP 643).
    ///
    /// Field names are compared as written, as uv does: setuptools writes
    /// `Dynamic: requires-dist` for whatever a `setup.py` passed, which hardly ever
    /// differs between builds, and many such builds cannot run at all.
    pub fn is_static(&self) -> bool {
        let recent = Version::from_str(&self.metadata_version)
            .is_ok_and(|version| version >= Version::new([2, 2]));
        let open = ["Requires-Dist", "Requires-Python", "Provides-Extra"];
        recent
            && !self
                .dynamic
                .iter()
                .any(|field| open.contains(&field.as_str()))
    }

    /// Reports whether the extra is one of its own.
    pub fn knows_extra(&self, extra: &Extra) -> bool {
        self.provides_extra
            .iter()
            .any(|known| Extra::parse(known).as_ref() == Some(extra))
    }
}

/// Reads `requires.txt` of an egg-info directory as Requires-Dist lines.
///
/// Sections are `[extra]`, `[:marker]` or `[extra:marker]`.
pub fn parse_egg_requires(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut requires, mut extras) = (Vec::new(), Vec::new());
    let (mut extra, mut marker) = (String::new(), String::new());
    let mut known = BTreeSet::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(section) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            let (name, condition) = section.split_once(':').unwrap_or((section, ""));
            name.trim().clone_into(&mut extra);
            condition.trim().clone_into(&mut marker);
            if !extra.is_empty() && known.insert(extra.clone()) {
                extras.push(extra.clone());
            }
            continue;
        }
        let mut conditions = Vec::new();
        if !marker.is_empty() {
            conditions.push(format!("({marker})"));
        }
        if !extra.is_empty() {
            conditions.push(format!("extra == '{extra}'"));
        }
        requires.push(if conditions.is_empty() {
            line.to_owned()
        } else {
            format!("{line} ; {}", conditions.join(" and "))
        });
    }
    (requires, extras)
}
