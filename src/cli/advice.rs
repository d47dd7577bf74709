//! What to run next after a failure.

use super::document::{ErrorCode, Next};
use super::failure::{Failure, Mend};
use super::line::Line;

/// Commands that take the flags of the resolver.
const RESOLVING: [&str; 10] = [
    "resolve", "lock", "preview", "check", "add", "remove", "update", "enable", "disable", "why",
];

/// Commands that can put changed files aside.
const STASHING: [&str; 4] = ["rollback", "undo", "redo", "update"];

/// Returns what to run after a failure; never nothing.
pub fn after_failure(failure: &Failure, line: &Line) -> Vec<Next> {
    let mut next: Vec<Next> = failure
        .mends
        .iter()
        .map(|mend| mended(line, mend))
        .collect();
    next.extend(failure.next.iter().cloned());
    if next.is_empty() {
        next = usual(failure, line);
    }
    next
}

fn mended(line: &Line, mend: &Mend) -> Next {
    match mend {
        Mend::Set { flag, value, why } => line.clone().set(flag, value).next(*why),
        Mend::Replace { word, by, why } => line.clone().replaced(word, by).next(*why),
    }
}

fn usual(failure: &Failure, line: &Line) -> Vec<Next> {
    let again = |why: &str| line.clone().next(why);
    let status = || Next::new("portenv status", false, "shows the installation as it is");
    let resolves = RESOLVING.contains(&line.command());
    match failure.code {
        ErrorCode::Usage => vec![help(line, "lists arguments and flags")],
        ErrorCode::NoInstallation | ErrorCode::AmbiguousInstallation => {
            vec![help(line, "tells how to name the installation: --root DIR")]
        }
        ErrorCode::NoPython => vec![help(line, "tells how to name the Python: --python PATH")],
        ErrorCode::PythonMismatch => vec![Next::new(
            "portenv snapshot list",
            false,
            "shows the Python of each snapshot",
        )],
        ErrorCode::InvalidRequirement if resolves => vec![
            again("the same once the line is mended"),
            line.clone()
                .without("--skip-invalid", false)
                .with(["--skip-invalid"])
                .next("passes over such lines"),
        ],
        ErrorCode::InvalidFile
        | ErrorCode::InvalidRequirement
        | ErrorCode::InvalidPolicy
        | ErrorCode::InvalidLock => vec![again("the same once the file is mended")],
        ErrorCode::NewerFormat => vec![
            Next::new(
                "portenv --version",
                false,
                "shows the version that is too old",
            )
            .as_typed(),
        ],
        ErrorCode::NotFound | ErrorCode::AmbiguousId | ErrorCode::Internal => vec![status()],
        ErrorCode::Confirm => match &failure.plan {
            Some(plan) => vec![
                line.clone()
                    .unsigned()
                    .with(["--plan", plan])
                    .next("applies exactly this plan"),
            ],
            None => vec![status()],
        },
        ErrorCode::Refused => vec![status()],
        ErrorCode::Dirty => {
            let mut next = vec![
                status(),
                again("the same once the changes are committed or stashed"),
            ];
            if STASHING.contains(&line.command()) && !line.gives("--stash") {
                let stash = line.clone().with(["--stash"]);
                next.insert(1, stash.next("puts the changes aside under a name first"));
            }
            next
        }
        ErrorCode::PlanStale => vec![look_again(line)],
        ErrorCode::Network => {
            let mut next = vec![again("the same once the server answers")];
            if !line.gives("--offline") {
                let offline = line.clone().with(["--offline"]);
                next.push(offline.next("uses only what is in the cache"));
            }
            next
        }
        ErrorCode::Offline => vec![
            line.clone()
                .without("--offline", false)
                .next("asks the network"),
        ],
        ErrorCode::Git => vec![again("the same once the repository can be read")],
        ErrorCode::Integrity if resolves => vec![
            line.clone()
                .without("--refresh", false)
                .with(["--refresh"])
                .next("asks anew for what was answered wrongly"),
        ],
        ErrorCode::Integrity => vec![again("asks anew for what was answered wrongly")],
        ErrorCode::Busy => vec![again("the same once the other has ended"), status()],
        ErrorCode::InUse => vec![again("the same once nothing is in the way"), status()],
        ErrorCode::Disk | ErrorCode::Permission => {
            vec![again("the same once it can be written"), status()]
        }
        ErrorCode::Uv => vec![again("the same once there is a uv"), status()],
        ErrorCode::Apply => vec![status(), again("tries again; the state before stands")],
        ErrorCode::Broken => vec![Next::new(
            "portenv recover",
            true,
            "tries again to put the state before back",
        )],
        ErrorCode::Interrupted => vec![status(), again("begins again")],
    }
}

/// Says what the plan is now; changes nothing.
fn look_again(line: &Line) -> Next {
    let unsigned = line.clone().unsigned();
    match line.command() {
        "add" => unsigned
            .renamed("preview")
            .next("shows the plan as it is now"),
        "sync" | "rollback" | "undo" | "redo" => unsigned
            .with(["--dry-run"])
            .next("shows the plan as it is now"),
        _ => unsigned.next("names the plan as it is now, and asks"),
    }
}

fn help(line: &Line, why: &str) -> Next {
    let name = line.named();
    let words = std::iter::once("portenv").chain(name).chain(["--help"]);
    Next::of(words, false, why).as_typed()
}
