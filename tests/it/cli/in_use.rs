//! A ComfyUI that runs, and files that a program has loaded.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use super::place::{Place, assert_error};
use crate::support::{Wheel, base_python};

/// A Python that runs as long as the test lets it.
struct Holder(Child);

impl Holder {
    /// Runs this code, which must say something once it is ready, with these arguments.
    fn start(place: &Place, code: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(base_python());
        command.args([
            "-c",
            &format!("{code}\nprint('ready', flush=True)\ninput()\n"),
        ]);
        command.args(arguments).current_dir(place.root());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn end(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

const MAP: &str = "import mmap, sys\nfile = open(sys.argv[1], 'rb')\n\
    held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)";

#[test]
fn a_library_that_a_program_has_loaded_stops_a_change_and_its_pid_is_named() {
    let place = Place::new();
    for version in ["1.0", "1.1"] {
        let wheel = Wheel::new("alpha", version).file("alpha/__init__.py", "");
        let core = format!("{version} {}", " ".repeat(8192));
        place.server.add(wheel.file("alpha/_core.so", core));
    }
    let _ = place.portenv(&["lock"]).success();
    let _ = place.portenv(&["sync", "--yes"]).success();
    let node = place.offered("some-node", "alpha<1.1\n");
    let library = place.site_packages().join("alpha/_core.so");
    let holder = Holder::start(&place, MAP, &[library.as_str()]);
    let (before, history) = (place.state(), place.history());
    place.uninstall_behind_its_back("beta");
    // What leaves the file alone is done.
    let _ = place.portenv(&["sync", "--yes"]).success();
    assert_eq!(place.state(), before);
    let run = place.portenv(&["add", "--yes", &node, "--format", "json"]);
    let run = run.expect_code(4);
    assert_error(&run, "in-use");
    for part in [
        &format!("PID {}, ", holder.0.id()),
        "alpha/_core.so",
        "hint: end",
    ] {
        assert!(run.stderr().contains(part), "{part}: {run}");
    }
    assert_eq!(place.state(), before);
    assert!(place.history().ends_with(&history));

    holder.end();
    let _ = place.portenv(&["add", "--yes", &node]).success();
    assert_eq!(place.shown(), "alpha 1.0, beta 1.0");
}

#[test]
fn a_comfyui_that_runs_is_told_with_its_pid_and_hinders_nothing() {
    let place = Place::synced();
    let other = Holder::start(&place, "", &["elsewhere/main.py"]);
    let node = place.offered("some-node", "gamma\n");
    let quiet = place.portenv(&["add", "--yes", &node]).success();
    assert!(!quiet.stderr().contains("ComfyUI is running"), "{quiet}");
    other.end();
    let holder = Holder::start(&place, "", &["main.py", "--listen"]);
    let run = place.portenv(&["remove", "--yes", "some-node"]).success();
    let told = format!("warning: ComfyUI is running (PID {}, ", holder.0.id());
    assert!(run.stderr().contains(&told), "{run}");
    // Who only looks is told nothing.
    let run = place.portenv(&["status"]).success();
    assert!(!run.stderr().contains("ComfyUI is running"), "{run}");
    holder.end();
}
