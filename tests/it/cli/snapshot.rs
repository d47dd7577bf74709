//! `snapshot create | list | show | label`.

use super::place::{Place, assert_error, assert_fields, assert_tree, strings, tree};
use crate::support::{IndexServer, Sandbox, Wheel};

const FIELDS: &str =
    "id parent time label command state core python platform packages nodes unrestorable";

#[test]
fn list_is_newest_first_and_show_holds_the_whole_state() {
    let place = Place::synced();
    let node = place.offered("some-node", "gamma\n");
    let _ = place.portenv(&["add", &node, "--yes"]).success();
    let before = tree(place.root());
    let list = place.json(0, &["snapshot", "list"]);
    assert_eq!(list["schema"], "portenv.snapshot/1");
    let snapshots = list["snapshots"].as_array().unwrap();
    let commands: Vec<&str> = snapshots
        .iter()
        .map(|one| one["command"].as_str().unwrap())
        .collect();
    assert!(
        commands[0].starts_with("add ") && commands[1].starts_with("sync ") && commands.len() == 3,
        "{commands:?}"
    );
    assert_eq!(
        (&snapshots[0]["parent"], &snapshots[2]["parent"]),
        (&snapshots[1]["id"], &serde_json::Value::Null)
    );
    assert_eq!(snapshots[2]["label"], "as found");
    for one in snapshots {
        assert_fields(one, FIELDS);
        assert_eq!(
            (&one["packages"], &one["nodes"]),
            (&serde_json::json!([]), &serde_json::json!([]))
        );
    }
    assert!(snapshots[0]["time"].as_str().unwrap().ends_with('Z'));

    let shown = place.json(0, &["snapshot", "show", "@"]);
    let one = &shown["snapshots"][0];
    assert_fields(one, FIELDS);
    assert_eq!(
        strings(&one["packages"], "name"),
        ["alpha", "beta", "delta", "gamma"]
    );
    assert_eq!(strings(&one["nodes"], "dir"), ["custom_nodes/some-node"]);
    let source = &one["packages"][0]["source"];
    assert_fields(source, "kind index url commit subdirectory");
    assert_eq!(
        (&source["kind"], &source["index"]),
        (&"index".into(), &place.server.url().into())
    );
    assert_tree(place.root(), &before);
}

#[test]
fn the_list_is_a_log_of_what_each_snapshot_changed() {
    let place = Place::synced();
    let node = place.offered("some-node", "gamma\nalpha<1.1\n");
    let _ = place.portenv(&["add", &node, "--yes"]).success();
    let _ = place
        .portenv(&["snapshot", "label", "@", "works"])
        .success();
    let _ = place.portenv(&["disable", "some-node", "--yes"]).success();
    for name in ["one", "three", "two"] {
        place.install_behind_its_back(&Wheel::new(name, "1.0").build());
    }
    place.uninstall_behind_its_back("beta");
    place.uninstall_behind_its_back("alpha");
    let _ = place.portenv(&["snapshot", "create"]).success();

    let list = place.json(0, &["snapshot", "list"]);
    let all = list["snapshots"].as_array().unwrap();
    let names = |at: usize| strings(&all[at]["changes"], "name").join(" ");
    assert_eq!(
        [0, 1, 2, 3, 4].map(names),
        [
            "alpha beta one three two",
            "delta gamma",
            "alpha delta gamma",
            "alpha beta",
            ""
        ]
    );
    assert_eq!(
        [0, 1, 2].map(|at| strings(&all[at]["node_changes"], "kind").join(" ")),
        ["", "disable", "add"]
    );
    let shown = place.json(0, &["snapshot", "show", "works"]);
    assert_eq!(shown["snapshots"][0]["changes"], all[2]["changes"]);

    let text = place.portenv(&["snapshot", "list"]).success();
    let lines: Vec<&str> = text.stdout().lines().collect();
    let below = |command: &str| -> Vec<&str> {
        let at = lines
            .iter()
            .position(|line| line.contains(command))
            .unwrap_or_else(|| panic!("{command}: {text}"));
        let rest = lines[at + 1..].iter().copied();
        rest.take_while(|line| line.starts_with("    "))
            .map(str::trim_start)
            .collect()
    };
    assert_eq!(
        below("changes made by others"),
        ["packages +3 -2: +one 1.0, +three 1.0, +two 1.0, and 2 more"]
    );
    assert_eq!(
        below("disable some-node"),
        [
            "nodes: -some-node (disabled)",
            "packages -2: -delta 2.0, -gamma 1.0"
        ]
    );
    assert_eq!(
        below("(works)"),
        [
            "nodes: +some-node",
            "packages +2 ~1: +delta 2.0, +gamma 1.0, ~alpha 1.1 → 1.0"
        ]
    );
    assert_eq!(below("as found"), [""; 0]);
}

