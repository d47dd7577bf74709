//! `self`: what this program is, what it would use, and which installation it sees.
//! Changes nothing, fetches nothing, and never fails for want of an installation.

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::Serialize;

use super::context::{Context, Site};
use super::error::OpError;
use crate::host::fs;
use crate::host::volume::{Locality, locality};
use crate::requirements::origin::show_path;
use crate::store::collect::sizes;
use crate::uv::look_for_uv;
use crate::workspace::{Installation, Layout, WorkspaceError};

/// What `self` tells.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SelfInfo {
    /// The version of this program.
    pub version: String,
    /// What it was built for.
    pub build: BuildInfo,
    /// The uv that would be run; `null` if one would be fetched.
    pub uv: Option<UvInfo>,
    /// Why there is no uv, or not the one that was named.
    pub uv_problem: Option<String>,
    /// The shared cache.
    pub cache: CacheInfo,
    /// The working directory.
    pub directory: String,
    /// The installation that commands run here are about; `null` if there is none.
    pub installation: Option<InstallationInfo>,
    /// Why there is no installation, or why its Python cannot be told.
    pub problem: Option<String>,
    /// What a person should know, in order of discovery.
    pub warnings: Vec<String>,
}

/// What a program was built for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BuildInfo {
    /// The target triple.
    pub target: String,
    /// `release` or `debug`.
    pub profile: String,
}

/// A uv that works.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct UvInfo {
    /// The program, or the Python that has uv as a module.
    pub path: String,
    /// Its version.
    pub version: String,
    /// Why this one.
    pub reason: String,
}

/// The shared cache.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CacheInfo {
    /// Its directory; `null` if nothing is kept.
    pub dir: Option<String>,
    /// The size of its files; `null` if they are too many to look at each.
    pub bytes: Option<u64>,
}

/// An installation, and which and why.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct InstallationInfo {
    /// The root.
    pub root: String,
    /// Why this root.
    pub root_reason: String,
    /// How it is laid out.
    pub layout: Layout,
    /// The core's directory; `null` for a base directory whose core nobody named.
    pub core: Option<String>,
    /// Why this core.
    pub core_reason: String,
    /// The directories of nodes; new ones go to the first.
    pub custom_nodes: Vec<String>,
    /// The Python; `null` if it cannot be told.
    pub python: Option<PythonInfo>,
    /// The policy; the file may be absent.
    pub settings: String,
    /// The lock; the file may be absent.
    pub lock: String,
    /// The history; the file may be absent.
    pub history: String,
    /// What is stored for going back to snapshots; `null` if it cannot be read.
    pub store: Option<StoreInfo>,
    /// `local` or `unknown`: whether the file system of the root is known to be local.
    pub file_system: String,
}

/// What is stored for going back to snapshots, in bytes.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StoreInfo {
    /// The directory; it may be absent.
    pub dir: String,
    /// All of it.
    pub bytes: u64,
    /// Wheels of packages.
    pub packages: u64,
    /// Commits of nodes.
    pub commits: u64,
    /// Files of nodes without history, and changes of files.
    pub files: u64,
}

/// A Python, and which and why.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PythonInfo {
    /// The interpreter.
    pub path: String,
    /// Its full version.
    pub version: String,
    /// Why this one.
    pub reason: String,
    /// Where packages are installed.
    pub packages: String,
    /// The read-only base beneath a virtual environment that sees it; `null` without one.
    pub base: Option<String>,
    /// Another program manages its packages (PEP 668).
    pub managed: bool,
}

/// Files of the cache that are looked at before its size is left open.
const MOST_FILES: usize = 20_000;

