//! `check`.

use super::place::{Place, assert_fields, assert_tree, strings, tree};
use crate::support::Wheel;

#[track_caller]
fn codes(place: &Place, arguments: &[&str]) -> Vec<String> {
    let document = place.json(1, arguments);
    assert_eq!(document["status"], "fail");
    let mut codes = strings(&document["findings"], "code");
    codes.dedup();
    codes
}

#[test]
fn a_clean_installation_passes_and_nothing_is_written() {
    let place = Place::synced();
    let before = tree(place.root());
    let document = place.json(0, &["check"]);
    assert_eq!(
        (&document["schema"], &document["status"]),
        (&"portenv.check/1".into(), &"pass".into())
    );
    assert_fields(&document, "findings conflicts changes against");
    let node = place.offered("some-node", "gamma\n");
    assert_eq!(place.json(0, &["check", &node])["status"], "pass");
    assert_tree(place.root(), &before);
}

#[test]
fn a_stale_lock_and_another_environment_fail() {
    let place = Place::synced();
    place.install_behind_its_back(&Wheel::new("beta", "1.7").build());
    assert_eq!(codes(&place, &["check"]), ["PE003"]);
    place.node("some-node", "gamma\n");
    assert_eq!(codes(&place, &["check"]), ["PE002", "PE003"]);
    std::fs::remove_file(place.root().join("pylock.toml")).unwrap();
    assert_eq!(codes(&place, &["check"]), ["PE002"]);
}

#[test]
fn a_conflict_fails_and_is_told_with_its_lines() {
    let place = Place::synced();
    let node = place.offered("new-beta", "beta>=2\n");
    let document = place.json(1, &["check", &node]);
    let finding = &document["findings"][0];
    assert_fields(
        finding,
        "code level message origin packages new fingerprint",
    );
    assert_eq!(
        (&finding["code"], &finding["level"]),
        (&"PE001".into(), &"error".into())
    );
    assert_eq!(finding["packages"], serde_json::json!(["beta"]));
    assert_eq!(document["conflicts"].as_array().unwrap().len(), 1);
    // One that is there already fails the gate too.
    place.node("new-beta", "beta>=2\n");
    assert!(codes(&place, &["check"]).contains(&"PE001".into()));
}

#[test]
fn a_protected_package_that_would_change_fails() {
    let place = Place::new();
    place.server.add(Wheel::new("torch", "2.9.0").build());
    place.server.add(Wheel::new("torch", "2.10.0").build());
    place.install_behind_its_back(&Wheel::new("torch", "2.9.0").build());
    let node = place.offered("greedy", "torch>=2.10\n");
    assert_eq!(codes(&place, &["check", &node]), ["PE004"]);
}

#[test]
fn a_line_that_cannot_be_read_fails_with_its_place() {
    let place = Place::synced();
    place.node("broken", "gamma\n=== what?\n");
    let document = place.json(1, &["check"]);
    let findings = document["findings"].as_array().unwrap();
    let finding = findings
        .iter()
        .find(|finding| finding["code"] == "PE005")
        .unwrap();
    assert_eq!(
        (&finding["origin"]["file"], &finding["origin"]["line"]),
        (&"custom_nodes/broken/requirements.txt".into(), &2.into())
    );
}

#[test]
fn owners_of_the_same_modules_are_told() {
    let place = Place::new();
    place.server.add(Wheel::new("opencv-python", "4.0").build());
    place
        .server
        .add(Wheel::new("opencv-python-headless", "4.0").build());
    place.write(
        "requirements.txt",
        "opencv-python\nopencv-python-headless\n",
    );
    place.settings("[check]\nPE002 = \"off\"\nPE006 = \"error\"\n");
    assert_eq!(codes(&place, &["check"]), ["PE006"]);
    place.settings("[check]\nPE002 = \"off\"\nPE006 = \"warn\"\n");
    let document = place.json(0, &["check"]);
    assert_eq!(
        (
            strings(&document["findings"], "code"),
            strings(&document["findings"], "level")
        ),
        (vec!["PE006".into()], vec!["warn".into()])
    );
    place.settings("[check]\nPE002 = \"off\"\nPE006 = \"off\"\n");
    assert_eq!(place.json(0, &["check"])["findings"], serde_json::json!([]));
}

#[test]
fn a_withdrawn_version_that_is_locked_is_told() {
    let place = Place::new();
    let yanked = crate::support::Hosted::from(Wheel::new("beta", "1.5").build()).yanked("broken");
    place.server.add(yanked);
    place.write("requirements.txt", "beta==1.5\n");
    place.settings("[check]\nPE002 = \"off\"\nPE007 = \"error\"\n");
    assert_eq!(codes(&place, &["check"]), ["PE007"]);
}

#[test]
fn an_install_script_that_changes_packages_is_told_and_never_run() {
    let place = Place::synced();
    let trace = place.dir().join("ran");
    place.node("scripted", "");
    place.write(
        "custom_nodes/scripted/install.py",
        format!(
            "import subprocess\nopen({:?}, 'w')\nsubprocess.run(['pip', 'install', 'x'])\n",
            trace.as_str()
        ),
    );
    place.settings("[check]\nPE002 = \"off\"\nPE008 = \"error\"\n");
    assert_eq!(codes(&place, &["check"]), ["PE008"]);
    assert!(!trace.exists());
}
