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

/// Returns the SHA-1 (FIPS 180-4) of some bytes: a name, as git gives files, and no proof of
/// anything.
#[expect(
    clippy::many_single_char_names,
    reason = "the standard has these names"
)]
pub fn sha1(bytes: &[u8]) -> String {
    let mut state: [u32; 5] = [
        0x6745_2301,
        0xEFCD_AB89,
        0x98BA_DCFE,
        0x1032_5476,
        0xC3D2_E1F0,
    ];
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(64), 0);
    if padded.len() < bytes.len() + 9 {
        padded.resize(padded.len() + 64, 0);
    }
    let end = padded.len() - 8;
    padded[end..].copy_from_slice(&(bytes.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks_exact(64) {
        let mut words = [0u32; 80];
        for (word, four) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = four.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        }
        for t in 16..80 {
            let mixed = words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16];
            words[t] = mixed.rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (t, word) in words.into_iter().enumerate() {
            let (f, k) = match t {
                0..20 => (b & c | !b & d, 0x5A82_7999),
                20..40 => (b ^ c ^ d, 0x6ED9_EBA1),
                40..60 => (b & c | b & d | c & d, 0x8F1B_BCDC),
                _ => (b ^ c ^ d, 0xCA62_C1D6_u32),
            };
            let sum = a.rotate_left(5).wrapping_add(f).wrapping_add(e);
            let next = sum.wrapping_add(k).wrapping_add(word);
            (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
        }
        for (part, value) in state.iter_mut().zip([a, b, c, d, e]) {
            *part = part.wrapping_add(value);
        }
    }
    let all: Vec<u8> = state.iter().flat_map(|part| part.to_be_bytes()).collect();
    hex::encode(all)
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
    let read = || sha256_of(&mut File::open(path)?);
    read().map_err(|source| FsError {
        verb: "read",
        path: path.to_owned(),
        source,
    })
}

/// Returns the digest of all that a reader gives.
///
/// # Errors
///
/// Fails if it cannot be read.
pub fn sha256_of(reader: &mut impl Read) -> std::io::Result<String> {
    Ok(sha256_of_reader(reader)?.0)
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

#[cfg(test)]
mod tests {
    use super::sha1;

    #[test]
    fn sha1_is_that_of_the_standard_at_every_length_of_padding() {
        assert_eq!(sha1(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(sha1(b""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        for (length, expected) in [
            (55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
            (56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"),
            (64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
        ] {
            assert_eq!(sha1(&vec![b'a'; length]), expected);
        }
    }
}
