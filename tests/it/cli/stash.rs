//! `--stash`: changed files that are in the way are put aside.

use std::fs;

use super::place::{Place, strings};

const FILE: &str = "custom_nodes/pack/__init__.py";

/// A node that was updated once, and then edited by hand.
fn edited() -> Place {
    let place = Place::new();
    let url = place.git_remote("pack", "");
    let nodes = place.root().join("custom_nodes");
    let _ = place.git(&nodes, &["clone", "-q", &url, "pack"]);
    let _ = place.portenv(&["init"]).success();
    fs::write(place.remote_dir("pack").join("new.py"), "NEW = 1\n").unwrap();
    let _ = place.commit_all(&place.remote_dir("pack"), "Second");
    place
}

/// Returns the commands that bring changes back, as they were told.
fn told(document: &serde_json::Value) -> Vec<String> {
    let mut texts = strings(&document["warnings"], "message");
    texts.retain(|text| text.contains("git -C"));
    texts
}

fn bring_back(place: &Place, told: &str) {
    let command = told.split_once(": ").unwrap().1;
    let words: Vec<&str> = command.split(' ').collect();
    let end = words.iter().position(|word| *word == "brings").unwrap();
    assert_eq!(words[0], "git");
    let _ = place.git(place.root(), &words[1..end]);
}

#[test]
fn update_puts_changes_aside_and_tells_how_to_get_them_back() {
    let place = edited();
    place.write(FILE, "edited = 1\n");
    let refused = place.portenv(&["update", "--yes"]);
    assert_eq!(refused.code(), 1, "{refused}");
    assert!(refused.stderr().contains("--stash"), "{refused}");
    let done = place.json(0, &["update", "--yes", "--stash"]);
    assert_eq!(done["status"], "done", "{done}");
    let dir = place.root().join("custom_nodes/pack");
    assert!(dir.join("new.py").is_file());
    assert_ne!(place.read(FILE), "edited = 1\n");
    assert_eq!(place.git(&dir, &["stash", "list"]), "");
    let told = told(&done);
    assert_eq!(told.len(), 1, "{done}");
    bring_back(&place, &told[0]);
    assert_eq!(place.read(FILE), "edited = 1\n");
    assert!(dir.join("new.py").is_file());
}

#[test]
fn undo_and_redo_put_changes_aside() {
    let place = edited();
    let _ = place.portenv(&["update", "--yes"]).success();
    let dir = place.root().join("custom_nodes/pack");
    place.write(FILE, "edited = 1\n");
    let _ = place.portenv(&["undo", "--yes", "--stash"]).success();
    assert_ne!(place.read(FILE), "edited = 1\n");
    assert!(dir.join("new.py").is_file());
    let document = place.json(0, &["undo", "--yes"]);
    assert_eq!(document["status"], "done", "{document}");
    assert!(!dir.join("new.py").exists());
    place.write(FILE, "edited = 2\n");
    let refused = place.portenv(&["rollback", "@~1", "--yes"]);
    assert_eq!(refused.code(), 1, "{refused}");
    assert!(refused.stderr().contains("--stash"), "{refused}");
}

#[test]
fn what_was_put_aside_is_back_when_the_operation_fails() {
    let place = edited();
    let _ = place.portenv(&["update", "--yes"]).success();
    place.write(FILE, "edited = 1\n");
    place.write("custom_nodes/pack/staged.py", "STAGED = 1\n");
    let dir = place.root().join("custom_nodes/pack");
    let _ = place.git(&dir, &["add", "staged.py"]);
    let _ = place.portenv(&["snapshot", "create", "--label", "edited"]);
    // The older commit brings a file that is here untracked: git will not overwrite it.
    let _ = place.git(&dir, &["rev-parse", "HEAD"]);
    let status = place.git(&dir, &["status", "--porcelain"]);
    // A node that can be had nowhere stops it after the checkout was cleared.
    let _ = place.node("zz-gone", "");
    let _ = place.portenv(&["snapshot", "create"]).success();
    fs::remove_dir_all(place.root().join("custom_nodes/zz-gone")).unwrap();
    place.write("custom_nodes/zz-gone", "in the way");
    place.write(FILE, "edited = 2\n");
    let failed = place.portenv(&["rollback", "@", "--yes", "--stash"]);
    assert_ne!(failed.code(), 0, "{failed}");
    assert_eq!(place.read(FILE), "edited = 2\n");
    assert_eq!(place.git(&dir, &["status", "--porcelain"]), status);
    assert_eq!(place.git(&dir, &["for-each-ref", "refs/portenv"]), "");
}
