//! `.portenv/store`: what can't be had again by address and hash.
//!
//! Never: removes anything but what `prune` tells it to, by what snapshots need.

pub mod archive;
pub mod collect;
pub mod repack;

pub use repack::{StoreError, repack};
