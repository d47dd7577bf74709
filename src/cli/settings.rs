//! What was typed plus the machine → the context of a command.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;

use super::args::{GlobalArgs, ProgressForm};
use super::bars::{Bars, JsonLines};
use super::screen::Screen;
use crate::host::volume::Locality;
use crate::host::{Clock, LockPolicy, fs};
use crate::ops::{Context, OpError};
use crate::progress::{Cancel, Progress, Silent};
use crate::workspace::python::Surroundings;

/// Makes the context of a command.
///
/// # Errors
///
/// Returns what is wrong with the machine's environment, as a sentence.
pub fn context(global: &GlobalArgs, cancel: Cancel) -> Result<Context, String> {
    let dir = std::env::current_dir()
        .map_err(|error| format!("the working directory cannot be had: {error}"))?;
    let dir = Utf8PathBuf::from_path_buf(dir)
        .map_err(|dir| format!("the working directory `{}` is not UTF-8", dir.display()))?;
    let path = |name: &str| {
        std::env::var(name)
            .ok()
            .filter(|text| !text.is_empty())
            .map(Utf8PathBuf::from)
    };
    let variables: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let search = std::env::var_os("PATH").map(|text| {
        std::env::split_paths(&text)
            .filter_map(|dir| Utf8PathBuf::from_path_buf(dir).ok())
            .collect()
    });
    let clock = match variables
        .get("PORTENV_TEST_CLOCK")
        .and_then(|text| text.parse().ok())
    {
        Some(start) => Clock::stepped(start),
        None => Clock::system(),
    };
    // Two machines on one directory, for tests.
    let mut locks = LockPolicy {
        breaks: global.break_lock,
        waits: !global.no_wait,
        ..LockPolicy::default()
    };
    if let Some(host) = variables.get("PORTENV_TEST_HOST") {
        locks.machine.host.clone_from(host);
        locks.locality = Some(Locality::Unknown);
        locks.system = false;
    }
    let absolute = |path: &Utf8PathBuf| dir.join(path);
    // A bare `uv` or `python` on the command line means the one on PATH.
    let progress: Arc<dyn Progress> = match global.progress {
        ProgressForm::Json => Arc::new(JsonLines::default()),
        ProgressForm::Auto if global.quiet => Arc::new(Silent),
        ProgressForm::Auto => Arc::new(Bars::on(Screen::new(
            global.format,
            global.color,
            global.quiet,
        ))),
    };
    let home = path("HOME").or_else(|| path("USERPROFILE"));
    let netrc = path("NETRC").or_else(|| home.as_ref().map(|home| home.join(".netrc")));
    Ok(Context {
        root: global.root.as_ref().map(absolute),
        core: global.core.as_ref().map(absolute),
        python: global.python.as_ref().map(absolute),
        uv: global.uv.as_ref().map(absolute),
        around: Surroundings {
            active: path("VIRTUAL_ENV").or_else(|| path("CONDA_PREFIX")),
            path: search.unwrap_or_default(),
        },
        cache_dir: (!global.no_cache)
            .then(|| {
                global
                    .cache_dir
                    .as_ref()
                    .map(absolute)
                    .or_else(|| cache_dir(home.as_ref(), &path))
            })
            .flatten(),
        netrc: netrc.and_then(|path| fs::read_text(&path).ok()),
        offline: global.offline,
        // Commands without resolver options look for sources there too.
        index_urls: variables
            .get("PORTENV_INDEX_URL")
            .filter(|url| !url.is_empty())
            .cloned()
            .into_iter()
            .collect(),
        locks,
        clock,
        cancel,
        progress,
        variables,
        dir,
    })
}

/// The platform's place for caches.
fn cache_dir(
    home: Option<&Utf8PathBuf>,
    variable: &impl Fn(&str) -> Option<Utf8PathBuf>,
) -> Option<Utf8PathBuf> {
    let base = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home.map(|home| home.join("Library/Caches"))
    } else {
        variable("XDG_CACHE_HOME").or_else(|| home.map(|home| home.join(".cache")))
    };
    base.map(|base| base.join("portenv"))
}

/// Returns `SOURCE_DATE_EPOCH`, seconds since 1970 (reproducible-builds.org).
///
/// # Errors
///
/// Fails if it is no number.
pub fn build_epoch() -> Result<Option<i64>, OpError> {
    let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") else {
        return Ok(None);
    };
    let wrong = || OpError::Usage(format!("SOURCE_DATE_EPOCH is `{text}`, which is no number"));
    text.trim().parse().map(Some).map_err(|_| wrong())
}

/// Returns this program's own file, if the system tells.
pub fn program() -> Option<Utf8PathBuf> {
    Utf8PathBuf::from_path_buf(std::env::current_exe().ok()?).ok()
}
