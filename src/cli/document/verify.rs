//! What is installed against what it says of itself.

use schemars::JsonSchema;
use serde::Serialize;

use super::WaiverDocument;
use crate::environment::files::Depth;
use crate::ops::verify::{Fixed, Problem, ProblemKind, Verification};
use crate::package::Name;

/// Whether everything is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerifyWord {
    /// Nothing fails.
    Pass,
    /// Something does.
    Fail,
}

/// What a verification came to; after a repair, what is still so.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct VerifyDocument {
    /// Whether everything is whole.
    pub status: VerifyWord,
    /// Contents were read and compared, not only sizes.
    pub deep: bool,
    /// How many packages were looked at.
    pub packages: usize,
    /// How many files were looked at.
    pub files: u64,
    /// What is wrong, by package, kind and path.
    pub problems: Vec<ProblemDocument>,
    /// What packages ask for, is not met, and is let be by the lock.
    pub waivers: Vec<WaiverDocument>,
    /// The id of the newest snapshot, before which a changed file counts as a local patch; null
    /// before the first.
    pub snapshot: Option<String>,
    /// What was repaired; null without `--fix`.
    pub fix: Option<FixDocument>,
}

/// Something wrong with what is installed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemDocument {
    /// The package; of a leftover that is nobody's, its directory's name.
    pub package: String,
    /// The package's version; null where there is none.
    pub version: Option<String>,
    /// The file or directory, relative to site-packages; null if it is about no single one.
    pub path: Option<String>,
    /// What kind of thing is wrong.
    pub kind: ProblemKind,
    /// What is wrong, in words.
    pub message: String,
    /// It fails the verification. A local patch does not, nor do shared files that nothing
    /// imports.
    pub fails: bool,
    /// `--fix` is of use; whether the package can be had again shows only then.
    pub fixable: bool,
    /// Other packages that it concerns: owners of the same files, or what is asked for.
    pub others: Vec<Name>,
}

/// What a repair came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Fix")]
pub struct FixDocument {
    /// The operation's number in the history; null if nothing was changed.
    pub operation: Option<i64>,
    /// The id of the snapshot before.
    pub before: Option<String>,
    /// The id of the snapshot after.
    pub after: Option<String>,
    /// What was installed anew, by name.
    pub reinstalled: Vec<ReinstalledDocument>,
    /// What was moved to the trash, in the order it was found.
    pub moved: Vec<MovedDocument>,
    /// The directory with the files that were replaced and were not what had been installed,
    /// relative to the root; null if there were none.
    pub kept: Option<String>,
    /// What could not be repaired, by package.
    pub left: Vec<LeftDocument>,
}

/// A package that was installed anew.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Reinstalled")]
pub struct ReinstalledDocument {
    /// Its name.
    pub name: Name,
    /// Its version.
    pub version: String,
}

/// Something that was moved.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Moved")]
pub struct MovedDocument {
    /// From where, relative to the root where it lies in it.
    pub from: String,
    /// To where.
    pub to: String,
}

/// Something that could not be repaired.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Left")]
pub struct LeftDocument {
    /// The package.
    pub package: String,
    /// Why not, in words.
    pub reason: String,
}

impl From<&Problem> for ProblemDocument {
    fn from(problem: &Problem) -> Self {
        Self {
            package: problem.package.clone(),
            version: problem.version.clone(),
            path: problem.path.clone(),
            kind: problem.kind,
            message: problem.message.clone(),
            fails: problem.fails,
            fixable: problem.fixable,
            others: problem.others.clone(),
        }
    }
}

impl From<&Fixed> for FixDocument {
    fn from(fixed: &Fixed) -> Self {
        let reinstalled = fixed.reinstalled.iter().map(|(name, version)| {
            let (name, version) = (name.clone(), version.to_string());
            ReinstalledDocument { name, version }
        });
        let moved = fixed.moved.iter().cloned();
        let left = fixed.left.iter().cloned();
        Self {
            operation: fixed.operation,
            before: fixed.before.clone(),
            after: fixed.after.clone(),
            reinstalled: reinstalled.collect(),
            moved: moved.map(|(from, to)| MovedDocument { from, to }).collect(),
            kept: fixed.kept.clone(),
            left: left
                .map(|(package, reason)| LeftDocument { package, reason })
                .collect(),
        }
    }
}

impl From<&Verification> for VerifyDocument {
    fn from(found: &Verification) -> Self {
        Self {
            status: if found.pass() {
                VerifyWord::Pass
            } else {
                VerifyWord::Fail
            },
            deep: found.depth == Depth::Contents,
            packages: found.packages,
            files: found.files,
            problems: found.problems.iter().map(Into::into).collect(),
            waivers: WaiverDocument::all(&found.waived),
            snapshot: found.snapshot.clone(),
            fix: found.fixed.as_ref().map(Into::into),
        }
    }
}
