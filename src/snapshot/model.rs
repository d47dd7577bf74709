//! States and operations as values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::host::digest;
use crate::package::{Name, Source, Version};
use crate::workspace::node::{Core, Node};

/// Where a distribution can be had again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum SourceRecord {
    /// A file of an index.
    Index {
        /// The index's base URL.
        index: String,
        /// The file's name.
        filename: String,
        /// Its address.
        url: String,
        /// Its digests.
        hashes: crate::package::Hashes,
        /// Its size.
        size: Option<u64>,
    },
    /// A wheel or sdist at an address.
    Url {
        /// The address.
        url: String,
        /// The project's directory.
        subdirectory: Option<String>,
        /// Its digests, where they are known.
        hashes: crate::package::Hashes,
    },
    /// A commit.
    Git {
        /// The repository.
        url: String,
        /// What was asked for.
        requested: Option<String>,
        /// The commit.
        commit: String,
        /// The project's directory.
        subdirectory: Option<String>,
    },
    /// A file or directory of this machine.
    Path {
        /// The path.
        path: String,
        /// Installed in place.
        editable: bool,
    },
    /// A wheel in the store.
    Store {
        /// The file, relative to the store.
        file: String,
        /// Its digest.
        sha256: String,
    },
}

impl SourceRecord {
    /// Returns the source as the rest of the program knows it.
    pub fn to_source(&self) -> Source {
        match self {
            Self::Index { index, .. } => Source::Index(index.clone()),
            Self::Url {
                url, subdirectory, ..
            } => Source::Url {
                url: url.clone(),
                subdirectory: subdirectory.clone(),
            },
            Self::Git {
                url,
                requested,
                commit,
                subdirectory,
            } => Source::Git(crate::package::Vcs {
                url: url.clone(),
                requested: requested.clone(),
                commit: commit.clone(),
                subdirectory: subdirectory.clone(),
            }),
            Self::Path { path, editable } => Source::Path {
                path: path.clone(),
                editable: *editable,
            },
            Self::Store { file, .. } => Source::Path {
                path: format!(".portenv/store/{file}"),
                editable: false,
            },
        }
    }

    /// Makes the record of a source without a file of its own.
    pub fn of_direct(source: &Source) -> Option<Self> {
        Some(match source {
            Source::Index(_) => return None,
            Source::Url { url, subdirectory } => Self::Url {
                url: url.clone(),
                subdirectory: subdirectory.clone(),
                hashes: crate::package::Hashes::new(),
            },
            Source::Git(vcs) => Self::Git {
                url: vcs.url.clone(),
                requested: vcs.requested.clone(),
                commit: vcs.commit.clone(),
                subdirectory: vcs.subdirectory.clone(),
            },
            Source::Path { path, editable } => Self::Path {
                path: path.clone(),
                editable: *editable,
            },
        })
    }
}

/// One distribution of a state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackageState {
    /// Its name.
    pub name: Name,
    /// Its version.
    pub version: Version,
    /// The digest of its own files by RECORD.
    pub digest: Option<String>,
    /// Where it can be had again; `None` if nowhere.
    pub source: Option<SourceRecord>,
    /// What the store keeps of it; `None` if nothing, as in histories of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

/// What the store keeps of a distribution.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Kept {
    /// A wheel of it as it was installed, which comes before its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wheel: Option<Keep>,
    /// What installers and hands added to the wheel's files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imprint: Option<Keep>,
    /// The imprint holds every file of it: it was not made from a wheel.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
    /// Files that were edited since they were installed, by path in RECORD, with the digest
    /// of what they hold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub patches: BTreeMap<String, String>,
    /// The directory that an editable one leads to, if that was gone already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub astray: Option<String>,
}

/// A file of the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Keep {
    /// The file, relative to the store.
    pub file: String,
    /// Its digest.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

impl PackageState {
    /// Returns the files of the store that it needs.
    pub fn store_files(&self) -> impl Iterator<Item = &str> {
        let source = match &self.source {
            Some(SourceRecord::Store { file, .. }) => Some(file.as_str()),
            _ => None,
        };
        let kept = self.kept.iter();
        let kept = kept.flat_map(|kept| kept.wheel.iter().chain(&kept.imprint));
        source
            .into_iter()
            .chain(kept.map(|keep| keep.file.as_str()))
    }

