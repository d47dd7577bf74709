//! Conflicts: the lines at fault.

use schemars::JsonSchema;
use serde::Serialize;

use crate::lock::compare;
use crate::lock::compare::{Side, Sides};
use crate::ops::changes::{ChangeInfo, StepInfo};
use crate::ops::explain::amend::fragment;
use crate::ops::explain::kept::{KeptConflict, KeptLine, Way};
use crate::package::{Name, Version};
use crate::requirements::Origin;
use crate::resolve::Conflict;

/// Requirements that cannot hold together, or one that nothing can meet.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Conflict")]
pub struct ConflictDocument {
    /// The contested packages, normalised names (PEP 503).
    pub packages: Vec<Name>,
    /// The lines of the minimal core: without any one of them there is an answer to the others.
    pub requirements: Vec<ConflictLine>,
    /// The whole in words.
    pub explanation: String,
    /// It is not there without the nodes that were named; true where no node was.
    pub new: bool,
    /// Ways out; empty where none was looked for.
    pub suggestions: Vec<Suggestion>,
    /// How many more there might be that were not tried, as the time for it was up; once more
    /// of the index is in the cache, more are tried.
    pub untried: usize,
}

/// One line of a conflict.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ConflictLine {
    /// The requirement as written (PEP 508).
    pub requirement: String,
    /// Where it stands.
    pub origin: Origin,
    /// The chain from the line's own package to the contested one; empty if they are one.
    pub via: Vec<StepInfo>,
}

/// A way out of a conflict.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Suggestion {
    /// Its number over all conflicts of the document, as `portenv explain --apply` takes it.
    #[schemars(range(min = 1))]
    pub number: usize,
    /// A word for programs; the list is open.
    pub kind: String,
    /// What to do, in words.
    pub text: String,
    /// What it would change against the environment.
    pub changes: Vec<ChangeInfo>,
    /// What to add to `portenv.toml` (TOML); null where flags do it, or where there is no
    /// installation.
    pub settings: Option<String>,
    /// Flags that do it when they are added to the command; empty where settings do.
    pub flags: Vec<String>,
    /// The command that does it; empty where settings or flags do.
    pub argv: Vec<String>,
    /// It was tried and has an answer; false where what some package needs is known only
    /// once it is built, which was not done.
    pub verified: bool,
}

impl ConflictDocument {
    /// Makes the views of several.
    pub fn all(conflicts: &[Conflict]) -> Vec<Self> {
        let kept: Vec<KeptConflict> = conflicts.iter().map(KeptConflict::from).collect();
        Self::of_kept(&kept)
    }

    /// Makes the views of several that were kept, their ways out numbered through.
    pub fn of_kept(conflicts: &[KeptConflict]) -> Vec<Self> {
        let mut numbers = 1..;
        let view = |conflict: &KeptConflict| Self {
            packages: conflict.packages.clone(),
            requirements: (conflict.requirements.iter())
                .map(ConflictLine::from)
                .collect(),
            explanation: conflict.explanation.clone(),
            new: conflict.new,
            suggestions: (conflict.ways.iter().zip(&mut numbers))
                .map(|(way, number)| Suggestion::new(number, way))
                .collect(),
            untried: conflict.untried,
        };
        conflicts.iter().map(view).collect()
    }
}

impl From<&KeptLine> for ConflictLine {
    fn from(line: &KeptLine) -> Self {
        let via = line.via.iter().cloned();
        Self {
            requirement: line.requirement.clone(),
            origin: line.origin.clone(),
            via: via
                .map(|(package, version, requirement)| StepInfo {
                    package,
                    version,
                    requirement,
                })
                .collect(),
        }
    }
}

impl Suggestion {
    fn new(number: usize, way: &Way) -> Self {
        let (mut before, mut after) = (Sides::new(), Sides::new());
        let side = |text: &Option<String>| {
            let version = text.as_ref()?.parse::<Version>().ok()?;
            Some(Side::of(version))
        };
        for (name, from, to) in &way.changes {
            before.extend(side(from).map(|side| (name.clone(), side)));
            after.extend(side(to).map(|side| (name.clone(), side)));
        }
        let changes = compare(&before, &after);
        Self {
            number,
            kind: way.kind.clone(),
            text: way.text.clone(),
            changes: changes.iter().map(ChangeInfo::new).collect(),
            settings: fragment(&way.amendments),
            flags: way.flags.clone(),
            argv: way.argv(),
            verified: way.verified,
        }
    }
}
