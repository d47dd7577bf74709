//! `check --against`: can nodes live with a lock? No installation is needed: the lock
//! stands for one. What it names is preferred, what asked for it asks again, and what it
//! was made for are the targets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::changes::ChangeInfo;
use super::check::{CheckOutcome, CheckRequest, Places, advisories, check_codes, indexes, outcome};
use super::context::Context;
use super::error::OpError;
use super::ground::Ground;
use super::inputs::{ResolveFlags, finish_inputs, name_lines};
use super::joint::{Joint, Tolerance, is_of};
use super::lock::protected;
use super::preview::PreviewStatus;
use crate::environment::{Distribution, Installed};
use crate::gate::codes::Findings;
use crate::host::fs;
use crate::index::RemoteIndex;
use crate::index::config::PYPI;
use crate::lock::compare::{Side, Sides};
use crate::lock::{Lock, LockedPackage, compare};
use crate::nodes::{NodeError, NodeSource, parse_node, stage};
use crate::package::{Marker, Metadata, Name, Requirement, Source, Specifiers, Target};
use crate::requirements::set::gather_with;
use crate::requirements::{Line, Origin, OriginKind, RequirementSet, Role};
use crate::resolve::{Conflict, Kept, Outcome, Preferences, RequiredBy};
use crate::workspace::discover::CoreReason;
use crate::workspace::node::{Node, read_node};
use crate::workspace::settings::{IndexTable, Settings};
use crate::workspace::{Installation, Layout};

/// Checks nodes against a lock.
///
/// # Errors
///
/// Fails on bad input, without a lock, or if the network could not be asked.
pub(super) fn run(
    context: &Context,
    request: &CheckRequest,
    lock: &Utf8Path,
) -> Result<CheckOutcome, OpError> {
    let path = context.dir.join(lock);
    let lock = Lock::find(&path)?
        .ok_or_else(|| OpError::NotFound(format!("there is no lock at `{lock}`")))?;
    let dir = fs::canonical(&context.dir)?;
    let settings = settings_of(&lock, context.root.as_deref().unwrap_or(&dir))?;
    let root = context.root.as_deref().unwrap_or(&dir);
    check_codes(&settings)?;
    let advisories = advisories(context, request, &settings, root)?;
    let flags = ResolveFlags {
        skip_invalid: true,
        ..request.flags.clone()
    };
    let targets = flags.targets(&settings, None)?;
    let index = flags.open_index(context, &settings, &[], None)?;
    let scratch = tempfile::tempdir().map_err(|source| crate::host::FsError {
        verb: "create directory in",
        path: "temporary directory".into(),
        source,
    })?;
    let scratch = Utf8PathBuf::from_path_buf(scratch.path().to_owned())
        .map(|path| (path, scratch))
        .map_err(|path| OpError::Usage(format!("`{}` is not UTF-8", path.display())))?;
    let here = stand_in(&dir, settings.clone());
    let nodes = candidates(context, request, &here, &scratch.0, &index)?;
    let mut set = gather_with(&here, &nodes, &context.variables);
    finish_inputs(context, &mut set, &flags)?;
    name_lines(&mut set, &targets, &index, true)?;

    let base = path.parent().unwrap_or(&dir).to_owned();
    let baseline = Baseline {
        lock: &lock,
        shown: crate::requirements::origin::show_path(&dir, &path),
        base: &base,
        installed: installed(&lock, targets.first()),
        settings: &settings,
    };
    let names: BTreeSet<&str> = nodes.iter().map(|(node, _)| node.name.as_str()).collect();
    let question = Question {
        context,
        flags: &flags,
        targets: &targets,
        index: &index,
        baseline: &baseline,
        set: &set,
        names: &names,
    };
    let answer = question.answer()?;
    let ground = Ground {
        set: &set,
        settings: &settings,
        candidates: names,
        status: answer.status,
        conflicts: &answer.conflicts,
        changes: &answer.changes,
        warnings: &answer.warnings,
        answer: answer.lock.as_ref(),
        targets: &targets,
        installed: &baseline.installed,
        before: baseline.before(),
        indexes: indexes(context, &flags, &settings),
        advisories: &advisories,
    };
    let mut findings = Findings::under(&settings.check);
    ground.judge_all(&mut findings)?;
    // What is not the nodes' doing is not asked here.
    findings.list.retain(|finding| finding.new);
    findings.list.sort_by_key(|finding| finding.code);
    let places = Places {
        root: dir.clone(),
        dir,
        lock: path.clone(),
        owners: Some(nodes.iter().map(|(node, _)| node.name.clone()).collect()),
        moved: Vec::new(),
    };
    let mut found = outcome(
        request,
        findings,
        (answer.conflicts, answer.changes),
        &settings,
        places,
    );
    found.against = Some(baseline.shown);
    Ok(found)
}

