//! One claim a test: rules that a look at two or three versions shows.

use super::*;
use portenv::resolve::Options;

#[track_caller]
fn check_with(
    packages: &[&str],
    lines: &[&str],
    change: impl FnOnce(&mut Options),
    expected: &str,
) {
    let world = World::new(packages, lines).with(change);
    assert_eq!(world.answer(), expected, "{packages:?} {lines:?}");
}

const POLICIES: [Prerelease; 4] = [
    Prerelease::IfNecessary,
    Prerelease::Allow,
    Prerelease::Disallow,
    Prerelease::Explicit,
];

#[test]
fn no_policy_lets_an_upper_bound_admit_its_own_prerelease() {
    for policy in POLICIES {
        let set = |options: &mut Options| options.prerelease = policy;
        check_with(&["a 0.1.0", "a 0.2.0a1"], &["n: a<0.2.0"], set, "a 0.1.0");
        let lines = ["n: a<0.2.0", "m: b>=1.0rc1"];
        check_with(&["a 0.2.0a1", "b 1.0"], &lines, set, "conflict: a<0.2.0");
        // Nor may a package ask so.
        let asks = ["b 1.0 -> a<0.2.0", "a 0.2.0a1", "a 0.2.0.dev3"];
        check_with(&asks, &["n: b"], set, "conflict: b");
    }
}

#[test]
fn a_bound_that_names_a_prerelease_admits_the_earlier_ones() {
    let world = ["a 0.1.0", "a 0.2.0a1", "a 0.2.0rc1", "a 0.2.0rc2"];
    let allow = |options: &mut Options| options.prerelease = Prerelease::Allow;
    check_with(&world, &["n: a<0.2.0rc2"], allow, "a 0.2.0rc1");
    check(&world, &["n: a<0.2.0rc2"], "a 0.1.0");
    check(&world, &["n: a>0.1.0,<0.2.0rc2"], "a 0.2.0rc1");
}

#[test]
fn a_prerelease_is_taken_before_a_package_elsewhere_gets_older() {
    // Order, not exclusion: the final is tried first, and what excludes it decides.
    let world = ["a 1.0", "a 2.0b1", "b 2.0 -> a>=2.0b1", "b 1.0 -> a"];
    check(&world, &["n: b"], "a 2.0b1, b 2.0");
    let explicit = |options: &mut Options| options.prerelease = Prerelease::Explicit;
    check_with(&world, &["n: b"], explicit, "a 1.0, b 1.0");
    check_with(&world, &["n: b", "m: a>=1.0a1"], explicit, "a 2.0b1, b 2.0");
    check_with(&world, &["n: b", "m: a!=1.0a1"], explicit, "a 1.0, b 1.0");
}

#[test]
fn a_locked_prerelease_obeys_the_policy_and_an_installed_one_may_stay() {
    let of = |policy, line: &str| {
        World::new(&["a 1.0", "a 2.0rc1"], &[line]).with(|options| options.prerelease = policy)
    };
    for (policy, locked) in [
        (Prerelease::IfNecessary, "a 2.0rc1"),
        (Prerelease::Allow, "a 2.0rc1"),
        (Prerelease::Disallow, "a 1.0"),
        (Prerelease::Explicit, "a 1.0"),
    ] {
        let world = of(policy, "n: a");
        assert_eq!(world.locked("a", "2.0rc1").answer(), locked, "{policy:?}");
        let world = of(policy, "n: a");
        assert_eq!(
            world.installed("a", "2.0rc1", &[]).answer(),
            "a 2.0rc1",
            "{policy:?}"
        );
    }
    let named = of(Prerelease::Explicit, "n: a>=1.0rc1").locked("a", "2.0rc1");
    assert_eq!(named.answer(), "a 2.0rc1");
}

#[test]
fn a_prerelease_that_a_line_names_for_one_target_is_none_for_another() {
    for order in [["linux", "windows"], ["windows", "linux"]] {
        let lines = ["n: a>=2.0rc1; sys_platform == 'linux'", "m: a"];
        let mut world = World::new(&["a 1.0", "a 2.0rc1"], &lines)
            .with(|options| options.prerelease = Prerelease::Explicit);
        world.targets = order.map(|platform| target(platform, "3.12.9")).to_vec();
        let packages = world.resolution().packages;
        let marker = packages[1].marker.as_deref().unwrap_or("everywhere");
        assert!(
            marker.contains("'linux'") && !marker.contains("'win32'"),
            "{order:?}: {marker}"
        );
    }
}

