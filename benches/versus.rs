//! How long does portenv take beside uv on the same work?
//!
//! Runs `portenv resolve` and `uv pip compile` in turn on the sets of `corpus/bench/`, one
//! Python and the recorded index of `corpus/index/`, which this program serves: as PyPI does
//! (JSON, metadata beside the wheels) and as plain mirrors do (HTML, metadata by range
//! requests), with a wait per request. Cold runs have a new cache directory each; warm ones
//! share a filled one. Prints medians. uv is given a real interpreter and no configuration; the
//! index states `max-age=600` for pages, as PyPI does, so that warm runs of neither ask again.
//!
//! `cargo bench --bench versus -- [--uv PATH] [--python PATH] [--runs N] [--sets core,boto]
//! [--forms json,html] [--states warm,0,20,40] [--portenv PATH]`
//!
//! `--portenv` names another binary than this build's, such as one of before a change.
//!
//! `cargo bench --bench versus -- --serve json` (or `html`) serves the recorded index until its
//! input ends, for a look by hand.
//!
//! The sets `nodes-10` to `nodes-200` deal lines of the other sets to that many made-up nodes.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a program for developers"
)]

#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/it/support/server/http.rs"]
mod http;
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the tests and the recorder"
)]
#[path = "../tests/it/support/server/recorded/mod.rs"]
mod recorded;
#[path = "versus/run.rs"]
mod run;
#[path = "versus/sets.rs"]
mod sets;

use std::time::Duration;

use recorded::{Form, RecordedIndex, RecordedServer};
use run::{Case, Ran, Tool};

struct Setting {
    portenv: String,
    uv: String,
    python: String,
    runs: usize,
    sets: Vec<String>,
    forms: Vec<String>,
    states: Vec<String>,
    serve: Option<String>,
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

fn setting() -> Setting {
    let mut setting = Setting {
        portenv: env!("CARGO_BIN_EXE_portenv").to_owned(),
        uv: std::env::var("PORTENV_UV").unwrap_or_else(|_| "uv".to_owned()),
        python: "python3".to_owned(),
        runs: 7,
        sets: words(sets::ALL),
        forms: words("json,html"),
        states: words("warm,0,20,40"),
        serve: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--portenv" => setting.portenv = args.next().unwrap(),
            "--uv" => setting.uv = args.next().unwrap(),
            "--python" => setting.python = args.next().unwrap(),
            "--runs" => setting.runs = args.next().unwrap().parse().unwrap(),
            "--sets" => setting.sets = words(&args.next().unwrap()),
            "--forms" => setting.forms = words(&args.next().unwrap()),
            "--states" => setting.states = words(&args.next().unwrap()),
            "--serve" => setting.serve = args.next(),
            // Cargo's own.
            "--bench" => {}
            other => panic!("`{other}` is not understood"),
        }
    }
    setting
}

fn median<T: PartialOrd + Copy>(runs: &[Ran], what: impl Fn(&Ran) -> T) -> T {
    let mut values: Vec<T> = runs.iter().map(what).collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap());
    values[values.len() / 2]
}

fn kind(form: &str) -> Form {
    match form {
        "json" => Form::Json,
        "html" => Form::Html,
        other => panic!("`{other}` is not a form of index pages"),
    }
}

fn main() {
    if run::measured() {
        return;
    }
    let mut setting = setting();
    let index = RecordedIndex::open(sets::corpus().join("index").as_path());
    if let Some(form) = &setting.serve {
        let server = RecordedServer::start(&index, kind(form));
        println!("{}", server.url());
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
        return;
    }
    setting.python = run::real_python(&setting.python);
    let scratch = tempfile::tempdir().unwrap();
    println!(
        "{:<14}{:<6}{:<9}{:>9}{:>9}{:>7}{:>9}{:>9}{:>7}{:>8}{:>8}{:>8}  counters of portenv",
        "set",
        "index",
        "state",
        "portenv",
        "uv",
        "ratio",
        "CPU",
        "uv",
        "ratio",
        "MB",
        "uv",
        "differ"
    );
    for set in &setting.sets {
        let files = sets::files(set, scratch.path());
        for form in &setting.forms {
            let server = RecordedServer::start(&index, kind(form));
            let case = Case {
                files: &files,
                index: server.url(),
                portenv: &setting.portenv,
                uv: &setting.uv,
                python: &setting.python,
            };
            for state in &setting.states {
                let warm = state == "warm";
                let latency = if warm { 0 } else { state.parse().unwrap() };
                server.set_latency(Duration::from_millis(latency));
                row(&setting, &case, warm, scratch.path(), || {
                    let state = if warm {
                        "warm".to_owned()
                    } else {
                        format!("cold {state}")
                    };
                    format!("{set:<14}{form:<6}{state:<9}")
                });
            }
        }
    }
}

fn row(
    setting: &Setting,
    case: &Case<'_>,
    warm: bool,
    scratch: &std::path::Path,
    title: impl Fn() -> String,
) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let shared = tempfile::tempdir_in(scratch).unwrap();
    // One run that is not counted fills the server's memory and the caches of the warm ones.
    for run in 0..=setting.runs {
        let own = tempfile::tempdir_in(scratch).unwrap();
        let dir = if warm { shared.path() } else { own.path() };
        let a = case.run(Tool::Portenv, dir);
        let b = case.run(Tool::Uv, dir);
        if let Some(error) = a.failure.as_ref().or(b.failure.as_ref()) {
            println!("{}{error}", title());
            return;
        }
        if run > 0 {
            ours.push(a);
            theirs.push(b);
        }
    }
    let wall = (
        median(&ours, |ran| ran.wall),
        median(&theirs, |ran| ran.wall),
    );
    let cpu = (median(&ours, |ran| ran.cpu), median(&theirs, |ran| ran.cpu));
    let memory = (
        median(&ours, |ran| ran.peak),
        median(&theirs, |ran| ran.peak),
    );
    let (mine, other) = (&ours[0].answer, &theirs[0].answer);
    let differ = mine.symmetric_difference(other).count();
    println!(
        "{}{:>9.3}{:>9.3}{:>7.2}{:>9.3}{:>9.3}{:>7.2}{:>8}{:>8}{:>8}  {}",
        title(),
        wall.0,
        wall.1,
        wall.0 / wall.1,
        cpu.0,
        cpu.1,
        cpu.0 / cpu.1,
        memory.0,
        memory.1,
        differ,
        ours[0].counters
    );
}
