//! Calls of uv, everything spelt out.

use std::fs::File;

use camino::{Utf8Path, Utf8PathBuf};

use crate::host::FsError;
use crate::host::process::{Call, Finished, ProcessError, is_set, variable};
use crate::host::volume::is_apart;
use crate::index::{IndexConfig, IndexError};
use crate::package::artifact::printable;
use crate::package::{Name, Version, redact};

/// A uv that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uv {
    /// The program, or a Python.
    pub program: String,
    /// `-m uv` if it is a Python's module.
    pub prefix: Vec<String>,
    /// Its version.
    pub version: Version,
}

/// A call of uv that failed, or a uv that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum UvError {
    /// There is none.
    #[error("{0}")]
    Missing(String),
    /// It could not be started.
    #[error(transparent)]
    Start(#[from] ProcessError),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FsError),
    /// It could not be fetched.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// It ended badly.
    #[error("uv failed: {detail}")]
    Failed {
        /// What it said, credentials and escapes removed.
        detail: String,
        /// It could not reach an index, or a file was not what it should be.
        network: bool,
    },
}

impl UvError {
    pub(super) fn missing(text: String) -> Self {
        Self::Missing(text)
    }
}

/// What `uv pip sync` is to do.
#[derive(Debug)]
pub struct SyncCall<'a> {
    /// The environment's interpreter, an absolute path.
    pub python: &'a Utf8Path,
    /// The lock made for the run.
    pub lock: &'a Utf8Path,
    /// Packages to install anew although name and version are there.
    pub reinstall: &'a [Name],
    /// No request may be made.
    pub offline: bool,
    /// What uv has kept is not used: it may be broken.
    pub past_cache: bool,
    /// Builds may run.
    pub build: bool,
    /// The Python is managed by another program and the user allows the change.
    pub break_system: bool,
    /// Where what a build needs comes from.
    pub indexes: &'a IndexConfig,
}

/// A look into uv's cache.
#[derive(Debug)]
pub struct ProbeCall<'a> {
    /// The environment's interpreter, an absolute path.
    pub python: &'a Utf8Path,
    /// The lock made for the look.
    pub lock: &'a Utf8Path,
    /// A directory that is not there yet, on the disk of the environment.
    pub target: &'a Utf8Path,
    /// Builds may run.
    pub build: bool,
    /// Where what a build needs comes from.
    pub indexes: &'a IndexConfig,
}

/// The variables by which an installer is told where packages come from.
pub struct IndexVariables {
    default: &'static str,
    none: &'static str,
    further: &'static str,
    find_links: &'static str,
}

/// Those of uv.
pub const OF_UV: IndexVariables = IndexVariables {
    default: "UV_DEFAULT_INDEX",
    none: "UV_NO_INDEX",
    further: "UV_INDEX",
    find_links: "UV_FIND_LINKS",
};

/// Those of pip.
pub const OF_PIP: IndexVariables = IndexVariables {
    default: "PIP_INDEX_URL",
    none: "PIP_NO_INDEX",
    further: "PIP_EXTRA_INDEX_URL",
    find_links: "PIP_FIND_LINKS",
};

/// Tells an installer where packages come from, by variables: an address may hold a
/// password, and a command line can be read by everyone on the machine.
pub fn with_indexes(mut call: Call, config: &IndexConfig, names: &IndexVariables) -> Call {
    let mut general = config
        .indexes
        .iter()
        .filter(|index| index.packages.is_empty())
        .map(|index| index.url.as_str())
        .rev();
    match general.next() {
        Some(default) => call = call.env(names.default, default),
        None => call = call.env(names.none, "1"),
    }
    let further: Vec<&str> = general.rev().collect();
    if !further.is_empty() {
        call = call.env(names.further, further.join(" "));
    }
    if !config.find_links.is_empty() {
        call = call.env(names.find_links, config.find_links.join(" "));
    }
    call
}

/// Returns uv's cache directory by the rule that it documents, since asking uv for it costs
/// as much as a small sync; `None` where the rule needs more than variables.
fn cache_dir(windows: bool, variable: impl Fn(&str) -> Option<String>) -> Option<Utf8PathBuf> {
    let absolute = |name: &str| {
        let path = Utf8PathBuf::from(variable(name)?);
        path.is_absolute().then_some(path)
    };
    if let Some(named) = variable("UV_CACHE_DIR") {
        return Some(named.into());
    }
    if windows {
        return absolute("LOCALAPPDATA").map(|dir| dir.join("uv").join("cache"));
    }
    let caches = absolute("XDG_CACHE_HOME");
    let caches = caches.or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    caches.map(|dir| dir.join("uv"))
}

impl Uv {
    /// Starts the description of a call.
    pub fn call(&self) -> Call {
        Call::new(&self.program).args(self.prefix.iter().cloned())
    }

    /// Reports whether nothing can be linked from uv's cache to the environment: uv would
    /// find out file by file and complain. What the user chose by variable stands.
    fn must_copy(&self, python: &Utf8Path) -> bool {
        if is_set("UV_LINK_MODE") {
            return false;
        }
        let ask = || {
            let asked = self.call().args(["cache", "dir", "--no-config"]).run();
            let asked = asked.ok().filter(Finished::ok)?;
            Some(Utf8PathBuf::from(asked.text().trim()))
        };
        let dir = cache_dir(cfg!(windows), variable).or_else(ask);
        dir.is_some_and(|dir| is_apart(&dir, python.parent().unwrap_or(python)))
    }

