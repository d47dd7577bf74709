//! `preview`: what adding nodes would change, before anything happens.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use serde::Serialize;

use super::backend;
use super::cause::Causes;
use super::changes::ChangeInfo;
use super::compiler::compiler_warnings;
use super::context::{Context, Site};
use super::error::OpError;
use super::facts::{self, BreakInfo, SharedInfo, Weight};
use super::inputs::{ResolveFlags, finish_inputs, name_lines};
use super::joint::{CORE, Joint, Tolerance, is_lived_in, is_of, known_waivers};
use super::lock::{fixed_lines, make_lock, open_index, preferences, protected, protection_lines};
use super::other_versions::{Nodes, Placed};
use super::outcome::plan_basis;
use super::packages::PackageGoal;
use super::rebuild;
use crate::environment::Installed;
use crate::gate::Finding;
use crate::host::{digest, fs};
use crate::index::{IndexError, RemoteIndex};
use crate::lock::{ChangeKind, Lock};
use crate::nodes::{Staged, parse_node, stage};
use crate::package::{Name, Target};
use crate::plan::Removal;
use crate::requirements::set::{gather_beside, gather_with};
use crate::requirements::{Line, RequirementSet, Waiver};
use crate::resolve::{Conflict, Outcome, Resolution, Warning};
use crate::snapshot::Db;
use crate::workspace::Settings;
use crate::workspace::node::Node;
use crate::workspace::settings::BuildMode;

/// What to preview.
#[derive(Debug, Clone, Default)]
pub struct PreviewRequest {
    /// The nodes, as typed.
    pub nodes: Vec<String>,
    /// Protected packages that may change.
    pub allow_change: Vec<String>,
    /// What decides the answer.
    pub flags: ResolveFlags,
    /// Whether builds may run to learn metadata.
    pub build: BuildMode,
    /// Waive nothing: what is violated already counts too.
    pub strict: bool,
    /// Files and directories of advisories, beside those of `portenv.toml`.
    pub advisories: Vec<Utf8PathBuf>,
    /// How long the `install.py` of a node may run where it is to be run at all.
    pub scripts: Option<std::time::Duration>,
    /// Where the ComfyUI lies that takes the place of the one here, if one does.
    pub core: Option<Utf8PathBuf>,
}

/// What a preview came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PreviewStatus {
    /// It can be done.
    Ok,
    /// Only by changing something protected.
    Blocked,
    /// There is no answer with these nodes.
    Conflict,
}

/// A preview.
pub struct Preview {
    /// What it came to.
    pub status: PreviewStatus,
    /// The digest of the state before and after.
    pub plan: String,
    /// The nodes as they were named.
    pub asked: Vec<String>,
    /// The nodes that would come or change.
    pub nodes: Vec<Node>,
    /// What would change.
    pub changes: Vec<ChangeInfo>,
    /// Conflicts, old ones too.
    pub conflicts: Vec<Conflict>,
    /// What core, nodes and the nodes at hand ask for, and the problems of reading it.
    pub set: RequirementSet,
    /// The resolver's warnings.
    pub warnings: Vec<crate::resolve::Warning>,
    /// What is not met and does not stand in the way.
    pub waivers: Vec<Waiver>,
    /// Those of them that the lock so far does not have.
    pub new_waivers: Vec<Waiver>,
    /// What `check` finds of the nodes at hand, and of what was there before.
    pub findings: Vec<Finding>,
    /// What breaks of what stays.
    pub breaks: Vec<BreakInfo>,
    /// What of what goes others have too.
    pub shared: Vec<SharedInfo>,
    /// How much comes.
    pub weight: Weight,
    /// The lock that would be written, if there is an answer.
    pub lock: Option<Lock>,
    /// The staged nodes.
    pub staged: Vec<Staged>,
    /// Their `install.py` will be run.
    pub runs: bool,
}

/// Previews nodes; writes nothing under the root.
///
/// # Errors
///
/// Fails on bad input or if the network could not be asked.
pub fn run(context: &Context, request: &PreviewRequest) -> Result<Preview, OpError> {
    let site = context.site()?;
    let scratch = tempfile::tempdir().map_err(|source| crate::host::FsError {
        verb: "create directory in",
        path: "temporary directory".into(),
        source,
    })?;
    let dir = Utf8PathBuf::from_path_buf(scratch.path().to_owned())
        .map_err(|path| OpError::Usage(format!("`{}` is not UTF-8", path.display())))?;
    preview_in(context, &site, request, &dir)
}

