//! Every way in which uv can fail, at every change: the state before stands, or the journal
//! knows and puts it back.

use super::place::{Place, State, tree};
use crate::support::{Fault, FaultyUv, Mode, Run, Wheel};

/// The commands that change packages, each with a place where it is due.
const COMMANDS: [&str; 6] = ["sync", "add", "remove", "update", "disable", "rollback"];
const ALWAYS: u64 = u64::MAX;

struct Due {
    place: Place,
    uv: FaultyUv,
    arguments: Vec<String>,
    before: State,
    history: Vec<String>,
}

impl Due {
    fn new(command: &str) -> Self {
        let mut place = Place::synced();
        let url = place.git_remote("some-node", "gamma\nalpha<1.1\n");
        place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
        let _ = place.portenv(&["snapshot", "create"]).success();
        let mut arguments = vec![command.to_owned(), "--yes".to_owned()];
        match command {
            "sync" => {
                place.write("requirements.txt", "alpha<1.1\ngamma\n");
                let _ = place.portenv(&["lock"]).success();
            }
            "add" => arguments.push(url),
            "remove" | "disable" | "rollback" => {
                place.write("custom_nodes/.disabled/asleep/__init__.py", "");
                let _ = place.portenv(&["add", "--yes", &url]).success();
                arguments.extend((command != "rollback").then(|| "some-node".to_owned()));
            }
            "update" => {
                let _ = place.portenv(&["add", "--yes", &url]).success();
                let remote = place.remote_dir("some-node");
                std::fs::write(
                    remote.join("requirements.txt"),
                    "gamma\nalpha<1.1\ndelta<2\n",
                )
                .unwrap();
                place.commit_all(&remote, "Older delta");
            }
            _ => unreachable!(),
        }
        let uv = FaultyUv::install(&mut place.sandbox);
        let (before, history) = (place.state(), place.history());
        Self {
            place,
            uv,
            arguments,
            before,
            history,
        }
    }

    fn run(&self) -> Run {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.place.portenv(&arguments)
    }

    /// Asks once the stand-in is gone: it outlives the run that it kills by a moment, and keeps
    /// the directory lock so long.
    fn interrupted(&self) -> bool {
        let lock = std::fs::File::open(self.place.root().join(".portenv/lock")).unwrap();
        lock.lock_shared().unwrap();
        drop(lock);
        !self.place.json(0, &["status"])["interrupted"].is_null()
    }

    #[track_caller]
    fn assert_as_before(&self, context: &Run) {
        assert_eq!(self.place.state(), self.before, "{context}");
        assert_eq!(self.place.history(), self.history, "{context}");
        assert!(!self.interrupted(), "{context}");
        // Nothing staged is left to clutter the disk.
        let tmp = self.place.root().join(".portenv/tmp");
        let staged = tmp.read_dir_utf8().map_or(0, Iterator::count);
        assert_eq!(staged, 0, "{context}");
    }

    /// Runs the command without a fault, which proves that the fault had something to hit.
    #[track_caller]
    fn assert_still_works(&self) {
        self.uv.set(Mode::Pass, 1..=1);
        let run = self.run().success();
        assert_ne!(self.place.state(), self.before, "{run}");
        let _ = self.place.portenv(&["status", "--exit-code"]).success();
    }
}

#[test]
fn a_uv_that_fails_or_dies_before_a_change_leaves_the_state_before() {
    for command in COMMANDS {
        for mode in [Mode::FailBefore, Mode::KillSelf] {
            let due = Due::new(command);
            due.uv.set(mode, 1..=ALWAYS);
            let run = due.run().expect_code(4);
            due.assert_as_before(&run);
            due.assert_still_works();
        }
    }
}

#[test]
fn a_uv_that_fails_halfway_is_undone() {
    for command in COMMANDS {
        let due = Due::new(command);
        due.uv.set(Mode::FailAfterPartial, 1..=1);
        let run = due.run().expect_code(4);
        due.assert_as_before(&run);
        due.assert_still_works();
    }
}

