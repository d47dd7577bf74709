//! `pack` and `unpack`: the same installation in another place.

mod bad;
mod cleaning;

use std::fs;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use super::place::{Place, strings};
use crate::support::{Run, Wheel};

/// Packs into a directory beside the installation; returns the archive.
#[track_caller]
fn packed(place: &Place, name: &str, flags: &[&str]) -> Utf8PathBuf {
    let file = place.dir().join("out").join(name);
    let mut all = vec!["pack", "--no-tools", "--output", file.as_str()];
    all.extend(flags);
    let _ = place.portenv(&all).success();
    file
}

/// Runs portenv in a directory, asking for JSON.
#[track_caller]
fn asked(place: &Place, dir: &Utf8Path, code: i32, arguments: &[&str]) -> Value {
    let mut all = arguments.to_vec();
    all.extend(["--format", "json"]);
    place.portenv_in(dir, &all).expect_code(code).json()
}

/// Runs a program that must succeed; returns what it printed.
#[track_caller]
fn printed(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "{text}{output:?}");
    text
}

fn python_of(root: &Utf8Path) -> Utf8PathBuf {
    root.join(".venv/bin/python")
}

/// Unpacks in a directory that is to be made.
#[track_caller]
fn unpacked(place: &Place, archive: &Utf8Path, dir: &Utf8Path) -> Value {
    asked(
        place,
        place.dir(),
        0,
        &["unpack", archive.as_str(), dir.as_str()],
    )
}

#[cfg(unix)]
#[test]
fn what_is_unpacked_elsewhere_is_whole_imports_without_the_old_place_and_rolls_back() {
    let place = Place::synced();
    let node = place.offered("grown", "gamma\n");
    let _ = place.portenv(&["add", &node, "--yes"]).success();
    let earlier = place.history()[1].clone();
    place.write("models/vae/big.safetensors", "weights");
    for name in ["a.zip", "a.tar.zst"] {
        let _ = packed(&place, name, &[]);
    }
    let base = printed(
        python_of(place.root()),
        &["-c", "import sys; print(sys.base_prefix)"],
    );
    let installed = place.shown();
    fs::rename(place.root(), place.dir().join("hidden")).unwrap();
    for name in ["a.zip", "a.tar.zst"] {
        let there = place.dir().join("a new place").join(name);
        let document = unpacked(&place, &place.dir().join("out").join(name), &there);
        assert_eq!(document["whole"], true, "{document}");
        assert_eq!(document["checked"], true, "{document}");
        let status = asked(&place, &there, 0, &["status"]);
        assert_eq!(
            status["drift"]["changes"].as_array().map(Vec::len),
            Some(0),
            "{status}"
        );
        let verified = asked(&place, &there, 0, &["verify", "--deep"]);
        assert_eq!(verified["status"], "pass", "{verified}");
        assert!(!there.join("models/vae/big.safetensors").exists());
        let code = "import alpha, beta, gamma, delta, sys; print(gamma.__file__, sys.base_prefix)";
        let said = printed(python_of(&there), &["-I", "-B", "-c", code]);
        assert!(said.starts_with(there.as_str()), "{said}");
        assert!(
            !said.contains(&base),
            "the Python beneath came along: {said}"
        );
        let config = fs::read_to_string(there.join(".venv/pyvenv.cfg")).unwrap();
        assert!(!config.contains("ComfyUI/"), "{config}");

        let back = asked(&place, &there, 0, &["rollback", &earlier, "--yes"]);
        assert_eq!(back["status"], "done", "{back}");
        assert!(!there.join("custom_nodes/grown").exists());
        assert!(!site_of(&there).join("gamma").exists());
    }
    assert_eq!(installed, "alpha 1.1, beta 1.0, delta 2.0, gamma 1.0");
}

fn site_of(root: &Utf8Path) -> Utf8PathBuf {
    let lib = root.join(".venv/lib");
    let mut entries = lib.read_dir_utf8().unwrap();
    entries
        .next()
        .unwrap()
        .unwrap()
        .path()
        .join("site-packages")
}

