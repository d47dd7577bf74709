//! What went wrong for users of other tools when they restored, updated or only started, and
//! which test shows that it does not here. Each line names one failure and its tests.
//!
//! ```text
//! A CUDA torch is replaced by a plain build: a_node_that_is_content_with_any_torch_never_changes_it,
//!   a_node_that_needs_another_torch_is_blocked_and_what_it_would_do_stays_in_the_index
//! install.py uninstalls torch: it_is_not_run_unless_a_plan_that_says_so_was_confirmed,
//!   what_breaks_the_lock_is_put_back_and_told
//! A repair takes a torch of its own choice: torch_goes_back_to_the_very_file_that_was_recorded
//! Four packages own cv2, and removing one tears a hole: an_image_library_that_shares_its_module_is_whole_after_each_change,
//!   a_mixture_of_two_packages_becomes_one_of_them, packages_that_own_the_same_files_are_one_problem_with_the_one_that_won
//! onnxruntime beside its GPU build disables that: the_most_capable_member_asked_for_answers_for_all
//! A new major version breaks all on the day of its release: a_stale_lock_is_gone_by_with_a_warning
//! A restore leaves packages out: drift_is_gone_over_exactly_and_comes_back_from_the_store
//! A restore reports what it called and not what is there: what_cannot_be_undone_is_said_and_recover_tries_again,
//!   another_build_of_one_version_is_replaced
//! A node is silently not restored: a_plain_node_that_is_nowhere_any_more_is_named_and_nothing_changes
//! A node or the core is not put back to its commit: a_node_and_the_core_go_back_to_their_commits,
//!   a_commit_that_only_the_remote_has_is_fetched
//! A restore needs a registry or a cache: it_works_with_the_index_gone,
//!   a_history_needs_no_cache_to_be_gone_back_in
//! Torch is exempt from restoring: torch_goes_back_to_the_very_file_that_was_recorded
//! Sources are new and packages old after an update that failed: a_second_node_that_cannot_be_moved_takes_the_first_one_back,
//!   after_a_power_cut_the_next_change_begins_with_the_state_before
//! Metadata without files counts as installed: a_package_whose_files_are_gone_is_drift_though_its_metadata_is_whole,
//!   a_package_that_lost_its_metadata_is_drift_and_is_made_whole
//! A git dependency is dropped: a_dependency_by_commit_goes_back_to_its_commit
//! On a conflict each node is installed alone: a_conflict_adds_nothing
//! The wrong Python is changed: a_change_never_goes_into_another_python_than_the_history_knows,
//!   an_environment_of_another_project_gives_way
//! A failure exits with 0: a_uv_that_fails_halfway_is_undone, a_wheel_that_cannot_be_had_changes_nothing
//! A directory that two packages share is reverted as one: a_namespace_of_two_packages_keeps_the_one_that_did_not_change
//! An uninstallation takes all nodes along: a_node_moves_to_the_trash_and_takes_what_only_it_asked_for
//! ```

use std::fs;

use super::place::{Place, changes};
use super::torch::{name_index, with_label};
use crate::support::Wheel;

