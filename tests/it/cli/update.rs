//! `update`.

use camino::Utf8PathBuf;
use serde_json::{Value, json};

use super::place::{Place, assert_error, assert_fields, changes, strings};
#[cfg(unix)]
use crate::support::{FaultyUv, Mode};

/// A place with `some-node` of a remote, asking for `gamma`.
struct Followed {
    place: Place,
    remote: Utf8PathBuf,
    dir: Utf8PathBuf,
}

impl Followed {
    fn new() -> Self {
        let place = Place::synced();
        let url = place.git_remote("some-node", "gamma\n");
        let _ = place.portenv(&["add", &url, "--yes"]).success();
        Self {
            remote: place.remote_dir("some-node"),
            dir: place.root().join("custom_nodes/some-node"),
            place,
        }
    }

    /// Commits a file upstream.
    fn upstream(&self, file: &str, text: &str) -> String {
        std::fs::write(self.remote.join(file), text).unwrap();
        self.place
            .commit_all(&self.remote, &format!("Write {file}"))
    }

    fn head(&self) -> String {
        self.place.git(&self.dir, &["rev-parse", "HEAD"])
    }

    fn branch(&self) -> String {
        self.place
            .git(&self.dir, &["rev-parse", "--abbrev-ref", "HEAD"])
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
fn what_changed_upstream_is_told_and_checkout_branch_lock_and_packages_follow() {
    let here = Followed::new();
    let old = here.head();
    here.upstream("README.md", "one\ntwo\n");
    std::fs::write(here.remote.join("install.py"), "print()\n").unwrap();
    let new = here.upstream("requirements.txt", "delta<2\nalpha\n");
    // What git does not know stays.
    std::fs::write(here.dir.join("models.txt"), "kept").unwrap();

    let document = here.json(0, &["--yes"]);
    assert_eq!(
        (&document["schema"], &document["status"]),
        (&"portenv.update/1".into(), &"done".into())
    );
    assert_fields(
        &document,
        "operation before after changes nodes conflicts warnings updates plan next",
    );
    let [update] = &document["updates"].as_array().unwrap()[..] else {
        panic!("{document}")
    };
    assert_eq!(
        [
            &update["node"],
            &update["from"],
            &update["to"],
            &update["reason"]
        ],
        [&json!("some-node"), &json!(old), &json!(new), &Value::Null]
    );
    assert_eq!(
        ["commits", "files_changed", "lines_added", "lines_removed"].map(|at| update[at].as_u64()),
        [Some(2), Some(3), Some(5), Some(1)]
    );
    assert_eq!(
        update["subjects"],
        json!(["Write requirements.txt", "Write README.md"])
    );
    assert_eq!(
        update["requirements"],
        json!({"added": ["alpha", "delta<2"], "removed": ["gamma"], "changed": []})
    );
    assert_eq!(update["install_script"], "new");
    assert_eq!(strings(&document["nodes"], "kind"), ["update"]);
    assert_eq!(
        changes(&document),
        ["downgrade delta 2.0 1.0", "remove gamma 1.0 -"]
    );

    assert_eq!((here.head(), here.branch()), (new, "main".to_owned()));
    assert_eq!(
        here.place.git(&here.dir, &["status", "-sb"]),
        "## main...origin/main\n?? models.txt"
    );
    assert_eq!(here.place.shown(), "alpha 1.1, beta 1.0, delta 1.0");
    let _ = here.place.portenv(&["lock", "--check"]).success();
    let _ = here.place.portenv(&["status", "--exit-code"]).success();
    assert_eq!(here.place.history()[0], document["after"]);
    assert_eq!(here.json(0, &["--yes"])["status"], "nothing");
}

#[test]
fn rollback_goes_back_to_the_old_commit_and_forward_to_the_branch() {
    let here = Followed::new();
    let old = here.head();
    let new = here.upstream("requirements.txt", "delta<2\n");
    let _ = here.place.portenv(&["update", "--yes"]).success();
    let _ = here.place.portenv(&["rollback", "--yes"]).success();
    // The branch stays where it is, as for every rollback.
    assert_eq!((here.head(), here.branch()), (old, "HEAD".to_owned()));
    assert_eq!(
        here.place.shown(),
        "alpha 1.1, beta 1.0, delta 2.0, gamma 1.0"
    );
    // Whoever went back is not dragged forward again unless that is said.
    let left = here.json(0, &["--yes"]);
    assert_eq!(left["status"], "nothing");
    assert!(
        strings(&left["updates"], "reason")[0].contains("pinned"),
        "{left}"
    );
    let _ = here
        .place
        .portenv(&["update", "some-node", "--yes"])
        .success();
    assert_eq!((here.head(), here.branch()), (new, "main".to_owned()));
    assert_eq!(here.place.shown(), "alpha 1.1, beta 1.0, delta 1.0");
}

#[test]
fn a_dry_run_and_a_run_without_a_yes_show_it_and_touch_nothing() {
    let here = Followed::new();
    here.upstream("requirements.txt", "gamma\ndelta<2\n");
    let before = super::place::tree(here.place.root());
    let dry = here.json(0, &["--dry-run"]);
    assert_eq!(dry["status"], "dry-run");
    assert_eq!(changes(&dry), ["downgrade delta 2.0 1.0"]);
    super::place::assert_tree(here.place.root(), &before);
    let text = here.place.portenv(&["update", "--dry-run"]).success();
    for part in [
        "1 new commit,",
        "Write requirements.txt",
        "+ requires delta<2",
        "↓ delta",
    ] {
        assert!(text.stdout().contains(part), "{part}: {text}");
    }
    let told = here.refused(2, &[], "confirm");
    assert!(told.contains("+ requires delta<2"), "{told}");
    let plan = dry["plan"].as_str().unwrap();
    let _ = here.place.portenv(&["update", "--plan", plan]).success();
    assert_eq!(
        here.place.shown(),
        "alpha 1.1, beta 1.0, delta 1.0, gamma 1.0"
    );
}

#[test]
fn a_plan_is_stale_once_upstream_moves_on() {
    let here = Followed::new();
    here.upstream("README.md", "one\n");
    let plan = here.json(0, &["--dry-run"])["plan"]
        .as_str()
        .unwrap()
        .to_owned();
    here.upstream("README.md", "two\n");
    here.refused(1, &["--plan", &plan], "plan-stale");
}

#[test]
fn changed_files_are_listed_and_never_overwritten() {
    let here = Followed::new();
    here.upstream("README.md", "one\n");
    std::fs::write(here.dir.join("__init__.py"), "mine = True\n").unwrap();
    let told = here.refused(1, &["some-node", "--yes"], "dirty");
    assert!(told.contains("custom_nodes/some-node"), "{told}");
    let dry = here.json(0, &["--dry-run"]);
    assert!(
        strings(&dry["updates"], "reason")[0].contains("changed files"),
        "{dry}"
    );
}

#[test]
fn of_all_nodes_one_with_changed_files_is_left_out_and_named() {
    let here = Followed::new();
    let url = here.place.git_remote("other-node", "");
    let _ = here.place.portenv(&["add", &url, "--yes"]).success();
    let theirs = here.place.remote_dir("other-node");
    std::fs::write(theirs.join("code.py"), "").unwrap();
    let newer = here.place.commit_all(&theirs, "Write code.py");
    let old = here.head();
    here.upstream("README.md", "one\n");
    std::fs::write(here.dir.join("__init__.py"), "mine = True\n").unwrap();
    let done = here.json(0, &["--yes"]);
    assert_eq!(strings(&done["nodes"], "dir"), ["custom_nodes/other-node"]);
    assert_eq!(strings(&done["warnings"], "code"), ["dirty"]);
    let told = strings(&done["warnings"], "message").join("");
    assert!(told.contains("custom_nodes/some-node"), "{told}");
    let other = here.place.root().join("custom_nodes/other-node");
    assert_eq!(here.place.git(&other, &["rev-parse", "HEAD"]), newer);
    assert_eq!(here.head(), old);
}

#[test]
fn a_file_that_git_does_not_know_is_never_overwritten() {
    let here = Followed::new();
    std::fs::write(here.remote.join(".gitignore"), "config.json\n").unwrap();
    here.upstream("README.md", "one\n");
    let _ = here.place.portenv(&["update", "--yes"]).success();
    // Git itself writes over files that it is told to ignore.
    std::fs::write(here.dir.join("config.json"), "mine").unwrap();
    std::fs::write(here.remote.join("config.json"), "theirs").unwrap();
    here.place
        .git(&here.remote, &["add", "--force", "config.json"]);
    here.upstream("README.md", "two\n");
    let told = here.refused(4, &["some-node", "--yes"], "in-use");
    assert!(
        told.contains("custom_nodes/some-node/config.json"),
        "{told}"
    );
}

#[test]
fn own_commits_beside_upstreams_are_told_with_a_way_out() {
    let here = Followed::new();
    std::fs::write(here.dir.join("mine.py"), "").unwrap();
    let mine = here.place.commit_all(&here.dir, "Mine");
    let ahead = here.json(0, &["--yes"]);
    assert_eq!(
        (&ahead["status"], here.head()),
        (&"nothing".into(), mine.clone())
    );

    let theirs = here.upstream("README.md", "one\n");
    let left = here.json(0, &["--yes"]);
    assert_eq!(left["status"], "nothing");
    assert!(
        strings(&left["updates"], "reason")[0].contains("rebase"),
        "{left}"
    );
    let told = here.refused(1, &["some-node", "--yes"], "refused");
    assert!(
        told.contains("some-node@REV") || told.contains("NODE@REV"),
        "{told}"
    );
    // The way out leaves the branch with what is on it.
    let rev = format!("some-node@{theirs}");
    let _ = here.place.portenv(&["update", &rev, "--yes"]).success();
    assert_eq!((here.head(), here.branch()), (theirs, "HEAD".to_owned()));
    assert_eq!(here.place.git(&here.dir, &["rev-parse", "main"]), mine);
}

#[test]
fn a_revision_that_is_named_is_gone_to_forwards_and_backwards() {
    let here = Followed::new();
    let first = here.head();
    let second = here.upstream("README.md", "one\n");
    here.place.git(&here.remote, &["tag", "v1"]);
    here.place
        .git(&here.remote, &["switch", "--quiet", "-c", "next"]);
    let third = here.upstream("README.md", "two\n");
    here.place.git(&here.remote, &["switch", "--quiet", "main"]);

    for (rev, commit, branch) in [
        ("v1", &second, "HEAD"),
        ("next", &third, "HEAD"),
        (&first[..10], &first, "HEAD"),
        ("main", &second, "main"),
    ] {
        let document = here.json(0, &[&format!("some-node@{rev}"), "--yes"]);
        assert_eq!(document["status"], "done", "{rev}: {document}");
        assert_eq!(
            (&here.head(), here.branch().as_str()),
            (commit, branch),
            "{rev}"
        );
    }
    let told = here.refused(2, &["some-node@no-such-rev", "--yes"], "not-found");
    assert!(told.contains("no-such-rev"), "{told}");
}

#[test]
fn what_cannot_be_updated_is_said_and_an_error_when_named() {
    let here = Followed::new();
    here.place.node("plain-node", "");
    here.place.git_node("own-node", "");
    here.place.write("custom_nodes/single.py", "");
    here.place
        .write("custom_nodes/.disabled/sleeping/__init__.py", "");
    let _ = here.place.portenv(&["snapshot", "create"]).success();
    let new = here.upstream("README.md", "one\n");
    let document = here.json(0, &["--yes"]);
    assert_eq!((&document["status"], here.head()), (&"done".into(), new));
    let reasons: Vec<String> = document["updates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!(
                "{} {}",
                one["node"].as_str().unwrap(),
                one["reason"].as_str().unwrap_or("-")
            )
        })
        .collect();
    for (name, word) in [
        ("plain-node", "no git checkout"),
        ("own-node", "no remote"),
        ("single", "no git checkout"),
        ("sleeping", "disabled"),
        ("some-node", "-"),
    ] {
        assert!(
            reasons
                .iter()
                .any(|line| line.starts_with(name) && line.contains(word)),
            "{name} {word}: {reasons:?}"
        );
    }
    for name in ["plain-node", "own-node", "single", "sleeping", "ComfyUI"] {
        let told = here.refused(1, &[name, "--yes"], "refused");
        assert!(told.contains(name), "{told}");
    }
    here.refused(2, &["no-such-node", "--yes"], "not-found");
}

