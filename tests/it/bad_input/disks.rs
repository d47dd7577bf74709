//! Places that cannot be written to.

use std::process::Command;

use super::{Place, check, tree, with_history};

/// Tells whether this user may mount in a namespace of its own: the way to a read-only or full
/// disk that stops root too.
#[expect(clippy::print_stdout, reason = "a test that was skipped says so")]
pub(crate) fn may_mount() -> bool {
    let script = "mount -t tmpfs -o size=64k tmpfs /tmp";
    let tried = Command::new("unshare")
        .args(["-rm", "sh", "-c", script])
        .output();
    let may = tried.is_ok_and(|output| output.status.success());
    if !may {
        println!("skipped: no mount namespaces for this user here");
    }
    may
}

const READ_ONLY: &str = "exec unshare -rm sh -c 'mount --bind \"$ROOT\" \"$ROOT\" && \
    mount -o remount,bind,ro \"$ROOT\" && cd \"$ROOT\" && exec \"$@\"' sh \"$@\"";

const FULL: &str = "exec unshare -rm sh -c 'mount -t tmpfs -o size=16k tmpfs \"$ROOT/.portenv\" && \
    exec \"$@\"' sh \"$@\"";

fn with_environment(place: &Place) {
    place.sandbox.comfyui("alpha\n");
    place.sandbox.venv();
}

#[test]
fn a_file_in_the_way_is_named() {
    check(rows! {
        "in place of the directory": init 4 "disk" ["[ROOT]/.portenv"] "in the way"
            => |place| {
                with_environment(place);
                place.sandbox.write(".portenv", "not a directory");
                "init".to_owned()
            };
    });
}

#[test]
fn a_read_only_or_full_disk_is_told_and_nothing_changes() {
    if !may_mount() {
        return;
    }
    check(rows! {
        "a read-only root": init 4 "permission" ["[ROOT]"] "writable"
            => |place| {
                with_environment(place);
                place.around = Some(READ_ONLY);
                "init".to_owned()
            };
        "a read-only root and a lock to be written": lock 4 "permission" ["[ROOT]/.portenv"] "writable"
            => |place| {
                with_environment(place);
                place.around = Some(READ_ONLY);
                "lock".to_owned()
            };
        "a read-only root and a history": snapshot 4 "permission" ["[ROOT]/.portenv"] "writable"
            => |place| {
                with_history(place);
                place.around = Some(READ_ONLY);
                "snapshot create".to_owned()
            };
        "a full disk": init 4 "disk" ["[ROOT]/.portenv"] "make room"
            => |place| {
                with_environment(place);
                std::fs::create_dir(place.sandbox.root().join(".portenv")).unwrap();
                place.around = Some(FULL);
                "init".to_owned()
            };
    });
}

#[test]
fn commands_that_change_nothing_work_on_a_read_only_installation() {
    if !may_mount() {
        return;
    }
    let mut place = Place::new();
    with_history(&place);
    let _ = place.sandbox.portenv(&["lock"]).success();
    place.sandbox.write("../pack/__init__.py", "");
    place.sandbox.write("../pack/requirements.txt", "beta\n");
    let before = tree(place.sandbox.root());
    for around in [None, Some(READ_ONLY)] {
        place.around = around;
        for (line, code) in [
            ("self", 0),
            ("status", 0),
            ("snapshot list", 0),
            ("snapshot show", 0),
            ("diff", 0),
            ("diff @ lock", 0),
            ("lock --check", 0),
            ("preview ../pack", 0),
            ("check", 1),
        ] {
            let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let run = place.run(&arguments);
            assert!(run.code() == code, "{line}\n{run}");
            assert_eq!(tree(place.sandbox.root()), before, "{line}");
        }
    }
}
