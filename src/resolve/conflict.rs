//! A failed search as the requirement lines that cannot hold together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pubgrub::{DerivationTree, External};

use super::addresses::same_place;
use super::explain;
use super::solve::{Proof, Solved, solve};
use super::world::{DepsResult, Pkg, World};
use crate::index::{IndexError, Purpose};
use crate::package::{Name, Range, Version};
use crate::progress::Cancel;
use crate::requirements::{Line, Origin, OriginKind, Role};

/// One step of a chain from a line's own package to the contested one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// The package that asks.
    pub package: Name,
    /// Which of its versions.
    pub version: String,
    /// What it asks for.
    pub requirement: String,
}

/// One line of a core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreLine {
    /// The line as written.
    pub requirement: String,
    /// Where it stands.
    pub origin: Origin,
    /// How it reaches the contested package.
    pub via: Vec<Step>,
}

impl CoreLine {
    /// Makes a line that speaks of the contested package itself.
    pub(super) fn of(line: &Line) -> Self {
        let requirement = match &line.role {
            Role::Override { .. } => format!("{} (override)", line.text),
            Role::Constrain => format!("{} (constraint)", line.text),
            Role::Protect => match line.origin.not_ours() {
                Some(owner) => format!("{} (fixed by {owner})", line.text),
                None => format!("{} (protected)", line.text),
            },
            Role::Require => line.text.clone(),
        };
        Self {
            requirement,
            origin: line.origin.clone(),
            via: Vec::new(),
        }
    }
}

/// Lines that cannot hold together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The contested packages.
    pub packages: Vec<Name>,
    /// One entry per line of the core.
    pub requirements: Vec<CoreLine>,
    /// The whole in words.
    pub explanation: String,
    /// It is not there without the nodes being previewed.
    pub new: bool,
    /// The core's lines by number, for those who go on without them.
    pub lines: Vec<u32>,
    /// The target that has no answer.
    pub target: String,
    /// Its one line leads to what nobody has a file of for the target.
    pub unsupplied: bool,
    /// A conflict told before it takes away one of its lines: it shows only without that.
    pub shadowed: bool,
    /// How many more ways out might be there: time was up before they were tried.
    pub untried: usize,
    /// Ways out, least change first; each was tried with everything that is asked for.
    pub suggestions: Vec<Suggestion>,
}

/// What a way out does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SuggestionKind {
    /// A line of a node asks for less.
    Relax,
    /// One of a node's two files counts.
    Sources,
    /// A constraint of `portenv.toml` goes.
    Constraint,
    /// Pre-releases may be taken.
    Prerelease,
    /// One more index is asked.
    Index,
    /// A node is there in another version.
    NodeVersion,
    /// A package is never installed.
    Exclude,
    /// A protected package may change.
    AllowChange,
    /// A node is left out.
    LeaveOut,
    /// Another Python runs it all.
    Python,
}

impl SuggestionKind {
    /// Returns the kind's word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relax => "relax",
            Self::Sources => "sources",
            Self::Constraint => "constraint",
            Self::Prerelease => "prerelease",
            Self::Index => "index",
            Self::NodeVersion => "node-version",
            Self::Exclude => "exclude",
            Self::AllowChange => "allow-change",
            Self::LeaveOut => "leave-out",
            Self::Python => "python",
        }
    }
}

/// What a way out changes in `portenv.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// `[overrides]`: what lines of these nodes ask of a package, as this specifier.
    Override {
        /// The package.
        name: Name,
        /// What will do; everything if empty.
        specifier: String,
        /// The nodes.
        nodes: Vec<String>,
    },
    /// `[nodes.NAME] sources = "requirements"`.
    Sources {
        /// The node.
        node: String,
    },
    /// `[nodes.NAME] ignore = true`.
    Ignore {
        /// The node.
        node: String,
    },
    /// `[policy] exclude`.
    Exclude {
        /// The package.
        name: Name,
    },
    /// A line of `[constraints]` goes.
    Unconstrain {
        /// The package.
        name: Name,
    },
    /// `[resolve] prerelease = "allow"`.
    Prerelease,
    /// One more `[[index]]`.
    Index {
        /// Its name.
        name: String,
        /// Its base URL.
        url: String,
        /// The packages that come from it, `@torch` for all of PyTorch.
        packages: Vec<String>,
    },
}

