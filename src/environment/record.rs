//! RECORD files: what a distribution put where (PEP 376, PEP 627).

use serde::{Deserialize, Serialize};

use crate::host::digest;

/// The file of a dist-info that tells that files were left out on purpose.
pub const CLEANED: &str = "portenv_cleaned.json";

/// What a package was before some of its files were left out of a packed installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleaned {
    /// The digest by RECORD of all that was installed.
    pub digest: String,
    /// The digest of what is left: with another one the note is of no worth.
    pub left: String,
}

/// One row: path relative to site-packages, digest, size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The path, `/`-separated, relative to site-packages.
    pub path: String,
    /// `sha256=` and urlsafe base64, empty for RECORD itself.
    pub hash: String,
    /// The size in bytes, where it is recorded.
    pub size: Option<u64>,
}

/// Parses a RECORD file; paths with commas stand in quotes.
pub fn parse(text: &str) -> Vec<Row> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(parse_row)
        .collect()
}

fn parse_row(line: &str) -> Row {
    let (path, rest) = if let Some(inner) = line.strip_prefix('"') {
        let mut path = String::new();
        let mut chars = inner.char_indices().peekable();
        let mut end = inner.len();
        while let Some((at, c)) = chars.next() {
            if c == '"' {
                if chars.peek().is_some_and(|(_, next)| *next == '"') {
                    chars.next();
                } else {
                    end = at + 1;
                    break;
                }
            }
            path.push(c);
        }
        (path, inner[end..].trim_start_matches(','))
    } else {
        let (path, rest) = line.split_once(',').unwrap_or((line, ""));
        (path.to_owned(), rest)
    };
    let (hash, size) = rest.split_once(',').unwrap_or((rest, ""));
    Row {
        path: path.replace('\\', "/"),
        hash: hash.to_owned(),
        size: size.trim().parse().ok(),
    }
}

/// Reports whether a row is the installer's and not the distribution's: it
/// differs between two installs of one wheel.
pub fn is_of_installer(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    path.starts_with("../")
        || path.contains("__pycache__/")
        || (path.contains(".dist-info/")
            && matches!(
                file,
                "RECORD"
                    | "INSTALLER"
                    | "REQUESTED"
                    | "direct_url.json"
                    | "uv_cache.json"
                    | "uv_build.json"
                    | CLEANED
            ))
}

/// Returns the digest of what a RECORD says about the distribution's own files,
/// in sorted order: equal for equal content, whoever installed it.
pub fn content_digest(rows: &[Row]) -> String {
    let mut lines: Vec<String> = rows
        .iter()
        .filter(|row| !is_of_installer(&row.path))
        .map(|row| format!("{},{}\n", row.path, row.hash))
        .collect();
    lines.sort();
    digest::sha256(lines.concat().as_bytes())
}

/// Writes a path as a field of a RECORD.
pub fn quoted(path: &str) -> String {
    if path.contains([',', '"']) {
        format!("\"{}\"", path.replace('"', "\"\""))
    } else {
        path.to_owned()
    }
}
