//! What stands in the way of a change of packages, found before the first of them is touched.

use std::collections::BTreeSet;
use std::io;

use camino::Utf8PathBuf;

use super::context::{Context, Site};
use super::error::OpError;
use super::packages::PackageGoal;
use crate::environment::Installed;
use crate::host::{FsError, fs, hold};

/// How the names of libraries end that a program maps and does not just read.
const LOADED: [&str; 4] = ["so", "pyd", "dll", "dylib"];

/// Demands that every file of a package that goes or is replaced can be: that its directory may
/// be written, that nobody marked it as unchangeable, and that no program has it loaded.
///
/// # Errors
///
/// Fails with the first thing in the way.
pub fn check_replaceable(
    site: &Site,
    goal: &PackageGoal,
    installed: &Installed,
) -> Result<(), OpError> {
    let plan = goal.plan(installed);
    if plan.is_empty() {
        return Ok(());
    }
    fs::check_writable(&site.interpreter.purelib)?;
    let mut loaded = BTreeSet::new();
    let mut dirs = BTreeSet::new();
    let names = plan.steps.iter().map(|step| &step.change.name);
    for distribution in names.filter_map(|name| installed.get(name)) {
        let Some(base) = distribution.dir.parent() else {
            continue;
        };
        // The system tells of real paths.
        let real = fs::canonical(base).unwrap_or_else(|_| base.to_owned());
        let own = [Utf8PathBuf::from("RECORD")].map(|name| distribution.dir.join(name));
        let rows = distribution.rows();
        let listed = rows.iter().map(|row| base.join(&row.path));
        for file in own.into_iter().chain(listed) {
            if hold::is_fixed(&file) {
                let marked = "it is marked so that nobody may change it";
                return Err(denied("replace", file, marked));
            }
            if LOADED.contains(&file.extension().unwrap_or_default())
                && let Ok(inner) = file.strip_prefix(base)
            {
                loaded.insert(real.join(inner));
            }
            dirs.extend(file.parent().map(ToOwned::to_owned));
        }
    }
    for dir in dirs {
        if hold::is_fixed(&dir) || fs::is_dir(&dir) && !fs::may_write(&dir) {
            return Err(denied("write to", dir, "permission denied"));
        }
    }
    match hold::find_held(&loaded).as_slice() {
        [] => Ok(()),
        held => Err(OpError::HeldOpen(held.to_vec())),
    }
}

fn denied(verb: &'static str, path: Utf8PathBuf, why: &str) -> OpError {
    OpError::File(FsError {
        verb,
        path,
        source: io::Error::new(io::ErrorKind::PermissionDenied, why),
    })
}

/// Says so if this ComfyUI runs: it goes on with what it has loaded.
pub fn tell_running(context: &Context, site: &Site) {
    let Some(core) = &site.installation.comfyui else {
        return;
    };
    let Ok(script) = fs::canonical(&core.join("main.py")) else {
        return;
    };
    for process in hold::find_running(&script) {
        context.progress.warning(&format!(
            "ComfyUI is running ({process}): it goes on with what it has loaded, so start it anew \
             after the change"
        ));
    }
}
