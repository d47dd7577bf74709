//! The lock as values.

use super::left_out::LeftOutNode;
use super::members::Members;
use crate::host::digest;
use crate::package::target::markers;
use crate::package::{DistFile, Extra, FileKind, Marker, Name, Source, Target, Version};
use crate::requirements::{Line, Origin, RequirementSet, Role, Waiver, Wanted};
use crate::resolve::{Dependency, Preferences, RequiredBy, Resolution};

/// The schema of our tables that this program writes and knows.
pub const SCHEMA: i64 = 1;

/// A policy line that the answer was made under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Applied {
    /// `override` or `constraint`.
    pub kind: String,
    /// The name concerned.
    pub name: String,
    /// What holds.
    pub text: String,
    /// Why.
    pub reason: Option<String>,
    /// Only for lines of these nodes.
    pub only_for: Vec<String>,
}

/// One package of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPackage {
    /// Its name.
    pub name: Name,
    /// Its version; a directory's may be unknown.
    pub version: Option<Version>,
    /// When it counts.
    pub marker: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// Wheels and sdist.
    pub files: Vec<DistFile>,
    /// What it asks for.
    pub dependencies: Vec<Dependency>,
    /// Who asks for it.
    pub required_by: Vec<RequiredBy>,
}

impl LockedPackage {
    /// Returns its wheels.
    pub fn wheels(&self) -> impl Iterator<Item = &DistFile> {
        self.files
            .iter()
            .filter(|file| file.kind == FileKind::Wheel)
    }

    /// Reports whether it counts on a target.
    pub fn counts_on(&self, target: &Target) -> bool {
        let Some(marker) = &self.marker else {
            return true;
        };
        Marker::parse(marker).is_ok_and(|marker| marker.holds(target.environment()))
    }

    /// Returns its sdist.
    pub fn sdist(&self) -> Option<&DistFile> {
        self.files.iter().find(|file| file.kind == FileKind::Sdist)
    }

    /// Returns the file that a target installs: its best wheel, else the sdist.
    pub fn file_for(&self, target: &Target) -> Option<&DistFile> {
        self.wheels()
            .filter_map(|file| {
                Some((
                    target.rank(&crate::package::WheelName::parse(&file.filename)?.tags)?,
                    file,
                ))
            })
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, file)| file)
            .or_else(|| self.sdist())
    }
}

/// A lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// `requires-python` of the whole.
    pub requires_python: Option<String>,
    /// The targets' markers.
    pub environments: Vec<String>,
    /// The packages, sorted by name, version, source.
    pub packages: Vec<LockedPackage>,
    /// The targets, `TRIPLE@PYTHON`.
    pub targets: Vec<String>,
    /// The digest of what the answer was made from; `None` in a foreign lock.
    pub input_digest: Option<String>,
    /// The instant a cut-off came to.
    pub exclude_newer: Option<String>,
    /// Named indexes.
    pub indexes: Vec<(String, String)>,
    /// Policy lines in force.
    pub applied: Vec<Applied>,
    /// Installed packages that are part of the answer and that no index has: they
    /// stay as they are.
    pub kept: Vec<(Name, Version)>,
    /// Requirements that are not met and did not stand in the way.
    pub waivers: Vec<Waiver>,
    /// Nodes that it was made without.
    pub left_out: Vec<LeftOutNode>,
    /// ComfyUI and the nodes as they were when it was written; `None` in one of an older
    /// portenv, and in a foreign one.
    pub members: Option<Members>,
}

impl Lock {
    /// Makes the lock of an answer. Files without a digest are the caller's to
    /// fill in first.
    pub fn from_resolution(
        resolution: &Resolution,
        set: &RequirementSet,
        indexes: Vec<(String, String)>,
        exclude_newer: Option<i64>,
    ) -> Self {
        let mut lock = Self {
            environments: markers(&resolution.targets),
            targets: resolution.targets.iter().map(ToString::to_string).collect(),
            requires_python: resolution
                .targets
                .iter()
                .map(|target| target.python.clone())
                .min()
                .map(|python| {
                    let release = python.release();
                    format!(
                        ">={}.{}",
                        release.first().unwrap_or(&3),
                        release.get(1).unwrap_or(&0)
                    )
                }),
            indexes,
            exclude_newer: exclude_newer
                .and_then(|second| jiff::Timestamp::from_second(second).ok())
                .map(|time| time.to_string()),
            input_digest: Some(input_digest(set, &resolution.targets)),
            applied: applied(&set.lines),
            ..Self::default()
        };
        for package in &resolution.packages {
            if package.kept {
                lock.kept
                    .push((package.name.clone(), package.version.clone()));
                continue;
            }
            lock.packages.push(LockedPackage {
                name: package.name.clone(),
                version: Some(package.version.clone()),
                marker: package.marker.clone(),
                source: package.source.clone(),
                files: package.files.clone(),
                dependencies: package.dependencies.clone(),
                required_by: package.required_by.iter().map(without_column).collect(),
            });
        }
        lock
    }

