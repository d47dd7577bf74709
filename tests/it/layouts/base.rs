//! A virtual environment over the packages of a base image.

use serde_json::Value;

use super::ground::{Expected, Ground, conflicts, seen, site_of};
use crate::layouts::checkout::tree;
use crate::support::Wheel;

/// Makes a base with torch and alpha, an environment over it, and a core that asks for both.
fn layered() -> Ground {
    let ground = Ground::new();
    ground.core("comfy", "torch\nalpha\nbeta\n");
    let base = ground.movable("opt/base");
    let wheels = [Wheel::new("torch", "2.9.0"), Wheel::new("alpha", "1.0")];
    ground.install(&base, &wheels.map(Wheel::build));
    ground.venv_of(&base, "comfy/.venv", &["--system-site-packages"]);
    ground
}

/// Returns what lies in the environment itself.
fn own(ground: &Ground) -> Vec<String> {
    let site = site_of(&ground.at("comfy/.venv/bin/python"));
    let entries = site.read_dir_utf8().unwrap();
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().to_owned();
            Some(name.strip_suffix(".dist-info")?.to_owned())
        })
        .collect();
    names.sort();
    names
}

#[test]
fn a_node_comes_and_goes_above_the_base() {
    let ground = layered();
    let before = tree(&ground.at("opt/base"));
    ground.round(&Expected {
        start: "comfy",
        root: "comfy",
        layout: "checkout",
        core: ".",
        python: ".venv/bin/python",
        why: "it lies in the installation",
        nodes: "custom_nodes",
    });
    assert_eq!(tree(&ground.at("opt/base")), before);
}

#[test]
fn what_the_base_has_is_locked_as_it_is_and_not_installed_again() {
    let ground = layered();
    let status = ground.json(0, "comfy", &["status"]);
    assert_eq!(status["base"]["packages"], 2, "{status}");
    let prefix = status["base"]["prefix"].as_str().unwrap();
    assert_eq!(prefix, "[SANDBOX]/opt/base");
    let text = ground.run("comfy", &["status"]).success();
    let line = "base          2 packages at [SANDBOX]/opt/base (read-only)";
    assert!(text.stdout().contains(line), "{text}");

    let _ = ground.run("comfy", &["lock"]).success();
    let lock = std::fs::read_to_string(ground.at("comfy/pylock.toml")).unwrap();
    assert!(
        lock.contains("torch-2.9.0") && lock.contains("alpha-1.0"),
        "{lock}"
    );
    assert!(
        !lock.contains("2.10.0") && !lock.contains("alpha-1.1"),
        "{lock}"
    );
    let sync = ground.json(0, "comfy", &["sync", "--yes"]);
    assert_eq!(sync["changes"].as_array().unwrap().len(), 1, "{sync}");
    assert_eq!(own(&ground), ["beta-1.0"]);
    let check = ground.json(0, "comfy", &["check"]);
    assert_eq!(check["status"], "pass", "{check}");
    let diff = ground.json(0, "comfy", &["diff", "env", "lock"]);
    assert_eq!(diff["changes"], Value::Array(Vec::new()), "{diff}");
    let again = ground.json(0, "comfy", &["sync", "--prune", "--yes"]);
    assert_eq!(again["status"], "nothing", "{again}");
    // Choosing anew does not move it either.
    let _ = ground.run("comfy", &["lock", "--upgrade"]).success();
    let upgraded = std::fs::read_to_string(ground.at("comfy/pylock.toml")).unwrap();
    assert_eq!(upgraded, lock);
}

#[test]
fn verify_looks_at_the_environment_and_not_at_its_base() {
    let ground = layered();
    let _ = ground.run("comfy", &["lock"]).success();
    let _ = ground.run("comfy", &["sync", "--yes"]).success();
    let base = site_of(&ground.at("opt/base/bin/python"));
    std::fs::remove_file(base.join("alpha/__init__.py")).unwrap();
    std::fs::create_dir(base.join("~orch")).unwrap();
    let found = ground.json(0, "comfy", &["verify", "--deep"]);
    assert_eq!(
        (&found["packages"], &found["files"]),
        (&1.into(), &3.into())
    );
    let own = site_of(&ground.at("comfy/.venv/bin/python"));
    std::fs::remove_file(own.join("beta/__init__.py")).unwrap();
    let fixed = ground.json(0, "comfy", &["verify", "--fix"]);
    assert_eq!(fixed["fix"]["reinstalled"][0]["name"], "beta", "{fixed}");
    assert!(
        !base.join("alpha/__init__.py").exists(),
        "the base is not ours"
    );
}