/// Tells what this program is and sees.
///
/// # Errors
///
/// Fails if the settings of an installation cannot be used.
pub fn run(context: &Context) -> Result<SelfInfo, OpError> {
    let mut warnings = Vec::new();
    let mut python = None;
    let (installation, problem) = match context.installation() {
        Ok(found) => {
            let (info, wrong) = look(context, &found, &mut warnings);
            python = info
                .python
                .as_ref()
                .map(|python| found.root.join(&python.path));
            (Some(info), wrong)
        }
        Err(OpError::Workspace(WorkspaceError::Settings(error))) => {
            return Err(WorkspaceError::Settings(error).into());
        }
        Err(error) => (None, Some(error.to_string())),
    };
    let looked = look_for_uv(
        context.uv.as_deref(),
        &context.around.path,
        context.cache_dir.as_deref(),
        python.as_deref(),
    );
    let (uv, uv_problem) = match looked {
        Ok(Some((uv, reason))) => (
            Some(UvInfo {
                path: uv.program,
                version: uv.version.to_string(),
                reason: reason.to_owned(),
            }),
            None,
        ),
        Ok(None) => (
            None,
            Some("none is here; the pinned one is fetched when it is needed".to_owned()),
        ),
        Err(error) => (None, Some(error.to_string())),
    };
    Ok(SelfInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        build: BuildInfo {
            target: built_for(),
            profile: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            }
            .to_owned(),
        },
        uv,
        uv_problem,
        cache: CacheInfo {
            dir: context.cache_dir.as_ref().map(ToString::to_string),
            bytes: context.cache_dir.as_deref().and_then(size_of),
        },
        directory: context.dir.to_string(),
        installation,
        problem,
        warnings,
    })
}

/// Looks at an installation; whatever cannot be told of its Python is the second part.
fn look(
    context: &Context,
    found: &Installation,
    warnings: &mut Vec<String>,
) -> (InstallationInfo, Option<String>) {
    let show = |path: &Utf8Path| show_path(&found.root, path);
    warnings.extend(found.notes.iter().map(|note| {
        format!(
            "{}:{}:{}: {}",
            note.file, note.line, note.column, note.message
        )
    }));
    let (python, problem) = match python_of(context) {
        Ok((site, info)) => {
            warnings.extend(site.warnings());
            (Some(info), None)
        }
        Err(error) => (None, Some(error.to_string())),
    };
    let own_dir = found.own_dir();
    let info = InstallationInfo {
        root: found.root.to_string(),
        root_reason: if context.root.is_some() {
            "named on the command line"
        } else {
            "found at or above the working directory"
        }
        .to_owned(),
        layout: found.layout,
        core: found.core().map(|core| core.dir),
        core_reason: found.core_reason.shown().to_owned(),
        custom_nodes: found.custom_nodes.iter().map(|dir| show(dir)).collect(),
        python,
        settings: "portenv.toml".to_owned(),
        lock: show(&found.lock_path()),
        history: show(&own_dir.join("portenv.db")),
        store: sizes(&own_dir.join("store")).ok().map(|sizes| StoreInfo {
            dir: show(&own_dir.join("store")),
            bytes: sizes.total(),
            packages: sizes.packages,
            commits: sizes.commits,
            files: sizes.files,
        }),
        file_system: match locality(&found.root) {
            Locality::Local => "local",
            Locality::Unknown => "unknown",
        }
        .to_owned(),
    };
    (info, problem)
}

fn python_of(context: &Context) -> Result<(Site, PythonInfo), OpError> {
    let site = context.site()?;
    let installed = site.installed()?;
    let root = &site.installation.root;
    let info = PythonInfo {
        path: show_path(root, &site.interpreter.path),
        version: site.target.python.to_string(),
        reason: site.choice.why(),
        packages: show_path(root, &site.interpreter.purelib),
        base: installed.base().map(|base| base.prefix.to_string()),
        managed: site.interpreter.managed,
    };
    Ok((site, info))
}

/// The triple of the machine this program was built for.
fn built_for() -> String {
    let (vendor, system) = match std::env::consts::OS {
        "windows" => ("pc", "windows"),
        "macos" => ("apple", "darwin"),
        other => ("unknown", other),
    };
    let library = if cfg!(target_env = "gnu") {
        "-gnu"
    } else if cfg!(target_env = "musl") {
        "-musl"
    } else if cfg!(target_env = "msvc") {
        "-msvc"
    } else {
        ""
    };
    format!("{}-{vendor}-{system}{library}", std::env::consts::ARCH)
}

/// Adds up the files below a directory, if they are not too many.
fn size_of(dir: &Utf8Path) -> Option<u64> {
    let mut open: Vec<Utf8PathBuf> = vec![dir.to_owned()];
    let (mut bytes, mut seen) = (0u64, 0usize);
    while let Some(path) = open.pop() {
        if fs::is_dir(&path) && fs::link_target(&path).is_none() {
            let names = fs::find_dir(&path).unwrap_or_default();
            seen += names.len();
            if seen > MOST_FILES {
                return None;
            }
            open.extend(names.iter().map(|name| path.join(name)));
        } else if let Ok((size, _)) = fs::stamp(&path) {
            bytes = bytes.saturating_add(size);
        }
    }
    Some(bytes)
}
