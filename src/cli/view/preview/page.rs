//! The page in text: the verdict, what deserves a look, what changes and why, what the nodes
//! do themselves, and what it costs. Readable at 80 columns and without colour.

use super::chain::{Chain, fit, lead, length, squeezed};
use super::{others, totals, verdict};
use crate::cli::document::scripts_of;
use crate::cli::screen::Screen;
use crate::cli::view::changes::{sign, version_of, word};
use crate::lock::ChangeKind;
use crate::ops::attention::{Attention, attention};
use crate::ops::changes::ChangeInfo;
use crate::ops::preview::{Preview, PreviewStatus};
use crate::package::artifact::{printable, show_bytes};
use crate::requirements::Act;

/// How many things that deserve a look are shown at once.
const POINTS: usize = 10;
/// How many acts of a script are shown at once.
const ACTS: usize = 5;
/// How much of a script's line is shown at least.
const ROOM: usize = 24;

/// Returns the page.
pub(super) fn of(preview: &Preview, plan: &str, verbose: u8) -> String {
    let page = Page {
        preview,
        plan,
        width: usize::from(Screen::width()),
        verbose: verbose > 0,
    };
    printable(&page.text())
}

struct Page<'a> {
    preview: &'a Preview,
    plan: &'a str,
    width: usize,
    verbose: bool,
}

/// A part of the table.
struct Section<'a> {
    title: &'static str,
    rows: Vec<&'a ChangeInfo>,
    /// They come anew: one line each is enough.
    is_plain: bool,
}

