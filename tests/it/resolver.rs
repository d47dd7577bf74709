//! The rules by which versions are chosen.

mod effort;
mod failing;
mod families;
mod holds;
mod policy;
mod rules;
mod targets;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portenv::index::page::ColdFile;
use portenv::index::{Index, IndexError, MemoryIndex, MetadataError, Page};
use portenv::package::{Metadata, Name, Version};
use portenv::resolve::{NamesOrAll, RequiredBy};
use portenv::workspace::settings::{Prerelease, Resolution as Order};
use proptest::prelude::*;

use crate::worlds::{World, name, target};

#[track_caller]
fn check(packages: &[&str], lines: &[&str], expected: &str) {
    assert_eq!(
        World::new(packages, lines).answer(),
        expected,
        "{packages:?} {lines:?}"
    );
}

#[test]
fn the_newest_version_that_fits_everyone_wins() {
    let world = [
        "a 1.0",
        "a 1.9",
        "a 1.10",
        "a 2.0",
        "b 1.0 -> a<2",
        "b 2.0 -> a",
    ];
    check(&world, &["n: a"], "a 2.0");
    check(&world, &["n: a<2"], "a 1.10");
    check(&world, &["n: a", "m: b"], "a 2.0, b 2.0");
    check(&world, &["n: a", "m: b<2"], "a 1.10, b 1.0");
    check(
        &world,
        &["n: a>1.9,<2", "m: a!=1.10.*", "o: b"],
        "conflict: a!=1.10.* + a>1.9,<2",
    );
    check(&world, &[], "");
}

#[test]
fn several_requirements_on_one_name_all_hold() {
    let world = [
        "a 1.0 -> b>=2 | b<4 | b!=3.0",
        "b 1.0",
        "b 2.0",
        "b 3.0",
        "b 4.0",
    ];
    check(&world, &["n: a"], "a 1.0, b 2.0");
    check(&world, &["n: b>=2", "n: b<4", "n: b!=3.0"], "b 2.0");
}

#[test]
fn finals_come_before_prereleases_and_a_bound_never_admits_its_own() {
    let world = [
        "a 0.1.0",
        "a 0.2.0a1",
        "a 0.2.0",
        "a 0.3.0rc1",
        "only 1.0b1",
        "only 1.0b2",
        "b 1.0 -> a>=0.3.0a0",
    ];
    check(&world, &["n: a"], "a 0.2.0");
    check(&world, &["n: a<0.2.0"], "a 0.1.0");
    check(&world, &["n: a>0.2.0"], "a 0.3.0rc1");
    check(&world, &["n: a==0.2.0a1"], "a 0.2.0a1");
    check(&world, &["n: only"], "only 1.0b2");
    check(&world, &["n: b"], "a 0.3.0rc1, b 1.0");
    let of = |policy, lines: &[&str]| {
        World::new(&world, lines)
            .with(|options| options.prerelease = policy)
            .answer()
    };
    assert_eq!(of(Prerelease::Allow, &["n: a"]), "a 0.3.0rc1");
    assert_eq!(of(Prerelease::Allow, &["n: a<0.2.0"]), "a 0.1.0");
    assert_eq!(of(Prerelease::Disallow, &["n: a"]), "a 0.2.0");
    assert_eq!(of(Prerelease::Disallow, &["n: only"]), "conflict: only");
    assert_eq!(
        of(Prerelease::Disallow, &["n: a>=0.3.0rc1"]),
        "conflict: a>=0.3.0rc1"
    );
    assert_eq!(of(Prerelease::Explicit, &["n: a>=0.2.0rc1"]), "a 0.3.0rc1");
    assert_eq!(of(Prerelease::Explicit, &["n: only"]), "conflict: only");
    assert_eq!(
        of(Prerelease::Explicit, &["n: b"]),
        "conflict: b",
        "only a line can ask for one"
    );
}

#[test]
fn a_final_that_cannot_work_gives_way_to_a_prerelease() {
    let world = ["a 1.0 -> gone", "a 1.1b1"];
    check(&world, &["n: a"], "a 1.1b1");
}

