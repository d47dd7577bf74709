//! Records a package index into `corpus/index/`: not a measurement but what measurements stand on.
//!
//! `cargo bench --bench record -- [--index URL] [--cache-dir DIR] [--uv-cache DIR] [--keep N]`
//!
//! Starts from the lines of `corpus/bench/*.in` and follows what they ask for on Linux with
//! Python 3.12. Recorded are of each package the newest versions, those that any recorded
//! requirement would take first, and those whose metadata lies in the caches that are named:
//! run both tools on the sets with these caches before, and all that they visited is recorded.
//! `--cache-dir` is portenv's; what this program reads is kept there too, so that it can be
//! run again after an interruption.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::missing_docs_in_private_items,
    unreachable_pub,
    reason = "a program for developers"
)]

#[path = "record/fetch.rs"]
mod fetch;
#[allow(dead_code, reason = "the recording is written here, not served")]
#[path = "../tests/it/support/server/http.rs"]
mod http;
#[allow(
    dead_code,
    unused_imports,
    reason = "the recording is written here, not served"
)]
#[path = "../tests/it/support/server/recorded/mod.rs"]
mod recorded;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use camino::Utf8PathBuf;
use fetch::Origin;
use portenv::index::cache::Cache;
use portenv::index::page::{ColdFile, SDIST};
use portenv::index::{FileRef, Page};
use portenv::package::target::MachineFacts;
use portenv::package::{Extra, Metadata, Name, Platform, Requirement, Target, Version};
use recorded::facts::{FileFacts, ProjectFacts, VersionFacts};
use tokio::task::JoinSet;

/// Packages that resolvers walk far back, with how many versions are kept of them.
const WALKED: [(&str, usize); 24] = [
    ("boto3", 400),
    ("botocore", 400),
    ("s3transfer", 60),
    ("aiobotocore", 80),
    ("transformers", 150),
    ("tokenizers", 100),
    ("diffusers", 100),
    ("huggingface-hub", 150),
    ("datasets", 100),
    ("gradio", 150),
    ("gradio-client", 120),
    ("numpy", 60),
    ("pandas", 60),
    ("scipy", 50),
    ("opencv-python", 60),
    ("opencv-python-headless", 60),
    ("opencv-contrib-python", 60),
    ("pillow", 60),
    ("torch", 40),
    ("accelerate", 60),
    ("peft", 60),
    ("protobuf", 80),
    ("pydantic", 80),
    ("fastapi", 80),
];

struct Setting {
    index: String,
    cache_dir: Utf8PathBuf,
    uv_cache: Option<PathBuf>,
    keep: usize,
}

fn setting() -> Setting {
    let mut setting = Setting {
        index: "https://pypi.org/simple".to_owned(),
        cache_dir: concat!(env!("CARGO_MANIFEST_DIR"), "/target/recording").into(),
        uv_cache: None,
        keep: 25,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--index" => setting.index = args.next().unwrap(),
            "--cache-dir" => setting.cache_dir = args.next().unwrap().into(),
            "--uv-cache" => setting.uv_cache = args.next().map(PathBuf::from),
            "--keep" => setting.keep = args.next().unwrap().parse().unwrap(),
            // Cargo's own.
            "--bench" => {}
            other => panic!("`{other}` is not understood"),
        }
    }
    setting
}

/// What is known of a package.
struct Project {
    page: Page,
    /// Places on the page.
    wanted: BTreeSet<usize>,
    metadata: BTreeMap<usize, Metadata>,
    unreadable: BTreeSet<usize>,
    extras: BTreeSet<Extra>,
    ranges: BTreeSet<String>,
    /// Followed with this many extras.
    followed: BTreeMap<usize, usize>,
}

struct Recorder {
    target: Target,
    keep: usize,
    visited: BTreeMap<String, HashSet<String>>,
    projects: BTreeMap<Name, Project>,
    missing: BTreeSet<Name>,
    /// Packages and what was asked of them, before their pages are here.
    asked: BTreeMap<Name, Vec<Requirement>>,
}

impl Recorder {
    fn ask(&mut self, text: &str, extras: &[Extra]) {
        let Ok(requirement) = Requirement::parse(text) else {
            return;
        };
        let holds = requirement
            .marker
            .holds_with(self.target.environment(), extras);
        if holds && requirement.url.is_none() && !self.missing.contains(&requirement.name) {
            let asked = self.asked.entry(requirement.name.clone()).or_default();
            asked.push(requirement);
        }
    }

    /// Returns the file of a version whose metadata stands for all: the best for the target.
    fn file(&self, page: &Page, at: usize) -> Option<FileRef> {
        let files = page.files(at).iter();
        let small = |file: &&FileRef| {
            let size = page.cold(**file).and_then(|cold| cold.file.size);
            size.is_some_and(|size| size < u64::from(u32::MAX))
        };
        let rank = |file: &&FileRef| match file.tags {
            SDIST => u32::MAX,
            tags => {
                let rank = self.target.tags().rank(&page.tag_sets()[tags as usize]);
                rank.unwrap_or(u32::MAX - 1)
            }
        };
        files.filter(small).min_by_key(rank).copied()
    }

