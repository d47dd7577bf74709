//! Nodes that come back from the store when nothing else has them.

use std::fs;

use camino::Utf8Path;
use serde_json::Value;

use super::place::{Place, strings, tree};

/// What a node consists of, without git's own files.
fn files(dir: &Utf8Path) -> Vec<(String, String)> {
    let all = tree(dir).into_iter();
    all.filter(|(path, _)| !path.starts_with(".git/")).collect()
}

/// A place with these nodes in its first snapshot.
fn initialised(make: impl Fn(&Place)) -> Place {
    let place = Place::new();
    make(&place);
    let _ = place.portenv(&["init"]).success();
    place
}

/// Goes back with nothing to ask; the trash too is gone.
fn back(place: &Place) -> Value {
    let _ = fs::remove_dir_all(place.root().join(".portenv/trash"));
    place.json(0, &["rollback", "--offline", "--yes"])
}

fn unrestorable(place: &Place) -> Vec<String> {
    let shown = place.json(0, &["snapshot", "show", "@"]);
    strings(&shown["snapshots"][0]["unrestorable"], "reason")
}

fn stored(place: &Place) -> Vec<String> {
    let store = place.root().join(".portenv/store");
    if !store.exists() {
        return Vec::new();
    }
    let found = tree(&store);
    found
        .into_keys()
        .filter(|path| path.starts_with("nodes/") && path != "nodes/")
        .collect()
}

#[test]
fn a_plain_node_that_was_deleted_by_hand_comes_back_from_the_store() {
    let place = initialised(|place| {
        let dir = place.node("plain", "");
        place.write("custom_nodes/plain/data/words.txt", "some\0words");
        place.write("custom_nodes/plain/__pycache__/x.pyc", "compiled");
        place.write("custom_nodes/single.py", "VALUE = 1\n");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("data/words.txt", dir.join("link.txt")).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(dir.join("__init__.py"), mode).unwrap();
        }
        let _ = dir;
    });
    assert!(
        unrestorable(&place).is_empty(),
        "{:?}",
        unrestorable(&place)
    );
    let dir = place.root().join("custom_nodes/plain");
    fs::remove_dir_all(dir.join("__pycache__")).unwrap();
    let before = files(&dir);

    fs::remove_dir_all(&dir).unwrap();
    fs::remove_file(place.root().join("custom_nodes/single.py")).unwrap();
    let plan = place.json(0, &["rollback", "--offline", "--dry-run"]);
    assert_eq!(
        strings(&plan["node_origins"], "dir"),
        ["custom_nodes/plain", "custom_nodes/single.py"]
    );
    assert_eq!(strings(&plan["node_origins"], "from"), ["store", "store"]);
    let _ = back(&place);
    assert_eq!(files(&dir), before);
    assert_eq!(place.read("custom_nodes/single.py"), "VALUE = 1\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(dir.join("__init__.py"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o111, 0o111);
        assert_eq!(
            fs::read_link(dir.join("link.txt")).unwrap().to_str(),
            Some("data/words.txt")
        );
    }
}

#[test]
fn code_of_a_plain_node_that_was_changed_is_drift_and_goes_back() {
    let place = initialised(|place| drop(place.node("plain", "")));
    let first = place.read("custom_nodes/plain/__init__.py");
    place.write("custom_nodes/plain/settings.json", "{}");
    let _ = place.portenv(&["status", "--exit-code"]).success();
    place.write("custom_nodes/plain/__init__.py", "changed = True\n");
    let status = place.json(1, &["status", "--exit-code"]);
    assert_eq!(strings(&status["drift"]["nodes"], "kind"), ["update"]);
    assert_eq!(status["edited"][0]["dir"], "custom_nodes/plain");
    assert_eq!(
        status["edited"][0]["files"],
        serde_json::json!(["__init__.py"])
    );
    let _ = back(&place);
    assert_eq!(place.read("custom_nodes/plain/__init__.py"), first);
    // And the change itself was recorded before that.
    let _ = place.portenv(&["redo", "--yes"]);
    let _ = place.json(0, &["rollback", "@~1", "--offline", "--yes"]);
    assert_eq!(
        place.read("custom_nodes/plain/__init__.py"),
        "changed = True\n"
    );
}

#[test]
fn a_commit_that_no_remote_has_comes_back_with_its_past() {
    let place = initialised(|place| {
        let dir = place.git_node("own", "");
        place.write("custom_nodes/own/more.py", "MORE = 1\n");
        let _ = place.commit_all(&dir, "Second");
    });
    assert!(
        unrestorable(&place).is_empty(),
        "{:?}",
        unrestorable(&place)
    );
    let dir = place.root().join("custom_nodes/own");
    let head = place.git(&dir, &["rev-parse", "HEAD"]);
    let before = files(&dir);
    fs::remove_dir_all(&dir).unwrap();
    let _ = back(&place);
    assert_eq!(place.git(&dir, &["rev-parse", "HEAD"]), head);
    assert_eq!(files(&dir), before);
    assert_eq!(place.git(&dir, &["rev-list", "--count", "HEAD"]), "2");
    assert_eq!(place.git(&dir, &["fsck", "--full"]), "");
    assert_eq!(place.git(&dir, &["status", "--porcelain"]), "");
}

