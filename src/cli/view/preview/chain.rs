//! Why a package changes, as one line: the line that leads to it, then what each package
//! between asks for.

use super::page::cut;
use crate::lock::ChangeKind;
use crate::ops::changes::ChangeInfo;
use crate::ops::preview::Preview;
use crate::package::artifact::printable;
use crate::requirements::{Origin, OriginKind};

/// The line and the steps, each ready to be shown.
pub(super) struct Chain {
    /// The line's place and the line.
    line: (String, String),
    /// Who asks, and for what.
    steps: Vec<(String, String)>,
}

impl Chain {
    pub(super) fn of(preview: &Preview, change: &ChangeInfo) -> Self {
        let Some(line) = &change.line else {
            let words = match change.kind {
                ChangeKind::Remove => "nothing asks for it any more",
                _ if change.needs_rebuild => "stays, but was built for another torch",
                _ => "",
            };
            return Self {
                line: (String::new(), words.to_owned()),
                steps: Vec::new(),
            };
        };
        let steps = change.because.iter();
        let steps = steps.map(|step| {
            let version = step.version.trim_start_matches("==");
            let asking = format!("{} {version}", step.package);
            (asking, step.requirement.clone())
        });
        Self {
            line: (place(preview, &line.origin), line.requirement.clone()),
            steps: steps.collect(),
        }
    }

    /// Returns the parts of one line: markers are left out, they hold.
    pub(super) fn short(&self) -> Vec<String> {
        let bare = |text: &str| {
            let text = text.split(';').next().unwrap_or(text);
            let text = text.split(" --hash").next().unwrap_or(text);
            printable(text.trim()).replace(['\n', '\t'], " ")
        };
        let (place, line) = &self.line;
        let first = format!("{place} {}", bare(line));
        let rest = self.steps.iter().map(|(_, wanted)| bare(wanted));
        let parts = std::iter::once(first.trim().to_owned()).chain(rest);
        parts.collect()
    }

    /// Returns the line and the packages between, for a package that comes anew: which of its
    /// versions was asked for is no matter then.
    pub(super) fn through(&self) -> Vec<String> {
        let mut parts = self.short();
        parts.truncate(1);
        let between = self.steps.iter().skip(1).map(|(asking, _)| {
            let name = asking.split(' ').next().unwrap_or(asking);
            name.to_owned()
        });
        parts.extend(between);
        parts
    }

    /// Returns everything, one step a line.
    pub(super) fn full(&self) -> Vec<String> {
        let (place, line) = &self.line;
        let mut lines = vec![format!("{place} {line}").trim().to_owned()];
        let steps = self.steps.iter();
        lines.extend(steps.map(|(asking, wanted)| format!("→ {asking} needs {wanted}")));
        lines.retain(|line| !line.is_empty());
        lines
    }
}

/// Says where something is that is no package's; a script names itself.
pub(super) fn lead(preview: &Preview, origin: &Origin, words: &str) -> String {
    let place = place(preview, origin);
    let place = match place.split_once("install.py") {
        Some((before, _)) if words.starts_with("install.py") => before.trim_end(),
        _ => &place,
    };
    if place.is_empty() {
        return String::new();
    }
    format!("{place}: ")
}

/// Says where a line stands, in as few words as tell: the node at hand needs no name.
fn place(preview: &Preview, origin: &Origin) -> String {
    let full = origin.place_of_line();
    match (origin.kind, &origin.name) {
        (OriginKind::Core, _) if !full.starts_with("ComfyUI") => format!("ComfyUI {full}"),
        (OriginKind::Node, Some(name)) => {
            let file = match full.split_once(&format!("/{name}/")) {
                Some((_, rest)) => rest,
                None => &full,
            };
            let mut at_hand = preview.nodes.iter();
            match (at_hand.next(), at_hand.next()) {
                (Some(node), None) if node.name == *name => file.to_owned(),
                _ => format!("{name} {file}"),
            }
        }
        _ => full,
    }
}

const ARROW: &str = " → ";

/// Joins parts to one line of at most a width. What is too long loses its middle, for its
/// ends tell most; `None` if that is not enough.
pub(super) fn fit(parts: &[String], width: usize) -> Option<String> {
    let whole = parts.join(ARROW);
    if length(&whole) <= width {
        return Some(whole);
    }
    let first = parts.first()?;
    let shortened = (2..parts.len()).map(|from| {
        let rest = parts[from..].join(ARROW);
        format!("{first}{ARROW}…{ARROW}{rest}")
    });
    shortened.into_iter().find(|line| length(line) <= width)
}

/// Joins parts whose ends are too long themselves.
pub(super) fn squeezed(parts: &[String], width: usize) -> String {
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return String::new();
    };
    if parts.len() == 1 {
        return cut(first, width);
    }
    let between = if parts.len() > 2 {
        " → … → "
    } else {
        ARROW
    };
    let room = width.saturating_sub(length(last) + length(between));
    if room < 8 {
        return cut(&format!("…{ARROW}{last}"), width);
    }
    format!("{}{between}{last}", cut(first, room))
}

/// How many columns a text takes.
pub(super) fn length(text: &str) -> usize {
    text.chars().count()
}