/// Previews nodes, staging them under `scratch`.
///
/// # Errors
///
/// Fails on bad input or if the network could not be asked.
pub fn preview_in(
    context: &Context,
    site: &Site,
    request: &PreviewRequest,
    scratch: &camino::Utf8Path,
) -> Result<Preview, OpError> {
    preview_of(context, site, request, &[], |index| {
        let mut staged = Vec::new();
        for text in &request.nodes {
            context
                .progress
                .begin(&format!("reading {}", crate::package::redact(text)), None);
            let source = parse_node(text, &context.dir);
            if context.offline && source.is_remote_repository() {
                context.progress.end();
                let what = crate::package::redact(text);
                return Err(OpError::Index(IndexError::Offline { what }));
            }
            let found = stage(
                &source,
                scratch,
                &site.installation.root,
                site.installation.nodes_dir(),
                index,
            );
            context.progress.end();
            staged.push(found?);
        }
        Ok(staged)
    })
}

/// Previews that nodes go, by directory, and that staged ones come.
///
/// # Errors
///
/// Fails on bad input or if the network could not be asked.
pub fn preview_of(
    context: &Context,
    site: &Site,
    request: &PreviewRequest,
    going: &[String],
    staging: impl FnOnce(&RemoteIndex) -> Result<Vec<Staged>, OpError>,
) -> Result<Preview, OpError> {
    site.needs_core()?;
    let targets = request
        .flags
        .targets(&site.installation.settings, Some(&site.target))?;
    let index = open_index(context, site, &request.flags, &targets, request.build)?;
    let staged = staging(&index)?;
    let mut world = World::read(context, site, request, going, &staged)?;
    name_lines(&mut world.set, &targets, &index, request.flags.skip_invalid)?;
    name_lines(&mut world.base, &targets, &index, true)?;
    world.targets = targets;
    world.preview(staged, &index)
}

/// All that previews of one installation need.
struct World<'a> {
    context: &'a Context,
    site: &'a Site,
    request: &'a PreviewRequest,
    set: RequirementSet,
    base: RequirementSet,
    installed: Installed,
    lock: Option<Lock>,
    targets: Vec<Target>,
    /// The enabled nodes as they would be.
    nodes: Vec<Placed>,
}

impl<'a> World<'a> {
    fn read(
        context: &'a Context,
        site: &'a Site,
        request: &'a PreviewRequest,
        going: &[String],
        staged: &[Staged],
    ) -> Result<Self, OpError> {
        let installation = &site.installation;
        let here = installation.enabled_nodes()?;
        let mut with: Vec<Placed> = here
            .iter()
            .filter(|(node, _)| !staged.iter().any(|new| new.node.dir == node.dir))
            .filter(|(node, _)| !going.contains(&node.dir))
            .cloned()
            .collect();
        with.extend(
            staged
                .iter()
                .map(|new| (new.node.clone(), new.path.clone())),
        );
        let mut base = gather_with(installation, &here, &context.variables);
        let core = request.core.as_ref().or(installation.comfyui.as_ref());
        let core = core.map(Utf8PathBuf::as_path);
        let mut set = gather_beside(installation, core, &with, &context.variables);
        // What is wrong without the nodes is not theirs to answer for here.
        finish_inputs(context, &mut set, &request.flags)?;
        let _ = finish_inputs(
            context,
            &mut base,
            &ResolveFlags {
                skip_invalid: true,
                ..request.flags.clone()
            },
        );
        let installed = site.installed()?;
        let lock = Lock::find(&installation.lock_path())?;
        Ok(Self {
            context,
            site,
            request,
            set,
            base,
            installed,
            lock,
            targets: Vec::new(),
            nodes: with,
        })
    }

