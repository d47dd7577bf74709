//! Is an installation ever left neither as it was nor as it was to be?
//!
//! Makes a real one (30 packages of PyPI, nodes from local git repositories, the real uv), and
//! then, run after run: takes a fresh copy, begins a change, kills portenv, and lets the next
//! command mend what is left. At the end the installation must be bit for bit what it was before
//! the change, or what an undisturbed change makes of it: every file of the environment, HEAD,
//! branch and files of each checkout, the lock, nothing staged, a whole history without an open
//! operation, and `verify --deep` content.
//!
//! Ways to die: `alone` kills portenv at a random moment and lets its children live, `group`
//! takes them along, `step` waits for the n-th write of the journal, `half` kills uv at a random
//! moment, `fail` and `late` have it fail before and after its work, `hang` and `halfhang` have it
//! hang until both are killed. Equal seeds choose equal runs, though not equal moments.
//!
//! `cargo bench --bench kills -- [--runs N] [--seed N] [--uv PATH] [--python PATH] [--portenv PATH]
//! [--dir DIR] [--only CASE] [--way WAY]`
//!
//! `--dir` keeps what was made, also what a run left that is neither; else it is removed.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a program for developers"
)]

#[path = "kills/death.rs"]
mod death;
#[path = "kills/place.rs"]
mod place;
#[path = "kills/state.rs"]
mod state;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use death::{Way, kill};
use place::Place;
use state::{History, State};

/// A change that is cut short.
struct Case {
    name: &'static str,
    place: &'static str,
    arguments: Vec<String>,
    /// What an undisturbed run makes of it.
    after: End,
    /// Seconds.
    takes: f64,
    /// How often the journal is written.
    writes: usize,
}

/// A state that a run may end in.
#[derive(Clone, PartialEq)]
struct End {
    state: State,
    /// What `status --exit-code` says of it.
    code: Option<i32>,
}

/// What comes after a kill.
const NEXT: [&str; 5] = [
    "recover",
    "same",
    "rollback --yes",
    "sync --yes",
    "undo --yes",
];

/// A small generator: equal seeds give equal runs.
pub(crate) struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    /// Returns a number below another.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    /// Returns a number between 0 and 1.
    pub(crate) fn part(&mut self) -> f64 {
        self.below(10_000) as f64 / 10_000.0
    }
}

struct Setting {
    runs: u64,
    seed: u64,
    only: Option<String>,
    way: Option<String>,
    keeps: bool,
}

fn main() {
    let scratch = tempfile::tempdir().unwrap();
    let mut place = Place {
        dir: scratch.path().to_owned(),
        portenv: env!("CARGO_BIN_EXE_portenv").to_owned(),
        uv: std::env::var("PORTENV_UV").unwrap_or_else(|_| "/usr/local/bin/uv".to_owned()),
        python: "python3".to_owned(),
    };
    let mut setting = Setting {
        runs: 300,
        seed: 1,
        only: None,
        way: None,
        keeps: false,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap();
        match arg.as_str() {
            "--runs" => setting.runs = value().parse().unwrap(),
            "--seed" => setting.seed = value().parse().unwrap(),
            "--uv" => place.uv = value(),
            "--python" => place.python = value(),
            "--portenv" => place.portenv = value(),
            "--dir" => {
                place.dir = PathBuf::from(value());
                setting.keeps = true;
            }
            "--only" => setting.only = Some(value()),
            "--way" => setting.way = Some(value()),
            // Cargo's own.
            "--bench" => {}
            other => panic!("`{other}` is not understood"),
        }
    }
    let began = Instant::now();
    let places = place.prepare();
    let mut cases = Vec::new();
    for (name, from, words) in [
        ("add", "nodes", vec!["add", "--yes", "node-d"]),
        ("remove", "nodes", vec!["remove", "--yes", "node-b"]),
        ("sync", "locked", vec!["sync", "--yes"]),
        ("rollback", "nodes", vec!["rollback", "--yes", "@~2"]),
        ("undo", "nodes", vec!["undo", "--yes"]),
        ("update", "nodes", vec!["update", "--yes", "node-b"]),
        ("disable", "nodes", vec!["disable", "--yes", "node-a"]),
        ("init", "unknown", vec!["init", "--yes"]),
    ] {
        if setting.only.as_ref().is_none_or(|only| only == name) {
            let word = |word: &str| match word {
                "node-d" => place.url("node-d"),
                word => word.to_owned(),
            };
            let arguments = words.into_iter().map(word).collect();
            cases.push(measure(&place, &places, name, from, arguments));
        }
    }
    println!("made in {:.0} s", began.elapsed().as_secs_f64());
    for case in &cases {
        let files = case.after.state.0.len();
        println!(
            "{}: {:.2} s, {} writes of the journal, {files} files and facts",
            case.name, case.takes, case.writes
        );
    }
    let began = Instant::now();
    let mut known = Known::new();
    let (mut table, mut bad) = (BTreeMap::new(), 0);
    for n in 0..setting.runs {
        let seed = setting.seed + n;
        let case = &cases[usize::try_from(n).unwrap() % cases.len()];
        let mut dice = Dice::new(seed);
        let run = run(
            &place,
            &places,
            case,
            setting.way.as_deref(),
            &mut dice,
            &mut known,
        );
        if (n + 1) % 25 == 0 {
            println!("{} runs in {:.0} s", n + 1, began.elapsed().as_secs_f64());
        }
        let row: &mut [u64; 4] = table.entry((case.name, run.way)).or_default();
        row[0] += 1;
        match run.verdict {
            Verdict::Undone => row[1] += 1,
            Verdict::Finished => row[2] += 1,
            Verdict::Neither(why) => {
                row[3] += 1;
                bad += 1;
                println!(
                    "NEITHER: seed {seed}, {}, {}: {why:#?}",
                    case.name, run.told
                );
                if setting.keeps {
                    let to = place.dir.join("neither").join(seed.to_string());
                    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                    std::fs::rename(place.root(), to).unwrap();
                }
            }
        }
    }
    println!("| change | way to die | runs | undone | finished | neither |");
    println!("|---|---|---|---|---|---|");
    let mut all = [0; 4];
    for ((name, way), row) in &table {
        println!(
            "| {name} | {way:?} | {} | {} | {} | {} |",
            row[0], row[1], row[2], row[3]
        );
        for (sum, part) in all.iter_mut().zip(row) {
            *sum += part;
        }
    }
    println!(
        "| all | all | {} | {} | {} | {} |",
        all[0], all[1], all[2], all[3]
    );
    println!("{:.0} s", began.elapsed().as_secs_f64());
    assert_eq!(bad, 0, "runs that ended neither before nor after");
}

