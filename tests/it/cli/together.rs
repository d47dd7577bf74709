//! Two runs at once, and a run that is asked to stop.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Output, Stdio},
    thread::JoinHandle,
};

use camino::Utf8PathBuf;

use super::place::Place;
use crate::support::uv;

/// A uv that says when it is about to change something, and waits to be let go.
pub(super) struct Gate {
    here: BufReader<File>,
    go: File,
    armed: Utf8PathBuf,
}

/// A run of portenv that came as far as the gate.
pub(super) struct Waiting {
    pub(super) pid: u32,
    pub(super) ended: JoinHandle<Output>,
}

impl Gate {
    pub(super) fn install(place: &mut Place) -> Self {
        let dir = place.dir().join("gate");
        std::fs::create_dir(&dir).unwrap();
        for name in ["here", "go"] {
            let made = Command::new("mkfifo").arg(dir.join(name)).status().unwrap();
            assert!(made.success());
        }
        let script = format!(
            "#!/bin/sh\ncase \" $* \" in *' pip sync '*)\n\
             if mv '{dir}/armed' '{dir}/passed' 2>/dev/null; then\n\
             echo here > '{dir}/here'; read line < '{dir}/go'; fi;;\nesac\nexec '{}' \"$@\"\n",
            uv()
        );
        let launcher = dir.join("uv");
        place.write_executable(&launcher, &script);
        place.sandbox.set_env("PORTENV_UV", launcher.as_str());
        // Both ways, so that opening does not wait for the other side, and the end of the test
        // is the end of the waiting.
        let open = |name| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(dir.join(name))
                .unwrap()
        };
        Self {
            here: BufReader::new(open("here")),
            go: open("go"),
            armed: dir.join("armed"),
        }
    }

    /// Starts a command and returns when it is at the gate.
    pub(super) fn start(&mut self, place: &Place, arguments: &[&str]) -> Waiting {
        std::fs::write(&self.armed, "").unwrap();
        let mut command = place.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let pid = child.id();
        let mut told = self.here.get_ref().try_clone().unwrap();
        let ended = std::thread::spawn(move || {
            let output = child.wait_with_output().unwrap();
            // One that ends before the gate must not let the test wait for ever.
            told.write_all(b"ended\n").unwrap();
            output
        });
        let mut line = String::new();
        self.here.read_line(&mut line).unwrap();
        assert_eq!(line, "here\n", "it ended before it came to uv");
        Waiting { pid, ended }
    }

    pub(super) fn open(&mut self) {
        self.go.write_all(b"go\n").unwrap();
    }
}

/// Starts a run that is to wait, and returns it with the rest of what it says once it does.
fn wait_in_line(
    place: &Place,
    arguments: &[&str],
) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut command = place.command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(
        lines.any(|line| line.contains("waiting for another portenv: PID ")),
        "it never waited"
    );
    (child, lines)
}

