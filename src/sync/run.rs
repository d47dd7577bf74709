//! The lock made for one run of uv: what is wanted, and what is to stay.

use crate::lock::emit::{inline, pair, text};
use crate::package::artifact::without_credentials;
use crate::package::{Hashes, Name, Version};

/// Where uv takes a package from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunSource {
    /// A file at an address.
    File {
        /// Its name.
        filename: String,
        /// Its address.
        url: String,
        /// Its digests.
        hashes: Hashes,
        /// It has to be built.
        sdist: bool,
        /// The index that has it, by which uv finds it in its cache again.
        index: Option<String>,
    },
    /// A file on this machine, by absolute path.
    Local {
        /// Its path.
        path: String,
        /// Its digests.
        hashes: Hashes,
    },
    /// A wheel or sdist given by address.
    Archive {
        /// Its address.
        url: String,
        /// The project's directory.
        subdirectory: Option<String>,
        /// Its digests.
        hashes: Hashes,
    },
    /// A commit.
    Git {
        /// The repository.
        url: String,
        /// The commit.
        commit: String,
        /// The project's directory.
        subdirectory: Option<String>,
    },
    /// A directory.
    Directory {
        /// Its path.
        path: String,
        /// Installed in place.
        editable: bool,
    },
    /// It stays as it is. uv counts an entry whose name and version are installed
    /// as satisfied, whatever its address, so an address that leads nowhere will do.
    Stays,
}

/// One entry of a run's lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEntry {
    /// The package.
    pub name: Name,
    /// Its version.
    pub version: Version,
    /// Where uv takes it from.
    pub source: RunSource,
}

/// The lock made for one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunLock {
    /// The entries, sorted by name.
    pub entries: Vec<RunEntry>,
}

impl RunLock {
    /// Returns the text of the file that uv gets.
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        text(&mut out, "lock-version", "1.0");
        text(&mut out, "created-by", "portenv");
        if self.entries.is_empty() {
            out.push_str("packages = []\n");
        }
        for entry in &self.entries {
            out.push_str("\n[[packages]]\n");
            text(&mut out, "name", entry.name.as_str());
            text(&mut out, "version", &entry.version.to_string());
            out.push_str(&source(entry));
        }
        out
    }

    /// Reports whether an entry has to be built.
    pub fn needs_build(&self, changed: &[Name]) -> bool {
        self.entries.iter().any(|entry| {
            changed.contains(&entry.name)
                && match &entry.source {
                    RunSource::File { sdist, .. } => *sdist,
                    RunSource::Git { .. } | RunSource::Directory { .. } => true,
                    RunSource::Archive { url, .. } => !url.ends_with(".whl"),
                    RunSource::Local { path, .. } => !path.ends_with(".whl"),
                    RunSource::Stays => false,
                }
        })
    }
}

fn hashes(hashes: &Hashes) -> String {
    let parts: Vec<Option<String>> = hashes
        .iter()
        .map(|(algorithm, hex)| pair(algorithm, hex))
        .collect();
    format!("hashes = {}", inline(&parts))
}

fn source(entry: &RunEntry) -> String {
    match &entry.source {
        RunSource::File {
            filename,
            url,
            hashes: digests,
            sdist,
            index,
        } => {
            let file = inline(&[
                pair("name", filename),
                pair("url", &without_credentials(url)),
                Some(hashes(digests)),
            ]);
            let mut out = String::new();
            if let Some(index) = index {
                text(&mut out, "index", &without_credentials(index));
            }
            if *sdist {
                out.push_str(&format!("sdist = {file}\n"));
            } else {
                out.push_str(&format!("wheels = [{file}]\n"));
            }
            out
        }
        RunSource::Local {
            path,
            hashes: digests,
        } => {
            let filename = path.rsplit(['/', '\\']).next().unwrap_or(path);
            let file = inline(&[
                pair("name", filename),
                pair("path", path),
                Some(hashes(digests)),
            ]);
            if path.ends_with(".whl") {
                format!("wheels = [{file}]\n")
            } else {
                format!("sdist = {file}\n")
            }
        }
        RunSource::Archive {
            url,
            subdirectory,
            hashes: digests,
        } => {
            let parts = [
                pair("url", &without_credentials(url)),
                subdirectory
                    .as_ref()
                    .and_then(|dir| pair("subdirectory", dir)),
                Some(hashes(digests)),
            ];
            format!("archive = {}\n", inline(&parts))
        }
        RunSource::Git {
            url,
            commit,
            subdirectory,
        } => {
            let parts = [
                pair("type", "git"),
                pair("url", &without_credentials(url)),
                pair("commit-id", commit),
                subdirectory
                    .as_ref()
                    .and_then(|dir| pair("subdirectory", dir)),
            ];
            format!("vcs = {}\n", inline(&parts))
        }
        RunSource::Directory { path, editable } => {
            let editable = editable.then(|| "editable = true".to_owned());
            format!("directory = {}\n", inline(&[pair("path", path), editable]))
        }
        RunSource::Stays => {
            let filename = format!(
                "{}-{}-py3-none-any.whl",
                entry.name.as_file_part(),
                entry.version
            );
            let nothing = Hashes::from([("sha256".to_owned(), "0".repeat(64))]);
            let url = format!("https://stays.invalid/{}", filename.replace('+', "%2B"));
            format!(
                "wheels = [{}]\n",
                inline(&[
                    pair("name", &filename),
                    pair("url", &url),
                    Some(hashes(&nothing))
                ])
            )
        }
    }
}
