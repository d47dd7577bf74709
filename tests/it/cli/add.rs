//! `add`.

use std::io::{Cursor, Write};

use super::place::{Place, assert_error, assert_fields, changes, strings};
use crate::support::Wheel;

#[test]
fn a_git_node_keeps_its_repository_commit_and_remote() {
    let place = Place::synced();
    let url = place.git_remote("some-node", "gamma\n");
    let commit = place.git(&place.remote_dir("some-node"), &["rev-parse", "HEAD"]);
    let document = place.json(0, &["add", &url, "--yes"]);
    assert_eq!(
        (&document["schema"], &document["status"]),
        (&"portenv.add/1".into(), &"done".into())
    );
    assert_fields(
        &document,
        "operation before after changes nodes conflicts warnings",
    );
    assert_eq!(changes(&document), ["add delta - 2.0", "add gamma - 1.0"]);
    assert_fields(&document["nodes"][0], "dir kind from to");
    assert_eq!(
        (
            strings(&document["nodes"], "dir"),
            strings(&document["nodes"], "kind")
        ),
        (vec!["custom_nodes/some-node".into()], vec!["add".into()])
    );

    let dir = place.root().join("custom_nodes/some-node");
    assert_eq!(place.git(&dir, &["rev-parse", "HEAD"]), commit);
    assert_eq!(place.git(&dir, &["remote", "get-url", "origin"]), url);
    assert_eq!(
        place.git(&dir, &["symbolic-ref", "--short", "HEAD"]),
        "main"
    );
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, delta 2.0, gamma 1.0");
    let _ = place.portenv(&["lock", "--check"]).success();
    let _ = place.portenv(&["status", "--exit-code"]).success();
    assert_eq!(place.history()[0], document["after"]);
}

#[test]
fn a_checkout_named_by_path_keeps_where_it_came_from() {
    let place = Place::synced();
    let url = place.git_remote("some-node", "");
    let mine = place.dir().join("mine/some-node");
    place.git(place.dir(), &["clone", "--quiet", &url, mine.as_str()]);
    let _ = place.portenv(&["add", mine.as_str(), "--yes"]).success();
    let dir = place.root().join("custom_nodes/some-node");
    assert_eq!(place.git(&dir, &["remote", "get-url", "origin"]), url);
    assert_eq!(
        place.git(&dir, &["rev-parse", "HEAD"]),
        place.git(&mine, &["rev-parse", "HEAD"])
    );
}

#[test]
fn without_a_yes_it_stops_with_a_plan_and_changes_nothing() {
    let place = Place::synced();
    let node = place.offered("some-node", "gamma\n");
    let (before, history) = (place.state(), place.history());
    let run = place
        .portenv(&["add", &node, "--format", "json"])
        .expect_code(2);
    assert_error(&run, "confirm");
    assert!(run.stderr().contains("gamma"), "the plan is shown: {run}");
    assert_eq!((place.state(), place.history()), (before, history));
    let preview = place.json(0, &["preview", &node]);
    assert_eq!(run.json()["plan"], preview["plan"]);
}