#[test]
fn a_pin_in_metadata_does_not_bring_a_yanked_version_back() {
    let world = [
        "a 1.0",
        "a 1.1 {yanked=}",
        "b 2.0 -> a==1.1",
        "b 1.0 -> a",
        "c 1.0 -> a==1.1",
    ];
    check(&world, &["n: b"], "a 1.0, b 1.0");
    check(&world, &["n: c"], "conflict: c");
    check(&world, &["n: c", "m: a==1.1"], "a 1.1, c 1.0");
    check(&world, &["n: c", "m: a===1.1"], "a 1.1, c 1.0");
    check(&world, &["n: c", "constrain: a==1.1"], "a 1.1, c 1.0");
    check(&world, &["n: b", "m: a==1.1"], "a 1.1, b 2.0");
    for no_pin in [
        "a>=1.1",
        "a==1.1.*",
        "a~=1.1",
        "a==1.1,>=1.0",
        "a>1.0,<=1.1",
    ] {
        let line = format!("m: {no_pin}");
        assert!(
            World::new(&world, &["n: c", &line])
                .answer()
                .starts_with("conflict"),
            "{no_pin}"
        );
    }
}

#[test]
fn a_yanked_version_that_is_locked_or_installed_stays() {
    let world = ["a 1.0", "a 1.1 {yanked=}", "c 1.0 -> a==1.1"];
    assert_eq!(
        World::new(&world, &["n: c"]).locked("a", "1.1").answer(),
        "a 1.1, c 1.0"
    );
    let installed = World::new(&world, &["n: c"]).installed("a", "1.1", &[]);
    assert_eq!(installed.answer(), "a 1.1, c 1.0");
}

#[test]
fn a_version_with_one_file_that_is_not_yanked_serves_without_a_pin() {
    let world = ["a 1.0", "a 1.1 {yanked=}", "a 1.1 {sdist}"];
    check(&world, &["n: a"], "a 1.1");
    assert_eq!(files(&World::new(&world, &["n: a"])), ["a-1.1.tar.gz"]);
}

#[test]
fn an_unknown_extra_never_sends_the_search_to_an_older_version() {
    let world = [
        "a 2.0",
        "a 1.0 -> b; extra == 'x'",
        "b 1.0",
        "c 1.0 -> a[x]",
    ];
    let asked = World::new(&world, &["n: a[x]"]);
    assert_eq!(asked.answer(), "a 2.0");
    assert_eq!(
        asked.warnings(),
        [("unknown-extra", "a 2.0 has no extra `x`".to_owned())]
    );
    check(&world, &["n: c"], "a 2.0, c 1.0");
    check(&world, &["n: a[x]", "m: a<2"], "a 1.0, b 1.0");
}

#[test]
fn extras_mean_the_same_however_they_are_written() {
    for declared in ["gpu-x", "GPU_X", "gpu.x", "gpu__x"] {
        let release = format!("a 1.0 -> b; extra == '{declared}'");
        for asked in ["gpu-x", "Gpu.X", "gpu_-x"] {
            let world = World::new(&[&release, "b 1.0"], &[&format!("n: a[{asked}]")]);
            assert_eq!(world.answer(), "a 1.0, b 1.0", "{declared} {asked}");
            assert_eq!(world.warnings(), [], "{declared} {asked}");
        }
        let reversed = format!("a 1.0 -> b; ('{declared}' == extra) and os_name == 'posix'");
        check(&[&reversed, "b 1.0"], &["n: a"], "a 1.0");
        check(&[&reversed, "b 1.0"], &["n: a[gpu-x]"], "a 1.0, b 1.0");
    }
}

#[test]
fn an_extra_that_names_its_own_project_keeps_to_one_version() {
    let world = [
        "p 2.0 -> p[x]<2; extra == 'all' | q; extra == 'x'",
        "p 1.0 -> P[X]; extra == 'all' | q<2; extra == 'x'",
        "q 1.0",
        "q 2.0",
    ];
    check(&world, &["n: p[x]"], "p 2.0, q 2.0");
    check(&world, &["n: p[all]"], "p 1.0, q 1.0");
    check(&world, &["n: p[all]>=2"], "conflict: p[all]>=2");
}

