//! Pythons around an installation that has none of its own, or a doubtful one: containers.

use super::ground::{Expected, Ground, seen};
use crate::support::Wheel;

/// Makes a container: the core in a directory, a Python with torch first on PATH.
fn container() -> Ground {
    let mut ground = Ground::new();
    ground.core("app/ComfyUI", "torch\nalpha\n");
    let python = ground.movable("usr");
    ground.install(&python, &[Wheel::new("torch", "2.9.0").build()]);
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", ground.at("usr/bin"));
    ground.sandbox.set_env("PATH", &path);
    ground
}

const FOUND: Expected<'_> = Expected {
    start: "app/ComfyUI",
    root: "app/ComfyUI",
    layout: "checkout",
    core: ".",
    python: "[SANDBOX]/usr/bin/python3",
    why: "the first on PATH",
    nodes: "custom_nodes",
};

const OWN: Expected<'_> = Expected {
    python: ".venv/bin/python",
    why: "it lies in the installation",
    ..FOUND
};

#[test]
fn the_python_on_path_is_used_with_a_warning() {
    let ground = container();
    let run = ground.run("app/ComfyUI", &["status"]).success();
    let warning =
        "warning: this installation has no Python of its own; `[SANDBOX]/usr/bin/python3`";
    assert_eq!(run.stderr().matches(warning).count(), 1, "{run}");
    ground.round(&FOUND);
}

#[test]
fn an_environment_of_another_project_gives_way() {
    let ground = container();
    let python = ground.venv_at("app/ComfyUI/.venv");
    ground.install(&python, &[Wheel::new("delta", "1.0").build()]);
    let run = ground.run("app/ComfyUI", &["status"]).success();
    for word in [
        "[SANDBOX]/app/ComfyUI/.venv`",
        "another project's",
        "usr/bin/python3",
    ] {
        assert!(run.stderr().contains(word), "{run}");
    }
    ground.round(&FOUND);
    assert_eq!(seen(&python), "delta 1.0");
}

#[test]
fn an_empty_environment_is_the_one_to_be_filled() {
    let ground = container();
    ground.venv_at("app/ComfyUI/.venv");
    let run = ground.run("app/ComfyUI", &["status"]).success();
    assert!(run.stderr().contains("is empty"), "{run}");
    ground.round(&OWN);
    assert_eq!(seen(&ground.at("usr/bin/python3")), "torch 2.9.0");
}

#[test]
fn a_half_filled_environment_without_torch_is_an_error_that_names_both() {
    let ground = container();
    let python = ground.venv_at("app/ComfyUI/.venv");
    ground.install(&python, &[Wheel::new("alpha", "1.0").build()]);
    let words = [
        "`[SANDBOX]/app/ComfyUI/.venv`",
        "`[SANDBOX]/usr/bin/python3`",
        "--python",
    ];
    let refused = |line: &[&str]| {
        ground.refused("app/ComfyUI", line, 2, "ambiguous-installation", &words);
    };
    refused(&["status"]);
    refused(&["lock"]);
    let told = ground.json(0, "app/ComfyUI", &["self"]);
    let problem = told["problem"].as_str().unwrap_or("null");
    assert!(problem.contains("usr/bin/python3"), "{told}");
    // What starts ComfyUI decides.
    ground.put("app/start.sh", "cd ComfyUI && .venv/bin/python main.py\n");
    refused(&["status"]);
    ground.put("app/ComfyUI/start.sh", ". .venv/bin/activate\n");
    ground.round(&Expected {
        why: "the start script names it",
        ..OWN
    });
}

#[test]
fn the_log_decides_for_the_python_on_path_too() {
    let ground = container();
    let python = ground.venv_at("app/ComfyUI/.venv");
    ground.install(&python, &[Wheel::new("alpha", "1.0").build()]);
    let log = format!("** Python executable: {}\n", ground.at("usr/bin/python3"));
    ground.put("app/ComfyUI/user/comfyui.log", &log);
    ground.round(&Expected {
        why: "the newest log of ComfyUI names it",
        ..FOUND
    });
}

#[test]
fn of_two_with_torch_what_starts_comfyui_decides_or_both_are_named() {
    let ground = Ground::new();
    ground.core("comfy", "torch\nalpha\n");
    for name in [".venv", "venv"] {
        let python = ground.venv_at(&format!("comfy/{name}"));
        ground.install(&python, &[Wheel::new("torch", "2.9.0").build()]);
    }
    let words = [
        "`[SANDBOX]/comfy/.venv`",
        "`[SANDBOX]/comfy/venv`",
        "--python",
    ];
    ground.refused("comfy", &["status"], 2, "ambiguous-installation", &words);
    let expected = Expected {
        start: "comfy",
        root: "comfy",
        python: "venv/bin/python",
        ..OWN
    };
    // Pinokio's launcher names the environment so.
    ground.put(
        "comfy/start.js",
        "run: { params: {\n  venv: \"venv\",\n} }\n",
    );
    ground.round(&Expected {
        why: "the start script names it",
        ..expected
    });
    ground.put("comfy/.venv/.comfy_environment", "");
    let told = ground.json(0, "comfy", &["self"]);
    let python = &told["installation"]["python"];
    assert_eq!(python["path"], ".venv/bin/python");
    assert!(
        python["reason"].as_str().unwrap().contains("marker"),
        "{told}"
    );
}

#[test]
fn of_two_around_it_the_one_with_torch_is_used() {
    let mut ground = container();
    ground.venv_at("active");
    let active = ground.at("active").into_string();
    ground.sandbox.set_env("VIRTUAL_ENV", &active);
    ground.round(&Expected {
        why: "the first on PATH; of several only it has torch",
        ..FOUND
    });
    let torch = Wheel::new("torch", "2.9.0").build();
    ground.install(&ground.at("active/bin/python"), &[torch]);
    let words = ["`[SANDBOX]/active`", "`[SANDBOX]/usr/bin/python3`"];
    ground.refused(
        "app/ComfyUI",
        &["status"],
        2,
        "ambiguous-installation",
        &words,
    );
}
