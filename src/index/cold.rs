//! What an index says of one file beyond what deciding needs, packed.
//!
//! A project of thousands of files is kept whole, so a record is as small as can
//! be: digests are bytes instead of hex, the digest in an address likewise, and
//! what addresses of a page have in common stands once, in the page.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::page::{ColdFile, FileRef};
use crate::package::{DistFile, Hashes};

/// Where the cold part lies when it is not in memory.
pub trait ColdPart: Send + Sync {
    /// Reads up to `length` bytes from `offset` on; fewer at the end.
    fn read(&self, offset: usize, length: usize) -> Option<Vec<u8>>;
}

/// The cold part: one record per file, newest version first, each read alone.
pub(super) enum Cold {
    /// In memory; a cache that is to write it shares it.
    Here(Arc<Vec<u8>>),
    /// Read when asked for.
    Kept(Arc<dyn ColdPart>),
}

impl fmt::Debug for Cold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Kept(_) => f.write_str("kept"),
        }
    }
}

type Digest = [u8; 32];

/// That the metadata can be had alone, and its digest.
#[derive(Serialize, Deserialize)]
enum Advertised<'a> {
    No,
    Yes,
    Packed(Digest),
    Text(&'a str),
}

#[derive(Serialize, Deserialize)]
struct Packed<'a> {
    filename: &'a str,
    /// Which of the page's places it lies at.
    place: u32,
    /// The digest that stands in its address: `/ab/cd/ef…/`.
    path: Option<Digest>,
    /// The last part of its address, where that is not the file's name.
    last: Option<&'a str>,
    sha256: Option<Digest>,
    #[serde(borrow)]
    others: Vec<(&'a str, &'a str)>,
    size: Option<u64>,
    yanked: Option<&'a str>,
    metadata: Advertised<'a>,
}

/// Reads a digest that is written as it will be shown again.
fn pack(hex: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    let lower = !hex.bytes().any(|byte| byte.is_ascii_uppercase());
    (lower && hex::decode_to_slice(hex, &mut digest).is_ok()).then_some(digest)
}

/// Splits `…/ab/cd/ef…` into what stands before and the digest.
fn split_digest(dir: &str) -> Option<(&str, Digest)> {
    let cut = dir.len().checked_sub(67)?;
    let (before, tail) = (dir.get(..cut)?, dir.get(cut..)?);
    let mut parts = tail.strip_prefix('/')?.split('/');
    let (a, b, c) = (parts.next()?, parts.next()?, parts.next()?);
    if (a.len(), b.len(), c.len()) != (2, 2, 60) || parts.next().is_some() {
        return None;
    }
    Some((before, pack(&[a, b, c].concat())?))
}

/// Appends the record of a file; `number` gives a place its number.
pub(super) fn write(out: &mut Vec<u8>, cold: &ColdFile, number: impl FnOnce(&str) -> u32) {
    let file = &cold.file;
    let (dir, last) = file.url.rsplit_once('/').unwrap_or(("", &file.url));
    let (place, path) = match split_digest(dir) {
        Some((before, digest)) => (before, Some(digest)),
        None => (dir, None),
    };
    let sha256 = file.sha256().and_then(pack);
    let others = file.hashes.iter();
    let packed = Packed {
        filename: &file.filename,
        place: if file.url.contains('/') {
            number(place)
        } else {
            u32::MAX
        },
        path,
        last: (last != file.filename).then_some(last),
        sha256,
        others: others
            .filter(|(kind, _)| sha256.is_none() || *kind != "sha256")
            .map(|(kind, hex)| (kind.as_str(), hex.as_str()))
            .collect(),
        size: file.size,
        yanked: cold.yanked.as_deref(),
        metadata: match &cold.metadata {
            None => Advertised::No,
            Some(None) => Advertised::Yes,
            Some(Some(hex)) => pack(hex).map_or(Advertised::Text(hex), Advertised::Packed),
        },
    };
    out.extend(postcard::to_stdvec(&packed).unwrap_or_default());
}

/// Reads the record at the start of `bytes`; `None` if it is damaged.
pub(super) fn read(bytes: &[u8], file: FileRef, places: &[String]) -> Option<ColdFile> {
    let (packed, _) = postcard::take_from_bytes::<Packed<'_>>(bytes).ok()?;
    let last = packed.last.unwrap_or(packed.filename);
    let url = if packed.place == u32::MAX {
        last.to_owned()
    } else {
        let place = places.get(packed.place as usize)?;
        match packed.path {
            Some(digest) => {
                let hex = hex::encode(digest);
                let (a, b, c) = (&hex[..2], &hex[2..4], &hex[4..]);
                [place, "/", a, "/", b, "/", c, "/", last].concat()
            }
            None => [place, "/", last].concat(),
        }
    };
    let mut hashes: Hashes = packed
        .others
        .iter()
        .map(|&(kind, hex)| (kind.to_owned(), hex.to_owned()))
        .collect();
    if let Some(digest) = packed.sha256 {
        hashes.insert("sha256".to_owned(), hex::encode(digest));
    }
    Some(ColdFile {
        file: DistFile {
            filename: packed.filename.to_owned(),
            url,
            hashes,
            size: packed.size,
            upload_time: file.upload_time,
            kind: file.kind(),
        },
        yanked: packed.yanked.map(str::to_owned),
        metadata: match packed.metadata {
            Advertised::No => None,
            Advertised::Yes => Some(None),
            Advertised::Packed(digest) => Some(Some(hex::encode(digest))),
            Advertised::Text(hex) => Some(Some(hex.to_owned())),
        },
    })
}
