//! Opens an archive somewhere else: all of it, in one new directory, and nothing beside that.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, SeekFrom};

use camino::{Utf8Path, Utf8PathBuf};

use super::PackError;
use super::write::{Form, Tell, is_volume, volume_of};
use crate::host::tree::{create, link, open};
use crate::host::{digest, fs};
use crate::package::artifact::printable;

/// A path longer than this is refused by most programs of Windows.
const LONGEST: usize = 260;

/// An archive's file, or all its volumes one after another.
pub struct Volumes {
    files: Vec<(Box<dyn Readable>, u64)>,
    at: u64,
}

trait Readable: Read + Seek {}
impl<T: Read + Seek> Readable for T {}

impl Volumes {
    /// Finds the files of an archive: itself, or all of which it is one (`.zip.001`, …).
    ///
    /// # Errors
    ///
    /// Fails if one is missing.
    pub fn paths(path: &Utf8Path) -> Result<Vec<Utf8PathBuf>, PackError> {
        let name = path.as_str();
        let whole = match name.rsplit_once('.') {
            Some((whole, number)) if is_volume(number) => whole,
            _ if fs::is_file(path) => return Ok(vec![path.to_owned()]),
            _ => name,
        };
        let whole = Utf8Path::new(whole);
        let listed = sums_of(whole).len();
        // More than are listed are of another archive.
        let most = if listed > 0 { listed } else { usize::MAX };
        let all: Vec<Utf8PathBuf> = (1..)
            .map(|number| volume_of(whole, number))
            .take_while(|path| fs::is_file(path))
            .take(most)
            .collect();
        if all.is_empty() || all.len() < listed {
            return Err(PackError::Damaged(format!(
                "`{}` is missing",
                volume_of(whole, all.len() + 1)
            )));
        }
        Ok(all)
    }

    /// Opens the files of an archive.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be read.
    pub fn open(paths: &[Utf8PathBuf]) -> Result<Self, PackError> {
        let mut files: Vec<(Box<dyn Readable>, u64)> = Vec::new();
        for path in paths {
            let size = fs::stamp(path)?.0;
            files.push((Box::new(open(path)?), size));
        }
        Ok(Self { files, at: 0 })
    }

    /// Reads from one open file.
    ///
    /// # Errors
    ///
    /// Fails if its end cannot be found.
    pub fn of(mut file: impl Read + Seek + 'static) -> Result<Self, PackError> {
        let size = file
            .seek(SeekFrom::End(0))
            .map_err(|error| damaged(&error))?;
        Ok(Self {
            files: vec![(Box::new(file), size)],
            at: 0,
        })
    }

    fn size(&self) -> u64 {
        self.files.iter().map(|(_, size)| size).sum()
    }
}

impl Read for Volumes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut begin = 0;
        for (file, size) in &mut self.files {
            if self.at < begin + *size {
                file.seek(SeekFrom::Start(self.at - begin))?;
                let left = usize::try_from(begin + *size - self.at).unwrap_or(usize::MAX);
                let most = left.min(buffer.len());
                let got = file.read(&mut buffer[..most])?;
                self.at += got as u64;
                return Ok(got);
            }
            begin += *size;
        }
        Ok(0)
    }
}

impl Seek for Volumes {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(by) => (self.size(), by),
            SeekFrom::Current(by) => (self.at, by),
        };
        self.at = from
            .checked_add_signed(by)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

/// Reads the digests that lie beside an archive, by file name; none if there are none.
fn sums_of(whole: &Utf8Path) -> BTreeMap<String, String> {
    let path = Utf8PathBuf::from(format!("{whole}.sha256"));
    let text = fs::find_text(&path).ok().flatten().unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, name)| (name.trim().to_owned(), sum.trim().to_lowercase()))
        .collect()
}

