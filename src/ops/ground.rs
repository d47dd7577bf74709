//! What the gate judges, of an installation or of nodes against a lock: lines, conflicts,
//! and the packages of the answer, each told at the line that leads to it.

use std::collections::BTreeSet;

use super::changes::ChangeInfo;
use super::error::OpError;
use super::inputs::families;
use super::preview::PreviewStatus;
use super::rebuild;
use crate::environment::Installed;
use crate::gate::codes::Findings;
use crate::gate::policies::{find_families, find_loose, find_shared, shared_files};
use crate::gate::{Advisory, Code, Finding};
use crate::lock::{ChangeKind, Lock};
use crate::package::{FileKind, Name, Source, Target, Version, redact};
use crate::requirements::{Origin, OriginKind, RequirementSet, Role, Severity, Statement, Wanted};
use crate::resolve::{Conflict, RequiredBy, Warning};
use crate::workspace::Settings;

/// What findings are made from.
pub(super) struct Ground<'a> {
    pub(super) set: &'a RequirementSet,
    pub(super) settings: &'a Settings,
    /// The nodes that were named.
    pub(super) candidates: BTreeSet<&'a str>,
    pub(super) status: PreviewStatus,
    pub(super) conflicts: &'a [Conflict],
    pub(super) changes: &'a [ChangeInfo],
    pub(super) warnings: &'a [Warning],
    /// The answer.
    pub(super) answer: Option<&'a Lock>,
    pub(super) targets: &'a [Target],
    pub(super) installed: &'a Installed,
    /// What is there without the nodes.
    pub(super) before: BTreeSet<(Name, Version)>,
    /// The addresses that may be asked.
    pub(super) indexes: BTreeSet<String>,
    pub(super) advisories: &'a [Advisory],
}

