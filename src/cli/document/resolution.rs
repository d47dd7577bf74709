//! Answers of `resolve` and `lock`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{ConflictDocument, LeftOutDocument, WaiverDocument, WarningDocument};
use crate::lock::StaleReason;
use crate::package::artifact::SourceView;
use crate::package::target::markers;
use crate::package::{DistFile, Extra, Name, Target, redact};
use crate::requirements::Origin;
use crate::resolve::resolution::Package;
use crate::resolve::{Outcome, RequiredBy};

/// What resolving came to, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResolutionWord {
    /// There is an answer.
    Resolved,
    /// There is none.
    Conflict,
}

/// An answer for all targets, or why there is none.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ResolveDocument {
    /// What it came to.
    pub status: ResolutionWord,
    /// What it was resolved for, in the order of the request.
    pub targets: Vec<TargetDocument>,
    /// The packages, sorted by name, version, source.
    pub packages: Vec<PackageDocument>,
    /// The conflicts.
    pub conflicts: Vec<ConflictDocument>,
    /// Things worth knowing, in the order they were found.
    pub warnings: Vec<WarningDocument>,
    /// Counters by name; the list is open.
    pub stats: BTreeMap<String, u64>,
}

/// What `lock` came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LockDocument {
    /// The answer; with `--check` nothing is resolved: `resolved`, no targets, no packages.
    #[serde(flatten)]
    pub answer: ResolveDocument,
    /// The lock's path, relative to the working directory where it lies in it.
    pub lock: String,
    /// The lock was written.
    pub written: bool,
    /// Why the lock was stale; empty if it was not.
    pub stale: Vec<StaleDocument>,
    /// Requirements that are not met and do not stand in the way.
    pub waivers: Vec<WaiverDocument>,
    /// Nodes that the lock is made without, by name.
    pub left_out: Vec<LeftOutDocument>,
    /// With `--best-effort`: no fewer nodes, by their weights, have to be left out. Null without.
    pub proved: Option<bool>,
}

/// An environment to resolve for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Target")]
pub struct TargetDocument {
    /// The platform's triple, as uv names it.
    pub platform: String,
    /// The Python's version.
    pub python: String,
    /// What tells this target from the others (PEP 508).
    pub marker: String,
}

/// One package of an answer.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Package")]
pub struct PackageDocument {
    /// Its normalised name (PEP 503).
    pub name: Name,
    /// Its normalised version (PEP 440).
    pub version: String,
    /// The extras wanted of it.
    pub extras: Vec<Extra>,
    /// When it counts (PEP 508); null on every target.
    pub marker: Option<String>,
    /// Where it comes from.
    pub source: SourceView,
    /// The files that would do, best first.
    pub files: Vec<FileDocument>,
    /// Who asks for it, sorted.
    pub required_by: Vec<RequiredByDocument>,
}

/// A file of a package.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "File")]
pub struct FileDocument {
    /// Its name.
    pub filename: String,
    /// Its address, without credentials.
    pub url: String,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Its SHA-256 in lower-case hex; empty where the index states none.
    #[schemars(regex(pattern = r"^([0-9a-f]{64})?$"))]
    pub sha256: String,
}

/// Who asks for a package: a line, or another package.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "RequiredBy")]
#[serde(untagged)]
pub enum RequiredByDocument {
    /// A line.
    Line {
        /// Where it stands.
        origin: Origin,
        /// The requirement as written.
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

/// Why a lock no longer answers what is asked.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Stale")]
pub struct StaleDocument {
    /// The reason in words.
    pub reason: String,
    /// The line that the reason is about.
    pub origin: Option<Origin>,
}

impl ResolveDocument {
    /// Makes the document of an answer; without one nothing was resolved.
    pub fn new(
        outcome: Option<&Outcome>,
        targets: &[Target],
        warnings: Vec<WarningDocument>,
        network: &[(&'static str, u64)],
    ) -> Self {
        let mut stats: BTreeMap<String, u64> = network
            .iter()
            .map(|&(name, value)| (name.to_owned(), value))
            .collect();
        let (mut status, mut packages, mut conflicts) =
            (ResolutionWord::Resolved, Vec::new(), Vec::new());
        match outcome {
            Some(Outcome::Resolved(resolution)) => {
                let counted = resolution.stats.iter();
                stats.extend(counted.map(|(&name, &value)| (name.to_owned(), value)));
                packages = resolution.packages.iter().map(Into::into).collect();
            }
            Some(Outcome::Conflicts(found)) => {
                status = ResolutionWord::Conflict;
                conflicts = ConflictDocument::all(found);
            }
            None => {}
        }
        let targets = targets.iter().zip(markers(targets));
        Self {
            status,
            targets: targets
                .map(|(target, marker)| TargetDocument {
                    platform: target.platform.triple(),
                    python: target.python.to_string(),
                    marker,
                })
                .collect(),
            packages,
            conflicts,
            warnings,
            stats,
        }
    }
}

impl From<&Package> for PackageDocument {
    fn from(package: &Package) -> Self {
        Self {
            name: package.name.clone(),
            version: package.version.to_string(),
            extras: package.extras.clone(),
            marker: package.marker.clone(),
            source: package.source.view(),
            files: package.files.iter().map(Into::into).collect(),
            required_by: package.required_by.iter().map(Into::into).collect(),
        }
    }
}

impl From<&DistFile> for FileDocument {
    fn from(file: &DistFile) -> Self {
        Self {
            filename: file.filename.clone(),
            url: redact(&file.url),
            size: file.size,
            sha256: file.sha256().unwrap_or("").to_owned(),
        }
    }
}

impl From<&RequiredBy> for RequiredByDocument {
    fn from(by: &RequiredBy) -> Self {
        match by.clone() {
            RequiredBy::Line {
                origin,
                requirement,
            } => Self::Line {
                origin,
                requirement,
            },
            RequiredBy::Package {
                package,
                version,
                requirement,
            } => Self::Package {
                package,
                version,
                requirement,
            },
        }
    }
}

impl From<&StaleReason> for StaleDocument {
    fn from(reason: &StaleReason) -> Self {
        Self {
            reason: reason.shown(),
            origin: reason.origin().cloned(),
        }
    }
}

impl TargetDocument {
    /// Makes the view of a target on its own.
    pub fn of(target: &Target) -> Self {
        Self {
            platform: target.platform.triple(),
            python: target.python.to_string(),
            marker: target.marker(),
        }
    }
}

impl StaleDocument {
    /// Makes the views of several.
    pub fn all(reasons: &[StaleReason]) -> Vec<Self> {
        reasons.iter().map(Self::from).collect()
    }
}