#[test]
fn a_yanked_version_needs_an_exact_pin_or_a_place_in_the_lock() {
    let world = ["a 1.0", "a 1.1 {yanked=leaks memory}", "b 1.0 -> a>=1.1"];
    check(&world, &["n: a"], "a 1.0");
    check(&world, &["n: a>=1.1"], "conflict: a>=1.1");
    check(&world, &["n: b"], "conflict: b");
    check(&world, &["n: a==1.1", "m: b"], "a 1.1, b 1.0");
    check(
        &world,
        &["n: a==1.1; sys_platform == 'win32'", "n: a>=1.1"],
        "conflict: a>=1.1",
    );
    let pinned = World::new(&world, &["n: a==1.1"]);
    assert_eq!(
        pinned.warnings(),
        [(
            "yanked",
            "a 1.1 was withdrawn (yanked): leaks memory".to_owned()
        )]
    );
    assert_eq!(
        pinned.resolution().packages[0].yanked.as_deref(),
        Some("leaks memory")
    );
    assert_eq!(
        World::new(&world, &["n: a"]).locked("a", "1.1").answer(),
        "a 1.1"
    );
}

#[test]
fn extras_bring_their_requirements_at_the_same_version() {
    let world = [
        "a 1.0 -> b; extra == 'gpu'",
        "a 2.0 -> b>=2; extra == 'gpu' | c; extra == 'docs' | d; extra == 'gpu' and sys_platform == 'win32'",
        "b 1.0",
        "b 2.0",
        "c 1.0",
        "d 1.0",
        "e 1.0 -> a[gpu]<2",
    ];
    check(&world, &["n: a"], "a 2.0");
    check(&world, &["n: a[gpu]"], "a 2.0, b 2.0");
    check(&world, &["n: A[GPU]"], "a 2.0, b 2.0");
    check(&world, &["n: a[gpu,docs]"], "a 2.0, b 2.0, c 1.0");
    check(&world, &["n: a[gpu]", "m: b<2"], "a 1.0, b 1.0");
    check(&world, &["n: a", "m: e"], "a 1.0, b 2.0, e 1.0");
    check(&world, &["n: a[docs]", "m: e"], "a 1.0, b 2.0, e 1.0");
    assert_eq!(
        World::new(&world, &["n: a[gpu]"])
            .on("windows", "3.12")
            .answer(),
        "a 2.0, b 2.0, d 1.0"
    );
    let resolution = World::new(&world, &["n: a[gpu]", "m: a[docs]"]).resolution();
    let extras: Vec<_> = resolution.packages[0]
        .extras
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(extras, ["docs", "gpu"]);
}

#[test]
fn an_extra_may_ask_for_other_extras_of_its_own_package() {
    let world = [
        "foo 1.0 -> foo[x,y]; extra == 'all' | foo[y]; extra == 'x' | b; extra == 'x' | c>=1; extra == 'y'",
        "foo 0.9 -> d; extra == 'all'",
        "b 1.0",
        "c 1.0",
        "d 1.0",
    ];
    check(&world, &["n: foo[all]"], "b 1.0, c 1.0, foo 1.0");
    check(&world, &["n: foo[x]"], "b 1.0, c 1.0, foo 1.0");
    check(&world, &["n: foo[all]", "m: foo<1"], "d 1.0, foo 0.9");
    check(
        &[
            "foo 1.0 -> foo[a]; extra == 'b' | foo[b]; extra == 'a' | c; extra == 'b'",
            "c 1.0",
        ],
        &["n: foo[a]"],
        "c 1.0, foo 1.0",
    );
}

#[test]
fn a_marker_with_an_extra_or_something_else_counts_without_the_extra_too() {
    let world = [
        "a 1.0 -> b; extra == 'x' or python_version >= '3.12' | c; python_version < '3' and extra == 'x'",
        "b 1.0",
        "c 1.0",
    ];
    check(&world, &["n: a"], "a 1.0, b 1.0");
    assert_eq!(
        World::new(&world, &["n: a"]).on("linux", "3.11").answer(),
        "a 1.0"
    );
    assert_eq!(
        World::new(&world, &["n: a[x]"])
            .on("linux", "3.11")
            .answer(),
        "a 1.0, b 1.0"
    );
}

#[test]
fn an_unknown_extra_is_worth_a_warning() {
    let world = World::new(&["a 1.0 -> b; extra == 'x'", "b 1.0"], &["n: a[nope,x]"]);
    assert_eq!(world.answer(), "a 1.0, b 1.0");
    let warnings = world.resolution().warnings;
    assert_eq!(warnings.len(), 1);
    assert_eq!(
        (warnings[0].code, warnings[0].message.as_str()),
        ("unknown-extra", "a 1.0 has no extra `nope`")
    );
    assert_eq!(
        warnings[0].origin.as_ref().unwrap().place_of_line(),
        "custom_nodes/n/requirements.txt:1"
    );
}