#[test]
fn a_repository_that_is_gone_holds_up_no_other_node() {
    let here = Followed::new();
    let url = here.place.git_remote("gone-node", "");
    let _ = here.place.portenv(&["add", &url, "--yes"]).success();
    std::fs::remove_dir_all(here.place.remote_dir("gone-node")).unwrap();
    let new = here.upstream("README.md", "one\n");
    let document = here.json(0, &["--yes"]);
    assert_eq!((&document["status"], here.head()), (&"done".into(), new));
    assert_eq!(strings(&document["warnings"], "code"), ["unreachable"]);
    here.refused(3, &["gone-node", "--yes"], "git");
    std::fs::remove_dir_all(&here.remote).unwrap();
    here.refused(3, &["--yes"], "git");
}

#[test]
fn offline_only_a_commit_that_is_here_can_be_gone_to() {
    let here = Followed::new();
    let first = here.head();
    here.upstream("README.md", "one\n");
    let _ = here.place.portenv(&["update", "--yes"]).success();
    here.refused(3, &["--yes", "--offline"], "offline");
    here.refused(3, &["--dry-run", "--offline"], "offline");
    let rev = format!("some-node@{first}");
    let _ = here
        .place
        .portenv(&["update", &rev, "--yes", "--offline"])
        .success();
    assert_eq!(here.head(), first);
}

