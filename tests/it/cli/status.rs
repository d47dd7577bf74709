//! `status`, `recover` without anything to do, and `portenv` alone.

use super::place::{Place, assert_fields, assert_tree, changes, strings, tree};
use crate::support::Wheel;

#[test]
fn an_install_behind_the_back_is_drift_in_text_and_json() {
    let place = Place::synced();
    place.install_behind_its_back(&Wheel::new("beta", "1.7").build());
    let document = place.json(0, &["status"]);
    assert_eq!(document["schema"], "portenv.status/1");
    assert_fields(
        &document,
        "root python snapshot drift stale interrupted startup_scripts hints",
    );
    assert_fields(&document["drift"], "from to changes nodes core");
    assert_eq!(changes(&document["drift"]), ["upgrade beta 1.0 1.7"]);
    let text = place.portenv(&["status"]).success();
    assert!(
        text.stdout().contains("beta") && text.stdout().contains("1.0 → 1.7"),
        "{text}"
    );
    let _ = place.portenv(&["status", "--exit-code"]).expect_code(1);
}

#[test]
fn a_node_and_a_core_that_others_moved_are_drift() {
    let place = Place::synced();
    place.node("came-later", "");
    place.write("main.py", "print(2)\n");
    place.commit_all(place.root(), "Newer core");
    let drift = &place.json(0, &["status"])["drift"];
    assert_eq!(strings(&drift["nodes"], "dir"), ["custom_nodes/came-later"]);
    assert_eq!(strings(&drift["nodes"], "kind"), ["add"]);
    assert_eq!(
        drift["core"]["commit"],
        place.git(place.root(), &["rev-parse", "HEAD"]).as_str()
    );
}

#[test]
fn it_writes_nothing_and_is_what_portenv_alone_shows() {
    let place = Place::new();
    place.git_node("some-node", "gamma\n");
    let before = tree(place.root());
    let alone = place.portenv(&[]).success();
    let status = place.portenv(&["status"]).success();
    assert_eq!(alone.stdout(), status.stdout());
    assert_eq!(alone.stderr(), status.stderr());
    assert!(alone.stderr().contains("portenv init"), "{alone}");
    assert_tree(place.root(), &before);
}

#[test]
fn recover_has_nothing_to_do_where_nothing_was_interrupted() {
    let place = Place::synced();
    let before = tree(place.root());
    let document = place.json(0, &["recover"]);
    assert_eq!(document["status"], "nothing");
    assert_fields(
        &document,
        "schema operation before after changes nodes conflicts warnings",
    );
    assert_tree(place.root(), &before);
}