    /// Reports whether the store has it whole.
    pub fn is_stored(&self) -> bool {
        let kept = self.kept.as_ref();
        matches!(self.source, Some(SourceRecord::Store { .. }))
            || kept.is_some_and(|kept| kept.whole || kept.wheel.is_some())
    }
}

/// What a virtual environment sees of its base. It is read and never changed, so it has
/// no sources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BaseState {
    /// The prefix of the Python beneath.
    pub prefix: String,
    /// Its distributions, by name.
    pub packages: Vec<PackageState>,
}

impl BaseState {
    /// Returns the digest of its content.
    pub fn digest(&self) -> String {
        let text = serde_json::to_string(&self.packages).unwrap_or_default();
        digest::sha256(format!("{}\n{text}", self.prefix).as_bytes())
    }
}

/// What an installation looked like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The distributions, by name.
    pub packages: Vec<PackageState>,
    /// The nodes, by directory.
    pub nodes: Vec<Node>,
    /// The core.
    pub core: Option<Core>,
    /// The Python's version.
    pub python: String,
    /// The Python's path.
    pub python_path: String,
    /// The platform.
    pub platform: String,
    /// The lock's text.
    pub lock: Option<String>,
    /// What the environment sees of its base, if it sees one.
    pub base: Option<BaseState>,
}

impl State {
    /// Returns the digest of the whole content.
    pub fn digest(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.python, self.python_path, self.platform);
        for part in [
            serde_json::to_string(&self.packages),
            serde_json::to_string(&self.nodes),
            serde_json::to_string(&self.core),
            serde_json::to_string(&self.lock),
        ] {
            text.push_str(&part.unwrap_or_default());
            text.push('\n');
        }
        if let Some(base) = &self.base {
            text.push_str(&base.digest());
        }
        digest::sha256(text.as_bytes())
    }

    /// Finds a distribution.
    pub fn package(&self, name: &Name) -> Option<&PackageState> {
        self.packages.iter().find(|package| package.name == *name)
    }

    /// Reports whether a node is here just as it was found, whatever is recorded of it besides.
    pub fn has_node(&self, node: &Node) -> bool {
        let found = node.bare();
        self.nodes.iter().any(|known| known.bare() == found)
    }

    /// Returns the packages as one side of a comparison.
    pub fn sides(&self) -> crate::lock::compare::Sides {
        sides(&self.packages)
    }

    /// Returns the packages of the base as one side of a comparison.
    pub fn base_sides(&self) -> crate::lock::compare::Sides {
        self.base
            .as_ref()
            .map(|base| sides(&base.packages))
            .unwrap_or_default()
    }

    /// Returns how many bytes of the store it needs; each file counts once.
    pub fn stored_bytes(&self) -> u64 {
        let kept = self
            .packages
            .iter()
            .filter_map(|package| package.kept.as_ref());
        let files = kept.flat_map(|kept| kept.wheel.iter().chain(&kept.imprint));
        let files: BTreeMap<&str, u64> =
            files.map(|keep| (keep.file.as_str(), keep.bytes)).collect();
        files.values().sum()
    }

    /// Names what a rollback to this state could not bring back, with the reason.
    pub fn unrestorable(&self) -> Vec<(String, String)> {
        let mut list = Vec::new();
        for package in &self.packages {
            let astray = package.kept.as_ref().and_then(|kept| kept.astray.as_ref());
            let reason = match (astray, &package.source) {
                (Some(dir), _) => {
                    format!("it is installed in place, and its directory `{dir}` is gone")
                }
                _ if package.is_stored() => continue,
                (None, None) => "no index has it, and it is not in the store".to_owned(),
                (None, Some(SourceRecord::Path { path, .. })) => {
                    format!("it was installed from `{path}`, which may change")
                }
                (None, Some(_)) => continue,
            };
            list.push((package.name.to_string(), reason));
        }
        for node in &self.nodes {
            if let Some(kept) = &node.kept {
                let reasons = kept.lacks.iter();
                list.extend(reasons.map(|reason| (node.name.clone(), reason.clone())));
            } else if node.dirty {
                list.push((node.name.clone(), "it has uncommitted changes".to_owned()));
            } else if node.commit.is_some() && node.url.is_none() {
                list.push((node.name.clone(), "its repository has no remote".to_owned()));
            } else if node.commit.is_none() {
                list.push((
                    node.name.clone(),
                    "it has no history; only its directory, or the trash, holds it".to_owned(),
                ));
            }
        }
        list
    }
}

