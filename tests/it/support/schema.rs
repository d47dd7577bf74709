//! Every JSON document that a test sees, against the stored schema of its command.

use std::{
    collections::BTreeMap,
    fmt::Write,
    process::Command,
    sync::{Mutex, OnceLock, PoisonError},
};

use jsonschema::Validator;
use serde_json::Value;

/// A schema, and each of the documents it allows by itself: their errors say what is wrong,
/// where the whole only says that none fits.
struct Compiled {
    whole: Validator,
    parts: Vec<Validator>,
}

fn compiled(schema: &Value) -> Compiled {
    let compile = |schema: &Value| jsonschema::draft202012::new(schema).expect("a schema");
    let part = |part: &Value| {
        let mut part = part.clone();
        part["$defs"] = schema["$defs"].clone();
        compile(&part)
    };
    let parts = schema["anyOf"].as_array().map(Vec::as_slice);
    Compiled {
        whole: compile(schema),
        parts: parts.unwrap_or_default().iter().map(part).collect(),
    }
}

/// Returns what is wrong with a document, if anything is: it must name its schema, and the
/// schema must be stored and fit.
pub(crate) fn faults_of(document: &Value) -> Option<String> {
    static COMPILED: OnceLock<Mutex<BTreeMap<String, &'static Compiled>>> = OnceLock::new();
    let Some(name) = document["schema"].as_str() else {
        return Some("the document names no schema".to_owned());
    };
    let known = COMPILED.get_or_init(Mutex::default);
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let compiled: &'static Compiled = if let Some(found) = known.get(name) {
        found
    } else {
        let path = format!(
            "{}/corpus/schemas/{}.json",
            env!("CARGO_MANIFEST_DIR"),
            name.replace('/', ".")
        );
        let Ok(text) = std::fs::read_to_string(&path) else {
            return Some(format!("the schema `{name}` is not stored"));
        };
        let schema: Value = serde_json::from_str(&text).expect("a stored schema is JSON");
        let made: &'static Compiled = Box::leak(Box::new(compiled(&schema)));
        known.insert(name.to_owned(), made);
        made
    };
    drop(known);
    if compiled.whole.is_valid(document) {
        return None;
    }
    let mut text = format!("it is no `{name}`:");
    for (at, part) in compiled.parts.iter().enumerate() {
        for error in part.iter_errors(document).take(4) {
            let mut shown = error.to_string();
            shown.truncate(
                shown
                    .char_indices()
                    .nth(300)
                    .map_or(shown.len(), |(at, _)| at),
            );
            write!(text, "\n  as {at}: at `{}`: {shown}", error.instance_path()).unwrap();
        }
    }
    Some(text)
}

/// Reports whether a command asks for JSON, and not for help or the version, which are texts.
pub(crate) fn asks_for_json(command: &Command) -> bool {
    let words: Vec<String> = (command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let is_text = |word: &String| matches!(word.as_str(), "--help" | "-h" | "--version" | "-V");
    let mut variables = command.get_envs();
    let by_variable = variables.any(|(name, value)| {
        name == "PORTENV_FORMAT" && value.is_some_and(|value| value == "json")
    });
    let last = words.iter().enumerate().rev().find_map(|(at, word)| {
        let next = || words.get(at + 1).map(String::as_str);
        match word.strip_prefix("--format") {
            Some("") => next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        }
    });
    !words.iter().any(is_text) && last.map_or(by_variable, |last| last == "json")
}

/// Holds a run that asked for JSON to what is promised: one document, and a valid one, and a way
/// on from every exit code but 0.
///
/// Returns the arguments of each command that it says to run next.
///
/// # Panics
///
/// Panics if it is anything else.
#[track_caller]
pub(crate) fn check_stdout(code: i32, stdout: &str, stderr: &str) -> Vec<Vec<String>> {
    // Who is killed outright says nothing.
    if stdout.is_empty() && code > 128 && code != 130 {
        return Vec::new();
    }
    let document: Value = serde_json::from_str(stdout).unwrap_or_else(|error| {
        panic!("not one JSON document: {error}\nexit code {code}\n{stdout}\n{stderr}")
    });
    if let Some(faults) = faults_of(&document) {
        panic!("{faults}\nexit code {code}\n{document:#}\n{stderr}");
    }
    let failed = document["status"] == "error";
    assert!(!failed || code != 0, "a failure exits with 0: {document:#}");
    let next = document["next"].as_array().map(Vec::as_slice);
    let next = next.unwrap_or_default();
    assert!(
        code == 0 || !next.is_empty(),
        "no way on from exit code {code}: {document:#}"
    );
    let words = |next: &Value| {
        let argv = next["argv"].as_array().unwrap().iter();
        let argv: Vec<String> = argv.map(|word| word.as_str().unwrap().to_owned()).collect();
        assert_eq!(argv[0], "portenv", "{document:#}");
        argv[1..].to_vec()
    };
    next.iter().map(words).collect()
}

/// Reports whether a command asks for progress as JSON lines.
pub(crate) fn asks_for_progress(command: &Command) -> bool {
    let words: Vec<_> = command.get_args().collect();
    words.windows(2).any(|pair| pair == ["--progress", "json"])
}

/// Holds a line of progress to its schema.
///
/// # Panics
///
/// Panics if it is torn or anything else.
#[track_caller]
pub(crate) fn check_event(line: &str) {
    let event = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    if let Some(faults) = faults_of(&event) {
        panic!("{faults}\n{line}");
    }
}
