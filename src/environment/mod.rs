//! What a Python is, and what is installed in it.
//!
//! Never: runs anything of the environment but the interpreter itself, with
//! `-I -S`, so that no `.pth` file and no `sitecustomize` is executed.

pub mod embedded;
pub mod files;
pub mod headers;
pub mod health;
pub mod installed;
pub mod interpreter;
pub mod record;
pub mod unrecorded;

pub use installed::{Distribution, Installed, Origination};
pub use interpreter::{Interpreter, InterpreterError, ask};
