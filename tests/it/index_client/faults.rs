//! Answers that lie, break off, lead elsewhere or never come.

use portenv::index::Patience;

use super::*;

/// A page and a wheel whose end is not all of it, served in parts.
fn in_parts() -> IndexServer {
    let noise: Vec<u8> = (0..200_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2])
        .collect();
    let wheel = Wheel::new("demo", "1.0")
        .requires("other")
        .file("demo/data", noise);
    let server = IndexServer::start([wheel]);
    server.set(|options| options.metadata = false);
    server
}

fn files_asked(server: &IndexServer) -> Vec<(bool, u16)> {
    let asked = server.requests().into_iter();
    let files = asked.filter(|request| request.path.starts_with("/files/"));
    files
        .map(|request| (request.range.is_some(), request.status))
        .collect()
}

#[test]
fn a_part_that_is_another_than_it_says_is_not_believed() {
    for fault in [
        Fault::RangeOff(1),
        Fault::RangeOff(-1),
        Fault::RangeSaid("bytes 0-0/1"),
        Fault::RangeSaid("bytes 9-1/5"),
        Fault::RangeSaid("bytes 18446744073709551615-18446744073709551615/18446744073709551615"),
        Fault::RangeSaid("bytes */200000"),
        Fault::RangeSaid("nonsense"),
        Fault::RangeSaid(""),
        Fault::Status(416),
        Fault::Status(501),
    ] {
        let server = in_parts();
        server.fault(".whl", fault, 1);
        let found = metadata_of(&open(config(&server)), "demo").unwrap();
        assert_eq!(found.requires_dist, ["other"], "{fault:?}");
        let asked = files_asked(&server);
        assert!(
            matches!(asked[..], [(true, _), (false, 200)]),
            "{fault:?}: {asked:?}"
        );
    }
}

#[test]
fn a_part_that_breaks_off_is_asked_for_again_before_the_whole_file_is() {
    let server = in_parts();
    server.fault(".whl", Fault::Truncate(1000), 1);
    let found = metadata_of(&open(config(&server)), "demo").unwrap();
    assert_eq!(found.requires_dist, ["other"]);
    assert_eq!(files_asked(&server), [(true, 206), (true, 206)]);
}

#[test]
fn a_host_that_keeps_silent_is_given_up_after_the_second_time() {
    let patience = Patience {
        silence: Duration::from_millis(60),
        pause: Duration::from_millis(1),
    };
    let hasty = |server: &IndexServer| {
        open(IndexConfig {
            patience,
            ..config(server)
        })
    };
    for fault in [Fault::Stall(None), Fault::Stall(Some(10))] {
        for part in ["/simple/", ".metadata"] {
            let server = IndexServer::start([Wheel::new("demo", "1.0").requires("other")]);
            server.fault(part, fault, usize::MAX);
            let error = metadata_of(&hasty(&server), "demo").unwrap_err();
            assert!(
                matches!(error, MetadataError::Index(_)),
                "{fault:?} {part}: {error:?}"
            );
            let asked = paths(&server)
                .into_iter()
                .filter(|path| path.contains(part));
            assert_eq!(asked.count(), 2, "{fault:?} {part}");

            server.clear_faults();
            server.fault(part, fault, 1);
            let found = metadata_of(&hasty(&server), "demo").unwrap();
            assert_eq!(found.requires_dist, ["other"], "{fault:?} {part}");
        }
    }
}

#[test]
fn a_redirect_to_another_host_takes_no_credentials_along() {
    let there = IndexServer::start([Wheel::new("demo", "1.0").requires("other")]);
    for path in ["/simple/demo/", WHEEL, &format!("{WHEEL}.metadata")] {
        let here = IndexServer::start([Wheel::new("demo", "1.0").requires("other")]);
        here.set(|options| options.auth = Some(("me".to_owned(), "s3cret".to_owned())));
        here.redirect(path, &format!("{}{path}", there.base()));
        there.clear_requests();
        let index = open(with_user_info(&here, "me:s3cret"));
        let page = page(&index, "demo");
        let file = first_file(&page);
        let found = index
            .metadata(&name("demo"), page.version(0), &file)
            .unwrap();
        assert_eq!(found.requires_dist, ["other"], "{path}");
        index.download(&file.file).unwrap();
        let asked = there.requests();
        assert!(
            asked.iter().any(|request| request.path == path),
            "{asked:?}"
        );
        for request in asked {
            assert_eq!(request.headers.get("authorization"), None, "{request:?}");
        }
    }
}