#[test]
fn a_node_whose_repository_is_gone_comes_back_from_the_store() {
    for shallow in [false, true] {
        let place = initialised(|place| {
            let url = place.git_remote("pack", "");
            place.write("unused", "");
            let _ = place.commit_all(&place.remote_dir("pack"), "Second");
            let nodes = place.root().join("custom_nodes");
            let depth: &[&str] = if shallow { &["--depth=1"] } else { &[] };
            let _ = place.git(&nodes, &[&["clone", "-q"], depth, &[&url, "pack"]].concat());
        });
        assert!(
            unrestorable(&place).is_empty(),
            "{:?}",
            unrestorable(&place)
        );
        let dir = place.root().join("custom_nodes/pack");
        let head = place.git(&dir, &["rev-parse", "HEAD"]);
        let url = place.git(&dir, &["remote", "get-url", "origin"]);
        let before = files(&dir);
        fs::remove_dir_all(place.remote_dir("pack")).unwrap();
        // Not even its own repository is left, only its files.
        fs::remove_dir_all(dir.join(".git")).unwrap();
        let _ = back(&place);
        assert_eq!(place.git(&dir, &["rev-parse", "HEAD"]), head);
        assert_eq!(place.git(&dir, &["remote", "get-url", "origin"]), url);
        assert_eq!(files(&dir), before);
        assert_eq!(place.git(&dir, &["fsck", "--full"]), "");
        let _ = place.portenv(&["status", "--exit-code"]).success();
    }
}

/// Changes of each kind that git tells apart.
fn edit(place: &Place, dir: &Utf8Path) {
    let shown = dir.strip_prefix(place.root()).unwrap();
    place.write(&format!("{shown}/__init__.py"), "edited = True\r\nno end");
    place.write(&format!("{shown}/new.bin"), [0u8, 159, 146, 150, 10, 13]);
    let _ = place.git(dir, &["add", "new.bin"]);
    fs::remove_file(dir.join("requirements.txt")).unwrap();
}

#[test]
fn changed_files_of_a_checkout_come_back_with_it() {
    let place = initialised(|place| {
        let dir = place.git_node("own", "");
        place.write("custom_nodes/own/blob.bin", [7u8, 0, 7]);
        let _ = place.commit_all(&dir, "Second");
        place.write("custom_nodes/own/blob.bin", [9u8, 0, 9, 0]);
        edit(place, &dir);
    });
    assert!(
        unrestorable(&place).is_empty(),
        "{:?}",
        unrestorable(&place)
    );
    let dir = place.root().join("custom_nodes/own");
    let (before, head) = (files(&dir), place.git(&dir, &["rev-parse", "HEAD"]));
    let changed = place.git(&dir, &["diff", "--name-only", "HEAD"]);

    // The directory is gone.
    fs::remove_dir_all(&dir).unwrap();
    let _ = back(&place);
    assert_eq!(files(&dir), before);
    assert_eq!(place.git(&dir, &["rev-parse", "HEAD"]), head);
    assert_eq!(place.git(&dir, &["diff", "--name-only", "HEAD"]), changed);
    let _ = place.portenv(&["status", "--exit-code"]).success();

    // The changes are.
    let _ = place.git(&dir, &["reset", "-q", "--hard"]);
    let _ = back(&place);
    assert_eq!(files(&dir), before);
    let _ = place.portenv(&["status", "--exit-code"]).success();

    // Others are there.
    place.write("custom_nodes/own/__init__.py", "wrecked");
    let refused = place.portenv(&["rollback", "--offline", "--yes"]);
    assert_eq!(refused.code(), 1, "{refused}");
    assert!(refused.stderr().contains("custom_nodes/own"), "{refused}");
    let done = place.json(0, &["rollback", "--offline", "--yes", "--stash"]);
    assert_eq!(files(&dir), before);
    let told = done["warnings"].as_array().unwrap();
    assert_eq!(told[0]["code"], "stashed", "{done}");
}

#[test]
fn nothing_is_kept_twice() {
    let place = initialised(|place| {
        let _ = (
            place.node("plain", ""),
            place.node("same", ""),
            place.git_node("own", ""),
        );
    });
    let before = stored(&place);
    assert_eq!(before.len(), 2, "{before:?}");
    place.write("custom_nodes/more.py", "");
    let _ = place.portenv(&["snapshot", "create"]).success();
    assert_eq!(stored(&place).len(), 3);
    for file in before {
        assert!(stored(&place).contains(&file), "{file}");
    }
}

