//! A built distribution file, and the naming rules that wheels and sdists share.

use sha2::{Digest, Sha256};

/// A distribution file as an index hosts it.
///
/// Equal inputs give equal bytes, so hashes may stand in inline snapshots.
#[derive(Clone, Debug)]
pub(crate) struct Artifact {
    /// Normalised project name: the name of its page on an index.
    pub(crate) project: String,
    /// Name on an index and in a lock.
    pub(crate) filename: String,
    /// The whole file.
    pub(crate) bytes: Vec<u8>,
    /// Digest of `bytes`, lower-case hex.
    pub(crate) sha256: String,
    /// Text of `METADATA` or `PKG-INFO`; what PEP 658 serves for a wheel.
    pub(crate) metadata: String,
    /// Repeated on index pages, since resolvers filter by it before they read metadata.
    pub(crate) requires_python: Option<String>,
}

impl Artifact {
    /// Returns whether PEP 658 allows an index to serve metadata beside the file: wheels only.
    pub(crate) fn is_wheel(&self) -> bool {
        camino::Utf8Path::new(&self.filename).extension() == Some("whl")
    }
}

/// The part of core metadata that wheels and sdists are built from alike.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) metadata_version: String,
    pub(crate) requires_python: Option<String>,
    pub(crate) extras: Vec<String>,
    pub(crate) dynamic: Vec<String>,
    pub(crate) requires: Vec<String>,
}

impl Core {
    /// Starts with a name and a version, which every metadata file must have.
    pub(crate) fn new(name: &str, version: &str, metadata_version: &str) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            metadata_version: metadata_version.into(),
            requires_python: None,
            extras: Vec::new(),
            dynamic: Vec::new(),
            requires: Vec::new(),
        }
    }

    /// Prints the headers in the order that setuptools and hatchling use.
    pub(crate) fn text(&self) -> String {
        let mut lines = vec![
            format!("Metadata-Version: {}", self.metadata_version),
            format!("Name: {}", self.name),
            format!("Version: {}", self.version),
            format!("Summary: {} made for a test", self.name),
        ];
        let mut field = |key: &str, values: &[String]| {
            lines.extend(values.iter().map(|value| format!("{key}: {value}")));
        };
        field("Dynamic", &self.dynamic);
        field("Requires-Python", self.requires_python.as_slice());
        field("Provides-Extra", &self.extras);
        field("Requires-Dist", &self.requires);
        lines.join("\n") + "\n"
    }
}

/// Returns the digest as PEP 691, PEP 751 and `--hash` write it: lower-case hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Normalises a name by PEP 503: `Foo._Bar` becomes `foo-bar`.
pub(crate) fn normalised(name: &str) -> String {
    joined(name, "-")
}

/// Escapes a name for file names: `Foo.-Bar` becomes `foo_bar`, so that `-` separates the parts.
pub(crate) fn escaped(name: &str) -> String {
    joined(name, "_")
}

fn joined(name: &str, by: &str) -> String {
    let words = name.split(['-', '_', '.']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(by).to_lowercase()
}
