//! `--against`: a lock in place of an installation, outside of any.

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use crate::cli::gate::forms::annotations;
use crate::cli::place::{Place, changes, strings};
use crate::support::{Hosted, Run, Wheel};

/// A lock that was made elsewhere, and a node's checkout without any ComfyUI around it.
struct Desk {
    place: Place,
    dir: Utf8PathBuf,
}

impl Desk {
    fn new(place: Place) -> Self {
        let _ = place.portenv(&["lock"]).success();
        let dir = place.dir().join("checkout");
        std::fs::create_dir_all(dir.join("lockfiles")).unwrap();
        let from = place.root().join("pylock.toml");
        std::fs::copy(from, dir.join("lockfiles/pylock.base.toml")).unwrap();
        // Nothing of the installation is needed, or looked at.
        std::fs::remove_dir_all(place.root()).unwrap();
        std::fs::create_dir(place.root()).unwrap();
        Self { place, dir }
    }

    fn asks(&self, requirements: &str) -> &Self {
        std::fs::write(self.dir.join("__init__.py"), "").unwrap();
        std::fs::write(self.dir.join("requirements.txt"), requirements).unwrap();
        self
    }

    fn run(&self, more: &[&str]) -> Run {
        let lock = ["check", ".", "--against", "lockfiles/pylock.base.toml"];
        self.place
            .portenv_in(&self.dir, &[&lock[..], more].concat())
    }

    #[track_caller]
    fn json(&self, code: i32) -> Value {
        self.run(&["--format", "json"]).expect_code(code).json()
    }

    fn files(&self) -> Vec<Utf8PathBuf> {
        let list = |dir: &Utf8Path| {
            let entries = dir.read_dir_utf8().unwrap();
            entries.map(|entry| entry.unwrap().into_path()).collect()
        };
        let mut files: Vec<Utf8PathBuf> = list(&self.dir);
        files.sort();
        files
    }
}

#[test]
fn a_node_that_the_lock_can_live_with_passes_and_changes_only_what_it_brings() {
    let place = Place::new();
    place.node("there", "delta<2\n");
    let desk = Desk::new(place);
    desk.place.server.add(Wheel::new("alpha", "1.2").build());
    let before = desk.asks("alpha\ngamma\n").files();
    let document = desk.json(0);
    assert_eq!(document["against"], "lockfiles/pylock.base.toml");
    assert_eq!(document["findings"], serde_json::json!([]));
    // What is locked stays, though newer versions are there.
    assert_eq!(changes(&document), ["add gamma - 1.0"]);
    assert_eq!(desk.files(), before);
}

#[test]
fn a_conflict_names_the_lines_of_the_lock_and_of_the_checkout() {
    let place = Place::new();
    place.node("there", "delta<2\n");
    let desk = Desk::new(place);
    let document = desk.asks("gamma\ndelta>=2\n").json(1);
    assert_eq!(strings(&document["findings"], "code"), ["PE001"]);
    let origin = &document["findings"][0]["origin"];
    assert_eq!(
        (&origin["name"], &origin["file"], &origin["line"]),
        (&"checkout".into(), &"requirements.txt".into(), &2.into())
    );
    let conflict = &document["conflicts"][0];
    let lines = conflict["requirements"].as_array().unwrap();
    let mut shown: Vec<String> = lines
        .iter()
        .map(|line| {
            let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let origin = &line["origin"];
            let number = origin["line"].to_string();
            [
                part(&origin["name"]),
                part(&origin["file"]),
                number,
                part(&line["requirement"]),
            ]
            .join(" ")
        })
        .collect();
    shown.sort();
    assert_eq!(
        shown,
        [
            "checkout requirements.txt 2 delta>=2",
            "there custom_nodes/there/requirements.txt 1 delta<2"
        ]
    );
    assert!(!conflict["suggestions"].as_array().unwrap().is_empty());
    let github = desk.run(&["--format", "github"]).expect_code(1);
    let found = annotations(github.stdout());
    assert_eq!(
        (found.len(), found[0].get("file"), found[0].get("line")),
        (1, Some("requirements.txt"), Some("2"))
    );
}

#[test]
fn lines_of_the_core_count_and_their_places_are_none_of_the_checkout() {
    let desk = Desk::new(Place::new());
    let document = desk.asks("beta>=2\n").json(1);
    assert_eq!(strings(&document["findings"], "code"), ["PE001"]);
    let kinds = document["conflicts"][0]["requirements"].as_array().unwrap();
    let kinds: Vec<&str> = kinds
        .iter()
        .map(|line| line["origin"]["kind"].as_str().unwrap())
        .collect();
    assert!(
        kinds.contains(&"core") && kinds.contains(&"node"),
        "{kinds:?}"
    );
    // The core's requirements.txt is not the file of that name here.
    let sarif = desk.run(&["--format", "sarif"]).expect_code(1).json();
    let result = &sarif["runs"][0]["results"][0];
    let uri = |place: &Value| place["physicalLocation"]["artifactLocation"]["uri"].clone();
    assert_eq!(uri(&result["locations"][0]), "requirements.txt");
    assert_eq!(
        uri(&result["relatedLocations"][0]),
        "lockfiles/pylock.base.toml"
    );
}

