//! `venv` and `run`: environments beside the live one.

use std::collections::BTreeMap;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use super::place::{Place, State, strings, tree};
use crate::support::{FaultyUv, Mode, Wheel, base_python, sha256};

/// Returns where environments lie by default.
fn envs(place: &Place) -> Utf8PathBuf {
    place.root().join(".portenv/envs")
}

/// Returns the names in a directory, hidden ones too; none if it is not there.
fn names(dir: &Utf8Path) -> Vec<String> {
    let Ok(entries) = dir.read_dir_utf8() else {
        return Vec::new();
    };
    let mut all: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_owned())
        .collect();
    all.sort();
    all
}

/// Returns the RECORD digests of an environment, by metadata directory.
fn digests(place: &Place, env: &Utf8Path) -> BTreeMap<String, String> {
    let live = place.site_packages();
    let inner = live.strip_prefix(place.root().join(".venv")).unwrap();
    let dir = env.join(inner);
    let infos = names(&dir).into_iter();
    infos
        .filter(|name| name.ends_with(".dist-info"))
        .map(|name| {
            let record = fs::read(dir.join(&name).join("RECORD")).unwrap();
            (name, sha256(&record))
        })
        .collect()
}

/// What must stay as it is: the live environment to the byte, lock, core and nodes.
fn live(place: &Place) -> (State, BTreeMap<String, String>) {
    (place.state(), tree(&place.root().join(".venv")))
}

#[track_caller]
fn create(place: &Place, arguments: &[&str]) -> Value {
    let mut all = vec!["venv", "create"];
    all.extend(arguments);
    place.json(0, &all)
}

/// Runs Python code in an environment and returns what it printed.
#[track_caller]
fn said(place: &Place, env: &str, code: &str) -> String {
    let run = place.portenv(&["run", env, "--", "python", "-B", "-c", code]);
    run.success().stdout().trim_end().to_owned()
}

#[test]
fn it_has_what_the_lock_says_without_a_request_and_the_live_one_stays() {
    let place = Place::synced();
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    let before = live(&place);
    let history = place.history();
    place.server.clear_requests();
    let document = create(&place, &["trial"]);
    assert_eq!(document["schema"], "portenv.venv/1");
    assert_eq!(document["status"], "done");
    assert_eq!(document["environment"]["packages"], 2);
    assert_eq!(document["environment"]["from"], "lock");
    assert_eq!(document["environment"]["origin"], "pylock.toml");
    assert_eq!(place.server.requests().len(), 0);
    assert_eq!(live(&place), before);
    assert_eq!(place.history(), history);

    let mut wanted = digests(&place, &place.root().join(".venv"));
    wanted.remove("mine-1.0.dist-info");
    assert_eq!(digests(&place, &envs(&place).join("trial")), wanted);
    let code = "import alpha, beta; print(alpha.__version__, beta.__version__)";
    assert_eq!(said(&place, "trial", code), "1.1 1.0");
    // The live one is still the installation's.
    let status = place.json(0, &["status"]);
    assert!(status["python"].to_string().contains(".venv"), "{status}");
    let list = place.json(0, &["venv", "list"]);
    assert_eq!(strings(&list["environments"], "name"), ["trial"]);
}

#[cfg(unix)]
#[test]
fn files_are_links_into_the_cache_or_copies_and_the_bytes_say_which() {
    let mut place = Place::synced();
    place.sandbox.set_env("UV_LINK_MODE", "hardlink");
    let linked = create(&place, &["linked"]);
    place.sandbox.set_env("UV_LINK_MODE", "copy");
    let copied = create(&place, &["copied"]);
    assert_eq!(linked["bytes"], copied["bytes"]);
    assert_eq!(copied["shared_bytes"], 0);
    let shared = linked["shared_bytes"].as_u64().unwrap();
    assert!(shared > 0 && shared < linked["bytes"].as_u64().unwrap());
    let both = ["linked", "copied"].map(|name| digests(&place, &envs(&place).join(name)));
    assert_eq!(both[0], both[1]);
    let _ = place.portenv(&["verify", "--deep"]).success();
}

