//! The most nodes that can live together: what `lock --best-effort` locks and `check
//! --subset` names.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::context::Context;
use super::error::OpError;
use super::inputs::{ResolveFlags, finish_inputs, name_lines};
use super::joint::{Joint, JointAnswer};
use super::lock::{
    fixed_lines, open_index, preferences, protected, protection_lines, resolve_lines,
};
use crate::index::page::ColdFile;
use crate::index::{Direct, Index, IndexError, MetadataError, Page, RemoteIndex, Scout, Want};
use crate::lock::left_out::leave_out;
use crate::lock::{LeftOutNode, Lock};
use crate::nodes::{parse_node, stage};
use crate::package::{Metadata, Name, Target, Version};
use crate::requirements::set::gather_with;
use crate::requirements::{Line, OriginKind};
use crate::resolve::targets::Task;
use crate::resolve::{
    Conflict, LargestSubset, Member, Outcome, Preferences, SubsetTask, Verdict, find_largest_subset,
};
use crate::workspace::Settings;
use crate::workspace::settings::{BuildMode, Unsupplied};

/// The most nodes that can live together with the core. Nodes that ask for nothing are
/// not among them: they live anywhere.
#[derive(Debug, Clone)]
pub struct Subset {
    /// The nodes, by name.
    pub nodes: Vec<String>,
    /// The others, by name.
    pub left_out: Vec<NodeLeftOut>,
    /// Those left out in groups that can live with the core, largest first.
    pub groups: Vec<Vec<String>>,
    /// What the nodes are worth together.
    pub weight: u64,
    /// No set of nodes is worth more.
    pub bound: u64,
}

impl Subset {
    /// Reports whether no set of nodes is worth more.
    pub fn is_proved(&self) -> bool {
        self.weight >= self.bound
    }
}

/// A node that is left out.
#[derive(Debug, Clone)]
pub struct NodeLeftOut {
    /// The node.
    pub node: String,
    /// Why, in words.
    pub reason: String,
    /// What keeps it out; empty where an earlier command left it out.
    pub conflicts: Vec<Conflict>,
}

impl From<&LeftOutNode> for NodeLeftOut {
    fn from(left: &LeftOutNode) -> Self {
        Self {
            node: left.node.clone(),
            reason: left.reason.clone(),
            conflicts: Vec::new(),
        }
    }
}

/// Resolves just these lines, with their numbers among all and the conflicts of those that
/// nothing can supply.
type Verify<'a> = dyn FnMut(&[Line], &[u32], &[Conflict]) -> Result<Verdict, OpError> + 'a;

/// What a search rests on.
struct Ground<'a> {
    context: &'a Context,
    settings: &'a Settings,
    flags: &'a ResolveFlags,
    lines: &'a [Line],
    targets: &'a [Target],
    preferences: &'a Preferences,
    /// What could be had without running a build.
    index: &'a dyn Index,
    waives_unsupplied: bool,
    groups: bool,
    limit: Duration,
}

impl Ground<'_> {
    fn search(&self, verify: &mut Verify<'_>) -> Result<Option<Subset>, OpError> {
        let members = members(self.lines, self.settings);
        let options = self
            .flags
            .options(self.settings, &[], self.context.clock.now())?;
        let begun = Instant::now();
        let progress = &self.context.progress;
        let told = Cell::new((0, u64::MAX));
        progress.count("looking for the largest set of nodes", None, "pages");
        let watch = |best: u64, bound: u64| {
            let (known, least) = told.get();
            let now = (known.max(best), least.min(bound));
            if now != told.replace(now) && now.0 > 0 {
                progress.end();
                let text = format!("largest set of nodes: {} of at most {}", now.0, now.1);
                progress.count(&text, None, "pages");
            }
            begun.elapsed() < self.limit
        };
        let task = SubsetTask {
            task: Task {
                lines: self.lines,
                targets: self.targets,
                options: &options,
                preferences: self.preferences,
                index: self.index,
                cancel: &self.context.cancel,
            },
            members: &members,
            waives_unsupplied: self.waives_unsupplied,
            groups: self.groups,
            watch: &watch,
        };
        let mut verify = |kept: &[usize], unsupplied: &[Conflict]| {
            let (lines, numbers) = lines_with(self.lines, &members, kept);
            verify(&lines, &numbers, unsupplied)
        };
        let found = find_largest_subset(&task, &mut verify);
        progress.end();
        Ok(found?.map(|found| named(&found, &members)))
    }

    /// Resolves just some lines without running a build.
    fn resolve(&self, lines: &[Line], numbers: &[u32]) -> Result<Verdict, OpError> {
        let outcome = resolve_lines(
            self.context,
            lines,
            self.targets,
            self.flags,
            self.settings,
            self.preferences,
            self.index,
        )?;
        Ok(match outcome {
            Outcome::Resolved(_) => Verdict::Holds,
            Outcome::Conflicts(conflicts) => fails(conflicts, numbers, false),
        })
    }
}

