//! A file that arrives in pieces: kept under a temporary name, digested on the way, and
//! given its own name when it is whole.
#![expect(
    clippy::missing_errors_doc,
    reason = "every function here fails in the one way that `FsError` says"
)]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest, Sha256};

use super::fs::{self, FsError};

/// A file that is not whole yet.
#[derive(Debug)]
pub struct Partial {
    file: File,
    path: Utf8PathBuf,
    hasher: Sha256,
    length: u64,
}

impl Partial {
    /// Opens what an earlier run left at `path`, or begins anew.
    pub fn resume(path: &Utf8Path) -> Result<Self, FsError> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let open = || -> io::Result<Self> {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)?;
            let (mut hasher, mut length) = (Sha256::new(), 0);
            let mut buffer = vec![0; 1 << 16];
            loop {
                let count = file.read(&mut buffer)?;
                if count == 0 {
                    break;
                }
                hasher.update(&buffer[..count]);
                length += count as u64;
            }
            Ok(Self {
                file,
                path: path.to_owned(),
                hasher,
                length,
            })
        };
        open().map_err(|error| wrong("open", path, error))
    }

    /// Returns how much is there.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns the SHA-256 digest of what is there.
    pub fn sha256(&self) -> String {
        hex::encode(self.hasher.clone().finalize())
    }

    /// Returns where it lies.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Drops what is there.
    pub fn restart(&mut self) -> Result<(), FsError> {
        let mut empty = || -> io::Result<()> {
            self.file.set_len(0)?;
            self.file.seek(SeekFrom::Start(0))?;
            Ok(())
        };
        empty().map_err(|error| wrong("write", &self.path, error))?;
        (self.hasher, self.length) = (Sha256::new(), 0);
        Ok(())
    }

    /// Adds a piece at the end.
    pub fn add(&mut self, piece: &[u8]) -> Result<(), FsError> {
        let written = self.file.write_all(piece);
        written.map_err(|error| wrong("write", &self.path, error))?;
        self.hasher.update(piece);
        self.length += piece.len() as u64;
        Ok(())
    }

    /// Gives it its own name, in place of what was there, once it is on the disk.
    pub fn finish(self, to: &Utf8Path) -> Result<(), FsError> {
        let synced = self.file.sync_all();
        synced.map_err(|error| wrong("write", &self.path, error))?;
        // Windows moves no file that is open.
        drop(self.file);
        fs::rename(&self.path, to)
    }
}

fn wrong(verb: &'static str, path: &Utf8Path, source: io::Error) -> FsError {
    FsError {
        verb,
        path: path.to_owned(),
        source,
    }
}