/// A way out of a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// What it does.
    pub kind: SuggestionKind,
    /// The whole in words, with what comes of it.
    pub text: String,
    /// What would change against what is installed: name, version before and after.
    pub changes: Vec<(Name, Option<Version>, Option<Version>)>,
    /// What it changes in `portenv.toml`, if that is how it is done.
    pub edit: Option<Edit>,
    /// Flags to add to the command, if that is how it is done.
    pub flags: Vec<String>,
    /// All of it was tried; otherwise what only a build could tell of some package was not.
    pub verified: bool,
    /// The command that does it, without the program's name, if that is how it is done.
    pub command: Vec<String>,
}

/// Steps after which a trial solve is given up.
const TRIAL_STEPS: u64 = 20_000;
/// The same where a conflict is known already that must be mended before.
const SHADOW_STEPS: u64 = 2_000;
/// How many independent conflicts are looked for.
const MOST: usize = 64;

/// Finds the conflicts of a set of lines, each with a minimal core, from the
/// proof of its failure on.
///
/// # Errors
///
/// Fails if the world could not be asked or the work was interrupted.
pub fn find_conflicts(
    world: &World<'_>,
    active: &[u32],
    proof: Proof,
    cancel: &Cancel,
) -> Result<Vec<Conflict>, IndexError> {
    world.begin_for(Purpose::Explanation);
    let found = find(world, active, proof, cancel);
    world.begin_for(Purpose::Answer);
    // What was passed over here may be worth a build for an answer.
    let is_sure = |deps: &DepsResult| !deps.as_ref().is_ok_and(|deps| deps.metadata().unverified);
    world.deps.borrow_mut().retain(|_, deps| is_sure(deps));
    found
}

fn find(
    world: &World<'_>,
    active: &[u32],
    proof: Proof,
    cancel: &Cancel,
) -> Result<Vec<Conflict>, IndexError> {
    let mut conflicts = Vec::new();
    let mut remaining = active.to_vec();
    let mut proof = Some(proof);
    for core in contradictions(world, active) {
        remaining.retain(|line| !removable(world, &core).contains(line));
        conflicts.push(describe(world, &core, cancel)?);
        proof = None;
    }
    while conflicts.len() < MOST {
        let found = match proof.take() {
            Some(proof) => proof,
            None => match trial(world, &remaining, cancel, None)? {
                Solved::Proof(proof) => *proof,
                Solved::Picks(_) | Solved::GaveUp => break,
            },
        };
        let core = core_of(world, &found, cancel)?;
        let out = removable(world, &core);
        conflicts.push(describe(world, &core, cancel)?);
        if out.is_empty() {
            break;
        }
        remaining.retain(|line| !out.contains(line));
    }
    let taken = active.iter().filter(|at| !remaining.contains(at));
    for &at in taken {
        if conflicts.len() >= MOST {
            break;
        }
        let Some(core) = shadowed(world, at, &remaining, cancel)? else {
            continue;
        };
        let told = Conflict {
            shadowed: true,
            ..describe(world, &core, cancel)?
        };
        // ComfyUI's own line is not taken out, so a node's may meet it again.
        let is_same = |known: &Conflict| known.requirements == told.requirements;
        if !conflicts.iter().any(is_same) {
            conflicts.push(told);
        }
    }
    Ok(conflicts)
}

/// Finds what a line that was taken out for one conflict cannot hold together with among
/// the lines that were left: who mends the first conflict alone would meet this one next.
fn shadowed(
    world: &World<'_>,
    at: u32,
    remaining: &[u32],
    cancel: &Cancel,
) -> Result<Option<Vec<u32>>, IndexError> {
    let others = remaining.iter().copied();
    let with: Vec<u32> = others.chain([at]).collect();
    if let Some(pair) = contradictions(world, &with).into_iter().next() {
        return Ok(pair
            .contains(&at)
            .then_some(pair)
            .filter(|pair| pair.len() > 1));
    }
    let Solved::Proof(proof) = trial(world, &with, cancel, Some(SHADOW_STEPS))? else {
        return Ok(None);
    };
    let core = core_of(world, &proof, cancel)?;
    Ok((core.len() > 1 && core.contains(&at)).then_some(core))
}