#[test]
fn equal_and_inclusive_bounds_admit_local_versions_and_strict_ones_do_not() {
    let world = ["t 2.9.0+cpu", "t 2.9.0+cu126", "t 2.9.0+cu128"];
    for admits in [
        "==2.9.0", ">=2.9.0", "<=2.9.0", "~=2.9.0", "==2.9.*", "<2.10", ">2.8",
    ] {
        let line = format!("n: t{admits}");
        assert_eq!(
            World::new(&world, &[line]).answer(),
            "t 2.9.0+cu128",
            "{admits}"
        );
    }
    for denies in [">2.9.0", "<2.9.0", "!=2.9.0", "==2.9.0+cu124", "!=2.9.*"] {
        let line = format!("n: t{denies}");
        let conflict = format!("conflict: t{denies}");
        assert_eq!(World::new(&world, &[line]).answer(), conflict, "{denies}");
    }
    check(&world, &["n: t!=2.9.0+cu128"], "t 2.9.0+cu126");
    check(
        &["t 1.0+9", "t 1.0+10", "t 1.0+abc", "t 1.0"],
        &["n: t"],
        "t 1.0+10",
    );
}

#[test]
fn a_strict_lower_bound_excludes_its_own_postreleases() {
    let world = ["a 1.2.3", "a 1.2.3.post1", "a 1.2.3.post2"];
    check(&world, &["n: a>1.2.3"], "conflict: a>1.2.3");
    check(&world, &["n: a>1.2.3.post1"], "a 1.2.3.post2");
    check(&world, &["n: a>=1.2.3"], "a 1.2.3.post2");
    check(&world, &["n: a<=1.2.3"], "a 1.2.3");
    check(&["a 1.2.3.post1", "a 1.2.4"], &["n: a>1.2.3"], "a 1.2.4");
}

#[test]
fn a_python_without_a_patch_version_is_its_first_release() {
    let world = [
        "a 2.0 {python=>=3.9.1}",
        "a 1.0 {python=>=3.9}",
        "b 1.0 -> c; python_full_version > '3.9.0'",
        "c 1.0",
    ];
    let of = |python: &str| {
        World::new(&world, &["n: a", "n: b"])
            .on("linux", python)
            .answer()
    };
    assert_eq!(of("3.9"), "a 1.0, b 1.0");
    assert_eq!(of("3.9.0"), "a 1.0, b 1.0");
    assert_eq!(of("3.9.1"), "a 2.0, b 1.0, c 1.0");
}

#[test]
fn every_bound_on_python_but_the_lower_is_ignored_with_a_warning() {
    for (bound, ignored) in [
        ("<3.12", true),
        ("<=3.11", true),
        ("!=3.12.*", true),
        (">=3.8,<3.12", true),
        ("==3.10.*", true),
        ("~=3.10", false),
        (">=3.8,<4.0.0a0", false),
        (">=3.12", false),
    ] {
        let world = World::new(&["a 1.0", &format!("a 2.0 {{python={bound}}}")], &["n: a"]);
        assert_eq!(world.answer(), "a 2.0", "{bound}");
        let codes: Vec<_> = world
            .warnings()
            .into_iter()
            .map(|warning| warning.0)
            .collect();
        let expected: &[&str] = if ignored {
            &["requires-python-upper"]
        } else {
            &[]
        };
        assert_eq!(codes, expected, "{bound}");
    }
}

#[test]
fn a_bound_on_python_that_cannot_be_read_restricts_nothing() {
    for bound in [">=3.6.*", "three", ">= 3.6, !=3.7.*", "!=3.0.*,!=3.1.*"] {
        let release = format!("a 1.0 {{python={bound}}}");
        assert_eq!(
            World::new(&[release], &["n: a"]).answer(),
            "a 1.0",
            "{bound}"
        );
    }
}

#[test]
fn an_sdist_serves_before_an_older_version_with_a_wheel_does() {
    let world = [
        "a 1.0",
        "a 2.0 {tags=cp312-cp312-win_amd64} -> b",
        "a 2.0 {sdist} -> b",
        "b 1.0 {sdist}",
    ];
    check(&world, &["n: a"], "a 2.0, b 1.0");
    assert_eq!(
        files(&World::new(&world, &["n: a"])),
        ["a-2.0.tar.gz", "b-1.0.tar.gz"]
    );
}

#[test]
fn a_version_with_neither_a_wheel_that_fits_nor_an_sdist_is_passed_over() {
    for tags in [
        "cp312-cp312-win_amd64",
        "cp311-cp311-manylinux2014_x86_64",
        "cp312-cp312-manylinux_2_39_x86_64",
        "cp312-cp312-musllinux_1_1_x86_64",
        "cp313-abi3-manylinux2014_x86_64",
        "py2-none-any",
        "pp312-pypy312_pp73-manylinux2014_x86_64",
    ] {
        let world = ["a 1.0", &format!("a 2.0 {{tags={tags}}}")];
        assert_eq!(World::new(&world, &["n: a"]).answer(), "a 1.0", "{tags}");
    }
}

