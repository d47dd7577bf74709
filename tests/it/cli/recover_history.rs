//! `recover` of a damaged history, and a history of a newer portenv, through the program.

use super::place::{Place, assert_error, strings, strings_of};
use crate::support::Wheel;

#[test]
fn a_damaged_history_is_told_kept_and_rebuilt_from_what_can_be_read() {
    let place = Place::synced();
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    let _ = place
        .portenv(&["snapshot", "create", "--label", "works"])
        .success();
    let all = place.history();
    let path = place.root().join(".portenv/portenv.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    // The list of one state is cut: its snapshot is lost, and no other.
    let cut =
        "UPDATE state SET dists = x'05' WHERE digest = (SELECT after FROM operation WHERE id = ?1)";
    db.execute(cut, [&all[1]]).unwrap();
    drop(db);
    let run = place
        .portenv(&["snapshot", "list", "--format", "json"])
        .expect_code(2);
    assert_error(&run, "invalid-file");
    assert_eq!(strings_of(&run.json()["next"][0]["argv"])[1], "recover");

    let packages = place.shown();
    let document = place.json(0, &["recover"]);
    assert_eq!(document["status"], "done");
    let words = document["warnings"][0]["message"].as_str().unwrap();
    assert!(
        words.contains("2 of its snapshots") && words.contains(&all[1]),
        "{words}"
    );
    assert_eq!(place.history(), [all[0].clone(), all[2].clone()]);
    let aside = place.root().join(".portenv").read_dir_utf8().unwrap();
    let aside = aside.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .starts_with("portenv.db.damaged-")
    });
    assert_eq!(aside.count(), 1);
    for name in ["works", "rebuilt"] {
        let shown = place.json(0, &["snapshot", "show", name]);
        assert_eq!(shown["snapshots"][0]["id"], all[0].as_str());
    }
    assert_eq!(place.json(0, &["recover"])["status"], "nothing");
    let _ = place.portenv(&["rollback", "as found", "--yes"]).success();
    let _ = place.portenv(&["rollback", "works", "--yes"]).success();
    assert_eq!(place.shown(), packages);
}

#[test]
fn where_nothing_can_be_read_it_begins_anew_with_what_is_there() {
    let place = Place::synced();
    place.write(".portenv/portenv.db", "garbage ".repeat(2000));
    let _ = place.portenv(&["rollback", "--yes"]).expect_code(2);
    let run = place.portenv(&["recover"]).success();
    assert!(run.stderr().contains("portenv.db.damaged-"), "{run}");
    let list = place.json(0, &["snapshot", "list"]);
    assert_eq!(strings(&list["snapshots"], "label"), ["rebuilt"]);
    let shown = place.json(0, &["snapshot", "show", "as found"]);
    assert_eq!(
        strings(&shown["snapshots"][0]["packages"], "name"),
        ["alpha", "beta"]
    );
    let _ = place.portenv(&["status", "--exit-code"]).success();
}

#[test]
fn a_history_of_a_newer_portenv_is_shown_with_a_warning_and_nothing_is_changed() {
    let place = Place::synced();
    let path = place.root().join(".portenv/portenv.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(db);
    let before = (std::fs::read(&path).unwrap(), place.state());
    for command in [
        &["status"][..],
        &["snapshot", "list"],
        &["snapshot", "show"],
        &["diff"],
    ] {
        let run = place.portenv(command).success();
        assert!(
            run.stderr().contains("schema 99") && run.stderr().contains("only read"),
            "{run}"
        );
    }
    let node = place.offered("some-node", "gamma\n");
    for command in [
        &["undo", "--yes"][..],
        &["rollback", "as found", "--yes"],
        &["snapshot", "create"],
        &["snapshot", "label", "@", "x"],
        &["snapshot", "prune"],
        &["add", &node, "--yes"],
        &["sync", "--yes"],
        &["bisect", "run", "--", "true"],
        &["recover"],
    ] {
        let run = place.portenv(command);
        assert!(run.code() == 2 || command == ["recover"], "{run}");
        assert!(
            run.stderr().contains("schema 99") || command == ["recover"],
            "{run}"
        );
    }
    assert_eq!((std::fs::read(&path).unwrap(), place.state()), before);
}

#[test]
fn an_emptied_history_is_damaged_as_long_as_something_is_stored_for_it() {
    let place = Place::synced();
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    let _ = place.portenv(&["snapshot", "create"]).success();
    let store = place.root().join(".portenv/store");
    let stored = store.read_dir_utf8().unwrap().count();
    assert!(stored > 0);
    place.write(".portenv/portenv.db", "");
    let run = place
        .portenv(&["snapshot", "list", "--format", "json"])
        .expect_code(2);
    assert_error(&run, "invalid-file");
    let _ = place.portenv(&["snapshot", "create"]).expect_code(2);
    assert_eq!(place.json(0, &["recover"])["status"], "done");
    let list = place.json(0, &["snapshot", "list"]);
    assert_eq!(strings(&list["snapshots"], "label"), ["rebuilt"]);
    assert_eq!(store.read_dir_utf8().unwrap().count(), stored);
}
