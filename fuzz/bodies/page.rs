//! Index pages: what a page lists survives the cache's record, and candidates can be
//! chosen from whatever is left.

use std::sync::{Arc, OnceLock};

use portenv::index::page::{ColdPart, Page};
use portenv::index::simple::{ListedFile, parse_page};
use portenv::package::target::MachineFacts;
use portenv::package::{Name, Platform, Range, Target, Version};
use portenv::resolve::Options;
use portenv::resolve::candidates::{Candidates, Wishes};
use url::Url;

const INDEX: &str = "https://host.test/simple";

pub(crate) fn run(data: &[u8]) {
    let base = Url::parse("https://host.test/simple/demo/").expect("a URL");
    for kind in ["application/vnd.pypi.simple.v1+json", "text/html"] {
        if let Ok(files) = parse_page(kind, data, &base) {
            survive(files);
        }
    }
    // A record that the disk spoilt: anything may be lost, nothing may panic.
    let (hot, cold) = data.split_at(data.len() / 2);
    if let Some(page) = Page::decode(INDEX, hot, Arc::new(Bytes(cold.to_vec()))) {
        let _ = page.listed();
        choose(&Arc::new(page));
    }
}

struct Bytes(Vec<u8>);

impl ColdPart for Bytes {
    fn read(&self, offset: usize, length: usize) -> Option<Vec<u8>> {
        let rest = self.0.get(offset..)?;
        Some(rest[..rest.len().min(length)].to_vec())
    }
}

fn demo() -> Name {
    Name::parse("demo").expect("a name")
}

fn survive(files: Vec<ListedFile>) {
    let count = files.len();
    let page = Page::new(INDEX, &demo(), files);
    for at in 1..page.len() {
        assert!(page.version(at - 1) > page.version(at), "newest first");
    }
    for at in 0..page.len() {
        assert_eq!(page.find(page.version(at)), Some(at));
    }
    let listed = page.listed();
    assert_eq!(listed.len() + page.skipped().len(), count, "a file is lost");

    let (hot, cold) = page.encode();
    let kept = Page::decode(INDEX, &hot, Arc::new(Bytes(cold.to_vec()))).expect("a record");
    assert_eq!(kept.len(), page.len());
    for at in 0..page.len() {
        assert_eq!(kept.version(at), page.version(at));
        assert_eq!(kept.files(at), page.files(at));
    }
    // A longer record than any honest one is not read back from the disk.
    if cold.len() < 1 << 16 {
        assert_eq!(kept.listed(), listed);
    }
    let again = Page::new(INDEX, &demo(), listed);
    assert_eq!(
        again.listed(),
        page.listed(),
        "the same files, the same record"
    );
    choose(&Arc::new(kept));
}

fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let platform: Platform = "x86_64-unknown-linux-gnu".parse().expect("a platform");
        let facts = MachineFacts::default();
        Target::new(platform, Version::new([3, 12, 1]), &facts)
    })
}

fn choose(page: &Arc<Page>) {
    let wishes = Wishes {
        direct: true,
        ..Wishes::default()
    };
    let options = Options::default();
    let candidates = Candidates::new(&demo(), Arc::clone(page), target(), &options, wishes);
    let all = Range::full();
    let _ = candidates.nearest(&all);
    let unfit: usize = candidates.reasons(&all).values().map(Vec::len).sum();
    assert!(unfit <= page.len());
    for version in candidates.in_order(&all) {
        assert!(
            candidates.judge(&version).is_ok(),
            "{version} is no candidate"
        );
    }
    if let Some(chosen) = candidates.choose(&all) {
        let _ = candidates.nearest(&Range::strictly_lower_than(chosen));
    }
}
