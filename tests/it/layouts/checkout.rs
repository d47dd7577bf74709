//! Checkouts with an environment in them or beside them, and several directories of nodes.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::ground::{Expected, Ground};

/// Returns the content of every file below a directory, by path; what Python compiles for
/// itself is left out.
pub(super) fn tree(dir: &Utf8Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(at) = open.pop() {
        for entry in at.read_dir_utf8().unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_name() == "__pycache__" {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                open.push(path.to_owned());
            } else {
                let name = path.strip_prefix(dir).unwrap().to_string();
                found.insert(name, std::fs::read(path).unwrap_or_default());
            }
        }
    }
    found
}

const FOUND: Expected<'_> = Expected {
    start: "comfy/custom_nodes",
    root: "comfy",
    layout: "checkout",
    core: ".",
    python: ".venv/bin/python",
    why: "it lies in the installation",
    nodes: "custom_nodes",
};

#[test]
fn an_environment_in_the_checkout_is_used() {
    for name in [".venv", "venv", "env"] {
        let ground = Ground::new();
        ground.core("comfy", "alpha\nbeta\n");
        ground.venv_at(&format!("comfy/{name}"));
        ground.round(&Expected {
            python: &format!("{name}/bin/python"),
            ..FOUND
        });
    }
}

#[test]
fn an_environment_beside_the_checkout_is_used() {
    let ground = Ground::new();
    ground.core("site/comfy", "alpha\nbeta\n");
    ground.venv_at("site/venv");
    ground.round(&Expected {
        start: "site/comfy",
        root: "site/comfy",
        python: "[SANDBOX]/site/venv/bin/python",
        ..FOUND
    });
}

#[test]
fn a_folder_with_the_checkout_and_an_environment_is_the_root() {
    let ground = Ground::new();
    ground.core("site/ComfyUI", "alpha\nbeta\n");
    ground.venv_at("site/venv");
    ground.round(&Expected {
        start: "site/ComfyUI/custom_nodes",
        root: "site",
        layout: "folder",
        core: "ComfyUI",
        python: "venv/bin/python",
        nodes: "ComfyUI/custom_nodes",
        ..FOUND
    });
}

#[test]
fn nodes_lie_where_extra_model_paths_says_too() {
    let ground = Ground::new();
    ground.core("comfy", "alpha\n");
    ground.venv_at("comfy/.venv");
    ground.put("shared/nodes/same/requirements.txt", "beta\n");
    ground.put("comfy/custom_nodes/same/requirements.txt", "delta\n");
    ground.put("home/mine/other/requirements.txt", "gamma\n");
    let yaml = "# further places\nshared:\n  base_path: ../shared\n  checkpoints: models\n  \
                custom_nodes: |\n    nodes\n    absent\nmine:\n  base_path: ~\n  custom_nodes: mine\n";
    ground.put("comfy/extra_model_paths.yaml", yaml);
    let told = ground.json(0, "comfy", &["self"]);
    let shown: Vec<&str> = told["installation"]["custom_nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|dir| dir.as_str().unwrap())
        .collect();
    let expected = [
        "custom_nodes",
        "[SANDBOX]/shared/nodes",
        "[SANDBOX]/shared/absent",
        "[SANDBOX]/home/mine",
    ];
    // `~` stands in a plain scalar of its own for nothing at all.
    assert_eq!(shown[..3], expected[..3], "{told}");
    let _ = ground.run("comfy", &["lock"]).success();
    let lock = std::fs::read_to_string(ground.at("comfy/pylock.toml")).unwrap();
    for name in ["alpha", "beta", "delta"] {
        assert!(lock.contains(&format!("name = \"{name}\"")), "{lock}");
    }
    ground.put(
        "comfy/extra_model_paths.yaml",
        &yaml.replace("path: ~", "path: ~/"),
    );
    let told = ground.json(0, "comfy", &["self"]);
    assert_eq!(told["installation"]["custom_nodes"][3], expected[3]);
    ground.round(&FOUND);
    assert!(ground.at("shared/nodes/same/requirements.txt").exists());
}

#[test]
fn the_directory_that_is_to_come_first_takes_new_nodes() {
    let ground = Ground::new();
    ground.core("comfy", "alpha\n");
    ground.venv_at("comfy/.venv");
    std::fs::create_dir_all(ground.at("comfy/more")).unwrap();
    let yaml = "a:\n  custom_nodes: more\n  is_default: true\n";
    ground.put("comfy/extra_model_paths.yaml", yaml);
    ground.round(&Expected {
        nodes: "more",
        ..FOUND
    });
    std::fs::create_dir_all(ground.at("shared")).unwrap();
    ground.put(
        "comfy/extra_model_paths.yaml",
        &yaml.replace("more", "../shared"),
    );
    ground.round(&Expected {
        nodes: "[SANDBOX]/shared",
        ..FOUND
    });
    let toml = "[installation]\ncustom-nodes = [\"custom_nodes\", \"more\"]\n";
    ground.put("comfy/portenv.toml", toml);
    ground.round(&FOUND);
}

#[test]
fn a_file_of_paths_that_is_wrong_is_a_warning_with_its_place() {
    let ground = Ground::new();
    ground.core("comfy", "alpha\n");
    ground.venv_at("comfy/.venv");
    ground.put(
        "comfy/extra_model_paths.yaml",
        "a:\n  custom_nodes: more\n b: c\n",
    );
    let place = "extra_model_paths.yaml:3:";
    for line in [vec!["status"], vec!["lock"]] {
        let run = ground.run("comfy", &line).success();
        assert!(run.stderr().contains(place), "{run}");
    }
    let told = ground.json(0, "comfy", &["self"]);
    let warning = told["warnings"][0].as_str().unwrap_or("null");
    assert!(warning.starts_with(place), "{told}");
}

#[test]
fn paths_that_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    let ground = Ground::new();
    ground.core("comfy", "alpha\n");
    ground.venv_at("comfy/.venv");
    let odd = std::ffi::OsStr::from_bytes(b"caf\xe9");
    let dir = ground
        .at("comfy/custom_nodes")
        .into_std_path_buf()
        .join(odd);
    std::fs::create_dir(&dir).unwrap();
    for line in [vec!["status"], vec!["lock"]] {
        ground.refused("comfy", &line, 2, "invalid-file", &["UTF-8"]);
    }
    let mut command = ground.command(&["status"]);
    command.current_dir(&dir);
    let run = ground.finish(command).expect_code(2);
    assert!(run.stderr().contains("is not UTF-8"), "{run}");
}
