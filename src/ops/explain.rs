//! `explain`: what a code of `check` means, or the last conflict with all its ways out, one
//! of which may be written to `portenv.toml`.

use camino::Utf8Path;

use super::context::Context;
use super::error::OpError;
use crate::gate::{Code, Page};
use crate::host::fs;
use crate::package::Name;
use crate::requirements::{Origin, OriginKind, Problem};
use crate::workspace::settings::Level;
use crate::workspace::{Installation, Settings, WorkspaceError};
use amend::{Clash, Reason, amend, fragment};
use kept::{Kept, KeptConflict, Way};

pub mod amend;
mod file;
pub mod kept;

const FILE: &str = "portenv.toml";

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// The code.
    pub code: Code,
    /// How it counts unless `portenv.toml` says otherwise.
    pub level: Level,
    /// Its page.
    pub page: Page,
}

/// The last conflict.
#[derive(Debug, Clone)]
pub struct LastConflict {
    /// What is known of it.
    pub kept: Kept,
    /// Something else is asked for by now.
    pub stale: bool,
}

/// What taking a way out came to.
#[derive(Debug, Clone)]
pub struct Taking {
    /// The conflict.
    pub last: LastConflict,
    /// The way out's number, from 1.
    pub number: usize,
    /// The way out.
    pub way: Way,
    /// How it is taken.
    pub by: TakenBy,
}

/// How a way out is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenBy {
    /// It was written to the file.
    Written {
        /// The file, from the root.
        file: String,
        /// What changed in it, as a unified diff.
        diff: String,
    },
    /// The file says so already.
    Already {
        /// The file, from the root.
        file: String,
    },
    /// A command does it, or flags of the one that met the conflict: not the file.
    Command,
}

/// Returns the codes in words: the first to the last.
pub fn codes() -> String {
    let ends = (Code::ALL.first(), Code::ALL.last());
    let word = |code: Option<&Code>| code.map_or("", |code| code.as_str());
    format!("{} to {}", word(ends.0), word(ends.1))
}

/// Explains a code. Needs no installation.
///
/// # Errors
///
/// Fails if there is no such code.
pub fn run(word: &str) -> Result<Explanation, OpError> {
    let found = Code::named(word.trim()).ok_or_else(|| {
        let message = format!("`{word}` is no code of check; these are {}", codes());
        OpError::Usage(message)
    })?;
    Ok(Explanation {
        code: found,
        level: found.default_level(),
        page: found.page(),
    })
}

/// Finds the last conflict of the installation, or of the working directory where there is
/// none. Asks no network.
///
/// # Errors
///
/// Fails if none is kept, or if `portenv.toml` cannot be read.
pub fn last(context: &Context) -> Result<LastConflict, OpError> {
    let installation = around(context)?;
    let root = installation.as_ref().map_or(&context.dir, |it| &it.root);
    let Some(cache) = &context.cache_dir else {
        let message = "no conflict is kept, since there is no cache";
        return Err(OpError::NoConflict(message.to_owned()));
    };
    let kept = kept::find(cache, root)
        .ok_or_else(|| OpError::NoConflict(format!("no conflict is kept of `{root}`")))?;
    let stale = kept.is_stale(context, installation.as_ref());
    Ok(LastConflict { kept, stale })
}