#[test]
fn a_folder_that_becomes_a_file_and_a_name_that_changes_its_case_are_not_in_the_way() {
    let here = Followed::new();
    std::fs::create_dir(here.remote.join("tools")).unwrap();
    std::fs::write(here.remote.join("tools/a.py"), "").unwrap();
    here.upstream("README.md", "one\n");
    let _ = here.place.portenv(&["update", "--yes"]).success();
    here.place
        .git(&here.remote, &["rm", "--quiet", "-r", "tools"]);
    here.place
        .git(&here.remote, &["mv", "README.md", "Readme.md"]);
    let new = here.upstream("tools", "a file\n");
    let _ = here.place.portenv(&["update", "--yes"]).success();
    assert_eq!(here.head(), new);
}

#[test]
fn a_conflict_or_a_protected_package_stops_it_before_anything_changes() {
    let here = Followed::new();
    here.upstream("requirements.txt", "beta>=2\n");
    let before = here.place.state();
    let document = here.json(1, &["--yes"]);
    assert_eq!(document["status"], "conflict");
    assert_eq!(document["conflicts"][0]["new"], true);
    assert_eq!(here.place.state(), before);
    here.place.settings("[policy]\nprotect = [\"delta\"]\n");
    here.upstream("requirements.txt", "delta<2\n");
    assert_eq!(here.json(1, &["--yes"])["status"], "blocked");
    let allowed = here.json(0, &["--yes", "--allow-change", "delta"]);
    assert_eq!(allowed["status"], "done");
    assert_eq!(here.place.installed()["delta"], "1.0");
}

