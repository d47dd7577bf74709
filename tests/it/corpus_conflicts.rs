//! Every two lines of the real corpus that exclude each other, amid all bounds that their owners
//! state: the conflict names these two lines and no other.
//!
//! What the corpus asks for is read as from an installation. The index is made up: of each
//! package it has a version on either side of each bound that anyone states, and none needs
//! another. Whether two lines exclude each other is told by these versions, not by the ranges
//! that the resolver computes. The corpus is found as in [`corpus_files`](crate::corpus_files).

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;

use camino::Utf8Path;
use pep440_rs::{Version, VersionSpecifiers};
use portenv::index::page::{ColdFile, Page};
use portenv::index::{Index, IndexError, MemoryIndex, MetadataError};
use portenv::package::{self, Metadata, Name, Target};
use portenv::progress::Cancel;
use portenv::requirements::set::gather;
use portenv::requirements::{Line, Origin, OriginKind, Role};
use portenv::resolve::targets::Task;
use portenv::resolve::{Options, Outcome, Preferences, resolve};
use portenv::workspace::find_installation;

use crate::corpus_files::{corpus, walk};
use crate::support::Sandbox;
use crate::worlds::{shown, target};

/// An index that makes each page only once.
struct Pages {
    index: MemoryIndex,
    pages: BTreeMap<Name, Arc<Page>>,
}

impl Index for Pages {
    fn page(&self, name: &Name) -> Result<Option<Arc<Page>>, IndexError> {
        Ok(self.pages.get(name).cloned())
    }

    fn metadata(
        &self,
        name: &Name,
        version: &package::Version,
        file: &ColdFile,
    ) -> Result<Arc<Metadata>, MetadataError> {
        self.index.metadata(name, version, file)
    }
}

/// A line, and which of the made-up versions of its package it admits.
struct Asked {
    line: Line,
    admits: Vec<bool>,
}

impl Asked {
    fn name(&self) -> &Name {
        &self.line.requirement.name
    }

    fn excludes(&self, other: &Self) -> bool {
        self.name() == other.name() && !self.admits.iter().zip(&other.admits).any(|(a, b)| *a && *b)
    }
}

/// Who asks: a node, or ComfyUI of a version.
type Owner = String;

