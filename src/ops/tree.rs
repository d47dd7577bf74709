//! `tree`: core and nodes, their lines, and the packages that these lead to. Changes nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::context::Context;
use super::error::OpError;
use super::graph::{Asking, Edge, Gathered, Graph, gather_graph, near};
use super::inputs::ResolveFlags;
use crate::package::Name;
use crate::requirements::{OriginKind, Problem};

/// What to show.
#[derive(Debug, Clone, Default)]
pub struct TreeRequest {
    /// Nodes and packages; everything if empty.
    pub names: Vec<String>,
    /// From packages to those who need them.
    pub invert: bool,
    /// Only what nobody else asks for.
    pub orphans: bool,
    /// How many levels below the roots.
    pub depth: Option<usize>,
    /// The target; this machine by default.
    pub target: Option<String>,
}

/// Where a tree begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// ComfyUI itself.
    Core,
    /// A node, by name.
    Node(String),
    /// Files of the command line or of the policy.
    File(String),
    /// A package.
    Package(Name),
    /// Packages that nobody is known to ask for.
    Nobody(Vec<Name>),
}

/// A word that names nothing here, and what it may have been meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The word.
    pub name: String,
    /// Names like it.
    pub near: Vec<String>,
}

/// A tree: the graph, where it begins, and which part of it is meant.
pub struct Tree {
    /// The whole graph.
    pub graph: Graph,
    /// Where the tree begins, in order.
    pub roots: Vec<Root>,
    /// It goes from packages to those who need them.
    pub invert: bool,
    /// It has only what nobody else asks for.
    pub orphans: bool,
    /// How many levels are shown.
    pub depth: Option<usize>,
    /// Only these are shown; all if `None`.
    only: Option<BTreeSet<Name>>,
    /// Words that name nothing.
    pub unknown: Vec<Unknown>,
    /// Problems of reading.
    pub problems: Vec<Problem>,
}

/// The part of the graph that a tree shows.
#[derive(Debug, Default)]
pub struct Part<'t> {
    /// Packages, by name.
    pub packages: BTreeSet<&'t Name>,
    /// Lines, in order.
    pub lines: Vec<&'t Asking>,
    /// Edges, sorted.
    pub edges: BTreeSet<&'t Edge>,
}

/// Reads the tree of an installation.
///
/// # Errors
///
/// Fails if there is no installation, or its lock cannot be read.
pub fn run(context: &Context, request: &TreeRequest) -> Result<Tree, OpError> {
    let target = request.target.as_deref();
    let Gathered { graph, inputs, .. } = gather_graph(context, &ResolveFlags::default(), target)?;
    let mut tree = Tree {
        graph,
        roots: Vec::new(),
        invert: request.invert,
        orphans: request.orphans,
        depth: request.depth,
        only: None,
        unknown: Vec::new(),
        problems: inputs.set.problems,
    };
    if request.names.is_empty() {
        tree.roots = tree.all_roots();
    }
    for word in &request.names {
        tree.add_root(word);
    }
    if tree.orphans {
        tree.only = Some(tree.find_orphans());
    }
    Ok(tree)
}

impl Root {
    /// Returns the lines that stand under it.
    pub fn lines<'g>(&self, graph: &'g Graph) -> Vec<&'g Asking> {
        let is_own = |line: &&Asking| match (self, line.origin.kind) {
            (Self::Core, kind) => kind == OriginKind::Core,
            (Self::Node(name), OriginKind::Node) => line.origin.name.as_ref() == Some(name),
            (Self::File(file), OriginKind::File | OriginKind::Policy) => {
                line.origin.owner() == *file
            }
            _ => false,
        };
        graph.lines.iter().filter(is_own).collect()
    }
}