/// Checks the files of an archive against the digests beside it; `false` if there are none.
///
/// # Errors
///
/// Fails with the file that is not as it was written.
pub fn check_sums(paths: &[Utf8PathBuf]) -> Result<bool, PackError> {
    let Some(first) = paths.first() else {
        return Ok(false);
    };
    let whole = match first.as_str().rsplit_once('.') {
        Some((whole, number)) if is_volume(number) => whole,
        _ => first.as_str(),
    };
    let sums = sums_of(Utf8Path::new(whole));
    for path in paths {
        let name = path.file_name().unwrap_or_default();
        let Some(sum) = sums.get(name) else {
            return Ok(false);
        };
        if digest::sha256_of_file(path)? != *sum {
            return Err(PackError::Damaged(format!(
                "`{path}` is damaged: its SHA-256 is not the one in `{name}.sha256`"
            )));
        }
    }
    Ok(true)
}

/// Judges the name of a member: it is returned in parts, the archive's one directory first.
///
/// # Errors
///
/// Fails if it would leave the directory, or no file can have it.
fn parts_of(name: &str) -> Result<Vec<&str>, PackError> {
    let shown = printable(name);
    let refuse = |why: &str| {
        let text = format!("the archive is not safe to unpack: the member `{shown}` {why}");
        Err(PackError::Unsafe(text))
    };
    let name = name.strip_suffix('/').unwrap_or(name);
    if name.contains(['\\', ':']) || name.chars().any(char::is_control) {
        return refuse("has a name that no file may have");
    }
    let parts: Vec<&str> = name.split('/').collect();
    if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
        return refuse("would climb out of the directory");
    }
    Ok(parts)
}

/// Reports whether a link that lies at `path` leads to a place below the top.
fn stays_inside(path: &str, target: &str) -> bool {
    if target.starts_with('/') || target.contains([':', '\\']) {
        return false;
    }
    let mut depth = path.split('/').count() - 1;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return false,
            },
            _ => depth += 1,
        }
    }
    true
}

/// What takes the members one after another.
struct Taker<'a> {
    into: &'a Utf8Path,
    top: Option<String>,
    /// The file system takes `A` for `a`.
    folds: bool,
    seen: BTreeSet<String>,
    links: Vec<(String, String)>,
    bytes: u64,
    most: u64,
    tell: &'a Tell<'a>,
}

/// What a member is.
enum Member<'r> {
    Directory,
    Link(String),
    File {
        from: &'r mut dyn Read,
        size: u64,
        program: bool,
    },
}

impl Taker<'_> {
    fn take(&mut self, name: &str, member: Member<'_>) -> Result<(), PackError> {
        let parts = parts_of(name)?;
        let top = self.top.get_or_insert_with(|| parts[0].to_owned());
        if *top != parts[0] {
            let text = "it has not one directory that holds all, so portenv did not pack it";
            return Err(PackError::Damaged(text.to_owned()));
        }
        let path = parts[1..].join("/");
        if path.is_empty() {
            return Ok(());
        }
        let place = self.into.join(&path);
        if cfg!(windows) && place.as_str().len() >= LONGEST {
            return Err(PackError::Unsafe(format!(
                "`{place}` has {} characters, and Windows takes {LONGEST}: unpack it in a \
                 directory with a shorter path",
                place.as_str().len()
            )));
        }
        let key = if self.folds {
            path.to_lowercase()
        } else {
            path.clone()
        };
        let is_directory = matches!(member, Member::Directory);
        if !self.seen.insert(key) && !is_directory {
            return Err(PackError::Unsafe(format!(
                "the archive is not safe to unpack: two members would both be `{}`",
                printable(&path)
            )));
        }
        if !(self.tell)(self.bytes, &path) {
            return Err(PackError::Interrupted);
        }
        match member {
            Member::Directory => fs::create_dir_all(&place)?,
            Member::Link(target) => {
                if !stays_inside(&path, &target) {
                    return Err(leads_out(&path));
                }
                // Links come last, so that no member is written through one.
                self.links.push((path, target));
            }
            Member::File {
                from,
                size,
                program,
            } => {
                if self.bytes.saturating_add(size) > self.most {
                    let text = "the archive holds more than it tells, and is not safe to unpack";
                    return Err(PackError::Unsafe(text.to_owned()));
                }
                let mut file = create(&place)?;
                let copied = io::copy(&mut from.take(size + 1), &mut file);
                let copied = copied.map_err(|error| trouble(&place, error))?;
                if copied != size {
                    return Err(PackError::Damaged(format!(
                        "`{}` has not the size that the archive tells",
                        printable(&path)
                    )));
                }
                drop(file);
                if program {
                    fs::make_executable(&place)?;
                }
                self.bytes += size;
            }
        }
        Ok(())
    }
}

