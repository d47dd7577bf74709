//! `lock --best-effort` and `check --subset`.

use serde_json::{Value, json};

use super::place::{Place, assert_fields, assert_tree, strings, strings_of, tree};
use crate::support::{Sdist, Wheel};

/// Three nodes want a new `delta`, one an old one, one a `beta` that the core forbids, and one
/// nothing that is contested.
fn contested() -> Place {
    let place = Place::new();
    place.node("new-one", "delta>=2\n");
    place.node("new-two", "gamma\ndelta>=2\n");
    place.node("new-three", "delta==2.0\n");
    place.node("old-one", "delta<2\nalpha\n");
    place.node("never", "beta>=2\nalpha\n");
    place.node("peaceful", "gamma\n");
    place
}

fn names(document: &Value) -> Vec<String> {
    strings(document, "node")
}

#[test]
fn as_many_nodes_as_can_be_are_locked_and_the_others_reported_with_what_keeps_them_out() {
    let place = contested();
    let _ = place.portenv(&["lock"]).expect_code(1);
    assert!(!place.root().join("pylock.toml").exists());

    let document = place.json(0, &["lock", "--best-effort"]);
    assert_eq!(names(&document["left_out"]), ["never", "old-one"]);
    assert_eq!(
        (&document["status"], &document["proved"]),
        (&json!("resolved"), &json!(true))
    );
    let left = &document["left_out"][1];
    assert_fields(left, "node reason conflicts");
    let conflict = &left["conflicts"][0];
    assert_eq!(conflict["packages"], json!(["delta"]));
    let mut asked = strings(&conflict["requirements"], "requirement");
    asked.sort();
    assert_eq!(asked.first().unwrap(), "delta<2");
    assert_eq!(asked.len(), 2);
    assert!(
        left["reason"].as_str().unwrap().contains("delta<2"),
        "{left}"
    );

    let lock = place.read("pylock.toml");
    assert!(lock.starts_with("# 2 nodes are left out"), "{lock}");
    assert!(
        !lock.contains("kind = \"node\", name = \"old-one\""),
        "{lock}"
    );
    let delta = document["packages"].as_array().unwrap().iter();
    let delta: Vec<&Value> = delta.filter(|one| one["name"] == "delta").collect();
    assert_eq!(delta[0]["version"], "2.0");
}

#[test]
fn a_lock_without_some_nodes_is_fresh_until_one_of_them_asks_for_something_else() {
    let place = contested();
    let _ = place.portenv(&["lock", "--best-effort"]).success();
    let _ = place.portenv(&["lock", "--check"]).success();
    let status = place.json(0, &["status"]);
    assert_eq!(names(&status["left_out"]), ["never", "old-one"]);
    assert_eq!(
        (&status["stale"], &status["waivers"]),
        (&json!([]), &json!([]))
    );
    let run = place.portenv(&["status"]).success();
    assert!(
        run.stdout()
            .contains("left out      old-one: `delta<2` against"),
        "{run}"
    );

    // What was decided stays decided.
    let before = place.read("pylock.toml");
    let again = place.json(0, &["lock"]);
    assert_eq!(again["written"], false, "{again}");
    assert_eq!(names(&again["left_out"]), ["never", "old-one"]);
    let _ = place.portenv(&["lock", "--upgrade"]).success();
    assert_eq!(place.read("pylock.toml"), before);
    // Another place in its file is no other line.
    place.node("old-one", "# older\nalpha\ndelta<2\n");
    let _ = place.portenv(&["lock", "--check"]).success();

    place.node("old-one", "delta\nalpha\n");
    let check = place.json(1, &["lock", "--check"]);
    let reasons = strings(&check["stale"], "reason");
    assert_eq!(
        reasons,
        ["what old-one asks for changed since it was left out"]
    );
    let document = place.json(0, &["lock"]);
    assert_eq!(names(&document["left_out"]), ["never"]);
    assert!(place.read("pylock.toml").contains("old-one"));
}

#[test]
fn a_change_of_the_installation_leaves_out_what_the_lock_does() {
    let place = contested();
    let _ = place.portenv(&["lock", "--best-effort"]).success();
    let _ = place.portenv(&["sync", "--yes"]).success();
    let node = place.offered("some-node", "alpha<1.1\n");
    let preview = place.json(0, &["preview", &node]);
    assert_eq!(preview["status"], "ok", "{preview}");
    let _ = place.portenv(&["add", &node, "--yes"]).success();
    let status = place.json(0, &["status"]);
    assert_eq!(names(&status["left_out"]), ["never", "old-one"]);
    let _ = place.portenv(&["remove", "never", "--yes"]).success();
    let status = place.json(0, &["status"]);
    assert_eq!(names(&status["left_out"]), ["old-one"]);
    assert_eq!(status["stale"], json!([]));
    // The node's other form is tried on its own.
    let node = place.offered("old-one", "delta\n");
    let preview = place.json(0, &["preview", &node]);
    assert_eq!(preview["status"], "ok", "{preview}");
}

