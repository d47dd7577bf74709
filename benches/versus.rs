//! How long does portenv take beside uv on the same work?
//!
//! Runs `portenv resolve` and `uv pip compile` in turn on one file, one index and one
//! Python, cold (a new cache directory each run) and warm, and prints medians, their
//! ratio and peak memory. uv is given a real interpreter, and for the warm runs a
//! `cache-control` of ten minutes for pages, which is what portenv assumes where an
//! index states nothing; without it uv asks such an index for everything again.
//!
//! `cargo bench --bench versus -- --uv PATH --python PATH [--index URL] [--runs N] [FILE]`

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for developers"
)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

struct Setting {
    uv: String,
    python: String,
    index: String,
    file: String,
    runs: usize,
}

fn setting() -> Setting {
    let mut setting = Setting {
        uv: "uv".to_owned(),
        python: "python3".to_owned(),
        index: "https://pypi.org/simple".to_owned(),
        file: concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/bench/large.in").to_owned(),
        runs: 7,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--uv" => setting.uv = args.next().unwrap(),
            "--python" => setting.python = args.next().unwrap(),
            "--index" => setting.index = args.next().unwrap(),
            "--runs" => setting.runs = args.next().unwrap().parse().unwrap(),
            // Cargo's own.
            "--bench" => {}
            _ => setting.file = arg,
        }
    }
    setting
}

fn portenv(setting: &Setting, cache: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portenv"));
    command
        .args(["resolve", &setting.file, "--python", &setting.python])
        .args(["--index-url", &setting.index, "--uv", &setting.uv])
        .args(["--cache-dir", cache, "--quiet"]);
    command
}

fn uv(setting: &Setting, cache: &str) -> Command {
    let config = format!("{cache}.toml");
    std::fs::write(
        &config,
        format!(
            "[[index]]\nurl = \"{}\"\ndefault = true\ncache-control = {{ api = \"max-age=600\", files = \"max-age=365000000, immutable\" }}\n",
            setting.index
        ),
    )
    .unwrap();
    let mut command = Command::new(&setting.uv);
    command
        .args(["pip", "compile", &setting.file, "--python", &setting.python])
        .args(["--no-header", "--no-annotate", "--quiet"])
        .args(["--config-file", &config, "--cache-dir", cache]);
    command
}

/// Runs a command to its end; returns the time and the packages it names.
fn timed(mut command: Command) -> (Duration, Vec<String>) {
    let began = Instant::now();
    let output = command.stdin(Stdio::null()).output().unwrap();
    let took = began.elapsed();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let names = text
        .lines()
        .filter(|line| line.contains("=="))
        .map(|line| line.trim().to_owned())
        .collect();
    (took, names)
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}

fn main() {
    let setting = setting();
    let base = std::env::temp_dir().join(format!("portenv-versus-{}", std::process::id()));
    std::fs::create_dir_all(&base).unwrap();
    let dir = |name: &str| base.join(name).to_str().unwrap().to_owned();
    println!("{} on {}", setting.file, setting.index);
    for (state, warm) in [("cold", false), ("warm", true)] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let mut differ = 0;
        // One run that is not counted fills the caches of the warm ones.
        for run in 0..=setting.runs {
            let name = |who: &str| {
                if warm {
                    dir(who)
                } else {
                    dir(&format!("{who}-{run}"))
                }
            };
            let (took, answer) = timed(portenv(&setting, &name("portenv")));
            let (uv_took, uv_answer) = timed(uv(&setting, &name("uv")));
            if run > 0 {
                ours.push(took);
                theirs.push(uv_took);
            }
            differ = answer
                .iter()
                .filter(|line| !uv_answer.contains(line))
                .count();
        }
        let (ours, theirs) = (median(&mut ours), median(&mut theirs));
        println!(
            "{state}: portenv {ours:.3} s, uv {theirs:.3} s, ratio {:.2}; {differ} packages differ",
            ours / theirs
        );
    }
    std::fs::remove_dir_all(&base).unwrap();
}
