//! What keeps a package from another version.

use portenv::progress::Cancel;
use portenv::requirements::Line;
use portenv::resolve::holds::{Guilt, Stretch, Verdict};
use portenv::resolve::targets::Task;
use portenv::resolve::{Holds, Outcome, Question, find_holds};
use proptest::test_runner::TestCaseError;

use super::*;
use crate::worlds::{cases, line};

/// Asks what keeps `package` from versions above `current`.
fn holds(world: &World, package: &str, current: &str) -> Holds {
    let (package, current) = (name(package), current.parse().unwrap());
    let question = Question {
        name: &package,
        current: Some(&current),
        wanted: None,
    };
    let task = Task {
        lines: &world.lines,
        targets: &world.targets,
        options: &world.options,
        preferences: &world.preferences,
        index: &world.index,
        cancel: &Cancel::default(),
    };
    find_holds(&task, question).unwrap()
}

fn lines_of(guilt: &Guilt) -> String {
    let lines = guilt.lines.iter().map(|line| line.requirement.as_str());
    lines.collect::<Vec<_>>().join(" + ")
}

/// Shows stretches as `3-2: a<2; b + c<2`.
fn shown(holds: &Holds) -> Vec<String> {
    let verdict = |stretch: &Stretch| match &stretch.verdict {
        Verdict::Fits(moves) => {
            let moves = moves.iter().map(|change| {
                let text = |version: &Option<Version>| {
                    version.as_ref().map_or("-".to_owned(), ToString::to_string)
                };
                format!(
                    " {} {}→{}",
                    change.name,
                    text(&change.from),
                    text(&change.to)
                )
            });
            format!("fits{}", moves.collect::<String>())
        }
        Verdict::Held(guilts) => guilts.iter().map(lines_of).collect::<Vec<_>>().join("; "),
        Verdict::Unfit(_, reason) | Verdict::Unusable(reason) | Verdict::Unknown(reason) => {
            reason.clone()
        }
    };
    let stretches = holds.stretches.iter();
    stretches
        .map(|stretch| {
            format!(
                "{}-{}: {}",
                stretch.newest,
                stretch.oldest,
                verdict(stretch)
            )
        })
        .collect()
}

#[test]
fn lines_constraints_and_overrides_are_told_as_what_they_are() {
    let packages = ["a 1", "a 2", "a 3", "b 1 -> a<3", "b 2 -> a<2"];
    let of = |lines: &[&str]| shown(&holds(&World::new(&packages, lines), "a", "1"));
    assert_eq!(
        of(&["n: a<2", "m: a<2", "o: a<3"]),
        ["3-3: a<2 + a<2; a<3", "2-2: a<2 + a<2"]
    );
    assert_eq!(of(&["n: a", "constrain: a<3"])[0], "3-3: a<3 (constraint)");
    assert_eq!(
        of(&["n: a<2", "override: a<3"]),
        ["3-3: a<3 (override)", "2-2: fits"]
    );
    assert_eq!(
        of(&["n: a<2", "override for n: a<3", "m: a"]),
        ["3-3: a<2 + a<3 (override)", "2-2: fits"]
    );
    assert_eq!(of(&["n: a", "protect: a==1"]), ["3-2: a==1 (protected)"]);
    let locked = World::new(&packages, &["n: b", "m: a"]);
    let locked = locked.locked("a", "1").locked("b", "2");
    assert_eq!(
        shown(&holds(&locked, "a", "1")),
        ["3-3: b", "2-2: fits b 2→1"]
    );
    assert_eq!(of(&["n: b>=2"]), ["3-2: b>=2"]);
}

#[test]
fn a_version_with_missing_requirements_is_of_no_use_to_anyone() {
    let packages = ["a 1", "a 2 -> gone>=1", "a 3 {tags=cp27-cp27m-win32}"];
    let found = shown(&holds(&World::new(&packages, &["n: a"]), "a", "1"));
    assert_eq!(found[0], "2-2: a needs gone>=1, which cannot be had");
    assert!(found[1].starts_with("3-3: has no wheel"), "{found:?}");
}

#[test]
fn many_versions_cost_little_and_the_rest_is_counted() {
    let packages: Vec<String> = (1..=300).map(|at| format!("a {at}")).collect();
    let world = World::new(&packages, &["n: a<2"]);
    let found = holds(&world, "a", "1");
    assert_eq!(shown(&found), ["300-221: a<2"]);
    assert_eq!((found.stretches[0].count, found.untried), (80, 219));
}

