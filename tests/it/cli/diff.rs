//! `diff`.

use super::place::{Place, assert_fields, assert_tree, changes, strings, tree};
use crate::support::Wheel;

#[test]
fn snapshots_the_lock_and_the_environment_can_be_compared() {
    let place = Place::synced();
    let node = place.offered("some-node", "gamma\n");
    let _ = place.portenv(&["add", &node, "--yes"]).success();
    place.install_behind_its_back(&Wheel::new("beta", "1.7").build());
    let before = tree(place.root());
    let diff = |names: &[&str]| place.json(0, &[&["diff"], names].concat());

    let document = diff(&[]);
    assert_eq!(document["schema"], "portenv.diff/1");
    assert_fields(&document, "from to changes nodes core");
    assert_eq!(
        (&document["from"], &document["to"]),
        (&"@".into(), &"env".into())
    );
    assert_eq!(changes(&document), ["upgrade beta 1.0 1.7"]);

    let document = diff(&["@~1", "@"]);
    assert_eq!(changes(&document), ["add delta - 2.0", "add gamma - 1.0"]);
    assert_eq!(
        (
            strings(&document["nodes"], "kind"),
            &document["nodes"][0]["from"]
        ),
        (vec!["add".into()], &serde_json::Value::Null)
    );
    assert_eq!(changes(&diff(&["@", "as found"])).len(), 4);
    assert_eq!(changes(&diff(&["lock", "env"])), ["upgrade beta 1.0 1.7"]);
    assert_eq!(changes(&diff(&["pylock.toml", "@"])), Vec::<String>::new());
    assert_tree(place.root(), &before);
}

#[test]
fn exit_code_tells_whether_there_is_a_difference() {
    let place = Place::synced();
    let _ = place.portenv(&["diff", "--exit-code"]).success();
    let _ = place
        .portenv(&["diff", "@~1", "@", "--exit-code"])
        .expect_code(1);
    let _ = place.portenv(&["diff", "nothing"]).expect_code(2);
}
