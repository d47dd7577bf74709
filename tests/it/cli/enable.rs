//! `enable` and `disable`.

use super::place::{Place, assert_error, assert_fields, changes, strings};

fn with_node() -> Place {
    let place = Place::synced();
    let url = place.git_remote("some-node", "gamma\n");
    let _ = place.portenv(&["add", &url, "--yes"]).success();
    place
}

#[test]
fn a_node_goes_and_comes_with_what_only_it_asks_for() {
    let place = with_node();
    place.node("keeps-delta", "delta\n");
    // Changed files are no hindrance: the directory moves with all that is in it.
    place.write("custom_nodes/some-node/__init__.py", "mine = True\n");
    let document = place.json(0, &["disable", "some-node", "--yes"]);
    assert_eq!(
        (&document["schema"], &document["status"]),
        (&"portenv.disable/1".into(), &"done".into())
    );
    assert_fields(
        &document,
        "operation before after changes nodes conflicts warnings",
    );
    assert_eq!(changes(&document), ["remove gamma 1.0 -"]);
    assert_eq!(
        (
            strings(&document["nodes"], "kind"),
            strings(&document["nodes"], "dir")
        ),
        (
            vec!["disable".to_owned()],
            vec!["custom_nodes/.disabled/some-node".to_owned()]
        )
    );
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, delta 2.0");
    let _ = place.portenv(&["lock", "--check"]).success();
    let _ = place.portenv(&["status", "--exit-code"]).success();

    let back = place.json(0, &["enable", "some-node", "--yes"]);
    assert_eq!(
        (
            &back["schema"],
            changes(&back),
            strings(&back["nodes"], "kind")
        ),
        (
            &"portenv.enable/1".into(),
            vec!["add gamma - 1.0".to_owned()],
            vec!["enable".to_owned()]
        )
    );
    assert_eq!(
        place.read("custom_nodes/some-node/__init__.py"),
        "mine = True\n"
    );
    let _ = place.portenv(&["lock", "--check"]).success();
    let _ = place.portenv(&["status", "--exit-code"]).success();
}

#[test]
fn all_forms_of_disabled_are_enabled_and_rollback_restores_each_by_its_name() {
    for (form, to) in [
        (
            "custom_nodes/foo.disabled/requirements.txt",
            "custom_nodes/foo",
        ),
        ("custom_nodes/foo.py.disabled", "custom_nodes/foo.py"),
        (
            "custom_nodes/.disabled/foo/requirements.txt",
            "custom_nodes/foo",
        ),
        (
            "custom_nodes/.disabled/foo@1_4_0/requirements.txt",
            "custom_nodes/foo",
        ),
        (
            "custom_nodes/.disabled/foo@nightly/requirements.txt",
            "custom_nodes/foo",
        ),
    ] {
        let place = Place::synced();
        place.write(form, "delta\n");
        let _ = place.portenv(&["snapshot", "create"]).success();
        let before = place.state();
        let document = place.json(0, &["enable", "foo", "--yes"]);
        assert_eq!(strings(&document["nodes"], "dir"), [to], "{form}");
        assert!(place.root().join(to).exists(), "{form}");
        assert!(!place.root().join(form).exists(), "{form}");
        let asks = form.ends_with(".txt");
        assert_eq!(place.installed().contains_key("delta"), asks, "{form}");
        let _ = place.portenv(&["rollback", "--yes"]).success();
        assert_eq!(place.state(), before, "{form}");
        let _ = place.portenv(&["rollback", "--yes"]).success();
        assert!(place.root().join(to).exists(), "{form}");
    }
}

