//! `why`: who asked for a package, through whom, and what holds its version down.
//! Changes nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::str::FromStr;
use std::sync::Arc;

use super::context::Context;
use super::error::OpError;
use super::graph::{Asking, Edge, Evidence, Gathered, Graph, Member, gather_graph, near};
use super::inputs::{ResolveFlags, name_lines};
use super::lock::{open_index, preferences, protected, protection_lines};
use crate::environment::installed::SEEDS;
use crate::index::{Index, IndexError, RemoteIndex};
use crate::package::{Name, Target, Version};
use crate::requirements::{Line, Origin, Problem, Role};
use crate::resolve::Holds;
use crate::resolve::holds::{Question, find_holds};
use crate::resolve::targets::Task;
use crate::workspace::settings::{BuildMode, Resolution};

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct WhyRequest {
    /// A name, or `NAME@VERSION`, `NAME==VERSION`.
    pub package: String,
    /// The target; this machine by default.
    pub target: Option<String>,
    /// What decides the answer.
    pub flags: ResolveFlags,
}

/// How a package stands to the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is locked, or installed where there is no lock.
    There,
    /// It is asked for, but not locked or installed.
    Missing,
    /// It is asked for, and the policy leaves it out.
    Excluded,
    /// It is locked for other targets, under this marker.
    Elsewhere(String),
    /// It is installed, and neither locked nor asked for.
    Extra,
    /// It is a tool that stays.
    Seed,
    /// Nobody knows it; these names are like it.
    Unknown(Vec<String>),
}

/// A way from a line to the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The line.
    pub line: Asking,
    /// The packages between, each with its version and what it asks for.
    pub steps: Vec<(Edge, Option<String>)>,
}

/// Why versions are as they are, as far as that could be found out.
#[derive(Debug)]
pub enum Held {
    /// It was not asked: nobody wants the package.
    NotAsked,
    /// It was found out.
    Known(Box<Holds>),
    /// It could not be found out.
    Unknown(IndexError),
}

/// Who asked for a package and what holds it.
pub struct Why {
    /// The package.
    pub name: Name,
    /// The version that was asked about.
    pub wanted: Option<Version>,
    /// How it stands.
    pub standing: Standing,
    /// The version that is locked, or installed where there is no lock.
    pub version: Option<String>,
    /// The version that is installed.
    pub installed: Option<String>,
    /// The graph that this was read from.
    pub graph: Graph,
    /// How lines lead to it: per line all shortest ways, a few at most.
    pub chains: Vec<Chain>,
    /// How many shortest ways were left out.
    pub left_out: usize,
    /// What holds its version.
    pub held: Held,
    /// Its version is protected.
    pub protected: bool,
    /// The policy takes the lowest versions, so a newer one is never chosen.
    pub lowest: bool,
    /// Policy lines on it: overrides and constraints.
    pub policy: Vec<(Origin, String)>,
    /// Problems of reading.
    pub problems: Vec<Problem>,
}

/// How many ways are told for one line.
const MOST_OF_LINE: usize = 4;
/// How long a way may be; no real one is as long.
const LONGEST: usize = 100;
/// How many ways are told in all.
const MOST_CHAINS: usize = 500;

/// Answers the question.
///
/// # Errors
///
/// Fails on a word that is no package, and if there is no installation or its lock
/// cannot be read.
pub fn run(context: &Context, request: &WhyRequest) -> Result<Why, OpError> {
    let (name, wanted) = parse_question(&request.package)?;
    let gathered = gather_graph(context, &request.flags, request.target.as_deref())?;
    let graph = &gathered.graph;
    let member = graph.members.get(&name).cloned().unwrap_or_default();
    let (chains, left_out) = chains(graph, &name);
    let installed = gathered.installed.get(&name);
    let installed = installed.map(|found| found.version.to_string());
    let settings = &gathered.site.installation.settings;
    let standing = standing(&gathered, &name, &member, !chains.is_empty());
    let protected = protected(settings, &gathered.installed, &[]).contains(&name);
    let is_asked = matches!(standing, Standing::There | Standing::Missing) && !chains.is_empty();
    let policy = policy_on(&gathered.inputs.set.lines, &name, &graph.target);
    let order = request.flags.resolution.or(settings.resolve.resolution);
    let held = if is_asked {
        let current = member.version.as_ref().or(installed.as_ref());
        let current = current.and_then(|text| Version::from_str(text).ok());
        let question = Question {
            name: &name,
            current: current.as_ref(),
            wanted: wanted.as_ref(),
        };
        match hold(context, &gathered, &request.flags, question) {
            Ok(found) => Held::Known(Box::new(found)),
            Err(OpError::Index(IndexError::Interrupted)) => return Err(OpError::Interrupted),
            Err(OpError::Index(error)) => Held::Unknown(error),
            Err(error) => return Err(error),
        }
    } else {
        Held::NotAsked
    };
    Ok(Why {
        wanted,
        standing,
        version: member.version,
        installed,
        chains,
        left_out,
        held,
        protected,
        lowest: order.is_some_and(|order| order != Resolution::Highest),
        policy,
        problems: gathered.inputs.set.problems,
        graph: gathered.graph,
        name,
    })
}

