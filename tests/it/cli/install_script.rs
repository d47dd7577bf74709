//! `add --run-install-script`: what an `install.py` may do, and what becomes of it.

use serde_json::Value;

use super::place::{Place, assert_error, changes, strings};
use crate::support::Wheel;

/// Calls uv past the constraints, as a script can that means to.
const PAST: &str = "\
import os, subprocess
env = {name: value for name, value in os.environ.items() if name != 'UV_CONSTRAINT'}
def uv(*words):
    subprocess.check_call(['uv', 'pip', 'install', *words], env=env)
";

/// Makes a node with this `install.py`.
fn scripted(place: &Place, script: &str) -> String {
    let node = place.offered("scripted", "");
    std::fs::write(format!("{node}/install.py"), script).unwrap();
    node
}

/// Returns the message of the warning with this code.
#[track_caller]
fn told<'a>(document: &'a Value, code: &str) -> &'a str {
    let warnings = document["warnings"].as_array().unwrap();
    let found = warnings.iter().find(|warning| warning["code"] == code);
    found
        .unwrap_or_else(|| panic!("no {code}: {document}"))
        .get("message")
        .and_then(Value::as_str)
        .unwrap()
}

#[test]
fn what_breaks_the_lock_is_put_back_and_told() {
    let place = Place::synced();
    let node = scripted(&place, &format!("{PAST}uv('beta==2.0')\n"));
    let document = place.json(0, &["add", &node, "--yes", "--run-install-script"]);
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
    assert_eq!(changes(&document), Vec::<String>::new());
    let message = told(&document, "install-script-put-back");
    assert!(message.contains("`scripted`") && message.ends_with(": beta 1.0 → 2.0"));
    assert!(told(&document, "install-script-calls").contains("`uv pip install beta==2.0`"));
    let _ = place.portenv(&["status", "--exit-code"]).success();
    let _ = place.portenv(&["verify"]).success();
}

#[test]
fn files_of_a_locked_package_that_were_replaced_are_put_back() {
    let place = Place::synced();
    let before = place.installed_digests();
    let other = Wheel::new("beta", "1.0").file("beta/other.py", "0").build();
    let other = place.save(&other);
    let script = format!("{PAST}uv('--reinstall', {:?})\n", other.as_str());
    let node = scripted(&place, &script);
    let document = place.json(0, &["add", &node, "--yes", "--run-install-script"]);
    assert!(told(&document, "install-script-put-back").contains("beta 1.0 (other files)"));
    assert_eq!(place.installed_digests(), before);
}

#[test]
fn an_unrelated_package_stays_is_told_and_goes_with_a_rollback() {
    let place = Place::synced();
    let node = scripted(
        &place,
        "import subprocess\nsubprocess.check_call(['uv', 'pip', 'install', 'gamma'])\n",
    );
    let document = place.json(0, &["add", &node, "--yes", "--run-install-script"]);
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, delta 2.0, gamma 1.0");
    assert_eq!(changes(&document), ["add delta - 2.0", "add gamma - 1.0"]);
    assert!(told(&document, "install-script-packages").ends_with(": delta 2.0, gamma 1.0"));
    let list = place.json(0, &["snapshot", "list"]);
    let command = &strings(&list["snapshots"], "command")[0];
    assert!(command.contains("--run-install-script"), "{command}");
    let _ = place.portenv(&["lock", "--check"]).success();

    let _ = place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
    assert!(!place.root().join("custom_nodes/scripted").exists());
}

#[test]
fn a_package_that_contradicts_the_lock_is_taken_out_with_those_that_need_it() {
    let place = Place::synced();
    let bad = place.save(&Wheel::new("epsilon", "1.0").requires("beta>=2").build());
    let its = place.save(&Wheel::new("zeta", "1.0").requires("epsilon").build());
    let script = format!(
        "{PAST}uv('--no-deps', {:?}, {:?}, 'delta==1.0')\n",
        bad.as_str(),
        its.as_str()
    );
    let node = scripted(&place, &script);
    let document = place.json(0, &["add", &node, "--yes", "--run-install-script"]);
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, delta 1.0");
    let message = told(&document, "install-script-taken-out");
    assert!(
        message.ends_with(": epsilon 1.0 (it needs beta>=2), zeta 1.0 (it needs epsilon)"),
        "{message}"
    );
}

#[test]
fn its_installers_keep_to_the_lock_and_it_gets_no_input() {
    let place = Place::synced();
    let script = "\
import os, subprocess, sys, urllib.parse, urllib.request
assert sys.stdin.read() == ''
assert os.getcwd().endswith('scripted'), os.getcwd()
for name in ['PIP_CONSTRAINT', 'UV_CONSTRAINT']:
    path = urllib.parse.urlsplit(os.environ[name]).path
    text = open(urllib.request.url2pathname(path)).read()
    assert text == 'alpha==1.1\\nbeta==1.0\\n', text
print('all is \\x1b[2J well')
subprocess.check_call(['uv', 'pip', 'install', 'beta==2.0'])
";
    let node = scripted(&place, script);
    let before = (place.state(), place.history());
    let run = place
        .portenv(&["add", &node, "--yes", "--run-install-script"])
        .expect_code(4);
    assert!(
        run.stderr().contains("  | all is \u{fffd}[2J well"),
        "{run}"
    );
    assert!(run.stderr().contains("beta==1.0"), "uv tells why: {run}");
    assert_eq!((place.state(), place.history()), before);
}

