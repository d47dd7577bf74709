//! The commands as a person or a script runs them: the real binary, uv, git and Python.

mod add;
#[cfg(unix)]
mod adoption;
mod anew;
mod bisect;
mod cache;
mod check;
#[cfg(unix)]
mod compiler;
mod demo;
mod diff;
#[cfg(unix)]
mod disks;
mod enable;
mod explain;
mod export;
#[cfg(unix)]
mod faults;
mod gate;
mod help;
mod in_use;
mod install_script;
#[cfg(unix)]
mod killed;
mod last_conflict;
mod lock;
mod node_store;
#[cfg(unix)]
mod outcomes;
mod pack;
mod peers;
mod place;
mod preview;
#[cfg(unix)]
mod program;
mod prune;
mod rebuild;
mod recover_history;
mod remove;
mod rollback;
mod schemas;
mod snapshot;
mod stash;
mod status;
mod subset;
mod sync;
mod sync_all;
#[cfg(unix)]
mod together;
mod torch;
mod tree;
mod undo;
mod update;
mod update_core;
mod venv;
mod verify;
mod waivers;
mod ways_out;
mod wheelhouse;
mod why;
#[cfg(unix)]
mod without_git;