#[test]
fn what_conflicts_anyway_is_left_out_and_reported() {
    let packages = ["a 1", "a 2", "b 1", "b 2"];
    let world = World::new(&packages, &["n: a<2", "core: b<2", "m: b>=2"]);
    let found = holds(&world, "a", "1");
    assert_eq!(shown(&found), ["2-2: a<2"]);
    assert_eq!(
        crate::worlds::shown(&found.conflicts),
        "conflict: b<2 + b>=2"
    );
}

/// Resolves some of a world's lines with one that asks for a version.
fn fits(world: &World, lines: &[Line], package: &str, version: &Version) -> bool {
    let mut with = World::new::<&str, &str>(&[], &[]);
    with.lines = lines.to_vec();
    with.lines
        .push(line(&format!("z: {package}=={version}"), 99));
    matches!(with.outcome_from(&world.index), Outcome::Resolved(_))
}

/// Demands that what is said of a stretch is true, by solving it anew.
fn is_true(world: &World, package: &str, stretch: &Stretch) -> Result<(), TestCaseError> {
    let newest = &stretch.newest;
    match &stretch.verdict {
        Verdict::Fits(_) => prop_assert!(fits(world, &world.lines, package, newest)),
        Verdict::Unusable(_) => prop_assert!(!fits(world, &[], package, newest)),
        Verdict::Held(guilts) => {
            for (at, guilt) in guilts.iter().enumerate() {
                let is_guilty =
                    |line: &&Line| guilt.lines.iter().any(|one| one.origin == line.origin);
                let mut core: Vec<Line> = world.lines.iter().filter(is_guilty).cloned().collect();
                prop_assert!(!fits(world, &core, package, newest), "{guilt:?}");
                if at == 0 {
                    prop_assert!(!fits(world, &core, package, &stretch.oldest), "{guilt:?}");
                }
                // Lines that ask for the same stand for one.
                let mut seen = Vec::new();
                core.retain(|line| {
                    let is_new = !seen.contains(&line.requirement);
                    seen.push(line.requirement.clone());
                    is_new
                });
                for out in 0..core.len() {
                    let mut rest = core.clone();
                    rest.remove(out);
                    prop_assert!(fits(world, &rest, package, newest), "{guilt:?}");
                }
            }
        }
        Verdict::Unfit(..) | Verdict::Unknown(_) => prop_assert!(false, "{stretch:?}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(200))]
    #[test]
    fn every_set_of_lines_is_minimal_and_every_fit_is_one(
        needs in prop::collection::vec((0..5usize, 0..5usize, 1..5u32, any::<bool>(), any::<bool>()), 15),
        asks in prop::collection::vec((0..5usize, 1..5u32, 0..3u8), 2..6),
    ) {
        let names = ["a", "b", "c", "d", "e"];
        let wants = |to: usize, bound: u32, upper: bool| {
            format!("{}{}{bound}", names[to], if upper { "<=" } else { ">=" })
        };
        let packages: Vec<String> = needs
            .iter()
            .enumerate()
            .map(|(at, &(_, to, bound, upper, any))| {
                let (package, version) = (names[at / 3], at % 3 + 1);
                if any || to == at / 3 {
                    format!("{package} {version}")
                } else {
                    format!("{package} {version} -> {}", wants(to, bound, upper))
                }
            })
            .collect();
        let lines: Vec<String> = asks
            .iter()
            .enumerate()
            .map(|(at, &(to, bound, kind))| {
                let wanted = match kind {
                    0 => names[to].to_owned(),
                    kind => wants(to, bound, kind == 1),
                };
                format!("n{at}: {wanted}")
            })
            .collect();
        let mut world = World::new(&packages, &lines);
        if matches!(world.outcome(), Outcome::Resolved(_)) {
            // From the lowest answer on there is something newer.
            world.options.resolution = Order::Lowest;
            for package in world.resolution().packages {
                let found = holds(&world, package.name.as_str(), &package.version.to_string());
                for stretch in &found.stretches {
                    is_true(&world, package.name.as_str(), stretch)?;
                }
            }
        }
    }
}
