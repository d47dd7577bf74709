//! The network index, asked of a real server on this machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use portenv::index::config::IndexLocation;
use portenv::index::page::ColdFile;
use portenv::index::{Builder, Index, IndexConfig, IndexError, MetadataError, Page, RemoteIndex};
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
    page.cold(page.files(0)[0]).unwrap().clone()
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
fn a_second_run_makes_no_request_and_starts_nothing() {
    let sandbox = Sandbox::new();
    let server = IndexServer::start([Wheel::new("demo", "1.0").requires("other")]);
    let run = || {
        let index = open(cached(&server, &sandbox.cache()));
        let found = metadata_of(&index, "demo").unwrap();
        assert!(index.page(&name("absent")).unwrap().is_none());
        index.flush();
        (index, found)
    };
    let (_, first) = run();
    assert_eq!(server.requests().len(), 3);
    server.clear_requests();
    let (index, second) = run();
    assert_eq!(first, second);
    assert_eq!(paths(&server), Vec::<String>::new());
    let stats = index.stats();
    assert_eq!(stats.hits.load(Ordering::Relaxed), 3);
    for count in [
        &stats.pages,
        &stats.metadata,
        &stats.ranges,
        &stats.files,
        &stats.bytes,
    ] {
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }
    drop(server);
    // With the server gone nothing could be asked even by mistake.
}

#[test]
fn a_stale_page_is_asked_for_by_its_tag_and_stays_if_unchanged() {
    let sandbox = Sandbox::new();
    let server = IndexServer::start([Wheel::new("demo", "1.0")]);
    server.set(|options| options.cache_control = Some("max-age=100".to_owned()));
    let at = |now| {
        let index = open_at(cached(&server, &sandbox.cache()), now);
        let found = versions(&page(&index, "demo"));
        index.flush();
        let statuses: Vec<u16> = server
            .requests()
            .iter()
            .map(|request| request.status)
            .collect();
        server.clear_requests();
        (found, statuses)
    };
    let one = vec!["1.0".to_owned()];
    assert_eq!(at(NOW), (one.clone(), vec![200]));
    assert_eq!(at(NOW + 99), (one.clone(), vec![]));
    assert_eq!(at(NOW + 101), (one.clone(), vec![304]));
    assert_eq!(at(NOW + 150), (one, vec![]), "304 makes it fresh again");
    server.add(Wheel::new("demo", "2.0"));
    let two = vec!["2.0".to_owned(), "1.0".to_owned()];
    assert_eq!(at(NOW + 300), (two, vec![200]));
}

#[test]
fn cache_control_of_the_index_is_obeyed() {
    for (header, age, asked) in [
        (Some("no-store"), 1, true),
        (Some("public, no-cache"), 1, true),
        (Some("max-age=0"), 1, true),
        (Some("max-age=5000, immutable"), 4000, false),
        (None, 599, false),
        (None, 601, true),
    ] {
        let sandbox = Sandbox::new();
        let server = IndexServer::start([Wheel::new("demo", "1.0")]);
        server.set(|options| options.cache_control = header.map(str::to_owned));
        let index = open_at(cached(&server, &sandbox.cache()), NOW);
        page(&index, "demo");
        index.flush();
        server.clear_requests();
        page(
            &open_at(cached(&server, &sandbox.cache()), NOW + age),
            "demo",
        );
        assert_eq!(
            server.requests().len(),
            usize::from(asked),
            "{header:?} after {age} s"
        );
    }
}

