//! What a uv or a git leaves that is killed in the middle of its work, and what the next command
//! makes of it.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use super::place::{Place, tree};
use crate::support::{Run, Wheel, uv};

/// A place where a stand-in for a program does some damage, once, and then kills portenv.
struct Scene {
    place: Place,
    orders: Utf8PathBuf,
}

impl Scene {
    /// Puts a stand-in in the way of uv. `damage` is a piece of a shell script that is run
    /// instead of the first `pip sync`, in the directory of packages.
    fn of_uv(place: Place, damage: &str) -> Self {
        let mut scene = Self::new(place, "uv", "*'pip sync'*", damage);
        let launcher = scene.orders.with_file_name("uv");
        scene.place.sandbox.set_env("PORTENV_UV", launcher.as_str());
        scene
    }

    /// Puts a stand-in in the way of git, which does it at the first move of a checkout.
    fn of_git(place: Place, damage: &str) -> Self {
        let mut scene = Self::new(
            place,
            "git",
            "*'custom_nodes/some-node checkout -q --detach'*",
            damage,
        );
        let dir = scene.orders.parent().unwrap().to_owned();
        let path = format!("{dir}:{}", std::env::var("PATH").unwrap());
        scene.place.sandbox.set_env("PATH", &path);
        scene
    }

    fn new(place: Place, name: &str, when: &str, damage: &str) -> Self {
        let dir = place.dir().join("stand-in");
        fs::create_dir_all(&dir).unwrap();
        let real = match name {
            "uv" => uv().to_string(),
            name => {
                let path = std::env::var("PATH").unwrap();
                let mut dirs = path.split(':').map(|dir| Utf8Path::new(dir).join(name));
                dirs.find(|file| file.is_file()).unwrap().to_string()
            }
        };
        let scene = Self {
            orders: dir.join("orders"),
            place,
        };
        let text = format!(
            "#!/bin/sh\nreal='{real}'\ncase \"$*\" in {when})\n  if [ -e '{orders}' ]; then\n    \
             rm '{orders}'\n    (cd '{site}' && {{ {damage}\n    }})\n    kill -9 $PPID\n    exit 1\n  \
             fi ;;\nesac\nexec \"$real\" \"$@\"\n",
            orders = scene.orders,
            site = scene.place.site_packages(),
        );
        scene.place.write_executable(&dir.join(name), &text);
        scene
    }

    /// Runs a command that is killed on its way.
    fn killed(&self, arguments: &[&str]) -> Run {
        fs::write(&self.orders, "").unwrap();
        let run = self.place.portenv(arguments).expect_code(137);
        let lock = fs::File::open(self.place.root().join(".portenv/lock")).unwrap();
        lock.lock_shared().unwrap();
        run
    }

    /// Returns all that must be as it was: every file but compiled ones and portenv's own.
    fn everything(&self) -> Vec<(String, String)> {
        let spare = |path: &str| {
            path.starts_with(".portenv/")
                || path.contains("__pycache__")
                || path.contains(".git/objects/")
                || path.contains(".git/logs/")
                || path.ends_with(".git/index")
                || path.ends_with(".git/ORIG_HEAD")
        };
        let mut files: Vec<_> = tree(self.place.root()).into_iter().collect();
        files.retain(|(path, _)| !spare(path));
        files
    }

    /// Has the next command mend what is left, and demands that it is all as it was.
    #[track_caller]
    fn assert_undone(&self, before: &[(String, String)]) {
        let status = self.place.json(0, &["status"]);
        assert!(!status["interrupted"].is_null(), "{status}");
        let run = self.place.portenv(&["recover"]).success();
        self.assert_as(before, &run);
        assert!(self.place.json(0, &["status"])["interrupted"].is_null());
    }

    #[track_caller]
    fn assert_as(&self, before: &[(String, String)], run: &Run) {
        let now = self.everything();
        let new: Vec<_> = now.iter().filter(|file| !before.contains(file)).collect();
        let gone: Vec<_> = before.iter().filter(|file| !now.contains(file)).collect();
        assert!(
            new.is_empty() && gone.is_empty(),
            "new {new:#?}, gone {gone:#?}, {run}"
        );
        let tmp = self.place.root().join(".portenv/tmp");
        assert_eq!(tmp.read_dir_utf8().map_or(0, Iterator::count), 0);
    }

    /// Returns what the trash holds, below names that begin with a time.
    fn kept(&self) -> Vec<String> {
        let trash = self.place.root().join(".portenv/trash");
        if !trash.exists() {
            return Vec::new();
        }
        let files = tree(&trash).into_keys();
        let files = files.filter(|path| !path.ends_with('/'));
        let bare = files.map(|path| path.split_once('-').unwrap().1.to_owned());
        bare.collect()
    }
}

/// A synced place whose lock asks for an older `alpha` and for `gamma`, which needs `delta`.
fn due() -> Place {
    let place = Place::synced();
    place.write("requirements.txt", "alpha<1.1\nbeta<2\ngamma\n");
    let _ = place.portenv(&["lock"]).success();
    place
}

