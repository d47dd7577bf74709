//! A directory of wheels and sdists as an index.

use camino::{Utf8Path, Utf8PathBuf};
use url::Url;

use super::simple::ListedFile;
use crate::host::fs::{self, FsError};
use crate::package::Name;
use crate::package::wheel::{WheelName, is_sdist};

/// Lists the distributions in a directory.
///
/// # Errors
///
/// Fails if the directory cannot be listed.
pub fn list(dir: &Utf8Path) -> Result<Vec<ListedFile>, FsError> {
    let dir = fs::canonical(dir)?;
    let names = fs::list_dir(&dir)?;
    Ok(names
        .into_iter()
        .filter(|name| is_distribution(name))
        .filter_map(|name| listed(&dir.join(name)))
        .collect())
}

/// Reports whether a file of this name is a wheel or an archive that can be read.
pub fn is_distribution(filename: &str) -> bool {
    filename.ends_with(".whl") || is_sdist(filename)
}

/// Describes one file by its path; size and digest are told when it is chosen.
pub fn listed(path: &Utf8Path) -> Option<ListedFile> {
    let url = Url::from_file_path(path).ok()?;
    Some(ListedFile {
        filename: path.file_name()?.to_owned(),
        url: url.to_string(),
        size: fs::stamp(path).ok().map(|(size, _)| size),
        ..ListedFile::default()
    })
}

/// Returns the path that a `file:` URL means.
pub fn path_of(url: &str) -> Option<Utf8PathBuf> {
    let scheme = url.trim_start().get(..5)?;
    if !scheme.eq_ignore_ascii_case("file:") {
        return None;
    }
    let url = Url::parse(url).ok().filter(|url| url.scheme() == "file")?;
    Utf8PathBuf::from_path_buf(url.to_file_path().ok()?).ok()
}

/// Reports whether a file's name is of a package.
pub fn is_of(filename: &str, name: &Name) -> bool {
    WheelName::parse(filename).map_or_else(
        || crate::package::wheel::sdist_version(filename, name).is_some(),
        |wheel| wheel.name == *name,
    )
}
