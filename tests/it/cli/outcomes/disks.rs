//! Disks that are full, and disks that are apart.

use std::fs;

use super::{ALL, CHANGES, Row, Scene, check, nothing, on_a_disk};
use crate::bad_input::may_mount;

#[test]
fn a_full_disk_stops_a_change_before_it_begins_or_is_undone() {
    if !may_mount() {
        return;
    }
    check(&[
        Row {
            name: "no room for the history",
            commands: ALL,
            exit: 4,
            code: "disk",
            says: "hint: make room",
            fault: |_| on_a_disk("$ROOT/.portenv", 32, Some(0)),
            lift: nothing,
        },
        Row {
            name: "no room in the environment",
            commands: CHANGES,
            exit: 4,
            code: "disk",
            says: "hint: make room",
            fault: |_| on_a_disk("$SITE", 32, Some(0)),
            lift: nothing,
        },
        Row {
            name: "the environment's disk fills up while uv works",
            commands: &["add", "sync"],
            exit: 4,
            code: "disk",
            says: "hint: make room",
            fault: |scene| {
                scene.stand_in(
                    "uv",
                    "case \" $* \" in *' pip sync '*)\n\
                     if mkdir \"$ROOT/../once\" 2>/dev/null; then \
                     fill \"$SITE\"; \
                     truncate -s -1200k \"$SITE/.ballast\"; fi;; esac\nexec \"$REAL\" \"$@\"",
                );
                on_a_disk("$SITE", 32, None)
            },
            lift: Scene::stand_aside,
        },
        Row {
            name: "the history's disk fills up while uv works",
            commands: CHANGES,
            exit: 4,
            code: "disk",
            says: "hint: make room",
            fault: |scene| {
                scene.stand_in(
                    "uv",
                    "case \" $* \" in *' pip sync '*) \"$REAL\" \"$@\"; code=$?; \
                     mkdir \"$ROOT/../twice\" 2>/dev/null && fill \"$ROOT/.portenv\"; \
                     exit $code;; esac\nexec \"$REAL\" \"$@\"",
                );
                on_a_disk("$ROOT/.portenv", 32, None)
            },
            lift: Scene::stand_aside,
        },
        Row {
            name: "no room for the cache",
            commands: ALL,
            exit: 0,
            code: "",
            says: "",
            fault: |scene| {
                fs::remove_dir_all(scene.place.cache()).unwrap();
                fs::create_dir(scene.place.cache()).unwrap();
                on_a_disk("$BASE/cache/portenv", 1, Some(0))
            },
            lift: nothing,
        },
        Row {
            name: "no room for temporary files",
            commands: ALL,
            exit: 0,
            code: "",
            says: "",
            fault: |_| {
                let script = on_a_disk("$BASE/tmp", 1, Some(0));
                format!("export TMPDIR=\"$BASE/tmp\"; {script}")
            },
            lift: nothing,
        },
    ]);
}

#[test]
fn what_lies_on_another_disk_is_changed_like_anything_else() {
    if !may_mount() {
        return;
    }
    check(&[
        Row {
            name: "packages on a disk of their own",
            commands: CHANGES,
            exit: 0,
            code: "",
            says: "",
            fault: |_| on_a_disk("$SITE", 64, None),
            lift: nothing,
        },
        Row {
            name: "nodes on a disk of their own",
            commands: &["add", "rollback"],
            exit: 0,
            code: "",
            says: "",
            fault: |_| on_a_disk("$ROOT/custom_nodes", 64, None),
            lift: nothing,
        },
        Row {
            name: "what portenv keeps on a disk of its own",
            commands: ALL,
            exit: 0,
            code: "",
            says: "",
            fault: |_| on_a_disk("$ROOT/.portenv", 64, None),
            lift: nothing,
        },
    ]);
}

#[test]
fn at_whatever_size_a_disk_is_full_the_state_before_stands() {
    if !may_mount() {
        return;
    }
    for command in ALL {
        let scene = Scene::new(command);
        let mut refused = 0;
        for free in [0, 16, 64, 128, 256, 512, 1024, 1536, 2048, 4096] {
            let run = scene.run(&on_a_disk("$ROOT/.portenv", 32, Some(free)));
            if run.code() == 0 {
                break;
            }
            let run = run.expect_code(4);
            assert_eq!(run.json()["error"]["code"], "disk", "{run}");
            assert_eq!(scene.losses(), [""; 0], "{command}, {free} KB free: {run}");
            refused += 1;
        }
        assert!(refused > 0, "{command}: it was never full");
        assert_ne!(scene.place.history(), scene.history, "{command}");
    }
}
