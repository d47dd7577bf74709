//! `undo` and `redo`.

use super::place::{Place, assert_error, assert_fields, changes, strings, strings_of};
use crate::support::Wheel;

/// `Place::synced` with two nodes added; the states along the way, oldest first.
fn walked() -> (Place, Vec<super::place::State>) {
    let place = Place::new();
    let _ = place.portenv(&["init"]).success();
    let _ = place.portenv(&["lock"]).success();
    let mut states = Vec::new();
    let _ = place.portenv(&["sync", "--yes"]).success();
    states.push(place.state());
    for (name, asked) in [("node-a", "delta<2\n"), ("node-b", "gamma\n")] {
        let node = place.offered(name, asked);
        let _ = place.portenv(&["add", &node, "--yes"]).success();
        states.push(place.state());
    }
    (place, states)
}

/// The kinds of the operations that left snapshots, newest first.
fn commands(place: &Place) -> Vec<String> {
    let list = place.json(0, &["snapshot", "list"]);
    let commands = strings(&list["snapshots"], "command").into_iter();
    commands
        .map(|text| text.split(' ').next().unwrap().to_owned())
        .collect()
}

#[test]
fn each_undo_goes_one_further_and_redo_forward_again() {
    let (place, states) = walked();
    let undo = || place.json(0, &["undo", "--yes"]);
    let redo = || place.json(0, &["redo", "--yes"]);
    let first = undo();
    assert_eq!(
        (&first["schema"], &first["status"]),
        (&"portenv.undo/1".into(), &"done".into())
    );
    assert_fields(
        &first,
        "operation before after changes nodes conflicts warnings",
    );
    assert_eq!(changes(&first), ["remove gamma 1.0 -"]);
    assert_eq!(
        strings_of(&first["next"][0]["argv"])[..2],
        ["portenv", "redo"]
    );
    assert_eq!(place.state(), states[1]);
    let _ = undo();
    assert_eq!(place.state(), states[0]);
    let forward = redo();
    assert_eq!(forward["schema"], "portenv.redo/1");
    assert_eq!(place.state(), states[1]);
    let _ = undo();
    assert_eq!(place.state(), states[0]);
    let _ = (redo(), redo());
    assert_eq!(place.state(), states[2]);
    // Every step was recorded, and none was rewritten.
    assert_eq!(
        commands(&place),
        [
            "redo", "redo", "undo", "redo", "undo", "undo", "add", "add", "sync", "as"
        ]
    );
    let _ = place.portenv(&["status", "--exit-code"]).success();
}

#[test]
fn at_either_end_a_sentence_says_so_and_nothing_is_changed() {
    let (place, states) = walked();
    let run = place
        .portenv(&["redo", "--yes", "--format", "json"])
        .expect_code(1);
    assert_error(&run, "refused");
    assert!(run.stderr().contains("nothing to redo"), "{run}");
    for _ in 0..3 {
        let _ = place.portenv(&["undo", "--yes"]).success();
    }
    let root = place.state();
    assert_eq!(place.shown(), "");
    let history = place.history();
    let run = place
        .portenv(&["undo", "--yes", "--format", "json"])
        .expect_code(1);
    assert_error(&run, "refused");
    assert!(run.stderr().contains("where the history begins"), "{run}");
    assert_eq!((place.state(), place.history()), (root, history));
    for _ in 0..3 {
        let _ = place.portenv(&["redo", "--yes"]).success();
    }
    assert_eq!(place.state(), states[2]);
}

