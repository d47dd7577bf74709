//! What a directory takes of the disk, and what of it other names hold too.

use std::fs::Metadata;

use camino::Utf8Path;

use super::fs::{FsError, find_entries};

/// What a directory takes of the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Footprint {
    /// How many files lie in it.
    pub files: u64,
    /// How many bytes they have, whoever else has the same.
    pub bytes: u64,
    /// How many of these lie on the disk under other names too (hard links), and are no loss
    /// of room. What a file system shares behind the scenes (reflinks) is not known here.
    pub shared_bytes: u64,
}

impl Footprint {
    /// Measures a directory with all below it; links are not followed. What cannot be read
    /// counts as nothing.
    ///
    /// # Errors
    ///
    /// Fails if the directory itself cannot be inspected.
    pub fn of(dir: &Utf8Path) -> Result<Self, FsError> {
        super::fs::list_dir(dir)?;
        let mut found = Self::default();
        let mut open = vec![dir.to_owned()];
        while let Some(at) = open.pop() {
            for (name, _) in find_entries(&at) {
                let path = at.join(name);
                let Ok(data) = path.symlink_metadata() else {
                    continue;
                };
                if data.is_dir() {
                    open.push(path);
                } else if data.is_file() {
                    found.files += 1;
                    found.bytes += data.len();
                    if has_other_names(&data) {
                        found.shared_bytes += data.len();
                    }
                }
            }
        }
        Ok(found)
    }
}

#[cfg(unix)]
fn has_other_names(data: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(data) > 1
}

/// Elsewhere the standard library does not tell.
#[cfg(not(unix))]
fn has_other_names(_: &Metadata) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_two_names_is_shared_and_a_copy_is_not() {
        let held = tempfile::tempdir().expect("a directory");
        let dir = Utf8Path::from_path(held.path()).expect("UTF-8");
        std::fs::create_dir(dir.join("in")).expect("a directory");
        std::fs::write(dir.join("one"), "12345").expect("a file");
        std::fs::hard_link(dir.join("one"), dir.join("in/linked")).expect("a link");
        std::fs::copy(dir.join("one"), dir.join("in/copied")).expect("a copy");
        std::os::unix::fs::symlink("copied", dir.join("in/name")).expect("a link");
        let found = Footprint::of(&dir.join("in")).expect("a footprint");
        let wanted = Footprint {
            files: 2,
            bytes: 10,
            shared_bytes: 5,
        };
        assert_eq!(found, wanted);
    }
}