impl Ground<'_> {
    /// Judges everything that concerns nodes and what they lead to.
    pub(super) fn judge_all(&self, findings: &mut Findings<'_>) -> Result<(), OpError> {
        self.judge_lines(findings);
        self.judge_conflicts(findings);
        self.judge_warnings(findings);
        self.judge_families(findings)?;
        self.judge_addresses(findings);
        self.judge_files(findings);
        self.judge_downgrades(findings);
        self.judge_advisories(findings);
        Ok(())
    }

    /// Reports whether something at this place is the candidates': everything is where
    /// none was named.
    fn is_new(&self, origin: &Origin) -> bool {
        let name = origin.name.as_deref();
        self.candidates.is_empty()
            || origin.kind == OriginKind::Node
                && name.is_some_and(|name| self.candidates.contains(name))
    }

    /// Reports whether a package comes with the candidates.
    fn comes(&self, name: &Name, version: &Version) -> bool {
        self.candidates.is_empty() || !self.before.contains(&(name.clone(), version.clone()))
    }

    /// Finds the line that leads to a package, a candidate's first.
    fn line_to(&self, name: &Name) -> Option<Origin> {
        let found = self.answer?.lines_to(name);
        let new = found.iter().find(|(origin, _)| self.is_new(origin));
        let (origin, text) = new.or_else(|| found.first())?;
        // A lock knows no columns.
        let line = self.set.lines.iter().find(|line| {
            line.origin.file == origin.file && line.origin.line == origin.line && line.text == *text
        });
        Some(line.map_or(*origin, |line| &line.origin).clone())
    }

    /// Judges what is written, whatever it leads to.
    fn judge_lines(&self, findings: &mut Findings<'_>) {
        for problem in &self.set.problems {
            if problem.severity == Severity::Error {
                let message = match &problem.fix {
                    Some(fix) => format!("{} ({fix})", problem.message),
                    None => problem.message.clone(),
                };
                let finding = Finding::new(Code::Invalid, message)
                    .at(Some(problem.origin.clone()))
                    .about(&problem.message)
                    .new_if(self.is_new(&problem.origin));
                findings.add(finding);
            }
        }
        for script in &self.set.install_scripts {
            if script.changes_packages {
                let owner = script.origin.owner();
                let message = format!("{owner} has an install.py that seems to change packages");
                let finding = Finding::new(Code::InstallScript, message)
                    .at(Some(script.origin.clone()))
                    .new_if(self.is_new(&script.origin));
                findings.add(finding);
            }
        }
    }

    /// Judges whether there is an answer, and at what cost.
    fn judge_conflicts(&self, findings: &mut Findings<'_>) {
        let mut is_blocked = self.status == PreviewStatus::Blocked;
        for (at, conflict) in self.conflicts.iter().enumerate() {
            let lines = &conflict.requirements;
            let mut kinds = lines.iter().map(|line| line.origin.kind);
            let code = if is_blocked && kinds.any(|kind| kind == OriginKind::Installed) {
                Code::Protected
            } else if conflict.unsupplied {
                Code::Unsupplied
            } else {
                Code::Conflict
            };
            // Where it is to be mended: not at ComfyUI's own line if a node takes part.
            let new = lines.iter().find(|line| self.is_new(&line.origin));
            let node = lines.iter().find(|it| it.origin.kind == OriginKind::Node);
            let has_candidates = !self.candidates.is_empty();
            let named = new.filter(|_| has_candidates).or(node);
            let origin = named.or_else(|| lines.first()).map(|it| it.origin.clone());
            let mut subject: Vec<&str> = lines.iter().map(|it| it.requirement.as_str()).collect();
            subject.sort_unstable();
            let finding = Finding {
                conflict: Some(at),
                ..Finding::new(code, &conflict.explanation)
            };
            let finding = finding
                .at(origin)
                .of(conflict.packages.clone())
                .about(subject.join("\n"))
                .new_if(!has_candidates || conflict.new);
            findings.add(finding);
        }
        // A block without a conflict: torch moves from under what was built for it.
        is_blocked &= self.conflicts.is_empty();
        for change in rebuild::blocking(self.changes, &[]) {
            if is_blocked {
                let version = change.from.as_deref().unwrap_or("");
                let message = format!(
                    "{} {version} was built for the torch that is installed and breaks with the \
                     one to come",
                    change.name
                );
                let finding = Finding::new(Code::Protected, message)
                    .at(self.line_to(&change.name))
                    .of(vec![change.name.clone()]);
                findings.add(finding);
            }
        }
    }

    /// Judges what resolving remarked.
    fn judge_warnings(&self, findings: &mut Findings<'_>) {
        for warning in self.warnings.iter().filter(|it| it.code == "yanked") {
            let packages = self.answer.into_iter().flat_map(|lock| &lock.packages);
            let told = packages
                .filter_map(|package| Some((&package.name, package.version.as_ref()?)))
                .find(|(name, version)| warning.message.starts_with(&format!("{name} {version} ")));
            let Some((name, version)) = told else {
                continue;
            };
            let finding = Finding::new(Code::Yanked, &warning.message)
                .at(self.line_to(name))
                .of(vec![name.clone()])
                .about(version.to_string())
                .new_if(self.comes(name, version));
            findings.add(finding);
        }
    }

    /// Judges which packages of the answer stand in each other's way.
    fn judge_families(&self, findings: &mut Findings<'_>) -> Result<(), OpError> {
        let Some(lock) = self.answer else {
            return Ok(());
        };
        let mut told: BTreeSet<Name> = BTreeSet::new();
        let names: Vec<_> = lock.packages.iter().map(|package| &package.name).collect();
        for family in find_families(&names, &families(self.settings)?) {
            told.extend(family.iter().cloned());
            let shown: Vec<&str> = family.iter().map(Name::as_str).collect();
            let mut message = format!("{} own the same modules", shown.join(" and "));
            if let Some(files) = shared_files(&family, self.installed) {
                message.push_str(&format!(" ({files})"));
            }
            let is_there = |name: &Name| self.before.iter().any(|(there, _)| there == name);
            let comes = family.iter().find(|name| !is_there(name));
            let finding = Finding::new(Code::Family, message)
                .at(self.line_to(comes.unwrap_or(&family[0])))
                .of(family.clone())
                .new_if(self.candidates.is_empty() || comes.is_some());
            findings.add(finding);
        }
        if self.candidates.is_empty() {
            for shared in find_shared(self.installed) {
                if shared.owners.iter().all(|name| told.contains(name)) {
                    continue;
                }
                let finding = Finding::new(Code::Family, shared.shown())
                    .at(self.line_to(&shared.owners[0]))
                    .of(shared.owners);
                findings.add(finding);
            }
        }
        Ok(())
    }

    /// Judges what lines name by address, and where files say to look.
    fn judge_addresses(&self, findings: &mut Findings<'_>) {
        let named = self.set.lines.iter().filter_map(|line| {
            let url = line.requirement.url.as_deref()?;
            (line.role == Role::Require).then_some((&line.origin, line.text.as_str(), url))
        });
        let unnamed = self.set.unnamed.iter();
        let unnamed = unnamed.filter_map(|entry| match &entry.wanted {
            Wanted::Unnamed { place, .. } => Some((&entry.origin, entry.text.as_str(), &**place)),
            Wanted::Named(_) => None,
        });
        for (origin, text, url) in named.chain(unnamed) {
            if let Some(reason) = find_loose(url) {
                let finding = Finding::new(Code::Unpinned, format!("`{}` {reason}", redact(text)))
                    .at(Some(origin.clone()))
                    .about(redact(text))
                    .new_if(self.is_new(origin));
                findings.add(finding);
            }
        }
        let of_nodes = self.set.options.iter();
        for option in of_nodes.filter(|option| option.origin.kind == OriginKind::Node) {
            let (Statement::IndexUrl(url)
            | Statement::ExtraIndexUrl(url)
            | Statement::FindLinks(url)) = &option.statement
            else {
                continue;
            };
            if self.indexes.contains(&bare(url)) {
                continue;
            }
            let shown = redact(url);
            let owner = option.origin.owner();
            let message = format!("{owner} names `{shown}`, which portenv.toml does not");
            let finding = Finding::new(Code::ForeignIndex, message)
                .at(Some(option.origin.clone()))
                .about(shown)
                .new_if(self.is_new(&option.origin));
            findings.add(finding);
        }
    }

    /// Judges which packages of the answer have to be built.
    fn judge_files(&self, findings: &mut Findings<'_>) {
        let packages = self.answer.into_iter().flat_map(|lock| &lock.packages);
        for package in packages {
            let (Source::Index(_), Some(version)) = (&package.source, &package.version) else {
                continue;
            };
            let is_built = |target: &&Target| {
                let file = package.file_for(target);
                let sdist = file.is_some_and(|file| file.kind == FileKind::Sdist);
                sdist && package.counts_on(target)
            };
            let built: Vec<String> = self
                .targets
                .iter()
                .filter(is_built)
                .map(ToString::to_string)
                .collect();
            if built.is_empty() {
                continue;
            }
            let message = format!(
                "{} {version} has no wheel for {}: it is built from source",
                package.name,
                built.join(", ")
            );
            let finding = Finding::new(Code::SdistOnly, message)
                .at(self.line_to(&package.name))
                .of(vec![package.name.clone()])
                .about(version.to_string())
                .new_if(self.comes(&package.name, version));
            findings.add(finding);
        }
    }

    /// Judges what the candidates do to what ComfyUI itself asks for.
    fn judge_downgrades(&self, findings: &mut Findings<'_>) {
        let Some(lock) = self.answer.filter(|_| !self.candidates.is_empty()) else {
            return;
        };
        let is_of_core = |name: &Name| {
            let asks = |by: &RequiredBy| match by {
                RequiredBy::Line { origin, .. } => origin.kind == OriginKind::Core,
                RequiredBy::Package { .. } => false,
            };
            lock.get(name)
                .is_some_and(|package| package.required_by.iter().any(asks))
        };
        let down = self.changes.iter();
        let down = down.filter(|change| change.kind == ChangeKind::Downgrade && !change.pending);
        for change in down.filter(|change| is_of_core(&change.name)) {
            let version = |version: &Option<String>| version.clone().unwrap_or_default();
            let (from, to) = (version(&change.from), version(&change.to));
            let message = format!(
                "{}, which ComfyUI asks for, goes down from {from} to {to}",
                change.name
            );
            let finding = Finding::new(Code::CoreDowngrade, message)
                .at(self.line_to(&change.name))
                .of(vec![change.name.clone()])
                .about(to);
            findings.add(finding);
        }
    }

    /// Judges the versions of the answer, and without candidates those that are installed.
    fn judge_advisories(&self, findings: &mut Findings<'_>) {
        let answer = self.answer.into_iter().flat_map(|lock| &lock.packages);
        let mut used: BTreeSet<(Name, Version)> = answer
            .filter_map(|it| Some((it.name.clone(), it.version.clone()?)))
            .collect();
        if self.candidates.is_empty() || self.answer.is_none() {
            used.extend(self.before.iter().cloned());
        }
        for (name, version) in used {
            let about = self.advisories.iter();
            let about = about.filter(|it| it.package == name && it.is_about(&version));
            let mut told: Vec<&Advisory> = Vec::new();
            for advisory in about {
                if told.iter().any(|other| other.is_same(advisory)) {
                    continue;
                }
                told.push(advisory);
                let mut message = format!("{name} {version}: {}", advisory.shown());
                if let Some(mended) = advisory.mended_in(&version) {
                    message.push_str(&format!("; mended in {mended}"));
                }
                let finding = Finding::new(Code::Vulnerable, message)
                    .at(self.line_to(&name))
                    .of(vec![name.clone()])
                    .about(format!("{} {version}", advisory.id))
                    .new_if(self.comes(&name, &version));
                findings.add(finding);
            }
        }
    }
}

/// An address without what does not tell it from others.
pub(super) fn bare(url: &str) -> String {
    redact(url).trim_end_matches('/').to_owned()
}
