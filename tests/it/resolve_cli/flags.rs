//! Each flag that decides an answer.

use serde_json::Value;

use super::{World, picks};
use crate::support::{Artifact, Hosted, Sdist, Wheel};

#[test]
fn index_url_replaces_the_index_of_environment_and_files() {
    let world = World::new([Wheel::new("a", "1")]);
    world.server.add_to("other", Wheel::new("a", "2"));
    let other = world.server.url_of("other");
    assert_eq!(world.resolved("a\n", ""), "a==1");
    assert_eq!(
        world.resolved("a\n", &format!("--index-url {other}")),
        "a==2"
    );
    assert_eq!(world.resolved("a\n", &format!("-i {other}/")), "a==2");
    assert_eq!(
        world.resolved("a\n", &format!("--default-index {other}")),
        "a==2"
    );
    let named = format!("--index-url {other}\na\n");
    assert_eq!(
        world.resolved(&named, ""),
        "a==1",
        "the environment wins over the file"
    );
}

#[test]
fn a_name_comes_from_the_first_index_that_has_it_extra_ones_first() {
    let world = World::new([
        Wheel::new("a", "9").build(),
        Wheel::new("only-here", "1").build(),
    ]);
    world.server.add_to("one", Wheel::new("a", "1"));
    world.server.add_to("two", Wheel::new("a", "2"));
    let (one, two) = (world.server.url_of("one"), world.server.url_of("two"));
    let flags =
        |first: &str, second: &str| format!("--extra-index-url {first} --extra-index-url {second}");
    assert_eq!(
        world.resolved("a\nonly-here\n", &flags(&one, &two)),
        "a==1 only-here==1"
    );
    assert_eq!(
        world.resolved("a\nonly-here\n", &flags(&two, &one)),
        "a==2 only-here==1"
    );
    let in_file = format!("--extra-index-url {two}\na\n");
    assert_eq!(world.resolved(&in_file, ""), "a==2");
    world.sandbox.write("r.txt", "a\n");
    let mut command = world.sandbox.command(&["resolve", "r.txt"]);
    command.env("PORTENV_EXTRA_INDEX_URL", format!("{two} {one}"));
    assert_eq!(picks(&world.sandbox.finish(command).success()), "a==2");
}

#[test]
fn find_links_adds_the_files_of_a_directory_and_of_a_page() {
    let world = World::new([Wheel::new("a", "1")]);
    let saved = world.sandbox.save(&Wheel::new("a", "2").build());
    let dir = saved.parent().unwrap();
    assert_eq!(
        world.resolved("a\n", &format!("--find-links {dir}")),
        "a==2"
    );
    assert_eq!(world.resolved("a\n", "-f ../downloads"), "a==2");
    assert_eq!(world.resolved(&format!("-f {dir}\na\n"), ""), "a==2");
    let url = format!("file://{dir}");
    assert_eq!(
        world.resolved("a\n", &format!("--find-links {url}")),
        "a==2"
    );

    let wheel = Wheel::new("a", "3").build();
    world.server.route(
        &format!("/links/{}", wheel.filename),
        "application/zip",
        &wheel.bytes,
    );
    let page = format!(
        "<html><body><a href=\"{}\">{}</a></body></html>",
        wheel.filename, wheel.filename
    );
    world.server.route("/links/", "text/html", page);
    let links = format!("{}/links/", world.server.base());
    let document = world.document("a\n", &format!("--find-links {links}"));
    assert_eq!(document["packages"][0]["version"], "3");
}

#[test]
fn no_index_asks_no_index_and_takes_find_links_alone() {
    let world = World::new([Wheel::new("a", "1"), Wheel::new("b", "1")]);
    let saved = world.sandbox.save(&Wheel::new("a", "0.5").build());
    let flags = format!("--no-index --find-links {}", saved.parent().unwrap());
    world.server.clear_requests();
    assert_eq!(world.resolved("a\n", &flags), "a==0.5");
    assert_eq!(
        world.resolved("--no-index\n--find-links ../downloads\na\n", ""),
        "a==0.5"
    );
    world.conflict("b\n", &flags);
    assert_eq!(world.server.requests(), []);
}