fn leads_out(path: &str) -> PackError {
    PackError::Unsafe(format!(
        "the archive is not safe to unpack: the link `{}` leads out of it",
        printable(path)
    ))
}

/// Tells a disk that cannot take more from an archive that cannot be read.
fn trouble(place: &Utf8Path, error: io::Error) -> PackError {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            PackError::Damaged(format!("the archive is damaged at `{place}`: {error}"))
        }
        io::ErrorKind::Other => {
            PackError::Damaged(format!("the archive is damaged at `{place}`: {error}"))
        }
        _ => PackError::File(fs::FsError {
            verb: "write",
            path: place.to_owned(),
            source: error,
        }),
    }
}

/// Unpacks all members below `into`, an empty directory, if they are `most` bytes or less;
/// returns the name of the archive's one
/// directory and how many bytes came out.
///
/// # Errors
///
/// Fails on the first member that is damaged or not safe; what was unpacked by then is left to
/// the caller.
pub fn unpack(
    form: Form,
    from: Volumes,
    into: &Utf8Path,
    most: u64,
    tell: &Tell<'_>,
) -> Result<(String, u64), PackError> {
    let probe = into.join("portenv-case");
    fs::create_dir_all(&probe)?;
    let folds = fs::exists(&into.join("PORTENV-CASE"));
    fs::remove_all(&probe)?;
    let mut taker = Taker {
        into,
        top: None,
        folds,
        seen: BTreeSet::new(),
        links: Vec::new(),
        bytes: 0,
        most,
        tell,
    };
    match form {
        Form::Zip => take_zip(from, &mut taker)?,
        Form::TarZst => take_tar(from, &mut taker)?,
    }
    for (path, target) in &taker.links {
        link(target, &into.join(path))?;
    }
    // By way of another link, one may lead further than its own text tells.
    let real = fs::canonical(into)?;
    for (path, _) in &taker.links {
        if fs::canonical(&into.join(path)).is_ok_and(|end| !end.starts_with(&real)) {
            return Err(leads_out(path));
        }
    }
    let top = taker
        .top
        .ok_or_else(|| PackError::Damaged("the archive is empty".to_owned()))?;
    Ok((top, taker.bytes))
}

/// Reads what an archive says of itself: the name of its one directory, and its manifest, which
/// is among the first members.
///
/// # Errors
///
/// Fails if there is none.
pub fn peek(form: Form, from: Volumes) -> Result<(String, Vec<u8>), PackError> {
    let is_it = |name: &str| -> Option<String> {
        let (top, path) = name.split_once('/')?;
        (path == super::manifest::MANIFEST && parts_of(name).is_ok()).then(|| top.to_owned())
    };
    // No manifest is as large.
    let read = |from: &mut dyn Read| -> Result<Vec<u8>, PackError> {
        let mut bytes = Vec::new();
        let read = from.take(64 << 20).read_to_end(&mut bytes);
        read.map_err(|error| damaged(&error))?;
        Ok(bytes)
    };
    match form {
        Form::Zip => {
            let mut archive = zip::ZipArchive::new(from).map_err(|error| damaged(&error))?;
            for at in 0..archive.len().min(8) {
                let mut entry = archive.by_index(at).map_err(|error| damaged(&error))?;
                let name = entry.name().map_err(|error| damaged(&error))?.into_owned();
                if let Some(top) = is_it(&name) {
                    return Ok((top, read(&mut entry)?));
                }
            }
        }
        Form::TarZst => {
            let packed = zstd::stream::read::Decoder::new(from).map_err(|error| damaged(&error))?;
            let mut archive = tar::Archive::new(packed);
            let entries = archive.entries().map_err(|error| damaged(&error))?;
            for entry in entries.take(8) {
                let mut entry = entry.map_err(|error| damaged(&error))?;
                let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                if let Some(top) = is_it(&name) {
                    return Ok((top, read(&mut entry)?));
                }
            }
        }
    }
    Err(PackError::Damaged(
        "it does not say what it is, so portenv did not pack it".to_owned(),
    ))
}