    /// Reports whether it is of this program and not rewritten by another: it says from
    /// what it was made, and what it waives.
    pub fn is_own(&self) -> bool {
        self.input_digest.is_some()
    }

    /// Finds a package by name.
    pub fn get(&self, name: &Name) -> Option<&LockedPackage> {
        self.packages.iter().find(|package| package.name == *name)
    }

    /// Returns the packages that count on a target.
    pub fn active<'a>(&'a self, target: &'a Target) -> impl Iterator<Item = &'a LockedPackage> {
        self.packages
            .iter()
            .filter(|package| package.counts_on(target))
    }

    /// Finds the lines that lead to a package, the nearest first, each with its text.
    pub fn lines_to(&self, name: &Name) -> Vec<(&Origin, &str)> {
        let mut found = Vec::new();
        let mut seen = vec![name];
        let mut at = 0;
        while let Some(&name) = seen.get(at) {
            at += 1;
            let packages = self.packages.iter().filter(|package| package.name == *name);
            for by in packages.flat_map(|package| &package.required_by) {
                match by {
                    RequiredBy::Line {
                        origin,
                        requirement,
                    } => found.push((origin, requirement.as_str())),
                    RequiredBy::Package { package, .. } if !seen.contains(&package) => {
                        seen.push(package);
                    }
                    RequiredBy::Package { .. } => {}
                }
            }
        }
        found
    }

    /// Adds the locked versions to what a new resolution prefers, each where it counts.
    pub fn prefer(&self, preferences: &mut Preferences) {
        for package in &self.packages {
            let marker = package.marker.as_deref().unwrap_or("");
            if let (Some(version), Ok(marker)) = (&package.version, Marker::parse(marker)) {
                preferences.add_locked_where(package.name.clone(), version.clone(), marker);
            }
        }
    }
}

/// Returns the digest of everything that decides the answer: the lines with their
/// origins (line numbers left out, so that a comment changes nothing), policy and
/// targets.
pub fn input_digest(set: &RequirementSet, targets: &[Target]) -> String {
    let text = |role: &str, origin: &Origin, wanted: String| {
        format!(
            "{role}\t{:?}\t{}\t{}\t{wanted}",
            origin.kind,
            origin.name.as_deref().unwrap_or(""),
            origin.file.as_deref().unwrap_or(""),
        )
    };
    let mut texts: Vec<String> = set
        .lines
        .iter()
        .filter_map(|line| {
            let role = match &line.role {
                Role::Require => "require".to_owned(),
                Role::Constrain => "constrain".to_owned(),
                Role::Override { only_for, .. } => format!("override {}", only_for.join(",")),
                // What is installed is not an input: it is a preference.
                Role::Protect => return None,
            };
            let requirement = &line.requirement;
            let wanted = match &requirement.url {
                Some(url) => by_address(url, &requirement.extras, &requirement.marker),
                None => requirement.to_string(),
            };
            Some(text(&role, &line.origin, wanted))
        })
        .collect();
    for entry in &set.unnamed {
        if let Wanted::Unnamed {
            place,
            extras,
            marker,
        } = &entry.wanted
        {
            let role = if entry.constraint {
                "constrain"
            } else {
                "require"
            };
            let wanted = by_address(place, extras, marker);
            texts.push(text(role, &entry.origin, wanted));
        }
    }
    texts.extend(set.policy.iter().cloned());
    texts.sort();
    texts.extend(targets.iter().map(ToString::to_string));
    format!("sha256:{}", digest::sha256(texts.join("\n").as_bytes()))
}

/// A line with an address, without its name: that is the artifact's to tell, and a
/// lock must be found fresh without asking.
fn by_address(url: &str, extras: &[Extra], marker: &Marker) -> String {
    let extras: Vec<&str> = extras.iter().map(Extra::as_str).collect();
    format!("[{}] @ {url} ; {}", extras.join(","), marker.text())
}

/// A lock says file and line, which is enough to find a requirement.
fn without_column(by: &RequiredBy) -> RequiredBy {
    let mut by = by.clone();
    if let RequiredBy::Line { origin, .. } = &mut by {
        origin.column = None;
    }
    by
}

fn applied(lines: &[Line]) -> Vec<Applied> {
    let mut applied: Vec<Applied> = lines
        .iter()
        .filter_map(|line| {
            let (kind, reason, only_for) = match &line.role {
                Role::Override { reason, only_for } => {
                    ("override", reason.clone(), only_for.clone())
                }
                Role::Constrain => ("constraint", None, Vec::new()),
                Role::Require | Role::Protect => return None,
            };
            Some(Applied {
                kind: kind.to_owned(),
                name: line.requirement.name.to_string(),
                text: line.requirement.specifiers.text().to_owned(),
                reason,
                only_for,
            })
        })
        .collect();
    applied.sort();
    applied.dedup();
    applied
}
