//! The lock: the same answer is the same bytes, and what was written is what is read.

mod freshness;
mod installer;
mod members;
mod roundtrip;
mod targets;

use std::process::Command;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use portenv::environment;
use portenv::index::config::IndexLocation;
use portenv::index::{IndexConfig, RemoteIndex};
use portenv::lock::compare::{Side, Sides};
use portenv::lock::model::{Applied, input_digest};
use portenv::lock::read::LockError;
use portenv::lock::{ChangeKind, Lock, LockedPackage, StaleReason, check_freshness, compare};
use portenv::package::{DistFile, FileKind, Source, Vcs};
use portenv::progress::{Cancel, Silent};
use portenv::requirements::{Line, Origin, OriginKind, RequirementSet};
use portenv::resolve::{Dependency, Outcome, Preferences, RequiredBy};
use proptest::prelude::*;

use crate::support::{IndexServer, Sandbox, Sdist, Wheel, uv};
use crate::worlds::{World, line, name, target};

fn file() -> &'static Utf8Path {
    Utf8Path::new("pylock.toml")
}

#[track_caller]
fn read(text: &str) -> Lock {
    Lock::parse(text, file()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn set_of(lines: &[Line]) -> RequirementSet {
    RequirementSet {
        lines: lines.to_vec(),
        ..RequirementSet::default()
    }
}

fn lock_of(world: &World) -> Lock {
    let indexes = vec![("mem".to_owned(), "memory:///".to_owned())];
    Lock::from_resolution(
        &world.resolution(),
        &set_of(&world.lines),
        indexes,
        Some(1_780_000_000),
    )
}

fn small() -> World {
    let mut world = World::new(
        &[
            "a 1.0 {python=>=3.9,<4} -> b[x]>=1 | c; sys_platform == 'win32'",
            "a 1.0 {sdist}",
            "b 2.0+cpu {uploaded=1767225600} -> d; extra == 'x'",
            "c 1.0 {tags=cp312-cp312-win_amd64}",
            "d 1.0 {yanked=no good}",
            "d 0.9",
        ],
        &[
            "core: a",
            "Node-X: b==2.0",
            "constrain: d<2",
            "override for Node-X: b>=1",
        ],
    );
    world.targets.push(target("windows", "3.12.9"));
    world
}

#[test]
fn a_lock_says_what_was_chosen_from_where_and_for_whom() {
    let mut world = World::new(
        &[
            "a 1.0 {uploaded=1767225600} -> b",
            "a 1.0 {sdist}",
            "b 2.0 {tags=cp312-cp312-win_amd64}",
        ],
        &["core: a>=1 # \"quoted\"", "constrain: b<3"],
    );
    world.index.edit("b", |file| {
        file.size = Some(12);
        file.hashes = [("sha256".to_owned(), "00".repeat(32))].into();
    });
    world.targets = vec![target("windows", "3.12.9")];
    let lock = lock_of(&world);
    let digest = lock.input_digest.clone().unwrap();
    let expected = format!(
        r#"lock-version = "1.0"
environments = [
    "implementation_name == 'cpython' and sys_platform == 'win32' and platform_machine == 'AMD64' and python_version == '3.12'",
]
requires-python = ">=3.12"
created-by = "portenv"

[[packages]]
name = "a"
version = "1.0"
dependencies = [
    {{ name = "b" }},
]
index = "memory:///"
sdist = {{ name = "a-1.0.tar.gz", url = "memory:///a-1.0.tar.gz", hashes = {{}} }}
wheels = [
    {{ name = "a-1.0-py3-none-any.whl", url = "memory:///a-1.0-py3-none-any.whl", upload-time = 2026-01-01T00:00:00Z, hashes = {{}} }},
]
[packages.tool.portenv]
required-by = [
    {{ kind = "core", file = "requirements.txt", line = 1, requirement = "a>=1 # \"quoted\"" }},
]

[[packages]]
name = "b"
version = "2.0"
index = "memory:///"
wheels = [
    {{ name = "b-2.0-cp312-cp312-win_amd64.whl", url = "memory:///b-2.0-cp312-cp312-win_amd64.whl", size = 12, hashes = {{ sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }} }},
]
[packages.tool.portenv]
required-by = [
    {{ package = "a", version = "1.0", requirement = "b" }},
]

[tool.portenv]
schema = 1
targets = [
    "x86_64-pc-windows-msvc@3.12.9",
]
input-digest = "{digest}"
exclude-newer = "2026-05-28T20:26:40Z"
indexes = [
    {{ name = "mem", url = "memory:///" }},
]
applied = [
    {{ kind = "constraint", name = "b", text = "<3" }},
]
"#
    );
    assert_eq!(lock.to_toml(), expected);
}

#[test]
fn a_lock_reads_back_as_it_was_and_writes_the_same_bytes() {
    let lock = lock_of(&small());
    let text = lock.to_toml();
    let again = read(&text);
    assert_eq!(again, lock);
    assert_eq!(again.to_toml(), text);
    assert_eq!(lock.packages.len(), 4);
    assert_eq!(lock.applied.len(), 2);
}

#[test]
fn an_empty_lock_is_a_lock() {
    let lock = lock_of(&World::new::<&str, &str>(&[], &[]));
    assert_eq!(read(&lock.to_toml()), lock);
}

#[test]
fn the_order_of_lines_does_not_show_in_a_lock() {
    let world = small();
    let text = lock_of(&world).to_toml();
    let mut turned = small();
    turned.lines.reverse();
    assert_eq!(lock_of(&turned).to_toml(), text);
}

#[test]
fn every_kind_of_source_survives() {
    let url_file = |kind, filename: &str, url: &str| DistFile {
        filename: filename.to_owned(),
        url: url.to_owned(),
        hashes: [("sha256".to_owned(), "ab".repeat(32))].into(),
        size: Some(9),
        upload_time: None,
        kind,
    };
    let package = |at: &str, source, files| LockedPackage {
        name: name(at),
        version: Some("1.0".parse().unwrap()),
        marker: Some("sys_platform == \"win32\"".to_owned()),
        source,
        files,
        dependencies: vec![Dependency {
            name: name("other"),
            version: Some("2!1.0a1+b.c".parse().unwrap()),
        }],
        required_by: Vec::new(),
    };
    let git = |requested: Option<&str>, subdirectory: Option<&str>| {
        Source::Git(Vcs {
            url: "https://host/a.git".to_owned(),
            requested: requested.map(str::to_owned),
            commit: "c".repeat(40),
            subdirectory: subdirectory.map(str::to_owned),
        })
    };
    let path = |editable| Source::Path {
        path: "custom_nodes/x".to_owned(),
        editable,
    };
    let wheel_url = "https://host/e-1.0%2Bcu-py3-none-any.whl";
    let mut lock = lock_of(&small());
    lock.packages = vec![
        package("a", git(None, None), Vec::new()),
        package("b", git(Some("main"), Some("sub/dir")), Vec::new()),
        package("c", path(false), Vec::new()),
        package("d", path(true), Vec::new()),
        package(
            "e",
            Source::Url {
                url: wheel_url.to_owned(),
                subdirectory: None,
            },
            vec![url_file(
                FileKind::Wheel,
                "e-1.0+cu-py3-none-any.whl",
                wheel_url,
            )],
        ),
        package(
            "f",
            Source::Url {
                url: "https://host/f-1.0.zip".to_owned(),
                subdirectory: Some("python".to_owned()),
            },
            vec![url_file(
                FileKind::Sdist,
                "f-1.0.zip",
                "https://host/f-1.0.zip",
            )],
        ),
        package(
            "g",
            Source::Path {
                path: "wheels/g-1.0-py3-none-any.whl".to_owned(),
                editable: false,
            },
            vec![url_file(
                FileKind::Wheel,
                "g-1.0-py3-none-any.whl",
                "wheels/g-1.0-py3-none-any.whl",
            )],
        ),
    ];
    lock.kept = vec![(name("mine"), "0.1+local".parse().unwrap())];
    let again = read(&lock.to_toml());
    assert_eq!(again, lock);
    assert_eq!(again.to_toml(), lock.to_toml());
}

#[test]
fn a_package_without_a_version_is_read() {
    let lock = read(
        "lock-version = \"1.0\"\ncreated-by = \"x\"\n[[packages]]\nname = \"A.B\"\ndirectory = { path = \"x\", editable = true }\n",
    );
    assert_eq!(
        (lock.packages[0].name.as_str(), &lock.packages[0].version),
        ("a-b", &None)
    );
    assert_eq!(read(&lock.to_toml()).packages, lock.packages);
}

#[test]
fn an_unchanged_lock_is_not_rewritten() {
    let sandbox = Sandbox::new();
    let path = sandbox.root().join("pylock.toml");
    let mut lock = lock_of(&small());
    assert!(lock.write(&path).unwrap());
    // A write would give the file another time and another inode.
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(old)
        .unwrap();
    assert!(!lock.write(&path).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), old);
    lock.kept.push((name("mine"), "0.1".parse().unwrap()));
    assert!(lock.write(&path).unwrap());
    assert_ne!(std::fs::metadata(&path).unwrap().modified().unwrap(), old);
    assert_eq!(Lock::find(&path).unwrap(), Some(lock));
    assert_eq!(Lock::find(&sandbox.root().join("none.toml")).unwrap(), None);
}

#[test]
fn a_newer_format_is_told_with_what_was_found_and_what_is_known() {
    let text = lock_of(&small()).to_toml();
    for (from, to, wanted) in [
        ("schema = 1", "schema = 7", ("schema", "7", "1")),
        (
            "lock-version = \"1.0\"",
            "lock-version = \"2.0\"",
            ("lock-version", "2.0", "1"),
        ),
        // What a newer format looks like is not ours to judge.
        (
            "[[packages]]",
            "[[bundles]]\nx = 1\n[[packages]]\nnew = 1",
            ("", "", ""),
        ),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        match (Lock::parse(&changed, file()), wanted) {
            (
                Err(LockError::Newer {
                    what, found, known, ..
                }),
                wanted,
            ) => {
                assert_eq!((what, found.as_str(), known.as_str()), wanted);
            }
            (Ok(_), ("", ..)) => {}
            (other, _) => panic!("{from}: {other:?}"),
        }
    }
    let strange = "lock-version = \"2.1\"\npackages = 7\n";
    assert!(matches!(
        Lock::parse(strange, file()),
        Err(LockError::Newer { .. })
    ));
    assert!(Lock::parse(&text.replacen("\"1.0\"", "\"1.9\"", 1), file()).is_ok());
}

#[test]
fn what_is_wrong_with_a_lock_is_told_by_line_and_column() {
    let head = "lock-version = \"1.0\"\ncreated-by = \"x\"\n";
    for (body, line, column, says) in [
        ("packages = [\n", 3, 13, "unclosed"),
        ("packages = 7\n", 3, 12, "invalid type"),
        ("", 1, 1, "packages"),
        ("[[packages]]\nversion = \"1\"\n", 3, 1, "name"),
        ("[[packages]]\nname = \"a b\"\n", 4, 8, "package name"),
        ("[[packages]]\nname = \"a\"\n", 4, 8, "no file"),
        (
            "[[packages]]\nname = \"a\"\nversion = \"x\"\nwheels = [{ url = \"u\" }]\n",
            4,
            8,
            "`x` is not a version",
        ),
        (
            "[[packages]]\nname = \"a\"\nwheels = [{ hashes = {} }]\n",
            4,
            8,
            "neither",
        ),
        (
            "[[packages]]\nname = \"a\"\narchive = { hashes = {} }\n",
            4,
            8,
            "neither",
        ),
        (
            "packages = []\n[tool.portenv]\nschema = \"one\"\n",
            5,
            10,
            "invalid type",
        ),
        ("packages = []\n[tool.portenv]\n", 4, 1, "schema"),
    ] {
        let text = format!("{head}{body}");
        match Lock::parse(&text, file()) {
            Err(LockError::Invalid {
                line: l,
                column: c,
                message,
                ..
            }) => {
                assert_eq!((l, c), (line, column), "{body}: {message}");
                assert!(message.contains(says), "{body}: {message}");
            }
            other => panic!("{body}: {other:?}"),
        }
    }
    for text in [
        "",
        "packages = []",
        "lock-version = \"0.9\"\npackages = []",
        "lock-version = 1\npackages = []",
        "\u{0}",
        "[[[[",
    ] {
        let error = Lock::parse(text, file()).unwrap_err();
        assert!(error.to_string().starts_with("pylock.toml:1:"), "{error}");
    }
    let sandbox = Sandbox::new();
    let path = sandbox.write("pylock.toml", b"lock-version = \"\xff\"");
    assert!(matches!(Lock::find(&path), Err(LockError::Invalid { .. })));
    assert!(matches!(
        Lock::find(sandbox.root()),
        Err(LockError::Read(_))
    ));
}

/// As `uv export --format pylock.toml` writes it.
const FOREIGN: &str = r#"# This file was autogenerated by uv
lock-version = "1.0"
created-by = "uv"
requires-python = ">=3.12"

[[packages]]
name = "numpy"
version = "2.3.4"
index = "https://pypi.org/simple"
sdist = { url = "https://host/numpy-2.3.4.tar.gz", upload-time = 2025-10-15T16:18:11.123Z, size = 20582187, hashes = { sha256 = "aa" } }
wheels = [
    { url = "https://host/numpy-2.3.4%2Bcu-cp312-cp312-win_amd64.whl", upload-time = 2025-10-15T16:15:00Z, size = 1, hashes = { sha256 = "bb" } },
]

[[packages]]
name = "local"
marker = "sys_platform == 'linux'"
dependencies = [{ name = "numpy" }, { vcs = { type = "git" } }]
directory = { path = ".", editable = true }
"#;

#[test]
fn a_lock_of_another_tool_is_read_and_only_its_provenance_is_unknown() {
    let lock = read(FOREIGN);
    assert_eq!((&lock.input_digest, &lock.targets), (&None, &Vec::new()));
    let numpy = &lock.packages[0];
    assert_eq!(
        numpy.files[0].filename,
        "numpy-2.3.4+cu-cp312-cp312-win_amd64.whl"
    );
    assert_eq!(numpy.sdist().unwrap().upload_time, Some(1_760_545_091));
    assert!(numpy.required_by.is_empty());
    assert_eq!(lock.packages[1].dependencies.len(), 1);
    assert_eq!(
        check_freshness(Some(&lock), &set_of(&[]), &[]),
        [StaleReason::Foreign]
    );

    let mut preferences = Preferences::default();
    lock.prefer(&mut preferences);
    let versions: Vec<String> = preferences
        .of(&name("numpy"))
        .map(ToString::to_string)
        .collect();
    assert_eq!(versions, ["2.3.4"]);

    // Our own, after another tool dropped our tables.
    let text = lock_of(&small()).to_toml();
    let mut kept = true;
    let dropped: String = text
        .lines()
        .filter(|line| {
            kept = if line.contains("tool.portenv]") {
                false
            } else {
                kept || line.starts_with("[[")
            };
            kept
        })
        .fold(String::new(), |text, line| text + line + "\n");
    let lock = read(&dropped);
    assert_eq!(lock.packages.len(), 4);
    assert_eq!(
        check_freshness(Some(&lock), &set_of(&small().lines), &small().targets),
        [StaleReason::Foreign]
    );
}

#[test]
fn a_target_gets_its_own_packages_and_files() {
    let lock = lock_of(&small());
    let active = |target: &portenv::package::Target| -> Vec<String> {
        lock.active(target)
            .map(|package| package.name.to_string())
            .collect()
    };
    let targets = small().targets;
    assert_eq!(active(&targets[0]), ["a", "b", "d"]);
    assert_eq!(active(&targets[1]), ["a", "b", "c", "d"]);
    let c = lock.get(&name("c")).unwrap();
    assert_eq!(c.file_for(&targets[0]), None);
    assert_eq!(
        c.file_for(&targets[1]).unwrap().filename,
        "c-1.0-cp312-cp312-win_amd64.whl"
    );
}

#[test]
fn no_credentials_are_written() {
    let secret = "https://me:s3cret@host";
    let mut lock = lock_of(&small());
    let by_line = |requirement: &str| RequiredBy::Line {
        origin: Origin::file(OriginKind::File, None, "r.txt"),
        requirement: requirement.to_owned(),
    };
    let a = &mut lock.packages[0];
    a.source = Source::Index(format!("{secret}/simple"));
    a.files[0].url = format!("{secret}/a-1.0-py3-none-any.whl");
    a.required_by = vec![
        by_line(&format!("a @ {secret}/a.whl ; python_version > '3'")),
        by_line("a @ git+https://s3cret@host/a.git@main"),
        by_line("a @ git+ssh://git@host/a.git"),
        by_line("a @ git+ssh://git:s3cret@host/a.git"),
        by_line("-e git+https://me:s3c/ret@host --find-links http://x:s3cret@y?z"),
        RequiredBy::Package {
            package: name("b"),
            version: "1".to_owned(),
            requirement: format!("a@{secret}/a.whl"),
        },
    ];
    lock.packages[1].source = Source::Url {
        url: format!("{secret}/b.whl"),
        subdirectory: None,
    };
    lock.packages[1].files[0].url = format!("{secret}/b.whl");
    lock.packages[2].source = Source::Git(Vcs {
        url: format!("{secret}/c.git"),
        requested: None,
        commit: "c".to_owned(),
        subdirectory: None,
    });
    lock.indexes = vec![("mine".to_owned(), format!("{secret}/simple"))];
    let text = lock.to_toml();
    assert!(!text.contains("s3cret"), "{text}");
    assert!(
        text.contains("a @ https://host/a.whl ; python_version > '3'"),
        "{text}"
    );
    assert!(text.contains("a @ git+https://host/a.git@main"), "{text}");
    assert!(text.contains("git+ssh://git@host/a.git"), "{text}");
    assert!(text.contains("index = \"https://host/simple\""), "{text}");
}

#[test]
fn what_differs_between_two_sets_is_told_by_kind() {
    let side = |version: &str, digest: Option<&str>| Side {
        version: version.parse().unwrap(),
        source: None,
        digest: digest.map(str::to_owned),
    };
    let sides = |list: &[(&str, Side)]| -> Sides {
        list.iter()
            .map(|(at, side)| (name(at), side.clone()))
            .collect()
    };
    let before = sides(&[
        ("same", side("1.0", Some("x"))),
        ("unknown", side("1.0", None)),
        ("altered", side("1.0", Some("x"))),
        ("up", side("1.9", None)),
        ("down", side("2.0", None)),
        ("local", side("2.0+cpu", None)),
        ("gone", side("1.0", None)),
    ]);
    let after = sides(&[
        ("same", side("1.0", Some("x"))),
        ("unknown", side("1.0.0", Some("y"))),
        ("altered", side("1.0", Some("y"))),
        ("up", side("1.10", None)),
        ("down", side("1.0", None)),
        ("local", side("2.0+cu126", None)),
        ("new", side("1.0", None)),
    ]);
    let changes = compare(&before, &after);
    let found: Vec<_> = changes
        .iter()
        .map(|change| (change.name.as_str(), change.kind, change.is_major()))
        .collect();
    assert_eq!(
        found,
        [
            ("altered", ChangeKind::Replace, false),
            ("down", ChangeKind::Downgrade, true),
            ("gone", ChangeKind::Remove, false),
            ("local", ChangeKind::Replace, false),
            ("new", ChangeKind::Add, false),
            ("up", ChangeKind::Upgrade, false),
        ]
    );
}
