//! `check`: the gate. Does everything resolve, is the lock fresh, does the
//! environment match, does policy hold? Changes nothing.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::basis::Basis;
use super::beside::Beside;
use super::changes::ChangeInfo;
use super::context::{Context, Site};
use super::error::OpError;
use super::ground::{Ground, bare};
use super::inputs::ResolveFlags;
use super::lock::{Inputs, inputs};
use super::members;
use super::preview::{Preview, PreviewRequest, goal_of};
use super::release::Release;
use super::subset::Subset;
use crate::environment::Installed;
use crate::gate::codes::Findings;
use crate::gate::{Advisory, Code, Finding, parse_advisories};
use crate::host::{digest, fs};
use crate::index::config::PYPI;
use crate::lock::{Lock, check_freshness};
use crate::nodes::{NodeSource, Staged, parse_node};
use crate::package::{Name, Version};
use crate::requirements::origin::show_path;
use crate::requirements::{Asker, Origin, OriginKind, Problem, Waiver, WaiverReason};
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
    /// ComfyUI: a path that exists, else `latest`, a tag, branch or commit of its repository.
    pub core: Option<String>,
    /// ComfyUI's repository, if it is not its own.
    pub core_url: Option<String>,
    /// A list of nodes, each to be judged beside the ones at hand.
    pub with: Option<Utf8PathBuf>,
    /// What indexes have today counts, not what they had when the lock or release was made.
    pub now: bool,
    /// Only what these nodes bring fails the check.
    pub only_new: bool,
    /// Files and directories of advisories, beside those of `portenv.toml`.
    pub advisories: Vec<Utf8PathBuf>,
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
    /// The lock, requirements file or checkout that stood for an installation.
    pub against: Option<String>,
    /// The release of ComfyUI that stood for an installation.
    pub core: Option<Release>,
    /// The instant that counted, where it follows from that lock or release.
    pub as_of: Option<jiff::Timestamp>,
    /// What is worth knowing besides.
    pub warnings: Vec<Warning>,
    /// The nodes of a list, in its order, if one was given.
    pub beside: Option<Vec<Beside>>,
    /// Where files lie for those who stand in the working directory.
    pub places: Places,
    /// The most nodes that can live together, if that was asked; the inner is nothing where
    /// not even the core has an answer.
    pub subset: Option<Option<Subset>>,
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
    let basis = Basis::of(context, request)?;
    if basis != Basis::Installation {
        return super::against::run(context, request, &basis);
    }
    let site = context.site()?;
    site.needs_core()?;
    let settings = &site.installation.settings;
    check_codes(settings)?;
    let advisories = advisories(context, request, settings, &site.installation.root)?;
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
            ..PreviewRequest::default()
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
    let ground = Ground {
        set: &preview.set,
        settings,
        candidates: preview.nodes.iter().map(|it| it.name.as_str()).collect(),
        status: preview.status,
        conflicts: &preview.conflicts,
        changes: &preview.changes,
        warnings: &preview.warnings,
        answer: preview.lock.as_ref(),
        targets: &inputs.targets,
        installed: &installed,
        before: before(inputs.lock.as_ref(), &installed),
        indexes: indexes(context, &request.flags, settings),
        advisories: &advisories,
    };
    let mut findings = Findings::under(&settings.check);
    ground.judge_all(&mut findings)?;
    if request.nodes.is_empty() {
        judge_installation(&mut findings, &site, &inputs, &preview, &installed)?;
    }
    // By code, and within one as they were found: equal states print equal reports.
    findings.list.sort_by_key(|finding| finding.code);
    let told = (preview.conflicts.clone(), preview.changes.clone());
    let mut found = outcome(request, findings, told, settings, places);
    found.warnings.clone_from(&preview.warnings);
    if request.nodes.is_empty() {
        found
            .warnings
            .extend(members::moved(&site, inputs.lock.as_ref())?);
    }
    Ok(found)
}

