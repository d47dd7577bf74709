//! `update --core`.

use camino::Utf8PathBuf;
use serde_json::Value;

use super::place::{Place, assert_error, changes, strings};
#[cfg(unix)]
use crate::support::{FaultyUv, Mode};

/// A place whose ComfyUI follows the branch `main` of a remote.
struct Cloned {
    place: Place,
    remote: Utf8PathBuf,
}

impl Cloned {
    fn new() -> Self {
        let place = Place::synced();
        let remote = place.remote_dir("ComfyUI");
        let root = place.root();
        place.git(root, &["clone", "-q", root.as_str(), remote.as_str()]);
        place.git(root, &["remote", "add", "origin", remote.as_str()]);
        place.git(root, &["fetch", "-q", "origin"]);
        place.git(root, &["branch", "-q", "-u", "origin/main"]);
        Self { place, remote }
    }

    /// Makes a version upstream that asks for this.
    fn release(&self, version: &str, requirements: &str) -> String {
        std::fs::write(self.remote.join("requirements.txt"), requirements).unwrap();
        let text = format!("__version__ = \"{version}\"\n");
        std::fs::write(self.remote.join("comfyui_version.py"), text).unwrap();
        let commit = self
            .place
            .commit_all(&self.remote, &format!("ComfyUI {version}"));
        let tag = format!("v{version}");
        self.place.git(&self.remote, &["tag", &tag]);
        commit
    }

    fn head(&self) -> String {
        self.place.git(self.place.root(), &["rev-parse", "HEAD"])
    }

    fn branch(&self) -> String {
        let root = self.place.root();
        self.place.git(root, &["rev-parse", "--abbrev-ref", "HEAD"])
    }

    fn json(&self, code: i32, more: &[&str]) -> Value {
        let all: Vec<&str> = ["update"].iter().chain(more).copied().collect();
        self.place.json(code, &all)
    }