fn around(context: &Context) -> Result<Option<Installation>, OpError> {
    match context.installation() {
        Ok(installation) => Ok(Some(installation)),
        Err(OpError::Workspace(WorkspaceError::NotFound { .. })) if context.root.is_none() => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Takes a way out of the last conflict: writes it to `portenv.toml`, or says what else is
/// to be done.
///
/// # Errors
///
/// Fails if no conflict is kept, if it has no such way out, if the way out is to change a
/// line by hand, if the file says something that contradicts, or cannot be read or written.
pub fn take(context: &Context, number: usize) -> Result<Taking, OpError> {
    let mut last = last(context)?;
    let (conflict, way) = way_out(&last.kept, number)?;
    let taking = |last: LastConflict, by: TakenBy| Taking {
        last,
        number,
        way: way.clone(),
        by,
    };
    if way.amendments.is_empty() {
        if way.flags.is_empty() && way.command.is_empty() {
            return Err(OpError::Refused(by_hand(&conflict, &way, number)));
        }
        return Ok(taking(last, TakenBy::Command));
    }
    let root = context.installation()?.root;
    let file = FILE.to_owned();
    // Through a link, so that it stays one.
    let path = root.join(FILE);
    let path = fs::canonical(&path).unwrap_or(path);
    let before = fs::find_text(&path)?.unwrap_or_default();
    Settings::parse(&before, Utf8Path::new(FILE)).map_err(WorkspaceError::from)?;
    let reason = reason(&last.kept, &conflict);
    let after =
        amend(&before, &way.amendments, Some(&reason)).map_err(|clash| refused(clash, &way))?;
    if after == before {
        return Ok(taking(last, TakenBy::Already { file }));
    }
    let holds = || amend(&after, &way.amendments, None).as_ref() == Ok(&after);
    if Settings::parse(&after, Utf8Path::new(FILE)).is_err() || !holds() {
        let shown = fragment(&way.amendments).unwrap_or_else(|| way.text.clone());
        let message =
            format!("`{FILE}` is written in a way that cannot be amended; do it by hand:\n{shown}");
        return Err(OpError::Refused(message));
    }
    fs::write_atomic(&path, after.as_bytes())?;
    let diff = difference(&before, &after);
    if let Ok(now) = context.installation() {
        last.kept.take(context, &now, number);
    }
    Ok(taking(last, TakenBy::Written { file, diff }))
}

fn way_out(kept: &Kept, number: usize) -> Result<(KeptConflict, Way), OpError> {
    let mut ways = kept.ways().enumerate();
    let found = ways.find(|(at, _)| at + 1 == number);
    found
        .map(|(_, (conflict, way))| (conflict.clone(), way.clone()))
        .ok_or_else(|| {
            OpError::Usage(match kept.ways().count() {
                0 => "the last conflict has no way out".to_owned(),
                1 => format!("there is no way out {number}, only one"),
                count => format!("there is no way out {number}; there are 1 to {count}"),
            })
        })
}

/// Says where the line is that only a person can change.
fn by_hand(conflict: &KeptConflict, way: &Way, number: usize) -> String {
    let places: Vec<String> = (conflict.requirements.iter())
        .map(|line| line.origin.place_of_line())
        .filter(|place| way.text.contains(&format!("({place})")))
        .collect();
    let place = match places.as_slice() {
        [] => "a line".to_owned(),
        places => places.join(" and "),
    };
    format!(
        "way out {number} is no setting; change {place} by hand: {}",
        way.text
    )
}

fn refused(clash: Clash, way: &Way) -> OpError {
    let file = Origin::file(OriginKind::Policy, None, FILE);
    let problem = Problem::error("refused", file.at(clash.line, clash.column), clash.message);
    OpError::Problems(vec![match way.flags.as_slice() {
        [] => problem,
        flags => problem.with_fix(format!("for one command: {}", flags.join(" "))),
    }])
}

fn reason(kept: &Kept, conflict: &KeptConflict) -> Reason {
    const MOST: usize = 6;
    let names: Vec<&str> = conflict.packages.iter().map(Name::as_str).collect();
    let day: String = kept.time.chars().take(10).collect();
    let about = match conflict.requirements.as_slice() {
        [_] => format!("a way out: this line could not be met on {day}"),
        _ => format!("a way out of a conflict over {} on {day}", names.join(", ")),
    };
    let all = &conflict.requirements;
    let mut lines: Vec<String> = (all.iter().take(MOST))
        .map(|line| {
            // Which node it is of can be told from the file.
            format!("{}: {}", line.origin.place_of_line(), line.requirement)
        })
        .collect();
    if all.len() > MOST {
        lines.push(format!("and {} more", all.len() - MOST));
    }
    Reason { about, lines }
}

fn difference(before: &str, after: &str) -> String {
    let diff = similar::TextDiff::from_lines(before, after);
    let mut diff = diff.unified_diff();
    diff.header(FILE, FILE).to_string()
}
