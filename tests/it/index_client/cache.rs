//! Answers kept between runs, and work without the network.

use super::*;

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
    let error = index.download(&file.file).unwrap_err();
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
    for damage in [
        "UPDATE page SET hot = x'ff'",
        "UPDATE cold SET bytes = x'ff'",
        "DELETE FROM cold",
    ] {
        let connection = Connection::open(sandbox.cache().join("index.db")).unwrap();
        connection.execute(damage, []).unwrap();
        connection
            .execute("UPDATE meta SET record = x'ff'", [])
            .unwrap();
        drop(connection);
        let index = open(cached(&server, &sandbox.cache()));
        assert_eq!(
            metadata_of(&index, "demo").unwrap().requires_dist,
            ["other"],
            "{damage}"
        );
        index.flush();
    }
}

/// Tells one dependency, and how often it was asked.
#[derive(Default)]
struct CountingBuilder(AtomicU64);

impl Builder for CountingBuilder {
    fn metadata(&self, source: &Utf8Path, _: Option<&str>) -> Result<Metadata, BuildFailure> {
        self.0.fetch_add(1, Ordering::Relaxed);
        assert!(source.is_file());
        let (name, rest) = source.file_name().unwrap().split_once('-').unwrap();
        Ok(Metadata {
            name: name.to_owned(),
            version: rest.trim_end_matches(".tar.gz").to_owned(),
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

/// Cannot build anything, and says so as often as it is asked.
#[derive(Default)]
struct FailingBuilder(AtomicU64);

impl Builder for FailingBuilder {
    fn metadata(&self, _: &Utf8Path, _: Option<&str>) -> Result<Metadata, BuildFailure> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(BuildFailure::Project("no compiler".to_owned()))
    }
}

#[test]
fn a_build_that_failed_is_not_tried_again_the_same_day_unless_asked_anew() {
    let sandbox = Sandbox::new();
    let server = IndexServer::start([Sdist::new("old", "1.0").pkg_info_version("1.0")]);
    let builder = Arc::new(FailingBuilder::default());
    let run = |refresh, offline| {
        let config = IndexConfig {
            refresh,
            offline,
            ..cached(&server, &sandbox.cache())
        };
        let index = open(config).with_builder(Arc::clone(&builder) as Arc<dyn Builder>);
        let error = metadata_of(&index, "old").unwrap_err();
        index.flush();
        error
    };
    let first = run(false, false);
    assert_eq!(first, MetadataError::Unusable("no compiler".to_owned()));
    server.clear_requests();
    assert_eq!(run(false, false), first);
    assert_eq!(run(false, true), first);
    assert_eq!(paths(&server), Vec::<String>::new());
    assert_eq!(builder.0.load(Ordering::Relaxed), 1);
    assert_eq!(run(true, false), first);
    assert_eq!(builder.0.load(Ordering::Relaxed), 2);
}

#[test]
fn a_guess_alone_asks_nothing_and_goes_along_with_the_first_need() {
    let sandbox = Sandbox::new();
    let server = IndexServer::start([Wheel::new("demo", "1.0"), Wheel::new("other", "1.0")]);
    let index = open(cached(&server, &sandbox.cache()));
    index.prefetch(vec![Want::Page(name("other"))]);
    assert_eq!(paths(&server), Vec::<String>::new());
    assert!(index.page(&name("demo")).unwrap().is_some());
    assert!(index.page(&name("other")).unwrap().is_some());
    let mut asked = paths(&server);
    asked.sort();
    assert_eq!(asked, ["/simple/demo/", "/simple/other/"]);
}
