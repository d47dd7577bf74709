//! `portenv.why/1`.

use schemars::JsonSchema;
use serde::Serialize;

use super::resolution::{StaleDocument, TargetDocument};
use super::tree::SourceView;
use super::{ConflictDocument, WarningDocument};
use crate::ops::changes::StepInfo;
use crate::ops::why::{Chain, Held, Standing, Why};
use crate::package::Name;
use crate::requirements::Origin;
use crate::resolve::holds::{Guilt, Stretch, Verdict};

/// `portenv.why/1`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WhyDocument {
    package: Name,
    /// What is locked, or installed where there is no lock.
    version: Option<String>,
    installed: Option<String>,
    /// The version asked about.
    asked: Option<String>,
    standing: &'static str,
    /// The marker under which it is locked for other targets.
    marker: Option<String>,
    source: SourceView,
    target: TargetDocument,
    protected: bool,
    /// Each from a line to what asks for the package itself; shortest first.
    chains: Vec<Vec<LinkView>>,
    chains_left_out: usize,
    /// Every line that excludes a newer version, with the newest version it excludes.
    held_by: Vec<HeldView>,
    /// `known`, `unknown` or `not-asked`.
    held: &'static str,
    /// The versions that were tried, newest first; those of no use come last.
    tried: Vec<TriedView>,
    untried: usize,
    policy: Vec<PolicyView>,
    conflicts: Vec<ConflictDocument>,
    /// Names like an unknown one.
    near: Vec<String>,
    stale: Vec<StaleDocument>,
    warnings: Vec<WarningDocument>,
}

/// One link of a chain: a line (`origin`) or a package (`package`, `version`) and what it asks for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ChainLink")]
struct LinkView {
    origin: Option<Origin>,
    package: Option<Name>,
    version: Option<String>,
    requirement: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "HeldBy")]
struct HeldView {
    requirement: String,
    origin: Origin,
    version: Option<String>,
    via: Vec<StepInfo>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TriedVersions")]
struct TriedView {
    newest: String,
    oldest: String,
    count: usize,
    /// `fits`, `held`, `unfit`, `unusable` or `unknown`.
    verdict: &'static str,
    reason: Option<String>,
    /// The target on which, where it is not the one asked about.
    target: Option<String>,
    /// Sets of lines: the first excludes all the versions, each further one by itself
    /// the newest at least.
    held_by: Vec<GuiltView>,
    /// Other packages that would change along.
    moves: Vec<MoveView>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Guilt")]
struct GuiltView {
    packages: Vec<Name>,
    lines: Vec<HeldView>,
    /// How the version itself comes to the contested package.
    asks: Vec<StepInfo>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Move")]
struct MoveView {
    name: Name,
    from: Option<String>,
    to: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PolicyLine")]
struct PolicyView {
    origin: Origin,
    requirement: String,
}

/// Makes the document of an answer.
pub fn document(why: &Why, warnings: Vec<WarningDocument>) -> WhyDocument {
    let graph = &why.graph;
    let (standing, marker, near) = match &why.standing {
        Standing::There => ("there", None, Vec::new()),
        Standing::Missing => ("missing", None, Vec::new()),
        Standing::Excluded => ("excluded", None, Vec::new()),
        Standing::Elsewhere(marker) => ("elsewhere", Some(marker.clone()), Vec::new()),
        Standing::Extra => ("extra", None, Vec::new()),
        Standing::Seed => ("seed", None, Vec::new()),
        Standing::Unknown(near) => ("unknown", None, near.clone()),
    };
    let (held, holds) = match &why.held {
        Held::NotAsked => ("not-asked", None),
        Held::Known(holds) => ("known", Some(holds)),
        Held::Unknown(_) => ("unknown", None),
    };
    let mut held_by: Vec<HeldView> = Vec::new();
    let tried: Vec<TriedView> = holds
        .iter()
        .flat_map(|holds| &holds.stretches)
        .map(tried)
        .collect();
    if let Some((requirement, origin)) = holds.and_then(|holds| holds.address.as_ref()) {
        held_by.push(HeldView {
            requirement: requirement.clone(),
            origin: origin.clone(),
            version: None,
            via: Vec::new(),
        });
    }
    for line in tried
        .iter()
        .flat_map(|one| &one.held_by)
        .flat_map(|guilt| &guilt.lines)
    {
        let is_known =
            |known: &HeldView| known.origin == line.origin && known.requirement == line.requirement;
        if !held_by.iter().any(is_known) {
            held_by.push(line.clone());
        }
    }
    WhyDocument {
        package: why.name.clone(),
        version: why.version.clone(),
        installed: why.installed.clone(),
        asked: why.wanted.as_ref().map(ToString::to_string),
        standing,
        marker,
        source: SourceView::of(graph),
        target: TargetDocument::of(&graph.target),
        protected: why.protected,
        chains: why.chains.iter().map(links).collect(),
        chains_left_out: why.left_out,
        held_by,
        held,
        tried,
        untried: holds.map_or(0, |holds| holds.untried),
        policy: why
            .policy
            .iter()
            .map(|(origin, requirement)| PolicyView {
                origin: origin.clone(),
                requirement: requirement.clone(),
            })
            .collect(),
        conflicts: ConflictDocument::all(holds.map_or(&[], |holds| holds.conflicts.as_slice())),
        near,
        stale: StaleDocument::all(&graph.stale),
        warnings,
    }
}

fn links(chain: &Chain) -> Vec<LinkView> {
    let line = LinkView {
        origin: Some(chain.line.origin.clone()),
        package: None,
        version: None,
        requirement: Some(chain.line.requirement.clone()),
    };
    let steps = chain.steps.iter().map(|(edge, version)| LinkView {
        origin: None,
        package: Some(edge.from.clone()),
        version: version.clone(),
        requirement: edge.requirement.clone(),
    });
    std::iter::once(line).chain(steps).collect()
}

fn tried(stretch: &Stretch) -> TriedView {
    let newest = stretch.newest.to_string();
    let mut view = TriedView {
        oldest: stretch.oldest.to_string(),
        count: stretch.count,
        verdict: "",
        reason: None,
        target: stretch.target.clone(),
        held_by: Vec::new(),
        moves: Vec::new(),
        newest,
    };
    let version = &view.newest;
    match &stretch.verdict {
        Verdict::Fits(moves) => {
            view.verdict = "fits";
            view.moves = moves
                .iter()
                .map(|change| MoveView {
                    name: change.name.clone(),
                    from: change.from.as_ref().map(ToString::to_string),
                    to: change.to.as_ref().map(ToString::to_string),
                })
                .collect();
        }
        Verdict::Held(guilts) => {
            view.verdict = "held";
            view.held_by = guilts.iter().map(|one| guilt(one, version)).collect();
        }
        Verdict::Unfit(_, reason) => (view.verdict, view.reason) = ("unfit", Some(reason.clone())),
        Verdict::Unusable(reason) => {
            (view.verdict, view.reason) = ("unusable", Some(reason.clone()));
        }
        Verdict::Unknown(reason) => (view.verdict, view.reason) = ("unknown", Some(reason.clone())),
    }
    view
}

fn guilt(guilt: &Guilt, version: &str) -> GuiltView {
    let lines = guilt.lines.iter().map(|line| HeldView {
        requirement: line.requirement.clone(),
        origin: line.origin.clone(),
        version: Some(version.to_owned()),
        via: line.via.iter().map(StepInfo::from).collect(),
    });
    GuiltView {
        packages: guilt.packages.clone(),
        lines: lines.collect(),
        asks: guilt.asks.iter().map(StepInfo::from).collect(),
    }
}
