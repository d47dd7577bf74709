//! Which indexes there are and which package comes from which.

use std::fmt;
use std::time::Duration;

use camino::Utf8PathBuf;

use crate::package::{Name, redact};

/// The index that everyone uses unless told otherwise.
pub const PYPI: &str = "https://pypi.org/simple";

/// Torch and the companions that must come from the same index: what PyTorch's own indexes
/// have for one backend each. `triton-windows` is no variant in this sense, for only PyPI
/// has it.
const TORCH_FAMILY: [&str; 21] = [
    "torch",
    "torchvision",
    "torchaudio",
    "torchtext",
    "torchdata",
    "torchao",
    "torchcodec",
    "torchrl",
    "torchserve",
    "torch-model-archiver",
    "torch-tb-profiler",
    "torch-tensorrt",
    "torcharrow",
    "torchcsprng",
    "torchdistx",
    "triton",
    "triton-rocm",
    "triton-xpu",
    "pytorch-triton",
    "pytorch-triton-rocm",
    "pytorch-triton-xpu",
];

/// One index.
#[derive(Clone, PartialEq, Eq)]
pub struct IndexLocation {
    /// A name to speak of it.
    pub name: Option<String>,
    /// Its base URL, credentials included if it was written so.
    pub url: String,
    /// Packages that come from here and nowhere else; it is then asked for no
    /// other. Empty for an index that everything may come from.
    pub packages: Vec<String>,
}

/// How long is waited for a host that keeps silent or fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// A connection is given up when nothing came for this long.
    pub silence: Duration,
    /// How long is waited before the second attempt; four times as long before each
    /// further one.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(30),
            pause: Duration::from_millis(150),
        }
    }
}

/// All that the client needs to know.
#[derive(Clone, Default)]
pub struct IndexConfig {
    /// The indexes, in the order they are asked.
    pub indexes: Vec<IndexLocation>,
    /// Folders and pages of links whose files join every index.
    pub find_links: Vec<String>,
    /// No request may be made.
    pub offline: bool,
    /// Where answers are kept; nothing is kept if `None`.
    pub cache_dir: Option<Utf8PathBuf>,
    /// Ask again even if an answer is still fresh.
    pub refresh: bool,
    /// The text of a netrc file.
    pub netrc: Option<String>,
    /// How long is waited for a host.
    pub patience: Patience,
}

/// Credentials in addresses are never printed, not even for the programmer.
impl fmt::Debug for IndexLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexLocation")
            .field("name", &self.name)
            .field("url", &redact(&self.url))
            .field("packages", &self.packages)
            .finish()
    }
}

impl fmt::Debug for IndexConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let find_links: Vec<String> = self.find_links.iter().map(|link| redact(link)).collect();
        f.debug_struct("IndexConfig")
            .field("indexes", &self.indexes)
            .field("find_links", &find_links)
            .field("offline", &self.offline)
            .field("cache_dir", &self.cache_dir)
            .field("refresh", &self.refresh)
            .finish_non_exhaustive()
    }
}

impl IndexLocation {
    /// Makes an index that everything may come from.
    pub fn general(url: &str) -> Self {
        Self {
            name: None,
            url: url.trim_end_matches('/').to_owned(),
            packages: Vec::new(),
        }
    }

    /// Reports whether a package is assigned to this index.
    pub fn claims(&self, name: &Name) -> bool {
        self.packages.iter().any(|pattern| {
            if pattern == "@torch" {
                TORCH_FAMILY.contains(&name.as_str()) || name.as_str().starts_with("rocm")
            } else {
                Name::parse(pattern).as_ref() == Some(name)
            }
        })
    }
}

impl IndexConfig {
    /// Returns the indexes to ask for a name, in order: the one it is assigned
    /// to, else all general ones.
    pub fn order(&self, name: &Name) -> Vec<&IndexLocation> {
        let claimed: Vec<&IndexLocation> = self
            .indexes
            .iter()
            .filter(|index| index.claims(name))
            .collect();
        if !claimed.is_empty() {
            return claimed;
        }
        self.indexes
            .iter()
            .filter(|index| index.packages.is_empty())
            .collect()
    }
}
