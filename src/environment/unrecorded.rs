//! The files of a distribution that no RECORD names: `setup.py install` and old pips leave an
//! egg-info, and a RECORD can be lost.
//!
//! What pip called `installed-files.txt` is the best word there is, else `top_level.txt` names
//! the modules. A file that the RECORD of another distribution claims is that one's.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::files::normal;
use super::installed::{Distribution, Installed};
use crate::host::fs;

/// Finds the files of a distribution without RECORD: paths relative to site-packages, sorted.
/// Its own metadata is among them.
pub fn find_unrecorded(distribution: &Distribution, all: &Installed) -> Vec<String> {
    let Some(site) = distribution.dir.parent() else {
        return Vec::new();
    };
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut walk = |path: Utf8PathBuf| {
        found.extend(files_below(&path).into_iter().filter_map(|file| {
            let relative = file.strip_prefix(site).ok()?;
            Some(relative.as_str().replace('\\', "/"))
        }));
    };
    walk(distribution.dir.clone());
    let text = |name: &str| fs::find_text(&distribution.dir.join(name)).ok().flatten();
    if let Some(list) = text("installed-files.txt") {
        let dir = distribution.dir.file_name().unwrap_or_default();
        let named = list
            .lines()
            .map(|line| normal(&format!("{dir}/{line}"), false));
        found.extend(named.filter(|path| fs::is_file(&site.join(path))));
    } else {
        let modules = text("top_level.txt").unwrap_or_default();
        let modules = modules.lines().map(str::trim);
        for module in modules.filter(|module| is_plain(module)) {
            walk(site.join(module));
            walk(site.join(format!("{module}.py")));
            let native = format!("{module}.");
            for entry in fs::find_dir(site).unwrap_or_default() {
                if entry.starts_with(&native) && is_native(&entry) {
                    walk(site.join(entry));
                }
            }
        }
    }
    let others = all.iter().filter(|other| other.dir != distribution.dir);
    for row in others.flat_map(Distribution::rows) {
        found.remove(&row.path);
    }
    found.retain(|path| !path.contains("__pycache__/") && !path.ends_with(".pyc"));
    found.into_iter().collect()
}

fn is_native(entry: &str) -> bool {
    let path = Utf8Path::new(entry);
    matches!(path.extension(), Some("so" | "pyd"))
}

/// A name of one module and nothing that leads elsewhere.
fn is_plain(module: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    !module.is_empty() && module.chars().all(word)
}

fn files_below(path: &Utf8Path) -> Vec<Utf8PathBuf> {
    if fs::is_file(path) {
        return vec![path.to_owned()];
    }
    if fs::link_target(path).is_some() {
        return Vec::new();
    }
    let entries = fs::find_dir(path).unwrap_or_default();
    entries
        .iter()
        .flat_map(|name| files_below(&path.join(name)))
        .collect()
}
