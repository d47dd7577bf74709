//! Families: distributions that own the same modules, which no metadata tells.
//!
//! Two members side by side overwrite each other's files. By policy that is reported,
//! an error, or mended: one member then answers every requirement on any of them.

use std::collections::BTreeSet;

use super::resolution::Warning;
use super::solve::{Picks, Solved, solve};
use super::world::World;
use crate::index::IndexError;
use crate::package::{Name, Range, Version};
use crate::progress::Cancel;
use crate::requirements::Line;
use crate::workspace::settings::FamilyMode;

/// Distributions that own the same modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// The members, most capable first.
    pub members: Vec<Name>,
    /// What is done about two of them.
    pub mode: FamilyMode,
}

/// Families that are known, most capable member first.
const BUILT_IN: [&[&str]; 2] = [
    &[
        "opencv-contrib-python",
        "opencv-python",
        "opencv-contrib-python-headless",
        "opencv-python-headless",
    ],
    &[
        "onnxruntime-gpu",
        "onnxruntime-directml",
        "onnxruntime-openvino",
        "onnxruntime-rocm",
        "onnxruntime",
    ],
];

impl Family {
    /// Returns the families of a policy and those built in that share no member with
    /// them: a policy's own table replaces a built-in one.
    pub fn all(own: Vec<Self>) -> Vec<Self> {
        let mut families = own;
        for members in BUILT_IN {
            let members: Vec<Name> = members
                .iter()
                .filter_map(|name| Name::parse(name))
                .collect();
            let is_known = |family: &Self| members.iter().any(|name| family.members.contains(name));
            if !families.iter().any(is_known) {
                families.push(Self {
                    members,
                    mode: FamilyMode::Report,
                });
            }
        }
        families
    }

    /// Lists the members that are among some names, most capable first.
    pub fn among<'n>(&self, names: impl Iterator<Item = &'n Name>) -> Vec<Name> {
        let names: BTreeSet<&Name> = names.collect();
        let there = self.members.iter().filter(|member| names.contains(member));
        there.cloned().collect()
    }
}

/// Solves, and where a family with `unify` has several members in the answer, lets the
/// most capable of these answer for all and solves again. Each round settles a family
/// for good, so this ends.
///
/// # Errors
///
/// Fails if the world could not be asked or the work was interrupted.
pub fn solve_unified(
    world: &mut World<'_>,
    active: &[u32],
    cancel: &Cancel,
) -> Result<Solved, IndexError> {
    loop {
        let solved = solve(world, active, cancel, None)?;
        let Solved::Picks(picks) = &solved else {
            return Ok(solved);
        };
        let Some((family, chosen)) = divided(world, picks) else {
            return Ok(solved);
        };
        world.unify(&family.members, &chosen);
    }
}

/// Finds a family to be unified with several members in an answer, and the one of these
/// that is to answer: the most capable, or one that has an address. Where it does so
/// already, those still beside it have addresses of their own.
pub(super) fn divided<'a>(world: &World<'a>, picks: &Picks) -> Option<(&'a Family, Name)> {
    let names: Vec<Name> = picks.versions.keys().map(|&at| world.name(at)).collect();
    let families = world.options.families.iter();
    let mut unified = families.filter(|family| family.mode == FamilyMode::Unify);
    unified.find_map(|family| {
        let there = family.among(names.iter());
        // What a line gives an address cannot be answered by another, so it answers.
        let has_url = |name: &&Name| world.has_url(world.number(name));
        let chosen = there.iter().find(has_url).or(there.first())?;
        let open = |name: &Name| {
            name != chosen && world.unified.get(&world.number(name)) != Some(&world.number(chosen))
        };
        there.iter().any(open).then(|| (family, chosen.clone()))
    })
}

