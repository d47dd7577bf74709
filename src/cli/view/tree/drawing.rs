//! The tree as people read it.

use std::collections::BTreeMap;

use super::{short_place, wants};
use crate::ops::graph::{Asking, Edge, Evidence};
use crate::ops::tree::{Root, Tree};
use crate::package::Name;

/// How many levels people are shown at most; no real tree is as deep.
const DEEPEST: usize = 100;

/// Draws a tree in rows that are, where they can be, no wider than this.
pub(super) fn draw(tree: &Tree, width: usize) -> String {
    let mut drawing = Drawing {
        tree,
        text: String::new(),
        done: BTreeMap::new(),
        marked: false,
        width,
    };
    for root in &tree.roots {
        drawing.root(root);
    }
    if drawing.marked {
        drawing
            .text
            .push_str("(*) what is below it is shown above\n");
    }
    drawing.text
}

/// A tree as it is drawn.
struct Drawing<'t> {
    tree: &'t Tree,
    text: String,
    /// At which level a package was unfolded; what was cut off there may be shown later.
    done: BTreeMap<&'t Name, usize>,
    marked: bool,
    width: usize,
}

/// What stands below a root or a package.
enum Below<'t> {
    Line(&'t Asking),
    Name(&'t Name, Option<&'t Edge>),
}

impl<'t> Drawing<'t> {
    fn root(&mut self, root: &'t Root) {
        let mut below: Vec<Below<'t>> = root
            .lines(&self.tree.graph)
            .into_iter()
            .filter(|line| match &line.package {
                Some(name) => self.tree.shows(name),
                None => !self.tree.orphans,
            })
            .map(Below::Line)
            .collect();
        let title = match root {
            Root::Core => "ComfyUI".to_owned(),
            Root::Node(name) => format!("node {name}"),
            Root::File(name) => name.clone(),
            Root::Nobody(names) => {
                below.extend(names.iter().map(|name| Below::Name(name, None)));
                "asked for by nobody".to_owned()
            }
            Root::Package(name) => {
                if self.tree.shows(name) {
                    let text = self.package(name);
                    self.write("", &text, "", name, 0, "");
                } else {
                    self.text
                        .push_str(&format!("{name}: others ask for it too\n"));
                }
                return;
            }
        };
        self.text.push_str(&title);
        if below.is_empty() {
            let nothing = if self.tree.orphans {
                ": others ask for all of it too"
            } else {
                ": asks for nothing"
            };
            self.text.push_str(nothing);
        }
        self.text.push('\n');
        self.children(below, "", 1);
    }

    fn package(&self, name: &Name) -> String {
        let graph = &self.tree.graph;
        let Some(member) = graph.members.get(name) else {
            return name.to_string();
        };
        let mut text = name.to_string();
        match &member.version {
            Some(version) => text.push_str(&format!(" {version}")),
            None if member.there => {}
            None if graph.lines_on(name).any(|line| line.excluded) => {
                text.push_str(" (left out by the policy)");
            }
            None if graph.evidence == Evidence::Lock => text.push_str(" (not locked)"),
            None => text.push_str(" (not installed)"),
        }
        if let Some(installed) = &member.installed
            && member
                .version
                .as_ref()
                .is_some_and(|version| version != installed)
        {
            text.push_str(&format!(" (installed: {installed})"));
        }
        text
    }

    fn children(&mut self, below: Vec<Below<'t>>, indent: &str, level: usize) {
        if self.tree.depth.is_some_and(|most| level > most) {
            return;
        }
        if level > DEEPEST {
            self.text.push_str(&format!("{indent}…\n"));
            return;
        }
        let count = below.len();
        for (at, one) in below.into_iter().enumerate() {
            let is_last = at + 1 == count;
            let (branch, deeper) = if is_last {
                ("└── ", "    ")
            } else {
                ("├── ", "│   ")
            };
            let lead = format!("{indent}{branch}");
            let deeper = format!("{indent}{deeper}");
            match one {
                Below::Name(name, edge) => {
                    let text = self.package(name);
                    // Going up, it matters what is asked for; going down, that it is.
                    let wanted = edge.filter(|_| self.tree.invert);
                    let wanted = wanted.and_then(|edge| edge.requirement.as_deref());
                    let note = wanted.map(wants).unwrap_or_default();
                    self.write(&lead, &text, &note, name, level, &deeper);
                }
                Below::Line(line) => self.line(line, &lead, level, &deeper),
            }
        }
    }

    fn line(&mut self, line: &'t Asking, lead: &str, level: usize, deeper: &str) {
        let place = short_place(&self.tree.graph, &line.origin);
        let wanted = wants(&line.requirement);
        if self.tree.invert {
            let text = format!("{} {place}", line.origin.owner());
            self.put(lead, &text, &wanted, false);
            return;
        }
        let Some(name) = &line.package else {
            let text = format!("{} ({place}, not locked)", line.requirement);
            self.put(lead, &text, "", false);
            return;
        };
        let wanted = if wanted.is_empty() {
            place
        } else {
            format!("{place}: {wanted}")
        };
        let text = self.package(name);
        self.write(lead, &text, &wanted, name, level, deeper);
    }

    /// Writes a package and what is below it, unless that was shown before.
    fn write(
        &mut self,
        lead: &str,
        text: &str,
        note: &str,
        name: &'t Name,
        level: usize,
        deeper: &str,
    ) {
        let mut below: Vec<Below<'t>> = Vec::new();
        if self.tree.invert {
            below.extend(self.tree.graph.lines_on(name).map(Below::Line));
        }
        let edges = self.tree.below(name).into_iter();
        below.extend(edges.map(|edge| {
            let next = if self.tree.invert {
                &edge.from
            } else {
                &edge.to
            };
            Below::Name(next, Some(edge))
        }));
        let ends = below.is_empty() || self.tree.depth.is_some_and(|most| level >= most);
        // Cut off deep down, it may have more to show further up.
        let is_enough = |known: &usize| self.tree.depth.is_none() || *known <= level;
        let is_known = !ends && self.done.get(name).is_some_and(is_enough);
        self.put(lead, text, note, is_known);
        if !ends && !is_known {
            self.done.insert(name, level);
            self.children(below, deeper, level + 1);
        }
    }

    /// Writes one row; what is noted beside it gives way where the row is too long.
    fn put(&mut self, lead: &str, text: &str, note: &str, is_known: bool) {
        let mut row = format!("{lead}{text}");
        let mark = if is_known { " (*)" } else { "" };
        self.marked |= is_known;
        if !note.is_empty() {
            let taken = row.chars().count() + mark.chars().count() + 3;
            let room = self.width.saturating_sub(taken);
            if note.chars().count() <= room {
                row.push_str(&format!(" ({note})"));
            } else if room > 8 {
                let cut: String = note.chars().take(room - 1).collect();
                row.push_str(&format!(" ({cut}…)"));
            }
        }
        self.text.push_str(&row);
        self.text.push_str(mark);
        self.text.push('\n');
    }
}
