//! The edge: arguments in, text or JSON and an exit code out.
//!
//! Never: decides anything about packages.

pub mod advice;
pub mod args;
pub mod bars;
pub mod demo;
pub mod dispatch;
pub mod document;
pub mod failure;
pub mod line;
pub mod screen;
pub mod settings;
pub mod view;

pub use dispatch::run;
