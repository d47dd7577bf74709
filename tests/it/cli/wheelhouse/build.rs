//! Filling a folder.

use std::fs;

use super::super::place::{Place, assert_tree, strings, tree};
use super::{ALPHA, BETA, fetched, files, findings, house, locked, names, wheels};
use crate::support::{Fault, Wheel, sha256};

#[test]
fn every_wheel_of_the_lock_lies_in_the_folder_with_texts_that_name_it() {
    let place = locked();
    place.server.clear_requests();
    let document = place.json(0, &["wheelhouse", "build"]);
    assert_eq!(
        (&document["schema"], &document["status"]),
        (&"portenv.wheelhouse/1".into(), &"done".into())
    );
    assert_eq!(files(&document), [ALPHA, BETA]);
    let dir = house(&place);
    assert_eq!(
        names(&dir),
        [
            ALPHA,
            BETA,
            "constraints.txt",
            "pylock.toml",
            "requirements-frozen.txt",
            "wheelhouse.toml"
        ]
    );
    let digest = sha256(&fs::read(dir.join(ALPHA)).unwrap());
    assert_eq!(document["files"][0]["sha256"], digest);
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    let path = format!("path = \"{ALPHA}\"");
    assert!(
        read("pylock.toml").contains(&path),
        "{}",
        read("pylock.toml")
    );
    let address = format!("/{ALPHA}");
    assert!(!read("pylock.toml").contains(&address));
    let line = format!("alpha==1.1 \\\n    --hash=sha256:{digest}\n");
    assert!(read("requirements-frozen.txt").contains(&line));
    assert!(read("constraints.txt").contains("alpha==1.1\nbeta==1.0\n"));
    assert!(read("wheelhouse.toml").contains(&place.server.base()));

    // A second time nothing is asked for and nothing is written.
    let before = tree(&dir);
    place.server.clear_requests();
    let again = place.json(0, &["wheelhouse", "build"]);
    assert_eq!(
        (&again["status"], &again["fetched_bytes"]),
        (&"nothing".into(), &0.into())
    );
    assert_eq!(fetched(&place).len(), 0);
    assert_tree(&dir, &before);
}

#[test]
fn a_line_that_breaks_off_is_taken_up_where_it_did() {
    let place = locked();
    place.server.clear_requests();
    place.server.fault(ALPHA, Fault::Truncate(200), 1);
    let _ = place.portenv(&["wheelhouse", "build"]).success();
    let requests = place.server.requests();
    let ranges: Vec<_> = requests
        .iter()
        .filter(|request| request.path.ends_with(ALPHA))
        .map(|request| request.range.as_deref())
        .collect();
    assert_eq!(ranges, [None, Some("bytes=200-")]);
    assert_eq!(place.json(0, &["wheelhouse", "check"])["status"], "pass");
}

#[test]
fn a_build_that_was_cut_short_says_so_and_the_next_one_goes_on() {
    let place = locked();
    place.server.fault(ALPHA, Fault::Truncate(200), 1);
    place.server.fault(ALPHA, Fault::Status(403), 1);
    let failed = place.json(3, &["wheelhouse", "build"]);
    assert_eq!(failed["error"]["code"], "network");
    let check = place.json(1, &["wheelhouse", "check"]);
    assert!(
        findings(&check).contains(&"incomplete -".to_owned()),
        "{check}"
    );
    let _ = place
        .portenv(&["wheelhouse", "install", "--yes"])
        .expect_code(2);

    place.server.clear_requests();
    let _ = place.portenv(&["wheelhouse", "build"]).success();
    let requests = place.server.requests();
    let resumed = requests
        .iter()
        .find(|request| request.path.ends_with(ALPHA));
    let resumed = resumed.unwrap();
    assert_eq!(resumed.range.as_deref(), Some("bytes=200-"));
    assert!(resumed.headers.contains_key("if-range"), "{resumed:?}");
    assert!(!fetched(&place).contains_key(BETA), "it was there already");
    assert!(!house(&place).join(".parts").exists());
    assert_eq!(place.json(0, &["wheelhouse", "check"])["status"], "pass");
}

#[test]
fn a_part_of_another_file_is_dropped_since_the_hash_decides() {
    let place = locked();
    let parts = house(&place).join(".parts");
    fs::create_dir_all(&parts).unwrap();
    fs::write(parts.join(ALPHA), "not the start of it").unwrap();
    let _ = place.portenv(&["wheelhouse", "build"]).success();
    assert_eq!(place.json(0, &["wheelhouse", "check"])["status"], "pass");
}

#[test]
fn a_file_with_another_hash_never_gets_its_name() {
    let place = locked();
    place.server.fault(BETA, Fault::Corrupt, usize::MAX);
    let failed = place.json(3, &["wheelhouse", "build"]);
    assert_eq!(failed["error"]["code"], "integrity");
    assert!(!house(&place).join(BETA).exists());
}

