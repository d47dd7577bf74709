//! `venv`: further environments beside the live one, which none of this changes.
//!
//! They lie under `.portenv/envs`: on the file system of store and trash, out of git's sight,
//! and where nobody looks for ComfyUI's own Python (`envs/default` in the installation would be
//! taken for that). Each is made under another name, read back, and renamed when it is whole;
//! what a killed run left is removed by the next.
//!
//! Never: changes the live environment, the lock or the history.

pub mod create;
pub mod list;
pub mod note;
pub mod place;
pub mod remove;
