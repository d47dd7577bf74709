//! `tree`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::place::{Place, assert_fields, assert_tree, strings, strings_of, tree};
use crate::support::Wheel;

/// Two nodes that share `delta`, which `gamma` brings too; `epsilon` and `zeta` need each other.
fn planted() -> Place {
    let place = Place::new();
    let server = &place.server;
    server.add(Wheel::new("epsilon", "1.0").requires("zeta<2").build());
    server.add(Wheel::new("zeta", "1.0").requires("epsilon").build());
    place.node("one", "# a comment\ngamma\n\nepsilon>=0.5\n");
    place.node("two", "delta>=1\n");
    let _ = place.portenv(&["lock"]).success();
    place
}

/// The edges of a document as `from to requirement`.
fn edges(document: &Value) -> Vec<String> {
    let edges = document["edges"].as_array().unwrap().iter();
    edges
        .map(|edge| {
            ["from", "to", "requirement"]
                .map(|field| edge[field].as_str().unwrap_or("-"))
                .join(" ")
        })
        .collect()
}

#[test]
fn core_and_nodes_are_roots_and_what_was_shown_is_not_unfolded_again() {
    let place = planted();
    let run = place.portenv(&["tree"]).success();
    insta::assert_snapshot!(run.stdout(), @"
    ComfyUI
    ├── alpha 1.1 (requirements.txt:1)
    └── beta 1.0 (requirements.txt:2: <2)
    node one
    ├── gamma 1.0 (requirements.txt:2)
    │   └── delta 2.0
    └── epsilon 1.0 (requirements.txt:4: >=0.5)
        └── zeta 1.0
            └── epsilon 1.0 (*)
    node two
    └── delta 2.0 (requirements.txt:1: >=1)
    (*) what is below it is shown above
    ");
    assert_eq!(run.stderr(), "");
}

#[test]
fn inverted_it_leads_from_a_package_to_the_lines() {
    let place = planted();
    let run = place
        .portenv(&["tree", "--invert", "Delta", "zeta"])
        .success();
    insta::assert_snapshot!(run.stdout(), @"
    delta 2.0
    ├── two requirements.txt:1 (>=1)
    └── gamma 1.0 (>=1)
        └── one requirements.txt:2
    zeta 1.0
    └── epsilon 1.0 (<2)
        ├── one requirements.txt:4 (>=0.5)
        └── zeta 1.0 (*)
    (*) what is below it is shown above
    ");
}

#[test]
fn the_document_is_a_graph_with_each_thing_once() {
    let place = planted();
    let document = place.json(0, &["tree"]);
    assert_eq!(document["schema"], "portenv.tree/1");
    assert_fields(
        &document,
        "source target invert orphans depth roots packages lines edges unknown stale warnings next",
    );
    assert_fields(&document["target"], "platform python marker");
    assert_eq!(
        document["roots"],
        json!([
            {"kind": "core", "name": null},
            {"kind": "node", "name": "one"},
            {"kind": "node", "name": "two"}
        ])
    );
    assert_eq!(
        strings(&document["packages"], "name"),
        ["alpha", "beta", "delta", "epsilon", "gamma", "zeta"]
    );
    assert_eq!(
        edges(&document),
        [
            "epsilon zeta zeta<2",
            "gamma delta delta>=1",
            "zeta epsilon epsilon"
        ]
    );
    let line = &document["lines"][3];
    assert_eq!(
        (
            &line["requirement"],
            &line["package"],
            &line["origin"]["line"]
        ),
        (&"epsilon>=0.5".into(), &"epsilon".into(), &4.into())
    );
    assert_eq!(document["lines"].as_array().unwrap().len(), 5);
}

#[test]
fn depth_ends_the_tree_and_the_graph_alike() {
    let place = planted();
    let run = place.portenv(&["tree", "one", "--depth", "1"]).success();
    assert!(!run.stdout().contains("delta"), "{run}");
    assert!(!run.stdout().contains("(*)"), "{run}");
    let document = place.json(0, &["tree", "one", "--depth", "1"]);
    assert_eq!(strings(&document["packages"], "name"), ["epsilon", "gamma"]);
    assert_eq!(edges(&document), [""; 0]);
    let document = place.json(0, &["tree", "gamma", "--depth", "1"]);
    assert_eq!(strings(&document["packages"], "name"), ["delta", "gamma"]);
    let document = place.json(0, &["tree", "delta", "--invert", "--depth", "1"]);
    assert_eq!(edges(&document), ["gamma delta delta>=1"]);
    assert_eq!(strings(&document["lines"], "requirement"), ["delta>=1"]);
}

#[test]
fn orphans_are_exactly_what_removing_the_node_removes() {
    let place = planted();
    let _ = place.portenv(&["sync", "--yes"]).success();
    let document = place.json(0, &["tree", "--orphans", "one"]);
    let orphans = strings(&document["packages"], "name");
    assert_eq!(orphans, ["epsilon", "gamma", "zeta"]);
    let run = place.portenv(&["tree", "--orphans", "two"]).success();
    assert_eq!(run.stdout(), "node two: others ask for all of it too\n");
    let both = place.json(0, &["tree", "--orphans", "one", "two"]);
    assert_eq!(
        strings(&both["packages"], "name"),
        ["delta", "epsilon", "gamma", "zeta"]
    );
    let before: BTreeSet<String> = place.installed().into_keys().collect();
    let _ = place.portenv(&["remove", "one", "--yes"]).success();
    let after: BTreeSet<String> = place.installed().into_keys().collect();
    let gone: Vec<&String> = before.difference(&after).collect();
    assert_eq!(gone, orphans.iter().collect::<Vec<_>>());
}

#[test]
fn a_word_that_names_nothing_is_1_with_names_like_it() {
    let place = planted();
    let run = place.portenv(&["tree", "gama"]).expect_code(1);
    assert!(run.stderr().contains("`gama`"), "{run}");
    assert!(run.stderr().contains("did you mean `gamma`"), "{run}");
    let document = place.json(1, &["tree", "two", "gama"]);
    assert_eq!(
        document["unknown"],
        json!([{"name": "gama", "near": ["gamma"]}])
    );
    assert_eq!(
        strings_of(&document["next"][0]["argv"]),
        ["portenv", "tree", "--format", "json"]
    );
    assert_eq!(strings(&document["packages"], "name"), ["delta"]);
    // Nobody needs a node.
    let _ = place.portenv(&["tree", "--invert", "two"]).expect_code(1);
    let _ = place.portenv(&["tree", "--invert"]).expect_code(2);
    let _ = place.portenv(&["tree", "--orphans"]).expect_code(2);
}

#[test]
fn line_numbers_are_those_of_today_and_a_stale_lock_is_told() {
    let place = planted();
    place.write(
        "custom_nodes/two/requirements.txt",
        "# one\n# two\ndelta>=1\n",
    );
    let document = place.json(0, &["tree", "two"]);
    assert_eq!(document["lines"][0]["origin"]["line"], 3);
    assert_eq!(document["stale"], json!([]));
    place.write("custom_nodes/two/requirements.txt", "delta>=1\nnew-thing\n");
    let run = place.portenv(&["tree", "two"]).success();
    assert!(run.stdout().contains("new-thing (not locked)"), "{run}");
    assert!(run.stderr().contains("stale"), "{run}");
    let document = place.json(0, &["tree", "two"]);
    assert_eq!(document["stale"].as_array().unwrap().len(), 1);
    assert_eq!(strings(&document["warnings"], "code"), ["stale"]);
}

#[test]
fn without_a_lock_it_goes_by_what_is_installed() {
    let place = Place::new();
    place.node("one", "gamma[more]\n");
    for wheel in [
        Wheel::new("gamma", "1.0")
            .extra("more")
            .requires("delta>=1")
            .requires("alpha; extra == 'more'")
            .requires("beta; extra == 'other'")
            .requires("zeta; python_version < '3'"),
        Wheel::new("alpha", "1.0"),
        Wheel::new("lonely", "1.0"),
    ] {
        place.install_behind_its_back(&wheel.build());
    }
    let before = tree(place.root());
    let run = place.portenv(&["tree"]).success();
    insta::assert_snapshot!(run.stdout(), @"
    ComfyUI
    ├── alpha 1.0 (requirements.txt:1)
    └── beta (not installed) (requirements.txt:2: <2)
    node one
    └── gamma 1.0 (requirements.txt:1: [more])
        ├── alpha 1.0
        └── delta (not installed)
    asked for by nobody
    └── lonely 1.0
    ");
    assert!(run.stderr().contains("there is no lock"), "{run}");
    let document = place.json(0, &["tree"]);
    assert_eq!(document["source"], "environment");
    assert_tree(place.root(), &before);
}

#[test]
fn each_target_has_its_own_tree() {
    let place = Place::new();
    let shell = Wheel::new("shell", "1.0")
        .requires("gamma; sys_platform == 'win32'")
        .requires("beta; sys_platform != 'win32'");
    place.server.add(shell.build());
    place.write(
        "requirements.txt",
        "shell\nalpha; sys_platform == 'darwin'\n",
    );
    place.settings(
        "[resolve]\ntargets = [\"x86_64-pc-windows-msvc\", \"x86_64-unknown-linux-gnu\", \
         \"aarch64-apple-darwin\"]\n",
    );
    let _ = place.portenv(&["lock"]).success();
    let names = |target: &str| {
        let document = place.json(0, &["tree", "--target", target]);
        assert_eq!(document["target"]["platform"], target);
        strings(&document["packages"], "name")
    };
    assert_eq!(names("x86_64-pc-windows-msvc"), ["delta", "gamma", "shell"]);
    assert_eq!(names("x86_64-unknown-linux-gnu"), ["beta", "shell"]);
    assert_eq!(names("aarch64-apple-darwin"), ["alpha", "beta", "shell"]);
    let document = place.json(2, &["tree", "--target", "amiga"]);
    assert_eq!(document["error"]["code"], "usage");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.contains("aarch64-apple-darwin"), "{message}");
}

#[test]
fn a_package_that_no_index_has_stands_in_the_tree_with_what_is_asked_of_it() {
    let place = Place::new();
    place.install_behind_its_back(&Wheel::new("rare", "3.0").requires("delta<2").build());
    place
        .server
        .add(Wheel::new("needy", "1.0").requires("rare>=2").build());
    place.node("one", "needy\n");
    let _ = place.portenv(&["lock"]).success();
    let document = place.json(0, &["tree", "one"]);
    assert_eq!(
        edges(&document),
        ["needy rare rare>=2", "rare delta delta<2"],
        "{document}"
    );
    assert_eq!(document["packages"][2]["version"], "3.0");
}

#[test]
fn it_asks_no_index_and_changes_nothing() {
    let place = planted();
    place.server.clear_requests();
    let before = tree(place.root());
    let first = place.portenv(&["tree", "--format", "json"]).success();
    let second = place.portenv(&["tree", "--format", "json"]).success();
    assert_eq!(first.stdout(), second.stdout());
    assert!(place.server.requests().is_empty());
    assert_tree(place.root(), &before);
}
