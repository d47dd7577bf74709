//! What `self` tells, and that the history knows its Python.

use serde_json::Value;

use super::ground::{Ground, seen};

#[test]
fn it_tells_of_itself_where_there_is_no_installation() {
    let ground = Ground::new();
    let told = ground.json(0, "home", &["self"]);
    assert_eq!(told["schema"], "portenv.self/1");
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(told["installation"], Value::Null);
    let problem = told["problem"].as_str().unwrap_or("null");
    assert!(problem.contains("no ComfyUI installation"), "{told}");
    let target = told["build"]["target"].as_str().unwrap();
    assert!(target.starts_with(std::env::consts::ARCH), "{told}");
    let profiles = ["debug", "release"];
    assert!(profiles.contains(&told["build"]["profile"].as_str().unwrap()));
    assert_eq!(told["cache"]["dir"], "[SANDBOX]/cache/portenv");
    assert_eq!(told["uv"]["reason"], "named by --uv or PORTENV_UV");
    let text = ground.run("home", &["self"]).success();
    assert!(text.stdout().contains("installation  none here"), "{text}");
}

#[test]
fn it_fetches_no_uv_and_says_so() {
    let mut ground = Ground::new();
    ground.core("comfy", "alpha\n");
    ground.venv_at("comfy/.venv");
    ground.sandbox.set_env("PATH", "/absent");
    let mut command = ground.command(&["self", "--format", "json"]);
    command
        .env_remove("PORTENV_UV")
        .current_dir(ground.at("comfy"));
    let told = ground.finish(command).success().json();
    assert_eq!(told["uv"], Value::Null, "{told}");
    let problem = told["uv_problem"].as_str().unwrap_or("null");
    assert!(problem.contains("fetched when it is needed"), "{told}");
    assert!(!ground.at("cache/portenv/uv").exists());
    let named = ground.json(0, "comfy", &["self", "--uv", "/absent/uv"]);
    let problem = named["uv_problem"].as_str().unwrap_or("null");
    assert!(problem.contains("/absent/uv"), "{named}");
}

#[test]
fn the_text_says_which_and_why() {
    let ground = Ground::new();
    ground.core("comfy", "alpha\n");
    ground.venv_at("comfy/.venv");
    let run = ground.run("comfy", &["self"]).success();
    let lines: Vec<String> = run
        .stdout()
        .lines()
        .filter(|line| {
            let heads = ["installation", "layout", "ComfyUI", "nodes", "files"];
            heads.iter().any(|head| line.starts_with(head))
        })
        .map(|line| line.trim_end().to_owned())
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    installation  [SANDBOX]/comfy (found at or above the working directory)
    layout        checkout
    ComfyUI       . (the root is the checkout)
    nodes         custom_nodes
    files         portenv.toml, pylock.toml, .portenv/portenv.db
    ");
    assert!(
        run.stdout().contains("it lies in the installation"),
        "{run}"
    );
}

#[test]
fn a_change_never_goes_into_another_python_than_the_history_knows() {
    let ground = Ground::new();
    ground.core("comfy", "alpha\n");
    ground.venv_at("comfy/.venv");
    let _ = ground.run("comfy", &["init"]).success();
    let _ = ground.run("comfy", &["lock"]).success();
    // A link to it is the same one.
    std::fs::rename(ground.at("comfy/.venv"), ground.at("comfy/venv")).unwrap();
    std::os::unix::fs::symlink("venv", ground.at("comfy/.venv")).unwrap();
    let _ = ground.run("comfy", &["sync", "--yes"]).success();
    std::fs::remove_file(ground.at("comfy/.venv")).unwrap();
    let other = ground.venv_at("comfy/env");
    std::fs::remove_dir_all(ground.at("comfy/venv")).unwrap();
    let node = ground.offered("new-node", "gamma\n");
    let words = [".venv/bin/python", "env/bin/python", "--python"];
    for line in [
        vec!["sync", "--yes"],
        vec!["add", &node, "--yes"],
        vec!["init"],
    ] {
        ground.refused("comfy", &line, 2, "python-mismatch", &words);
    }
    assert_eq!(seen(&other), "");
    let status = ground.run("comfy", &["status"]).success();
    assert!(
        status
            .stderr()
            .contains("the last snapshot is of the Python"),
        "{status}"
    );
    let line = ["add", &node, "--yes", "--python", "env/bin/python"];
    let _ = ground.run("comfy", &line).success();
    assert_eq!(seen(&other), "alpha 1.1, delta 1.0, gamma 1.0");
}
