//! What `pack` and `unpack` came to.

use schemars::JsonSchema;
use serde::Serialize;

use super::WarningDocument;
use crate::ops::pack::{Cleaning, Packed};
use crate::ops::unpack::Unpacked;
use crate::pack::manifest::Manifest;

/// A file of an archive.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct VolumeDocument {
    /// Its path.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its digest, lower-case hex.
    pub sha256: String,
}

/// A cleaning rule.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RuleDocument {
    /// Its name.
    pub name: String,
    /// What it leaves out.
    pub about: String,
    /// It is in force.
    pub on: bool,
    /// How many files it leaves out.
    pub files: u64,
    /// How many bytes these have.
    pub bytes: u64,
}

/// A file that Python cannot read.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SyntaxDocument {
    /// The file, relative to the root.
    pub file: String,
    /// The line, from 1; null if it has none.
    pub line: Option<u32>,
    /// What is wrong.
    pub message: String,
}

/// What an archive says of itself.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ArchiveDocument {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The platform's triple.
    pub platform: String,
    /// The Python's version.
    pub python: String,
    /// ComfyUI's commit; null if it is not known.
    pub commit: Option<String>,
    /// The digest of `pylock.toml`; null if there is none.
    pub lock: Option<String>,
    /// Files and links in it.
    pub files: u64,
    /// Their size in bytes, unpacked.
    pub bytes: u64,
}

impl From<&Manifest> for ArchiveDocument {
    fn from(manifest: &Manifest) -> Self {
        Self {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            platform: manifest.platform.clone(),
            python: manifest.python.version.clone(),
            commit: manifest.commit.clone(),
            lock: manifest.lock.clone(),
            files: manifest.files,
            bytes: manifest.bytes,
        }
    }
}

/// How packing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PackStatus {
    /// The archive is written.
    Done,
    /// Only told.
    DryRun,
}

/// What `pack` came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PackDocument {
    /// How it ended.
    pub status: PackStatus,
    /// The archive.
    pub path: String,
    /// What it says of itself.
    pub archive: ArchiveDocument,
    /// Its files: one, or the volumes in their order; none in a dry run.
    pub volumes: Vec<VolumeDocument>,
    /// All cleaning rules, in their order.
    pub rules: Vec<RuleDocument>,
    /// Code of ComfyUI and nodes that Python cannot read, by file.
    pub syntax: Vec<SyntaxDocument>,
    /// All that could be imported here was imported from the archive; null if not asked for.
    pub smoke: Option<bool>,
    /// Things worth knowing.
    pub warnings: Vec<WarningDocument>,
}

impl From<&Packed> for PackDocument {
    fn from(packed: &Packed) -> Self {
        let rule = |cleaning: &Cleaning| RuleDocument {
            name: cleaning.rule.name.to_owned(),
            about: cleaning.rule.about.to_owned(),
            on: cleaning.on,
            files: cleaning.share.files,
            bytes: cleaning.share.bytes,
        };
        let warning =
            |(code, message): &(&'static str, String)| WarningDocument::new(code, message);
        let volumes = packed.written.iter().map(|file| VolumeDocument {
            path: file.path.to_string(),
            bytes: file.bytes,
            sha256: file.sha256.clone(),
        });
        let syntax = packed.syntax.iter().map(|fault| SyntaxDocument {
            file: fault.file.clone(),
            line: fault.line,
            message: fault.message.clone(),
        });
        Self {
            status: if packed.dry_run {
                PackStatus::DryRun
            } else {
                PackStatus::Done
            },
            path: packed.path.to_string(),
            archive: (&packed.manifest).into(),
            volumes: volumes.collect(),
            rules: packed.rules.iter().map(rule).collect(),
            syntax: syntax.collect(),
            smoke: packed
                .smoke
                .as_ref()
                .map(std::collections::BTreeMap::is_empty),
            warnings: packed.warnings.iter().map(warning).collect(),
        }
    }
}

/// What `unpack` came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct UnpackDocument {
    /// The new installation.
    pub root: String,
    /// What the archive says of itself.
    pub archive: ArchiveDocument,
    /// The digests beside the archive were there, and held.
    pub checked: bool,
    /// Installed files are whole.
    pub whole: bool,
    /// Things worth knowing.
    pub warnings: Vec<WarningDocument>,
}

impl From<&Unpacked> for UnpackDocument {
    fn from(unpacked: &Unpacked) -> Self {
        let mut warnings = Vec::new();
        if !unpacked.checked {
            let text =
                "no SHA-256 lies beside the archive, so only its own checksums were compared";
            warnings.push(WarningDocument::new("unchecked", text));
        }
        let problems = &unpacked.verified.problems;
        for problem in problems {
            warnings.push(WarningDocument::new("verify", &problem.message));
        }
        Self {
            root: unpacked.root.to_string(),
            archive: (&unpacked.manifest).into(),
            checked: unpacked.checked,
            whole: problems.is_empty(),
            warnings,
        }
    }
}