/// Says which members stand side by side, and which one answers for others.
pub fn family_warnings(world: &World<'_>, picks: &Picks, warnings: &mut BTreeSet<Warning>) {
    let named = |at: &u32, version: &Version| (world.name(*at), version.clone());
    let picked: Vec<(Name, Version)> = picks
        .versions
        .iter()
        .map(|(at, version)| named(at, version))
        .collect();
    for family in &world.options.families {
        let there: Vec<String> = family
            .among(picked.iter().map(|(name, _)| name))
            .iter()
            .filter_map(|member| picked.iter().find(|(name, _)| name == member))
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        if there.len() > 1 {
            let text = format!(
                "{} own the same modules: the one installed last wins; `mode = \"unify\"` in a [[family]] of portenv.toml lets one answer for all",
                there.join(" and ")
            );
            warnings.insert(Warning::new("family", text));
        }
    }
    for (asked, given, why) in world.substitutes() {
        if picks.versions.contains_key(&given) {
            let (asked, given) = (world.name(asked), world.name(given));
            let text = format!("{given} answers for {asked}, {why}");
            warnings.insert(Warning::new("family-substitute", text));
        }
    }
}

impl World<'_> {
    /// Returns the name that answers a requirement: mostly the one asked for.
    ///
    /// A member of a family may be unified with another one; and one without any file
    /// for the target is answered by the most capable member that has one in the range.
    pub(super) fn answering(&self, number: u32, range: &Range) -> u32 {
        if let Some(&chosen) = self.unified.get(&number) {
            return chosen;
        }
        let Some(&(family, _)) = self.families.get(&number) else {
            return number;
        };
        if self.urls.contains_key(&number) || self.is_supplied(number, &Range::full()) {
            return number;
        }
        let members = self.options.families[family].members.iter();
        let stand_in = members
            .map(|member| self.number(member))
            .find(|&member| member != number && self.is_supplied(member, range));
        if let Some(stand_in) = stand_in {
            self.stand_ins.borrow_mut().insert(number, stand_in);
        }
        stand_in.unwrap_or(number)
    }

    /// Reports whether a name has a usable version in a range. What cannot be asked
    /// counts as supplied: the question comes up again where errors are told.
    fn is_supplied(&self, number: u32, range: &Range) -> bool {
        match self.candidates(number) {
            Ok(Some(candidates)) => candidates.choose(range).is_some(),
            Ok(None) => false,
            Err(_) => true,
        }
    }

    /// Lets one member of a family answer for all others from now on.
    pub fn unify(&mut self, members: &[Name], chosen: &Name) {
        let chosen = self.number(chosen);
        for member in members {
            let member = self.number(member);
            if member == chosen {
                continue;
            }
            self.unified.insert(member, chosen);
            if let Some(lines) = self.constraints.remove(&member) {
                self.constraints.entry(chosen).or_default().extend(lines);
            }
            if let Some(lines) = self.overrides.remove(&member) {
                self.overrides.entry(chosen).or_default().extend(lines);
            }
        }
        // What was understood so far names the others.
        self.deps.borrow_mut().clear();
        self.candidates.borrow_mut().clear();
    }

    /// Returns the name that a line asks for, or the one that answers for it.
    pub fn number_of(&self, line: &Line) -> u32 {
        self.dep(&line.requirement, "").name
    }

    /// Lists which names were answered by others of their family, and why.
    pub fn substitutes(&self) -> Vec<(u32, u32, &'static str)> {
        let unified = self.unified.iter();
        let unified = unified.map(|(&from, &to)| (from, to, "by the policy on their family"));
        let stand_ins = self.stand_ins.borrow();
        let stand_ins = stand_ins.iter();
        let without = "which has no file for this platform and Python";
        let mut all: Vec<_> = unified
            .chain(stand_ins.map(|(&from, &to)| (from, to, without)))
            .collect();
        all.sort_unstable_by_key(|&(from, to, _)| (self.name(from), self.name(to)));
        all
    }

    /// Returns the family of a name if only one member may be there, with the member's
    /// place in it.
    pub fn exclusive_family(&self, number: u32) -> Option<(u32, usize)> {
        let &(family, place) = self.families.get(&number)?;
        let exclusive = self.options.families[family].mode == FamilyMode::Error;
        let family = u32::try_from(family).ok()?;
        exclusive.then_some((family, place))
    }
}
