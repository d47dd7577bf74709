//! SHA-256 as lower-case hex; other members of SHA-2 for files that name one.

use std::fs::File;
use std::io::Read;

use base64::Engine;
use camino::Utf8Path;
use sha2::{Digest, Sha256, Sha384, Sha512};

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

/// Returns the digest of some bytes as RECORD has it (PEP 376, PEP 427).
pub fn record_hash(bytes: &[u8]) -> String {
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    format!("sha256={}", engine.encode(Sha256::digest(bytes)))
}

/// Returns the digest of all that can be read, and how many bytes these are.
///
/// # Errors
///
/// Fails if it cannot be read.
pub fn sha256_of_reader(from: &mut impl Read) -> std::io::Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok((hex::encode(hasher.finalize()), bytes));
        }
        hasher.update(&buffer[..count]);
        bytes += count as u64;
    }
}

/// Returns the digest of a file, read in pieces.
///
/// # Errors
///
/// Fails if the file cannot be read.
pub fn sha256_of_file(path: &Utf8Path) -> Result<String, FsError> {
    let read = || -> std::io::Result<String> { Ok(sha256_of_reader(&mut File::open(path)?)?.0) };
    read().map_err(|source| FsError {
        verb: "read",
        path: path.to_owned(),
        source,
    })
}

/// A digest that a file may be recorded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// What nearly everything is recorded with.
    Sha256,
    /// Its longer kin.
    Sha384,
    /// The longest.
    Sha512,
}

/// Returns the digest of a file, read in pieces; `None` if `go_on`, which hears the size of
/// each piece, says no.
///
/// # Errors
///
/// Fails if the file cannot be read.
pub fn of_file(
    path: &Utf8Path,
    algorithm: Algorithm,
    go_on: &dyn Fn(u64) -> bool,
) -> Result<Option<Vec<u8>>, FsError> {
    let read = || match algorithm {
        Algorithm::Sha256 => pieces::<Sha256>(path, go_on),
        Algorithm::Sha384 => pieces::<Sha384>(path, go_on),
        Algorithm::Sha512 => pieces::<Sha512>(path, go_on),
    };
    read().map_err(|source| FsError {
        verb: "read",
        path: path.to_owned(),
        source,
    })
}

fn pieces<D: Digest>(
    path: &Utf8Path,
    go_on: &dyn Fn(u64) -> bool,
) -> std::io::Result<Option<Vec<u8>>> {
    let mut file = File::open(path)?;
    let mut hasher = D::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(Some(hasher.finalize().to_vec()));
        }
        if !go_on(count as u64) {
            return Ok(None);
        }
        hasher.update(&buffer[..count]);
    }
}
