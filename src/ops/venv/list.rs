//! `venv list`: which environments there are.

use camino::Utf8PathBuf;

use super::note::Note;
use super::place::home;
use crate::host::fs;
use crate::ops::context::Context;
use crate::ops::error::OpError;

/// Lists the environments of the installation by name; changes nothing.
///
/// # Errors
///
/// Fails if there is no installation.
pub fn run(context: &Context) -> Result<Vec<(Note, Utf8PathBuf)>, OpError> {
    let home = home(&context.installation()?.own_dir());
    let mut names = fs::find_dir(&home).unwrap_or_default();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    let dirs = names.iter().map(|name| home.join(name));
    Ok(dirs
        .filter_map(|dir| Some((Note::find(&dir)?, dir)))
        .collect())
}
