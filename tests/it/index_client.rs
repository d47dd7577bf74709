//! The network index, asked of a real server on this machine.

mod cache;
mod choice;
mod faults;
mod sizes;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use portenv::index::config::IndexLocation;
use portenv::index::page::ColdFile;
use portenv::index::{
    BuildFailure, Builder, Index, IndexConfig, IndexError, MetadataError, Page, RemoteIndex, Want,
};
use portenv::package::{Metadata, Name, Version};
use portenv::progress::{Cancel, Silent};
use portenv::resolve::Outcome;
use rusqlite::Connection;

use crate::support::{Fault, Format, Hosted, IndexServer, Sandbox, Sdist, Wheel};
use crate::worlds::World;

const NOW: i64 = 1_780_000_000;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn config(server: &IndexServer) -> IndexConfig {
    IndexConfig {
        indexes: vec![IndexLocation::general(&server.url())],
        ..IndexConfig::default()
    }
}

fn cached(server: &IndexServer, dir: &Utf8Path) -> IndexConfig {
    IndexConfig {
        cache_dir: Some(dir.to_owned()),
        ..config(server)
    }
}

fn open_at(config: IndexConfig, now: i64) -> RemoteIndex {
    RemoteIndex::new(config, now, Cancel::default(), Arc::new(Silent))
}

fn open(config: IndexConfig) -> RemoteIndex {
    open_at(config, NOW)
}

/// A page in short: versions newest first.
fn versions(page: &Page) -> Vec<String> {
    (0..page.len())
        .map(|at| page.version(at).to_string())
        .collect()
}

#[track_caller]
fn page(index: &RemoteIndex, package: &str) -> Arc<Page> {
    index.page(&name(package)).unwrap().unwrap()
}

fn first_file(page: &Page) -> ColdFile {
    page.cold(page.files(0)[0]).unwrap()
}

/// Reads the metadata of the first file of the newest version.
fn metadata_of(index: &RemoteIndex, package: &str) -> Result<Arc<Metadata>, MetadataError> {
    let page = index.page(&name(package))?.unwrap();
    index.metadata(&name(package), page.version(0), &first_file(&page))
}

fn paths(server: &IndexServer) -> Vec<String> {
    server
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect()
}

const WHEEL: &str = "/files/demo-1.0-py3-none-any.whl";

#[test]
fn every_kind_of_index_gives_the_same_page_and_metadata_with_the_fewest_requests() {
    for format in [Format::Json, Format::Html] {
        for metadata in [true, false] {
            for ranges in [true, false] {
                let case = format!("{format:?} metadata={metadata} ranges={ranges}");
                let server = IndexServer::start([Wheel::new("demo", "1.0")
                    .requires("other>=2")
                    .requires_python(">=3.9")]);
                server.add(Wheel::new("demo", "0.9"));
                server.set(|options| {
                    options.format = format;
                    options.metadata = metadata;
                    options.ranges = ranges;
                });
                let index = open(config(&server));
                let page = page(&index, "demo");
                assert_eq!(versions(&page), ["1.0", "0.9"], "{case}");
                assert_eq!(page.python_texts(), [">=3.9"], "{case}");
                let file = first_file(&page);
                assert_eq!(file.file.url, format!("{}{WHEEL}", server.base()), "{case}");
                assert!(file.file.sha256().is_some(), "{case}");
                let found = index
                    .metadata(&name("demo"), page.version(0), &file)
                    .unwrap();
                assert_eq!(found.requires_dist, ["other>=2"], "{case}");
                assert_eq!(found.requires_python.as_deref(), Some(">=3.9"), "{case}");

                let requests = server.requests();
                assert_eq!(requests.len(), 2, "{case}: {requests:?}");
                assert!(
                    requests.iter().all(|request| request.method == "GET"),
                    "{case}"
                );
                assert_eq!(requests[0].path, "/simple/demo/", "{case}");
                let second = (
                    requests[1].path.as_str(),
                    requests[1].status,
                    requests[1].range.is_some(),
                );
                let expected = match (metadata, ranges) {
                    (true, _) => (&*format!("{WHEEL}.metadata"), 200, false),
                    (false, true) => (WHEEL, 206, true),
                    (false, false) => (WHEEL, 200, true),
                };
                assert_eq!(second, expected, "{case}");
                let stats = index.stats();
                assert_eq!(stats.pages.load(Ordering::Relaxed), 1, "{case}");
                assert_eq!(
                    stats.metadata.load(Ordering::Relaxed),
                    u64::from(metadata),
                    "{case}"
                );
                assert_eq!(
                    stats.ranges.load(Ordering::Relaxed),
                    u64::from(!metadata),
                    "{case}"
                );
            }
        }
    }
}

