//! Several targets, one answer.

use std::collections::{BTreeMap, BTreeSet};

use portenv::package::target::{Implementation, MachineFacts};
use portenv::package::{Marker, Name, Target, Version};
use portenv::resolve::{Outcome, Resolution};

use crate::worlds::{World, name, target};

mod random;

/// Resolves for these targets, each `PLATFORM@PYTHON`.
fn on(targets: &[&str], packages: &[&str], lines: &[&str]) -> World {
    let mut world = World::new(packages, lines);
    world.targets = targets.iter().map(|text| of(text)).collect();
    world
}

fn of(text: &str) -> Target {
    let (platform, python) = text.split_once('@').unwrap();
    target(platform, python)
}

/// Returns what the markers select on a target.
fn selected(resolution: &Resolution, target: &Target) -> Vec<(Name, Version)> {
    let counts = |marker: &Option<String>| {
        let marker = marker.as_ref().map(|text| Marker::parse(text).unwrap());
        marker.is_none_or(|marker| marker.holds(target.environment()))
    };
    let packages = resolution.packages.iter();
    packages
        .filter(|package| counts(&package.marker))
        .map(|package| (package.name.clone(), package.version.clone()))
        .collect()
}

/// Returns all entries on one line each, with their markers.
fn entries(world: &World) -> Vec<String> {
    let resolution = world.resolution();
    let packages = resolution.packages.iter();
    packages
        .map(|package| {
            let marker = package.marker.as_ref();
            let marker = marker.map_or(String::new(), |marker| format!(" ; {marker}"));
            format!("{} {}{marker}", package.name, package.version)
        })
        .collect()
}

const BOTH: [&str; 2] = ["linux@3.12.9", "windows@3.12.9"];
const DESKTOP: [&str; 3] = ["linux@3.12.9", "windows@3.12.9", "macos@3.12.9"];

#[test]
fn two_targets_share_versions_and_markers_tell_them_apart() {
    let world = on(
        &BOTH,
        &[
            "a 1.0 -> lin; sys_platform == 'linux' | win; sys_platform == 'win32' | both",
            "lin 1.0",
            "win 1.0",
            "both 1.0",
            "cu 1.0 {tags=cp312-cp312-win_amd64}",
            "cu 2.0 {tags=cp312-cp312-manylinux2014_x86_64}",
        ],
        &["n: a", "n: cu"],
    );
    assert_eq!(
        entries(&world),
        [
            "a 1.0",
            "both 1.0",
            "cu 1.0 ; sys_platform == 'win32'",
            "cu 2.0 ; sys_platform == 'linux'",
            "lin 1.0 ; sys_platform == 'linux'",
            "win 1.0 ; sys_platform == 'win32'",
        ]
    );
    let resolution = world.resolution();
    let mut dependencies = resolution.packages[0].dependencies.iter();
    assert!(dependencies.all(|dependency| dependency.version.is_none()));
}

#[test]
fn a_dependency_on_a_name_with_two_versions_says_which() {
    let world = on(
        &BOTH,
        &[
            "a 1.0 -> cu",
            "cu 1.0 {tags=cp312-cp312-win_amd64}",
            "cu 2.0 {tags=cp312-cp312-manylinux2014_x86_64}",
        ],
        &["n: a"],
    );
    let resolution = world.resolution();
    let versions: Vec<_> = resolution.packages[0]
        .dependencies
        .iter()
        .map(|dependency| dependency.version.clone().unwrap().to_string())
        .collect();
    assert_eq!(versions, ["1.0", "2.0"]);
}

#[test]
fn a_later_target_takes_what_an_earlier_one_picked() {
    // Alone, Windows would take 2.0.
    let world = on(
        &BOTH,
        &["a 1.0", "a 2.0 {tags=cp312-cp312-win_amd64}"],
        &["n: a"],
    );
    assert_eq!(world.answer(), "a 1.0");
    assert_eq!(
        world.locked("a", "2.0").answer(),
        "a 1.0",
        "not even the lock parts them"
    );
}

#[test]
fn an_earlier_target_moves_to_what_a_later_one_can_take() {
    let packages = [
        "a 1.0",
        "a 2.0 {tags=cp312-cp312-manylinux2014_x86_64}",
        "b 1.0 -> a<2",
        "b 2.0 -> a>=2",
        "c 1.0",
        "c 2.0",
    ];
    let lines = ["n: a", "n: b", "n: c"];
    assert_eq!(
        entries(&on(&BOTH, &packages, &lines)),
        ["a 1.0", "b 1.0", "c 2.0"],
        "and nothing else moves"
    );
    let kept = on(&BOTH, &packages, &lines).locked("a", "2.0");
    assert_eq!(
        entries(&kept),
        [
            "a 1.0 ; sys_platform == 'win32'",
            "a 2.0 ; sys_platform == 'linux'",
            "b 1.0 ; sys_platform == 'win32'",
            "b 2.0 ; sys_platform == 'linux'",
            "c 2.0",
        ],
        "what is locked stays where it can"
    );
}