#[test]
fn a_node_that_needs_another_version_is_a_conflict_that_names_the_base() {
    let ground = layered();
    let _ = ground.run("comfy", &["init"]).success();
    let node = ground.offered("new-node", "alpha>=1.1\n");
    let preview = ground.json(1, "comfy", &["preview", &node]);
    assert_eq!(preview["status"], "conflict", "{preview}");
    let lines = conflicts(&preview);
    let fixed = "alpha==1.0 (fixed by [SANDBOX]/opt/base) [SANDBOX]/opt/base";
    assert!(lines.iter().any(|line| line == fixed), "{lines:?}");
    let text = ground.run("comfy", &["preview", &node]).expect_code(1);
    assert!(text.stderr().contains("opt/base"), "{text}");

    // What is allowed by name is installed over it, and taken away again.
    let before = tree(&ground.at("opt/base"));
    let line = ["add", &node, "--allow-change", "alpha", "--yes"];
    let _ = ground.run("comfy", &line).success();
    assert_eq!(own(&ground), ["alpha-1.1", "beta-1.0"]);
    let python = ground.at("comfy/.venv/bin/python");
    assert_eq!(seen(&python), "alpha 1.1, beta 1.0, torch 2.9.0");
    let _ = ground.run("comfy", &["rollback", "--yes"]).success();
    assert_eq!(seen(&python), "alpha 1.0, torch 2.9.0");
    assert_eq!(tree(&ground.at("opt/base")), before);
}

#[test]
fn a_base_that_changes_is_drift_that_no_rollback_takes_back() {
    let ground = layered();
    let _ = ground.run("comfy", &["init"]).success();
    let drift = || ground.json(0, "comfy", &["status"])["drift"].clone();
    assert_eq!(drift()["base"], Value::Array(Vec::new()));
    let base = ground.at("opt/base/bin/python");
    ground.install(&base, &[Wheel::new("torch", "2.10.0").build()]);
    let found = drift();
    assert_eq!(found["changes"], Value::Array(Vec::new()), "{found}");
    assert_eq!(found["base"][0]["to"], "2.10.0", "{found}");
    let _ = ground
        .run("comfy", &["status", "--exit-code"])
        .expect_code(1);

    let node = ground.offered("new-node", "gamma\n");
    let _ = ground.run("comfy", &["add", &node, "--yes"]).success();
    assert_eq!(drift()["base"], Value::Array(Vec::new()), "recorded");
    let back = ground.json(0, "comfy", &["rollback", "@~2", "--yes"]);
    let warning = back["warnings"][0]["message"].as_str().unwrap_or("null");
    assert!(warning.contains("torch 2.10.0 (then 2.9.0)"), "{back}");
    let python = ground.at("comfy/.venv/bin/python");
    assert_eq!(seen(&python), "alpha 1.0, torch 2.10.0");
}

#[test]
fn a_plan_is_stale_once_the_base_has_changed() {
    let ground = layered();
    let _ = ground.run("comfy", &["init"]).success();
    let node = ground.offered("new-node", "gamma\n");
    let preview = ground.json(0, "comfy", &["preview", &node]);
    let plan = preview["plan"].as_str().unwrap();
    let base = ground.at("opt/base/bin/python");
    // Nothing that the plan would do is any other for it.
    ground.install(&base, &[Wheel::new("unasked", "1.0").build()]);
    let line = ["add", &node, "--plan", plan];
    let refused = ground.json(1, "comfy", &line);
    assert_eq!(refused["error"]["code"], "plan-stale", "{refused}");
}

#[test]
fn a_build_of_the_base_that_no_index_has_is_kept() {
    let ground = layered();
    let base = ground.at("opt/base/bin/python");
    let own = Wheel::new("torch", "2.10.0a0+b558c986e8.nv25.11");
    ground.install(&base, &[own.build()]);
    ground.put("comfy/requirements.txt", "torch\nalpha\nbeta\n");
    let node = ground.offered("new-node", "gamma\ntorch\n");
    let _ = ground.run("comfy", &["add", &node, "--yes"]).success();
    assert_eq!(self::own(&ground), ["beta-1.0", "delta-1.0", "gamma-1.0"]);
    let check = ground.json(0, "comfy", &["check"]);
    assert_eq!(check["status"], "pass", "{check}");
    let newer = ground.offered("needs-newer", "torch>=2.10\n");
    let preview = ground.json(1, "comfy", &["preview", &newer]);
    assert_eq!(preview["status"], "conflict", "{preview}");
    let _ = ground.run("comfy", &["rollback", "--yes"]).success();
    assert_eq!(self::own(&ground), Vec::<String>::new());
}

#[test]
fn an_environment_that_hides_the_base_has_none() {
    let ground = layered();
    let config = ground.at("comfy/.venv/pyvenv.cfg");
    let text = std::fs::read_to_string(&config).unwrap();
    let hidden = text.replace("packages = true", "packages = false");
    assert_ne!(text, hidden);
    let status = ground.json(0, "comfy", &["status"]);
    assert_ne!(status["base"], Value::Null);
    std::fs::write(&config, hidden).unwrap();
    let status = ground.json(0, "comfy", &["status"]);
    assert_eq!(status["base"], Value::Null, "{status}");
}