/// Copies the corpus into an installation and reads it: the nodes, and each ComfyUI by itself.
fn lines_by_owner(corpus: &Utf8Path, target: &Target) -> BTreeMap<Owner, Vec<Line>> {
    let copied = |from: &Utf8Path, sandbox: &Sandbox, to: &str| {
        let mut files = Vec::new();
        walk(from, &mut files);
        for file in files {
            let to = sandbox
                .root()
                .join(to)
                .join(file.strip_prefix(from).unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(&file, to).unwrap();
        }
    };
    let empty = || {
        let sandbox = Sandbox::new();
        for file in ["main.py", "comfy/__init__.py", "requirements.txt"] {
            sandbox.write(file, "");
        }
        sandbox
    };
    let gathered = |sandbox: &Sandbox| {
        let installation = find_installation(sandbox.root(), None, None).unwrap();
        let lines = gather(&installation, &BTreeMap::new()).unwrap().lines;
        lines.into_iter().filter(|line| {
            // What lies at an address no specifier tells.
            line.role == Role::Require
                && line.requirement.url.is_none()
                && line.requirement.marker.holds(target.environment())
        })
    };
    let mut owners: BTreeMap<Owner, Vec<Line>> = BTreeMap::new();
    let sandbox = empty();
    copied(&corpus.join("nodes"), &sandbox, "custom_nodes");
    for line in gathered(&sandbox) {
        owners.entry(line.origin.owner()).or_default().push(line);
    }
    for version in corpus.join("comfyui").read_dir_utf8().unwrap() {
        let version = version.unwrap();
        if version.file_type().unwrap().is_dir() {
            let sandbox = empty();
            copied(version.path(), &sandbox, "");
            owners.insert(
                format!("ComfyUI {}", version.file_name()),
                gathered(&sandbox).collect(),
            );
        }
    }
    owners
}

fn specifiers(line: &Line) -> VersionSpecifiers {
    VersionSpecifiers::from_str(line.requirement.specifiers.text()).unwrap()
}

/// Returns a version, and one right below, right above and well above it.
fn around(version: &Version) -> Vec<Version> {
    let release = version.release().to_vec();
    let mut below = release.clone();
    while below.last() == Some(&0) {
        below.pop();
    }
    if let Some(last) = below.last_mut() {
        *last -= 1;
        below.push(999);
    }
    let mut above = release.clone();
    above.push(1);
    let mut next = release;
    *next.last_mut().unwrap() += 1;
    let of = |release: Vec<u64>| Version::new(release).with_epoch(version.epoch());
    vec![version.clone(), of(below), of(above), of(next)]
}

/// Makes the index, and tells for each line which of its versions it admits.
fn world(owners: BTreeMap<Owner, Vec<Line>>) -> (Pages, BTreeMap<Owner, Vec<Asked>>) {
    let mut versions: BTreeMap<Name, BTreeSet<Version>> = BTreeMap::new();
    for line in owners.values().flatten() {
        let of_name = versions.entry(line.requirement.name.clone()).or_default();
        of_name.insert(Version::new([1]));
        for one in specifiers(line).iter() {
            of_name.extend(around(one.version()));
        }
    }
    let mut index = MemoryIndex::new();
    for (name, versions) in &versions {
        for version in versions {
            index.wheel(name.as_str(), &version.to_string(), &[]);
        }
    }
    let asked = |line: Line| {
        let wanted = specifiers(&line);
        let all = versions[&line.requirement.name].iter();
        let admits = all.map(|version| wanted.contains(version)).collect();
        Asked { line, admits }
    };
    let owners = owners.into_iter();
    let owners = owners.map(|(owner, lines)| (owner, lines.into_iter().map(asked).collect()));
    let owners: BTreeMap<Owner, Vec<Asked>> = owners.collect();
    let pages = versions
        .keys()
        .filter_map(|name| Some((name.clone(), index.page(name).unwrap()?)));
    let pages = pages.collect();
    (Pages { index, pages }, owners)
}

struct Question<'a> {
    index: &'a Pages,
    target: &'a Target,
}

impl Question<'_> {
    fn ask<'l>(&self, lines: impl Iterator<Item = &'l Asked>, trial: bool) -> Outcome {
        let lines: Vec<Line> = lines.map(|asked| asked.line.clone()).collect();
        let task = Task {
            lines: &lines,
            targets: std::slice::from_ref(self.target),
            options: &Options {
                trial,
                ..Options::default()
            },
            preferences: &Preferences::default(),
            index: self.index,
            cancel: &Cancel::default(),
        };
        resolve(&task).unwrap()
    }

    /// Reports whether a line and others can be met.
    fn holds(&self, line: &Asked, others: &[&Asked]) -> bool {
        let all = others.iter().copied().chain([line]);
        matches!(self.ask(all, true), Outcome::Resolved(_))
    }

    /// Says what is wrong with the answer to two lines amid others.
    fn fault(&self, pair: [&Asked; 2], others: &[&Asked]) -> Option<String> {
        let conflicts = match self.ask(others.iter().copied().chain(pair), false) {
            Outcome::Resolved(_) => return Some("it is resolved".to_owned()),
            Outcome::Conflicts(conflicts) => conflicts,
        };
        let [conflict] = conflicts.as_slice() else {
            return Some(shown(&conflicts));
        };
        let mut named: Vec<&Origin> = conflict
            .requirements
            .iter()
            .map(|one| &one.origin)
            .collect();
        let mut guilty: Vec<&Origin> = pair.iter().map(|one| &one.line.origin).collect();
        named.sort();
        guilty.sort();
        let right = named == guilty && conflict.packages == [pair[0].name().clone()];
        (!right).then(|| shown(&conflicts))
    }
}

