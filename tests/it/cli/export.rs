//! `export`, and whether other installers take what it writes.

use std::{collections::BTreeMap, process::Command};

use camino::{Utf8Path, Utf8PathBuf};

use super::place::{Place, assert_error, assert_fields, assert_tree, strings, tree};
use crate::support::{Wheel, base_python, uv};

const LOCKED: [(&str, &str); 4] = [
    ("alpha", "1.1"),
    ("beta", "1.0"),
    ("delta", "1.0"),
    ("elsewhere", "2.0+local"),
];

/// A locked place whose `elsewhere` comes from an index of its own, which has another
/// `alpha` and `beta` than the lock: whoever asks there for those goes wrong.
fn place() -> Place {
    let place = Place::new();
    place.server.add_to(
        "other",
        Wheel::new("elsewhere", "2.0+local").requires("delta"),
    );
    for version in ["1.1", "9.0"] {
        let trap = Wheel::new("alpha", version).file("alpha/trap.py", "");
        place.server.add_to("other", trap);
    }
    place.server.add_to("other", Wheel::new("beta", "9.0"));
    place.settings(&format!(
        "[[index]]\nname = \"other\"\nurl = \"{}\"\npackages = [\"elsewhere\"]\n",
        place.server.url_of("other")
    ));
    place.node("some-node", "elsewhere\ndelta<2\n");
    let _ = place.portenv(&["lock"]).success();
    place
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, version)| ((*name).to_owned(), (*version).to_owned()))
        .collect()
}

/// Runs an installer and returns whether it was content, with what it said.
fn install(place: &Place, program: &str, args: &[&str]) -> (bool, String) {
    let output = Command::new(program)
        .env_clear()
        .env("HOME", place.home())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(place.dir())
        .args(args)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), said)
}

fn uv_install(place: &Place, more: &[&str]) -> (bool, String) {
    let (cache, python) = (place.dir().join("uv-cache"), place.venv_python());
    let mut args = vec![
        "pip",
        "install",
        "--no-config",
        "--cache-dir",
        cache.as_str(),
    ];
    args.extend(["--python", python.as_str()]);
    args.extend(more);
    install(place, uv().as_str(), &args)
}

/// Makes a venv with pip of its own, so that it does not matter which pip the machine has.
fn pip(place: &Place) -> Utf8PathBuf {
    let dir = place.dir().join("with-pip");
    let (made, said) = install(place, base_python(), &["-m", "venv", dir.as_str()]);
    assert!(made, "{said}");
    dir.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    })
}

fn pip_install(place: &Place, pip: &Utf8Path, into: &Utf8Path, more: &[&str]) -> (bool, String) {
    let mut args = vec![
        "-m",
        "pip",
        "--isolated",
        "install",
        "--no-cache-dir",
        "--quiet",
    ];
    args.extend(["--disable-pip-version-check", "--target", into.as_str()]);
    args.extend(more);
    install(place, pip.as_str(), &args)
}

fn distributions(dir: &Utf8Path) -> BTreeMap<String, String> {
    let names = dir
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_owned());
    let stems = names.filter_map(|name| Some(name.strip_suffix(".dist-info")?.to_owned()));
    let pair = |stem: String| {
        let (name, version) = stem.split_once('-').unwrap();
        (name.to_owned(), version.to_owned())
    };
    stems.map(pair).collect()
}