#[test]
fn python_version_decides_markers_and_requires_python() {
    let world = World::new([
        Wheel::new("a", "2").requires_python(">=3.11").build(),
        Wheel::new("a", "1")
            .requires("backport; python_version < '3.11'")
            .build(),
        Wheel::new("backport", "1").build(),
        Wheel::new("full", "1")
            .requires("patch; python_full_version >= '3.12.4'")
            .build(),
        Wheel::new("patch", "1").build(),
    ]);
    for (version, expected) in [
        ("3.10", "a==1 backport==1"),
        ("3.11", "a==2"),
        ("3.13.1", "a==2"),
    ] {
        assert_eq!(
            world.resolved("a\n", &format!("--python-version {version}")),
            expected
        );
    }
    assert_eq!(
        world.resolved("full\n", "--python-version 3.12"),
        "full==1",
        "3.12 is 3.12.0"
    );
    assert_eq!(
        world.resolved("full\n", "--python-version 3.12.4"),
        "full==1 patch==1"
    );
    let document = world.conflict("a>=2\n", "--python-version 3.10");
    let explanation = document["conflicts"][0]["explanation"].as_str().unwrap();
    assert!(
        explanation.contains("3.11") || explanation.contains("Python"),
        "{explanation}"
    );
}

#[test]
fn platform_decides_markers_and_wheels() {
    let world = World::new([
        Wheel::new("native", "1")
            .tag("cp312-cp312-manylinux_2_17_x86_64")
            .build(),
        Wheel::new("native", "2")
            .tag("cp312-cp312-win_amd64")
            .build(),
        Wheel::new("native", "3")
            .tag("cp312-cp312-macosx_11_0_arm64")
            .build(),
        Wheel::new("native", "4")
            .tag("cp312-cp312-manylinux_2_28_aarch64")
            .build(),
        Wheel::new("native", "5")
            .tag("cp312-cp312-musllinux_1_2_x86_64")
            .build(),
        Wheel::new("native", "6")
            .tag("cp312-cp312-manylinux_2_34_x86_64")
            .build(),
        Wheel::new("native", "7")
            .tag("cp311-cp311-win_amd64")
            .build(),
        Wheel::new("plain", "1")
            .requires("on-windows; sys_platform == 'win32'")
            .requires("on-mac; platform_system == 'Darwin' and platform_machine == 'arm64'")
            .requires("on-linux; sys_platform == 'linux'")
            .build(),
        Wheel::new("on-windows", "1").build(),
        Wheel::new("on-mac", "1").build(),
        Wheel::new("on-linux", "1").build(),
    ]);
    for (platform, expected) in [
        ("x86_64-unknown-linux-gnu", "native==1 on-linux==1 plain==1"),
        ("x86_64-manylinux_2_34", "native==6 on-linux==1 plain==1"),
        ("x86_64-pc-windows-msvc", "native==2 on-windows==1 plain==1"),
        ("aarch64-apple-darwin", "native==3 on-mac==1 plain==1"),
        (
            "aarch64-unknown-linux-gnu",
            "native==4 on-linux==1 plain==1",
        ),
        (
            "x86_64-unknown-linux-musl",
            "native==5 on-linux==1 plain==1",
        ),
        ("windows", "native==2 on-windows==1 plain==1"),
    ] {
        let flags = format!("--platform {platform}");
        assert_eq!(
            world.resolved("native\nplain\n", &flags),
            expected,
            "{platform}"
        );
        assert_eq!(
            world.resolved("native\nplain\n", &format!("--python-platform {platform}")),
            expected,
            "{platform}"
        );
    }
    world.conflict("native\n", "--platform x86_64-apple-darwin");
}

