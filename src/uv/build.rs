//! Metadata of an sdist by running its build backend, isolated by uv (PEP 517).

use std::io::Cursor;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use flate2::read::GzDecoder;

use super::call::{OF_UV, Uv, failure, with_indexes};
use super::locate::{Search, find_uv};
use crate::host::fs;
use crate::host::process::{Bounds, Finished};
use crate::index::{BuildFailure, Builder, IndexConfig, RemoteIndex};
use crate::package::artifact::printable;
use crate::package::{Metadata, Target};
use crate::progress::{Cancel, Silent};

/// Runs the hooks: asks what the build needs, then for the metadata alone, else
/// for the whole wheel. Results go to a file, for backends print what they like.
const HOOKS: &str = r#"
import importlib, json, os, sys
sys.path[:1] = []
step, backend, paths, out, result = sys.argv[1:6]
sys.path[:0] = [os.path.abspath(path) for path in json.loads(paths)]
module, _, attribute = backend.partition(":")
hooks = importlib.import_module(module)
for part in filter(None, attribute.split(".")):
    hooks = getattr(hooks, part)
if step == "requires":
    answer = list(getattr(hooks, "get_requires_for_build_wheel", lambda config=None: [])(None))
elif hasattr(hooks, "prepare_metadata_for_build_wheel"):
    answer = hooks.prepare_metadata_for_build_wheel(out, None)
else:
    answer = hooks.build_wheel(out, None, None)
with open(result, "w", encoding="utf-8") as file:
    json.dump(answer, file)
"#;

/// A metadata build that takes longer is given up.
const LIMIT: Duration = Duration::from_mins(5);

/// Builds metadata with the installation's Python.
pub struct UvBuilder {
    python: String,
    target: Target,
    named: Option<Utf8PathBuf>,
    path: Vec<Utf8PathBuf>,
    config: IndexConfig,
    now: i64,
    cancel: Cancel,
    uv: OnceLock<Result<Uv, String>>,
}

/// What a builder needs to know.
pub struct BuildContext<'a> {
    /// The interpreter, or a version request such as `3.12`.
    pub python: String,
    /// The target.
    pub target: &'a Target,
    /// `--uv`.
    pub named: Option<Utf8PathBuf>,
    /// The directories of PATH.
    pub path: Vec<Utf8PathBuf>,
    /// The indexes that build requirements come from.
    pub config: IndexConfig,
    /// The present time, in seconds since 1970.
    pub now: i64,
    /// Asks the work to stop.
    pub cancel: Cancel,
}

impl UvBuilder {
    /// Makes a builder; uv is looked for at the first build.
    pub fn shared(context: BuildContext<'_>) -> Arc<dyn Builder> {
        Arc::new(Self {
            python: context.python,
            target: context.target.clone(),
            named: context.named,
            path: context.path,
            config: context.config,
            now: context.now,
            cancel: context.cancel,
            uv: OnceLock::new(),
        })
    }

    fn uv(&self) -> Result<Uv, String> {
        let find = || {
            let index = RemoteIndex::new(
                self.config.clone(),
                self.now,
                self.cancel.clone(),
                Arc::new(Silent),
            );
            let python = Utf8Path::new(&self.python);
            find_uv(&Search {
                named: self.named.as_deref(),
                path: &self.path,
                python: python.is_absolute().then_some(python),
                cache_dir: self.config.cache_dir.as_deref(),
                target: &self.target,
                index: &index,
            })
            .map_err(|error| error.to_string())
        };
        self.uv.get_or_init(find).clone()
    }
}

/// Runs one hook of a build, isolated, with a Python, where what it needs comes from, and
/// what asks it to stop.
pub(super) fn run_hook(
    uv: &Uv,
    (python, config, cancel): (&str, &IndexConfig, &Cancel),
    step: &str,
    plan: &Plan,
    dir: &Utf8Path,
    out: &Utf8Path,
) -> Result<serde_json::Value, BuildFailure> {
    let result = out.join(format!("{step}.json"));
    let mut call = uv
        .call()
        .args([
            "run",
            "--isolated",
            "--no-project",
            "--no-config",
            "--no-progress",
            "--no-python-downloads",
        ])
        .args(["--color", "never", "--quiet", "--python", python]);
    for requirement in &plan.requires {
        call = call.args(["--with", requirement]);
    }
    call = with_indexes(call, config, &OF_UV);
    if config.offline {
        call = call.arg("--offline");
    }
    let paths = serde_json::to_string(&plan.paths).map_err(|error| error.to_string())?;
    call = call
        .args([
            "python",
            "-c",
            HOOKS,
            step,
            &plan.backend,
            &paths,
            out.as_str(),
            result.as_str(),
        ])
        .dir(dir);
    let bounds = Bounds {
        limit: LIMIT,
        stop: cancel.clone(),
    };
    let finished = call
        .run_within(&bounds)
        .map_err(|error| error.to_string())?;
    let finished = finished.ok_or_else(|| {
        BuildFailure::Project(format!("its build took longer than {} s", LIMIT.as_secs()))
    })?;
    if !finished.ok() {
        return Err(said_last(&finished));
    }
    let text = fs::read_text(&result).map_err(|_| "its build gave no result".to_owned())?;
    serde_json::from_str(&text).map_err(|error| error.to_string().into())
}

