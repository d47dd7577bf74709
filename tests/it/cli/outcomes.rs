//! Every fault that a machine can have, at every kind of change: how it ends, and that nothing is
//! lost. The README has the same table in words.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use camino::Utf8PathBuf;

use super::place::{Place, tree};
use crate::{
    bad_input::wrapped,
    support::{Run, Wheel, uv},
};

mod disks;
mod histories;
mod rights;
mod sources;

const CHANGES: &[&str] = &["add", "sync", "rollback"];
const ALL: &[&str] = &["add", "sync", "rollback", "create"];

/// A fault, what it does to which commands, and how it is done away with.
struct Row {
    name: &'static str,
    commands: &'static [&'static str],
    exit: i32,
    /// The error code; empty where the command does its work all the same.
    code: &'static str,
    says: &'static str,
    /// Brings the fault about, or returns a shell script around the run that does.
    fault: fn(&mut Scene) -> String,
    lift: fn(&Scene),
}

impl Row {
    /// Returns what is wrong with how a run ended.
    fn complaints(&self, run: &Run) -> Vec<String> {
        let mut wrong = Vec::new();
        if run.code() != self.exit {
            wrong.push(format!("exit code {} and not {}", run.code(), self.exit));
        }
        let document = run.json();
        if !self.code.is_empty() {
            if document["error"]["code"] != self.code {
                wrong.push(format!(
                    "{} and not {}",
                    document["error"]["code"], self.code
                ));
            }
            if document["next"].as_array().is_none_or(Vec::is_empty) {
                wrong.push("nothing is said to be run next".to_owned());
            }
            if !run.stderr().contains("hint: ") {
                wrong.push("no hint".to_owned());
            }
        }
        if !run.stderr().contains(self.says) {
            wrong.push(format!("stderr does not say `{}`", self.says));
        }
        wrong
    }
}

/// An installation in which a command has something to do.
struct Scene {
    place: Place,
    arguments: Vec<String>,
    before: BTreeMap<String, String>,
    history: Vec<String>,
    /// What a fault put away, to be put back.
    kept: Option<Vec<u8>>,
}

impl Scene {
    fn new(command: &str) -> Self {
        let place = Place::new();
        // Larger on disk than in its file, as most are.
        let data = vec![0; 3_000_000];
        let alpha = Wheel::new("alpha", "1.0").file("alpha/data.bin", &data);
        place.server.add(alpha.file("alpha/__init__.py", ""));
        let _ = place.portenv(&["init"]).success();
        let _ = place.portenv(&["lock"]).success();
        let _ = place.portenv(&["sync", "--yes"]).success();
        let url = place.git_remote("some-node", "gamma\nalpha<1.1\n");
        place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
        let _ = place.portenv(&["snapshot", "create"]).success();
        let mut arguments = vec![command.to_owned(), "--yes".to_owned()];
        match command {
            "add" => arguments.push(url),
            "sync" => {
                place.write("requirements.txt", "alpha<1.1\ngamma\n");
                let _ = place.portenv(&["lock"]).success();
            }
            "rollback" => {
                let _ = place.portenv(&["add", "--yes", &url]).success();
                place.uninstall_behind_its_back("mine");
                let _ = place.portenv(&["snapshot", "create"]).success();
                arguments.push("@~2".to_owned());
            }
            "create" => {
                place.uninstall_behind_its_back("mine");
                arguments = ["snapshot", "create"].map(str::to_owned).to_vec();
            }
            _ => unreachable!(),
        }
        let history = place.history();
        let mut scene = Self {
            place,
            arguments,
            before: BTreeMap::new(),
            history,
            kept: None,
        };
        scene.before = scene.everything();
        scene
    }

