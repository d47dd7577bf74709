//! `lockfiles/`: the locks of ComfyUI's releases that this project comes with.

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use portenv::lock::Lock;
use portenv::resolve::RequiredBy;

use crate::cli::gate::core::Desk;
use crate::cli::place::{changes, strings};
use crate::support::{Hosted, Wheel, base_python};

fn locks() -> Vec<Utf8PathBuf> {
    let dir = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("lockfiles");
    let entries = dir.read_dir_utf8().unwrap();
    let mut files: Vec<Utf8PathBuf> = entries.map(|entry| entry.unwrap().into_path()).collect();
    files.retain(|file| file.extension() == Some("toml"));
    files.sort();
    files
}

#[test]
fn each_lock_has_the_name_the_targets_and_the_day_that_tools_expect() {
    let files = locks();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        // PEP 751: `pylock.NAME.toml`, no dot in the name.
        let name = file.file_name().unwrap();
        assert_eq!(name.matches('.').count(), 2, "{name}");
        assert!(name.starts_with("pylock.comfyui-"), "{name}");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.len() < 200_000, "{name} is to be kept small");
        let lock = Lock::parse(&text, &file).unwrap();
        assert_eq!(
            lock.targets,
            [
                "x86_64-unknown-linux-gnu@3.12.0",
                "x86_64-pc-windows-msvc@3.12.0",
                "aarch64-apple-darwin@3.12.0"
            ],
            "{name}"
        );
        assert!(
            lock.exclude_newer.is_some() && lock.waivers.is_empty(),
            "{name}"
        );
        let torch = lock.get(&portenv::package::Name::parse("torch").unwrap());
        assert!(torch.is_some(), "{name}");
        for package in &lock.packages {
            let hashed = package.files.iter().all(|file| file.sha256().is_some());
            assert!(
                hashed && !package.files.is_empty(),
                "{name}: {}",
                package.name
            );
        }
        // Written anew it is the same text: it is in the form of today.
        assert_eq!(
            lock.to_toml(),
            text,
            "{name} is to be made again by lockfiles/make"
        );
    }
}

#[test]
fn the_command_that_makes_them_leads_to_the_same_lock_on_any_day() {
    let desk = Desk::new();
    let script = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("lockfiles/make");
    let out = desk.sandbox.dir().join("made");
    std::fs::create_dir(&out).unwrap();
    let make = || {
        let portenv = desk.sandbox.command(&[]);
        let mut command = Command::new("bash");
        command.env_clear().args([script.as_str(), "v0.10.0"]);
        let variables = portenv.get_envs();
        command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
        command.env("COMFYUI_URL", desk.remote_url());
        command.env("PORTENV", env!("CARGO_BIN_EXE_portenv"));
        command.env("PYTHON", base_python()).env("OUT", &out);
        let finished = command.output().unwrap();
        assert!(finished.status.success(), "{finished:?}");
        std::fs::read_to_string(out.join("pylock.comfyui-0-10.toml")).unwrap()
    };
    let first = make();
    let lock = Lock::parse(&first, Utf8Path::new("pylock.toml")).unwrap();
    let packages = lock.packages.iter();
    let packages: Vec<String> = packages
        .map(|it| format!("{} {}", it.name, it.version.as_ref().unwrap()))
        .collect();
    // `alpha 1.1` came after the release.
    assert_eq!(packages, ["alpha 1.0", "beta 2.0"]);
    assert_eq!(lock.exclude_newer.as_deref(), Some("2026-05-01T00:00:00Z"));
    assert_eq!(lock.targets[0], "x86_64-unknown-linux-gnu@3.12.0");
    std::fs::remove_dir_all(desk.sandbox.cache()).unwrap();
    let newer = Hosted::from(Wheel::new("beta", "4.0").build());
    desk.server.add(newer.upload_time("2026-06-01T00:00:00Z"));
    assert_eq!(make(), first);
}

#[test]
fn a_node_is_checked_against_each_lock() {
    for file in locks() {
        let desk = Desk::new();
        // Each package of the lock comes from the index at hand, with the version locked.
        let text = std::fs::read_to_string(&file).unwrap();
        let lock = Lock::parse(&text, &file).unwrap();
        for package in &lock.packages {
            let version = package.version.as_ref().unwrap().to_string();
            let mut wheel = Wheel::new(package.name.as_str(), &version);
            for by in lock.packages.iter().flat_map(|other| {
                let asked = other.required_by.iter();
                asked.filter_map(|by| match by {
                    RequiredBy::Package {
                        package,
                        requirement,
                        ..
                    } => Some((package, requirement)),
                    RequiredBy::Line { .. } => None,
                })
            }) {
                if *by.0 == package.name {
                    wheel = wheel.requires(by.1);
                }
            }
            desk.server.add(wheel.build());
        }
        let text = text.replace(
            "https://pypi.org/simple",
            desk.server.url().trim_end_matches('/'),
        );
        let name = file.file_name().unwrap();
        std::fs::write(desk.dir.join(name), text).unwrap();
        let document = desk
            .asks("gamma\naiohttp\n")
            .json(0, &[".", "--against", name]);
        assert_eq!(
            changes(&document),
            ["add delta - 2.0", "add gamma - 1.0"],
            "{name}"
        );
        let instant: jiff::Timestamp = lock.exclude_newer.unwrap().parse().unwrap();
        assert_eq!(document["as_of"], instant.to_string(), "{name}");
        let document = desk
            .asks("gamma\nnumpy<1\n")
            .json(1, &[".", "--against", name]);
        assert_eq!(strings(&document["findings"], "code"), ["PE001"], "{name}");
        let lines = document["conflicts"][0]["requirements"].to_string();
        assert!(lines.contains("numpy>=1.25.0"), "{name}: {lines}");
    }
}