#[test]
fn nothing_is_left_out_where_all_fits_and_a_core_that_contradicts_itself_stays_a_conflict() {
    let place = Place::new();
    place.node("peaceful", "gamma\n");
    let document = place.json(0, &["lock", "--best-effort"]);
    assert_eq!(
        (&document["left_out"], &document["proved"]),
        (&json!([]), &json!(true))
    );
    let plain = place.read("pylock.toml");
    let _ = place.portenv(&["lock"]).success();
    assert_eq!(place.read("pylock.toml"), plain);

    place.write("requirements.txt", "alpha\nbeta<2\nbeta>=2\n");
    let document = place.json(1, &["lock", "--best-effort"]);
    assert_eq!(
        (&document["status"], &document["proved"]),
        (&json!("conflict"), &Value::Null)
    );
    let check = place.json(1, &["check", "--subset"]);
    assert_eq!(check["subset"], Value::Null);
}

#[test]
fn a_check_names_the_most_nodes_that_can_live_together_and_changes_nothing() {
    let place = contested();
    let before = tree(place.root());
    assert_eq!(place.json(1, &["check"])["subset"], Value::Null);
    let document = place.json(1, &["check", "--subset"]);
    assert_tree(place.root(), &before);
    let subset = &document["subset"];
    assert_fields(subset, "nodes left_out groups proved bound weight");
    assert_eq!(
        strings_of(&subset["nodes"]),
        ["new-one", "new-three", "new-two", "peaceful"]
    );
    assert_eq!(names(&subset["left_out"]), ["never", "old-one"]);
    assert_eq!(subset["groups"], json!([["old-one"]]));
    let figures = (&subset["proved"], &subset["bound"], &subset["weight"]);
    assert_eq!(figures, (&json!(true), &json!(4), &json!(4)));

    let run = place.portenv(&["check", "--subset"]).expect_code(1);
    assert!(
        run.stdout()
            .contains("4 of 6 nodes can live together; no set of them is larger"),
        "{run}"
    );
    // A node that is only offered takes part.
    let node = place.offered("offered", "delta<2\n");
    let document = place.json(1, &["check", "--subset", &node]);
    assert_eq!(
        document["subset"]["groups"],
        json!([["offered", "old-one"]])
    );
    let both = place.portenv(&["check", "--time-limit", "3"]);
    let _ = both.expect_code(2);
}

#[test]
fn a_node_of_more_weight_stays_and_a_lack_of_time_is_admitted() {
    let place = contested();
    place.settings("[nodes.old-one]\nweight = 5\n");
    let subset = &place.json(1, &["check", "--subset"])["subset"];
    assert_eq!(strings_of(&subset["nodes"]), ["old-one", "peaceful"]);
    assert_eq!(
        (&subset["weight"], &subset["bound"]),
        (&json!(6), &json!(6))
    );
    let document = place.json(0, &["lock", "--best-effort"]);
    assert_eq!(
        names(&document["left_out"]),
        ["never", "new-one", "new-three", "new-two"]
    );

    // Without time there is still an answer, and a bound that holds.
    let subset = &place.json(1, &["check", "--subset", "--time-limit", "0"])["subset"];
    let (weight, bound) = (
        subset["weight"].as_u64().unwrap(),
        subset["bound"].as_u64().unwrap(),
    );
    assert!(weight <= 6 && bound >= 6, "{subset}");
    assert_eq!(subset["proved"], weight >= bound);
    place.settings("[nodes.old-one]\nweight = -1\n");
    assert_eq!(place.json(2, &["lock"])["error"]["code"], "invalid-policy");
}

#[test]
fn a_line_that_nothing_supplies_is_waived_as_ever_and_its_node_stays() {
    let place = Place::new();
    place.node("some-node", "gamma\nnowhere\n");
    place.node("other-node", "delta<2\n");
    place.node("third-node", "delta>=2\n");
    place
        .server
        .add(Wheel::new("nowhere", "1.0").tag("cp27-cp27m-win32").build());
    let document = place.json(0, &["lock", "--best-effort"]);
    assert_eq!(names(&document["left_out"]).len(), 1, "{document}");
    assert_ne!(names(&document["left_out"]), ["some-node"]);
    assert_eq!(strings(&document["waivers"], "package"), ["nowhere"]);
    let _ = place.portenv(&["lock", "--check"]).success();
    // A check waives nothing.
    let document = place.json(1, &["check", "--subset"]);
    assert!(names(&document["subset"]["left_out"]).contains(&"some-node".to_owned()));
}

#[test]
fn what_only_a_build_could_tell_keeps_no_node_out_and_is_built_for_the_answer() {
    let place = Place::new();
    let dynamic = Sdist::new("dyn", "1.0")
        .dynamic("Requires-Dist")
        .buildable();
    place.server.add(dynamic.build());
    place.node("builder", "dyn\ndelta>=2\n");
    place.node("new-one", "delta>=2\n");
    place.node("old-one", "delta<2\n");
    let document = place.json(0, &["lock", "--best-effort"]);
    assert_eq!(names(&document["left_out"]), ["old-one"]);
    assert_eq!(document["waivers"], json!([]));
    assert!(strings(&document["packages"], "name").contains(&"dyn".to_owned()));
    assert!(place.home().join("built-dyn").exists(), "nothing was built");
}
