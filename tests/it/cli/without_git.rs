//! A machine without a git program: what checkouts are at is known all the same.

use std::{fs, process::Command};

use camino::Utf8Path;
use serde_json::Value;

use super::place::{Place, assert_error};

fn git(dir: &Utf8Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args([
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-C",
        dir.as_str(),
    ]);
    let done = command.args(arguments).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

/// Takes everything off PATH.
fn take_git_away(place: &mut Place) {
    let empty = place.dir().join("empty");
    fs::create_dir_all(&empty).unwrap();
    place.sandbox.set_env("PATH", empty.as_str());
}

fn nodes(place: &Place) -> (Value, Value) {
    let shown = place.json(0, &["snapshot", "show", "@"]);
    let snapshot = &shown["snapshots"][0];
    (snapshot["core"].clone(), snapshot["nodes"].clone())
}

#[test]
fn commits_addresses_and_changed_files_are_read_without_a_git_program() {
    let mut place = Place::synced();
    let url = place.git_remote("cloned", "");
    let _ = place.portenv(&["add", "--yes", &url]).success();
    let packed = place.git_node("packed", "");
    git(&packed, &["pack-refs", "--all"]);
    let detached = place.git_node("detached", "");
    git(&detached, &["checkout", "-q", "--detach"]);
    let fourth = place.git_node("fourth", "");
    git(&fourth, &["update-index", "--index-version", "4"]);
    let other = place.git_node("other", "");
    let tree = place.root().join("custom_nodes/work-tree");
    git(&other, &["worktree", "add", "-q", tree.as_str()]);
    let touched = place.git_node("touched", "");
    let same = fs::read(touched.join("__init__.py")).unwrap();
    fs::write(touched.join("__init__.py"), same).unwrap();
    let edited = place.git_node("edited", "");
    fs::write(edited.join("__init__.py"), "NODE_CLASS_MAPPINGS = {1: 2}\n").unwrap();
    fs::write(edited.join("untracked.txt"), "").unwrap();
    let gone = place.git_node("gone", "");
    fs::remove_file(gone.join("requirements.txt")).unwrap();

    let _ = place.portenv(&["snapshot", "create"]).success();
    let (with, state) = (nodes(&place), place.json(0, &["status"])["state"].clone());
    take_git_away(&mut place);
    let status = place.json(0, &["status", "--exit-code"]);
    assert_eq!(status["state"], state, "{status:#}");
    let diff = place.json(0, &["diff"]);
    assert_eq!(diff["nodes"].as_array().map(Vec::len), Some(0), "{diff:#}");
    // Not one that the history has already.
    fs::remove_dir_all(place.root().join(".portenv")).unwrap();
    let _ = place.portenv(&["init"]).success();
    assert_eq!(nodes(&place), with);
    let dirty = with.1.as_array().unwrap().iter();
    let dirty: Vec<&str> = dirty
        .filter(|node| node["dirty"] == true)
        .map(|node| node["name"].as_str().unwrap())
        .collect();
    assert_eq!(dirty, ["edited", "gone"]);
}

#[test]
fn what_needs_a_git_program_says_so_and_changes_nothing() {
    let mut place = Place::synced();
    let url = place.git_remote("cloned", "gamma\n");
    let _ = place.portenv(&["add", "--yes", &url]).success();
    let node = place.root().join("custom_nodes/cloned");
    fs::write(node.join("more.py"), "").unwrap();
    git(&node, &["add", "--all"]);
    git(&node, &["commit", "-qm", "More"]);
    let _ = place.portenv(&["snapshot", "create"]).success();
    let other = place.git_remote("other", "");
    take_git_away(&mut place);
    let (before, history) = (place.state(), place.history());
    for (code, word, arguments) in [
        (2, "not-found", &["add", "--yes", &other][..]),
        (2, "not-found", &["preview", &other]),
        (4, "apply", &["rollback", "--yes", "@~1"]),
        (2, "not-found", &["update", "--yes"]),
    ] {
        let all = [arguments, &["--format", "json"]].concat();
        let run = place.portenv(&all).expect_code(code);
        assert_error(&run, word);
        assert!(run.stderr().contains("git is not installed"), "{run}");
        assert!(run.stderr().contains("git must be on PATH"), "{run}");
        assert_eq!(
            (place.state(), place.history()),
            (before.clone(), history.clone())
        );
    }
    // A node goes, and comes back, by moving its directory.
    let _ = place.portenv(&["remove", "--yes", "cloned"]).success();
    let _ = place.portenv(&["undo", "--yes"]).success();
    assert_eq!(place.state(), before);
}
