//! How long does it take to read a long history? `cargo bench --bench history`.
//!
//! 200 snapshots of an environment of 300 packages, one of which changes each time, with a lock.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a program for developers"
)]

use camino::Utf8Path;
use divan::Bencher;
use portenv::package::{Hashes, Name};
use portenv::snapshot::{Db, PackageState, SourceRecord, State};

const SNAPSHOTS: usize = 200;
const PACKAGES: usize = 300;

fn package(n: usize, version: usize) -> PackageState {
    let filename = format!("package_{n}-1.{version}-py3-none-any.whl");
    PackageState {
        name: Name::parse(&format!("package-{n}")).unwrap(),
        version: format!("1.{version}").parse().unwrap(),
        digest: Some(format!("{n:032x}{version:032x}")),
        source: Some(SourceRecord::Index {
            index: "https://pypi.org/simple".to_owned(),
            url: format!("https://files.pythonhosted.org/packages/{n:060x}/{filename}"),
            filename,
            hashes: Hashes::from([("sha256".to_owned(), format!("{n:032x}{version:032x}"))]),
            size: Some(123_456),
        }),
        kept: None,
    }
}

fn lock(packages: &[PackageState]) -> String {
    let entries = packages.iter().map(|it| {
        let (name, version) = (&it.name, &it.version);
        format!("\n[[packages]]\nname = \"{name}\"\nversion = \"{version}\"\n")
    });
    format!("lock-version = \"1.0\"\n{}", entries.collect::<String>())
}

fn history() -> (tempfile::TempDir, Db) {
    let dir = tempfile::tempdir().unwrap();
    let mut db = Db::open(Utf8Path::from_path(dir.path()).unwrap()).unwrap();
    let mut packages: Vec<PackageState> = (0..PACKAGES).map(|n| package(n, 0)).collect();
    for at in 0..SNAPSHOTS {
        packages[at % PACKAGES] = package(at % PACKAGES, at + 1);
        let state = State {
            lock: Some(lock(&packages)),
            packages: packages.clone(),
            python: "3.12.1".to_owned(),
            platform: "x86_64-unknown-linux-gnu".to_owned(),
            ..State::default()
        };
        let digest = db.put_state(&state).unwrap();
        let time = format!("2026-06-01T{:02}:{:02}:00Z", at / 60, at % 60);
        let operation = db.begin("update", "update", &digest, &time).unwrap();
        db.finish(operation, &state, &time, None).unwrap();
    }
    (dir, db)
}

/// `snapshot list`: each snapshot with what it changed.
#[divan::bench(sample_count = 10)]
fn list_two_hundred_snapshots(bencher: Bencher) {
    let (dir, db) = history();
    drop(db);
    let own = Utf8Path::from_path(dir.path()).unwrap();
    bencher.bench_local(|| {
        let db = Db::find(own).unwrap().unwrap();
        assert_eq!(portenv::ops::snapshot::all(&db).unwrap().len(), SNAPSHOTS);
    });
}

fn main() {
    divan::main();
}