#[test]
fn the_plan_of_a_preview_is_applied_and_no_other() {
    let place = Place::synced();
    let node = place.offered("some-node", "gamma\n");
    let plan = place.json(0, &["preview", &node])["plan"]
        .as_str()
        .unwrap()
        .to_owned();
    std::fs::write(format!("{node}/requirements.txt"), "gamma\ndelta<2\n").unwrap();
    let before = place.state();
    let stale = place
        .portenv(&["add", &node, "--plan", &plan, "--format", "json"])
        .expect_code(1);
    assert_error(&stale, "plan-stale");
    assert_eq!(place.state(), before);

    let plan = place.json(0, &["preview", &node])["plan"]
        .as_str()
        .unwrap()
        .to_owned();
    let _ = place.portenv(&["add", &node, "--plan", &plan]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, delta 1.0, gamma 1.0");
}

#[test]
fn a_newer_one_in_place_of_an_older_moves_that_to_the_trash() {
    let place = Place::synced();
    let node = place.offered("some-node", "delta<2\n");
    let _ = place.portenv(&["add", &node, "--yes"]).success();
    place.write("custom_nodes/some-node/models.txt", "kept by the user");
    std::fs::write(format!("{node}/requirements.txt"), "delta>=2\n").unwrap();
    let document = place.json(0, &["add", &node, "--yes"]);
    assert_eq!(changes(&document), ["upgrade delta 1.0 2.0"]);
    assert_eq!(
        place.read("custom_nodes/some-node/requirements.txt"),
        "delta>=2\n"
    );
    let [thrown] = &place.trash()[..] else {
        panic!("{:?}", place.trash())
    };
    assert_eq!(
        place.read(&format!(".portenv/trash/{thrown}/models.txt")),
        "kept by the user"
    );

    // The other content comes back from there.
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(
        place.read("custom_nodes/some-node/requirements.txt"),
        "delta<2\n"
    );
    assert_eq!(
        place.read("custom_nodes/some-node/models.txt"),
        "kept by the user"
    );
    assert_eq!(place.installed()["delta"], "1.0");
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(
        place.read("custom_nodes/some-node/requirements.txt"),
        "delta>=2\n"
    );
    assert_eq!(place.installed()["delta"], "2.0");
}

#[test]
fn a_node_with_changed_files_is_never_overwritten() {
    let place = Place::synced();
    let url = place.git_remote("some-node", "");
    let _ = place.portenv(&["add", &url, "--yes"]).success();
    place.write("custom_nodes/some-node/__init__.py", "mine = True\n");
    let before = place.state();
    let run = place
        .portenv(&["add", &url, "--yes", "--format", "json"])
        .expect_code(1);
    assert_error(&run, "dirty");
    assert_eq!(place.state(), before);
}

#[test]
fn a_conflict_adds_nothing() {
    let place = Place::synced();
    let node = place.offered("new-beta", "beta>=2\n");
    let (before, history) = (place.state(), place.history());
    assert_eq!(
        place.json(1, &["add", &node, "--yes"])["status"],
        "conflict"
    );
    assert_eq!((place.state(), place.history()), (before, history));
}

#[test]
fn drift_found_before_is_a_snapshot_of_its_own() {
    let place = Place::synced();
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    let node = place.offered("some-node", "gamma\n");
    let document = place.json(0, &["add", &node, "--yes"]);
    assert_eq!(changes(&document), ["add delta - 2.0", "add gamma - 1.0"]);
    let history = place.history();
    assert_eq!(
        (history.len(), &document["before"]),
        (4, &history[1].as_str().into())
    );
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, mine 1.0");
    let _ = place.portenv(&["rollback", "@~3", "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
}

#[test]
fn an_archive_at_an_address_is_fetched_and_unpacked() {
    let place = Place::synced();
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [
        ("top/__init__.py", ""),
        ("top/requirements.txt", "delta<2\n"),
    ] {
        zip.start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    let bytes = zip.finish().unwrap().into_inner();
    place
        .server
        .route("/packed-node.zip", "application/zip", bytes);
    let url = format!("{}/packed-node.zip", place.server.base());
    let _ = place.portenv(&["add", &url, "--yes"]).success();
    assert_eq!(
        place.read("custom_nodes/packed-node/requirements.txt"),
        "delta<2\n"
    );
    assert_eq!(place.installed()["delta"], "1.0");
}

#[test]
fn an_archive_that_climbs_out_is_refused() {
    let place = Place::synced();
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["top/__init__.py", "../../climbed.py"] {
        zip.start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
    }
    let path = place.dir().join("climber.zip");
    std::fs::write(&path, zip.finish().unwrap().into_inner()).unwrap();
    let before = place.state();
    let run = place
        .portenv(&["add", path.as_str(), "--yes", "--format", "json"])
        .expect_code(2);
    assert_error(&run, "not-found");
    assert_eq!(place.state(), before);
    for dir in [
        place.dir(),
        place.root(),
        &place.root().join(".portenv"),
        &place.dir().join("tmp"),
    ] {
        assert!(!dir.join("climbed.py").exists());
    }
}

#[test]
fn a_wheel_that_a_node_brings_is_locked_where_it_will_lie_and_survives_the_node() {
    let place = Place::synced();
    let wheel = Wheel::new("brought", "1.0").build();
    let line = format!("./wheels/{}\n", wheel.filename);
    let node = place.offered("Bringer", &line);
    let dir = camino::Utf8Path::new(&node).join("wheels");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join(&wheel.filename), &wheel.bytes).unwrap();

    let _ = place.portenv(&["add", &node, "--yes"]).success();
    let lock = place.sandbox.read("pylock.toml");
    let path = format!("\"custom_nodes/Bringer/wheels/{}\"", wheel.filename);
    assert!(lock.contains(&path), "{lock}");
    let _ = place.portenv(&["lock"]).success();
    assert_eq!(
        place.sandbox.read("pylock.toml"),
        lock,
        "lock says the same"
    );

    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert!(!place.shown().contains("brought"));
    std::fs::remove_dir_all(&node).unwrap();
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert!(place.shown().contains("brought 1.0"));
}
