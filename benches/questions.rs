//! How long does the work in memory take? One bench a question; no network, no child program.
//!
//! `cargo bench --bench questions [-- NAME]`. Inputs come from `corpus/`.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a program for developers"
)]

#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/it/support/server/http.rs"]
mod http;
#[allow(dead_code, reason = "shared with the tests and the recorder")]
#[path = "../tests/it/support/server/recorded/mod.rs"]
mod recorded;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use divan::Bencher;
use portenv::environment::Installed;
use portenv::index::config::IndexLocation;
use portenv::index::simple::parse_page;
use portenv::index::{IndexConfig, Page, RemoteIndex};
use portenv::lock::Lock;
use portenv::package::target::MachineFacts;
use portenv::package::{Name, Target};
use portenv::plan::between::{Goal, Removal, between};
use portenv::progress::{Cancel, Silent};
use portenv::requirements::file::{Reading, parse_requirements};
use portenv::requirements::{Origin, OriginKind, RequirementSet};
use portenv::resolve::targets::Task;
use portenv::resolve::{Options, Outcome, Preferences, Resolution, resolve};
use recorded::{Form, RecordedIndex, RecordedServer};

/// Within the ten minutes for which the index states that pages are fresh.
const NOW: i64 = 1_780_000_000;

fn main() {
    divan::main();
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn text_of(set: &str) -> String {
    std::fs::read_to_string(corpus().join(format!("bench/{set}.in"))).unwrap()
}

fn read(text: &str) -> RequirementSet {
    let owner = Origin::file(OriginKind::Core, None, "requirements.txt");
    let reading = Reading {
        root: Utf8Path::new(""),
        owner: &owner,
        variables: &BTreeMap::new(),
    };
    let mut set = RequirementSet::default();
    set.add_file(parse_requirements(text, Utf8Path::new(""), &reading));
    set
}

fn target() -> Target {
    // Some packages of the sets have wheels for recent systems only.
    let platform = "x86_64-manylinux_2_39".parse().unwrap();
    Target::new(
        platform,
        "3.12.1".parse().unwrap(),
        &MachineFacts::default(),
    )
}

/// A cache that one resolution of a set has filled; the server is there only for that.
struct Filled {
    set: RequirementSet,
    targets: [Target; 1],
    server: RecordedServer,
    dir: tempfile::TempDir,
}

impl Filled {
    fn new(set: &str) -> Self {
        let index = RecordedIndex::open(&corpus().join("index"));
        let filled = Self {
            set: read(&text_of(set)),
            targets: [target()],
            server: RecordedServer::start(&index, Form::Json),
            dir: tempfile::tempdir().unwrap(),
        };
        filled.resolve();
        filled
    }

    fn resolve(&self) -> Resolution {
        let config = IndexConfig {
            indexes: vec![IndexLocation::general(&self.server.url())],
            cache_dir: Utf8PathBuf::from_path_buf(self.dir.path().to_owned()).ok(),
            ..IndexConfig::default()
        };
        let index = RemoteIndex::new(config, NOW, Cancel::default(), Arc::new(Silent));
        let outcome = resolve(&Task {
            lines: &self.set.lines,
            targets: &self.targets,
            options: &Options::default(),
            preferences: &Preferences::default(),
            index: &index,
            cancel: &Cancel::default(),
        });
        match outcome.unwrap() {
            Outcome::Resolved(resolution) => *resolution,
            Outcome::Conflicts(conflicts) => panic!("{conflicts:?}"),
        }
    }

    fn lock(&self) -> Lock {
        Lock::from_resolution(&self.resolve(), &self.set, Vec::new(), None)
    }
}

#[divan::bench_group(name = "resolve", sample_count = 20)]
mod resolving {
    use super::{Bencher, Filled};

    #[divan::bench]
    fn core_warm(bencher: Bencher<'_, '_>) {
        let filled = Filled::new("core");
        bencher.bench_local(|| filled.resolve());
    }

    #[divan::bench]
    fn fifty_nodes_warm(bencher: Bencher<'_, '_>) {
        let filled = Filled::new("core-50");
        bencher.bench_local(|| filled.resolve());
    }
}

#[divan::bench(name = "requirements/read_fifty_nodes")]
fn read_fifty_nodes(bencher: Bencher<'_, '_>) {
    let text = text_of("core-50");
    bencher.bench_local(|| read(&text));
}

#[divan::bench(name = "lock/write_and_read_large_set", sample_count = 20)]
fn write_and_read_large_set(bencher: Bencher<'_, '_>) {
    let lock = Filled::new("large").lock();
    bencher.bench_local(|| {
        let text = lock.to_toml();
        Lock::parse(&text, Utf8Path::new("pylock.toml")).unwrap()
    });
}

#[divan::bench(name = "versions/parse_numpy_page")]
fn parse_numpy_page(bencher: Bencher<'_, '_>) {
    let index = RecordedIndex::open(&corpus().join("index"));
    let body = index.page("numpy", Form::Json).unwrap().unwrap();
    let base = "http://localhost/simple/numpy/".parse().unwrap();
    let name = Name::parse("numpy").unwrap();
    bencher.bench_local(|| {
        let content_type = "application/vnd.pypi.simple.v1+json";
        let files = parse_page(content_type, body.as_bytes(), &base).unwrap();
        Page::new("http://localhost/simple", &name, files)
    });
}

#[divan::bench(name = "plan/between_nothing_and_a_lock")]
fn between_nothing_and_a_lock(bencher: Bencher<'_, '_>) {
    let lock = Filled::new("large").lock();
    let goals: BTreeMap<Name, Goal> = lock
        .packages
        .iter()
        .filter_map(|package| {
            let version = package.version.clone()?;
            let digest = None;
            Some((
                package.name.clone(),
                Goal {
                    version,
                    digest,
                    source: None,
                },
            ))
        })
        .collect();
    let installed = Installed::default();
    bencher.bench_local(|| between(&installed, &goals, &Removal::Others));
}