impl Page<'_> {
    fn text(&self) -> String {
        let preview = self.preview;
        let mut text = format!("{}\n", verdict(preview));
        let points = attention(preview);
        let scripts: Vec<_> = scripts_of(preview)
            // One that will be run is named though nothing was found in it.
            .filter(|it| preview.runs || !it.acts.is_empty())
            .collect();
        let is_short = preview.changes.is_empty() && points.is_empty() && scripts.is_empty();
        if !is_short || preview.status != PreviewStatus::Ok {
            for node in &preview.nodes {
                let line = format!("  node {} {}", printable(&node.dir), version_of(node));
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
        if !points.is_empty() {
            text.push('\n');
            let shown = if self.verbose { points.len() } else { POINTS };
            for point in points.iter().take(shown) {
                self.point(&mut text, point);
            }
            more(&mut text, points.len(), shown);
        }
        if preview.status != PreviewStatus::Conflict {
            for section in sections(&preview.changes) {
                self.section(&mut text, &section);
            }
        }
        for script in scripts {
            let owner = printable(&script.origin.owner());
            let fate = if preview.runs {
                "which will be run"
            } else {
                "which is not run"
            };
            let words = if script.acts.is_empty() {
                "says nothing of packages or files"
            } else {
                "seems to"
            };
            text.push_str(&format!("\ninstall.py of {owner}, {fate}, {words}\n"));
            let shown = if self.verbose {
                script.acts.len()
            } else {
                ACTS
            };
            for act in script.acts.iter().take(shown) {
                text.push_str(&self.act(act));
            }
            more(&mut text, script.acts.len(), shown);
        }
        if preview.status != PreviewStatus::Conflict {
            if !is_short {
                text.push('\n');
            }
            if let Some(totals) = totals(preview) {
                text.push_str(&format!("{totals}\n"));
            }
            text.push_str(&format!("plan {}\n", self.plan));
        }
        text
    }

    fn point(&self, text: &mut String, point: &Attention) {
        let mut words = point.notes.join(", ");
        let subject = subject(point);
        if !subject.is_empty() {
            words = format!("{subject}: {words}");
        }
        // A change tells its line in the table.
        if let (None, Some(origin)) = (&point.package, &point.origin) {
            words = format!("{}{words}", lead(self.preview, origin, &words));
        }
        let sign = if point.stops { "!!" } else { "!" };
        self.wrapped(text, &format!("  {sign:<2} "), &words);
    }

    fn section(&self, text: &mut String, section: &Section<'_>) {
        if section.rows.is_empty() {
            return;
        }
        text.push_str(&format!("\n{}\n", section.title));
        let names = section.rows.iter().map(|it| length(it.name.as_str()));
        let name_width = names.max().unwrap_or(0).min(30);
        let versions: Vec<String> = section.rows.iter().map(|it| versions(it)).collect();
        let widths = versions.iter().map(|text| length(text));
        let version_width = widths.max().unwrap_or(0).min(28);
        let sizes: Vec<String> = section.rows.iter().map(|it| size(it)).collect();
        let size_width = sizes.iter().map(|text| length(text)).max().unwrap_or(0);
        for ((change, version), size) in section.rows.iter().zip(&versions).zip(&sizes) {
            let name = pad(change.name.as_str(), name_width);
            let version = pad(version, version_width);
            let mut row = format!("  {} {name}  {version}", sign(change.kind));
            // An index need not tell sizes.
            if size_width > 0 {
                row.push_str(&format!("  {size:>size_width$}"));
            }
            let notes = notes(change, section.is_plain);
            let chain = Chain::of(self.preview, change);
            let room = self.width.saturating_sub(length(&row) + 2);
            let beside = fit(&chain.through(), room)
                .filter(|_| section.is_plain && notes.is_empty() && !self.verbose);
            let tail = beside.as_deref().unwrap_or(&notes);
            text.push_str(format!("{row}  {tail}").trim_end());
            text.push('\n');
            if beside.is_some() {
                continue;
            }
            if self.verbose {
                for line in chain.full() {
                    self.wrapped(text, "      ", &line);
                }
            } else {
                let room = self.width.saturating_sub(6);
                let parts = chain.short();
                let line = fit(&parts, room).unwrap_or_else(|| squeezed(&parts, room));
                let line = format!("      {line}");
                if !line.trim().is_empty() {
                    text.push_str(&line);
                    text.push('\n');
                }
            }
        }
    }

    fn act(&self, act: &Act) -> String {
        let line = format!("line {}", act.line);
        let head = format!("  {line:<9} {}  ", act.kind.shown());
        let room = self.width.saturating_sub(length(&head)).max(ROOM);
        format!("{head}{}\n", cut(&printable(&act.text), room))
    }

    /// Writes words under each other, the first line behind a lead.
    fn wrapped(&self, text: &mut String, lead: &str, words: &str) {
        let indent = " ".repeat(length(lead));
        let mut line = lead.to_owned();
        let mut is_fresh = true;
        let words = printable(words).replace(['\n', '\t'], " ");
        for word in words.split(' ').filter(|word| !word.is_empty()) {
            if !is_fresh && length(&line) + 1 + length(word) > self.width {
                text.push_str(line.trim_end());
                text.push('\n');
                line.clone_from(&indent);
                is_fresh = true;
            }
            if !is_fresh {
                line.push(' ');
            }
            line.push_str(word);
            is_fresh = false;
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn more(text: &mut String, count: usize, shown: usize) {
    if count > shown {
        text.push_str(&format!("  and {} more (-v shows all)\n", count - shown));
    }
}

/// What a point is about: `torch 2.4.1 → 2.5.0`.
pub(super) fn subject(point: &Attention) -> String {
    let Some(package) = &point.package else {
        return String::new();
    };
    let version = match (&point.from, &point.to) {
        (Some(from), Some(to)) if from != to => format!(" {from} → {to}"),
        (Some(version), _) | (None, Some(version)) => format!(" {version}"),
        (None, None) => String::new(),
    };
    format!("{package}{version}")
}

/// The parts of the table: what is taken from what is here comes first.
fn sections(changes: &[ChangeInfo]) -> [Section<'_>; 3] {
    let parts = others(changes);
    let part = |title, rows, is_plain| Section {
        title,
        rows,
        is_plain,
    };
    [
        part("changes of what is installed", parts.changed, false),
        part("new packages", parts.new, true),
        part("due anyway, without the nodes", parts.pending, true),
    ]
}

/// `1.0 → 1.1`, or the one version that there is.
fn versions(change: &ChangeInfo) -> String {
    match (&change.from, &change.to) {
        (Some(from), Some(to)) if from == to => from.clone(),
        (Some(from), Some(to)) => format!("{from} → {to}"),
        (from, to) => from.clone().or(to.clone()).unwrap_or_default(),
    }
}

fn size(change: &ChangeInfo) -> String {
    let bytes = change.bytes.filter(|_| change.kind != ChangeKind::Remove);
    bytes.map_or(String::new(), show_bytes)
}

fn notes(change: &ChangeInfo, is_plain: bool) -> String {
    let mut notes = Vec::new();
    if !is_plain || change.kind != ChangeKind::Add {
        let major = if change.major { "major " } else { "" };
        notes.push(format!("{major}{}", word(change.kind)));
    }
    for (holds, word) in [
        (change.protected, "PROTECTED"),
        (change.needs_rebuild, "NEEDS REBUILD"),
        (change.local_change, "another build"),
        (change.sdist, "built from source"),
        (change.new_index, "new index"),
    ] {
        if holds {
            notes.push(word.to_owned());
        }
    }
    notes.join(", ")
}

fn pad(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let missing = width.saturating_sub(length(&text));
    format!("{text}{}", " ".repeat(missing))
}

/// Cuts a text that is too long.
pub(super) fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}
