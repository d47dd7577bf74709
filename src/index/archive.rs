//! METADATA out of the tail of a wheel. Nothing is extracted to disk.

use std::io::Read;

use flate2::read::DeflateDecoder;

use crate::package::artifact::show_bytes;

/// A member larger than this is not metadata.
pub const LIMIT: u64 = 16 << 20;
/// A zip directory larger than this is not one of a wheel: torch's has 2 MB.
const DIRECTORY: u64 = 64 << 20;

/// What is said of a directory that makes no sense.
const DAMAGED: &str = "its zip directory is damaged";

/// Where a member's local header is, its packed size and its method.
type Entry = (u64, u64, u64);

/// What reading a wheel's tail came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Tail {
    /// The METADATA text.
    Found(String),
    /// These bytes of the file are needed too: from, to (exclusive).
    Need(u64, u64),
}

/// Reads a member to its end, which it must have within the limit: a few bytes may
/// be packed gigabytes.
pub(super) fn unpack(member: impl Read) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    member
        .take(LIMIT + 1)
        .read_to_end(&mut text)
        .map_err(|error| format!("cannot be unpacked: {error}"))?;
    if text.len() as u64 > LIMIT {
        return Err(format!("is larger than {}", show_bytes(LIMIT)));
    }
    Ok(text)
}

/// Asks for the bytes before those at hand, if that many can be a directory.
fn need(from: u64, to: u64) -> Result<Tail, String> {
    if to - from > DIRECTORY {
        return Err("its zip directory is damaged".to_owned());
    }
    Ok(Tail::Need(from, to))
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let mut value = 0;
    for &byte in bytes.get(at..at.checked_add(size)?)?.iter().rev() {
        value = value << 8 | u64::from(byte);
    }
    Some(value)
}

/// Finds where a wheel's directory starts in the file, how long it is and where it ends in
/// `tail`; or where the record starts that tells, if it lies before the tail.
fn directory(tail: &[u8], offset: u64) -> Result<Result<(u64, u64, usize), u64>, String> {
    let end = memchr::memmem::rfind(tail, b"PK\x05\x06")
        .ok_or("it is not a wheel: no zip directory at its end")?;
    let mut length = number(tail, end + 12, 4).ok_or(DAMAGED)?;
    let mut start = number(tail, end + 16, 4).ok_or(DAMAGED)?;
    if length == 0xFFFF_FFFF || start == 0xFFFF_FFFF {
        // ZIP64: the locator stands just before and names the larger record.
        let locator = end.checked_sub(20).ok_or(DAMAGED)?;
        let record = number(tail, locator + 8, 8).ok_or(DAMAGED)?;
        if record < offset {
            return Ok(Err(record));
        }
        let record = usize::try_from(record - offset)
            .ok()
            .and_then(|at| tail.get(at..))
            .ok_or(DAMAGED)?;
        length = number(record, 40, 8).ok_or(DAMAGED)?;
        start = number(record, 48, 8).ok_or(DAMAGED)?;
    }
    Ok(Ok((start, length, end)))
}

/// Adds up what the files of a wheel come to unpacked, if its whole directory is in the
/// tail at hand: then that costs nothing. It is the archive's own word.
pub fn unpacked_size(tail: &[u8], offset: u64) -> Option<u64> {
    let (start, length, _) = directory(tail, offset).ok()?.ok()?;
    let from = usize::try_from(start.checked_sub(offset)?).ok()?;
    let to = from.checked_add(usize::try_from(length).ok()?)?;
    let mut rest = tail.get(from..to)?;
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let entry = rest.starts_with(b"PK\x01\x02").then_some(rest)?;
        // One of 4 GB and more says so elsewhere; no wheel has one.
        let size = number(entry, 24, 4).filter(|size| *size != 0xFFFF_FFFF)?;
        let parts = [28, 30, 32].map(|at| number(entry, at, 2));
        let parts: u64 = parts.into_iter().sum::<Option<u64>>()?;
        sum = sum.checked_add(size)?;
        rest = rest.get(usize::try_from(46 + parts).ok()?..)?;
    }
    Some(sum)
}