/// Solves once more. What could only be known at some cost is not known: the trial is
/// given up, and proves nothing.
fn trial(
    world: &World<'_>,
    lines: &[u32],
    cancel: &Cancel,
    limit: Option<u64>,
) -> Result<Solved, IndexError> {
    Ok(if_known(solve(world, lines, cancel, limit))?.unwrap_or(Solved::GaveUp))
}

/// Nothing, where something could only be known at some cost.
fn if_known<T>(found: Result<T, IndexError>) -> Result<Option<T>, IndexError> {
    match found {
        Err(IndexError::Offline { .. }) => Ok(None),
        found => found.map(Some),
    }
}

/// The lines that may be left out to go on: ComfyUI's own stay while a node's
/// can go.
pub(super) fn removable(world: &World<'_>, core: &[u32]) -> Vec<u32> {
    let others: Vec<u32> = core
        .iter()
        .copied()
        .filter(|&at| world.lines[at as usize].origin.kind != OriginKind::Core)
        .collect();
    if others.is_empty() {
        core.to_vec()
    } else {
        others
    }
}

/// Contradictions by text: lines on one name whose ranges have nothing in common,
/// whatever any index holds. Pairs first.
fn contradictions(world: &World<'_>, active: &[u32]) -> Vec<Vec<u32>> {
    let mut by_name: BTreeMap<&Name, Vec<u32>> = BTreeMap::new();
    for &at in active {
        let line = &world.lines[at as usize];
        if world
            .overrides_of(world.number(&line.requirement.name))
            .is_empty()
            && world.scoped_override(line).is_none()
        {
            by_name.entry(&line.requirement.name).or_default().push(at);
        }
    }
    let range = |at: u32| world.line_range(at);
    let exclude_each_other = |first: u32, second: u32| {
        let url = |at: u32| world.lines[at as usize].requirement.url.as_deref();
        match (url(first), url(second)) {
            (Some(first), Some(second)) => !same_place(first, second),
            (None, None) => range(first).is_disjoint(&range(second)),
            // What the file at an address is, no text says.
            _ => false,
        }
    };
    let mut cores = Vec::new();
    for lines in by_name.values() {
        let mut out: BTreeSet<u32> = BTreeSet::new();
        for (at, &first) in lines.iter().enumerate() {
            if out.contains(&first) {
                continue;
            }
            if range(first).is_empty() {
                out.insert(first);
                cores.push(vec![first]);
                continue;
            }
            for &second in &lines[at + 1..] {
                if out.contains(&second)
                    || range(second).is_empty()
                    || !exclude_each_other(first, second)
                {
                    continue;
                }
                cores.push(vec![first, second]);
                out.extend(removable(world, &[first, second]));
                break;
            }
        }
    }
    cores
}

/// Finds a minimal core of the lines that a proof rests on.
///
/// # Errors
///
/// Fails if the world could not be asked or the work was interrupted.
pub(super) fn core_of(
    world: &World<'_>,
    proof: &Proof,
    cancel: &Cancel,
) -> Result<Vec<u32>, IndexError> {
    minimise(world, &lines_of(world, proof), cancel)
}

/// Collects the lines and policies that a proof rests on.
fn lines_of(world: &World<'_>, proof: &Proof) -> Vec<u32> {
    let mut found = BTreeSet::new();
    visit(proof, &mut |external| {
        let packages = match external {
            External::NotRoot(package, _)
            | External::NoVersions(package, _)
            | External::Custom(package, _, _) => vec![package],
            External::FromDependencyOf(from, _, to, _) => vec![from, to],
        };
        for package in packages {
            if let Pkg::Line(at) = package {
                found.insert(*at);
            }
        }
    });
    let order = world.order.iter().copied();
    order.filter(|at| found.contains(at)).collect()
}