/// Reads what there is, and what portenv makes of it.
fn end(place: &Place) -> End {
    let state = State::read(&place.root());
    let code = place.run(&["status", "--exit-code"]).status.code();
    End { state, code }
}

/// Runs a change undisturbed.
fn measure(
    place: &Place,
    places: &BTreeMap<&'static str, PathBuf>,
    name: &'static str,
    from: &'static str,
    arguments: Vec<String>,
) -> Case {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    place.take(&places[from]);
    let began = Instant::now();
    let writes = death::count_writes(place, &words);
    let takes = began.elapsed().as_secs_f64();
    let after = end(place);
    Case {
        name,
        place: from,
        arguments,
        after,
        takes,
        writes,
    }
}

/// What other commands make of the places, each asked for when it is needed first.
type Known = BTreeMap<(&'static str, &'static str), End>;

struct Run {
    way: Way,
    verdict: Verdict,
    told: String,
}

enum Verdict {
    Undone,
    Finished,
    Neither(Vec<String>),
}

/// One run: begin, kill, look, mend, compare.
fn run(
    place: &Place,
    places: &BTreeMap<&'static str, PathBuf>,
    case: &Case,
    way: Option<&str>,
    dice: &mut Dice,
    known: &mut Known,
) -> Run {
    let way = Way::choose(way, dice);
    let words: Vec<&str> = case.arguments.iter().map(String::as_str).collect();
    let next = NEXT[dice.below(NEXT.len())];
    for next in [next, "recover"] {
        if next != "same" && !known.contains_key(&(case.place, next)) {
            place.take(&places[case.place]);
            place.run(&next.split(' ').collect::<Vec<_>>());
            known.insert((case.place, next), end(place));
        }
    }
    place.take(&places[case.place]);
    let count = History::read(&place.root()).operations.len();
    let death = kill(place, &words, way, case.takes, case.writes, dice);
    let mut why = Vec::new();
    let history = History::read(&place.root());
    why.extend(history.fault.clone());
    let newest = history.operations.get(count..).and_then(<[_]>::last);
    let done = newest.is_some_and(|(kind, outcome)| kind == case.name && outcome == "done");
    let mut told = format!("{death}, journal {newest:?} {:?}", history.steps);
    if death.exit == Some(0) && !done {
        why.push("it exits with 0 and is not done".to_owned());
    }
    // What only looks changes nothing.
    let is_still = way.takes_all();
    let seen = is_still.then(|| State::read(&place.root()));
    let status = place.run(&["status", "--format", "json"]);
    if seen.is_some_and(|seen| seen != State::read(&place.root())) {
        why.push("status changes something".to_owned());
    }
    let document: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
    if document["interrupted"].is_null() == history.is_open() {
        why.push(format!("status does not tell: {}", document["interrupted"]));
    }
    let next = if done { "recover" } else { next };
    let then: Vec<&str> = match next {
        "same" => words,
        next => next.split(' ').collect(),
    };
    let wanted = match next {
        "same" => &case.after,
        _ if done => &case.after,
        next => &known[&(case.place, next)],
    };
    let ran = place.run(&then);
    told.push_str(&format!(", then {next} exits with {:?}", ran.status.code()));
    let found = end(place);
    if found != *wanted {
        why.extend(wanted.state.differences(&found.state));
        why.push(format!(
            "status: {:?}, wanted {:?}",
            found.code, wanted.code
        ));
        let said = String::from_utf8_lossy(&ran.stderr);
        why.extend(said.lines().rev().take(6).map(str::to_owned));
    }
    let history = History::read(&place.root());
    why.extend(history.fault.clone());
    if history.is_open() {
        why.push(format!(
            "an operation is open: {:?}",
            history.operations.last()
        ));
    }
    if !history.operations.is_empty() && !history.labels.contains(&"as found".to_owned()) {
        why.push("the first snapshot has lost its label".to_owned());
    }
    let verified = place.run(&["verify", "--deep"]);
    if verified.status.code() != Some(0) {
        why.push(String::from_utf8_lossy(&verified.stdout).into_owned());
    }
    let verdict = match (why.is_empty(), done) {
        (false, _) => Verdict::Neither(why),
        (true, true) => Verdict::Finished,
        (true, false) => Verdict::Undone,
    };
    Run { way, verdict, told }
}
