//! `venv remove`: an environment to the trash.

use camino::Utf8PathBuf;

use super::place;
use crate::host::fs;
use crate::nodes::trash;
use crate::ops::context::Context;
use crate::ops::error::OpError;
use crate::ops::turn::take_lock;

/// Moves an environment to the trash, from where it can be moved back: its scripts find their
/// Python wherever it lies. Returns where it is now.
///
/// # Errors
///
/// Fails if there is none of that name, or it cannot be moved.
pub fn run(context: &Context, name: &str) -> Result<Utf8PathBuf, OpError> {
    place::check_name(name)?;
    let dir = place::find(context, name)?;
    let site = context.site()?;
    let own_dir = site.installation.own_dir();
    let _held = take_lock(context, &site, "venv remove")?;
    let home = own_dir.join("trash");
    fs::create_dir_all(&home)?;
    let stamp = context.clock.now().to_string();
    let to = home.join(trash::free_place(&home, name, &stamp));
    fs::rename(&dir, &to)?;
    Ok(to)
}
