//! The closed list of error codes.

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::failure::Exit;

/// What went wrong, as a word for programs. The list is closed within `/1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// A flag or argument is wrong.
    Usage,
    /// There is no ComfyUI here.
    NoInstallation,
    /// There are several, or several Pythons.
    AmbiguousInstallation,
    /// No Python was found, or it does not work.
    NoPython,
    /// The Python is another one than recorded.
    PythonMismatch,
    /// A file cannot be read or decoded.
    InvalidFile,
    /// A requirement line cannot be read.
    InvalidRequirement,
    /// `portenv.toml` cannot be read.
    InvalidPolicy,
    /// The lock cannot be read.
    InvalidLock,
    /// A file was written by a newer portenv.
    NewerFormat,
    /// Something that was named is not there.
    NotFound,
    /// A name fits several snapshots.
    AmbiguousId,
    /// A change needs a yes and nobody can be asked.
    Confirm,
    /// A policy or the user refuses.
    Refused,
    /// A checkout has uncommitted changes.
    Dirty,
    /// The state is no longer the one that the plan was made for.
    PlanStale,
    /// A server could not be reached or answered with a failure.
    Network,
    /// It is not in the cache, and the network is switched off.
    Offline,
    /// A git remote could not be read.
    Git,
    /// An answer is not what it should be: a wrong hash, cut short, garbage.
    Integrity,
    /// Another portenv works on the installation.
    Busy,
    /// Something is in the way.
    InUse,
    /// The disk is full or does not take what is written.
    Disk,
    /// A file or directory may not be written.
    Permission,
    /// uv could not be had or started.
    Uv,
    /// The change could not be applied; the state before stands.
    Apply,
    /// The state before could not be put back whole.
    Broken,
    /// The work was asked to stop.
    Interrupted,
    /// A bug.
    Internal,
}

impl ErrorCode {
    /// All codes.
    pub const ALL: [Self; 29] = [
        Self::Usage,
        Self::NoInstallation,
        Self::AmbiguousInstallation,
        Self::NoPython,
        Self::PythonMismatch,
        Self::InvalidFile,
        Self::InvalidRequirement,
        Self::InvalidPolicy,
        Self::InvalidLock,
        Self::NewerFormat,
        Self::NotFound,
        Self::AmbiguousId,
        Self::Confirm,
        Self::Refused,
        Self::Dirty,
        Self::PlanStale,
        Self::Network,
        Self::Offline,
        Self::Git,
        Self::Integrity,
        Self::Busy,
        Self::InUse,
        Self::Disk,
        Self::Permission,
        Self::Uv,
        Self::Apply,
        Self::Broken,
        Self::Interrupted,
        Self::Internal,
    ];

    /// Returns the exit code that goes with it.
    pub fn exit(self) -> Exit {
        match self {
            Self::Usage
            | Self::NoInstallation
            | Self::AmbiguousInstallation
            | Self::NoPython
            | Self::PythonMismatch
            | Self::InvalidFile
            | Self::InvalidRequirement
            | Self::InvalidPolicy
            | Self::InvalidLock
            | Self::NewerFormat
            | Self::NotFound
            | Self::AmbiguousId
            | Self::Confirm => Exit::Usage,
            Self::Refused | Self::Dirty | Self::PlanStale => Exit::No,
            Self::Network | Self::Offline | Self::Git | Self::Integrity => Exit::Network,
            Self::Busy | Self::InUse | Self::Disk | Self::Permission | Self::Uv | Self::Apply => {
                Exit::NotApplied
            }
            Self::Broken => Exit::Broken,
            Self::Interrupted => Exit::Interrupted,
            Self::Internal => Exit::Internal,
        }
    }
}