    /// Takes what is asked to the packages that are here; returns the names that are not.
    fn settle(&mut self) -> Vec<Name> {
        let mut absent = Vec::new();
        for (name, asked) in std::mem::take(&mut self.asked) {
            let Some(project) = self.projects.get_mut(&name) else {
                absent.push(name.clone());
                self.asked.insert(name, asked);
                continue;
            };
            for requirement in asked {
                project.extras.extend(requirement.extras);
                let text = requirement.specifiers.text();
                if !text.is_empty() && project.ranges.insert(text.to_owned()) {
                    let range = requirement.specifiers.range();
                    let fits = (0..project.page.len())
                        .filter(|&at| range.contains(project.page.version(at)));
                    let (pre, finals): (Vec<_>, Vec<_>) =
                        fits.partition(|&at| project.page.version(at).any_prerelease());
                    let first = if finals.is_empty() { pre } else { finals };
                    project.wanted.extend(first.into_iter().take(2));
                }
            }
        }
        absent
    }

    fn add(&mut self, name: Name, page: Page, origin: &Origin) {
        let walked = WALKED.iter().find(|(walked, _)| *walked == name.as_str());
        let keep = walked.map_or(self.keep, |(_, keep)| *keep);
        let visited = self.visited.get(name.as_str());
        let (mut finals, mut pre) = (0, 0);
        let mut wanted = BTreeSet::new();
        for at in 0..page.len() {
            let version = page.version(at);
            let (count, most) = if version.any_prerelease() {
                (&mut pre, 3)
            } else {
                (&mut finals, keep)
            };
            *count += 1;
            let cold = page.files(at).iter().filter_map(|file| page.cold(*file));
            if *count <= most
                || visited.is_some_and(|visited| visited.contains(&version.to_string()))
                || cold.into_iter().any(|cold| origin.kept(&cold).is_some())
            {
                wanted.insert(at);
            }
        }
        let project = Project {
            page,
            wanted,
            metadata: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            extras: BTreeSet::new(),
            ranges: BTreeSet::new(),
            followed: BTreeMap::new(),
        };
        self.projects.insert(name, project);
    }

    /// Returns the files whose metadata is to be read.
    fn unread(&self) -> Vec<(Name, usize, Version, ColdFile)> {
        let mut unread = Vec::new();
        for (name, project) in &self.projects {
            for &at in &project.wanted {
                if project.metadata.contains_key(&at) || project.unreadable.contains(&at) {
                    continue;
                }
                if let Some(file) = self.file(&project.page, at)
                    && let Some(cold) = project.page.cold(file)
                {
                    let version = project.page.version(at).clone();
                    unread.push((name.clone(), at, version, cold));
                }
            }
        }
        unread
    }

    /// Asks for what the metadata asks for that was not followed yet.
    fn follow(&mut self) {
        let mut texts: BTreeSet<(String, Vec<Extra>)> = BTreeSet::new();
        for project in self.projects.values_mut() {
            let extras: Vec<Extra> = project.extras.iter().cloned().collect();
            for (at, metadata) in &project.metadata {
                if project.followed.insert(*at, extras.len()) != Some(extras.len()) {
                    let all = metadata.requires_dist.iter();
                    texts.extend(all.map(|text| (text.clone(), extras.clone())));
                }
            }
        }
        for (text, extras) in texts {
            self.ask(&text, &extras);
        }
    }
}

/// Lists the versions whose metadata uv has in its cache: `wheels-v*/…/NAME/VERSION-TAGS.msgpack`.
fn visited_by_uv(dir: &Path, found: &mut BTreeMap<String, HashSet<String>>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            visited_by_uv(&path, found);
            continue;
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let version = name.and_then(|name| name.strip_suffix(".msgpack")?.split('-').next());
        let version = version.and_then(|text| Version::from_str(text).ok());
        let project = dir.file_name().and_then(|name| name.to_str());
        if let (Some(project), Some(version)) = (project, version) {
            let versions = found.entry(project.to_owned()).or_default();
            versions.insert(version.to_string());
        }
    }
}