    /// Runs it where it must fail and leave everything alone.
    #[track_caller]
    fn refused(&self, code: i32, more: &[&str], word: &str) -> String {
        let before = (self.place.state(), self.place.history());
        let all: Vec<&str> = ["update", "--format", "json"]
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

#[test]
fn checkout_branch_lock_and_packages_follow_what_the_branch_tracks() {
    let here = Cloned::new();
    let old = here.head();
    let new = here.release("0.3.76", "alpha\nbeta\ndelta<2\n");
    let before = super::place::tree(here.place.root());
    let dry = here.json(0, &["--core", "--dry-run"]);
    super::place::assert_tree(here.place.root(), &before);
    assert_eq!(dry["status"], "dry-run", "{dry}");
    let core = &dry["core_update"];
    assert_eq!(
        [
            &core["from"],
            &core["to"],
            &core["from_version"],
            &core["to_version"]
        ],
        [&old[..], &new[..], "0.3.75", "0.3.76"],
        "{core}"
    );
    assert_eq!(
        core["requirements"],
        serde_json::json!({
            "added": ["delta<2"],
            "removed": [],
            "changed": [{"name": "beta", "from": "beta<2", "to": "beta"}]
        })
    );
    let because = core["because"].as_str().unwrap();
    assert!(because.contains("main of origin"), "{because}");
    let text = here.place.portenv(&["update", "--core", "--dry-run"]);
    for part in [
        "~ ComfyUI ",
        "version 0.3.75 → 0.3.76",
        "1 new commit,",
        "+ requires delta<2",
        "+ delta",
    ] {
        assert!(text.stdout().contains(part), "{part}: {text}");
    }
    let told = here.refused(2, &["--core"], "confirm");
    assert!(told.contains("~ ComfyUI "), "{told}");

    let plan = dry["plan"].as_str().unwrap();
    let done = here.json(0, &["--core", "--plan", plan]);
    assert_eq!(done["status"], "done", "{done}");
    assert_eq!(changes(&done), ["add delta - 1.0"]);
    assert_eq!(done["core"]["to"]["commit"], new);
    assert_eq!((here.head(), here.branch()), (new, "main".to_owned()));
    let root = here.place.root();
    let status = here.place.git(root, &["status", "-sb", "-uno"]);
    assert_eq!(status, "## main...origin/main");
    assert_eq!(here.place.shown(), "alpha 1.1, beta 1.0, delta 1.0");
    let _ = here.place.portenv(&["lock", "--check"]).success();
    let _ = here.place.portenv(&["status", "--exit-code"]).success();
    assert_eq!(here.json(0, &["--core", "--yes"])["status"], "nothing");
}

#[test]
fn undo_and_rollback_take_core_and_packages_back_unless_core_was_edited() {
    let here = Cloned::new();
    let old = here.head();
    let new = here.release("0.3.76", "alpha\nbeta<2\ndelta\n");
    let _ = here.place.portenv(&["update", "--core", "--yes"]).success();
    let locked = here.place.read("pylock.toml");
    let _ = here.place.portenv(&["undo", "--yes"]).success();
    assert_eq!(here.head(), old);
    assert_eq!(here.place.shown(), "alpha 1.1, beta 1.0");
    let _ = here.place.portenv(&["lock", "--check"]).success();
    let _ = here.place.portenv(&["redo", "--yes"]).success();
    assert_eq!((here.head(), here.branch()), (new, "main".to_owned()));
    assert_eq!(here.place.read("pylock.toml"), locked);
    here.place.write("main.py", "mine\n");
    let run = here.place.portenv(&["undo", "--yes", "--format", "json"]);
    assert_error(&run.expect_code(1), "dirty");
    assert_eq!(here.place.read("main.py"), "mine\n");
    here.place
        .git(here.place.root(), &["checkout", "-q", "--", "main.py"]);
    let _ = here.place.portenv(&["rollback", "--yes"]).success();
    assert_eq!(here.head(), old);
}

#[test]
fn without_a_branch_the_newest_version_tag_is_gone_to_and_never_back() {
    let here = Cloned::new();
    let root = here.place.root();
    here.place.git(root, &["checkout", "-q", "--detach"]);
    let first = here.release("0.3.76", "alpha\nbeta<2\n");
    let tenth = here.release("0.10.0", "alpha\nbeta<2\ngamma\n");
    here.release("0.11.0rc1", "alpha\n");
    let done = here.json(0, &["--core", "--yes"]);
    let because = done["core_update"]["because"].as_str().unwrap();
    assert!(because.contains("v0.10.0"), "{because}");
    assert_eq!((here.head(), here.branch()), (tenth, "HEAD".to_owned()));
    // What is ahead of the newest tag stays.
    here.place.git(root, &["fetch", "-q", "origin"]);
    here.place.git(root, &["checkout", "-q", "origin/main"]);
    let ahead = here.head();
    assert_eq!(here.json(0, &["--core", "--yes"])["status"], "nothing");
    assert_eq!(here.head(), ahead);
    // One that is named is gone back to, by its version or tag.
    for word in ["--core=0.3.76", "--core=v0.3.76"] {
        let back = here.json(0, &[word, "--yes"]);
        assert_eq!(back["core_update"]["to_version"], "0.3.76", "{back}");
        assert_eq!(here.head(), first);
    }
    let done = here.json(0, &[&format!("--core={ahead}"), "--yes"]);
    assert_eq!((&done["status"], here.head()), (&"done".into(), ahead));
    let told = here.refused(2, &["--core=no-such-rev", "--yes"], "not-found");
    assert!(told.contains("no-such-rev"), "{told}");
}

#[test]
fn nodes_stay_unless_they_are_named_and_core_stays_unless_it_is_meant() {
    let here = Cloned::new();
    let url = here.place.git_remote("some-node", "gamma\n");
    let _ = here.place.portenv(&["add", &url, "--yes"]).success();
    let dir = here.place.root().join("custom_nodes/some-node");
    let node = || here.place.git(&dir, &["rev-parse", "HEAD"]);
    let theirs = here.place.remote_dir("some-node");
    let (old, old_node) = (here.head(), node());
    std::fs::write(theirs.join("requirements.txt"), "gamma\ndelta<2\n").unwrap();
    let new_node = here.place.commit_all(&theirs, "Ask for less");
    let first = here.release("0.3.76", "alpha\nbeta\n");

    let done = here.json(0, &["--core", "--yes"]);
    assert_eq!(done["updates"], serde_json::json!([]));
    assert_eq!((here.head(), node()), (first.clone(), old_node));
    let done = here.json(0, &["--yes"]);
    assert_eq!(done["core_update"], Value::Null);
    assert_eq!((here.head(), node()), (first, new_node));
    let second = here.release("0.3.77", "alpha\nbeta<2\n");
    std::fs::write(theirs.join("requirements.txt"), "").unwrap();
    let third_node = here.place.commit_all(&theirs, "Ask for nothing");
    let done = here.json(0, &["--core", "some-node", "--yes"]);
    assert_eq!(strings(&done["nodes"], "dir"), ["custom_nodes/some-node"]);
    assert_eq!((here.head(), node()), (second, third_node));
    assert_ne!(here.head(), old);
    assert_eq!(here.place.shown(), "alpha 1.1, beta 1.0");
}

#[test]
fn a_node_that_the_new_core_excludes_is_a_conflict_and_nothing_changes() {
    let here = Cloned::new();
    let url = here.place.git_remote("some-node", "delta<2\n");
    let _ = here.place.portenv(&["add", &url, "--yes"]).success();
    here.release("0.3.76", "alpha\nbeta<2\ndelta>=2\n");
    let before = (here.place.state(), here.place.history());
    let told = here.json(1, &["--core", "--yes"]);
    assert_eq!((here.place.state(), here.place.history()), before);
    assert_eq!(told["status"], "conflict", "{told}");
    let lines = &told["conflicts"][0]["requirements"];
    let mut asked = strings(lines, "requirement");
    asked.sort();
    assert_eq!(asked, ["delta<2", "delta>=2"], "{told}");
    let files: Vec<&str> = lines
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["origin"]["file"].as_str().unwrap())
        .collect();
    assert!(files.contains(&"requirements.txt"), "{files:?}");
    assert_eq!(told["conflicts"][0]["new"], true, "{told}");
    // With the node that asks for less, it is one step.
    let theirs = here.place.remote_dir("some-node");
    std::fs::write(theirs.join("requirements.txt"), "delta\n").unwrap();
    here.place.commit_all(&theirs, "Ask for less");
    let done = here.json(0, &["--core", "some-node", "--yes"]);
    assert_eq!(changes(&done), ["upgrade delta 1.0 2.0"]);
}

#[test]
fn a_core_that_is_edited_or_in_whose_way_a_file_lies_is_refused() {
    let here = Cloned::new();
    std::fs::write(here.remote.join("extra.py"), "theirs\n").unwrap();
    here.release("0.3.76", "alpha\nbeta<2\n");
    here.place.write("extra.py", "mine\n");
    let told = here.refused(4, &["--core", "--yes"], "in-use");
    assert!(told.contains("extra.py"), "{told}");
    std::fs::remove_file(here.place.root().join("extra.py")).unwrap();
    here.place.write("main.py", "mine\n");
    here.refused(1, &["--core", "--yes"], "dirty");
    let dry = here.json(0, &["--core", "--dry-run"]);
    let reason = dry["core_update"]["reason"].as_str().unwrap();
    assert!(reason.contains("changed files"), "{dry}");
}

#[test]
fn a_core_of_another_program_or_without_history_is_refused_with_the_reason() {
    let here = Cloned::new();
    here.release("0.3.76", "alpha\n");
    let root = here.place.root();
    // A base directory beside a core that it names.
    let base = here.place.dir().join("base");
    for dir in ["custom_nodes", "user"] {
        std::fs::create_dir_all(base.join(dir)).unwrap();
    }
    let settings = format!(
        "{}\n[installation]\ncomfyui = \"{root}\"\npython = \"{}\"\n",
        here.place.read("portenv.toml"),
        here.place.venv_python()
    );
    std::fs::write(base.join("portenv.toml"), settings).unwrap();
    let run = here
        .place
        .portenv_in(&base, &["update", "--core", "--yes", "--format", "json"])
        .expect_code(1);
    assert_error(&run, "refused");
    assert!(run.stderr().contains("another program"), "{run}");
    // Where ComfyUI lies is what the flag says with a directory.
    let named = format!("--core={root}");
    let run = here
        .place
        .portenv_in(&base, &["update", &named, "--yes", "--format", "json"]);
    assert_eq!(run.success().json()["core_update"], Value::Null);

    std::fs::remove_dir_all(root.join(".git")).unwrap();
    let told = here.refused(1, &["--core", "--yes"], "refused");
    assert!(told.contains("no git checkout"), "{told}");
}

#[test]
fn a_core_without_a_remote_says_what_can_be_named() {
    let here = Cloned::new();
    let root = here.place.root();
    let old = here.head();
    here.place.commit_all(root, "Mine");
    let mine = here.head();
    here.place.git(root, &["remote", "remove", "origin"]);
    let told = here.refused(1, &["--core", "--yes"], "refused");
    assert!(told.contains("--core=COMMIT"), "{told}");
    let _ = here
        .place
        .portenv(&["update", &format!("--core={old}"), "--yes"])
        .success();
    assert_eq!(here.head(), old);
    assert_eq!(here.place.git(root, &["rev-parse", "main"]), mine);
}

#[test]
fn a_branch_that_is_only_here_is_left_for_the_newest_version_tag() {
    let here = Cloned::new();
    let root = here.place.root();
    here.place.git(root, &["switch", "-q", "-c", "mine"]);
    let mine = here.head();
    let new = here.release("0.3.76", "alpha\nbeta<2\n");
    let _ = here.place.portenv(&["update", "--core", "--yes"]).success();
    assert_eq!((here.head(), here.branch()), (new, "HEAD".to_owned()));
    assert_eq!(here.place.git(root, &["rev-parse", "mine"]), mine);
}

#[test]
fn the_variable_of_the_flag_says_where_core_lies_and_moves_nothing() {
    let mut here = Cloned::new();
    here.release("0.3.76", "alpha\nbeta<2\n");
    let old = here.head();
    here.place.sandbox.set_env("PORTENV_CORE", "latest");
    let _ = here.place.portenv(&["update", "--yes"]);
    assert_eq!(here.head(), old);
    let root = here.place.root().to_string();
    here.place.sandbox.set_env("PORTENV_CORE", &root);
    let still = here.json(0, &["--yes"]);
    assert_eq!((&still["core_update"], here.head()), (&Value::Null, old));
}

#[cfg(unix)]
#[test]
fn a_failure_in_the_middle_puts_core_and_branch_back() {
    let mut here = Cloned::new();
    here.release("0.3.76", "alpha\nbeta<2\ndelta\n");
    let uv = FaultyUv::install(&mut here.place.sandbox);
    uv.set(Mode::FailBefore, 1..=1);
    here.refused(4, &["--core", "--yes"], "apply");
    assert_eq!(here.branch(), "main");
}