#[test]
fn uv_and_pip_install_the_requirements_with_their_hashes() {
    let place = place();
    let document = place.json(0, &["export", "requirements", "-o", "../locked.txt"]);
    assert_eq!(document["schema"], "portenv.export/1");
    assert_fields(
        &document,
        "kind path written text targets packages left warnings next",
    );
    assert_eq!(
        (
            &document["written"],
            &document["packages"],
            &document["text"]
        ),
        (&true.into(), &4.into(), &serde_json::Value::Null)
    );
    let file = place.dir().join("locked.txt");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        place
            .portenv(&["export", "requirements"])
            .success()
            .stdout(),
        place.normalised(&text)
    );
    // The same again changes nothing.
    let again = place.json(0, &["export", "requirements", "-o", "../locked.txt"]);
    assert_eq!(again["written"], false);

    let (done, said) = uv_install(&place, &["--require-hashes", "-r", file.as_str()]);
    assert!(done, "{said}\n{text}");
    assert_eq!(place.installed(), map(&LOCKED), "{text}");
    assert!(!place.site_packages().join("alpha/trap.py").exists());
    let pip = pip(&place);
    for (n, more) in [&["--require-hashes"][..], &["--no-deps"]]
        .iter()
        .enumerate()
    {
        let into = place.dir().join(format!("into-{n}"));
        let all = [more, &["-r", file.as_str()][..]].concat();
        let (done, said) = pip_install(&place, &pip, &into, &all);
        assert!(done, "{said}\n{text}");
        assert_eq!(distributions(&into), map(&LOCKED), "{text}");
        assert!(!into.join("alpha/trap.py").exists());
    }

    // The hashes are what they say: another file is refused by both.
    let at = text.find("sha256:").unwrap() + 7;
    let digit = if text[at..].starts_with('0') {
        "1"
    } else {
        "0"
    };
    let wrong = format!("{}{digit}{}", &text[..at], &text[at + 1..]);
    std::fs::write(&file, wrong).unwrap();
    let fresh = ["--reinstall", "--require-hashes", "-r", file.as_str()];
    assert!(!uv_install(&place, &fresh).0);
    let into = place.dir().join("into-wrong");
    assert!(!pip_install(&place, &pip, &into, &fresh[1..]).0);
}

#[test]
fn of_several_targets_each_installer_takes_its_own() {
    let place = Place::new();
    for tag in ["cp312-cp312-win_amd64", "py3-none-manylinux_2_17_x86_64"] {
        place
            .server
            .add_to("other", Wheel::new("native", "1.0").tag(tag));
    }
    place.settings(&format!(
        "[[index]]\nname = \"other\"\nurl = \"{}\"\npackages = [\"native\"]\n\
         [resolve]\ntargets = [\"x86_64-unknown-linux-gnu\", \"x86_64-pc-windows-msvc@3.12\"]\n",
        place.server.url_of("other")
    ));
    place.node("some-node", "native\ndelta; sys_platform == 'win32'\n");
    let _ = place.portenv(&["lock"]).success();
    let run = place.portenv(&["export", "requirements"]).success();
    let lines: Vec<&str> = run
        .stdout()
        .lines()
        .filter(|line| line.starts_with("native"))
        .collect();
    assert_eq!(lines.len(), 2, "{run}");
    for (line, (file, system)) in lines
        .iter()
        .zip([("manylinux", "linux"), ("win_amd64", "win32")])
    {
        assert!(
            line.contains(file) && line.contains(&format!("'{system}'")),
            "{line}"
        );
    }
    assert!(run.stdout().contains("delta==2.0 ; "), "{run}");
    let constraints = place.portenv(&["export", "constraints"]).success();
    assert!(
        constraints.stdout().contains("delta==2.0 ; "),
        "{constraints}"
    );

    let narrow = place.json(
        0,
        &[
            "export",
            "requirements",
            "--target",
            "x86_64-pc-windows-msvc",
        ],
    );
    let text = narrow["text"].as_str().unwrap();
    assert!(
        text.contains("native @ ") && text.contains("win_amd64"),
        "{text}"
    );
    assert!(
        !text.contains(" ; ") && !text.contains("manylinux"),
        "{text}"
    );
    let run = place
        .portenv(&[
            "export",
            "requirements",
            "--target",
            "aarch64-apple-darwin",
            "--format",
            "json",
        ])
        .expect_code(2);
    assert_error(&run, "usage");
    assert!(run.stderr().contains("x86_64-pc-windows-msvc"), "{run}");
}

