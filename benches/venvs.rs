//! What does one more environment cost? `portenv venv create` beside what people do today.
//!
//! `cargo bench --bench venvs -- --uv UV --python PYTHON [--portenv PROGRAM] [--rounds N]`
//!
//! Against (a) `uv venv` and a recursive copy of site-packages, as launchers do, and (b) `uv venv`
//! and `uv pip install --no-index --find-links` from the same wheels. The environment is real:
//! the packages below and all they need, from PyPI, fetched once. Rounds take turns; medians.
//! `warm`: uv has unpacked the wheels before; `cold`: its cache is empty, so all unpack. Room is
//! what the file system says it gave: blocks of files that have no other name.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a program for developers"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What the installation asks for.
const PACKAGES: &str = "numpy scipy pillow aiohttp pyyaml tqdm requests einops safetensors psutil \
    sqlalchemy alembic pydantic pydantic-settings networkx matplotlib scikit-image pandas av \
    sentencepiece tokenizers";

/// What the bench works with.
struct Bench {
    dir: PathBuf,
    portenv: String,
    uv: String,
    python: String,
}

fn main() {
    let mut options = BTreeMap::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo adds it.
            "--bench" => {}
            "--uv" | "--python" | "--portenv" | "--rounds" => {
                options.insert(argument, arguments.next().unwrap());
            }
            other => panic!("{other}: not an option"),
        }
    }
    let option = |name: &str, default: &str| {
        let found = options.get(name);
        found.map_or_else(|| default.to_owned(), Clone::clone)
    };
    let rounds = option("--rounds", "7").parse().unwrap();
    let held = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let bench = Bench {
        dir: held.path().to_owned(),
        portenv: option("--portenv", env!("CARGO_BIN_EXE_portenv")),
        uv: option("--uv", "uv"),
        python: option("--python", "python3"),
    };
    bench.ground();
    let house = bench.root().join("wheelhouse");
    let wheels = fs::read_dir(&house).unwrap();
    let wheels = wheels.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        Path::new(&name).extension().is_some_and(|end| end == "whl")
    });
    println!("{} wheels; medians of {rounds} rounds\n", wheels.count());
    println!("{:<44} {:>9} {:>10} {:>10}", "", "wall", "bytes", "room");
    for cold in [false, true] {
        bench.compare(rounds, cold);
    }
}

/// One way to get an environment.
type Way<'a> = (&'static str, Box<dyn Fn(&Path) + 'a>);

impl Bench {
    fn root(&self) -> PathBuf {
        self.dir.join("ComfyUI")
    }

