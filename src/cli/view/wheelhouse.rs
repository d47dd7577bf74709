//! What filling and checking a folder of wheels came to.

use super::changes::counted;
use super::{show_document, show_warnings};
use crate::cli::document::wheelhouse::{
    WheelhouseBuildDocument, WheelhouseBuildWord, WheelhouseCheckDocument,
};
use crate::cli::failure::{Exit, Next};
use crate::cli::screen::{Format, Screen};
use crate::ops::wheelhouse::build::{BuildOutcome, Fate};
use crate::ops::wheelhouse::check::CheckOutcome;
use crate::package::artifact::{printable, show_bytes};
use crate::wheelhouse::Provenance;

/// Shows what filling a folder came to.
pub fn show_build(screen: &Screen, outcome: &BuildOutcome) -> Exit {
    let body = WheelhouseBuildDocument::from(outcome);
    let exit = if body.status == WheelhouseBuildWord::Incomplete {
        Exit::No
    } else {
        Exit::Done
    };
    show_warnings(screen, &body.warnings, 1);
    let dir = outcome.dir.as_str();
    let next = [Next::of(
        ["portenv", "wheelhouse", "check", dir],
        false,
        "proves, from the folder alone, what it lacks",
    )];
    if screen.format == Format::Json {
        show_document(screen, "wheelhouse", &body, &next);
        return exit;
    }
    let mut text = String::new();
    for (file, fate) in &outcome.files {
        if *fate == Fate::New {
            let word = match file.from {
                Provenance::Fetched => "fetched",
                Provenance::Copied | Provenance::Source => "copied",
                Provenance::Built => "built",
                Provenance::Repacked => "repacked",
            };
            let size = show_bytes(file.size);
            text.push_str(&format!("{word:<9} {} ({size})\n", printable(&file.name)));
        }
    }
    for (name, removed) in &outcome.stale {
        let word = if *removed { "removed" } else { "stale" };
        text.push_str(&format!("{word:<9} {}\n", printable(name)));
    }
    for gap in &outcome.gaps {
        let version = gap.version.as_deref().unwrap_or("");
        let line = format!(
            "lacking   {} {version} for {}: {}",
            gap.package, gap.target, gap.reason
        );
        text.push_str(&format!("{}\n", printable(&line)));
    }
    screen.result(text.trim_end());
    let wheels = counted(outcome.files.len(), "wheel");
    let (all, came) = (show_bytes(body.bytes), show_bytes(body.fetched_bytes));
    screen.note(&format!(
        "`{dir}` has {wheels} with {all} for {}; {came} were fetched",
        outcome.targets.join(", ")
    ));
    if exit == Exit::No {
        let gaps = counted(outcome.gaps.len(), "wheel");
        screen.note(&format!("not complete: {gaps} lacking"));
    } else {
        screen.hint("portenv wheelhouse check proves that nothing is lacking, without a network");
    }
    exit
}

/// Shows whether a folder will do.
pub fn show_check(screen: &Screen, outcome: &CheckOutcome) -> Exit {
    let exit = if outcome.pass() { Exit::Done } else { Exit::No };
    if screen.format == Format::Json {
        let body = WheelhouseCheckDocument::from(outcome);
        let dir = outcome.dir.as_str();
        let next: &[Next] = &[Next::of(
            ["portenv", "wheelhouse", "build", dir],
            true,
            "brings what is lacking, where there is a network",
        )];
        let next = if outcome.findings.is_empty() {
            &[]
        } else {
            next
        };
        show_document(screen, "wheelhouse", &body, next);
        return exit;
    }
    let mut text = String::new();
    for finding in &outcome.findings {
        let word = if finding.code.is_error() {
            "error"
        } else {
            "warning"
        };
        let on = finding.target.as_ref();
        let on = on.map_or_else(String::new, |target| format!(" ({target})"));
        let line = format!("{word:<8} {}{on}", finding.message);
        text.push_str(&format!("{}\n", printable(&line)));
    }
    screen.result(text.trim_end());
    let wheels = counted(outcome.files, "wheel");
    let verdict = if outcome.pass() {
        "complete"
    } else {
        "not complete"
    };
    screen.note(&format!(
        "{verdict}: {} in {wheels} with {} for {}",
        counted(outcome.packages, "package"),
        show_bytes(outcome.bytes),
        outcome.targets.join(", ")
    ));
    if !outcome.pass() {
        screen.hint("portenv wheelhouse build, where there is a network, brings what is lacking");
    }
    exit
}
