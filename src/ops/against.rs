//! `check` without an installation: can nodes live with a lock, or with ComfyUI's own
//! requirements? What is locked is preferred, what asked for it asks again, and what it
//! was made for are the targets. Of ComfyUI's files a lock is made first, in memory.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::baseline::{Baseline, installed};
use super::basis::{Basis, Opened, settings_of, settle_targets, stand_in};
use super::beside::find_beside;
use super::changes::ChangeInfo;
use super::check::{CheckOutcome, CheckRequest, Places, advisories, check_codes, indexes, outcome};
use super::context::Context;
use super::error::OpError;
use super::ground::Ground;
use super::inputs::{ResolveFlags, finish_inputs, name_lines};
use super::joint::{Joint, Tolerance, is_of};
use super::lock::resolve_lines;
use super::preview::PreviewStatus;
use crate::gate::codes::Findings;
use crate::gate::{Advisory, Finding};
use crate::host::fs;
use crate::index::{IndexError, RemoteIndex};
use crate::lock::compare::{Side, Sides};
use crate::lock::{Lock, compare};
use crate::nodes::{NodeError, NodeSource, parse_node, stage};
use crate::package::{Name, Target, redact};
use crate::requirements::set::gather_with;
use crate::requirements::{Line, OriginKind, RequirementSet};
use crate::resolve::{Conflict, Outcome, Preferences, Warning};
use crate::workspace::node::{Node, read_node};
use crate::workspace::{Installation, Settings, WorkspaceError};

/// Checks nodes against a lock or ComfyUI's requirements.
///
/// # Errors
///
/// Fails on bad input, without a lock, or if the network could not be asked.
pub(super) fn run(
    context: &Context,
    request: &CheckRequest,
    basis: &Basis,
) -> Result<CheckOutcome, OpError> {
    let dir = fs::canonical(&context.dir)?;
    let root = context.root.as_deref().unwrap_or(&dir);
    let scratch = tempfile::tempdir().map_err(|source| crate::host::FsError {
        verb: "create directory in",
        path: "temporary directory".into(),
        source,
    })?;
    let scratch = Utf8PathBuf::from_path_buf(scratch.path().to_owned())
        .map(|path| (path, scratch))
        .map_err(|path| OpError::Usage(format!("`{}` is not UTF-8", path.display())))?;
    let mut settings = Settings::read(root).map_err(WorkspaceError::from)?;
    check_codes(&settings)?;
    let advisories = advisories(context, request, &settings, root)?;
    let mut opened = basis.open(context, request, &dir, &scratch.0)?;
    match &opened.lock {
        Some(lock) => settings = settings_of(settings, lock),
        None => settle_targets(&mut settings),
    }
    let is_asked =
        request.flags.exclude_newer.is_some() || settings.resolve.exclude_newer.is_some();
    let as_of = opened.as_of.filter(|_| !request.now && !is_asked);
    let flags = ResolveFlags {
        skip_invalid: true,
        as_of,
        ..request.flags.clone()
    };
    let targets = flags.targets(&settings, None)?;
    let index = flags.open_index(context, &settings, &[], None)?;
    let here = stand_in(&dir, settings.clone());
    let desk = Desk {
        context,
        flags: &flags,
        targets: &targets,
        index: &index,
        here: &here,
        scratch: &scratch.0,
    };
    let nodes = desk.read_all(&request.nodes)?;
    let set = desk.gather(&nodes)?;
    let names: BTreeSet<&str> = nodes.iter().map(|(node, _)| node.name.as_str()).collect();
    name_lines(&mut opened.core, &targets, &index, true)?;
    let (baseline, stuck) = desk.baseline(&opened, &settings, &set, &dir)?;
    let question = Question {
        desk: &desk,
        baseline: &baseline,
        set: &set,
        names: &names,
        beside: None,
    };
    let mut answer = match stuck {
        Some(conflicts) => Answer::no(conflicts),
        None => question.answer()?,
    };
    let beside = match &request.with {
        Some(list) if answer.status == PreviewStatus::Ok => {
            Some(find_beside(&question, &nodes, list)?)
        }
        Some(list) => Some(super::beside::not_asked(context, list)?),
        None => None,
    };
    let mut findings = Findings::under(&settings.check);
    question.judge(&answer, &advisories, request, &mut findings)?;
    // What is not the nodes' doing is not asked here.
    findings.list.retain(|finding| finding.new);
    let mut rows = beside.unwrap_or_default();
    for row in &mut rows {
        for conflict in row.conflicts.clone() {
            let mut finding = Finding {
                conflict: Some(answer.conflicts.len()),
                ..row.finding(&conflict)
            };
            finding.origin = (conflict.requirements.iter())
                .find(|line| is_line_of(&line.origin, &names))
                .map(|line| line.origin.clone());
            findings.add(finding);
            answer.conflicts.push(conflict);
        }
    }
    findings.list.sort_by_key(|finding| finding.code);
    let places = Places {
        root: dir.clone(),
        dir,
        lock: opened.path.clone(),
        owners: Some(nodes.iter().map(|(node, _)| node.name.clone()).collect()),
        moved: Vec::new(),
    };
    let told = (answer.conflicts, answer.changes);
    let mut found = outcome(request, findings, told, &settings, places);
    found.against = opened.release.is_none().then_some(opened.shown);
    found.core = opened.release;
    found.as_of = as_of.and_then(|second| jiff::Timestamp::from_second(second).ok());
    // Of ComfyUI's own lines that cannot be read the nodes are not guilty, but all may know.
    let unread = opened.core.errors().map(|problem| Warning {
        origin: Some(problem.origin.clone()),
        ..Warning::new(problem.code, &problem.message)
    });
    found.warnings = unread.chain(answer.warnings).collect();
    found.beside = request.with.is_some().then_some(rows);
    Ok(found)
}