#[test]
fn files_that_a_killed_uv_had_taken_out_come_back_although_record_names_them() {
    let scene = Scene::of_uv(due(), "rm -r alpha");
    let before = scene.everything();
    let _ = scene.killed(&["sync", "--yes"]);
    assert_ne!(scene.everything(), before);
    scene.assert_undone(&before);
    assert!(scene.kept().is_empty());
    let _ = scene.place.portenv(&["sync", "--yes"]).success();
    assert_eq!(
        scene.place.shown(),
        "alpha 1.0, beta 1.0, delta 2.0, gamma 1.0"
    );
}

#[test]
fn files_that_a_killed_uv_had_put_in_go_again_and_nothing_else_does() {
    let damage = "mkdir -p gamma/deep .tmpAbC gamma-1.0.dist-info delta; echo 1 > gamma/a.py; \
                  echo 2 > gamma/deep/b.py; echo 3 > .tmpAbC/c; echo 4 > ../../../bin/gamma; \
                  echo 5 > gamma-1.0.dist-info/METADATA; echo 6 > alpha/extra.py";
    let scene = Scene::of_uv(due(), damage);
    let site = scene.place.site_packages();
    fs::write(site.join("mine.txt"), "mine").unwrap();
    fs::write(site.join("alpha/weights.bin"), "hours of downloading").unwrap();
    fs::create_dir_all(site.join("my_own/empty")).unwrap();
    let before = scene.everything();
    let _ = scene.killed(&["sync", "--yes"]);
    scene.assert_undone(&before);
    // Somebody else may have put them there since.
    let mut kept = scene.kept();
    kept.retain(|path| !path.contains("dist-info"));
    assert_eq!(kept.len(), 5, "{kept:?}");
    assert!(
        kept.iter().all(|path| path.starts_with("left-over/")),
        "{kept:?}"
    );
}

#[test]
fn what_a_uv_leaves_that_fails_halfway_goes_with_its_operation() {
    let scene = Scene::of_uv(
        due(),
        "rm alpha/__init__.py; mkdir delta; echo 1 > delta/a.py; exit 2",
    );
    let script = scene.orders.with_file_name("uv");
    let text = fs::read_to_string(&script).unwrap();
    fs::write(&script, text.replace("kill -9 $PPID", "true")).unwrap();
    let before = scene.everything();
    fs::write(&scene.orders, "").unwrap();
    let run = scene.place.portenv(&["sync", "--yes"]).expect_code(4);
    scene.assert_as(&before, &run);
    assert!(scene.kept().is_empty());
}

#[test]
fn a_package_that_was_broken_before_is_as_broken_once_a_change_is_undone() {
    for dies in [true, false] {
        let place = due();
        let site = place.site_packages();
        // The one stays, the other changes; a third has two metadata directories.
        fs::remove_file(site.join("beta-1.0.dist-info/RECORD")).unwrap();
        fs::remove_file(site.join("alpha/__init__.py")).unwrap();
        place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
        let copy = site.join("mine-0.9.dist-info");
        fs::create_dir_all(&copy).unwrap();
        for name in ["METADATA", "WHEEL", "RECORD"] {
            fs::copy(site.join("mine-1.0.dist-info").join(name), copy.join(name)).unwrap();
        }
        let scene = Scene::of_uv(place, "echo 1 > stray.py");
        if !dies {
            let script = scene.orders.with_file_name("uv");
            let text = fs::read_to_string(&script).unwrap();
            fs::write(&script, text.replace("kill -9 $PPID", "true")).unwrap();
        }
        let before = scene.everything();
        if dies {
            let _ = scene.killed(&["sync", "--yes"]);
            scene.assert_undone(&before);
        } else {
            fs::write(&scene.orders, "").unwrap();
            let run = scene.place.portenv(&["sync", "--yes"]).expect_code(4);
            scene.assert_as(&before, &run);
        }
    }
}

/// A place with a node at its first of two versions, and its address.
fn behind() -> Place {
    let place = Place::synced();
    let url = place.git_remote("some-node", "gamma\n");
    let remote = place.remote_dir("some-node");
    fs::write(remote.join("old.py"), "OLD = 1\n".repeat(50)).unwrap();
    fs::write(remote.join("both.py"), "FIRST = 1\n".repeat(50)).unwrap();
    place.commit_all(&remote, "More");
    let _ = place.portenv(&["add", "--yes", &url]).success();
    fs::remove_file(remote.join("old.py")).unwrap();
    fs::write(remote.join("both.py"), "SECOND = 2\n".repeat(50)).unwrap();
    fs::write(remote.join("requirements.txt"), "gamma\ndelta<2\n").unwrap();
    fs::create_dir(remote.join("deep")).unwrap();
    fs::write(remote.join("deep/new.py"), "NEW = 3\n".repeat(50)).unwrap();
    place.commit_all(&remote, "Second version");
    place
}

/// What a git has done by the time it is killed: a file is gone, one is cut short, one is new.
const HALF: &str = "cd ../../../../custom_nodes/some-node; rm old.py; mkdir deep; \
                    printf 'SECOND = 2\\nSECO' > both.py; printf 'NEW = 3\\nNEW' > deep/new.py; \
                    : > .git/index.lock; : > .git/HEAD.lock";

