//! The codes of `check`; a code keeps its meaning for ever.

use serde::Serialize;

use crate::package::Name;
use crate::requirements::Origin;
use crate::workspace::settings::{CheckTable, Level};

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
    /// A line names a repository without a commit.
    Unpinned,
    /// A node names an index that the policy does not.
    ForeignIndex,
    /// A package has to be built.
    SdistOnly,
    /// A node moves what ComfyUI asks for to an older version.
    CoreDowngrade,
    /// An advisory is about a version in use.
    Vulnerable,
    /// A line leads to what nobody has a file of for the target.
    Unsupplied,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 14] = [
        Self::Conflict,
        Self::Stale,
        Self::Environment,
        Self::Protected,
        Self::Invalid,
        Self::Family,
        Self::Yanked,
        Self::InstallScript,
        Self::Unpinned,
        Self::ForeignIndex,
        Self::SdistOnly,
        Self::CoreDowngrade,
        Self::Vulnerable,
        Self::Unsupplied,
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
            Self::Unpinned => "PE009",
            Self::ForeignIndex => "PE010",
            Self::SdistOnly => "PE011",
            Self::CoreDowngrade => "PE012",
            Self::Vulnerable => "PE013",
            Self::Unsupplied => "PE014",
        }
    }

    /// Finds a code by its word, in capitals or not.
    pub fn named(word: &str) -> Option<Self> {
        let is_it = |code: &Self| code.as_str().eq_ignore_ascii_case(word);
        Self::ALL.into_iter().find(is_it)
    }

    /// Returns how it counts unless `portenv.toml` says otherwise.
    pub fn default_level(self) -> Level {
        match self {
            Self::Conflict
            | Self::Stale
            | Self::Environment
            | Self::Protected
            | Self::Invalid
            | Self::Vulnerable
            | Self::Unsupplied => Level::Error,
            Self::Family
            | Self::Yanked
            | Self::InstallScript
            | Self::Unpinned
            | Self::ForeignIndex
            | Self::SdistOnly
            | Self::CoreDowngrade => Level::Warn,
        }
    }

    /// Returns how it counts under a policy.
    pub fn level(self, policy: &CheckTable) -> Level {
        policy
            .level(self.as_str())
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
    /// It is not there without the nodes that were named; true where no node was.
    pub new: bool,
    /// What stays the same for the same finding in the next run, wherever its line stands then.
    #[schemars(regex(pattern = r"^[0-9a-f]{32}$"))]
    pub fingerprint: String,
    /// What it is about, beside code, file and packages: one line's text, one version.
    #[serde(skip)]
    pub subject: String,
    /// The number of the conflict that it tells of.
    #[serde(skip)]
    pub conflict: Option<usize>,
}

impl Finding {
    /// Makes a finding that no policy judged yet.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code: code.as_str(),
            level: "error",
            message: message.into(),
            origin: None,
            packages: Vec::new(),
            new: true,
            fingerprint: String::new(),
            subject: String::new(),
            conflict: None,
        }
    }

    /// Adds where it is.
    pub fn at(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin;
        self
    }

    /// Adds the packages concerned.
    pub fn of(mut self, packages: Vec<Name>) -> Self {
        self.packages = packages;
        self
    }

    /// Adds what it is about.
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Marks it as one that was there before.
    pub fn new_if(mut self, new: bool) -> Self {
        self.new = new;
        self
    }

    /// Returns what a fingerprint is made of: no line number, no message.
    pub fn identity(&self) -> String {
        let origin = self.origin.as_ref();
        let text = |part: Option<&String>| part.cloned().unwrap_or_default();
        let packages: Vec<&str> = self.packages.iter().map(Name::as_str).collect();
        [
            self.code.to_owned(),
            text(origin.and_then(|origin| origin.name.as_ref())),
            text(origin.and_then(|origin| origin.file.as_ref())),
            packages.join(","),
            self.subject.clone(),
        ]
        .join("\n")
    }
}

/// Collects findings under a policy; what is switched off is not kept.
#[derive(Debug)]
pub struct Findings<'p> {
    policy: &'p CheckTable,
    /// The findings, in the order they were made.
    pub list: Vec<Finding>,
}

impl<'p> Findings<'p> {
    /// Makes an empty list under a policy.
    pub fn under(policy: &'p CheckTable) -> Self {
        Self {
            policy,
            list: Vec::new(),
        }
    }

    /// Adds a finding, unless its code is switched off.
    pub fn add(&mut self, finding: Finding) {
        let code = Code::named(finding.code).expect("BUG: a finding without a code");
        let level = match code.level(self.policy) {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Off => return,
        };
        self.list.push(Finding { level, ..finding });
    }
}
