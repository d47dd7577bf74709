//! The bodies of the fuzz targets, over their seeds and a fixed run of changes to them.
//!
//! A real run needs cargo-fuzz and time (`fuzz/README.md`); this one needs neither and keeps what
//! such runs found from coming back: an input that was a fault becomes a seed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use camino::Utf8Path;

#[path = "../../fuzz/bodies/lock.rs"]
mod lock;
#[path = "../../fuzz/bodies/metadata.rs"]
mod metadata;
#[path = "../../fuzz/bodies/page.rs"]
mod page;
#[path = "../../fuzz/bodies/pyproject.rs"]
mod pyproject;
#[path = "../../fuzz/bodies/requirement.rs"]
mod requirement;
#[path = "../../fuzz/bodies/version.rs"]
mod version;

/// A generator of numbers that are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).unwrap()
    }
}

/// Bytes that mean something to one of the formats.
const WORDS: [&[u8]; 24] = [
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\n",
    b"\r\n",
    b"\\",
    b"\"",
    b"'",
    b"[",
    b"]",
    b";",
    b",",
    b"#",
    b"=",
    b"<",
    b">",
    b"&",
    b"%",
    b"://",
    b"@",
    b".*",
    b"18446744073709551615",
    b"\xc3\xa9",
    b"PK\x05\x06",
];

/// Changes a few places of a seed, or joins its beginning to another's end.
fn changed(seeds: &[(String, Vec<u8>)], numbers: &mut Numbers) -> (String, Vec<u8>) {
    let (name, seed) = &seeds[numbers.below(seeds.len())];
    let mut bytes = seed.clone();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len() + 1);
        let end = (at + numbers.below(16)).min(bytes.len());
        match numbers.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            3 => drop(bytes.splice(at..end, WORDS[numbers.below(WORDS.len())].to_vec())),
            4 => drop(bytes.splice(at..at, WORDS[numbers.below(WORDS.len())].to_vec())),
            _ => {
                let (_, other) = &seeds[numbers.below(seeds.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[numbers.below(other.len() + 1)..]);
            }
        }
    }
    (name.clone(), bytes)
}

fn survives(target: &str, changes: usize, body: fn(&[u8])) {
    let dir = Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let mut seeds: Vec<(String, Vec<u8>)> = dir
        .read_dir_utf8()
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().into_path();
            (
                path.file_name().unwrap().to_owned(),
                std::fs::read(path).unwrap(),
            )
        })
        .collect();
    assert!(seeds.len() >= 3, "{target} has too few seeds");
    seeds.sort();
    let check = |name: &str, bytes: &[u8]| {
        if catch_unwind(AssertUnwindSafe(|| body(bytes))).is_err() {
            let text = bytes.escape_ascii();
            panic!("a change of {target}/{name} is a fault: b\"{text}\"");
        }
    };
    for (name, bytes) in &seeds {
        check(name, bytes);
    }
    let mut numbers = Numbers(0x5EED);
    for _ in 0..changes {
        let (name, bytes) = changed(&seeds, &mut numbers);
        check(&name, &bytes);
    }
}

#[test]
fn every_body_is_a_target_with_seeds_and_runs_here() {
    let fuzz = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let stems = |dir: &str| {
        let entries = fuzz.join(dir).read_dir_utf8().unwrap();
        let paths = entries.map(|entry| entry.unwrap().into_path());
        let mut stems: Vec<String> = paths
            .map(|path| path.file_stem().unwrap().to_owned())
            .collect();
        stems.sort();
        stems
    };
    let bodies = stems("bodies");
    assert_eq!(bodies, stems("fuzz_targets"));
    assert_eq!(bodies, stems("seeds"));
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let here = include_str!("fuzz_seeds.rs");
    for body in bodies {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{body}.rs\"")),
            "{body}"
        );
        assert!(here.contains(&format!("{body}::run);")), "{body}");
    }
}

/// What no fuzzer makes, for its inputs are short: a few characters, very many times.
#[test]
fn nothing_that_is_repeated_without_end_is_a_fault_or_takes_its_time() {
    let times = 5_000;
    let of = |piece: &str| piece.repeat(times);
    let nested = |open: &str, close: &str| format!("{}1{}", of(open), of(close));
    for text in [
        format!("a; {}", nested("(", ")")),
        format!("a; {}", nested("(os_name == 'nt' or ", ")")),
        format!("a; os_name == 'nt'{}", of(" or os_name == 'nt'")),
        format!("a{}", of(">1")),
        format!("a{}", of(",!=1.*")),
        format!("a>=1{}", of(".1")),
        format!("a[{}]", of("x,")),
        format!("a @ https://h/{}", of("%41")),
        of("a\\\n"),
        of("${A}"),
        of("--hash=sha256:00 "),
        of("# "),
    ] {
        requirement::run(text.as_bytes());
    }
    for text in [
        format!("a = {}", nested("[", "]")),
        format!("a = {}", nested("{a = ", "}")),
        format!("{}a = 1", of("a.")),
        format!("[{}a]", of("a.")),
        format!("[project]\ndependencies = [{}]", of("'a',")),
        format!("lock-version = '1.0'\n{}", of("[[packages]]\nname = 'a'\n")),
        of("[options]\ninstall_requires = a\n"),
    ] {
        pyproject::run(text.as_bytes());
        lock::run(text.as_bytes());
    }
    for text in [
        format!("{{\"files\": {}}}", nested("[", "]")),
        format!("{{\"files\": [], \"more\": {}}}", nested("[", "]")),
        format!("<html>{}", of("<a href=x ")),
        format!("<html>{}", of("<!--")),
        format!("<html><a href=\"{}\">", of("&#x")),
        format!("<html>{}", of("<a href=demo-1.tar.gz>")),
    ] {
        page::run(text.as_bytes());
    }
    let numbered = |form: &str| -> String {
        (0..times)
            .map(|n| form.replace('N', &n.to_string()))
            .collect()
    };
    for text in [
        of("[x]\na\n"),
        numbered("[xN]\n"),
        numbered("Provides-Extra: xN\n"),
        of("Requires-Dist: a\n"),
        of(" x\n"),
        of("name="),
    ] {
        metadata::run(text.as_bytes());
    }
    version::run(of("1.").as_bytes());
    version::run(numbered("!=N,").as_bytes());
}

#[test]
fn no_change_of_a_page_is_a_fault() {
    survives("page", 5000, page::run);
}

#[test]
fn no_change_of_metadata_or_of_an_archive_is_a_fault() {
    survives("metadata", 5000, metadata::run);
}

#[test]
fn no_change_of_a_requirement_file_is_a_fault() {
    survives("requirement", 6000, requirement::run);
}

#[test]
fn no_change_of_a_project_file_is_a_fault() {
    survives("pyproject", 3000, pyproject::run);
}

#[test]
fn no_change_of_versions_is_a_fault() {
    survives("version", 20_000, version::run);
}

#[test]
fn no_change_of_a_lock_is_a_fault() {
    survives("lock", 8000, lock::run);
}
