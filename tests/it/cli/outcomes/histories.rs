//! A history that cannot be used, and a clock that goes backwards.

use std::fs;

use camino::Utf8PathBuf;

use super::{ALL, Row, Scene, check, nothing};
use crate::cli::place::Place;
use crate::support::{Wheel, base_python};

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
