//! The answer as an ordered graph.

use std::collections::BTreeMap;

use crate::package::{DistFile, Extra, Name, Source, Target, Version};
use crate::requirements::Origin;

/// Who asks for a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequiredBy {
    /// A line.
    Line {
        /// Where it stands.
        origin: Origin,
        /// The line as written.
        requirement: String,
    },
    /// Another package.
    Package {
        /// Its name.
        package: Name,
        /// Its version.
        version: String,
        /// Its requirement as written.
        requirement: String,
    },
}

/// An edge of the graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// The package asked for.
    pub name: Name,
    /// Its version, where the name alone is not enough.
    pub version: Option<Version>,
}

/// One package of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: Name,
    /// Its version.
    pub version: Version,
    /// The extras wanted of it.
    pub extras: Vec<Extra>,
    /// When it counts; `None` on every target.
    pub marker: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// The files that would do, best first: what the target uses.
    pub files: Vec<DistFile>,
    /// Who asks for it, sorted.
    pub required_by: Vec<RequiredBy>,
    /// What it asks for, sorted.
    pub dependencies: Vec<Dependency>,
    /// It is installed and no index has it: it stays as it is.
    pub kept: bool,
    /// Why it was withdrawn, if it was.
    pub yanked: Option<String>,
}

/// Something worth knowing about an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// A word for programs.
    pub code: &'static str,
    /// What it is.
    pub message: String,
    /// Where it comes from.
    pub origin: Option<Origin>,
}

impl Warning {
    /// Makes a warning without a place.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            origin: None,
        }
    }
}

/// The answer for all targets.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// The targets it was made for.
    pub targets: Vec<Target>,
    /// The packages, sorted by name, version, source.
    pub packages: Vec<Package>,
    /// What is worth knowing.
    pub warnings: Vec<Warning>,
    /// The instant after which nothing counted, in seconds since 1970.
    pub exclude_newer: Option<i64>,
    /// Counters.
    pub stats: BTreeMap<&'static str, u64>,
}

impl Resolution {
    /// Finds a package by name.
    pub fn get(&self, name: &Name) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == *name)
    }
}
