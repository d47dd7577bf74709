//! A requirements file with everything it includes.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::line::logical_lines;
use super::origin::{Origin, Problem, show_path};
use super::statement::{Statement, Wanted, parse};
use super::text::decode;
use crate::host::fs;

/// One requirement of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub origin: Origin,
    /// The line as written, for people.
    pub text: String,
    /// What it wants.
    pub wanted: Wanted,
    /// Allowed digests, `alg:hex`.
    pub hashes: Vec<String>,
    /// Installed in place.
    pub editable: bool,
    /// It only restricts (`-c`).
    pub constraint: bool,
    /// The directory that a relative path is meant from.
    pub base: Utf8PathBuf,
}

/// An option of a file that concerns where packages come from or which are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexOption {
    /// Where it stands.
    pub origin: Origin,
    /// The option.
    pub statement: Statement,
}

/// All that a file and its includes say.
#[derive(Debug, Clone, Default)]
pub struct FileContent {
    /// The requirements, in reading order.
    pub entries: Vec<Entry>,
    /// The options on indexes and kinds of files.
    pub options: Vec<IndexOption>,
    /// What could not be read, and what is worth knowing.
    pub problems: Vec<Problem>,
    /// How many logical lines were read, included files counted.
    pub lines: usize,
}

/// What a reader needs to know besides the file.
#[derive(Debug, Clone)]
pub struct Reading<'a> {
    /// Paths are shown relative to this.
    pub root: &'a Utf8Path,
    /// Whom the file belongs to; the file itself is filled in.
    pub owner: &'a Origin,
    /// The values of `${NAME}`.
    pub variables: &'a BTreeMap<String, String>,
}

/// Reads a requirements file and, depth first, those it names with `-r` and `-c`.
pub fn read_requirements(path: &Utf8Path, reading: &Reading<'_>) -> FileContent {
    let mut content = FileContent::default();
    let mut seen = BTreeSet::new();
    read_into(path, reading, false, None, &mut seen, &mut content);
    content
}

/// Reads the text of a requirements file that is already at hand, as from
/// standard input; `base` is what its relative paths mean.
pub fn parse_requirements(text: &str, base: &Utf8Path, reading: &Reading<'_>) -> FileContent {
    let mut content = FileContent::default();
    let mut seen = BTreeSet::new();
    let file = reading.owner.clone();
    parse_into(text, base, &file, reading, false, &mut seen, &mut content);
    content
}

fn read_into(
    path: &Utf8Path,
    reading: &Reading<'_>,
    constraint: bool,
    named_at: Option<&Origin>,
    seen: &mut BTreeSet<(Utf8PathBuf, bool)>,
    content: &mut FileContent,
) {
    let shown = show_path(reading.root, path);
    let file = reading.owner.in_file(&shown);
    if !seen.insert((path.to_owned(), constraint)) {
        let origin = named_at.cloned().unwrap_or(file);
        content.problems.push(Problem::warning(
            "included-twice",
            origin,
            format!("`{shown}` was read already and is not read again"),
        ));
        return;
    }
    let bytes = match fs::read_bytes(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let origin = named_at.cloned().unwrap_or(file);
            content.problems.push(Problem::error(
                "invalid-file",
                origin,
                format!("cannot read `{shown}`: {}", error.source),
            ));
            return;
        }
    };
    match decode(&bytes) {
        Ok(text) => {
            let base = path.parent().unwrap_or(Utf8Path::new(""));
            parse_into(&text, base, &file, reading, constraint, seen, content);
        }
        Err(error) => content.problems.push(
            Problem::error(
                "invalid-file",
                file.at(error.line, error.column),
                error.message,
            )
            .with_fix("save the file as UTF-8"),
        ),
    }
}

fn parse_into(
    text: &str,
    base: &Utf8Path,
    file: &Origin,
    reading: &Reading<'_>,
    constraint: bool,
    seen: &mut BTreeSet<(Utf8PathBuf, bool)>,
    content: &mut FileContent,
) {
    for line in logical_lines(text, reading.variables) {
        content.lines += 1;
        let (number, column) = line.position(0);
        let origin = file.at(number, column);
        for name in &line.unset {
            content.problems.push(
                Problem::error(
                    "invalid-requirement",
                    origin.clone(),
                    format!("the variable `{name}` has no value"),
                )
                .with_fix(format!("set {name} in the environment")),
            );
        }
        if !line.unset.is_empty() {
            continue;
        }
        let statement = match parse(&line.text) {
            Ok(statement) => statement,
            Err(error) => {
                let (number, column) = line.position(error.column);
                let mut problem = Problem::error(
                    "invalid-requirement",
                    file.at(number, column),
                    format!("cannot read `{}`: {}", shorten(&line.text), error.message),
                );
                problem.fix = error.fix.map(|fix| {
                    if fix.contains(' ') {
                        fix
                    } else {
                        format!("write `{fix}`")
                    }
                });
                content.problems.push(problem);
                continue;
            }
        };
        match statement {
            Statement::Require {
                wanted,
                hashes,
                editable,
                repair,
            } => {
                if let Some(repair) = repair {
                    content.problems.push(Problem::warning(
                        "repaired-requirement",
                        origin.clone(),
                        repair,
                    ));
                }
                content.entries.push(Entry {
                    origin,
                    text: shown_text(&line.text, line.expanded, &wanted),
                    wanted,
                    hashes,
                    editable,
                    constraint,
                    base: base.to_owned(),
                });
            }
            Statement::Include(target) | Statement::Constrain(target) if target.contains("://") => {
                content.problems.push(
                    Problem::error(
                        "invalid-file",
                        origin,
                        format!(
                            "`{}` is not a file on this machine",
                            crate::package::redact(&target)
                        ),
                    )
                    .with_fix("download it and name the file"),
                );
            }
            Statement::Include(target) => {
                read_into(
                    &base.join(target),
                    reading,
                    constraint,
                    Some(&origin),
                    seen,
                    content,
                );
            }
            Statement::Constrain(target) => {
                read_into(
                    &base.join(target),
                    reading,
                    true,
                    Some(&origin),
                    seen,
                    content,
                );
            }
            Statement::Ignored(option) => content.problems.push(Problem::warning(
                "option-ignored",
                origin,
                format!("`{option}` has no effect here"),
            )),
            statement => content.options.push(IndexOption { origin, statement }),
        }
    }
}

/// A line whose variables were replaced may hold secrets: it is shown as parsed.
fn shown_text(text: &str, expanded: bool, wanted: &Wanted) -> String {
    match wanted {
        Wanted::Named(requirement) if requirement.url.is_some() || expanded => {
            requirement.to_string()
        }
        Wanted::Named(_) => text.split(" --").next().unwrap_or(text).trim().to_owned(),
        Wanted::Unnamed { place, .. } => crate::package::redact(place),
    }
}

fn shorten(text: &str) -> String {
    let shown = crate::package::artifact::printable(text);
    if shown.contains("://") {
        return shown
            .split_whitespace()
            .map(crate::package::redact)
            .collect::<Vec<_>>()
            .join(" ");
    }
    if shown.chars().count() > 100 {
        return shown.chars().take(97).chain("...".chars()).collect();
    }
    shown
}