fn is_line_of(origin: &crate::requirements::Origin, nodes: &BTreeSet<&str>) -> bool {
    let name = origin.name.as_deref();
    origin.kind == OriginKind::Node && name.is_some_and(|name| nodes.contains(name))
}

/// What all questions of one check share.
pub(super) struct Desk<'a> {
    pub(super) context: &'a Context,
    flags: &'a ResolveFlags,
    targets: &'a [Target],
    index: &'a RemoteIndex,
    here: &'a Installation,
    scratch: &'a Utf8Path,
}

impl Desk<'_> {
    /// Reads nodes in their order; each has a name of its own.
    fn read_all(&self, texts: &[String]) -> Result<Vec<(Node, Utf8PathBuf)>, OpError> {
        let mut nodes: Vec<(Node, Utf8PathBuf)> = Vec::new();
        for text in texts {
            let (node, path) = self.read(&parse_node(text, &self.context.dir), text)?;
            if nodes.iter().any(|(other, _)| other.name == node.name) {
                let message = format!("two of the nodes would both be `{}`", node.name);
                return Err(NodeError::NotANode(message).into());
            }
            nodes.push((node, path));
        }
        Ok(nodes)
    }

    /// Reads a directory where it lies, so that its files are named as the checkout has
    /// them, and fetches all else.
    pub(super) fn read(
        &self,
        source: &NodeSource,
        text: &str,
    ) -> Result<(Node, Utf8PathBuf), OpError> {
        let context = self.context;
        if let NodeSource::Directory(dir) = source {
            let path = fs::canonical(dir)?;
            let node = read_node(&self.here.root, &path, true, false);
            let no_node = || NodeError::NotANode(format!("`{text}` is not a node"));
            return Ok((node.ok_or_else(no_node)?, path));
        }
        if context.offline && source.is_remote_repository() {
            let what = redact(text);
            return Err(IndexError::Offline { what }.into());
        }
        let what = format!("reading {}", redact(text));
        context.progress.begin(&what, None);
        let nodes_dir = self.here.nodes_dir();
        let staged = stage(source, self.scratch, &self.here.root, nodes_dir, self.index);
        context.progress.end();
        let staged = staged?;
        Ok((staged.node, staged.path))
    }

    /// Gathers what nodes ask for, and what policy and flags add.
    pub(super) fn gather(&self, nodes: &[(Node, Utf8PathBuf)]) -> Result<RequirementSet, OpError> {
        let mut set = gather_with(self.here, nodes, &self.context.variables);
        finish_inputs(self.context, &mut set, self.flags)?;
        name_lines(&mut set, self.targets, self.index, true)?;
        Ok(set)
    }

    /// Makes what stands for an installation; with conflicts if ComfyUI's own files have
    /// no answer.
    fn baseline(
        &self,
        opened: &Opened,
        settings: &Settings,
        set: &RequirementSet,
        dir: &Utf8Path,
    ) -> Result<(Baseline, Option<Vec<Conflict>>), OpError> {
        let mut stuck = None;
        let (lock, core) = match &opened.lock {
            Some(lock) => (lock.clone(), None),
            None => {
                let lines = &opened.core.lines;
                let policy = set.lines.iter();
                let policy = policy.filter(|line| line.origin.kind != OriginKind::Node);
                let all: Vec<Line> = lines.iter().chain(policy).cloned().collect();
                let found = resolve_lines(
                    self.context,
                    &all,
                    self.targets,
                    self.flags,
                    settings,
                    &Preferences::default(),
                    self.index,
                )?;
                let lock = match found {
                    Outcome::Resolved(resolution) => {
                        Lock::from_resolution(&resolution, &opened.core, Vec::new(), None)
                    }
                    Outcome::Conflicts(conflicts) => {
                        stuck = Some(conflicts);
                        Lock::default()
                    }
                };
                (lock, Some(lines.clone()))
            }
        };
        let baseline = Baseline {
            core,
            shown: opened.shown.clone(),
            base: opened.path.parent().unwrap_or(dir).to_owned(),
            installed: installed(&lock, self.targets.first()),
            settings: settings.clone(),
            lock,
        };
        Ok((baseline, stuck))
    }
}