#[test]
fn a_wheel_whose_name_is_malformed_is_not_there() {
    for tags in [
        "py3-none",
        "py3",
        "py3--any",
        "py3-none-any.",
        ".py3-none-any",
        "x1-py3-none-any",
        "1-2-py3-none-any",
        "PY3-NONE-ANY",
        "any-none-py3",
        "cp312-cp312-any",
    ] {
        let world = ["a 1.0", &format!("a 2.0 {{tags={tags}}}")];
        assert_eq!(World::new(&world, &["n: a"]).answer(), "a 1.0", "{tags}");
    }
}

#[test]
fn an_unknown_dependency_fails_only_if_nothing_else_works() {
    let world = [
        "a 3.0 -> gone",
        "a 2.0 -> gone>=1; sys_platform == 'linux'",
        "a 1.0",
    ];
    check(&world, &["n: a"], "a 1.0");
    check(&world, &["n: a>1"], "conflict: a>1");
    assert_eq!(
        World::new(&world, &["n: a>1,<3"])
            .on("windows", "3.12")
            .answer(),
        "a 2.0"
    );
    // A page without a file that can be read is as good as none.
    let empty = ["a 2.0 -> bare", "a 1.0", "bare 1.0 {tags=py3}"];
    check(&empty, &["n: a"], "a 1.0");
}

#[test]
fn machines_are_named_as_their_own_python_names_them() {
    for (platform, machine) in [
        ("x86_64-pc-windows-msvc", "AMD64"),
        ("aarch64-pc-windows-msvc", "ARM64"),
        ("i686-pc-windows-msvc", "x86"),
        ("aarch64-apple-darwin", "arm64"),
        ("x86_64-apple-darwin", "x86_64"),
        ("aarch64-unknown-linux-gnu", "aarch64"),
        ("x86_64-unknown-linux-gnu", "x86_64"),
    ] {
        let line = format!("n: a; platform_machine == '{machine}'");
        assert_eq!(
            World::new(&["a 1.0"], &[line])
                .on(platform, "3.12")
                .answer(),
            "a 1.0",
            "{platform}"
        );
    }
}

#[test]
fn a_package_in_the_way_of_many_is_decided_early_and_not_at_their_cost() {
    // Newest first alone takes urllib 2, then walks core and boto back to releases before the cap.
    let mut packages = Vec::new();
    for at in 0..60 {
        packages.push(format!("boto 1.{at} -> core==1.{at}"));
        let cap = if at < 3 { "" } else { "<2" };
        packages.push(format!("core 1.{at} -> urllib{cap}"));
    }
    packages.extend(["urllib 1.9".to_owned(), "urllib 2.5".to_owned()]);
    for lines in [
        ["n: boto", "m: urllib"],
        ["m: boto", "a: urllib"],
        ["core: urllib", "n: boto"],
    ] {
        assert_eq!(
            World::new(&packages, &lines).answer(),
            "boto 1.59, core 1.59, urllib 1.9",
            "{lines:?}"
        );
    }
}

#[test]
fn markers_that_a_parser_takes_for_always_count_as_they_are_meant() {
    let world = [
        "a 1.0 -> old; python_version in '3.8, 3.9' | late; python_version >= '3.13.*' | b; python_version < '3.13.*'",
        "old 1.0",
        "late 1.0",
        "b 1.0",
    ];
    check(&world, &["n: a"], "a 1.0, b 1.0");
    assert_eq!(
        World::new(&world, &["n: a"]).on("linux", "3.9").answer(),
        "a 1.0, b 1.0, old 1.0"
    );
    assert_eq!(
        World::new(&world, &["n: a"]).on("linux", "3.13").answer(),
        "a 1.0, late 1.0"
    );
    let lines = [
        "n: old; python_version in '3.8, 3.9'",
        "n: late; python_version >= '3.13.*'",
    ];
    check(&world, &lines, "");
}

#[test]
fn requirements_of_old_uploads_are_mended_in_metadata_too() {
    for (asked, picked) in [
        ("t>=2.0,", "3.0"),
        ("t<2.*", "1.2.5"),
        ("t>=1.0.*", "3.0"),
        ("t>=1.0<2", "1.2.5"),
        ("t<='2.0'", "2.0"),
        ("t!=~3.0", "2.0"),
        ("t==1.2*", "1.2.5"),
        ("t>dev", "3.0"),
        ("t<=1.2a1.0", "1.0"),
    ] {
        let world = [
            &format!("a 1.0 -> {asked}"),
            "t 1.0",
            "t 1.2.5",
            "t 2.0",
            "t 3.0",
        ];
        assert_eq!(
            World::new(&world, &["n: a"]).answer(),
            format!("a 1.0, t {picked}"),
            "{asked}"
        );
    }
}
