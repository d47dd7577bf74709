//! An installed distribution as a wheel again, from its RECORD.
//!
//! Only the distribution's own files go in, byte for byte, and the rows of its RECORD with
//! them, so that it comes back with the digest by which snapshots know it; what the installer
//! added (INSTALLER, REQUESTED, scripts, compiled caches) is made anew by the next
//! install. Times in the archive are fixed, so equal content is an equal wheel.

use std::io::{Cursor, Write};

use camino::{Utf8Path, Utf8PathBuf};
use zip::write::SimpleFileOptions;

use crate::environment::Distribution;
use crate::environment::record::{is_of_installer, quoted};
use crate::host::digest;
use crate::host::fs::{self, FsError};

/// Why a distribution cannot be repacked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file.
    #[error(transparent)]
    File(#[from] FsError),
    /// It is not whole, or not made as a wheel.
    #[error("{0}")]
    NotWhole(String),
}

/// Repacks a distribution into the store; returns the file relative to the store
/// and its digest.
///
/// # Errors
///
/// Fails if the distribution is not whole: what is broken is not worth keeping.
pub fn repack(
    distribution: &Distribution,
    store: &Utf8Path,
) -> Result<(String, String), StoreError> {
    let not_whole = |what: &str| {
        StoreError::NotWhole(format!("{} cannot be repacked: {what}", distribution.name))
    };
    if !distribution.lacks.is_empty() {
        return Err(not_whole("its metadata is not whole"));
    }
    let site = distribution.dir.parent().unwrap_or(Utf8Path::new(""));
    let dist_info = distribution.dir.file_name().unwrap_or_default();
    let mut rows = distribution.rows();
    rows.sort_by(|a, b| a.path.cmp(&b.path));
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let failed = |error: &dyn std::fmt::Display| not_whole(&error.to_string());
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    let mut record = String::new();
    for row in rows.iter().filter(|row| !is_of_installer(&row.path)) {
        let path = Utf8Path::new(&row.path);
        if path.is_absolute() || path.components().any(|part| part.as_str() == "..") {
            return Err(not_whole("a file of it lies outside site-packages"));
        }
        let bytes = fs::read_bytes(&site.join(path))?;
        archive
            .start_file(row.path.as_str(), options)
            .map_err(|error| failed(&error))?;
        archive.write_all(&bytes).map_err(|error| failed(&error))?;
        // With the digest of what was installed: a file that was changed since comes back as
        // it is, and whoever reads it is told so, here as there.
        let (path, size) = (quoted(&row.path), bytes.len());
        record.push_str(&format!("{path},{},{size}\n", row.hash));
    }
    let own_record = format!("{dist_info}/RECORD");
    let record = format!("{record}{},,\n", quoted(&own_record));
    archive
        .start_file(own_record, options)
        .map_err(|error| failed(&error))?;
    archive
        .write_all(record.as_bytes())
        .map_err(|error| failed(&error))?;
    let bytes = archive
        .finish()
        .map_err(|error| failed(&error))?
        .into_inner();
    let sha256 = digest::sha256(&bytes);
    let tags = distribution
        .tags()
        .first()
        .map_or("py3-none-any", String::as_str);
    let filename = format!(
        "{}-{}-{tags}.whl",
        distribution.name.as_file_part(),
        distribution.version
    );
    let file = Utf8PathBuf::from("wheels")
        .join(&sha256[..32])
        .join(filename);
    let path = store.join(&file);
    if !fs::is_file(&path) {
        fs::write_atomic(&path, &bytes)?;
    }
    Ok((file.as_str().replace('\\', "/"), sha256))
}