/// Looks for `*.dist-info/METADATA` in the tail of a wheel; `offset` is where
/// `tail` begins in a file of `size` bytes.
///
/// # Errors
///
/// Returns what is wrong with the archive.
pub fn read_tail(tail: &[u8], offset: u64, size: u64) -> Result<Tail, String> {
    let (start, length, end) = match directory(tail, offset)? {
        Ok(found) => found,
        Err(record) => return need(record, offset),
    };
    let damaged = || DAMAGED.to_owned();
    if start > size || length > size {
        return Err(damaged());
    }
    // Look at what is in hand before asking for the rest of the directory.
    let have = usize::try_from(start.max(offset) - offset).map_err(|_| damaged())?;
    let directory = tail.get(have..end).ok_or_else(damaged)?;
    let Some((header, packed, method)) = find_entry(directory, start >= offset)? else {
        if start < offset {
            return need(start, offset);
        }
        return Err("it has no METADATA".to_owned());
    };
    if packed > LIMIT {
        return Err(format!("its METADATA is larger than {}", show_bytes(LIMIT)));
    }
    if header < offset {
        // The local header's own extra field may be longer than the directory's.
        return Ok(Tail::Need(header, (header + packed + 4096).min(size)));
    }
    let at = usize::try_from(header - offset).map_err(|_| damaged())?;
    read_entry(tail, at, packed, method).map(Tail::Found)
}

/// Reads the entry at the start of `bytes`, after [`Tail::Need`] named its place.
///
/// # Errors
///
/// Returns what is wrong with the archive.
pub fn read_local(bytes: &[u8]) -> Result<String, String> {
    let packed = number(bytes, 18, 4).ok_or("its zip entry is cut off")?;
    let method = number(bytes, 8, 2).ok_or("its zip entry is cut off")?;
    // Sizes of streamed entries stand behind the data: then all that came counts.
    let packed = if packed == 0 || packed == 0xFFFF_FFFF {
        u64::MAX
    } else {
        packed
    };
    read_entry(bytes, 0, packed, method)
}

fn read_entry(bytes: &[u8], at: usize, packed: u64, method: u64) -> Result<String, String> {
    if bytes.get(at..at + 4) != Some(b"PK\x03\x04") {
        return Err("its zip entry is damaged".to_owned());
    }
    let name = number(bytes, at + 26, 2).unwrap_or(0);
    let extra = number(bytes, at + 28, 2).unwrap_or(0);
    let start = at + 30 + usize::try_from(name + extra).unwrap_or(usize::MAX / 2);
    let rest = bytes.get(start..).ok_or("its zip entry is cut off")?;
    let data = match usize::try_from(packed) {
        Ok(packed) if packed <= rest.len() => &rest[..packed],
        _ => rest,
    };
    let text = match method {
        0 => unpack(data),
        8 => unpack(DeflateDecoder::new(data)),
        other => Err(format!("is packed by the unknown method {other}")),
    };
    let text = text.map_err(|detail| format!("its METADATA {detail}"))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Finds METADATA in a run of directory entries: where its local header is, its
/// packed size and method. A run that begins in the middle is searched for the
/// next entry's mark.
fn find_entry(directory: &[u8], from_start: bool) -> Result<Option<Entry>, String> {
    let first = if from_start {
        Some(0)
    } else {
        memchr::memmem::find(directory, b"PK\x01\x02")
    };
    let mut found = None;
    let mut at = first.unwrap_or(directory.len());
    while let Some(entry) = directory
        .get(at..)
        .filter(|entry| entry.starts_with(b"PK\x01\x02"))
    {
        let length = |at| number(entry, at, 2).and_then(|n| usize::try_from(n).ok());
        let lengths = length(28).zip(length(30)).zip(length(32));
        let Some(((name_length, extra), comment)) = lengths else {
            break;
        };
        let Some(name) = entry.get(46..46 + name_length) else {
            break;
        };
        let is_metadata = name
            .strip_suffix(b".dist-info/METADATA")
            .is_some_and(|stem| !stem.contains(&b'/'));
        if is_metadata {
            if found.is_some() {
                // No installer would know which to believe.
                return Err("it has more than one .dist-info directory".to_owned());
            }
            let entry = |at, size| number(entry, at, size).unwrap_or(0);
            let header = entry(42, 4);
            found = (header != 0xFFFF_FFFF).then_some((header, entry(20, 4), entry(10, 2)));
        }
        at += 46 + name_length + extra + comment;
    }
    Ok(found)
}

/// Reads METADATA of a whole wheel.
///
/// # Errors
///
/// Returns what is wrong with the archive.
pub fn wheel_metadata(bytes: &[u8]) -> Result<String, String> {
    match read_tail(bytes, 0, bytes.len() as u64)? {
        Tail::Found(text) => Ok(text),
        Tail::Need(from, to) => {
            let range = usize::try_from(from).unwrap_or(0)..usize::try_from(to).unwrap_or(0);
            read_local(bytes.get(range).ok_or("its zip directory is damaged")?)
        }
    }
}
