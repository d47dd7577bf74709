//! Who asks for what: lines and packages as a graph, by the lock or by what is installed.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;

use camino::Utf8PathBuf;

use super::context::{Context, Site};
use super::error::OpError;
use super::inputs::ResolveFlags;
use super::lock::{Inputs, inputs};
use crate::environment::{Distribution, Installed};
use crate::index::RemoteIndex;
use crate::lock::{Lock, StaleReason, check_freshness, line_key};
use crate::package::requirement::split;
use crate::package::{Extra, Marker, Metadata, Name, Requirement, Target, Version};
use crate::requirements::{Origin, RequirementSet, Role, Wanted};
use crate::resolve::world::World;
use crate::resolve::{Options, Preferences, RequiredBy};
use crate::workspace::node::Node;

/// What a graph was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// `pylock.toml`.
    Lock,
    /// The metadata of what is installed.
    Environment,
}

/// A line that asks for a package on the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// Where it stands.
    pub origin: Origin,
    /// The line as written.
    pub requirement: String,
    /// What answers it; `None` if that cannot be told without asking its address.
    pub package: Option<Name>,
    /// The policy leaves this package out.
    pub excluded: bool,
}

/// A package of the graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// Its version; `None` if it is not there, or a directory that states none.
    pub version: Option<String>,
    /// It is part of the lock, or installed where there is no lock.
    pub there: bool,
    /// The version that is installed.
    pub installed: Option<String>,
}

/// A package asks for another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Who asks.
    pub from: Name,
    /// For what.
    pub to: Name,
    /// The requirement as written; `None` if it is not recorded anywhere at hand.
    pub requirement: Option<String>,
}

/// Who asks for what on one target.
#[derive(Debug, Clone)]
pub struct Graph {
    /// What it was read from.
    pub evidence: Evidence,
    /// The target it holds on.
    pub target: Target,
    /// The lock's path.
    pub path: Utf8PathBuf,
    /// Why the lock is stale.
    pub stale: Vec<StaleReason>,
    /// All packages, by name.
    pub members: BTreeMap<Name, Member>,
    /// All lines: core, nodes by name, in the order of their files.
    pub lines: Vec<Asking>,
    /// Sorted.
    pub edges: Vec<Edge>,
    /// Nodes that ComfyUI loads.
    pub nodes: Vec<Node>,
    /// Places of edges by who asks.
    asks: BTreeMap<Name, Vec<usize>>,
    /// Places of edges by what is asked for.
    askers: BTreeMap<Name, Vec<usize>>,
}

/// A graph with what it was made from.
pub struct Gathered {
    /// The graph.
    pub graph: Graph,
    /// The installation.
    pub site: Site,
    /// The lines, targets and lock.
    pub inputs: Inputs,
    /// What is installed.
    pub installed: Installed,
}

/// Reads the graph of an installation: from the lock if there is one.
///
/// # Errors
///
/// Fails if there is no installation, its lock cannot be read, or it has no such target.
pub fn gather_graph(
    context: &Context,
    flags: &ResolveFlags,
    target: Option<&str>,
) -> Result<Gathered, OpError> {
    let site = context.site()?;
    let reading = ResolveFlags {
        skip_invalid: true,
        ..flags.clone()
    };
    let inputs = inputs(context, &site, &reading)?;
    let target = choose_target(&inputs.targets, target)?.clone();
    let installed = site.installed()?;
    let mut graph = Graph {
        evidence: Evidence::Environment,
        path: site.installation.lock_path(),
        stale: Vec::new(),
        members: BTreeMap::new(),
        lines: Vec::new(),
        edges: Vec::new(),
        nodes: site.installation.nodes()?,
        asks: BTreeMap::new(),
        askers: BTreeMap::new(),
        target,
    };
    graph.nodes.retain(|node| node.enabled);
    match &inputs.lock {
        Some(lock) => {
            graph.evidence = Evidence::Lock;
            graph.stale = check_freshness(Some(lock), &inputs.set, &inputs.targets);
            graph.read_lock(lock, &inputs.set, &installed);
            graph.ask_cache(context, &site, flags)?;
        }
        None => graph.read_installed(&inputs.set, &installed),
    }
    let exclude = &site.installation.settings.policy.exclude;
    let exclude: Vec<Name> = exclude
        .iter()
        .filter_map(|text| Name::parse(text))
        .collect();
    for line in &mut graph.lines {
        line.excluded = line
            .package
            .as_ref()
            .is_some_and(|name| exclude.contains(name));
    }
    graph.finish();
    Ok(Gathered {
        graph,
        site,
        inputs,
        installed,
    })
}

