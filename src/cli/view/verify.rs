//! What is installed against what it says of itself.

use std::collections::BTreeMap;

use super::changes::counted;
use super::show_document;
use crate::cli::document::VerifyDocument;
use crate::cli::failure::{Exit, Next};
use crate::cli::screen::{Format, Screen};
use crate::environment::files::Depth;
use crate::ops::verify::{Fixed, Problem, ProblemKind, Verification};
use crate::package::artifact::printable;

/// How many files of one package are named.
const SHOWN: usize = 3;

/// Shows a verification, and what was repaired.
pub fn show_verification(screen: &Screen, found: &Verification, verbose: u8) -> Exit {
    let exit = if found.pass() { Exit::Done } else { Exit::No };
    if screen.format == Format::Json {
        let body = VerifyDocument::from(found);
        show_document(screen, "verify", &body, &next(found));
        return exit;
    }
    let mut text = String::new();
    if let Some(fixed) = &found.fixed {
        text.push_str(&fixed_text(fixed));
    }
    text.push_str(&problems_text(&found.problems, verbose > 0));
    if !found.waived.is_empty() {
        let unmet = counted(found.waived.len(), "requirement");
        text.push_str(&format!(
            "waived      {unmet} not met, and let be by the lock\n"
        ));
    }
    screen.result(text.trim_end());
    let packages = counted(found.packages, "package");
    let files = counted(found.files, "file");
    let how = match found.depth {
        Depth::Sizes | Depth::Newer | Depth::Unpacked => {
            "by size; portenv verify --deep reads them"
        }
        Depth::Contents => "by content",
    };
    let verdict = if found.pass() { "whole" } else { "not whole" };
    screen.note(&format!("{verdict}: {packages} with {files}, {how}"));
    if let Some(after) = found.fixed.as_ref().and_then(|fixed| fixed.after.as_ref()) {
        screen.note(&format!("snapshot {after}"));
    }
    for next in next(found) {
        screen.hint(&format!("{} {}", next.argv.join(" "), next.why));
    }
    exit
}

fn fixed_text(fixed: &Fixed) -> String {
    let mut text = String::new();
    for (name, version) in &fixed.reinstalled {
        text.push_str(&format!("reinstalled {name} {version}\n"));
    }
    for (from, to) in &fixed.moved {
        text.push_str(&format!(
            "moved       {} to {}\n",
            printable(from),
            printable(to)
        ));
    }
    if let Some(kept) = &fixed.kept {
        let kept = printable(kept);
        text.push_str(&format!(
            "kept        the files that were replaced, in {kept}\n"
        ));
    }
    for (package, reason) in &fixed.left {
        text.push_str(&format!(
            "left        {}: {}\n",
            printable(package),
            printable(reason)
        ));
    }
    text
}

/// Files of one package in one line, everything else in a line each.
fn problems_text(problems: &[Problem], verbose: bool) -> String {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut files: BTreeMap<(&str, &str), (usize, &Problem, Vec<&str>)> = BTreeMap::new();
    for (at, problem) in problems.iter().enumerate() {
        let word = match (problem.kind, problem.fails) {
            (ProblemKind::Missing, _) => "missing",
            (ProblemKind::Changed, true) => "changed",
            (ProblemKind::Changed, false) => "patched",
            (ProblemKind::Shared, true) => "shared",
            (ProblemKind::Shared, false) => "alike",
            (ProblemKind::Metadata, _) => "metadata",
            (ProblemKind::Unmet, _) => "unmet",
        };
        let is_file = matches!(problem.kind, ProblemKind::Missing | ProblemKind::Changed);
        match &problem.path {
            Some(path) if is_file && !verbose => {
                let key = (problem.package.as_str(), word);
                let (_, _, paths) = files.entry(key).or_insert((at, problem, Vec::new()));
                paths.push(path);
            }
            _ => {
                let about = match problem.kind {
                    // These name who they are about.
                    ProblemKind::Shared | ProblemKind::Unmet => String::new(),
                    _ => format!("{}: ", titled(problem)),
                };
                let line = format!("{word:<11} {about}{}\n", problem.message);
                lines.push((at, line));
            }
        }
    }
    for ((_, word), (at, problem, paths)) in files {
        let more = match paths.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let line = if paths.len() == 1 {
            format!("{word:<11} {}: {}\n", titled(problem), problem.message)
        } else {
            let first = printable(&paths[..paths.len().min(SHOWN)].join(", "));
            format!("{word:<11} {}: {first}{more}\n", titled(problem))
        };
        lines.push((at, line));
    }
    lines.sort_by_key(|(at, _)| *at);
    lines.into_iter().map(|(_, line)| line).collect()
}

fn titled(problem: &Problem) -> String {
    match &problem.version {
        Some(version) => format!("{} {version}", problem.package),
        None => printable(&problem.package),
    }
}

fn next(found: &Verification) -> Vec<Next> {
    let has = |kind: ProblemKind| {
        let mut problems = found.problems.iter();
        problems.any(|problem| problem.kind == kind && problem.fails)
    };
    let mut next = Vec::new();
    let mut problems = found.problems.iter();
    let is_broken = problems.any(|problem| problem.fixable && problem.fails);
    if is_broken && found.fixed.is_none() {
        let argv = ["portenv", "verify", "--fix"];
        let argv = argv.into_iter();
        let deep = (found.depth == Depth::Contents).then_some("--deep");
        next.push(Next::of(
            argv.chain(deep),
            true,
            "installs anew what is broken",
        ));
    }
    let mut unmet = found.problems.iter();
    let unmet = unmet.find(|it| it.kind == ProblemKind::Unmet && it.fails);
    if let Some(unmet) = unmet {
        let asked = unmet.others.first().map(ToString::to_string);
        let asked = asked.unwrap_or_else(|| unmet.package.clone());
        next.push(Next::of(
            ["portenv", "why", &asked],
            false,
            "tells who needs it, and what keeps other versions out",
        ));
    }
    if has(ProblemKind::Shared) {
        next.push(Next::new(
            "portenv check",
            false,
            "tells who asks for packages that overwrite each other",
        ));
    }
    if next.is_empty() && !found.pass() {
        next.push(Next::new(
            "portenv status",
            false,
            "shows what changed, and the way back",
        ));
    }
    next
}
