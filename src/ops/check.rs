//! `check`: the gate. Does everything resolve, is the lock fresh, does the
//! environment match, does policy hold? Changes nothing.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;

use super::changes::ChangeInfo;
use super::context::{Context, Site};
use super::error::OpError;
use super::inputs::{ResolveFlags, families};
use super::lock::{Inputs, inputs};
use super::packages::PackageGoal;
use super::preview::{Preview, PreviewRequest, PreviewStatus, brought};
use super::rebuild;
use crate::environment::Installed;
use crate::gate::codes::Findings;
use crate::gate::policies::{find_families, shared_files};
use crate::gate::{Code, Finding};
use crate::host::{digest, fs};
use crate::lock::{Lock, check_freshness};
use crate::nodes::{NodeSource, Staged, parse_node};
use crate::package::{Name, Version};
use crate::requirements::{Asker, Origin, OriginKind, RequirementSet, Severity, Waiver};
use crate::resolve::{Conflict, Warning};
use crate::workspace::Settings;
use crate::workspace::settings::{BuildMode, Level};

/// What to check.
#[derive(Debug, Clone, Default)]
pub struct CheckRequest {
    /// Nodes as if they were added; the installation as it is if there are none.
    pub nodes: Vec<String>,
    /// The lock that stands for an installation.
    pub against: Option<Utf8PathBuf>,
    /// Only what these nodes bring fails the check.
    pub only_new: bool,
    /// What decides the answer.
    pub flags: ResolveFlags,
}

/// What a check came to.
#[derive(Debug, Clone)]
pub struct CheckOutcome {
    /// Nothing fails it.
    pub pass: bool,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Conflicts.
    pub conflicts: Vec<Conflict>,
    /// What would change.
    pub changes: Vec<ChangeInfo>,
    /// How each code counts here.
    pub levels: Vec<(Code, Level)>,
    /// Only what the nodes bring fails it.
    pub only_new: bool,
    /// Nodes were named.
    pub has_candidates: bool,
    /// The lock that stood for an installation.
    pub against: Option<String>,
    /// Where files lie for those who stand in the working directory.
    pub places: Places,
}

impl CheckOutcome {
    /// Reports whether a finding fails the check.
    pub fn fails(&self, finding: &Finding) -> bool {
        finding.level == "error" && (finding.new || !self.only_new)
    }
}

/// Where the files of findings lie, seen from the working directory: what a CI system
/// calls the checkout.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The working directory.
    pub dir: Utf8PathBuf,
    /// What relative files are meant from.
    pub root: Utf8PathBuf,
    /// Where nodes that are not installed would lie, and where they lie now.
    pub moved: Vec<(String, Utf8PathBuf)>,
    /// The lock.
    pub lock: Utf8PathBuf,
    /// Only files of these nodes are here; all are if none is named.
    pub owners: Option<Vec<String>>,
}

impl Places {
    /// Returns the file of an origin relative to the working directory, with `/`, if it
    /// lies there.
    pub fn file(&self, origin: &Origin) -> Option<String> {
        if origin.kind == OriginKind::Installed {
            return None;
        }
        let name = origin
            .name
            .as_ref()
            .filter(|_| origin.kind == OriginKind::Node);
        let is_here = |owners: &Vec<String>| name.is_some_and(|name| owners.contains(name));
        if !self.owners.as_ref().is_none_or(is_here) {
            return None;
        }
        let file = origin.file.as_deref()?;
        let candidate = self.moved.iter().find_map(|(shown, real)| {
            let rest = file.strip_prefix(shown.as_str())?.strip_prefix('/')?;
            Some(real.join(rest))
        });
        self.below(&candidate.unwrap_or_else(|| self.root.join(file)))
    }

    /// Returns the lock relative to the working directory, if it lies or would lie there.
    pub fn lock(&self) -> Option<String> {
        self.below(&self.lock)
    }

    fn below(&self, path: &Utf8PathBuf) -> Option<String> {
        let settled = |path: &Utf8PathBuf| match (path.parent(), path.file_name()) {
            (Some(dir), Some(name)) => Some(fs::canonical(dir).ok()?.join(name)),
            _ => None,
        };
        let dir = fs::canonical(&self.dir).unwrap_or_else(|_| self.dir.clone());
        let rest = settled(path)?.strip_prefix(&dir).ok()?.to_owned();
        Some(rest.as_str().replace('\\', "/"))
    }
}

/// Checks an installation, or what adding nodes to it would mean.
///
/// # Errors
///
/// Fails on bad input or if the network could not be asked.
pub fn run(context: &Context, request: &CheckRequest) -> Result<CheckOutcome, OpError> {
    if let Some(lock) = &request.against {
        return super::against::run(context, request, lock);
    }
    let site = context.site()?;
    site.needs_core()?;
    let settings = &site.installation.settings;
    let reading = ResolveFlags {
        skip_invalid: true,
        ..request.flags.clone()
    };
    let inputs = inputs(context, &site, &reading)?;
    let preview = super::preview::run(
        context,
        &PreviewRequest {
            nodes: request.nodes.clone(),
            allow_change: Vec::new(),
            flags: reading,
            build: BuildMode::Static,
            strict: true,
        },
    )?;
    let installed = site.installed()?;
    let places = Places {
        dir: context.dir.clone(),
        root: site.installation.root.clone(),
        moved: moved(context, &request.nodes, &preview.staged),
        lock: site.installation.lock_path(),
        owners: None,
    };
    let ground = Ground::of(&preview, settings, &installed, inputs.lock.as_ref());
    let mut findings = Findings::under(&settings.check);
    ground.judge_all(&mut findings)?;
    if request.nodes.is_empty() {
        judge_installation(&mut findings, &site, &inputs, &preview, &installed)?;
    }
    // By code, and within one as they were found: equal states print equal reports.
    findings.list.sort_by_key(|finding| finding.code);
    let told = (preview.conflicts.clone(), preview.changes.clone());
    Ok(outcome(request, findings, told, settings, places))
}

