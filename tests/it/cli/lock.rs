//! `lock` and `lock --check`.

use super::place::{Place, assert_fields, strings};
use crate::support::{Wheel, uv};

#[test]
fn check_names_the_line_that_made_the_lock_stale() {
    let place = Place::new();
    place.node("some-node", "gamma\n");
    let _ = place.portenv(&["lock", "--check"]).expect_code(1);
    let _ = place.portenv(&["lock"]).success();
    let _ = place.portenv(&["lock", "--check"]).success();

    place.write(
        "custom_nodes/some-node/requirements.txt",
        "gamma\ndelta<2\n",
    );
    let document = place.json(1, &["lock", "--check"]);
    assert_eq!(document["schema"], "portenv.lock/1");
    assert_fields(
        &document,
        "status targets packages conflicts warnings stats lock written stale next",
    );
    let stale = document["stale"].to_string();
    assert!(
        stale.contains("custom_nodes/some-node/requirements.txt"),
        "{stale}"
    );
    assert_eq!(document["written"], false);
}

#[test]
fn a_second_lock_leaves_the_file_untouched() {
    let place = Place::new();
    let first = place.json(0, &["lock"]);
    assert_eq!(
        (&first["written"], strings(&first["packages"], "name")),
        (&true.into(), vec!["alpha".into(), "beta".into()])
    );
    let path = place.root().join("pylock.toml");
    let before = path.metadata().unwrap().modified().unwrap();
    let text = place.read("pylock.toml");
    let second = place.json(0, &["lock"]);
    assert_eq!(second["written"], false);
    assert_eq!(path.metadata().unwrap().modified().unwrap(), before);
    assert_eq!(place.read("pylock.toml"), text);
}

#[test]
fn what_is_locked_is_kept_until_an_upgrade_is_asked_for() {
    let place = Place::new();
    let _ = place.portenv(&["lock"]).success();
    place.server.add(Wheel::new("alpha", "1.2").build());
    place.server.add(Wheel::new("beta", "1.5").build());
    let versions = |arguments: &[&str]| strings(&place.json(0, arguments)["packages"], "version");
    place.write("requirements.txt", "alpha\nbeta<2\ndelta\n");
    assert_eq!(versions(&["lock", "--refresh"]), ["1.1", "1.0", "2.0"]);
    assert_eq!(
        versions(&["lock", "--refresh", "--upgrade-package", "beta"]),
        ["1.1", "1.5", "2.0"]
    );
    assert_eq!(
        versions(&["lock", "--refresh", "--upgrade"]),
        ["1.2", "1.5", "2.0"]
    );
}

#[test]
fn uv_installs_the_lock_as_it_is() {
    let place = Place::new();
    place.node("some-node", "gamma\n");
    let _ = place.portenv(&["lock"]).success();
    let python = place.venv_python();
    let output = std::process::Command::new(uv())
        .args([
            "pip",
            "sync",
            "--no-config",
            "--preview-features",
            "pylock",
            "--python",
        ])
        .args([python.as_str(), "pylock.toml"])
        .env("UV_CACHE_DIR", place.dir().join("cache/uv"))
        .current_dir(place.root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, delta 2.0, gamma 1.0");
}

#[test]
fn a_conflict_leaves_the_lock_and_names_both_lines() {
    let place = Place::new();
    let _ = place.portenv(&["lock"]).success();
    let text = place.read("pylock.toml");
    place.node("old-beta", "beta<1.5\n");
    place.node("new-beta", "beta>=2\n");
    let run = place.portenv(&["lock", "--format", "json"]).expect_code(1);
    let document = run.json();
    assert_eq!(document["status"], "conflict");
    let lines = strings(&document["conflicts"][0]["requirements"], "requirement");
    assert!(
        lines.contains(&"beta>=2".to_owned()) && lines.len() == 2,
        "{lines:?}"
    );
    assert_eq!(document["conflicts"][0]["new"], true);
    assert!(run.stderr().contains("new-beta"), "{run}");
    assert_eq!(place.read("pylock.toml"), text);
}

const DESKTOP: &str = "[resolve]\ntargets = [\"x86_64-pc-windows-msvc\", \"x86_64-unknown-linux-gnu\", \
    \"aarch64-apple-darwin\"]\n";

#[test]
fn a_lock_for_three_targets_tells_them_apart_and_uv_takes_it() {
    let place = Place::new();
    let tags = [
        "py3-none-win_amd64",
        "py3-none-manylinux2014_x86_64",
        "py3-none-macosx_11_0_arm64",
    ];
    for tag in tags {
        place
            .server
            .add(Wheel::new("native", "1.0").tag(tag).build());
    }
    let shell = Wheel::new("shell", "1.0").requires("gamma; sys_platform == 'win32'");
    place.server.add(shell.build());
    place.write("requirements.txt", "alpha\nnative\nshell\n");
    place.settings(DESKTOP);
    let document = place.json(0, &["lock"]);
    let markers: Vec<String> = document["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            format!(
                "{}: {}",
                package["name"].as_str().unwrap(),
                package["marker"]
            )
        })
        .collect();
    assert_eq!(
        markers,
        [
            "alpha: null",
            "delta: \"sys_platform == 'win32'\"",
            "gamma: \"sys_platform == 'win32'\"",
            "native: null",
            "shell: null",
        ]
    );
    let platforms = strings(&document["targets"], "platform");
    assert_eq!(
        platforms,
        [
            "x86_64-pc-windows-msvc",
            "x86_64-unknown-linux-gnu",
            "aarch64-apple-darwin"
        ],
        "in the order of portenv.toml"
    );
    let wheels = strings(&document["packages"][3]["files"], "filename");
    assert_eq!(wheels, tags.map(|tag| format!("native-1.0-{tag}.whl")));
    let _ = place.portenv(&["lock", "--check"]).success();
    assert_eq!(place.json(0, &["lock"])["written"], false);

    let output = std::process::Command::new(uv())
        .args(["pip", "sync", "--no-config", "--dry-run", "--python"])
        .args([place.venv_python().as_str(), "pylock.toml"])
        .env("UV_CACHE_DIR", place.dir().join("cache/uv"))
        .current_dir(place.root())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("native"), "{said}");
    assert_eq!(said.contains("gamma"), cfg!(windows), "{said}");
}