impl Tree {
    fn all_roots(&self) -> Vec<Root> {
        let mut roots = Vec::new();
        for line in &self.graph.lines {
            let root = match (line.origin.kind, &line.origin.name) {
                (OriginKind::Core, _) => Root::Core,
                (OriginKind::Node, Some(name)) => Root::Node(name.clone()),
                _ => Root::File(line.origin.owner()),
            };
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        let asked = self
            .graph
            .lines
            .iter()
            .filter_map(|line| line.package.clone());
        let reached = self.graph.reach(asked, &BTreeSet::new());
        let mut left: BTreeSet<Name> = self.graph.members.keys().cloned().collect();
        left.retain(|name| !reached.contains(name) && self.graph.members[name].there);
        // Those that others of them lead to stand below these.
        let mut nobody: Vec<Name> = Vec::new();
        let mut below: BTreeSet<Name> = BTreeSet::new();
        let mut open: Vec<Name> = left.iter().cloned().collect();
        open.sort_by_key(|name| self.graph.askers_of(name).count());
        for name in open {
            if !below.contains(&name) {
                below.extend(self.graph.reach([name.clone()], &BTreeSet::new()));
                nobody.push(name);
            }
        }
        nobody.sort();
        if !nobody.is_empty() {
            roots.push(Root::Nobody(nobody));
        }
        roots
    }

    fn add_root(&mut self, word: &str) {
        let bare = word.trim_end_matches(['/', '\\']);
        if !self.invert {
            let is_it = |name: &str, dir: &str| {
                name.eq_ignore_ascii_case(bare) || dir == bare || dir.ends_with(&format!("/{bare}"))
            };
            let mut nodes = self.graph.nodes.iter();
            if let Some(node) = nodes.find(|node| is_it(&node.name, &node.dir)) {
                self.roots.push(Root::Node(node.name.clone()));
                return;
            }
            if ["core", "comfyui"].contains(&bare.to_ascii_lowercase().as_str()) {
                self.roots.push(Root::Core);
                return;
            }
        }
        let name = Name::parse(bare);
        let member = name.as_ref().and_then(|name| self.graph.members.get(name));
        match (name, member) {
            (Some(name), Some(_)) => self.roots.push(Root::Package(name)),
            _ => {
                let nodes = self.graph.nodes.iter().map(|node| node.name.as_str());
                let nodes = nodes.filter(|_| !self.invert);
                let members = self.graph.members.keys().map(Name::as_str);
                let near = near(bare, nodes.chain(members));
                let name = word.to_owned();
                self.unknown.push(Unknown { name, near });
            }
        }
    }

    /// What nobody would ask for if the roots were gone.
    fn find_orphans(&self) -> BTreeSet<Name> {
        let mut going: BTreeSet<Name> = BTreeSet::new();
        let mut lines: Vec<&Asking> = Vec::new();
        for root in &self.roots {
            lines.extend(root.lines(&self.graph));
            if let Root::Package(name) = root {
                going.insert(name.clone());
            }
        }
        let rest = self.graph.lines.iter().filter(|line| !lines.contains(line));
        let kept = self
            .graph
            .reach(rest.filter_map(|line| line.package.clone()), &going);
        let starts = lines.iter().filter_map(|line| line.package.clone());
        let all = self.graph.reach(starts.chain(going), &BTreeSet::new());
        let is_there = |name: &Name| self.graph.members.get(name).is_some_and(|one| one.there);
        all.into_iter()
            .filter(|name| !kept.contains(name) && is_there(name))
            .collect()
    }

    /// Reports whether a package belongs to the tree.
    pub fn shows(&self, name: &Name) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(name))
    }

    /// Returns the packages below one, in order, each once.
    pub fn below<'t>(&'t self, name: &Name) -> Vec<&'t Edge> {
        let mut edges: Vec<&Edge> = if self.invert {
            self.graph.askers_of(name).collect()
        } else {
            self.graph.asked_by(name).collect()
        };
        edges.retain(|edge| self.shows(&edge.from) && self.shows(&edge.to));
        edges.sort_by(|a, b| (&a.to, &a.from).cmp(&(&b.to, &b.from)));
        edges.dedup_by(|a, b| a.to == b.to && a.from == b.from);
        edges
    }

    /// Gathers what the tree shows, each thing once.
    pub fn part(&self) -> Part<'_> {
        let mut part = Part::default();
        let mut level: BTreeMap<&Name, usize> = BTreeMap::new();
        let mut open: VecDeque<(&Name, usize)> = VecDeque::new();
        let most = self.depth.unwrap_or(usize::MAX);
        for root in &self.roots {
            for line in root.lines(&self.graph) {
                let shown = line.package.as_ref().is_none_or(|name| self.shows(name));
                if most > 0 && shown {
                    part.lines.push(line);
                    open.extend(line.package.as_ref().map(|name| (name, 1)));
                }
            }
            match root {
                Root::Package(name) => open.push_back((name, 0)),
                Root::Nobody(names) => open.extend(names.iter().map(|name| (name, 1))),
                _ => {}
            }
        }
        open.make_contiguous().sort_by_key(|&(_, at)| at);
        while let Some((name, at)) = open.pop_front() {
            if at > most || level.contains_key(name) || !self.shows(name) {
                continue;
            }
            level.insert(name, at);
            part.packages.insert(name);
            if at == most {
                continue;
            }
            if self.invert {
                part.lines.extend(self.graph.lines_on(name));
            }
            let edges = if self.invert {
                self.graph.askers_of(name).collect::<Vec<_>>()
            } else {
                self.graph.asked_by(name).collect()
            };
            for edge in edges {
                if self.shows(&edge.from) && self.shows(&edge.to) {
                    part.edges.insert(edge);
                    let next = if self.invert { &edge.from } else { &edge.to };
                    open.push_back((next, at + 1));
                }
            }
        }
        part.lines.sort_by(|a, b| a.origin.cmp(&b.origin));
        part.lines.dedup();
        part
    }
}
