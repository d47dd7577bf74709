//! What a check found, in the forms that CI systems read: one file per form.

use std::fmt::Write;

use super::preview::without_nodes;
use super::{beside, conflict, show_document, show_warnings, subset};
use crate::cli::document::{CheckDocument, WarningDocument};
use crate::cli::failure::{Exit, Failure, Next};
use crate::cli::screen::{Format, Screen};
use crate::gate::{Code, Finding};
use crate::ops::check::CheckOutcome;
use crate::resolve::Conflict;

mod github;
mod junit;
mod markdown;
mod sarif;

/// Shows what a check found.
pub fn show_check(screen: &Screen, found: &CheckOutcome, verbose: u8) -> Exit {
    let warnings = found.warnings.iter().map(WarningDocument::of_warning);
    show_warnings(screen, &warnings.collect::<Vec<_>>(), verbose);
    match screen.format {
        Format::Json => {
            let next = next(screen, found);
            show_document(screen, "check", &CheckDocument::from(found), &next);
        }
        Format::Markdown => screen.result(&markdown::of(found)),
        Format::Github => screen.result(&github::of(found)),
        Format::Sarif => screen.result(&sarif::of(found)),
        Format::Junit => screen.result(&junit::of(found)),
        Format::Text => screen.result(&text(found)),
    }
    // Where lines of a log are commands, what strangers wrote stays out of it.
    if !found.conflicts.is_empty() && screen.format != Format::Github {
        screen.note(conflict::to_text(&found.conflicts).trim_end());
        if let Some(instant) = found.as_of {
            screen.hint(&format!(
                "what was uploaded after {instant} does not count; --now takes what indexes have today"
            ));
        }
    }
    if found.pass { Exit::Done } else { Exit::No }
}

/// Shows that a check could not be done: no reader may take that for a pass.
pub fn show_failed(screen: &Screen, failure: &Failure) {
    match screen.format {
        Format::Markdown => screen.result(&markdown::failed(failure)),
        Format::Github => screen.result(&github::failed(failure)),
        Format::Sarif => screen.result(&sarif::failed(failure)),
        Format::Junit => screen.result(&junit::failed(failure)),
        Format::Text | Format::Json => {}
    }
}

fn status(found: &CheckOutcome) -> &'static str {
    if found.pass { "pass" } else { "fail" }
}

/// How a finding counts once it is known whether it was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Error,
    Warning,
    /// It was there before, and only what is new counts.
    Old,
}

impl Weight {
    fn of(found: &CheckOutcome, finding: &Finding) -> Self {
        match (found.fails(finding), finding.new || !found.only_new) {
            (true, _) => Self::Error,
            (false, true) => Self::Warning,
            (false, false) => Self::Old,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Old => "old",
        }
    }
}

fn page_of(finding: &Finding) -> Option<crate::gate::Page> {
    Code::named(finding.code).map(Code::page)
}

/// Counts findings in words: `2 errors, 1 warning`.
fn counted(found: &CheckOutcome) -> String {
    let of = |weight: Weight| {
        let all = found.findings.iter();
        all.filter(|it| Weight::of(found, it) == weight).count()
    };
    let words = |count: usize, word: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{count} {many}")),
    };
    let parts: Vec<String> = [
        words(of(Weight::Error), "error", "errors"),
        words(of(Weight::Warning), "warning", "warnings"),
        words(of(Weight::Old), "old finding", "old findings"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() {
        "nothing found".to_owned()
    } else {
        parts.join(", ")
    }
}

fn conflict_of<'c>(found: &'c CheckOutcome, finding: &Finding) -> Option<&'c Conflict> {
    found.conflicts.get(finding.conflict?)
}

/// A finding's message with the lines at fault and the ways out, one a line.
fn in_full(found: &CheckOutcome, finding: &Finding) -> String {
    const MOST: usize = 3;
    let mut text = finding.message.clone();
    let Some(conflict) = conflict_of(found, finding) else {
        return text;
    };
    // The message names the lines one after the other; here each gets a line of its own.
    if let Some(first) = conflict.requirements.first() {
        let place = first.origin.place_of_line();
        let told = format!("; {} ({place}) asks for ", first.origin.owner());
        if let Some(at) = text.find(&told) {
            text.truncate(at);
            text.push(':');
        }
    }
    for line in &conflict.requirements {
        let place = line.origin.place_of_line();
        let owner = line.origin.owner();
        let _ = write!(text, "\n{owner}, {place}: {}", line.requirement);
        for step in &line.via {
            let version = step.version.trim_start_matches("==");
            let _ = write!(
                text,
                "\n  {} {version} needs {}",
                step.package, step.requirement
            );
        }
    }
    for way in conflict.suggestions.iter().take(MOST) {
        let flags = way.flags.join(" ");
        let _ = write!(text, "\nway out (tried): {} {flags}", way.text);
        text.truncate(text.trim_end().len());
    }
    text
}

fn text(found: &CheckOutcome) -> String {
    let mut text = String::new();
    for finding in &found.findings {
        let place = finding.origin.as_ref().map_or(String::new(), |origin| {
            format!("{}: ", origin.place_of_line())
        });
        let level = match Weight::of(found, finding) {
            Weight::Old => "old",
            _ => finding.level,
        };
        let _ = writeln!(text, "{level} {}: {place}{}", finding.code, finding.message);
    }
    if let Some(rows) = &found.beside {
        text.push_str(&beside::text(rows));
    }
    if let Some(found) = &found.subset {
        text.push_str(&subset::text(found.as_ref()));
    }
    let _ = write!(text, "check: {}", status(found));
    if let Some(against) = against(found) {
        let _ = write!(text, ", against {against}");
    }
    text
}

/// Says what stood for an installation, and of which instant it is.
fn against(found: &CheckOutcome) -> Option<String> {
    let core = found.core.as_ref();
    let core = core.map(|release| format!("ComfyUI {}", release.name));
    let mut text = found.against.clone().or(core)?;
    if let Some(instant) = found.as_of {
        let _ = write!(text, " as of {instant}");
    }
    Some(text)
}

fn next(screen: &Screen, found: &CheckOutcome) -> Vec<Next> {
    if found.pass {
        return Vec::new();
    }
    let fails = |code: Code| {
        let mut failing = found.findings.iter().filter(|it| found.fails(it));
        failing.any(|finding| finding.code == code.as_str())
    };
    let mut next = Vec::new();
    if fails(Code::Stale) {
        next.push(Next::new(
            "portenv lock",
            true,
            "brings the lock up to date",
        ));
    } else if fails(Code::Environment) {
        next.push(Next::new(
            "portenv sync --dry-run",
            false,
            "shows what makes the environment equal the lock",
        ));
    }
    let is_installation = found.places.owners.is_none();
    if is_installation {
        next.extend(without_nodes(&found.conflicts, &[]));
    }
    next.push(
        screen
            .line()
            .clone()
            .next("looks again once that is mended"),
    );
    next
}
