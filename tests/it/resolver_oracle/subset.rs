//! The largest set of nodes that can live together, against all sets there are.

use std::collections::BTreeMap;

use portenv::progress::Cancel;
use portenv::requirements::OriginKind;
use portenv::resolve::targets::Task;
use portenv::resolve::{
    Conflict, LargestSubset, Member, Outcome, ResolveError, SubsetTask, Verdict,
    find_largest_subset,
};
use proptest::prelude::*;

use super::wide::wide;
use super::{Small, small};
use crate::worlds::{World, cases};

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap()
}

/// Gives every two lines of nodes one node, and these nodes weights.
fn regroup(world: &mut World, weights: &[u64]) -> Vec<Member> {
    let mut members: BTreeMap<String, Member> = BTreeMap::new();
    for (at, line) in (0u32..).zip(&mut world.lines) {
        if line.origin.kind == OriginKind::Node {
            let name = format!("node{}", at / 2);
            line.origin.name = Some(name.clone());
            let member = members.entry(name.clone()).or_insert_with(|| Member {
                name,
                weight: weights[at as usize % weights.len()],
                lines: Vec::new(),
            });
            member.lines.push(at);
        }
    }
    members.into_values().collect()
}

/// The numbers of the lines that are left with some members.
fn lines_with(world: &World, members: &[Member], kept: &[usize]) -> Vec<usize> {
    let owned = |at: usize| {
        members
            .iter()
            .position(|one| one.lines.contains(&number(at)))
    };
    let all = 0..world.lines.len();
    all.filter(|&at| owned(at).is_none_or(|member| kept.contains(&member)))
        .collect()
}

fn outcome_with(world: &World, members: &[Member], kept: &[usize]) -> (Vec<usize>, Outcome) {
    let numbers = lines_with(world, members, kept);
    let lines: Vec<_> = numbers.iter().map(|&at| world.lines[at].clone()).collect();
    let outcome = portenv::resolve::resolve(&Task {
        lines: &lines,
        targets: &world.targets,
        options: &world.options,
        preferences: &world.preferences,
        index: &world.index,
        cancel: &Cancel::default(),
    });
    (numbers, outcome.unwrap())
}

fn largest(
    world: &World,
    members: &[Member],
    watch: &dyn Fn(u64, u64) -> bool,
) -> Option<LargestSubset> {
    let task = SubsetTask {
        task: Task {
            lines: &world.lines,
            targets: &world.targets,
            options: &world.options,
            preferences: &world.preferences,
            index: &world.index,
            cancel: &Cancel::default(),
        },
        members,
        waives_unsupplied: false,
        groups: true,
        watch,
    };
    let mut verify = |kept: &[usize], _: &[Conflict]| {
        let (numbers, outcome) = outcome_with(world, members, kept);
        Ok::<_, ResolveError>(match outcome {
            Outcome::Resolved(_) => Verdict::Holds,
            Outcome::Conflicts(mut conflicts) => {
                for line in conflicts.iter_mut().flat_map(|one| &mut one.lines) {
                    *line = number(numbers[*line as usize]);
                }
                Verdict::Fails {
                    conflicts,
                    certain: false,
                }
            }
        })
    };
    find_largest_subset(&task, &mut verify).unwrap()
}

fn subsets(members: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..1_usize << members).map(move |mask| (0..members).filter(|at| mask >> at & 1 == 1).collect())
}

fn worth(members: &[Member], kept: &[usize]) -> u64 {
    kept.iter().map(|&at| members[at].weight).sum()
}

