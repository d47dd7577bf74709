//! `portenv.tree/1`, and what it shares with other documents on who asks for what.

use schemars::JsonSchema;
use serde::Serialize;

use super::WarningDocument;
use super::resolution::{StaleDocument, TargetDocument};
use crate::ops::graph::{Evidence, Graph};
use crate::ops::tree::{Root, Tree, Unknown};
use crate::package::Name;
use crate::requirements::Origin;

/// What was read.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "GraphSource")]
pub enum SourceView {
    /// The lock.
    Lock,
    /// What is installed: there is no lock.
    Environment,
}

/// A word that names nothing.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UnknownName")]
pub struct UnknownView {
    name: String,
    near: Vec<String>,
}

/// `portenv.tree/1`: the part of the graph that the tree shows.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TreeDocument {
    source: SourceView,
    target: TargetDocument,
    invert: bool,
    orphans: bool,
    depth: Option<usize>,
    /// In the order they are shown.
    roots: Vec<RootView>,
    /// Sorted by name.
    packages: Vec<PackageView>,
    /// Core first, then nodes by name, in the order of their files.
    lines: Vec<LineView>,
    /// Sorted by `from`, `to`.
    edges: Vec<EdgeView>,
    unknown: Vec<UnknownView>,
    stale: Vec<StaleDocument>,
    warnings: Vec<WarningDocument>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TreeRoot")]
struct RootView {
    kind: &'static str,
    name: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TreePackage")]
struct PackageView {
    name: Name,
    version: Option<String>,
    installed: Option<String>,
    /// It is locked, or installed where there is no lock.
    there: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TreeLine")]
struct LineView {
    origin: Origin,
    requirement: String,
    package: Option<Name>,
    excluded: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TreeEdge")]
struct EdgeView {
    from: Name,
    to: Name,
    requirement: Option<String>,
}

impl SourceView {
    /// Makes the view of what a graph was read from.
    pub fn of(graph: &Graph) -> Self {
        match graph.evidence {
            Evidence::Lock => Self::Lock,
            Evidence::Environment => Self::Environment,
        }
    }
}

impl UnknownView {
    fn of(unknown: &Unknown) -> Self {
        Self {
            name: unknown.name.clone(),
            near: unknown.near.clone(),
        }
    }
}

/// Makes the document of a tree.
pub fn document(tree: &Tree, warnings: Vec<WarningDocument>) -> TreeDocument {
    let part = tree.part();
    let graph = &tree.graph;
    let roots = tree.roots.iter().map(|root| {
        let (kind, name) = match root {
            Root::Core => ("core", None),
            Root::Node(name) => ("node", Some(name.clone())),
            Root::File(name) => ("file", Some(name.clone())),
            Root::Package(name) => ("package", Some(name.to_string())),
            Root::Nobody(_) => ("nobody", None),
        };
        RootView { kind, name }
    });
    let packages = part.packages.iter().filter_map(|&name| {
        let member = graph.members.get(name)?;
        Some(PackageView {
            name: name.clone(),
            version: member.version.clone(),
            installed: member.installed.clone(),
            there: member.there,
        })
    });
    TreeDocument {
        source: SourceView::of(graph),
        target: TargetDocument::of(&graph.target),
        invert: tree.invert,
        orphans: tree.orphans,
        depth: tree.depth,
        roots: roots.collect(),
        packages: packages.collect(),
        lines: part
            .lines
            .iter()
            .map(|line| LineView {
                origin: line.origin.clone(),
                requirement: line.requirement.clone(),
                package: line.package.clone(),
                excluded: line.excluded,
            })
            .collect(),
        edges: part
            .edges
            .iter()
            .map(|edge| EdgeView {
                from: edge.from.clone(),
                to: edge.to.clone(),
                requirement: edge.requirement.clone(),
            })
            .collect(),
        unknown: tree.unknown.iter().map(UnknownView::of).collect(),
        stale: StaleDocument::all(&graph.stale),
        warnings,
    }
}