    /// Every file of the installation by its content: the environment, core, nodes with their
    /// HEADs, lock and policy. Of portenv's own what a rollback lives on.
    fn everything(&self) -> BTreeMap<String, String> {
        let mut all = tree(self.place.root());
        all.retain(|path, _| {
            let own = path.strip_prefix(".portenv/");
            let is_kept = |own: &str| own.starts_with("store/") || own.starts_with("trash/");
            let spare = [".git/index", ".git/ORIG_HEAD", ".git/FETCH_HEAD"];
            own.is_none_or(is_kept)
                && !path.contains("__pycache__")
                && !path.contains(".git/logs/")
                && !path.contains(".git/objects/")
                && !spare.iter().any(|end| path.ends_with(end))
        });
        // Made when first needed; nothing in it is lost with it.
        all.retain(|path, _| path != ".portenv/store/" && path != ".portenv/trash/");
        all
    }

    fn own(&self, name: &str) -> Utf8PathBuf {
        self.place.root().join(".portenv").join(name)
    }

    fn run(&self, around: &str) -> Run {
        let mut arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        arguments.extend(["--format", "json"]);
        let mut command = self.place.command(&arguments);
        if !around.is_empty() {
            command = wrapped(&command, around, self.place.root());
            command.env("SITE", self.place.site_packages());
            command.env("BASE", self.place.dir());
        }
        self.place.finish(command)
    }

    /// Puts a stand-in for a program in the way: a shell script, with the real one as `$REAL`.
    fn stand_in(&mut self, program: &str, script: &str) {
        let dir = self.place.dir().join("stand-in");
        fs::create_dir_all(&dir).unwrap();
        let path = std::env::var("PATH").unwrap();
        let real = match program {
            "uv" => uv().to_string(),
            other => format!("/usr/bin/{other}"),
        };
        let (site, root) = (self.place.site_packages(), self.place.root());
        // Never the disk of the machine, whatever goes wrong.
        let fill = "fill() { [ \"$(stat -f -c %T \"$1\")\" = tmpfs ] && \
            dd if=/dev/zero of=\"$1/.ballast\" bs=4k 2>/dev/null; }";
        let text =
            format!("#!/bin/sh\nREAL='{real}'\nSITE='{site}'\nROOT='{root}'\n{fill}\n{script}\n");
        self.place.write_executable(&dir.join(program), &text);
        if program == "uv" {
            let stand_in = dir.join("uv");
            self.place.sandbox.set_env("PORTENV_UV", stand_in.as_str());
        } else {
            self.place.sandbox.set_env("PATH", &format!("{dir}:{path}"));
        }
    }

    /// Takes the stand-ins out of the way.
    fn stand_aside(&self) {
        let dir = self.place.dir().join("stand-in");
        for program in ["uv", "git"] {
            let path = dir.join(program);
            if path.exists() {
                let real = match program {
                    "uv" => uv().to_string(),
                    other => format!("/usr/bin/{other}"),
                };
                let text = format!("#!/bin/sh\nexec '{real}' \"$@\"\n");
                self.place.write_executable(&path, &text);
            }
        }
    }

    fn chmod(&self, mode: &str, path: &str) {
        let done = Command::new("chmod")
            .args(["-R", mode, path])
            .current_dir(self.place.root())
            .status();
        assert!(done.unwrap().success());
    }

    /// Returns what is wrong after a run that did its work.
    fn remainders(&self, run: &Run) -> Vec<String> {
        let mut wrong = Vec::new();
        if run.code() != 0 {
            wrong.push("it failed".to_owned());
        }
        if self.place.history() == self.history {
            wrong.push("there was nothing to do".to_owned());
        }
        let status = self.place.portenv(&["status", "--exit-code"]);
        if status.code() != 0 {
            wrong.push(format!("it ends with a difference\n{status}"));
        }
        wrong
    }

    /// Returns what is not as it was.
    fn losses(&self) -> Vec<String> {
        let now = self.everything();
        let paths = now.keys().chain(self.before.keys());
        let mut lost: Vec<String> = paths
            .filter(|path| now.get(*path) != self.before.get(*path))
            .map(|path| format!("changed: {path}"))
            .collect();
        lost.sort();
        lost.dedup();
        let history = self.place.history();
        if history != self.history {
            lost.push(format!("the history is {history:?}"));
        }
        let status = self.place.json(0, &["status"]);
        if !status["interrupted"].is_null() {
            lost.push(format!("interrupted: {}", status["interrupted"]));
        }
        lost
    }
}

