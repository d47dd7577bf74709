//! A node without history as one archive, and back.
//!
//! The archive is the same for the same files: members in sorted order, no times, no owners,
//! of modes only whether a file may be run. It is named by its digest, so equal nodes are
//! stored once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write};

use camino::{Utf8Path, Utf8PathBuf};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::repack::StoreError;
use crate::host::digest;
use crate::host::fs::{self, FsError};

/// Where the store holds what nodes need, relative to it.
pub const NODES: &str = "nodes";
/// The one member of a node that is a single file.
const ITSELF: &str = "node.py";

/// What goes into an archive, relative to the node.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// Files; an empty path is the node itself.
    pub files: &'a [String],
    /// Links, each with where it leads in the node.
    pub links: &'a [(String, String)],
}

/// Archives a node into the store; returns the file relative to the store.
///
/// # Errors
///
/// Fails if a file cannot be read whole, or the disk is full: nothing is stored then.
pub fn pack(
    root: &Utf8Path,
    content: Content<'_>,
    scratch: &Utf8Path,
    store: &Utf8Path,
) -> Result<String, StoreError> {
    let staged = scratch.join("node.tar.gz");
    write(root, content, &staged)?;
    let name = digest::sha256_of_file(&staged)?;
    let file = format!("{NODES}/{}.tar.gz", &name[..32]);
    // Over one that is there, too: the time of the file says until when it was up to date.
    fs::rename(&staged, &store.join(&file))?;
    Ok(file)
}

/// Reports whether nothing of a node has changed since it was archived; `touched` is when
/// something did last.
pub fn is_current(file: &Utf8Path, touched: i128) -> bool {
    fs::stamp(file).is_ok_and(|(_, written)| touched < written)
}

/// Keeps a patch in the store; returns the file relative to the store.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn put_patch(patch: &[u8], store: &Utf8Path) -> Result<String, FsError> {
    let file = format!("{NODES}/{}.patch", digest::short(patch));
    let path = store.join(&file);
    if !fs::is_file(&path) {
        fs::write_atomic(&path, patch)?;
    }
    Ok(file)
}

/// Moves a file that is whole into the store under a name; returns it relative to the store.
///
/// # Errors
///
/// Fails if it cannot be moved.
pub fn adopt(staged: &Utf8Path, name: &str, store: &Utf8Path) -> Result<String, FsError> {
    let file = format!("{NODES}/{name}");
    let path = store.join(&file);
    if fs::is_file(&path) {
        fs::remove_all(staged)?;
    } else {
        fs::rename(staged, &path)?;
    }
    Ok(file)
}

/// Counts what a reader gave.
struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count += count as u64;
        Ok(count)
    }
}

fn write(root: &Utf8Path, content: Content<'_>, staged: &Utf8Path) -> Result<(), StoreError> {
    let fail = |source| fs::write_error(staged, source);
    let packed = GzEncoder::new(BufWriter::new(fs::create(staged)?), Compression::default());
    let mut archive = tar::Builder::new(packed);
    for file in content.files {
        let (path, name) = match file.as_str() {
            "" => (root.to_owned(), ITSELF),
            file => (root.join(file), file),
        };
        let size = fs::stamp(&path)?.0;
        let mode = if fs::is_executable(&path) {
            0o755
        } else {
            0o644
        };
        let mut header = header(tar::EntryType::Regular, size, mode);
        let mut reader = Counted {
            inner: fs::open(&path)?.take(size),
            count: 0,
        };
        archive
            .append_data(&mut header, name, &mut reader)
            .map_err(fail)?;
        if reader.count != size {
            let text = format!("`{path}` changed while it was read");
            return Err(StoreError::NotWhole(text));
        }
    }
    for (link, target) in content.links {
        let mut header = header(tar::EntryType::Symlink, 0, 0o777);
        archive
            .append_link(&mut header, link, target)
            .map_err(fail)?;
    }
    let ended = archive.into_inner().and_then(GzEncoder::finish);
    let mut file = ended.map_err(fail)?;
    file.flush().map_err(fail)?;
    file.get_ref().sync_all().map_err(fail)?;
    Ok(())
}

fn header(kind: tar::EntryType, size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header
}

