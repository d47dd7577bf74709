//! What could be had: package indexes, folders of wheels, and their metadata.
//!
//! A page is parsed by a pure function ([`simple`]), kept as a compact record
//! ([`page`], [`cache`]), fetched by one background thread ([`fetcher`]) that
//! walks ahead of the solver, and read through the [`Index`] trait ([`source`]).
//!
//! Never: prefers a version, or runs foreign code itself (that is a [`Builder`]'s).

pub mod archive;
mod building;
pub mod cache;
mod checkout;
pub mod client;
mod cold;
pub mod config;
pub mod direct;
pub mod download;
pub mod fetcher;
pub mod folder;
pub mod html;
pub mod memory;
pub mod netrc;
pub mod page;
pub mod project;
pub mod remote;
pub mod retention;
pub mod simple;
pub mod source;
mod thrift;

pub use config::{IndexConfig, IndexLocation, Patience};
pub use download::{DownloadError, FileJob, download_files};
pub use memory::MemoryIndex;
pub use page::{FileRef, Page};
pub use remote::{RemoteIndex, Stats};
pub use source::{
    BuildFailure, Builder, Direct, Download, Index, IndexError, MetadataError, Scout, Want,
};
pub use thrift::Purpose;