#[test]
fn prerelease_modes_mean_what_uv_means() {
    let world = World::new([
        Wheel::new("both", "1").build(),
        Wheel::new("both", "2rc1").build(),
        Wheel::new("only-pre", "1b1").build(),
        Wheel::new("asks", "1").requires("both>=2rc1").build(),
    ]);
    for (mode, both, only_pre, named) in [
        ("disallow", Some("both==1"), None, None),
        (
            "allow",
            Some("both==2rc1"),
            Some("only-pre==1b1"),
            Some("both==2rc1"),
        ),
        (
            "if-necessary",
            Some("both==1"),
            Some("only-pre==1b1"),
            Some("both==2rc1"),
        ),
        ("explicit", Some("both==1"), None, Some("both==2rc1")),
        (
            "if-necessary-or-explicit",
            Some("both==1"),
            Some("only-pre==1b1"),
            Some("both==2rc1"),
        ),
    ] {
        let flag = format!("--prerelease {mode}");
        for (requirement, expected) in [
            ("both\n", both),
            ("only-pre\n", only_pre),
            ("both>=2rc1\n", named),
        ] {
            match expected {
                Some(expected) => {
                    assert_eq!(world.resolved(requirement, &flag), expected, "{mode}");
                }
                None => {
                    world.conflict(requirement, &flag);
                }
            }
        }
    }
    assert_eq!(world.resolved("both\n", ""), "both==1");
    assert_eq!(world.resolved("only-pre\n", ""), "only-pre==1b1");
    assert_eq!(world.resolved("--pre\nboth\n", ""), "both==2rc1");
}

#[test]
fn resolution_modes_choose_the_ends_of_what_fits() {
    let mut files: Vec<Artifact> = Vec::new();
    for version in ["1", "2", "3"] {
        files.push(
            Wheel::new("direct", version)
                .requires("indirect>=2")
                .build(),
        );
        files.push(Wheel::new("indirect", version).build());
    }
    let world = World::new(files);
    for (mode, expected) in [
        ("highest", "direct==3 indirect==3"),
        ("lowest", "direct==2 indirect==2"),
        ("lowest-direct", "direct==2 indirect==3"),
    ] {
        let flag = format!("--resolution {mode}");
        assert_eq!(world.resolved("direct>=2\n", &flag), expected, "{mode}");
    }
    assert_eq!(world.resolved("direct>=2\n", ""), "direct==3 indirect==3");
}

#[test]
fn binary_flags_choose_between_wheels_and_sdists() {
    let world = World::new([
        Wheel::new("a", "1").build(),
        Sdist::new("a", "2").build(),
        Wheel::new("b", "1").build(),
        Sdist::new("b", "2").build(),
    ]);
    for (flags, expected) in [
        ("", "a==2 b==2"),
        ("--no-build", "a==1 b==1"),
        ("--only-binary :all:", "a==1 b==1"),
        ("--only-binary a", "a==1 b==2"),
        ("--only-binary a --only-binary b", "a==1 b==1"),
        ("--no-binary :all:", "a==2 b==2"),
    ] {
        assert_eq!(world.resolved("a\nb\n", flags), expected, "{flags}");
    }
    assert_eq!(world.resolved("--only-binary a\na\nb\n", ""), "a==1 b==2");
    assert_eq!(world.resolved("a<2\n", ""), "a==1");
    world.conflict("a<2\n", "--no-binary a");
    let document = world.document("a\n", "--no-binary a");
    let files = document["packages"][0]["files"].as_array().unwrap();
    assert!(
        files.iter().all(|file| file["filename"] == "a-2.tar.gz"),
        "{files:?}"
    );
}

