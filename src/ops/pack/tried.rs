//! Looks at what is packed through the eyes of its Python: does all code parse, does all that
//! could be imported before still?

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use crate::environment::Interpreter;
use crate::environment::record::is_of_installer;
use crate::host::fs;
use crate::host::process::Call;
use crate::ops::error::OpError;
use crate::package::artifact::printable;

/// Compiles files in memory: nothing of theirs is run. Reads paths, one a line.
const PARSE: &str = r#"
import json, sys, warnings
warnings.simplefilter("ignore")
for path in open(sys.argv[1], encoding="utf-8").read().splitlines():
    try:
        with open(path, "rb") as file:
            compile(file.read(), path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        print(json.dumps({"file": path, "line": getattr(error, "lineno", None), "message": getattr(error, "msg", None) or str(error)}))
"#;

/// Imports modules one after another, each in a process of its own, so that one that ends the
/// process or hangs takes no other along.
const IMPORT: &str = r#"
import json, subprocess, sys
for name in open(sys.argv[1], encoding="utf-8").read().splitlines():
    try:
        done = subprocess.run([sys.executable, "-B", "-c", "import importlib, sys; importlib.import_module(sys.argv[1])", name], stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        print(json.dumps({"name": name, "fine": done.returncode == 0, "said": said[-1] if said else ""}), flush=True)
    except subprocess.TimeoutExpired:
        print(json.dumps({"name": name, "fine": False, "said": "no answer within five minutes"}), flush=True)
"#;

/// A file that is no Python of this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxFault {
    /// The file, relative to the root.
    pub file: String,
    /// The line, from 1.
    pub line: Option<u32>,
    /// What is wrong with it.
    pub message: String,
}

#[derive(Deserialize)]
struct ParseAnswer {
    file: String,
    line: Option<u32>,
    message: String,
}

#[derive(Deserialize)]
struct ImportAnswer {
    name: String,
    fine: bool,
    said: String,
}

/// Finds files that do not parse; `files` are relative to the root.
pub(super) fn parse(
    interpreter: &Interpreter,
    root: &Utf8Path,
    files: &[String],
    scratch: &Utf8Path,
) -> Result<Vec<SyntaxFault>, OpError> {
    let paths: Vec<String> = files
        .iter()
        .map(|file| root.join(file).into_string())
        .collect();
    let answers: Vec<ParseAnswer> =
        asked(&interpreter.path, &["-I", "-S"], PARSE, &paths, scratch)?;
    let shown = |path: &str| {
        let below = Utf8Path::new(path).strip_prefix(root);
        below.map_or_else(
            |_| path.to_owned(),
            |below| below.as_str().replace('\\', "/"),
        )
    };
    Ok(answers
        .into_iter()
        .map(|answer| SyntaxFault {
            file: shown(&answer.file),
            line: answer.line,
            message: printable(&answer.message),
        })
        .collect())
}

/// Tries all top-level modules; returns what failed, with what it said last.
pub(super) fn import(
    python: &Utf8Path,
    modules: &BTreeSet<String>,
    scratch: &Utf8Path,
) -> Result<BTreeMap<String, String>, OpError> {
    let names: Vec<String> = modules.iter().cloned().collect();
    let answers: Vec<ImportAnswer> = asked(python, &["-B"], IMPORT, &names, scratch)?;
    let failed = answers.into_iter().filter(|answer| !answer.fine);
    Ok(failed
        .map(|answer| (answer.name, printable(&answer.said)))
        .collect())
}

fn asked<T: serde::de::DeserializeOwned>(
    python: &Utf8Path,
    flags: &[&str],
    program: &str,
    lines: &[String],
    scratch: &Utf8Path,
) -> Result<Vec<T>, OpError> {
    let list: Utf8PathBuf = scratch.join("ask.txt");
    fs::write_atomic(&list, lines.join("\n").as_bytes())?;
    let finished = Call::new(python.as_str())
        .args(flags.iter().copied())
        .args(["-X", "utf8", "-c", program, list.as_str()])
        .dir(scratch)
        .run()
        .map_err(|error| OpError::Refused(format!("`{python}` does not start: {error}")))?;
    if !finished.ok() {
        let last = finished.stderr.lines().last().unwrap_or("no message");
        return Err(OpError::Refused(format!(
            "`{python}` failed: {}",
            printable(last)
        )));
    }
    let text = finished.text();
    Ok(text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect())
}

/// Returns the modules at the top of a directory of packages that a distribution owns.
pub(super) fn modules_of(distribution: &crate::environment::Distribution) -> BTreeSet<String> {
    let rows = distribution.rows();
    let own = rows.iter().filter(|row| !is_of_installer(&row.path));
    own.filter_map(|row| {
        let (first, rest) = match row.path.split_once('/') {
            Some((first, rest)) => (first, Some(rest)),
            None => (row.path.as_str(), None),
        };
        let name = match rest {
            // A directory is a package if its `__init__.py` says so; a mere folder is none.
            Some("__init__.py") => first,
            Some(_) => return None,
            None => first.strip_suffix(".py").or_else(|| {
                first
                    .split_once('.')
                    .filter(|_| is_library(first))
                    .map(|(name, _)| name)
            })?,
        };
        let fits = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        (fits && name != "__main__").then(|| name.to_owned())
    })
    .collect()
}

fn is_library(name: &str) -> bool {
    name.ends_with(".so") || name.ends_with(".pyd")
}