/// Nodes, what stands for an installation, and all that decides whether they go together.
pub(super) struct Question<'a> {
    pub(super) desk: &'a Desk<'a>,
    pub(super) baseline: &'a Baseline,
    pub(super) set: &'a RequirementSet,
    /// The nodes that are asked about.
    pub(super) names: &'a BTreeSet<&'a str>,
    /// A node of the set that is as if it were there already.
    pub(super) beside: Option<&'a str>,
}

/// What the question came to.
pub(super) struct Answer {
    pub(super) status: PreviewStatus,
    /// The conflicts that the nodes take part in.
    pub(super) conflicts: Vec<Conflict>,
    /// Those that are there without them.
    pub(super) old: Vec<Conflict>,
    changes: Vec<ChangeInfo>,
    warnings: Vec<Warning>,
    lock: Option<Lock>,
}

impl Answer {
    fn no(conflicts: Vec<Conflict>) -> Self {
        Self {
            status: PreviewStatus::Conflict,
            conflicts,
            old: Vec::new(),
            changes: Vec::new(),
            warnings: Vec::new(),
            lock: None,
        }
    }
}

impl Question<'_> {
    pub(super) fn answer(&self) -> Result<Answer, OpError> {
        let (desk, baseline) = (self.desk, self.baseline);
        let anew = self.names.iter().copied().chain(self.beside).collect();
        let mut lines = baseline.lines(&anew);
        lines.extend(self.set.lines.iter().cloned());
        let free = lines.clone();
        lines.extend(baseline.protections());
        let version = |name: &Name| Some(baseline.installed.seen_as(name)?.version.clone());
        let own = (desk.targets.first())
            .ok_or_else(|| OpError::Usage("the lock names no target".to_owned()))?;
        let joint = Joint {
            context: desk.context,
            settings: &baseline.settings,
            own,
            flags: desk.flags,
            targets: desk.targets,
            index: desk.index,
            preferences: baseline.preferences(),
            tolerance: Tolerance::Old,
            new: self.names.clone(),
            waivers: baseline.lock.standing_waivers(&lines, version),
            reserve: Vec::new(),
            due: Vec::new(),
            installed: &baseline.installed,
            lived_in: false,
            nodes: None,
            offered: &self.set.options,
        };
        let mut found = joint.solve(&lines)?;
        let mut answer = Answer {
            status: PreviewStatus::Ok,
            old: found.old,
            warnings: found.warnings,
            ..Answer::no(Vec::new())
        };
        if let Outcome::Conflicts(open) = found.outcome {
            let (mut new, rest): (Vec<_>, Vec<_>) =
                (open.into_iter()).partition(|conflict| is_of(conflict, self.names));
            if new.is_empty() && self.beside.is_none() {
                // The lock contradicts itself: no node can be said to go with it.
                new = rest;
            } else {
                answer.old.extend(rest);
            }
            joint.find_ways_out(&lines, &found.waivers, &mut new)?;
            answer.conflicts = new;
            let mut preferences = joint.preferences.clone();
            preferences.set_waivers(found.waivers.clone());
            found.outcome = joint.resolve(&free, &preferences)?;
            answer.status = match &found.outcome {
                Outcome::Resolved(_) => PreviewStatus::Blocked,
                Outcome::Conflicts(_) => PreviewStatus::Conflict,
            };
        }
        if let Outcome::Resolved(resolution) = found.outcome {
            let lock = Lock::from_resolution(&resolution, self.set, Vec::new(), None);
            let protected = baseline.protected();
            let sides = |lock: &Lock| -> Sides {
                let installed = installed(lock, desk.targets.first());
                let sides = installed.iter();
                let sides = sides.map(|it| (it.name.clone(), Side::of(it.version.clone())));
                sides.collect()
            };
            let changes = compare(&sides(&baseline.lock), &sides(&lock));
            answer.changes = changes
                .iter()
                .map(|change| ChangeInfo {
                    protected: protected.contains(&change.name),
                    ..ChangeInfo::new(change)
                })
                .collect();
            answer.warnings.extend(resolution.warnings.iter().cloned());
            answer.lock = Some(lock);
        }
        Ok(answer)
    }

    /// Judges what the nodes bring.
    fn judge(
        &self,
        answer: &Answer,
        advisories: &[Advisory],
        request: &CheckRequest,
        findings: &mut Findings<'_>,
    ) -> Result<(), OpError> {
        let (desk, baseline) = (self.desk, self.baseline);
        let ground = Ground {
            set: self.set,
            settings: &baseline.settings,
            candidates: self.names.clone(),
            status: answer.status,
            conflicts: &answer.conflicts,
            changes: &answer.changes,
            warnings: &answer.warnings,
            answer: answer.lock.as_ref(),
            targets: desk.targets,
            installed: &baseline.installed,
            before: baseline.before(),
            indexes: indexes(desk.context, &request.flags, &baseline.settings),
            advisories,
        };
        ground.judge_all(findings)
    }
}