#[test]
fn create_records_what_is_there_once() {
    let place = Place::new();
    let first = place.json(0, &["snapshot", "create", "--label", "good"]);
    assert_eq!(first["snapshots"][0]["label"], "good");
    let _ = place.portenv(&["snapshot", "create"]).success();
    assert_eq!(place.history().len(), 1);
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    let second = place.json(0, &["snapshot", "create"]);
    assert_eq!(
        strings(&second["snapshots"][0]["packages"], "name"),
        ["mine"]
    );
    // Nothing has it, so it was kept.
    assert_eq!(
        second["snapshots"][0]["unrestorable"],
        serde_json::json!([])
    );
    assert_eq!(place.history().len(), 2);
    let _ = place.portenv(&["status", "--exit-code"]).success();
}

#[test]
fn a_snapshot_answers_to_all_its_labels_and_a_label_moves() {
    let place = Place::synced();
    for label in ["zebra", "apple"] {
        let _ = place
            .portenv(&["snapshot", "label", "as found", label])
            .success();
    }
    let first = place.history().last().unwrap().clone();
    for name in ["zebra", "apple", "as found"] {
        assert_eq!(
            place.json(0, &["snapshot", "show", name])["snapshots"][0]["id"],
            first.as_str(),
            "{name}"
        );
    }
    let _ = place
        .portenv(&["snapshot", "label", "@", "zebra"])
        .success();
    assert_eq!(
        place.json(0, &["snapshot", "show", "zebra"])["snapshots"][0]["id"],
        place.history()[0].as_str()
    );
    for label in ["", "@", "-x", "a\nb"] {
        let run = place.portenv(&["snapshot", "label", "--format", "json", "@", "--", label]);
        assert_eq!(run.code(), 2, "{label:?}: {run}");
    }
}

#[test]
fn what_no_rollback_could_bring_back_is_named_when_it_is_recorded() {
    let place = Place::new();
    place.settings("[policy]\nstore = \"none\"\n");
    place.node("plain-node", "");
    place.git_node("no-remote", "");
    let run = place
        .portenv(&["snapshot", "create", "--format", "json"])
        .success();
    assert_eq!(
        strings(&run.json()["snapshots"][0]["unrestorable"], "name"),
        ["no-remote", "plain-node"]
    );
    let text = place.portenv(&["snapshot", "show"]).success();
    assert!(
        text.stdout().contains("cannot be brought back: plain-node"),
        "{text}"
    );
}

#[test]
fn an_unknown_snapshot_is_not_found_and_an_empty_list_is_no_error() {
    let place = Place::new();
    assert_eq!(
        place.json(0, &["snapshot", "list"])["snapshots"],
        serde_json::json!([])
    );
    let run = place
        .portenv(&["snapshot", "show", "--format", "json"])
        .expect_code(2);
    assert_error(&run, "not-found");
    assert!(!place.root().join(".portenv").exists());
}

#[test]
fn sources_are_looked_for_on_the_index_that_the_environment_names() {
    let server = IndexServer::start([Wheel::new("alpha", "1.1").build()]);
    let sandbox = Sandbox::new().with_index(&server);
    sandbox.comfyui("");
    sandbox.venv();
    sandbox.install_behind_its_back(&Wheel::new("alpha", "1.1").build());
    let run = sandbox
        .portenv(&["snapshot", "create", "--format", "json"])
        .success();
    let source = &run.json()["snapshots"][0]["packages"][0]["source"];
    assert_eq!(
        (&source["kind"], &source["index"]),
        (&"index".into(), &"http://[INDEX]/simple".into())
    );
}

#[test]
fn a_history_of_the_first_schema_is_read_as_it_is_and_goes_on() {
    let place = Place::synced();
    let path = place.root().join(".portenv/portenv.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(
        "ALTER TABLE state DROP COLUMN base_prefix; ALTER TABLE state DROP COLUMN base; PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(db);
    let before = std::fs::read(&path).unwrap();
    for command in [
        &["status"][..],
        &["snapshot", "list"],
        &["diff"],
        &["rollback", "@", "--dry-run"],
    ] {
        let _ = place.portenv(command).success();
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let node = place.offered("some-node", "gamma\n");
    let _ = place.portenv(&["add", &node, "--yes"]).success();
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
}

#[test]
fn a_package_that_was_edited_by_hand_comes_back_edited_and_the_edit_is_named() {
    let place = Place::synced();
    let mine = Wheel::new("mine", "1.0").build();
    place.install_behind_its_back(&mine);
    let path = place.site_packages().join("mine/__init__.py");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "patched = True\n").unwrap();
    // A person takes longer than the tick of a file system's clock.
    let record = place.site_packages().join("mine-1.0.dist-info/RECORD");
    let installed = std::fs::metadata(record).unwrap().modified().unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(installed + std::time::Duration::from_secs(1))
        .unwrap();
    let _ = place.portenv(&["snapshot", "create"]).success();
    std::fs::remove_file(place.save(&mine)).unwrap();
    place.uninstall_behind_its_back("mine");
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "patched = True\n");
    let found = place.json(0, &["verify", "--deep"]);
    assert_eq!(found["problems"][0]["path"], "mine/__init__.py", "{found}");
    assert_eq!(found["problems"][0]["fails"], false, "{found}");
}
