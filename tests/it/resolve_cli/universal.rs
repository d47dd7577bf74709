//! `--universal`: one answer for every Python on every desktop platform.

use std::collections::BTreeSet;

use super::{World, document::check_document};
use crate::support::{Sandbox, Wheel, uv};

/// A world that names no platform, and a library with a dependency for each kind of target.
fn world() -> World {
    let mut world = World::new([
        Wheel::new("app", "1")
            .requires("for-windows; sys_platform == 'win32'")
            .requires("backport; python_version < '3.12'")
            .requires("fast; platform_python_implementation == 'CPython'")
            .requires("native")
            .build(),
        Wheel::new("shell", "1")
            .requires("for-windows; sys_platform == 'win32'")
            .requires("fast; platform_python_implementation == 'CPython'")
            .build(),
        Wheel::new("for-windows", "1").build(),
        Wheel::new("backport", "1").build(),
        Wheel::new("fast", "1").build(),
        Wheel::new("native", "1")
            .tag("cp312-cp312-win_amd64")
            .build(),
        Wheel::new("old", "1").build(),
        Wheel::new("old", "2").requires_python(">=3.12").build(),
    ]);
    world.sandbox = Sandbox::new()
        .with_index(&world.server)
        .with_env("PORTENV_PYTHON_VERSION", "3.11");
    world
}

#[test]
fn each_variant_of_a_package_is_an_entry_with_its_marker() {
    let world = world();
    let run = world.run(
        "app\nold; python_version < '3.12'\nold>=2; python_version >= '3.12'\n",
        "--universal",
    );
    let lines: Vec<String> = run.success().stdout().lines().map(str::to_owned).collect();
    assert_eq!(
        lines,
        [
            "app==1",
            "backport==1 ; python_version < '3.12'",
            "fast==1 ; implementation_name == 'cpython'",
            "for-windows==1 ; sys_platform == 'win32'",
            "native==1",
            "old==1 ; python_version < '3.12'",
            "old==2 ; python_version >= '3.12'",
        ]
    );
}

#[test]
fn the_targets_are_all_pythons_from_the_named_one_and_pypy() {
    let world = world();
    world.sandbox.write("r.txt", "app\n");
    let of = |flags: &str| {
        let run = world.portenv(&format!("resolve r.txt --universal --format json {flags}"));
        let document = run.success().json();
        check_document(&document);
        document
    };
    let document = of("");
    let targets = document["targets"].as_array().unwrap();
    let pythons: BTreeSet<&str> = targets
        .iter()
        .map(|target| target["python"].as_str().unwrap())
        .collect();
    assert_eq!(
        pythons.into_iter().collect::<Vec<_>>(),
        ["3.11.0", "3.12.0", "3.13.0", "3.14.0"]
    );
    let markers: BTreeSet<&str> = targets
        .iter()
        .map(|target| target["marker"].as_str().unwrap())
        .collect();
    assert_eq!((targets.len(), markers.len()), (16, 16));
    let pypy = markers.iter().filter(|marker| marker.contains("'pypy'"));
    assert!(pypy.clone().all(|marker| marker.contains("'linux'")));
    assert_eq!(pypy.count(), 4);
    assert_eq!(document["stats"]["targets"], 16);
    let shared = document["stats"]["targets_shared"].as_u64().unwrap();
    assert!(shared > 0, "{}", document["stats"]);
    let first = &of("--python-version 3.13.2")["targets"][0]["python"];
    assert_eq!(first, "3.13.2");
}

#[test]
fn it_is_for_all_platforms_and_for_resolve_only() {
    let world = world();
    let run = world
        .run("app\n", "--universal --platform linux")
        .expect_code(2);
    assert!(run.stderr().contains("--platform"), "{run}");
    let run = world.portenv("lock --universal").expect_code(2);
    assert!(run.stderr().contains("--universal"), "{run}");
}

#[test]
fn a_conflict_names_the_target_that_it_is_on() {
    let world = world();
    let document = world.conflict("old>=2\n", "--universal");
    let explanation = document["conflicts"][0]["explanation"].as_str().unwrap();
    assert!(explanation.contains("3.11"), "{explanation}");
}

#[test]
fn uv_installs_the_printed_lines_each_where_its_marker_says() {
    let world = world();
    let run = world.run("shell\n", "--universal").success();
    let text = run.stdout().to_owned();
    assert_eq!(text.matches(" ; ").count(), 2, "{text}");
    let path = world.sandbox.write("pinned.txt", text);
    let venv = world.sandbox.venv();
    let output = std::process::Command::new(uv())
        .args([
            "pip",
            "install",
            "--no-config",
            "--dry-run",
            "--no-deps",
            "--index-url",
        ])
        .args([
            world.server.url().as_str(),
            "--python",
            venv.as_str(),
            "-r",
            path.as_str(),
        ])
        .env("UV_CACHE_DIR", world.sandbox.dir().join("cache/uv"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("shell") && said.contains("fast"), "{said}");
    assert_eq!(said.contains("for-windows"), cfg!(windows), "{said}");
}
