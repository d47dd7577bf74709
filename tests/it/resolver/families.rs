//! Distributions that own the same modules.

use portenv::resolve::families::Family;
use portenv::workspace::settings::FamilyMode;

use super::*;
use crate::worlds::name;

fn family(mode: FamilyMode) -> Vec<Family> {
    let members = ["full", "plain", "bare"].map(name).to_vec();
    Family::all(vec![Family { members, mode }])
}

fn world(mode: FamilyMode, lines: &[&str]) -> World {
    let packages = [
        "full 1.0",
        "full 2.0 -> extra",
        "plain 1.0",
        "plain 2.0",
        "bare 1.0",
        "bare 2.0",
        "extra 1.0",
        "user 1.0 -> bare<2",
    ];
    World::new(&packages, lines).with(|options| options.families = family(mode))
}

#[test]
fn two_members_of_a_family_in_one_answer_are_told() {
    let found = world(FamilyMode::Report, &["n: plain", "m: bare"]);
    assert_eq!(found.answer(), "bare 2.0, plain 2.0");
    let [(code, text)] = found.warnings().try_into().unwrap();
    assert_eq!(code, "family");
    assert!(text.starts_with("plain 2.0 and bare 2.0 own the same modules"));
    assert!(
        world(FamilyMode::Report, &["n: plain"])
            .warnings()
            .is_empty()
    );
}

#[test]
fn where_the_policy_forbids_it_two_members_are_a_conflict_of_their_lines() {
    let found = world(FamilyMode::Error, &["n: plain", "m: user", "k: extra"]);
    let [conflict] = found.conflicts().try_into().unwrap();
    assert_eq!(conflict.packages, [name("bare"), name("plain")]);
    assert!(conflict.explanation.contains("own the same modules"));
    assert_eq!(crate::worlds::shown(&[conflict]), "conflict: user + plain");
    assert_eq!(
        world(FamilyMode::Error, &["n: plain"]).answer(),
        "plain 2.0"
    );
}

#[test]
fn the_policy_forbids_only_what_cannot_be_avoided() {
    let packages = ["a 1.0", "a 2.0 -> bare", "plain 1.0", "bare 1.0"];
    let found = World::new(&packages, &["n: plain", "m: a"])
        .with(|options| options.families = family(FamilyMode::Error));
    assert_eq!(found.answer(), "a 1.0, plain 1.0");
}

#[test]
fn the_most_capable_member_asked_for_answers_for_all() {
    let of = |lines: &[&str]| world(FamilyMode::Unify, lines);
    assert_eq!(of(&["n: plain", "m: bare"]).answer(), "plain 2.0");
    let found = of(&["n: plain", "m: user", "k: full"]);
    assert_eq!(
        found.answer(),
        "full 1.0, user 1.0",
        "every bound holds for it"
    );
    let (code, text) = found.warnings()[0].clone();
    assert_eq!(code, "family-substitute");
    assert!(text.starts_with("full answers for bare"), "{text}");
    assert_eq!(
        of(&["n: bare"]).answer(),
        "bare 2.0",
        "nobody asks for another"
    );
    assert_eq!(
        of(&["n: plain>=2", "m: user"]).answer(),
        "conflict: user + plain>=2"
    );
    assert_eq!(
        of(&["n: plain", "m: bare", "constrain: bare<2"]).answer(),
        "plain 1.0"
    );
}

#[test]
fn a_member_without_any_file_for_the_target_is_answered_by_the_best_that_has_one() {
    let packages = [
        "onnxruntime 1.20",
        "onnxruntime-gpu 1.20 {tags=cp312-cp312-win_amd64}",
        "a 1.0 -> onnxruntime-gpu>=1.19",
    ];
    let built_in = |lines: &[&str]| {
        World::new(&packages, lines).with(|options| options.families = Family::all(Vec::new()))
    };
    let found = built_in(&["n: a"]);
    assert_eq!(found.answer(), "a 1.0, onnxruntime 1.20");
    let [(code, text)] = found.warnings().try_into().unwrap();
    assert_eq!(code, "family-substitute");
    assert!(text.contains("no file for this platform"), "{text}");
    let line = "n: onnxruntime-gpu>=2";
    assert_eq!(built_in(&[line]).answer(), "conflict: onnxruntime-gpu>=2");
    let mut windows = built_in(&["n: a"]);
    windows.targets = vec![crate::worlds::target("windows", "3.12.0")];
    assert_eq!(windows.answer(), "a 1.0, onnxruntime-gpu 1.20");
}

#[test]
fn an_own_family_replaces_the_built_in_one_that_shares_a_member() {
    let own = Family {
        members: vec![name("onnxruntime"), name("other")],
        mode: FamilyMode::Unify,
    };
    let all = Family::all(vec![own.clone()]);
    assert_eq!(all.len(), 2);
    assert_eq!(all[0], own);
    assert!(all[1].members.contains(&name("opencv-python")));
}
