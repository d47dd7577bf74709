//! Folders that cannot be used: each with its message, its exit code, and nothing changed.

use std::fs;

use super::super::place::{Place, assert_tree, tree};
use super::{ALPHA, BETA, edit, filled, house, locked};

/// Demands that an installation from the folder fails so, and changes nothing.
#[track_caller]
fn refused(place: &Place, exit: i32, code: &str, message: &str) {
    let before = tree(place.root());
    let run = place.portenv(&["wheelhouse", "install", "--yes", "--format", "json"]);
    assert_eq!(run.code(), exit, "{run}");
    assert_eq!(run.json()["error"]["code"], code, "{run}");
    let said = run.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(said.contains(message), "{run}");
    let mut now = tree(place.root());
    let mut before = before;
    for map in [&mut now, &mut before] {
        map.retain(|path, _| !path.starts_with(".portenv"));
    }
    assert_eq!(now, before);
    assert_eq!(place.shown(), "");
}

#[test]
fn a_folder_that_is_not_there_or_no_wheelhouse_is_not_found() {
    let place = locked();
    refused(&place, 2, "not-found", "is no wheelhouse");
    let check = place.json(2, &["wheelhouse", "check", "custom_nodes"]);
    assert_eq!(check["error"]["code"], "not-found");
}

#[test]
fn a_missing_wheel_and_a_wrong_hash_stop_it_before_anything_changes() {
    let place = filled();
    let path = house(&place).join(BETA);
    let whole = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    refused(&place, 2, "invalid-file", &format!("`{BETA}` is missing"));
    let mut bytes = whole;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    refused(&place, 3, "integrity", "does not have the hash");
}

#[test]
fn a_list_or_lock_that_was_tampered_with_stops_it() {
    let place = filled();
    let sha256 = |name: &str| crate::support::sha256(&fs::read(house(&place).join(name)).unwrap());
    // As if somebody had put another wheel of beta there and named it in the list alone.
    let old = sha256(BETA);
    fs::copy(house(&place).join(ALPHA), house(&place).join(BETA)).unwrap();
    let size = |name: &str| fs::metadata(house(&place).join(name)).unwrap().len();
    assert!(size(BETA) > 0);
    edit(&place, "wheelhouse.toml", &old, &sha256(BETA));
    refused(&place, 3, "integrity", "beta");
}

#[test]
fn a_wheelhouse_for_another_platform_or_python_is_refused() {
    let place = Place::new();
    place.settings("[resolve]\ntargets = [\"x86_64-pc-windows-msvc\"]\n");
    let _ = place.portenv(&["lock"]).success();
    let none = place.json(1, &["wheelhouse", "build"]);
    assert_eq!(none["error"]["code"], "refused");
    let _ = place
        .portenv(&["wheelhouse", "build", "--all-targets"])
        .success();
    refused(&place, 1, "refused", "x86_64-pc-windows-msvc@");

    let place = Place::new();
    place.settings("[resolve]\npython-version = \"3.8\"\n");
    let _ = place.portenv(&["lock"]).success();
    let _ = place
        .portenv(&["wheelhouse", "build", "--all-targets"])
        .success();
    refused(&place, 2, "python-mismatch", "3.8");
}

#[test]
fn names_that_climb_are_refused_wherever_they_stand() {
    for name in [
        "../alpha-1.1-py3-none-any.whl",
        "/tmp/a.whl",
        "a\\\\b.whl",
        "nul.whl",
    ] {
        let place = filled();
        edit(&place, "wheelhouse.toml", ALPHA, name);
        let check = place.json(2, &["wheelhouse", "check"]);
        assert_eq!(check["error"]["code"], "invalid-file", "{name}");
        assert!(
            check["error"]["origin"]["line"].as_u64() > Some(1),
            "{check}"
        );
        refused(&place, 2, "invalid-file", "file name");
    }
    // And in the lock that a folder is to be filled from.
    let place = locked();
    let lock = place.read("pylock.toml");
    let climbing = format!("name = \"../../{ALPHA}\"");
    place.write(
        "pylock.toml",
        lock.replace(&format!("name = \"{ALPHA}\""), &climbing),
    );
    let before = tree(place.dir());
    let build = place.json(2, &["wheelhouse", "build"]);
    assert_eq!(build["error"]["code"], "invalid-lock", "{build}");
    assert!(!place.dir().join(ALPHA).exists());
    assert!(!house(&place).exists());
    assert!(before.contains_key("ComfyUI/pylock.toml"));
}

#[test]
fn files_of_one_name_and_other_content_are_refused() {
    let place = locked();
    let lock = place.read("pylock.toml");
    let upper = BETA.replace("beta", "ALPHA").replace("1.0", "1.1");
    place.write(
        "pylock.toml",
        lock.replace(
            &format!("name = \"{BETA}\""),
            &format!("name = \"{upper}\""),
        ),
    );
    let build = place.json(2, &["wheelhouse", "build"]);
    assert_eq!(build["error"]["code"], "invalid-lock", "{build}");
}

#[test]
fn a_list_of_a_newer_format_or_none_at_all_is_told() {
    let place = filled();
    edit(&place, "wheelhouse.toml", "schema = 1", "schema = 99");
    refused(&place, 2, "newer-format", "schema 99");
    fs::write(
        house(&place).join("wheelhouse.toml"),
        "schema = 1\nfiles = 7\n",
    )
    .unwrap();
    refused(&place, 2, "invalid-file", "wheelhouse.toml:");
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_told_and_the_next_build_goes_on() {
    use std::process::Command;
    let script = "mount -t tmpfs -o size=64k tmpfs /tmp";
    let tried = Command::new("unshare")
        .args(["-rm", "sh", "-c", script])
        .output();
    if !tried.is_ok_and(|output| output.status.success()) {
        return;
    }
    let place = Place::new();
    // An index without sizes: nobody can know beforehand that it will not fit.
    place
        .server
        .set(|options| options.format = crate::support::Format::Html);
    let noise: Vec<u8> = (0..200_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let large = crate::support::Wheel::new("large", "1.0").file("large/data.bin", noise);
    place.server.add(large.build());
    place.write("requirements.txt", "alpha\nlarge\n");
    let _ = place.portenv(&["lock"]).success();
    fs::create_dir(house(&place)).unwrap();
    let full = "mount -t tmpfs -o size=64k tmpfs \"$0\" && exec \"$@\"";
    let inner = place.command(&["wheelhouse", "build", "--format", "json"]);
    let mut command = Command::new("unshare");
    command
        .args(["-rm", "sh", "-c", full, house(&place).as_str()])
        .arg(inner.get_program())
        .args(inner.get_args())
        .env_clear()
        .current_dir(place.root());
    for (name, value) in inner.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let run = place.run_of(&command.output().unwrap());
    assert_eq!(run.code(), 4, "{run}");
    assert_eq!(run.json()["error"]["code"], "disk", "{run}");
    let _ = place.portenv(&["wheelhouse", "build"]).success();
    assert_eq!(place.json(0, &["wheelhouse", "check"])["status"], "pass");
    let before = tree(&house(&place));
    let _ = place.portenv(&["wheelhouse", "build"]).success();
    assert_tree(&house(&place), &before);
}
