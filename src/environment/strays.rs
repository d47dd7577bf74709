//! Files of an environment that no distribution accounts for.
//!
//! An installer that is killed leaves files whose RECORD was not written yet or is gone
//! already. What tells them from files that others put there is a look taken before.

use std::collections::HashSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::files::normal;
use super::installed::Installed;
use super::interpreter::Interpreter;
use crate::host::fs;

/// Directories of a virtual environment that wheels put data in.
const DATA: [&str; 3] = ["etc", "include", "share"];

/// Finds what no distribution accounts for: files, and directories without any file that one
/// does, each of these once and not what is below. Compiled files do not count.
pub fn find_strays(interpreter: &Interpreter, installed: &Installed) -> Vec<Utf8PathBuf> {
    let owned = owned(installed);
    let mut found = Vec::new();
    for site in interpreter.site_packages() {
        let _ = walk(&site, &owned, &mut found);
    }
    // Beside a virtual environment's programs nobody else keeps theirs.
    if let Some(dir) = &interpreter.environment {
        for (name, is_plain) in fs::find_entries(&interpreter.scripts) {
            let path = interpreter.scripts.join(name);
            if is_plain && !is_compiled(&path) && !owned.contains(&key(&path)) {
                found.push(path);
            }
        }
        for data in DATA.map(|name| dir.join(name)) {
            visit(data, false, &owned, &mut found);
        }
    }
    found.sort();
    found
}

/// Goes through a directory; `true` if a distribution accounts for something in it.
fn walk(dir: &Utf8Path, owned: &HashSet<String>, found: &mut Vec<Utf8PathBuf>) -> bool {
    let mut holds = false;
    for (name, is_plain) in fs::find_entries(dir) {
        holds |= visit(dir.join(name), is_plain, owned, found);
    }
    holds
}

fn visit(
    path: Utf8PathBuf,
    is_plain: bool,
    owned: &HashSet<String>,
    found: &mut Vec<Utf8PathBuf>,
) -> bool {
    if is_compiled(&path) || !is_plain && !fs::exists(&path) {
        return false;
    }
    // A link to a directory is one entry, as a file is.
    if !is_plain && fs::link_target(&path).is_none() && fs::is_dir(&path) {
        let mut below = Vec::new();
        let holds = walk(&path, owned, &mut below);
        if holds {
            found.extend(below);
        } else {
            found.push(path);
        }
        return holds;
    }
    let holds = owned.contains(&key(&path));
    if !holds {
        found.push(path);
    }
    holds
}

/// Reports whether Python makes a file or directory anew whenever it is not there.
pub fn is_compiled(path: &Utf8Path) -> bool {
    path.file_name() == Some("__pycache__") || path.extension() == Some("pyc")
}

fn owned(installed: &Installed) -> HashSet<String> {
    let mut owned = HashSet::new();
    for distribution in installed.iter() {
        let site = distribution.dir.parent().unwrap_or(Utf8Path::new(""));
        for row in distribution.rows() {
            owned.insert(key(&site.join(row.path)));
        }
    }
    owned
}

fn key(path: &Utf8Path) -> String {
    normal(path.as_str(), cfg!(any(windows, target_os = "macos")))
}
