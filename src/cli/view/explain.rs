//! What a code of `check` means, and the last conflict.

use std::fmt::Write;

use camino::Utf8Path;
use clap::Parser;

use super::conflict::{MOST, in_full, wrapped};
use super::show_document;
use super::snapshot::local_time;
use crate::cli::args::Cli;
use crate::cli::document::{ExplainDocument, LastConflictDocument, Next};
use crate::cli::failure::Exit;
use crate::cli::line::Line;
use crate::cli::screen::{Format, Screen};
use crate::ops::explain::kept::{Kept, Way};
use crate::ops::explain::{Explanation, LastConflict, TakenBy, Taking};

/// Shows the page of a code.
pub fn show_explanation(screen: &Screen, found: &Explanation) -> Exit {
    let page = ExplainDocument::from(found);
    if screen.format == Format::Json {
        show_document(screen, "explain", &page, &[]);
        return Exit::Done;
    }
    let width = usize::from(Screen::width());
    let mut text = format!("{}: {}\n", page.code, page.title);
    for (head, body) in [
        ("what it means", page.meaning),
        ("why it matters", page.why),
        ("how to mend it", page.mend),
    ] {
        let _ = write!(text, "\n{head}\n{}", wrapped(body, "  ", "  ", width));
    }
    let _ = write!(
        text,
        "\nhow to switch it off\n  It counts as `{}` by default. In portenv.toml:\n\n",
        page.level
    );
    for line in page.switch.lines() {
        let _ = writeln!(text, "    {line}");
    }
    let _ = write!(
        text,
        "\n  \"warn\" shows it only, \"error\" lets it fail the check."
    );
    screen.result(&text);
    Exit::Done
}

/// Says where to read more of a conflict that was kept.
pub fn show_kept(screen: &Screen, kept: &Kept) {
    if screen.format == Format::Json {
        return;
    }
    let mut parts = Vec::new();
    if kept.conflicts.iter().any(|one| one.ways.len() > MOST) {
        let count = kept.ways().count();
        parts.push(format!("portenv explain shows all {count} ways out"));
    }
    if kept.ways().any(|(_, way)| !way.amendments.is_empty()) {
        parts.push("portenv explain --apply N takes way out N: it writes portenv.toml and installs nothing".to_owned());
    }
    if !parts.is_empty() {
        screen.hint(&parts.join("; "));
    }
}

/// Shows the last conflict with all ways out.
pub fn show_conflict(screen: &Screen, dir: &Utf8Path, last: &LastConflict) -> Exit {
    let kept = &last.kept;
    let line = Line::of(kept.words.iter().cloned()).unsigned();
    let document = LastConflictDocument::from(last);
    if screen.format == Format::Json {
        let mut next: Vec<Next> = Vec::new();
        let mut ways = kept.ways().enumerate();
        if let Some((at, _)) = ways.find(|(_, (_, way))| !way.amendments.is_empty()) {
            let number = (at + 1).to_string();
            let words = ["portenv", "explain", "--apply", &number];
            let why = "writes the first of the ways out that are settings to portenv.toml";
            next.push(Next::of(words, true, why));
        }
        next.push(line.next("the command that met it"));
        show_document(screen, "explain", &document, &next);
        return Exit::Done;
    }
    let width = usize::from(Screen::width());
    let met = format!(
        "met by `{}`{} on {}",
        typed(&line),
        elsewhere(kept, dir),
        local_time(Some(&kept.time))
    );
    let mut text = wrapped(&met, "", "  ", width);
    for note in notes(last) {
        text.push_str(&wrapped(&note, "! ", "  ", width));
    }
    let _ = write!(text, "\n{}", in_full(&document.conflicts, width));
    screen.result(&text);
    let count = kept.ways().count();
    if kept.ways().any(|(_, way)| !way.amendments.is_empty()) {
        let which = if count == 1 { "1" } else { "N" };
        screen.hint(&format!(
            "portenv explain --apply {which} writes way out {which} to portenv.toml"
        ));
    }
    Exit::Done
}

