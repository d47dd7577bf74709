//! Archives that are no archives, or that mean harm: refused with a word, and nothing is left.

use std::fs::{self, File};
use std::io::Write;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

use super::assert_refused;
use crate::bad_input::may_mount;
use crate::cli::place::{Place, tree};
use crate::support::{Run, Sandbox};

/// What an archive of this machine says of itself.
fn manifest() -> Value {
    let platform = match std::env::consts::OS {
        "macos" => "apple-darwin",
        "windows" => "pc-windows-msvc",
        _ => "unknown-linux-gnu",
    };
    json!({
        "schema": 1, "name": "A", "version": "1", "portenv": "0",
        "platform": format!("{}-{platform}", std::env::consts::ARCH),
        "python": {"version": "3.12.1", "interpreter": "python/bin/python", "base": null, "needs_base": false},
        "comfyui": null, "commit": null, "lock": null, "files": 1, "bytes": 1, "cleaned": {},
        "relocate": [], "links": {}, "packages": [],
    })
}

/// A member of an archive that is made by hand.
enum Member<'a> {
    File(&'a str, &'a [u8]),
    Link(&'a str, &'a str),
    Device(&'a str),
}

use Member::{Device, File as Plain, Link};

fn zip_of(path: &Utf8Path, manifest: &Value, members: &[Member<'_>]) {
    let mut archive = zip::ZipWriter::new(File::create(path).unwrap());
    let options = SimpleFileOptions::default();
    archive
        .start_file("top/.portenv/pack.json", options)
        .unwrap();
    archive.write_all(manifest.to_string().as_bytes()).unwrap();
    for member in members {
        match member {
            Plain(name, bytes) => {
                archive.start_file(*name, options).unwrap();
                archive.write_all(bytes).unwrap();
            }
            Link(name, target) => archive.add_symlink(*name, *target, options).unwrap(),
            Device(_) => {}
        }
    }
    archive.finish().unwrap();
}

/// A header that says what no honest writer would.
fn header(name: &str, kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

fn tar_of(path: &Utf8Path, manifest: &Value, members: &[Member<'_>]) {
    let packed = zstd::stream::write::Encoder::new(File::create(path).unwrap(), 1).unwrap();
    let mut archive = tar::Builder::new(packed);
    let text = manifest.to_string();
    let own = header(
        "top/.portenv/pack.json",
        tar::EntryType::Regular,
        text.len() as u64,
    );
    archive.append(&own, text.as_bytes()).unwrap();
    for member in members {
        match member {
            Plain(name, bytes) => {
                let head = header(name, tar::EntryType::Regular, bytes.len() as u64);
                archive.append(&head, *bytes).unwrap();
            }
            Link(name, target) => {
                let mut head = header(name, tar::EntryType::Symlink, 0);
                head.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
                head.set_cksum();
                archive.append(&head, std::io::empty()).unwrap();
            }
            Device(name) => {
                let head = header(name, tar::EntryType::Char, 0);
                archive.append(&head, std::io::empty()).unwrap();
            }
        }
    }
    archive.into_inner().unwrap().finish().unwrap();
}

/// Asks for an archive to be unpacked, and demands that nothing is there then.
#[track_caller]
fn refused(sandbox: &Sandbox, archive: &Utf8Path, code: i32, word: &str) -> Run {
    let there = sandbox.dir().join("place/there");
    let run = sandbox.portenv(&["unpack", archive.as_str(), there.as_str()]);
    assert_refused(&run, code, word);
    let left = there.parent().unwrap().read_dir();
    assert_eq!(
        left.map_or(0, Iterator::count),
        0,
        "nothing half made\n{run}"
    );
    run
}

#[test]
fn members_that_would_be_written_elsewhere_are_refused_in_both_kinds_of_archive() {
    let sandbox = Sandbox::new();
    let cases: [(&str, &[Member<'_>]); 7] = [
        ("climb", &[Plain("top/../../evil", b"x")]),
        ("climb", &[Plain("/evil", b"x")]),
        ("no file may have", &[Plain("top/a\\..\\evil", b"x")]),
        ("one directory", &[Plain("other/evil", b"x")]),
        ("leads out", &[Link("top/evil", "../../evil")]),
        ("leads out", &[Link("top/evil", "/etc/passwd")]),
        // Each of them seems to stay inside.
        (
            "leads out",
            &[
                Plain("top/a/b/c", b""),
                Link("top/a/b/up", "../.."),
                Link("top/evil", "a/b/up/.."),
            ],
        ),
    ];
    for (word, members) in cases {
        let file = sandbox.dir().join("a.zip");
        zip_of(&file, &manifest(), members);
        let _ = refused(&sandbox, &file, 2, word);
        let file = sandbox.dir().join("a.tar.zst");
        tar_of(&file, &manifest(), members);
        let _ = refused(&sandbox, &file, 2, word);
    }
    let file = sandbox.dir().join("a.tar.zst");
    tar_of(&file, &manifest(), &[Device("top/null")]);
    let _ = refused(&sandbox, &file, 2, "neither file nor link");
    tar_of(
        &file,
        &manifest(),
        &[Plain("top/a", b"1"), Plain("top/a", b"2")],
    );
    let _ = refused(&sandbox, &file, 2, "two members");
    assert!(!sandbox.dir().join("evil").exists());
}

#[test]
fn a_manifest_that_names_places_elsewhere_or_another_machine_is_refused() {
    let sandbox = Sandbox::new();
    let file = sandbox.dir().join("a.zip");
    let with = |key: &str, value: Value| {
        let mut manifest = manifest();
        manifest[key] = value;
        manifest
    };
    for (manifest, word) in [
        (with("relocate", json!(["../evil"])), "not safe"),
        (with("packages", json!(["/etc"])), "not safe"),
        (with("links", json!({"a": "../../evil"})), "not safe"),
        (with("links", json!({"a": "/etc/passwd"})), "not safe"),
        (
            with("platform", json!("riscv64-unknown-linux-gnu")),
            "is for riscv64",
        ),
        (with("schema", json!(99)), "cannot read it"),
        (json!({}), "not understood"),
    ] {
        zip_of(&file, &manifest, &[Plain("top/a", b"x")]);
        let _ = refused(&sandbox, &file, 2, word);
    }
    let mut bare = manifest();
    bare["python"] =
        json!({"version": "3.4.1", "interpreter": "a", "base": null, "needs_base": true});
    zip_of(&file, &bare, &[]);
    let _ = refused(&sandbox, &file, 2, "--python");
    let mut huge = manifest();
    huge["bytes"] = json!(u64::MAX / 2);
    zip_of(&file, &huge, &[]);
    let _ = refused(&sandbox, &file, 4, "free");
}

#[test]
fn an_archive_that_is_cut_off_altered_or_none_is_refused() {
    let sandbox = Sandbox::new();
    let noise: Vec<u8> = (0..200_000u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let members = [Plain("top/a", noise.as_slice())];
    for name in ["a.zip", "a.tar.zst"] {
        let file = sandbox.dir().join(name);
        match name {
            "a.zip" => zip_of(&file, &manifest(), &members),
            _ => tar_of(&file, &manifest(), &members),
        }
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        let _ = refused(&sandbox, &file, 2, "damaged");
        let mut altered = whole.clone();
        altered[whole.len() / 2] ^= 0x55;
        fs::write(&file, &altered).unwrap();
        if name == "a.zip" {
            let _ = refused(&sandbox, &file, 2, "damaged");
        }
        let sums = format!("{}  {name}\n", crate::support::sha256(&whole));
        let beside = sandbox.dir().join(format!("{name}.sha256"));
        fs::write(&beside, sums).unwrap();
        let _ = refused(&sandbox, &file, 2, "SHA-256");
        fs::write(&file, "no archive").unwrap();
        fs::remove_file(&beside).unwrap();
        let _ = refused(&sandbox, &file, 2, "damaged");
    }
    let _ = refused(
        &sandbox,
        &sandbox.dir().join("none.zip"),
        2,
        "there is no file",
    );
    let _ = refused(&sandbox, Utf8Path::new("a.rar"), 2, "neither");
}

#[test]
fn sizes_that_lie_end_the_unpacking() {
    let sandbox = Sandbox::new();
    let file = sandbox.dir().join("a.zip");
    let zeros = vec![0; 50_000_000];
    zip_of(&file, &manifest(), &[Plain("top/bomb", &zeros)]);
    // Far more than the manifest tells.
    let _ = refused(&sandbox, &file, 2, "more than");
    let file = sandbox.dir().join("a.tar.zst");
    tar_of(&file, &manifest(), &[Plain("top/bomb", &zeros)]);
    let _ = refused(&sandbox, &file, 2, "more than");
}

#[test]
fn a_directory_with_something_in_it_is_left_alone() {
    let sandbox = Sandbox::new();
    let file = sandbox.dir().join("a.zip");
    zip_of(&file, &manifest(), &[]);
    let there = sandbox.dir().join("there");
    fs::create_dir(&there).unwrap();
    fs::write(there.join("mine"), "x").unwrap();
    let before = tree(&there);
    let run = sandbox.portenv(&["unpack", file.as_str(), there.as_str()]);
    assert_refused(&run, 2, "not empty");
    assert_eq!(tree(&there), before);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_midway_leaves_nothing_of_an_archive_or_an_installation() {
    if !may_mount() {
        return;
    }
    let place = Place::synced();
    let noise: Vec<u8> = (0..3_000_000u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let small = place.dir().join("small");
    fs::create_dir(&small).unwrap();
    let file = place.dir().join("a.zip");
    zip_of(&file, &manifest(), &[Plain("top/a", &noise)]);
    for arguments in [
        [
            "unpack".to_owned(),
            file.to_string(),
            small.join("there").into_string(),
        ],
        [
            "pack".to_owned(),
            "--no-tools".to_owned(),
            format!("--output={small}/b.zip"),
        ],
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let run = on_small_disk(&place, &small, &arguments);
        assert_refused(&run, 4, "error");
        assert!(run.stdout().ends_with("left:\n"), "{run}");
    }
}

/// Runs portenv with a disk of a few megabytes at a place, and lists what is there afterwards.
#[cfg(target_os = "linux")]
fn on_small_disk(place: &Place, small: &Utf8PathBuf, arguments: &[&str]) -> Run {
    let script = "mount -t tmpfs -o size=8m tmpfs \"$SMALL\"; \"$@\"; code=$?; echo left:; \
                  ls -A \"$SMALL\"; exit $code";
    let own = place.command(arguments);
    let mut command = std::process::Command::new("unshare");
    command.args(["-rm", "sh", "-c", script, "sh"]);
    command.arg(own.get_program()).args(own.get_args());
    for (name, value) in own.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .env("SMALL", small.as_str())
        .current_dir(place.root());
    place.run_of(&command.output().unwrap())
}
