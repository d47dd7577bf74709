//! Whether a Python can build extensions: what a look at paths tells, without running it.

use camino::{Utf8Path, Utf8PathBuf};

use crate::host::fs;

/// Reports whether the headers of a Python are there, that compiled extensions include.
///
/// Embeddable Pythons come without them, and Linux distributions keep them in a package of
/// their own. `minor` is its version, as in `3.12`.
pub fn has_headers(python: &Utf8Path, environment: Option<&Utf8Path>, minor: &str) -> bool {
    let prefixes = prefixes(python, environment);
    prefixes.iter().any(|prefix| {
        [
            prefix.join(format!("include/python{minor}/Python.h")),
            // Windows, and frameworks of macOS.
            prefix.join("include/Python.h"),
            prefix.join("Include/Python.h"),
            prefix.join("Headers/Python.h"),
        ]
        .iter()
        .any(|path| fs::is_file(path))
    })
}

/// Lists where the Python itself may be installed: a virtual environment has none of it.
fn prefixes(python: &Utf8Path, environment: Option<&Utf8Path>) -> Vec<Utf8PathBuf> {
    let mut dirs = Vec::new();
    if let Some(environment) = environment
        && let Ok(Some(text)) = fs::find_text(&environment.join("pyvenv.cfg"))
    {
        let home = text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == "home").then(|| Utf8PathBuf::from(value.trim()))
        });
        dirs.extend(home);
        dirs.push(environment.to_owned());
    }
    let real = fs::canonical(python).ok();
    dirs.extend(
        [Some(python.to_owned()), real]
            .into_iter()
            .flatten()
            .filter_map(|path| path.parent().map(Utf8Path::to_owned)),
    );
    let above: Vec<Utf8PathBuf> = dirs
        .iter()
        .filter_map(|dir| dir.parent().map(Utf8Path::to_owned))
        .collect();
    dirs.extend(above);
    dirs
}

/// Reports whether a C compiler can be found: on the search path, or where Visual Studio's
/// installer leaves word of one.
pub fn has_compiler(path: &[Utf8PathBuf]) -> bool {
    let names: &[&str] = if cfg!(windows) {
        &["cl.exe", "clang-cl.exe", "gcc.exe"]
    } else {
        &["cc", "gcc", "clang"]
    };
    let installer = "C:/Program Files (x86)/Microsoft Visual Studio/Installer/vswhere.exe";
    path.iter()
        .any(|dir| names.iter().any(|name| fs::is_file(&dir.join(name))))
        || cfg!(windows) && fs::is_file(Utf8Path::new(installer))
}
