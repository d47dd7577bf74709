//! Is all there that the list and the lock of a folder promise, and is it what it was?

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use camino::Utf8Path;

use super::error::HouseError;
use super::manifest::{HouseFile, HouseTarget, Manifest};
use super::names::colliding;
use super::{BUILD, MANIFEST, PARTS};
use crate::host::{digest, fs};
use crate::lock::Lock;
use crate::package::artifact::show_bytes;
use crate::package::{DistFile, FileKind, Target};

/// What is wrong, as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// A build was cut short.
    Incomplete,
    /// A target lacks a package, and did when the folder was filled.
    Gap,
    /// No wheel of an active package fits the target.
    Unusable,
    /// A file is not there.
    Missing,
    /// A file is another than was recorded.
    Changed,
    /// A file is a link that leads out of the folder.
    Outside,
    /// Two names are one where case does not count.
    Collides,
    /// What is in the folder does not lead to what the lock says.
    Unresolved,
    /// A target is of a kind that this program does not know.
    UnknownTarget,
    /// A wheel of an earlier build that the lock does not need.
    Stale,
    /// A file that nothing names.
    Unknown,
}

impl Code {
    /// Reports whether it stands in the way of an installation.
    pub fn is_error(self) -> bool {
        !matches!(self, Self::Stale | Self::Unknown)
    }
}

/// Something that is wrong with a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What it is.
    pub code: Code,
    /// The same in words.
    pub message: String,
    /// The target it concerns; `None` if all.
    pub target: Option<String>,
    /// The package it concerns.
    pub package: Option<String>,
    /// The file it concerns.
    pub file: Option<String>,
}

impl Finding {
    /// Makes one that concerns everything.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            target: None,
            package: None,
            file: None,
        }
    }

    /// Adds the file.
    #[must_use]
    pub fn of_file(mut self, file: &str) -> Self {
        self.file = Some(file.to_owned());
        self
    }

    /// Adds the package.
    #[must_use]
    pub fn of_package(mut self, package: &str) -> Self {
        self.package = Some(package.to_owned());
        self
    }

    /// Adds the target.
    #[must_use]
    pub fn on(mut self, target: &str) -> Self {
        self.target = Some(target.to_owned());
        self
    }
}

/// Looks at a folder: its files against its list, and what the lock needs on targets of it.
///
/// # Errors
///
/// Fails only if the folder or a file in it cannot be read.
pub fn inspect(
    dir: &Utf8Path,
    manifest: &Manifest,
    lock: &Lock,
    targets: &[&HouseTarget],
) -> Result<Vec<Finding>, HouseError> {
    let mut findings = Vec::new();
    if !manifest.complete {
        let message = "its build was cut short; portenv wheelhouse build goes on with it";
        findings.push(Finding::new(Code::Incomplete, message));
    }
    for gap in &manifest.gaps {
        if targets.iter().any(|target| target.name == gap.target) {
            let finding = Finding::new(Code::Gap, format!("{}: {}", gap.package, gap.reason));
            findings.push(finding.of_package(gap.package.as_str()).on(&gap.target));
        }
    }
    let broken = broken_files(dir, manifest, &mut findings)?;
    for target in targets {
        let Some(real) = target.target() else {
            let message = format!("`{}` is not a target that this portenv knows", target.name);
            findings.push(Finding::new(Code::UnknownTarget, message).on(&target.name));
            continue;
        };
        active_entries(manifest, lock, &target.name, &real, &broken, &mut findings);
    }
    for (name, sha256) in &manifest.texts {
        let found = fs::find_bytes(&dir.join(name))?;
        match found.map(|bytes| digest::sha256(&bytes)) {
            None => findings.push(missing(name)),
            Some(found) if found != *sha256 => {
                let message = format!("`{name}` is not what the build wrote");
                findings.push(Finding::new(Code::Changed, message).of_file(name));
            }
            Some(_) => {}
        }
    }
    strangers(dir, manifest, &mut findings)?;
    findings.sort();
    findings.dedup();
    Ok(findings)
}

fn missing(name: &str) -> Finding {
    Finding::new(Code::Missing, format!("`{name}` is missing")).of_file(name)
}

/// Returns the wheel that a target takes of a package.
pub fn wheel_for<'p>(
    package: &'p crate::lock::LockedPackage,
    target: &Target,
) -> Option<&'p DistFile> {
    let file = package.file_for(target);
    file.filter(|file| file.kind == FileKind::Wheel)
}

