//! Installations that contradict themselves already.

use serde_json::Value;

use super::place::{Place, changes, strings};
use crate::support::{Sdist, Wheel};

/// Makes an installation as the tools of today leave it: each node's requirements installed
/// after the others'. `old-one` is violated by what `old-two` brought, and so is `zeta`, whose
/// metadata asks for an older `delta`; `old-three` contradicts itself over what was never
/// installed.
fn lived_in() -> Place {
    let place = Place::new();
    let zeta = Wheel::new("zeta", "1.0").requires("delta<2");
    for wheel in [
        zeta.clone(),
        Wheel::new("delta", "3.0"),
        Wheel::new("eta", "1.0"),
        Wheel::new("eta", "2.0"),
    ] {
        place.server.add(wheel.build());
    }
    place.node("old-one", "gamma\ndelta<2\n");
    place.node("old-two", "delta>=2\nzeta\n");
    place.node("old-three", "eta==1.0\n");
    place.node("old-four", "eta==2.0\n");
    for wheel in [
        Wheel::new("alpha", "1.1"),
        Wheel::new("beta", "1.0"),
        Wheel::new("gamma", "1.0").requires("delta>=1"),
        Wheel::new("delta", "2.0"),
        zeta,
    ] {
        place.install_behind_its_back(&wheel.build());
    }
    place
}

const BEFORE: &str = "alpha 1.1, beta 1.0, delta 2.0, gamma 1.0, zeta 1.0";

fn waived(document: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let list = document["waivers"]
        .as_array()
        .unwrap_or_else(|| panic!("{document}"));
    let mut shown: Vec<String> = list
        .iter()
        .map(|waiver| {
            ["asker", "wanted", "installed", "reason"]
                .map(|field| word(&waiver[field]))
                .join(" ")
        })
        .collect();
    shown.sort();
    shown
}

const WAIVED: [&str; 4] = [
    "old-four eta==2.0 - conflict",
    "old-one delta<2 2.0 violated",
    "old-three eta==1.0 - conflict",
    "zeta delta<2 2.0 violated",
];

#[test]
fn locking_keeps_what_is_installed_and_records_what_it_violates() {
    let place = lived_in();
    let document = place.json(0, &["lock"]);
    assert_eq!(waived(&document), WAIVED);
    let delta = document["packages"].as_array().unwrap().iter();
    let delta: Vec<&Value> = delta.filter(|one| one["name"] == "delta").collect();
    assert_eq!(delta[0]["version"], "2.0");
    let lock = place.read("pylock.toml");
    assert!(lock.starts_with("# 4 requirements are waived"), "{lock}");
    // It is fresh, it can be synced, and it stays as it is.
    let _ = place.portenv(&["lock", "--check"]).success();
    let plan = place.json(0, &["sync", "--dry-run"]);
    assert_eq!(changes(&plan), Vec::<String>::new());
    let again = place.json(0, &["lock"]);
    assert_eq!(
        (&again["written"], waived(&again)),
        (&false.into(), WAIVED.map(str::to_owned).to_vec())
    );
}

#[test]
fn status_counts_what_is_violated_and_lists_it_on_demand() {
    let place = lived_in();
    let count = |text: &str| {
        text.lines()
            .any(|line| line.starts_with("violated      4 "))
    };
    let run = place.portenv(&["status"]).success();
    assert!(count(run.stdout()), "{run}");
    let _ = place.portenv(&["lock"]).success();
    let run = place.portenv(&["status"]).success();
    assert!(count(run.stdout()), "{run}");
    assert!(!run.stdout().contains("old-one"), "{run}");
    let run = place.portenv(&["status", "--waivers"]).success();
    for part in [
        "old-one (custom_nodes/old-one/requirements.txt:2) asks for delta<2, delta 2.0 is installed",
        "zeta 1.0 asks for delta<2, delta 2.0 is installed",
        "old-three (custom_nodes/old-three/requirements.txt:1) asks for eta==1.0, eta is not installed",
    ] {
        assert!(run.stdout().contains(part), "{run}");
    }
}

#[test]
fn a_preview_says_only_what_is_new() {
    let place = lived_in();
    for lock_first in [false, true] {
        if lock_first {
            let _ = place.portenv(&["lock"]).success();
        }
        let node = place.offered("some-node", "theta\n");
        place
            .server
            .add(Wheel::new("theta", "1.0").requires("delta").build());
        let document = place.json(0, &["preview", &node]);
        assert_eq!(document["status"], "ok");
        assert_eq!(changes(&document), ["add theta - 1.0"]);
        assert_eq!(waived(&document), WAIVED);
        let run = place.portenv(&["preview", &node]).success();
        assert!(!run.stdout().contains("delta"), "{run}");
        assert!(run.stderr().contains("4 requirements are not met"), "{run}");
    }
}