#[test]
fn a_new_operation_ends_what_can_be_done_again() {
    let (place, states) = walked();
    let _ = place.portenv(&["undo", "--yes"]).success();
    let node = place.offered("node-c", "beta\n");
    let _ = place.portenv(&["add", &node, "--yes"]).success();
    let run = place
        .portenv(&["redo", "--yes", "--format", "json"])
        .expect_code(1);
    assert_error(&run, "refused");
    // What was undone is passed over by undo, and still there for rollback.
    let _ = place.portenv(&["undo", "--yes"]).success();
    assert_eq!(place.state(), states[1]);
    let _ = place.portenv(&["undo", "--yes"]).success();
    assert_eq!(place.state(), states[0]);
    let last = place.json(0, &["snapshot", "list"])["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["command"].as_str().unwrap().contains("node-b"))
        .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let _ = place.portenv(&["rollback", &last, "--yes"]).success();
    assert_eq!(place.state(), states[2]);
}

#[test]
fn drift_is_recorded_undone_first_and_done_again() {
    let (place, states) = walked();
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    let drifted = place.shown();
    let undone = place.json(0, &["undo", "--yes"]);
    assert_eq!(changes(&undone), ["remove mine 1.0 -"]);
    assert_eq!(place.state(), states[2]);
    let _ = place.portenv(&["undo", "--yes"]).success();
    assert_eq!(place.state(), states[1]);
    for _ in 0..2 {
        let _ = place.portenv(&["redo", "--yes"]).success();
    }
    assert_eq!(place.shown(), drifted);
    // Drift after an undo is something new: there is nothing to go forward to.
    let _ = place.portenv(&["undo", "--yes"]).success();
    place.uninstall_behind_its_back("alpha");
    let history = place.history();
    let run = place
        .portenv(&["redo", "--yes", "--format", "json"])
        .expect_code(1);
    assert_error(&run, "refused");
    assert!(run.stderr().contains("changed since"), "{run}");
    assert_eq!(place.history(), history);
}

#[test]
fn over_a_rollback_undo_returns_and_goes_on_from_there() {
    let (place, states) = walked();
    let _ = place.portenv(&["rollback", "@~2", "--yes"]).success();
    assert_eq!(place.state(), states[0]);
    let _ = place.portenv(&["undo", "--yes"]).success();
    assert_eq!(place.state(), states[2]);
    let _ = place.portenv(&["undo", "--yes"]).success();
    assert_eq!(place.state(), states[1]);
}

#[test]
fn it_asks_names_what_it_goes_over_and_keeps_to_its_plan() {
    let (place, states) = walked();
    let run = place.portenv(&["undo"]).expect_code(2);
    assert!(run.stderr().contains("back over: add "), "{run}");
    assert_eq!(place.state(), states[2]);
    let shown = place.json(0, &["undo", "--dry-run"]);
    assert_eq!(shown["status"], "dry-run");
    let argv = strings_of(&shown["next"][0]["argv"]);
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    let run = place.portenv(&argv[1..]).expect_code(1);
    assert_error(&run, "plan-stale");
    place.uninstall_behind_its_back("mine");
    let _ = place.portenv(&argv[1..]).success();
    assert_eq!(place.state(), states[1]);
    let shown = place.portenv(&["redo", "--dry-run"]).success();
    assert!(shown.stderr().contains("again: add "), "{shown}");
    assert_eq!(place.state(), states[1]);
}

#[test]
fn changed_files_in_a_checkout_are_never_overwritten() {
    let place = Place::synced();
    let url = place.git_remote("some-node", "gamma\n");
    let _ = place.portenv(&["add", &url, "--yes"]).success();
    place.write("custom_nodes/some-node/__init__.py", "mine\n");
    let before = place.state();
    // The change is drift to go back over, and that is what is refused.
    let run = place
        .portenv(&["undo", "--yes", "--format", "json"])
        .expect_code(1);
    assert_error(&run, "dirty");
    assert_eq!(place.state(), before);
}

#[test]
fn what_was_cut_short_is_put_back_before_a_step_is_made() {
    let (place, states) = walked();
    let db = rusqlite::Connection::open(place.root().join(".portenv/portenv.db")).unwrap();
    db.execute_batch(
        "INSERT INTO operation (before, kind, command, started, outcome)
         SELECT after, 'sync', 'sync', started, 'open' FROM operation ORDER BY number DESC LIMIT 1;
         INSERT INTO step (operation, n, what, done)
         SELECT max(number), 0, '{\"do\":\"packages\"}', 0 FROM operation;",
    )
    .unwrap();
    drop(db);
    place.uninstall_behind_its_back("gamma");
    let _ = place.portenv(&["undo", "--yes"]).success();
    assert_eq!(place.state(), states[1]);
    let _ = place.portenv(&["redo", "--yes"]).success();
    assert_eq!(place.state(), states[2]);
}

#[test]
fn a_lock_written_since_is_undone_first_and_done_again() {
    let (place, states) = walked();
    place.settings("[overrides]\nbeta = { specifier = \"==2.0\", reason = \"newer\" }\n");
    let _ = place.portenv(&["lock"]).success();
    let (locked, text) = (place.state(), place.read("pylock.toml"));
    assert_ne!(locked, states[2]);
    let undo = || {
        let _ = place.portenv(&["undo", "--yes"]).success();
        place.read("pylock.toml")
    };
    assert_ne!(undo(), text);
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, delta 1.0, gamma 1.0");
    let _ = place.portenv(&["redo", "--yes"]).success();
    assert_eq!(place.state(), locked);
    // What goes on from there is undone to it, and not past it.
    let node = place.offered("node-c", "alpha\n");
    let _ = place.portenv(&["add", &node, "--yes"]).success();
    assert_eq!(undo(), text);
    let _ = (undo(), undo());
    assert!(!place.shown().contains("gamma"), "{}", place.shown());
}

#[test]
fn a_first_lock_is_there_again_once_what_came_after_it_is_undone() {
    let place = Place::new();
    let _ = place.portenv(&["init"]).success();
    let _ = place.portenv(&["lock"]).success();
    let before = place.state();
    let node = place.offered("node-a", "delta<2\n");
    let _ = place.portenv(&["add", &node, "--yes"]).success();
    let _ = place.portenv(&["undo", "--yes"]).success();
    assert_eq!(place.state(), before);
    let _ = place.portenv(&["undo", "--yes"]).success();
    assert!(!place.root().join("pylock.toml").exists());
    let _ = place.portenv(&["redo", "--yes"]).success();
    assert_eq!(place.state(), before);
}
