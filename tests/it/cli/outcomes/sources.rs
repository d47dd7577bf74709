//! Indexes, remotes, the store and uv: gone, damaged or of no use.

use std::fs;

use camino::Utf8PathBuf;

use super::{CHANGES, Row, Scene, check, nothing};
use crate::cli::place::tree;
use crate::support::{Fault, uv};

#[test]
fn what_cannot_be_had_from_afar_changes_nothing() {
    check(&[
        Row {
            name: "the index answers with failures",
            commands: &["add", "sync"],
            exit: 3,
            code: "network",
            says: "gamma",
            fault: |scene| {
                let fault = Fault::Status(500);
                scene.place.server.fault("gamma", fault, usize::MAX);
                scene.place.sandbox.set_env("UV_HTTP_RETRIES", "0");
                String::new()
            },
            lift: |scene| scene.place.server.clear_faults(),
        },
        Row {
            name: "the index cuts files short",
            commands: &["add", "sync"],
            exit: 3,
            code: "network",
            says: "gamma",
            fault: |scene| {
                let server = &scene.place.server;
                let _ = scene
                    .place
                    .portenv(&["preview", "../remotes/some-node"])
                    .success();
                server.fault("gamma-1.0-py3", Fault::Truncate(40), usize::MAX);
                String::new()
            },
            lift: |scene| scene.place.server.clear_faults(),
        },
        Row {
            name: "the index has another file under the same name",
            commands: &["add", "sync"],
            exit: 3,
            code: "network",
            says: "gamma",
            fault: |scene| {
                let server = &scene.place.server;
                let _ = scene
                    .place
                    .portenv(&["preview", "../remotes/some-node"])
                    .success();
                server.fault("gamma-1.0-py3", Fault::Corrupt, usize::MAX);
                String::new()
            },
            lift: |scene| scene.place.server.clear_faults(),
        },
        Row {
            name: "the index is gone, and all it had is kept",
            commands: &["rollback"],
            exit: 0,
            code: "",
            says: "",
            fault: |scene| {
                let fault = Fault::Status(500);
                scene.place.server.fault("/", fault, usize::MAX);
                String::new()
            },
            lift: |scene| scene.place.server.clear_faults(),
        },
        Row {
            name: "the git remote is gone",
            commands: &["add"],
            exit: 3,
            code: "git",
            says: "some-node",
            fault: |scene| {
                let remote = scene.place.remote_dir("some-node");
                fs::rename(&remote, remote.with_extension("gone")).unwrap();
                String::new()
            },
            lift: |scene| {
                let remote = scene.place.remote_dir("some-node");
                fs::rename(remote.with_extension("gone"), &remote).unwrap();
            },
        },
        Row {
            name: "the git remote is gone, and the node goes too",
            commands: &["rollback"],
            exit: 0,
            code: "",
            says: "",
            fault: |scene| {
                let remote = scene.place.remote_dir("some-node");
                fs::rename(&remote, remote.with_extension("gone")).unwrap();
                String::new()
            },
            lift: nothing,
        },
    ]);
}

/// Returns the one wheel in the store.
fn stored(scene: &Scene) -> Utf8PathBuf {
    let files = tree(&scene.own("store")).into_keys();
    let mut wheels = files.filter(|file| file.ends_with(".whl"));
    scene.own("store").join(wheels.next().unwrap())
}

#[test]
fn a_wheel_that_the_store_has_lost_is_told_before_anything_is_changed() {
    check(&[
        Row {
            name: "it is gone",
            commands: &["rollback"],
            exit: 1,
            code: "refused",
            says: "mine",
            fault: |scene| {
                let file = stored(scene);
                fs::rename(&file, scene.place.dir().join("kept.whl")).unwrap();
                scene.kept = Some(file.as_str().into());
                String::new()
            },
            lift: |scene| {
                let file = String::from_utf8(scene.kept.clone().unwrap()).unwrap();
                fs::rename(scene.place.dir().join("kept.whl"), file).unwrap();
            },
        },
        Row {
            name: "it is damaged",
            commands: &["rollback"],
            exit: 1,
            code: "refused",
            says: "mine",
            fault: |scene| {
                let file = stored(scene);
                let mut bytes = fs::read(&file).unwrap();
                scene.kept = Some(bytes.clone());
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x55;
                fs::write(&file, bytes).unwrap();
                String::new()
            },
            lift: |scene| fs::write(stored(scene), scene.kept.as_ref().unwrap()).unwrap(),
        },
        Row {
            name: "all of the store is gone",
            commands: &["rollback"],
            exit: 1,
            code: "refused",
            says: "mine",
            fault: |scene| {
                fs::rename(scene.own("store"), scene.place.dir().join("kept")).unwrap();
                String::new()
            },
            lift: |scene| {
                let _ = fs::remove_dir_all(scene.own("store"));
                fs::rename(scene.place.dir().join("kept"), scene.own("store")).unwrap();
            },
        },
    ]);
}

#[test]
fn a_uv_that_is_of_no_use_changes_nothing() {
    check(&[
        Row {
            name: "there is none where one was named",
            commands: CHANGES,
            exit: 4,
            code: "uv",
            says: "--uv",
            fault: |scene| {
                scene.stand_in("uv", "");
                fs::remove_file(scene.place.dir().join("stand-in/uv")).unwrap();
                String::new()
            },
            lift: |scene| {
                let uv = uv();
                let text = format!("#!/bin/sh\nexec '{uv}' \"$@\"\n");
                let path = scene.place.dir().join("stand-in/uv");
                scene.place.write_executable(&path, &text);
            },
        },
        Row {
            name: "it is too old",
            commands: CHANGES,
            exit: 4,
            code: "uv",
            says: "0.1.0",
            fault: |scene| {
                scene.stand_in("uv", "echo uv 0.1.0");
                String::new()
            },
            lift: Scene::stand_aside,
        },
        Row {
            name: "it is killed, as when memory runs out",
            commands: CHANGES,
            exit: 4,
            code: "apply",
            says: "signal 9",
            fault: |scene| {
                scene.stand_in(
                    "uv",
                    "case \" $* \" in *' pip sync '*) \"$REAL\" \"$@\"; \
                     mkdir \"$ROOT/../once\" && kill -9 $$;; esac\nexec \"$REAL\" \"$@\"",
                );
                String::new()
            },
            lift: Scene::stand_aside,
        },
    ]);
}
