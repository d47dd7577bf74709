//! SHA-256 as lower-case hex.

use std::fs::File;
use std::io::Read;

use camino::Utf8Path;
use sha2::{Digest, Sha256};

use super::fs::FsError;

/// Returns the digest of some bytes.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Returns the first 32 digits: enough for names of cached files.
pub fn short(bytes: &[u8]) -> String {
    let mut digest = sha256(bytes);
    digest.truncate(32);
    digest
}

/// Returns the digest of a file, read in pieces.
///
/// # Errors
///
/// Fails if the file cannot be read.
pub fn sha256_of_file(path: &Utf8Path) -> Result<String, FsError> {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok(hex::encode(hasher.finalize()));
            }
            hasher.update(&buffer[..count]);
        }
    };
    read().map_err(|source| FsError {
        verb: "read",
        path: path.to_owned(),
        source,
    })
}