#[test]
fn any_snapshot_can_be_had_beside_the_live_one() {
    let place = Place::synced();
    // No index has it: the store keeps it.
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    let _ = place.portenv(&["snapshot", "create"]).success();
    let mut then = digests(&place, &place.root().join(".venv"));
    place.write("requirements.txt", "gamma\n");
    let _ = place.portenv(&["lock"]).success();
    let _ = place.portenv(&["sync", "--yes", "--prune"]).success();
    assert_eq!(place.shown(), "delta 2.0, gamma 1.0");
    let before = live(&place);
    let history = place.history();

    let document = create(&place, &["old", "--from-snapshot", "@~1"]);
    assert_eq!(document["environment"]["origin"], history[1].as_str());
    assert_eq!(document["environment"]["from"], "snapshot");
    // That one was installed from a file, as only its RECORD remembers.
    let mut old = digests(&place, &envs(&place).join("old"));
    assert!(old.remove("mine-1.0.dist-info").is_some());
    then.remove("mine-1.0.dist-info");
    assert_eq!(old, then);
    assert_eq!(live(&place), before);
    assert_eq!(place.history(), history);
    assert_eq!(
        said(&place, "old", "import mine; print(mine.__version__)"),
        "1.0"
    );
    let none = place.json(2, &["venv", "create", "x", "--from-snapshot", "nosuch"]);
    assert_eq!(none["error"]["code"], "not-found");
}

#[test]
fn a_bare_python_and_a_folder_of_wheels_are_enough() {
    let place = Place::new();
    let _ = place.portenv(&["lock"]).success();
    let _ = place.portenv(&["wheelhouse", "build"]).success();
    for dir in [".venv", ".portenv"] {
        let _ = fs::remove_dir_all(place.root().join(dir));
    }
    fs::remove_dir_all(place.dir().join("cache")).unwrap();
    place.server.clear_requests();
    let out = place.dir().join("elsewhere/out");
    let words = ["fresh", "--wheelhouse", "wheelhouse", "--dir", out.as_str()];
    let mut words = words.to_vec();
    words.extend(["--python", base_python()]);
    let document = create(&place, &words);
    assert_eq!(place.server.requests().len(), 0);
    assert_eq!(document["environment"]["from"], "wheelhouse");
    let shown = place.normalised(out.as_str());
    assert_eq!(document["environment"]["dir"], shown.as_str());
    let run = [
        "run",
        out.as_str(),
        "--",
        "python",
        "-c",
        "import alpha, beta",
    ];
    let _ = place.portenv(&run).success();
    // It is this machine's own, and git does not see it.
    assert!(place.root().join(".portenv/.gitignore").is_file());
}