/// Returns the lines that state a bound and exclude none of the others.
fn innocents<'a>(lines: &[&'a Asked]) -> Vec<&'a Asked> {
    let excludes_none = |asked: &&Asked| {
        let bound = !asked.line.requirement.specifiers.is_empty();
        bound && !lines.iter().any(|other| asked.excludes(other))
    };
    lines.iter().copied().filter(excludes_none).collect()
}

#[derive(Default)]
struct Totals<'a> {
    pairs: usize,
    with_core: usize,
    packages: BTreeSet<&'a Name>,
    lines: BTreeSet<(&'a str, &'a Origin)>,
    faults: Vec<String>,
}

impl<'a> Totals<'a> {
    /// Asks for each two lines of two owners that exclude each other, one of each.
    fn add(&mut self, question: &Question<'_>, owners: [&'a (Owner, Vec<Asked>); 2]) {
        let [(owner, lines), (rival, rivals)] = owners;
        let pairs = lines.iter().flat_map(|first| {
            let excluded = rivals.iter().filter(|second| first.excludes(second));
            excluded.map(move |second| [first, second])
        });
        let pairs: Vec<[&Asked; 2]> = pairs.collect();
        if pairs.is_empty() {
            return;
        }
        let all: Vec<&Asked> = lines.iter().chain(rivals).collect();
        let others = innocents(&all);
        for [first, second] in &pairs {
            let fault = question.fault([first, second], &others);
            let (text, other) = (&first.line.text, &second.line.text);
            let fault = fault.map(|fault| format!("{owner}: {text}, {rival}: {other}: {fault}"));
            self.faults.extend(fault);
            self.packages.insert(first.name());
            self.lines.insert((owner, &first.line.origin));
            self.lines.insert((rival, &second.line.origin));
        }
        // Each of them without the lines that exclude it.
        let mut guilty: Vec<&Asked> = pairs.iter().copied().flatten().collect();
        guilty.sort_by_key(|one| &one.line.origin);
        guilty.dedup_by_key(|one| &one.line.origin);
        for one in guilty.iter().filter(|one| !question.holds(one, &others)) {
            let text = &one.line.text;
            self.faults
                .push(format!("{owner}, {rival}: {text} has no answer by itself"));
        }
        let of_core = |one: &&&Asked| one.line.origin.kind == OriginKind::Core;
        let with_core = pairs.iter().flatten().filter(of_core).count();
        self.with_core += with_core;
        self.pairs += pairs.len();
    }
}

#[test]
#[allow(
    clippy::print_stdout,
    reason = "the counts and a skip are worth knowing"
)]
fn the_conflict_of_two_lines_of_the_real_corpus_names_these_two() {
    let Some(corpus) = corpus() else {
        println!("skipped: there is no corpus; set PORTENV_CORPUS");
        return;
    };
    let target = target("linux", "3.12.9");
    let (index, owners) = world(lines_by_owner(&corpus, &target));
    let question = Question {
        index: &index,
        target: &target,
    };
    let owners: Vec<(Owner, Vec<Asked>)> = owners.into_iter().collect();
    let mut totals = Totals::default();
    for (at, first) in owners.iter().enumerate() {
        for second in &owners[at + 1..] {
            let of_core = |(_, lines): &(Owner, Vec<Asked>)| {
                lines
                    .iter()
                    .any(|one| one.line.origin.kind == OriginKind::Core)
            };
            if !(of_core(first) && of_core(second)) {
                totals.add(&question, [first, second]);
            }
        }
    }
    println!(
        "{} pairs, {} of them with a line of ComfyUI; {} packages, {} lines",
        totals.pairs,
        totals.with_core,
        totals.packages.len(),
        totals.lines.len()
    );
    assert!(totals.pairs > 500, "only {} pairs", totals.pairs);
    assert!(totals.faults.is_empty(), "{}", totals.faults.join("\n"));
}
