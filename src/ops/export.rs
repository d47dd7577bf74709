//! `export`: the lock in the words of other installers.

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::Serialize;

use super::context::Context;
use super::error::OpError;
use crate::host::fs;
use crate::lock::Lock;
use crate::lock::export::{Exported, Hashing, to_constraints, to_requirements};
use crate::package::Source;
use crate::workspace::Installation;

/// In what words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExportKind {
    /// requirements.txt with hashes.
    Requirements,
    /// Versions only.
    Constraints,
    /// PEP 751, as the lock itself.
    Pylock,
}

/// What to export.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// In what words.
    pub kind: ExportKind,
    /// The file to write; none if the text is only wanted.
    pub output: Option<Utf8PathBuf>,
    /// Only for this target of the lock.
    pub target: Option<String>,
    /// Whether requirements carry hashes.
    pub hashing: Hashing,
}

/// What it came to.
#[derive(Debug, Clone)]
pub struct ExportOutcome {
    /// In what words.
    pub kind: ExportKind,
    /// The text.
    pub text: String,
    /// The file, if one was named.
    pub path: Option<Utf8PathBuf>,
    /// The file was changed.
    pub written: bool,
    /// What the text is for.
    pub targets: Vec<String>,
    /// How many packages the lock has there.
    pub packages: u64,
    /// What is only a comment in the text, and why.
    pub left: Vec<(String, String)>,
    /// Things worth knowing: code and message.
    pub warnings: Vec<(&'static str, String)>,
}

/// Exports the lock; changes nothing but the file that was named.
///
/// # Errors
///
/// Fails without a lock, if it is not for the target, or if the file cannot be written
/// or is one that others own.
pub fn run(context: &Context, request: &ExportRequest) -> Result<ExportOutcome, OpError> {
    let installation = context.installation()?;
    let path = installation.lock_path();
    let mut lock = Lock::find(&path)?
        .ok_or_else(|| OpError::NotFound(format!("there is no lock at `{path}`")))?;
    if let Some(target) = &request.target {
        lock = lock.narrowed(target).ok_or_else(|| {
            OpError::Usage(format!(
                "the lock is not for `{target}`; it is for {}",
                lock.targets.join(", ")
            ))
        })?;
    }
    let output = request.output.as_ref().map(|file| context.dir.join(file));
    if let Some(file) = &output {
        refuse_owned(&installation, file, request.kind)?;
    }
    let mut warnings = Vec::new();
    let exported = match request.kind {
        ExportKind::Requirements => to_requirements(&lock, &installation.root, request.hashing),
        ExportKind::Constraints => to_constraints(&lock),
        ExportKind::Pylock => {
            if let Some(file) = &output {
                settle(&mut lock, &installation.root, file);
                warnings.extend(misnamed(file));
            }
            Exported {
                text: lock.to_toml(),
                ..Exported::default()
            }
        }
    };
    let mut written = false;
    if let Some(file) = &output {
        written = fs::find_bytes(file)?.is_none_or(|old| old != exported.text.as_bytes());
        if written {
            fs::write_atomic(file, exported.text.as_bytes())?;
        }
    }
    Ok(ExportOutcome {
        kind: request.kind,
        text: exported.text,
        path: output,
        written,
        packages: (lock.packages.len() + lock.kept.len()) as u64,
        targets: lock.targets,
        left: (exported.left.into_iter())
            .map(|(name, reason)| (name.to_string(), reason))
            .collect(),
        warnings,
    })
}

/// Files that say what is wanted are not to be lost to what came of it.
fn refuse_owned(
    installation: &Installation,
    file: &Utf8Path,
    kind: ExportKind,
) -> Result<(), OpError> {
    let real = fs::canonical(file).unwrap_or_else(|_| file.to_owned());
    let names = [
        "requirements.txt",
        "manager_requirements.txt",
        "pyproject.toml",
    ];
    let nodes = installation.nodes()?;
    let dirs = (nodes.iter().map(|node| installation.root.join(&node.dir)))
        .chain(installation.comfyui.clone());
    let mut owned: Vec<Utf8PathBuf> = dirs
        .flat_map(|dir| names.map(|name| dir.join(name)))
        .collect();
    owned.push(installation.root.join("portenv.toml"));
    if kind != ExportKind::Pylock {
        owned.push(installation.lock_path());
    }
    let is_real = |path: &Utf8PathBuf| fs::canonical(path).is_ok_and(|path| path == real);
    if owned.iter().any(is_real) {
        return Err(OpError::Usage(format!(
            "`{file}` says what is wanted here, so it is not written over; name another file"
        )));
    }
    Ok(())
}

/// Paths in a lock are meant from the directory that it lies in.
fn settle(lock: &mut Lock, root: &Utf8Path, file: &Utf8Path) {
    let dir = file.parent().and_then(|dir| fs::canonical(dir).ok());
    if dir.as_deref() == Some(root) {
        return;
    }
    for package in &mut lock.packages {
        if let Source::Path { path, .. } = &mut package.source {
            *path = root.join(&*path).as_str().replace('\\', "/");
        }
    }
}

/// Installers know such a file by its name alone.
fn misnamed(file: &Utf8Path) -> Option<(&'static str, String)> {
    let name = file.file_name().unwrap_or_default();
    let inner = name
        .strip_prefix("pylock.")
        .and_then(|rest| rest.strip_suffix(".toml"));
    let fine = name == "pylock.toml" || inner.is_some_and(|inner| !inner.contains('.'));
    (!fine).then(|| {
        let message = format!(
            "installers know a lock by its name: call it pylock.toml or pylock.NAME.toml, not `{name}`"
        );
        ("file-name", message)
    })
}
