//! `preview`.

mod markdown;
mod page;
mod script;
mod size;

use std::io::Write;

use super::place::{Place, assert_fields, assert_tree, changes, strings, strings_of, tree};
use crate::support::Wheel;

#[test]
fn it_shows_what_a_directory_would_bring_and_writes_nothing() {
    let place = Place::synced();
    let node = place.offered("some-node", "gamma\nbeta\n");
    let before = tree(place.root());
    let document = place.json(0, &["preview", &node]);
    assert_tree(place.root(), &before);

    assert_eq!(
        (&document["schema"], &document["status"]),
        (&"portenv.preview/1".into(), &"ok".into())
    );
    assert_fields(
        &document,
        "plan nodes changes conflicts warnings download_bytes installed_bytes next \
         installed_bytes_least waivers new_waivers attention findings breaks shared scripts",
    );
    assert_eq!(changes(&document), ["add delta - 2.0", "add gamma - 1.0"]);
    let delta = &document["changes"][0];
    assert_fields(
        delta,
        "name kind from to major protected pending because sdist index bytes \
         line new_index local_change installed_bytes freed_bytes needs_rebuild",
    );
    assert_eq!(strings(&delta["because"], "package"), ["gamma"]);
    assert_eq!(strings(&delta["because"], "requirement"), ["delta>=1"]);
    assert_eq!(
        (&delta["pending"], &delta["protected"]),
        (&false.into(), &false.into())
    );
    let node = &document["nodes"][0];
    assert_fields(node, "name dir kind url commit version enabled dirty");
    assert_eq!(
        (&node["dir"], &node["kind"]),
        (&"custom_nodes/some-node".into(), &"plain".into())
    );
    let sizes: i64 = document["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["bytes"].as_i64().unwrap())
        .sum();
    assert_eq!(document["download_bytes"], sizes);
}

#[test]
fn the_text_is_the_table_people_look_at() {
    let place = Place::synced();
    let node = place.offered("some-node", "gamma\nalpha<1.1\n");
    let run = place.portenv(&["preview", &node]).success();
    let text = without_plan(run.stdout());
    insta::assert_snapshot!(text, @r"
    ok: 2 added, 1 downgraded
      node custom_nodes/some-node

      !  alpha 1.1 → 1.0: downgrade, ComfyUI uses it

    changes of what is installed
      ↓ alpha  1.1 → 1.0  890 B  downgrade
          requirements.txt:2 alpha<1.1

    new packages
      + delta  2.0  888 B  requirements.txt:1 gamma
      + gamma  1.0  912 B  requirements.txt:1 gamma

    2.7 kB to download, 184 B freed
    plan [16 digits]
    ");
}

/// Hides the plan, which depends on the place.
fn without_plan(text: &str) -> String {
    let line = |line: &str| match line.split_once("plan ") {
        Some(("", id)) => format!("plan [{} digits]", id.len()),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_revision_of_a_git_node_is_cloned_at_that_commit() {
    let place = Place::synced();
    let url = place.git_remote("some-node", "gamma\n");
    let first = place.git(&place.remote_dir("some-node"), &["rev-parse", "HEAD"]);
    std::fs::write(
        place.remote_dir("some-node").join("requirements.txt"),
        "gamma\ndelta<2\n",
    )
    .unwrap();
    let second = place.commit_all(&place.remote_dir("some-node"), "Second version");

    let newest = place.json(0, &["preview", &url]);
    assert_eq!(
        (&newest["nodes"][0]["commit"], &newest["nodes"][0]["url"]),
        (&second.as_str().into(), &place.normalised(&url).into())
    );
    assert_eq!(changes(&newest), ["add delta - 1.0", "add gamma - 1.0"]);
    let older = place.json(0, &["preview", &format!("{url}@{first}")]);
    assert_eq!(older["nodes"][0]["commit"], first.as_str());
    assert_eq!(changes(&older), ["add delta - 2.0", "add gamma - 1.0"]);

    let missing = place.json(3, &["preview", &format!("{url}-of-nobody")]);
    assert_eq!(missing["error"]["code"], "git");
}

#[test]
fn archives_and_single_files_are_nodes() {
    let place = Place::synced();
    let path = place.dir().join("packed.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (name, text) in [
        ("top/__init__.py", ""),
        ("top/requirements.txt", "delta<2\n"),
    ] {
        zip.start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    let archive = place.json(0, &["preview", path.as_str()]);
    assert_eq!(archive["nodes"][0]["dir"], "custom_nodes/packed");
    assert_eq!(changes(&archive), ["add delta - 1.0"]);

    let file = place.dir().join("single.py");
    std::fs::write(&file, "NODE_CLASS_MAPPINGS = {}\n").unwrap();
    let single = place.json(0, &["preview", file.as_str()]);
    assert_eq!(
        (&single["nodes"][0]["dir"], &single["nodes"][0]["kind"]),
        (&"custom_nodes/single.py".into(), &"file".into())
    );
    assert_eq!(changes(&single), Vec::<String>::new());
}

#[test]
fn a_conflict_exits_with_1_and_names_both_files() {
    let place = Place::synced();
    let node = place.offered("new-beta", "beta>=2\n");
    let before = tree(place.root());
    let run = place
        .portenv(&["preview", &node, "--format", "json"])
        .expect_code(1);
    let document = run.json();
    assert_tree(place.root(), &before);
    assert_eq!(document["status"], "conflict");
    assert_eq!(changes(&document), Vec::<String>::new());
    let conflict = &document["conflicts"][0];
    assert_fields(
        conflict,
        "packages requirements explanation new suggestions",
    );
    assert_eq!(conflict["new"], true);
    let mut lines = strings(&conflict["requirements"], "requirement");
    lines.sort();
    assert_eq!(lines, ["beta<2", "beta>=2"]);
    assert!(
        run.stderr().contains("new-beta") && run.stderr().contains("requirements.txt:2"),
        "{run}"
    );
    assert!(!document["next"].as_array().unwrap().is_empty());
}

#[test]
fn what_is_due_anyway_is_marked_as_pending() {
    let place = Place::synced();
    place.node("there-already", "gamma\n");
    let node = place.offered("some-node", "alpha<1.1\n");
    let document = place.json(0, &["preview", &node]);
    let pending: Vec<(String, bool)> = document["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            (
                change["name"].as_str().unwrap().to_owned(),
                change["pending"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        pending,
        [
            ("alpha".into(), false),
            ("delta".into(), true),
            ("gamma".into(), true)
        ]
    );
}

#[test]
fn old_conflicts_are_reported_and_do_not_block() {
    let place = Place::synced();
    // Two that contradict the core, one after the other: leaving the first out shows the second.
    place.node("old-conflict", "beta>=2\n");
    place.node("other-conflict", "alpha>=9\n");
    let node = place.offered("some-node", "gamma\n");
    let document = place.json(0, &["preview", &node]);
    assert_eq!(document["status"], "ok");
    assert_eq!(changes(&document), ["add delta - 2.0", "add gamma - 1.0"]);
    let conflicts = document["conflicts"].as_array().unwrap();
    assert!(
        conflicts.iter().all(|conflict| conflict["new"] == false),
        "{document}"
    );
    let names = conflicts
        .iter()
        .flat_map(|conflict| conflict["packages"].as_array().unwrap());
    let mut names: Vec<&str> = names.map(|name| name.as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["alpha", "beta"]);
}

#[test]
fn a_new_conflict_is_told_from_an_old_one() {
    let place = Place::synced();
    place.node("old-conflict", "alpha>=9\n");
    let node = place.offered("new-beta", "beta>=2\n");
    let document = place.json(1, &["preview", &node]);
    assert_eq!(document["status"], "conflict");
    let mut seen: Vec<(String, bool)> = document["conflicts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|conflict| {
            (
                conflict["packages"][0].as_str().unwrap().to_owned(),
                conflict["new"].as_bool().unwrap(),
            )
        })
        .collect();
    seen.sort();
    assert_eq!(seen, [("alpha".into(), false), ("beta".into(), true)]);
}

/// A place with an accelerated torch from an index of its own, and a plain one on the default.
fn with_torch() -> Place {
    let place = Place::new();
    place.server.add(Wheel::new("torch", "2.9.0").build());
    place.server.add(Wheel::new("torch", "2.10.0").build());
    place
        .server
        .add_to("cu128", Wheel::new("torch", "2.9.0+cu128").build());
    place
        .server
        .add_to("cu128", Wheel::new("torch", "2.10.0+cu128").build());
    place.install_behind_its_back(&Wheel::new("torch", "2.9.0+cu128").build());
    let url = place.server.url_of("cu128");
    place.settings(&format!(
        "[[index]]\nname = \"cu128\"\nurl = \"{url}\"\npackages = [\"@torch\"]\n"
    ));
    place.write("requirements.txt", "alpha\nbeta<2\ntorch\n");
    let _ = place.portenv(&["lock"]).success();
    let _ = place.portenv(&["sync", "--yes"]).success();
    place
}

#[test]
fn the_accelerated_torch_stays_in_the_lock() {
    let place = with_torch();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, torch 2.9.0+cu128");
    let document = place.json(0, &["lock", "--upgrade"]);
    let torch = document["packages"]
        .as_array()
        .unwrap()
        .iter()
        .find(|package| package["name"] == "torch")
        .unwrap();
    assert_eq!(torch["version"], "2.9.0+cu128");
    assert_eq!(torch["source"]["index"], place.server.url_of("cu128"));
    // A node that is content with it changes nothing about it.
    let node = place.offered("content", "torch>=2.9\n");
    assert_eq!(
        changes(&place.json(0, &["preview", &node])),
        Vec::<String>::new()
    );
}

#[test]
fn a_node_that_would_move_torch_is_blocked_until_that_is_allowed() {
    let place = with_torch();
    place.offered("greedy", "torch>=2.10\ngamma\n");
    let node = "../offered/greedy";
    let run = place
        .portenv(&["preview", node, "--format", "json"])
        .expect_code(1);
    let document = run.json();
    assert_eq!(document["status"], "blocked");
    assert_eq!(
        changes(&document),
        [
            "add delta - 2.0",
            "add gamma - 1.0",
            "upgrade torch 2.9.0+cu128 2.10.0+cu128"
        ]
    );
    assert_eq!(document["changes"][2]["protected"], true);
    assert!(run.stderr().contains("--allow-change torch"), "{run}");
    // The way out is a command that works as it stands.
    let argv = strings_of(&document["next"][0]["argv"]);
    let allowed = place.json(0, &argv[1..]);
    assert_eq!(
        (&allowed["status"], changes(&allowed)),
        (&"ok".into(), changes(&document))
    );
    assert_eq!(place.json(1, &["add", node, "--yes"])["status"], "blocked");
    assert_eq!(place.installed()["torch"], "2.9.0+cu128");
    let _ = place
        .portenv(&["add", node, "--yes", "--allow-change", "torch"])
        .success();
    assert_eq!(place.installed()["torch"], "2.10.0+cu128");
}

#[test]
fn a_name_that_is_no_node_is_not_found() {
    let place = Place::synced();
    assert_eq!(
        place.json(2, &["preview", "nothing-of-that-name"])["error"]["code"],
        "not-found"
    );
}

#[test]
fn off_line_no_repository_of_another_machine_is_asked_for() {
    let place = Place::synced();
    for node in ["https://h.example/x.git", "git@h.example:x/y.git@v1"] {
        let document = place.json(3, &["preview", node, "--offline"]);
        assert_eq!(document["error"]["code"], "offline", "{document}");
    }
    let here = place.offered("off-line", "");
    let _ = place.portenv(&["preview", &here, "--offline"]).success();
}

#[test]
fn of_a_node_that_the_policy_ignores_it_says_that_nothing_is_read() {
    let place = Place::synced();
    place.settings("[nodes.some-node]\nignore = true\n");
    let node = place.offered("some-node", "there-is-no-such-package\n");
    let document = place.json(0, &["preview", &node]);
    assert_eq!(strings(&document["warnings"], "code"), ["ignored-node"]);
    let run = place.portenv(&["preview", &node]).success();
    assert!(
        run.stderr().contains("portenv.toml ignores some-node"),
        "{run}"
    );
}