/// What holds of an answer whatever the world is like.
fn check(
    found: &LargestSubset,
    members: &[Member],
    fits: &dyn Fn(&[usize]) -> bool,
) -> Result<(), TestCaseError> {
    prop_assert!(fits(&found.kept), "{:?} do not fit", found.kept);
    prop_assert_eq!(found.weight, worth(members, &found.kept));
    let mut all: Vec<usize> = found.left_out.iter().map(|one| one.member).collect();
    let mut parted: Vec<usize> = found.groups.concat();
    parted.sort_unstable();
    let alone: Vec<usize> = all.iter().copied().filter(|&at| fits(&[at])).collect();
    prop_assert_eq!(parted, alone, "groups hold all that can live with the core");
    for group in &found.groups {
        prop_assert!(fits(group), "{group:?} is no group");
    }
    all.extend(&found.kept);
    all.sort_unstable();
    prop_assert_eq!(all, (0..members.len()).collect::<Vec<_>>());
    Ok(())
}

fn weights() -> impl Strategy<Value = Vec<u64>> {
    prop_oneof![Just(vec![1]), prop::collection::vec(0..4_u64, 8)]
}

proptest! {
    #![proptest_config(cases(250))]

    /// In these worlds a conflict stays one whatever else is asked for, so that the best is
    /// always found and proved.
    #[test]
    fn the_set_found_is_the_best_there_is_and_proved(
        small in small(),
        more in prop::collection::vec((prop::bool::weighted(0.1), super::req()), 2..7),
        weights in weights(),
    ) {
        let mut small: Small = small;
        small.lines.extend(more);
        let mut world = small.world();
        let members = regroup(&mut world, &weights);
        // Constraints stand behind the lines that ask for something.
        let asked = |kept: &[usize]| -> Vec<usize> {
            let numbers = lines_with(&world, &members, kept);
            numbers.into_iter().filter(|&at| at < small.lines.len()).collect()
        };
        let fits = |kept: &[usize]| small.is_satisfiable(&asked(kept));
        let best = subsets(members.len())
            .map(|kept| (worth(&members, &kept), kept));
        let mut best: Vec<_> = best.collect();
        best.sort_by_key(|(worth, _)| std::cmp::Reverse(*worth));
        let best = best.into_iter().find(|(_, kept)| fits(kept)).map(|(worth, _)| worth);

        let found = largest(&world, &members, &|_, _| true);
        prop_assert_eq!(found.as_ref().map(|found| found.weight), best);
        let Some(found) = found else { return Ok(()) };
        prop_assert_eq!(found.bound, found.weight, "it is not proved");
        check(&found, &members, &fits)?;
        for left in &found.left_out {
            let mut with = found.kept.clone();
            with.push(left.member);
            prop_assert!(!fits(&with), "{} could come too", members[left.member].name);
            prop_assert!(!left.conflicts.is_empty());
            for conflict in &left.conflicts {
                let core: Vec<usize> = conflict.lines.iter().map(|&at| at as usize).collect();
                prop_assert!(!small.is_satisfiable(&core), "{core:?} holds");
                prop_assert!(core.iter().any(|&at| members[left.member].lines.contains(&number(at))));
            }
        }

        let hurried = largest(&world, &members, &|_, _| false).unwrap();
        prop_assert!(hurried.weight <= found.weight && hurried.bound >= found.weight);
        prop_assert!(fits(&hurried.kept));
    }
}

proptest! {
    #![proptest_config(cases(200))]

    /// Here a node may make another one possible, by naming a pre-release or what was
    /// withdrawn. Then the bound may be too high, but never too low.
    #[test]
    fn a_set_is_never_better_than_its_bound_nor_proved_if_there_is_a_better_one(
        wide in wide(),
        weights in weights(),
    ) {
        let mut world = wide.world();
        let members = regroup(&mut world, &weights);
        let fits = |kept: &[usize]| {
            matches!(outcome_with(&world, &members, kept).1, Outcome::Resolved(_))
        };
        let best = subsets(members.len())
            .filter(|kept| fits(kept))
            .map(|kept| worth(&members, &kept))
            .max();
        match largest(&world, &members, &|_, _| true) {
            None => prop_assert!(!fits(&[]), "the core alone has an answer"),
            Some(found) => {
                prop_assert!(Some(found.weight) <= best && best <= Some(found.bound), "{} {best:?} {}", found.weight, found.bound);
                check(&found, &members, &fits)?;
            }
        }
    }
}
