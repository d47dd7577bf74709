//! Archives whose bytes depend on nothing but what goes in.

use std::io::{self, Read, Write};

use camino::{Utf8Path, Utf8PathBuf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{Content, Item, PackError};
use crate::host::tree::{Draft, open};
use crate::host::{FsError, digest, fs};

/// The kind of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// `.zip`: opens everywhere.
    #[default]
    Zip,
    /// `.tar.zst`: smaller and faster.
    TarZst,
}

impl Form {
    /// Returns the ending of a file's name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::TarZst => "tar.zst",
        }
    }

    /// Tells by a file's name, also by that of a volume (`.zip.001`).
    pub fn of_name(name: &str) -> Option<Self> {
        let whole = match name.rsplit_once('.') {
            Some((whole, number)) if is_volume(number) => whole,
            _ => name,
        };
        let forms = [Self::Zip, Self::TarZst].into_iter();
        let mut fitting = forms.filter(|form| whole.ends_with(&format!(".{}", form.ending())));
        fitting.next()
    }
}

/// Reports whether an ending is that of a volume: three digits or more.
pub(super) fn is_volume(ending: &str) -> bool {
    ending.len() >= 3 && ending.bytes().all(|byte| byte.is_ascii_digit())
}

/// The name of a volume, counted from 1.
pub(super) fn volume_of(path: &Utf8Path, number: usize) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{path}.{number:03}"))
}

/// Hears how far the writing is; returns `false` to end it.
pub type Tell<'a> = dyn Fn(u64, &str) -> bool + 'a;

/// Members that no packing makes smaller.
const PACKED: [&str; 12] = [
    ".whl",
    ".zip",
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".gz",
    ".xz",
    ".zst",
    ".bz2",
    ".mp4",
    ".safetensors",
];

/// Writes all members below the directory `top`, in their order, each with the time `epoch`
/// (seconds since 1970).
///
/// # Errors
///
/// Fails if a file cannot be read or written, or the work was asked to stop.
pub fn write(
    items: &[Item],
    top: &str,
    form: Form,
    epoch: i64,
    into: &mut Draft,
    tell: &Tell<'_>,
) -> Result<(), PackError> {
    match form {
        Form::Zip => write_zip(items, top, epoch, into, tell),
        Form::TarZst => write_tar(items, top, epoch, into, tell),
    }
}

fn damaged(path: &str) -> impl Fn(&dyn std::fmt::Display) -> PackError + '_ {
    move |error| PackError::Damaged(format!("`{path}` cannot be packed: {error}"))
}

/// Tells a full disk from anything else that writing an archive may come to.
fn failed(path: &str, error: io::Error) -> PackError {
    if error.kind() == io::ErrorKind::StorageFull || error.kind() == io::ErrorKind::QuotaExceeded {
        return PackError::File(FsError {
            verb: "write",
            path: path.into(),
            source: error,
        });
    }
    damaged(path)(&error)
}

/// Copies a file of this machine, which must not have changed its size since it was listed.
fn copy(item: &Item, from: &Utf8Path, into: &mut impl Write) -> Result<(), PackError> {
    let mut source = open(from)?.take(item.size + 1);
    let copied = io::copy(&mut source, into).map_err(|error| failed(&item.path, error))?;
    if copied != item.size {
        let text = format!("`{from}` changed while it was packed; nothing may run meanwhile");
        return Err(PackError::Damaged(text));
    }
    Ok(())
}

fn write_zip(
    items: &[Item],
    top: &str,
    epoch: i64,
    into: &mut Draft,
    tell: &Tell<'_>,
) -> Result<(), PackError> {
    let mut archive = ZipWriter::new(&mut *into);
    let plain = SimpleFileOptions::default().last_modified_time(zip_time(epoch));
    let mut done = 0;
    for item in items {
        if !tell(done, &item.path) {
            return Err(PackError::Interrupted);
        }
        let name = format!("{top}/{}", item.path);
        let mode = if item.program { 0o755 } else { 0o644 };
        let lower = item.path.to_ascii_lowercase();
        let method = if PACKED.iter().any(|ending| lower.ends_with(ending)) {
            CompressionMethod::Stored
        } else {
            CompressionMethod::Deflated
        };
        let options = plain
            .unix_permissions(mode)
            .compression_method(method)
            .large_file(item.size >= u64::from(u32::MAX));
        let wrong = damaged(&item.path);
        match &item.content {
            Content::Empty => archive
                .add_directory(name, plain.unix_permissions(0o755))
                .map_err(|error| wrong(&error))?,
            Content::Link(target) => archive
                .add_symlink(name, target.as_str(), plain)
                .map_err(|error| wrong(&error))?,
            Content::Bytes(bytes) => {
                archive
                    .start_file(name, options)
                    .map_err(|error| wrong(&error))?;
                let written = archive.write_all(bytes);
                written.map_err(|error| failed(&item.path, error))?;
            }
            Content::File(from) => {
                archive
                    .start_file(name, options)
                    .map_err(|error| wrong(&error))?;
                copy(item, from, &mut archive)?;
            }
        }
        done += item.size;
    }
    match archive.finish() {
        Ok(_) => Ok(()),
        Err(zip::result::ZipError::Io(error)) => Err(failed(top, error)),
        Err(error) => Err(damaged(top)(&error)),
    }
}

