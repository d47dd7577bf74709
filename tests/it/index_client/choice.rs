//! Which index a name comes from, and what find-links and addresses add.

use super::*;

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
    let found = index.download(&file).unwrap();
    let (digest, size) = (found.sha256, found.size);
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
fn an_sdist_that_states_its_requirements_serves_and_one_that_does_not_is_passed_over() {
    let foreign = "cp312-cp312-win_amd64";
    let server = IndexServer::start([Wheel::new("a", "1.0"), Wheel::new("b", "1.0")]);
    server.add(Sdist::new("a", "2.0").requires("b"));
    server.add(Sdist::new("a", "3.0").pkg_info_version("1.0"));
    server.add(Wheel::new("a", "4.0").tag(foreign));
    server.add(Sdist::new("c", "1.0").pkg_info_version("1.0"));
    server.add(Wheel::new("c", "1.0").tag(foreign).requires("b"));
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
    assert_eq!(answer(&["n: a"]), "a 2.0, b 1.0");
    assert_eq!(answer(&["n: a>=3"]), "conflict: a>=3");
    // A wheel for another platform tells what the sdist beside it does not.
    assert_eq!(answer(&["n: c"]), "b 1.0, c 1.0");
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
