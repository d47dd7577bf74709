//! Does a lock still answer what is asked? If not, why.

use std::collections::{BTreeMap, BTreeSet};

use super::left_out::{is_of, lines_digest};
use super::model::{Lock, input_digest};
use crate::package::{Marker, Requirement, Target};
use crate::requirements::{Asker, Origin, OriginKind, RequirementSet, Role, Wanted};
use crate::resolve::RequiredBy;

/// Why a lock no longer answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StaleReason {
    /// There is none.
    Missing,
    /// Its tables were dropped by another tool, so it cannot be compared.
    Foreign,
    /// A line is asked for that it does not know.
    Added {
        /// Where it stands.
        origin: Origin,
        /// The line.
        requirement: String,
    },
    /// A line it was made for is gone.
    Removed {
        /// Where it stood.
        origin: Origin,
        /// The line.
        requirement: String,
    },
    /// It was made for other targets.
    Targets {
        /// What it was made for.
        locked: Vec<String>,
        /// What is wanted.
        wanted: Vec<String>,
    },
    /// A node that was left out asks for something else, or is gone.
    LeftOut {
        /// The node.
        node: String,
    },
    /// Overrides, constraints or lines for other platforms changed.
    Policy,
}

impl StaleReason {
    /// Returns the reason in words.
    pub fn shown(&self) -> String {
        match self {
            Self::Missing => "there is no lock".to_owned(),
            Self::Foreign => "the lock was rewritten by another tool".to_owned(),
            Self::Added {
                origin,
                requirement,
            } => format!("`{requirement}` is new ({})", origin.place_of_line()),
            Self::Removed {
                origin,
                requirement,
            } => format!(
                "`{requirement}` is gone ({})",
                origin.file.as_deref().unwrap_or("?")
            ),
            Self::Targets { locked, wanted } => format!(
                "the lock is for {}, wanted is {}",
                locked.join(", "),
                wanted.join(", ")
            ),
            Self::LeftOut { node } => {
                format!("what {node} asks for changed since it was left out")
            }
            Self::Policy => "the policy or lines for other platforms changed".to_owned(),
        }
    }

    /// Returns what the reason is about, whatever the line's number.
    pub fn subject(&self) -> String {
        match self {
            Self::Added { requirement, .. } => format!("added {requirement}"),
            Self::Removed { requirement, .. } => format!("removed {requirement}"),
            other => other.shown(),
        }
    }

    /// Returns the place that the reason is about.
    pub fn origin(&self) -> Option<&Origin> {
        match self {
            Self::Added { origin, .. } | Self::Removed { origin, .. } => Some(origin),
            _ => None,
        }
    }
}

/// What makes two lines one: who asks, in which file, for what.
pub type LineKey = (OriginKind, Option<String>, Option<String>, String);

/// Returns what tells a line from others, wherever in its file it stands.
pub fn line_key(origin: &Origin, requirement: &str) -> LineKey {
    // Written text may differ in spaces; compare what it means.
    let text = Requirement::parse(requirement)
        .map_or_else(|_| requirement.to_owned(), |parsed| parsed.to_string());
    (origin.kind, origin.name.clone(), origin.file.clone(), text)
}

/// Compares a lock with the lines and targets of today; no reason means fresh.
pub fn check_freshness(
    lock: Option<&Lock>,
    set: &RequirementSet,
    targets: &[Target],
) -> Vec<StaleReason> {
    let Some(lock) = lock else {
        return vec![StaleReason::Missing];
    };
    let Some(digest) = &lock.input_digest else {
        return vec![StaleReason::Foreign];
    };
    if *digest == input_digest(set, targets) {
        return Vec::new();
    }
    let mut reasons = Vec::new();
    let wanted: Vec<String> = targets.iter().map(ToString::to_string).collect();
    if lock.targets != wanted {
        reasons.push(StaleReason::Targets {
            locked: lock.targets.clone(),
            wanted,
        });
    }
    let mut locked: BTreeMap<LineKey, (Origin, String)> = BTreeMap::new();
    for by in lock
        .packages
        .iter()
        .flat_map(|package| &package.required_by)
    {
        if let RequiredBy::Line {
            origin,
            requirement,
        } = by
        {
            locked.insert(
                line_key(origin, requirement),
                (origin.clone(), requirement.clone()),
            );
        }
    }
    let kept: Vec<&crate::package::Name> = lock.kept.iter().map(|(name, _)| name).collect();
    let counts = |marker: &Marker| {
        let holds = |target: &Target| marker.holds(target.environment());
        targets.iter().any(holds)
    };
    let mut seen = BTreeSet::new();
    let named = set
        .lines
        .iter()
        .filter(|line| line.role == Role::Require && counts(&line.requirement.marker))
        .map(|line| (&line.origin, &line.text, Some(&line.requirement.name)));
    let unnamed = set.unnamed.iter().filter(|entry| match &entry.wanted {
        Wanted::Unnamed { marker, .. } => !entry.constraint && counts(marker),
        Wanted::Named(_) => false,
    });
    let unnamed = unnamed.map(|entry| (&entry.origin, &entry.text, None));
    for waiver in &lock.waivers {
        // A line that was left out is known all the same.
        if let Asker::Line(origin) = &waiver.asker {
            let text = &waiver.requirement;
            locked.insert(line_key(origin, text), (origin.clone(), text.clone()));
        }
    }
    let all: Vec<_> = named.chain(unnamed).collect();
    for left in &lock.left_out {
        let lines = set
            .lines
            .iter()
            .map(|line| (&line.origin, line.text.as_str()));
        let unnamed = all.iter().filter(|(_, _, name)| name.is_none());
        let unnamed = unnamed.map(|(origin, text, _)| (*origin, text.as_str()));
        let own = lines.chain(unnamed);
        let own = own.filter(|(origin, _)| is_of(origin, &left.node));
        if lines_digest(own) == left.lines {
            continue;
        }
        let node = left.node.clone();
        reasons.push(StaleReason::LeftOut { node });
    }
    for (origin, text, name) in all {
        let mut left_out = lock.left_out.iter();
        if left_out.any(|left| is_of(origin, &left.node)) {
            continue;
        }
        // A file may say the same twice.
        let key = line_key(origin, text);
        let known = locked.contains_key(&key);
        seen.insert(key);
        if !known && !name.is_some_and(|name| kept.contains(&name)) {
            reasons.push(StaleReason::Added {
                origin: origin.clone(),
                requirement: text.clone(),
            });
        }
    }
    locked.retain(|key, _| !seen.contains(key));
    for (_, (origin, requirement)) in locked {
        reasons.push(StaleReason::Removed {
            origin,
            requirement,
        });
    }
    if reasons.is_empty() {
        reasons.push(StaleReason::Policy);
    }
    reasons
}
