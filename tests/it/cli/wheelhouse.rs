//! `wheelhouse`: filled, checked, installed from, and everything that can be wrong with one.

mod bad;
mod build;
mod check;
mod install;
mod made;

use std::collections::BTreeMap;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use super::place::{Place, strings};
use crate::support::{Artifact, Wheel};

const ALPHA: &str = "alpha-1.1-py3-none-any.whl";
const BETA: &str = "beta-1.0-py3-none-any.whl";

/// A place with a lock of `alpha 1.1` and `beta 1.0`, nothing installed.
fn locked() -> Place {
    let place = Place::new();
    let _ = place.portenv(&["lock"]).success();
    place
}

/// The same with its wheelhouse.
fn filled() -> Place {
    let place = locked();
    let _ = place.portenv(&["wheelhouse", "build"]).success();
    place
}

fn house(place: &Place) -> Utf8PathBuf {
    place.root().join("wheelhouse")
}

/// Returns the names in a directory, sorted.
fn names(dir: &Utf8Path) -> Vec<String> {
    let entries = dir.read_dir_utf8().unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_owned())
        .collect();
    names.sort();
    names
}

fn wheels(dir: &Utf8Path) -> Vec<String> {
    let mut all = names(dir);
    all.retain(|name| name.ends_with(".whl"));
    all
}

/// Returns the codes of a check's findings, each with the file or package it concerns.
fn findings(document: &Value) -> Vec<String> {
    let list = document["findings"].as_array().unwrap().iter();
    list.map(|finding| {
        let of = finding["file"].as_str().or(finding["name"].as_str());
        let code = finding["code"].as_str().unwrap();
        format!("{code} {}", of.unwrap_or("-"))
    })
    .collect()
}

/// Replaces text in a file of the wheelhouse.
fn edit(place: &Place, file: &str, from: &str, to: &str) {
    let path = house(place).join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from:?}:\n{text}");
    fs::write(&path, text.replace(from, to)).unwrap();
}

/// The wheel of a build backend that hands out the wheel that lies in the project.
fn tooling() -> Artifact {
    let code = "import pathlib, shutil\n\n\ndef build_wheel(out, config=None, metadata=None):\n    \
        [wheel] = pathlib.Path('prebuilt').glob('*.whl')\n    shutil.copy(wheel, out)\n    \
        return wheel.name\n";
    Wheel::new("tooling", "1.0")
        .file("tooling.py", code)
        .build()
}

const NEEDS_TOOLING: &str =
    "[build-system]\nrequires = [\"tooling>=1\"]\nbuild-backend = \"tooling\"\n";

/// Returns the files that were asked for whole or in part, by name.
fn fetched(place: &Place) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in place.server.requests() {
        if request.path.ends_with(".whl") || request.path.ends_with(".tar.gz") {
            let name = request.path.rsplit('/').next().unwrap_or_default();
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    counts
}

fn files(document: &Value) -> Vec<String> {
    strings(&document["files"], "file")
}
