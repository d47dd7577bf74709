//! The proof from the folder alone.

use std::fs;

use portenv::wheelhouse::Manifest;

use super::super::place::{Place, assert_tree, tree};
use super::{ALPHA, BETA, edit, filled, findings, house};
use crate::support::{Sandbox, sha256};

#[test]
fn it_needs_neither_an_installation_nor_the_network() {
    let place = filled();
    let alone = Sandbox::new();
    let copy = alone.dir().join("stick");
    fs::create_dir(&copy).unwrap();
    for entry in house(&place).read_dir_utf8().unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    place.server.clear_requests();
    let before = tree(&copy);
    let run = alone
        .portenv_in(
            alone.dir(),
            &["wheelhouse", "check", "stick", "--format", "json"],
        )
        .success();
    let document = run.json();
    assert_eq!(document["status"], "pass");
    assert_eq!(
        (&document["packages"], &document["files"]),
        (&2.into(), &2.into())
    );
    assert_eq!(place.server.requests().len(), 0);
    assert_tree(&copy, &before);
}

#[test]
fn what_is_missing_changed_or_strange_is_named() {
    let place = filled();
    let dir = house(&place);
    fs::remove_file(dir.join(ALPHA)).unwrap();
    let mut bytes = fs::read(dir.join(BETA)).unwrap();
    bytes[40] ^= 1;
    fs::write(dir.join(BETA), &bytes).unwrap();
    fs::write(dir.join("notes.txt"), "mine").unwrap();
    fs::write(dir.join("gamma-9.0-py3-none-any.whl"), "no wheel").unwrap();
    let document = place.json(1, &["wheelhouse", "check"]);
    assert_eq!(
        findings(&document),
        [
            format!("missing {ALPHA}"),
            format!("changed {BETA}"),
            "unknown gamma-9.0-py3-none-any.whl".to_owned(),
            "unknown notes.txt".to_owned()
        ]
    );
    let levels = super::super::place::strings(&document["findings"], "level");
    assert_eq!(levels, ["error", "error", "warn", "warn"]);

    fs::write(dir.join(BETA), b"short").unwrap();
    let document = place.json(1, &["wheelhouse", "check"]);
    assert!(findings(&document).contains(&format!("changed {BETA}")));
    // A build brings what is lacking, and leaves alone what it does not know.
    let _ = place.portenv(&["wheelhouse", "build"]).success();
    let document = place.json(0, &["wheelhouse", "check"]);
    assert_eq!(findings(&document).len(), 2, "{document}");
    assert!(dir.join("notes.txt").exists());
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_folder_is_an_error_and_a_build_replaces_it() {
    let place = filled();
    let path = house(&place).join(ALPHA);
    let outside = place.dir().join("outside.whl");
    fs::rename(&path, &outside).unwrap();
    std::os::unix::fs::symlink(&outside, &path).unwrap();
    let document = place.json(1, &["wheelhouse", "check"]);
    assert_eq!(findings(&document), [format!("outside {ALPHA}")]);
    let before = fs::read(&outside).unwrap();
    let _ = place
        .portenv(&["wheelhouse", "install", "--yes"])
        .expect_code(2);
    let _ = place.portenv(&["wheelhouse", "build"]).success();
    assert!(!path.is_symlink());
    assert_eq!(fs::read(&outside).unwrap(), before);
    assert_eq!(place.json(0, &["wheelhouse", "check"])["status"], "pass");
}

#[test]
fn a_text_that_was_edited_is_told() {
    let place = filled();
    edit(
        &place,
        "pylock.toml",
        "requires-python = \">=3",
        "requires-python = \">=2",
    );
    let document = place.json(1, &["wheelhouse", "check"]);
    assert_eq!(findings(&document), ["changed pylock.toml"]);
}

#[test]
fn two_names_that_case_alone_tells_apart_collide() {
    let place = filled();
    let upper = ALPHA.to_uppercase().replace(".WHL", ".whl");
    edit(&place, "wheelhouse.toml", BETA, &upper);
    let document = place.json(1, &["wheelhouse", "check"]);
    assert!(
        findings(&document)
            .iter()
            .any(|finding| finding.starts_with("collides ")),
        "{document}"
    );
}

#[test]
fn a_target_that_no_wheel_fits_is_named() {
    let place = filled();
    let name = format!("name = \"{}", std::env::consts::ARCH);
    edit(&place, "wheelhouse.toml", &name, "name = \"riscv64");
    let document = place.json(1, &["wheelhouse", "check"]);
    assert!(
        findings(&document).contains(&"unknown-target -".to_owned()),
        "{document}"
    );
}

/// A folder whose lists were both made consistent without a package that another one needs.
#[test]
fn a_lock_that_the_folder_does_not_lead_to_is_unresolved() {
    let place = Place::new();
    place.write("requirements.txt", "gamma\n");
    let _ = place.portenv(&["lock"]).success();
    let _ = place.portenv(&["wheelhouse", "build"]).success();
    assert_eq!(place.json(0, &["wheelhouse", "check"])["status"], "pass");
    let dir = house(&place);
    let lock = fs::read_to_string(dir.join("pylock.toml")).unwrap();
    let mut parts: Vec<&str> = lock.split("\n[[packages]]\n").collect();
    parts.retain(|part| !part.starts_with("name = \"delta\""));
    // What follows the last package is no package's.
    let (_, tail) = lock.split_once("\n[tool.portenv]").unwrap();
    let mut text = parts.join("\n[[packages]]\n");
    if !text.contains("[tool.portenv]\n") {
        text.push_str(&format!("\n[tool.portenv]{tail}"));
    }
    fs::write(dir.join("pylock.toml"), &text).unwrap();
    let mut manifest = Manifest::read(&dir).unwrap();
    manifest
        .files
        .retain(|file| file.package.as_str() != "delta");
    manifest
        .texts
        .insert("pylock.toml".to_owned(), sha256(text.as_bytes()));
    manifest.write(&dir).unwrap();
    fs::remove_file(dir.join("delta-2.0-py3-none-any.whl")).unwrap();
    let document = place.json(1, &["wheelhouse", "check"]);
    assert!(
        findings(&document)[0].starts_with("unresolved "),
        "{document}"
    );
}

#[test]
fn what_the_lock_was_made_under_holds_in_the_proof_too() {
    let place = Place::new();
    place.write("requirements.txt", "alpha>=9\ngamma\nbeta\n");
    place.settings(
        "[policy]\nexclude = [\"delta\"]\n[overrides]\nalpha = { specifier = \"<1.1\", reason = \"old\" }\n\
         [constraints]\nbeta = \"<2\"\n",
    );
    let _ = place.portenv(&["lock"]).success();
    let _ = place.portenv(&["wheelhouse", "build"]).success();
    assert_eq!(place.json(0, &["wheelhouse", "check"])["status"], "pass");
}
