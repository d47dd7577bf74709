//! The forms of `check` that CI systems read, each read back as they would.

mod action;
mod against;
mod codes;
mod core;
mod forms;
mod hostile;
mod list;
mod lockfiles;
mod new;
