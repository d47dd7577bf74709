//! Wheels that no index offers: built, or packed again.

use std::fs;

use super::super::place::{Place, strings};
use super::{NEEDS_TOOLING, fetched, findings, house, names, tooling, wheels};
use crate::support::{Sdist, Wheel};

/// A place that asks for `sourced`, which is offered as an sdist alone; its build hands out
/// this wheel.
fn sourced(wheel: Wheel) -> Place {
    let place = Place::new();
    let wheel = wheel.build();
    let sdist = Sdist::new("sourced", "1.0")
        .requires("beta")
        .pyproject(NEEDS_TOOLING)
        .file(&format!("prebuilt/{}", wheel.filename), &wheel.bytes);
    place.server.add(sdist.build());
    place.server.add(tooling());
    place.write("requirements.txt", "alpha\nsourced\nbeta<2\n");
    place
}

fn plain() -> Wheel {
    Wheel::new("sourced", "1.0").requires("beta")
}

#[test]
fn a_package_offered_as_source_is_built_with_tools_that_stay_in_the_folder() {
    let place = sourced(plain());
    let _ = place.portenv(&["lock"]).success();
    let document = place.json(0, &["wheelhouse", "build"]);
    let from = strings(&document["files"], "from");
    assert_eq!(from, ["fetched", "fetched", "built"]);
    assert_eq!(
        names(&house(&place).join("build")),
        ["sourced-1.0.tar.gz", "tooling-1.0-py3-none-any.whl"]
    );
    assert_eq!(place.json(0, &["wheelhouse", "check"])["status"], "pass");

    // The same source is not built again.
    place.server.clear_requests();
    let again = place.json(0, &["wheelhouse", "build", "--prune"]);
    assert_eq!(again["status"], "nothing", "{again}");
    assert_eq!(fetched(&place).len(), 0);
    assert_eq!(names(&house(&place).join("build")).len(), 2);

    let _ = place.portenv(&["wheelhouse", "install", "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, sourced 1.0");
}

#[cfg(target_os = "linux")]
#[test]
fn a_wheel_built_here_is_a_named_gap_where_it_does_not_fit() {
    let tag = format!("py3-none-linux_{}", std::env::consts::ARCH);
    let place = sourced(plain().tag(&tag));
    let here = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    place.settings(&format!(
        "[resolve]\ntargets = [\"{here}\", \"x86_64-pc-windows-msvc\"]\n"
    ));
    let _ = place.portenv(&["lock"]).success();
    let document = place.json(1, &["wheelhouse", "build", "--all-targets"]);
    assert_eq!(document["status"], "incomplete");
    assert_eq!(strings(&document["gaps"], "name"), ["sourced"]);
    let target = document["gaps"][0]["target"].as_str().unwrap();
    assert!(target.starts_with("x86_64-pc-windows-msvc@"), "{document}");
    let check = place.json(1, &["wheelhouse", "check"]);
    assert_eq!(findings(&check), ["gap sourced"]);
    let _ = place
        .portenv(&["wheelhouse", "check", "--target", &here])
        .success();
    // One without machine code fits everywhere.
    let place = sourced(plain());
    place.settings(&format!(
        "[resolve]\ntargets = [\"{here}\", \"x86_64-pc-windows-msvc\"]\n"
    ));
    let _ = place.portenv(&["lock"]).success();
    let _ = place
        .portenv(&["wheelhouse", "build", "--all-targets"])
        .success();
}

#[test]
fn a_build_that_fails_is_a_gap_and_says_why() {
    let place = sourced(Wheel::new("sourced", "2.0"));
    let _ = place.portenv(&["lock"]).success();
    let document = place.json(1, &["wheelhouse", "build"]);
    let reason = document["gaps"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("not sourced 1.0"), "{document}");
    assert_eq!(wheels(&house(&place)).len(), 2);
}

#[test]
fn commits_and_directories_become_wheels() {
    let place = Place::new();
    place.server.add(tooling());
    let project = |name: &str, dir: &camino::Utf8Path| {
        let wheel = Wheel::new(name, "1.0").build();
        fs::create_dir_all(dir.join("prebuilt")).unwrap();
        fs::write(dir.join("prebuilt").join(&wheel.filename), &wheel.bytes).unwrap();
        let head = format!("[project]\nname = \"{name}\"\nversion = \"1.0\"\n{NEEDS_TOOLING}");
        fs::write(dir.join("pyproject.toml"), head).unwrap();
    };
    project("local", &place.root().join("local"));
    let remote = place.remote_dir("cloned");
    project("cloned", &remote);
    place.commit_all(&remote, "First");
    let lines = format!("alpha\n./local\ncloned @ git+file://{remote}\n");
    place.write("requirements.txt", lines);
    let _ = place.portenv(&["lock"]).success();
    let document = place.json(0, &["wheelhouse", "build"]);
    assert_eq!(
        strings(&document["files"], "from"),
        ["fetched", "built", "built"]
    );
    assert_eq!(place.json(0, &["wheelhouse", "check"])["status"], "pass");
    assert_eq!(place.json(0, &["wheelhouse", "build"])["status"], "nothing");
    assert_eq!(
        names(&place.root().join("local")),
        ["prebuilt", "pyproject.toml"]
    );
    let _ = place.portenv(&["wheelhouse", "install", "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, cloned 1.0, local 1.0");

    // Another content of the same version is built, and installed in place of the old.
    let other = Wheel::new("local", "1.0")
        .file("local/__init__.py", "other = True\n")
        .build();
    fs::write(
        place.root().join("local/prebuilt").join(&other.filename),
        &other.bytes,
    )
    .unwrap();
    assert_eq!(place.json(0, &["wheelhouse", "build"])["status"], "done");
    let _ = place.portenv(&["wheelhouse", "install", "--yes"]).success();
    assert_eq!(place.python("import local; print(local.other)"), "True");
    assert_eq!(
        place.json(0, &["wheelhouse", "install", "--yes"])["status"],
        "nothing"
    );
}

#[test]
fn what_no_index_has_is_packed_from_what_is_installed() {
    let place = Place::new();
    place.install_behind_its_back(&Wheel::new("mine", "1.0").requires("alpha").build());
    place.write("requirements.txt", "alpha\nmine\n");
    let _ = place.portenv(&["lock"]).success();
    let document = place.json(0, &["wheelhouse", "build"]);
    assert_eq!(strings(&document["files"], "from"), ["fetched", "repacked"]);
    assert_eq!(place.json(0, &["wheelhouse", "check"])["status"], "pass");
    let before = place.installed_digests()["mine"].0.clone();
    place.uninstall_behind_its_back("mine");
    let _ = place.portenv(&["wheelhouse", "install", "--yes"]).success();
    assert_eq!(place.installed()["mine"], before);
    assert_eq!(place.python("import mine; print(mine.__version__)"), "1.0");
}