#[test]
fn a_damaged_wheel_is_named_and_nothing_is_left() {
    let place = Place::new();
    let _ = place.portenv(&["lock"]).success();
    let _ = place.portenv(&["wheelhouse", "build"]).success();
    fs::write(
        place.root().join("wheelhouse/alpha-1.1-py3-none-any.whl"),
        "x",
    )
    .unwrap();
    let words = ["venv", "create", "trial", "--wheelhouse", "wheelhouse"];
    let document = place.json(3, &words);
    assert_eq!(document["error"]["code"], "integrity");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.contains("alpha-1.1-py3-none-any.whl"), "{message}");
    assert_eq!(names(&envs(&place)), Vec::<String>::new());
    fs::remove_file(place.root().join("wheelhouse/alpha-1.1-py3-none-any.whl")).unwrap();
    let run = place.portenv(&words);
    assert!(run.stderr().contains("alpha"), "{run}");
    assert_ne!(run.code(), 0);
    assert_eq!(names(&envs(&place)), Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn one_that_fails_or_is_killed_leaves_nothing_that_could_be_taken_for_whole() {
    let mut place = Place::synced();
    let before = live(&place);
    let uv = FaultyUv::install(&mut place.sandbox);
    uv.set(Mode::FailBefore, 1..=u64::MAX);
    let document = place.json(4, &["venv", "create", "trial"]);
    assert_eq!(document["error"]["code"], "apply");
    assert_eq!(names(&envs(&place)), Vec::<String>::new());

    uv.set(Mode::KillParent, 1..=1);
    let run = place.portenv(&["venv", "create", "trial"]);
    assert_eq!(run.code(), 137, "{run}");
    assert_eq!(names(&envs(&place)), [".trial.part"]);
    let list = place.json(0, &["venv", "list"]);
    assert_eq!(list["environments"].as_array().unwrap().len(), 0);
    let run = place.json(2, &["--format", "json", "run", "trial", "--", "python"]);
    assert_eq!(run["error"]["code"], "not-found");

    // The next one, of whatever name, takes away what is left.
    create(&place, &["other"]);
    assert_eq!(names(&envs(&place)), ["other"]);
    assert_eq!(live(&place), before);
}

#[test]
fn a_name_or_place_that_is_taken_or_none_is_refused() {
    let place = Place::synced();
    create(&place, &["trial"]);
    let before = tree(&envs(&place));
    let again = place.json(1, &["venv", "create", "trial"]);
    assert_eq!(again["error"]["code"], "refused");
    let words = ["venv", "create", "x", "--dir", "custom_nodes"];
    assert_eq!(place.json(4, &words)["error"]["code"], "in-use");
    assert_eq!(tree(&envs(&place)), before);
    for name in ["../x", ".x", "a/b", "con", "NUL.txt", "com1", "a b", "x."] {
        let document = place.json(2, &["venv", "create", name]);
        assert_eq!(document["error"]["code"], "usage", "{name}");
    }
    fs::remove_file(place.root().join("pylock.toml")).unwrap();
    let none = place.json(2, &["venv", "create", "y"]);
    assert_eq!(none["error"]["code"], "not-found");
    assert_eq!(tree(&envs(&place)), before);
}

#[test]
fn run_passes_on_streams_exit_code_and_working_directory() {
    let place = Place::synced();
    create(&place, &["trial"]);
    let code = "import os, sys; print(os.environ['VIRTUAL_ENV']); print(sys.prefix); \
                print(os.getcwd()); print('aside', file=sys.stderr); sys.exit(7)";
    let dir = place.root().join("comfy");
    let run = place.portenv_in(&dir, &["run", "trial", "--", "python", "-c", code]);
    let run = run.expect_code(7);
    let env = "[ROOT]/.portenv/envs/trial";
    assert_eq!(run.stdout(), format!("{env}\n{env}\n[ROOT]/comfy\n"));
    assert_eq!(run.stderr(), "aside\n");

    let none = place.json(2, &["--format", "json", "run", "other", "--", "python"]);
    assert_eq!(none["error"]["code"], "not-found");
    let words = ["--format", "json", "run", "trial", "--", "no-such-program"];
    let none = place.json(2, &words);
    assert_eq!(none["error"]["code"], "not-found");
    // A directory that something else made is not run in.
    let live = place.json(2, &["--format", "json", "run", "./.venv", "--", "python"]);
    assert_eq!(live["error"]["code"], "not-found");
}

#[cfg(unix)]
#[test]
fn it_works_where_it_is_moved_to_scripts_included() {
    let place = Place::new();
    let points = "[console_scripts]\nsay-it = tool:main\n";
    let wheel = Wheel::new("tool", "1.0")
        .file("tool.py", "def main():\n    print('said')\n")
        .file("tool-1.0.dist-info/entry_points.txt", points);
    place.server.add(wheel.build());
    place.write("requirements.txt", "tool\n");
    let _ = place.portenv(&["lock"]).success();
    let one = place.dir().join("one");
    create(&place, &["trial", "--dir", one.as_str()]);
    let two = place.dir().join("two");
    fs::rename(&one, &two).unwrap();
    let run = place.portenv(&["run", two.as_str(), "--", "say-it"]);
    assert_eq!(run.success().stdout(), "said\n");
}

#[test]
fn a_removed_one_is_in_the_trash() {
    let place = Place::synced();
    create(&place, &["trial"]);
    let whole = tree(&envs(&place).join("trial"));
    let document = place.json(0, &["venv", "remove", "trial"]);
    assert_eq!(document["status"], "removed");
    let [trashed] = place.trash().try_into().unwrap();
    let shown = document["trash"].as_str().unwrap();
    assert!(shown.ends_with(&trashed), "{shown}");
    assert_eq!(
        tree(&place.root().join(".portenv/trash").join(trashed)),
        whole
    );
    assert_eq!(names(&envs(&place)), Vec::<String>::new());
    let again = place.json(2, &["venv", "remove", "trial"]);
    assert_eq!(again["error"]["code"], "not-found");
    create(&place, &["trial"]);
}
