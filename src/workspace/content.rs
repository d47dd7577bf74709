//! What a node without history consists of, as one digest.

use camino::Utf8Path;

use crate::host::digest;
use crate::host::fs;

/// Directories that hold nothing a person or an author wrote.
const ASIDE: [&str; 4] = ["__pycache__", "node_modules", ".git", ".venv"];

/// Endings of code. Data does not count: nodes write settings, caches and pictures into their
/// own directory when they run.
const CODE: [&str; 11] = [
    "py", "pyd", "so", "dylib", "dll", "js", "mjs", "cjs", "ts", "css", "html",
];

/// Files that say what a node asks for.
const DECLARING: [&str; 3] = ["pyproject.toml", "setup.cfg", "extra-requirements.txt"];

/// Up to this size a file is read; of a larger one the size counts.
const MOST: u64 = 4 << 20;

/// Returns a digest over the code of a node and what it asks for: the paths relative to it in
/// sorted order, each with its content. Equal for equal nodes wherever they lie, whatever was
/// compiled, and whatever they have written when they ran. A single file is its own content.
///
/// What cannot be read counts as empty: the digest tells nodes apart and proves nothing.
pub fn content_digest(path: &Utf8Path) -> String {
    let mut lines = Vec::new();
    if fs::is_dir(path) {
        walk(path, "", &mut lines);
        lines.sort();
    } else {
        lines.push(line_of(path, ""));
    }
    digest::sha256(lines.concat().as_bytes())
}

fn walk(dir: &Utf8Path, below: &str, lines: &mut Vec<String>) {
    for (name, is_plain) in fs::find_entries(dir) {
        let path = dir.join(&name);
        let shown = format!("{below}{name}");
        if is_plain {
            if counts(&name) {
                lines.push(line_of(&path, &shown));
            }
        } else if let Some(target) = fs::link_target(&path) {
            // Where it leads to may be anywhere, and be a circle.
            lines.push(format!("{shown}\0link {}\n", target.replace('\\', "/")));
        } else if !ASIDE.contains(&name.as_str()) {
            walk(&path, &format!("{shown}/"), lines);
        }
    }
}

fn counts(name: &str) -> bool {
    let lower = name.to_lowercase();
    let ending = lower.rsplit_once('.').map(|(_, ending)| ending);
    let requires = lower.starts_with("requirements") && ending == Some("txt");
    requires
        || DECLARING.contains(&lower.as_str())
        || ending.is_some_and(|ending| CODE.contains(&ending))
}

fn line_of(path: &Utf8Path, shown: &str) -> String {
    let size = match fs::find_stamp(path) {
        Ok(Some(stamp)) => stamp.size,
        _ => 0,
    };
    let content = if size <= MOST {
        digest::sha256_of_file(path).unwrap_or_default()
    } else {
        String::new()
    };
    format!("{shown}\0{size} {content}\n")
}