/// Makes a node of an archive at `into`, which must not exist; `single` if it is a file.
///
/// # Errors
///
/// Fails if the archive is not what its name says, or a member would leave the node.
pub fn unpack(archive: &Utf8Path, single: bool, into: &Utf8Path) -> Result<(), StoreError> {
    prove(archive)?;
    if !single {
        fs::create_dir_all(into)?;
    }
    let damaged = |what: &str| StoreError::NotWhole(format!("`{archive}` {what}"));
    let fail = |source| StoreError::from(fs::read_error(archive, source));
    let mut members = tar::Archive::new(GzDecoder::new(fs::open(archive)?));
    let mut links = Vec::new();
    for member in members.entries().map_err(fail)? {
        let mut member = member.map_err(fail)?;
        let name = String::from_utf8_lossy(&member.path_bytes()).into_owned();
        if !is_inside(&name) {
            return Err(damaged(&format!(
                "has the member `{name}`, which leaves it"
            )));
        }
        match member.header().entry_type() {
            tar::EntryType::Regular => {
                let path = if single {
                    into.to_owned()
                } else {
                    into.join(&name)
                };
                write_member(&mut member, &path)?;
                if member.header().mode().is_ok_and(|mode| mode & 0o100 != 0) {
                    fs::make_executable(&path)?;
                }
            }
            tar::EntryType::Symlink if !single => {
                let target = member.link_name_bytes().unwrap_or_default();
                links.push((name, String::from_utf8_lossy(&target).into_owned()));
            }
            _ => return Err(damaged(&format!("has a member of another kind, `{name}`"))),
        }
    }
    // At the end: nothing is ever written through one.
    for (link, target) in links {
        if !leads_inside(&link, &target) {
            return Err(damaged(&format!("has the link `{link}`, which leaves it")));
        }
        let path = into.join(&link);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::make_link(&target, &path)?;
    }
    Ok(())
}

/// Returns the digest of each file in an archive, by its path in the node; of a node that is a
/// file by an empty path.
///
/// # Errors
///
/// Fails if the archive cannot be read.
pub fn digests(archive: &Utf8Path, single: bool) -> Result<BTreeMap<String, String>, StoreError> {
    let fail = |source| StoreError::from(fs::read_error(archive, source));
    let mut found = BTreeMap::new();
    let mut members = tar::Archive::new(GzDecoder::new(fs::open(archive)?));
    for member in members.entries().map_err(fail)? {
        let mut member = member.map_err(fail)?;
        if member.header().entry_type() != tar::EntryType::Regular {
            continue;
        }
        let name = if single {
            String::new()
        } else {
            String::from_utf8_lossy(&member.path_bytes()).into_owned()
        };
        let digest = digest::sha256_of(&mut member).map_err(fail)?;
        found.insert(name, digest);
    }
    Ok(found)
}

/// Proves that a file of the store is what its name says.
///
/// # Errors
///
/// Fails if it is not there or another.
pub fn prove(file: &Utf8Path) -> Result<(), StoreError> {
    let name = file.file_name().unwrap_or_default();
    let wanted = name.split('.').next().unwrap_or_default();
    if wanted.len() == 32 && digest::sha256_of_file(file)?.starts_with(wanted) {
        return Ok(());
    }
    Err(StoreError::NotWhole(format!(
        "`{file}` is damaged: its digest is another one"
    )))
}

fn write_member(member: &mut impl Read, to: &Utf8Path) -> Result<(), StoreError> {
    let file: File = fs::create(to)?;
    let mut out = BufWriter::new(file);
    let fail = |source| fs::write_error(to, source);
    std::io::copy(member, &mut out).map_err(fail)?;
    out.flush().map_err(fail)?;
    Ok(())
}

/// Reports whether a member stays in the directory it is unpacked into.
fn is_inside(member: &str) -> bool {
    let foreign = |part: &str| cfg!(windows) && part.contains([':', '\\']);
    let mut parts = member.split('/');
    parts.all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0') && !foreign(part))
}

/// Reports whether a link leads to a place in the directory that it is in.
fn leads_inside(link: &str, target: &str) -> bool {
    if target.starts_with(['/', '\\']) || target.contains([':', '\0']) {
        return false;
    }
    let mut depth = link.matches('/').count();
    for part in target.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return false,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}

/// Returns the path of a file of the store that is there.
pub fn find(store: &Utf8Path, file: &str) -> Option<Utf8PathBuf> {
    let path = store.join(file);
    (is_inside(file) && fs::is_file(&path)).then_some(path)
}