#[test]
fn a_disabled_node_moves_alone_and_only_when_named() {
    let here = Followed::new();
    let asleep = here.place.root().join("custom_nodes/.disabled/some-node");
    std::fs::create_dir_all(asleep.parent().unwrap()).unwrap();
    std::fs::rename(&here.dir, &asleep).unwrap();
    let _ = here.place.portenv(&["lock"]).success();
    let _ = here.place.portenv(&["sync", "--yes"]).success();
    let new = here.upstream("requirements.txt", "delta<2\n");
    let (lock, shown) = (here.place.read("pylock.toml"), here.place.shown());
    assert_eq!(here.json(0, &["--yes"])["status"], "nothing");
    assert_eq!(here.json(0, &["some-node", "--yes"])["status"], "done");
    assert_eq!(here.place.git(&asleep, &["rev-parse", "HEAD"]), new);
    assert_eq!(
        (here.place.read("pylock.toml"), here.place.shown()),
        (lock, shown)
    );
}

#[test]
fn a_shallow_checkout_is_updated_too() {
    let here = Followed::new();
    std::fs::remove_dir_all(&here.dir).unwrap();
    here.upstream("README.md", "one\n");
    let url = format!("file://{}", here.remote);
    here.place.git(
        here.place.dir(),
        &["clone", "--quiet", "--depth=1", &url, here.dir.as_str()],
    );
    let _ = here.place.portenv(&["snapshot", "create"]).success();
    here.upstream("README.md", "two\n");
    let new = here.upstream("README.md", "three\n");
    let document = here.json(0, &["--yes"]);
    assert_eq!(document["updates"][0]["commits"], 2);
    assert_eq!((here.head(), here.branch()), (new, "main".to_owned()));
    here.place.git(&here.dir, &["fsck", "--connectivity-only"]);
}

