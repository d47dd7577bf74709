//! `wheelhouse check`: the proof that nothing is lacking, from the folder alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::place::folder;
use crate::index::{IndexConfig, RemoteIndex};
use crate::lock::{Lock, LockedPackage};
use crate::ops::context::Context;
use crate::ops::error::OpError;
use crate::package::{Name, Requirement, Specifiers, Target};
use crate::requirements::statement::parse;
use crate::requirements::{Line, Origin, OriginKind, Role, Statement, Wanted};
use crate::resolve::families::Family;
use crate::resolve::targets::Task;
use crate::resolve::{Options, Outcome, Preferences, RequiredBy, resolve};
use crate::wheelhouse::{Code, Finding, HouseTarget, Manifest, PYLOCK, Provenance, inspect};
use crate::workspace::settings::{FamilyMode, Prerelease};

/// Which folder to look at.
#[derive(Debug, Clone, Default)]
pub struct CheckRequest {
    /// The folder; that of the installation if none is named.
    pub dir: Option<Utf8PathBuf>,
    /// Targets of the folder; all if none is named.
    pub targets: Vec<String>,
}

/// What looking at a folder came to.
#[derive(Debug, Clone)]
pub struct CheckOutcome {
    /// The folder.
    pub dir: Utf8PathBuf,
    /// The targets that were looked at.
    pub targets: Vec<String>,
    /// How many packages its lock has.
    pub packages: usize,
    /// How many wheels it lists.
    pub files: usize,
    /// How large they are together.
    pub bytes: u64,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
}

impl CheckOutcome {
    /// Reports whether an installation from the folder can be had on every target.
    pub fn pass(&self) -> bool {
        !self.findings.iter().any(|finding| finding.code.is_error())
    }
}

/// Looks at a folder; needs no installation, no Python and no network.
///
/// # Errors
///
/// Fails if it is no wheelhouse or cannot be read.
pub fn run(context: &Context, request: &CheckRequest) -> Result<CheckOutcome, OpError> {
    let dir = folder(context, request.dir.as_ref())?;
    let manifest = Manifest::read(&dir)?;
    let chosen = choose(&manifest, &request.targets)?;
    let lock = Lock::find(&dir.join(PYLOCK))?;
    let mut findings = inspect(
        &dir,
        &manifest,
        lock.as_ref().unwrap_or(&Lock::default()),
        &chosen,
    )?;
    context.check_cancel()?;
    if let Some(lock) = &lock {
        for target in &chosen {
            // What lacks a file has no proof to give, and says so already.
            let stands = |finding: &Finding| {
                finding.code.is_error()
                    && finding.target.as_ref().is_none_or(|on| *on == target.name)
            };
            if let Some(real) = target.target()
                && !findings.iter().any(stands)
            {
                let more = resolve_from(context, &dir, &manifest, lock, (&target.name, &real))?;
                findings.extend(more);
            }
        }
    }
    findings.sort();
    Ok(CheckOutcome {
        targets: chosen.iter().map(|target| target.name.clone()).collect(),
        packages: lock.map_or(0, |lock| lock.packages.len()),
        files: manifest.files.len(),
        bytes: manifest.files.iter().map(|file| file.size).sum(),
        dir,
        findings,
    })
}

fn choose<'m>(manifest: &'m Manifest, named: &[String]) -> Result<Vec<&'m HouseTarget>, OpError> {
    if named.is_empty() {
        return Ok(manifest.targets.iter().collect());
    }
    let mut chosen = Vec::new();
    for wanted in named {
        let is_meant = |target: &&HouseTarget| {
            target.name == *wanted || target.name.split('@').next() == Some(wanted)
        };
        let mut meant = manifest.targets.iter().filter(is_meant);
        match (meant.next(), meant.next()) {
            (Some(target), None) => chosen.push(target),
            _ => {
                let names: Vec<&str> = manifest.targets.iter().map(|it| it.name.as_str()).collect();
                return Err(OpError::Usage(format!(
                    "the wheelhouse is not for `{wanted}`, or for several such; it is for {}",
                    names.join(", ")
                )));
            }
        }
    }
    Ok(chosen)
}

