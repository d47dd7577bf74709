//! `sync`.

use super::place::{Place, assert_tree, changes, strings_of, tree};
use crate::support::Wheel;

#[test]
fn init_lock_and_sync_end_in_a_clean_status() {
    let place = Place::new();
    place.node("some-node", "gamma\n");
    let init = place.json(0, &["init"]);
    assert_eq!(
        (&init["schema"], &init["status"]),
        (&"portenv.init/1".into(), &"done".into())
    );
    let _ = place.portenv(&["lock"]).success();
    let sync = place.json(0, &["sync", "--yes"]);
    assert_eq!(
        (&sync["schema"], &sync["status"]),
        (&"portenv.sync/1".into(), &"done".into())
    );
    assert_eq!(
        changes(&sync),
        [
            "add alpha - 1.1",
            "add beta - 1.0",
            "add delta - 2.0",
            "add gamma - 1.0"
        ]
    );
    assert_eq!(
        place.python("import gamma; print(gamma.__version__)"),
        "1.0"
    );

    let status = place.json(0, &["status", "--exit-code"]);
    assert_eq!(
        (
            status["drift"]["changes"].as_array().unwrap().len(),
            &status["stale"]
        ),
        (0, &serde_json::json!([]))
    );
    assert_eq!(status["snapshot"], sync["after"]);
    assert_eq!(place.json(0, &["sync"])["status"], "nothing");
}

#[test]
fn only_what_a_lock_brought_is_removed_and_extras_are_named() {
    let place = Place::new();
    place.write("requirements.txt", "alpha\ngamma\n");
    let _ = place.portenv(&["lock"]).success();
    let _ = place.portenv(&["sync", "--yes"]).success();
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    place.write("requirements.txt", "alpha\n");
    let _ = place.portenv(&["lock"]).success();
    // A snapshot in between must not make it forget what the first lock brought.
    let _ = place.portenv(&["snapshot", "create"]).success();
    let run = place.portenv(&["sync", "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, mine 1.0");
    assert!(run.stderr().contains("mine 1.0"), "{run}");
}

#[test]
fn prune_removes_extras_but_no_seeds() {
    let place = Place::synced();
    for name in ["mine", "pip", "setuptools", "wheel"] {
        place.install_behind_its_back(&Wheel::new(name, "1.0").build());
    }
    let run = place
        .portenv(&["sync", "--prune", "--yes", "--format", "json"])
        .success();
    assert_eq!(changes(&run.json()), ["remove mine 1.0 -"]);
    assert_eq!(
        place.shown(),
        "alpha 1.1, beta 1.0, pip 1.0, setuptools 1.0, wheel 1.0"
    );
    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(place.python("import mine; print(mine.__version__)"), "1.0");
}

#[test]
fn a_dry_run_shows_the_plan_and_changes_nothing() {
    let place = Place::synced();
    place.uninstall_behind_its_back("beta");
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    let before = tree(place.root());
    let document = place.json(0, &["sync", "--prune", "--dry-run"]);
    assert_eq!(document["status"], "dry-run");
    assert_eq!(changes(&document), ["remove mine 1.0 -", "add beta - 1.0"]);
    assert_tree(place.root(), &before);
}

#[test]
fn another_build_of_the_locked_version_is_not_taken_for_it_by_status() {
    let place = Place::synced();
    let other = Wheel::new("beta", "1.0").file("beta/__init__.py", "other = True\n");
    place.install_behind_its_back(&other.build());
    assert_eq!(
        changes(&place.json(0, &["status"])["drift"]),
        ["replace beta 1.0 1.0"]
    );
}

#[test]
fn without_a_yes_it_stops_with_a_plan_that_can_be_named() {
    let place = Place::new();
    let _ = place.portenv(&["lock"]).success();
    let before = place.state();
    let document = place.json(2, &["sync"]);
    assert_eq!(document["error"]["code"], "confirm");
    let plan = document["plan"].as_str().unwrap().to_owned();
    assert_eq!(place.state(), before);
    assert_eq!(place.history(), Vec::<String>::new());

    let stale = place.json(1, &["sync", "--plan", "0123456789abcdef"]);
    assert_eq!(stale["error"]["code"], "plan-stale");
    assert_eq!(place.state(), before);
    let argv = strings_of(&document["next"][0]["argv"]);
    assert_eq!(
        argv,
        ["portenv", "sync", "--format", "json", "--plan", &plan]
    );
    let _ = place.portenv(&argv[1..]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
}

#[test]
fn without_a_lock_there_is_nothing_to_sync_to() {
    let place = Place::new();
    assert_eq!(
        place.json(2, &["sync", "--yes"])["error"]["code"],
        "not-found"
    );
}

#[test]
fn a_stale_lock_is_gone_by_with_a_warning() {
    let place = Place::synced();
    let fresh = place.json(0, &["sync", "--dry-run"]);
    assert_eq!(fresh["warnings"], serde_json::json!([]));
    place.write("requirements.txt", "alpha\nbeta<2\ngamma\n");
    let stale = place.json(0, &["sync", "--dry-run"]);
    assert_eq!(stale["warnings"][0]["code"], "stale", "{stale}");
}

#[test]
fn a_bystander_with_two_metadata_directories_is_in_nobodys_way() {
    let place = Place::synced();
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    let site = place.site_packages();
    let second = site.join("mine-0.9.dist-info");
    std::fs::create_dir(&second).unwrap();
    for part in ["METADATA", "RECORD", "WHEEL"] {
        let text = std::fs::read_to_string(site.join("mine-1.0.dist-info").join(part)).unwrap();
        let text = text.replace("Version: 1.0", "Version: 0.9");
        std::fs::write(second.join(part), text.replace("mine-1.0", "mine-0.9")).unwrap();
    }
    place.uninstall_behind_its_back("beta");
    let sync = place.json(0, &["sync", "--yes"]);
    assert_eq!(changes(&sync), ["add beta - 1.0"]);
    assert!(second.exists() && site.join("mine/__init__.py").exists());
}
