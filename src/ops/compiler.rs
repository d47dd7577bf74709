//! What a plan would have to compile where nothing can be compiled: said before anything
//! is downloaded.

use super::changes::ChangeInfo;
use super::context::{Context, Site};
use crate::environment::headers::{has_compiler, has_headers};
use crate::gate::abi::is_bound;
use crate::index::Index;
use crate::lock::Lock;
use crate::package::{FileKind, Name};
use crate::resolve::Warning;

/// Says which packages would be built here and cannot be.
pub fn compiler_warnings(
    context: &Context,
    site: &Site,
    changes: &[ChangeInfo],
    lock: &Lock,
    index: &dyn Index,
) -> Vec<Warning> {
    let built: Vec<&ChangeInfo> = changes.iter().filter(|change| change.sdist).collect();
    if built.is_empty() {
        return Vec::new();
    }
    let interpreter = &site.interpreter;
    let environment = interpreter.environment.as_deref();
    let minor = site.target.python_minor();
    let mut lacks = Vec::new();
    if !has_headers(&interpreter.path, environment, &minor) {
        lacks.push(format!("this Python {minor} has no headers"));
    }
    if !has_compiler(&context.around.path) {
        lacks.push("there is no C compiler on PATH".to_owned());
    }
    if lacks.is_empty() {
        return Vec::new();
    }
    let lacks = lacks.join(" and ");
    let told = built.iter().filter_map(|change| {
        let verb = match compiles(&change.name, lock, site, index) {
            Some(false) => return None,
            Some(true) => "needs",
            None => "may need",
        };
        let version = change.to.as_deref().unwrap_or_default();
        let message = format!(
            "{} {version} is built from source and {verb} a compiler, but {lacks}",
            change.name
        );
        Some(Warning::new("needs-compiler", message))
    });
    told.collect()
}

/// Judges whether building a package compiles something: by its files where they were seen,
/// else by the wheels that it has for other platforms.
fn compiles(name: &Name, lock: &Lock, site: &Site, index: &dyn Index) -> Option<bool> {
    let package = lock
        .active(&site.target)
        .find(|found| found.name == *name)?;
    let seen = package.sdist().and_then(|sdist| index.compiles(sdist));
    if seen.is_some() {
        return seen;
    }
    let version = package.version.as_ref()?;
    if is_bound(name, version, &[]) {
        return Some(true);
    }
    // What was asked for a moment ago costs no request.
    let page = index.page(name).ok().flatten()?;
    let mut wheels = (0..page.len())
        .flat_map(|at| page.files(at))
        .filter(|file| file.kind() == FileKind::Wheel)
        .filter_map(|file| page.tag_sets().get(file.tags as usize))
        .peekable();
    wheels.peek()?;
    Some(wheels.any(|tags| !tags.ends_with("-any")))
}