#[test]
fn refresh_asks_again_whatever_is_fresh() {
    let sandbox = Sandbox::new();
    let server = IndexServer::start([Wheel::new("demo", "1.0")]);
    let index = open(cached(&server, &sandbox.cache()));
    page(&index, "demo");
    index.flush();
    server.clear_requests();
    let config = IndexConfig {
        refresh: true,
        ..cached(&server, &sandbox.cache())
    };
    page(&open(config), "demo");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn offline_serves_what_is_kept_at_any_age_and_nothing_else() {
    let sandbox = Sandbox::new();
    let server = IndexServer::start([Wheel::new("demo", "1.0").requires("other")]);
    server.add(Wheel::new("unseen", "1.0"));
    let index = open(cached(&server, &sandbox.cache()));
    metadata_of(&index, "demo").unwrap();
    index.page(&name("absent")).unwrap();
    index.flush();
    server.clear_requests();

    let years = 10 * 365 * 86_400;
    let config = IndexConfig {
        offline: true,
        ..cached(&server, &sandbox.cache())
    };
    let index = open_at(config, NOW + years);
    assert_eq!(
        metadata_of(&index, "demo").unwrap().requires_dist,
        ["other"]
    );
    assert!(
        index.page(&name("absent")).unwrap().is_none(),
        "its absence is known"
    );
    let error = index.page(&name("unseen")).unwrap_err();
    assert!(
        matches!(&error, IndexError::Offline { what } if what == "unseen"),
        "{error:?}"
    );
    assert_eq!(paths(&server), Vec::<String>::new());
}

#[test]
fn offline_metadata_that_is_not_kept_is_said_to_be_offline() {
    let sandbox = Sandbox::new();
    let server = IndexServer::start([Wheel::new("demo", "1.0")]);
    let index = open(cached(&server, &sandbox.cache()));
    let file = first_file(&page(&index, "demo"));
    index.flush();
    server.clear_requests();
    let config = IndexConfig {
        offline: true,
        ..cached(&server, &sandbox.cache())
    };
    let index = open(config);
    let error = index
        .metadata(&name("demo"), &version("1.0"), &file)
        .unwrap_err();
    assert!(
        matches!(error, MetadataError::Index(IndexError::Offline { .. })),
        "{error:?}"
    );
    let error = index.digest(&file.file).unwrap_err();
    assert!(matches!(error, IndexError::Offline { .. }), "{error:?}");
    assert_eq!(paths(&server), Vec::<String>::new());
}

#[test]
fn offline_no_later_index_answers_for_one_that_was_never_asked() {
    let sandbox = Sandbox::new();
    let server = IndexServer::empty();
    server.add_to("second", Wheel::new("demo", "9.0"));
    let second = IndexLocation::general(&server.url_of("second"));
    let keep = IndexConfig {
        indexes: vec![second.clone()],
        ..cached(&server, &sandbox.cache())
    };
    let index = open(keep);
    page(&index, "demo");
    index.flush();
    let both = IndexConfig {
        indexes: vec![IndexLocation::general(&server.url()), second],
        offline: true,
        ..cached(&server, &sandbox.cache())
    };
    let error = open(both).page(&name("demo")).unwrap_err();
    assert!(matches!(error, IndexError::Offline { .. }), "{error:?}");
}

#[test]
fn offline_an_index_on_this_machine_is_read_and_no_other_is_asked() {
    let sandbox = Sandbox::new();
    let server = IndexServer::start([Wheel::new("demo", "2.0")]);
    let local = sandbox.dir().join("mirror");
    std::fs::create_dir_all(local.join("here")).unwrap();
    let wheel = Wheel::new("here", "1.0").requires("other").build();
    std::fs::write(local.join("here").join(&wheel.filename), &wheel.bytes).unwrap();
    let config = IndexConfig {
        indexes: vec![
            IndexLocation::general(url::Url::from_file_path(&local).unwrap().as_str()),
            IndexLocation::general(&server.url()),
        ],
        offline: true,
        ..IndexConfig::default()
    };
    let index = open(config);
    assert_eq!(
        metadata_of(&index, "here").unwrap().requires_dist,
        ["other"]
    );
    let error = index.page(&name("demo")).unwrap_err();
    assert!(matches!(error, IndexError::Offline { .. }), "{error:?}");
    assert_eq!(paths(&server), Vec::<String>::new());
}

/// Puts something in the way of a cache.
type Spoiler<'a> = &'a dyn Fn(&Utf8Path);

#[test]
fn a_cache_file_that_cannot_be_read_is_made_anew() {
    let garbage = |path: &Utf8Path| {
        std::fs::write(path, b"this is no database at all, not even close").unwrap();
    };
    let newer = |path: &Utf8Path| {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch("CREATE TABLE page (other INTEGER); PRAGMA user_version = 999;")
            .unwrap();
    };
    let folder = |path: &Utf8Path| std::fs::create_dir(path).unwrap();
    let spoilers: [(&str, Spoiler); 3] = [
        ("garbage", &garbage),
        ("newer", &newer),
        ("folder", &folder),
    ];
    for (case, spoil) in spoilers {
        let sandbox = Sandbox::new();
        std::fs::create_dir_all(sandbox.cache()).unwrap();
        spoil(&sandbox.cache().join("index.db"));
        let server = IndexServer::start([Wheel::new("demo", "1.0")]);
        let index = open(cached(&server, &sandbox.cache()));
        assert_eq!(versions(&page(&index, "demo")), ["1.0"], "{case}");
        index.flush();
        drop(index);
        server.clear_requests();
        assert_eq!(
            versions(&page(&open(cached(&server, &sandbox.cache())), "demo")),
            ["1.0"],
            "{case}"
        );
        assert_eq!(
            paths(&server),
            Vec::<String>::new(),
            "{case}: the new cache is used"
        );
    }
}

#[test]
fn a_kept_record_that_is_damaged_is_fetched_again() {
    let sandbox = Sandbox::new();
    let server = IndexServer::start([Wheel::new("demo", "1.0").requires("other")]);
    let index = open(cached(&server, &sandbox.cache()));
    metadata_of(&index, "demo").unwrap();
    index.flush();
    for column in ["hot", "cold"] {
        let connection = Connection::open(sandbox.cache().join("index.db")).unwrap();
        connection
            .execute(&format!("UPDATE page SET {column} = x'ff'"), [])
            .unwrap();
        connection
            .execute("UPDATE meta SET record = x'ff'", [])
            .unwrap();
        drop(connection);
        let index = open(cached(&server, &sandbox.cache()));
        assert_eq!(
            metadata_of(&index, "demo").unwrap().requires_dist,
            ["other"],
            "{column}"
        );
        index.flush();
    }
}

#[test]
fn files_of_find_links_join_the_page_of_the_index() {
    let sandbox = Sandbox::new();
    let server = IndexServer::start([Wheel::new("demo", "1.0")]);
    let folder = sandbox.dir().join("wheels");
    std::fs::create_dir(&folder).unwrap();
    for wheel in [
        Wheel::new("demo", "2.0").requires("from-folder").build(),
        Wheel::new("only-here", "1.0").build(),
    ] {
        std::fs::write(folder.join(&wheel.filename), &wheel.bytes).unwrap();
    }
    std::fs::write(folder.join("notes.txt"), "not a wheel").unwrap();
    let linked = Wheel::new("demo", "3.0").requires("from-page").build();
    server.route(
        "/links/demo-3.0-py3-none-any.whl",
        "application/octet-stream",
        &linked.bytes,
    );
    server.route("/links/all.html", "text/html", "<html><a href=\"demo-3.0-py3-none-any.whl\">demo</a><a href=\"other-1.0.tar.gz\">other</a></html>");
    let config = |links: &[String]| IndexConfig {
        find_links: links.to_vec(),
        ..config(&server)
    };
    let page_url = format!("{}/links/all.html", server.base());
    for (links, expected, requires) in [
        (vec![folder.to_string()], vec!["2.0", "1.0"], "from-folder"),
        (
            vec![url::Url::from_file_path(&folder).unwrap().to_string()],
            vec!["2.0", "1.0"],
            "from-folder",
        ),
        (vec![page_url.clone()], vec!["3.0", "1.0"], "from-page"),
        (
            vec![folder.to_string(), page_url],
            vec!["3.0", "2.0", "1.0"],
            "from-page",
        ),
    ] {
        let index = open(config(&links));
        assert_eq!(versions(&page(&index, "demo")), expected, "{links:?}");
        assert_eq!(
            metadata_of(&index, "demo").unwrap().requires_dist,
            [requires],
            "{links:?}"
        );
    }
    let index = open(config(&[folder.to_string()]));
    assert_eq!(versions(&page(&index, "only-here")), ["1.0"]);
    let file = first_file(&page(&index, "only-here")).file;
    let (digest, size) = index.digest(&file).unwrap();
    assert_eq!(digest, Wheel::new("only-here", "1.0").build().sha256);
    assert_eq!(
        size,
        Wheel::new("only-here", "1.0").build().bytes.len() as u64
    );
}

#[test]
fn a_find_links_folder_that_is_not_there_is_an_error() {
    let sandbox = Sandbox::new();
    let server = IndexServer::start([Wheel::new("demo", "1.0")]);
    let config = IndexConfig {
        find_links: vec![sandbox.dir().join("nowhere").to_string()],
        ..config(&server)
    };
    let error = open(config).page(&name("demo")).unwrap_err();
    assert!(
        matches!(&error, IndexError::Unreachable { url, .. } if url.ends_with("nowhere")),
        "{error:?}"
    );
}

fn claiming(server: &IndexServer, index: &str, packages: &[&str]) -> IndexLocation {
    IndexLocation {
        packages: packages.iter().map(|&text| text.to_owned()).collect(),
        ..IndexLocation::general(&server.url_of(index))
    }
}

#[test]
fn the_first_index_that_knows_a_name_wins_and_versions_never_mix() {
    let server = IndexServer::empty();
    server.add_to("one", Wheel::new("demo", "1.0"));
    server.add_to("two", Wheel::new("demo", "2.0"));
    server.add_to("two", Wheel::new("other", "2.0"));
    let config = IndexConfig {
        indexes: vec![
            IndexLocation::general(&server.url_of("one")),
            IndexLocation::general(&server.url_of("two")),
        ],
        ..IndexConfig::default()
    };
    let index = open(config);
    assert_eq!(versions(&page(&index, "demo")), ["1.0"]);
    assert_eq!(page(&index, "demo").index(), server.url_of("one"));
    assert_eq!(versions(&page(&index, "other")), ["2.0"]);
    assert_eq!(
        paths(&server),
        [
            "/one/simple/demo/",
            "/one/simple/other/",
            "/two/simple/other/"
        ]
    );
}

#[test]
fn an_index_with_packages_serves_these_alone_and_these_come_from_nowhere_else() {
    let server = IndexServer::empty();
    for index in ["general", "torch", "mine"] {
        for package in ["torch", "torchvision", "torchsde", "my-lib", "numpy"] {
            server.add_to(index, Wheel::new(package, "1.0"));
        }
    }
    let config = IndexConfig {
        indexes: vec![
            claiming(&server, "torch", &["@torch"]),
            IndexLocation::general(&server.url_of("general")),
            claiming(&server, "mine", &["My_Lib", "gone"]),
        ],
        ..IndexConfig::default()
    };
    let index = open(config);
    for (package, from) in [
        ("torch", "torch"),
        ("torchvision", "torch"),
        ("torchsde", "general"),
        ("my-lib", "mine"),
        ("numpy", "general"),
    ] {
        assert_eq!(
            page(&index, package).index(),
            server.url_of(from),
            "{package}"
        );
    }
    server.add_to("general", Wheel::new("gone", "1.0"));
    assert!(
        index.page(&name("gone")).unwrap().is_none(),
        "its own index does not have it"
    );
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

/// Tells one dependency, and how often it was asked.
#[derive(Default)]
struct CountingBuilder(AtomicU64);

impl Builder for CountingBuilder {
    fn metadata(
        &self,
        path: &Utf8Path,
        name: &Name,
        version: &Version,
    ) -> Result<Metadata, String> {
        self.0.fetch_add(1, Ordering::Relaxed);
        assert!(path.is_file());
        Ok(Metadata {
            name: name.to_string(),
            version: version.to_string(),
            requires_dist: vec!["built".to_owned()],
            ..Metadata::default()
        })
    }
}

#[test]
fn an_sdist_is_fetched_and_built_once() {
    let sdist = || {
        Sdist::new("old", "1.0")
            .pkg_info_version("1.0")
            .egg_requires("other>=3\n")
    };
    for builds in [false, true] {
        let sandbox = Sandbox::new();
        let server = IndexServer::start([sdist()]);
        let builder = Arc::new(CountingBuilder::default());
        let run = || {
            let mut index = open(cached(&server, &sandbox.cache()));
            if builds {
                index = index.with_builder(Arc::clone(&builder) as Arc<dyn Builder>);
            }
            let found = metadata_of(&index, "old").unwrap();
            index.flush();
            found
        };
        let first = run();
        assert_eq!(
            first.requires_dist,
            [if builds { "built" } else { "other>=3" }]
        );
        assert_eq!(first.unverified, !builds);
        server.clear_requests();
        assert_eq!(run(), first);
        assert_eq!(paths(&server), Vec::<String>::new());
        assert_eq!(builder.0.load(Ordering::Relaxed), u64::from(builds));
    }
}

#[test]
fn a_build_is_better_than_older_evidence_that_was_kept() {
    let sandbox = Sandbox::new();
    let sdist = Sdist::new("old", "1.0")
        .pkg_info_version("1.0")
        .egg_requires("other>=3\n");
    let server = IndexServer::start([sdist]);
    let index = open(cached(&server, &sandbox.cache()));
    metadata_of(&index, "old").unwrap();
    index.flush();
    let builder: Arc<dyn Builder> = Arc::new(CountingBuilder::default());
    let index = open(cached(&server, &sandbox.cache())).with_builder(builder);
    assert_eq!(metadata_of(&index, "old").unwrap().requires_dist, ["built"]);
}

#[test]
fn a_file_without_a_hash_on_its_page_is_fetched_to_learn_it() {
    let wheel = Wheel::new("demo", "1.0").build();
    let server = IndexServer::start([Hosted::from(wheel.clone()).without_hash()]);
    let index = open(config(&server));
    let file = first_file(&page(&index, "demo")).file;
    assert_eq!(file.sha256(), None);
    assert_eq!(
        index.digest(&file).unwrap(),
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

/// Twelve releases of everything, most of which cannot go together.
fn deep() -> IndexServer {
    let server = IndexServer::empty();
    for at in 1..=12 {
        let version = format!("{at}.0");
        let top = Wheel::new("top", &version).requires("side[x]");
        server.add(top.requires(&format!("middle=={at}.*")));
        let least = if at < 3 { 5 } else { 2 };
        server.add(Wheel::new("middle", &version).requires(&format!("leaf<{least}")));
        server.add(Wheel::new("leaf", &version));
        let side = Wheel::new("side", &version).requires("late>1; extra == 'x'");
        server.add(side.extra("x").requires("gone; sys_platform == 'win32'"));
        server.add(Sdist::new("late", &version));
    }
    server
}

#[test]
fn the_answer_depends_neither_on_the_kind_of_index_nor_on_what_was_asked_ahead() {
    let world = World::new::<&str, &str>(&[], &["core: top", "n: leaf>=2", "m: side<9"]);
    let answer = |index: &RemoteIndex| match world.outcome_from(index) {
        Outcome::Resolved(resolution) => {
            let packages = resolution.packages.iter();
            let shown = packages.map(|package| format!("{} {}", package.name, package.version));
            shown.collect::<Vec<_>>().join(", ")
        }
        Outcome::Conflicts(conflicts) => crate::worlds::shown(&conflicts),
    };
    let expected = "late 12.0, leaf 4.0, middle 2.0, side 8.0, top 2.0";
    for (format, metadata, ranges) in [
        (Format::Json, true, true),
        (Format::Json, false, true),
        (Format::Html, true, false),
        (Format::Html, false, false),
    ] {
        let case = format!("{format:?} {metadata} {ranges}");
        let sandbox = Sandbox::new();
        let server = deep();
        server.set(|options| {
            (options.format, options.metadata, options.ranges) = (format, metadata, ranges);
        });
        let index = open(cached(&server, &sandbox.cache()));
        assert_eq!(answer(&index), expected, "{case}");
        index.flush();
        let mut asked = paths(&server);
        let all = asked.len();
        asked.sort();
        asked.dedup();
        assert_eq!(asked.len(), all, "{case}: nothing is asked for twice");
        assert!(
            !asked.iter().any(|path| path.contains("gone")),
            "{case}: {asked:?}"
        );

        let config = IndexConfig {
            offline: true,
            ..cached(&server, &sandbox.cache())
        };
        let index = open(config);
        assert_eq!(answer(&index), expected, "{case}: off line");
        // Not by what the server saw: the first index may still be asking ahead.
        let stats = index.stats();
        for count in [&stats.pages, &stats.metadata, &stats.ranges, &stats.files] {
            assert_eq!(count.load(Ordering::Relaxed), 0, "{case}: off line");
        }
    }
}

#[test]
fn an_address_that_a_line_gives_serves_packages_that_ask_for_the_same() {
    let server = IndexServer::start([Wheel::new("plain", "1.0").requires("direct>=1")]);
    server.add(Wheel::new("direct", "1.0"));
    server.add_to("other", Wheel::new("direct", "2.0").requires("plain"));
    let address = format!(
        "direct @ {}/other/files/direct-2.0-py3-none-any.whl",
        server.base()
    );
    server.add(Wheel::new("same", "1.0").requires(&address));
    let answer = |lines: &[&str]| match World::new(&[] as &[&str], lines)
        .outcome_from(&open(config(&server)))
    {
        Outcome::Resolved(resolution) => {
            let packages = resolution.packages.iter();
            let shown = packages.map(|package| format!("{} {}", package.name, package.version));
            shown.collect::<Vec<_>>().join(", ")
        }
        Outcome::Conflicts(conflicts) => crate::worlds::shown(&conflicts),
    };
    let line = format!("n: {address}");
    assert_eq!(answer(&[&line]), "direct 2.0, plain 1.0");
    assert_eq!(
        answer(&[&line, "m: same"]),
        "direct 2.0, plain 1.0, same 1.0"
    );
    assert_eq!(
        answer(&[&line, "m: direct<2"]),
        format!("conflict: direct<2 + {address}")
    );
    assert_eq!(answer(&["m: same"]), "conflict: same");
    assert_eq!(answer(&["m: plain"]), "direct 1.0, plain 1.0");
    let gone = format!(
        "n: direct @ {}/nowhere/direct-2.0-py3-none-any.whl",
        server.base()
    );
    assert_eq!(answer(&[&gone]), format!("conflict: {}", &gone[3..]));
}
