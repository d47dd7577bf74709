//! What filling and checking a folder of wheels came to.

use schemars::JsonSchema;
use serde::Serialize;

use super::WarningDocument;
use crate::ops::wheelhouse::build::{BuildOutcome, Fate};
use crate::ops::wheelhouse::check::CheckOutcome;
use crate::wheelhouse::{Code, Finding, Provenance};

/// How filling a folder ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WheelhouseBuildWord {
    /// All is there.
    Done,
    /// All was there already.
    Nothing,
    /// A target lacks something: see gaps.
    Incomplete,
}

/// Where a wheel came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WheelFromWord {
    /// An index or an address.
    Fetched,
    /// A file of this machine.
    Copied,
    /// Built from an sdist, a commit or a directory.
    Built,
    /// Packed again from what was installed.
    Repacked,
}

impl From<Provenance> for WheelFromWord {
    fn from(from: Provenance) -> Self {
        match from {
            Provenance::Fetched => Self::Fetched,
            Provenance::Copied | Provenance::Source => Self::Copied,
            Provenance::Built => Self::Built,
            Provenance::Repacked => Self::Repacked,
        }
    }
}

/// A wheel of a folder.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct HouseWheelDocument {
    /// The file's name.
    pub file: String,
    /// The package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// Where it came from.
    pub from: WheelFromWord,
    /// It was not there before.
    pub new: bool,
}

/// Something that a target lacks.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct GapDocument {
    /// The target.
    pub target: String,
    /// The package.
    pub name: String,
    /// Its version; null if it is known only when it is built.
    pub version: Option<String>,
    /// Why it is lacking.
    pub reason: String,
}

/// A wheel that the lock does not need.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StaleWheelDocument {
    /// The file's name.
    pub file: String,
    /// It was removed.
    pub removed: bool,
}

/// What `wheelhouse build` came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct WheelhouseBuildDocument {
    /// How it ended.
    pub status: WheelhouseBuildWord,
    /// The folder.
    pub dir: String,
    /// What it is for, in the order of the lock.
    pub targets: Vec<String>,
    /// Its wheels, by file name.
    pub files: Vec<HouseWheelDocument>,
    /// How many bytes its wheels have.
    pub bytes: u64,
    /// How many bytes came over the network this time, what was left over of earlier ones
    /// included.
    pub fetched_bytes: u64,
    /// What is lacking, by target.
    pub gaps: Vec<GapDocument>,
    /// What earlier builds left and the lock does not need, by file name.
    pub stale: Vec<StaleWheelDocument>,
    /// Things worth knowing, in the order they were found.
    pub warnings: Vec<WarningDocument>,
}

impl From<&BuildOutcome> for WheelhouseBuildDocument {
    fn from(outcome: &BuildOutcome) -> Self {
        let files = outcome.files.iter().map(|(file, fate)| HouseWheelDocument {
            file: file.name.clone(),
            name: file.package.to_string(),
            version: file.version.clone(),
            size: file.size,
            sha256: file.sha256.clone(),
            from: file.from.into(),
            new: *fate == Fate::New,
        });
        let gaps = outcome.gaps.iter().map(|gap| GapDocument {
            target: gap.target.clone(),
            name: gap.package.to_string(),
            version: gap.version.clone(),
            reason: gap.reason.clone(),
        });
        let stale = outcome.stale.iter();
        let stale = stale.map(|(file, removed)| StaleWheelDocument {
            file: file.clone(),
            removed: *removed,
        });
        let warnings = outcome.warnings.iter();
        Self {
            status: if !outcome.gaps.is_empty() {
                WheelhouseBuildWord::Incomplete
            } else if outcome.changed {
                WheelhouseBuildWord::Done
            } else {
                WheelhouseBuildWord::Nothing
            },
            dir: outcome.dir.to_string(),
            targets: outcome.targets.clone(),
            files: files.collect(),
            bytes: outcome.files.iter().map(|(file, _)| file.size).sum(),
            fetched_bytes: outcome.fetched_bytes,
            gaps: gaps.collect(),
            stale: stale.collect(),
            warnings: warnings
                .map(|(code, message)| WarningDocument::new(code, message))
                .collect(),
        }
    }
}

/// Whether a folder will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WheelhouseCheckWord {
    /// It has all it needs.
    Pass,
    /// It has not.
    Fail,
}

/// What is wrong, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HouseFindingWord {
    /// A build was cut short.
    Incomplete,
    /// A target lacked a package when the folder was filled.
    Gap,
    /// No wheel of a package fits a target.
    Unusable,
    /// A file is not there.
    Missing,
    /// A file is another than was recorded.
    Changed,
    /// A link leads out of the folder.
    Outside,
    /// Two names are one where case does not count.
    Collides,
    /// A resolve against only the folder does not give the lock.
    Unresolved,
    /// A target is of a kind that this portenv does not know.
    UnknownTarget,
    /// A wheel of an earlier build.
    Stale,
    /// A file that nothing names.
    Unknown,
}

impl From<Code> for HouseFindingWord {
    fn from(code: Code) -> Self {
        match code {
            Code::Incomplete => Self::Incomplete,
            Code::Gap => Self::Gap,
            Code::Unusable => Self::Unusable,
            Code::Missing => Self::Missing,
            Code::Changed => Self::Changed,
            Code::Outside => Self::Outside,
            Code::Collides => Self::Collides,
            Code::Unresolved => Self::Unresolved,
            Code::UnknownTarget => Self::UnknownTarget,
            Code::Stale => Self::Stale,
            Code::Unknown => Self::Unknown,
        }
    }
}

/// Whether a finding makes the check fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HouseLevelWord {
    /// It does.
    Error,
    /// It does not.
    Warn,
}

/// Something that is wrong with a folder.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct HouseFindingDocument {
    /// What it is.
    pub code: HouseFindingWord,
    /// Whether it makes the check fail.
    pub level: HouseLevelWord,
    /// The same in words.
    pub message: String,
    /// The target it concerns; null if all.
    pub target: Option<String>,
    /// The package it concerns.
    pub name: Option<String>,
    /// The file it concerns.
    pub file: Option<String>,
}

impl From<&Finding> for HouseFindingDocument {
    fn from(finding: &Finding) -> Self {
        Self {
            code: finding.code.into(),
            level: if finding.code.is_error() {
                HouseLevelWord::Error
            } else {
                HouseLevelWord::Warn
            },
            message: finding.message.clone(),
            target: finding.target.clone(),
            name: finding.package.clone(),
            file: finding.file.clone(),
        }
    }
}

/// What `wheelhouse check` came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct WheelhouseCheckDocument {
    /// Whether the folder will do.
    pub status: WheelhouseCheckWord,
    /// The folder.
    pub dir: String,
    /// The targets that were looked at, in its order.
    pub targets: Vec<String>,
    /// How many packages its lock has.
    pub packages: usize,
    /// How many wheels it lists.
    pub files: usize,
    /// How many bytes these have.
    pub bytes: u64,
    /// What is wrong, errors first.
    pub findings: Vec<HouseFindingDocument>,
}

impl From<&CheckOutcome> for WheelhouseCheckDocument {
    fn from(outcome: &CheckOutcome) -> Self {
        Self {
            status: if outcome.pass() {
                WheelhouseCheckWord::Pass
            } else {
                WheelhouseCheckWord::Fail
            },
            dir: outcome.dir.to_string(),
            targets: outcome.targets.clone(),
            packages: outcome.packages,
            files: outcome.files,
            bytes: outcome.bytes,
            findings: outcome.findings.iter().map(Into::into).collect(),
        }
    }
}