#[test]
fn every_test_that_is_named_above_is_there() {
    let dir = camino::Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut all = String::new();
    let mut open = vec![dir.clone()];
    while let Some(at) = open.pop() {
        for entry in at.read_dir_utf8().unwrap().map(Result::unwrap) {
            let path = entry.path().to_owned();
            if entry.file_type().unwrap().is_dir() {
                open.push(path);
            } else if path.extension() == Some("rs") {
                all.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let here = fs::read_to_string(dir.join("cli/peers.rs")).unwrap();
    let table = here.split("//! ```").nth(1).unwrap();
    let words = table.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let named: Vec<&str> = words.filter(|word| word.matches('_').count() > 2).collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(all.contains(&format!("fn {name}()")), "{name} is no test");
    }
}

#[test]
fn torch_goes_back_to_the_very_file_that_was_recorded() {
    let place = with_label("cu128");
    name_index(&place);
    let _ = place.portenv(&["init"]).success();

    // What a node's installer does: the newest of PyPI, without a label.
    place.install_behind_its_back(&Wheel::new("torch", "2.11.0").build());
    let vision = Wheel::new("torchvision", "0.26.0").requires("torch==2.11.0");
    place.install_behind_its_back(&vision.build());
    let document = place.json(0, &["rollback", "--yes"]);
    assert_eq!(
        changes(&document),
        [
            "downgrade torch 2.11.0 2.9.0+cu128",
            "downgrade torchvision 0.26.0 0.24.0+cu128"
        ]
    );
    let _ = place.portenv(&["status", "--exit-code"]).success();
}

#[test]
fn an_image_library_that_shares_its_module_is_whole_after_each_change() {
    let place = Place::synced();
    let library = |name: &str| {
        Wheel::new(name, "4.10.0")
            .file("cv2/__init__.py", format!("from .{} import NAME\n", "core"))
            .file("cv2/core.py", format!("NAME = '{name}'\n"))
    };
    for name in ["opencv-python", "opencv-python-headless"] {
        place.server.add(library(name).build());
    }
    let ask = |name: &str| {
        place.write("requirements.txt", format!("alpha\nbeta<2\n{name}\n"));
        let _ = place.portenv(&["lock"]).success();
        let _ = place.portenv(&["sync", "--yes"]).success();
        place.python("import cv2; print(cv2.NAME)")
    };
    assert_eq!(ask("opencv-python"), "opencv-python");
    assert_eq!(ask("opencv-python-headless"), "opencv-python-headless");
    assert!(
        !place.shown().contains("opencv-python 4"),
        "{}",
        place.shown()
    );
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(place.python("import cv2; print(cv2.NAME)"), "opencv-python");
    let _ = place.portenv(&["verify", "--deep"]).success();
}

#[test]
fn a_history_needs_no_cache_to_be_gone_back_in() {
    let place = Place::synced();
    let good = place.installed_digests();
    place.uninstall_behind_its_back("alpha");
    let _ = place.portenv(&["snapshot", "create"]).success();
    let _ = fs::remove_dir_all(place.cache());
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(place.installed_digests(), good);
}

#[test]
fn a_package_whose_files_are_gone_is_drift_though_its_metadata_is_whole() {
    let place = Place::synced();
    fs::remove_dir_all(place.site_packages().join("beta")).unwrap();
    let problems = place.json(1, &["verify"]);
    assert_eq!(problems["problems"][0]["package"], "beta");
    let _ = place.portenv(&["verify", "--fix", "--yes"]).success();
    assert_eq!(place.python("import beta; print(beta.__version__)"), "1.0");
}

#[test]
fn a_dependency_by_commit_goes_back_to_its_commit() {
    let place = Place::synced();
    let dir = place.remote_dir("tool");
    let write = |version: &str| {
        fs::create_dir_all(dir.join("tool")).unwrap();
        let project = format!(
            "[project]\nname = \"tool\"\nversion = \"{version}\"\n\n[build-system]\n\
             requires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n"
        );
        fs::write(dir.join("pyproject.toml"), project).unwrap();
        fs::write(dir.join("backend.py"), BACKEND).unwrap();
        fs::write(dir.join("tool/__init__.py"), format!("V = '{version}'\n")).unwrap();
        place.commit_all(&dir, version)
    };
    let lock_at = |commit: &str| {
        let line = format!("tool @ git+file://{dir}@{commit}");
        place.write("requirements.txt", format!("alpha\nbeta<2\n{line}\n"));
        let _ = place.portenv(&["lock"]).success();
        let _ = place.portenv(&["sync", "--yes"]).success();
        place.python("import tool; print(tool.V)")
    };
    let first = write("1.0");
    assert_eq!(lock_at(&first), "1.0");
    let second = write("2.0");
    assert_eq!(lock_at(&second), "2.0");
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(place.python("import tool; print(tool.V)"), "1.0");
}

/// A build backend without dependencies (PEP 517).
const BACKEND: &str = r#"
import re, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    version = re.search('version = "(.*)"', open("pyproject.toml").read())[1]
    name = f"tool-{version}-py3-none-any.whl"
    info = f"tool-{version}.dist-info"
    files = {
        "tool/__init__.py": open("tool/__init__.py").read(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tool\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
"#;

#[test]
fn a_namespace_of_two_packages_keeps_the_one_that_did_not_change() {
    let place = Place::synced();
    let part = |name: &str, version: &str| {
        Wheel::new(&format!("shared-{name}"), version)
            .file(&format!("shared/{name}.py"), format!("V = '{version}'\n"))
            .build()
    };
    for file in [part("one", "1.0"), part("one", "2.0"), part("two", "1.0")] {
        place.server.add(file);
    }
    let ask = |line: &str| {
        place.write(
            "requirements.txt",
            format!("alpha\nbeta<2\nshared-two\n{line}\n"),
        );
        let _ = place.portenv(&["lock", "--upgrade"]).success();
        let _ = place.portenv(&["sync", "--yes"]).success();
    };
    ask("shared-one==1.0");
    let good = place.installed_digests();
    let look = "from shared import one, two; print(one.V, two.V)";
    ask("shared-one==2.0");
    // What the user keeps in that directory is no package's and stays.
    let own = place.site_packages().join("shared/own.txt");
    fs::write(&own, "mine").unwrap();
    assert_eq!(place.python(look), "2.0 1.0");
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(place.python(look), "1.0 1.0");
    assert_eq!(place.installed_digests(), good);
    assert_eq!(fs::read_to_string(own).unwrap(), "mine");
}
