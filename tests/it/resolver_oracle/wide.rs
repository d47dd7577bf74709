//! Random worlds with everything in them, for one to three targets.

use portenv::requirements::OriginKind;
use portenv::resolve::{Conflict, Outcome, Resolution};
use portenv::workspace::settings::{Prerelease, Resolution as Order};
use proptest::prelude::*;

use super::model::{
    ALL, Asked, FILES, Gate, MARKERS, PACKAGES, PLACES, PYTHONS, Place, Release, Req, SPECIFIERS,
    VERSIONS, Wide,
};
use crate::worlds::cases;

fn req() -> impl Strategy<Value = Req> {
    let extras =
        prop_oneof![6 => Just(0), 1 => Just(1), 1 => Just(2), 1 => Just(3), 1 => Just(1 << ALL)];
    let specifier = prop_oneof![4 => 0..6_usize, 1 => 0..SPECIFIERS.len()];
    (0..PACKAGES, specifier, extras).prop_map(|(package, specifier, extras)| Req {
        package,
        specifier,
        extras,
    })
}

fn asked() -> impl Strategy<Value = Asked> {
    let marker = prop_oneof![3 => Just(0), 1 => 0..MARKERS.len()];
    (req(), marker).prop_map(|(req, marker)| Asked { req, marker })
}

/// Of a policy line, which asks for no extra.
fn bound() -> impl Strategy<Value = Asked> {
    asked().prop_map(|asked| Asked {
        req: Req {
            extras: 0,
            ..asked.req
        },
        ..asked
    })
}

fn release() -> impl Strategy<Value = Release> {
    let gate = prop_oneof![4 => Just(Gate::Open), 2 => (0..2_usize).prop_map(Gate::And), 1 => (0..2_usize).prop_map(Gate::Or)];
    let mostly_first = |all: usize| prop_oneof![4 => Just(0), 1 => 0..all];
    // Most versions are finals without a label.
    let version = prop_oneof![Just(1), Just(5), Just(7), 0..VERSIONS.len()];
    (
        version,
        mostly_first(FILES.len()),
        mostly_first(PYTHONS.len()),
        prop::bool::weighted(0.06),
        prop::bool::weighted(0.03),
        prop::collection::vec((gate, asked()), 0..3),
    )
        .prop_map(
            |(version, files, python, yanked, broken, requires)| Release {
                version,
                files,
                python,
                yanked,
                broken,
                requires,
            },
        )
}

/// Some releases of one package; where it has extras, `all` of some of them names itself.
fn releases(package: usize) -> impl Strategy<Value = Vec<Release>> {
    // A package that is unknown now and then.
    let count = prop_oneof![1 => Just(0_usize), 20 => 3..7_usize];
    let some = count.prop_flat_map(|count| prop::collection::vec((release(), 0..6_u8), count));
    some.prop_map(move |some| {
        let mut releases: Vec<Release> = some
            .into_iter()
            .map(|(mut release, all)| {
                let myself = Req {
                    package,
                    specifier: 0,
                    extras: all,
                };
                if (1..4).contains(&all) {
                    let asked = Asked {
                        req: myself,
                        marker: 0,
                    };
                    release.requires.push((Gate::And(ALL), asked));
                }
                release
            })
            .collect();
        releases.sort_by_key(|release| release.version);
        releases.dedup_by_key(|release| release.version);
        releases.truncate(4);
        releases
    })
}

pub(super) fn wide() -> impl Strategy<Value = Wide> {
    let packages: Vec<_> = (0..PACKAGES).map(|at| releases(at).boxed()).collect();
    let asks = (
        prop::collection::vec((prop::bool::weighted(0.3), asked()), 1..6),
        prop::collection::vec(bound(), 0..2),
        prop::collection::vec(bound(), 0..2),
    );
    let options = (
        prop::sample::subsequence(PLACES.to_vec(), 1..=3).prop_shuffle(),
        prop_oneof![
            3 => Just(Prerelease::IfNecessary),
            1 => Just(Prerelease::Allow),
            1 => Just(Prerelease::Disallow),
            1 => Just(Prerelease::Explicit)
        ],
        prop_oneof![3 => Just(Order::Highest), 1 => Just(Order::Lowest), 1 => Just(Order::LowestDirect)],
        prop::bool::weighted(0.1),
        prop::option::weighted(0.1, 0..PACKAGES),
        prop::option::weighted(0.1, 0..PACKAGES),
    );
    (packages, asks, options).prop_map(|(packages, (lines, constraints, overrides), options)| {
        let (places, prerelease, order, only_binary, no_binary, exclude) = options;
        let mut wide = Wide {
            packages,
            lines,
            constraints,
            overrides,
            places,
            prerelease,
            order,
            only_binary,
            no_binary,
            exclude,
        };
        // Later targets prefer what earlier ones picked, and what is preferred may be withdrawn. So
        // a pin holds on all targets here.
        if wide.places.len() > 1 {
            let lines = wide.lines.iter_mut().map(|line| &mut line.1);
            let policy = wide.constraints.iter_mut().chain(&mut wide.overrides);
            for asked in lines.chain(policy).filter(|asked| asked.req.is_pin()) {
                asked.marker = 0;
            }
        }
        // Of a line that ComfyUI's file has twice either may be named.
        let mut seen = Vec::new();
        wide.lines.retain(|&(core, asked)| {
            let again = core && seen.contains(&asked);
            seen.extend(core.then_some(asked));
            !again
        });
        wide
    })
}

