//! What a preview tells beside its changes: what the gate finds, what breaks of what
//! stays, and how much room it takes.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::changes::ChangeInfo;
use super::check::{self, CheckRequest};
use super::context::{Context, Site};
use super::error::OpError;
use super::ground::Ground;
use super::preview::{Preview, PreviewRequest};
use crate::environment::record::Row;
use crate::environment::{Distribution, Installed};
use crate::gate::Finding;
use crate::gate::codes::Findings;
use crate::gate::violations::find_broken;
use crate::host::fs;
use crate::lock::{ChangeKind, Lock};
use crate::package::{Name, Source, Target, Version};
use crate::requirements::Waiver;

/// A package that stays, that nobody asks for, and that a change breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Break")]
pub struct BreakInfo {
    /// The package that stays.
    pub package: Name,
    /// Its version.
    pub version: String,
    /// What it asks for, which is met today (PEP 508).
    pub requirement: String,
    /// The package that it asks for and that changes.
    pub name: Name,
    /// The version after; null if it goes.
    pub to: Option<String>,
}

/// A package that is taken away or replaced, and files of it that a package that stays has too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "SharedFiles")]
pub struct SharedInfo {
    /// The package that changes.
    pub package: Name,
    /// The package that stays.
    pub with: Name,
    /// How many files both have by their RECORDs; empty ones do not count.
    pub files: u64,
    /// The first of them, relative to site-packages.
    pub first: String,
}

/// How much a plan brings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weight {
    /// How much is downloaded, as far as sizes are stated.
    pub download: u64,
    /// What it comes to on disk, if that is known of everything that comes.
    pub installed: Option<u64>,
    /// What it comes to on disk at least: a wheel unpacked is no smaller than packed.
    pub at_least: u64,
}

impl Weight {
    /// Adds up changes of packages.
    pub fn of(changes: &[ChangeInfo]) -> Self {
        let coming = changes
            .iter()
            .filter(|change| change.kind != ChangeKind::Remove);
        let coming: Vec<&ChangeInfo> = coming.collect();
        let least = coming.iter().map(|change| {
            let packed = change.bytes.filter(|_| !change.sdist);
            change.installed_bytes.or(packed).unwrap_or(0)
        });
        Self {
            download: coming.iter().filter_map(|change| change.bytes).sum(),
            installed: coming.iter().map(|change| change.installed_bytes).sum(),
            at_least: least.sum(),
        }
    }
}

/// Returns how much of the disk an installed package's own files take, by its RECORD.
pub(super) fn taken(installed: &Installed, name: &Name) -> Option<u64> {
    let rows = installed.get(name)?.rows();
    let sizes = rows.iter().filter_map(|row| row.size);
    (!rows.is_empty()).then(|| sizes.sum())
}

/// Reports whether nothing that is locked so far comes from this index.
pub(super) fn is_new_index(source: &Source, before: Option<&Lock>) -> bool {
    let (Source::Index(index), Some(lock)) = (source, before) else {
        return false;
    };
    let of = |source: &Source| matches!(source, Source::Index(known) if known == index);
    let empty = lock.packages.is_empty();
    !empty && !lock.packages.iter().any(|package| of(&package.source))
}

/// Finds what the changes break of what stays though no line leads to it: resolving does not
/// look at that.
pub(super) fn breaks(
    changes: &[ChangeInfo],
    installed: &Installed,
    lock: &Lock,
    target: &Target,
) -> Vec<BreakInfo> {
    let parse = |text: &Option<String>| text.as_deref()?.parse::<Version>().ok();
    let moved: BTreeMap<&Name, Option<Version>> = (changes.iter())
        .filter(|change| change.from.is_some() && change.from != change.to)
        .map(|change| (&change.name, parse(&change.to)))
        .collect();
    if moved.is_empty() {
        return Vec::new();
    }
    let mut asked: BTreeSet<&Name> = lock.active(target).map(|package| &package.name).collect();
    asked.extend(lock.kept.iter().map(|(name, _)| name));
    let staying = installed
        .iter()
        .filter(|found| !asked.contains(&found.name) && !moved.contains_key(&found.name));
    let mut found = Vec::new();
    for distribution in staying {
        for (name, requirement) in find_broken(distribution, installed, &moved, target) {
            found.push(BreakInfo {
                package: distribution.name.clone(),
                version: distribution.version.to_string(),
                requirement,
                to: moved.get(&name).cloned().flatten().map(|to| to.to_string()),
                name,
            });
        }
    }
    found
}

