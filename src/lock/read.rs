//! Text → lock. Tolerant of what other tools leave out, strict about the rest.

use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use super::members::{LockedCore, LockedNode, Members};
use super::model::{Applied, Lock, LockedPackage, SCHEMA};
use super::selection::Wrong;
use crate::host::fs::{self, FsError};
use crate::package::{DistFile, FileKind, Hashes, Marker, Name, Source, Target, Vcs, Version};
use crate::requirements::{Origin, OriginKind};
use crate::resolve::{Dependency, RequiredBy};

/// A lock that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The file could not be read.
    #[error(transparent)]
    Read(#[from] FsError),
    /// The file is not a lock.
    #[error("{file}:{line}:{column}: {message}")]
    Invalid {
        /// The file.
        file: Utf8PathBuf,
        /// The line, from 1.
        line: u32,
        /// The column, from 1.
        column: u32,
        /// What is wrong.
        message: String,
    },
    /// The file is of a newer format.
    #[error("`{file}` has {what} {found}, but this version of portenv knows only {known}")]
    Newer {
        /// The file.
        file: Utf8PathBuf,
        /// Which number.
        what: &'static str,
        /// The number found.
        found: String,
        /// The number known.
        known: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawLock {
    lock_version: String,
    #[serde(default)]
    environments: Vec<String>,
    requires_python: Option<String>,
    packages: Vec<RawPackage>,
    #[serde(default)]
    tool: RawTools,
}

#[derive(Deserialize, Default)]
struct RawTools {
    portenv: Option<RawTool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawTool {
    /// Judged before; it must be there.
    #[serde(rename = "schema")]
    _schema: i64,
    #[serde(default)]
    targets: Vec<String>,
    input_digest: Option<String>,
    exclude_newer: Option<String>,
    #[serde(default)]
    indexes: Vec<RawIndex>,
    #[serde(default)]
    applied: Vec<RawApplied>,
    #[serde(default)]
    kept: Vec<RawKept>,
    #[serde(default)]
    waivers: Vec<super::waivers::RawWaiver>,
    #[serde(default)]
    left_out: Vec<super::left_out::RawLeftOut>,
    core: Option<LockedCore>,
    nodes: Option<Vec<LockedNode>>,
}

#[derive(Deserialize)]
struct RawIndex {
    name: String,
    url: String,
}

#[derive(Deserialize)]
struct RawKept {
    name: Name,
    version: String,
}

#[derive(Deserialize)]
struct RawApplied {
    kind: String,
    name: String,
    text: String,
    reason: Option<String>,
    #[serde(rename = "for", default)]
    only_for: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawPackage {
    name: Name,
    version: Option<String>,
    marker: Option<String>,
    index: Option<String>,
    #[serde(default)]
    dependencies: Vec<RawDependency>,
    sdist: Option<RawFile>,
    #[serde(default)]
    wheels: Vec<RawFile>,
    vcs: Option<RawVcs>,
    archive: Option<RawArchive>,
    directory: Option<RawDirectory>,
    #[serde(default)]
    tool: RawPackageTools,
}

#[derive(Deserialize)]
struct RawDependency {
    name: Option<Name>,
    version: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawFile {
    name: Option<String>,
    url: Option<String>,
    path: Option<String>,
    size: Option<u64>,
    upload_time: Option<toml::value::Datetime>,
    #[serde(default)]
    hashes: Hashes,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawVcs {
    url: Option<String>,
    path: Option<String>,
    requested_revision: Option<String>,
    commit_id: String,
    subdirectory: Option<String>,
}

#[derive(Deserialize)]
struct RawArchive {
    url: Option<String>,
    path: Option<String>,
    size: Option<u64>,
    subdirectory: Option<String>,
    #[serde(default)]
    hashes: Hashes,
}

#[derive(Deserialize)]
struct RawDirectory {
    path: String,
    #[serde(default)]
    editable: bool,
}

#[derive(Deserialize, Default)]
struct RawPackageTools {
    portenv: Option<RawPackageTool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawPackageTool {
    #[serde(default)]
    required_by: Vec<RawRequiredBy>,
}

#[derive(Deserialize)]
struct RawRequiredBy {
    kind: Option<OriginKind>,
    name: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    package: Option<Name>,
    version: Option<String>,
    requirement: String,
}

impl Lock {
    /// Reads a lock if it is there.
    ///
    /// # Errors
    ///
    /// Fails with file, line and column if it is not a lock of a known format.
    pub fn find(path: &Utf8Path) -> Result<Option<Self>, LockError> {
        match fs::find_bytes(path)? {
            Some(bytes) => Self::parse_bytes(&bytes, path).map(Some),
            None => Ok(None),
        }
    }

    /// Reads a lock that is to be installed on a target, if it is there.
    ///
    /// # Errors
    ///
    /// Fails as [`Lock::find`], and if more than one entry of a name counts there.
    pub fn find_on(path: &Utf8Path, target: &Target) -> Result<Option<Self>, LockError> {
        let Some(bytes) = fs::find_bytes(path)? else {
            return Ok(None);
        };
        let lock = Self::parse_bytes(&bytes, path)?;
        lock.check_markers_on(target)
            .map_err(|wrong| wrong_entry(&String::from_utf8_lossy(&bytes), path, &wrong))?;
        Ok(Some(lock))
    }

    fn parse_bytes(bytes: &[u8], file: &Utf8Path) -> Result<Self, LockError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let fine = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let (line, column) = crate::requirements::text::position(&fine, fine.len());
            LockError::Invalid {
                file: file.to_owned(),
                line,
                column,
                message: "this is not UTF-8 text".to_owned(),
            }
        })?;
        Self::parse(text, file)
    }

    /// Parses the text of a lock; `file` is named in errors.
    ///
    /// # Errors
    ///
    /// Fails with file, line and column if it is not a lock of a known format.
    pub fn parse(text: &str, file: &Utf8Path) -> Result<Self, LockError> {
        let invalid = |offset: usize, message: &str| {
            let (line, column) = crate::requirements::text::position(text, offset);
            LockError::Invalid {
                file: file.to_owned(),
                line,
                column,
                message: message.lines().next().unwrap_or("invalid").to_owned(),
            }
        };
        check_versions(text, file)?;
        let raw: RawLock = toml::from_str(text)
            .map_err(|error| invalid(error.span().map_or(0, |span| span.start), error.message()))?;
        if !raw.lock_version.starts_with("1.") {
            return Err(invalid(
                0,
                &format!("the lock version `{}` is not known", raw.lock_version),
            ));
        }
        let mut lock = Self {
            environments: raw.environments,
            requires_python: raw.requires_python,
            ..Self::default()
        };
        if let Some(tool) = raw.tool.portenv {
            lock.targets = tool.targets;
            lock.input_digest = tool.input_digest;
            lock.exclude_newer = tool.exclude_newer;
            lock.indexes = tool
                .indexes
                .into_iter()
                .map(|index| (index.name, index.url))
                .collect();
            lock.applied = tool
                .applied
                .into_iter()
                .map(|raw| Applied {
                    kind: raw.kind,
                    name: raw.name,
                    text: raw.text,
                    reason: raw.reason,
                    only_for: raw.only_for,
                })
                .collect();
            for kept in tool.kept {
                let version = Version::from_str(&kept.version)
                    .map_err(|_| invalid(0, &format!("`{}` is not a version", kept.version)))?;
                lock.kept.push((kept.name, version));
            }
            lock.left_out = tool.left_out.into_iter().map(Into::into).collect();
            lock.members = tool.nodes.map(|nodes| Members {
                core: tool.core,
                nodes,
            });
            for raw in tool.waivers {
                let waiver = raw
                    .try_into()
                    .map_err(|message: String| invalid(0, &message))?;
                lock.waivers.push(waiver);
            }
        }
        for package in raw.packages {
            let name = package.name.clone();
            let package =
                to_package(package).map_err(|message| wrong_entry(text, file, &(name, message)))?;
            lock.packages.push(package);
        }
        for marker in &lock.environments {
            Marker::parse(marker)
                .map_err(|message| invalid(text.find(marker.as_str()).unwrap_or(0), &message))?;
        }
        lock.check_markers()
            .map_err(|wrong| wrong_entry(text, file, &wrong))?;
        Ok(lock)
    }
}

/// Says where an entry stands that is wrong.
fn wrong_entry(text: &str, file: &Utf8Path, (name, message): &Wrong) -> LockError {
    let offset = text.find(&format!("\"{name}\"")).unwrap_or(0);
    let (line, column) = crate::requirements::text::position(text, offset);
    let message = message.lines().next().unwrap_or("invalid");
    LockError::Invalid {
        file: file.to_owned(),
        line,
        column,
        message: format!("{name}: {message}"),
    }
}

/// Looks at the format's numbers before anything else, so that a newer file is
/// told apart from a broken one.
fn check_versions(text: &str, file: &Utf8Path) -> Result<(), LockError> {
    let Ok(table) = text.parse::<toml::Table>() else {
        return Ok(());
    };
    let newer = |what, found: String, known: &str| LockError::Newer {
        file: file.to_owned(),
        what,
        found,
        known: known.to_owned(),
    };
    if let Some(version) = table.get("lock-version").and_then(|value| value.as_str())
        && version
            .split('.')
            .next()
            .and_then(|major| major.parse::<u32>().ok())
            .is_some_and(|major| major > 1)
    {
        return Err(newer("lock-version", version.to_owned(), "1"));
    }
    let schema = table
        .get("tool")
        .and_then(|tool| tool.get("portenv"))
        .and_then(|tool| tool.get("schema"))
        .and_then(toml::Value::as_integer);
    match schema {
        Some(schema) if schema > SCHEMA => {
            Err(newer("schema", schema.to_string(), &SCHEMA.to_string()))
        }
        _ => Ok(()),
    }
}

fn to_package(raw: RawPackage) -> Result<LockedPackage, String> {
    let version = raw
        .version
        .as_deref()
        .map(|text| Version::from_str(text).map_err(|_| format!("`{text}` is not a version")))
        .transpose()?;
    let mut files = Vec::new();
    let source = if let Some(vcs) = raw.vcs {
        Source::Git(Vcs {
            url: vcs.url.or(vcs.path).unwrap_or_default(),
            requested: vcs.requested_revision,
            commit: vcs.commit_id,
            subdirectory: vcs.subdirectory,
        })
    } else if let Some(archive) = raw.archive {
        let place = archive
            .url
            .clone()
            .or(archive.path.clone())
            .ok_or("its archive has neither `url` nor `path`")?;
        let filename = place
            .rsplit('/')
            .next()
            .unwrap_or(&place)
            .replace("%2B", "+");
        let kind = if filename.ends_with(".whl") {
            FileKind::Wheel
        } else {
            FileKind::Sdist
        };
        files.push(DistFile {
            filename,
            url: place,
            hashes: archive.hashes,
            size: archive.size,
            upload_time: None,
            kind,
        });
        match (archive.url, archive.path) {
            (Some(url), _) => Source::Url {
                url,
                subdirectory: archive.subdirectory,
            },
            (None, path) => Source::Path {
                path: path.unwrap_or_default(),
                editable: false,
            },
        }
    } else if let Some(directory) = raw.directory {
        Source::Path {
            path: directory.path,
            editable: directory.editable,
        }
    } else {
        for file in raw.wheels {
            files.push(to_file(file, FileKind::Wheel)?);
        }
        if let Some(file) = raw.sdist {
            files.push(to_file(file, FileKind::Sdist)?);
        }
        if files.is_empty() {
            return Err("it has no file and no other source".to_owned());
        }
        Source::Index(raw.index.unwrap_or_default())
    };
    let dependencies = raw
        .dependencies
        .into_iter()
        .filter_map(|raw| {
            Some(Dependency {
                name: raw.name?,
                version: raw.version.and_then(|text| Version::from_str(&text).ok()),
            })
        })
        .collect();
    let required_by = raw
        .tool
        .portenv
        .into_iter()
        .flat_map(|tool| tool.required_by)
        .map(|raw| match raw.package {
            Some(package) => RequiredBy::Package {
                package,
                version: raw.version.unwrap_or_default(),
                requirement: raw.requirement,
            },
            None => RequiredBy::Line {
                origin: Origin {
                    kind: raw.kind.unwrap_or(OriginKind::File),
                    name: raw.name,
                    file: raw.file,
                    line: raw.line,
                    column: None,
                },
                requirement: raw.requirement,
            },
        })
        .collect();
    Ok(LockedPackage {
        name: raw.name,
        version,
        marker: raw.marker,
        source,
        files,
        dependencies,
        required_by,
    })
}

fn to_file(raw: RawFile, kind: FileKind) -> Result<DistFile, String> {
    let url = raw
        .url
        .or(raw.path)
        .ok_or("a file has neither `url` nor `path`")?;
    let filename = raw
        .name
        .unwrap_or_else(|| url.rsplit('/').next().unwrap_or(&url).replace("%2B", "+"));
    let upload_time = raw
        .upload_time
        .and_then(|time| time.to_string().parse::<jiff::Timestamp>().ok())
        .map(jiff::Timestamp::as_second);
    Ok(DistFile {
        filename,
        url,
        hashes: raw.hashes,
        size: raw.size,
        upload_time,
        kind,
    })
}