#[test]
fn what_cannot_be_undone_is_said_and_recover_tries_again() {
    for command in COMMANDS {
        let due = Due::new(command);
        due.uv.set(Mode::FailAfterPartial, 1..=ALWAYS);
        let run = due.run().expect_code(5);
        assert!(run.stderr().contains("portenv recover"), "{run}");
        assert!(due.interrupted(), "{run}");
        let again = due.place.portenv(&["recover"]).expect_code(5);
        assert!(due.interrupted(), "{again}");
        due.uv.set(Mode::Pass, 1..=1);
        let recovered = due.place.json(0, &["recover"]);
        assert_eq!(recovered["status"], "undone");
        due.assert_as_before(&run);
        due.assert_still_works();
    }
}

#[test]
fn after_a_power_cut_status_says_so_and_recover_puts_it_back() {
    for command in COMMANDS {
        let due = Due::new(command);
        due.uv.set(Mode::KillParent, 1..=1);
        let run = due.run().expect_code(137);
        assert!(due.interrupted(), "{command}");
        let text = due.place.portenv(&["status"]).success();
        assert!(
            text.stdout()
                .contains(&format!("interrupted   {command} (")),
            "{text}"
        );

        // The power goes again while it is put back.
        due.uv.set(Mode::KillParent, 1..=1);
        let _ = due.place.portenv(&["recover"]).expect_code(137);
        assert!(due.interrupted(), "{command}");
        due.uv.set(Mode::Pass, 1..=1);
        let recovered = due.place.json(0, &["recover"]);
        assert_eq!(recovered["status"], "undone");
        due.assert_as_before(&run);
        due.assert_still_works();
    }
}

#[test]
fn after_a_power_cut_the_next_change_begins_with_the_state_before() {
    for command in COMMANDS {
        let due = Due::new(command);
        due.uv.set(Mode::KillParent, 1..=1);
        let _ = due.run().expect_code(137);
        // `lock` must not build on the half state either.
        let _ = due.place.portenv(&["lock"]).success();
        assert!(!due.interrupted(), "{command}");
        due.assert_still_works();
    }
}

#[test]
fn a_wheel_that_cannot_be_had_changes_nothing() {
    for command in ["sync", "add"] {
        let due = Due::new(command);
        // From here on the metadata is known, and only the file itself is missing.
        let _ = due
            .place
            .portenv(&["preview", "../remotes/some-node"])
            .success();
        let file = "gamma-1.0-py3-none-any.whl";
        due.place.server.fault(file, Fault::Status(404), usize::MAX);
        let run = due.run().expect_code(3);
        due.assert_as_before(&run);
        due.place.server.clear_faults();
        due.assert_still_works();
    }
}

#[test]
fn what_somebody_put_in_the_way_of_an_undoing_is_kept() {
    let due = Due::new("remove");
    due.uv.set(Mode::KillParent, 1..=1);
    let run = due.run().expect_code(137);
    let node = "custom_nodes/some-node";
    due.place
        .write(&format!("{node}/mine.txt"), "hours of work");
    due.uv.set(Mode::Pass, 1..=1);
    let _ = due.place.portenv(&["recover"]).success();
    due.assert_as_before(&run);
    let kept = tree(due.place.root()).into_keys();
    let kept: Vec<String> = kept.filter(|path| path.ends_with("/mine.txt")).collect();
    assert!(
        kept.len() == 1 && kept[0].contains("-in-the-way-some-node/"),
        "{kept:?}"
    );
    // It is no copy of the node that was removed.
    due.assert_still_works();
    let _ = due.place.portenv(&["undo", "--yes"]).success();
    assert_eq!(due.place.state(), due.before);
}

#[test]
fn the_trash_is_not_emptied_of_what_is_still_to_be_put_back() {
    let due = Due::new("remove");
    due.uv.set(Mode::FailAfterPartial, 1..=ALWAYS);
    let run = due.run().expect_code(5);
    let trash = due.place.trash();
    let refused = due
        .place
        .portenv(&["snapshot", "prune", "--trash"])
        .expect_code(1);
    assert!(refused.stderr().contains("portenv recover"), "{refused}");
    assert_eq!(due.place.trash(), trash);
    due.uv.set(Mode::Pass, 1..=1);
    let _ = due.place.portenv(&["recover"]).success();
    due.assert_as_before(&run);
}
