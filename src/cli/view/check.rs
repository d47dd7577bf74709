//! What a check found.

use std::fmt::Write;

use super::{conflict, show_document};
use crate::cli::document::CheckDocument;
use crate::cli::failure::{Exit, Next};
use crate::cli::screen::{Format, Screen};
use crate::ops::check::CheckOutcome;
use crate::package::artifact::printable;

/// Shows what a check found.
pub fn show_check(screen: &Screen, found: &CheckOutcome) -> Exit {
    let status = if found.pass { "pass" } else { "fail" };
    match screen.format {
        Format::Json => {
            let next = if found.pass {
                Vec::new()
            } else {
                vec![Next::new(
                    "portenv lock",
                    true,
                    "resolves anew, where the lock is stale",
                )]
            };
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
            let _ = write!(text, "check: {status}");
            screen.result(&text);
        }
    }
    if !found.conflicts.is_empty() {
        screen.note(conflict::to_text(&found.conflicts).trim_end());
    }
    if found.pass { Exit::Done } else { Exit::No }
}
