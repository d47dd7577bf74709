//! Whole files to places of their own: several at once, taken up where they broke off.
//!
//! What has come stays beside its place as a part, with the tag that the server knows the
//! content by; the digest alone decides whether a file is what was asked for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use url::Url;

use super::client::{Client, Rest, causes, integrity, unreachable_error};
use super::config::IndexConfig;
use super::source::{Download, IndexError};
use crate::host::digest::{self, Algorithm};
use crate::host::partial::Partial;
use crate::host::{FsError, fs};
use crate::package::artifact::show_bytes;
use crate::package::{Hashes, redact};
use crate::progress::{Cancel, Progress};

/// Files under way at once: each is large, so more would only share the line.
const PARALLEL: usize = 8;
/// How often a file that breaks off without anything new is taken up again.
const ATTEMPTS: u32 = 4;
/// How often progress is told.
const TOLD: Duration = Duration::from_millis(200);

/// A file to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileJob {
    /// Its address, with credentials if it was written so.
    pub url: String,
    /// Its name.
    pub filename: String,
    /// Its digests; at least one that is known proves that it is the file.
    pub hashes: Hashes,
    /// Its size, where that is known.
    pub size: Option<u64>,
    /// Where what has come is kept until it is whole.
    pub part: Utf8PathBuf,
    /// Where it goes.
    pub into: Utf8PathBuf,
}

/// Why files could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The network.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The disk.
    #[error(transparent)]
    File(#[from] FsError),
}

/// Reports whether a file has the strongest of its digests that is known; `None` if it has
/// none such. A digest of SHA-256 that was worked out already is not worked out again.
///
/// # Errors
///
/// Fails if the file cannot be read.
pub fn holds(
    path: &Utf8Path,
    hashes: &Hashes,
    sha256: Option<&str>,
) -> Result<Option<bool>, FsError> {
    if let Some(wanted) = hashes.get("sha256") {
        return Ok(Some(match sha256 {
            Some(found) => found == wanted,
            None => digest::sha256_of_file(path)? == *wanted,
        }));
    }
    for (name, algorithm) in [("sha512", Algorithm::Sha512), ("sha384", Algorithm::Sha384)] {
        if let Some(wanted) = hashes.get(name) {
            let found = digest::of_file(path, algorithm, &|_| true)?;
            return Ok(Some(found.map(hex::encode).as_ref() == Some(wanted)));
        }
    }
    Ok(None)
}

/// Fetches files, several at once; returns what came of each, in their order.
///
/// # Errors
///
/// Fails with the first that could not be had; what has come of the others stays and is
/// taken up by the next call.
pub fn download_files(
    config: &IndexConfig,
    jobs: Vec<FileJob>,
    progress: &Arc<dyn Progress>,
    cancel: &Cancel,
) -> Result<Vec<Download>, DownloadError> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    if config.offline {
        return Err(IndexError::Offline {
            what: jobs[0].filename.clone(),
        }
        .into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| IndexError::Unreachable {
            url: "network".to_owned(),
            detail: error.to_string(),
        })?;
    let sizes: Option<u64> = jobs.iter().map(|job| job.size).sum();
    progress.count("downloading", sizes, "bytes");
    let urls = config.indexes.iter().map(|index| index.url.as_str());
    let links = config.find_links.iter().map(String::as_str);
    let found = runtime.block_on(async {
        let client = Client::new(urls.chain(links), config.netrc.clone(), config.patience)?;
        all(client, jobs, sizes, progress, cancel).await
    });
    progress.end();
    found
}

async fn all(
    client: Client,
    jobs: Vec<FileJob>,
    total: Option<u64>,
    progress: &Arc<dyn Progress>,
    cancel: &Cancel,
) -> Result<Vec<Download>, DownloadError> {
    let fetching = Arc::new(Fetching {
        client,
        permits: Semaphore::new(PARALLEL),
        meter: Meter::new(total, Arc::clone(progress)),
    });
    let mut found: Vec<Option<Download>> = jobs.iter().map(|_| None).collect();
    let mut tasks = JoinSet::new();
    for (at, job) in jobs.into_iter().enumerate() {
        let fetching = Arc::clone(&fetching);
        tasks.spawn(async move { (at, fetching.file(&job).await) });
    }
    loop {
        if cancel.is_requested() {
            return Err(IndexError::Interrupted.into());
        }
        match tokio::time::timeout(Duration::from_millis(100), tasks.join_next()).await {
            Err(_) => {}
            Ok(None) => break,
            Ok(Some(Ok((at, result)))) => found[at] = Some(result?),
            Ok(Some(Err(error))) => {
                return Err(IndexError::Unreachable {
                    url: "network".to_owned(),
                    detail: error.to_string(),
                }
                .into());
            }
        }
    }
    Ok(found.into_iter().flatten().collect())
}

struct Fetching {
    client: Client,
    permits: Semaphore,
    meter: Meter,
}