/// Visits each external of a proof once; the tree shares parts and may be deep.
fn visit<'p>(proof: &'p Proof, see: &mut impl FnMut(&'p External<Pkg, Range, String>)) {
    let mut shared = BTreeSet::new();
    let mut open = vec![proof];
    while let Some(tree) = open.pop() {
        match tree {
            DerivationTree::External(external) => see(external),
            DerivationTree::Derived(derived) => {
                if derived.shared_id.is_some_and(|id| !shared.insert(id)) {
                    continue;
                }
                open.push(&derived.cause1);
                open.push(&derived.cause2);
            }
        }
    }
}

/// Drops lines one by one; what still fails without a line does not need it.
/// ComfyUI's lines are tried last, so that a node's is named before ComfyUI's...
/// and dropped first where either would do.
fn minimise(world: &World<'_>, lines: &[u32], cancel: &Cancel) -> Result<Vec<u32>, IndexError> {
    let mut core = lines.to_vec();
    let mut order = core.clone();
    order.sort_by_key(|&at| std::cmp::Reverse(world.lines[at as usize].origin.kind));
    for at in order {
        let trial: Vec<u32> = core.iter().copied().filter(|&line| line != at).collect();
        if trial.is_empty() {
            break;
        }
        if matches!(
            self::trial(world, &trial, cancel, Some(TRIAL_STEPS))?,
            Solved::Proof(_)
        ) {
            core = trial;
        }
    }
    Ok(core)
}

/// The requirements that a proof rests on, by who asks.
type Edges = BTreeMap<Pkg, Vec<Edge>>;

/// A requirement that a proof rests on.
pub(super) struct Edge {
    /// What is asked for.
    to: Pkg,
    /// Which versions ask.
    pub(super) versions: Range,
    /// Which versions would do.
    pub(super) asked: Range,
}

/// Tells a core: who asks, by which way, for what that cannot be had.
///
/// # Errors
///
/// Fails if the world could not be asked or the work was interrupted.
pub(super) fn describe(
    world: &World<'_>,
    core: &[u32],
    cancel: &Cancel,
) -> Result<Conflict, IndexError> {
    let mut edges: Edges = BTreeMap::new();
    let mut policies = BTreeSet::new();
    let mut missing = BTreeSet::new();
    let mut rivals: BTreeSet<Name> = BTreeSet::new();
    let mut gone = None;
    if let Solved::Proof(proof) = trial(world, core, cancel, Some(TRIAL_STEPS))? {
        visit(&proof, &mut |external| match external {
            External::FromDependencyOf(from, versions, to, asked) => {
                edges.entry(*from).or_default().push(Edge {
                    to: *to,
                    versions: versions.clone(),
                    asked: asked.clone(),
                });
                match (from, to) {
                    (_, Pkg::Policy(at)) => {
                        policies.insert(*at);
                    }
                    (Pkg::Name(member), Pkg::Family(_)) => {
                        rivals.insert(world.name(*member));
                    }
                    _ => {}
                }
            }
            External::NoVersions(Pkg::Name(name), _) => {
                missing.insert(*name);
            }
            External::Custom(Pkg::Name(name) | Pkg::Extra(name, _), versions, _) => {
                gone = gone.take().or_else(|| world.gone(*name, versions));
            }
            _ => {}
        });
    }
    if let Some(error) = gone {
        return Err(error);
    }
    let starts = core.iter().map(|&at| Pkg::Line(at));
    let starts = starts.chain(policies.iter().map(|&at| Pkg::Policy(at)));
    let contested = contested(world, starts, &edges, &missing).or_else(|| {
        core.first()
            .map(|&at| world.lines[at as usize].requirement.name.clone())
    });
    // The line that gives the contested package its address decides which versions
    // there are, though no proof rests on it.
    let address = contested
        .as_ref()
        .and_then(|name| world.url_of(world.number(name)))
        .map(|(_, at)| at)
        .filter(|at| !core.contains(at) && world.is_active(*at));
    let lines: Vec<u32> = core.iter().copied().chain(address).collect();
    let core = lines.as_slice();
    let mut requirements: Vec<CoreLine> = core
        .iter()
        .map(|&at| {
            let line = &world.lines[at as usize];
            CoreLine {
                requirement: line.text.clone(),
                origin: line.origin.clone(),
                via: chain(world, at, &edges, contested.as_ref()),
            }
        })
        .collect();
    for at in policies {
        requirements.push(CoreLine::of(&world.lines[at as usize]));
    }
    requirements.sort_by(|a, b| a.origin.cmp(&b.origin));
    let mut packages: Vec<Name> = contested.into_iter().collect();
    let unsupplied = match core {
        [line] if requirements.len() == 1 => {
            let asked = edges.values().flatten().filter_map(|edge| match edge.to {
                Pkg::Name(name) if missing.contains(&name) => Some((name, &edge.asked)),
                _ => None,
            });
            if_known(explain::is_unsupplied(world, *line, asked))?.unwrap_or(false)
        }
        _ => false,
    };
    let explanation = if rivals.len() > 1 {
        packages = rivals.into_iter().collect();
        explain::rivalry(&packages, &requirements)
    } else {
        if_known(explain::explain(world, core, &packages, &requirements))?
            .unwrap_or_else(|| explain::contradiction(&packages, &requirements))
    };
    Ok(Conflict {
        packages,
        requirements,
        explanation,
        new: true,
        lines,
        target: world.target.to_string(),
        unsupplied,
        shadowed: false,
        untried: 0,
        suggestions: Vec::new(),
    })
}

