//! Archives that are damaged on purpose, and answers that are far larger than they look.

use std::io::{Cursor, Write};

use flate2::{Compression, write::GzEncoder};
use portenv::index::project::{Members, Stated};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;
use crate::support::sha256;

const MB: usize = 1 << 20;

/// A wheel of `demo 2.0` with these members and no others, which tells its metadata itself.
fn wheel_of(members: &[(&str, Vec<u8>)]) -> Hosted {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in members {
        zip.start_file(*path, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    let mut artifact = Wheel::new("demo", "2.0").build();
    artifact.bytes = zip.finish().unwrap().into_inner();
    artifact.sha256 = sha256(&artifact.bytes);
    Hosted::from(artifact).without_metadata()
}

/// Bytes that are packed as next to nothing.
fn blank(size: usize) -> Vec<u8> {
    vec![b'\n'; size]
}

const INFO: &str = "demo-2.0.dist-info/METADATA";

fn stated() -> Vec<u8> {
    b"Metadata-Version: 2.1\nName: demo\nVersion: 2.0\n".to_vec()
}

/// Checks that the newer version is of no use for a reason, and that this is no failure.
#[track_caller]
fn is_unusable(server: &IndexServer, says: &str) {
    let error = metadata_of(&open(config(server)), "demo").unwrap_err();
    match error {
        MetadataError::Unusable(reason) => assert!(reason.contains(says), "{reason}"),
        other => panic!("{says}: {other:?}"),
    }
}

#[test]
fn a_wheel_with_no_metadata_or_with_two_is_unusable() {
    for ranges in [true, false] {
        for (members, says) in [
            (vec![("demo/__init__.py", Vec::new())], "no METADATA"),
            (
                vec![("a/demo-2.0.dist-info/METADATA", stated())],
                "no METADATA",
            ),
            (
                vec![(INFO, stated()), ("evil-2.0.dist-info/METADATA", stated())],
                "more than one",
            ),
            (vec![(INFO, blank(17 * MB))], "larger than"),
        ] {
            let server = IndexServer::start([wheel_of(&members)]);
            server.set(|options| options.ranges = ranges);
            is_unusable(&server, says);
        }
    }
}

#[test]
fn metadata_beside_a_wheel_that_is_far_too_large_is_unusable() {
    let server = IndexServer::start([Wheel::new("demo", "2.0")]);
    let path = "/files/demo-2.0-py3-none-any.whl.metadata";
    server.route(path, "application/octet-stream", blank(50 * MB));
    is_unusable(&server, "larger than");
}

#[test]
fn a_page_that_unpacks_to_far_more_than_any_page_is_an_integrity_error() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..129 {
        gzip.write_all(&blank(MB)).unwrap();
    }
    let packed = gzip.finish().unwrap();
    assert!(packed.len() < 2 * MB, "{}", packed.len());
    let server = IndexServer::empty();
    server.route_packed("/simple/demo/", "text/html", &packed);
    match open(config(&server)).page(&name("demo")) {
        Err(IndexError::Integrity { url, detail }) => {
            assert!(detail.contains("larger than"), "{detail}");
            assert_eq!(url, format!("{}/demo/", server.url()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_sdist_that_unpacks_to_far_more_than_metadata_is_unusable() {
    let sdist = |version: &str| Sdist::new("demo", version).pkg_info_version("1.0");
    let many = (0..5).fold(sdist("2.0"), |sdist, at| {
        sdist.file(&format!("d{at}/x.egg-info/PKG-INFO"), blank(15 * MB))
    });
    let long = "x".repeat(99_000);
    for (sdist, says) in [
        (
            sdist("2.0").file("setup.cfg", blank(17 * MB)),
            "larger than",
        ),
        (many, "too much metadata"),
        (sdist("2.0").file(&long, ""), "too long"),
    ] {
        is_unusable(&IndexServer::start([sdist]), says);
    }
    // What is not metadata may be as large as it likes.
    let honest = sdist("2.0")
        .file("demo/data", blank(20 * MB))
        .egg_requires("other\n");
    let server = IndexServer::start([honest]);
    let found = metadata_of(&open(config(&server)), "demo").unwrap();
    assert_eq!(found.requires_dist, ["other"]);
}

#[test]
fn an_sdist_that_is_larger_than_the_index_states_is_an_integrity_error() {
    let server = IndexServer::start([Sdist::new("demo", "2.0")]);
    let bytes = blank(MB);
    server.route("/files/demo-2.0.tar.gz", "application/octet-stream", bytes);
    match metadata_of(&open(config(&server)), "demo") {
        Err(MetadataError::Index(IndexError::Integrity { url, detail })) => {
            assert!(url.ends_with("/files/demo-2.0.tar.gz"), "{url}");
            assert!(detail.contains("larger than"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn members_that_climb_or_are_links_tell_nothing() {
    let evil = "Metadata-Version: 2.2\nName: demo\nVersion: 2.0\nRequires-Dist: evil\n";
    let project = "[project]\nname = \"demo\"\nversion = \"2.0\"\ndependencies = [\"evil\"]\n";
    let sdist = Sdist::new("demo", "2.0")
        .pkg_info_version("1.0")
        .stray("../pyproject.toml", project)
        .stray("/pyproject.toml", project)
        .stray("demo-2.0/../pyproject.toml", project)
        .link("demo-2.0/pyproject.toml", "../../../../../../dev/zero")
        .stray("demo-2.0/x/PKG-INFO", evil)
        .build();
    let members = Members::of_archive(&sdist.filename, &sdist.bytes, None).unwrap();
    let stated = members
        .stated(Some((&name("demo"), &version("2.0"))))
        .unwrap();
    assert_eq!(stated, Stated::NeedsBuild(None));
}

#[cfg(unix)]
#[test]
fn a_device_in_place_of_a_project_file_is_not_read() {
    let sandbox = Sandbox::new();
    for file in ["PKG-INFO", "pyproject.toml", "setup.cfg", "setup.py"] {
        std::os::unix::fs::symlink("/dev/zero", sandbox.root().join(file)).unwrap();
    }
    let members = Members::of_directory(sandbox.root());
    assert_eq!(members.stated(None), Ok(Stated::NeedsBuild(None)));
}