#[test]
fn of_several_versions_one_is_named() {
    let place = Place::synced();
    for (version, line) in [("1.4.0", "delta<2\n"), ("2.0.0", "delta>=2\n")] {
        let dir = format!("custom_nodes/.disabled/foo@{}", version.replace('.', "_"));
        place.write(&format!("{dir}/.tracking"), "");
        place.write(&format!("{dir}/requirements.txt"), line);
        let project = format!("[project]\nname = \"foo\"\nversion = \"{version}\"\n");
        place.write(&format!("{dir}/pyproject.toml"), project);
    }
    let before = place.state();
    let run = place
        .portenv(&["enable", "foo", "--yes", "--format", "json"])
        .expect_code(2);
    assert_error(&run, "ambiguous-id");
    for version in ["foo@1_4_0", "foo@2_0_0"] {
        assert!(run.stderr().contains(version), "{run}");
    }
    assert_eq!(place.state(), before);

    let _ = place.portenv(&["enable", "foo@1.4.0", "--yes"]).success();
    assert_eq!(place.installed()["delta"], "1.0");
    // The other one cannot be there too.
    let taken = place
        .portenv(&["enable", "foo", "--yes", "--format", "json"])
        .expect_code(4);
    assert_error(&taken, "in-use");
    let _ = place.portenv(&["disable", "foo", "--yes"]).success();
    let _ = place
        .portenv(&["enable", "custom_nodes/.disabled/foo@2_0_0", "--yes"])
        .success();
    assert_eq!(place.installed()["delta"], "2.0");
    // The plain place is taken by the other version: both stay apart.
    let document = place.json(0, &["disable", "foo", "--yes"]);
    assert_eq!(
        strings(&document["nodes"], "dir"),
        ["custom_nodes/.disabled/foo@2_0_0"]
    );
}

#[test]
fn without_a_yes_it_stops_with_a_plan_that_can_be_named() {
    let place = with_node();
    let (before, history) = (place.state(), place.history());
    let run = place
        .portenv(&["disable", "some-node", "--format", "json"])
        .expect_code(2);
    assert_error(&run, "confirm");
    assert!(run.stderr().contains("gamma"), "{run}");
    assert_eq!((place.state(), place.history()), (before, history));
    let plan = run.json()["plan"].as_str().unwrap().to_owned();
    let _ = place
        .portenv(&["disable", "some-node", "--plan", &plan])
        .success();
    let stale = place
        .portenv(&["enable", "some-node", "--plan", &plan, "--format", "json"])
        .expect_code(1);
    assert_error(&stale, "plan-stale");
}

#[test]
fn what_is_so_already_is_nothing_and_what_is_not_there_is_not_found() {
    let place = with_node();
    let history = place.history();
    let document = place.json(0, &["enable", "some-node", "--yes"]);
    assert_eq!(
        (&document["status"], strings(&document["warnings"], "code")),
        (&"nothing".into(), vec!["already".to_owned()])
    );
    let run = place
        .portenv(&["disable", "other-node", "--yes", "--format", "json"])
        .expect_code(2);
    assert_error(&run, "not-found");
    assert_eq!(place.history(), history);
}

#[test]
fn a_conflict_or_a_protected_package_keeps_a_node_disabled() {
    let place = Place::synced();
    place.write("custom_nodes/.disabled/bad/requirements.txt", "beta>=2\n");
    place.write(
        "custom_nodes/.disabled/other/requirements.txt",
        "alpha<1.1\n",
    );
    place.settings("[policy]\nprotect = [\"alpha\"]\n");
    let before = place.state();
    assert_eq!(
        place.json(1, &["enable", "bad", "--yes"])["status"],
        "conflict"
    );
    assert_eq!(
        place.json(1, &["enable", "other", "--yes"])["status"],
        "blocked"
    );
    assert_eq!(place.state(), before);
    let allowed = place.json(0, &["enable", "other", "--yes", "--allow-change", "alpha"]);
    assert_eq!(changes(&allowed), ["downgrade alpha 1.1 1.0"]);
}

#[test]
fn of_several_directories_of_nodes_each_keeps_its_own() {
    let place = Place::synced();
    place.settings("[installation]\ncustom-nodes = [\"custom_nodes\", \"more/nodes\"]\n");
    place.write("more/nodes/far-node/requirements.txt", "delta\n");
    let _ = place.portenv(&["lock"]).success();
    let _ = place.portenv(&["sync", "--yes"]).success();
    let _ = place.portenv(&["disable", "far-node", "--yes"]).success();
    assert!(place.root().join("more/nodes/.disabled/far-node").exists());
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
    let _ = place.portenv(&["enable", "far-node", "--yes"]).success();
    assert!(place.root().join("more/nodes/far-node").exists());
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, delta 2.0");
}