fn damaged(error: &dyn std::fmt::Display) -> PackError {
    PackError::Damaged(format!("the archive is damaged: {error}"))
}

/// The text of a link, which is never long.
fn read_link(from: &mut dyn Read) -> Result<String, PackError> {
    let mut text = String::new();
    let read = from.take(4096).read_to_string(&mut text);
    read.map_err(|error| damaged(&error))?;
    Ok(text)
}

fn take_zip(from: Volumes, taker: &mut Taker<'_>) -> Result<(), PackError> {
    let mut archive = zip::ZipArchive::new(from).map_err(|error| damaged(&error))?;
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).map_err(|error| damaged(&error))?;
        let name = entry.name().map_err(|error| damaged(&error))?.into_owned();
        let (size, mode) = (entry.size(), entry.unix_mode().unwrap_or(0));
        let member = if entry.is_dir() {
            Member::Directory
        } else if entry.is_symlink() {
            Member::Link(read_link(&mut entry)?)
        } else {
            Member::File {
                from: &mut entry,
                size,
                program: mode & 0o111 != 0,
            }
        };
        taker.take(&name, member)?;
    }
    Ok(())
}

fn take_tar(from: Volumes, taker: &mut Taker<'_>) -> Result<(), PackError> {
    let packed = zstd::stream::read::Decoder::new(from).map_err(|error| damaged(&error))?;
    let mut archive = tar::Archive::new(packed);
    for entry in archive.entries().map_err(|error| damaged(&error))? {
        let mut entry = entry.map_err(|error| damaged(&error))?;
        let name = String::from_utf8(entry.path_bytes().into_owned());
        let name = name.map_err(|_| damaged(&"a name in it is not UTF-8"))?;
        let size = entry.size();
        let program = entry.header().mode().unwrap_or(0) & 0o111 != 0;
        let member = match entry.header().entry_type() {
            tar::EntryType::Directory => Member::Directory,
            tar::EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                let target = String::from_utf8(target);
                Member::Link(target.map_err(|_| damaged(&"a link in it is not UTF-8"))?)
            }
            tar::EntryType::Regular => Member::File {
                from: &mut entry,
                size,
                program,
            },
            other => {
                let text = format!(
                    "`{}` is neither file nor link ({other:?})",
                    printable(&name)
                );
                return Err(PackError::Unsafe(text));
            }
        };
        taker.take(&name, member)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_climb_or_mean_something_else_elsewhere_are_refused() {
        for name in [
            "../a",
            "a/../../b",
            "/a",
            "a//b",
            "a/./b",
            "C:/a",
            "a\\b",
            "a\nb",
            "",
        ] {
            assert!(parts_of(name).is_err(), "{name:?}");
        }
        assert_eq!(
            parts_of("top/a b/é.py").expect("a name"),
            ["top", "a b", "é.py"]
        );
    }

    #[test]
    fn a_link_may_lead_anywhere_below_the_top() {
        assert!(stays_inside("bin/python", "../python/bin/python3"));
        assert!(stays_inside("a/b/c", "../../x"));
        assert!(!stays_inside("a/b", "../../x"));
        assert!(!stays_inside("a", "/etc/passwd"));
        assert!(!stays_inside("a", "C:/x"));
    }
}