#[test]
fn versions_differ_where_no_common_one_exists_or_moving_would_part_more_names() {
    let apart = [
        "a 1.0 {tags=cp312-cp312-win_amd64}",
        "a 2.0 {tags=cp312-cp312-manylinux2014_x86_64}",
    ];
    assert_eq!(on(&BOTH, &apart, &["n: a"]).answer(), "a 1.0, a 2.0");
    // On Linux a 1.0 needs other versions of b and c than Windows has.
    let worse = [
        "a 1.0 -> b==1; sys_platform == 'linux' | c==1; sys_platform == 'linux'",
        "a 2.0 {tags=cp312-cp312-manylinux2014_x86_64}",
        "b 1",
        "b 2",
        "c 1",
        "c 2",
    ];
    assert_eq!(
        on(
            &BOTH,
            &worse,
            &[
                "n: a",
                "n: b>=2; sys_platform == 'win32'",
                "n: b",
                "n: c",
                "n: c>=2; sys_platform == 'win32'"
            ]
        )
        .answer(),
        "a 1.0, a 2.0, b 2, c 2"
    );
}

#[test]
fn each_target_keeps_its_own_of_two_locked_versions() {
    let packages = [
        "a 1.0",
        "a 2.0 {tags=cp312-cp312-manylinux2014_x86_64}",
        "a 3.0",
    ];
    let mut world = on(
        &BOTH,
        &packages,
        &["n: a!=3.0", "n: a<2; sys_platform == 'win32'"],
    );
    for (version, marker) in [
        ("2.0", "sys_platform == 'linux'"),
        ("1.0", "sys_platform == 'win32'"),
    ] {
        let marker = Marker::parse(marker).unwrap();
        world
            .preferences
            .add_locked_where(name("a"), version.parse().unwrap(), marker);
    }
    assert_eq!(
        entries(&world),
        [
            "a 1.0 ; sys_platform == 'win32'",
            "a 2.0 ; sys_platform == 'linux'"
        ]
    );
}

#[test]
fn a_name_that_one_target_lacks_is_not_selected_there() {
    let world = on(
        &DESKTOP,
        &[
            "a 1.0",
            "b 1.0",
            "b 2.0 {tags=cp312-cp312-manylinux2014_x86_64}",
        ],
        &[
            "n: a; sys_platform != 'darwin'",
            "n: b; sys_platform != 'darwin'",
            "n: b>1; sys_platform == 'linux'",
        ],
    );
    assert_eq!(
        entries(&world),
        [
            "a 1.0 ; sys_platform != 'darwin'",
            "b 1.0 ; sys_platform == 'win32'",
            "b 2.0 ; sys_platform == 'linux'",
        ]
    );
}

#[test]
fn wheels_of_all_targets_stand_in_their_order_and_the_sdist_last() {
    let world = on(
        &DESKTOP,
        &[
            "a 1.0 {sdist}",
            "a 1.0 {tags=cp312-cp312-macosx_11_0_arm64}",
            "a 1.0 {tags=cp312-cp312-win_amd64}",
            "a 1.0 {tags=cp312-cp312-manylinux2014_x86_64}",
            "a 1.0 {tags=cp311-cp311-win_amd64}",
        ],
        &["n: a"],
    );
    let resolution = world.resolution();
    let files: Vec<&str> = resolution.packages[0]
        .files
        .iter()
        .map(|file| file.filename.as_str())
        .collect();
    assert_eq!(
        files,
        [
            "a-1.0-cp312-cp312-manylinux2014_x86_64.whl",
            "a-1.0-cp312-cp312-win_amd64.whl",
            "a-1.0-cp312-cp312-macosx_11_0_arm64.whl",
            "a-1.0.tar.gz",
        ]
    );
}

#[test]
fn this_machine_is_solved_first_wherever_it_is_listed() {
    let facts = MachineFacts {
        release: "6.1".to_owned(),
        ..MachineFacts::default()
    };
    let here = Target::new("linux".parse().unwrap(), "3.12.9".parse().unwrap(), &facts);
    let packages = ["a 1.0 -> b==1", "a 2.0 -> b==2", "b 1", "b 2"];
    // Both can be had everywhere; who is asked first decides.
    let lines = [
        "n: a",
        "n: b",
        "n: a<2; sys_platform == 'win32' and platform_release == 'x'",
    ];
    let mut world = on(&["windows@3.12.9"], &packages, &lines);
    world.targets.push(here);
    world.preferences.add_installed(
        name("a"),
        portenv::resolve::Kept {
            version: "1.0".parse().unwrap(),
            metadata: std::sync::Arc::default(),
        },
    );
    assert_eq!(world.answer(), "a 1.0, b 1");
    let listed: Vec<String> = world
        .resolution()
        .targets
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        listed,
        [
            "x86_64-pc-windows-msvc@3.12.9",
            "x86_64-unknown-linux-gnu@3.12.9"
        ]
    );
}