/// Carries out every row with every command, and panics with all that is wrong.
///
/// Faults that stop a command come one after the other to one installation, as its state is the
/// same again each time; at the end the command does its work, so there was some to be stopped.
#[track_caller]
fn check(rows: &[Row]) {
    let commands: BTreeSet<&str> = rows.iter().flat_map(|row| row.commands).copied().collect();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = commands
            .into_iter()
            .map(|command| scope.spawn(move || carry_out(rows, command)))
            .collect();
        all.into_iter().flat_map(|it| it.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn carry_out(rows: &[Row], command: &str) -> Vec<String> {
    let rows = rows.iter().filter(|row| row.commands.contains(&command));
    let (stopped, done): (Vec<&Row>, Vec<&Row>) = rows.partition(|row| row.exit != 0);
    let mut wrong = Vec::new();
    let mut judge = |name: &str, run: &Run, complaints: Vec<String>| {
        if !complaints.is_empty() {
            let all = complaints.join("\n  ");
            wrong.push(format!("== {name} ({command})\n  {all}\n{run}"));
        }
    };
    let mut scene = None;
    for row in stopped {
        let scene = scene.get_or_insert_with(|| Scene::new(command));
        let around = (row.fault)(scene);
        let run = scene.run(&around);
        let mut complaints = row.complaints(&run);
        (row.lift)(scene);
        if row.exit == 5 {
            // What could not be put back is told by the next run, and put back once it can be.
            if scene.place.json(0, &["status"])["interrupted"].is_null() {
                complaints.push("status tells nothing".to_owned());
            }
            let _ = scene.place.portenv(&["recover"]).success();
        }
        complaints.extend(scene.losses());
        judge(row.name, &run, complaints);
    }
    if let Some(scene) = scene {
        let run = scene.run("");
        judge("no fault", &run, scene.remainders(&run));
    }
    for row in done {
        let mut scene = Scene::new(command);
        let around = (row.fault)(&mut scene);
        let run = scene.run(&around);
        let mut complaints = row.complaints(&run);
        (row.lift)(&scene);
        complaints.extend(scene.remainders(&run));
        judge(row.name, &run, complaints);
    }
    wrong
}

/// In a mount namespace of its own: puts a small disk at `$D` with what lies there, fills it but
/// for so many KB, and takes what lies there afterwards back. As root, or as one in name.
fn on_a_disk(dir: &str, megabytes: u32, free: Option<u32>) -> String {
    let fill = free.map_or(String::new(), |free| {
        format!(
            "[ \"$(stat -f -c %T \"$D\")\" = tmpfs ]; \
             dd if=/dev/zero of=\"$D/.ballast\" bs=4k 2>/dev/null || :; \
             truncate -s -{free}k \"$D/.ballast\"; "
        )
    });
    format!(
        "D=\"{dir}\"; export D; exec unshare -rm sh -c '\
         set -e; R=$(mktemp -d -p \"$BASE\"); mount --bind \"$D\" \"$R\"; \
         mount -t tmpfs -o size={megabytes}m tmpfs \"$D\"; cp -a \"$R/.\" \"$D/\"; {fill}set +e; \
         \"$@\"; code=$?; rm -f \"$D/.ballast\"; \
         find \"$R\" -mindepth 1 -delete; cp -a \"$D/.\" \"$R/\"; umount \"$R\"; rmdir \"$R\"; \
         exit $code' sh \"$@\""
    )
}

/// In a mount namespace of its own: nobody can write to a directory.
fn read_only(dir: &str) -> String {
    format!(
        "D=\"{dir}\"; export D; exec unshare -rm sh -c 'mount --bind \"$D\" \"$D\" && \
         mount -o remount,bind,ro \"$D\" && exec \"$@\"' sh \"$@\""
    )
}

/// Root is above modes unless it gives that up.
fn heeding_modes() -> String {
    "if [ \"$(id -u)\" = 0 ]; then \
     exec setpriv --bounding-set=-dac_override,-dac_read_search,-fowner \"$@\"; \
     else exec \"$@\"; fi"
        .to_owned()
}

fn nothing(_: &Scene) {}
