//! Bad input of every kind, through the binary: one table, one check.
//!
//! Whatever is wrong, the run ends with the documented exit code and error code, says where and
//! what to do, in text and in JSON, and leaves everything under the root as it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use crate::support::{IndexServer, Run, Sandbox, Wheel};

/// Rows as `name: command exit code (file, line, column) [what it says] way out => arrangement`.
macro_rules! rows {
    ($($name:literal: $command:ident $exit:literal $code:literal
        $(($file:literal, $line:literal, $column:literal))? [$($says:literal),*] $way_out:literal
        => |$place:pat_param| $given:expr;)*) => {
        &[$($crate::bad_input::Case {
            name: $name,
            command: stringify!($command),
            exit: $exit,
            code: $code,
            at: None::<(&str, u64, u64)>$(.or(Some(($file, $line, $column))))?,
            says: &[$($says),*],
            way_out: $way_out,
            given: |$place| $given,
        }),*]
    };
}

mod disks;
mod histories;
mod indexes;
mod lines;
mod nodes;
mod places;
mod usage;

pub(crate) use disks::may_mount;

/// Where a case happens: a sandbox, an index with a little on it, and what the case arranged.
struct Place {
    sandbox: Sandbox,
    server: IndexServer,
    /// The working directory.
    dir: Utf8PathBuf,
    /// A shell script around the run: `"$@"` is the program, `$ROOT` the installation.
    around: Option<&'static str>,
}

impl Place {
    fn new() -> Self {
        let server = IndexServer::start([
            Wheel::new("alpha", "1.0").requires("beta>=1"),
            Wheel::new("beta", "1.0"),
        ]);
        let sandbox = Sandbox::new().with_index(&server);
        Self {
            dir: sandbox.root().to_owned(),
            sandbox,
            server,
            around: None,
        }
    }

    /// Writes `r.txt`, which most cases resolve.
    fn requirements(&self, text: impl AsRef<[u8]>) {
        self.sandbox.write("r.txt", text);
    }

    fn run(&self, arguments: &[String]) -> Run {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = self.sandbox.command(&arguments);
        command.current_dir(&self.dir);
        if let Some(script) = self.around {
            command = wrapped(&command, script, self.sandbox.root());
        }
        self.sandbox.finish(command)
    }
}

/// Runs a prepared command inside a shell script.
pub(crate) fn wrapped(command: &Command, script: &str, root: &Utf8Path) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("ROOT", root)
        .stdin(Stdio::null())
        .current_dir(command.get_current_dir().unwrap());
    shell
}

/// One row: what is given, and how it must end.
struct Case {
    name: &'static str,
    /// The name in the schema.
    command: &'static str,
    exit: i32,
    code: &'static str,
    /// What the message says: the place, and the thing that is wrong with it.
    says: &'static [&'static str],
    /// File, line and column of `origin`, where there are any.
    at: Option<(&'static str, u64, u64)>,
    /// Part of a hint, or of the fix in the message.
    way_out: &'static str,
    /// Arranges the place and returns the arguments.
    given: fn(&mut Place) -> String,
}

const RESOLVE: &str = "resolve --python-version 3.12 --platform x86_64-unknown-linux-gnu";

/// Resolves `r.txt` with this content.
fn resolving(place: &Place, text: impl AsRef<[u8]>) -> String {
    place.requirements(text);
    format!("{RESOLVE} r.txt")
}

/// Everything below a directory: path → content, with directories and links; git's own files
/// excepted, since git refreshes them when it is asked anything.
fn tree(root: &Utf8Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in dir.read_dir_utf8().unwrap() {
            let entry = entry.unwrap();
            let path = entry.into_path();
            let kind = path.symlink_metadata().unwrap().file_type();
            let shown = path.strip_prefix(root).unwrap().to_string();
            // The lock file, and the directory made for it, name the last run that held it.
            if path.file_name() == Some(".git") || shown == ".portenv/lock" {
                continue;
            }
            if shown == ".portenv" && kind.is_dir() {
                todo.push(path);
                continue;
            }
            let content = if kind.is_symlink() {
                format!("-> {}", path.read_link_utf8().unwrap())
            } else if kind.is_dir() {
                todo.push(path);
                "a directory".to_owned()
            } else {
                crate::support::sha256(&std::fs::read(&path).unwrap())
            };
            found.insert(shown, content);
        }
    }
    found
}