/// Everything of an outcome that reaches a lock or a message, whatever the order of the question.
pub(super) fn bytes(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Resolved(answer) => {
            let Resolution {
                packages,
                warnings,
                stats,
                ..
            } = answer.as_ref();
            format!("{packages:?}\n{warnings:?}\n{stats:?}")
        }
        Outcome::Conflicts(conflicts) => {
            let shown = conflicts.iter().map(|conflict| {
                let Conflict {
                    packages,
                    requirements,
                    explanation,
                    ..
                } = conflict;
                format!("{packages:?}\n{requirements:?}\n{explanation}\n")
            });
            shown.collect()
        }
    }
}

/// Checks conflicts of a target against the enumerator: each core fails, and all of it is needed.
fn check_conflicts(wide: &Wide, place: Place, conflicts: &[Conflict]) -> Result<(), TestCaseError> {
    prop_assert!(!conflicts.is_empty());
    let mut rest = wide.active(place);
    for conflict in conflicts {
        let core: Vec<usize> = conflict.lines.iter().map(|&at| at as usize).collect();
        prop_assert!(!core.is_empty());
        prop_assert!(
            core.iter().all(|at| wide.active(place).contains(at)),
            "{core:?} does not count on {place:?}"
        );
        prop_assert!(
            !wide.is_satisfiable(place, &core),
            "{core:?} holds on {place:?}"
        );
        for out in &core {
            let less: Vec<usize> = core.iter().copied().filter(|at| at != out).collect();
            let needed = wide.contradict(place, &core) || wide.is_satisfiable(place, &less);
            prop_assert!(needed, "{core:?} does not need {out} on {place:?}");
        }
        let mut named = conflict.requirements.iter();
        let named: Vec<&str> = named
            .by_ref()
            .filter(|line| line.origin.kind != OriginKind::Policy)
            .map(|line| line.requirement.as_str())
            .collect();
        prop_assert_eq!(named.len(), core.len());
        prop_assert_eq!(conflict.packages.len(), 1);
        let all_of_core = core.iter().all(|&at| wide.lines[at].0);
        rest.retain(|&at| !core.contains(&at) || wide.lines[at].0 && !all_of_core);
    }
    prop_assert!(
        wide.is_satisfiable(place, &rest),
        "a conflict among {rest:?} is not told"
    );
    Ok(())
}

proptest! {
    #![proptest_config(cases(5000))]

    /// The oracle knows, per target: which versions a specifier admits (from `packaging`), where
    /// markers hold and wheels fit (from tables), pins, pre-releases, extras that name their own
    /// package, overrides, constraints, requires-python, withdrawn and unreadable versions, and
    /// unknown names. It tries every release of whatever is wanted. Which answer is best it
    /// knows only for one target, where the first choice of everything is one.
    #[test]
    fn every_target_has_an_answer_exactly_if_there_is_one_and_cores_are_minimal(wide in wide()) {
        let outcome = wide.world().outcome();
        match &outcome {
            Outcome::Resolved(answer) => {
                // One of several may have moved to what the others can take.
                if let [only] = wide.places[..]
                    && let Some(picks) = wide.first_choice(only)
                {
                    prop_assert_eq!(wide.picks(only, answer), picks);
                }
                for &place in &wide.places {
                    let picks = wide.picks(place, answer);
                    prop_assert!(wide.is_answer(place, &picks), "{picks:?} is no answer on {place:?}");
                }
            }
            Outcome::Conflicts(conflicts) => {
                let fails = |place: &Place| !wide.is_satisfiable(*place, &wide.active(*place));
                let place = wide.places.iter().copied().find(fails);
                prop_assert!(place.is_some(), "every target has an answer");
                check_conflicts(&wide, place.unwrap(), conflicts)?;
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(700))]

    /// No oracle: an outcome is compared with that of the same question put in another order, and
    /// put again. Lines keep the places where they stand.
    #[test]
    fn neither_the_order_of_lines_nor_repetition_changes_a_byte(
        (wide, order) in wide().prop_flat_map(|wide| {
            let count = wide.questions().len();
            (Just(wide), Just((0..count).collect::<Vec<usize>>()).prop_shuffle())
        }),
    ) {
        let world = wide.world();
        let first = bytes(&world.outcome());
        prop_assert_eq!(bytes(&world.outcome()), first.clone());
        let mut shuffled = wide.world();
        shuffled.lines = order.iter().map(|&at| world.lines[at].clone()).collect();
        prop_assert_eq!(bytes(&shuffled.outcome()), first);
    }

    /// No oracle: what was locked is an answer, so locking it must give it again.
    #[test]
    fn an_answer_that_is_locked_stays(mut wide in wide()) {
        wide.places.truncate(1);
        let world = wide.world();
        if let Outcome::Resolved(answer) = world.outcome() {
            let mut again = wide.world();
            for package in &answer.packages {
                again.preferences.add_locked(package.name.clone(), package.version.clone());
            }
            prop_assert_eq!(again.answer(), world.answer());
        }
    }
}
