//! `rollback`.

use super::place::{Place, assert_error, assert_fields, assert_tree, changes, strings, tree};
use crate::support::Wheel;

/// A wheel that no index has.
fn unknown() -> Wheel {
    Wheel::new("beta", "1.0+mine").file("beta/__init__.py", "__version__ = 'mine'\n")
}

#[test]
fn drift_is_gone_over_exactly_and_comes_back_from_the_store() {
    let place = Place::synced();
    let clean = place.installed_digests();
    place.install_behind_its_back(&unknown().build());
    place.install_behind_its_back(
        &Wheel::new("extra", "3.0")
            .file("extra/data.txt", "kept")
            .build(),
    );
    place.uninstall_behind_its_back("alpha");
    let drifted = place.installed();

    let document = place.json(0, &["rollback", "--yes"]);
    assert_eq!(
        (&document["schema"], &document["status"]),
        (&"portenv.rollback/1".into(), &"done".into())
    );
    assert_fields(
        &document,
        "operation before after changes nodes conflicts warnings",
    );
    assert_eq!(
        changes(&document),
        [
            "add alpha - 1.1",
            "replace beta 1.0+mine 1.0",
            "remove extra 3.0 -"
        ]
    );
    assert_eq!(place.installed_digests(), clean);

    // The wheels are nowhere but in the store by now.
    std::fs::remove_dir_all(place.dir().join("downloads")).unwrap();
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(place.installed(), drifted);
    assert_eq!(
        place.python("import beta, extra; print(beta.__version__)"),
        "mine"
    );
    let data = place.site_packages().join("extra/data.txt");
    assert_eq!(std::fs::read_to_string(data).unwrap(), "kept");
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(place.installed_digests(), clean);
    let _ = place.portenv(&["status", "--exit-code"]).success();
}

#[test]
fn another_build_of_one_version_is_replaced() {
    let place = Place::synced();
    let clean = place.installed_digests();
    let other = Wheel::new("beta", "1.0").file("beta/__init__.py", "__version__ = 'other'\n");
    place.install_behind_its_back(&other.build());
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(place.installed_digests(), clean);
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(
        place.python("import beta; print(beta.__version__)"),
        "other"
    );
}