/// Bytes that no packer makes smaller, so that a wheel is as long as it says.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn only_the_end_of_a_large_wheel_is_read() {
    let server = IndexServer::start([Wheel::new("demo", "1.0")
        .requires("other")
        .file("demo/big.bin", noise(400_000))]);
    server.set(|options| options.metadata = false);
    let index = open(config(&server));
    assert_eq!(
        metadata_of(&index, "demo").unwrap().requires_dist,
        ["other"]
    );
    assert!(index.stats().bytes.load(Ordering::Relaxed) < 80_000);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn metadata_before_the_end_of_a_large_wheel_is_found_by_further_ranges() {
    // A directory longer than the part that is asked for first, with METADATA before all of it.
    let mut wheel = Wheel::new("demo", "1.0").requires("other");
    for at in 0..1500 {
        wheel = wheel.file(&format!("demo-1.0.dist-info/licenses/{at:0>60}"), "");
    }
    // Big members behind the metadata cannot be had from the builder, so the directory is the long part.
    let server = IndexServer::start([wheel.file("demo/big.bin", noise(200_000))]);
    server.set(|options| options.metadata = false);
    let index = open(config(&server));
    assert_eq!(
        metadata_of(&index, "demo").unwrap().requires_dist,
        ["other"]
    );
    let ranged: Vec<_> = server
        .requests()
        .into_iter()
        .filter(|request| request.status == 206)
        .collect();
    assert!((1..=3).contains(&ranged.len()), "{ranged:?}");
}

#[test]
fn an_advertised_metadata_file_that_is_absent_is_read_out_of_the_wheel() {
    let server = IndexServer::start([Wheel::new("demo", "1.0").requires("other")]);
    server.fault(".metadata", Fault::Status(404), usize::MAX);
    let index = open(config(&server));
    assert_eq!(
        metadata_of(&index, "demo").unwrap().requires_dist,
        ["other"]
    );
    let asked: Vec<_> = server
        .requests()
        .into_iter()
        .map(|request| (request.path, request.status))
        .collect();
    assert_eq!(
        asked[1..],
        [(format!("{WHEEL}.metadata"), 404), (WHEEL.to_owned(), 206)]
    );
}

#[test]
fn metadata_with_another_hash_than_advertised_is_an_integrity_error() {
    let server = IndexServer::start([Wheel::new("demo", "1.0")]);
    server.fault(".metadata", Fault::Corrupt, usize::MAX);
    let error = metadata_of(&open(config(&server)), "demo").unwrap_err();
    assert!(
        matches!(&error, MetadataError::Index(IndexError::Integrity { url, .. }) if url.ends_with(".metadata")),
        "{error:?}"
    );
}

#[test]
fn a_whole_wheel_with_another_hash_than_stated_is_an_integrity_error() {
    let server = IndexServer::start([Wheel::new("demo", "1.0")]);
    server.set(|options| (options.metadata, options.ranges) = (false, false));
    server.fault(".whl", Fault::Corrupt, usize::MAX);
    let error = metadata_of(&open(config(&server)), "demo").unwrap_err();
    assert!(
        matches!(&error, MetadataError::Index(IndexError::Integrity { .. })),
        "{error:?}"
    );
}

#[test]
fn a_file_that_never_arrives_whole_is_an_error_and_no_panic() {
    for (metadata, ranges) in [(true, true), (false, true), (false, false)] {
        let server = IndexServer::start([Wheel::new("demo", "1.0")]);
        server.set(|options| (options.metadata, options.ranges) = (metadata, ranges));
        server.fault("/files/", Fault::Truncate(40), usize::MAX);
        let error = metadata_of(&open(config(&server)), "demo").unwrap_err();
        assert!(
            matches!(&error, MetadataError::Index(IndexError::Integrity { detail, .. }) if detail.contains("whole")),
            "{error:?}"
        );
    }
}

