//! Lock → text, stable to the byte.

use camino::Utf8Path;

use super::emit::{inline, list, pair, quote, text};
use super::model::{Lock, LockedPackage, SCHEMA};
use crate::host::fs::{self, FsError};
use crate::package::artifact::without_credentials;
use crate::package::{DistFile, Source};
use crate::requirements::OriginKind;
use crate::resolve::RequiredBy;

impl Lock {
    /// Returns the text of `pylock.toml`.
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        match self.waivers.len() {
            0 => {}
            1 => out.push_str("# 1 requirement is waived: see waivers at the end.\n"),
            count => out.push_str(&format!(
                "# {count} requirements are waived: see waivers at the end.\n"
            )),
        }
        match self.left_out.len() {
            0 => {}
            1 => out.push_str("# 1 node is left out: see left-out at the end.\n"),
            count => out.push_str(&format!(
                "# {count} nodes are left out: see left-out at the end.\n"
            )),
        }
        text(&mut out, "lock-version", "1.0");
        let environments: Vec<String> = self
            .environments
            .iter()
            .map(|marker| quote(marker))
            .collect();
        list(&mut out, "environments", &environments);
        if let Some(python) = &self.requires_python {
            text(&mut out, "requires-python", python);
        }
        text(&mut out, "created-by", "portenv");
        if self.packages.is_empty() {
            // The key is mandatory; an array of tables would be absent.
            out.push_str("packages = []\n");
        }
        for package in &self.packages {
            write_package(&mut out, package);
        }
        self.write_tool(&mut out);
        out
    }

    fn write_tool(&self, out: &mut String) {
        out.push_str("\n[tool.portenv]\n");
        out.push_str(&format!("schema = {SCHEMA}\n"));
        list(
            out,
            "targets",
            &self
                .targets
                .iter()
                .map(|target| quote(target))
                .collect::<Vec<_>>(),
        );
        if let Some(digest) = &self.input_digest {
            text(out, "input-digest", digest);
        }
        if let Some(instant) = &self.exclude_newer {
            text(out, "exclude-newer", instant);
        }
        let indexes: Vec<String> = self
            .indexes
            .iter()
            .map(|(name, url)| {
                inline(&[pair("name", name), pair("url", &without_credentials(url))])
            })
            .collect();
        list(out, "indexes", &indexes);
        let applied: Vec<String> = self
            .applied
            .iter()
            .map(|applied| {
                let only_for: Vec<String> =
                    applied.only_for.iter().map(|name| quote(name)).collect();
                inline(&[
                    pair("kind", &applied.kind),
                    pair("name", &applied.name),
                    pair("text", &applied.text),
                    applied
                        .reason
                        .as_ref()
                        .and_then(|reason| pair("reason", reason)),
                    (!only_for.is_empty()).then(|| format!("for = [{}]", only_for.join(", "))),
                ])
            })
            .collect();
        list(out, "applied", &applied);
        let kept: Vec<String> = self
            .kept
            .iter()
            .map(|(name, version)| {
                inline(&[
                    pair("name", name.as_str()),
                    pair("version", &version.to_string()),
                ])
            })
            .collect();
        list(out, "kept", &kept);
        let waivers: Vec<String> = self.waivers.iter().map(super::waivers::emit).collect();
        list(out, "waivers", &waivers);
        let left_out: Vec<String> = self.left_out.iter().map(super::left_out::emit).collect();
        list(out, "left-out", &left_out);
        if let Some(members) = &self.members {
            super::members::emit(out, members);
        }
    }

    /// Writes the lock if it differs from what is there; `true` if it did.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or replaced.
    pub fn write(&self, path: &Utf8Path) -> Result<bool, FsError> {
        let new = self.to_toml();
        if fs::find_bytes(path)?.is_some_and(|old| old == new.as_bytes()) {
            return Ok(false);
        }
        fs::write_atomic(path, new.as_bytes())?;
        Ok(true)
    }
}

