//! Where environments lie, and by what name they go.

use camino::{Utf8Path, Utf8PathBuf};

use super::note::Note;
use crate::host::fs;
use crate::ops::context::Context;
use crate::ops::error::OpError;

/// Returns the directory that the environments of an installation lie in.
pub(super) fn home(own_dir: &Utf8Path) -> Utf8PathBuf {
    own_dir.join("envs")
}

/// Demands a name that is one directory's on every system and looks like no flag.
///
/// # Errors
///
/// Fails with what a name may be.
pub(super) fn check_name(name: &str) -> Result<(), OpError> {
    const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let stem = name.split('.').next().unwrap_or(name).to_ascii_lowercase();
    let is_port = |word: &str| {
        let digit = stem.strip_prefix(word);
        digit.is_some_and(|rest| rest.len() == 1 && rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let reserved = RESERVED.contains(&stem.as_str()) || is_port("com") || is_port("lpt");
    let fits = name.len() <= 64 && !name.ends_with('.') && !reserved;
    if starts_well && fits && name.chars().all(is_fine) {
        return Ok(());
    }
    Err(OpError::Usage(format!(
        "`{name}` cannot be the name of an environment: letters, digits, `-`, `_` and `.`, at \
         most 64, the first a letter or digit"
    )))
}

/// Returns where an environment is made before it gets its name: on the same file system, for
/// it is renamed.
pub(super) fn unfinished(dir: &Utf8Path) -> Utf8PathBuf {
    let name = dir.file_name().unwrap_or("venv");
    dir.with_file_name(format!(".{name}.part"))
}

/// Finds an environment by name, or by path if what was typed looks like one.
///
/// # Errors
///
/// Fails if there is none.
pub(in crate::ops) fn find(context: &Context, name: &str) -> Result<Utf8PathBuf, OpError> {
    let is_path = name.contains(['/', '\\']);
    let dir = if is_path {
        context.dir.join(name)
    } else {
        check_name(name)?;
        home(&context.installation()?.own_dir()).join(name)
    };
    if Note::find(&dir).is_some() {
        Ok(dir)
    } else {
        Err(OpError::NotFound(format!(
            "there is no environment `{name}` that portenv venv made"
        )))
    }
}

/// Removes what runs that were killed have left.
pub(super) fn sweep(home: &Utf8Path) -> Result<(), OpError> {
    for name in fs::find_dir(home).unwrap_or_default() {
        if name.starts_with('.') && name.ends_with(".part") {
            fs::remove_all(&home.join(name))?;
        }
    }
    Ok(())
}