/// Finds files of packages that go or are replaced which packages that stay have too: an
/// installer takes them away, whoever else needs them.
pub(super) fn shared(changes: &[ChangeInfo], installed: &Installed) -> Vec<SharedInfo> {
    let going = changes
        .iter()
        .filter(|change| change.kind != ChangeKind::Add && !change.needs_rebuild);
    let going: Vec<&Name> = going.map(|change| &change.name).collect();
    let mut owned: BTreeMap<String, &Name> = BTreeMap::new();
    for &name in &going {
        let rows = installed.get(name).map(Distribution::rows);
        let rows = rows.into_iter().flatten();
        let counts = |row: &Row| {
            let of_installer = row.path.contains(".dist-info/") || row.path.ends_with(".pyc");
            !of_installer && row.size.is_some_and(|size| size > 0)
        };
        owned.extend(rows.filter(counts).map(|row| (row.path, name)));
    }
    if owned.is_empty() {
        return Vec::new();
    }
    let mut found: BTreeMap<(&Name, &Name), (u64, String)> = BTreeMap::new();
    for staying in installed.iter().filter(|it| !going.contains(&&it.name)) {
        // Every RECORD there is, line by line: rows of their own would be dear.
        let Ok(Some(record)) = fs::find_bytes(&staying.dir.join("RECORD")) else {
            continue;
        };
        for line in String::from_utf8_lossy(&record).lines() {
            let path = line.split(',').next().unwrap_or(line);
            if let Some(&package) = owned.get(path) {
                let entry = found.entry((package, &staying.name)).or_default();
                if entry.0 == 0 {
                    path.clone_into(&mut entry.1);
                }
                entry.0 += 1;
            }
        }
    }
    let info = |((package, with), (files, first)): ((&Name, &Name), _)| SharedInfo {
        package: package.clone(),
        with: with.clone(),
        files,
        first,
    };
    found.into_iter().map(info).collect()
}

/// Lists the waivers of an answer that the lock so far does not have.
pub(super) fn new_waivers(waivers: &[Waiver], before: Option<&Lock>) -> Vec<Waiver> {
    let Some(before) = before else {
        return Vec::new();
    };
    let known = |waiver: &Waiver| {
        before.waivers.iter().any(|old| {
            (&old.asker, &old.requirement, old.reason)
                == (&waiver.asker, &waiver.requirement, waiver.reason)
        })
    };
    let new = waivers.iter().filter(|waiver| !known(waiver));
    new.cloned().collect()
}

/// Judges a preview as `check` would judge these nodes: one reading, so that the page and
/// the gate never disagree.
pub(super) fn judge(
    context: &Context,
    site: &Site,
    request: &PreviewRequest,
    preview: &Preview,
    (installed, before, targets): (&Installed, Option<&Lock>, &[Target]),
) -> Result<Vec<Finding>, OpError> {
    let settings = &site.installation.settings;
    let asked = CheckRequest {
        advisories: request.advisories.clone(),
        ..CheckRequest::default()
    };
    let advisories = check::advisories(context, &asked, settings, &site.installation.root)?;
    let ground = Ground {
        set: &preview.set,
        settings,
        candidates: preview.nodes.iter().map(|it| it.name.as_str()).collect(),
        status: preview.status,
        conflicts: &preview.conflicts,
        changes: &preview.changes,
        warnings: &preview.warnings,
        answer: preview.lock.as_ref(),
        targets,
        installed,
        before: check::before(before, installed),
        indexes: check::indexes(context, &request.flags, settings),
        advisories: &advisories,
    };
    let mut findings = Findings::under(&settings.check);
    ground.judge_all(&mut findings)?;
    findings.list.sort_by_key(|finding| finding.code);
    check::fingerprint(&mut findings.list);
    Ok(findings.list)
}
