//! An installed distribution as a wheel again, from its RECORD.
//!
//! Only the distribution's own files go in, byte for byte, and the rows of its RECORD with
//! them, so that it comes back with the digest by which snapshots know it; what the installer
//! added (INSTALLER, REQUESTED, scripts) is in its [imprint](super::imprint), and compiled
//! caches are made anew. Times in the archive are fixed, so equal content is an equal wheel.

use std::collections::BTreeSet;
use std::io::Write;

use camino::{Utf8Path, Utf8PathBuf};
use zip::write::SimpleFileOptions;

use super::Put;
use crate::environment::Distribution;
use crate::environment::record::{CLEANED, is_of_installer, quoted};
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

/// Repacks a distribution into the store, by way of `tmp` beside it.
///
/// # Errors
///
/// Fails if the distribution is not whole: what is broken is not worth keeping.
pub fn repack(distribution: &Distribution, store: &Utf8Path) -> Result<Put, StoreError> {
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
    let tmp = store.parent().unwrap_or(store).join("tmp");
    let scratch = fs::scratch(&tmp)?;
    let staged = Utf8PathBuf::from_path_buf(scratch.path().join("wheel"))
        .map_err(|_| not_whole("its path is not UTF-8"))?;
    let mut archive = zip::ZipWriter::new(fs::create(&staged)?);
    let failed = |error: &dyn std::fmt::Display| not_whole(&error.to_string());
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    let mut record = String::new();
    // One that was cleaned comes back as it is, with the note that says what it was.
    let note = format!("{dist_info}/{CLEANED}");
    let own = |path: &str| path == note || !is_of_installer(path);
    for row in rows.iter().filter(|row| own(&row.path)) {
        let path = Utf8Path::new(&row.path);
        if path.is_absolute() || path.components().any(|part| part.as_str() == "..") {
            return Err(not_whole("a file of it lies outside site-packages"));
        }
        let place = site.join(path);
        let mode = if fs::is_program(&place) { 0o755 } else { 0o644 };
        let large = fs::stamp(&place)?.0 >= u64::from(u32::MAX);
        archive
            .start_file(
                row.path.as_str(),
                options.unix_permissions(mode).large_file(large),
            )
            .map_err(|error| failed(&error))?;
        let size = fs::copy_into(&place, &mut archive)?;
        // With the digest of what was installed: a file that was changed since comes back as
        // it is, and whoever reads it is told so, here as there.
        record.push_str(&format!("{},{},{size}\n", quoted(&row.path), row.hash));
    }
    let own_record = format!("{dist_info}/RECORD");
    let record = format!("{record}{},,\n", quoted(&own_record));
    archive
        .start_file(own_record, options)
        .map_err(|error| failed(&error))?;
    archive
        .write_all(record.as_bytes())
        .map_err(|error| failed(&error))?;
    let written = archive.finish().map_err(|error| failed(&error))?;
    written.sync_all().map_err(|error| failed(&error))?;
    drop(written);
    let sha256 = digest::sha256_of_file(&staged)?;
    let (bytes, _) = fs::stamp(&staged)?;
    let tags = tags_of(distribution.tags());
    let filename = format!(
        "{}-{}-{tags}.whl",
        distribution.name.as_file_part(),
        distribution.version
    );
    let file = Utf8PathBuf::from("wheels")
        .join(&sha256[..32])
        .join(filename);
    let path = store.join(&file);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    // One that is there already may be damaged.
    fs::rename(&staged, &path)?;
    Ok(Put {
        file: file.as_str().replace('\\', "/"),
        sha256,
        bytes,
    })
}

/// Returns the compressed tag of all tags. An installer goes by it alone, and what is installed
/// fits, whatever its builder thought that it is for.
fn tags_of(tags: &[String]) -> String {
    let mut parts = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
    for tag in tags {
        let words: Vec<&str> = tag.split('-').collect();
        if let [python, abi, platform] = words[..] {
            parts[0].insert(python);
            parts[1].insert(abi);
            parts[2].insert(platform);
        }
    }
    let fits = |python: &&str| python.contains("p3");
    if !parts[0].iter().any(fits) {
        return "py3-none-any".to_owned();
    }
    let parts = parts.map(|set| set.into_iter().collect::<Vec<_>>().join("."));
    parts.join("-")
}
