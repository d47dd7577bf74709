//! `--only-new`: what the candidates bring, and nothing else, fails the gate.

use crate::cli::gate::forms::assert_sarif;
use crate::cli::place::{Place, strings};

/// An installation that fails its own check in two ways.
fn troubled() -> Place {
    let place = Place::synced();
    place.node("clash", "beta>=2\n");
    place.node("broken", "=== what?\n");
    place
}

#[test]
fn what_was_there_before_does_not_fail_a_harmless_node() {
    let place = troubled();
    let node = place.offered("fine", "gamma\n");
    let whole = place.json(1, &["check", &node]);
    let found = place.json(0, &["check", &node, "--only-new"]);
    assert_eq!(found["status"], "pass");
    assert_eq!(found["findings"], whole["findings"]);
    let findings = found["findings"].as_array().unwrap();
    assert_eq!(strings(&found["findings"], "code"), ["PE001", "PE005"]);
    assert!(findings.iter().all(|it| it["new"] == false), "{found}");
    assert_eq!(found["conflicts"][0]["new"], false);
}

#[test]
fn what_a_node_brings_fails_and_is_marked_beside_what_was_there() {
    let place = troubled();
    let bad = place.offered("bad", "gamma>=9\n=== ?\n");
    let found = place.json(1, &["check", &bad, "--only-new"]);
    let findings = found["findings"].as_array().unwrap();
    let new = findings.iter().filter(|it| it["new"] == true);
    let mut new: Vec<(&str, &str)> = new
        .map(|it| {
            let origin = &it["origin"];
            (
                it["code"].as_str().unwrap(),
                origin["name"].as_str().unwrap(),
            )
        })
        .collect();
    new.sort_unstable();
    assert_eq!(new, [("PE001", "bad"), ("PE005", "bad")]);
    assert!(findings.iter().any(|it| it["new"] == false), "{found}");

    let arguments = ["check", &bad, "--only-new", "--format"];
    let run = |form| {
        place
            .portenv(&[&arguments[..], &[form]].concat())
            .expect_code(1)
    };
    let results = assert_sarif(&run("sarif").json());
    for result in &results {
        let wanted = if result["baselineState"] == "new" {
            "error"
        } else {
            "note"
        };
        assert_eq!(result["level"], wanted, "{result}");
    }
    let text = run("text");
    let count = |word: &str| {
        let lines = text.stdout().lines();
        lines.filter(|line| line.starts_with(word)).count()
    };
    assert_eq!((count("error "), count("old ")), (2, 2), "{text}");
    let github = run("github");
    assert_eq!(github.stdout().matches("::notice ").count(), 2, "{github}");
    let junit = run("junit");
    assert_eq!(
        junit.stdout().matches("there before: ").count(),
        2,
        "{junit}"
    );
}

#[test]
fn only_new_needs_nodes() {
    let place = Place::new();
    let _ = place.portenv(&["check", "--only-new"]).expect_code(2);
}