/// Every entry that counts on a target has a wheel that fits it and is in the list.
fn active_entries(
    manifest: &Manifest,
    lock: &Lock,
    name: &str,
    target: &Target,
    broken: &BTreeSet<String>,
    findings: &mut Vec<Finding>,
) {
    for package in lock.active(target) {
        let shown = package.name.as_str();
        let is_gap =
            (manifest.gaps.iter()).any(|gap| gap.target == name && gap.package == package.name);
        let finding = match wheel_for(package, target) {
            _ if is_gap => continue,
            None => Finding::new(Code::Unusable, format!("no wheel of {shown} here fits")),
            Some(wheel) if broken.contains(&wheel.filename) => continue,
            Some(wheel) => match manifest.file(&wheel.filename) {
                Some(listed) if wheel.sha256() == Some(&listed.sha256) => continue,
                Some(_) => {
                    let message = format!(
                        "`{}` has one hash in pylock.toml and another in {MANIFEST}",
                        wheel.filename
                    );
                    Finding::new(Code::Changed, message).of_file(&wheel.filename)
                }
                None => missing(&wheel.filename),
            },
        };
        findings.push(finding.of_package(shown).on(name));
    }
}

/// Looks at every file of the list; returns the names of those that are not as they should
/// be.
fn broken_files(
    dir: &Utf8Path,
    manifest: &Manifest,
    findings: &mut Vec<Finding>,
) -> Result<BTreeSet<String>, HouseError> {
    let files: Vec<&HouseFile> = manifest.files.iter().chain(&manifest.tools).collect();
    let mut found: Vec<Finding> = Vec::new();
    for (one, other) in colliding(files.iter().map(|file| file.name.as_str())) {
        let message = format!("`{one}` and `{other}` are one file where case does not count");
        found.push(Finding::new(Code::Collides, message).of_file(other));
    }
    let home = fs::canonical(dir)?;
    // Hashing is most of the work: as many at once as there are processors.
    let (next, looked) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let look = || {
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = look_at(dir, &home, file);
            if let Ok(mut looked) = looked.lock() {
                looked.push(result);
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers.min(files.len()) {
            scope.spawn(look);
        }
    });
    for result in looked.into_inner().unwrap_or_default() {
        found.extend(result?);
    }
    let broken = found.iter().filter_map(|finding| finding.file.clone());
    let broken = broken.collect();
    findings.extend(found);
    Ok(broken)
}

fn look_at(
    dir: &Utf8Path,
    home: &Utf8Path,
    file: &HouseFile,
) -> Result<Option<Finding>, HouseError> {
    let path = dir.join(&file.name);
    let of = |finding: Finding| {
        Some(
            finding
                .of_file(&file.name)
                .of_package(file.package.as_str()),
        )
    };
    let Ok(real) = fs::canonical(&path) else {
        return Ok(of(missing(&file.name)));
    };
    if !real.starts_with(home) {
        let message = format!("`{}` is a link that leads out of the folder", file.name);
        return Ok(of(Finding::new(Code::Outside, message)));
    }
    if !fs::is_file(&path) {
        return Ok(of(missing(&file.name)));
    }
    let (size, _) = fs::stamp(&path)?;
    if size != file.size {
        let message = format!(
            "`{}` has {}, but {} are recorded",
            file.name,
            show_bytes(size),
            show_bytes(file.size)
        );
        return Ok(of(Finding::new(Code::Changed, message)));
    }
    if digest::sha256_of_file(&path)? != file.sha256 {
        let message = format!("`{}` does not have the hash that is recorded", file.name);
        return Ok(of(Finding::new(Code::Changed, message)));
    }
    Ok(None)
}

/// Files that nothing names, and wheels of earlier builds.
fn strangers(
    dir: &Utf8Path,
    manifest: &Manifest,
    findings: &mut Vec<Finding>,
) -> Result<(), HouseError> {
    let files = manifest.files.iter().chain(&manifest.tools);
    let known: BTreeSet<&str> = files
        .map(|file| file.name.as_str())
        .chain(manifest.texts.keys().map(String::as_str))
        .chain([MANIFEST, BUILD, PARTS])
        .collect();
    let inner = fs::find_dir(&dir.join(BUILD))?;
    let inner = inner.into_iter().map(|name| format!("{BUILD}/{name}"));
    for name in fs::find_dir(dir)?.into_iter().chain(inner) {
        if known.contains(name.as_str()) {
            continue;
        }
        let finding = if manifest.stale.contains(&name) {
            let message = format!(
                "`{name}` is of an earlier build; portenv wheelhouse build --prune removes it"
            );
            Finding::new(Code::Stale, message)
        } else {
            Finding::new(Code::Unknown, format!("nothing names `{name}`"))
        };
        findings.push(finding.of_file(&name));
    }
    Ok(())
}