/// Resolves what the lock answers with nothing but the folder, and compares.
fn resolve_from(
    context: &Context,
    dir: &Utf8Path,
    manifest: &Manifest,
    lock: &Lock,
    (name, target): (&str, &Target),
) -> Result<Vec<Finding>, OpError> {
    let config = IndexConfig {
        find_links: vec![dir.to_string()],
        offline: true,
        ..IndexConfig::default()
    };
    let index = RemoteIndex::new(
        config,
        context.clock.now().as_second(),
        context.cancel.clone(),
        Arc::clone(&context.progress),
    );
    let unify = manifest.unify.iter().map(|members| Family {
        members: members.clone(),
        mode: FamilyMode::Unify,
    });
    let options = Options {
        // The lock's versions are the only ones there are.
        prerelease: Prerelease::Allow,
        exclude: manifest
            .exclude
            .iter()
            .filter_map(|text| Name::parse(text))
            .collect(),
        families: Family::all(unify.collect()),
        ..Options::default()
    };
    let mut preferences = Preferences::default();
    lock.prefer(&mut preferences);
    let lines = lines(dir, manifest, lock, (name, target));
    let outcome = resolve(&Task {
        lines: &lines,
        targets: std::slice::from_ref(target),
        options: &options,
        preferences: &preferences,
        index: &index,
        cancel: &context.cancel,
    });
    let finding = |message: String| Finding::new(Code::Unresolved, message).on(name);
    let resolution = match outcome {
        Ok(Outcome::Resolved(resolution)) => resolution,
        Ok(Outcome::Conflicts(conflicts)) => {
            let findings = conflicts.iter().map(|conflict| {
                let text = conflict.explanation.trim().replace('\n', " ");
                finding(format!("a resolve against only the folder fails: {text}"))
            });
            return Ok(findings.collect());
        }
        Err(crate::index::IndexError::Interrupted) => return Err(OpError::Interrupted),
        Err(error) => {
            return Ok(vec![finding(format!(
                "a resolve against only the folder needs more: {error}"
            ))]);
        }
    };
    let found: BTreeMap<&Name, String> = (resolution.packages.iter())
        .map(|package| (&package.name, package.version.to_string()))
        .collect();
    let locked: BTreeMap<&Name, String> = (lock.active(target))
        .filter_map(|package| Some((&package.name, package.version.as_ref()?.to_string())))
        .collect();
    let names: BTreeSet<&Name> = found.keys().chain(locked.keys()).copied().collect();
    let differing = names
        .into_iter()
        .filter(|name| found.get(name) != locked.get(name));
    Ok(differing
        .map(|package| {
            let shown = |map: &BTreeMap<&Name, String>| {
                map.get(package)
                    .map_or_else(|| "nothing".to_owned(), Clone::clone)
            };
            let message = format!(
                "{package}: the lock says {}, a resolve against only the folder {}",
                shown(&locked),
                shown(&found)
            );
            finding(message).of_package(package.as_str())
        })
        .collect())
}

/// The lines that the lock answers on a target, and what replaces those that nothing here
/// could answer.
fn lines(
    dir: &Utf8Path,
    manifest: &Manifest,
    lock: &Lock,
    (name, target): (&str, &Target),
) -> Vec<Line> {
    let waived: BTreeSet<&Name> = (lock.waivers.iter())
        .filter(|waiver| waiver.target == name)
        .map(|waiver| &waiver.name)
        .collect();
    // Addresses lead nowhere from here, whoever names them: the wheel made of one stands
    // for it.
    let by_address: BTreeSet<&Name> = (manifest.files.iter())
        .filter(|file| file.index.is_none() || file.from == Provenance::Repacked)
        .map(|file| &file.package)
        .collect();
    let mut lines = Vec::new();
    let mut add = |origin: Origin, requirement: Requirement, role: Role| {
        lines.push(Line {
            text: requirement.to_string(),
            origin,
            requirement,
            hashes: Vec::new(),
            editable: false,
            role,
            base: dir.to_owned(),
        });
    };
    let here = || Origin::file(OriginKind::File, None, PYLOCK);
    for package in lock.active(target) {
        let mut is_asked = false;
        for by in &package.required_by {
            match by {
                RequiredBy::Line {
                    origin,
                    requirement,
                } => {
                    is_asked = true;
                    add(origin.clone(), asked(package, requirement), Role::Require);
                }
                RequiredBy::Package { .. } => is_asked = true,
            }
        }
        let exactly = || {
            package
                .version
                .as_ref()
                .map(|version| exact(&package.name, version))
        };
        if let Some(requirement) = exactly().filter(|_| !is_asked) {
            add(here(), requirement, Role::Require);
        }
        let is_fixed = waived.contains(&package.name) || by_address.contains(&package.name);
        if let Some(requirement) = exactly().filter(|_| is_fixed) {
            let role = Role::Override {
                reason: None,
                only_for: Vec::new(),
            };
            add(here(), requirement, role);
        }
    }
    for applied in &lock.applied {
        let text = format!("{}{}", applied.name, applied.text);
        let Ok(requirement) = Requirement::parse(&text) else {
            continue;
        };
        let role = if applied.kind == "override" {
            Role::Override {
                reason: applied.reason.clone(),
                only_for: applied.only_for.clone(),
            }
        } else {
            Role::Constrain
        };
        if !waived.contains(&requirement.name) && !by_address.contains(&requirement.name) {
            add(here(), requirement, role);
        }
    }
    lines
}

fn exact(name: &Name, version: &crate::package::Version) -> Requirement {
    Requirement {
        specifiers: Specifiers::exactly(version),
        ..Requirement::any(name.clone())
    }
}

/// What a line asks for, by name: an address has become a wheel.
fn asked(package: &LockedPackage, text: &str) -> Requirement {
    let any = Requirement::any(package.name.clone());
    match parse(text) {
        Ok(Statement::Require { wanted, .. }) => match wanted {
            Wanted::Named(requirement) => Requirement {
                url: None,
                ..*requirement
            },
            Wanted::Unnamed { extras, marker, .. } => Requirement {
                extras,
                marker,
                ..any
            },
        },
        _ => any,
    }
}
