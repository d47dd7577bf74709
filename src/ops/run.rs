//! `run`: a command in an environment that `venv create` made.

use super::context::Context;
use super::error::{OpError, chain};
use super::venv::place;
use crate::host::handover::Handover;
use crate::workspace::python::interpreter_in;

/// Lets a command take over, with the environment's programs first on PATH, as if the
/// environment were active. Returns its exit code where a process cannot become another.
///
/// # Errors
///
/// Fails if there is no such environment, or the command cannot be started.
pub fn run(context: &Context, name: &str, command: &[String]) -> Result<i32, OpError> {
    let dir = place::find(context, name)?;
    let python = interpreter_in(&dir).ok_or_else(|| {
        let text = "its Python is gone, or the one that it was made from; make the environment \
                    again";
        OpError::NotFound(format!(
            "there is no environment `{name}` that works: {text}"
        ))
    })?;
    let handover = Handover {
        command,
        path_first: python.parent().unwrap_or(&dir),
        envs: &[("VIRTUAL_ENV", dir.to_string())],
        hidden: &["PYTHONHOME", "CONDA_PREFIX"],
    };
    handover.go().map_err(|error| {
        if error.is_not_found() {
            OpError::NotFound(format!("there is no command `{}`", error.program))
        } else {
            OpError::Usage(chain(&error))
        }
    })
}
