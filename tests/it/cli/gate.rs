//! The forms of `check` that CI systems read, each read back as they would.

mod against;
mod codes;
mod forms;
mod hostile;
mod new;