    /// Makes the environment equal the lock made for the run.
    ///
    /// Exit 0 is no proof that it does: the caller reads the environment back.
    /// `held` is the directory lock, so that the next run waits for an orphan.
    ///
    /// # Errors
    ///
    /// Fails if uv cannot be started or ends badly; what it changed is unknown then.
    pub fn pip_sync(&self, sync: &SyncCall<'_>, held: Option<File>) -> Result<Finished, UvError> {
        let dir: Utf8PathBuf = sync.lock.parent().unwrap_or(Utf8Path::new(".")).to_owned();
        let mut call = self
            .call()
            .args([
                "pip",
                "sync",
                "--no-config",
                "--no-progress",
                "--color",
                "never",
            ])
            .args(["--preview-features", "pylock"])
            .args(["--python", sync.python.as_str()])
            .dir(&dir);
        if sync.offline {
            call = call.arg("--offline");
        }
        if sync.past_cache {
            call = call.arg("--no-cache");
        }
        if self.must_copy(sync.python) {
            call = call.args(["--link-mode", "copy"]);
        }
        if !sync.build {
            call = call.arg("--no-build");
        }
        if sync.break_system {
            call = call.arg("--break-system-packages");
        }
        for name in sync.reinstall {
            call = call.args(["--reinstall-package", name.as_str()]);
        }
        call = with_indexes(call, sync.indexes, &OF_UV);
        // An empty lock empties the environment only if that is said.
        call = call
            .arg("--allow-empty-requirements")
            .arg(sync.lock.as_str());
        if let Some(held) = held {
            call = call.input(held);
        }
        let finished = call.run()?;
        if finished.ok() {
            return Ok(finished);
        }
        Err(failure(&finished))
    }
}

impl Uv {
    /// Reports whether everything of a lock can be installed without the network, by doing so
    /// into a directory of its own.
    ///
    /// # Errors
    ///
    /// Fails if uv cannot be started.
    pub fn has_cached(&self, probe: &ProbeCall<'_>) -> Result<bool, UvError> {
        let mut call = self
            .call()
            .args(["pip", "sync", "--no-config", "--no-progress", "--offline"])
            .args(["--preview-features", "pylock"])
            .args(["--python", probe.python.as_str()])
            .args(["--target", probe.target.as_str()])
            .dir(probe.lock.parent().unwrap_or(Utf8Path::new(".")));
        if self.must_copy(probe.python) {
            call = call.args(["--link-mode", "copy"]);
        }
        if !probe.build {
            call = call.arg("--no-build");
        }
        let call = with_indexes(call, probe.indexes, &OF_UV).arg(probe.lock.as_str());
        Ok(call.run()?.ok())
    }

    /// Drops what uv has kept of packages, for whoever installs from there next. Best effort:
    /// it waits a little for another uv, and what cannot be dropped is no worse than before.
    pub fn forget(&self, names: &[Name]) {
        let call = self.call().args(["cache", "clean", "--no-config"]);
        let call = call.args(names.iter().map(|name| name.as_str().to_owned()));
        let _ = call.env("UV_LOCK_TIMEOUT", "10").run();
    }
}

/// Says what uv said, made safe to show.
pub fn failure(finished: &Finished) -> UvError {
    let lines: Vec<String> = finished
        .stderr
        .lines()
        .filter(|line| !line.starts_with("warning:") && !line.trim().is_empty())
        .map(|line| {
            line.split(' ')
                .map(|word| {
                    if word.contains("://") {
                        redact_word(word)
                    } else {
                        word.to_owned()
                    }
                })
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let text = match (finished.signal, finished.code) {
        // What it said before is no reason.
        (Some(signal), _) => format!("it was ended by signal {signal}"),
        (None, Some(code)) if lines.is_empty() => format!("it ended with code {code}"),
        _ => lines.join("\n  "),
    };
    let network = [
        "Failed to fetch",
        "error sending request",
        "Hash mismatch",
        "Network connectivity is disabled",
        "dns error",
        "Connection refused",
        "HTTP status",
        "Failed to download",
    ]
    .iter()
    .any(|sign| finished.stderr.contains(sign));
    UvError::Failed {
        detail: printable(&text),
        network,
    }
}

fn redact_word(word: &str) -> String {
    let inner = word.trim_matches(|c| matches!(c, '`' | '\'' | '"' | '(' | ')'));
    word.replace(inner, &redact(inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_directory_is_where_uv_documents_it() {
        let of = |windows: bool, variables: &[(&str, &str)]| {
            let find = |name: &str| {
                let mut all = variables.iter();
                all.find_map(|(key, value)| (*key == name).then(|| (*value).to_owned()))
            };
            cache_dir(windows, find).map(|dir| dir.as_str().replace('\\', "/"))
        };
        let home = ("HOME", "/home/me");
        assert_eq!(of(false, &[home]).as_deref(), Some("/home/me/.cache/uv"));
        let moved = [home, ("XDG_CACHE_HOME", "/big")];
        assert_eq!(of(false, &moved).as_deref(), Some("/big/uv"));
        let odd = [home, ("XDG_CACHE_HOME", "relative")];
        assert_eq!(of(false, &odd).as_deref(), Some("/home/me/.cache/uv"));
        let named = [home, ("UV_CACHE_DIR", "/mine")];
        assert_eq!(of(false, &named).as_deref(), Some("/mine"));
        let windows = [("LOCALAPPDATA", "/Local")];
        assert_eq!(of(true, &windows).as_deref(), Some("/Local/uv/cache"));
        assert_eq!(of(false, &[]), None);
    }
}