fn sides(packages: &[PackageState]) -> crate::lock::compare::Sides {
    let side = |package: &PackageState| crate::lock::compare::Side {
        version: package.version.clone(),
        // The digest tells whether the content is the same; where it came
        // from matters only if nothing else does.
        source: None,
        // Without a RECORD there is no digest, and that differs from having one.
        digest: Some(package.digest.clone().unwrap_or_default()),
    };
    packages
        .iter()
        .map(|package| (package.name.clone(), side(package)))
        .collect()
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is under way, or was cut short.
    Open,
    /// It ended well.
    Done,
    /// It was undone.
    Undone,
    /// It could neither be ended nor undone.
    Broken,
}

impl Outcome {
    /// Returns the word kept in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Undone => "undone",
            Self::Broken => "broken",
        }
    }

    pub(super) fn parse(text: &str) -> Self {
        match text {
            "done" => Self::Done,
            "undone" => Self::Undone,
            "broken" => Self::Broken,
            _ => Self::Open,
        }
    }
}

/// One reversible step of an operation, written before it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum Step {
    /// A directory or file is moved.
    Move {
        /// From, relative to the root.
        from: String,
        /// To, relative to the root.
        to: String,
    },
    /// A checkout goes from one commit to another.
    Checkout {
        /// The directory, relative to the root.
        dir: String,
        /// The commit before.
        from: String,
        /// The branch before, if one was attached.
        branch: Option<String>,
        /// The commit after.
        to: String,
    },
    /// A checkout goes to another commit, and a branch with it.
    Advance {
        /// The directory, relative to the root.
        dir: String,
        /// The commit before.
        from: String,
        /// The branch that was checked out before, if one was.
        #[serde(default)]
        was: Option<String>,
        /// The branch that is checked out after.
        branch: String,
        /// The commit that it was at before.
        tip: String,
        /// The commit after.
        to: String,
    },
    /// Changed files of a checkout are put aside.
    Stash {
        /// The directory, relative to the root.
        dir: String,
        /// The name that they are kept under.
        name: String,
        /// The commit that they are kept as.
        commit: String,
    },
    /// Recorded changes are put on a checkout without changed files.
    Patch {
        /// The directory, relative to the root.
        dir: String,
        /// The patch, relative to the store.
        patch: String,
    },
    /// Packages are changed by uv.
    Packages,
    /// The lock is replaced.
    Lock,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its number.
    pub number: i64,
    /// The snapshot that it left, if it ended well.
    pub id: Option<String>,
    /// The snapshot before it.
    pub parent: Option<String>,
    /// The state before it.
    pub before: Option<String>,
    /// The state after it.
    pub after: Option<String>,
    /// The kind: `add`, `rollback`, `drift` and so on.
    pub kind: String,
    /// The command line.
    pub command: String,
    /// When it began.
    pub started: String,
    /// When it ended.
    pub ended: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// The snapshot that it went back to.
    pub restores: Option<String>,
}

/// A snapshot: the outcome of an operation that ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: String,
    /// The operation that left it.
    pub operation: Operation,
    /// Its labels, by name.
    pub labels: Vec<String>,
}

/// The label of an installation's first snapshot.
pub const AS_FOUND: &str = "as found";

impl Snapshot {
    /// Returns the label to show: one that somebody gave, if there is one.
    pub fn label(&self) -> Option<&str> {
        let given = self.labels.iter().find(|label| *label != AS_FOUND);
        given.or(self.labels.first()).map(String::as_str)
    }
}

/// Makes a snapshot's id of its state, its parent and its time.
pub fn snapshot_id(state: &str, parent: Option<&str>, time: &str) -> String {
    let mut id = digest::sha256(format!("{state}\n{}\n{time}", parent.unwrap_or("")).as_bytes());
    id.truncate(12);
    id
}
