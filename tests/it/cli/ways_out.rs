//! Ways out of a conflict: each that is offered is one.

use serde_json::Value;

use super::place::{Place, strings};
use crate::support::{Sdist, Wheel};

/// Returns the ways out of the one conflict of a document.
#[track_caller]
fn ways(document: &Value) -> Vec<Value> {
    let conflicts = document["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1, "{document}");
    conflicts[0]["suggestions"].as_array().unwrap().clone()
}

/// Takes each way out as a user would, and demands that it leads somewhere.
#[track_caller]
fn assert_true(place: &Place, more: &str, ways: &[Value]) {
    for way in ways {
        assert_eq!(way["verified"], true);
        let mut arguments = vec!["lock".to_owned()];
        match way["settings"].as_str() {
            Some(settings) => place.settings(&format!("{more}\n{settings}")),
            None => {
                place.settings(more);
                arguments.extend(strings_of(&way["flags"]));
            }
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let _ = place.portenv(&arguments).success();
        std::fs::remove_file(place.root().join("pylock.toml")).unwrap();
    }
    place.settings(more);
}

fn strings_of(list: &Value) -> Vec<String> {
    let texts = list.as_array().unwrap().iter();
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn two_nodes_that_contradict_are_told_which_line_to_relax_or_which_node_to_leave_out() {
    let place = Place::new();
    place.node("one", "gamma\ndelta>=1,<2\n");
    place.node("two", "delta>=2\n");
    let document = place.json(1, &["lock"]);
    let ways = ways(&document);
    let kinds: Vec<&str> = ways
        .iter()
        .map(|way| way["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["relax", "relax", "leave-out", "leave-out"]);
    let texts: Vec<&str> = ways
        .iter()
        .map(|way| way["text"].as_str().unwrap())
        .collect();
    assert_eq!(
        texts,
        [
            "let one take delta>=1, not just delta>=1,<2 (custom_nodes/one/requirements.txt:2) → delta 2.0",
            "let two take any delta, not just delta>=2 (custom_nodes/two/requirements.txt:1) → delta 1.0",
            "leave one out → delta 2.0",
            "leave two out → delta 1.0",
        ]
    );
    assert_true(&place, "", &ways);
    let run = place.portenv(&["lock"]).expect_code(1);
    assert!(
        run.stderr()
            .contains("ways out (each was tried)\n    1. let one take delta>=1,"),
        "{run}"
    );
}

#[test]
fn a_way_out_of_one_conflict_does_not_wait_for_the_others() {
    let place = Place::new();
    place.server.add(Wheel::new("eta", "1.0").build());
    place.server.add(Wheel::new("eta", "2.0").build());
    place.node("one", "delta<2\neta<2\n");
    place.node("two", "delta>=2\neta>=2\n");
    let document = place.json(1, &["lock"]);
    let conflicts = document["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 2, "{document}");
    for conflict in conflicts {
        let kinds = strings(&conflict["suggestions"], "kind");
        assert_eq!(
            kinds,
            ["relax", "relax", "leave-out", "leave-out"],
            "{conflict}"
        );
    }
}

#[test]
fn a_stale_pyproject_beside_requirements_can_be_passed_over() {
    let place = Place::new();
    place.node("one", "delta>=2\n");
    place.write(
        "custom_nodes/two/pyproject.toml",
        "[project]\nname = \"two\"\nversion = \"1\"\ndependencies = [\"delta<2\"]\n",
    );
    place.node("two", "gamma\n");
    let ways = ways(&place.json(1, &["lock"]));
    let sources = ways.iter().find(|way| way["kind"] == "sources");
    let text = sources.unwrap()["text"].as_str().unwrap();
    assert!(
        text.starts_with("read only requirements.txt of two"),
        "{text}"
    );
    assert_true(&place, "", &ways);
}

#[test]
fn what_nobody_has_can_be_gone_without() {
    let place = Place::new();
    place.settings("[resolve]\nunsupplied = \"error\"\n");
    place.node("one", "there-is-no-such-package\n");
    let ways = ways(&place.json(1, &["lock"]));
    assert_eq!(ways[0]["kind"], "exclude");
    for way in &ways {
        let settings = way["settings"].as_str().unwrap();
        place.settings(&format!("[resolve]\nunsupplied = \"error\"\n{settings}"));
        let _ = place.portenv(&["lock"]).success();
    }
}

#[test]
fn a_pre_release_is_offered_where_only_that_would_do() {
    let place = Place::new();
    place.settings("[resolve]\nprerelease = \"disallow\"\n");
    place.server.add(Wheel::new("eta", "2.0rc1").build());
    place.node("one", "eta>=2.0rc1\n");
    let ways = ways(&place.json(1, &["lock"]));
    let way = ways.iter().find(|way| way["kind"] == "prerelease").unwrap();
    assert_eq!(strings_of(&way["flags"]), ["--prerelease", "allow"]);
    place.settings("[resolve]\nprerelease = \"disallow\"\n");
    let _ = place.portenv(&["lock", "--prerelease", "allow"]).success();
}

#[test]
fn a_protected_package_may_be_let_go() {
    let place = Place::synced();
    place.settings("[policy]\nprotect = [\"alpha\"]\n");
    let node = place.offered("some-node", "alpha<1.1\n");
    let document = place.json(1, &["preview", &node]);
    assert_eq!(document["status"], "blocked");
    let ways = ways(&document);
    let way = ways
        .iter()
        .find(|way| way["kind"] == "allow-change")
        .unwrap();
    assert_eq!(strings_of(&way["flags"]), ["--allow-change", "alpha"]);
    let arguments = ["preview", &node, "--allow-change", "alpha"];
    assert_eq!(place.json(0, &arguments)["status"], "ok");
}

#[test]
fn files_without_an_installation_are_offered_lines_to_relax() {
    let place = Place::new();
    place.write("wanted.in", "delta<2\ndelta>=2\n");
    let url = place.server.url();
    let file = place.root().join("wanted.in");
    let document = place.json(1, &["resolve", file.as_str(), "--index-url", &url]);
    let ways = ways(&document);
    assert_eq!(
        strings(&Value::Array(ways.clone()), "kind"),
        ["relax", "relax"]
    );
    assert!(
        ways.iter().all(|way| way["settings"].is_null()),
        "{document}"
    );
}

#[test]
fn explaining_builds_nothing_and_still_names_the_lines() {
    let place = Place::new();
    for version in ["1.0", "2.0"] {
        place.server.add(
            Sdist::new("eta", version)
                .requires("delta<2")
                .dynamic("Requires-Dist")
                .buildable()
                .build(),
        );
    }
    place.node("one", "delta<2\n");
    place.node("two", "delta>=2\n");
    place.node("three", "eta\n");
    let document = place.json(1, &["lock"]);
    assert_eq!(document["stats"]["builds"], 0, "{document}");
    let lines = &document["conflicts"][0]["requirements"];
    assert_eq!(strings(lines, "requirement"), ["delta<2", "delta>=2"]);
}

/// Takes the way out that is a command of its own.
#[track_caller]
fn run_way(place: &Place, way: &Value) {
    let argv = strings_of(&way["argv"]);
    assert_eq!(argv[0], "portenv");
    let mut words: Vec<&str> = argv[1..].iter().map(String::as_str).collect();
    words.push("--yes");
    let _ = place.portenv(&words).success();
}

#[test]
fn another_version_of_a_node_is_offered_by_its_tag_and_leads_somewhere() {
    let place = Place::new();
    place.node("one", "delta<2\n");
    let dir = place.git_node("two", "delta<2\n");
    place.git(&dir, &["tag", "v1"]);
    for (text, message) in [
        ("delta>=2\n", "Ask for more"),
        ("delta>=2,<3\n", "And for less"),
    ] {
        place.write("custom_nodes/two/requirements.txt", text);
        place.commit_all(&dir, message);
    }
    let ways = ways(&place.json(1, &["lock"]));
    let others: Vec<&Value> = ways
        .iter()
        .filter(|way| way["kind"] == "node-version")
        .collect();
    // What asks for the same thing again is no way out.
    assert_eq!(others.len(), 1, "{ways:?}");
    let text = others[0]["text"].as_str().unwrap();
    assert!(text.starts_with("take two at v1 of 20"), "{text}");
    assert!(text.ends_with("→ delta 1.0"), "{text}");
    let commit = place.git(&dir, &["rev-parse", "v1"]);
    let node = format!("two@{}", &commit[..12]);
    assert_eq!(strings_of(&others[0]["argv"])[1..], ["update", &node]);
    run_way(&place, others[0]);
    assert_eq!(place.installed()["delta"], "1.0");
}

#[test]
fn a_checkout_with_changed_files_is_not_told_to_move() {
    let place = Place::new();
    place.node("one", "delta<2\n");
    let dir = place.git_node("two", "delta<2\n");
    place.write("custom_nodes/two/requirements.txt", "delta>=2\n");
    place.commit_all(&dir, "Ask for more");
    place.write("custom_nodes/two/README.md", "mine\n");
    place.commit_all(&dir, "Say so");
    place.write("custom_nodes/two/README.md", "changed\n");
    let ways = ways(&place.json(1, &["lock"]));
    assert!(
        ways.iter().all(|way| way["kind"] != "node-version"),
        "{ways:?}"
    );
}

#[test]
fn an_index_that_the_node_names_is_offered_where_only_that_one_has_the_package() {
    let place = Place::new();
    place.settings("[resolve]\nunsupplied = \"error\"\n");
    let other = crate::support::IndexServer::start([Wheel::new("theta", "1.0").build()]);
    place.node(
        "one",
        &format!("--extra-index-url {}\ntheta\n", other.url()),
    );
    let ways = ways(&place.json(1, &["lock"]));
    let way = ways.iter().find(|way| way["kind"] == "index").unwrap();
    let text = way["text"].as_str().unwrap();
    assert!(
        text.starts_with(&format!("take theta from {}", other.url())),
        "{text}"
    );
    let settings = way["settings"].as_str().unwrap();
    place.settings(&format!("[resolve]\nunsupplied = \"error\"\n{settings}"));
    let document = place.json(0, &["lock"]);
    let names = strings(&document["packages"], "name");
    assert!(names.contains(&"theta".to_owned()), "{document}");
}

#[test]
fn another_python_is_offered_where_a_wheel_is_for_that_one_only() {
    let place = Place::new();
    place
        .server
        .add(Wheel::new("theta", "1.0").tag("cp310-none-any").build());
    place.write("wanted.in", "theta\n");
    let url = place.server.url();
    let file = place.root().join("wanted.in");
    let asked = ["resolve", file.as_str(), "--index-url", &url];
    let on = |code, python: &str| {
        let words = [&asked[..], &["--python-version", python]].concat();
        place.json(code, &words)
    };
    let ways = ways(&on(1, "3.12"));
    let python: Vec<&Value> = ways.iter().filter(|way| way["kind"] == "python").collect();
    assert_eq!(python.len(), 1, "{ways:?}");
    assert_eq!(
        strings_of(&python[0]["flags"]),
        ["--python-version", "3.10"]
    );
    let _ = on(0, "3.10");
}

#[test]
fn of_three_that_disagree_each_pair_is_told_with_ways_out_that_hold() {
    let place = Place::new();
    place.server.add(Wheel::new("delta", "3.0").build());
    place.node("one", "delta>=3\n");
    place.node("two", "delta==1.0\n");
    place.node("three", "delta==2.0\n");
    let document = place.json(1, &["lock"]);
    let conflicts = document["conflicts"].as_array().unwrap();
    let mut told: Vec<String> = conflicts
        .iter()
        .map(|conflict| strings(&conflict["requirements"], "requirement").join(" "))
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "delta==2.0 delta==1.0",
            "delta>=3 delta==1.0",
            "delta>=3 delta==2.0"
        ]
    );
    for conflict in conflicts {
        let kinds = strings(&conflict["suggestions"], "kind");
        assert_eq!(kinds, ["relax", "relax", "leave-out", "leave-out"]);
    }
}

#[test]
fn a_node_that_says_the_same_in_both_files_says_it_once() {
    let place = Place::new();
    place.node("one", "delta<2\n");
    place.node("two", "delta >= 2\n");
    place.write(
        "custom_nodes/two/pyproject.toml",
        "[project]\nname = \"two\"\nversion = \"1\"\ndependencies = [\"delta>=2\"]\n",
    );
    let document = place.json(1, &["lock"]);
    let conflicts = document["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1, "{document}");
    let kinds = strings(&conflicts[0]["suggestions"], "kind");
    assert_eq!(kinds, ["relax", "relax", "leave-out", "leave-out"]);
}

#[test]
fn overrides_of_one_package_may_differ_from_node_to_node() {
    let place = Place::new();
    place.write("requirements.txt", "delta>=3\n");
    place.server.add(Wheel::new("delta", "3.0").build());
    place.node("one", "delta>=1,<2\n");
    place.node("two", "delta==2.0\n");
    let document = place.json(1, &["lock"]);
    let conflicts = document["conflicts"].as_array().unwrap();
    let settings = |at: usize| {
        conflicts[at]["suggestions"][0]["settings"]
            .as_str()
            .unwrap()
    };
    let table = |at: usize| settings(at).split_once(" = ").unwrap().1.trim();
    place.settings(&format!(
        "[overrides]\ndelta = [{}, {}]\n",
        table(0),
        table(1)
    ));
    let document = place.json(0, &["lock"]);
    assert_eq!(document["status"], "resolved");
    place.settings(&format!("[overrides]\ndelta = [{0}, {0}]\n", table(0)));
    let run = place.portenv(&["lock"]).expect_code(2);
    assert!(
        run.stderr()
            .contains("delta: `one` has two overrides of it"),
        "{run}"
    );
}

#[test]
fn a_node_that_limits_a_package_in_both_files_is_relaxed_in_both() {
    let place = Place::new();
    place.node("one", "delta>=2\n");
    place.node("two", "delta<2\n");
    place.write(
        "custom_nodes/two/pyproject.toml",
        "[project]\nname = \"two\"\nversion = \"1\"\ndependencies = [\"delta<1.5\"]\n",
    );
    let document = place.json(1, &["lock"]);
    for conflict in document["conflicts"].as_array().unwrap() {
        let ways = conflict["suggestions"].as_array().unwrap();
        let relaxing: Vec<&Value> = ways.iter().filter(|way| way["kind"] == "relax").collect();
        assert_eq!(relaxing.len(), 2, "{conflict}");
        for way in relaxing {
            place.settings(way["settings"].as_str().unwrap());
            let _ = place.portenv(&["lock"]).success();
        }
    }
}

#[test]
fn what_only_a_build_could_tell_is_said_of_the_package_that_needs_it() {
    let place = Place::new();
    place.settings("[resolve]\nunsupplied = \"error\"\n");
    place
        .server
        .add(Wheel::new("theta", "1.0").requires("iota>=0.1").build());
    place.server.add(
        Sdist::new("iota", "0.2")
            .dynamic("Requires-Dist")
            .buildable()
            .build(),
    );
    place.node("one", "theta\n");
    let document = place.json(1, &["lock", "--build", "static"]);
    let explanation = document["conflicts"][0]["explanation"].as_str().unwrap();
    assert_eq!(
        explanation,
        "no version of iota that satisfies iota>=0.1 can be used; 0.2: only a build could \
         tell its dependencies, and --build allow lets it run; one \
         (custom_nodes/one/requirements.txt:1) asks for theta, theta ==1.0 needs iota>=0.1"
    );
}
