//! The desktop programs: 2.0 with its seed, 1 with a base directory whose core it owns.

use super::ground::{Expected, Ground, seen};
use crate::support::Wheel;

/// Makes a root of Desktop 2.0 with the environment in this directory.
fn desktop(ground: &Ground, environment: &str) {
    ground.core("desk/ComfyUI", "alpha\nbeta\n");
    let seed = ground.movable("desk/standalone-env");
    ground.install(&seed, &[Wheel::new("torch", "2.9.0").build()]);
    ground.venv_of(&seed, &format!("desk/{environment}"), &[]);
}

const FOUND: Expected<'_> = Expected {
    start: "desk/ComfyUI",
    root: "desk",
    layout: "desktop-2",
    core: "ComfyUI",
    python: "ComfyUI/.venv/bin/python",
    why: "it lies in the installation",
    nodes: "ComfyUI/custom_nodes",
};

#[test]
fn the_environment_of_the_checkout_is_used_and_the_seed_left_alone() {
    let ground = Ground::new();
    desktop(&ground, "ComfyUI/.venv");
    let seed = ground.at("desk/standalone-env/bin/python");
    let before = seen(&seed);
    ground.round(&FOUND);
    assert_eq!(seen(&seed), before);
}

#[test]
fn else_the_default_environment_is_used() {
    let ground = Ground::new();
    desktop(&ground, "envs/default");
    ground.round(&Expected {
        python: "envs/default/bin/python",
        ..FOUND
    });
}

#[test]
fn the_seed_is_never_taken_even_if_it_is_named_or_active() {
    let mut ground = Ground::new();
    desktop(&ground, "ComfyUI/.venv");
    std::fs::remove_dir_all(ground.at("desk/ComfyUI/.venv")).unwrap();
    let seed = ground.at("desk/standalone-env").into_string();
    ground.sandbox.set_env("VIRTUAL_ENV", &seed);
    let words = ["ComfyUI/.venv", "envs/default"];
    ground.refused("desk", &["status"], 2, "no-python", &words);
    let named = ["status", "--python", &seed];
    ground.refused("desk", &named, 2, "no-python", &["seed"]);
}

/// Makes a base directory of Desktop 1, and the core that the program owns.
fn base_directory(ground: &Ground) {
    ground.core("app/ComfyUI", "alpha\nbeta\n");
    for name in ["custom_nodes", "user", "models"] {
        std::fs::create_dir_all(ground.at("base").join(name)).unwrap();
    }
    ground.venv_at("base/.venv");
}

#[test]
fn a_base_directory_uses_the_core_that_the_settings_name_and_leaves_it_alone() {
    let ground = Ground::new();
    base_directory(&ground);
    ground.put(
        "base/portenv.toml",
        "[installation]\ncomfyui = \"../app/ComfyUI\"\n",
    );
    let core = ground.at("app");
    let before = crate::layouts::checkout::tree(&core);
    ground.round(&Expected {
        start: "base/user",
        root: "base",
        layout: "base-directory",
        core: &ground
            .at("app/ComfyUI")
            .into_string()
            .replace(ground.dir().as_str(), "[SANDBOX]"),
        python: ".venv/bin/python",
        why: "it lies in the installation",
        nodes: "custom_nodes",
    });
    assert_eq!(crate::layouts::checkout::tree(&core), before);
    // An update of the program is drift, and not ours to take back.
    ground.put(
        "app/ComfyUI/comfyui_version.py",
        "__version__ = \"0.5.0\"\n",
    );
    let drift = &ground.json(0, "base", &["status"])["drift"];
    assert_eq!(drift["core"]["version"], "0.5.0", "{drift}");
    let words = ["not ours"];
    ground.refused("base", &["rollback", "--yes"], 1, "refused", &words);
}

#[test]
fn without_a_core_nothing_is_resolved_but_everything_shown() {
    let ground = Ground::new();
    base_directory(&ground);
    let told = ground.json(0, "base", &["self"]);
    assert_eq!(told["installation"]["core"], serde_json::Value::Null);
    let status = ground.run("base", &["status"]).success();
    assert!(status.stdout().contains("ComfyUI       none"), "{status}");
    assert!(status.stderr().contains("comfyui"), "{status}");
    let node = ground.offered("new-node", "gamma\n");
    let told = format!("** ComfyUI Path: {}\n", ground.at("app/ComfyUI"));
    ground.put("base/user/comfyui.log", &told);
    for line in [
        vec!["lock"],
        vec!["check"],
        vec!["preview", &node],
        vec!["add", &node],
    ] {
        let words = ["--core", "[SANDBOX]/app/ComfyUI", "base directory"];
        ground.refused("base", &line, 2, "no-installation", &words);
    }
    assert!(!ground.at("base/pylock.toml").exists());
    // Named once, `init` remembers it; a snapshot can be made without.
    let _ = ground.run("base", &["snapshot", "create"]).success();
    let core = ground.at("app/ComfyUI").into_string();
    let _ = ground.run("base", &["init", "--core", &core]).success();
    let told = ground.json(0, "base", &["self"]);
    assert_eq!(told["installation"]["core_reason"], "named in portenv.toml");
    let _ = ground.run("base", &["lock"]).success();
}

#[test]
fn the_python_of_a_core_that_another_program_owns_is_not_taken() {
    let ground = Ground::new();
    base_directory(&ground);
    ground.venv_at("app/ComfyUI/.venv");
    std::fs::remove_dir_all(ground.at("base/.venv")).unwrap();
    ground.put(
        "base/portenv.toml",
        "[installation]\ncomfyui = \"../app/ComfyUI\"\n",
    );
    let told = ground.json(0, "base", &["self"]);
    let path = told["installation"]["python"]["path"]
        .as_str()
        .unwrap_or("null");
    assert!(!path.contains("app/ComfyUI"), "{told}");
}
