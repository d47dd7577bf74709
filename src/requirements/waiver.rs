//! Waivers: requirements that an installation violated before anybody asked for a
//! joint answer.
//!
//! One in two real installations contradicts itself. What it violates already is
//! recorded and counted instead of standing in the way of every change: the package
//! concerned stays at its installed version. A waiver ends when its line or the version
//! changes.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::origin::{Origin, OriginKind};
use super::set::Line;
use crate::package::{Name, Requirement, Version};

/// Who asks for what is not met.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker {
    /// A line of a node.
    Line(Origin),
    /// The metadata of an installed package.
    Package {
        /// Its name.
        name: Name,
        /// Its version.
        version: Version,
    },
}

/// Why a requirement is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WaiverReason {
    /// Another version is installed.
    Violated,
    /// It contradicts others.
    Conflict,
    /// There is no file of it for the target.
    Unsupplied,
    /// Its whole node is left out.
    #[serde(rename = "left-out")]
    LeftOut,
}

impl WaiverReason {
    /// All reasons.
    pub const ALL: [Self; 4] = [
        Self::Violated,
        Self::Conflict,
        Self::Unsupplied,
        Self::LeftOut,
    ];

    /// Returns the reason's word, as files and programs have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Violated => "violated",
            Self::Conflict => "conflict",
            Self::Unsupplied => "unsupplied",
            Self::LeftOut => "left-out",
        }
    }
}

/// A requirement that is not met and does not stand in the way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiver {
    /// Who asks.
    pub asker: Asker,
    /// What is asked for, as written.
    pub requirement: String,
    /// The package asked for.
    pub name: Name,
    /// Why it is not met.
    pub reason: WaiverReason,
    /// The installed version. It will do instead of what is violated; for any other reason
    /// the line does not count at all.
    pub installed: Option<Version>,
    /// The target on which it holds, as a lock names it.
    pub target: String,
    /// Why its node is left out, in words.
    pub note: Option<String>,
}

impl Waiver {
    /// Reports whether it is about this line, wherever in its file that stands.
    pub fn is_of(&self, line: &Line) -> bool {
        let Asker::Line(origin) = &self.asker else {
            return false;
        };
        self.name == line.requirement.name
            && origin.kind == line.origin.kind
            && origin.name == line.origin.name
            && origin.file == line.origin.file
            && (self.requirement == line.text || means(&self.requirement) == means(&line.text))
    }

    /// Reports whether it leaves one of these nodes out.
    pub fn leaves_out(&self, nodes: &BTreeSet<&str>) -> bool {
        let Asker::Line(origin) = &self.asker else {
            return false;
        };
        self.reason == WaiverReason::LeftOut
            && origin
                .name
                .as_deref()
                .is_some_and(|name| nodes.contains(name))
    }

    /// Returns the waiver in words: who asks for what, and what is there.
    pub fn shown(&self) -> String {
        let who = match &self.asker {
            Asker::Line(origin) => format!("{} ({})", origin.owner(), origin.place_of_line()),
            Asker::Package { name, version } => format!("{name} {version}"),
        };
        let there = match (self.reason, &self.installed) {
            (WaiverReason::Unsupplied, _) => format!("which has no file for {}", self.target),
            (WaiverReason::LeftOut, _) => "is left out".to_owned(),
            (_, Some(version)) => format!("{} {version} is installed", self.name),
            (_, None) => format!("{} is not installed", self.name),
        };
        format!("{who} asks for {}, {there}", self.requirement)
    }
}

/// Written text may differ in spaces; compare what it means.
pub fn means(text: &str) -> String {
    Requirement::parse(text).map_or_else(|_| text.to_owned(), |parsed| parsed.to_string())
}

/// Reports whether a line may be waived at all: a node's, never ComfyUI's own or one of
/// the policy.
pub fn may_waive(line: &Line) -> bool {
    line.origin.kind == OriginKind::Node
}
