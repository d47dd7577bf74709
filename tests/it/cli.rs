//! The commands as a person or a script runs them: the real binary, uv, git and Python.

mod add;
mod check;
mod demo;
mod diff;
#[cfg(unix)]
mod faults;
mod help;
mod lock;
mod place;
mod preview;
#[cfg(unix)]
mod program;
mod remove;
mod rollback;
mod schemas;
mod snapshot;
mod status;
mod sync;
#[cfg(unix)]
mod together;
mod waivers;
