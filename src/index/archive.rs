//! Single members of wheels and sdists: METADATA from the tail of a wheel,
//! PKG-INFO and friends from an sdist. Nothing is extracted to disk.

use std::io::{Cursor, Read};

use flate2::read::{DeflateDecoder, GzDecoder};

use crate::package::metadata::parse_egg_requires;
use crate::package::{Metadata, Name, Version};

/// A member larger than this is not metadata.
const LIMIT: u64 = 16 << 20;

/// What reading a wheel's tail came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Tail {
    /// The METADATA text.
    Found(String),
    /// These bytes of the file are needed too: from, to (exclusive).
    Need(u64, u64),
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let mut value = 0;
    for &byte in bytes.get(at..at.checked_add(size)?)?.iter().rev() {
        value = value << 8 | u64::from(byte);
    }
    Some(value)
}

/// Looks for `*.dist-info/METADATA` in the tail of a wheel; `offset` is where
/// `tail` begins in a file of `size` bytes.
///
/// # Errors
///
/// Returns what is wrong with the archive.
pub fn read_tail(tail: &[u8], offset: u64, size: u64) -> Result<Tail, String> {
    let end = memchr::memmem::rfind(tail, b"PK\x05\x06")
        .ok_or("it is not a wheel: no zip directory at its end")?;
    let damaged = || "its zip directory is damaged".to_owned();
    let mut length = number(tail, end + 12, 4).ok_or_else(damaged)?;
    let mut start = number(tail, end + 16, 4).ok_or_else(damaged)?;
    if length == 0xFFFF_FFFF || start == 0xFFFF_FFFF {
        // ZIP64: the locator stands just before and names the larger record.
        let locator = end.checked_sub(20).ok_or_else(damaged)?;
        let record = number(tail, locator + 8, 8).ok_or_else(damaged)?;
        if record < offset {
            return Ok(Tail::Need(record, offset));
        }
        let record = usize::try_from(record - offset)
            .ok()
            .and_then(|at| tail.get(at..))
            .ok_or_else(damaged)?;
        length = number(record, 40, 8).ok_or_else(damaged)?;
        start = number(record, 48, 8).ok_or_else(damaged)?;
    }
    if start > size || length > size {
        return Err(damaged());
    }
    // Look at what is in hand before asking for the rest of the directory.
    let have = usize::try_from(start.max(offset) - offset).map_err(|_| damaged())?;
    let directory = tail.get(have..end).ok_or_else(damaged)?;
    let mut found = find_entry(directory, start >= offset);
    if found.is_none() {
        if start < offset {
            return Ok(Tail::Need(start, offset));
        }
        return Err("it has no METADATA".to_owned());
    }
    let Some((header, packed, method)) = found.take() else {
        return Err(damaged());
    };
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
    let mut text = Vec::new();
    match method {
        0 => text.extend_from_slice(data),
        8 => {
            DeflateDecoder::new(data)
                .take(LIMIT)
                .read_to_end(&mut text)
                .map_err(|error| format!("its METADATA cannot be unpacked: {error}"))?;
        }
        other => {
            return Err(format!(
                "its METADATA is packed by the unknown method {other}"
            ));
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Finds METADATA in a run of directory entries: where its local header is, its
/// packed size and method. A run that begins in the middle is searched for the
/// next entry's mark.
fn find_entry(directory: &[u8], from_start: bool) -> Option<(u64, u64, u64)> {
    let mut at = if from_start {
        0
    } else {
        memchr::memmem::find(directory, b"PK\x01\x02")?
    };
    while let Some(entry) = directory
        .get(at..)
        .filter(|entry| entry.starts_with(b"PK\x01\x02"))
    {
        let name_length = usize::try_from(number(entry, 28, 2)?).ok()?;
        let extra = usize::try_from(number(entry, 30, 2)?).ok()?;
        let comment = usize::try_from(number(entry, 32, 2)?).ok()?;
        let name = entry.get(46..46 + name_length)?;
        let is_metadata = name
            .strip_suffix(b".dist-info/METADATA")
            .is_some_and(|stem| !stem.contains(&b'/'));
        if is_metadata {
            let header = number(entry, 42, 4)?;
            let packed = number(entry, 20, 4)?;
            return (header != 0xFFFF_FFFF).then_some((header, packed, number(entry, 10, 2)?));
        }
        at += 46 + name_length + extra + comment;
    }
    None
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

/// What an sdist says about itself.
#[derive(Debug, PartialEq, Eq)]
pub enum SdistMetadata {
    /// It states its metadata, binding for any build.
    Stated(Box<Metadata>),
    /// Only a build can tell; here is older evidence, if there is any.
    NeedsBuild(Option<Box<Metadata>>),
}

/// Reads what an sdist states: PKG-INFO from 2.2 on, else a static `[project]`,
/// else what an older egg-info says, which binds nobody.
///
/// # Errors
///
/// Returns what is wrong with the archive.
pub fn sdist_metadata(
    filename: &str,
    bytes: &[u8],
    name: &Name,
    version: &Version,
) -> Result<SdistMetadata, String> {
    let files = if filename.ends_with(".zip") {
        zip_members(bytes)?
    } else {
        tar_members(bytes)?
    };
    let get = |path: &str| {
        files
            .iter()
            .find(|(name, _)| name == path)
            .map(|(_, text)| text.as_str())
    };
    let info = get("PKG-INFO").map(Metadata::parse);
    if let Some(info) = &info {
        if !info.name.is_empty() && Name::parse(&info.name).as_ref() != Some(name) {
            return Err(format!(
                "its PKG-INFO is of `{}`",
                crate::package::artifact::printable(&info.name)
            ));
        }
        if info.is_static() {
            if !info.is_of(name, version) {
                return Err(format!(
                    "its PKG-INFO is of `{}`",
                    crate::package::artifact::printable(&format!("{} {}", info.name, info.version))
                ));
            }
            return Ok(SdistMetadata::Stated(Box::new(info.clone())));
        }
    }
    if let Some(metadata) =
        get("pyproject.toml").and_then(|text| from_pyproject(text, name, version))
    {
        return Ok(SdistMetadata::Stated(Box::new(metadata)));
    }
    let egg = files
        .iter()
        .find(|(path, _)| path.ends_with(".egg-info/requires.txt"))
        .map(|(_, text)| text.as_str());
    let has_egg = files.iter().any(|(path, _)| path.contains(".egg-info/"));
    let mut older = info.unwrap_or_default();
    if older.requires_dist.is_empty() && !has_egg {
        return Ok(SdistMetadata::NeedsBuild(None));
    }
    if older.requires_dist.is_empty() {
        let (requires, extras) = parse_egg_requires(egg.unwrap_or(""));
        older.requires_dist = requires;
        older.provides_extra = extras;
    }
    older.name = name.to_string();
    older.version = version.to_string();
    older.unverified = true;
    Ok(SdistMetadata::NeedsBuild(Some(Box::new(older))))
}

/// `[project]` binds if nothing that we need is dynamic (PEP 621).
fn from_pyproject(text: &str, name: &Name, version: &Version) -> Option<Metadata> {
    let table: toml::Table = text.parse().ok()?;
    let project = table.get("project")?.as_table()?;
    let dynamic: Vec<&str> = project
        .get("dynamic")
        .and_then(|list| list.as_array())
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_str())
        .collect();
    if ["dependencies", "optional-dependencies", "requires-python"]
        .iter()
        .any(|field| dynamic.contains(field))
    {
        return None;
    }
    let texts = |value: &toml::Value| -> Option<Vec<String>> {
        value
            .as_array()?
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect()
    };
    let mut metadata = Metadata {
        name: name.to_string(),
        version: version.to_string(),
        metadata_version: "2.4".to_owned(),
        requires_python: project
            .get("requires-python")
            .and_then(|text| text.as_str())
            .map(str::to_owned),
        ..Metadata::default()
    };
    if let Some(list) = project.get("dependencies") {
        metadata.requires_dist = texts(list)?;
    }
    if let Some(groups) = project
        .get("optional-dependencies")
        .and_then(|groups| groups.as_table())
    {
        for (extra, list) in groups {
            metadata.provides_extra.push(extra.clone());
            for text in texts(list)? {
                let (base, marker) = text
                    .split_once(';')
                    .map_or((text.as_str(), None), |(base, marker)| (base, Some(marker)));
                let marker =
                    marker.map_or(String::new(), |marker| format!("({}) and ", marker.trim()));
                metadata
                    .requires_dist
                    .push(format!("{} ; {marker}extra == '{extra}'", base.trim()));
            }
        }
    }
    Some(metadata)
}

/// The members that say something about dependencies, by path within the
/// archive's top directory.
fn is_telling(path: &str) -> bool {
    matches!(path, "PKG-INFO" | "pyproject.toml")
        || path.ends_with(".egg-info/requires.txt")
        || path.ends_with(".egg-info/PKG-INFO")
}

fn inner(path: &str) -> &str {
    path.trim_start_matches("./")
        .split_once('/')
        .map_or(path, |(_, rest)| rest)
}

fn tar_members(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    let damaged = |error: std::io::Error| format!("it cannot be unpacked: {error}");
    let mut archive = tar::Archive::new(GzDecoder::new(bytes));
    let mut found = Vec::new();
    for entry in archive.entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = inner(&path).to_owned();
        if is_telling(&path) && entry.size() <= LIMIT {
            let mut text = Vec::new();
            entry.take(LIMIT).read_to_end(&mut text).map_err(damaged)?;
            found.push((path, String::from_utf8_lossy(&text).into_owned()));
        }
    }
    Ok(found)
}

fn zip_members(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    let damaged = |error: zip::result::ZipError| format!("it cannot be unpacked: {error}");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let mut found = Vec::new();
    for at in 0..archive.len() {
        let entry = archive.by_index(at).map_err(damaged)?;
        let path = entry.name().map_err(damaged)?.into_owned();
        let path = inner(&path).to_owned();
        if is_telling(&path) && entry.size() <= LIMIT {
            let mut text = Vec::new();
            entry
                .take(LIMIT)
                .read_to_end(&mut text)
                .map_err(|error| format!("it cannot be unpacked: {error}"))?;
            found.push((path, String::from_utf8_lossy(&text).into_owned()));
        }
    }
    Ok(found)
}