/// Reads `NAME`, `NAME@VERSION` or `NAME==VERSION`.
fn parse_question(text: &str) -> Result<(Name, Option<Version>), OpError> {
    let (name, version) = text
        .split_once("==")
        .or_else(|| text.split_once('@'))
        .map_or((text, None), |(name, version)| (name, Some(version)));
    let name = Name::parse(name.trim())
        .ok_or_else(|| OpError::Usage(format!("`{text}` is not a package name")))?;
    let version = version
        .map(|version| {
            Version::from_str(version.trim())
                .map_err(|_| OpError::Usage(format!("`{version}` is not a version")))
        })
        .transpose()?;
    Ok((name, version))
}

fn standing(gathered: &Gathered, name: &Name, member: &Member, is_asked: bool) -> Standing {
    let graph = &gathered.graph;
    if member.there {
        let is_extra = graph.evidence == Evidence::Environment && !is_asked;
        return match (is_extra, SEEDS.contains(&name.as_str())) {
            (false, _) => Standing::There,
            (true, true) => Standing::Seed,
            (true, false) => Standing::Extra,
        };
    }
    if graph.lines_on(name).any(|line| line.excluded) {
        return Standing::Excluded;
    }
    let mut entries = gathered.inputs.lock.iter().flat_map(|lock| &lock.packages);
    if let Some(marker) = entries
        .find(|package| package.name == *name)
        .and_then(|package| package.marker.clone())
    {
        return Standing::Elsewhere(marker);
    }
    if is_asked {
        return Standing::Missing;
    }
    if gathered.installed.get(name).is_some() {
        let is_seed = SEEDS.contains(&name.as_str());
        return if is_seed {
            Standing::Seed
        } else {
            Standing::Extra
        };
    }
    let members = graph.members.keys().map(Name::as_str);
    let installed = gathered.installed.iter().map(|found| found.name.as_str());
    let known: BTreeSet<&str> = members.chain(installed).collect();
    Standing::Unknown(near(name.as_str(), known.into_iter()))
}

fn policy_on(lines: &[Line], name: &Name, target: &Target) -> Vec<(Origin, String)> {
    lines
        .iter()
        .filter(|line| line.requirement.name == *name)
        .filter(|line| line.requirement.marker.holds(target.environment()))
        .filter_map(|line| {
            let kind = match line.role {
                Role::Override { .. } => "override",
                Role::Constrain => "constraint",
                Role::Require | Role::Protect => return None,
            };
            Some((line.origin.clone(), format!("{} ({kind})", line.text)))
        })
        .collect()
}

/// Finds how lines lead to a package: of each line all shortest ways, up to a bound;
/// and how many more there are.
fn chains(graph: &Graph, goal: &Name) -> (Vec<Chain>, usize) {
    let mut distance: BTreeMap<&Name, usize> = BTreeMap::from([(goal, 0)]);
    // How many shortest ways lead from a package to the goal.
    let mut ways: BTreeMap<&Name, usize> = BTreeMap::from([(goal, 1)]);
    let mut open = VecDeque::from([goal]);
    while let Some(at) = open.pop_front() {
        let next = distance[at] + 1;
        let count = ways[at];
        let mut askers: Vec<&Name> = graph.askers_of(at).map(|edge| &edge.from).collect();
        askers.dedup();
        for from in askers {
            let known = *distance.entry(from).or_insert_with(|| {
                open.push_back(from);
                next
            });
            if known == next {
                let all = ways.entry(from).or_default();
                *all = all.saturating_add(count);
            }
        }
    }
    let mut chains = Vec::new();
    let mut left_out = 0_usize;
    let mut lines: Vec<(&Asking, &Name, usize)> = graph
        .lines
        .iter()
        .filter_map(|line| {
            let name = line.package.as_ref()?;
            Some((line, name, *distance.get(name)?))
        })
        .filter(|&(_, _, distance)| distance <= LONGEST)
        .collect();
    lines.sort_by_key(|&(_, _, distance)| distance);
    for (line, name, _) in lines {
        let most = MOST_OF_LINE.min(MOST_CHAINS - chains.len());
        let mut found = Vec::new();
        follow(graph, &distance, name, &mut Vec::new(), most, &mut found);
        left_out = left_out.saturating_add(ways[name].saturating_sub(found.len()));
        chains.extend(found.into_iter().map(|steps| Chain {
            line: line.clone(),
            steps,
        }));
    }
    (chains, left_out)
}

