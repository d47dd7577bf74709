//! `.portenv/store`: what can't be had again by address and hash.
//!
//! Never: removes anything (that is `prune`'s, by what snapshots need).

pub mod repack;

pub use repack::{StoreError, repack};
