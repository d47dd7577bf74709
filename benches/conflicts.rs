//! Are conflicts explained truthfully, and how fast?
//!
//! Deals real nodes to installations until enough of these cannot be met, asks `portenv lock`
//! why, and takes it at its word:
//!
//! - a core is minimal: `portenv resolve` of its lines has no answer, and without any one of
//!   them it has one;
//! - a way out is one: its settings and flags are taken, and `portenv lock` has an answer (with
//!   several conflicts: without the lines of the others, as a way out promises);
//! - first ways out lead there: they are taken together, and again if that shows more conflicts.
//!
//! `cargo bench --bench conflicts -- [--portenv PATH] [--python PATH] [--uv PATH]
//! [--cache-dir DIR] [--sets N] [--nodes N] [--seed N] [--cold] [--only-time] [--whole] [--keep DIR]`
//!
//! Needs the corpus of `tests/it/corpus_files.rs` and PyPI, or a filled `--cache-dir` (then
//! add `--offline`). Source archives are not built. Lines that name an address are cut out, as
//! are those that cannot be read. `--cold` asks once more with an empty cache each,
//! `--only-time` believes everything, `--whole` also asks with each way out alone for everything
//! and demands that its core is no longer named, `--keep` is where the installations are left.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a program for developers"
)]

#[path = "conflicts/ask.rs"]
mod ask;
#[path = "conflicts/sets.rs"]
mod sets;
#[path = "conflicts/truth.rs"]
mod truth;

use std::path::PathBuf;

use ask::{Answer, Portenv};
use sets::{Deck, Installation};
use truth::Totals;

struct Setting {
    portenv: Portenv,
    sets: usize,
    nodes: usize,
    seed: u64,
    cold: bool,
    only_time: bool,
    whole: bool,
    keep: Option<PathBuf>,
}

fn setting() -> Setting {
    let mut setting = Setting {
        portenv: Portenv {
            program: env!("CARGO_BIN_EXE_portenv").into(),
            python: "python3".into(),
            uv: std::env::var_os("PORTENV_UV").unwrap_or_else(|| "uv".into()),
            cache: PathBuf::new(),
            offline: false,
        },
        sets: 30,
        nodes: 15,
        seed: 1,
        cold: false,
        only_time: false,
        whole: false,
        keep: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap();
        match arg.as_str() {
            "--portenv" => setting.portenv.program = value().into(),
            "--python" => setting.portenv.python = value().into(),
            "--uv" => setting.portenv.uv = value().into(),
            "--cache-dir" => setting.portenv.cache = value().into(),
            "--sets" => setting.sets = value().parse().unwrap(),
            "--nodes" => setting.nodes = value().parse().unwrap(),
            "--seed" => setting.seed = value().parse().unwrap(),
            "--keep" => setting.keep = Some(value().into()),
            "--offline" => setting.portenv.offline = true,
            "--cold" => setting.cold = true,
            "--whole" => setting.whole = true,
            "--only-time" => setting.only_time = true,
            // Cargo's own.
            "--bench" => {}
            other => panic!("`{other}` is not understood"),
        }
    }
    setting
}

/// How often a question is repeated at most until nothing is fetched for it any more.
const WARMING: usize = 4;

fn main() {
    let mut setting = setting();
    let Some(deck) = Deck::open() else {
        println!("there is no corpus; set PORTENV_CORPUS");
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    if setting.portenv.cache.as_os_str().is_empty() {
        setting.portenv.cache = scratch.path().join("cache");
    }
    let portenv = &setting.portenv;
    let places = setting.keep.clone();
    let places = places.unwrap_or_else(|| scratch.path().join("sets"));
    println!("{} lines with an address are cut out", deck.cut());
    println!("set   conflicts  lines  ways out   warm s   cold s  taken: first ways, rounds");
    let (mut totals, mut satisfiable, mut failed) = (Totals::default(), 0, 0);
    let mut at = 0;
    while totals.sets() < setting.sets {
        let seed = setting.seed + at;
        at += 1;
        let set = deck.deal(seed, setting.nodes, &places.join(format!("s{seed:02}")));
        let mut answer = portenv.lock(&set, &[]);
        match &answer {
            Answer::Conflicts { .. } => {}
            Answer::Resolved { .. } => {
                satisfiable += 1;
                continue;
            }
            Answer::Failed(error) => {
                failed += 1;
                println!("s{seed:02}   {error}");
                continue;
            }
        }
        for _ in 0..WARMING {
            answer = portenv.lock(&set, &[]);
            if answer.requests() == 0 {
                break;
            }
        }
        let warm = answer.seconds();
        let cold = setting.cold.then(|| cold(portenv, &set, scratch.path()));
        let row = totals.add(warm, cold.flatten(), &answer);
        let mut taken = String::new();
        if !setting.only_time {
            let files = scratch.path().join("files");
            totals.check(portenv, &set, &answer, &files, setting.whole);
            taken = totals.take(portenv, &set, answer);
        }
        println!("s{seed:02}{row}  {taken}");
    }
    totals.print(satisfiable, failed);
}

/// Asks with nothing in the cache.
fn cold(portenv: &Portenv, set: &Installation, scratch: &std::path::Path) -> Option<f64> {
    let cache = tempfile::tempdir_in(scratch).unwrap();
    let portenv = Portenv {
        cache: cache.path().to_owned(),
        ..portenv.clone()
    };
    let answer = portenv.lock(set, &[]);
    if let Answer::Failed(error) = &answer {
        println!("cold: {error}");
        return None;
    }
    Some(answer.seconds())
}
