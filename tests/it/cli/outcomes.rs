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
    bad_input::{may_mount, wrapped},
    support::{Fault, Run, Wheel, base_python, uv},
};

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

    /// Returns what is wrong with how a run ended.
    fn complaints(&self, row: &Row, run: &Run) -> Vec<String> {
        let mut wrong = Vec::new();
        if run.code() != row.exit {
            wrong.push(format!("exit code {} and not {}", run.code(), row.exit));
        }
        let document = run.json();
        if !row.code.is_empty() {
            if document["error"]["code"] != row.code {
                wrong.push(format!(
                    "{} and not {}",
                    document["error"]["code"], row.code
                ));
            }
            if document["next"].as_array().is_none_or(Vec::is_empty) {
                wrong.push("nothing is said to be run next".to_owned());
            }
            if !run.stderr().contains("hint: ") {
                wrong.push("no hint".to_owned());
            }
        }
        if !run.stderr().contains(row.says) {
            wrong.push(format!("stderr does not say `{}`", row.says));
        }
        wrong
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
        let mut complaints = scene.complaints(row, &run);
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
        let mut complaints = scene.complaints(row, &run);
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

#[test]
fn a_full_disk_stops_a_change_before_it_begins_or_is_undone() {
    if !may_mount() {
        return;
    }
    check(&[
        Row {
            name: "no room for the history",
            commands: ALL,
            exit: 4,
            code: "disk",
            says: "hint: make room",
            fault: |_| on_a_disk("$ROOT/.portenv", 32, Some(0)),
            lift: nothing,
        },
        Row {
            name: "no room in the environment",
            commands: CHANGES,
            exit: 4,
            code: "disk",
            says: "hint: make room",
            fault: |_| on_a_disk("$SITE", 32, Some(0)),
            lift: nothing,
        },
        Row {
            name: "the environment's disk fills up while uv works",
            commands: &["add", "sync"],
            exit: 4,
            code: "disk",
            says: "hint: make room",
            fault: |scene| {
                scene.stand_in(
                    "uv",
                    "case \" $* \" in *' pip sync '*)\n\
                     if mkdir \"$ROOT/../once\" 2>/dev/null; then \
                     fill \"$SITE\"; \
                     truncate -s -1200k \"$SITE/.ballast\"; fi;; esac\nexec \"$REAL\" \"$@\"",
                );
                on_a_disk("$SITE", 32, None)
            },
            lift: Scene::stand_aside,
        },
        Row {
            name: "the history's disk fills up while uv works",
            commands: CHANGES,
            exit: 4,
            code: "disk",
            says: "hint: make room",
            fault: |scene| {
                scene.stand_in(
                    "uv",
                    "case \" $* \" in *' pip sync '*) \"$REAL\" \"$@\"; code=$?; \
                     mkdir \"$ROOT/../twice\" 2>/dev/null && fill \"$ROOT/.portenv\"; \
                     exit $code;; esac\nexec \"$REAL\" \"$@\"",
                );
                on_a_disk("$ROOT/.portenv", 32, None)
            },
            lift: Scene::stand_aside,
        },
        Row {
            name: "no room for the cache",
            commands: ALL,
            exit: 0,
            code: "",
            says: "",
            fault: |scene| {
                fs::remove_dir_all(scene.place.cache()).unwrap();
                fs::create_dir(scene.place.cache()).unwrap();
                on_a_disk("$BASE/cache/portenv", 1, Some(0))
            },
            lift: nothing,
        },
        Row {
            name: "no room for temporary files",
            commands: ALL,
            exit: 0,
            code: "",
            says: "",
            fault: |_| {
                let script = on_a_disk("$BASE/tmp", 1, Some(0));
                format!("export TMPDIR=\"$BASE/tmp\"; {script}")
            },
            lift: nothing,
        },
    ]);
}

#[test]
fn what_lies_on_another_disk_is_changed_like_anything_else() {
    if !may_mount() {
        return;
    }
    check(&[
        Row {
            name: "packages on a disk of their own",
            commands: CHANGES,
            exit: 0,
            code: "",
            says: "",
            fault: |_| on_a_disk("$SITE", 64, None),
            lift: nothing,
        },
        Row {
            name: "nodes on a disk of their own",
            commands: &["add", "rollback"],
            exit: 0,
            code: "",
            says: "",
            fault: |_| on_a_disk("$ROOT/custom_nodes", 64, None),
            lift: nothing,
        },
        Row {
            name: "what portenv keeps on a disk of its own",
            commands: ALL,
            exit: 0,
            code: "",
            says: "",
            fault: |_| on_a_disk("$ROOT/.portenv", 64, None),
            lift: nothing,
        },
    ]);
}

#[test]
fn at_whatever_size_a_disk_is_full_the_state_before_stands() {
    if !may_mount() {
        return;
    }
    for command in ALL {
        let scene = Scene::new(command);
        let mut refused = 0;
        for free in [0, 16, 64, 128, 256, 512, 1024, 1536, 2048, 4096] {
            let run = scene.run(&on_a_disk("$ROOT/.portenv", 32, Some(free)));
            if run.code() == 0 {
                break;
            }
            let run = run.expect_code(4);
            assert_eq!(run.json()["error"]["code"], "disk", "{run}");
            assert_eq!(scene.losses(), [""; 0], "{command}, {free} KB free: {run}");
            refused += 1;
        }
        assert!(refused > 0, "{command}: it was never full");
        assert_ne!(scene.place.history(), scene.history, "{command}");
    }
}

#[test]
fn what_may_not_be_written_is_told_before_the_change() {
    if !may_mount() {
        return;
    }
    check(&[
        Row {
            name: "a read-only installation",
            commands: ALL,
            exit: 4,
            code: "permission",
            says: "hint: make the directory writable",
            fault: |_| read_only("$ROOT"),
            lift: nothing,
        },
        Row {
            name: "a read-only environment",
            commands: CHANGES,
            exit: 4,
            code: "permission",
            says: "site-packages",
            fault: |_| read_only("$SITE"),
            lift: nothing,
        },
        Row {
            name: "read-only nodes",
            commands: &["add", "rollback"],
            exit: 4,
            code: "permission",
            says: "custom_nodes",
            fault: |_| read_only("$ROOT/custom_nodes"),
            lift: nothing,
        },
        Row {
            name: "a read-only cache",
            commands: ALL,
            exit: 0,
            code: "",
            says: "",
            fault: |_| read_only("$BASE/cache/portenv"),
            lift: nothing,
        },
    ]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_right_that_is_lost_midway_is_told_and_what_can_be_put_back_is() {
    check(&[
        Row {
            name: "the environment is locked before uv changes it",
            commands: CHANGES,
            exit: 4,
            code: "permission",
            says: "",
            fault: |scene| {
                scene.stand_in(
                    "uv",
                    "case \" $* \" in *' pip sync '*) chmod -R a-w \"$SITE\";; esac\n\
                     exec \"$REAL\" \"$@\"",
                );
                heeding_modes()
            },
            lift: |scene| {
                scene.stand_aside();
                scene.chmod("u+w", ".venv");
            },
        },
        Row {
            name: "the environment is locked when uv has changed it",
            commands: CHANGES,
            exit: 5,
            code: "broken",
            says: "portenv recover",
            fault: |scene| {
                scene.stand_in(
                    "uv",
                    "case \" $* \" in *' pip sync '*) \"$REAL\" \"$@\"; chmod -R a-w \"$SITE\"; \
                     echo 'error: cut short' >&2; exit 2;; esac\nexec \"$REAL\" \"$@\"",
                );
                heeding_modes()
            },
            lift: |scene| {
                scene.stand_aside();
                scene.chmod("u+w", ".venv");
            },
        },
        Row {
            name: "the nodes are locked while one is fetched",
            commands: &["add"],
            exit: 4,
            code: "permission",
            says: "custom_nodes",
            fault: |scene| {
                scene.stand_in(
                    "git",
                    "case \" $* \" in *' clone '*) chmod a-w \"$ROOT/custom_nodes\";; esac\n\
                     exec \"$REAL\" \"$@\"",
                );
                heeding_modes()
            },
            lift: |scene| {
                scene.stand_aside();
                scene.chmod("u+w", "custom_nodes");
            },
        },
    ]);
}

/// Whether files can be made unchangeable here.
#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "a test that was skipped says so")]
fn may_fix_files() -> bool {
    let script = "f=$(mktemp) && chattr +i $f; code=$?; chattr -i $f; rm -f $f; exit $code";
    let tried = Command::new("sh").args(["-c", script]).output().unwrap();
    if !tried.status.success() {
        println!("skipped: this user cannot make files unchangeable here");
    }
    tried.status.success()
}

#[cfg(target_os = "linux")]
fn chattr(scene: &Scene, flag: &str, path: &str) {
    let done = Command::new("chattr")
        .args(["-R", flag, path])
        .current_dir(scene.place.root())
        .status();
    assert!(done.unwrap().success());
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_nobody_can_change_ends_in_the_state_before() {
    if !may_fix_files() {
        return;
    }
    check(&[
        Row {
            name: "of a package that changes",
            commands: &["add", "sync", "rollback"],
            exit: 4,
            code: "permission",
            says: "alpha",
            fault: |scene| {
                let dir = scene.place.site_packages().join("alpha/__init__.py");
                chattr(scene, "+i", dir.as_str());
                String::new()
            },
            lift: |scene| {
                let dir = scene.place.site_packages().join("alpha/__init__.py");
                chattr(scene, "-i", dir.as_str());
            },
        },
        Row {
            name: "of a node that goes",
            commands: &["rollback"],
            exit: 4,
            code: "permission",
            says: "custom_nodes/some-node",
            fault: |scene| {
                chattr(scene, "+i", "custom_nodes/some-node");
                String::new()
            },
            lift: |scene| chattr(scene, "-i", "custom_nodes/some-node"),
        },
    ]);
}

/// Keeps the history's file, so that the fault can be lifted.
fn keep_db(scene: &mut Scene) -> Utf8PathBuf {
    let db = scene.own("portenv.db");
    scene.kept = Some(fs::read(&db).unwrap());
    db
}

fn put_db_back(scene: &Scene) {
    let db = scene.own("portenv.db");
    if db.is_dir() {
        fs::remove_dir(&db).unwrap();
    }
    fs::write(db, scene.kept.as_ref().unwrap()).unwrap();
}

#[test]
fn a_history_that_cannot_be_used_stops_a_change_before_it_begins() {
    check(&[
        Row {
            name: "another program has it locked",
            commands: ALL,
            exit: 4,
            code: "busy",
            says: "portenv.db",
            fault: |scene| {
                let code = "import sqlite3, subprocess, sys\n\
                    c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                    c.execute('BEGIN EXCLUSIVE')\n\
                    sys.exit(subprocess.call(sys.argv[2:]))\n";
                let (python, db) = (base_python(), scene.own("portenv.db"));
                format!("exec '{python}' -c \"{code}\" '{db}' \"$@\"")
            },
            lift: nothing,
        },
        Row {
            name: "torn pages",
            commands: ALL,
            exit: 2,
            code: "invalid-file",
            says: "portenv recover",
            fault: |scene| {
                let db = keep_db(scene);
                let mut bytes = fs::read(&db).unwrap();
                bytes[4096..].fill(0xA5);
                fs::write(db, bytes).unwrap();
                String::new()
            },
            lift: put_db_back,
        },
        Row {
            name: "cut short",
            commands: ALL,
            exit: 2,
            code: "invalid-file",
            says: "portenv recover",
            fault: |scene| {
                let db = keep_db(scene);
                let bytes = fs::read(&db).unwrap();
                fs::write(db, &bytes[..5000]).unwrap();
                String::new()
            },
            lift: put_db_back,
        },
        Row {
            name: "emptied",
            commands: ALL,
            exit: 2,
            code: "invalid-file",
            says: "portenv recover",
            fault: |scene| {
                let db = keep_db(scene);
                fs::write(db, "").unwrap();
                String::new()
            },
            lift: put_db_back,
        },
        Row {
            name: "a directory in its place",
            commands: ALL,
            exit: 4,
            code: "disk",
            says: "move away what is in the way",
            fault: |scene| {
                let db = keep_db(scene);
                fs::remove_file(&db).unwrap();
                fs::create_dir(db).unwrap();
                String::new()
            },
            lift: put_db_back,
        },
        Row {
            name: "of a portenv to come",
            commands: ALL,
            exit: 2,
            code: "newer-format",
            says: "update portenv",
            fault: |scene| {
                let db = keep_db(scene);
                let db = rusqlite::Connection::open(db).unwrap();
                db.execute_batch("PRAGMA user_version = 99").unwrap();
                String::new()
            },
            lift: put_db_back,
        },
    ]);
}

#[test]
fn what_cannot_be_had_from_afar_changes_nothing() {
    check(&[
        Row {
            name: "the index answers with failures",
            commands: &["add", "sync"],
            exit: 3,
            code: "network",
            says: "gamma",
            fault: |scene| {
                let fault = Fault::Status(500);
                scene.place.server.fault("gamma", fault, usize::MAX);
                scene.place.sandbox.set_env("UV_HTTP_RETRIES", "0");
                String::new()
            },
            lift: |scene| scene.place.server.clear_faults(),
        },
        Row {
            name: "the index cuts files short",
            commands: &["add", "sync"],
            exit: 3,
            code: "network",
            says: "gamma",
            fault: |scene| {
                let server = &scene.place.server;
                let _ = scene
                    .place
                    .portenv(&["preview", "../remotes/some-node"])
                    .success();
                server.fault("gamma-1.0-py3", Fault::Truncate(40), usize::MAX);
                String::new()
            },
            lift: |scene| scene.place.server.clear_faults(),
        },
        Row {
            name: "the index has another file under the same name",
            commands: &["add", "sync"],
            exit: 3,
            code: "network",
            says: "gamma",
            fault: |scene| {
                let server = &scene.place.server;
                let _ = scene
                    .place
                    .portenv(&["preview", "../remotes/some-node"])
                    .success();
                server.fault("gamma-1.0-py3", Fault::Corrupt, usize::MAX);
                String::new()
            },
            lift: |scene| scene.place.server.clear_faults(),
        },
        Row {
            name: "the index is gone, and all it had is kept",
            commands: &["rollback"],
            exit: 0,
            code: "",
            says: "",
            fault: |scene| {
                let fault = Fault::Status(500);
                scene.place.server.fault("/", fault, usize::MAX);
                String::new()
            },
            lift: |scene| scene.place.server.clear_faults(),
        },
        Row {
            name: "the git remote is gone",
            commands: &["add"],
            exit: 3,
            code: "git",
            says: "some-node",
            fault: |scene| {
                let remote = scene.place.remote_dir("some-node");
                fs::rename(&remote, remote.with_extension("gone")).unwrap();
                String::new()
            },
            lift: |scene| {
                let remote = scene.place.remote_dir("some-node");
                fs::rename(remote.with_extension("gone"), &remote).unwrap();
            },
        },
        Row {
            name: "the git remote is gone, and the node goes too",
            commands: &["rollback"],
            exit: 0,
            code: "",
            says: "",
            fault: |scene| {
                let remote = scene.place.remote_dir("some-node");
                fs::rename(&remote, remote.with_extension("gone")).unwrap();
                String::new()
            },
            lift: nothing,
        },
    ]);
}

/// Returns the one wheel in the store.
fn stored(scene: &Scene) -> Utf8PathBuf {
    let files = tree(&scene.own("store")).into_keys();
    let mut wheels = files.filter(|file| file.ends_with(".whl"));
    scene.own("store").join(wheels.next().unwrap())
}

#[test]
fn a_wheel_that_the_store_has_lost_is_told_before_anything_is_changed() {
    check(&[
        Row {
            name: "it is gone",
            commands: &["rollback"],
            exit: 1,
            code: "refused",
            says: "mine",
            fault: |scene| {
                let file = stored(scene);
                fs::rename(&file, scene.place.dir().join("kept.whl")).unwrap();
                scene.kept = Some(file.as_str().into());
                String::new()
            },
            lift: |scene| {
                let file = String::from_utf8(scene.kept.clone().unwrap()).unwrap();
                fs::rename(scene.place.dir().join("kept.whl"), file).unwrap();
            },
        },
        Row {
            name: "it is damaged",
            commands: &["rollback"],
            exit: 1,
            code: "refused",
            says: "mine",
            fault: |scene| {
                let file = stored(scene);
                let mut bytes = fs::read(&file).unwrap();
                scene.kept = Some(bytes.clone());
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x55;
                fs::write(&file, bytes).unwrap();
                String::new()
            },
            lift: |scene| fs::write(stored(scene), scene.kept.as_ref().unwrap()).unwrap(),
        },
        Row {
            name: "all of the store is gone",
            commands: &["rollback"],
            exit: 1,
            code: "refused",
            says: "mine",
            fault: |scene| {
                fs::rename(scene.own("store"), scene.place.dir().join("kept")).unwrap();
                String::new()
            },
            lift: |scene| {
                let _ = fs::remove_dir_all(scene.own("store"));
                fs::rename(scene.place.dir().join("kept"), scene.own("store")).unwrap();
            },
        },
    ]);
}

#[test]
fn a_uv_that_is_of_no_use_changes_nothing() {
    check(&[
        Row {
            name: "there is none where one was named",
            commands: CHANGES,
            exit: 4,
            code: "uv",
            says: "--uv",
            fault: |scene| {
                scene.stand_in("uv", "");
                fs::remove_file(scene.place.dir().join("stand-in/uv")).unwrap();
                String::new()
            },
            lift: |scene| {
                let uv = uv();
                let text = format!("#!/bin/sh\nexec '{uv}' \"$@\"\n");
                let path = scene.place.dir().join("stand-in/uv");
                scene.place.write_executable(&path, &text);
            },
        },
        Row {
            name: "it is too old",
            commands: CHANGES,
            exit: 4,
            code: "uv",
            says: "0.1.0",
            fault: |scene| {
                scene.stand_in("uv", "echo uv 0.1.0");
                String::new()
            },
            lift: Scene::stand_aside,
        },
        Row {
            name: "it is killed, as when memory runs out",
            commands: CHANGES,
            exit: 4,
            code: "apply",
            says: "signal 9",
            fault: |scene| {
                scene.stand_in(
                    "uv",
                    "case \" $* \" in *' pip sync '*) \"$REAL\" \"$@\"; \
                     mkdir \"$ROOT/../once\" && kill -9 $$;; esac\nexec \"$REAL\" \"$@\"",
                );
                String::new()
            },
            lift: Scene::stand_aside,
        },
    ]);
}

#[test]
fn a_clock_that_goes_backwards_leaves_the_history_in_its_order() {
    let mut place = Place::synced();
    let mut made = Vec::new();
    for (year, version) in [(2031, "1.0"), (2024, "2.0"), (2031, "3.0")] {
        let clock = format!("{year}-01-01T00:00:00Z");
        place.sandbox.set_env("PORTENV_TEST_CLOCK", &clock);
        place.install_behind_its_back(&Wheel::new("mine", version).build());
        let _ = place.portenv(&["snapshot", "create"]).success();
        let history = place.history();
        assert!(!made.contains(&history[0]), "{history:?}");
        made.insert(0, history[0].clone());
        assert_eq!(history[..made.len()], made);
    }
    place
        .sandbox
        .set_env("PORTENV_TEST_CLOCK", "2020-01-01T00:00:00Z");
    // What a policy keeps goes by the order, so nothing recent is pruned for its year.
    let keep = [
        "--keep",
        "2",
        "--daily",
        "0",
        "--weekly",
        "0",
        "--monthly",
        "0",
    ];
    let pruned = place.json(
        0,
        &[&["snapshot", "prune", "--dry-run"][..], &keep].concat(),
    );
    let pruned = pruned["snapshots"].to_string();
    assert!(
        !pruned.contains(&made[0]) && !pruned.contains(&made[1]),
        "{pruned}"
    );
    let _ = place.portenv(&["rollback", "--yes", "@~1"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, mine 2.0");
    let _ = place.portenv(&["undo", "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, mine 3.0");
    let _ = place.portenv(&["status", "--exit-code"]).success();
}
