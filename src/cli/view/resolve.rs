//! Answers of `resolve` and `lock`.

use camino::Utf8Path;

use super::conflict;
use super::preview::without_nodes;
use super::{show_document, show_warnings, subset, waivers};
use crate::cli::document::resolution::StaleDocument;
use crate::cli::document::{
    ConflictDocument, LeftOutDocument, LockDocument, ResolveDocument, WaiverDocument,
    WarningDocument,
};
use crate::cli::failure::{Exit, Next};
use crate::cli::screen::{Format, Screen};
use crate::ops::lock::LockOutcome;
use crate::ops::resolve::ResolveOutcome;
use crate::ops::subset::Subset;
use crate::package::{Source, redact};
use crate::requirements::Problem;
use crate::requirements::origin::show_path;
use crate::resolve::resolution::Package;
use crate::resolve::{Outcome, Resolution};

/// Shows what `resolve` came to.
pub fn show_resolve(screen: &Screen, found: &ResolveOutcome, verbose: u8) -> Exit {
    let warnings = warnings(&found.problems, Some(&found.outcome));
    show_warnings(screen, &warnings, verbose);
    match screen.format {
        Format::Json => {
            let body =
                ResolveDocument::new(Some(&found.outcome), &found.targets, warnings, &found.stats);
            let next = match &found.outcome {
                Outcome::Resolved(_) => Vec::new(),
                Outcome::Conflicts(_) => {
                    let line = screen.line().clone();
                    vec![line.next("the same once one of the lines is another")]
                }
            };
            show_document(screen, "resolve", &body, &next);
        }
        _ => {
            if let Outcome::Resolved(resolution) = &found.outcome {
                screen.result(&text(resolution));
            }
        }
    }
    show_stats(screen, verbose, &found.outcome, &found.stats);
    finish(screen, &found.outcome)
}

/// Shows what `lock` came to.
pub fn show_lock(screen: &Screen, dir: &Utf8Path, found: &LockOutcome, verbose: u8) -> Exit {
    let mut warnings = warnings(&found.problems, found.outcome.as_ref());
    warnings.extend(found.warnings.iter().map(WarningDocument::of_warning));
    show_warnings(screen, &warnings, verbose);
    let path = show_path(dir, &found.path);
    if screen.format == Format::Json {
        let mut answer = ResolveDocument::new(
            found.outcome.as_ref(),
            &found.targets,
            warnings,
            &found.stats,
        );
        answer.conflicts.extend(ConflictDocument::all(&found.old));
        let body = LockDocument {
            answer,
            lock: path.clone(),
            written: found.written,
            stale: StaleDocument::all(&found.stale),
            waivers: WaiverDocument::all(&found.waivers),
            left_out: LeftOutDocument::all(&found.left_out),
            proved: found.subset.as_ref().map(Subset::is_proved),
        };
        let line = screen.line().clone();
        let next = match &found.outcome {
            None if found.stale.is_empty() => Vec::new(),
            None => vec![
                line.without("--check", false)
                    .next("brings the lock up to date"),
            ],
            Some(Outcome::Resolved(_)) => vec![Next::new(
                "portenv sync --dry-run",
                false,
                "shows what makes the environment equal the lock",
            )],
            Some(Outcome::Conflicts(conflicts)) => {
                let mut next = without_nodes(conflicts, &[]);
                // The core itself is never left out.
                if !next.is_empty() && !line.gives("--best-effort") {
                    let best = line.clone().with(["--best-effort"]);
                    next.insert(0, best.next("leaves out as few nodes as it takes"));
                }
                next.push(line.next("the same once one of the lines is another"));
                next
            }
        };
        show_document(screen, "lock", &body, &next);
    }
    let Some(outcome) = &found.outcome else {
        if found.stale.is_empty() {
            screen.note(&format!("`{path}` is up to date"));
            return Exit::Done;
        }
        screen.error(&format!("`{path}` is stale"));
        for reason in &found.stale {
            screen.note(&format!("  {}", reason.shown()));
        }
        screen.hint("portenv lock brings it up to date");
        return Exit::No;
    };
    if let Outcome::Resolved(resolution) = outcome {
        let verb = if found.written {
            "wrote"
        } else {
            "left as it was:"
        };
        screen.note(&format!(
            "{verb} `{path}` with {} packages",
            resolution.packages.len()
        ));
    }
    if !found.old.is_empty() {
        screen.warning(&format!(
            "{} conflicts were there before; their lines were left out",
            found.old.len()
        ));
    }
    if !found.left_out.is_empty() {
        let said = found.subset.as_ref().map(subset::verdict);
        screen.warning(&said.unwrap_or_else(|| match found.left_out.len() {
            1 => "1 node is left out".to_owned(),
            count => format!("{count} nodes are left out"),
        }));
        screen.note(subset::left_out(&found.left_out).trim_end());
    }
    if let Some(counted) = waivers::counted(&found.waivers) {
        screen.note(&counted);
    }
    show_stats(screen, verbose, outcome, &found.stats);
    if found.written && screen.format != Format::Json {
        screen.hint("portenv sync --dry-run shows what this changes, portenv sync does it");
    }
    finish(screen, outcome)
}

