//! Installing from the folder alone.

use std::process::Command;

use portenv::environment::record::{content_digest, parse};

use super::super::place::{Place, changes};
use super::{fetched, filled, house};
use crate::support::{FaultyUv, Mode, Run, Wheel, uv};

/// Gives the environment a pip, from what Python brings along.
fn with_pip(place: &Place) {
    let output = Command::new(place.venv_python())
        .args(["-I", "-m", "ensurepip", "--default-pip"])
        .env("PIP_NO_INDEX", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Runs portenv where nobody finds a uv.
#[track_caller]
fn without_uv(place: &Place, arguments: &[&str]) -> Run {
    let bin = place.dir().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let git = std::env::split_paths(&path)
        .map(|dir| dir.join("git"))
        .find(|git| git.is_file())
        .unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(git, bin.join("git")).ok();
    #[cfg(not(unix))]
    drop(git);
    let mut command = place.command(arguments);
    command.env_remove("PORTENV_UV").env("PATH", &bin);
    place.finish(command)
}

fn installer(place: &Place, stem: &str) -> String {
    let path = place
        .site_packages()
        .join(format!("{stem}.dist-info/INSTALLER"));
    std::fs::read_to_string(path).unwrap().trim().to_owned()
}

/// Returns the digests by which portenv knows what is installed of the lock.
fn digests(place: &Place) -> Vec<String> {
    let of = |stem: &str| {
        let record = place
            .site_packages()
            .join(format!("{stem}.dist-info/RECORD"));
        content_digest(&parse(&std::fs::read_to_string(record).unwrap()))
    };
    ["alpha-1.1", "beta-1.0"].map(of).into()
}

#[test]
fn it_is_one_operation_without_a_request_that_can_be_undone_and_redone() {
    let place = filled();
    place.server.clear_requests();
    let document = place.json(0, &["wheelhouse", "install", "--yes"]);
    assert_eq!(
        (&document["schema"], &document["status"]),
        (&"portenv.wheelhouse/1".into(), &"done".into())
    );
    assert_eq!(changes(&document), ["add alpha - 1.1", "add beta - 1.0"]);
    assert_eq!(place.server.requests().len(), 0);
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
    assert_eq!(installer(&place, "alpha-1.1"), "uv");
    assert_eq!(
        place.json(0, &["wheelhouse", "install"])["status"],
        "nothing"
    );
    let status = place.json(0, &["status", "--exit-code"]);
    assert_eq!(status["snapshot"], document["after"]);

    let _ = place.portenv(&["undo", "--yes"]).success();
    assert_eq!(place.shown(), "");
    // Forward again from the folder, even with an empty cache.
    std::fs::remove_dir_all(place.dir().join("cache/uv")).unwrap();
    let _ = place.portenv(&["redo", "--yes", "--offline"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
    assert_eq!(fetched(&place).len(), 0);
}

#[test]
fn pip_installs_the_same_where_there_is_no_uv() {
    let place = filled();
    let _ = place.portenv(&["wheelhouse", "install", "--yes"]).success();
    let by_uv = digests(&place);
    let _ = place.portenv(&["undo", "--yes"]).success();
    with_pip(&place);
    place.server.clear_requests();
    let run = without_uv(&place, &["wheelhouse", "install", "--yes"]);
    assert_eq!(run.code(), 0, "{run}");
    assert_eq!(place.server.requests().len(), 0);
    assert_eq!(installer(&place, "alpha-1.1"), "pip");
    assert_eq!(digests(&place), by_uv);
    // Neither leaves a note of where the wheel lay.
    let info = place.site_packages().join("alpha-1.1.dist-info");
    assert!(!info.join("direct_url.json").exists());

    // The way back and forward goes without uv too.
    let run = without_uv(&place, &["undo", "--yes"]);
    assert_eq!(run.code(), 0, "{run}");
    assert!(!place.installed().contains_key("alpha"));
    let run = without_uv(&place, &["redo", "--yes"]);
    assert_eq!(run.code(), 0, "{run}");
    assert_eq!(digests(&place), by_uv);
}

#[test]
fn what_pip_replaces_or_removes_can_be_put_back_without_the_network() {
    let place = filled();
    let other = Wheel::new("alpha", "0.9").file("alpha/__init__.py", "old = True\n");
    place.install_behind_its_back(&other.build());
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    with_pip(&place);
    let before = place.installed_digests();
    let arguments = [
        "wheelhouse",
        "install",
        "--prune",
        "--yes",
        "--installer",
        "pip",
    ];
    let run = place.portenv(&arguments).success();
    assert!(place.installed()["alpha"] == "1.1", "{run}");
    assert!(!place.installed().contains_key("mine"));
    assert!(place.installed().contains_key("pip"));
    let run = without_uv(&place, &["undo", "--yes", "--offline"]);
    assert_eq!(run.code(), 0, "{run}");
    let names = |map: &std::collections::BTreeMap<String, (String, String)>| {
        map.iter()
            .map(|(name, (version, _))| (name.clone(), version.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&place.installed_digests()), names(&before));
    assert_eq!(place.python("import alpha; print(alpha.old)"), "True");
}

#[test]
fn without_uv_and_pip_it_says_so_and_changes_nothing() {
    let place = filled();
    let run = without_uv(
        &place,
        &["wheelhouse", "install", "--yes", "--format", "json"],
    );
    assert_eq!(run.code(), 4, "{run}");
    assert_eq!(run.json()["error"]["code"], "uv");
    assert_eq!(place.history(), Vec::<String>::new());
    let run = place.json(4, &["wheelhouse", "install", "--yes", "--installer", "pip"]);
    assert_eq!(run["error"]["code"], "uv");
}

#[test]
fn it_shows_its_plan_and_asks() {
    let place = filled();
    let dry = place.json(0, &["wheelhouse", "install", "--dry-run"]);
    assert_eq!(dry["status"], "dry-run");
    assert_eq!(place.shown(), "");
    let asks = place.json(2, &["wheelhouse", "install"]);
    assert_eq!(
        (&asks["error"]["code"], &asks["plan"]),
        (&"confirm".into(), &dry["plan"])
    );
    let plan = dry["plan"].as_str().unwrap();
    let stale = ["wheelhouse", "install", "--plan", "0123456789abcdef"];
    assert_eq!(place.json(1, &stale)["error"]["code"], "plan-stale");
    let _ = place
        .portenv(&["wheelhouse", "install", "--plan", plan])
        .success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
}

#[test]
fn what_an_earlier_lock_brought_goes_and_the_rest_stays() {
    let place = Place::synced();
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    place.write("requirements.txt", "gamma\n");
    let _ = place.portenv(&["lock"]).success();
    let dir = place.dir().join("stick");
    let _ = place
        .portenv(&["wheelhouse", "build", dir.as_str()])
        .success();
    // A folder of another lock than the installation's is installed from, and that is said.
    place.write("requirements.txt", "gamma\ndelta<2\n");
    let _ = place.portenv(&["lock"]).success();
    let document = place.json(0, &["wheelhouse", "install", dir.as_str(), "--yes"]);
    assert_eq!(document["warnings"][0]["code"], "other-lock");
    assert_eq!(place.shown(), "delta 2.0, gamma 1.0, mine 1.0");
    let _ = place.portenv(&["undo", "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, mine 1.0");
}

#[test]
fn an_installation_that_fails_halfway_is_undone() {
    let mut place = filled();
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    let _ = place.portenv(&["snapshot", "create"]).success();
    let before = place.state();
    let uv = FaultyUv::install(&mut place.sandbox);
    uv.set(Mode::FailAfterPartial, 1..=1);
    let document = place.json(4, &["wheelhouse", "install", "--yes"]);
    assert_eq!(document["error"]["code"], "apply");
    assert_eq!(place.state(), before);
    uv.set(Mode::KillParent, 1..=1);
    let run = place.portenv(&["wheelhouse", "install", "--yes"]);
    assert_eq!(run.code(), 137, "{run}");
    let _ = place.portenv(&["recover"]).success();
    assert_eq!(place.state(), before);
    assert!(house(&place).exists());
}

#[test]
fn sync_and_rollback_take_wheels_from_the_folder_where_it_has_the_very_same() {
    let place = filled();
    place.server.clear_requests();
    let _ = place.portenv(&["sync", "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
    assert_eq!(fetched(&place).len(), 0);
    // One that is not what the list says is passed over.
    let _ = place.portenv(&["undo", "--yes"]).success();
    std::fs::remove_dir_all(place.dir().join("cache/uv")).unwrap();
    std::fs::write(house(&place).join(super::ALPHA), "broken").unwrap();
    let _ = place.portenv(&["redo", "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
    assert!(fetched(&place).contains_key(super::ALPHA));
}

#[test]
fn uv_and_pip_install_from_the_folder_without_portenv() {
    let place = filled();
    with_pip(&place);
    let python = place.venv_python();
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program)
            .env_clear()
            .env("HOME", place.home())
            .current_dir(house(&place))
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {output:?}"
        );
    };
    place.server.clear_requests();
    let words = "-I -m pip install --no-index --find-links . --no-deps --require-hashes -r requirements-frozen.txt";
    run(python.as_str(), &words.split(' ').collect::<Vec<_>>());
    let by_pip = digests(&place);
    place.uninstall_behind_its_back("alpha");
    place.uninstall_behind_its_back("beta");
    let words =
        "pip install --no-config --offline --preview-features pylock -r pylock.toml --python";
    let mut words: Vec<&str> = words.split(' ').collect();
    words.push(python.as_str());
    run(uv().as_str(), &words);
    assert_eq!(digests(&place), by_pip);
    assert_eq!(place.server.requests().len(), 0);
}