#[test]
fn a_conflict_says_for_which_target_it_is() {
    let world = on(
        &BOTH,
        &["a 1.0"],
        &["n: a", "n: a>1; sys_platform == 'win32'"],
    );
    let conflicts = world.conflicts();
    let text = &conflicts[0].explanation;
    assert!(
        text.starts_with("for x86_64-pc-windows-msvc@3.12.9: "),
        "{text}"
    );
}

#[test]
fn any_wheel_will_do_where_tags_are_not_judged_and_like_targets_are_solved_once() {
    let packages = [
        "a 1.0",
        "a 2.0 {tags=cp39-cp39-win_amd64}",
        "b 1.0 {python=>=3.8}",
        "b 2.0 {python=>=3.12}",
        "c 1.0 -> d; python_version < '3.12'",
        "d 1.0",
    ];
    let mut world = World::new(&packages, &["n: a", "n: b", "n: c"]);
    world.targets = ["3.10", "3.11", "3.12", "3.13"]
        .map(|python| {
            let (platform, python) = ("linux".parse().unwrap(), python.parse().unwrap());
            Target::for_any_wheel(platform, python, Implementation::CPython)
        })
        .to_vec();
    assert_eq!(
        entries(&world),
        ["a 2.0", "b 1.0", "c 1.0", "d 1.0 ; python_version < '3.12'"]
    );
    let stats = world.resolution().stats;
    assert_eq!((stats["targets"], stats["targets_shared"]), (4, 2));
}

#[test]
fn targets_solved_once_are_moved_only_to_what_serves_all_of_them() {
    let packages = ["a 1.0 -> d; python_version >= '3.11'", "a 2.0", "d 1.0"];
    let lines = ["n: a", "m: a<2; python_version >= '3.12'"];
    let mut world = World::new(&packages, &lines);
    world.targets = ["3.10", "3.11", "3.12"]
        .map(|python| {
            let (platform, python) = ("linux".parse().unwrap(), python.parse().unwrap());
            Target::for_any_wheel(platform, python, Implementation::CPython)
        })
        .to_vec();
    let resolution = world.resolution();
    for target in &world.targets {
        let found = selected(&resolution, target);
        let has =
            |wanted: &str, version: &str| found.contains(&(name(wanted), version.parse().unwrap()));
        let asks = target.python_minor() != "3.10" && has("a", "1.0");
        assert_eq!(has("d", "1.0"), asks, "on {target}: {found:?}");
    }
}

#[test]
fn a_marker_on_what_a_target_leaves_open_is_told_once() {
    let packages = ["a 1.0 -> b; python_full_version < '3.12.4'", "b 1.0"];
    let lines = ["n: a", "n: b; platform_release >= '6'"];
    let codes = |world: &World| -> Vec<&'static str> {
        world.warnings().iter().map(|(code, _)| *code).collect()
    };
    let open = on(&["linux@3.12", "windows@3.12"], &packages, &lines);
    assert_eq!(codes(&open), ["open-marker", "open-marker"]);
    let messages: Vec<String> = open.warnings().into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        messages,
        [
            "`b; platform_release >= '6'` depends on platform_release, which the target leaves open",
            "`b; python_full_version < '3.12.4'` of a 1.0 depends on python_full_version, which the target leaves open",
        ]
    );
    let fixed = on(&["linux@3.12.9", "windows@3.12.1"], &packages, &["n: a"]);
    assert_eq!(codes(&fixed), [""; 0]);
}

/// Counts the names with more than one version.
fn parted(resolution: &Resolution) -> usize {
    let mut versions: BTreeMap<&Name, BTreeSet<&Version>> = BTreeMap::new();
    for package in &resolution.packages {
        versions
            .entry(&package.name)
            .or_default()
            .insert(&package.version);
    }
    versions
        .values()
        .filter(|versions| versions.len() > 1)
        .count()
}

/// Solves one target after the other, each preferring what earlier ones picked;
/// `None` if one has no answer.
fn one_by_one(world: &mut World) -> Option<Vec<Vec<(Name, Version)>>> {
    let targets = std::mem::take(&mut world.targets);
    let mut answers = Vec::new();
    for target in &targets {
        world.targets = vec![target.clone()];
        let Outcome::Resolved(resolution) = world.outcome() else {
            return None;
        };
        let answer = selected(&resolution, target);
        for (name, version) in &answer {
            let always = Marker::default();
            world
                .preferences
                .add_locked_where(name.clone(), version.clone(), always);
        }
        answers.push(answer);
    }
    Some(answers)
}