fn finish(screen: &Screen, outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Resolved(_) => Exit::Done,
        Outcome::Conflicts(conflicts) => {
            screen.error(conflict::to_text(conflicts).trim_end());
            Exit::No
        }
    }
}

/// Gathers warnings of reading and resolving.
pub fn warnings(problems: &[Problem], outcome: Option<&Outcome>) -> Vec<WarningDocument> {
    let mut all: Vec<WarningDocument> = problems.iter().map(WarningDocument::of_problem).collect();
    if let Some(Outcome::Resolved(resolution)) = outcome {
        all.extend(resolution.warnings.iter().map(WarningDocument::of_warning));
    }
    all
}

/// One `name==version` per line, with the first who asks.
fn text(resolution: &Resolution) -> String {
    let mut text = String::new();
    for package in &resolution.packages {
        let marker = package
            .marker
            .as_ref()
            .map_or(String::new(), |marker| format!(" ; {marker}"));
        text.push_str(&format!("{}{marker}\n", pinned(package)));
    }
    text
}

fn show_stats(screen: &Screen, verbose: u8, outcome: &Outcome, network: &[(&'static str, u64)]) {
    if verbose == 0 {
        return;
    }
    let mut parts: Vec<String> = network
        .iter()
        .filter(|(_, value)| *value > 0)
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    if let Outcome::Resolved(resolution) = outcome {
        parts.extend(
            resolution
                .stats
                .iter()
                .map(|(name, value)| format!("{name} {value}")),
        );
    }
    screen.note(&format!("stats: {}", parts.join(", ")));
}

/// A package as a line of a requirements file that means just it (PEP 508).
fn pinned(package: &Package) -> String {
    let name = &package.name;
    let fragment = |inner: &Option<String>| {
        let part = |dir: &String| format!("#subdirectory={dir}");
        inner.as_ref().map(part).unwrap_or_default()
    };
    match &package.source {
        Source::Index(_) => format!("{name}=={}", package.version),
        Source::Url { url, subdirectory } => {
            format!("{name} @ {}{}", redact(url), fragment(subdirectory))
        }
        Source::Git(vcs) => {
            let place = fragment(&vcs.subdirectory);
            format!("{name} @ git+{}@{}{place}", redact(&vcs.url), vcs.commit)
        }
        Source::Path { path, editable } => match (url::Url::from_file_path(path), editable) {
            (Ok(url), true) => format!("-e {url}"),
            (Ok(url), false) => format!("{name} @ {url}"),
            (Err(()), _) => path.clone(),
        },
    }
}