#[test]
fn one_that_fails_undoes_everything_and_its_last_lines_are_told() {
    let place = Place::synced();
    let script = format!(
        "{PAST}uv('beta==2.0', 'gamma')\nprint('looking for a compiler')\nraise SystemExit(3)\n"
    );
    let node = scripted(&place, &script);
    let before = (place.state(), place.history());
    let run = place
        .portenv(&[
            "add",
            &node,
            "--yes",
            "--run-install-script",
            "--format",
            "json",
        ])
        .expect_code(4);
    assert_error(&run, "apply");
    let message = run.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with("install.py of `scripted` ended with exit code 3")
            && message.ends_with("looking for a compiler"),
        "{message}"
    );
    assert_eq!((place.state(), place.history()), before);
}

#[test]
fn one_that_hangs_is_ended_with_what_it_started_and_undone() {
    let place = Place::synced();
    // Both have the directory lock as their input: while either lives, nobody else gets it.
    let script = "\
import subprocess, sys, time
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
print('waiting', flush=True)
time.sleep(600)
";
    let node = scripted(&place, script);
    let before = (place.state(), place.history());
    let limited = ["--install-timeout", "2"];
    let words = ["add", &node, "--yes", "--run-install-script"];
    let run = place
        .portenv(&[&words[..], &limited[..]].concat())
        .expect_code(4);
    assert!(run.stderr().contains("was ended after 2 s"), "{run}");
    assert_eq!((place.state(), place.history()), before);
    let _ = place.portenv(&["sync", "--yes"]).success();

    let run = place
        .portenv(&[&["add", &node, "--yes"][..], &limited[..]].concat())
        .expect_code(2);
    assert!(run.stderr().contains("--run-install-script"), "{run}");
}

#[test]
fn a_file_that_git_tracks_and_that_it_edits_is_told() {
    let place = Place::synced();
    let url = place.git_remote("some-node", "");
    let remote = place.remote_dir("some-node");
    let script = "\
open('config.json', 'w').write('{}')
open('notes.txt', 'w').write('of nobody')
";
    std::fs::write(remote.join("config.json"), "[]").unwrap();
    std::fs::write(remote.join("install.py"), script).unwrap();
    place.commit_all(&remote, "Write install.py");
    let document = place.json(0, &["add", &url, "--yes", "--run-install-script"]);
    assert!(
        told(&document, "install-script-files").ends_with(": custom_nodes/some-node/config.json")
    );
    assert_eq!(place.read("custom_nodes/some-node/config.json"), "{}");
}

#[test]
fn it_is_not_run_unless_a_plan_that_says_so_was_confirmed() {
    let place = Place::synced();
    let trace = place.dir().join("ran");
    let script = format!("import subprocess\nopen({:?}, 'w')\n", trace.as_str());
    let node = scripted(&place, &script);
    let before = place.state();
    let preview = place.json(0, &["preview", &node]);
    let run = place
        .portenv(&["add", &node, "--run-install-script", "--format", "json"])
        .expect_code(2);
    assert_error(&run, "confirm");
    let plan = run.json()["plan"].as_str().unwrap().to_owned();
    assert_ne!(preview["plan"], plan.as_str());
    let other = preview["plan"].as_str().unwrap();
    let _ = place
        .portenv(&["add", &node, "--run-install-script", "--plan", other])
        .expect_code(1);
    assert_eq!(place.state(), before);
    let _ = place.portenv(&["add", &node, "--yes"]).success();
    assert!(!trace.exists());

    let plan = place
        .portenv(&["add", &node, "--run-install-script", "--format", "json"])
        .expect_code(2);
    assert!(
        plan.stderr()
            .contains("install.py of scripted, which will be run, says nothing of"),
        "{plan}"
    );
    let plan = plan.json()["plan"].as_str().unwrap().to_owned();
    let _ = place
        .portenv(&["add", &node, "--run-install-script", "--plan", &plan])
        .success();
    assert!(trace.exists());
}

#[test]
fn a_file_of_the_core_that_it_edits_is_told_and_a_failure_names_it() {
    let place = Place::synced();
    let script = "open('../../main.py', 'a').write('pass\\n')\n";
    let node = scripted(&place, script);
    let document = place.json(0, &["add", &node, "--yes", "--run-install-script"]);
    assert!(told(&document, "install-script-files").ends_with(": main.py"));

    place.git(place.root(), &["checkout", "--quiet", "main.py"]);
    let node = scripted(&place, &format!("{script}raise SystemExit(1)\n"));
    let run = place
        .portenv(&["add", &node, "--yes", "--run-install-script"])
        .expect_code(4);
    let wanted = "ended with exit code 1, and changed files that stay so: main.py; it said nothing";
    assert!(run.stderr().contains(wanted), "{run}");
}