/// Git that dies, and its caller with it, when a branch is to be moved.
#[cfg(unix)]
#[test]
fn a_power_cut_between_checkout_and_branch_is_undone_whole() {
    let mut here = Followed::new();
    here.upstream("requirements.txt", "delta<2\n");
    let before = (here.place.state(), here.place.history());
    let bin = here.place.dir().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let path = std::env::var("PATH").unwrap();
    let real = std::env::split_paths(&path)
        .map(|dir| dir.join("git"))
        .find(|git| git.is_file())
        .unwrap();
    let script = format!(
        "#!/bin/sh\nfor word in \"$@\"; do case \"$word\" in refs/heads/*)\n\
         case \" $* \" in *' update-ref '*) kill -9 $PPID; exit 1;; esac;; esac; done\nexec {} \"$@\"\n",
        real.display()
    );
    here.place.write_executable(&bin.join("git"), &script);
    here.place.sandbox.set_env("PATH", &format!("{bin}:{path}"));
    let _ = here.place.portenv(&["update", "--yes"]).expect_code(137);
    here.place.sandbox.set_env("PATH", &path);
    assert_eq!(here.branch(), "HEAD", "it was cut short halfway");
    assert_eq!(
        here.json(0, &["--dry-run"])["status"],
        "nothing",
        "HEAD is detached"
    );
    let recovered = here.place.json(0, &["recover"]);
    assert_eq!(recovered["status"], "undone");
    assert_eq!((here.place.state(), here.place.history()), before);
    let _ = here.place.portenv(&["update", "--yes"]).success();
    assert_eq!(here.branch(), "main");
}

#[cfg(unix)]
#[test]
fn a_failed_update_to_another_branch_leaves_the_old_one_attached() {
    let mut here = Followed::new();
    let first = here.head();
    here.place
        .git(&here.remote, &["switch", "--quiet", "-c", "next"]);
    let next = here.upstream("requirements.txt", "delta<2\n");
    here.place.git(&here.dir, &["branch", "--quiet", "next"]);
    let uv = FaultyUv::install(&mut here.place.sandbox);
    uv.set(Mode::FailBefore, 1..=1);
    let before = (here.place.state(), here.place.history());
    let _ = here
        .place
        .portenv(&["update", "some-node@next", "--yes"])
        .expect_code(4);
    assert_eq!((here.place.state(), here.place.history()), before);
    assert_eq!(
        (here.head(), here.branch().as_str()),
        (first.clone(), "main")
    );
    uv.set(Mode::Pass, 1..=1);
    let _ = here.json(0, &["some-node@next", "--yes"]);
    assert_eq!((here.head(), here.branch().as_str()), (next, "next"));
    let _ = here.place.portenv(&["rollback", "--yes"]).success();
    assert_eq!((here.head(), here.branch().as_str()), (first, "main"));
}

#[test]
fn a_second_node_that_cannot_be_moved_takes_the_first_one_back() {
    let here = Followed::new();
    let place = &here.place;
    let url = place.git_remote("the-other", "delta\n");
    let _ = place.portenv(&["add", &url, "--yes"]).success();
    here.upstream("requirements.txt", "delta<2\n");
    let remote = place.remote_dir("the-other");
    std::fs::write(remote.join("README.md"), "new\n").unwrap();
    place.commit_all(&remote, "Write a README");
    let other = place.root().join("custom_nodes/the-other");
    // As a git that was killed leaves it.
    std::fs::write(other.join(".git/index.lock"), "").unwrap();
    let before = (place.state(), place.history());
    let _ = place.portenv(&["update", "--yes"]).expect_code(4);
    assert_eq!((place.state(), place.history()), before);
    assert_eq!(here.branch(), "main");
    std::fs::remove_file(other.join(".git/index.lock")).unwrap();
    let document = here.json(0, &["--yes"]);
    assert_eq!(document["nodes"].as_array().unwrap().len(), 2);
}
