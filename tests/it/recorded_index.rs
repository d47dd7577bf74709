//! The recorded index answers as an index does, and both of its forms say the same.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portenv::index::config::IndexLocation;
use portenv::index::{Index, IndexConfig, RemoteIndex};
use portenv::package::Name;
use portenv::progress::{Cancel, Silent};

use crate::support::{Form, ProjectFacts, RecordedIndex, RecordedServer, Sandbox};

fn corpus() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus"))
}

fn serve(form: Form) -> RecordedServer {
    RecordedServer::start(&RecordedIndex::open(&corpus().join("index")), form)
}

fn open(server: &RecordedServer) -> RemoteIndex {
    let config = IndexConfig {
        indexes: vec![IndexLocation::general(&server.url())],
        ..IndexConfig::default()
    };
    RemoteIndex::new(config, 1_780_000_000, Cancel::default(), Arc::new(Silent))
}

/// A pure wheel, a large platform wheel, many versions, a name with other spelling in files.
const SAMPLE: [&str; 5] = [
    "six",
    "torch",
    "boto3",
    "huggingface-hub",
    "antlr4-python3-runtime",
];

#[test]
fn every_file_of_the_newest_recorded_versions_yields_one_metadata_in_both_forms() {
    let (json, html) = (serve(Form::Json), serve(Form::Html));
    // What arrives late must be the same.
    html.set_latency(Duration::from_millis(1));
    let (with_metadata, with_ranges) = (open(&json), open(&html));
    for name in SAMPLE {
        let name = Name::parse(name).unwrap();
        let page = with_metadata.page(&name).unwrap().unwrap();
        let plain = with_ranges.page(&name).unwrap().unwrap();
        assert_eq!(page.len(), plain.len(), "{name}");
        for at in 0..page.len().min(3) {
            let version = page.version(at);
            for (file, other) in page.files(at).iter().zip(plain.files(at)) {
                let (file, other) = (page.cold(*file).unwrap(), plain.cold(*other).unwrap());
                assert_eq!(file.file.hashes, other.file.hashes);
                let advertised = with_metadata.metadata(&name, version, &file).unwrap();
                let mut read = with_ranges.metadata(&name, version, &other).unwrap();
                // An sdist is served with the metadata version from which it binds.
                Arc::make_mut(&mut read)
                    .metadata_version
                    .clone_from(&advertised.metadata_version);
                assert_eq!(advertised, read, "{}", file.file.filename);
            }
        }
    }
    let count = |index: &RemoteIndex, kind| {
        let counts = index.stats().counts();
        counts.iter().find(|(name, _)| *name == kind).unwrap().1
    };
    assert_eq!(count(&with_metadata, "range_requests"), 0);
    assert_eq!(count(&with_ranges, "metadata_requests"), 0);
    assert!(count(&with_ranges, "range_requests") > 0);
}

#[test]
fn the_recording_gives_the_answer_that_uv_gave_for_the_core_and_fifteen_nodes() {
    let server = serve(Form::Json);
    let sandbox = Sandbox::new();
    let set = corpus().join("bench/core-15.in");
    let url = server.url();
    let resolve = |more: &[&str]| {
        let mut arguments = vec!["resolve", set.to_str().unwrap(), "--index-url", &url];
        arguments.extend(["--python-version", "3.12", "--quiet"]);
        arguments.extend(["--platform", "x86_64-unknown-linux-gnu"]);
        arguments.extend(more);
        let run = sandbox.portenv(&arguments).success();
        let lines = run.stdout().lines().map(str::to_owned);
        lines.filter(|line| line.contains("==")).collect::<Vec<_>>()
    };
    let expected = std::fs::read_to_string(corpus().join("bench/core-15.expected")).unwrap();
    let expected: Vec<_> = expected.lines().collect();
    assert_eq!(resolve(&[]), expected);
    let asked = server.requests();
    assert_eq!(resolve(&["--offline"]), expected);
    assert_eq!(server.requests(), asked);
}

#[test]
fn a_recording_that_is_written_again_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    for name in SAMPLE {
        let facts = ProjectFacts::read(&corpus().join("index"), name).unwrap();
        let facts = facts.expect("it is recorded");
        assert!(!facts.versions.is_empty());
        facts.write(dir.path()).unwrap();
        assert_eq!(ProjectFacts::read(dir.path(), name).unwrap(), Some(facts));
        let page = |dir| RecordedIndex::open(dir).page(name, Form::Html).unwrap();
        assert_eq!(page(dir.path()), page(&corpus().join("index")));
    }
    assert_eq!(ProjectFacts::read(dir.path(), "absent").unwrap(), None);
}
