//! `status`, `recover` without anything to do, and `portenv` alone.

use std::time::SystemTime;

use serde_json::Value;

use super::place::{Place, assert_fields, assert_tree, changes, strings, strings_of, tree};
use crate::support::{Sandbox, Wheel};

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

#[test]
fn in_each_state_it_names_the_command_that_comes_next() {
    let place = Place::new();
    let next = |place: &Place| {
        let run = place.portenv(&[]).success();
        let hints = run.stderr().lines();
        let hints = hints.filter_map(|line| line.strip_prefix("hint: portenv "));
        let words = hints.filter_map(|hint| hint.split(' ').next());
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(next(&place), ["init", "lock"], "nothing is recorded yet");
    let _ = place.portenv(&["init"]).success();
    assert_eq!(next(&place), ["lock"]);
    let _ = place.portenv(&["lock"]).success();
    assert_eq!(next(&place), ["sync"], "locked, and not installed");
    let unsynced = &place.json(0, &["status"])["unsynced"];
    assert_eq!(strings(unsynced, "kind"), ["add", "add"]);
    let _ = place.portenv(&["sync", "--yes"]).success();
    assert_eq!(next(&place), Vec::<String>::new());
    let fine = place.portenv(&[]).success();
    assert!(fine.stderr().contains("nothing is amiss"), "{fine}");
    assert_eq!(
        place.json(0, &["status"])["unsynced"],
        serde_json::json!([])
    );
    place.install_behind_its_back(&Wheel::new("beta", "1.7").build());
    assert_eq!(next(&place), ["rollback"], "drift is settled first");
    let _ = place.portenv(&["snapshot", "create"]).success();
    assert_eq!(next(&place), ["sync"], "it is kept, and not what is locked");
    place.comfyui("alpha\nbeta<2\ngamma\n");
    assert_eq!(next(&place).last().unwrap(), "lock", "the lock is stale");
}

#[test]
fn portenv_alone_where_there_is_no_comfyui_names_the_tour() {
    let empty = Sandbox::new();
    let run = empty.portenv(&[]).expect_code(2);
    assert!(run.stderr().contains("portenv demo"), "{run}");
    let run = empty.portenv(&["status"]).expect_code(2);
    assert!(!run.stderr().contains("portenv demo"), "{run}");
}

#[test]
fn drift_tells_the_program_the_time_and_the_node_that_asks() {
    let place = Place::synced();
    let began = SystemTime::now();
    place.node("some-node", "beta>=1.5\n");
    place.install_behind_its_back(&Wheel::new("beta", "1.7").build());
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    let status = place.json(0, &["status"]);
    let traces = status["traces"].as_array().unwrap();
    assert_eq!(traces.len(), 1, "both came in one go: {status}");
    assert_eq!(traces[0]["by"], "uv");
    assert_eq!(strings_of(&traces[0]["packages"]), ["beta", "mine"]);
    assert_eq!(strings_of(&traces[0]["requested"]), ["beta", "mine"]);
    let time: jiff::Timestamp = traces[0]["began"].as_str().unwrap().parse().unwrap();
    let began = jiff::Timestamp::try_from(began).unwrap();
    assert!((time.as_second() - began.as_second()).abs() < 60, "{time}");
    let node = &traces[0]["nodes"][0];
    assert_eq!(
        (&node["node"], &node["is_new"]),
        (&"some-node".into(), &true.into())
    );
    let why = node["why"].as_str().unwrap();
    assert!(
        why.ends_with("some-node/requirements.txt:1 asks for beta>=1.5"),
        "{why}"
    );

    let run = place.portenv(&["status"]).success();
    assert!(run.stdout().contains("by uv at "), "{run}");
    assert!(run.stdout().contains("beta 1.0 → 1.7, mine 1.0"), "{run}");
    assert!(
        run.stdout()
            .contains("perhaps for some-node, which is new too"),
        "{run}"
    );
}

#[test]
fn an_install_script_that_names_what_came_is_told_and_a_removal_is_nobodys() {
    let place = Place::synced();
    let text = "import subprocess\nsubprocess.run(['pip', 'install', 'Mine==1.0'])\n";
    place.write("custom_nodes/some-node/install.py", text);
    let other = text.replace("Mine", "other");
    place.write("custom_nodes/other-node/install.py", other);
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    place.uninstall_behind_its_back("beta");
    let status = place.json(0, &["status"]);
    let traces = status["traces"].as_array().unwrap();
    assert_eq!(
        strings(&traces[0]["nodes"], "node"),
        ["some-node"],
        "{status}"
    );
    let removal = &traces[1];
    assert_eq!(strings_of(&removal["packages"]), ["beta"]);
    assert_eq!(
        (&removal["by"], &removal["began"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn what_manager_will_do_at_the_next_start_is_told_in_words() {
    let place = Place::synced();
    let dir = "user/__manager/startup-scripts";
    let script = "['custom_nodes/old-node', '#LAZY-DELETE-NODEPACK']\n";
    place.write(&format!("{dir}/install-scripts.txt"), script);
    place.write(&format!("{dir}/restore-snapshot.json"), "{}");
    let pending = &place.json(0, &["status"])["pending"];
    assert_eq!(strings_of(&pending[0]["actions"]), ["deletes old-node"]);
    let restore = ["restores a snapshot of ComfyUI-Manager"];
    assert_eq!(strings_of(&pending[1]["actions"]), restore);
    let run = place.portenv(&["status"]).success();
    assert!(run.stdout().contains("deletes old-node"), "{run}");
    assert!(run.stderr().contains("portenv snapshot create"), "{run}");
}

#[test]
fn files_that_were_edited_in_a_node_are_named() {
    let place = Place::synced();
    place.git_node("some-node", "");
    place.git_node("quiet-node", "");
    let _ = place.portenv(&["snapshot", "create"]).success();
    place.write("custom_nodes/some-node/__init__.py", "edited = True\n");
    place.write("custom_nodes/some-node/untracked.py", "");
    let status = place.json(0, &["status"]);
    assert_eq!(
        strings(&status["edited"], "dir"),
        ["custom_nodes/some-node"]
    );
    assert_eq!(strings_of(&status["edited"][0]["files"]), ["__init__.py"]);
    let run = place.portenv(&["status"]).success();
    assert!(
        run.stdout()
            .contains("edited in custom_nodes/some-node: __init__.py"),
        "{run}"
    );
}

/// Makes the same installation anew: another root, another index address, another time.
fn equal_place() -> Place {
    let place = Place::synced();
    place.node("plain-node", "beta\n");
    place.write("custom_nodes/single.py", "NODE_CLASS_MAPPINGS = {}\n");
    place
}

#[test]
fn the_state_digest_is_equal_on_equal_machines_and_tells_others_apart() {
    let state = |place: &Place| {
        place.json(0, &["status"])["state"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (one, two) = (equal_place(), equal_place());
    let before = state(&one);
    assert_eq!(before, state(&two));
    assert_ne!(one.root(), two.root());

    // What a node and Python write when they run is not the installation.
    two.write("custom_nodes/plain-node/__pycache__/x.cpython-312.pyc", "x");
    two.write("custom_nodes/plain-node/settings.json", "{}");
    let _ = two.portenv(&["snapshot", "create"]).success();
    assert_eq!(before, state(&two));

    let code = "custom_nodes/plain-node/__init__.py";
    let text = two.read(code);
    two.write(code, text.replace("{}", "[]"));
    let edited = state(&two);
    assert_ne!(before, edited, "the code of a plain node");
    two.write(code, text);
    assert_eq!(before, state(&two));
    let wheel = Wheel::new("beta", "1.0").file("beta/__init__.py", "other = True\n");
    two.install_behind_its_back(&wheel.build());
    assert_ne!(before, state(&two), "another build of one version");

    one.write("main.py", "print(2)\n");
    let dirty = state(&one);
    assert_ne!(before, dirty, "an edit of the core");
    one.write("main.py", "print(3)\n");
    assert_ne!(dirty, state(&one), "another edit of the core");
}

#[test]
fn the_state_digest_tells_where_a_node_is_enabled_and_where_not() {
    let place = equal_place();
    let state = || place.json(0, &["status"])["state"].clone();
    let before = state();
    let _ = place.portenv(&["disable", "plain-node", "--yes"]).success();
    assert_ne!(before, state());
    let _ = place.portenv(&["enable", "plain-node", "--yes"]).success();
    assert_eq!(before, state());
}