#[test]
fn builds_run_for_dynamic_metadata_only_where_they_are_allowed() {
    let sdist = || {
        Sdist::new("a", "1")
            .dynamic("Requires-Dist")
            .requires("b")
            .buildable()
    };
    let world = World::new([sdist().build(), Wheel::new("b", "1").build()]);
    let built = world.sandbox.home().join("built-a");
    let document = world.document("a\n", "--build static");
    assert!(!built.exists(), "--build static ran foreign code");
    let codes: Vec<&Value> = document["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|warning| &warning["code"])
        .collect();
    assert!(
        codes.contains(&&Value::from("unverified-metadata")),
        "{codes:?}"
    );
    crate::support::uv();
    let version = own_python_version();
    let flags = format!("--build allow --no-cache --python-version {version}");
    assert_eq!(world.resolved("a\n", &flags), "a==1 b==1");
    assert!(built.exists(), "nothing was built");
}

#[cfg(unix)]
#[test]
fn a_build_writes_nothing_outside_of_the_archive_it_unpacks() {
    crate::support::uv();
    let version = own_python_version();
    let flags = format!("--build allow --no-cache --python-version {version}");
    let outside = crate::support::Sandbox::new();
    let sdist = |name: &str| Sdist::new(name, "1").dynamic("Requires-Dist").buildable();
    let climbing = sdist("a")
        .stray("../evil", "x")
        .stray("a-1/../../evil", "x");
    let through_a_link = sdist("b")
        .link("b-1/out", outside.root().as_str())
        .stray("b-1/out/evil", "x");
    let all_a_link = sdist("c")
        .link("c-2", outside.root().as_str())
        .stray("c-2/evil", "x");
    let world = World::new([climbing.build(), through_a_link.build(), all_a_link.build()]);
    assert_eq!(world.resolved("a\n", &flags), "a==1");
    world.conflict("b\n", &flags);
    world.conflict("c\n", &flags);
    for root in [outside.root(), world.sandbox.root(), &world.sandbox.home()] {
        let mut open = vec![root.to_owned()];
        while let Some(dir) = open.pop() {
            for entry in dir.read_dir_utf8().unwrap() {
                let entry = entry.unwrap();
                assert_ne!(entry.file_name(), "evil", "{dir}");
                if entry.file_type().unwrap().is_dir() {
                    open.push(entry.into_path());
                }
            }
        }
    }
}

/// The one Python that a build can run with here.
pub(super) fn own_python_version() -> String {
    let code = "import sys; print('%d.%d' % sys.version_info[:2])";
    let output = std::process::Command::new(crate::support::base_python())
        .args(["-c", code])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn exclude_newer_takes_a_date_a_timestamp_or_a_duration() {
    let at = |version: &str, time: &str| Hosted::from(Wheel::new("a", version)).upload_time(time);
    let world = World::new([
        at("1", "2026-03-01T12:00:00Z"),
        at("2", "2026-04-01T23:59:59Z"),
        at("3", "2026-05-30T00:30:00Z"),
    ]);
    // The test clock says 2026-06-01, some minutes past midnight.
    for (when, expected) in [
        ("2026-03-31", "a==1"),
        ("2026-04-01", "a==2"),
        ("2026-04-01T23:59:58Z", "a==1"),
        ("2026-04-01T23:59:59Z", "a==2"),
        ("2026-04-02T01:59:59+02:00", "a==2"),
        ("2026-12-31", "a==3"),
        ("P3D", "a==2"),
        ("3days", "a==2"),
        ("1day", "a==3"),
        ("1week", "a==2"),
    ] {
        let flag = format!("--exclude-newer {when}");
        assert_eq!(world.resolved("a\n", &flag), expected, "{when}");
    }
    world.sandbox.write("r.txt", "a\n");
    let run = world
        .sandbox
        .portenv(&["resolve", "r.txt", "--exclude-newer", "7 days"]);
    assert_eq!(picks(&run.success()), "a==2");
    world.conflict("a\n", "--exclude-newer 2026-01-01");
}

#[test]
fn a_file_of_unknown_age_is_not_taken_under_exclude_newer() {
    let world = World::new([
        Hosted::from(Wheel::new("a", "1")).upload_time("2026-01-01T00:00:00Z"),
        Hosted::from(Wheel::new("a", "2")).without_upload_time(),
    ]);
    assert_eq!(world.resolved("a\n", "--exclude-newer 2026-02-01"), "a==1");
}

#[test]
fn the_cache_spares_requests_and_no_cache_keeps_nothing() {
    let world = World::new([Wheel::new("a", "1").requires("b"), Wheel::new("b", "1")]);
    assert_eq!(world.resolved("a\n", "--no-cache"), "a==1 b==1");
    assert!(!world.sandbox.cache().exists(), "--no-cache left a cache");
    assert_eq!(world.resolved("a\n", ""), "a==1 b==1");
    world.server.clear_requests();
    assert_eq!(world.resolved("a\n", ""), "a==1 b==1");
    assert_eq!(world.resolved("a\n", "--offline"), "a==1 b==1");
    assert_eq!(
        world.server.requests(),
        [],
        "a fresh answer was asked for again"
    );
    assert_eq!(world.resolved("a\n", "--no-cache"), "a==1 b==1");
    assert_eq!(world.server.requests().len(), 4);
    world.server.clear_requests();
    assert_eq!(world.resolved("a\n", "--refresh"), "a==1 b==1");
    assert!(
        !world.server.requests().is_empty(),
        "--refresh asked nothing"
    );
    let elsewhere = world.sandbox.dir().join("elsewhere");
    assert_eq!(
        world.resolved("a\n", &format!("--cache-dir {elsewhere}")),
        "a==1 b==1"
    );
    assert!(elsewhere.exists());
}

#[test]
fn constraints_restrict_and_overrides_replace() {
    let world = World::new([
        Wheel::new("a", "1").requires("b>=2").build(),
        Wheel::new("b", "1").build(),
        Wheel::new("b", "2").build(),
        Wheel::new("b", "3").build(),
        Wheel::new("c", "1").build(),
    ]);
    world.sandbox.write("c.txt", "b<3\nc==1\n");
    world.sandbox.write("o.txt", "b==1\n");
    assert_eq!(world.resolved("a\n", ""), "a==1 b==3");
    assert_eq!(
        world.resolved("a\n", "-c c.txt"),
        "a==1 b==2",
        "a constraint asks for nothing"
    );
    assert_eq!(world.resolved("-c c.txt\na\n", ""), "a==1 b==2");
    assert_eq!(world.resolved("a\n", "--constraint c.txt"), "a==1 b==2");
    assert_eq!(world.resolved("a\nb>=3\n", "--override o.txt"), "a==1 b==1");
    assert_eq!(
        world.resolved("c\n", "--override o.txt"),
        "c==1",
        "an override asks for nothing"
    );
    world.sandbox.write("tight.txt", "b<2\n");
    let document = world.conflict("a\n", "-c tight.txt");
    let lines = document["conflicts"][0]["requirements"].to_string();
    assert!(
        lines.contains("tight.txt") && lines.contains("r.txt"),
        "{lines}"
    );
}

#[test]
fn skip_invalid_turns_bad_lines_into_warnings() {
    let world = World::new([Wheel::new("a", "1")]);
    let text = "a\n\"b\"\n-r missing.txt\nc d\n";
    let _ = world.run(text, "").expect_code(2);
    let run = world.run(text, "--skip-invalid").success();
    assert_eq!(picks(&run), "a==1");
    let warnings = run
        .stderr()
        .lines()
        .filter(|line| line.starts_with("warning: "));
    assert_eq!(warnings.count(), 3, "{run}");
    let document = world.document(text, "--skip-invalid");
    let warnings = document["warnings"].as_array().unwrap();
    let lines: Vec<&Value> = warnings
        .iter()
        .map(|warning| &warning["origin"]["line"])
        .collect();
    assert_eq!(lines, [2, 3, 4]);
    assert_eq!(warnings[0]["code"], "invalid-requirement");
    assert_eq!(warnings[1]["code"], "invalid-file");
}
