//! What lies in the store and no snapshot needs.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::archive::NODES;
use crate::host::fs::{self, FsError};

/// A file of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its path, relative to the store.
    pub file: String,
    /// Its size.
    pub bytes: u64,
}

/// Returns the files that are not among those needed, by path: what a killed run left
/// half written too.
///
/// # Errors
///
/// Fails if the store cannot be read.
pub fn find_unneeded(store: &Utf8Path, needed: &BTreeSet<String>) -> Result<Vec<Stored>, FsError> {
    let mut found = Vec::new();
    // Only what is put here by `repack`, `archive` and the like: anything else is not ours.
    for name in fs::find_dir(&store.join("imprints"))? {
        let file = format!("imprints/{name}");
        if !needed.contains(&file) {
            let bytes = fs::weigh(&store.join(&file))?.bytes;
            found.push(Stored { file, bytes });
        }
    }
    let wheels = store.join("wheels");
    for name in fs::find_dir(&wheels)? {
        let dir = wheels.join(&name);
        for inner in fs::find_dir(&dir)? {
            let file = format!("wheels/{name}/{inner}");
            if !needed.contains(&file) {
                let bytes = fs::weigh(&store.join(&file))?.bytes;
                found.push(Stored { file, bytes });
            }
        }
    }
    for name in fs::find_dir(&store.join(NODES))? {
        let file = format!("{NODES}/{name}");
        if !needed.contains(&file) {
            let bytes = fs::weigh(&store.join(&file))?.bytes;
            found.push(Stored { file, bytes });
        }
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(found)
}

/// What the store holds, in bytes by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Wheels of packages.
    pub packages: u64,
    /// Archives of nodes without history, and patches.
    pub files: u64,
    /// Packs of commits.
    pub commits: u64,
}

impl Sizes {
    /// Returns all of it.
    pub fn total(&self) -> u64 {
        self.packages + self.files + self.commits
    }
}

/// Weighs what the store holds.
///
/// # Errors
///
/// Fails if it cannot be read.
pub fn sizes(store: &Utf8Path) -> Result<Sizes, FsError> {
    let mut sizes = Sizes {
        packages: fs::weigh(&store.join("wheels"))?.bytes,
        ..Sizes::default()
    };
    for name in fs::find_dir(&store.join(NODES))? {
        let bytes = fs::weigh(&store.join(NODES).join(&name))?.bytes;
        if name.ends_with(".pack") {
            sizes.commits += bytes;
        } else {
            sizes.files += bytes;
        }
    }
    Ok(sizes)
}

/// Removes files, and the directories that are empty without them.
///
/// # Errors
///
/// Fails if one cannot be removed.
pub fn remove(store: &Utf8Path, files: &[Stored]) -> Result<(), FsError> {
    for stored in files {
        let path = store.join(&stored.file);
        fs::remove_all(&path)?;
        if let Some(dir) = path.parent() {
            fs::remove_empty_dir(dir);
        }
    }
    Ok(())
}