#[test]
fn what_has_no_hash_is_a_comment_and_a_warning_or_a_line_without_hashes() {
    let place = Place::new();
    let remote = place.dir().join("remotes/fern");
    std::fs::create_dir_all(&remote).unwrap();
    let project = "[project]\nname = \"fern\"\nversion = \"1.0\"\ndependencies = []\n";
    std::fs::write(remote.join("pyproject.toml"), project).unwrap();
    let commit = place.commit_all(&remote, "First");
    place.write(
        "custom_nodes/some-node/mine/pyproject.toml",
        project.replace("fern", "mine"),
    );
    let lines = format!("fern @ git+file://{remote}\n./mine\n");
    place.write("custom_nodes/some-node/requirements.txt", lines);
    let _ = place.portenv(&["lock"]).success();

    let document = place.json(0, &["export", "requirements"]);
    assert_eq!(strings(&document["left"], "name"), ["fern", "mine"]);
    assert_eq!(
        strings(&document["warnings"], "code"),
        ["no-hash", "no-hash"]
    );
    let text = document["text"].as_str().unwrap();
    let bare = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    assert!(
        !bare(text)
            .iter()
            .any(|line| line.contains("fern") || line.contains("mine"))
    );
    assert!(
        text.contains(&format!(
            "# fern @ git+file://[SANDBOX]/remotes/fern@{commit}"
        )),
        "{text}"
    );

    let document = place.json(0, &["export", "requirements", "--no-hashes"]);
    let text = document["text"].as_str().unwrap();
    let lines = bare(text);
    assert!(
        lines.contains(&format!(
            "fern @ git+file://[SANDBOX]/remotes/fern@{commit}"
        )),
        "{text}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("mine @ file://[ROOT]/")),
        "{text}"
    );
    assert!(!text.contains("--hash"), "{text}");
    assert!(document["left"].as_array().unwrap().is_empty());
}

#[test]
fn constraints_hold_down_what_is_asked_for_and_ask_for_nothing() {
    let place = place();
    let _ = place
        .portenv(&["export", "constraints", "--output", "../c.txt"])
        .success();
    let (file, url) = (place.dir().join("c.txt"), place.server.url());
    let args = ["--index-url", &url, "-c", file.as_str(), "gamma"];
    let (done, said) = uv_install(&place, &args);
    assert!(done, "{said}");
    assert_eq!(
        place.installed(),
        map(&[("delta", "1.0"), ("gamma", "1.0")])
    );
}

#[test]
fn a_pylock_is_the_lock_and_uv_syncs_it() {
    let place = place();
    let lock = place.read("pylock.toml");
    let run = place.portenv(&["export", "pylock"]).success();
    assert_eq!(run.stdout(), place.normalised(&lock));
    let target = place.json(0, &["export", "pylock"])["targets"][0]
        .as_str()
        .unwrap()
        .to_owned();
    let out = [
        "export",
        "pylock",
        "--target",
        &target,
        "-o",
        "../pylock.mine.toml",
    ];
    let _ = place.portenv(&out).success();
    let (cache, python) = (place.dir().join("uv-cache"), place.venv_python());
    let (done, said) = install(
        &place,
        uv().as_str(),
        &[
            "pip",
            "sync",
            "--no-config",
            "--preview-features",
            "pylock",
            "--cache-dir",
            cache.as_str(),
            "--python",
            python.as_str(),
            "pylock.mine.toml",
        ],
    );
    assert!(done, "{said}");
    assert_eq!(place.installed(), map(&LOCKED));
    let named = place.json(0, &["export", "pylock", "-o", "../lock.toml"]);
    assert_eq!(strings(&named["warnings"], "code"), ["file-name"]);
}

#[test]
fn nothing_but_the_named_file_is_written_and_no_file_that_others_own() {
    let place = place();
    let before = tree(place.root());
    for file in [
        "requirements.txt",
        "portenv.toml",
        "pylock.toml",
        "custom_nodes/some-node/requirements.txt",
    ] {
        let run = place
            .portenv(&["export", "requirements", "-o", file, "--format", "json"])
            .expect_code(2);
        assert_error(&run, "usage");
    }
    let run = place
        .portenv(&[
            "export",
            "requirements",
            "-o",
            "custom_nodes",
            "--format",
            "json",
        ])
        .expect_code(2);
    assert_error(&run, "invalid-file");
    for kind in ["requirements", "constraints", "pylock"] {
        let _ = place.portenv(&["export", kind]).success();
    }
    assert_tree(place.root(), &before);
    std::fs::remove_file(place.root().join("pylock.toml")).unwrap();
    let run = place
        .portenv(&["export", "requirements", "--format", "json"])
        .expect_code(2);
    assert_error(&run, "not-found");
    assert!(run.stderr().contains("portenv lock"), "{run}");
}

#[test]
fn no_credentials_of_a_lock_by_hand_are_shown() {
    let place = place();
    let lock = place
        .read("pylock.toml")
        .replace("http://", "http://me:secret@");
    place.write("pylock.toml", lock);
    for kind in ["requirements", "constraints", "pylock"] {
        let run = place.portenv(&["export", kind]).success();
        assert!(!run.stdout().contains("secret"), "{run}");
    }
}