#[test]
fn a_node_of_the_lock_is_replaced_by_the_one_at_hand() {
    let place = Place::new();
    place.node("checkout", "delta<2\n");
    let desk = Desk::new(place);
    let document = desk.asks("delta>=2\n").json(0);
    assert_eq!(changes(&document), ["upgrade delta 1.0 2.0"]);
}

#[test]
fn a_protected_package_of_the_lock_is_not_moved() {
    let place = Place::new();
    for version in ["2.9.0", "2.10.0"] {
        place.server.add(Wheel::new("torch", version).build());
    }
    place.write("requirements.txt", "torch<2.10\n");
    let _ = place.portenv(&["lock"]).success();
    // Of the lock only its versions are fixed: the core asks for any torch.
    place.write("requirements.txt", "torch\n");
    let desk = Desk::new(place);
    let document = desk.asks("torch>=2.10\n").json(1);
    assert_eq!(strings(&document["findings"], "code"), ["PE004"]);
    let conflict = &document["conflicts"][0]["requirements"].to_string();
    assert!(
        conflict.contains("lockfiles/pylock.base.toml"),
        "{conflict}"
    );
}

#[test]
fn what_the_lock_waived_is_not_the_candidates_fault() {
    let place = Place::new();
    for (name, version) in [("alpha", "1.1"), ("beta", "1.0"), ("delta", "1.0")] {
        place.install_behind_its_back(&Wheel::new(name, version).build());
    }
    place.node("old", "delta\nbeta>=2\n");
    let desk = Desk::new(place);
    let lock = std::fs::read_to_string(desk.dir.join("lockfiles/pylock.base.toml")).unwrap();
    assert!(lock.contains("beta>=2"), "{lock}");
    let document = desk.asks("gamma\n").json(0);
    assert_eq!(document["findings"], serde_json::json!([]));
}

#[test]
fn other_targets_than_this_machine_are_asked_of_the_lock() {
    let place = Place::new();
    place.server.add(
        Wheel::new("winonly", "1.0")
            .tag("py3-none-win_amd64")
            .build(),
    );
    place.settings("[resolve]\ntargets = [\"x86_64-pc-windows-msvc@3.12\"]\n");
    let desk = Desk::new(place);
    let document = desk.asks("winonly; sys_platform == 'win32'\n").json(0);
    assert_eq!(changes(&document), ["add winonly - 1.0"]);
}

#[test]
fn a_lock_may_be_named_as_the_core_and_counts_as_of_the_day_it_was_made() {
    let place = Place::new();
    place.node("there", "delta<2\n");
    let desk = Desk::new(place);
    let newer = Hosted::from(Wheel::new("gamma", "2.0").build());
    desk.place
        .server
        .add(newer.upload_time("2026-01-02T00:00:00Z"));
    let _ = desk.asks("gamma\n");
    let run = |arguments: &[&str]| {
        let all = [&["check", "."], arguments, &["--format", "json"]].concat();
        desk.place.portenv_in(&desk.dir, &all).success().json()
    };
    let there = "lockfiles/pylock.base.toml";
    let document = run(&["--core", there]);
    assert_eq!(document["against"], there);
    // The newest of the lock's own files.
    assert_eq!(document["as_of"], "2026-01-01T00:00:00Z");
    assert_eq!(changes(&document), ["add gamma - 1.0"]);
    let document = run(&["--against", there, "--now"]);
    assert_eq!(document["as_of"], Value::Null);
    assert_eq!(changes(&document), ["add gamma - 2.0"]);
}

#[test]
fn bad_input_is_2_and_an_index_that_cannot_be_asked_is_3() {
    let desk = Desk::new(Place::new());
    let _ = desk.asks("gamma\n");
    let there = "lockfiles/pylock.base.toml";
    let run = |arguments: &[&str], code| {
        let all = [&["check"], arguments, &["--format", "json"]].concat();
        let run = desk.place.portenv_in(&desk.dir, &all).expect_code(code);
        run.json()["error"]["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(run(&[".", "--against", "no-such.toml"], 2), "not-found");
    assert_eq!(run(&["--against", there], 2), "usage");
    assert_eq!(run(&["nowhere", "--against", there], 2), "not-found");
    std::fs::write(desk.dir.join("bad.toml"), "lock-version = 7\n").unwrap();
    assert_eq!(run(&[".", "--against", "bad.toml"], 2), "invalid-lock");
    let bad = ["check", ".", "--against", "bad.toml", "--format", "github"];
    let github = desk.place.portenv_in(&desk.dir, &bad).expect_code(2);
    let told = annotations(github.stdout());
    assert_eq!(told[0].get("file"), Some("bad.toml"), "{github}");
    let offline = ["--offline", "--no-cache"];
    let arguments = [&[".", "--against", there], &offline[..]].concat();
    assert_eq!(run(&arguments, 3), "offline");
}