/// The package where the paths of lines and policies meet.
fn contested(
    world: &World<'_>,
    starts: impl Iterator<Item = Pkg>,
    edges: &Edges,
    missing: &BTreeSet<u32>,
) -> Option<Name> {
    let mut reached: BTreeMap<u32, usize> = BTreeMap::new();
    for start in starts {
        let mut seen = BTreeSet::from([start]);
        let mut open = VecDeque::from([start]);
        while let Some(package) = open.pop_front() {
            for edge in edges.get(&package).into_iter().flatten() {
                if seen.insert(edge.to) {
                    open.push_back(edge.to);
                }
            }
        }
        let names: BTreeSet<u32> = seen
            .iter()
            .filter_map(|package| match package {
                Pkg::Name(name) | Pkg::Extra(name, _) => Some(*name),
                _ => None,
            })
            .collect();
        for name in names {
            *reached.entry(name).or_insert(0) += 1;
        }
    }
    // Where several are reached by all, the one at the end of the paths is the point
    // of dispute.
    let leads_on = |name: u32| {
        edges.iter().any(|(from, to)| {
            matches!(from, Pkg::Name(of) | Pkg::Extra(of, _) if *of == name)
                && to
                    .iter()
                    .any(|edge| matches!(edge.to, Pkg::Name(to) | Pkg::Extra(to, _) if to != name))
        })
    };
    let best = reached.iter().max_by_key(|&(&name, &count)| {
        (
            count,
            !leads_on(name),
            missing.contains(&name),
            std::cmp::Reverse(world.name(name)),
        )
    });
    best.map(|(&name, _)| world.name(name))
}

/// The shortest path from a line to the contested package.
fn chain(world: &World<'_>, line: u32, edges: &Edges, contested: Option<&Name>) -> Vec<Step> {
    let Some(goal) = contested.map(|name| world.number(name)) else {
        return Vec::new();
    };
    let mut from: BTreeMap<Pkg, Pkg> = BTreeMap::new();
    let mut open = VecDeque::from([Pkg::Line(line)]);
    let mut end = None;
    while let Some(package) = open.pop_front() {
        if package == Pkg::Name(goal) {
            end = Some(package);
            break;
        }
        for edge in edges.get(&package).into_iter().flatten() {
            if edge.to != Pkg::Line(line) && !from.contains_key(&edge.to) {
                from.insert(edge.to, package);
                open.push_back(edge.to);
            }
        }
    }
    let mut steps = Vec::new();
    let mut at = end;
    while let Some(package) = at {
        let Some(&before) = from.get(&package) else {
            break;
        };
        if let (Pkg::Name(asking) | Pkg::Extra(asking, _), Pkg::Name(asked) | Pkg::Extra(asked, _)) =
            (before, package)
            && asking != asked
        {
            let all = edges.get(&before).into_iter().flatten();
            let all = all.filter(|edge| edge.to == package);
            steps.push(explain::step(world, before, asked, all));
        }
        at = Some(before);
    }
    steps.reverse();
    steps
}
