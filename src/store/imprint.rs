//! What installing left of a distribution beside its wheel's files, and what hands made of
//! these: launchers and data files, INSTALLER and its kin, RECORD itself, edited files.
//!
//! A wheel that is installed again brings none of that back as it was: each installer writes
//! launchers and notes of its own. Of a distribution that was not made from a wheel the
//! imprint is all there is.

use std::io::{Cursor, Read, Write};

use camino::{Utf8Path, Utf8PathBuf};
use zip::write::SimpleFileOptions;

use super::{Put, StoreError};
use crate::host::{digest, fs};

/// One file of an imprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its path, relative to site-packages, as RECORD has it.
    pub path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// It may be run.
    pub runs: bool,
}

/// Keeps an imprint in the store.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn put_imprint(parts: &[Part], store: &Utf8Path) -> Result<Put, StoreError> {
    let failed = |error: &dyn std::fmt::Display| StoreError::NotWhole(error.to_string());
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for part in parts {
        let mode = if part.runs { 0o755 } else { 0o644 };
        archive
            .start_file(part.path.as_str(), options.unix_permissions(mode))
            .map_err(|error| failed(&error))?;
        archive
            .write_all(&part.bytes)
            .map_err(|error| failed(&error))?;
    }
    let bytes = archive
        .finish()
        .map_err(|error| failed(&error))?
        .into_inner();
    let sha256 = digest::sha256(&bytes);
    let file = format!("imprints/{}.zip", &sha256[..32]);
    fs::write_quickly(&store.join(&file), &bytes)?;
    Ok(Put {
        file,
        sha256,
        bytes: bytes.len() as u64,
    })
}

/// Reads an imprint; `None` if it is not there or not the one that was kept.
pub fn find_imprint(path: &Utf8Path, sha256: &str) -> Option<Vec<Part>> {
    let bytes = fs::find_bytes(path).ok()??;
    if digest::sha256(&bytes) != sha256 {
        return None;
    }
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut parts = Vec::new();
    for at in 0..archive.len() {
        let mut member = archive.by_index(at).ok()?;
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).ok()?;
        parts.push(Part {
            path: member.name().ok()?.into_owned(),
            runs: member.unix_mode().is_some_and(|mode| mode & 0o111 != 0),
            bytes,
        });
    }
    Some(parts)
}

/// Puts one file where it was, if it is not there as it was; `false` if it was.
///
/// # Errors
///
/// Fails if it leads out of the environment, or cannot be written.
pub fn restore(part: &Part, site: &Utf8Path, within: &Utf8Path) -> Result<bool, StoreError> {
    let place = place_of(&part.path, site, within).ok_or_else(|| {
        StoreError::NotWhole(format!("`{}` leads out of the environment", part.path))
    })?;
    let same = fs::find_bytes(&place).is_ok_and(|found| found.as_ref() == Some(&part.bytes));
    if same && (fs::is_program(&place) == part.runs || cfg!(not(unix))) {
        return Ok(false);
    }
    // Anew, and not in place: what is there may be a link into a cache.
    fs::remove_all(&place)?;
    fs::write_quickly(&place, &part.bytes)?;
    if part.runs {
        fs::make_executable(&place)?;
    }
    Ok(true)
}

/// Returns where a file of an imprint belongs; `None` outside the environment.
pub fn place_of(path: &str, site: &Utf8Path, within: &Utf8Path) -> Option<Utf8PathBuf> {
    let mut place = site.to_owned();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                place.pop();
            }
            part => place.push(part),
        }
    }
    (place.starts_with(within) && place != *within).then_some(place)
}