#[test]
fn targets_that_no_marker_tells_apart_are_refused_and_one_named_twice_counts_once() {
    let place = Place::new();
    place.settings(
        "[resolve]\ntargets = [\"x86_64-unknown-linux-gnu\", \"x86_64-unknown-linux-musl\"]\n",
    );
    let document = place.json(2, &["lock"]);
    assert_eq!(document["error"]["code"], "invalid-policy");
    let message = document["error"]["message"].to_string();
    assert!(
        message.contains("musl") && message.contains("gnu"),
        "{message}"
    );

    place.settings("[resolve]\ntargets = []\n");
    let document = place.json(2, &["lock"]);
    assert_eq!(document["error"]["code"], "invalid-policy");

    place.settings("[resolve]\ntargets = [\"windows\", \"x86_64-pc-windows-msvc\"]\n");
    let document = place.json(0, &["lock"]);
    assert_eq!(document["targets"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_protected_here_binds_no_other_target() {
    let place = Place::synced();
    let here = place.json(0, &["lock", "--check"]);
    let here = here["targets"][0]["platform"].as_str().unwrap();
    let (there, system) = if cfg!(windows) {
        ("x86_64-unknown-linux-gnu", "linux")
    } else {
        ("x86_64-pc-windows-msvc", "win32")
    };
    place.settings(&format!(
        "[resolve]\ntargets = [\"{there}\", \"{here}\"]\n[policy]\nprotect = [\"beta\"]\n"
    ));
    place.write(
        "requirements.txt",
        format!("alpha\nbeta\nbeta>=2; sys_platform == '{system}'\n"),
    );
    let node = place.offered("some-node", "gamma\n");
    let preview = place.json(0, &["preview", &node]);
    assert_eq!(preview["status"], "ok", "{preview}");
    assert_eq!(strings(&preview["changes"], "name"), ["delta", "gamma"]);
    let document = place.json(0, &["lock"]);
    let betas: Vec<String> = document["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|package| package["name"] == "beta")
        .map(|package| package["version"].to_string())
        .collect();
    assert_eq!(betas, ["\"1.0\"", "\"2.0\""]);
}

#[test]
fn a_line_that_was_skipped_does_not_make_the_lock_stale() {
    let place = Place::new();
    place.node("some-node", "gamma\n./not-there\n");
    let _ = place.portenv(&["lock", "--skip-invalid"]).success();
    let _ = place.portenv(&["lock", "--check"]).success();
}

#[test]
fn a_member_with_an_address_answers_for_its_family() {
    let place = Place::new();
    place.settings("[[family]]\nmembers = [\"alpha\", \"beta\", \"delta\"]\nmode = \"unify\"\n");
    for name in ["beta", "delta"] {
        let text = format!("[project]\nname = \"{name}\"\nversion = \"1.5\"\n");
        place.write(&format!("{name}/pyproject.toml"), &text);
    }
    place.write("requirements.txt", "alpha\n./beta\n");
    let names = |place: &Place| strings(&place.json(0, &["lock"])["packages"], "name");
    assert_eq!(names(&place), ["beta"]);
    place.write("requirements.txt", "alpha\n./beta\n./delta\n");
    assert_eq!(names(&place), ["beta", "delta"]);
}
