//! Locks and histories that cannot be used.

use std::process::Command;

use super::{Place, check, with_history};
use crate::support::{Wheel, base_python};

/// Checks this `pylock.toml`.
fn with_lock(place: &Place, text: impl AsRef<[u8]>) -> String {
    place.sandbox.comfyui("alpha\n");
    place.sandbox.write("pylock.toml", text);
    "lock --check".to_owned()
}

/// Two entries of a name, the first with a marker.
const LOCKED: &str = "lock-version = \"1.0\"\n[[packages]]\nname = \"alpha\"\nversion = \"1\"\nmarker = \"MARKER\"\n\
    wheels = [{ url = \"https://host/alpha-1-py3-none-any.whl\" }]\n[[packages]]\nname = \"alpha\"\nversion = \"2\"\n\
    wheels = [{ url = \"https://host/alpha-2-py3-none-any.whl\" }]\n\
    [tool.portenv]\nschema = 1\ntargets = [\"x86_64-unknown-linux-gnu@3.12.0\"]\n";

#[test]
fn a_lock_that_cannot_be_read_is_named_at_its_line_and_kept() {
    check(rows! {
        "no TOML": lock 2 "invalid-lock" ("pylock.toml", 3, 11) [] "delete it and run portenv lock"
            => |place| with_lock(place, "lock-version = \"1.0\"\npackages = [\n  {name = }\n]\n");
        "no lock": lock 2 "invalid-lock" ("pylock.toml", 1, 1) ["lock-version"] "delete it and run portenv lock"
            => |place| with_lock(place, "title = \"a recipe\"\n");
        "a bad version": lock 2 "invalid-lock" ("pylock.toml", 3, 8) ["alpha", "`one`"] "delete it and run portenv lock"
            => |place| with_lock(place, "lock-version = \"1.0\"\n[[packages]]\nname = \"alpha\"\nversion = \"one\"\n");
        "a marker that is none": lock 2 "invalid-lock" ("pylock.toml", 3, 8) ["alpha", "marker"] "delete it and run portenv lock"
            => |place| with_lock(place, LOCKED.replace("MARKER", "sys_platform is 'linux'"));
        "two of one name": lock 2 "invalid-lock" ("pylock.toml", 3, 8) ["alpha", "more than one", "x86_64-unknown-linux-gnu@3.12.0"] "delete it and run portenv lock"
            => |place| with_lock(place, LOCKED.replace("MARKER", "sys_platform == 'linux'"));
        "no text": lock 2 "invalid-lock" ("pylock.toml", 2, 3) ["UTF-8"] "delete it and run portenv lock"
            => |place| with_lock(place, b"lock-version = \"1.0\"\n# \xff\xfe\n");
        "an older format": lock 2 "invalid-lock" ("pylock.toml", 1, 1) ["`0.9`"] "delete it and run portenv lock"
            => |place| with_lock(place, "lock-version = \"0.9\"\npackages = []\n");
        "a newer format": lock 2 "newer-format" ["pylock.toml", "2.0"] "update portenv"
            => |place| with_lock(place, "lock-version = \"2.0\"\npackages = []\n");
        "a newer schema of ours": lock 2 "newer-format" ["pylock.toml", "99"] "update portenv"
            => |place| with_lock(place, "lock-version = \"1.0\"\npackages = []\n[tool.portenv]\nschema = 99\n");
        "no lock to compare": diff 2 "not-found" ["pylock.toml"] "portenv lock makes one"
            => |place| {
                place.sandbox.comfyui("alpha\n");
                "diff lock env".to_owned()
            };
        "no lock to sync": sync 2 "not-found" ["pylock.toml"] "portenv lock makes one"
            => |place| {
                place.sandbox.comfyui("alpha\n");
                place.sandbox.venv();
                "sync --yes".to_owned()
            };
    });
}

/// Makes the history one of a portenv to come.
fn with_newer_history(place: &Place) {
    with_history(place);
    let code = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
        c.execute('PRAGMA journal_mode=DELETE')\nc.execute('PRAGMA user_version=99')\n";
    let db = place.sandbox.root().join(".portenv/portenv.db");
    let mut python = Command::new(base_python());
    assert!(
        python
            .args(["-c", code, db.as_str()])
            .status()
            .unwrap()
            .success()
    );
}

fn with_garbage_history(place: &Place) {
    with_history(place);
    place
        .sandbox
        .write(".portenv/portenv.db", "garbage ".repeat(2000));
}

/// Makes a second snapshot, so that there is something to go back over.
fn with_two_snapshots(place: &Place) {
    with_history(place);
    place
        .sandbox
        .install_behind_its_back(&Wheel::new("beta", "1.0").build());
    let _ = place.sandbox.portenv(&["snapshot", "create"]).success();
}

#[test]
fn a_history_that_cannot_be_used_is_named_and_kept() {
    check(rows! {
        "a newer history, written": snapshot 2 "newer-format" ["portenv.db", "99"] "update portenv"
            => |place| {
                with_newer_history(place);
                "snapshot create".to_owned()
            };
        "a newer history, rolled back": rollback 2 "newer-format" ["portenv.db", "99"] "update portenv"
            => |place| {
                with_newer_history(place);
                "rollback --yes".to_owned()
            };
        "a garbage history, read": status 2 "invalid-file" ["portenv.db"] "portenv recover moves it aside"
            => |place| {
                with_garbage_history(place);
                "status".to_owned()
            };
        "a garbage history, written": snapshot 2 "invalid-file" ["portenv.db"] "portenv recover moves it aside"
            => |place| {
                with_garbage_history(place);
                "snapshot create".to_owned()
            };
    });
}

#[test]
fn a_snapshot_that_is_not_there_is_named_and_nobody_changes_unasked() {
    check(rows! {
        "an unknown id": rollback 2 "not-found" ["`ffffffffffff`"] "portenv snapshot list"
            => |place| {
                with_history(place);
                "rollback --yes ffffffffffff".to_owned()
            };
        "an unknown label": snapshot 2 "not-found" ["`before-the-flood`"] "portenv snapshot list"
            => |place| {
                with_history(place);
                "snapshot show before-the-flood".to_owned()
            };
        "a snapshot before the first": diff 2 "not-found" ["`@~9`"] "portenv snapshot list"
            => |place| {
                with_history(place);
                "diff @~9".to_owned()
            };
        "no history at all": rollback 2 "not-found" ["no snapshot"] "portenv init"
            => |place| {
                place.sandbox.comfyui("alpha\n");
                "rollback --yes".to_owned()
            };
        "nobody to be asked": rollback 2 "confirm" ["needs a yes"] "--yes"
            => |place| {
                with_two_snapshots(place);
                "rollback @~1".to_owned()
            };
        "a plan that is no longer true": rollback 1 "plan-stale" ["changed since"] "preview"
            => |place| {
                with_two_snapshots(place);
                "rollback @~1 --plan 000000000000".to_owned()
            };
    });
}