/// Demands that the policy names codes that there are.
pub(super) fn check_codes(settings: &Settings) -> Result<(), OpError> {
    let unknown = settings.check.levels.keys();
    let is_code = |word: &str| Code::ALL.iter().any(|code| code.as_str() == word);
    let unknown = unknown.filter(|key| !is_code(key.get_ref()));
    let problems: Vec<Problem> = unknown
        .map(|key| {
            let (line, column) = settings.place(key);
            let file = Origin::file(OriginKind::Policy, None, "portenv.toml");
            let message = format!("`{}` is no code of check", key.get_ref());
            Problem::error("invalid-policy", file.at(line, column), message)
                .with_fix("the README lists them")
        })
        .collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(OpError::Problems(problems))
}

/// Reads the advisories of the policy, relative to `root`, and those of flags.
pub(super) fn advisories(
    context: &Context,
    request: &CheckRequest,
    settings: &Settings,
    root: &Utf8Path,
) -> Result<Vec<Advisory>, OpError> {
    let of_policy = settings.check.advisories.iter().map(|path| root.join(path));
    let of_flags = request.advisories.iter();
    let of_flags = of_flags.map(|path| context.dir.join(path));
    let mut files = Vec::new();
    for path in of_policy.chain(of_flags) {
        if fs::is_dir(&path) {
            let names = fs::list_dir(&path)?.into_iter();
            let names = names.filter(|name| name.ends_with(".json"));
            files.extend(names.map(|name| path.join(name)));
        } else {
            files.push(path);
        }
    }
    let mut found = Vec::new();
    for file in files {
        let parsed = parse_advisories(&fs::read_text(&file)?);
        found.extend(parsed.map_err(|(line, column, message)| {
            let shown = show_path(&context.dir, &file);
            let origin = Origin::file(OriginKind::File, None, &shown).at(line, column);
            OpError::Problems(vec![Problem::error("invalid-file", origin, message)])
        })?);
    }
    Ok(found)
}

/// Lists the addresses that may be asked: those of flags, policy and surroundings.
pub(super) fn indexes(
    context: &Context,
    flags: &ResolveFlags,
    settings: &Settings,
) -> BTreeSet<String> {
    let policy = settings.index.iter().map(|table| &table.url);
    let all = policy
        .chain(&flags.index_url)
        .chain(&flags.extra_index_url)
        .chain(&flags.find_links)
        .chain(&context.index_urls);
    let mut all: BTreeSet<String> = all.map(|url| bare(url)).collect();
    all.insert(bare(PYPI));
    all
}

pub(super) fn before(lock: Option<&Lock>, installed: &Installed) -> BTreeSet<(Name, Version)> {
    let locked = lock.into_iter().flat_map(|lock| &lock.packages);
    let locked = locked.filter_map(|it| Some((it.name.clone(), it.version.clone()?)));
    let there = installed.seen();
    let there = there.map(|found| (found.name.clone(), found.version.clone()));
    locked.chain(there).collect()
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
    let mut findings = findings.list;
    fingerprint(&mut findings);
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
        core: None,
        as_of: None,
        warnings: Vec::new(),
        beside: None,
        places,
        subset: None,
    };
    outcome.pass = !outcome.findings.iter().any(|it| outcome.fails(it));
    outcome
}

/// Gives each finding its fingerprint.
pub(super) fn fingerprint(findings: &mut [Finding]) {
    let mut seen: Vec<String> = Vec::new();
    for finding in findings {
        let identity = finding.identity();
        // One file may say the same twice.
        let same = seen.iter().filter(|other| **other == identity).count();
        finding.fingerprint = digest::short(format!("{identity}\n{same}").as_bytes());
        seen.push(identity);
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
        let code = match waiver.reason {
            WaiverReason::Unsupplied => Code::Unsupplied,
            WaiverReason::Violated | WaiverReason::Conflict | WaiverReason::LeftOut => {
                Code::Conflict
            }
        };
        let finding = Finding::new(code, waiver.shown())
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
    let goal = goal_of(site, lock, Some(lock))?;
    for change in ChangeInfo::all(&goal.plan(installed)) {
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
