//! A Python that another program manages (PEP 668).

use super::ground::{Expected, Ground, site_of};
use crate::layouts::checkout::tree;

/// Makes a system's Python with a marker, first on PATH.
fn managed() -> Ground {
    let mut ground = Ground::new();
    ground.core("comfy", "alpha\n");
    let python = ground.movable("usr");
    let marker = site_of(&python).join("../EXTERNALLY-MANAGED");
    std::fs::write(marker, "[externally-managed]\nError=use apt\n").unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", ground.at("usr/bin"));
    ground.sandbox.set_env("PATH", &path);
    ground
}

#[test]
fn it_is_refused_before_any_change_with_two_ways_out() {
    let ground = managed();
    let told = ground.json(0, "comfy", &["self"]);
    assert_eq!(told["installation"]["python"]["managed"], true, "{told}");
    let _ = ground.run("comfy", &["lock"]).success();
    let node = ground.offered("new-node", "gamma\n");
    let before = tree(&ground.at("usr/lib"));
    let words = ["PEP 668", "python -m venv .venv", "allow-system = true"];
    for line in [vec!["sync", "--yes"], vec!["add", &node, "--yes"]] {
        ground.refused("comfy", &line, 1, "refused", &words);
    }
    assert_eq!(tree(&ground.at("usr/lib")), before);
    assert!(!ground.at("comfy/custom_nodes/new-node").exists());
    let list = ground.json(0, "comfy", &["snapshot", "list"]);
    assert_eq!(list["snapshots"].as_array().unwrap().len(), 0, "{list}");
}

#[test]
fn what_the_user_allows_is_done() {
    let ground = managed();
    ground.put(
        "comfy/portenv.toml",
        "[installation]\nallow-system = true\n",
    );
    ground.round(&Expected {
        start: "comfy",
        root: "comfy",
        layout: "checkout",
        core: ".",
        python: "[SANDBOX]/usr/bin/python3",
        why: "the first on PATH",
        nodes: "custom_nodes",
    });
}
