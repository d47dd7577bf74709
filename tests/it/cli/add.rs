//! `add`.

use super::place::{Place, assert_error, assert_fields, changes, strings};

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