/// Says why a build failed, by the last thing it said.
pub(super) fn said_last(finished: &Finished) -> BuildFailure {
    let shown = failure(finished).to_string();
    let last = shown
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("no message");
    let reason = format!("its build failed: {}", printable(last.trim()));
    // What a build needs could not be had: no fault of the project's.
    let network = [
        "Failed to fetch",
        "Failed to download",
        "error sending request",
    ];
    if network.iter().any(|sign| shown.contains(sign)) {
        BuildFailure::Machine(reason)
    } else {
        BuildFailure::Project(reason)
    }
}

/// What `[build-system]` asks for; setuptools' old way by default (PEP 517).
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) requires: Vec<String>,
    backend: String,
    paths: Vec<String>,
}

impl Plan {
    pub(super) fn read(dir: &Utf8Path) -> Result<Self, String> {
        let mut plan = Self {
            requires: vec!["setuptools>=40.8.0".to_owned()],
            backend: "setuptools.build_meta:__legacy__".to_owned(),
            paths: Vec::new(),
        };
        let Ok(Some(text)) = fs::find_text(&dir.join("pyproject.toml")) else {
            return Ok(plan);
        };
        let table: toml::Table = text
            .parse()
            .map_err(|_| "its pyproject.toml is not TOML".to_owned())?;
        let Some(system) = table.get("build-system").and_then(|value| value.as_table()) else {
            return Ok(plan);
        };
        let texts = |key: &str| -> Vec<String> {
            let list = system.get(key).and_then(|value| value.as_array());
            list.into_iter()
                .flatten()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect()
        };
        plan.requires = texts("requires");
        if let Some(backend) = system.get("build-backend").and_then(|value| value.as_str()) {
            backend.clone_into(&mut plan.backend);
            plan.paths = texts("backend-path");
        }
        Ok(plan)
    }
}

impl Builder for UvBuilder {
    fn metadata(
        &self,
        source: &Utf8Path,
        subdirectory: Option<&str>,
    ) -> Result<Metadata, BuildFailure> {
        let uv = self.uv()?;
        // A directory of the user's gets nothing beside it; an archive lies in the cache.
        let parent = match (fs::is_dir(source), &self.config.cache_dir) {
            (true, Some(cache)) => cache.as_path(),
            (true, None) => Utf8Path::new("."),
            (false, _) => source.parent().unwrap_or(Utf8Path::new(".")),
        };
        let scratch = fs::scratch(parent).map_err(|error| error.to_string())?;
        let scratch = Utf8PathBuf::from_path_buf(scratch.path().to_owned())
            .map(|dir| (dir, scratch))
            .map_err(|_| "a path is not UTF-8".to_owned())?;
        let (unpacked, out) = (scratch.0.join("source"), scratch.0.join("out"));
        fs::create_dir_all(&out).map_err(|error| error.to_string())?;
        let mut dir = if fs::is_dir(source) {
            source.to_owned()
        } else {
            unpack(source, &unpacked)?;
            project_dir(&unpacked)?
        };
        if let Some(inner) = subdirectory {
            dir = dir.join(inner);
        }
        if !fs::is_dir(&dir) {
            return Err("it has no such directory".into());
        }
        let mut plan = Plan::read(&dir)?;
        let with = (self.python.as_str(), &self.config, &self.cancel);
        let more = run_hook(&uv, with, "requires", &plan, &dir, &out)?;
        let more: Vec<String> = serde_json::from_value(more).map_err(|error| error.to_string())?;
        plan.requires.extend(more);
        let made = run_hook(&uv, with, "metadata", &plan, &dir, &out)?;
        let made = out.join(made.as_str().ok_or("its build gave no result")?);
        let text = if made.as_str().ends_with(".whl") {
            let bytes = fs::read_bytes(&made).map_err(|error| error.to_string())?;
            crate::index::archive::wheel_metadata(&bytes)?
        } else {
            fs::read_text(&made.join("METADATA")).map_err(|error| error.to_string())?
        };
        Ok(Metadata::parse(&text))
    }

    fn tag(&self) -> String {
        self.target.to_string()
    }
}

/// Unpacks an sdist; members cannot leave the directory.
pub(super) fn unpack(path: &Utf8Path, into: &Utf8Path) -> Result<(), String> {
    let bytes = fs::read_bytes(path).map_err(|error| error.to_string())?;
    let damaged = |error: &dyn std::fmt::Display| format!("it cannot be unpacked: {error}");
    if bytes.starts_with(b"PK") {
        let mut archive =
            zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
        return archive.extract(into).map_err(|error| damaged(&error));
    }
    fs::create_dir_all(into).map_err(|error| error.to_string())?;
    tar::Archive::new(GzDecoder::new(bytes.as_slice()))
        .unpack(into)
        .map_err(|error| damaged(&error))
}

/// An sdist holds one directory, in which the project is.
pub(super) fn project_dir(source: &Utf8Path) -> Result<Utf8PathBuf, String> {
    let names = fs::list_dir(source).map_err(|error| error.to_string())?;
    let dirs: Vec<Utf8PathBuf> = names
        .iter()
        .map(|name| source.join(name))
        .filter(|path| fs::is_dir(path))
        .collect();
    match dirs.as_slice() {
        [one] => Ok(one.clone()),
        _ => Err("it does not hold one directory".to_owned()),
    }
}