#[test]
fn an_answer_cut_off_once_is_asked_for_again() {
    for part in ["/simple/", "/files/"] {
        let server = IndexServer::start([Wheel::new("demo", "1.0").requires("other")]);
        server.fault(part, Fault::Truncate(20), 1);
        let found = metadata_of(&open(config(&server)), "demo").unwrap();
        assert_eq!(found.requires_dist, ["other"], "{part}");
    }
}

#[test]
fn passing_failures_are_retried() {
    for (fault, times) in [
        (Fault::Status(503), 2),
        (Fault::RetryAfter(429, 0), 3),
        (Fault::RetryAfter(503, 0), 1),
        (Fault::Reset, 2),
    ] {
        let server = IndexServer::start([Wheel::new("demo", "1.0").requires("other")]);
        server.fault("/simple/demo/", fault, times);
        server.fault(".metadata", fault, times);
        let found = metadata_of(&open(config(&server)), "demo");
        assert_eq!(found.unwrap().requires_dist, ["other"], "{fault:?}");
        assert!(server.requests().len() > 2, "{fault:?}");
    }
}

#[test]
fn failures_that_stay_are_named_and_never_taken_for_an_answer() {
    for (fault, says) in [
        (Fault::RetryAfter(503, 0), "503"),
        (Fault::Status(403), "403"),
        (Fault::Status(501), "501"),
    ] {
        let server = IndexServer::start([Wheel::new("demo", "1.0")]);
        server.fault("/simple/", fault, usize::MAX);
        match open(config(&server)).page(&name("demo")) {
            Err(IndexError::Unreachable { url, detail }) => {
                assert!(detail.contains(says), "{detail}");
                assert_eq!(url, format!("{}/demo/", server.url()));
            }
            other => panic!("{fault:?}: {other:?}"),
        }
    }
}

