//! An active conda environment.

use super::ground::{Expected, Ground, conflicts, seen, site_of};
use crate::support::Wheel;

/// Makes an environment of conda with its own build of `alpha`, and `beta` without a RECORD.
fn conda() -> Ground {
    let mut ground = Ground::new();
    ground.core("comfy", "alpha\nbeta\n");
    let python = ground.movable("miniforge/envs/comfy");
    ground.put("miniforge/envs/comfy/conda-meta/history", "");
    let own = Wheel::new("alpha", "1.0").file("alpha/__init__.py", "built_by = 'conda'\n");
    ground.install(&python, &[own.build(), Wheel::new("beta", "1.0").build()]);
    let site = site_of(&python);
    for name in ["alpha", "beta"] {
        let info = site.join(format!("{name}-1.0.dist-info"));
        std::fs::write(info.join("INSTALLER"), "conda\n").unwrap();
        let url = "file:///home/conda/feedstock_root/build_artifacts/x";
        let direct = format!("{{\"url\": \"{url}\", \"dir_info\": {{}}}}");
        std::fs::write(info.join("direct_url.json"), direct).unwrap();
    }
    std::fs::remove_file(site.join("beta-1.0.dist-info/RECORD")).unwrap();
    let prefix = ground.at("miniforge/envs/comfy").into_string();
    ground.sandbox.set_env("CONDA_PREFIX", &prefix);
    ground
}

const PYTHON: &str = "[SANDBOX]/miniforge/envs/comfy/bin/python";

#[test]
fn it_is_used_with_a_warning_and_its_own_builds_come_back() {
    let ground = conda();
    let run = ground.run("comfy", &["status"]).success();
    let word = format!("`{PYTHON}` is used, the active environment");
    assert!(run.stderr().contains(&word), "{run}");
    let python = ground.at("miniforge/envs/comfy/bin/python");
    let module = site_of(&python).join("alpha/__init__.py");
    let own = std::fs::read_to_string(&module).unwrap();

    let _ = ground.run("comfy", &["init"]).success();
    let node = ground.offered("new-node", "gamma\nalpha>=1.1\n");
    let _ = ground.run("comfy", &["add", &node, "--yes"]).success();
    assert_eq!(seen(&python), "alpha 1.1, beta 1.0, delta 1.0, gamma 1.0");
    let _ = ground.run("comfy", &["rollback", "--yes"]).success();
    assert_eq!(seen(&python), "alpha 1.0, beta 1.0");
    assert_eq!(std::fs::read_to_string(&module).unwrap(), own);
}

#[test]
fn what_conda_keeps_no_record_of_stays_as_it_is() {
    let ground = conda();
    let init = ground.json(0, "comfy", &["init"]);
    assert_eq!(init["unrestorable"][0]["name"], "beta", "{init}");
    let _ = ground.run("comfy", &["lock"]).success();
    let sync = ground.json(0, "comfy", &["sync", "--yes"]);
    assert_eq!(sync["status"], "nothing", "{sync}");
    // Nor is anything of conda's pruned, which may be what conda runs on.
    ground.put("comfy/requirements.txt", "delta\n");
    let _ = ground.run("comfy", &["lock"]).success();
    let _ = ground.run("comfy", &["sync", "--prune", "--yes"]).success();
    let python = ground.at("miniforge/envs/comfy/bin/python");
    assert_eq!(seen(&python), "alpha 1.0, beta 1.0, delta 1.0");
    let node = ground.offered("new-node", "beta<1\n");
    let preview = ground.json(1, "comfy", &["preview", &node]);
    assert_eq!(preview["status"], "conflict", "{preview}");
    let lines = conflicts(&preview);
    assert!(
        lines
            .iter()
            .any(|line| line == "beta==1.0 (fixed by conda) conda"),
        "{lines:?}"
    );
}

#[test]
fn a_round_in_it() {
    let ground = conda();
    // Without the package that cannot be brought back.
    let python = ground.at("miniforge/envs/comfy/bin/python");
    let site = site_of(&python);
    std::fs::remove_dir_all(site.join("beta-1.0.dist-info")).unwrap();
    std::fs::remove_dir_all(site.join("beta")).unwrap();
    ground.round(&Expected {
        start: "comfy",
        root: "comfy",
        layout: "checkout",
        core: ".",
        python: PYTHON,
        why: "the active environment",
        nodes: "custom_nodes",
    });
}