/// Finds the target that a word names; by default this machine's own, else the first.
fn choose_target<'t>(targets: &'t [Target], word: Option<&str>) -> Result<&'t Target, OpError> {
    let found = match word {
        None => targets
            .iter()
            .find(|target| target.is_real())
            .or(targets.first()),
        Some(word) => targets
            .iter()
            .find(|target| target.to_string() == word || target.platform.triple() == word),
    };
    found.ok_or_else(|| {
        let known: Vec<String> = targets.iter().map(ToString::to_string).collect();
        OpError::Usage(format!(
            "`{}` is no target of this installation; there is {}",
            word.unwrap_or_default(),
            known.join(", ")
        ))
    })
}

impl Graph {
    /// Returns what a package asks for.
    pub fn asked_by<'g>(&'g self, name: &Name) -> impl Iterator<Item = &'g Edge> {
        let places = self.asks.get(name).into_iter().flatten();
        places.map(|&at| &self.edges[at])
    }

    /// Returns the packages that ask for one.
    pub fn askers_of<'g>(&'g self, name: &Name) -> impl Iterator<Item = &'g Edge> {
        let places = self.askers.get(name).into_iter().flatten();
        places.map(|&at| &self.edges[at])
    }

    /// Returns the lines that ask for a package directly.
    pub fn lines_on<'g>(&'g self, name: &'g Name) -> impl Iterator<Item = &'g Asking> {
        self.lines
            .iter()
            .filter(move |line| line.package.as_ref() == Some(name))
    }

    /// Returns everything that some packages lead to, themselves too, passing by `without`.
    pub fn reach(
        &self,
        from: impl IntoIterator<Item = Name>,
        without: &BTreeSet<Name>,
    ) -> BTreeSet<Name> {
        let mut open: Vec<Name> = from.into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            if without.contains(&name) || !seen.insert(name.clone()) {
                continue;
            }
            open.extend(self.asked_by(&name).map(|edge| edge.to.clone()));
        }
        seen
    }

    /// Sorts, and makes every package that is asked for a member.
    fn finish(&mut self) {
        self.edges.sort();
        // Of one pair, a recorded text is better than none.
        self.edges.dedup();
        for line in &self.lines {
            if let Some(name) = &line.package {
                self.members.entry(name.clone()).or_default();
            }
        }
        for (at, edge) in self.edges.iter().enumerate() {
            self.members.entry(edge.to.clone()).or_default();
            self.asks.entry(edge.from.clone()).or_default().push(at);
            self.askers.entry(edge.to.clone()).or_default().push(at);
        }
    }

    /// Reports whether a requirement as written counts on the target, whatever extras
    /// are wanted.
    fn counts(&self, requirement: &str) -> bool {
        let Ok(parts) = split(requirement) else {
            return true;
        };
        let extras = quoted(parts.marker);
        Marker::parse(parts.marker).map_or(true, |marker| {
            marker.holds_with(self.target.environment(), &extras)
        })
    }

    fn read_lock(&mut self, lock: &Lock, set: &RequirementSet, installed: &Installed) {
        let target = self.target.clone();
        for package in lock.active(&target) {
            let member = Member {
                version: package.version.as_ref().map(ToString::to_string),
                there: true,
                installed: None,
            };
            self.members.insert(package.name.clone(), member);
        }
        for (name, version) in lock.kept.iter().filter(|_| target.is_real()) {
            let member = Member {
                version: Some(version.to_string()),
                there: true,
                installed: None,
            };
            self.members.insert(name.clone(), member);
        }
        for (name, member) in &mut self.members {
            member.installed = installed.get(name).map(|found| found.version.to_string());
        }
        let mut known: BTreeMap<_, BTreeSet<Name>> = BTreeMap::new();
        // Pairs that the lock tells all about, whether they count here or not.
        let mut told: BTreeSet<(Name, Name)> = BTreeSet::new();
        for package in lock.active(&target) {
            for by in &package.required_by {
                match by {
                    RequiredBy::Line {
                        origin,
                        requirement,
                    } => {
                        let names = known.entry(line_key(origin, requirement)).or_default();
                        names.insert(package.name.clone());
                    }
                    RequiredBy::Package {
                        package: from,
                        version,
                        requirement,
                    } => {
                        told.insert((from.clone(), package.name.clone()));
                        let same = |member: &Member| member.version.as_ref() == Some(version);
                        if self.members.get(from).is_some_and(same) && self.counts(requirement) {
                            self.edges.push(Edge {
                                from: from.clone(),
                                to: package.name.clone(),
                                requirement: Some(requirement.clone()),
                            });
                        }
                    }
                }
            }
        }
        for package in lock.active(&target) {
            for to in &package.dependencies {
                let pair = (package.name.clone(), to.name.clone());
                let version = to.version.as_ref().map(ToString::to_string);
                let here = self.members.get(&to.name);
                let here = here.is_some_and(|to| version.is_none() || to.version == version);
                if here && !told.contains(&pair) {
                    let requirement = self.text_of(&pair.0, &pair.1, installed);
                    self.edges.push(Edge {
                        from: pair.0,
                        to: pair.1,
                        requirement,
                    });
                }
            }
        }
        self.read_lines(set, |origin, text| {
            known
                .get(&line_key(origin, text))
                .map(|names| names.iter().cloned().collect())
                .unwrap_or_default()
        });
        // Other programs write neither who asks nor for what.
        if lock.input_digest.is_none() && self.edges.is_empty() {
            let is_same = |found: &Distribution| {
                let member = self.members.get(&found.name);
                member.is_some_and(|member| member.version == Some(found.version.to_string()))
            };
            let same: Vec<&Distribution> = installed.iter().filter(|&one| is_same(one)).collect();
            let edges = installed_edges(&same, &wanted_extras(set), &self.target);
            let edges = edges.into_iter();
            self.edges = edges
                .filter(|edge| self.members.contains_key(&edge.to))
                .collect();
        }
    }

    /// Fills in what the lock does not tell from answers that the cache has.
    fn ask_cache(
        &mut self,
        context: &Context,
        site: &Site,
        flags: &ResolveFlags,
    ) -> Result<(), OpError> {
        if self.edges.iter().all(|edge| edge.requirement.is_some()) {
            return Ok(());
        }
        let mut config = flags.index_config(context, &site.installation.settings, &[])?;
        config.offline = true;
        let now = context.clock.now().as_second();
        let progress = Arc::clone(&context.progress);
        let index = RemoteIndex::new(config, now, context.cancel.clone(), progress);
        let (options, preferences) = (Options::default(), Preferences::default());
        let target = self.target.clone();
        let world = World::new(&[], &target, &options, &preferences, &index);
        let mut edges = std::mem::take(&mut self.edges);
        for edge in edges.iter_mut().filter(|edge| edge.requirement.is_none()) {
            let member = self.members.get(&edge.from);
            let version = member.and_then(|member| member.version.as_ref());
            let Some(version) = version.and_then(|text| Version::from_str(text).ok()) else {
                continue;
            };
            if let Ok(metadata) = world.metadata(world.number(&edge.from), &version) {
                edge.requirement = self.text_in(&metadata, &edge.to);
            }
        }
        self.edges = edges;
        Ok(())
    }

    fn read_installed(&mut self, set: &RequirementSet, installed: &Installed) {
        for found in installed.iter() {
            let version = Some(found.version.to_string());
            let member = Member {
                version: version.clone(),
                there: true,
                installed: version,
            };
            self.members.insert(found.name.clone(), member);
        }
        self.read_lines(set, |_, _| Vec::new());
        let all: Vec<&Distribution> = installed.iter().collect();
        self.edges = installed_edges(&all, &wanted_extras(set), &self.target);
    }

    /// Reads the lines of today: a lock's line numbers may be those of yesterday.
    fn read_lines(&mut self, set: &RequirementSet, known: impl Fn(&Origin, &str) -> Vec<Name>) {
        let environment = self.target.environment().clone();
        let named = set
            .lines
            .iter()
            .filter(|line| line.role == Role::Require)
            .filter(|line| line.requirement.marker.holds(&environment))
            .map(|line| (&line.origin, &line.text, Some(&line.requirement.name)));
        let unnamed = set.unnamed.iter().filter(|entry| match &entry.wanted {
            Wanted::Unnamed { marker, .. } => !entry.constraint && marker.holds(&environment),
            Wanted::Named(_) => false,
        });
        let unnamed = unnamed.map(|entry| (&entry.origin, &entry.text, None));
        let mut lines = Vec::new();
        for (origin, text, name) in named.chain(unnamed) {
            let names = known(origin, text);
            let line = Asking {
                origin: origin.clone(),
                requirement: text.clone(),
                package: name.cloned(),
                excluded: false,
            };
            if names.is_empty() {
                lines.push(line);
                continue;
            }
            lines.extend(names.into_iter().map(|package| Asking {
                package: Some(package),
                ..line.clone()
            }));
        }
        lines.sort_by(|a, b| a.origin.cmp(&b.origin));
        lines.dedup();
        self.lines = lines;
    }

    /// Finds how an installed package asks for another, if it is the version at hand.
    fn text_of(&self, from: &Name, to: &Name, installed: &Installed) -> Option<String> {
        let found = installed.get(from)?;
        let member = self.members.get(from)?;
        if member.version.as_ref() != Some(&found.version.to_string()) {
            return None;
        }
        self.text_in(&found.metadata(), to)
    }

    fn text_in(&self, metadata: &Metadata, to: &Name) -> Option<String> {
        let mut texts = metadata.requires_dist.iter();
        let found = texts.find(|text| {
            let name = split(text).ok().and_then(|parts| Name::parse(parts.name));
            name.as_ref() == Some(to) && self.counts(text)
        });
        found.cloned()
    }
}

