//! What a check found.

use std::fmt::Write;

use super::preview::without_nodes;
use super::{conflict, show_document, subset};
use crate::cli::document::CheckDocument;
use crate::cli::failure::{Exit, Next};
use crate::cli::screen::{Format, Screen};
use crate::gate::Code;
use crate::ops::check::CheckOutcome;
use crate::package::artifact::printable;

/// Shows what a check found.
pub fn show_check(screen: &Screen, found: &CheckOutcome) -> Exit {
    let status = if found.pass { "pass" } else { "fail" };
    match screen.format {
        Format::Json => {
            let next = next(screen, found);
            show_document(screen, "check", &CheckDocument::from(found), &next);
        }
        Format::Markdown => {
            let mut text = format!("## portenv check: {status}\n\n");
            for finding in &found.findings {
                let place = finding.origin.as_ref().map_or(String::new(), |origin| {
                    format!(" (`{}`)", origin.place_of_line())
                });
                let _ = writeln!(
                    text,
                    "- **{}** {}: {}{place}",
                    finding.code,
                    finding.level,
                    printable(&finding.message)
                );
            }
            if let Some(found) = &found.subset {
                let _ = write!(text, "\n```\n{}```\n", subset::text(found.as_ref()));
            }
            screen.result(&text);
        }
        Format::Text => {
            let mut text = String::new();
            for finding in &found.findings {
                let place = finding.origin.as_ref().map_or(String::new(), |origin| {
                    format!("{}: ", origin.place_of_line())
                });
                let _ = writeln!(
                    text,
                    "{} {}: {place}{}",
                    finding.level,
                    finding.code,
                    printable(&finding.message)
                );
            }
            if let Some(found) = &found.subset {
                text.push_str(&subset::text(found.as_ref()));
            }
            let _ = write!(text, "check: {status}");
            screen.result(&text);
        }
    }
    if !found.conflicts.is_empty() {
        screen.note(conflict::to_text(&found.conflicts).trim_end());
    }
    if found.pass { Exit::Done } else { Exit::No }
}

fn next(screen: &Screen, found: &CheckOutcome) -> Vec<Next> {
    if found.pass {
        return Vec::new();
    }
    let fails = |code: Code| {
        let mut failing = found.findings.iter().filter(|it| it.level == "error");
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
    next.extend(without_nodes(&found.conflicts, &[]));
    next.push(
        screen
            .line()
            .clone()
            .next("looks again once that is mended"),
    );
    next
}