#[test]
fn a_package_that_lost_its_metadata_is_drift_and_is_made_whole() {
    for mend in [&["rollback", "--yes"], &["sync", "--yes"]] {
        let place = Place::synced();
        let clean = place.installed_digests();
        for file in place
            .site_packages()
            .join("beta-1.0.dist-info")
            .read_dir_utf8()
            .unwrap()
        {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        let status = place.json(0, &["status"]);
        assert_eq!(changes(&status["drift"]), ["replace beta 1.0 1.0"]);
        let _ = place.portenv(mend).success();
        assert_eq!(place.installed_digests(), clean);
    }
}

#[test]
fn over_an_add_the_node_goes_to_the_trash_and_comes_back() {
    let place = Place::synced();
    let before = place.state();
    let url = place.git_remote("some-node", "gamma\n");
    let _ = place.portenv(&["add", &url, "--yes"]).success();
    let after = place.state();

    let document = place.json(0, &["rollback", "--yes"]);
    assert_eq!(strings(&document["nodes"], "kind"), ["remove"]);
    assert_eq!((place.state(), place.trash().len()), (before, 1));
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!((place.state(), place.trash().len()), (after, 0));
    let _ = place.portenv(&["lock", "--check"]).success();
}

#[test]
fn over_a_remove_the_node_is_cloned_again_when_the_trash_is_gone() {
    let place = Place::synced();
    let url = place.git_remote("some-node", "gamma\n");
    let _ = place.portenv(&["add", &url, "--yes"]).success();
    let packages = place.installed_digests();
    let _ = place.portenv(&["remove", "some-node", "--yes"]).success();
    std::fs::remove_dir_all(place.root().join(".portenv/trash")).unwrap();
    let _ = place.portenv(&["rollback", "--yes"]).success();
    let dir = place.root().join("custom_nodes/some-node");
    let head = ["rev-parse", "HEAD"];
    assert_eq!(
        place.git(&dir, &head),
        place.git(&place.remote_dir("some-node"), &head)
    );
    assert_eq!(place.git(&dir, &["remote", "get-url", "origin"]), url);
    assert_eq!(place.installed_digests(), packages);
}

#[test]
fn a_plain_node_that_is_nowhere_any_more_is_named_and_nothing_changes() {
    let place = Place::synced();
    place.node("plain-node", "gamma\n");
    let _ = place.portenv(&["snapshot", "create"]).success();
    let _ = place.portenv(&["remove", "plain-node", "--yes"]).success();
    for dir in ["trash", "store"] {
        std::fs::remove_dir_all(place.root().join(".portenv").join(dir)).unwrap();
    }
    let before = place.state();
    let run = place
        .portenv(&["rollback", "--yes", "--format", "json"])
        .expect_code(1);
    assert_error(&run, "refused");
    assert!(run.stderr().contains("plain-node"), "{run}");
    assert_eq!(place.state(), before);
    assert_eq!(
        place.json(0, &["status"])["interrupted"],
        serde_json::Value::Null
    );
}

#[test]
fn a_node_and_the_core_go_back_to_their_commits() {
    let place = Place::new();
    let node = place.git_node("some-node", "");
    let _ = place.portenv(&["init"]).success();
    let head = |dir| place.git(dir, &["rev-parse", "HEAD"]);
    let old = (head(&node), head(place.root()));
    std::fs::write(node.join("__init__.py"), "newer = True\n").unwrap();
    place.commit_all(&node, "Newer node");
    place.write("main.py", "newer = True\n");
    place.commit_all(place.root(), "Newer core");
    let new = (head(&node), head(place.root()));

    let text = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!((head(&node), head(place.root())), old, "{text}");
    assert_eq!(place.read("main.py"), "print(\"ComfyUI\")\n");
    // No branch was moved.
    assert_eq!(place.git(&node, &["rev-parse", "main"]), new.0);
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!((head(&node), head(place.root())), new);
    // Where its tip is the commit, the branch is attached again.
    for dir in [node.as_path(), place.root()] {
        assert_eq!(place.git(dir, &["symbolic-ref", "--short", "HEAD"]), "main");
    }
}

#[test]
fn a_commit_that_only_the_remote_has_is_fetched() {
    let place = Place::synced();
    let url = place.git_remote("some-node", "");
    let remote = place.remote_dir("some-node");
    let first = place.git(&remote, &["rev-parse", "HEAD"]);
    let second = place.commit_all(&remote, "Second");
    let _ = place.portenv(&["add", &url, "--yes"]).success();
    // Someone clones it anew, shallow and at another commit.
    let dir = place.root().join("custom_nodes/some-node");
    std::fs::remove_dir_all(&dir).unwrap();
    place.git(&remote, &["checkout", "--quiet", "-B", "other", &first]);
    place.git(
        place.dir(),
        &[
            "clone",
            "--quiet",
            "--depth=1",
            "--branch=other",
            &url,
            dir.as_str(),
        ],
    );
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(place.git(&dir, &["rev-parse", "HEAD"]), second);
}

#[test]
fn changed_files_are_never_overwritten() {
    let place = Place::new();
    let node = place.git_node("some-node", "");
    let _ = place.portenv(&["init"]).success();
    place.commit_all(&node, "Newer");
    let _ = place.portenv(&["snapshot", "create"]).success();
    std::fs::write(node.join("__init__.py"), "mine = True\n").unwrap();
    let before = place.state();
    let run = place
        .portenv(&["rollback", "as found", "--yes", "--format", "json"])
        .expect_code(1);
    assert_error(&run, "dirty");
    assert_eq!(place.state(), before);

    place.git(&node, &["checkout", "--quiet", "."]);
    place.write("main.py", "mine = True\n");
    let core = place.state();
    // A core with changed files is no reason to refuse what leaves it alone.
    let _ = place
        .portenv(&["rollback", "as found", "--only", "nodes", "--yes"])
        .success();
    assert_eq!(place.read("main.py"), "mine = True\n");
    assert_ne!(place.state(), core);
}

#[test]
fn only_one_part_goes_back() {
    let place = Place::synced();
    let url = place.git_remote("some-node", "gamma\n");
    let _ = place.portenv(&["add", &url, "--yes"]).success();
    place.write("main.py", "newer = True\n");
    let core = place.commit_all(place.root(), "Newer core");
    let _ = place.portenv(&["snapshot", "create"]).success();
    let start = "as found";
    let head = || place.git(place.root(), &["rev-parse", "HEAD"]);
    let node = place.root().join("custom_nodes/some-node");

    let _ = place
        .portenv(&["rollback", start, "--only", "packages", "--yes"])
        .success();
    assert_eq!(
        (place.shown().as_str(), node.exists(), head()),
        ("", true, core.clone())
    );
    let _ = place.portenv(&["rollback", "--yes"]).success();
    let _ = place
        .portenv(&["rollback", start, "--only", "nodes", "--yes"])
        .success();
    assert_eq!(
        (place.installed().len(), node.exists(), head()),
        (4, false, core.clone())
    );
    let _ = place.portenv(&["rollback", "--yes"]).success();
    let _ = place
        .portenv(&["rollback", start, "--only", "core", "--yes"])
        .success();
    assert_eq!((place.installed().len(), node.exists()), (4, true));
    assert_ne!(head(), core);
}

#[test]
fn a_dry_run_shows_what_the_run_would_do_and_writes_nothing() {
    let place = Place::synced();
    place.install_behind_its_back(&unknown().build());
    let before = tree(place.root());
    for names in [&["rollback"][..], &["rollback", "@"], &["rollback", "@~1"]] {
        let document = place.json(0, &[names, &["--dry-run"]].concat());
        assert_eq!(document["status"], "dry-run");
        assert_tree(place.root(), &before);
    }
    assert_eq!(
        changes(&place.json(0, &["rollback", "--dry-run"])),
        ["replace beta 1.0+mine 1.0"]
    );
    assert_eq!(
        changes(&place.json(0, &["rollback", "@~1", "--dry-run"])),
        ["remove alpha 1.1 -", "remove beta 1.0+mine -"]
    );
    // With drift, `@` is the newest that was recorded, and not the drift.
    let done = place.json(0, &["rollback", "@", "--yes"]);
    assert_eq!(changes(&done), ["replace beta 1.0+mine 1.0"]);
}

#[test]
fn a_snapshot_is_named_by_prefix_label_or_distance() {
    let place = Place::synced();
    let clean = place.installed_digests();
    let _ = place
        .portenv(&["snapshot", "create", "--label", "good"])
        .success();
    let id = place.history()[0].clone();
    for name in [id.as_str(), &id[..4], "good", "@~2"] {
        let _ = place.portenv(&["rollback", "as found", "--yes"]).success();
        assert_eq!(place.shown(), "");
        if name == "@~2" {
            // Each turn of this loop leaves two snapshots.
            let _ = place
                .portenv(&["snapshot", "label", &id[..6], "again"])
                .success();
            let _ = place.portenv(&["rollback", "@~1", "--yes"]).success();
        } else {
            let _ = place.portenv(&["rollback", name, "--yes"]).success();
        }
        assert_eq!(place.installed_digests(), clean, "{name}");
    }
    for name in ["nothing", "ffff", "@~99", "@1", "a"] {
        let run = place
            .portenv(&["rollback", name, "--yes", "--format", "json"])
            .expect_code(2);
        assert_error(&run, "not-found");
    }
}

#[test]
fn history_only_grows_and_a_rollback_can_be_rolled_back() {
    let place = Place::synced();
    let url = place.git_remote("some-node", "gamma\n");
    let _ = place.portenv(&["add", &url, "--yes"]).success();
    let mut history = place.history();
    let mut states = vec![place.shown()];
    for _ in 0..3 {
        let document = place.json(0, &["rollback", "--yes"]);
        let now = place.history();
        assert_eq!(
            (&now[0], &now[1..]),
            (
                &document["after"].as_str().unwrap().to_owned(),
                &history[..]
            )
        );
        history = now;
        states.push(place.shown());
    }
    assert_eq!((&states[0], &states[1]), (&states[2], &states[3]));
    let newest = &place.json(0, &["snapshot", "list"])["snapshots"][0];
    assert_eq!(
        (&newest["parent"], &newest["command"]),
        (
            &history[1].as_str().into(),
            &"rollback --yes --format json".into()
        )
    );
}

#[test]
fn it_works_with_the_index_gone() {
    let place = Place::synced();
    let clean = place.installed_digests();
    let node = place.offered("some-node", "gamma\n");
    let _ = place.portenv(&["add", &node, "--yes"]).success();
    let _ = place.portenv(&["rollback", "--yes"]).success();
    let Place { server, sandbox } = place;
    drop(server);
    let _ = sandbox
        .portenv(&["rollback", "--yes", "--offline"])
        .success();
    assert_eq!(sandbox.installed()["gamma"], "1.0");
    let _ = sandbox.portenv(&["rollback", "--yes"]).success();
    assert_eq!(sandbox.installed_digests(), clean);
}

#[test]
fn a_local_wheel_is_kept_even_if_no_index_can_be_asked() {
    let Place { server, sandbox } = Place::synced();
    drop(server);
    sandbox.install_behind_its_back(&unknown().build());
    let _ = sandbox.portenv(&["rollback", "--yes"]).success();
    assert_eq!(sandbox.installed()["beta"], "1.0");
    std::fs::remove_dir_all(sandbox.dir().join("downloads")).unwrap();
    let _ = sandbox.portenv(&["rollback", "--yes"]).success();
    assert_eq!(
        sandbox.python("import beta; print(beta.__version__)"),
        "mine"
    );
}

#[test]
fn without_a_yes_nothing_changes_and_the_plan_can_be_named() {
    let place = Place::synced();
    let (before, clean) = (place.state(), place.history());
    let run = place
        .portenv(&["rollback", "--format", "json"])
        .expect_code(2);
    assert_error(&run, "confirm");
    assert_eq!((place.state(), place.history()), (before, clean));
    let plan = run.json()["plan"].as_str().unwrap().to_owned();
    let other = place
        .portenv(&["rollback", "--plan", "0123", "--format", "json"])
        .expect_code(1);
    assert_error(&other, "plan-stale");
    let _ = place.portenv(&["rollback", "--plan", &plan]).success();
    assert_eq!(place.shown(), "");
}

#[test]
fn without_a_history_there_is_nothing_to_go_back_to() {
    let place = Place::new();
    for arguments in [&["rollback", "--yes"][..], &["rollback", "--dry-run"]] {
        assert_eq!(place.json(2, arguments)["error"]["code"], "not-found");
    }
    let _ = place.portenv(&["init"]).success();
    assert_eq!(
        place.json(2, &["rollback", "--yes"])["error"]["code"],
        "not-found"
    );
}