#[test]
fn markers_are_judged_for_the_target() {
    let world = [
        "all 1.0 -> lin; sys_platform == 'linux' | win; sys_platform == 'win32' | mac; platform_system == 'Darwin' | nt; os_name == 'nt' \
         | amd; platform_machine == 'AMD64' | x86; platform_machine == 'x86_64' | arm; platform_machine == 'arm64' or platform_machine == 'aarch64' \
         | old; python_version < '3.10' | full; python_full_version >= '3.12.4' | cp; platform_python_implementation == 'CPython'",
        "lin 1",
        "win 1",
        "mac 1",
        "nt 1",
        "amd 1",
        "x86 1",
        "arm 1",
        "old 1",
        "full 1",
        "cp 1",
    ];
    for (platform, python, expected) in [
        ("linux", "3.12.9", "all 1.0, cp 1, full 1, lin 1, x86 1"),
        ("windows", "3.12.3", "all 1.0, amd 1, cp 1, nt 1, win 1"),
        ("macos", "3.9.1", "all 1.0, arm 1, cp 1, mac 1, old 1"),
        (
            "aarch64-unknown-linux-gnu",
            "3.10",
            "all 1.0, arm 1, cp 1, lin 1",
        ),
        (
            "x86_64-apple-darwin",
            "3.13.0",
            "all 1.0, cp 1, full 1, mac 1, x86 1",
        ),
    ] {
        assert_eq!(
            World::new(&world, &["n: all"])
                .on(platform, python)
                .answer(),
            expected,
            "{platform} {python}"
        );
    }
    let lines = [
        "n: lin; sys_platform == 'linux'",
        "n: win; sys_platform == 'win32'",
    ];
    check(&world, &lines, "lin 1");
    assert_eq!(
        World::new(&world, &lines).on("windows", "3.12").answer(),
        "win 1"
    );
}

#[test]
fn a_lower_bound_on_python_skips_versions_and_an_upper_one_is_only_told() {
    let world = [
        "a 1.0 {python=>=3.8}",
        "a 2.0 {python=>=3.12}",
        "a 3.0 {python=>=3.13}",
        "capped 1.0 {python=>=3.8}",
        "capped 2.0 {python=>=3.9,<3.12}",
    ];
    check(&world, &["n: a"], "a 2.0");
    check(&world, &["n: a>=3"], "conflict: a>=3");
    assert_eq!(
        World::new(&world, &["n: a"]).on("linux", "3.11.2").answer(),
        "a 1.0"
    );
    let capped = World::new(&world, &["n: capped"]);
    assert_eq!(capped.answer(), "capped 2.0");
    assert_eq!(
        capped.warnings(),
        [(
            "requires-python-upper",
            "capped 2.0 says it is for Python >=3.9,<3.12; its upper bound is ignored".to_owned()
        )]
    );
    assert_eq!(
        World::new(&world, &["n: capped"])
            .on("linux", "3.11.2")
            .warnings(),
        []
    );
}

fn files(world: &World) -> Vec<String> {
    let packages = world.resolution().packages;
    packages
        .into_iter()
        .flat_map(|package| package.files)
        .map(|file| file.filename)
        .collect()
}

