//! Who needs whom: a tree for people, a graph for programs.

mod drawing;

use drawing::draw;

use super::{show_document, show_warnings};
use crate::cli::document::WarningDocument;
use crate::cli::document::tree::document;
use crate::cli::failure::{Exit, Next};
use crate::cli::screen::{Format, Screen};
use crate::ops::graph::{Evidence, Graph};
use crate::ops::tree::Tree;
use crate::package::Name;
use crate::package::requirement::split;
use crate::requirements::{Origin, Problem};

/// Says how far a graph can be trusted: no lock, or a stale one.
pub fn graph_warnings(graph: &Graph, problems: &[Problem]) -> Vec<WarningDocument> {
    let mut warnings: Vec<WarningDocument> =
        problems.iter().map(WarningDocument::of_problem).collect();
    if graph.evidence == Evidence::Environment {
        let text =
            "there is no lock, so this is read from what is installed; `portenv lock` makes one";
        warnings.insert(0, WarningDocument::new("no-lock", text));
    }
    if let Some(first) = graph.stale.first() {
        let more = match graph.stale.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        let text = format!(
            "the lock is stale ({}{more}), so this may not be the whole truth; `portenv lock` brings it up to date",
            first.shown()
        );
        warnings.insert(0, WarningDocument::new("stale", text));
    }
    warnings
}

/// Says that a package is known to ask for another, and not which versions will do.
pub fn unknown_requirement(from: &Name, to: &Name) -> WarningDocument {
    let text = format!(
        "which versions of {to} will do for {from} is recorded nowhere at hand (there may be more such pairs)"
    );
    WarningDocument::new("unknown-requirement", text)
}

/// Shows a tree.
pub fn show_tree(screen: &Screen, tree: &Tree, verbose: u8) -> Exit {
    let mut warnings = graph_warnings(&tree.graph, &tree.problems);
    if tree.invert || screen.format == Format::Json {
        let part = tree.part();
        let unknown = part.edges.iter().find(|edge| edge.requirement.is_none());
        warnings.extend(unknown.map(|edge| unknown_requirement(&edge.from, &edge.to)));
    }
    show_warnings(screen, &warnings, verbose);
    let exit = if tree.unknown.is_empty() {
        Exit::Done
    } else {
        Exit::No
    };
    if screen.format == Format::Json {
        let next = match exit {
            Exit::Done => Vec::new(),
            _ => vec![Next::new(
                "portenv tree",
                false,
                "shows all nodes and packages",
            )],
        };
        show_document(screen, "tree", &document(tree, warnings), &next);
    } else {
        screen.result(draw(tree, usize::from(Screen::width())).trim_end());
        if tree.roots.is_empty() && tree.unknown.is_empty() {
            screen.note("nobody asks for anything, and nothing is installed");
        }
    }
    for unknown in &tree.unknown {
        let what = if tree.invert {
            "package"
        } else {
            "node or package"
        };
        screen.error(&format!("there is no {what} `{}` here", unknown.name));
        if unknown.near.is_empty() {
            screen.hint("portenv tree shows all nodes and packages");
        } else {
            screen.hint(&format!("did you mean `{}`?", unknown.near.join("` or `")));
        }
    }
    exit
}

/// Returns what a requirement wants of its package: all but the name and the marker.
pub fn wants(requirement: &str) -> String {
    let Ok(parts) = split(requirement) else {
        return requirement.to_owned();
    };
    let extras = match parts.extras.trim() {
        "" => String::new(),
        extras => format!("[{extras}]"),
    };
    match parts.url {
        Some(url) => format!("{extras}@ {}", crate::package::redact(url)),
        None => format!("{extras}{}", parts.specifiers.trim()),
    }
}

/// Returns the place of a line without the directory of its node, which stands beside it.
pub fn short_place(graph: &Graph, origin: &Origin) -> String {
    let place = origin.place_of_line();
    let mut nodes = graph.nodes.iter();
    let node = nodes.find(|node| Some(&node.name) == origin.name.as_ref());
    let inside = node.and_then(|node| place.strip_prefix(&node.dir)?.strip_prefix('/'));
    inside.map_or(place.clone(), str::to_owned)
}
