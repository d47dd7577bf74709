//! How much is looked at and decided on the way to an answer.

use super::*;

#[test]
fn what_is_rejected_is_decided_before_what_it_is_rejected_over() {
    // Going on with the newest core would end in a tool that is ten releases old.
    let mut packages = vec![
        "core 1".to_owned(),
        "core 2".to_owned(),
        "tool 1".to_owned(),
    ];
    packages.extend((2..12).map(|at| format!("tool {at} -> core<2")));
    let world = World::new(&packages, &["n: core", "n: tool"]);
    assert_eq!(world.answer(), "core 1, tool 11");
    let stats = world.resolution().stats;
    assert_eq!(stats["solves"], 2);
    assert_eq!(
        stats["rejections"], 5,
        "the first start ends with the fifth"
    );
}

#[test]
fn a_walk_that_cannot_be_spared_looks_at_each_version_once() {
    let mut packages = Vec::new();
    for at in 0..60 {
        packages.push(format!("core {at}"));
        packages.push(format!("tool {at} -> core=={at}"));
    }
    let world = World::new(&packages, &["n: core<=10", "n: tool"]);
    assert_eq!(world.answer(), "core 10, tool 10");
    let stats = world.resolution().stats;
    assert_eq!(stats["versions_visited"], 50 + 1);
    assert!(stats["solves"] <= 2, "{stats:?}");
}

#[test]
fn an_extra_is_decided_with_what_proved_to_be_in_the_way() {
    let mut packages = vec!["core 1".to_owned(), "core 2".to_owned()];
    packages.extend((1..12).map(|at| {
        let core = if at == 1 { "core" } else { "core<2" };
        format!("tool {at} -> {core}")
    }));
    let world = World::new(&packages, &["n: core[x]", "n: tool"]);
    assert_eq!(world.answer(), "core 1, tool 11");
}