    /// What all answers of this preview share.
    fn joint<'j>(&'j self, new: BTreeSet<&'j str>, index: &'j RemoteIndex) -> Joint<'j> {
        let lock = self.lock.as_ref();
        let (installed, targets) = (&self.installed, self.targets.as_slice());
        let mut waivers = known_waivers(self.site, &self.base, installed, lock, targets);
        // A node at hand counts, though it was left out as it was before.
        waivers.retain(|waiver| !waiver.leaves_out(&new));
        Joint {
            context: self.context,
            settings: &self.site.installation.settings,
            own: &self.site.target,
            flags: &self.request.flags,
            targets,
            index,
            preferences: preferences(lock, installed),
            tolerance: Tolerance::Old,
            new,
            waivers,
            reserve: Vec::new(),
            due: Vec::new(),
            installed,
            lived_in: is_lived_in(&self.base.lines, installed, lock),
            nodes: Some(Nodes {
                installation: &self.site.installation,
                placed: &self.nodes,
                variables: &self.context.variables,
            }),
            offered: &self.set.options,
        }
        .strictly(self.request.strict, Tolerance::Strict)
    }

    fn preview(&self, staged: Vec<Staged>, index: &RemoteIndex) -> Result<Preview, OpError> {
        let owned: Vec<String> = staged.iter().map(|new| new.node.name.clone()).collect();
        let mut names: BTreeSet<&str> = owned.iter().map(String::as_str).collect();
        names.extend(self.request.core.iter().map(|_| CORE));
        let protected = protected(
            &self.site.installation.settings,
            &self.installed,
            &self.request.allow_change,
        );
        let protections = protection_lines(&protected, &self.installed, &self.targets);
        let fixed = fixed_lines(&self.installed, &self.targets, &self.request.allow_change);
        let with_protection = |lines: &[Line]| {
            lines
                .iter()
                .chain(&protections)
                .chain(&fixed)
                .cloned()
                .collect::<Vec<_>>()
        };
        let mut joint = self.joint(names.clone(), index);
        let mut status = PreviewStatus::Ok;
        let lines = with_protection(&self.set.lines);
        let mut found = joint.solve(&lines)?;
        let mut conflicts = std::mem::take(&mut found.old);
        if self.request.strict {
            // Each is looked at alone, so nothing is waived here.
            joint.find_ways_out(&lines, &[], &mut conflicts)?;
        }
        if let Outcome::Conflicts(open) = &found.outcome {
            let (new, mut rest): (Vec<_>, Vec<_>) =
                (open.iter().cloned()).partition(|conflict| is_of(conflict, &names));
            // Only ComfyUI's own lines and the policy's are left: they stand without the nodes.
            for conflict in &mut rest {
                conflict.new = false;
            }
            let mut new = if new.is_empty() { rest } else { new };
            joint.find_ways_out(&lines, &found.waivers, &mut new)?;
            conflicts.extend(new);
            // Without protection there may be an answer: then it is a block.
            let mut preferences = joint.preferences.clone();
            preferences.set_waivers(found.waivers.clone());
            // What is fixed stays fixed: nobody can allow its change here.
            let mut lines = self.set.lines.clone();
            lines.extend(fixed.iter().cloned());
            found.outcome = joint.resolve(&lines, &preferences)?;
            status = match &found.outcome {
                Outcome::Resolved(_) => PreviewStatus::Blocked,
                Outcome::Conflicts(_) => PreviewStatus::Conflict,
            };
        }
        let nodes: Vec<Node> = staged.iter().map(|new| new.node.clone()).collect();
        let mut preview = Preview {
            status,
            plan: String::new(),
            asked: self.request.nodes.clone(),
            nodes,
            changes: Vec::new(),
            conflicts,
            set: self.set.clone(),
            warnings: ignored(&self.site.installation.settings, &names)
                .chain(found.warnings)
                .collect(),
            waivers: found.waivers.clone(),
            new_waivers: Vec::new(),
            findings: Vec::new(),
            breaks: Vec::new(),
            shared: Vec::new(),
            weight: Weight::default(),
            lock: None,
            staged,
            runs: self.request.scripts.is_some(),
        };
        if let Outcome::Resolved(mut resolution) = found.outcome {
            // What stands in the way of the whole does so of a part.
            for waiver in &found.waivers {
                if !joint.waivers.contains(waiver) {
                    joint.waivers.push(waiver.clone());
                }
            }
            // Without a node at hand everything is due anyway.
            let pending = if self.base.lines == self.set.lines {
                picked(&resolution)
            } else {
                pending(&joint, &with_protection(&self.base.lines))?
            };
            let all_protected =
                super::lock::protected(&self.site.installation.settings, &self.installed, &[]);
            let causes = Causes::of(&resolution, &self.installed, &names);
            self.fill(
                &mut preview,
                &causes,
                &resolution,
                &all_protected,
                &pending,
                index,
            )?;
            preview.warnings.extend(resolution.warnings.iter().cloned());
            self.judge_torch(&mut preview);
            let staged = &preview.staged;
            let mut lock = make_lock(self.site, &mut resolution, &self.set, staged, index)?;
            if !self.request.strict {
                lock.set_waivers(&preview.waivers, &resolution);
            }
            preview.waivers.clone_from(&lock.waivers);
            let told = compiler_warnings(self.context, self.site, &preview.changes, &lock, index);
            preview.warnings.extend(told);
            preview.new_waivers = facts::new_waivers(&preview.waivers, self.lock.as_ref());
            let (installed, target) = (&self.installed, &self.site.target);
            preview.breaks = facts::breaks(&preview.changes, installed, &lock, target);
            preview.shared = facts::shared(&preview.changes, installed);
            preview.lock = Some(lock);
        }
        // The gate judges by itself, and without nodes there is nothing to judge.
        if !self.request.strict && !preview.nodes.is_empty() {
            let ground = (&self.installed, self.lock.as_ref(), self.targets.as_slice());
            preview.findings =
                facts::judge(self.context, self.site, self.request, &preview, ground)?;
        }
        preview.plan = self.plan_digest(&preview)?;
        Ok(preview)
    }

    /// Tells what is known of torch's build, and blocks what a move of it would break.
    fn judge_torch(&self, preview: &mut Preview) {
        let blocking = rebuild::blocking(&preview.changes, &self.request.allow_change);
        if preview.status == PreviewStatus::Ok && !blocking.is_empty() {
            preview.status = PreviewStatus::Blocked;
        }
        let found = backend::of_site(self.site, &self.installed);
        let told = (found.into_iter().flat_map(|found| found.warnings))
            .chain(backend::change_warnings(&preview.changes))
            .chain(rebuild::warnings(&preview.changes));
        let told = told.map(|(code, message)| Warning::new(code, message));
        preview.warnings.extend(told);
    }

    fn fill(
        &self,
        preview: &mut Preview,
        causes: &Causes<'_>,
        resolution: &Resolution,
        protected: &[Name],
        pending: &BTreeSet<(Name, String)>,
        index: &RemoteIndex,
    ) -> Result<(), OpError> {
        let lock = Lock::from_resolution(resolution, &self.set, Vec::new(), None);
        let goal = goal_of(self.site, &lock, self.lock.as_ref())?;
        for step in goal.plan(&self.installed).steps {
            let mut change = ChangeInfo::new(&step.change);
            let mut here = lock.active(&self.site.target);
            let package = here.find(|package| package.name == change.name);
            let file = package.and_then(|package| package.file_for(&self.site.target));
            change.protected = protected.contains(&change.name) && change.kind != ChangeKind::Add;
            change.pending = change
                .to
                .as_ref()
                .is_some_and(|to| pending.contains(&(change.name.clone(), to.clone())));
            change.sdist = file.is_some_and(|file| file.kind == crate::package::FileKind::Sdist);
            change.bytes = file.and_then(|file| file.size);
            change.index = package.map(|package| package.source.shown());
            change.new_index = package
                .is_some_and(|package| facts::is_new_index(&package.source, self.lock.as_ref()));
            if change.kind != ChangeKind::Remove {
                let wheel = file.filter(|file| file.kind == crate::package::FileKind::Wheel);
                change.installed_bytes = wheel.and_then(|file| index.unpacked(file));
                (change.line, change.because) = causes.find(&change.name);
            }
            if change.kind != ChangeKind::Add {
                change.freed_bytes = facts::taken(&self.installed, &change.name);
            }
            preview.changes.push(change);
        }
        preview.weight = Weight::of(&preview.changes);
        rebuild::mark_for_lock(
            &mut preview.changes,
            &self.installed,
            &lock,
            &self.site.target,
        );
        Ok(())
    }

    /// The digest of the state before and after: the same words, the same plan.
    fn plan_digest(&self, preview: &Preview) -> Result<String, OpError> {
        let mut text = plan_basis(self.site, &self.installed)?;
        for node in &preview.nodes {
            text.push_str(&format!(
                "{} {} {}\n",
                node.dir,
                node.commit.as_deref().unwrap_or(""),
                node.version.as_deref().unwrap_or("")
            ));
        }
        for staged in preview
            .staged
            .iter()
            .filter(|staged| staged.node.commit.is_none())
        {
            text.push_str(&tree_digest(&staged.path));
        }
        if let Some(lock) = &preview.lock {
            text.push_str(&lock.to_toml());
        }
        // A yes to a plan that runs nothing is none to one that does.
        if preview.runs {
            text.push_str("install.py is run\n");
        }
        let mut digest = digest::sha256(text.as_bytes());
        digest.truncate(16);
        Ok(digest)
    }
}