#[test]
fn the_wheel_that_fits_the_target_best_is_chosen() {
    let world = [
        "a 1.0 {tags=py3-none-any}",
        "a 1.0 {tags=cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64}",
        "a 1.0 {tags=cp39-abi3-manylinux_2_17_x86_64}",
        "a 1.0 {tags=cp312-cp312-win_amd64}",
        "a 1.0 {tags=cp312-cp312-macosx_11_0_arm64}",
        "a 1.0 {tags=cp312-cp312-musllinux_1_2_x86_64}",
        "a 1.0 {sdist}",
    ];
    for (platform, python, expected) in [
        (
            "linux",
            "3.12.9",
            "a-1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        ),
        (
            "linux",
            "3.13.0",
            "a-1.0-cp39-abi3-manylinux_2_17_x86_64.whl",
        ),
        ("linux", "3.8.0", "a-1.0-py3-none-any.whl"),
        ("windows", "3.12.0", "a-1.0-cp312-cp312-win_amd64.whl"),
        ("macos", "3.12.0", "a-1.0-cp312-cp312-macosx_11_0_arm64.whl"),
        (
            "x86_64-unknown-linux-musl",
            "3.12.0",
            "a-1.0-cp312-cp312-musllinux_1_2_x86_64.whl",
        ),
        (
            "aarch64-unknown-linux-gnu",
            "3.12.0",
            "a-1.0-py3-none-any.whl",
        ),
    ] {
        let world = World::new(&world, &["n: a"]).on(platform, python);
        assert_eq!(
            files(&world),
            [expected, "a-1.0.tar.gz"],
            "{platform} {python}"
        );
    }
}

#[test]
fn of_wheels_that_fit_alike_the_one_with_the_highest_build_number_is_chosen() {
    for order in [["2-py3", "10-py3"], ["10-py3", "2-py3"]] {
        let packages = order.map(|tags| format!("a 1.0 {{tags={tags}-none-any}}"));
        assert_eq!(
            files(&World::new(&packages, &["n: a"])),
            ["a-1.0-10-py3-none-any.whl"]
        );
    }
}

#[test]
fn without_a_wheel_an_sdist_serves_unless_only_binaries_may() {
    let world = [
        "a 1.0",
        "a 2.0 {tags=cp312-cp312-win_amd64}",
        "a 2.0 {sdist}",
        "a 3.0 {tags=cp312-cp312-win_amd64}",
    ];
    check(&world, &["n: a"], "a 2.0");
    let of = |packages: &[&str], lines: &[&str], change: fn(&mut portenv::resolve::Options)| {
        World::new(packages, lines).with(change).answer()
    };
    assert_eq!(
        of(&world, &["n: a"], |options| options.only_binary.all = true),
        "a 1.0"
    );
    assert_eq!(
        of(&world, &["n: a>1"], |options| options.only_binary.all =
            true),
        "conflict: a>1"
    );
    assert_eq!(
        of(&world, &["n: a"], |options| options.only_binary.names =
            [name("b")].into()),
        "a 2.0"
    );
    let both = [
        "a 1.0 -> b",
        "a 1.0 {sdist} -> b",
        "a 2.0 -> b",
        "b 1.0",
        "b 1.0 {sdist}",
    ];
    let source = |options: &mut portenv::resolve::Options| {
        options.no_binary = NamesOrAll::parse(["a"].into_iter()).unwrap();
    };
    assert_eq!(of(&both, &["n: a"], source), "a 1.0, b 1.0");
    assert_eq!(
        files(&World::new(&both, &["n: a"]).with(source)),
        ["a-1.0.tar.gz", "b-1.0-py3-none-any.whl", "b-1.0.tar.gz"]
    );
}

#[test]
fn a_local_version_counts_as_its_release_and_the_higher_one_wins() {
    let world = [
        "torch 2.9.0",
        "torch 2.9.0+cu126",
        "torch 2.9.0+cu128",
        "torch 2.8.0",
    ];
    check(&world, &["n: torch==2.9.0"], "torch 2.9.0+cu128");
    check(&world, &["n: torch"], "torch 2.9.0+cu128");
    check(&world, &["n: torch==2.9.0+cu126"], "torch 2.9.0+cu126");
    check(
        &world,
        &["n: torch==2.9.0+cu126", "m: torch==2.9.0"],
        "torch 2.9.0+cu126",
    );
    check(&world, &["n: torch!=2.9.0"], "torch 2.8.0");
    check(&world, &["n: torch<=2.9.0"], "torch 2.9.0+cu128");
    check(&world, &["n: torch<2.9.0"], "torch 2.8.0");
    check(&world, &["n: torch>2.8.0"], "torch 2.9.0+cu128");
    check(
        &world,
        &["n: torch==2.9.0+cpu"],
        "conflict: torch==2.9.0+cpu",
    );
    check(
        &["torch 2.9.0+cu126"],
        &["n: torch==2.9.0"],
        "torch 2.9.0+cu126",
    );
}

#[test]
fn everyone_who_asks_is_named_in_order() {
    let world = World::new(
        &[
            "a 1.0 -> c>=1 | b[x]",
            "b 1.0 -> c<9; extra == 'x' | c>=0; extra == 'y'",
            "c 1.0",
        ],
        &[
            "z-node: c",
            "core: c>0",
            "z-node: a",
            "off: c<5; sys_platform == 'win32'",
            "z-node: b",
        ],
    );
    let resolution = world.resolution();
    let by: Vec<String> = resolution
        .get(&name("c"))
        .unwrap()
        .required_by
        .iter()
        .map(|by| match by {
            RequiredBy::Line {
                origin,
                requirement,
            } => format!("{}: {requirement}", origin.place_of_line()),
            RequiredBy::Package {
                package,
                version,
                requirement,
            } => format!("{package} {version}: {requirement}"),
        })
        .collect();
    assert_eq!(
        by,
        [
            "requirements.txt:2: c>0",
            "custom_nodes/z-node/requirements.txt:1: c",
            "a 1.0: c>=1",
            "b 1.0: c<9; extra == 'x'",
        ]
    );
    let to = |package: &str| -> Vec<String> {
        resolution
            .get(&name(package))
            .unwrap()
            .dependencies
            .iter()
            .map(|dependency| dependency.name.to_string())
            .collect()
    };
    assert_eq!(to("a"), ["b", "c"]);
    assert_eq!(to("b"), ["c"]);
    assert_eq!(to("c"), Vec::<String>::new());
}

#[test]
fn a_package_may_depend_on_itself() {
    check(&["a 1.0 -> a | b", "b 1.0 -> a"], &["n: a"], "a 1.0, b 1.0");
    check(&["a 1.0 -> a==1.0"], &["n: a"], "a 1.0");
    check(&["a 2.0 -> a<2", "a 1.0"], &["n: a"], "a 1.0");
    check(&["a 2.0 -> a<2"], &["n: a"], "conflict: a");
    let bad = ["a 1.0 -> a>=2", "a 2.0 -> gone"];
    check(&bad, &["n: a"], "conflict: a");
    check(
        &["a 1.0 -> a[x]>=1; extra == 'x' | b; extra == 'x'", "b 1"],
        &["n: a[x]"],
        "a 1.0, b 1",
    );
    check(
        &["a 1.0 -> a[x]>=2 | b; extra == 'x'", "b 1"],
        &["n: a"],
        "conflict: a",
    );
}

#[test]
fn two_addresses_for_one_name_exclude_each_other() {
    let lines = [
        "n: a @ https://host/a-1.0-py3-none-any.whl",
        "m: a @ https://host/a-2.0-py3-none-any.whl",
        "o: b",
    ];
    assert_eq!(
        World::new(&["b 1.0"], &lines).answer(),
        format!("conflict: {} + {}", &lines[1][3..], &lines[0][3..])
    );
}

#[test]
fn no_package_brings_an_address_of_its_own() {
    let address = "b @ https://host/b-9.0-py3-none-any.whl";
    let world = [&format!("a 2.0 -> {address}"), "a 1.0 -> b", "b 1.0"];
    check(&world, &["n: a"], "a 1.0, b 1.0");
    check(&world, &["n: a>1", "override: b>=1"], "a 2.0, b 1.0");
    let conflicts = World::new(&world, &["n: a>1"]).conflicts();
    assert_eq!(conflicts[0].requirements[0].via[0].requirement, address);
}

#[test]
fn a_long_chain_of_conflicting_releases_is_searched_to_its_end() {
    // Each release pins its partner exactly, as boto3 and botocore do.
    let mut packages = Vec::new();
    for at in 0..150 {
        packages.push(format!("boto 1.{at} -> core==1.{at} | s3>=0.{at}"));
        packages.push(format!(
            "core 1.{at} -> urllib<{}",
            if at < 3 { 3 } else { 2 }
        ));
        packages.push(format!("s3 0.{at}"));
    }
    packages.extend(["urllib 1.9".to_owned(), "urllib 2.5".to_owned()]);
    assert_eq!(
        World::new(&packages, &["n: boto", "m: urllib>=2"]).answer(),
        "boto 1.2, core 1.2, s3 0.149, urllib 2.5"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn the_order_of_lines_changes_nothing(order in Just((0..7).collect::<Vec<usize>>()).prop_shuffle(), upper in 2..5) {
        let lines = ["n: a", "m: b>=1", "core: c[x]", "o: d", "constrain: e<3", "p: a>=1", "q: f"];
        let packages = [
            "a 1 -> e", "a 2 -> e>=2 | b", "a 3 -> gone", "b 1", "b 2 -> c<3", "b 3 -> c>=3", "c 1", "c 2 -> d<2; extra == 'x'",
            "c 3 -> d>=2; extra == 'x'", "d 1 -> f", "d 2 -> f<2", "e 1", "e 2", "e 3", "f 1", "f 2 -> e<2",
        ];
        let limited: Vec<&str> = packages.into_iter().filter(|text| text.split(' ').nth(1).unwrap().parse::<i32>().unwrap() < upper).collect();
        let straight = World::new(&limited, &lines);
        let shuffled = World::new(&limited, &order.iter().map(|&at| lines[at]).collect::<Vec<_>>());
        prop_assert_eq!(straight.answer(), shuffled.answer());
    }
}
