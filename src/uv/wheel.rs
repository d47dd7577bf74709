//! Wheels of projects: what a build needs is asked for, then the build runs with that alone.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::build::{Plan, project_dir, run_hook, said_last, unpack};
use super::call::{OF_UV, Uv, with_indexes};
use crate::host::fs;
use crate::host::process::Bounds;
use crate::index::{BuildFailure, IndexConfig};
use crate::progress::Cancel;

/// A build that takes longer is given up: compilers are slow, and some wait for ever.
const LIMIT: Duration = Duration::from_hours(1);

/// A project that a wheel is made of, in a directory of its own: builds leave things behind.
#[derive(Debug)]
pub struct Project {
    _scratch: tempfile::TempDir,
    root: Utf8PathBuf,
    dir: Utf8PathBuf,
    plan: Plan,
}

/// What a wheel is built with.
pub struct Workshop<'a> {
    /// uv.
    pub uv: &'a Uv,
    /// The interpreter.
    pub python: &'a str,
    /// Where what the build needs comes from: a folder, or indexes.
    pub config: &'a IndexConfig,
    /// Asks the work to stop.
    pub cancel: &'a Cancel,
}

impl Project {
    /// Unpacks an sdist, or copies a directory, below `scratch`.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read or holds no project.
    pub fn open(
        source: &Utf8Path,
        subdirectory: Option<&str>,
        scratch: &Utf8Path,
    ) -> Result<Self, BuildFailure> {
        let held = fs::scratch(scratch).map_err(|error| error.to_string())?;
        let root = Utf8PathBuf::from_path_buf(held.path().to_owned())
            .map_err(|_| "a path is not UTF-8".to_owned())?;
        let unpacked = root.join("source");
        let mut dir = if fs::is_dir(source) {
            fs::copy_tree(source, &unpacked).map_err(|error| error.to_string())?;
            unpacked
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
        let plan = Plan::read(&dir)?;
        Ok(Self {
            _scratch: held,
            root,
            dir,
            plan,
        })
    }

    /// Returns what its files say that its build needs (PEP 518).
    pub fn stated(&self) -> &[String] {
        &self.plan.requires
    }

    /// Asks its build what it needs besides (PEP 517); that runs its code.
    ///
    /// # Errors
    ///
    /// Returns why it could not say.
    pub fn asked(&self, shop: &Workshop<'_>) -> Result<Vec<String>, BuildFailure> {
        let out = self.root.join("asked");
        fs::create_dir_all(&out).map_err(|error| error.to_string())?;
        let answer = run_hook(
            shop.uv,
            (shop.python, shop.config, shop.cancel),
            "requires",
            &self.plan,
            &self.dir,
            &out,
        )?;
        serde_json::from_value(answer).map_err(|error| error.to_string().into())
    }

    /// Builds its wheel; returns where it lies, which is gone with the project.
    ///
    /// # Errors
    ///
    /// Returns why the build failed, fit to be shown.
    pub fn wheel(&self, shop: &Workshop<'_>) -> Result<Utf8PathBuf, BuildFailure> {
        let out = self.root.join("wheel");
        fs::create_dir_all(&out).map_err(|error| error.to_string())?;
        let mut call = shop
            .uv
            .call()
            .args(["build", "--wheel", "--no-config", "--no-progress"])
            .args(["--color", "never", "--no-python-downloads", "--no-sources"])
            .args(["--no-create-gitignore", "--python", shop.python])
            .args(["--out-dir", out.as_str()]);
        if shop.config.offline {
            call = call.arg("--offline");
        }
        // The start of what zip archives can say: the same source is the same wheel, as far
        // as its build lets it.
        call = with_indexes(call, shop.config, &OF_UV).env("SOURCE_DATE_EPOCH", "315532800");
        let call = call.arg(self.dir.as_str()).dir(&self.dir);
        let bounds = Bounds {
            limit: LIMIT,
            stop: shop.cancel.clone(),
        };
        let finished = call
            .run_within(&bounds)
            .map_err(|error| error.to_string())?
            .ok_or_else(|| BuildFailure::Project("its build took too long".to_owned()))?;
        if !finished.ok() {
            return Err(said_last(&finished));
        }
        let names = fs::list_dir(&out).map_err(|error| error.to_string())?;
        let mut wheels = names.iter().filter(|name| name.ends_with(".whl"));
        match (wheels.next(), wheels.next()) {
            (Some(wheel), None) => Ok(out.join(wheel)),
            _ => Err("its build made no wheel".into()),
        }
    }
}