#[test]
fn adding_and_rolling_back_leave_alone_what_is_violated() {
    let place = lived_in();
    let node = place.offered("some-node", "theta\n");
    place.server.add(Wheel::new("theta", "1.0").build());
    let document = place.json(0, &["add", &node, "--yes"]);
    assert_eq!(changes(&document), ["add theta - 1.0"]);
    assert_eq!(waived(&document), WAIVED);
    assert_eq!(
        place.shown(),
        "alpha 1.1, beta 1.0, delta 2.0, gamma 1.0, theta 1.0, zeta 1.0"
    );
    let status = place.json(0, &["status"]);
    assert_eq!(waived(&status), WAIVED);
    let removed = place.json(0, &["remove", "some-node", "--yes"]);
    assert_eq!(changes(&removed), ["remove theta 1.0 -"]);
    assert_eq!(waived(&removed), WAIVED);
    let _ = place.portenv(&["rollback", "@~2", "--yes"]).success();
    assert_eq!(place.shown(), BEFORE);
}

#[test]
fn a_waiver_ends_when_its_line_changes() {
    let place = lived_in();
    let _ = place.portenv(&["lock"]).success();
    place.node("old-one", "gamma\n# moved by a comment\ndelta<2\n");
    let _ = place.portenv(&["lock"]).success();
    place.node("old-one", "gamma\ndelta<1.5\n");
    let document = place.json(1, &["lock"]);
    let core = &document["conflicts"][0];
    assert_eq!(core["new"], true);
    assert_eq!(
        strings(&core["requirements"], "requirement"),
        ["delta<1.5", "delta>=2"]
    );
}

#[test]
fn a_waiver_ends_when_what_is_installed_changes() {
    let place = lived_in();
    let _ = place.portenv(&["lock"]).success();
    place.install_behind_its_back(&Wheel::new("delta", "3.0").build());
    let document = place.json(1, &["lock"]);
    let core = &document["conflicts"][0];
    assert_eq!(
        strings(&core["requirements"], "requirement"),
        ["delta<2", "delta>=2"]
    );
}

#[test]
fn a_waiver_ends_where_the_answer_meets_its_line() {
    let place = lived_in();
    let _ = place.portenv(&["lock"]).success();
    let document = place.json(0, &["remove", "old-two", "--yes"]);
    assert_eq!(
        waived(&document),
        [
            "old-four eta==2.0 - conflict",
            "old-one delta<2 2.0 violated",
            "old-three eta==1.0 - conflict"
        ]
    );
    // Nothing holds it any more, so choosing anew meets it.
    let document = place.json(0, &["lock", "--upgrade"]);
    let left = [
        "old-four eta==2.0 - conflict",
        "old-three eta==1.0 - conflict",
    ];
    assert_eq!(waived(&document), left);
    let plan = place.json(0, &["sync", "--dry-run"]);
    assert_eq!(changes(&plan), ["downgrade delta 2.0 1.0"]);
}

#[test]
fn what_a_node_lacks_since_its_install_failed_is_waived_until_it_is_chosen() {
    let place = lived_in();
    // What would have to be built may have failed to.
    place
        .server
        .add(Sdist::new("kappa", "1.0").buildable().build());
    place
        .server
        .add(Sdist::new("kappa", "2.0").buildable().build());
    place.node("half-there", "gamma\nkappa<2\n");
    // One that was only put there was never installed: what it asks for is due.
    place.server.add(Wheel::new("iota", "1.0").build());
    place.node("just-cloned", "iota\n");
    let lacks = "half-there kappa<2 - violated".to_owned();
    let document = place.json(0, &["lock"]);
    assert!(waived(&document).contains(&lacks), "{document}");
    let plan = place.json(0, &["sync", "--dry-run"]);
    assert_eq!(changes(&plan), ["add iota - 1.0"]);
    // Who brings it all the same must bring what will do.
    let node = place.offered("some-node", "kappa\n");
    let document = place.json(0, &["preview", &node]);
    assert!(
        changes(&document).contains(&"add kappa - 1.0".to_owned()),
        "{document}"
    );
    let node = place.offered("other-node", "kappa>=2\n");
    let document = place.json(1, &["preview", &node]);
    assert_eq!(document["status"], "conflict");
    let document = place.json(0, &["lock", "--upgrade-package", "kappa"]);
    assert!(!waived(&document).contains(&lacks), "{document}");
    let plan = place.json(0, &["sync", "--dry-run"]);
    assert_eq!(changes(&plan), ["add iota - 1.0", "add kappa - 1.0"]);
}

