//! Installed + wanted → steps. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::step::{Plan, PlanStep};
use crate::environment::installed::SEEDS;
use crate::environment::{Distribution, Installed, Origination};
use crate::lock::compare::{Side, Sides, compare};
use crate::lock::{Change, ChangeKind};
use crate::package::{Name, Source, Version};

/// What is wanted of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// The version.
    pub version: Version,
    /// The digest that its files must have, where it is known.
    pub digest: Option<String>,
    /// The commit or directory it must come from, where it is wanted from one: its
    /// version alone does not tell.
    pub source: Option<Source>,
}

/// Which packages that nothing wants go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// Those that an earlier lock brought.
    Brought(BTreeSet<Name>),
    /// All but the seeds (`pip`, `setuptools`, `wheel`, `uv`) and what conda brought.
    Others,
    /// All, seeds too: what is wanted is the whole.
    Everything,
}

/// Works out what must change for an environment to be what is wanted.
///
/// Packages match by version and, where both are known, by the digest of their
/// files: the same version from another build becomes a replacement. A package
/// whose dist-info lacks a part is replaced too, for uv takes it for installed.
///
/// Removals come first, then names in order, so equal inputs print equal plans.
pub fn between(installed: &Installed, wanted: &BTreeMap<Name, Goal>, removal: &Removal) -> Plan {
    let mut plan = Plan::default();
    let mut before = Sides::new();
    for distribution in installed.iter() {
        let goes = match removal {
            Removal::Brought(names) => names.contains(&distribution.name),
            // What conda brought is conda's to prune: it may be what conda itself runs on.
            Removal::Others => {
                !SEEDS.contains(&distribution.name.as_str()) && !distribution.is_of_conda()
            }
            Removal::Everything => true,
        };
        let goes = goes && !distribution.is_fixed();
        if !wanted.contains_key(&distribution.name) && !goes {
            plan.extra.push(distribution.name.clone());
            continue;
        }
        let goal = wanted.get(&distribution.name);
        before.insert(distribution.name.clone(), side(distribution, goal));
    }
    let after: Sides = wanted
        .iter()
        .filter(|(name, goal)| !rests_on_base(installed, name, goal))
        .map(|(name, goal)| {
            (
                name.clone(),
                Side {
                    version: goal.version.clone(),
                    source: goal.source.clone(),
                    digest: goal.digest.clone(),
                },
            )
        })
        .collect();
    let mut steps: Vec<PlanStep> = compare(&before, &after)
        .into_iter()
        .map(|change| {
            let same = change.kind == ChangeKind::Replace && change.from == change.to;
            PlanStep {
                change,
                reason: same.then_some("its files or its source differ"),
            }
        })
        .collect();
    for distribution in installed.iter() {
        let changes = steps
            .iter()
            .any(|step| step.change.name == distribution.name);
        let doubled = installed
            .doubled
            .iter()
            .any(|(name, _)| *name == distribution.name);
        if wanted.contains_key(&distribution.name)
            && !changes
            && (!distribution.lacks.is_empty() || doubled)
            && !distribution.is_fixed()
            && is_wheel(distribution)
        {
            let change = Change {
                name: distribution.name.clone(),
                kind: ChangeKind::Replace,
                from: Some(distribution.version.clone()),
                to: Some(distribution.version.clone()),
            };
            steps.push(PlanStep {
                change,
                reason: Some("its metadata is not whole"),
            });
        }
    }
    steps.sort_by(|a, b| {
        let key = |step: &PlanStep| {
            (
                step.change.kind != ChangeKind::Remove,
                step.change.name.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    plan.steps = steps;
    plan
}

/// Reports whether the base beneath the environment has what is wanted, and nothing of the
/// environment hides it: then nothing is installed.
pub fn rests_on_base(installed: &Installed, name: &Name, goal: &Goal) -> bool {
    installed.beneath(name).is_some_and(|found| {
        let here = side(found, Some(goal));
        let same_files =
            goal.digest.is_none() || here.digest.is_none() || here.digest == goal.digest;
        here.version == goal.version && here.source == goal.source && same_files
    })
}

/// An egg-info never has the parts of a dist-info.
fn is_wheel(distribution: &Distribution) -> bool {
    distribution.dir.as_str().ends_with(".dist-info")
}

fn side(distribution: &Distribution, goal: Option<&Goal>) -> Side {
    let wanted = goal.and_then(|goal| goal.source.as_ref());
    Side {
        version: distribution.version.clone(),
        source: wanted.map(|wanted| match &distribution.origination {
            Origination::Direct(found) if is_same(found, wanted) => wanted.clone(),
            Origination::Direct(found) => found.clone(),
            Origination::Index | Origination::GoneFile { .. } => Source::Index(String::new()),
        }),
        digest: distribution.digest.clone(),
    }
}

/// Reports whether an installed package comes from where it is wanted from. Of a
/// commit it does not count by which branch or spelling of the address it was found.
fn is_same(found: &Source, wanted: &Source) -> bool {
    match (found, wanted) {
        (Source::Git(found), Source::Git(wanted)) => {
            found.commit == wanted.commit && found.subdirectory == wanted.subdirectory
        }
        _ => found == wanted,
    }
}
