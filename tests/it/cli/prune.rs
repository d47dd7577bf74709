//! `snapshot prune`.

use super::place::{Place, assert_fields, assert_tree, strings, tree};
use crate::support::Wheel;

/// A synced place with this many more snapshots, each with a package that no index has.
fn grown(count: usize) -> Place {
    let place = Place::synced();
    for n in 1..=count {
        let wheel = Wheel::new("mine", &format!("{n}.0")).file("mine/data.bin", noise(n));
        place.install_behind_its_back(&wheel.build());
        let _ = place.portenv(&["snapshot", "create"]).success();
    }
    place
}

/// A text that cannot be packed much.
fn noise(seed: usize) -> String {
    let mut text = String::new();
    for n in 0..400 {
        text.push_str(&crate::support::sha256(format!("{seed} {n}").as_bytes()));
    }
    text
}

fn stored(place: &Place) -> Vec<String> {
    let files = tree(&place.root().join(".portenv/store"));
    let files = files.into_keys().filter(|path| path.ends_with(".whl"));
    files
        .map(|path| path.rsplit('/').next().unwrap().to_owned())
        .collect()
}

const NOTHING: [&str; 10] = [
    "snapshot",
    "prune",
    "--keep",
    "0",
    "--daily",
    "0",
    "--weekly",
    "0",
    "--monthly",
    "0",
];

/// Prunes all that nothing needs.
fn prune(more: &[&str]) -> Vec<&'static str> {
    let more = more
        .iter()
        .map(|word| -> &'static str { Box::leak((*word).into()) });
    NOTHING.into_iter().chain(more).collect()
}