#[test]
fn prune_takes_out_what_only_its_snapshots_needed() {
    let place = initialised(|_| {});
    let _ = place.node("plain", "");
    let _ = place.portenv(&["snapshot", "create"]).success();
    let first = stored(&place);
    fs::remove_dir_all(place.root().join("custom_nodes/plain")).unwrap();
    let _ = place.node("other", "");
    place.write("custom_nodes/other/code.py", "OTHER = 1\n");
    let _ = place.portenv(&["snapshot", "create"]).success();
    assert_eq!(stored(&place).len(), 2);
    place.write(".portenv/store/nodes/.portenv-half", "cut");
    let _ = place
        .portenv(&[
            "snapshot",
            "prune",
            "--keep",
            "1",
            "--daily",
            "0",
            "--weekly",
            "0",
            "--monthly",
            "0",
        ])
        .success();
    let left = stored(&place);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_ne!(left, first);
    fs::remove_dir_all(place.root().join("custom_nodes/other")).unwrap();
    let _ = back(&place);
    assert_eq!(place.read("custom_nodes/other/code.py"), "OTHER = 1\n");
}

#[test]
fn data_of_a_plain_node_comes_back_as_it_was_when_something_was_recorded_last() {
    let place = initialised(|place| {
        let _ = place.node("plain", "");
        place.write("custom_nodes/plain/words.txt", "first");
    });
    place.write("custom_nodes/plain/words.txt", "second");
    place.write("custom_nodes/more.py", "");
    let _ = place.portenv(&["snapshot", "create"]).success();
    fs::remove_dir_all(place.root().join("custom_nodes/plain")).unwrap();
    let _ = back(&place);
    assert_eq!(place.read("custom_nodes/plain/words.txt"), "second");
    fs::remove_dir_all(place.root().join("custom_nodes/plain")).unwrap();
    let _ = fs::remove_dir_all(place.root().join(".portenv/trash"));
    let _ = place.json(0, &["rollback", "as found", "--offline", "--yes"]);
    assert_eq!(place.read("custom_nodes/plain/words.txt"), "first");
}

#[test]
fn what_the_store_may_not_keep_is_named_when_it_could_be_lost() {
    let place = Place::new();
    place.settings("[policy]\nstore = \"none\"\n");
    let url = place.git_remote("pack", "");
    let nodes = place.root().join("custom_nodes");
    let _ = place.git(&nodes, &["clone", "-q", &url, "pack"]);
    let dir = place.git_node("own", "");
    let _ = place.node("plain", "");
    place.write("custom_nodes/own/__init__.py", "edited");
    let _ = dir;
    let _ = place.portenv(&["init"]).success();
    assert_eq!(stored(&place), Vec::<String>::new());
    let shown = place.json(0, &["snapshot", "show", "@"]);
    let list = &shown["snapshots"][0]["unrestorable"];
    assert_eq!(strings(list, "name"), ["own", "own", "plain"], "{list}");
    let reasons = strings(list, "reason").join("\n");
    for part in [
        "no remote",
        "uncommitted changes",
        "no history",
        "store = \"none\"",
    ] {
        assert!(reasons.contains(part), "{reasons}");
    }
}

#[test]
fn a_damaged_archive_is_told_and_changes_nothing() {
    let place = initialised(|place| drop(place.node("plain", "")));
    let dir = place.root().join("custom_nodes/plain");
    fs::remove_dir_all(&dir).unwrap();
    let file = format!(".portenv/store/{}", stored(&place)[0]);
    place.write(&file, "not what it was");
    let before = place.state();
    let failed = place.portenv(&["rollback", "--offline", "--yes"]);
    assert!(
        failed.code() != 0 && failed.stderr().contains("damaged"),
        "{failed}"
    );
    assert_eq!(place.state(), before);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_out_of_a_node_is_named_and_not_followed() {
    let place = initialised(|place| {
        let dir = place.node("plain", "");
        let secret = place.dir().join("secret.txt");
        fs::write(&secret, "secret").unwrap();
        std::os::unix::fs::symlink(&secret, dir.join("out.txt")).unwrap();
    });
    let reasons = unrestorable(&place);
    assert!(
        reasons.len() == 1 && reasons[0].contains("out.txt"),
        "{reasons:?}"
    );
    let dir = place.root().join("custom_nodes/plain");
    fs::remove_dir_all(&dir).unwrap();
    let _ = back(&place);
    assert!(dir.join("__init__.py").is_file());
    assert!(fs::symlink_metadata(dir.join("out.txt")).is_err());
}

#[test]
fn a_node_that_was_disabled_and_changed_by_hand_goes_back_to_its_code_and_place() {
    let place = initialised(|place| drop(place.node("plain", "")));
    let dir = place.root().join("custom_nodes/plain");
    let before = files(&dir);
    fs::rename(&dir, place.root().join("custom_nodes/plain.disabled")).unwrap();
    place.write(
        "custom_nodes/plain.disabled/__init__.py",
        "changed = True\n",
    );
    let _ = back(&place);
    assert_eq!(files(&dir), before);
    assert!(!place.root().join("custom_nodes/plain.disabled").exists());
}
