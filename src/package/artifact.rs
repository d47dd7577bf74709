//! Files that can be installed, where they come from, and printing addresses safely.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

/// Digests of a file by algorithm, lower-case hex.
pub type Hashes = BTreeMap<String, String>;

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FileKind {
    /// Installed as it is.
    Wheel,
    /// Has to be built first.
    Sdist,
}

/// One file of one version, as an index or a folder offers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DistFile {
    /// The file's name.
    pub filename: String,
    /// Where it can be fetched, without credentials.
    pub url: String,
    /// Its digests.
    pub hashes: Hashes,
    /// Its size in bytes, where the index tells.
    pub size: Option<u64>,
    /// When it was uploaded, in seconds since 1970, where the index tells.
    pub upload_time: Option<i64>,
    /// Wheel or sdist.
    pub kind: FileKind,
}

impl DistFile {
    /// Returns the SHA-256 digest if the index told one.
    pub fn sha256(&self) -> Option<&str> {
        self.hashes.get("sha256").map(String::as_str)
    }
}

/// Where a distribution comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// An index, by its base URL.
    Index(String),
    /// A wheel or sdist at a URL.
    Url {
        /// The file's URL.
        url: String,
        /// The project's directory within an archive.
        subdirectory: Option<String>,
    },
    /// A commit of a git repository.
    Git(Vcs),
    /// A file or directory on this machine.
    Path {
        /// The path, relative to the root where it lies in it.
        path: String,
        /// Whether it is installed in place.
        editable: bool,
    },
}

/// A commit of a git repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vcs {
    /// The repository.
    pub url: String,
    /// What was asked for: branch, tag or commit.
    pub requested: Option<String>,
    /// What it came to.
    pub commit: String,
    /// The project's directory within the repository.
    pub subdirectory: Option<String>,
}

/// A source as JSON shows it (`product.md`'s `source`).
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Source")]
pub struct SourceView {
    /// What it is.
    #[schemars(extend("enum" = ["index", "url", "git", "path"]))]
    kind: &'static str,
    /// The index's base URL; null but for `index`.
    index: Option<String>,
    /// The address without credentials, or the path; null for `index`.
    url: Option<String>,
    /// The commit; null but for `git`.
    commit: Option<String>,
    /// The project's directory in the repository or archive.
    subdirectory: Option<String>,
}

impl Source {
    /// Returns the source as JSON shows it, credentials removed.
    pub fn view(&self) -> SourceView {
        let mut view = SourceView {
            kind: "index",
            index: None,
            url: None,
            commit: None,
            subdirectory: None,
        };
        match self {
            Self::Index(index) => view.index = Some(redact(index)),
            Self::Url { url, subdirectory } => {
                view.kind = "url";
                view.url = Some(redact(url));
                view.subdirectory.clone_from(subdirectory);
            }
            Self::Git(vcs) => {
                view.kind = "git";
                view.url = Some(redact(&vcs.url));
                view.commit = Some(vcs.commit.clone());
                view.subdirectory.clone_from(&vcs.subdirectory);
            }
            Self::Path { path, .. } => {
                view.kind = "path";
                view.url = Some(path.clone());
            }
        }
        view
    }

    /// Returns the source in a few words.
    pub fn shown(&self) -> String {
        match self {
            Self::Index(index) => redact(index),
            Self::Url { url, .. } => redact(url),
            Self::Git(vcs) => {
                let short: String = vcs.commit.chars().take(12).collect();
                format!("{}@{short}", redact(&vcs.url))
            }
            Self::Path { path, .. } => path.clone(),
        }
    }
}

/// Shows an address without user name, password or secret query values.
///
/// ```
/// use portenv::package::redact;
/// assert_eq!(redact("https://me:secret@host/simple"), "https://host/simple");
/// assert_eq!(redact("https://host/a.whl?token=x#sha256=00"), "https://host/a.whl?token=****#sha256=00");
/// assert_eq!(redact("git@host:a/b.git"), "git@host:a/b.git");
/// ```
pub fn redact(text: &str) -> String {
    if text.as_bytes().get(1) == Some(&b':') {
        // `C:\wheels`: a drive, not a scheme.
        return text.to_owned();
    }
    let Ok(mut url) = Url::parse(text) else {
        return hide_user_info(text);
    };
    let has_secret =
        !url.username().is_empty() || url.password().is_some() || url.query().is_some();
    if !has_secret && !text.contains(char::is_control) {
        return text.to_owned();
    }
    if !url.username().is_empty() && url.scheme().contains("ssh") {
        // `git@` of an ssh address is no secret and part of the address.
        let _ = url.set_password(None);
    } else {
        let _ = url.set_password(None);
        let _ = url.set_username("");
    }
    if url.query().is_some() {
        let query: Vec<String> = url
            .query_pairs()
            .map(|(key, value)| {
                if value.is_empty() {
                    key.into_owned()
                } else {
                    format!("{key}=****")
                }
            })
            .collect();
        url.set_query(Some(&query.join("&")));
    }
    let shown = url.to_string();
    // `Url` adds a slash to a bare host; show what was written.
    if shown.ends_with('/') && !text.ends_with('/') {
        shown.trim_end_matches('/').to_owned()
    } else {
        shown
    }
}

fn hide_user_info(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.find('/').unwrap_or(rest.len());
            match rest[..host].rfind('@') {
                Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
                None => text.to_owned(),
            }
        }
        None => text.to_owned(),
    }
}

/// Removes credentials from an address that is to be stored.
pub fn without_credentials(text: &str) -> String {
    match Url::parse(text) {
        Ok(mut url)
            if url.password().is_some()
                || (!url.username().is_empty() && !url.scheme().contains("ssh")) =>
        {
            let _ = url.set_password(None);
            if !url.scheme().contains("ssh") {
                let _ = url.set_username("");
            }
            url.to_string()
        }
        _ => text.to_owned(),
    }
}

/// Shows a byte count as people read it: `1.5 MB`.
pub fn show_bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 999.5 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// Makes text from strangers safe for a terminal: control characters are shown,
/// not obeyed.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if (c.is_control() && c != '\n' && c != '\t')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}