#[test]
fn what_only_old_snapshots_need_goes_and_the_rest_can_be_gone_back_to() {
    let place = grown(4);
    let _ = place
        .portenv(&["snapshot", "label", "@~2", "works"])
        .success();
    let all = place.history();
    assert_eq!((all.len(), stored(&place).len()), (6, 4));
    let before = tree(place.root());
    let shown = place.json(0, &prune(&["--dry-run"]));
    assert_tree(place.root(), &before);
    assert_fields(
        &shown,
        "status snapshots kept store trash db_bytes freed_bytes warnings next",
    );
    assert_eq!(shown["status"], "dry-run");

    let pruned = place.json(0, &prune(&[]));
    assert_eq!(pruned["schema"], "portenv.snapshot/1");
    for field in ["snapshots", "kept", "store", "freed_bytes"] {
        assert_eq!(pruned[field], shown[field], "{field}");
    }
    let gone = [&all[1], &all[3], &all[4]].map(String::as_str);
    assert_eq!(strings(&pruned["snapshots"], "id"), gone);
    let kept = [&all[0], &all[2], &all[5]].map(String::as_str);
    assert_eq!(
        (place.history(), &pruned["kept"]),
        (kept.map(str::to_owned).to_vec(), &3.into())
    );
    let mut left = stored(&place);
    left.sort();
    assert_eq!(
        left,
        ["mine-2.0-py3-none-any.whl", "mine-4.0-py3-none-any.whl"]
    );
    assert!(pruned["freed_bytes"].as_u64().unwrap() > 20_000, "{pruned}");

    // Nothing but the store has these.
    std::fs::remove_dir_all(place.dir().join("downloads")).unwrap();
    let _ = place.portenv(&["rollback", "works", "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, mine 2.0");
    let _ = place.portenv(&["rollback", "as found", "--yes"]).success();
    assert_eq!(place.shown(), "");
    let _ = place.portenv(&["rollback", kept[0], "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, mine 4.0");
    let again = place.json(0, &["snapshot", "prune"]);
    assert_eq!(again["status"], "nothing");
}

#[test]
fn a_node_without_history_is_found_along_moves_that_were_pruned() {
    let place = Place::synced();
    for text in ["first\n", "second\n"] {
        let node = place.offered("plain", "");
        std::fs::write(format!("{node}/data.txt"), text).unwrap();
        let _ = place.portenv(&["add", &node, "--yes"]).success();
        let _ = place
            .portenv(&["snapshot", "label", "@", text.trim()])
            .success();
        let _ = place.portenv(&["remove", "plain", "--yes"]).success();
    }
    let _ = place.portenv(&prune(&[])).success();
    assert_eq!(place.history().len(), 4);
    for text in ["first", "second", "first"] {
        let _ = place.portenv(&["rollback", text, "--yes"]).success();
        let data = place.root().join("custom_nodes/plain/data.txt");
        assert_eq!(std::fs::read_to_string(data).unwrap().trim(), text);
    }
}

#[test]
fn undo_and_redo_still_walk_where_they_stand() {
    let place = grown(3);
    for _ in 0..2 {
        let _ = place.portenv(&["undo", "--yes"]).success();
    }
    let _ = place.portenv(&prune(&[])).success();
    for version in ["2.0", "3.0"] {
        let _ = place.portenv(&["redo", "--yes"]).success();
        assert_eq!(
            place.shown(),
            format!("alpha 1.1, beta 1.0, mine {version}")
        );
    }
    for _ in 0..3 {
        let _ = place.portenv(&["undo", "--yes"]).success();
    }
    assert_eq!(place.shown(), "");
    let _ = place.portenv(&["undo", "--yes"]).expect_code(1);
}

#[test]
fn files_that_a_cut_prune_left_go_with_the_next() {
    let place = grown(1);
    let left = "wheels/0123/left-1.0-py3-none-any.whl";
    place.write(&format!(".portenv/store/{left}"), "half");
    place.write(".portenv/store/notes.txt", "not portenv's");
    let pruned = place.json(0, &["snapshot", "prune"]);
    assert_eq!(strings(&pruned["store"], "path"), [left]);
    assert_eq!(stored(&place), ["mine-1.0-py3-none-any.whl"]);
    assert!(place.root().join(".portenv/store/notes.txt").is_file());
    assert!(!place.root().join(".portenv/store/wheels/0123").exists());
}

#[test]
fn the_trash_is_emptied_only_when_that_is_said_and_only_copies_are_named() {
    let place = Place::synced();
    let url = place.git_remote("with-remote", "");
    let node = place.offered("plain", "");
    let _ = place.portenv(&["add", &node, &url, "--yes"]).success();
    let _ = place
        .portenv(&["remove", "plain", "with-remote", "--yes"])
        .success();
    let _ = place.portenv(&["snapshot", "prune"]).success();
    assert_eq!(place.trash().len(), 2);
    let shown = place.json(0, &["snapshot", "prune", "--trash", "--dry-run"]);
    assert_eq!(
        (
            shown["trash"].as_array().unwrap().len(),
            place.trash().len()
        ),
        (2, 2)
    );
    let run = place.portenv(&["snapshot", "prune", "--trash"]).success();
    assert_eq!(place.trash().len(), 0);
    assert!(
        run.stderr().contains("-plain`") && !run.stderr().contains("with-remote`"),
        "{run}"
    );
}

#[test]
fn a_history_that_cannot_be_understood_is_left_whole() {
    let place = grown(2);
    let path = place.root().join(".portenv/portenv.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("UPDATE state SET dists = x'05' WHERE digest = (SELECT after FROM operation ORDER BY number LIMIT 1)").unwrap();
    drop(db);
    let rows = || {
        let db = rusqlite::Connection::open(&path).unwrap();
        let count = |table| {
            db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                row.get(0)
            })
            .unwrap()
        };
        ["operation", "state", "dist", "chunk"].map(|table| -> i64 { count(table) })
    };
    let before = rows();
    let run = place.portenv(&prune(&[])).expect_code(2);
    assert!(run.stderr().contains("is cut"), "{run}");
    assert_eq!((rows(), stored(&place).len()), (before, 2));
}

#[test]
fn a_commit_that_was_never_pushed_and_replaced_files_count_as_only_copies() {
    let place = Place::synced();
    let url = place.git_remote("local-work", "");
    let _ = place.portenv(&["add", &url, "--yes"]).success();
    let node = place.root().join("custom_nodes/local-work");
    std::fs::write(node.join("mine.py"), "").unwrap();
    place.commit_all(&node, "Mine");
    let _ = place.portenv(&["remove", "local-work", "--yes"]).success();
    let path = place.site_packages().join("beta/__init__.py");
    std::fs::write(&path, "patched = True\n").unwrap();
    let _ = place.portenv(&["verify", "--fix"]).success();
    let run = place
        .portenv(&["snapshot", "prune", "--trash", "--dry-run"])
        .success();
    for name in ["-local-work`", "-changed-files`"] {
        assert!(run.stderr().contains(name), "{name}: {run}");
    }
}
