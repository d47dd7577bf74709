//! The codes of `check`; a code keeps its meaning for ever.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::package::Name;
use crate::requirements::Origin;
use crate::workspace::settings::Level;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The requirements have no joint answer.
    Conflict,
    /// The lock does not answer today's requirements.
    Stale,
    /// The environment is not what the lock says.
    Environment,
    /// A protected package would change.
    Protected,
    /// A requirement line cannot be read.
    Invalid,
    /// Two packages own the same modules.
    Family,
    /// A withdrawn version is locked.
    Yanked,
    /// A node's script changes packages behind everyone's back.
    InstallScript,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 8] = [
        Self::Conflict,
        Self::Stale,
        Self::Environment,
        Self::Protected,
        Self::Invalid,
        Self::Family,
        Self::Yanked,
        Self::InstallScript,
    ];

    /// Returns the code's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "PE001",
            Self::Stale => "PE002",
            Self::Environment => "PE003",
            Self::Protected => "PE004",
            Self::Invalid => "PE005",
            Self::Family => "PE006",
            Self::Yanked => "PE007",
            Self::InstallScript => "PE008",
        }
    }

    /// Returns what the code means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Conflict => "the requirements have no joint answer",
            Self::Stale => "the lock does not answer today's requirements",
            Self::Environment => "the environment is not what the lock says",
            Self::Protected => "a protected package would change",
            Self::Invalid => "a requirement line cannot be read",
            Self::Family => "two packages own the same modules",
            Self::Yanked => "a withdrawn version is locked",
            Self::InstallScript => "a node has a script that changes packages",
        }
    }

    /// Returns how it counts unless `portenv.toml` says otherwise.
    fn default_level(self) -> Level {
        match self {
            Self::Family | Self::Yanked | Self::InstallScript => Level::Warn,
            _ => Level::Error,
        }
    }

    /// Returns how it counts under a policy.
    pub fn level(self, policy: &BTreeMap<String, Level>) -> Level {
        policy
            .get(self.as_str())
            .copied()
            .unwrap_or_else(|| self.default_level())
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Finding {
    /// The code's word.
    #[schemars(regex(pattern = r"^PE[0-9]{3}$"))]
    pub code: &'static str,
    /// `error` or `warn`.
    #[schemars(extend("enum" = ["error", "warn"]))]
    pub level: &'static str,
    /// What was found.
    pub message: String,
    /// Where.
    pub origin: Option<Origin>,
    /// The packages concerned.
    pub packages: Vec<Name>,
}

/// Collects findings under a policy; what is switched off is not kept.
#[derive(Debug, Default)]
pub struct Findings {
    /// The findings, in the order they were made.
    pub list: Vec<Finding>,
}

impl Findings {
    /// Adds a finding.
    pub fn add(
        &mut self,
        policy: &BTreeMap<String, Level>,
        code: Code,
        message: impl Into<String>,
        origin: Option<Origin>,
        packages: Vec<Name>,
    ) {
        let level = match code.level(policy) {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Off => return,
        };
        self.list.push(Finding {
            code: code.as_str(),
            level,
            message: message.into(),
            origin,
            packages,
        });
    }

    /// Reports whether nothing fails the check.
    pub fn pass(&self) -> bool {
        self.list.iter().all(|finding| finding.level != "error")
    }
}
