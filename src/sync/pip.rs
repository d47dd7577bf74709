//! pip in uv's place, where there is no uv and every file is on this machine.
//!
//! It gets one version with one hash a line and only the folders that the files lie in, so
//! it chooses nothing. What uv leaves out is left out: no compiled caches.

use std::collections::BTreeSet;
use std::fs::File;

use camino::{Utf8Path, Utf8PathBuf};

use super::run::{RunLock, RunSource};
use crate::host::fs;
use crate::host::process::{Call, Finished};
use crate::package::Name;
use crate::package::artifact::printable;
use crate::uv::UvError;

/// How many of its last lines are shown.
const SHOWN: usize = 8;

/// The pip of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pip {
    python: Utf8PathBuf,
}

/// What pip is to do.
#[derive(Debug)]
pub struct PipCall<'a> {
    /// The lock made for the run.
    pub lock: &'a RunLock,
    /// What is installed of it, whether it is there or not.
    pub changed: &'a [Name],
    /// What goes.
    pub removed: &'a [Name],
    /// The Python is managed by another program and the user allows the change.
    pub break_system: bool,
    /// A directory for the file that it reads.
    pub scratch: &'a Utf8Path,
}

impl Pip {
    /// Finds the pip of a Python, if it has one that works.
    pub fn find(python: &Utf8Path) -> Option<Self> {
        let pip = Self {
            python: python.to_owned(),
        };
        let asked = pip.call().arg("--version").run().ok()?;
        asked.ok().then_some(pip)
    }

    /// Starts a call: no settings of the user's, no questions, no look for a newer pip.
    fn call(&self) -> Call {
        let nowhere = if cfg!(windows) { "nul" } else { "/dev/null" };
        Call::new(self.python.as_str())
            .args([
                "-I",
                "-m",
                "pip",
                "--disable-pip-version-check",
                "--no-input",
            ])
            .arg("--no-color")
            .env("PIP_CONFIG_FILE", nowhere)
    }

    /// Reports whether all that changes can be had without asking anyone.
    pub fn can(lock: &RunLock, changed: &[Name]) -> bool {
        let mut entries = lock.entries.iter();
        entries.all(|entry| !changed.contains(&entry.name) || local(&entry.source).is_some())
    }

    /// Removes what goes and installs what changes; the caller reads the environment back.
    ///
    /// # Errors
    ///
    /// Fails if pip cannot be started or ends badly, or a file would have to be fetched.
    pub fn sync(&self, sync: &PipCall<'_>, held: Option<&File>) -> Result<(), UvError> {
        let mut lines = String::new();
        let mut folders = BTreeSet::new();
        for entry in &sync.lock.entries {
            if !sync.changed.contains(&entry.name) {
                continue;
            }
            let Some((path, sha256)) = local(&entry.source) else {
                return Err(UvError::Pip(format!(
                    "{} {} is not on this machine, and only uv is asked to fetch or build",
                    entry.name, entry.version
                )));
            };
            lines.push_str(&format!(
                "{}=={} --hash=sha256:{sha256}\n",
                entry.name, entry.version
            ));
            folders.insert(path.parent().unwrap_or(Utf8Path::new(".")));
        }
        let system = sync.break_system.then_some("--break-system-packages");
        // Its input is the directory lock, so that the next run waits for an orphan.
        let handle = |call: Call| match held.and_then(|file| file.try_clone().ok()) {
            Some(file) => call.input(file),
            None => call,
        };
        if !sync.removed.is_empty() {
            let call = self.call().args(["uninstall", "--yes"]).args(system);
            let names = sync.removed.iter().map(Name::as_str);
            ended(&handle(call.args(names)).dir(sync.scratch).run()?)?;
        }
        if lines.is_empty() {
            return Ok(());
        }
        let file = sync.scratch.join("requirements.txt");
        fs::write_atomic(&file, lines.as_bytes())?;
        let mut call = self
            .call()
            .args([
                "install",
                "--no-index",
                "--no-deps",
                "--ignore-requires-python",
            ])
            .args(["--no-compile", "--force-reinstall", "--require-hashes"])
            .args(["--only-binary", ":all:", "--no-warn-script-location"])
            .args(["--no-cache-dir", "--quiet"])
            .args(system);
        for folder in folders {
            call = call.args(["--find-links", folder.as_str()]);
        }
        let call = call.args(["-r", file.as_str()]).dir(sync.scratch);
        ended(&handle(call).run()?)
    }
}

/// A wheel on this machine with its digest.
fn local(source: &RunSource) -> Option<(&Utf8Path, &str)> {
    match source {
        RunSource::Local { path, hashes } if path.ends_with(".whl") => {
            Some((Utf8Path::new(path), hashes.get("sha256")?))
        }
        _ => None,
    }
}

fn ended(finished: &Finished) -> Result<(), UvError> {
    if finished.ok() {
        return Ok(());
    }
    let lines: Vec<&str> = finished
        .stderr
        .lines()
        .filter(|line| !line.starts_with("WARNING:") && !line.trim().is_empty())
        .collect();
    // Where it breaks down itself, it shows every call that led there.
    let last = lines.len().saturating_sub(SHOWN);
    let text = if lines.is_empty() {
        format!("it ended with code {:?}", finished.code)
    } else {
        lines[last..].join("\n  ")
    };
    Err(UvError::Pip(printable(&text)))
}
