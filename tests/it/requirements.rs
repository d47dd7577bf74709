//! Requirement files of every kind against `corpus/requirements`.
//!
//! A case is `NAME.txt`, or a directory `NAME` with a `requirements.txt`, `pyproject.toml` or
//! `setup.cfg`; what is read from it stands in `NAME.expected`. To add a case, add the file, run
//! the test with `PORTENV_WRITE_EXPECTED=1`, and read what was written. The cases are made up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use camino::{Utf8Path, Utf8PathBuf};
use portenv::requirements::file::{FileContent, Reading, parse_requirements};
use portenv::requirements::pyproject::{read_project, read_pyproject};
use portenv::requirements::setupcfg::read_setup_cfg;
use portenv::requirements::{
    Entry, IndexOption, Origin, OriginKind, Problem, Severity, Statement, Wanted, read_requirements,
};
use portenv::{package, requirements};
use proptest::prelude::*;

fn corpus() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/requirements")
}

fn variables() -> BTreeMap<String, String> {
    [
        ("HOST", "host.example"),
        ("USER_NAME", "me"),
        ("TOKEN", "se-cr-et"),
        ("VERSION", "1.2.3"),
        ("lower", "never-used"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Shows all that was read, one line each.
fn shown(content: &FileContent, frontend: &[Entry]) -> String {
    let mut out = format!("{} lines\n", content.lines);
    for entry in &content.entries {
        let kind = if entry.constraint {
            "constrain"
        } else {
            "require"
        };
        out += &shown_entry(kind, entry);
    }
    for entry in frontend {
        out += &shown_entry("frontend", entry);
    }
    for IndexOption { origin, statement } in &content.options {
        writeln!(out, "{} option {}", origin.place(), shown_option(statement)).unwrap();
    }
    for problem in &content.problems {
        out += &shown_problem(problem);
    }
    out
}

fn shown_entry(kind: &str, entry: &Entry) -> String {
    let wanted = match &entry.wanted {
        Wanted::Named(requirement) => requirement.to_string(),
        Wanted::Unnamed {
            place,
            extras,
            marker,
        } => {
            let extras: Vec<&str> = extras.iter().map(package::Extra::as_str).collect();
            let place = package::redact(place);
            format!("unnamed {place} {extras:?} {:?}", marker.text())
        }
    };
    let mut line = format!("{} {kind} {wanted}", entry.origin.place());
    if entry.editable {
        line += " (editable)";
    }
    for hash in &entry.hashes {
        write!(line, " {hash}").unwrap();
    }
    format!("{line} <- {}\n", entry.text)
}

fn shown_option(statement: &Statement) -> String {
    match statement {
        Statement::IndexUrl(url) => format!("index {}", package::redact(url)),
        Statement::ExtraIndexUrl(url) => format!("extra index {}", package::redact(url)),
        other => format!("{other:?}"),
    }
}

fn shown_problem(problem: &Problem) -> String {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    // The operating system's words differ.
    let message = match problem.message.split_once("`: ") {
        Some((start, _)) if problem.message.contains("(os error") => format!("{start}`: [reason]"),
        _ => problem.message.clone(),
    };
    let mut line = format!(
        "{} {severity} {}: {message}\n",
        problem.origin.place(),
        problem.code
    );
    if let Some(fix) = &problem.fix {
        writeln!(line, "    {fix}").unwrap();
    }
    line
}

fn read_case(case: &Utf8Path) -> String {
    let root = corpus();
    let owner = Origin::file(OriginKind::Node, Some("node"), "");
    let variables = variables();
    let reading = Reading {
        root: &root,
        owner: &owner,
        variables: &variables,
    };
    if case.is_file() {
        return shown(&read_requirements(case, &reading), &[]);
    }
    let listed = case.join("requirements.txt");
    if listed.is_file() {
        return shown(&read_requirements(&listed, &reading), &[]);
    }
    let project = read_project(case, &["gpu".to_owned()], &reading).expect("a project");
    let text = shown(&project.content, &project.frontend);
    format!("declares: {}\n{text}", project.declares)
}

/// Returns the cases, and the names of files with expected results.
fn cases() -> (BTreeMap<String, Utf8PathBuf>, BTreeSet<String>) {
    let (mut cases, mut expected) = (BTreeMap::new(), BTreeSet::new());
    for entry in corpus().read_dir_utf8().unwrap() {
        let path = entry.unwrap().into_path();
        let stem = path.file_stem().unwrap().to_owned();
        match path.extension() {
            Some("expected") => assert!(expected.insert(stem)),
            Some("txt") => assert!(cases.insert(stem, path).is_none()),
            None if path.is_dir() => assert!(cases.insert(stem, path).is_none()),
            _ => {}
        }
    }
    (cases, expected)
}

#[test]
fn every_case_of_the_corpus_is_read_as_expected() {
    let (cases, expected) = cases();
    let write = std::env::var_os("PORTENV_WRITE_EXPECTED").is_some();
    let mut differing = Vec::new();
    for (name, path) in &cases {
        let found = read_case(path);
        assert!(
            !found.contains("se-cr-et"),
            "{name} shows a secret:\n{found}"
        );
        assert!(
            !found.contains("password"),
            "{name} shows a password:\n{found}"
        );
        let beside = corpus().join(format!("{name}.expected"));
        if write {
            std::fs::write(&beside, &found).unwrap();
        }
        let right = std::fs::read_to_string(&beside).unwrap_or_default();
        if found != right {
            let diff = similar::TextDiff::from_lines(&right, &found);
            differing.push(format!(
                "{name}:\n{}",
                diff.unified_diff().context_radius(1)
            ));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    let without_case: Vec<_> = expected
        .iter()
        .filter(|name| !cases.contains_key(*name))
        .collect();
    assert!(without_case.is_empty(), "no case for {without_case:?}");
}

fn parse(text: &str) -> FileContent {
    let owner = Origin::file(OriginKind::File, None, "r.txt");
    let variables = variables();
    let reading = Reading {
        root: Utf8Path::new("/nowhere"),
        owner: &owner,
        variables: &variables,
    };
    parse_requirements(text, Utf8Path::new("/nowhere"), &reading)
}

#[test]
fn a_text_at_hand_is_read_like_a_file() {
    let content = parse("numpy\n-r more.txt\nbad=1\n");
    assert_eq!(content.entries.len(), 1);
    let places: Vec<String> = content.problems.iter().map(Problem::shown).collect();
    assert_eq!(places.len(), 2);
    assert!(
        places[0].starts_with("r.txt:2:1: cannot read `more.txt`"),
        "{}",
        places[0]
    );
    assert!(
        places[1].starts_with("r.txt:3:4: cannot read `bad=1`"),
        "{}",
        places[1]
    );
}

/// A device answers for ever, and a stranger's file can name one or be a link to one.
#[cfg(unix)]
#[test]
fn a_device_that_a_stranger_names_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(dir.path()).unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
    write(
        "pyproject.toml",
        "[project]\nname = \"node\"\ndynamic = [\"dependencies\"]\n\
         [tool.setuptools.dynamic]\ndependencies = {file = \"/dev/zero\"}\n",
    );
    write(
        "setup.cfg",
        "[options]\ninstall_requires = file: /dev/zero\n",
    );
    write("r.txt", "-r /dev/zero\n");
    std::os::unix::fs::symlink("/dev/zero", dir.join("requirements.txt")).unwrap();
    let owner = Origin::file(OriginKind::Node, Some("node"), "");
    let variables = BTreeMap::new();
    let reading = Reading {
        root: dir,
        owner: &owner,
        variables: &variables,
    };
    for (file, content) in [
        (
            "pyproject.toml:3",
            read_pyproject(&dir.join("pyproject.toml"), &[], &reading).content,
        ),
        (
            "setup.cfg:2",
            read_setup_cfg(&dir.join("setup.cfg"), &[], &reading),
        ),
        ("r.txt:1", read_requirements(&dir.join("r.txt"), &reading)),
        (
            "requirements.txt",
            read_requirements(&dir.join("requirements.txt"), &reading),
        ),
    ] {
        let shown: Vec<String> = content.problems.iter().map(Problem::shown).collect();
        assert!(
            shown
                .iter()
                .any(|shown| shown.starts_with(file) && shown.contains("is not a file")),
            "{file}: {shown:?}"
        );
        assert!(content.entries.is_empty(), "{file}");
    }
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let root = corpus();
    let owner = Origin::file(OriginKind::Node, Some("node"), "");
    let variables = BTreeMap::new();
    let reading = Reading {
        root: &root,
        owner: &owner,
        variables: &variables,
    };
    let content = read_requirements(&root.join("is-not-there.txt"), &reading);
    let [problem] = content.problems.as_slice() else {
        panic!("{:?}", content.problems)
    };
    assert_eq!(
        (problem.severity, problem.code),
        (Severity::Error, "invalid-file")
    );
    assert!(
        problem.shown().contains("is-not-there.txt"),
        "{}",
        problem.shown()
    );
}

/// Returns the lines of a file that a reader must account for: neither blank nor comments.
fn lines_that_count(text: &str) -> usize {
    text.split(['\n', '\r'])
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_and_every_line_is_accounted_for(
        lines in prop::collection::vec(
            prop_oneof![
                "[a-c\"' é.;:@\\[\\]=<>~!,#*+/-]{0,14}",
                "[\\PC&&[^\\\\\u{b}\u{c}\u{85}\u{2028}\u{2029}$]]{0,12}",
                Just("numpy>=1".to_owned()),
                Just("--pre".to_owned()),
            ],
            0..8,
        ),
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        let text = lines.join(end);
        let content = parse(&text);
        let repairs = content.problems.iter().filter(|p| p.code == "repaired-requirement").count();
        let read = content.entries.len() + content.options.len() + content.problems.len() - repairs;
        prop_assert_eq!(read, lines_that_count(&text), "{:?}", content);
        prop_assert_eq!(content.lines, read);
        for problem in &content.problems {
            let line = problem.origin.line.unwrap_or(0) as usize;
            prop_assert!((1..=lines.len()).contains(&line));
            let column = problem.origin.column.unwrap_or(0) as usize;
            prop_assert!((1..=lines[line - 1].chars().count() + 1).contains(&column));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = requirements::text::decode(&bytes);
    }
}
