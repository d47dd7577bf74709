//! A bare virtual environment.

use camino::Utf8Path;

use super::call::{Uv, UvError, failure};

/// What `uv venv` is to do.
#[derive(Debug)]
pub struct VenvCall<'a> {
    /// The interpreter that it is made from, or one of an environment made from that; it need
    /// not have Python's own `venv`.
    pub python: &'a Utf8Path,
    /// Where it is made; nothing lies there yet.
    pub dir: &'a Utf8Path,
    /// What a shell shows while it is active.
    pub prompt: &'a str,
    /// It sees the packages of the Python beneath.
    pub sees_base: bool,
}

impl Uv {
    /// Makes an environment without packages. No request is made. Its scripts find their
    /// Python by where they lie themselves, so it works wherever it is moved to.
    ///
    /// # Errors
    ///
    /// Fails if uv cannot be started or ends badly.
    pub fn venv(&self, venv: &VenvCall<'_>) -> Result<(), UvError> {
        let mut call = self
            .call()
            .args(["venv", "--no-config", "--no-project", "--offline"])
            .args(["--color", "never", "--no-python-downloads", "--relocatable"])
            .args(["--python", venv.python.as_str(), "--prompt", venv.prompt])
            .dir(venv.dir.parent().unwrap_or(Utf8Path::new(".")));
        if venv.sees_base {
            call = call.arg("--system-site-packages");
        }
        let finished = call.arg(venv.dir.as_str()).run()?;
        if finished.ok() {
            Ok(())
        } else {
            Err(failure(&finished))
        }
    }
}
