//! `demo`: a tour in a throw-away installation made from files in the binary.
//!
//! Every step runs this very program the way a person would, so what is shown is
//! what it does. Nothing is left behind.

use camino::{Utf8Path, Utf8PathBuf};

use super::document::demo::{DemoDocument, DemoStep, DemoWord};
use super::failure::{ErrorCode, Exit, Failure};
use super::screen::{Format, Screen};
use super::view::show_document;
use crate::host::fs;
use crate::host::process::Call;
use crate::ops::Context;
use crate::ops::demo::{Tour, prepare};
use crate::package::artifact::printable;

/// One step: what is said, what is typed, and how it is meant to end.
struct Step {
    says: &'static str,
    types: &'static [&'static str],
    ends: Exit,
}

const STEPS: [Step; 9] = [
    Step {
        says: "A ComfyUI with two requirements and no snapshot yet. portenv looks around and records it.",
        types: &["init"],
        ends: Exit::Done,
    },
    Step {
        says: "Core and nodes are resolved together into one lock, and the environment is made equal to it.",
        types: &["lock"],
        ends: Exit::Done,
    },
    Step {
        says: "",
        types: &["sync", "--yes"],
        ends: Exit::Done,
    },
    Step {
        says: "What would the node soft-light do? It would take tour-tensor back below 2.",
        types: &["preview", "soft-light"],
        ends: Exit::Done,
    },
    Step {
        says: "That is fine with us: one operation adds the node, the packages and a snapshot.",
        types: &["add", "soft-light", "--yes"],
        ends: Exit::Done,
    },
    Step {
        says: "deep-mask wants tour-tensor 2. Nothing is installed; the answer names both files.",
        types: &["preview", "deep-mask"],
        ends: Exit::No,
    },
    Step {
        says: "Now something else changes the environment behind portenv's back.",
        types: &[],
        ends: Exit::Done,
    },
    Step {
        says: "portenv sees it,",
        types: &["status"],
        ends: Exit::Done,
    },
    Step {
        says: "and goes back over it. The wrong turn stays in the history.",
        types: &["rollback", "--yes"],
        ends: Exit::Done,
    },
];

/// Runs the tour.
///
/// # Errors
///
/// Fails if the installation cannot be made or a step ends otherwise than meant.
pub fn run(context: &Context, screen: &Screen, dir: Option<&Utf8Path>) -> Result<Exit, Failure> {
    let guard = tempfile::Builder::new().prefix("portenv-demo-").tempdir();
    let guard = guard.map_err(|error| {
        Failure::new(
            ErrorCode::Disk,
            format!("a temporary directory cannot be made: {error}"),
        )
    })?;
    let base = match dir {
        Some(dir) => context.dir.join(dir),
        None => Utf8PathBuf::from_path_buf(guard.path().to_owned())
            .map_err(|_| Failure::new(ErrorCode::Usage, "the temporary directory is not UTF-8"))?,
    };
    context
        .progress
        .begin("making a throw-away installation", None);
    let tour = prepare(context, &base);
    context.progress.end();
    let tour = tour?;
    say(screen, &format!("A tour of portenv, in {}\n", tour.root));
    let last = Step {
        says: "",
        types: &["snapshot", "list"],
        ends: Exit::Done,
    };
    for step in STEPS.iter().chain([&last]) {
        if context.cancel.is_requested() {
            return Err(Failure::new(ErrorCode::Interrupted, "interrupted"));
        }
        take(screen, &tour, step)?;
    }
    let end = if dir.is_some() {
        "The installation stays where you wanted it."
    } else {
        "The throw-away installation is gone."
    };
    say(
        screen,
        &format!("{end} On your own: cd ComfyUI && portenv init"),
    );
    // A directory that was named is the user's; it is kept.
    if dir.is_none() {
        fs::remove_all(&base).map_err(crate::ops::OpError::from)?;
    }
    if screen.format == Format::Json {
        let body = DemoDocument {
            status: DemoWord::Done,
            root: tour.root.to_string(),
            kept: dir.is_some(),
            steps: STEPS.iter().chain([&last]).filter_map(shown).collect(),
        };
        show_document(screen, "demo", &body, &[]);
    }
    Ok(Exit::Done)
}

fn shown(step: &Step) -> Option<DemoStep> {
    let argv = std::iter::once("portenv").chain(step.types.iter().copied());
    (!step.types.is_empty()).then(|| DemoStep {
        argv: argv.map(str::to_owned).collect(),
        exit: step.ends as u8,
        says: step.says.to_owned(),
    })
}

/// A document is all that stdout has, if one is wanted.
fn say(screen: &Screen, text: &str) {
    if screen.format == Format::Json {
        screen.note(text);
    } else {
        screen.result(text);
    }
}

fn take(screen: &Screen, tour: &Tour, step: &Step) -> Result<(), Failure> {
    if !step.says.is_empty() {
        say(screen, &format!("# {}", step.says));
    }
    let broken = |detail: String| {
        Failure::new(
            ErrorCode::Internal,
            format!("the tour went wrong: {detail}"),
        )
    };
    if step.types.is_empty() {
        say(screen, &format!("$ {}", tour.breakage_shown));
        let finished = tour
            .breakage()
            .run()
            .map_err(|error| broken(error.to_string()))?;
        say(screen, &indent(&finished.stderr));
        return if finished.ok() {
            Ok(())
        } else {
            Err(broken("uv failed".to_owned()))
        };
    }
    say(screen, &format!("$ portenv {}", step.types.join(" ")));
    let program = std::env::current_exe().map_err(|error| broken(error.to_string()))?;
    let mut call = Call::new(program.to_string_lossy().into_owned())
        .args(step.types.iter().copied())
        .dir(&tour.root);
    for (name, value) in &tour.variables {
        call = call.env(name, value.clone());
    }
    let finished = call.run().map_err(|error| broken(error.to_string()))?;
    say(screen, &indent(&printable(&finished.text())));
    say(screen, &indent(&printable(&finished.stderr)));
    if finished.code == Some(step.ends as i32) {
        return Ok(());
    }
    Err(broken(format!(
        "`portenv {}` ended with {:?}",
        step.types.join(" "),
        finished.code
    )))
}

fn indent(text: &str) -> String {
    text.lines().flat_map(|line| ["  ", line, "\n"]).collect()
}
