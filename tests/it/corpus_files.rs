//! Every requirement file of the real corpus: none panics, nothing is dropped, all has a place.
//!
//! The corpus is at `$PORTENV_CORPUS`, else in `shared/corpus` beside the project; without it
//! there is nothing to read and the test says so.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use portenv::requirements::file::{FileContent, Reading};
use portenv::requirements::pyproject::read_pyproject;
use portenv::requirements::text::decode;
use portenv::requirements::{Origin, OriginKind, Problem, Severity, read_requirements};

/// Returns where the real corpus is.
pub(crate) fn corpus() -> Option<Utf8PathBuf> {
    let beside = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let named = std::env::var("PORTENV_CORPUS").map(Utf8PathBuf::from);
    let found = named.unwrap_or(beside);
    found
        .join("nodes")
        .is_dir()
        .then(|| found.canonicalize_utf8().unwrap())
}

/// Collects the files below a directory, in order.
pub(crate) fn walk(dir: &Utf8Path, files: &mut Vec<Utf8PathBuf>) {
    let mut entries: Vec<_> = dir
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().into_path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// Counts the logical lines of a requirements file, knowing nothing of their grammar.
fn count_lines(text: &str) -> usize {
    let mut count = 0;
    let mut goes_on = false;
    for line in text.replace("\r\n", "\n").split(['\n', '\r']) {
        let bare = line.trim();
        if bare.starts_with('#') || bare.is_empty() {
            goes_on = false;
            continue;
        }
        if !goes_on {
            count += 1;
        }
        goes_on = line.ends_with('\\');
    }
    count
}

/// Counts the entries of `project.dependencies` (1 if it is no list) or of Poetry's table.
fn count_dependencies(text: &str) -> Option<usize> {
    let table: toml::Table = text.parse().ok()?;
    let declared = table
        .get("project")
        .and_then(|project| project.get("dependencies"));
    if let Some(declared) = declared {
        return Some(declared.as_array().map_or(1, Vec::len));
    }
    let dynamic = table
        .get("project")
        .and_then(|project| project.get("dynamic"));
    if dynamic.is_some_and(|list| {
        list.as_array()
            .is_some_and(|list| list.iter().any(|one| one.as_str() == Some("dependencies")))
    }) {
        return None;
    }
    let poetry = table
        .get("tool")
        .and_then(|tool| tool.get("poetry")?.get("dependencies"));
    let Some(poetry) = poetry.and_then(toml::Value::as_table) else {
        return Some(0);
    };
    let counted = poetry.iter().filter(|(name, value)| {
        name.as_str() != "python"
            && value.get("optional").and_then(toml::Value::as_bool) != Some(true)
    });
    Some(counted.count())
}

#[derive(Default)]
struct Totals {
    files: usize,
    lines: usize,
    entries: usize,
    options: usize,
    frontend: usize,
    problems: BTreeMap<(Severity, &'static str), usize>,
    errors: Vec<String>,
}

impl Totals {
    fn add(&mut self, content: &FileContent) {
        self.files += 1;
        self.lines += content.lines;
        self.entries += content.entries.len();
        self.options += content.options.len();
        for problem in &content.problems {
            *self
                .problems
                .entry((problem.severity, problem.code))
                .or_default() += 1;
            if problem.severity == Severity::Error {
                self.errors.push(problem.shown());
            }
        }
    }
}

/// Problems that stand beside what was read, not for it.
fn is_remark(problem: &Problem) -> bool {
    problem.code == "repaired-requirement"
}

#[track_caller]
fn check_places(content: &FileContent) {
    for problem in &content.problems {
        let origin = &problem.origin;
        assert!(
            origin.file.is_some() && origin.line.is_some() && origin.column.is_some(),
            "no place: {problem:?}"
        );
    }
    for entry in &content.entries {
        assert!(
            entry.origin.line.is_some() && entry.origin.column.is_some(),
            "{entry:?}"
        );
    }
}

#[test]
#[allow(
    clippy::print_stdout,
    reason = "the counts and a skip are worth knowing"
)]
fn every_line_of_the_real_corpus_is_accounted_for() {
    let Some(corpus) = corpus() else {
        println!("skipped: there is no corpus; set PORTENV_CORPUS");
        return;
    };
    let mut files = Vec::new();
    for part in ["comfyui", "nodes", "nodes-history"] {
        walk(&corpus.join(part), &mut files);
    }
    let owner = Origin::file(OriginKind::Node, Some("node"), "");
    let variables = BTreeMap::new();
    let reading = Reading {
        root: &corpus,
        owner: &owner,
        variables: &variables,
    };
    let mut totals = Totals::default();
    for path in &files {
        let name = path.file_name().unwrap();
        let bytes = std::fs::read(path).unwrap();
        if name == "pyproject.toml" {
            let project = read_pyproject(path, &[], &reading);
            let content = &project.content;
            check_places(content);
            totals.add(content);
            totals.frontend += project.frontend.len();
            let text = decode(&bytes).unwrap_or_default();
            if text.parse::<toml::Table>().is_err() {
                assert_eq!(content.problems.len(), 1, "{path}: {:?}", content.problems);
            } else if let Some(expected) = count_dependencies(&text) {
                let beside = content.problems.iter().filter(|p| {
                    // These stand beside an entry or option that is counted itself.
                    !(is_remark(p)
                        || p.code == "not-a-requirement" && p.message.starts_with("the option"))
                });
                let read = content.entries.len()
                    + content.options.len()
                    + project.frontend.len()
                    + beside.count();
                assert_eq!(read, expected, "{path}: {content:?}");
            }
        } else if name.ends_with(".txt") || name.ends_with(".in") {
            let content = read_requirements(path, &reading);
            check_places(&content);
            let shown = path.strip_prefix(&corpus).unwrap().as_str();
            let text = decode(&bytes).unwrap_or_else(|error| panic!("{path}: {}", error.message));
            let here = |origin: &Origin| origin.file.as_deref() == Some(shown);
            // A line may have several problems (two variables), but counts once.
            let mut read: Vec<u32> = content
                .entries
                .iter()
                .map(|entry| &entry.origin)
                .chain(content.options.iter().map(|option| &option.origin))
                .chain(
                    content
                        .problems
                        .iter()
                        .filter(|p| !is_remark(p))
                        .map(|p| &p.origin),
                )
                .filter(|origin| here(origin))
                .filter_map(|origin| origin.line)
                .collect();
            read.sort_unstable();
            read.dedup();
            let included = text
                .lines()
                .filter(|line| line.starts_with("-r") || line.starts_with("-c"))
                .filter(|line| {
                    !content
                        .problems
                        .iter()
                        .any(|p| line.len() > 2 && p.message.contains(line[2..].trim()))
                })
                .count();
            assert_eq!(
                read.len() + included,
                count_lines(&text),
                "{path}: {content:?}"
            );
            totals.add(&content);
        }
    }
    assert!(totals.files > 400, "only {} files", totals.files);
    println!(
        "{} files, {} lines read: {} requirements, {} options, {} frontend statements",
        totals.files, totals.lines, totals.entries, totals.options, totals.frontend
    );
    for ((severity, code), count) in &totals.problems {
        println!("{severity:?} {code}: {count}");
    }
    for error in &totals.errors {
        println!("{error}");
    }
}