async fn record(recorder: &mut Recorder, origin: &Arc<Origin>) {
    loop {
        let absent = recorder.settle();
        let mut pages = JoinSet::new();
        for name in absent {
            let origin = Arc::clone(origin);
            pages.spawn(async move { (origin.files(&name).await, name) });
        }
        let asked = !pages.is_empty();
        while let Some(answer) = pages.join_next().await {
            let (files, name) = answer.unwrap();
            match files {
                Some(files) => {
                    let page = Page::new("", &name, files);
                    recorder.add(name, page, origin);
                }
                None => {
                    recorder.asked.remove(&name);
                    recorder.missing.insert(name);
                }
            }
        }
        recorder.settle();
        let unread = recorder.unread();
        if !asked && unread.is_empty() {
            break;
        }
        println!(
            "{} packages, {} more versions to read",
            recorder.projects.len(),
            unread.len()
        );
        let mut readings = JoinSet::new();
        for (name, at, version, cold) in unread {
            let origin = Arc::clone(origin);
            readings.spawn(async move {
                let found = match origin.kept(&cold) {
                    Some(kept) => Ok(kept),
                    None => origin.metadata(&name, &version, &cold).await,
                };
                (name, at, found)
            });
        }
        while let Some(answer) = readings.join_next().await {
            let (name, at, found) = answer.unwrap();
            let project = recorder.projects.get_mut(&name).unwrap();
            match found {
                Ok(metadata) => {
                    project.metadata.insert(at, metadata);
                }
                Err(_) => {
                    project.unreadable.insert(at);
                }
            }
        }
        recorder.follow();
    }
}

/// Reduces metadata to what resolvers read, in the order in which it is usually written.
fn reduced(metadata: &Metadata) -> String {
    let mut text = format!("Metadata-Version: {}\n", metadata.metadata_version);
    let mut field = |key: &str, values: &[String]| {
        for value in values {
            text.extend([key, ": ", value.replace(['\r', '\n'], " ").trim(), "\n"]);
        }
    };
    field("Requires-Python", metadata.requires_python.as_slice());
    field("Requires-Dist", &metadata.requires_dist);
    field("Provides-Extra", &metadata.provides_extra);
    field("Dynamic", &metadata.dynamic);
    text
}

fn facts(name: &Name, project: &Project) -> ProjectFacts {
    let page = &project.page;
    let versions = project.metadata.iter().map(|(&at, metadata)| {
        let files = page.files(at).iter().filter_map(|file| {
            let cold = page.cold(*file)?;
            let readable = file.tags != SDIST || cold.file.filename.ends_with(".tar.gz");
            let size = cold.file.size.filter(|&size| size < u64::from(u32::MAX))?;
            let python = (file.python as usize).checked_sub(1);
            Some(FileFacts {
                size,
                uploaded: file.upload_time.unwrap_or(0),
                sha256: hex::decode(cold.file.sha256()?).ok()?.try_into().ok()?,
                requires_python: python.map(|at| page.python_texts()[at].clone()),
                yanked: cold.yanked,
                filename: cold.file.filename,
            })
            .filter(|_| readable)
        });
        let mut metadata = metadata.clone();
        if metadata.metadata_version.is_empty() {
            "2.1".clone_into(&mut metadata.metadata_version);
        }
        VersionFacts {
            version: page.version(at).to_string(),
            metadata: reduced(&metadata),
            files: files.collect(),
        }
    });
    ProjectFacts {
        name: name.to_string(),
        versions: versions
            .filter(|version| !version.files.is_empty())
            .collect(),
    }
}

fn main() {
    let setting = setting();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut visited = BTreeMap::new();
    if let Some(dir) = &setting.uv_cache {
        visited_by_uv(dir, &mut visited);
    }
    let platform = Platform::from_str("x86_64-unknown-linux-gnu").unwrap();
    let python = Version::from_str("3.12.1").unwrap();
    let mut recorder = Recorder {
        target: Target::new(platform, python, &MachineFacts::default()),
        keep: setting.keep,
        visited,
        projects: BTreeMap::new(),
        missing: BTreeSet::new(),
        asked: BTreeMap::new(),
    };
    for entry in std::fs::read_dir(root.join("corpus/bench")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension() == Some("in".as_ref()) {
            for line in std::fs::read_to_string(path).unwrap().lines() {
                recorder.ask(line, &[]);
            }
        }
    }
    // What these caches hold was asked for, by whatever way.
    for name in recorder.visited.keys().cloned().collect::<Vec<_>>() {
        recorder.ask(&name, &[]);
    }
    let origin = Origin::new(&setting.index, Cache::open(Some(&setting.cache_dir)));
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(record(&mut recorder, &origin));

    let dir = root.join("corpus/index");
    std::fs::create_dir_all(&dir).unwrap();
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension() == Some("gz".as_ref()) {
            std::fs::remove_file(path).unwrap();
        }
    }
    let (mut packages, mut versions, mut files, mut bytes) = (0, 0, 0, 0);
    for (name, project) in &recorder.projects {
        let facts = facts(name, project);
        if !facts.versions.is_empty() {
            bytes += facts.write(&dir).unwrap();
            packages += 1;
            versions += facts.versions.len();
            let all = facts.versions.iter();
            files += all.map(|version| version.files.len()).sum::<usize>();
        }
    }
    println!("{packages} packages, {versions} versions, {files} files, {bytes} bytes");
}