/// The settings that hold: what `portenv.toml` says of the gate and of indexes, and what
/// the lock says of the rest.
fn settings_of(lock: &Lock, root: &Utf8Path) -> Result<Settings, OpError> {
    let mut settings = Settings::read(root).map_err(crate::workspace::WorkspaceError::from)?;
    // These were applied when the lock was made, or were not.
    settings.overrides = BTreeMap::new();
    settings.constraints = BTreeMap::new();
    if !lock.targets.is_empty() {
        settings.resolve.targets = Some(lock.targets.clone());
    }
    let mut used: BTreeMap<&str, Vec<&Name>> = BTreeMap::new();
    for package in &lock.packages {
        if let Source::Index(url) = &package.source {
            used.entry(url.as_str()).or_default().push(&package.name);
        }
    }
    let is_pypi = |url: &str| url.trim_end_matches('/') == PYPI.trim_end_matches('/');
    let most = used.iter().max_by_key(|(_, names)| names.len());
    let main = (used.keys().find(|url| is_pypi(url)).copied())
        .or_else(|| most.map(|(url, _)| *url))
        .unwrap_or(PYPI)
        .to_owned();
    let known = |settings: &Settings, url: &str| {
        let mut tables = settings.index.iter();
        tables.any(|table| table.url.trim_end_matches('/') == url.trim_end_matches('/'))
    };
    // A package stays with the index that it was locked from.
    for (at, (url, names)) in used.iter().filter(|(url, _)| **url != main).enumerate() {
        if !known(&settings, url) {
            settings.index.push(IndexTable {
                name: format!("lock-{at}"),
                url: (*url).to_owned(),
                default: false,
                packages: names.iter().map(ToString::to_string).collect(),
            });
        }
    }
    if !settings.index.iter().any(|table| table.default) && !is_pypi(&main) {
        settings.index.push(IndexTable {
            name: "lock".to_owned(),
            url: main,
            default: true,
            packages: Vec::new(),
        });
    }
    Ok(settings)
}

/// An installation with nothing in it, for those who read nodes.
fn stand_in(dir: &Utf8Path, settings: Settings) -> Installation {
    Installation {
        root: dir.to_owned(),
        layout: Layout::Base,
        comfyui: None,
        core_reason: CoreReason::None,
        custom_nodes: vec![dir.join("custom_nodes")],
        settings,
        notes: Vec::new(),
    }
}

/// Reads directories where they lie, so that their files are named as the checkout has
/// them, and fetches all else.
fn candidates(
    context: &Context,
    request: &CheckRequest,
    here: &Installation,
    scratch: &Utf8Path,
    index: &RemoteIndex,
) -> Result<Vec<(Node, Utf8PathBuf)>, OpError> {
    let mut nodes: Vec<(Node, Utf8PathBuf)> = Vec::new();
    for text in &request.nodes {
        let (node, path) = match parse_node(text, &context.dir) {
            NodeSource::Directory(dir) => {
                let path = fs::canonical(&dir)?;
                let node = read_node(&here.root, &path, true, false);
                let no_node = || NodeError::NotANode(format!("`{text}` is not a node"));
                (node.ok_or_else(no_node)?, path)
            }
            source => {
                let nodes_dir = here.nodes_dir();
                let staged = stage(&source, scratch, &here.root, nodes_dir, index)?;
                (staged.node, staged.path)
            }
        };
        if nodes.iter().any(|(other, _)| other.name == node.name) {
            let message = format!("two of the nodes would both be `{}`", node.name);
            return Err(NodeError::NotANode(message).into());
        }
        nodes.push((node, path));
    }
    Ok(nodes)
}

