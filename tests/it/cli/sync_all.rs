//! `sync --all`: the whole installation of a lock.

use camino::Utf8PathBuf;
use serde_json::Value;

use super::place::{Place, assert_error, changes, strings};
use crate::support::Sandbox;
#[cfg(unix)]
use crate::support::{FaultyUv, Mode};

const LOCK: &str = "pylock.toml";

/// An installation whose ComfyUI has a remote, with `some-node` of another.
struct First {
    place: Place,
    dir: Utf8PathBuf,
}

impl First {
    fn new() -> Self {
        let place = Place::synced();
        let url = place.git_remote("some-node", "gamma\n");
        let _ = place.portenv(&["add", &url, "--yes"]).success();
        let core = place.remote_dir("ComfyUI");
        let root = place.root();
        place.git(root, &["clone", "-q", root.as_str(), core.as_str()]);
        follow_core(&place.sandbox, &place);
        Self {
            dir: place.root().join("custom_nodes/some-node"),
            place,
        }
    }

    /// Commits upstream of a remote, and goes to that commit here.
    fn moved(&self, remote: &str, dir: &str, file: &str, text: &str) -> String {
        let theirs = self.place.remote_dir(remote);
        std::fs::write(theirs.join(file), text).unwrap();
        let commit = self.place.commit_all(&theirs, &format!("Write {file}"));
        let here = self.place.root().join(dir);
        self.place.git(&here, &["fetch", "-q", "origin"]);
        self.place.git(&here, &["checkout", "-q", &commit]);
        commit
    }

    /// Makes a second installation: the first ComfyUI, an empty environment, no node.
    fn second(&self) -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.comfyui("alpha\nbeta<2\n");
        sandbox.venv();
        sandbox.write("portenv.toml", self.place.read("portenv.toml"));
        follow_core(&sandbox, &self.place);
        sandbox
    }

    fn head(&self) -> String {
        self.place.git(&self.dir, &["rev-parse", "HEAD"])
    }

    /// Runs it where it must fail and leave everything alone.
    #[track_caller]
    fn refused(&self, code: i32, more: &[&str], word: &str) -> String {
        let before = (self.place.state(), self.place.history());
        let all: Vec<&str> = ["sync", "--all", "--format", "json"]
            .iter()
            .chain(more)
            .copied()
            .collect();
        let run = self.place.portenv(&all).expect_code(code);
        assert_error(&run, word);
        assert_eq!((self.place.state(), self.place.history()), before, "{run}");
        run.stderr().to_owned()
    }
}

fn follow_core(sandbox: &Sandbox, place: &Place) {
    let remote = place.remote_dir("ComfyUI");
    sandbox.git(
        sandbox.root(),
        &["remote", "add", "origin", remote.as_str()],
    );
}

fn json(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let mut all = arguments.to_vec();
    all.extend(["--format", "json"]);
    sandbox.portenv(&all).success().json()
}

fn state_of(sandbox: &Sandbox) -> String {
    let status = json(sandbox, &["status"]);
    status["state"].as_str().unwrap().to_owned()
}

