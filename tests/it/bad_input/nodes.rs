//! Nodes that cannot be had, or that would leave their directory.

use std::io::{Cursor, Write};

use camino::Utf8Path;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{Place, check};
use crate::support::Wheel;

/// Previews a node in an installation.
fn previewing(place: &Place, node: &str) -> String {
    place.sandbox.comfyui("alpha\n");
    format!("preview {node}")
}

/// Previews a zip with these members, names unchecked.
fn zipped(place: &Place, members: &[&str]) -> String {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for member in members {
        zip.start_file(*member, SimpleFileOptions::default())
            .unwrap();
        zip.write_all(b"evil\n").unwrap();
    }
    let bytes = zip.finish().unwrap().into_inner();
    place.sandbox.write("../pack.zip", bytes);
    previewing(place, "../pack.zip")
}

/// Previews a tarball with a member of this name, unchecked.
fn tarred(place: &Place, member: &str) -> String {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in [("pack/__init__.py", &b"\n"[..]), (member, b"evil\n")] {
        let mut header = tar::Header::new_old();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        tar.append(&header, content).unwrap();
    }
    let bytes = tar.into_inner().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&bytes).unwrap();
    place
        .sandbox
        .write("../pack.tar.gz", gzip.finish().unwrap());
    previewing(place, "../pack.tar.gz")
}

#[test]
fn a_node_that_cannot_be_had_is_named() {
    check(rows! {
        "an unknown name": preview 2 "not-found" ["`no-such-node`"] "git URL"
            => |place| previewing(place, "no-such-node");
        "a path that is not there": preview 2 "not-found" ["`./no/such/node`"] "git URL"
            => |place| previewing(place, "./no/such/node");
        "a file that is no node": preview 2 "not-found" ["x.txt"] "git URL"
            => |place| {
                place.sandbox.write("../x.txt", "x");
                previewing(place, "../x.txt")
            };
        "a repository that is not there": preview 3 "git" ["/no/such/repository.git"] "check the address"
            => |place| previewing(place, "file:///no/such/repository.git");
        "a repository behind a password": preview 3 "git" ["http://127.0.0.1:9/pack.git"] "check the address"
            => |place| previewing(place, "http://u:secret@127.0.0.1:9/pack.git@v1");
        "an archive that is none": preview 2 "not-found" ["none.zip", "cannot be unpacked"] "git URL"
            => |place| {
                place.sandbox.write("../none.zip", "PK no zip");
                previewing(place, "../none.zip")
            };
        "an address that refuses": preview 3 "network" ["http://127.0.0.1:9/pack.zip"] "check the address"
            => |place| previewing(place, "http://u:secret@127.0.0.1:9/pack.zip");
        "removing what is not there": remove 2 "not-found" ["`Ghost`"] "portenv tree"
            => |place| {
                place.sandbox.comfyui("alpha\n");
                "remove Ghost --yes".to_owned()
            };
        "adding what is not there": add 2 "not-found" ["`no-such-node`"] "git URL"
            => |place| {
                place.sandbox.comfyui("alpha\n");
                place.sandbox.venv();
                // The staging directory stays, empty.
                std::fs::create_dir_all(place.sandbox.root().join(".portenv/tmp")).unwrap();
                "add no-such-node --yes".to_owned()
            };
    });
}

#[test]
fn a_node_that_would_leave_its_directory_is_refused() {
    check(rows! {
        "a repository named ..": preview 2 "not-found" ["`https://h.example`", "no usable name"] "git URL"
            => |place| previewing(place, "https://u:secret@h.example/..");
        "a repository named ...git": preview 2 "not-found" ["no usable name"] "git URL"
            => |place| previewing(place, "https://h.example/x/...git");
        "a repository named like an option": preview 2 "not-found" ["no usable name"] "git URL"
            => |place| previewing(place, "https://h.example/--upload-pack=evil");
        "a transport that runs programs": preview 2 "not-found" ["ext::sh"] "git URL"
            => |place| previewing(place, "ext::sh%20-c%20evil");
        "a transport that runs programs, spelt as git": preview 2 "not-found" ["'ext' not allowed"] "git URL"
            => |place| previewing(place, "git+ext::sh%20-c%20evil");
        "a revision like an option": preview 2 "not-found" ["--upload-pack=evil"] "git URL"
            => |place| {
                let url = place.sandbox.git_remote("pack", "");
                previewing(place, &format!("{url}@--upload-pack=evil"))
            };
        "a zip that climbs": preview 2 "not-found" ["pack.zip", "`pack/../../../evil.py`"] "git URL"
            => |place| zipped(place, &["pack/__init__.py", "pack/../../../evil.py"]);
        "a zip from the root": preview 2 "not-found" ["pack.zip", "`/tmp/portenv-evil.py`"] "git URL"
            => |place| zipped(place, &["pack/__init__.py", "/tmp/portenv-evil.py"]);
        "a zip with a drive": preview 2 "not-found" ["pack.zip", "evil.py"] "git URL"
            => |place| zipped(place, &["pack/__init__.py", "C:\\evil.py"]);
        "a zip that climbs as on Windows": preview 2 "not-found" ["pack.zip", "evil.py"] "git URL"
            => |place| zipped(place, &["pack/__init__.py", "pack\\..\\..\\evil.py"]);
        "a tarball that climbs": preview 2 "not-found" ["pack.tar.gz", "`pack/../../evil.py`"] "git URL"
            => |place| tarred(place, "pack/../../evil.py");
        "a tarball from the root": preview 2 "not-found" ["pack.tar.gz", "`/tmp/portenv-evil.py`"] "git URL"
            => |place| tarred(place, "/tmp/portenv-evil.py");
    });
    let evil = Utf8Path::new("/tmp/portenv-evil.py");
    assert!(!evil.exists(), "an archive wrote {evil}");
}

#[test]
fn a_blocked_preview_names_a_command_that_goes_through() {
    let place = Place::new();
    for version in ["1", "2"] {
        place.server.add(Wheel::new("torch", version));
    }
    place.sandbox.comfyui("torch\n");
    place.sandbox.venv();
    place
        .sandbox
        .install_behind_its_back(&Wheel::new("torch", "1").build());
    place.sandbox.write("../my pack/__init__.py", "");
    place
        .sandbox
        .write("../my pack/requirements.txt", "torch>=2\n");
    let run = place
        .sandbox
        .portenv(&["preview", "../my pack", "--format", "json"]);
    let document = run.expect_code(1).json();
    assert_eq!(document["status"], "blocked");
    let argv = document["next"][0]["argv"].as_array().unwrap();
    let argv: Vec<&str> = argv.iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(
        argv,
        [
            "portenv",
            "preview",
            "../my pack",
            "--format",
            "json",
            "--allow-change",
            "torch"
        ]
    );
    let run = place.sandbox.portenv(&argv[1..]).success();
    assert!(run.stdout().contains("torch"), "{run}");
}
