//! What does the history cost? Snapshots beside `uv pip freeze`, rollbacks beside `uv pip sync`,
//! and the bytes of the database.
//!
//! `cargo bench --bench history [-- --rounds N] [--snapshots N]`
//!
//! Packages are made on the spot, 30 files each, and served by an index of this program; every
//! cache is warm and both sides link from the same one. Rounds take turns, medians are shown.
//! Both rollbacks read the environment back, which `uv pip sync` does not.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a program for developers"
)]

#[allow(dead_code, unused_imports, reason = "shared with the tests")]
#[path = "../tests/it/support/mod.rs"]
mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use support::{Artifact, IndexServer, Sandbox, Wheel, uv};

/// Files of a package beside its metadata.
const FILES: usize = 30;

fn main() {
    let mut rounds = 9;
    let mut snapshots = 200;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().unwrap().parse().unwrap();
        match argument.as_str() {
            "--rounds" => rounds = number(),
            "--snapshots" => snapshots = number(),
            // Cargo adds it.
            "--bench" => {}
            other => panic!("{other}: not an option"),
        }
    }
    println!("{:<52} {:>9} {:>9} {:>7}", "", "portenv", "uv", "ratio");
    of_snapshots(300, rounds);
    of_growth(300, snapshots);
    of_rollbacks(150, rounds);
}

/// Makes one package; `number` tells it from others, the version from its successors.
fn package(number: usize, version: &str) -> Artifact {
    let name = format!("package-{number:03}");
    let module = name.replace('-', "_");
    let mut wheel = Wheel::new(&name, version);
    for at in 0..FILES {
        let text = format!("VALUE = '{name} {version} {at}'\n").repeat(20 + at);
        wheel = wheel.file(&format!("{module}/part_{at}.py"), text);
    }
    wheel.build()
}

/// An installation with so many packages in their first version, recorded.
struct Ground {
    sandbox: Sandbox,
    server: IndexServer,
    packages: usize,
}

impl Ground {
    fn new(packages: usize) -> Self {
        let files = (0..packages).flat_map(|at| [package(at, "1.0"), package(at, "2.0")]);
        let server = IndexServer::start(files);
        let sandbox = Sandbox::new().with_index(&server);
        let ground = Self {
            sandbox,
            server,
            packages,
        };
        ground.sandbox.comfyui(&ground.lines(packages));
        ground.sandbox.venv();
        ground.run(&["lock"]);
        ground.run(&["sync", "--yes"]);
        ground
    }

    /// Requirement lines with so many packages in their first version, the others in their second.
    fn lines(&self, first: usize) -> String {
        let mut lines = String::new();
        for at in 0..self.packages {
            let version = if at < first { "1.0" } else { "2.0" };
            lines.push_str(&format!("package-{at:03}=={version}\n"));
        }
        lines
    }

    fn run(&self, arguments: &[&str]) -> Duration {
        let mut command = self.sandbox.command(arguments);
        // Its clock counts minutes of a month; this program runs more commands than that.
        command.env_remove("PORTENV_TEST_CLOCK");
        timed(command)
    }

    fn uv(&self, venv: &Utf8Path, arguments: &[&str]) -> Duration {
        let mut command = Command::new(uv());
        command
            .args(["pip"])
            .args(arguments)
            .args(["--no-config", "--python", venv.join("bin/python").as_str()])
            .env("UV_CACHE_DIR", self.sandbox.dir().join("cache/uv"))
            .env("UV_INDEX_URL", self.server.url())
            .env("UV_PREVIEW_FEATURES", "pylock")
            .current_dir(self.sandbox.dir());
        timed(command)
    }

    /// Puts one package into another version, as somebody does who knows nothing of portenv.
    fn drift(&self, at: usize, version: &str) {
        let venv = self.sandbox.root().join(".venv");
        let wanted = format!("package-{at:03}=={version}");
        self.uv(&venv, &["install", "--no-deps", &wanted]);
    }

