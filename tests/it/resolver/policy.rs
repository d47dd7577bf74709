//! What lines of policy, preferences and options do.

use super::*;

#[test]
fn a_constraint_binds_only_what_is_wanted() {
    let world = ["a 1.0 -> b", "b 1.0", "b 2.0"];
    check(&world, &["n: a", "constrain: b<2"], "a 1.0, b 1.0");
    check(&world, &["n: a", "constrain: unwanted<2"], "a 1.0, b 2.0");
    check(&world, &["constrain: b<2"], "");
    check(
        &world,
        &["n: a", "constrain: b<2; sys_platform == 'win32'"],
        "a 1.0, b 2.0",
    );
    check(
        &world,
        &["n: b>=2", "constrain: b<2"],
        "conflict: b>=2 + b<2 (constraint)",
    );
    check(
        &["a 1.0 -> b[x]", "b 1.0 -> c; extra == 'x'", "c 1", "c 2"],
        &["n: a", "constrain: c<2"],
        "a 1.0, b 1.0, c 1",
    );
}

#[test]
fn an_override_replaces_what_others_ask() {
    let world = ["a 1.0 -> b<2", "b 1.0", "b 2.0", "b 3.0"];
    check(&world, &["n: a", "override: b>=2,<3"], "a 1.0, b 2.0");
    check(
        &world,
        &["n: a", "m: b==1.0", "override: b>=3"],
        "a 1.0, b 3.0",
    );
    check(&world, &["n: a", "override: unwanted>=3"], "a 1.0, b 1.0");
    check(
        &world,
        &["n: a", "override: b>=9"],
        "conflict: a + b>=9 (override)",
    );
    check(
        &world,
        &["n: a", "override: b>=2; sys_platform == 'win32'"],
        "a 1.0, b 1.0",
    );
}

#[test]
fn an_override_for_a_node_touches_its_own_lines_alone() {
    let world = ["b 1.0", "b 2.0", "b 3.0", "a 1.0 -> b<2"];
    check(&world, &["n: b<2", "override for n: b>=2"], "b 3.0");
    check(&world, &["N: b<2", "override for n: b>=2"], "b 3.0");
    check(
        &world,
        &["n: b<2", "m: b<3", "override for n: b>=2"],
        "b 2.0",
    );
    check(&world, &["m: b<2", "override for n: b>=2"], "b 1.0");
    check(&world, &["n: a", "override for n: b>=2"], "a 1.0, b 1.0");
    check(
        &world,
        &["n: b<2", "override for n: b>=2; sys_platform == 'win32'"],
        "b 1.0",
    );
}

#[test]
fn preferences_are_kept_and_never_make_an_answer_fail() {
    let world = [
        "a 1.0",
        "a 1.1",
        "a 2.0",
        "b 1.0 -> a",
        "b 2.0 -> a>=2",
        "c 1.0",
    ];
    let of = |lines: &[&str]| World::new(&world, lines).locked("a", "1.0");
    assert_eq!(of(&["n: a"]).answer(), "a 1.0");
    assert_eq!(of(&["n: a>1.0,<2"]).answer(), "a 1.1");
    assert_eq!(
        of(&["n: a", "m: b"]).answer(),
        "a 1.0, b 1.0",
        "a new node changes what is there as little as possible"
    );
    assert_eq!(of(&["n: a", "m: b>1"]).answer(), "a 2.0, b 2.0");
    assert_eq!(
        of(&["n: c"]).answer(),
        "c 1.0",
        "a preference asks for nothing"
    );
    assert_eq!(
        World::new(&world, &["n: a"]).locked("a", "0.5").answer(),
        "a 2.0",
        "it is gone from the index"
    );
    assert_eq!(
        World::new(&world, &["n: a"])
            .locked("a", "1.0")
            .installed("a", "1.1", &[])
            .answer(),
        "a 1.0",
        "the lock comes first"
    );
    let mut forgotten = of(&["n: a"]);
    forgotten.preferences.forget(&name("a"));
    assert_eq!(forgotten.answer(), "a 2.0");
}

#[test]
fn what_could_stay_stays_although_a_newer_pick_ruled_it_out_first() {
    let world = [
        "new 1.0 -> shared<3 | more; extra == 'x'",
        "new 2.0 -> shared>=3 | more; extra == 'x'",
        "more 1.0",
        "shared 2.0",
        "shared 3.0",
        "other 1.0 -> shared",
    ];
    let of = |lines: &[&str]| World::new(&world, lines).locked("shared", "2.0");
    assert_eq!(of(&["n: new"]).answer(), "new 1.0, shared 2.0");
    assert_eq!(
        of(&["n: new", "m: other"]).answer(),
        "new 1.0, other 1.0, shared 2.0"
    );
    // Extras are decided before what is preferred.
    assert_eq!(of(&["n: new[x]"]).answer(), "more 1.0, new 1.0, shared 2.0");
    assert_eq!(of(&["n: new>1"]).answer(), "new 2.0, shared 3.0");
}

#[test]
fn what_is_installed_can_stay_even_if_no_index_has_it() {
    let world = ["a 1.0", "a 2.0", "b 1.0", "b 2.0"];
    let of = |lines: &[&str]| {
        World::new(&world, lines)
            .installed("a", "1.5", &["b<2"])
            .installed("mine", "0.1", &[])
    };
    assert_eq!(of(&["n: a"]).answer(), "a 1.5, b 1.0");
    assert_eq!(of(&["n: a>=2"]).answer(), "a 2.0");
    assert_eq!(of(&["n: mine"]).answer(), "mine 0.1");
    assert_eq!(of(&["n: mine>1"]).answer(), "conflict: mine>1");
    let packages = of(&["n: a", "n: b"]).resolution().packages;
    assert_eq!((packages[0].kept, packages[1].kept), (true, false));
    assert!(packages[0].files.is_empty());
}

