//! Whole trees of files: listed in one order, written piece by piece.
#![expect(
    clippy::missing_errors_doc,
    reason = "every function here fails in the one way that `FsError` says"
)]

use std::fs;
use std::io::{self, Read, Seek, Write};

use camino::{Utf8Path, Utf8PathBuf};

use super::fs::{FsError, create_dir_all, link_target, list_dir};

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A directory with nothing in it.
    Empty,
    /// A file.
    File {
        /// Its size in bytes.
        size: u64,
        /// It may be run.
        program: bool,
    },
    /// A link, and what it says.
    Link(String),
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path below the top, `/`-separated.
    pub path: String,
    /// What it is.
    pub kind: Kind,
}

fn with<T>(verb: &'static str, path: &Utf8Path, result: io::Result<T>) -> Result<T, FsError> {
    result.map_err(|source| FsError {
        verb,
        path: path.to_owned(),
        source,
    })
}

/// Lists all files, links and empty directories below `top`, sorted by path. What `skip` says
/// yes to is left out with all below it; links are not followed. What is neither (sockets,
/// devices) is left out too.
pub fn walk(top: &Utf8Path, skip: &dyn Fn(&str) -> bool) -> Result<Vec<Entry>, FsError> {
    let mut found = Vec::new();
    let mut open = vec![String::new()];
    while let Some(below) = open.pop() {
        let names = list_dir(&top.join(&below))?;
        if names.is_empty() && !below.is_empty() {
            found.push(Entry {
                path: below,
                kind: Kind::Empty,
            });
            continue;
        }
        for name in names {
            let path = if below.is_empty() {
                name
            } else {
                format!("{below}/{name}")
            };
            if skip(&path) {
                continue;
            }
            let place = top.join(&path);
            let data = with("inspect", &place, fs::symlink_metadata(&place))?;
            if data.is_dir() {
                open.push(path);
            } else if data.is_symlink() {
                let target = link_target(&place).unwrap_or_default().replace('\\', "/");
                let kind = Kind::Link(target);
                found.push(Entry { path, kind });
            } else if data.is_file() {
                let (size, program) = (data.len(), is_program(&data));
                let kind = Kind::File { size, program };
                found.push(Entry { path, kind });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

#[cfg(unix)]
fn is_program(data: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    data.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_program(_: &fs::Metadata) -> bool {
    false
}

/// Opens a file for reading from its start.
pub fn open(path: &Utf8Path) -> Result<impl Read + Seek + use<>, FsError> {
    with("read", path, fs::File::open(path))
}

/// Makes a file and gives what is written to it; the directories above come with it.
pub fn create(path: &Utf8Path) -> Result<impl Write + use<>, FsError> {
    if let Some(parent) = path.parent() {
        create_dir_all(parent)?;
    }
    let mut how = fs::OpenOptions::new();
    let made = how.write(true).create_new(true).open(path);
    with("write", path, made)
}

/// Makes a link that says `target`.
#[cfg(unix)]
pub fn link(target: &str, path: &Utf8Path) -> Result<(), FsError> {
    if let Some(parent) = path.parent() {
        create_dir_all(parent)?;
    }
    with(
        "create link",
        path,
        std::os::unix::fs::symlink(target, path),
    )
}

/// Copies what a link leads to: making links needs a privilege on Windows.
#[cfg(not(unix))]
pub fn link(target: &str, path: &Utf8Path) -> Result<(), FsError> {
    let from = path.parent().unwrap_or(Utf8Path::new("")).join(target);
    super::fs::copy_tree(&from, path)
}

/// A file that is being written, under another name until it is whole.
#[derive(Debug)]
pub struct Draft {
    staged: tempfile::NamedTempFile,
    path: Utf8PathBuf,
}

impl Draft {
    /// Begins a file that will be at `path`; it is gone if it is not kept.
    pub fn begin(path: &Utf8Path) -> Result<Self, FsError> {
        let parent = match path.parent() {
            Some(parent) if !parent.as_str().is_empty() => parent,
            _ => Utf8Path::new("."),
        };
        create_dir_all(parent)?;
        let mut builder = tempfile::Builder::new();
        let staged = builder.prefix(".portenv-").tempfile_in(parent);
        Ok(Self {
            staged: with("write", path, staged)?,
            path: path.to_owned(),
        })
    }

    /// Returns what was written so far, from its start.
    pub fn reread(&self) -> Result<impl Read + Seek + use<>, FsError> {
        with("read", &self.path, self.staged.reopen())
    }

    /// Puts the file in its place, replacing what was there.
    pub fn keep(self) -> Result<(), FsError> {
        let path = self.path.clone();
        let keep = || -> io::Result<()> {
            self.staged.as_file().sync_all()?;
            readable(self.staged.as_file())?;
            self.staged
                .persist(&self.path)
                .map_err(|error| error.error)?;
            Ok(())
        };
        with("write", &path, keep())
    }
}

/// Temporary files are private; what they become must not be.
#[cfg(unix)]
fn readable(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &fs::File) -> io::Result<()> {
    Ok(())
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.staged.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.staged.flush()
    }
}

impl Seek for Draft {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.staged.seek(to)
    }
}
