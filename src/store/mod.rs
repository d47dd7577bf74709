//! `.portenv/store`: what can't be had again by address and hash.
//!
//! Never: removes anything but what `prune` tells it to, by what snapshots need.

pub mod archive;
pub mod collect;
pub mod imprint;
pub mod repack;

pub use imprint::{Part, find_imprint, place_of, put_imprint, restore};
pub use repack::{StoreError, repack};

/// A file that was put into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The file, relative to the store.
    pub file: String,
    /// Its digest.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}