    fn database(&self) -> u64 {
        let dir = self.sandbox.root().join(".portenv");
        ["portenv.db", "portenv.db-wal"]
            .iter()
            .filter_map(|name| dir.join(name).metadata().ok())
            .map(|found| found.len())
            .sum()
    }
}

fn timed(mut command: Command) -> Duration {
    let began = Instant::now();
    let output = command.output().unwrap();
    let took = began.elapsed();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
    took
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn show(what: &str, ours: Vec<Duration>, theirs: Vec<Duration>) {
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "{what:<52} {:>6} ms {:>6} ms {:>7.2}",
        ours.as_millis(),
        theirs.as_millis(),
        ours.as_secs_f64() / theirs.as_secs_f64()
    );
}

fn of_snapshots(packages: usize, rounds: usize) {
    let ground = Ground::new(packages);
    let venv = ground.sandbox.root().join(".venv");
    let (mut changed, mut same, mut freeze) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        ground.drift(
            0,
            if round.is_multiple_of(2) {
                "2.0"
            } else {
                "1.0"
            },
        );
        freeze.push(ground.uv(&venv, &["freeze"]));
        changed.push(ground.run(&["snapshot", "create"]));
        same.push(ground.run(&["snapshot", "create"]));
    }
    show(
        &format!("snapshot of {packages} packages, one changed | pip freeze"),
        changed,
        freeze.clone(),
    );
    show(
        &format!("snapshot of {packages} packages, none changed | pip freeze"),
        same,
        freeze,
    );
}

fn of_growth(packages: usize, snapshots: usize) {
    let ground = Ground::new(packages);
    let first = ground.database();
    for at in 0..snapshots {
        let version = if (at / packages).is_multiple_of(2) {
            "2.0"
        } else {
            "1.0"
        };
        ground.drift(at % packages, version);
        ground.run(&["snapshot", "create"]);
    }
    let grown = ground.database() - first;
    println!(
        "database of {packages} packages: {first} bytes, then {} for each of {snapshots} further snapshots",
        grown / u64::try_from(snapshots.max(1)).unwrap(),
    );
}

fn of_rollbacks(packages: usize, rounds: usize) {
    let ground = Ground::new(packages);
    let lock_of = |name: &str| -> Utf8PathBuf {
        let kept = ground.sandbox.dir().join(format!("pylock.{name}.toml"));
        std::fs::copy(ground.sandbox.root().join("pylock.toml"), &kept).unwrap();
        kept
    };
    let one = lock_of("one");
    ground
        .sandbox
        .write("requirements.txt", ground.lines(0).as_bytes());
    ground.run(&["lock"]);
    ground.run(&["sync", "--yes"]);
    let two = lock_of("two");
    ground.run(&["snapshot", "label", "@", "two"]);
    ground.run(&["rollback", "--yes"]);
    ground.run(&["snapshot", "label", "@", "one"]);
    let beside = ground.sandbox.dir().join("beside");
    let base = ["-m", "venv", "--without-pip", beside.as_str()];
    let mut made = Command::new(support::base_python());
    made.args(base);
    timed(made);
    ground.uv(&beside, &["sync", one.as_str()]);

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (label, lock) in [("two", &two), ("one", &one)] {
            theirs.push(ground.uv(&beside, &["sync", lock.as_str()]));
            ours.push(ground.run(&["rollback", label, "--yes"]));
        }
    }
    show(
        &format!("rollback of {packages} packages, all change | pip sync"),
        ours,
        theirs,
    );
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for at in 0..rounds {
        ground.drift(at, "2.0");
        ground.uv(
            &beside,
            &["install", "--no-deps", &format!("package-{at:03}==2.0")],
        );
        theirs.push(ground.uv(&beside, &["sync", one.as_str()]));
        ours.push(ground.run(&["rollback", "one", "--yes"]));
    }
    show(
        &format!("rollback of {packages} packages, one changed | pip sync"),
        ours,
        theirs,
    );
}
