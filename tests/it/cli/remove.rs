//! `remove`.

use super::place::{Place, assert_error, changes, strings};

fn with_node() -> Place {
    let place = Place::synced();
    let url = place.git_remote("some-node", "gamma\n");
    let _ = place.portenv(&["add", &url, "--yes"]).success();
    place
}

#[test]
fn a_node_moves_to_the_trash_and_takes_what_only_it_asked_for() {
    let place = with_node();
    place.node("keeps-delta", "delta\n");
    let document = place.json(0, &["remove", "some-node", "--yes"]);
    assert_eq!(
        (&document["schema"], &document["status"]),
        (&"portenv.remove/1".into(), &"done".into())
    );
    assert_eq!(
        (changes(&document), strings(&document["nodes"], "kind")),
        (
            vec!["remove gamma 1.0 -".to_owned()],
            vec!["remove".to_owned()]
        )
    );
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, delta 2.0");
    let [thrown] = &place.trash()[..] else {
        panic!("{:?}", place.trash())
    };
    assert!(
        place
            .root()
            .join(".portenv/trash")
            .join(thrown)
            .join(".git")
            .exists()
    );
    assert!(!place.root().join("custom_nodes/some-node").exists());
    let _ = place.portenv(&["lock", "--check"]).success();
}

#[test]
fn without_a_yes_it_stops_with_a_plan_that_can_be_named() {
    let place = with_node();
    let (before, history) = (place.state(), place.history());
    let run = place
        .portenv(&["remove", "some-node", "--format", "json"])
        .expect_code(2);
    assert_error(&run, "confirm");
    assert_eq!((place.state(), place.history()), (before, history));
    let plan = run.json()["plan"].as_str().unwrap().to_owned();
    let other = place
        .portenv(&["remove", "some-node", "--plan", "0123", "--format", "json"])
        .expect_code(1);
    assert_error(&other, "plan-stale");
    let _ = place
        .portenv(&["remove", "some-node", "--plan", &plan])
        .success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
}

#[test]
fn a_node_with_changed_files_stays() {
    let place = with_node();
    place.write("custom_nodes/some-node/__init__.py", "mine = True\n");
    let before = place.state();
    let run = place
        .portenv(&["remove", "some-node", "--yes", "--format", "json"])
        .expect_code(1);
    assert_error(&run, "dirty");
    assert_eq!(place.state(), before);
}

#[test]
fn an_unknown_node_is_not_found() {
    let place = with_node();
    let run = place
        .portenv(&["remove", "other-node", "--yes", "--format", "json"])
        .expect_code(2);
    assert_error(&run, "not-found");
}

#[test]
fn what_contradicted_before_does_not_keep_a_node() {
    let place = with_node();
    place.node("old-conflict", "beta>=2\n");
    let document = place.json(0, &["remove", "some-node", "--yes"]);
    assert_eq!(
        changes(&document),
        ["remove delta 2.0 -", "remove gamma 1.0 -"]
    );
    let conflicts = document["conflicts"].as_array().unwrap();
    assert_eq!((conflicts.len(), &conflicts[0]["new"]), (1, &false.into()));
    let _ = place
        .portenv(&["remove", "old-conflict", "--yes"])
        .success();
    let _ = place.portenv(&["lock", "--check"]).success();
}

#[test]
fn a_node_that_is_not_here_is_told_with_the_names_of_those_that_are() {
    let place = Place::synced();
    place.node("some-node", "");
    for command in ["remove", "disable", "enable", "update"] {
        let told = |word: &str| {
            let document = place.json(2, &[command, word]);
            assert_eq!(document["error"]["code"], "not-found");
            document["error"]["message"].as_str().unwrap().to_owned()
        };
        assert!(told("some-nod").ends_with("did you mean `some-node`?"));
        assert!(told("zzz").ends_with("it has some-node"));
    }
}