#[test]
fn a_redirect_within_a_host_is_followed_with_credentials() {
    let server = IndexServer::start([Wheel::new("demo", "1.0").requires("other")]);
    server.set(|options| options.auth = Some(("me".to_owned(), "s3cret".to_owned())));
    let moved = format!("{}/demo/?moved", server.url());
    server.redirect("/simple/demo/", &moved);
    let index = open(with_user_info(&server, "me:s3cret"));
    assert_eq!(versions(&page(&index, "demo")), ["1.0"]);
}

#[test]
fn a_redirect_in_circles_or_away_from_the_web_is_an_error_that_names_the_page() {
    for to in ["/simple/demo/", "file:///etc/passwd", "https://", ""] {
        let server = IndexServer::start([Wheel::new("demo", "1.0")]);
        server.redirect("/simple/demo/", to);
        match open(config(&server)).page(&name("demo")) {
            Err(IndexError::Unreachable { url, .. }) => {
                assert_eq!(url, format!("{}/demo/", server.url()), "{to}");
            }
            other => panic!("{to}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_page_is_an_error_that_names_the_page_and_where_it_came_from() {
    for format in [Format::Json, Format::Html] {
        let server = IndexServer::start([Wheel::new("demo", "1.0")]);
        server.fault("/simple/demo/", Fault::Garbage(format), usize::MAX);
        match open(config(&server)).page(&name("demo")) {
            Err(IndexError::Integrity { url, .. }) => {
                assert_eq!(url, format!("{}/demo/", server.url()), "{format:?}");
            }
            other => panic!("{format:?}: {other:?}"),
        }
    }
    let portal = IndexServer::empty();
    portal.route("/login", "text/html", "<html><form action=x></form></html>");
    let server = IndexServer::start([Wheel::new("demo", "1.0")]);
    let login = format!("{}/login", portal.base());
    server.redirect("/simple/demo/", &login);
    let error = open(config(&server)).page(&name("demo")).unwrap_err();
    assert!(error.to_string().contains(&login), "{error}");
}

/// Resolves `demo` and `other` from an index, with versions in order of names.
fn resolved(server: &IndexServer, line: &str) -> String {
    let world = World::new::<&str, &str>(&[], &[line]);
    match world.outcome_from(&open(config(server))) {
        Outcome::Resolved(resolution) => {
            let packages = resolution.packages.iter();
            let shown = packages.map(|package| format!("{} {}", package.name, package.version));
            shown.collect::<Vec<_>>().join(", ")
        }
        Outcome::Conflicts(conflicts) => crate::worlds::shown(&conflicts),
    }
}

#[test]
fn a_version_whose_file_is_gone_is_passed_over() {
    for metadata in [true, false] {
        let server = IndexServer::start([Wheel::new("demo", "2.0"), Wheel::new("demo", "1.0")]);
        server.add(Sdist::new("demo", "3.0"));
        server.set(|options| options.metadata = metadata);
        server.fault("/files/demo-3.0", Fault::Status(410), usize::MAX);
        server.fault("/files/demo-2.0", Fault::Status(404), usize::MAX);
        assert_eq!(resolved(&server, "n: demo"), "demo 1.0");
    }
}

#[test]
fn a_version_that_lies_about_itself_is_passed_over() {
    let lies = |text: &str| Wheel::new("demo", "2.0").raw_metadata(text);
    let sdist = Sdist::new("demo", "3.0").build();
    for (what, hosted) in [
        (
            "another name",
            Hosted::from(lies("Name: other\nVersion: 2.0\n")),
        ),
        ("another version", lies("Name: demo\nVersion: 2.1\n").into()),
        ("no name", lies("Version: 2.0\n").into()),
        ("no version", lies("Name: demo\n").into()),
        ("nothing", lies("").into()),
        ("no text", lies("\0\u{fffd}\u{1b}[2J: :\n").into()),
        (
            "a bad requirement",
            lies("Name: demo\nVersion: 2.0\nRequires-Dist: ==\n").into(),
        ),
        ("an sdist of another version", {
            let mut lying = Sdist::new("demo", "3.0.1").build();
            lying.filename.clone_from(&sdist.filename);
            lying.into()
        }),
        ("an sdist of another package", {
            let mut lying = Sdist::new("other", "3.0").build();
            lying.filename.clone_from(&sdist.filename);
            lying.project.clone_from(&sdist.project);
            lying.into()
        }),
    ] {
        for metadata in [true, false] {
            let server =
                IndexServer::start([Hosted::from(Wheel::new("demo", "1.0")), hosted.clone()]);
            server.set(|options| options.metadata = metadata);
            assert_eq!(
                resolved(&server, "n: demo"),
                "demo 1.0",
                "{what}, {metadata}"
            );
        }
    }
}
