//! One file per command: plain options in, an outcome as a value out.
//!
//! Never: prints, parses arguments, or knows an exit code.

pub mod add;
mod against;
mod assemble;
pub mod attention;
pub mod backend;
mod baseline;
mod basis;
pub mod beside;
pub mod bisect;
mod bring;
pub mod cache;
pub mod capture;
mod cause;
pub mod changes;
pub mod check;
pub mod compiler;
pub mod context;
pub mod demo;
pub mod diff;
pub mod error;
pub mod explain;
pub mod export;
pub mod facts;
mod fingerprint;
pub mod graph;
mod ground;
pub mod init;
pub mod inputs;
pub mod install_script;
pub mod joint;
pub mod lock;
mod members;
pub mod obstacle;
pub mod other_versions;
pub mod outcome;
pub mod packages;
pub mod preview;
pub mod prune;
pub mod rebuild;
pub mod recover;
pub mod release;
pub mod remove;
pub mod resolve;

pub mod rollback;
pub mod self_info;
pub mod snapshot;
pub mod status;
pub mod subset;
pub mod switch;
pub mod sync;
pub mod traces;
pub mod transaction;
pub mod tree;
pub mod turn;
pub mod update;
pub mod update_core;
pub mod upstream;
pub mod verify;
pub mod ways;
pub mod ways_out;
pub mod why;

pub use context::Context;
pub use error::OpError;
