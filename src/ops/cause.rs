//! Why a package changes: the line that leads to it, and the chain of packages between.
//!
//! Many lines may lead to one package. The one that is told is the one that made it change:
//! a requirement that rules out what is installed comes before one that would have been
//! content with it, a line of a node at hand before any other, a short chain before a
//! long one.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::changes::{AskingLine, StepInfo};
use crate::environment::Installed;
use crate::package::{Name, Requirement};
use crate::requirements::{Origin, OriginKind};
use crate::resolve::{Package, RequiredBy, Resolution};

/// Tells the causes of one answer's changes.
pub(super) struct Causes<'a> {
    packages: BTreeMap<&'a Name, Vec<&'a Package>>,
    installed: &'a Installed,
    /// The nodes at hand.
    nodes: &'a BTreeSet<&'a str>,
}

/// How good a chain is; less is better: requirements in it that changed nothing, whether it
/// ends at another's line, its length.
type Cost = (usize, bool, usize);

impl<'a> Causes<'a> {
    pub(super) fn of(
        resolution: &'a Resolution,
        installed: &'a Installed,
        nodes: &'a BTreeSet<&'a str>,
    ) -> Self {
        let mut packages: BTreeMap<&Name, Vec<&Package>> = BTreeMap::new();
        for package in &resolution.packages {
            packages.entry(&package.name).or_default().push(package);
        }
        Self {
            packages,
            installed,
            nodes,
        }
    }

    /// Finds the line that leads to a package, and the steps from that line's own package.
    pub(super) fn find(&self, name: &Name) -> (Option<AskingLine>, Vec<StepInfo>) {
        let mut open = BinaryHeap::from([std::cmp::Reverse(((0, false, 0), name.clone()))]);
        let mut towards: BTreeMap<Name, (Cost, Option<(Name, StepInfo)>)> =
            BTreeMap::from([(name.clone(), ((0, false, 0), None))]);
        let mut best: Option<(Cost, &Origin, &str, Name)> = None;
        while let Some(std::cmp::Reverse((cost, at))) = open.pop() {
            let stale = towards.get(&at).is_some_and(|(known, _)| *known < cost);
            let done = best.as_ref().is_some_and(|(found, ..)| *found <= cost);
            if stale || done {
                continue;
            }
            let asking = self.packages.get(&at).into_iter().flatten();
            for by in asking.flat_map(|package| &package.required_by) {
                let loose = |text: &str| cost.0 + usize::from(!self.rules_out(&at, text));
                match by {
                    RequiredBy::Line {
                        origin,
                        requirement,
                    } => {
                        let found = (loose(requirement), !self.is_at_hand(origin), cost.2);
                        if best.as_ref().is_none_or(|(known, ..)| found < *known) {
                            best = Some((found, origin, requirement, at.clone()));
                        }
                    }
                    RequiredBy::Package {
                        package,
                        version,
                        requirement,
                    } => {
                        let next = (loose(requirement), false, cost.2 + 1);
                        let known = towards.get(package);
                        if known.is_some_and(|(known, _)| *known <= next) {
                            continue;
                        }
                        let step = StepInfo {
                            package: package.clone(),
                            version: version.clone(),
                            requirement: requirement.clone(),
                        };
                        towards.insert(package.clone(), (next, Some((at.clone(), step))));
                        open.push(std::cmp::Reverse((next, package.clone())));
                    }
                }
            }
        }
        let Some((_, origin, requirement, mut at)) = best else {
            return (None, Vec::new());
        };
        let mut steps = Vec::new();
        while let Some((_, Some((next, step)))) = towards.get(&at) {
            steps.push(step.clone());
            at = next.clone();
        }
        let line = AskingLine {
            requirement: requirement.to_owned(),
            origin: origin.clone(),
        };
        (Some(line), steps)
    }

    fn is_at_hand(&self, origin: &Origin) -> bool {
        let name = origin.name.as_deref();
        origin.kind == OriginKind::Node && name.is_some_and(|name| self.nodes.contains(name))
    }

    /// Reports whether a requirement makes its package change: it is not installed, or as a
    /// version that will not do.
    fn rules_out(&self, name: &Name, requirement: &str) -> bool {
        let Some(there) = self.installed.seen_as(name) else {
            return true;
        };
        // A line of a file may go on with options of pip.
        let text = requirement.split(" --").next().unwrap_or(requirement);
        let wanted = Requirement::parse(text.trim());
        wanted.is_ok_and(|wanted| {
            wanted.url.is_some() || !wanted.specifiers.range().contains(&there.version)
        })
    }
}
