//! A requirements file with everything it includes.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::line::logical_lines;
use super::origin::{Origin, OriginKind, Problem, show_path};
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

/// Reads a requirements file that a line of another file names.
pub(super) fn read_named(path: &Utf8Path, at: &Origin, reading: &Reading<'_>) -> FileContent {
    let mut content = FileContent::default();
    let mut seen = BTreeSet::new();
    read_into(path, reading, false, Some(at), &mut seen, &mut content);
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
    let shown = show_path(reading.root, &without_dots(path));
    let file = reading.owner.in_file(&shown);
    // Two spellings of one path are one file, or a cycle would never end.
    let real = fs::canonical(path).unwrap_or_else(|_| path.to_owned());
    if !seen.insert((real, constraint)) {
        let origin = named_at.cloned().unwrap_or(file);
        content.problems.push(Problem::warning(
            "included-twice",
            origin,
            format!("`{shown}` was read already and is not read again"),
        ));
        return;
    }
    // A device would be read forever; only who calls may name one, as `/dev/stdin` is.
    let is_strangers = named_at.is_some() || reading.owner.kind == OriginKind::Node;
    if is_strangers && fs::exists(path) && !fs::is_file(path) {
        let message = format!("`{shown}` is not a file");
        let problem = Problem::error("invalid-file", named_at.cloned().unwrap_or(file), message);
        content.problems.push(problem);
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
        for swallowed in &line.swallowed {
            content.problems.push(
                Problem::warning(
                    "swallowed-line",
                    file.at(*swallowed, 1),
                    "this line continues a comment and is not read",
                )
                .with_fix("remove the backslash at the end of the line before"),
            );
        }
        for name in &line.unset {
            let at = line.text.find(&format!("${{{name}}}")).unwrap_or(0);
            let (number, column) = line.position(line.text[..at].chars().count());
            content.problems.push(
                Problem::error(
                    "invalid-requirement",
                    file.at(number, column),
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
                // The message quotes the text, which may hold a variable's value.
                let message = if line.expanded {
                    "it cannot be read once its variables are replaced".to_owned()
                } else {
                    error.message
                };
                let fix = error.fix.filter(|_| !line.expanded);
                content.problems.push(unreadable(
                    file.at(number, column),
                    &line.written,
                    &message,
                    fix,
                ));
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
                    text: shown_text(&line.written, &wanted),
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

/// Makes the problem of a line or entry that cannot be read.
pub(super) fn unreadable(
    origin: Origin,
    text: &str,
    message: &str,
    fix: Option<String>,
) -> Problem {
    // Message and fix may quote a part of the line, with what is secret in it.
    let quoting = |text: &str| {
        let parts: Vec<String> = text.split('`').map(redact_words).collect();
        parts.join("`")
    };
    let message = format!("cannot read `{}`: {}", shorten(text), quoting(message));
    let mut problem = Problem::error("invalid-requirement", origin, message);
    problem.fix = fix.map(|fix| quoting(&fix)).map(|fix| {
        if fix.contains(' ') {
            fix
        } else {
            format!("write `{fix}`")
        }
    });
    problem
}

/// Returns the line for people: as written (variables not replaced), its options
/// and all credentials left out.
pub(super) fn shown_text(written: &str, wanted: &Wanted) -> String {
    let body = super::statement::without_options(written);
    let is_direct = match wanted {
        Wanted::Named(requirement) => requirement.url.is_some(),
        Wanted::Unnamed { .. } => true,
    };
    if is_direct {
        shorten(body)
    } else {
        one_spaced(body)
    }
}

fn redact_words(text: &str) -> String {
    let words: Vec<String> = text.split(' ').map(redact_word).collect();
    words.join(" ")
}

/// Redacts a word that ends with an address, as `--index-url=https://…` does.
fn redact_word(word: &str) -> String {
    let Some(colon) = word.find("://") else {
        return word.to_owned();
    };
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let start = word[..colon].trim_end_matches(is_scheme).len();
    let (head, url) = word.split_at(start);
    if !url.contains("${") {
        return format!("{head}{}", crate::package::redact(url));
    }
    // A URL with variables is none yet; its parts are cut off by hand.
    let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
    let rest = rest.split('?').next().unwrap_or(rest);
    let host_end = rest.find('/').unwrap_or(rest.len());
    let host = rest[..host_end].rfind('@').map_or(0, |at| at + 1);
    format!("{head}{scheme}://{}", &rest[host..])
}

/// Removes `.` and `..` from a path that is only shown.
fn without_dots(path: &Utf8Path) -> Utf8PathBuf {
    use camino::Utf8Component::{CurDir, Normal, ParentDir};
    let mut out = Utf8PathBuf::new();
    for component in path.components() {
        match component {
            CurDir => {}
            ParentDir if matches!(out.components().next_back(), Some(Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// Continuation lines leave wide gaps.
fn one_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shorten(text: &str) -> String {
    let shown = one_spaced(&crate::package::artifact::printable(text));
    if shown.contains("://") {
        return shown
            .split_whitespace()
            .map(redact_word)
            .collect::<Vec<_>>()
            .join(" ");
    }
    if shown.chars().count() > 100 {
        return shown.chars().take(97).chain("...".chars()).collect();
    }
    shown
}