fn signal(which: &str, pid: u32) {
    let sent = Command::new("kill")
        .args([which, &pid.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn the_second_run_is_told_who_is_at_work_and_readers_are_not_hindered() {
    let mut place = Place::new();
    let _ = place.portenv(&["init"]).success();
    let _ = place.portenv(&["lock"]).success();
    let node = place.offered("some-node", "gamma\n");
    let mut gate = Gate::install(&mut place);
    let first = gate.start(&place, &["sync", "--yes"]);
    let who = format!("PID {}, sync, since 20", first.pid);

    let status = place.json(0, &["status"]);
    assert_eq!(
        status["interrupted"],
        serde_json::Value::Null,
        "it is at work, not interrupted"
    );
    assert!(status["hints"][0].as_str().unwrap().contains(&who));
    for (code, reader) in [
        (0, &["snapshot", "list"][..]),
        (0, &["snapshot", "show"]),
        (0, &["diff"]),
        (0, &["why", "alpha"]),
        (0, &["tree"]),
        (0, &["preview", &node]),
        (0, &["sync", "--dry-run"]),
        (0, &["lock", "--check"]),
        (0, &["self"]),
        (0, &["verify"]),
        // What is locked is not installed yet.
        (1, &["check"]),
    ] {
        let run = place.portenv(reader).expect_code(code);
        assert!(!run.stderr().contains("waiting"), "{reader:?}: {run}");
    }
    for changing in [
        &["rollback", "--yes"][..],
        &["sync", "--yes"],
        &["add", "--yes", &node],
        &["lock"],
        &["init"],
        &["snapshot", "create"],
        &["recover"],
    ] {
        let all = [changing, &["--no-wait", "--format", "json"]].concat();
        let second = place.portenv(&all).expect_code(4);
        assert_eq!(second.json()["error"]["code"], "busy", "{second}");
        assert!(second.stderr().contains(&who), "{second}");
        assert!(!second.stderr().contains("waiting"), "{second}");
    }
    place.sandbox.set_env("PORTENV_NO_WAIT", "1");
    let _ = place.portenv(&["snapshot", "create"]).expect_code(4);

    gate.open();
    let _ = place.run_of(&first.ended.join().unwrap()).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
}

#[test]
fn who_waits_can_be_interrupted_and_has_changed_nothing() {
    let mut place = Place::synced();
    place.uninstall_behind_its_back("beta");
    let mut gate = Gate::install(&mut place);
    let first = gate.start(&place, &["sync", "--yes"]);
    let history = place.history();
    let (mut second, _lines) = wait_in_line(&place, &["rollback", "--yes"]);
    signal("-INT", second.id());
    assert_eq!(second.wait().unwrap().code(), Some(130));
    assert_eq!(place.history(), history);
    gate.open();
    let _ = place.run_of(&first.ended.join().unwrap()).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_killed_run_started_is_waited_for_and_its_half_work_undone() {
    let mut place = Place::synced();
    place.uninstall_behind_its_back("beta");
    let mut gate = Gate::install(&mut place);
    let first = gate.start(&place, &["sync", "--yes"]);
    signal("-KILL", first.pid);
    let refused = place
        .portenv(&["sync", "--yes", "--no-wait"])
        .expect_code(4);
    let who = format!("PID {}, sync, since 20", first.pid);
    assert!(refused.stderr().contains(&who), "{refused}");
    assert!(
        refused
            .stderr()
            .contains("what it started is still at work"),
        "{refused}"
    );
    let (mut second, lines) = wait_in_line(&place, &["sync", "--yes"]);
    gate.open();
    assert_eq!(
        place.run_of(&first.ended.join().unwrap()).code(),
        128 + 9,
        "killed"
    );
    let rest: Vec<String> = lines.collect();
    assert!(second.wait().unwrap().success(), "{rest:#?}");
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
    let _ = place.portenv(&["status", "--exit-code"]).success();
}

#[test]
fn a_run_that_waited_plans_on_what_the_first_left() {
    let mut place = Place::synced();
    let [one, two] = ["one", "two"].map(|name| place.offered(name, "gamma\n"));
    let mut gate = Gate::install(&mut place);
    let first = gate.start(&place, &["add", &one, "--yes"]);
    let (mut second, lines) = wait_in_line(&place, &["add", &two, "--yes", "--progress", "json"]);
    gate.open();
    let _ = place.run_of(&first.ended.join().unwrap()).success();
    let rest: Vec<String> = lines.collect();
    assert!(second.wait().unwrap().success(), "{rest:#?}");
    let _ = place.portenv(&["lock", "--check"]).success();
    let _ = place.portenv(&["check"]).success();
    let state = place.json(0, &["snapshot", "show"]);
    assert_eq!(state["snapshots"][0]["nodes"].as_array().unwrap().len(), 2);
}

#[test]
fn ctrl_c_while_uv_works_ends_with_the_state_before() {
    for command in ["sync", "add", "rollback"] {
        let mut place = Place::synced();
        let node = place.offered("some-node", "gamma\n");
        let arguments: Vec<&str> = match command {
            "add" => vec!["add", &node, "--yes"],
            command => vec![command, "--yes"],
        };
        place.uninstall_behind_its_back("beta");
        let _ = place.portenv(&["snapshot", "create"]).success();
        let (before, history) = (place.state(), place.history());
        let mut gate = Gate::install(&mut place);
        let run = gate.start(&place, &arguments);
        signal("-INT", run.pid);
        gate.open();
        let run = place.run_of(&run.ended.join().unwrap()).expect_code(130);
        assert_eq!((place.state(), place.history()), (before, history), "{run}");
        assert_eq!(
            place.json(0, &["status"])["interrupted"],
            serde_json::Value::Null
        );
        let _ = place.portenv(&arguments).success();
    }
}
