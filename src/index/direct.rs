//! Direct references: a wheel, sdist, git repository or path given by address.

use std::str::FromStr;
use std::sync::Arc;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use url::Url;

use super::archive::LIMIT;
use super::checkout::check_out;
use super::folder;
use super::page::Page;
use super::project::Members;
use super::remote::RemoteIndex;
use super::simple::{ListedFile, bare};
use super::source::{Direct, Index, MetadataError};
use crate::host::{digest, fs};
use crate::package::artifact::{printable, without_credentials};
use crate::package::wheel::{WheelName, is_sdist, sdist_version};
use crate::package::{DistFile, FileKind, Metadata, Name, Source, Vcs, Version, redact};

/// How keys of directories on this machine begin.
pub(super) const DIRECTORY: &str = "directory:";

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

/// Returns a value of an address's fragment: `key=value` pairs joined by `&`.
fn part(fragment: &str, key: &str) -> Option<String> {
    fragment
        .split('&')
        .find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
        .map(|value| value.trim_end_matches('/').to_owned())
}

/// Understands an address; a relative path is meant from `base`.
pub fn understand(place: &str, base: &Utf8Path) -> Option<Reference> {
    let (address, fragment) = place.split_once('#').unwrap_or((place, ""));
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
            subdirectory: part(fragment, "subdirectory"),
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
                    part(fragment, algorithm)?.to_ascii_lowercase(),
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

/// Finds what an address leads to.
pub(super) fn find(
    index: &RemoteIndex,
    name: Option<&Name>,
    place: &str,
    base: &Utf8Path,
) -> Result<Direct, MetadataError> {
    let shown = redact(place);
    let unusable = |text: String| MetadataError::Unusable(format!("`{shown}` {text}"));
    let (address, fragment) = place.split_once('#').unwrap_or((place, ""));
    let subdirectory = part(fragment, "subdirectory");
    if subdirectory.as_deref().is_some_and(|dir| !is_below(dir)) {
        return Err(unusable("names a subdirectory outside of it".to_owned()));
    }
    let found = match understand(place, base) {
        None => {
            return Err(MetadataError::Unusable(format!(
                "there is no file `{shown}`"
            )));
        }
        Some(Reference::Remote(listed)) => {
            let source = Source::Url {
                url: without_credentials(address),
                subdirectory: subdirectory.clone(),
            };
            file(index, name, *listed, subdirectory.as_deref(), source)
        }
        Some(Reference::File(path)) => {
            let listed = folder::listed(&path).ok_or_else(|| unusable("is no path".to_owned()))?;
            let source = Source::Path {
                path: path.into_string(),
                editable: false,
            };
            file(index, name, listed, subdirectory.as_deref(), source)
        }
        Some(Reference::Directory(dir)) => {
            let dir = match &subdirectory {
                Some(inner) => dir.join(inner),
                None => dir,
            };
            let key = format!("{DIRECTORY}{dir}:{}", fingerprint(&dir));
            let source = Source::Path {
                path: dir.to_string(),
                editable: false,
            };
            tree(index, key, &dir, source)
        }
        Some(Reference::Git {
            url,
            rev,
            subdirectory,
        }) => {
            let found = check_out(&index.cache_dir(), &url, rev.as_deref(), index.is_offline())?;
            let inner = subdirectory.as_deref().unwrap_or("");
            let key = format!("git:{}@{}#{inner}", redact(&url), found.commit);
            let dir = found.dir.join(inner);
            let source = Source::Git(Vcs {
                url: without_credentials(&url),
                commit: found.commit,
                requested: rev,
                subdirectory,
            });
            tree(index, key, &dir, source)
        }
    }
    .map_err(|error| match error {
        MetadataError::Unusable(text) => unusable(format!("cannot be used: {text}")),
        error => error,
    })?;
    match name {
        Some(name) if *name != found.name => {
            Err(unusable(format!("is {}, not {name}", found.name)))
        }
        _ => Ok(found),
    }
}

/// A wheel or archive. One whose name tells package and version is read when the
/// solver asks for it; of any other the content has to tell.
fn file(
    index: &RemoteIndex,
    name: Option<&Name>,
    mut listed: ListedFile,
    subdirectory: Option<&str>,
    source: Source,
) -> Result<Direct, MetadataError> {
    let wheel = WheelName::parse(&listed.filename);
    let told = match (&wheel, name) {
        (Some(wheel), _) => Some(wheel.name.clone()),
        (None, Some(name)) if subdirectory.is_none() => {
            sdist_version(&listed.filename, name).map(|_| name.clone())
        }
        _ => None,
    };
    let address = listed.url.clone();
    let name = if let Some(name) = told {
        name
    } else {
        let kind = FileKind::Sdist;
        if !is_sdist(&listed.filename) {
            // An address may end in anything; what it leads to is an archive or nothing.
            listed.filename.push_str(".tar.gz");
        }
        let found = index.download(&DistFile {
            filename: listed.filename.clone(),
            url: address.clone(),
            hashes: listed.hashes.clone(),
            size: None,
            upload_time: None,
            kind,
        })?;
        let bytes = fs::read_bytes(&found.path)
            .map_err(|error| MetadataError::Unusable(error.to_string()))?;
        let ending = if bytes.starts_with(b"PK") {
            ".zip"
        } else {
            ".tar.gz"
        };
        let members =
            Members::of_archive(ending, &bytes, subdirectory).map_err(MetadataError::Unusable)?;
        listed
            .hashes
            .insert("sha256".to_owned(), found.sha256.clone());
        listed.size = Some(found.size);
        let metadata = index.project(&found.sha256, &members, &found.path, subdirectory)?;
        let (name, version) = identity(&metadata)?;
        listed.filename = format!("{}-{version}{ending}", name.as_file_part());
        index.keep(found.sha256, metadata);
        name
    };
    let page = Page::new(&redact(&address), &name, vec![listed]);
    if page.is_empty() {
        return Err(MetadataError::Unusable(
            "it is neither a wheel nor an archive of a project".to_owned(),
        ));
    }
    Ok(Direct {
        name,
        page: Arc::new(page),
        source,
    })
}

/// A directory or commit, as a page with one sdist that is never fetched.
fn tree(
    index: &RemoteIndex,
    key: String,
    dir: &Utf8Path,
    source: Source,
) -> Result<Direct, MetadataError> {
    let metadata = index.project(&key, &Members::of_directory(dir), dir, None)?;
    let (name, version) = identity(&metadata)?;
    let listed = ListedFile {
        filename: format!("{}-{version}.tar.gz", name.as_file_part()),
        url: key.clone(),
        ..ListedFile::default()
    };
    index.keep(key, metadata);
    Ok(Direct {
        page: Arc::new(Page::new(&source.shown(), &name, vec![listed])),
        name,
        source,
    })
}

fn identity(metadata: &Metadata) -> Result<(Name, Version), MetadataError> {
    let name = Name::parse(&metadata.name);
    let version = Version::from_str(&metadata.version).ok();
    name.zip(version).ok_or_else(|| {
        let found = printable(&format!("{} {}", metadata.name, metadata.version));
        MetadataError::Unusable(format!("its metadata is of `{found}`"))
    })
}

/// Reports whether a path stays below where it begins.
fn is_below(dir: &str) -> bool {
    !dir.contains('\\')
        && !dir.contains(':')
        && Utf8Path::new(dir)
            .components()
            .all(|part| matches!(part, Utf8Component::Normal(_) | Utf8Component::CurDir))
}

/// What a project's metadata may depend on, as one digest: the files at its top, for
/// a `setup.py` reads lists of requirements and versions from some of these.
fn fingerprint(dir: &Utf8Path) -> String {
    let mut all = Vec::new();
    for name in fs::list_dir(dir).unwrap_or_default() {
        let path = dir.join(&name);
        let fits = fs::is_file(&path) && fs::stamp(&path).is_ok_and(|(size, _)| size <= LIMIT);
        if fits && let Ok(bytes) = fs::read_bytes(&path) {
            all.push(format!("{name} {}", digest::sha256(&bytes)));
        }
    }
    all.sort();
    digest::short(all.join("\n").as_bytes())
}
