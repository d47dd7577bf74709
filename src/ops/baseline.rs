//! A lock that stands for an installation: what asked for it asks again, what it names is
//! preferred. Of ComfyUI's own files such a lock is made first.

use std::collections::BTreeSet;
use std::sync::Arc;

use camino::Utf8PathBuf;

use super::lock::protected;
use crate::environment::{Distribution, Installed};
use crate::host::fs;
use crate::lock::{Lock, LockedPackage};
use crate::package::{Marker, Metadata, Name, Requirement, Source, Specifiers, Target};
use crate::requirements::{Line, Origin, OriginKind, Role};
use crate::resolve::{Kept, Preferences, RequiredBy};
use crate::workspace::Settings;

/// What the lock would have installed on a target.
pub(super) fn installed(lock: &Lock, target: Option<&Target>) -> Installed {
    let mut installed = Installed::default();
    let here = |package: &&LockedPackage| target.is_none_or(|target| package.counts_on(target));
    let packages = lock.packages.iter().filter(here);
    let packages = packages.filter_map(|it| Some((it.name.clone(), it.version.clone()?)));
    for (name, version) in packages.chain(lock.kept.iter().cloned()) {
        installed.add(Distribution::new(
            name,
            version,
            Utf8PathBuf::new(),
            Vec::new(),
        ));
    }
    installed
}

/// A lock that stands for an installation.
pub(super) struct Baseline {
    pub(super) lock: Lock,
    /// ComfyUI's own lines, where its files are at hand; else the lock tells them.
    pub(super) core: Option<Vec<Line>>,
    /// Its name for people.
    pub(super) shown: String,
    /// What paths in it are meant from.
    pub(super) base: Utf8PathBuf,
    pub(super) installed: Installed,
    pub(super) settings: Settings,
}

impl Baseline {
    pub(super) fn before(&self) -> BTreeSet<(Name, crate::package::Version)> {
        let packages = self.lock.packages.iter();
        let packages = packages.filter_map(|it| Some((it.name.clone(), it.version.clone()?)));
        packages.chain(self.lock.kept.iter().cloned()).collect()
    }

    /// The lines that the lock was made of, without those of nodes that come anew.
    pub(super) fn lines(&self, anew: &BTreeSet<&str>) -> Vec<Line> {
        if let Some(core) = &self.core {
            return core.clone();
        }
        let mut lines: Vec<Line> = Vec::new();
        for package in &self.lock.packages {
            for by in &package.required_by {
                let RequiredBy::Line {
                    origin,
                    requirement,
                } = by
                else {
                    continue;
                };
                let name = origin.name.as_deref();
                let is_anew =
                    origin.kind == OriginKind::Node && name.is_some_and(|name| anew.contains(name));
                let is_known = |line: &Line| line.origin == *origin && line.text == *requirement;
                if !is_anew && !lines.iter().any(is_known) {
                    let meant = self.meant(package, requirement);
                    lines.push(self.line(origin.clone(), requirement, meant, Role::Require));
                }
            }
        }
        lines.sort_by(|a, b| a.origin.cmp(&b.origin));
        for applied in &self.lock.applied {
            let role = if applied.kind == "override" {
                Role::Override {
                    reason: applied.reason.clone(),
                    only_for: applied.only_for.clone(),
                }
            } else {
                Role::Constrain
            };
            let text = format!("{}{}", applied.name, applied.text);
            if let Ok(requirement) = Requirement::parse(&text) {
                let origin = Origin::file(OriginKind::Policy, None, &self.shown);
                lines.push(self.line(origin, &text, requirement, role));
            }
        }
        lines
    }

    fn line(&self, origin: Origin, text: &str, requirement: Requirement, role: Role) -> Line {
        Line {
            origin,
            text: text.to_owned(),
            requirement,
            hashes: Vec::new(),
            editable: false,
            role,
            base: self.base.clone(),
        }
    }

    /// Returns what a line asks for. What lies on the disk of whoever made the lock is
    /// not here: its version will do.
    fn meant(&self, package: &LockedPackage, text: &str) -> Requirement {
        let exactly = || Requirement {
            specifiers: (package.version.as_ref())
                .map(Specifiers::exactly)
                .unwrap_or_default(),
            ..Requirement::any(package.name.clone())
        };
        if self.is_elsewhere(package) {
            return exactly();
        }
        let by_address = || {
            let (address, _) = text.split_once(" ;").unwrap_or((text, ""));
            Requirement {
                url: Some(address.trim().trim_start_matches("-e ").to_owned()),
                ..Requirement::any(package.name.clone())
            }
        };
        match Requirement::parse(text) {
            Ok(requirement) => requirement,
            Err(_) if text.contains("://") => by_address(),
            Err(_) => exactly(),
        }
    }

    fn is_elsewhere(&self, package: &LockedPackage) -> bool {
        match &package.source {
            Source::Path { path, .. } => !fs::exists(&self.base.join(path)),
            _ => false,
        }
    }

    /// What is locked is preferred; what nobody here can fetch stays as it is, with the
    /// requirements that the lock tells of.
    pub(super) fn preferences(&self) -> Preferences {
        let mut preferences = Preferences::default();
        self.lock.prefer(&mut preferences);
        let elsewhere = self.lock.packages.iter();
        let elsewhere = elsewhere
            .filter(|package| self.is_elsewhere(package))
            .filter_map(|it| Some((it.name.clone(), it.version.clone()?)));
        for (name, version) in elsewhere.chain(self.lock.kept.iter().cloned()) {
            let edges = self.lock.packages.iter().flat_map(|it| &it.required_by);
            let asks = edges.filter_map(|by| match by {
                RequiredBy::Package {
                    package,
                    requirement,
                    ..
                } if *package == name => Some(requirement.clone()),
                _ => None,
            });
            let metadata = Arc::new(Metadata {
                requires_dist: asks.collect(),
                ..Metadata::default()
            });
            preferences.add_installed(name, Kept { version, metadata });
        }
        preferences
    }

    /// Names what stays as it is. Where only ComfyUI's files are known nobody has a torch
    /// yet: which one a node leads to is shown as a change.
    pub(super) fn protected(&self) -> Vec<Name> {
        match self.core {
            Some(_) => Vec::new(),
            None => protected(&self.settings, &self.installed, &[]),
        }
    }

    /// The lines that keep what is protected as the lock has it.
    pub(super) fn protections(&self) -> Vec<Line> {
        let names = self.protected();
        let packages = self.lock.packages.iter();
        let held = packages.filter(|package| names.contains(&package.name));
        held.filter_map(|package| {
            let version = package.version.as_ref()?;
            let marker = Marker::parse(package.marker.as_deref().unwrap_or("")).ok()?;
            let requirement = Requirement {
                specifiers: Specifiers::exactly(version),
                marker,
                ..Requirement::any(package.name.clone())
            };
            let origin = Origin {
                file: Some(self.shown.clone()),
                ..Origin::installed(package.name.as_str())
            };
            let text = format!("{}=={version}", package.name);
            Some(self.line(origin, &text, requirement, Role::Protect))
        })
        .collect()
    }
}
