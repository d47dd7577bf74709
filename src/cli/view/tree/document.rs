//! `portenv.tree/1`, and what it shares with other documents on who asks for what.

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::view::WarningView;
use crate::lock::StaleReason;
use crate::ops::graph::{Evidence, Graph};
use crate::ops::tree::{Root, Tree, Unknown};
use crate::package::{Name, Target};
use crate::requirements::Origin;

/// What was read.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceView {
    /// The lock.
    Lock,
    /// What is installed: there is no lock.
    Environment,
}

/// A target.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TargetView {
    platform: String,
    python: String,
    marker: String,
}

/// Why the lock is stale.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StaleView {
    reason: String,
    #[schemars(with = "Option<serde_json::Value>")]
    origin: Option<Origin>,
}

/// A word that names nothing.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UnknownView {
    name: String,
    near: Vec<String>,
}

/// `portenv.tree/1`: the part of the graph that the tree shows.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TreeDocument {
    source: SourceView,
    target: TargetView,
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
    stale: Vec<StaleView>,
    #[schemars(with = "Vec<serde_json::Value>")]
    warnings: Vec<WarningView>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RootView {
    kind: &'static str,
    name: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct PackageView {
    #[schemars(with = "String")]
    name: Name,
    version: Option<String>,
    installed: Option<String>,
    /// It is locked, or installed where there is no lock.
    there: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct LineView {
    #[schemars(with = "serde_json::Value")]
    origin: Origin,
    requirement: String,
    #[schemars(with = "Option<String>")]
    package: Option<Name>,
    excluded: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct EdgeView {
    #[schemars(with = "String")]
    from: Name,
    #[schemars(with = "String")]
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

impl TargetView {
    /// Makes the view of a target.
    pub fn of(target: &Target) -> Self {
        Self {
            platform: target.platform.triple(),
            python: target.python.to_string(),
            marker: target.marker(),
        }
    }
}

impl StaleView {
    /// Makes the view of a reason.
    pub fn of(reason: &StaleReason) -> Self {
        Self {
            reason: reason.shown(),
            origin: reason.origin().cloned(),
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
pub(super) fn document(tree: &Tree, warnings: Vec<WarningView>) -> TreeDocument {
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
        target: TargetView::of(&graph.target),
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
        stale: graph.stale.iter().map(StaleView::of).collect(),
        warnings,
    }
}