/// An index where what only a build could tell is taken for nothing at all. What conflicts
/// even so does whatever the build says.
struct Unbuilt<'a> {
    index: &'a RemoteIndex,
    /// The one that may build: what has an address must be read to be known at all.
    building: &'a RemoteIndex,
}

impl Index for Unbuilt<'_> {
    fn begin(&self, names: &[Name], scout: Arc<dyn Scout>) {
        self.index.begin(names, scout);
    }

    fn page(&self, name: &Name) -> Result<Option<Arc<Page>>, IndexError> {
        self.index.page(name)
    }

    fn metadata(
        &self,
        name: &Name,
        version: &Version,
        file: &ColdFile,
    ) -> Result<Arc<Metadata>, MetadataError> {
        match self.index.metadata(name, version, file) {
            Err(error) if error.needs_build() => Ok(Arc::new(Metadata::unknown(name, version))),
            found => found,
        }
    }

    fn direct(
        &self,
        name: Option<&Name>,
        place: &str,
        base: &Utf8Path,
    ) -> Result<Direct, MetadataError> {
        match self.index.direct(name, place, base) {
            Err(error) if error.needs_build() => self.building.direct(name, place, base),
            found => found,
        }
    }

    fn prefetch(&self, wants: Vec<Want>) {
        self.index.prefetch(wants);
    }
}

/// Gathers the lines of each node, by its name.
fn members(lines: &[Line], settings: &Settings) -> Vec<Member> {
    let mut members: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (at, line) in (0u32..).zip(lines) {
        if let (OriginKind::Node, Some(name)) = (line.origin.kind, &line.origin.name) {
            members.entry(name).or_default().push(at);
        }
    }
    let member = |(name, lines): (&str, Vec<u32>)| Member {
        name: name.to_owned(),
        weight: settings.node(name).weight.unwrap_or(1).into(),
        lines,
    };
    members.into_iter().map(member).collect()
}

/// Returns the lines that are left with some members, and their numbers.
fn lines_with(lines: &[Line], members: &[Member], kept: &[usize]) -> (Vec<Line>, Vec<u32>) {
    let mut counts = vec![true; lines.len()];
    for (at, member) in members.iter().enumerate() {
        if !kept.contains(&at) {
            for &line in &member.lines {
                counts[line as usize] = false;
            }
        }
    }
    let left = (0u32..)
        .zip(lines)
        .zip(counts)
        .filter(|(_, counts)| *counts);
    left.map(|((at, line), _)| (line.clone(), at)).unzip()
}

/// Makes the verdict of conflicts among some lines.
fn fails(mut conflicts: Vec<Conflict>, numbers: &[u32], certain: bool) -> Verdict {
    for conflict in &mut conflicts {
        let known = conflict.lines.iter();
        conflict.lines = known
            .filter_map(|&at| numbers.get(at as usize).copied())
            .collect();
    }
    Verdict::Fails { conflicts, certain }
}

fn named(found: &LargestSubset, members: &[Member]) -> Subset {
    let name = |at: &usize| members[*at].name.clone();
    let names = |list: &Vec<usize>| list.iter().map(name).collect::<Vec<String>>();
    let left_out = found.left_out.iter().map(|left| NodeLeftOut {
        node: name(&left.member),
        reason: reason(&left.conflicts, &members[left.member].name),
        conflicts: left.conflicts.clone(),
    });
    let mut groups: Vec<Vec<String>> = found.groups.iter().map(names).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    Subset {
        nodes: names(&found.kept),
        left_out: left_out.collect(),
        groups,
        weight: found.weight,
        bound: found.bound,
    }
}

/// Says in a line what keeps a node out.
fn reason(conflicts: &[Conflict], node: &str) -> String {
    let Some(conflict) = conflicts.first() else {
        return "it does not fit".to_owned();
    };
    let is_own = |line: &&crate::resolve::CoreLine| {
        line.origin.kind == OriginKind::Node && line.origin.name.as_deref() == Some(node)
    };
    let texts = |own: bool| -> Vec<String> {
        let lines = conflict
            .requirements
            .iter()
            .filter(|line| is_own(line) == own);
        let text = |line: &crate::resolve::CoreLine| {
            if own {
                format!("`{}`", line.requirement)
            } else {
                format!("`{}` of {}", line.requirement, line.origin.owner())
            }
        };
        lines.map(text).collect()
    };
    let (own, others) = (texts(true), texts(false));
    match (own.is_empty(), others.is_empty()) {
        (false, false) => format!("{} against {}", own.join(", "), others.join(", ")),
        _ => conflict.explanation.lines().next().unwrap_or("").to_owned(),
    }
}