fn write_package(out: &mut String, package: &LockedPackage) {
    out.push_str("\n[[packages]]\n");
    text(out, "name", package.name.as_str());
    if let Some(version) = &package.version {
        text(out, "version", &version.to_string());
    }
    if let Some(marker) = &package.marker {
        text(out, "marker", marker);
    }
    let dependencies: Vec<String> = package
        .dependencies
        .iter()
        .map(|to| {
            inline(&[
                pair("name", to.name.as_str()),
                to.version
                    .as_ref()
                    .and_then(|version| pair("version", &version.to_string())),
            ])
        })
        .collect();
    list(out, "dependencies", &dependencies);
    match &package.source {
        Source::Index(index) => {
            if index.contains("://") {
                text(out, "index", &without_credentials(index));
            }
            if let Some(sdist) = package.sdist() {
                out.push_str(&format!("sdist = {}\n", file(sdist)));
            }
            let wheels: Vec<String> = package.wheels().map(file).collect();
            list(out, "wheels", &wheels);
        }
        Source::Url { url, subdirectory } => {
            let hashes = package.files.first().map(hashes);
            let parts = [
                pair("url", &without_credentials(url)),
                size(package),
                subdirectory
                    .as_ref()
                    .and_then(|dir| pair("subdirectory", dir)),
                hashes,
            ];
            out.push_str(&format!("archive = {}\n", inline(&parts)));
        }
        Source::Path {
            path,
            editable: false,
        } if !package.files.is_empty() => {
            let hashes = package.files.first().map(hashes);
            out.push_str(&format!(
                "archive = {}\n",
                inline(&[pair("path", path), size(package), hashes])
            ));
        }
        Source::Path { path, editable } => {
            let editable = editable.then(|| "editable = true".to_owned());
            out.push_str(&format!(
                "directory = {}\n",
                inline(&[pair("path", path), editable])
            ));
        }
        Source::Git(vcs) => {
            let parts = [
                pair("type", "git"),
                pair("url", &without_credentials(&vcs.url)),
                vcs.requested
                    .as_ref()
                    .and_then(|rev| pair("requested-revision", rev)),
                pair("commit-id", &vcs.commit),
                vcs.subdirectory
                    .as_ref()
                    .and_then(|dir| pair("subdirectory", dir)),
            ];
            out.push_str(&format!("vcs = {}\n", inline(&parts)));
        }
    }
    if !package.required_by.is_empty() {
        out.push_str("[packages.tool.portenv]\n");
        let required_by: Vec<String> = package.required_by.iter().map(required_by).collect();
        list(out, "required-by", &required_by);
    }
}

fn size(package: &LockedPackage) -> Option<String> {
    package
        .files
        .first()
        .and_then(|file| file.size)
        .map(|size| format!("size = {size}"))
}

fn hashes(file: &DistFile) -> String {
    let hashes: Vec<Option<String>> = file
        .hashes
        .iter()
        .map(|(algorithm, hex)| pair(algorithm, hex))
        .collect();
    format!("hashes = {}", inline(&hashes))
}

fn file(file: &DistFile) -> String {
    // A file of a folder is named by path: installers do not follow `file:` URLs
    // relative to the lock.
    inline(&[
        pair("name", &file.filename),
        pair("url", &without_credentials(&file.url)),
        file.upload_time
            .and_then(|second| jiff::Timestamp::from_second(second).ok())
            .map(|time| format!("upload-time = {time}")),
        file.size.map(|size| format!("size = {size}")),
        Some(hashes(file)),
    ])
}

fn required_by(by: &RequiredBy) -> String {
    match by {
        RequiredBy::Line {
            origin,
            requirement,
        } => inline(&[
            pair("kind", kind(origin.kind)),
            origin.name.as_ref().and_then(|name| pair("name", name)),
            origin.file.as_ref().and_then(|file| pair("file", file)),
            origin.line.map(|line| format!("line = {line}")),
            pair("requirement", &without_user_info(requirement)),
        ]),
        RequiredBy::Package {
            package,
            version,
            requirement,
        } => inline(&[
            pair("package", package.as_str()),
            pair("version", version),
            pair("requirement", &without_user_info(requirement)),
        ]),
    }
}

/// Removes credentials from the addresses in a requirement as written.
pub(super) fn without_user_info(requirement: &str) -> String {
    let mut out = String::with_capacity(requirement.len());
    let mut rest = requirement;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after
            .find(|c: char| matches!(c, '/' | '?' | '#') || c.is_whitespace())
            .unwrap_or(after.len());
        let host = after[..end].rfind('@').map_or(0, |at| at + 1);
        // `git@` of an ssh address is no secret and part of the address.
        let is_ssh = before.ends_with("ssh://") && !after[..host].contains(':');
        rest = &after[if is_ssh { 0 } else { host }..];
    }
    out.push_str(rest);
    out
}

pub(super) fn kind(kind: OriginKind) -> &'static str {
    match kind {
        OriginKind::Core => "core",
        OriginKind::Node => "node",
        OriginKind::File => "file",
        OriginKind::Policy => "policy",
        OriginKind::Installed => "installed",
    }
}
