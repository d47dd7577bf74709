//! Names of files that are one file in one folder, on every system.

use std::collections::BTreeMap;

/// Names that Windows keeps for devices, whatever stands behind a dot.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Reports what is wrong with a file's name; nothing if it is one plain name that every
/// system takes and that stays in its folder.
///
/// # Errors
///
/// Returns what is wrong.
pub fn check_name(name: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("the file name {name:?} {what}"));
    if name.is_empty() || name == "." || name == ".." {
        return wrong("names no file");
    }
    if name.contains(['/', '\\']) {
        return wrong("leads out of the folder");
    }
    if name.len() > 255 {
        return wrong("is longer than file systems take");
    }
    let is_odd = |c: char| c.is_control() || matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|');
    if name.contains(is_odd) || name.starts_with('-') || name.ends_with(['.', ' ']) {
        return wrong("is not taken by every system");
    }
    let stem = name.split('.').next().unwrap_or(name).to_lowercase();
    let is_port = |kind: &str| {
        let number = stem.strip_prefix(kind);
        number.is_some_and(|number| number.len() == 1 && number.bytes().all(|b| b.is_ascii_digit()))
    };
    if DEVICES.contains(&stem.as_str()) || is_port("com") || is_port("lpt") {
        return wrong("is a device on Windows");
    }
    Ok(())
}

/// Returns pairs of names that are one where case does not count.
pub fn colliding<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<(&'a str, &'a str)> {
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    let mut pairs = Vec::new();
    for name in names {
        match known.get(&name.to_lowercase()) {
            Some(first) if *first != name => pairs.push((*first, name)),
            Some(_) => {}
            None => {
                known.insert(name.to_lowercase(), name);
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::{check_name, colliding};

    #[test]
    fn only_plain_names_that_every_system_takes_are_taken() {
        for name in [
            "numpy-2.1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "torch-2.9.1+cu128-cp312-cp312-win_amd64.whl",
            "console-1.0-py3-none-any.whl",
            "comb-1.0-py3-none-any.whl",
        ] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "../a.whl",
            "a/b.whl",
            "a\\b.whl",
            "/etc/a.whl",
            "C:a.whl",
            "a\nb.whl",
            "a\u{1b}[1m.whl",
            "-rf.whl",
            "nul.whl",
            "COM1.whl",
            "a.whl.",
            "a.whl ",
        ] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert!(check_name(&"a".repeat(256)).is_err());
    }

    #[test]
    fn names_that_differ_by_case_alone_collide() {
        assert_eq!(colliding(["a.whl", "b.whl", "a.whl"]), []);
        assert_eq!(
            colliding(["PyYAML-6.0.whl", "b.whl", "pyyaml-6.0.whl"]),
            [("PyYAML-6.0.whl", "pyyaml-6.0.whl")]
        );
    }
}