/// The time of a member; a zip knows none before 1980.
fn zip_time(epoch: i64) -> DateTime {
    let at = jiff::Timestamp::from_second(epoch).unwrap_or_default();
    let at = at.to_zoned(jiff::tz::TimeZone::UTC);
    let part = |number: i8| u8::try_from(number).unwrap_or(0);
    u16::try_from(at.year())
        .ok()
        .and_then(|year| {
            let (month, day) = (part(at.month()), part(at.day()));
            let (hour, minute) = (part(at.hour()), part(at.minute()));
            DateTime::from_date_and_time(year, month, day, hour, minute, part(at.second())).ok()
        })
        .unwrap_or_default()
}

fn write_tar(
    items: &[Item],
    top: &str,
    epoch: i64,
    into: &mut Draft,
    tell: &Tell<'_>,
) -> Result<(), PackError> {
    let wrong = |error: io::Error| failed(top, error);
    let packed = zstd::stream::write::Encoder::new(&mut *into, 6).map_err(wrong)?;
    let mut archive = tar::Builder::new(packed);
    let mut done = 0;
    for item in items {
        if !tell(done, &item.path) {
            return Err(PackError::Interrupted);
        }
        let name = format!("{top}/{}", item.path);
        let mut header = tar::Header::new_gnu();
        header.set_mtime(u64::try_from(epoch).unwrap_or(0));
        header.set_uid(0);
        header.set_gid(0);
        header.set_mode(if item.program { 0o755 } else { 0o644 });
        header.set_size(item.size);
        let add = match &item.content {
            Content::Empty => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(0o755);
                header.set_size(0);
                archive.append_data(&mut header, format!("{name}/"), io::empty())
            }
            Content::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                archive.append_link(&mut header, name, target)
            }
            Content::Bytes(bytes) => archive.append_data(&mut header, name, bytes.as_slice()),
            Content::File(from) => {
                // A size that no longer fits would shift all that follows.
                let mut source = Exact::new(open(from)?, item.size);
                let added = archive.append_data(&mut header, name, &mut source);
                if source.is_off {
                    let text =
                        format!("`{from}` changed while it was packed; nothing may run meanwhile");
                    return Err(PackError::Damaged(text));
                }
                added
            }
        };
        add.map_err(|error| failed(&item.path, error))?;
        done += item.size;
    }
    let packed = archive.into_inner().map_err(wrong)?;
    packed.finish().map_err(wrong)?;
    Ok(())
}

/// Reads exactly so many bytes, and knows whether there were as many.
struct Exact<R> {
    from: R,
    left: u64,
    is_off: bool,
}

impl<R: Read> Exact<R> {
    fn new(from: R, size: u64) -> Self {
        Self {
            from,
            left: size,
            is_off: false,
        }
    }
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            // One byte more tells that the file has grown.
            self.is_off |= self.from.read(&mut [0])? > 0;
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let got = self.from.read(&mut buffer[..most])?;
        self.is_off |= got == 0;
        self.left -= got as u64;
        Ok(got)
    }
}

/// A file of an archive that was written: the whole, or one of its volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub path: Utf8PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its digest (SHA-256, hex).
    pub sha256: String,
}

/// Puts what was written in its place, cut into volumes of at most `split` bytes if that is
/// given, and the digests beside it in a file that `sha256sum -c` reads.
///
/// # Errors
///
/// Fails if a file cannot be written.
pub fn keep(draft: Draft, path: &Utf8Path, split: Option<u64>) -> Result<Vec<Written>, PackError> {
    let mut written = Vec::new();
    let mut source = draft.reread()?;
    let reading = |error: io::Error| failed(path.as_str(), error);
    match split {
        None => {
            let (sha256, bytes) = digest::sha256_of_reader(&mut source).map_err(reading)?;
            draft.keep()?;
            written.push(Written {
                path: path.to_owned(),
                bytes,
                sha256,
            });
        }
        Some(split) => {
            let mut parts = Vec::new();
            for number in 1.. {
                let volume = volume_of(path, number);
                let mut part = Draft::begin(&volume)?;
                let copied = io::copy(&mut (&mut source).take(split), &mut part);
                let bytes = copied.map_err(reading)?;
                if bytes == 0 {
                    break;
                }
                let mut again = part.reread()?;
                let (sha256, _) = digest::sha256_of_reader(&mut again).map_err(reading)?;
                parts.push(part);
                written.push(Written {
                    path: volume,
                    bytes,
                    sha256,
                });
            }
            // All of them are written before the first is in its place.
            for part in parts {
                part.keep()?;
            }
            // An earlier archive of this name had more of them.
            for number in written.len() + 1.. {
                let volume = volume_of(path, number);
                if !fs::is_file(&volume) {
                    break;
                }
                fs::remove_all(&volume)?;
            }
        }
    }
    let lines: Vec<String> = written
        .iter()
        .map(|file| {
            let name = file.path.file_name().unwrap_or_default();
            format!("{}  {name}\n", file.sha256)
        })
        .collect();
    let sums = Utf8PathBuf::from(format!("{path}.sha256"));
    fs::write_atomic(&sums, lines.concat().as_bytes())?;
    Ok(written)
}