#[test]
fn the_first_lock_brings_what_is_merely_absent_and_an_added_node_does_not() {
    let place = lived_in();
    place.server.add(Wheel::new("kappa", "1.0").build());
    place.node("half-there", "gamma\nkappa\n");
    let node = place.offered("some-node", "alpha\n");
    let document = place.json(0, &["preview", &node]);
    assert_eq!(changes(&document), Vec::<String>::new());
    let lacks = "half-there kappa - violated".to_owned();
    assert!(waived(&document).contains(&lacks), "{document}");
    let document = place.json(0, &["lock"]);
    assert_eq!(waived(&document), WAIVED);
    let plan = place.json(0, &["sync", "--dry-run"]);
    assert_eq!(changes(&plan), ["add kappa - 1.0"]);
}

#[test]
fn a_new_node_that_moves_a_waived_package_meets_the_waived_line() {
    let place = lived_in();
    let node = place.offered("some-node", "delta==3.0\n");
    let document = place.json(1, &["preview", &node]);
    assert_eq!(document["status"], "conflict");
    let conflicts = document["conflicts"].as_array().unwrap();
    let new: Vec<&Value> = conflicts.iter().filter(|one| one["new"] == true).collect();
    let told = |conflict: &&Value| strings(&conflict["requirements"], "requirement");
    assert_eq!(
        new.iter().map(told).collect::<Vec<_>>(),
        [["delta<2", "delta==3.0"], ["zeta", "delta==3.0"]],
        "{document}"
    );
}

#[test]
fn strict_locking_and_the_gate_know_no_waivers() {
    let place = lived_in();
    let _ = place.portenv(&["lock"]).success();
    let before = place.read("pylock.toml");
    let document = place.json(1, &["lock", "--strict"]);
    let conflicts = document["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 3, "{document}");
    assert_eq!(place.read("pylock.toml"), before);
    let document = place.json(1, &["check"]);
    let codes = strings(&document["findings"], "code");
    assert!(
        codes.iter().filter(|code| *code == "PE001").count() >= 3,
        "{document}"
    );
}

#[test]
fn with_nothing_installed_there_is_nothing_to_waive() {
    let place = Place::new();
    place.node("old-one", "delta<2\n");
    place.node("old-two", "delta>=2\n");
    let document = place.json(1, &["lock"]);
    assert_eq!(document["status"], "conflict");
    assert_eq!(document["conflicts"][0]["new"], true);
}

/// Makes an installation whose index has `omega` for another platform only.
fn unsupplied() -> Place {
    let place = Place::new();
    place.server.add(
        Wheel::new("omega", "1.0")
            .tag("cp312-cp312-win_arm64")
            .build(),
    );
    place
}

#[test]
fn a_line_that_nobody_has_a_file_for_is_left_out_with_a_warning() {
    let place = unsupplied();
    place.node("some-node", "gamma\nomega\n");
    place.node("other-node", "there-is-no-such-package\n");
    let document = place.json(0, &["lock"]);
    assert_eq!(
        waived(&document),
        [
            "other-node there-is-no-such-package - unsupplied",
            "some-node omega - unsupplied"
        ]
    );
    let warnings = document["warnings"].as_array().unwrap().iter();
    let lines: Vec<u64> = warnings
        .filter(|warning| warning["code"] == "unsupplied")
        .map(|warning| warning["origin"]["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [1, 2]);
    let _ = place.portenv(&["lock", "--check"]).success();
    // Once there is a file, choosing anew takes it.
    place.server.add(Wheel::new("omega", "1.1").build());
    let document = place.json(0, &["lock", "--upgrade", "--refresh"]);
    assert_eq!(
        waived(&document),
        ["other-node there-is-no-such-package - unsupplied"]
    );
}

#[test]
fn neither_the_core_nor_a_new_node_may_ask_for_what_nobody_has() {
    let place = unsupplied();
    let node = place.offered("some-node", "omega\n");
    let document = place.json(1, &["preview", &node]);
    assert_eq!(document["conflicts"][0]["packages"][0], "omega");
    place.write("requirements.txt", "alpha\nomega\n");
    let document = place.json(1, &["lock"]);
    assert_eq!(document["conflicts"][0]["packages"][0], "omega");
}

#[test]
fn the_policy_may_refuse_what_nobody_has() {
    let place = unsupplied();
    place.settings("[resolve]\nunsupplied = \"error\"\n");
    place.node("some-node", "omega\n");
    let document = place.json(1, &["lock"]);
    assert_eq!(document["conflicts"][0]["packages"][0], "omega");
}
