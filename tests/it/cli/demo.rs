//! `demo`.

use std::collections::BTreeMap;

use super::place::tree;
use crate::support::Sandbox;

#[test]
fn the_tour_ends_well_prints_every_command_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let run = sandbox.portenv_in(sandbox.dir(), &["demo"]).success();
    let typed: Vec<&str> = run
        .stdout()
        .lines()
        .filter_map(|line| line.strip_prefix("$ portenv "))
        .collect();
    let tour = [
        "init",
        "lock",
        "sync --yes",
        "preview soft-light",
        "add soft-light --yes",
        "preview deep-mask",
        "status",
        "rollback --yes",
        "snapshot list",
    ];
    assert_eq!(typed, tour, "{run}");
    assert_eq!(tree(&sandbox.dir().join("tmp")), BTreeMap::new());
    assert_eq!(tree(sandbox.root()), BTreeMap::new());
}

#[test]
fn a_tour_in_a_named_directory_stays_there() {
    let sandbox = Sandbox::new();
    let words = ["demo", "--dir", "tour", "--format", "json"];
    let document = sandbox.portenv_in(sandbox.dir(), &words).success().json();
    assert_eq!(
        (&document["status"], &document["kept"]),
        (&"done".into(), &true.into())
    );
    assert_eq!(document["steps"][0]["argv"][1], "init");
    assert!(sandbox.dir().join("tour/ComfyUI/pylock.toml").exists());
    // A second one would mix with it.
    let _ = sandbox
        .portenv_in(sandbox.dir(), &["demo", "--dir", "tour"])
        .expect_code(2);
}