#[test]
fn only_what_changed_is_fetched_and_what_is_stale_is_told_or_removed() {
    let place = locked();
    place.write("requirements.txt", "alpha<1.1\nbeta<2\n");
    let _ = place.portenv(&["wheelhouse", "build"]).success();
    let _ = place.portenv(&["lock"]).success();
    place.server.clear_requests();
    let document = place.json(0, &["wheelhouse", "build"]);
    assert_eq!(
        fetched(&place).into_keys().collect::<Vec<_>>(),
        ["alpha-1.0-py3-none-any.whl"]
    );
    assert_eq!(strings(&document["stale"], "file"), [ALPHA]);
    let check = place.json(0, &["wheelhouse", "check"]);
    assert_eq!(findings(&check), [format!("stale {ALPHA}")]);
    // It is still known as stale when the build that made it so is forgotten.
    let pruned = place.json(0, &["wheelhouse", "build", "--prune"]);
    assert_eq!(pruned["stale"][0]["removed"], true);
    assert_eq!(wheels(&house(&place)), ["alpha-1.0-py3-none-any.whl", BETA]);
    assert_eq!(findings(&place.json(0, &["wheelhouse", "check"])), [""; 0]);
}

#[test]
fn a_folder_for_several_targets_has_what_each_of_them_takes() {
    let place = Place::new();
    for tag in ["py3-none-manylinux_2_17_x86_64", "py3-none-win_amd64"] {
        place
            .server
            .add(Wheel::new("native", "1.0").tag(tag).build());
    }
    place.write("requirements.txt", "alpha\nnative\n");
    place.settings(
        "[resolve]\npython-version = \"3.12\"\n\
         targets = [\"x86_64-unknown-linux-gnu\", \"x86_64-pc-windows-msvc\"]\n",
    );
    let _ = place.portenv(&["lock"]).success();
    let windows = "native-1.0-py3-none-win_amd64.whl";
    let linux = "native-1.0-py3-none-manylinux_2_17_x86_64.whl";
    let only = [
        "wheelhouse",
        "build",
        "win",
        "--target",
        "x86_64-pc-windows-msvc",
    ];
    assert_eq!(files(&place.json(0, &only)), [ALPHA, windows]);
    let all = place.json(0, &["wheelhouse", "build", "--all-targets"]);
    assert_eq!(files(&all), [ALPHA, linux, windows]);
    assert_eq!(all["targets"].as_array().unwrap().len(), 2);
    let check = place.json(0, &["wheelhouse", "check"]);
    assert_eq!(check["targets"], all["targets"]);

    // What one target lacks is no harm to the other.
    fs::remove_file(house(&place).join(windows)).unwrap();
    let check = place.json(1, &["wheelhouse", "check"]);
    assert_eq!(findings(&check), [format!("missing {windows}")]);
    let none = place.json(2, &["wheelhouse", "build", "--target", "riscv"]);
    assert_eq!(none["error"]["code"], "usage");
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let place = locked();
    place.write("models/one.safetensors", "weights");
    let before = tree(place.root());
    for dir in ["models", ".", "main.py"] {
        let document = place.json(2, &["wheelhouse", "build", dir]);
        assert_eq!(document["error"]["code"], "usage", "{dir}");
    }
    assert_tree(place.root(), &before);
}

#[test]
fn progress_tells_bytes_and_their_sum() {
    let place = locked();
    let run = place
        .portenv(&["wheelhouse", "build", "--progress", "json"])
        .success();
    let events: Vec<serde_json::Value> = run
        .stderr()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|event: &serde_json::Value| event["what"] == "downloading")
        .collect();
    let sizes = [ALPHA, BETA].map(|name| fs::metadata(house(&place).join(name)).unwrap().len());
    let total: u64 = sizes.iter().sum();
    assert_eq!(
        (&events[0]["total"], &events[0]["unit"]),
        (&total.into(), &"bytes".into())
    );
    let done = events
        .iter()
        .filter_map(|event| event["done"].as_u64())
        .max();
    assert_eq!(done, Some(total));
}

#[test]
fn two_builds_of_one_folder_do_not_get_in_each_other_s_way() {
    let place = locked();
    let parts = house(&place).join(".parts");
    fs::create_dir_all(&parts).unwrap();
    let held = portenv::host::UseLock::try_alone(&parts.join("lock")).unwrap();
    assert!(held.is_some());
    let busy = place.json(4, &["wheelhouse", "build"]);
    assert_eq!(busy["error"]["code"], "busy");
    drop(held);
    let _ = place.portenv(&["wheelhouse", "build"]).success();
}