#[test]
fn what_is_installed_here_cannot_be_kept_on_another_target() {
    let mut world = World::new(&["a 1.0", "a 2.0"], &["n: a"]).installed("a", "1.5", &[]);
    world.targets.push(target("windows", "3.12.9"));
    assert_eq!(world.answer(), "a 1.5, a 2.0");
}

#[test]
fn a_protected_version_stays_and_is_named_when_it_is_in_the_way() {
    let world = [
        "torch 2.9.0+cu126",
        "torch 2.9.0+cu128",
        "torch 2.10.0+cu128",
        "lib 1.0 -> torch",
        "lib 2.0 -> torch>=2.10",
    ];
    let protect = "protect: torch==2.9.0+cu126";
    check(&world, &["n: torch", protect], "torch 2.9.0+cu126");
    check(&world, &["n: lib", protect], "lib 1.0, torch 2.9.0+cu126");
    check(
        &world,
        &["n: torch>=2.10", protect],
        "conflict: torch>=2.10 + torch==2.9.0+cu126 (protected)",
    );
    check(
        &world,
        &["n: lib>=2", protect],
        "conflict: lib>=2 + torch==2.9.0+cu126 (protected)",
    );
    let conflicts = World::new(&world, &["n: lib>=2", protect]).conflicts();
    assert_eq!(conflicts[0].packages, [name("torch")]);
    assert_eq!(
        conflicts[0].requirements[0].via[0].requirement,
        "torch>=2.10"
    );
    assert_eq!(conflicts[0].lines, [0]);
}

#[test]
fn excluded_names_are_left_out_wherever_they_are_asked_for() {
    let world = World::new(&["a 1.0 -> b | c>=9", "b 1.0 -> c"], &["n: a", "n: c"]);
    let world = world.with(|options| options.exclude = [name("c")].into());
    assert_eq!(world.answer(), "a 1.0, b 1.0");
}

#[test]
fn lowest_and_lowest_direct_choose_from_below() {
    let world = [
        "a 1.0 -> b",
        "a 1.1 -> b",
        "a 2.0a1",
        "b 1.0",
        "b 1.1",
        "b 2.0",
    ];
    let of = |order, lines: &[&str]| {
        World::new(&world, lines)
            .with(|options| options.resolution = order)
            .answer()
    };
    assert_eq!(of(Order::Lowest, &["n: a>1.0"]), "a 1.1, b 1.0");
    assert_eq!(of(Order::LowestDirect, &["n: a>1.0"]), "a 1.1, b 2.0");
    assert_eq!(
        of(Order::LowestDirect, &["n: a", "m: b>1.0"]),
        "a 1.0, b 1.1"
    );
    assert_eq!(of(Order::Lowest, &["n: a"]), "a 1.0, b 1.0");
}

#[test]
fn nothing_uploaded_after_the_cut_off_counts() {
    let world = [
        "a 1.0 {uploaded=100}",
        "a 2.0 {uploaded=200}",
        "a 3.0 {uploaded=201}",
        "a 4.0",
    ];
    let of = |limit| {
        World::new(&world, &["n: a"])
            .with(|options| options.exclude_newer = limit)
            .answer()
    };
    assert_eq!(of(None), "a 4.0");
    assert_eq!(of(Some(200)), "a 2.0");
    assert_eq!(of(Some(150)), "a 1.0");
    assert_eq!(of(Some(50)), "conflict: a");
}

#[test]
fn extras_of_an_override_are_wanted_and_all_overrides_of_a_name_hold() {
    let world = [
        "a 1.0 -> b<2",
        "b 1.0",
        "b 2.0 -> c; extra == 'x'",
        "b 3.0",
        "c 1.0",
    ];
    check(
        &world,
        &["n: a", "override: b[x]>=2,<3"],
        "a 1.0, b 2.0, c 1.0",
    );
    check(
        &world,
        &["n: a", "override: b>=2", "override: b<3"],
        "a 1.0, b 2.0",
    );
}

#[test]
fn an_override_for_a_node_comes_before_one_for_all() {
    let world = ["b 1.0", "b 2.0", "b 3.0"];
    let lines = ["n: b<2", "override for n: b<3", "override: b>=3"];
    check(&world, &lines, "b 2.0");
}

#[test]
fn a_requirement_that_holds_without_the_extra_it_mentions_counts() {
    check(
        &["a 1.0 -> b; extra != 'x'", "b 1.0"],
        &["n: a"],
        "a 1.0, b 1.0",
    );
    check(
        &["a 1.0 -> b; (extra == 'x')or(os_name == 'posix')", "b 1.0"],
        &["n: a"],
        "a 1.0, b 1.0",
    );
}

#[test]
fn an_index_without_upload_times_is_named_where_a_cut_off_counts() {
    let world = World::new(&["a 1.0", "a 0.9 {uploaded=1000}"], &["n: a"])
        .with(|options| options.exclude_newer = Some(2000));
    assert_eq!(world.answer(), "a 0.9");
    let [(code, _)] = world.warnings().try_into().unwrap();
    assert_eq!(code, "no-upload-time");
    let none = World::new(&["a 1.0"], &["n: a"]).with(|options| options.exclude_newer = Some(2000));
    let told = &none.conflicts()[0].explanation;
    assert!(told.contains("no upload time"), "{told}");
}