/// Returns the extras that lines want.
fn wanted_extras(set: &RequirementSet) -> BTreeMap<Name, BTreeSet<Extra>> {
    let mut extras: BTreeMap<Name, BTreeSet<Extra>> = BTreeMap::new();
    let lines = set.lines.iter().map(|line| &line.requirement);
    for requirement in lines {
        let wanted = extras.entry(requirement.name.clone()).or_default();
        wanted.extend(requirement.extras.iter().cloned());
    }
    extras
}

/// Returns what stands in quotes in a marker, where it could be an extra.
fn quoted(marker: &str) -> Vec<Extra> {
    let words = marker.split(['\'', '"']).skip(1).step_by(2);
    words.filter_map(Extra::parse).collect()
}

/// Reads from METADATA who asks for whom; extras that are wanted lead to more.
fn installed_edges(
    all: &[&Distribution],
    wanted: &BTreeMap<Name, BTreeSet<Extra>>,
    target: &Target,
) -> Vec<Edge> {
    let requirements: Vec<(&Name, Vec<(String, Requirement)>)> = all
        .iter()
        .map(|found| {
            let texts = found.metadata().requires_dist.into_iter();
            let read = |text: String| Some((text.clone(), Requirement::parse(&text).ok()?));
            (&found.name, texts.filter_map(read).collect())
        })
        .collect();
    let mut wanted = wanted.clone();
    let mut edges: BTreeSet<Edge> = BTreeSet::new();
    loop {
        let before = (
            edges.len(),
            wanted.values().map(BTreeSet::len).sum::<usize>(),
        );
        for (from, texts) in &requirements {
            let extras: Vec<Extra> = wanted.get(*from).into_iter().flatten().cloned().collect();
            for (text, requirement) in texts {
                let marker = &requirement.marker;
                if requirement.name == **from || !marker.holds_with(target.environment(), &extras) {
                    if requirement.name == **from {
                        let own = wanted.entry((*from).clone()).or_default();
                        if marker.holds_with(target.environment(), &extras) {
                            own.extend(requirement.extras.iter().cloned());
                        }
                    }
                    continue;
                }
                let more = wanted.entry(requirement.name.clone()).or_default();
                more.extend(requirement.extras.iter().cloned());
                edges.insert(Edge {
                    from: (*from).clone(),
                    to: requirement.name.clone(),
                    requirement: Some(text.clone()),
                });
            }
        }
        let after = (
            edges.len(),
            wanted.values().map(BTreeSet::len).sum::<usize>(),
        );
        if before == after {
            return edges.into_iter().collect();
        }
    }
}

/// A node that is not here, and which are.
pub fn no_node(word: &str, nodes: &[Node]) -> OpError {
    const MOST: usize = 8;
    let bare = word.trim_end_matches(['/', '\\']);
    let names: BTreeSet<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    let meant = near(bare, names.iter().copied());
    let rest = if !meant.is_empty() {
        format!("did you mean `{}`?", meant.join("` or `"))
    } else if names.is_empty() {
        "it has none".to_owned()
    } else {
        let few: Vec<&str> = names.iter().copied().take(MOST).collect();
        let more = match names.len().saturating_sub(MOST) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("it has {}{more}", few.join(", "))
    };
    OpError::NotFound(format!(
        "there is no node `{word}` in this installation; {rest}"
    ))
}

/// Finds names that a word may have been meant for.
pub fn near<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let names: Vec<&str> = names.collect();
    let found = similar::get_close_matches(word, &names, 3, 0.7);
    found.into_iter().map(str::to_owned).collect()
}