/// What is due even without the nodes: (name, version) pairs.
fn pending(joint: &Joint<'_>, base: &[Line]) -> Result<BTreeSet<(Name, String)>, OpError> {
    Ok(match joint.solve(base)?.outcome {
        Outcome::Resolved(resolution) => picked(&resolution),
        Outcome::Conflicts(_) => BTreeSet::new(),
    })
}

fn picked(resolution: &Resolution) -> BTreeSet<(Name, String)> {
    let packages = resolution.packages.iter();
    packages
        .map(|package| (package.name.clone(), package.version.to_string()))
        .collect()
}

/// Returns the digest of a directory's files and names.
fn tree_digest(path: &camino::Utf8Path) -> String {
    let mut text = String::new();
    if let Some(target) = fs::link_target(path) {
        // What a link points to may be anything, and endless.
        text = target;
    } else if fs::is_dir(path) {
        for name in fs::find_dir(path).unwrap_or_default() {
            text.push_str(&format!("{name} {}\n", tree_digest(&path.join(&name))));
        }
    } else {
        text = digest::sha256_of_file(path).unwrap_or_default();
    }
    digest::sha256(text.as_bytes())
}

/// Names that a lock of this installation brought, today's or an earlier one: only
/// these may go.
///
/// # Errors
///
/// Fails if the history cannot be read.
pub fn brought(site: &Site, lock: Option<&Lock>) -> Result<Removal, OpError> {
    let earlier = match Db::find(&site.installation.own_dir())? {
        Some(db) => db.locks()?,
        None => Vec::new(),
    };
    let at = camino::Utf8Path::new("a lock of the history");
    let earlier: Vec<Lock> = (earlier.iter())
        // One of another portenv, or edited by hand, tells nothing.
        .filter_map(|text| Lock::parse(text, at).ok())
        .collect();
    let packages = (earlier.iter().chain(lock)).flat_map(|lock| &lock.packages);
    let names = packages.map(|package| package.name.clone()).collect();
    Ok(Removal::Brought(names))
}

/// Makes the goal of a lock: what it names there, and what `before` and earlier locks
/// brought gone.
///
/// # Errors
///
/// Fails if the history cannot be read.
pub fn goal_of(site: &Site, lock: &Lock, before: Option<&Lock>) -> Result<PackageGoal, OpError> {
    let removal = brought(site, before)?;
    let root = &site.installation.root;
    Ok(PackageGoal::of_lock(lock, &site.target, root, removal))
}

/// Says of which nodes nothing is read: the policy ignores them.
fn ignored<'a>(
    settings: &'a Settings,
    names: &'a BTreeSet<&'a str>,
) -> impl Iterator<Item = Warning> + 'a {
    let ignored = names.iter().filter(|name| settings.node(name).ignore);
    ignored.map(|name| {
        let message = format!(
            "portenv.toml ignores {name} (`ignore = true`): what it asks for is not read, and ComfyUI \
             loads it all the same"
        );
        Warning::new("ignored-node", message)
    })
}
