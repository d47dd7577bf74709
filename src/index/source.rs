//! What the resolver sees of the world, and what it lends to it.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::folder;
use super::page::{ColdFile, Page};
use super::thrift::Purpose;
use crate::package::{DistFile, Metadata, Name, Source, Version};

/// Why the world could not be asked. Not an answer about packages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// An index could not be reached or answered with a failure.
    #[error("{url}: {detail}")]
    Unreachable {
        /// What was asked, credentials removed.
        url: String,
        /// What went wrong.
        detail: String,
    },
    /// A git repository could not be read.
    #[error("{url}: {detail}")]
    Git {
        /// What was asked, credentials removed.
        url: String,
        /// What git said.
        detail: String,
    },
    /// It is not in the cache and the network may not be used.
    #[error("`{what}` is not in the cache, and the network is switched off")]
    Offline {
        /// What was wanted.
        what: String,
    },
    /// An answer is not what it should be: wrong hash, truncated, garbage.
    #[error("{url}: {detail}")]
    Integrity {
        /// What was asked, credentials removed.
        url: String,
        /// What is wrong.
        detail: String,
    },
    /// The work was asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl IndexError {
    /// Makes the error for a page whose record in the cache is damaged.
    pub fn damaged(page: &Page, name: &Name) -> Self {
        Self::Integrity {
            url: page.index().to_owned(),
            detail: format!("what the cache keeps of {name} is damaged; --refresh asks again"),
        }
    }
}

/// Why a version's metadata cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// The version cannot be used, and why; others may.
    #[error("{0}")]
    Unusable(String),
    /// The page lists its file, and the file is not there: others may be, but that it is
    /// of no use is no fact about it.
    #[error("its file is gone from the index")]
    Gone {
        /// Where it should be, credentials removed.
        url: String,
    },
    /// The world could not be asked.
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl MetadataError {
    /// Reports whether a build could tell what is missing.
    pub fn needs_build(&self) -> bool {
        matches!(self, Self::Unusable(reason) if reason == super::remote::ONLY_A_BUILD)
    }
}

/// Something worth asking for ahead of time.
#[derive(Debug, Clone)]
pub enum Want {
    /// The page of a name.
    Page(Name),
    /// The metadata of a version.
    Metadata(Name, Version, Box<ColdFile>),
    /// A whole file, by its address.
    File(String),
}

/// A file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// Where it lies.
    pub path: Utf8PathBuf,
    /// Its SHA-256 digest.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

/// Says what to ask next when something arrives: the resolver's guess of its own
/// future. A wrong guess costs a request and never changes an answer.
pub trait Scout: Send + Sync {
    /// A page is here.
    fn page_arrived(&self, name: &Name, page: &Arc<Page>) -> Vec<Want>;
    /// A version's metadata is here.
    fn metadata_arrived(&self, name: &Name, version: &Version, metadata: &Metadata) -> Vec<Want>;
}

/// Why a build told nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildFailure {
    /// The project cannot be built here, and could not be tomorrow.
    #[error("{0}")]
    Project(String),
    /// Something else was in the way.
    #[error("{0}")]
    Machine(String),
}

impl From<String> for BuildFailure {
    fn from(reason: String) -> Self {
        Self::Machine(reason)
    }
}

impl From<&str> for BuildFailure {
    fn from(reason: &str) -> Self {
        Self::Machine(reason.to_owned())
    }
}

/// Reads metadata by building, for projects that do not state it.
pub trait Builder: Send + Sync {
    /// Builds the metadata of the project at `source`: an sdist, an archive or a
    /// directory; `subdirectory` is where in it the project lies.
    ///
    /// # Errors
    ///
    /// Returns why the build failed, fit to be shown.
    fn metadata(
        &self,
        source: &Utf8Path,
        subdirectory: Option<&str>,
    ) -> Result<Metadata, BuildFailure>;

    /// Returns what a build's answer may depend on besides the project: the Python
    /// and the platform, in a few words.
    fn tag(&self) -> String {
        String::new()
    }
}

/// What a direct reference leads to.
#[derive(Debug, Clone)]
pub struct Direct {
    /// The package it is.
    pub name: Name,
    /// Its page: one version with one file.
    pub page: Arc<Page>,
    /// Where it comes from; a branch or tag is fixed to its commit.
    pub source: Source,
}

impl Direct {
    /// Reports whether it is a directory or a commit: there is no file to fetch.
    pub fn is_tree(&self) -> bool {
        match &self.source {
            Source::Git(_) => true,
            Source::Path { path, .. } => !folder::is_distribution(path),
            Source::Index(_) | Source::Url { .. } => false,
        }
    }
}

/// What could be had, asked by name. Calls block until the answer is here.
pub trait Index: Sync {
    /// Tells which names will be asked for, and who can guess what comes next.
    fn begin(&self, _names: &[Name], _scout: Arc<dyn Scout>) {}

    /// Returns the page of a name; `None` if no index knows it.
    ///
    /// # Errors
    ///
    /// Fails only if the index could not be asked.
    fn page(&self, name: &Name) -> Result<Option<Arc<Page>>, IndexError>;

    /// Returns the metadata of one file of a version.
    ///
    /// # Errors
    ///
    /// Fails if the file is unusable or could not be asked for.
    fn metadata(
        &self,
        name: &Name,
        version: &Version,
        file: &ColdFile,
    ) -> Result<Arc<Metadata>, MetadataError>;

    /// Finds what a direct reference leads to; relative paths are meant from `base`.
    /// Without a name the project's own is taken.
    ///
    /// # Errors
    ///
    /// Fails if there is no such thing or it could not be asked for.
    fn direct(
        &self,
        _name: Option<&Name>,
        place: &str,
        _base: &Utf8Path,
    ) -> Result<Direct, MetadataError> {
        Err(MetadataError::Unusable(format!(
            "`{}` cannot be read here",
            crate::package::redact(place)
        )))
    }

    /// Reports whether building an sdist compiles something, if its files were seen.
    fn compiles(&self, _file: &DistFile) -> Option<bool> {
        None
    }

    /// Fetches a whole file, checks it against the digest that is known, and
    /// returns where it lies.
    ///
    /// # Errors
    ///
    /// Fails if the file could not be had or is not what it should be.
    fn download(&self, file: &DistFile) -> Result<Download, IndexError> {
        Err(IndexError::Unreachable {
            url: file.filename.clone(),
            detail: "it cannot be fetched from here".to_owned(),
        })
    }

    /// Reports whether a build may be run where only that could tell what a version needs.
    fn builds(&self) -> bool {
        false
    }

    /// Tells what it is that things are asked for from here on: where it would cost more
    /// than the purpose is worth, asking fails as if off line.
    fn begin_for(&self, _purpose: Purpose) {}

    /// Asks for several things at once, without waiting.
    fn prefetch(&self, _wants: Vec<Want>) {}
}