/// Runs the rows and panics with everything that is wrong with any.
#[track_caller]
fn check(cases: &[Case]) {
    let mut wrong = String::new();
    // Most rows wait for something, so several at once.
    for rows in cases.chunks(6) {
        let found: Vec<_> = std::thread::scope(|scope| {
            let runs: Vec<_> = rows
                .iter()
                .map(|case| scope.spawn(|| complaints(case)))
                .collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        });
        for (case, complaints) in rows.iter().zip(found) {
            for complaint in complaints {
                writeln!(wrong, "== {}: {complaint}", case.name).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

fn complaints(case: &Case) -> Vec<String> {
    let mut found = Vec::new();
    let mut place = Place::new();
    let line = (case.given)(&mut place);
    let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let before = tree(place.sandbox.root());
    for json in [false, true] {
        let mut arguments = arguments.clone();
        if json {
            arguments.extend(["--format", "json"].map(str::to_owned));
        }
        let began = Instant::now();
        let run = place.run(&arguments);
        let mut wrong = judge_streams(case, &run);
        if began.elapsed() > Duration::from_secs(10) {
            wrong.push(format!("it took {:?}", began.elapsed()));
        }
        if json {
            wrong.extend(judge_document(case, run.stdout()));
        } else if !run.stdout().is_empty() {
            wrong.push("a failure wrote to stdout".to_owned());
        }
        let after = tree(place.sandbox.root());
        let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let mut changed: Vec<_> = paths.into_iter().collect();
        changed.retain(|path| before.get(*path) != after.get(*path));
        if !changed.is_empty() {
            wrong.push(format!("the tree changed: {changed:?}"));
        }
        if !wrong.is_empty() {
            found.push(format!("{}\n{run}", wrong.join("\n  ")));
        }
    }
    found
}

/// What holds for both streams in every format.
fn judge_streams(case: &Case, run: &Run) -> Vec<String> {
    let mut wrong = Vec::new();
    if run.code() != case.exit {
        wrong.push(format!("exit code {} instead of {}", run.code(), case.exit));
    }
    let errors = run
        .stderr()
        .lines()
        .filter(|line| line.starts_with("error: "));
    if errors.count() != 1 {
        wrong.push("not exactly one `error:` on stderr".to_owned());
    }
    for part in case.says.iter().chain([&case.way_out]) {
        if !run.stderr().contains(part) {
            wrong.push(format!("stderr does not say `{part}`"));
        }
    }
    if case.exit != 1 && !run.stderr().lines().any(|line| line.starts_with("hint: ")) {
        wrong.push("no hint".to_owned());
    }
    for (stream, text) in [("stdout", run.stdout()), ("stderr", run.stderr())] {
        for never in ["panicked", "RUST_BACKTRACE", "secret", "Error {", "Some("] {
            if text.contains(never) {
                wrong.push(format!("{stream} says `{never}`"));
            }
        }
        let raw = |c: char| c.is_control() && c != '\n';
        if let Some(c) = text.chars().find(|&c| raw(c)) {
            wrong.push(format!("{stream} holds a raw {c:?}"));
        }
    }
    wrong
}

/// The document of a failure, or of a conflict.
fn judge_document(case: &Case, stdout: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let Ok(document) = serde_json::from_str::<Value>(stdout) else {
        return vec!["stdout is not one JSON document".to_owned()];
    };
    let schema = format!("portenv.{}/1", case.command);
    if document["schema"] != schema.as_str() {
        wrong.push(format!("schema {} instead of {schema}", document["schema"]));
    }
    let next = document["next"].as_array();
    let fine = next.is_some_and(|next| {
        next.iter().all(|next| {
            next["argv"][0] == "portenv" && next["changes"].is_boolean() && next["why"].is_string()
        })
    });
    if !fine {
        wrong.push(format!("next is {}", document["next"]));
    }
    if case.code == "conflict" {
        if document["status"] != "conflict" || document["conflicts"][0].is_null() {
            wrong.push(format!("status is {}", document["status"]));
        }
        return wrong;
    }
    let keys: Vec<&str> = document
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    // Who is to be asked is told what for.
    let expected: &[&str] = if case.code == "confirm" {
        &["schema", "status", "error", "plan", "next"]
    } else {
        &["schema", "status", "error", "next"]
    };
    if keys != expected || document["status"] != "error" {
        wrong.push(format!("keys are {keys:?}, status {}", document["status"]));
    }
    let error = &document["error"];
    let keys = error
        .as_object()
        .map(|error| error.keys().map(String::as_str).collect::<Vec<_>>());
    if keys.as_deref() != Some(&["code", "message", "origin"]) {
        wrong.push(format!("error has {keys:?}"));
    }
    if error["code"] != case.code {
        wrong.push(format!(
            "error code {} instead of {}",
            error["code"], case.code
        ));
    }
    let message = error["message"].as_str().unwrap_or_default();
    for part in case.says {
        if !message.contains(part) {
            wrong.push(format!("the message does not say `{part}`"));
        }
    }
    let origin = &error["origin"];
    match case.at {
        Some((file, line, column)) => {
            if (
                origin["file"].as_str(),
                origin["line"].as_u64(),
                origin["column"].as_u64(),
            ) != (Some(file), Some(line), Some(column))
            {
                wrong.push(format!("origin is {origin}"));
            }
            if !message.contains(&format!("{file}:{line}:{column}")) {
                wrong.push("the message lacks the origin".to_owned());
            }
        }
        None if !origin["line"].is_null() => wrong.push(format!("origin is {origin}")),
        None => {}
    }
    wrong
}

/// Makes an installation with a history of one snapshot.
fn with_history(place: &Place) {
    place.sandbox.comfyui("alpha\n");
    place.sandbox.venv();
    let _ = place.sandbox.portenv(&["init"]).success();
}