fn node_lines(document: &Value) -> Vec<String> {
    let line = |change: &Value| format!("{} {}", change["kind"], change["dir"]).replace('"', "");
    document["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(line)
        .collect()
}

#[test]
fn a_second_machine_with_the_lock_becomes_what_the_first_is() {
    let first = First::new();
    let idle = first.place.git_remote("idle-node", "delta<2\n");
    let _ = first.place.portenv(&["add", &idle, "--yes"]).success();
    let off = ["disable", "idle-node", "--yes"];
    let _ = first.place.portenv(&off).success();
    let core = first.moved("ComfyUI", ".", "requirements.txt", "alpha\nbeta\n");
    let node = first.moved(
        "some-node",
        "custom_nodes/some-node",
        "code.py",
        "print()\n",
    );
    let _ = first.place.portenv(&["lock"]).success();
    let _ = first.place.portenv(&["sync", "--yes"]).success();

    let second = first.second();
    let _ = second.portenv(&["init"]).success();
    second.write(LOCK, first.place.read(LOCK));
    let done = json(&second, &["sync", "--all", "--yes"]);
    assert_eq!(done["status"], "done", "{done}");
    assert_eq!(strings(&done["nodes"], "kind"), ["add", "add"]);
    assert_eq!(done["core"]["to"]["commit"], core);
    let here = second.root().join("custom_nodes/some-node");
    assert_eq!(second.git(&here, &["rev-parse", "HEAD"]), node);
    assert_eq!(state_of(&second), state_of(&first.place));
    assert_eq!(second.read(LOCK), first.place.read(LOCK));
    let _ = second.portenv(&["status", "--exit-code"]).success();
    let again = json(&second, &["sync", "--all", "--yes"]);
    assert_eq!(again["status"], "nothing", "{again}");
}

#[test]
fn what_moved_since_is_told_by_lock_check_which_passes_and_goes_back() {
    let first = First::new();
    let old = first.head();
    let new = first.moved("some-node", "custom_nodes/some-node", "code.py", "");
    let checked = json(&first.place, &["lock", "--check"]);
    let told = strings(&checked["warnings"], "message").join("\n");
    assert!(
        told.contains(&new[..10]) && told.contains(&old[..10]),
        "{checked}"
    );
    let told = json(&first.place, &["check"]);
    assert!(
        strings(&told["warnings"], "code").contains(&"moved".to_owned()),
        "{told}"
    );
    let dry = json(&first.place, &["sync", "--all", "--dry-run"]);
    assert_eq!(dry["status"], "dry-run");
    assert_eq!(node_lines(&dry), ["update custom_nodes/some-node"]);
    assert_eq!(first.head(), new);
    let asked = first.refused(2, &[], "confirm");
    assert!(
        asked.contains("node custom_nodes/some-node update"),
        "{asked}"
    );
    let plan = dry["plan"].as_str().unwrap();
    let done = json(&first.place, &["sync", "--all", "--plan", plan]);
    assert_eq!((done["status"].as_str(), first.head()), (Some("done"), old));
    first.refused(1, &["--plan", plan], "plan-stale");
    let quiet = json(&first.place, &["lock", "--check"]);
    assert_eq!(quiet["warnings"], serde_json::json!([]));

    let _ = first.place.portenv(&["undo", "--yes"]).success();
    assert_eq!(first.head(), new);
    let _ = first.place.portenv(&["redo", "--yes"]).success();
    assert_ne!(first.head(), new);
}

#[test]
fn undo_takes_all_of_it_back_and_redo_brings_it_again() {
    let first = First::new();
    let core = first.moved("ComfyUI", ".", "requirements.txt", "alpha\nbeta\n");
    let _ = first.place.portenv(&["lock"]).success();
    let second = first.second();
    second.node("own-node", "");
    let _ = second.portenv(&["init"]).success();
    let before = state_of(&second);
    let old = second.git(second.root(), &["rev-parse", "HEAD"]);
    second.write(LOCK, first.place.read(LOCK));
    let done = json(&second, &["sync", "--all", "--prune", "--yes"]);
    assert_eq!(
        node_lines(&done),
        ["remove custom_nodes/own-node", "add custom_nodes/some-node"]
    );
    let after = state_of(&second);
    let _ = second.portenv(&["undo", "--yes"]).success();
    assert_eq!(state_of(&second), before);
    assert_eq!(second.git(second.root(), &["rev-parse", "HEAD"]), old);
    let _ = second.portenv(&["redo", "--yes"]).success();
    assert_eq!(state_of(&second), after);
    assert_eq!(second.git(second.root(), &["rev-parse", "HEAD"]), core);
    let _ = second.portenv(&["rollback", "--yes"]).success();
    assert_eq!(state_of(&second), before);
}

#[test]
fn nodes_that_the_lock_does_not_name_stay_and_go_to_the_trash_with_prune() {
    let first = First::new();
    first.place.node("own-node", "");
    let kept = json(&first.place, &["sync", "--all", "--yes"]);
    assert_eq!(kept["status"], "nothing");
    let told = strings(&kept["warnings"], "message").join("\n");
    assert!(told.contains("own-node"), "{kept}");
    let done = json(&first.place, &["sync", "--all", "--prune", "--yes"]);
    assert_eq!(node_lines(&done), ["remove custom_nodes/own-node"]);
    let trash = first.place.trash();
    assert!(
        trash.iter().any(|name| name.ends_with("-own-node")),
        "{trash:?}"
    );
}

#[test]
fn checkouts_with_changed_files_are_all_named_and_never_moved() {
    let first = First::new();
    first.moved("some-node", "custom_nodes/some-node", "code.py", "");
    first.moved("ComfyUI", ".", "nodes.py", "");
    std::fs::write(first.dir.join("__init__.py"), "mine = True\n").unwrap();
    first.place.write("main.py", "mine\n");
    let told = first.refused(1, &["--yes"], "dirty");
    assert!(told.contains("`custom_nodes/some-node`, `.`"), "{told}");
    // Where nothing has to move they are in nobody's way.
    let _ = first.place.portenv(&["lock"]).success();
    let _ = first.place.portenv(&["sync", "--yes"]).success();
    let left = json(&first.place, &["sync", "--all", "--yes"]);
    assert_eq!(left["status"], "nothing", "{left}");
    assert!(
        strings(&left["warnings"], "code").contains(&"edited".to_owned()),
        "{left}"
    );
}

#[test]
fn a_plain_node_comes_from_the_trash_by_its_content_or_is_named_as_lost() {
    let first = First::new();
    let dir = first.place.node("plain-node", "");
    std::fs::write(dir.join("code.py"), "first = True\n").unwrap();
    let _ = first.place.portenv(&["lock"]).success();
    let lock = first.place.read(LOCK);
    let code = || std::fs::read_to_string(dir.join("code.py")).unwrap();
    let remove = ["remove", "plain-node", "--yes"];
    let _ = first.place.portenv(&remove).success();
    // Another one of the name came and went since.
    first.place.node("plain-node", "");
    std::fs::write(dir.join("code.py"), "second = True\n").unwrap();
    let _ = first.place.portenv(&remove).success();
    first.place.write(LOCK, &lock);
    let done = json(&first.place, &["sync", "--all", "--yes"]);
    assert_eq!(node_lines(&done), ["add custom_nodes/plain-node"]);
    assert_eq!(code(), "first = True\n");

    // What differs is replaced only by what is known to be it.
    let edited = "third = True\n";
    let gone = first.place.root().join(".portenv/trash");
    std::fs::remove_dir_all(&gone).unwrap();
    std::fs::write(dir.join("code.py"), edited).unwrap();
    let told = first.refused(1, &["--yes"], "refused");
    assert!(told.contains("plain-node"), "{told}");
    assert_eq!(code(), edited);
}

#[test]
fn a_lock_that_names_no_nodes_says_how_to_make_one_that_does() {
    let first = First::new();
    let lock = first.place.read(LOCK);
    let at = lock.find("core = {").unwrap();
    first.place.write(LOCK, &lock[..at]);
    let told = first.refused(1, &["--yes"], "refused");
    assert!(told.contains("portenv lock"), "{told}");
    let _ = first.place.portenv(&["lock", "--check"]).success();
    let _ = first.place.portenv(&["sync", "--yes"]).success();
}

#[test]
fn a_path_of_the_lock_leads_nowhere_beyond_the_directories_of_nodes() {
    let first = First::new();
    let lock = first.place.read(LOCK);
    let named = "\"custom_nodes/some-node\"";
    for dir in ["custom_nodes/..", "", "..", "custom_nodes/.git", "/", "a:b"] {
        let bad = lock.replace(named, &format!("\"{dir}\""));
        assert_ne!(bad, lock);
        first.place.write(LOCK, &bad);
        first.refused(1, &["--yes"], "refused");
    }
    // Of another layout, or made to do harm: a node goes where nodes go.
    for dir in ["ComfyUI/custom_nodes/other", "../../other", "/tmp/other"] {
        first
            .place
            .write(LOCK, lock.replace(named, &format!("\"{dir}\"")));
        let dry = json(&first.place, &["sync", "--all", "--dry-run"]);
        assert_eq!(node_lines(&dry), ["add custom_nodes/other"], "{dir}");
    }
}

#[test]
fn a_node_whose_repository_is_gone_stops_it_before_anything_changes() {
    let first = First::new();
    let _ = first.place.portenv(&["lock"]).success();
    let lock = first.place.read(LOCK);
    let remove = ["remove", "some-node", "--yes"];
    let _ = first.place.portenv(&remove).success();
    first.place.write(LOCK, lock);
    std::fs::remove_dir_all(first.place.root().join(".portenv/trash")).unwrap();
    std::fs::remove_dir_all(first.place.remote_dir("some-node")).unwrap();
    let told = first.refused(3, &["--yes"], "git");
    assert!(told.contains("some-node"), "{told}");
}

#[cfg(unix)]
#[test]
fn a_failure_in_the_middle_puts_nodes_and_core_back() {
    let mut first = First::new();
    first.moved("ComfyUI", ".", "requirements.txt", "alpha\nbeta\n");
    let _ = first.place.portenv(&["lock"]).success();
    let lock = first.place.read(LOCK);
    let _ = first.place.portenv(&["rollback", "--yes"]).success();
    let remove = ["remove", "some-node", "--yes"];
    let _ = first.place.portenv(&remove).success();
    first.place.write(LOCK, lock);
    let uv = FaultyUv::install(&mut first.place.sandbox);
    uv.set(Mode::FailBefore, 1..=1);
    first.refused(4, &["--yes"], "apply");
    uv.set(Mode::Pass, 1..=1);
    let done = json(&first.place, &["sync", "--all", "--yes"]);
    assert_eq!(changes(&done), ["add delta - 2.0", "add gamma - 1.0"]);
    assert_eq!(done["core"]["kind"], "update", "{done}");
    assert_eq!(node_lines(&done), ["add custom_nodes/some-node"]);
}