impl Fetching {
    async fn file(&self, job: &FileJob) -> Result<Download, DownloadError> {
        let _permit = self.permits.acquire().await;
        let url = Url::parse(&job.url).map_err(|_| IndexError::Unreachable {
            url: redact(&job.url),
            detail: "it is not a URL".to_owned(),
        })?;
        let tag_file = Utf8PathBuf::from(format!("{}.tag", job.part));
        let mut part = Partial::resume(&job.part)?;
        self.meter.add(part.length(), &job.filename);
        // What an earlier run left may be of another file of that name.
        let mut is_new = part.length() == 0;
        loop {
            self.fill(&url, job, &mut part, &tag_file).await?;
            let sha256 = part.sha256();
            match holds(part.path(), &job.hashes, Some(&sha256))? {
                Some(true) => {
                    let size = part.length();
                    part.finish(&job.into)?;
                    fs::remove_all(&tag_file)?;
                    return Ok(Download {
                        path: job.into.clone(),
                        sha256,
                        size,
                    });
                }
                None => {
                    let detail = "nothing states a hash of the file that could be checked";
                    return Err(integrity(&url, detail.to_owned()).into());
                }
                Some(false) => {
                    self.meter.take(part.length());
                    part.restart()?;
                    fs::remove_all(&tag_file)?;
                    if is_new {
                        fs::remove_all(&job.part)?;
                        let detail = "the file does not have the hash that is recorded";
                        return Err(integrity(&url, detail.to_owned()).into());
                    }
                    is_new = true;
                }
            }
        }
    }

    /// Receives what is lacking of a file.
    async fn fill(
        &self,
        url: &Url,
        job: &FileJob,
        part: &mut Partial,
        tag_file: &Utf8Path,
    ) -> Result<(), DownloadError> {
        let mut tries = 0;
        while job.size.is_none_or(|size| part.length() < size) || part.length() == 0 {
            let before = part.length();
            let tag = fs::find_text(tag_file).ok().flatten();
            let cause = match self.client.rest(url, before, tag.as_deref()).await? {
                Rest::Missing => {
                    let detail = "the file is not there";
                    return Err(unreachable_error(url, detail.to_owned()).into());
                }
                Rest::Nothing => return Ok(()),
                Rest::From {
                    start,
                    tag,
                    mut body,
                } => {
                    if start < before {
                        self.meter.take(before);
                        part.restart()?;
                    }
                    if let Some(tag) = tag {
                        fs::write_atomic(tag_file, tag.as_bytes())?;
                    }
                    loop {
                        match body.chunk().await {
                            Ok(Some(chunk)) => {
                                part.add(&chunk)?;
                                self.meter.add(chunk.len() as u64, &job.filename);
                                if job.size.is_some_and(|size| part.length() > size) {
                                    return Ok(());
                                }
                            }
                            // The digest tells whether that was all.
                            Ok(None) => return Ok(()),
                            Err(error) => break causes(&error),
                        }
                    }
                }
            };
            // A line that breaks off again and again but moves on in between is only slow.
            tries = if part.length() > before { 1 } else { tries + 1 };
            if tries >= ATTEMPTS {
                let detail = format!("the file did not arrive whole: {cause}");
                return Err(unreachable_error(url, detail).into());
            }
        }
        Ok(())
    }
}

/// How far all files have come.
struct Meter {
    total: Option<u64>,
    began: Instant,
    done: AtomicU64,
    /// What was here when it began took no time.
    here: AtomicU64,
    told: Mutex<Option<Instant>>,
    progress: Arc<dyn Progress>,
}

impl Meter {
    fn new(total: Option<u64>, progress: Arc<dyn Progress>) -> Self {
        Self {
            total,
            began: Instant::now(),
            done: AtomicU64::new(0),
            here: AtomicU64::new(0),
            told: Mutex::default(),
            progress,
        }
    }

    fn add(&self, bytes: u64, note: &str) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_last = self.total == Some(done);
        if is_last || told.is_none_or(|told| told.elapsed() > TOLD) {
            if told.is_none() {
                self.here.store(done, Ordering::Relaxed);
            }
            *told = Some(Instant::now());
            self.progress.at(done, &self.note(done, note));
        }
    }

    fn take(&self, bytes: u64) {
        self.done.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The file at hand, how fast it goes, and how long it will take.
    fn note(&self, done: u64, file: &str) -> String {
        let seconds = self.began.elapsed().as_secs_f64();
        let came = done.saturating_sub(self.here.load(Ordering::Relaxed));
        if seconds < 0.5 || came == 0 {
            return file.to_owned();
        }
        let rate = came as f64 / seconds;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "rounded for people, and never negative"
        )]
        let rounded = |value: f64| value.round() as u64;
        let speed = show_bytes(rounded(rate));
        match self.total {
            Some(total) if total > done => {
                let left = rounded((total - done) as f64 / rate);
                format!("{speed}/s, {left} s left, {file}")
            }
            _ => format!("{speed}/s, {file}"),
        }
    }
}