    /// Makes an installation with its lock, its wheels and its packages.
    fn ground(&self) {
        let root = self.root();
        for dir in ["comfy", "custom_nodes"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        fs::write(root.join("main.py"), "").unwrap();
        fs::write(root.join("comfy/__init__.py"), "").unwrap();
        let lines = PACKAGES.split_whitespace().collect::<Vec<_>>().join("\n");
        fs::write(root.join("requirements.txt"), lines).unwrap();
        let python = &self.python;
        self.uv(&["venv", "-q", "--python", python, &self.at("ComfyUI/.venv")]);
        self.portenv(&["lock"]);
        self.portenv(&["wheelhouse", "build"]);
        self.portenv(&["wheelhouse", "install", "--yes"]);
    }

    fn at(&self, path: &str) -> String {
        self.dir.join(path).to_str().unwrap().to_owned()
    }

    fn compare(&self, rounds: usize, cold: bool) {
        let house = self.at("ComfyUI/wheelhouse");
        let out = self.at("out");
        let interpreter = self.at("out/bin/python");
        let frozen = format!("{house}/requirements-frozen.txt");
        let venv = || self.uv(&["venv", "-q", "--python", &self.python, &out]);
        let ways: [Way<'_>; 4] = [
            (
                "portenv venv create --wheelhouse",
                Box::new(|_| {
                    let words = ["venv", "create", "x", "--wheelhouse", &house];
                    self.portenv(&[&words[..], &["--dir", &out, "--quiet"]].concat());
                }),
            ),
            (
                "portenv venv create, of the lock",
                Box::new(|_| self.portenv(&["venv", "create", "x", "--dir", &out, "--quiet"])),
            ),
            (
                "(a) uv venv + copy of site-packages",
                Box::new(|_| {
                    venv();
                    copy(
                        &site_packages(&self.root().join(".venv")),
                        &site_packages(Path::new(&out)),
                    );
                }),
            ),
            (
                "(b) uv venv + uv pip install --no-index",
                Box::new(|_| {
                    venv();
                    let words = ["pip", "install", "-q", "--no-index", "--no-deps"];
                    let more = ["--find-links", &house, "--python", &interpreter];
                    self.uv(&[&words[..], &more, &["-r", &frozen]].concat());
                }),
            ),
        ];
        let mut times: Vec<Vec<Duration>> = vec![Vec::new(); ways.len()];
        let mut rooms = vec![(0, 0); ways.len()];
        for round in 0..rounds {
            // None always goes first.
            for step in 0..ways.len() {
                let at = (round + step) % ways.len();
                let _ = fs::remove_dir_all(&out);
                if cold {
                    let _ = fs::remove_dir_all(self.dir.join("uv-cache"));
                }
                let began = Instant::now();
                ways[at].1(&self.dir);
                times[at].push(began.elapsed());
                rooms[at] = room(Path::new(&out));
            }
        }
        let heat = if cold { "cold" } else { "warm" };
        let median = |list: &mut Vec<Duration>| {
            list.sort();
            list[list.len() / 2]
        };
        let last = median(&mut times[3].clone());
        for (at, (name, _)) in ways.iter().enumerate() {
            let wall = median(&mut times[at]);
            let (bytes, blocks) = rooms[at];
            println!(
                "{:<44} {:>6} ms {:>7} MB {:>7} MB   {:.2} x (b)",
                format!("{heat}: {name}"),
                wall.as_millis(),
                bytes / 1_000_000,
                blocks / 1_000_000,
                wall.as_secs_f64() / last.as_secs_f64(),
            );
        }
    }

    fn command(&self, program: &str, words: &[&str]) {
        let mut command = Command::new(program);
        command.args(words).current_dir(self.root());
        command
            .env("UV_CACHE_DIR", self.dir.join("uv-cache"))
            .env("PORTENV_CACHE_DIR", self.dir.join("cache"))
            .env("PORTENV_UV", &self.uv)
            .env_remove("VIRTUAL_ENV");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{program} {words:?}: {output:?}");
    }

    fn uv(&self, words: &[&str]) {
        self.command(&self.uv, words);
    }

    fn portenv(&self, words: &[&str]) {
        self.command(&self.portenv, words);
    }
}

fn site_packages(venv: &Path) -> PathBuf {
    let mut entries = fs::read_dir(venv.join("lib")).unwrap();
    entries
        .next()
        .unwrap()
        .unwrap()
        .path()
        .join("site-packages")
}

/// What `shutil.copytree` does, without Python's share of the time.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            let _ = fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Returns the bytes of all files, and the blocks of those with no other name.
#[cfg(unix)]
fn room(dir: &Path) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    let (mut bytes, mut blocks) = (0, 0);
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let data = entry.metadata().unwrap();
        if data.is_dir() {
            let inner = room(&entry.path());
            (bytes, blocks) = (bytes + inner.0, blocks + inner.1);
        } else if data.is_file() {
            bytes += data.len();
            if data.nlink() == 1 {
                blocks += data.blocks() * 512;
            }
        }
    }
    (bytes, blocks)
}

#[cfg(not(unix))]
fn room(_: &Path) -> (u64, u64) {
    (0, 0)
}