/// Resolves as many nodes together as can be. Builds run only for what is an answer
/// without them already.
///
/// # Errors
///
/// Fails if the network could not be asked.
pub fn best_effort(
    joint: &Joint<'_>,
    lines: &[Line],
    limit: Duration,
    strict: bool,
) -> Result<(JointAnswer, Option<Subset>), OpError> {
    let (context, settings) = (joint.context, joint.settings);
    let index = joint.flags.open_index(context, settings, &[], None)?;
    let unbuilt = Unbuilt {
        index: &index,
        building: joint.index,
    };
    let builds = joint.flags.may_build(settings, BuildMode::Allow);
    let mut preferences = joint.preferences.clone();
    preferences.set_waivers(joint.waivers.clone());
    let waives = settings.resolve.unsupplied.unwrap_or_default() == Unsupplied::Waive;
    let ground = Ground {
        context,
        settings,
        flags: joint.flags,
        lines,
        targets: joint.targets,
        preferences: &preferences,
        index: if builds { &unbuilt } else { &index },
        waives_unsupplied: waives && !strict,
        groups: false,
        limit,
    };
    let mut answer = None;
    let found = ground.search(&mut |some, numbers, unsupplied| {
        let found = joint.solve_knowing(some, lines, unsupplied)?;
        if let Outcome::Conflicts(conflicts) = &found.outcome {
            // What has an answer but for what builds tell fails with any others too.
            let without = ground.resolve(some, numbers)?;
            let certain = matches!(without, Verdict::Holds);
            return Ok(fails(conflicts.clone(), numbers, certain));
        }
        answer = Some(found);
        Ok(Verdict::Holds)
    })?;
    let (Some(found), Some(mut answer)) = (found, answer) else {
        // Not even the core has an answer: its conflicts are told as ever.
        return Ok((joint.solve(lines)?, None));
    };
    let targets: Vec<String> = joint.targets.iter().map(ToString::to_string).collect();
    for left in &found.left_out {
        let waivers = leave_out(&left.node, &left.reason, lines, &targets);
        answer.waivers.extend(waivers);
    }
    Ok((answer, Some(found)))
}

/// Finds the most nodes of an installation that can live together, those named among
/// them. Runs no build and waives nothing. Nothing if not even the core has an answer.
///
/// # Errors
///
/// Fails on bad input or if the network could not be asked.
pub fn run(
    context: &Context,
    nodes: &[String],
    flags: &ResolveFlags,
    limit: Duration,
) -> Result<Option<Subset>, OpError> {
    let site = context.site()?;
    site.needs_core()?;
    let flags = &ResolveFlags {
        skip_invalid: true,
        ..flags.clone()
    };
    let installation = &site.installation;
    let settings = &installation.settings;
    let targets = flags.targets(settings, Some(&site.target))?;
    let index: RemoteIndex = open_index(context, &site, flags, &targets, BuildMode::Static)?;
    let scratch = tempfile::tempdir().map_err(|source| crate::host::FsError {
        verb: "create directory in",
        path: "temporary directory".into(),
        source,
    })?;
    let dir = Utf8PathBuf::from_path_buf(scratch.path().to_owned())
        .map_err(|path| OpError::Usage(format!("`{}` is not UTF-8", path.display())))?;
    let mut all = Vec::new();
    for text in nodes {
        let source = parse_node(text, &context.dir);
        let nodes_dir = installation.nodes_dir();
        let new = stage(&source, &dir, &installation.root, nodes_dir, &index)?;
        all.push((new.node, new.path));
    }
    for node in installation.nodes()? {
        if node.enabled && !all.iter().any(|(new, _)| new.name == node.name) {
            let path = installation.root.join(&node.dir);
            all.push((node, path));
        }
    }
    let mut set = gather_with(installation, &all, &context.variables);
    finish_inputs(context, &mut set, flags)?;
    name_lines(&mut set, &targets, &index, flags.skip_invalid)?;
    let installed = site.installed()?;
    let mut lines = set.lines;
    let held = protected(settings, &installed, &[]);
    lines.extend(protection_lines(&held, &installed, &targets));
    lines.extend(fixed_lines(&installed, &targets, &[]));
    let lock = Lock::find(&installation.lock_path())?;
    let ground = Ground {
        context,
        settings,
        flags,
        lines: &lines,
        targets: &targets,
        preferences: &preferences(lock.as_ref(), &installed),
        index: &index,
        waives_unsupplied: false,
        groups: true,
        limit,
    };
    ground.search(&mut |lines, numbers, _| ground.resolve(lines, numbers))
}