#[test]
#[cfg(target_os = "linux")]
fn a_checkout_that_a_killed_git_left_between_two_commits_is_put_back() {
    let scene = Scene::of_git(behind(), HALF);
    let before = scene.everything();
    let _ = scene.killed(&["update", "--yes", "some-node"]);
    scene.assert_undone(&before);
    assert!(scene.kept().is_empty());
    let node = scene.place.root().join("custom_nodes/some-node");
    assert_eq!(
        scene.place.git(&node, &["branch", "--show-current"]),
        "main"
    );
    let _ = scene
        .place
        .portenv(&["update", "--yes", "some-node"])
        .success();
    assert!(node.join("deep/new.py").exists());
}

#[test]
#[cfg(target_os = "linux")]
fn what_somebody_edited_before_a_half_checkout_was_put_back_is_kept() {
    let scene = Scene::of_git(behind(), HALF);
    let before = scene.everything();
    let _ = scene.killed(&["update", "--yes", "some-node"]);
    let edited = "custom_nodes/some-node/both.py";
    scene.place.write(edited, "hours of work");
    let _ = scene.place.portenv(&["recover"]).success();
    assert_eq!(scene.everything(), before);
    assert_eq!(scene.kept(), ["in-the-way-some-node/both.py"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_lock_of_a_git_that_lives_is_left_alone() {
    let scene = Scene::of_git(behind(), HALF);
    let before = scene.everything();
    let _ = scene.killed(&["update", "--yes", "some-node"]);
    let node = scene.place.root().join("custom_nodes/some-node");
    // Somebody's git is at work there: it waits for words on its input.
    let mut git = std::process::Command::new("git")
        .args(["hash-object", "--stdin"])
        .current_dir(&node)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let run = scene.place.portenv(&["recover"]).expect_code(5);
    assert!(run.stderr().contains("index.lock"), "{run}");
    assert!(node.join(".git/index.lock").exists());
    drop(git.stdin.take());
    git.wait().unwrap();
    let run = scene.place.portenv(&["recover"]).success();
    scene.assert_as(&before, &run);
}

#[test]
fn a_git_that_outlives_its_run_keeps_the_installation_until_it_is_done() {
    let damage = "kill -9 $PPID; while [ ! -e GO ]; do :; done; \"$real\" \"$@\"; exit";
    let place = behind();
    let go = place.dir().join("go");
    let scene = Scene::of_git(place, "true");
    let script = scene.orders.with_file_name("git");
    let text = fs::read_to_string(&script).unwrap();
    let text = text.replace("kill -9 $PPID", &damage.replace("GO", go.as_str()));
    fs::write(&script, text).unwrap();
    let before = scene.everything();
    fs::write(&scene.orders, "").unwrap();
    let update = ["update", "--yes", "some-node"];
    let _ = scene.place.portenv(&update).expect_code(137);
    let lock = fs::File::open(scene.place.root().join(".portenv/lock")).unwrap();
    assert!(matches!(
        lock.try_lock_shared(),
        Err(fs::TryLockError::WouldBlock)
    ));
    fs::write(&go, "").unwrap();
    lock.lock_shared().unwrap();
    drop(lock);
    scene.assert_undone(&before);
}

#[test]
fn a_command_that_was_killed_does_its_work_when_it_is_run_again() {
    for command in ["disable", "update", "remove"] {
        let scene = Scene::of_uv(behind(), "true");
        let before = scene.everything();
        let _ = scene.killed(&[command, "--yes", "some-node"]);
        // What it finds is half done, and that is not what it was asked for.
        let done = scene.place.json(0, &[command, "--yes", "some-node"]);
        assert_eq!(done["status"], "done", "{command}");
        assert!(
            scene.place.json(0, &["status"])["interrupted"].is_null(),
            "{command}"
        );
        let _ = scene.place.portenv(&["undo", "--yes"]).success();
        let packages = scene.place.shown();
        assert_eq!(
            packages, "alpha 1.1, beta 1.0, delta 2.0, gamma 1.0",
            "{command}"
        );
        let of_node =
            |(path, _): &&(String, String)| path.contains("some-node") && !path.contains(".git/");
        let now = scene.everything();
        assert!(
            now.iter().filter(of_node).eq(before.iter().filter(of_node)),
            "{command}"
        );
    }
}

#[test]
fn a_directory_that_was_made_for_what_is_moved_goes_with_the_undoing() {
    let scene = Scene::of_uv(behind(), "true");
    let before = scene.everything();
    let _ = scene.killed(&["disable", "--yes", "some-node"]);
    scene.assert_undone(&before);
}

#[test]
fn what_a_killed_run_had_staged_goes_with_recover() {
    let scene = Scene::of_uv(Place::synced(), "true");
    let before = scene.everything();
    scene
        .place
        .write(".portenv/tmp/work-abc/some-node/__init__.py", "");
    let run = scene.place.portenv(&["recover"]).success();
    scene.assert_as(&before, &run);
}
