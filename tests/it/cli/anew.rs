//! What a waiver is not: a way for a change to break something anew.

use serde_json::Value;

use super::place::{Place, changes, strings};
use crate::support::{Sdist, Wheel};

fn waived(document: &Value) -> Vec<String> {
    strings(&document["waivers"], "wanted")
}

/// Makes a place with `alpha`, `beta`, and these wheels installed and had by the index.
fn with(wheels: &[Wheel]) -> Place {
    let place = Place::new();
    for wheel in [Wheel::new("alpha", "1.1"), Wheel::new("beta", "1.0")] {
        place.install_behind_its_back(&wheel.clone().build());
    }
    for wheel in wheels {
        place.server.add(wheel.clone().build());
        place.install_behind_its_back(&wheel.clone().build());
    }
    place
}

fn locked(document: &Value, name: &str) -> Vec<String> {
    let packages = document["packages"].as_array().unwrap().iter();
    let of = packages.filter(|package| package["name"] == name);
    of.map(|package| package["version"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn an_old_conflict_takes_no_installed_package_away() {
    let place = Place::new();
    place.node("first", "delta<2\n");
    let _ = place.portenv(&["lock"]).success();
    let _ = place.portenv(&["sync", "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, delta 1.0");
    // Put there by hand, and at odds with the first.
    place.node("second", "delta>=2\n");
    place.server.add(Wheel::new("theta", "1.0").build());
    let node = place.offered("third", "theta\n");
    let document = place.json(0, &["add", &node, "--yes"]);
    assert_eq!(changes(&document), ["add theta - 1.0"]);
    assert_eq!(waived(&document), ["delta>=2"]);
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, delta 1.0, theta 1.0");
}

#[test]
fn an_edited_lock_waives_nothing_of_the_core() {
    let place = Place::new();
    let _ = place.portenv(&["lock"]).success();
    let lock = place.read("pylock.toml");
    let (_, after) = lock.split_once("targets = [\n    \"").unwrap();
    let (target, _) = after.split_once('"').unwrap();
    let waiver = format!(
        "waivers = [{{ kind = \"core\", file = \"requirements.txt\", line = 1, wanted = \"alpha\", \
         distribution = \"alpha\", reason = \"conflict\", target = \"{target}\" }}]\n"
    );
    place.write("pylock.toml", format!("{lock}{waiver}"));
    let document = place.json(0, &["lock"]);
    assert_eq!(locked(&document, "alpha"), ["1.1"]);
    assert_eq!(waived(&document), Vec::<String>::new());
}

#[test]
fn what_one_platform_lacks_is_not_left_out_on_another() {
    let place = Place::new();
    let wheel = Wheel::new("omega", "1.0").tag("py3-none-manylinux_2_17_x86_64");
    place.server.add(wheel.clone().build());
    place.node("some-node", "omega\n");
    let windows = ["lock", "--platform", "x86_64-pc-windows-msvc"];
    let document = place.json(0, &windows);
    assert_eq!(waived(&document), ["omega"]);
    let document = place.json(0, &["lock", "--platform", "x86_64-unknown-linux-gnu"]);
    assert_eq!(locked(&document, "omega"), ["1.0"]);
    assert_eq!(waived(&document), Vec::<String>::new());
}

#[test]
fn what_is_installed_here_excuses_nothing_on_another_platform() {
    let place = with(&[Wheel::new("delta", "2.0")]);
    place.node("some-node", "delta<2\n");
    let windows = ["lock", "--platform", "x86_64-pc-windows-msvc"];
    let document = place.json(0, &windows);
    assert_eq!(locked(&document, "delta"), ["1.0"]);
    assert_eq!(waived(&document), Vec::<String>::new());
}

#[test]
fn an_extra_that_a_new_node_asks_for_must_be_met() {
    let zeta = Wheel::new("zeta", "1.0")
        .extra("more")
        .requires("delta<2")
        .requires("delta<1.5; extra == \"more\"");
    let place = with(&[zeta, Wheel::new("delta", "2.0")]);
    place.node("old-node", "zeta\ndelta>=2\n");
    let document = place.json(0, &["lock"]);
    assert_eq!(waived(&document), ["delta<2"]);
    let node = place.offered("some-node", "zeta[more]\n");
    let document = place.json(1, &["preview", &node]);
    assert_eq!(document["status"], "conflict");
}

#[test]
fn what_an_installed_package_lacks_may_come_only_as_it_asks_for() {
    let zeta = Wheel::new("zeta", "1.0").requires("kappa>=2");
    let place = with(&[zeta]);
    // It would have to be built, so the lock does not bring it.
    for version in ["1.0", "2.0"] {
        place
            .server
            .add(Sdist::new("kappa", version).buildable().build());
    }
    place.node("old-node", "zeta\n");
    let document = place.json(0, &["lock"]);
    assert_eq!(waived(&document), ["kappa>=2"]);
    let node = place.offered("good-node", "kappa\n");
    let document = place.json(0, &["preview", &node]);
    assert_eq!(changes(&document), ["add kappa - 2.0"]);
    assert_eq!(waived(&document), Vec::<String>::new());
    let node = place.offered("bad-node", "kappa<2\n");
    let document = place.json(1, &["preview", &node]);
    assert_eq!(document["status"], "conflict");
}

#[test]
fn nodes_of_one_name_in_two_directories_are_two_nodes() {
    let place = Place::synced();
    let url = place.git_remote("some-node", "gamma\n");
    let _ = place.portenv(&["add", &url, "--yes"]).success();
    // Of the same name, in another directory of nodes.
    place.server.add(Wheel::new("theta", "1.0").build());
    place.write("more/some-node/__init__.py", "");
    place.write("more/some-node/requirements.txt", "theta\n");
    place.settings("[installation]\ncustom-nodes = [\"custom_nodes\", \"more\"]\n");
    let document = place.json(0, &["lock"]);
    assert_eq!(locked(&document, "theta"), ["1.0"]);
    let _ = place.portenv(&["sync", "--yes"]).success();
    let remote = place.remote_dir("some-node");
    std::fs::write(remote.join("requirements.txt"), "gamma\ndelta<2\n").unwrap();
    place.commit_all(&remote, "Ask for less");
    let document = place.json(0, &["update", "custom_nodes/some-node", "--yes"]);
    assert_eq!(changes(&document), ["downgrade delta 2.0 1.0"]);
    let _ = place.portenv(&["lock", "--check"]).success();
    let document = place.json(2, &["remove", "some-node", "--yes"]);
    assert_eq!(document["error"]["code"], "ambiguous-id");
    let _ = place.json(0, &["remove", "more/some-node", "--yes"]);
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, delta 1.0, gamma 1.0");
}

#[test]
fn what_only_the_core_contradicts_is_not_said_to_be_new() {
    let place = Place::new();
    place.write("requirements.txt", "alpha==9\n");
    let node = place.offered("some-node", "gamma\n");
    let document = place.json(1, &["preview", &node]);
    assert_eq!(document["conflicts"][0]["new"], false, "{document}");
}

#[test]
fn what_is_installed_against_metadata_stays_where_every_line_has_what_it_wants() {
    let place = Place::new();
    let zeta = Wheel::new("zeta", "1.0").requires("delta<2");
    place.server.add(zeta.build());
    place.node("first", "zeta\n");
    let _ = place.portenv(&["lock"]).success();
    let _ = place.portenv(&["sync", "--yes"]).success();
    let before = "alpha 1.1, beta 1.0, delta 1.0, zeta 1.0";
    assert_eq!(place.shown(), before);
    // Put there by hand, with what it wants, whatever that breaks.
    place.node("second", "delta>=2\n");
    place.install_behind_its_back(&Wheel::new("delta", "2.0").build());
    place.server.add(Wheel::new("theta", "1.0").build());
    let node = place.offered("third", "theta\n");
    let document = place.json(0, &["add", &node, "--yes"]);
    assert_eq!(changes(&document), ["add theta - 1.0"]);
    assert_eq!(waived(&document), ["delta<2"]);
}

#[test]
fn what_two_installed_packages_lack_at_odds_is_waived_for_one_who_brings_it() {
    let zeta = Wheel::new("zeta", "1.0").requires("kappa>=2");
    let eta = Wheel::new("eta", "1.0").requires("kappa<2");
    let place = with(&[zeta, eta]);
    for version in ["1.0", "2.0"] {
        place.server.add(Wheel::new("kappa", version).build());
    }
    place.node("old-node", "zeta\neta\n");
    let document = place.json(0, &["lock"]);
    assert_eq!(waived(&document).len(), 2);
    let _ = place.portenv(&["sync", "--yes"]).success();
    let node = place.offered("some-node", "kappa\n");
    let document = place.json(0, &["preview", &node]);
    assert_eq!(changes(&document), ["add kappa - 2.0"]);
}

#[test]
fn what_only_the_policy_hides_is_not_unsupplied_however_far_the_line_leads() {
    let place = Place::new();
    place.server.add(Wheel::new("omega", "2.0rc1").build());
    let holder = Wheel::new("holder", "1.0").requires("omega>=2.0rc1");
    place.server.add(holder.build());
    place.settings("[resolve]\nprerelease = \"disallow\"\n");
    place.node("some-node", "holder\n");
    let document = place.json(1, &["lock"]);
    assert_eq!(
        strings(&document["conflicts"][0]["requirements"], "requirement"),
        ["holder"]
    );
    place.settings("");
    let document = place.json(0, &["lock"]);
    assert_eq!(locked(&document, "omega"), ["2.0rc1"]);
}