/// Shows what taking a way out came to.
pub fn show_taking(screen: &Screen, dir: &Utf8Path, taking: &Taking) -> Exit {
    let (last, number) = (&taking.last, taking.number);
    let line = Line::of(last.kept.words.iter().cloned()).unsigned();
    let next = match taking.by {
        TakenBy::Command if taking.way.command.is_empty() => flagged(&line, &taking.way),
        TakenBy::Command => {
            let command = Line::of(taking.way.command.iter().cloned());
            Some(Next::of(
                taking.way.argv(),
                command.changes(),
                "takes this way out",
            ))
        }
        TakenBy::Written { .. } | TakenBy::Already { .. } => {
            Some(line.next("the command that met the conflict"))
        }
    };
    if last.stale {
        screen.warning(
            "what is asked for has changed since; the way out was tried with what was asked for then",
        );
    }
    if screen.format == Format::Json {
        let document = LastConflictDocument::from(taking);
        let next: Vec<Next> = next.into_iter().collect();
        show_document(screen, "explain", &document, &next);
        return Exit::Done;
    }
    match &taking.by {
        TakenBy::Written { file, diff } => {
            screen.result(diff.trim_end());
            screen.note(&format!(
                "wrote way out {number} to `{file}`: {}",
                taking.way.text
            ));
        }
        TakenBy::Already { file } => {
            screen.note(&format!("`{file}` says so already: {}", taking.way.text));
        }
        TakenBy::Command => {
            let text = &taking.way.text;
            screen.note(&format!("way out {number} is no setting: {text}"));
        }
    }
    if taking.by != TakenBy::Command {
        match last.kept.open(Some(number)) {
            0 => {}
            1 => screen.note("another conflict is open, and needs a way out of its own"),
            open => screen.note(&format!("{open} other conflicts are open")),
        }
    }
    match next {
        Some(next) => screen.hint(&format!(
            "{}{}{}",
            match taking.by {
                TakenBy::Command => "this does it: ",
                _ => "nothing is installed yet; now run ",
            },
            quoted(&screen.line().complete(&next).argv),
            elsewhere(&last.kept, dir),
        )),
        None => screen.hint(&format!(
            "add {} to the command",
            taking.way.flags.join(" ")
        )),
    }
    Exit::Done
}

/// What a reader should know before a way out is taken.
fn notes(last: &LastConflict) -> Vec<String> {
    let mut notes = Vec::new();
    if last.stale {
        notes.push(
            "what is asked for has changed since: the conflict may be another one by now, or none"
                .to_owned(),
        );
    }
    let taken: Vec<String> = last.kept.taken.iter().map(ToString::to_string).collect();
    if !taken.is_empty() {
        let (word, verb) = match taken.len() {
            1 => ("way", "was"),
            _ => ("ways", "were"),
        };
        notes.push(format!(
            "{word} out {} {verb} written to portenv.toml since",
            taken.join(", ")
        ));
    }
    notes
}

/// The command that met the conflict with the flags of a way out, or another that takes them.
fn flagged(line: &Line, way: &Way) -> Option<Next> {
    let with_flags = |line: Line| match way.flags.as_slice() {
        // One that may be given several times adds to those that were given.
        [flag, value] if flag != "--allow-change" => line.set(flag, value),
        flags => line.with(flags.iter().cloned()),
    };
    let lock = Line::of(std::iter::once("lock".to_owned()));
    let lines = [line.clone(), line.clone().renamed("preview"), lock];
    let mut lines = lines.into_iter().map(with_flags);
    let is_one = |line: &Line| {
        let words = std::iter::once("portenv").chain(line.words().iter().map(String::as_str));
        Cli::try_parse_from(words).is_ok()
    };
    let found = lines.find(is_one)?;
    Some(found.next("takes this way out"))
}

fn typed(line: &Line) -> String {
    let words = std::iter::once("portenv".to_owned()).chain(line.words().iter().cloned());
    quoted(&words.collect::<Vec<String>>())
}

/// Names the directory of a command where it is not this one: words of it may be paths.
fn elsewhere(kept: &Kept, dir: &Utf8Path) -> String {
    if kept.dir == dir {
        String::new()
    } else {
        format!(" in `{}`", kept.dir)
    }
}

/// Returns words as a shell takes them.
pub(super) fn quoted(words: &[String]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,~\\".contains(c);
    let words = words.iter().map(|word| {
        if !word.is_empty() && word.chars().all(is_plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    words.collect::<Vec<String>>().join(" ")
}