type Steps = Vec<(Edge, Option<String>)>;

/// Walks all ways that come nearer to the goal with each step.
fn follow(
    graph: &Graph,
    distance: &BTreeMap<&Name, usize>,
    at: &Name,
    steps: &mut Steps,
    most: usize,
    found: &mut Vec<Steps>,
) {
    if found.len() >= most {
        return;
    }
    let left = distance[at];
    if left == 0 {
        found.push(steps.clone());
        return;
    }
    let mut before: Option<&Name> = None;
    for edge in graph.asked_by(at) {
        let nearer = distance.get(&edge.to).is_some_and(|&next| next + 1 == left);
        // Two requirements of one package on another are one way.
        if nearer && before != Some(&edge.to) {
            before = Some(&edge.to);
            let version = graph.members.get(at).and_then(|from| from.version.clone());
            steps.push((edge.clone(), version));
            follow(graph, distance, &edge.to, steps, most, found);
            steps.pop();
        }
    }
}

/// Tries versions in the solver, against everything that `lock` would solve.
fn hold(
    context: &Context,
    gathered: &Gathered,
    flags: &ResolveFlags,
    question: Question<'_>,
) -> Result<Holds, OpError> {
    let Gathered {
        graph,
        site,
        inputs,
        ..
    } = gathered;
    let mut targets = vec![graph.target.clone()];
    if let Some(lock) = &inputs.lock {
        let is_wanted = |target: &&Target| {
            target.to_string() != graph.target.to_string()
                && lock.active(target).any(|one| one.name == *question.name)
        };
        targets.extend(inputs.targets.iter().filter(is_wanted).cloned());
    }
    // What is asked about is looked up anew; of the others a stored answer will do,
    // whatever its age: asking for hundreds again takes longer than the whole rest.
    if context.cache_dir.is_some() && !context.offline && !flags.refresh {
        open_index(context, site, flags, &targets, BuildMode::Static)?.page(question.name)?;
        let mut config = flags.index_config(context, &site.installation.settings, &[])?;
        config.offline = true;
        let now = context.clock.now().as_second();
        let progress = Arc::clone(&context.progress);
        let stored = RemoteIndex::new(config, now, context.cancel.clone(), progress);
        match try_versions(context, gathered, flags, question, &targets, &stored) {
            Ok(found) if found.is_known() => return Ok(found),
            Ok(_) | Err(OpError::Index(IndexError::Offline { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    let index = open_index(context, site, flags, &targets, BuildMode::Static)?;
    try_versions(context, gathered, flags, question, &targets, &index)
}

fn try_versions(
    context: &Context,
    gathered: &Gathered,
    flags: &ResolveFlags,
    question: Question<'_>,
    targets: &[Target],
    index: &RemoteIndex,
) -> Result<Holds, OpError> {
    let Gathered {
        site,
        inputs,
        installed,
        ..
    } = gathered;
    let mut set = inputs.set.clone();
    name_lines(&mut set, targets, index, true)?;
    let settings = &site.installation.settings;
    let is_elsewhere = |target: &Target| target.platform != site.target.platform;
    if !targets.iter().all(is_elsewhere) {
        let names = protected(settings, installed, &[]);
        set.lines
            .extend(protection_lines(&names, installed, targets));
    }
    let preferences = preferences(inputs.lock.as_ref(), installed);
    let options = flags.options(settings, &[], context.clock.now())?;
    context.progress.begin("trying other versions", None);
    let found = find_holds(
        &Task {
            lines: &set.lines,
            targets,
            options: &options,
            preferences: &preferences,
            index,
            cancel: &context.cancel,
        },
        question,
    );
    context.progress.end();
    Ok(found?)
}