/// What the lock would have installed on a target.
fn installed(lock: &Lock, target: Option<&Target>) -> Installed {
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
struct Baseline<'a> {
    lock: &'a Lock,
    /// Its path for people.
    shown: String,
    /// What paths in it are meant from.
    base: &'a Utf8Path,
    installed: Installed,
    settings: &'a Settings,
}

impl Baseline<'_> {
    fn before(&self) -> BTreeSet<(Name, crate::package::Version)> {
        let packages = self.lock.packages.iter();
        let packages = packages.filter_map(|it| Some((it.name.clone(), it.version.clone()?)));
        packages.chain(self.lock.kept.iter().cloned()).collect()
    }

    /// The lines that the lock was made of, without those of nodes that come anew.
    fn lines(&self, anew: &BTreeSet<&str>) -> Vec<Line> {
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
            base: self.base.to_owned(),
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
    fn preferences(&self) -> Preferences {
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

    /// The lines that keep what is protected as the lock has it.
    fn protections(&self) -> Vec<Line> {
        let names = protected(self.settings, &self.installed, &[]);
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

/// Nodes, a lock, and all that decides whether they go together.
struct Question<'a> {
    context: &'a Context,
    flags: &'a ResolveFlags,
    targets: &'a [Target],
    index: &'a RemoteIndex,
    baseline: &'a Baseline<'a>,
    set: &'a RequirementSet,
    names: &'a BTreeSet<&'a str>,
}

/// What the question came to.
struct Answer {
    status: PreviewStatus,
    conflicts: Vec<Conflict>,
    changes: Vec<ChangeInfo>,
    warnings: Vec<crate::resolve::Warning>,
    lock: Option<Lock>,
}

impl Question<'_> {
    fn answer(&self) -> Result<Answer, OpError> {
        let baseline = self.baseline;
        let mut lines = baseline.lines(self.names);
        lines.extend(self.set.lines.iter().cloned());
        let free = lines.clone();
        lines.extend(baseline.protections());
        let version = |name: &Name| Some(baseline.installed.seen_as(name)?.version.clone());
        let own = (self.targets.first())
            .ok_or_else(|| OpError::Usage("the lock names no target".to_owned()))?;
        let joint = Joint {
            context: self.context,
            settings: baseline.settings,
            own,
            flags: self.flags,
            targets: self.targets,
            index: self.index,
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
            conflicts: Vec::new(),
            changes: Vec::new(),
            warnings: Vec::new(),
            lock: None,
        };
        if let Outcome::Conflicts(open) = found.outcome {
            let (mut new, rest): (Vec<_>, Vec<_>) =
                (open.into_iter()).partition(|conflict| is_of(conflict, self.names));
            if new.is_empty() {
                // The lock contradicts itself: no node can be said to go with it.
                new = rest;
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
            let protected = protected(baseline.settings, &baseline.installed, &[]);
            let sides = |lock: &Lock| -> Sides {
                let installed = installed(lock, self.targets.first());
                let sides = installed.iter();
                let sides = sides.map(|it| (it.name.clone(), Side::of(it.version.clone())));
                sides.collect()
            };
            let changes = compare(&sides(baseline.lock), &sides(&lock));
            answer.changes = changes
                .iter()
                .map(|change| ChangeInfo {
                    protected: protected.contains(&change.name),
                    ..ChangeInfo::new(change)
                })
                .collect();
            answer.warnings.clone_from(&resolution.warnings);
            answer.lock = Some(lock);
        }
        Ok(answer)
    }
}
