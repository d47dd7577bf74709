//! Direct references: a wheel, sdist, git repository or path given by address.

use camino::{Utf8Path, Utf8PathBuf};
use url::Url;

use super::folder;
use super::simple::{ListedFile, bare};
use crate::package::{Source, Vcs};

/// What an address refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A file on this machine.
    File(Utf8PathBuf),
    /// A directory on this machine.
    Directory(Utf8PathBuf),
    /// A file on a server.
    Remote(Box<ListedFile>),
    /// A git repository, with the revision asked for.
    Git {
        /// The repository.
        url: String,
        /// Branch, tag or commit.
        rev: Option<String>,
        /// The project's directory.
        subdirectory: Option<String>,
    },
}

/// Understands an address; a relative path is meant from `base`.
pub fn understand(place: &str, base: &Utf8Path) -> Option<Reference> {
    let (address, fragment) = place.split_once('#').unwrap_or((place, ""));
    let part = |key: &str| {
        fragment
            .split('&')
            .find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
            .map(str::to_owned)
    };
    if let Some(rest) = address.strip_prefix("git+") {
        let path = rest.find("://").map_or(0, |at| at + 3);
        let slash = rest[path..].find('/').map_or(rest.len(), |at| path + at);
        let (url, rev) = match rest[slash..].rfind('@') {
            Some(at) => (&rest[..slash + at], Some(rest[slash + at + 1..].to_owned())),
            None => (rest, None),
        };
        return Some(Reference::Git {
            url: url.to_owned(),
            rev,
            subdirectory: part("subdirectory"),
        });
    }
    if address.starts_with("http://") || address.starts_with("https://") {
        let url = Url::parse(address).ok()?;
        let filename = super::html::percent_decode(url.path_segments()?.next_back()?);
        let hashes = ["sha256", "sha512", "sha384", "md5"]
            .iter()
            .filter_map(|algorithm| {
                Some((
                    (*algorithm).to_owned(),
                    part(algorithm)?.to_ascii_lowercase(),
                ))
            })
            .collect();
        return Some(Reference::Remote(Box::new(ListedFile {
            filename,
            url: bare(url),
            hashes,
            ..ListedFile::default()
        })));
    }
    let path = folder::path_of(address).unwrap_or_else(|| base.join(address));
    if crate::host::fs::is_dir(&path) {
        return Some(Reference::Directory(path));
    }
    crate::host::fs::is_file(&path).then_some(Reference::File(path))
}

/// Returns the source that an address stands for in a lock.
pub fn direct_source(place: &str) -> Source {
    let (address, fragment) = place.split_once('#').unwrap_or((place, ""));
    let subdirectory = fragment
        .split('&')
        .find_map(|pair| pair.strip_prefix("subdirectory="))
        .map(str::to_owned);
    match understand(place, Utf8Path::new("")) {
        Some(Reference::Git {
            url,
            rev,
            subdirectory,
        }) => Source::Git(Vcs {
            url,
            commit: rev.clone().unwrap_or_default(),
            requested: rev,
            subdirectory,
        }),
        Some(Reference::Remote(_)) => Source::Url {
            url: crate::package::artifact::without_credentials(address),
            subdirectory,
        },
        _ => Source::Path {
            path: folder::path_of(address)
                .map_or_else(|| address.to_owned(), Utf8PathBuf::into_string),
            editable: false,
        },
    }
}
