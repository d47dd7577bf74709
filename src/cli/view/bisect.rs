//! Which snapshot broke a command.

use super::changes::counted;
use super::show_document;
use super::snapshot::rows_to_text;
use crate::cli::document::bisect::BisectDocument;
use crate::cli::failure::{Exit, Next};
use crate::cli::screen::{Format, Screen};
use crate::ops::bisect::{BisectOutcome, Event, Verdict};
use crate::package::artifact::printable;

/// Returns what is told on the way.
pub fn event_to_text(event: &Event<'_>) -> String {
    match event {
        Event::Trying(snapshot, more) => format!(
            "trying {}, at most about {more} more: {}",
            snapshot.id,
            printable(&snapshot.operation.command)
        ),
        Event::Tried(trial) => {
            let word = match trial.verdict {
                Verdict::Good => "good",
                Verdict::Bad => "bad",
                Verdict::Skip => "passed over",
            };
            let code = trial.code.filter(|code| *code != 0);
            let code = code.map_or(String::new(), |code| format!(" ({code})"));
            format!("{} is {word}{code}", trial.snapshot)
        }
        Event::Returning => "going back to where it began".to_owned(),
    }
}

/// Shows which snapshot broke a command.
pub fn show_bisect(screen: &Screen, outcome: &BisectOutcome) -> Exit {
    let found = match outcome.suspects.as_slice() {
        [found] => Some(&found.snapshot.id),
        _ => None,
    };
    let exit = if found.is_some() {
        Exit::Done
    } else {
        Exit::No
    };
    let last = outcome.suspects.first().map(|last| &last.snapshot.id);
    let words = ["portenv", "diff", &outcome.good];
    let diff = Next::of(words, false, "shows what was changed").with(last.cloned());
    let words = ["portenv", "rollback", &outcome.good];
    let back = Next::of(words, true, "goes to the newest snapshot known to be good");
    if screen.format == Format::Json {
        let document = BisectDocument::from(outcome);
        show_document(screen, "bisect", &document, &[diff, back]);
        return exit;
    }
    screen.result(rows_to_text(&outcome.suspects).trim_end());
    screen.note(&match found {
        Some(id) => format!("{id} is the first bad snapshot"),
        None => format!(
            "the first bad snapshot is one of these {}; the others could not be told",
            outcome.suspects.len()
        ),
    });
    let tried = counted(outcome.trials.len(), "snapshot");
    screen.note(&format!("{tried} tried; everything is as it was before"));
    screen.hint(&format!(
        "portenv rollback {} goes to the newest that is good",
        outcome.good
    ));
    exit
}
