//! `wheelhouse build | check | install`: every wheel of the lock in a folder, the proof that
//! nothing is lacking, and an installation from there alone.
//!
//! Never: checks or installs with the network.

pub mod build;
pub mod check;
mod fetch;
pub mod install;
mod make;
mod place;
