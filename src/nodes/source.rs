//! What a NODE argument means.

use camino::{Utf8Path, Utf8PathBuf};

use crate::host::fs;

/// A node to be added or previewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeSource {
    /// A directory.
    Directory(Utf8PathBuf),
    /// A single `.py` file.
    File(Utf8PathBuf),
    /// An archive on this machine.
    Archive(Utf8PathBuf),
    /// An archive at a URL.
    ArchiveUrl(String),
    /// A git repository.
    Git {
        /// The repository.
        url: String,
        /// Branch, tag or commit.
        rev: Option<String>,
    },
    /// An id of the node registry.
    Registry {
        /// The id.
        id: String,
        /// The version.
        version: Option<String>,
    },
}

const ARCHIVES: [&str; 3] = [".zip", ".tar.gz", ".tgz"];

/// Understands a NODE argument: an existing path, an archive URL, any other URL
/// as git with an optional `@rev`, else a registry id.
pub fn parse_node(text: &str, dir: &Utf8Path) -> NodeSource {
    let path = dir.join(text);
    if fs::exists(&path) {
        return if fs::is_dir(&path) {
            NodeSource::Directory(path)
        } else if ARCHIVES.iter().any(|ending| text.ends_with(ending)) {
            NodeSource::Archive(path)
        } else {
            NodeSource::File(path)
        };
    }
    let is_url = text.contains("://") || text.starts_with("git+") || is_scp(text);
    if is_url {
        let bare = text.split(['?', '#']).next().unwrap_or(text);
        if !text.starts_with("git+") && ARCHIVES.iter().any(|ending| bare.ends_with(ending)) {
            return NodeSource::ArchiveUrl(text.to_owned());
        }
        let address = text.strip_prefix("git+").unwrap_or(text);
        // An `@` in the path part names a revision; one before the host, a user.
        let first_slash = match address.find("://") {
            // Behind the scheme a `:` may stand before a password or a port.
            Some(at) => address[at + 3..].find('/').map(|slash| at + 3 + slash),
            None => address.find(':'),
        }
        .unwrap_or(address.len());
        let (url, rev) = match address[first_slash..].rfind('@') {
            Some(at) => (
                &address[..first_slash + at],
                Some(address[first_slash + at + 1..].to_owned()),
            ),
            None => (address, None),
        };
        return NodeSource::Git {
            url: url.to_owned(),
            rev,
        };
    }
    let (id, version) = text
        .split_once('@')
        .map_or((text, None), |(id, version)| (id, Some(version.to_owned())));
    NodeSource::Registry {
        id: id.to_owned(),
        version,
    }
}

/// `git@host:owner/name.git`.
fn is_scp(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(before, _)| before.contains('@') && !before.contains('/'))
}

impl NodeSource {
    /// Reports whether git has to ask another machine for it. An archive is not meant: the
    /// index answers for it, from its cache if it can.
    pub fn is_remote_repository(&self) -> bool {
        matches!(self, Self::Git { url, .. } if !url.starts_with("file:"))
    }

    /// Returns the source as people may see it.
    pub fn shown(&self) -> String {
        match self {
            Self::Directory(path) | Self::File(path) | Self::Archive(path) => path.to_string(),
            Self::ArchiveUrl(url) | Self::Git { url, .. } => crate::package::redact(url),
            Self::Registry { id, .. } => id.clone(),
        }
    }

    /// Returns the name of the directory or file that the node will have.
    pub fn directory_name(&self) -> Option<String> {
        let name = match self {
            Self::Directory(path) | Self::File(path) | Self::Archive(path) => {
                path.file_name()?.to_owned()
            }
            Self::ArchiveUrl(url) | Self::Git { url, .. } => {
                let bare = url
                    .split(['?', '#'])
                    .next()
                    .unwrap_or(url)
                    .trim_end_matches('/');
                bare.rsplit(['/', ':'])
                    .next()?
                    .trim_end_matches(".git")
                    .to_owned()
            }
            Self::Registry { id, .. } => id.clone(),
        };
        let name = ARCHIVES
            .iter()
            .find_map(|ending| name.strip_suffix(ending))
            .unwrap_or(&name)
            .to_owned();
        is_safe(&name).then_some(name)
    }
}

/// A node's name is one plain path component on every system.
pub fn is_safe(name: &str) -> bool {
    !name.is_empty()
        && name != "."
        && name != ".."
        && !name.starts_with(['-', '.'])
        && !name.ends_with(['.', ' '])
        && !name.chars().any(|c| {
            c.is_control() || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
        })
        && !name.ends_with(".disabled")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_argument_is_a_path_an_archive_a_repository_or_an_id() {
        let parse = |text| parse_node(text, Utf8Path::new("/nowhere"));
        let git = |url: &str, rev: Option<&str>| NodeSource::Git {
            url: url.to_owned(),
            rev: rev.map(str::to_owned),
        };
        assert_eq!(
            parse("https://host/a/b.git@v1"),
            git("https://host/a/b.git", Some("v1"))
        );
        assert_eq!(parse("git@host:a/b.git"), git("git@host:a/b.git", None));
        assert_eq!(
            parse("ssh://git@host/a/b@feature/x"),
            git("ssh://git@host/a/b", Some("feature/x"))
        );
        assert_eq!(parse("file:///tmp/r"), git("file:///tmp/r", None));
        assert_eq!(
            parse("https://host/x.zip"),
            NodeSource::ArchiveUrl("https://host/x.zip".to_owned())
        );
        assert_eq!(
            parse("pack@1.2.0"),
            NodeSource::Registry {
                id: "pack".to_owned(),
                version: Some("1.2.0".to_owned())
            }
        );
        assert_eq!(
            parse("https://me:token@host:8443/a/b.git@v1"),
            git("https://me:token@host:8443/a/b.git", Some("v1"))
        );
        assert_eq!(
            parse("https://me@host/a/b.git"),
            git("https://me@host/a/b.git", None)
        );
        assert_eq!(
            git("git@host:a/b.git", None).directory_name().as_deref(),
            Some("b")
        );
        assert_eq!(git("https://host/..", None).directory_name(), None);
    }
}
