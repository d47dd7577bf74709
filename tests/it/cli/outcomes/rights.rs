//! What may not be written, at once or from some moment on.

use std::process::Command;

use super::{ALL, CHANGES, Row, Scene, check, heeding_modes, nothing, read_only};
use crate::bad_input::may_mount;

#[test]
fn what_may_not_be_written_is_told_before_the_change() {
    if !may_mount() {
        return;
    }
    check(&[
        Row {
            name: "a read-only installation",
            commands: ALL,
            exit: 4,
            code: "permission",
            says: "hint: make the directory writable",
            fault: |_| read_only("$ROOT"),
            lift: nothing,
        },
        Row {
            name: "a read-only environment",
            commands: CHANGES,
            exit: 4,
            code: "permission",
            says: "site-packages",
            fault: |_| read_only("$SITE"),
            lift: nothing,
        },
        Row {
            name: "read-only nodes",
            commands: &["add", "rollback"],
            exit: 4,
            code: "permission",
            says: "custom_nodes",
            fault: |_| read_only("$ROOT/custom_nodes"),
            lift: nothing,
        },
        Row {
            name: "a read-only cache",
            commands: ALL,
            exit: 0,
            code: "",
            says: "",
            fault: |_| read_only("$BASE/cache/portenv"),
            lift: nothing,
        },
    ]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_right_that_is_lost_midway_is_told_and_what_can_be_put_back_is() {
    check(&[
        Row {
            name: "the environment is locked before uv changes it",
            commands: CHANGES,
            exit: 4,
            code: "permission",
            says: "",
            fault: |scene| {
                scene.stand_in(
                    "uv",
                    "case \" $* \" in *' pip sync '*) chmod -R a-w \"$SITE\";; esac\n\
                     exec \"$REAL\" \"$@\"",
                );
                heeding_modes()
            },
            lift: |scene| {
                scene.stand_aside();
                scene.chmod("u+w", ".venv");
            },
        },
        Row {
            name: "the environment is locked when uv has changed it",
            commands: CHANGES,
            exit: 5,
            code: "broken",
            says: "portenv recover",
            fault: |scene| {
                scene.stand_in(
                    "uv",
                    "case \" $* \" in *' pip sync '*) \"$REAL\" \"$@\"; chmod -R a-w \"$SITE\"; \
                     echo 'error: cut short' >&2; exit 2;; esac\nexec \"$REAL\" \"$@\"",
                );
                heeding_modes()
            },
            lift: |scene| {
                scene.stand_aside();
                scene.chmod("u+w", ".venv");
            },
        },
        Row {
            name: "the nodes are locked while one is fetched",
            commands: &["add"],
            exit: 4,
            code: "permission",
            says: "custom_nodes",
            fault: |scene| {
                scene.stand_in(
                    "git",
                    "case \" $* \" in *' clone '*) chmod a-w \"$ROOT/custom_nodes\";; esac\n\
                     exec \"$REAL\" \"$@\"",
                );
                heeding_modes()
            },
            lift: |scene| {
                scene.stand_aside();
                scene.chmod("u+w", "custom_nodes");
            },
        },
    ]);
}

/// Whether files can be made unchangeable here.
#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "a test that was skipped says so")]
fn may_fix_files() -> bool {
    let script = "f=$(mktemp) && chattr +i $f; code=$?; chattr -i $f; rm -f $f; exit $code";
    let tried = Command::new("sh").args(["-c", script]).output().unwrap();
    if !tried.status.success() {
        println!("skipped: this user cannot make files unchangeable here");
    }
    tried.status.success()
}

#[cfg(target_os = "linux")]
fn chattr(scene: &Scene, flag: &str, path: &str) {
    let done = Command::new("chattr")
        .args(["-R", flag, path])
        .current_dir(scene.place.root())
        .status();
    assert!(done.unwrap().success());
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_nobody_can_change_ends_in_the_state_before() {
    if !may_fix_files() {
        return;
    }
    check(&[
        Row {
            name: "of a package that changes",
            commands: &["add", "sync", "rollback"],
            exit: 4,
            code: "permission",
            says: "alpha",
            fault: |scene| {
                let dir = scene.place.site_packages().join("alpha/__init__.py");
                chattr(scene, "+i", dir.as_str());
                String::new()
            },
            lift: |scene| {
                let dir = scene.place.site_packages().join("alpha/__init__.py");
                chattr(scene, "-i", dir.as_str());
            },
        },
        Row {
            name: "of a node that goes",
            commands: &["rollback"],
            exit: 4,
            code: "permission",
            says: "custom_nodes/some-node",
            fault: |scene| {
                chattr(scene, "+i", "custom_nodes/some-node");
                String::new()
            },
            lift: |scene| chattr(scene, "-i", "custom_nodes/some-node"),
        },
    ]);
}
