//! RECORD of a package of which files were left out, so that it still tells the truth.
//!
//! A package that was cleaned is whole by its new RECORD (PEP 376), and still the one that was
//! installed: what it was is written beside it, and whoever compares it with a lock or a snapshot
//! goes by that.

use std::collections::{BTreeMap, BTreeSet};

use crate::environment::record::{CLEANED, Cleaned, content_digest, parse, quoted};
use crate::host::digest;

/// What takes the place of a package's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The new RECORD.
    pub record: String,
    /// The note of what it was, if its own files are fewer now.
    pub note: Option<Vec<u8>>,
}

/// Takes rows out of a RECORD; `gone` holds paths as RECORD has them. `was` is what an earlier
/// cleaning noted. Returns `None` if none of them is in it.
pub fn without(
    record: &str,
    dist_info: &str,
    gone: &BTreeSet<String>,
    was: Option<&Cleaned>,
) -> Option<Rewritten> {
    let rows = parse(record);
    let note_path = format!("{dist_info}/{CLEANED}");
    let left: Vec<_> = (rows.iter())
        .filter(|row| !gone.contains(&row.path) && row.path != note_path)
        .cloned()
        .collect();
    if left.len() == rows.len() {
        return None;
    }
    let mut text = String::new();
    for row in &left {
        let size = row.size.map(|size| size.to_string()).unwrap_or_default();
        text.push_str(&format!("{},{},{size}\n", quoted(&row.path), row.hash));
    }
    let (before, after) = (content_digest(&rows), content_digest(&left));
    let first = was.map_or(before.clone(), |was| was.digest.clone());
    let note = (first != after).then(|| {
        let note = Cleaned {
            digest: first,
            left: after,
        };
        serde_json::to_vec(&note).unwrap_or_default()
    });
    if let Some(note) = &note {
        let hash = digest::record_hash(note);
        text.push_str(&format!("{},{hash},{}\n", quoted(&note_path), note.len()));
    }
    Some(Rewritten { record: text, note })
}

/// Puts new hashes and sizes in the rows of some paths; `None` if no row has one of these.
pub fn renewed(record: &str, changed: &BTreeMap<String, &(String, usize)>) -> Option<String> {
    let rows = parse(record);
    if !rows.iter().any(|row| changed.contains_key(&row.path)) {
        return None;
    }
    let mut text = String::new();
    for row in rows {
        let old = row.size.map(|size| size.to_string()).unwrap_or_default();
        let (hash, size) = match changed.get(&row.path) {
            // A row without a hash makes no promise, and goes on making none.
            Some((hash, size)) if !row.hash.is_empty() => (hash.clone(), size.to_string()),
            _ => (row.hash, old),
        };
        text.push_str(&format!("{},{hash},{size}\n", quoted(&row.path)));
    }
    Some(text)
}
