//! The official portable folder.

use super::ground::{Expected, Ground, site_of};
use crate::support::Wheel;

/// Makes the folder: launchers, `update/`, `ComfyUI/` and an embedded Python with packages that
/// say they came from a disk of the machine that built it.
fn portable(ground: &Ground) -> camino::Utf8PathBuf {
    ground.core("portable/ComfyUI", "alpha\nbeta\n");
    let python = ground.movable("portable/python_embeded");
    let start =
        ".\\python_embeded\\python.exe -s ComfyUI\\main.py --windows-standalone-build\r\npause\r\n";
    ground.put("portable/run_nvidia_gpu.bat", start);
    ground.put("portable/run_cpu.bat", &start.replace("pause", "rem --cpu"));
    ground.put("portable/update/update.py", "");
    ground.put(
        "portable/python_embeded/python312._pth",
        "../ComfyUI\r\npython312.zip\r\n.\r\nimport site\r\n",
    );
    ground.install(&python, &[Wheel::new("alpha", "1.0").build()]);
    let info = site_of(&python).join("alpha-1.0.dist-info");
    let wheel = "file:///D:/a/ComfyUI/ComfyUI/wheels/alpha-1.0-py3-none-any.whl";
    let direct = format!("{{\"url\": \"{wheel}\", \"archive_info\": {{}}}}");
    std::fs::write(info.join("direct_url.json"), direct).unwrap();
    python
}

const FOUND: Expected<'_> = Expected {
    start: "portable/ComfyUI/custom_nodes",
    root: "portable",
    layout: "portable",
    core: "ComfyUI",
    python: "python_embeded/bin/python",
    why: "it lies in the installation",
    nodes: "ComfyUI/custom_nodes",
};

#[test]
fn the_folder_is_the_root_and_its_python_is_used() {
    let mut ground = Ground::new();
    portable(&ground);
    // Another environment is active, as it is in many a shell.
    ground.venv_at("other");
    let other = ground.at("other").into_string();
    ground.sandbox.set_env("VIRTUAL_ENV", &other);
    ground.round(&FOUND);
}

#[test]
fn a_file_of_the_machine_that_built_it_is_no_source() {
    let ground = Ground::new();
    portable(&ground);
    let _ = ground.run("portable", &["init"]).success();
    let shown = ground.json(0, "portable", &["snapshot", "show", "@"]);
    let snapshot = &shown["snapshots"][0];
    let alpha = &snapshot["packages"][0];
    assert_eq!(alpha["name"], "alpha");
    let index = alpha["source"]["index"].as_str().unwrap_or("null");
    assert!(index.contains("[INDEX]"), "{alpha}");
    assert_eq!(snapshot["unrestorable"].as_array().unwrap().len(), 0);
    // Its launchers and notes are kept, and no wheel.
    assert!(!ground.at("portable/.portenv/store/wheels").exists());
}

#[test]
fn the_digest_of_that_file_tells_which_build_it_is() {
    let ground = Ground::new();
    let python = portable(&ground);
    let direct = site_of(&python).join("alpha-1.0.dist-info/direct_url.json");
    let indexed = Wheel::new("alpha", "1.0").build().sha256;
    let built_here = "0".repeat(64);
    for (sha256, is_stored) in [(indexed, false), (built_here, true)] {
        let text = format!(
            "{{\"url\": \"file:///D:/a/w/alpha-1.0-py3-none-any.whl\", \
             \"archive_info\": {{\"hash\": \"sha256={sha256}\"}}}}"
        );
        std::fs::write(&direct, text).unwrap();
        std::fs::remove_dir_all(ground.at("portable/.portenv")).ok();
        let init = ground.json(0, "portable", &["init"]);
        assert_eq!(init["unrestorable"].as_array().unwrap().len(), 0, "{init}");
        let store = ground.at("portable/.portenv/store/wheels");
        assert_eq!(store.exists(), is_stored, "{sha256}");
    }
}

#[test]
fn without_its_python_no_other_is_taken() {
    let ground = Ground::new();
    portable(&ground);
    std::fs::remove_dir_all(ground.at("portable/python_embeded/bin")).unwrap();
    let words = ["python_embeded", "--python"];
    ground.refused("portable", &["status"], 2, "no-python", &words);
}

#[test]
fn a_search_path_without_the_packages_is_told() {
    let ground = Ground::new();
    portable(&ground);
    // The interpreter lies in the folder itself, as on Windows.
    let folder = ground.at("portable/python_embeded");
    let real = folder.join("bin/python").canonicalize_utf8().unwrap();
    std::fs::rename(real, folder.join("python")).unwrap();
    std::fs::remove_dir_all(folder.join("bin")).unwrap();
    let told = |text: &str| {
        std::fs::write(folder.join("python312._pth"), text).unwrap();
        let run = ground.run("portable", &["status"]).success();
        run.stderr()
            .contains("python312._pth` neither imports site nor names `lib/python")
    };
    assert!(told("python312.zip\n.\n#import site\n"));
    assert!(!told("python312.zip\n.\nimport site\n"));
}