#[cfg(unix)]
#[test]
fn equal_installations_are_equal_archives_wherever_they_lie_and_whenever_files_were_touched() {
    let place = Place::synced();
    // A program whose first line names the place, and is recorded with its hash.
    let program = Wheel::new("tool", "1.0")
        .file("tool/__init__.py", "def main():\n    print('at work')\n")
        .file(
            "tool-1.0.dist-info/entry_points.txt",
            "[console_scripts]\ntool = tool:main\n",
        );
    place.install_behind_its_back(&program.build());
    let first = packed(&place, "one.zip", &[]);
    for path in ["main.py", ".venv/bin/tool", "requirements.txt"] {
        if let Ok(file) = fs::File::options()
            .append(true)
            .open(place.root().join(path))
        {
            file.set_modified(std::time::SystemTime::now()).unwrap();
        }
    }
    let second = packed(&place, "two.zip", &[]);
    assert_eq!(fs::read(&first).unwrap(), fs::read(&second).unwrap());
    // The same again, of what was unpacked in a directory of the same name.
    let there = place.dir().join("other/ComfyUI");
    let _ = unpacked(&place, &first, &there);
    assert_eq!(printed(there.join(".venv/bin/tool"), &[]), "at work");
    let third = place.dir().join("out/three.zip");
    let _ = place
        .portenv_in(
            &there,
            &["pack", "--no-tools", "--no-snapshots", "-o", third.as_str()],
        )
        .success();
    let fourth = packed(&place, "four.zip", &["--no-snapshots"]);
    let members = |path: &Utf8Path| -> Vec<(String, u32)> {
        let mut archive = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
        (0..archive.len())
            .map(|at| {
                let entry = archive.by_index(at).unwrap();
                (entry.name().unwrap().into_owned(), entry.crc32())
            })
            // What says what was left out differs, for there was less to leave out.
            .filter(|(name, _)| !name.ends_with("version.yml") && !name.ends_with("pack.json"))
            .filter(|(name, _)| !name.contains("/python/"))
            .collect()
    };
    assert_eq!(members(&third), members(&fourth));
}

#[cfg(unix)]
#[test]
fn volumes_and_digests_are_checked_by_other_tools_and_make_one_installation_again() {
    let place = Place::synced();
    let file = packed(&place, "a.zip", &["--split", "5MB", "--no-snapshots"]);
    let out = place.dir().join("out");
    assert!(!file.exists());
    let mut command = Command::new("sha256sum");
    let checked = command.args(["-c", "a.zip.sha256"]).current_dir(&out);
    assert!(checked.output().unwrap().status.success());
    let first = out.join("a.zip.001");
    assert_eq!(fs::metadata(&first).unwrap().len(), 5_000_000);
    let there = place.dir().join("there");
    let document = unpacked(&place, &first, &there);
    assert_eq!(
        (&document["whole"], &document["checked"]),
        (&true.into(), &true.into())
    );

    fs::remove_file(out.join("a.zip.002")).unwrap();
    let elsewhere = place.dir().join("elsewhere");
    let run = place.portenv(&["unpack", first.as_str(), elsewhere.as_str()]);
    assert!(
        run.code() != 0 && run.stderr().contains("a.zip.002"),
        "{run}"
    );
    assert!(!elsewhere.exists());
}

#[test]
fn a_dry_run_lists_each_rule_with_what_it_saves_and_writes_nothing() {
    let place = Place::synced();
    place.write("models/vae/big.safetensors", "weights");
    let before = super::place::tree(place.root());
    let document = place.json(0, &["pack", "--dry-run"]);
    assert_eq!(document["status"], "dry-run");
    let rules = document["rules"].as_array().unwrap();
    let models = rules.iter().find(|rule| rule["name"] == "models").unwrap();
    assert_eq!((&models["on"], &models["bytes"]), (&true.into(), &7.into()));
    assert!(strings(&document["rules"], "name").contains(&"git".to_owned()));
    super::place::assert_tree(place.root(), &before);
}

#[track_caller]
fn assert_refused(run: &Run, code: i32, word: &str) {
    assert_eq!(run.code(), code, "{run}");
    assert!(run.stderr().contains(word), "{run}");
}

#[test]
fn credentials_stay_behind_and_are_told() {
    let place = Place::synced();
    let dir = place.git_node("some-node", "");
    let secret = "https://me:s3cret@host.invalid/some-node.git";
    place.git(&dir, &["remote", "add", "origin", secret]);
    let file = place.dir().join("out/pack.zip");
    let all = ["pack", "--no-tools", "--output", file.as_str()];
    let document = asked(&place, place.root(), 0, &all);
    let told = strings(&document["warnings"], "code");
    assert!(told.contains(&"credentials".to_owned()), "{document}");
    let there = place.dir().join("there");
    let _ = unpacked(&place, &file, &there);
    let config = fs::read_to_string(there.join("custom_nodes/some-node/.git/config")).unwrap();
    assert!(
        config.contains("https://host.invalid/some-node.git"),
        "{config}"
    );
    assert!(!config.contains("s3cret"), "{config}");
    // Here nothing is changed.
    assert!(place.git(&dir, &["remote", "-v"]).contains("s3cret"));
}