/// Says where the nodes at hand lie now.
fn moved(context: &Context, asked: &[String], staged: &[Staged]) -> Vec<(String, Utf8PathBuf)> {
    let pairs = asked.iter().zip(staged);
    pairs
        .filter_map(|(text, staged)| match parse_node(text, &context.dir) {
            NodeSource::Directory(dir) => Some((staged.node.dir.clone(), dir)),
            _ => None,
        })
        .collect()
}

/// Puts an outcome together: fingerprints, and whether it passes.
pub(super) fn outcome(
    request: &CheckRequest,
    findings: Findings<'_>,
    (conflicts, changes): (Vec<Conflict>, Vec<ChangeInfo>),
    settings: &Settings,
    places: Places,
) -> CheckOutcome {
    let mut seen: Vec<String> = Vec::new();
    let mut findings = findings.list;
    for finding in &mut findings {
        let identity = finding.identity();
        // One file may say the same twice.
        let same = seen.iter().filter(|other| **other == identity).count();
        finding.fingerprint = digest::short(format!("{identity}\n{same}").as_bytes());
        seen.push(identity);
    }
    let mut outcome = CheckOutcome {
        pass: true,
        findings,
        conflicts,
        changes,
        levels: Code::ALL
            .iter()
            .map(|code| (*code, code.level(&settings.check)))
            .collect(),
        only_new: request.only_new,
        has_candidates: !request.nodes.is_empty(),
        against: None,
        places,
    };
    outcome.pass = !outcome.findings.iter().any(|it| outcome.fails(it));
    outcome
}

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
    pub(super) installed: &'a Installed,
    /// What is there without the nodes.
    pub(super) before: BTreeSet<(Name, Version)>,
}

impl<'a> Ground<'a> {
    fn of(
        preview: &'a Preview,
        settings: &'a Settings,
        installed: &'a Installed,
        lock: Option<&'a Lock>,
    ) -> Self {
        let locked = lock.into_iter().flat_map(|lock| &lock.packages);
        let locked = locked.filter_map(|it| Some((it.name.clone(), it.version.clone()?)));
        let there = installed.seen();
        let there = there.map(|found| (found.name.clone(), found.version.clone()));
        Self {
            set: &preview.set,
            settings,
            candidates: preview.nodes.iter().map(|it| it.name.as_str()).collect(),
            status: preview.status,
            conflicts: &preview.conflicts,
            changes: &preview.changes,
            warnings: &preview.warnings,
            answer: preview.lock.as_ref(),
            installed,
            before: locked.chain(there).collect(),
        }
    }

    /// Judges everything that concerns nodes and what they lead to.
    pub(super) fn judge_all(&self, findings: &mut Findings<'_>) -> Result<(), OpError> {
        self.judge_lines(findings);
        self.judge_conflicts(findings);
        self.judge_warnings(findings);
        self.judge_families(findings)
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
        let names: Vec<_> = lock.packages.iter().map(|package| &package.name).collect();
        for family in find_families(&names, &families(self.settings)?) {
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
        Ok(())
    }
}

/// Judges an installation as it is: waivers, lock and environment.
fn judge_installation(
    findings: &mut Findings<'_>,
    site: &Site,
    inputs: &Inputs,
    preview: &Preview,
    installed: &Installed,
) -> Result<(), OpError> {
    let Some(lock) = &inputs.lock else {
        findings.add(Finding::new(Code::Stale, "there is no lock"));
        return Ok(());
    };
    let known = |waiver: &Waiver| match &waiver.asker {
        Asker::Line(origin) => {
            let lines = preview.conflicts.iter().flat_map(|one| &one.requirements);
            let mut same = lines.filter(|line| line.requirement == waiver.requirement);
            same.any(|line| line.origin.place_of_line() == origin.place_of_line())
        }
        Asker::Package { .. } => false,
    };
    for waiver in lock.waivers.iter().filter(|waiver| !known(waiver)) {
        let origin = match &waiver.asker {
            Asker::Line(origin) => Some(origin.clone()),
            Asker::Package { .. } => None,
        };
        let finding = Finding::new(Code::Conflict, waiver.shown())
            .at(origin)
            .of(vec![waiver.name.clone()])
            .about(&waiver.requirement);
        findings.add(finding);
    }
    for reason in check_freshness(Some(lock), &inputs.set, &inputs.targets) {
        let finding = Finding::new(Code::Stale, reason.shown())
            .at(reason.origin().cloned())
            .about(reason.subject());
        findings.add(finding);
    }
    let goal = PackageGoal::of_lock(
        lock,
        &site.target,
        &site.installation.root,
        brought(site, Some(lock))?,
    );
    for step in goal.plan(installed).steps {
        let change = ChangeInfo::new(&step.change);
        let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
        let message = format!(
            "{}: {} is installed, {} is locked",
            change.name,
            shown(&change.from),
            shown(&change.to)
        );
        let finding = Finding::new(Code::Environment, message).of(vec![change.name]);
        findings.add(finding);
    }
    Ok(())
}
