//! Whom a failed search concerns beyond the lines that were named.

use std::collections::BTreeSet;

use pubgrub::{DerivationTree, External};

use super::solve::Proof;
use super::targets::distinct_lines;
use super::world::{Pkg, World};
use crate::package::Name;

/// Reports whether a line asks for what another one does, or for more.
pub(super) fn asks_as_much(world: &World<'_>, line: u32, than: u32) -> bool {
    let (one, two) = (&world.lines[line as usize], &world.lines[than as usize]);
    let (wanted, other) = (&one.requirement, &two.requirement);
    if wanted.name != other.name {
        return false;
    }
    if line == than || distinct_lines(world, &[line, than]).len() == 1 {
        return true;
    }
    let is_plain = |at: u32| {
        let line = &world.lines[at as usize];
        line.requirement.url.is_none()
            && world.scoped_override(line).is_none()
            && world.waived(at).is_none()
    };
    is_plain(line)
        && is_plain(than)
        && world.number_of(one) == world.number_of(two)
        && other
            .extras
            .iter()
            .all(|extra| wanted.extras.contains(extra))
        && world.line_range(line).subset_of(&world.line_range(than))
}

/// What a proof speaks of.
#[derive(Default)]
pub(super) struct Involved {
    /// Names of packages.
    pub(super) names: BTreeSet<Name>,
    /// Lines of policy.
    pub(super) policies: BTreeSet<u32>,
}

/// Collects what a proof speaks of; the tree shares parts and may be deep.
pub(super) fn involved(world: &World<'_>, proof: &Proof) -> Involved {
    let mut found = Involved::default();
    let mut seen = BTreeSet::new();
    let mut open = vec![proof];
    while let Some(tree) = open.pop() {
        let external = match tree {
            DerivationTree::External(external) => external,
            DerivationTree::Derived(derived) => {
                if derived.shared_id.is_none_or(|id| seen.insert(id)) {
                    open.extend([&*derived.cause1, &*derived.cause2]);
                }
                continue;
            }
        };
        let packages = match external {
            External::NotRoot(package, _)
            | External::NoVersions(package, _)
            | External::Custom(package, _, _) => [package, package],
            External::FromDependencyOf(from, _, to, _) => [from, to],
        };
        for package in packages {
            match *package {
                Pkg::Name(name) | Pkg::Extra(name, _) => {
                    found.names.insert(world.name(name));
                }
                Pkg::Policy(at) => {
                    found.policies.insert(at);
                }
                Pkg::Root | Pkg::Line(_) | Pkg::Family(_) => {}
            }
        }
    }
    found
}