#[test]
fn a_refused_connection_ends_soon_as_unreachable() {
    let server = IndexServer::empty();
    let config = config(&server);
    drop(server);
    let began = Instant::now();
    let error = open(config).page(&name("demo")).unwrap_err();
    assert!(matches!(error, IndexError::Unreachable { .. }), "{error:?}");
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_page_that_is_not_there_is_none() {
    let server = IndexServer::start([Wheel::new("demo", "1.0")]);
    assert!(
        open(config(&server))
            .page(&name("other"))
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_login_page_in_place_of_json_is_an_integrity_error() {
    let server = IndexServer::start([Wheel::new("demo", "1.0")]);
    server.fault("/simple/", Fault::Garbage(Format::Json), usize::MAX);
    let error = open(config(&server)).page(&name("demo")).unwrap_err();
    assert!(matches!(error, IndexError::Integrity { .. }), "{error:?}");
}

#[test]
fn metadata_of_another_package_makes_the_file_unusable() {
    let lying = Wheel::new("demo", "1.0")
        .raw_metadata("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n");
    let server = IndexServer::start([lying]);
    let error = metadata_of(&open(config(&server)), "demo").unwrap_err();
    assert!(
        matches!(&error, MetadataError::Unusable(reason) if reason.contains("other 1.0")),
        "{error:?}"
    );
}

fn with_user_info(server: &IndexServer, user_info: &str) -> IndexConfig {
    IndexConfig {
        indexes: vec![IndexLocation::general(
            &server.url().replace("://", &format!("://{user_info}@")),
        )],
        ..IndexConfig::default()
    }
}

#[test]
fn credentials_come_from_the_url_or_from_netrc_and_reach_files_too() {
    let server = IndexServer::start([Wheel::new("demo", "1.0").requires("other")]);
    let netrc = |text: &str| IndexConfig {
        netrc: Some(text.to_owned()),
        ..config(&server)
    };
    for (user, password, config) in [
        ("me", "s3cret", with_user_info(&server, "me:s3cret")),
        ("me", "s/c:t@", with_user_info(&server, "me:s%2Fc%3At%40")),
        ("token-s3cret", "", with_user_info(&server, "token-s3cret")),
        (
            "me",
            "s3cret",
            netrc("machine 127.0.0.1 login me password s3cret\n"),
        ),
        (
            "me",
            "s3cret",
            netrc("machine elsewhere login x password y\ndefault login me password s3cret\n"),
        ),
    ] {
        server.set(|options| options.auth = Some((user.to_owned(), password.to_owned())));
        let found = metadata_of(&open(config), "demo");
        assert_eq!(found.unwrap().requires_dist, ["other"], "{user}:{password}");
    }
}

#[test]
fn a_password_is_never_shown() {
    let server = IndexServer::start([Wheel::new("demo", "1.0")]);
    server.set(|options| options.auth = Some(("me".to_owned(), "right".to_owned())));
    let mut config = with_user_info(&server, "me:s3cret");
    config.netrc = Some("machine other login me password s3cret-too\n".to_owned());
    let index = open(config);
    let error = index.page(&name("demo")).unwrap_err();
    assert!(error.to_string().contains("401"), "{error}");
    server.set(|options| options.auth = Some(("me".to_owned(), "s3cret".to_owned())));
    let index_again = open(with_user_info(&server, "me:s3cret"));
    let found = page(&index_again, "demo");
    for shown in [
        error.to_string(),
        format!("{error:?}"),
        format!("{index:?}"),
        found.index().to_owned(),
        format!("{found:?}"),
    ] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[test]
fn an_sdist_tells_its_dependencies_where_it_states_them() {
    let stated = Sdist::new("stated", "1.0").requires("other>=1");
    let pyproject = Sdist::new("declared", "1.0").pkg_info_version("2.1").pyproject(
        "[project]\nname = \"declared\"\nversion = \"1.0\"\ndependencies = [\"other>=2\"]\n[project.optional-dependencies]\ngpu = [\"cuda; python_version > '3'\"]\n",
    );
    let old = Sdist::new("old", "1.0")
        .pkg_info_version("1.0")
        .egg_requires("other>=3\n");
    let silent = Sdist::new("silent", "1.0").pkg_info_version("1.0");
    let server = IndexServer::start([stated, pyproject, old, silent]);
    let index = open(config(&server));
    assert_eq!(
        metadata_of(&index, "stated").unwrap().requires_dist,
        ["other>=1"]
    );
    let declared = metadata_of(&index, "declared").unwrap();
    assert_eq!(
        declared.requires_dist,
        [
            "other>=2",
            "cuda ; (python_version > '3') and extra == 'gpu'"
        ]
    );
    assert_eq!(declared.provides_extra, ["gpu"]);
    let old = metadata_of(&index, "old").unwrap();
    assert!(old.unverified);
    assert_eq!(old.requires_dist, ["other>=3"]);
    let error = metadata_of(&index, "silent").unwrap_err();
    assert!(
        matches!(&error, MetadataError::Unusable(reason) if reason.contains("build")),
        "{error:?}"
    );
}

#[test]
fn a_file_without_a_hash_on_its_page_is_fetched_to_learn_it() {
    let wheel = Wheel::new("demo", "1.0").build();
    let server = IndexServer::start([Hosted::from(wheel.clone()).without_hash()]);
    let index = open(config(&server));
    let file = first_file(&page(&index, "demo")).file;
    assert_eq!(file.sha256(), None);
    let found = index.download(&file).unwrap();
    assert_eq!(
        (found.sha256, found.size),
        (wheel.sha256, wheel.bytes.len() as u64)
    );
}

#[test]
fn a_request_to_stop_ends_the_waiting() {
    let server = IndexServer::start([Wheel::new("demo", "1.0")]);
    server.fault("/simple/", Fault::RetryAfter(503, 9), usize::MAX);
    let cancel = Cancel::default();
    cancel.request();
    let index = RemoteIndex::new(config(&server), NOW, cancel, Arc::new(Silent));
    assert_eq!(
        index.page(&name("demo")).unwrap_err(),
        IndexError::Interrupted
    );
}
