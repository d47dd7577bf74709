//! The one background thread: asks the network, and walks ahead of the solver.
//!
//! Speculation only fills the memory. What the solver chooses depends on whole
//! pages, never on the order of arrival.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{Semaphore, mpsc};
use url::Url;

use super::archive::{LIMIT, Tail, read_local, read_tail, unpacked_size, wheel_metadata};
use super::client::{Client, Fetched, PageAnswer, Want as PartWant};
use super::config::IndexLocation;
use super::folder;
use super::page::{ColdFile, Page};
use super::project::{Members, Stated};
use super::remote::{MetadataSlot, ONLY_A_BUILD, Shared};
use super::simple::{ListedFile, parse_page};
use super::source::{Download, IndexError, MetadataError, Want};
use crate::host::{digest, fs};
use crate::package::artifact::show_bytes;
use crate::package::{FileKind, Metadata, Name, Version, redact};

/// Requests under way at once.
const PARALLEL: usize = 50;
/// How much of a wheel's end is asked for first; measured on real sets.
const TAIL: u64 = 64 << 10;

/// Starts the thread; it ends when the sender is dropped.
pub(super) fn start(shared: &Arc<Shared>, mut wants: mpsc::UnboundedReceiver<Want>) {
    let spawned = std::thread::Builder::new()
        .name("portenv-fetch".to_owned())
        .spawn({
            let shared = Arc::clone(shared);
            move || {
                let runtime = match tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                {
                    Ok(runtime) => runtime,
                    Err(error) => {
                        return shared.fail_all(&IndexError::Unreachable {
                            url: "network".to_owned(),
                            detail: error.to_string(),
                        });
                    }
                };
                runtime.block_on(async move {
                    let urls = shared.config.indexes.iter().map(|index| index.url.as_str());
                    let links = shared.config.find_links.iter().map(String::as_str);
                    let (netrc, patience) = (shared.config.netrc.clone(), shared.config.patience);
                    let client = match Client::new(urls.chain(links), netrc, patience) {
                        Ok(client) => client,
                        Err(error) => return shared.fail_all(&error),
                    };
                    let fetcher = Arc::new(Fetcher {
                        shared,
                        client,
                        permits: Semaphore::new(PARALLEL),
                        digesting: Semaphore::new(
                            std::thread::available_parallelism().map_or(2, usize::from),
                        ),
                        flat: tokio::sync::OnceCell::new(),
                    });
                    while let Some(want) = wants.recv().await {
                        spawn(&fetcher, want);
                    }
                });
            }
        });
    if let Err(error) = spawned {
        shared.fail_all(&IndexError::Unreachable {
            url: "network".to_owned(),
            detail: error.to_string(),
        });
    }
}

struct Fetcher {
    shared: Arc<Shared>,
    client: Client,
    permits: Semaphore,
    /// Pages being understood at once: no more than there are processors, for a
    /// large one takes a hundred megabytes on the way.
    digesting: Semaphore,
    flat: tokio::sync::OnceCell<Result<Vec<ListedFile>, IndexError>>,
}

fn spawn(fetcher: &Arc<Fetcher>, want: Want) {
    let fetcher = Arc::clone(fetcher);
    tokio::spawn(async move {
        let next = fetcher.answer(want).await;
        for want in next {
            if fetcher.shared.claim(&want) {
                spawn(&fetcher, want);
            }
        }
    });
}

impl Fetcher {
    async fn answer(&self, want: Want) -> Vec<Want> {
        let scout = self.shared.scout.get();
        match want {
            Want::Page(name) => {
                let found = self.page(&name).await;
                let next = match (&found, scout) {
                    (Ok(Some(page)), Some(scout)) => scout.page_arrived(&name, page),
                    _ => Vec::new(),
                };
                self.shared.put_page(name, found);
                next
            }
            Want::File(address) => {
                let found = self.file(&address).await;
                self.shared.put_file(address, found);
                Vec::new()
            }
            Want::Metadata(name, version, file) => {
                let key = Shared::metadata_key(&file);
                let slot = match self.metadata(&name, &version, &file).await {
                    Ok(slot) => slot,
                    Err(error) => MetadataSlot::Failed(error),
                };
                let next = match (&slot, scout) {
                    (MetadataSlot::Here(metadata), Some(scout)) => {
                        scout.metadata_arrived(&name, &version, metadata)
                    }
                    _ => Vec::new(),
                };
                self.shared.put_metadata(key, slot);
                next
            }
        }
    }

    /// Fetches a whole file into the directory for files.
    async fn file(&self, address: &str) -> Result<Download, IndexError> {
        let fail = |detail: String| IndexError::Unreachable {
            url: redact(address),
            detail,
        };
        let url = Url::parse(address).map_err(|_| fail("it is not a URL".to_owned()))?;
        let _permit = self.permits.acquire().await;
        self.shared.stats.files.fetch_add(1, Ordering::Relaxed);
        let Fetched::Whole(bytes) = self.client.file(&url, u64::MAX).await? else {
            return Err(fail("the file is not there".to_owned()));
        };
        let sha256 = digest::sha256(&bytes);
        let filename = url
            .path_segments()
            .and_then(|mut parts| parts.next_back().map(super::html::percent_decode));
        let path = self
            .shared
            .files_dir()
            .join(&sha256[..32])
            .join(filename.unwrap_or_default().replace(['/', '\\'], "_"));
        fs::write_atomic(&path, &bytes).map_err(|error| fail(error.source.to_string()))?;
        Ok(Download {
            path,
            sha256,
            size: bytes.len() as u64,
        })
    }

    async fn page(&self, name: &Name) -> Result<Option<Arc<Page>>, IndexError> {
        let mut found = None;
        for index in self.shared.config.order(name) {
            if let Some(page) = self.page_of(index, name).await? {
                found = Some(page);
                break;
            }
        }
        let flat = self.flat_files().await?;
        Ok(self.shared.with_flat(name, found, &flat))
    }

    async fn flat_files(&self) -> Result<Vec<ListedFile>, IndexError> {
        self.flat
            .get_or_init(|| async {
                let mut files = self.shared.local_flat()?;
                for link in self
                    .shared
                    .config
                    .find_links
                    .iter()
                    .filter(|link| link.starts_with("http") && !self.shared.config.offline)
                {
                    let Ok(url) = Url::parse(link) else { continue };
                    if let PageAnswer::Body {
                        content_type,
                        body,
                        url,
                        ..
                    } = self.client.page(&url, None, None).await?
                    {
                        files.extend(parse_page(&content_type, &body, &url).map_err(|detail| {
                            IndexError::Integrity {
                                url: redact(link),
                                detail,
                            }
                        })?);
                    }
                }
                Ok(files)
            })
            .await
            .clone()
    }

    async fn page_of(
        &self,
        index: &IndexLocation,
        name: &Name,
    ) -> Result<Option<Page>, IndexError> {
        let shown = redact(&index.url);
        if let Some(dir) = folder::path_of(&index.url) {
            return local_page(&dir, &shown, name);
        }
        let offline = self.shared.config.offline;
        let kept = if self.shared.config.refresh && !offline {
            None
        } else {
            self.shared.cache.page(&shown, name.as_str())
        };
        let kept = match kept {
            Some(kept) if kept.fresh_until > self.shared.now || offline => return Ok(kept.page),
            None if offline => {
                return Err(IndexError::Offline {
                    what: name.to_string(),
                });
            }
            kept => kept,
        };
        let url = Url::parse(&format!("{}/{name}/", index.url)).map_err(|error| {
            IndexError::Unreachable {
                url: shown.clone(),
                detail: error.to_string(),
            }
        })?;
        let conditional = kept.as_ref().filter(|kept| kept.page.is_some());
        let answer = {
            let _permit = self.permits.acquire().await;
            self.shared.stats.pages.fetch_add(1, Ordering::Relaxed);
            self.client
                .page(
                    &url,
                    conditional.and_then(|k| k.etag.as_deref()),
                    conditional.and_then(|k| k.last_modified.as_deref()),
                )
                .await?
        };
        match answer {
            PageAnswer::Unchanged(fresh) => {
                self.shared
                    .cache
                    .touch_page(&shown, name.as_str(), self.shared.now + fresh);
                Ok(kept.and_then(|kept| kept.page))
            }
            PageAnswer::Missing => {
                self.shared.cache.keep_page(
                    &shown,
                    name.as_str(),
                    None,
                    self.shared.now + 600,
                    None,
                    None,
                );
                Ok(None)
            }
            PageAnswer::Body {
                content_type,
                body,
                url,
                fresh,
                etag,
                last_modified,
            } => {
                self.shared
                    .stats
                    .bytes
                    .fetch_add(body.len() as u64, Ordering::Relaxed);
                let (own, index) = (name.clone(), shown.clone());
                let (asked, came_from) = (format!("{shown}/{name}/"), redact(url.as_str()));
                let parse = move || {
                    parse_page(&content_type, &body, &url)
                        .map(|files| Page::new(&index, &own, files))
                };
                let _permit = self.digesting.acquire().await;
                let parsed = tokio::task::spawn_blocking(parse)
                    .await
                    .map_err(|error| error.to_string())
                    .and_then(|parsed| parsed);
                let page = parsed.map_err(|detail| IndexError::Integrity {
                    detail: if came_from == asked {
                        detail
                    } else {
                        format!("{detail}; it came from {came_from}")
                    },
                    url: asked,
                })?;
                self.shared.cache.keep_page(
                    &shown,
                    name.as_str(),
                    Some(&page),
                    self.shared.now + fresh,
                    etag,
                    last_modified,
                );
                Ok(Some(page))
            }
        }
    }

    async fn metadata(
        &self,
        name: &Name,
        version: &Version,
        file: &ColdFile,
    ) -> Result<MetadataSlot, MetadataError> {
        if let Some(path) = folder::path_of(&file.file.url) {
            let bytes = fs::read_bytes(&path)
                .map_err(|error| MetadataError::Unusable(error.source.to_string()))?;
            return self.understand(name, version, file, &bytes);
        }
        let key = Shared::metadata_key(file);
        if let Some(kept) = self.shared.kept_metadata(&key) {
            return Ok(MetadataSlot::Here(Arc::new(kept)));
        }
        let url = Url::parse(&file.file.url)
            .map_err(|_| MetadataError::Unusable("its address is not a URL".to_owned()))?;
        let _permit = self.permits.acquire().await;
        if file.file.kind == FileKind::Sdist {
            if let Some(refusal) = self.shared.kept_refusal(&key) {
                return Err(refusal);
            }
            // One that a build was tried of lies here already.
            let here = file.file.sha256().and_then(|hash| {
                let dir = self.shared.files_dir().join(hash.get(..32)?);
                fs::find_bytes(&dir.join(&file.file.filename)).ok()?
            });
            if let Some(bytes) = here.filter(|bytes| check_hash(file, bytes).is_ok()) {
                return self.understand(name, version, file, &bytes);
            }
            self.shared.stats.files.fetch_add(1, Ordering::Relaxed);
            // What the index states of a file bounds what may come in its place.
            let limit = file.file.size.unwrap_or(u64::MAX);
            let bytes = match self.client.file(&url, limit).await? {
                Fetched::Whole(bytes) => bytes,
                Fetched::Missing => return Err(gone(&url)),
                Fetched::Large => {
                    return Err(wrong(&url, "the file is larger than the index states"));
                }
            };
            check_hash(file, &bytes)?;
            return self.understand(name, version, file, &bytes);
        }
        let text = match self.advertised(&url, file).await? {
            Some(text) => text,
            None => self.ranged(&url, file).await?,
        };
        let metadata = checked(&text, name, version)?;
        self.shared.cache.keep_metadata(&key, &metadata);
        Ok(MetadataSlot::Here(Arc::new(metadata)))
    }

    /// Asks for the metadata alone, if the index says that can be had (PEP 658).
    async fn advertised(
        &self,
        url: &Url,
        file: &ColdFile,
    ) -> Result<Option<String>, MetadataError> {
        let Some(hash) = &file.metadata else {
            return Ok(None);
        };
        let Ok(address) = Url::parse(&format!("{url}.metadata")) else {
            return Ok(None);
        };
        self.shared.stats.metadata.fetch_add(1, Ordering::Relaxed);
        // Some indexes advertise what they do not have: then the wheel is read.
        let bytes = match self.client.file(&address, LIMIT).await? {
            Fetched::Whole(bytes) => bytes,
            Fetched::Missing => return Ok(None),
            Fetched::Large => {
                let text = format!("its metadata is larger than {}", show_bytes(LIMIT));
                return Err(MetadataError::Unusable(text));
            }
        };
        self.shared
            .stats
            .bytes
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if hash
            .as_ref()
            .is_some_and(|hash| *hash != digest::sha256(&bytes))
        {
            let detail = "the metadata does not have the hash that the index states";
            return Err(wrong(&address, detail));
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Reads METADATA out of a wheel with as few bytes as possible.
    async fn ranged(&self, url: &Url, file: &ColdFile) -> Result<String, MetadataError> {
        let mut want = PartWant::Last(TAIL);
        let mut tail: Option<(Vec<u8>, u64)> = None;
        for _ in 0..4 {
            self.shared.stats.ranges.fetch_add(1, Ordering::Relaxed);
            let part = self.client.part(url, want).await?;
            let part = part.ok_or_else(|| gone(url))?;
            self.shared
                .stats
                .bytes
                .fetch_add(part.bytes.len() as u64, Ordering::Relaxed);
            if part.offset == 0 && part.bytes.len() as u64 == part.size {
                check_hash(file, &part.bytes)?;
                self.weigh(file, &part.bytes, 0);
                return wheel_metadata(&part.bytes).map_err(MetadataError::Unusable);
            }
            // A part before the tail is put in front of it.
            let (bytes, offset) = match tail.take() {
                Some((old, old_offset)) if part.offset + part.bytes.len() as u64 == old_offset => {
                    ([part.bytes, old].concat(), part.offset)
                }
                Some(_) => return read_local(&part.bytes).map_err(MetadataError::Unusable),
                None => (part.bytes, part.offset),
            };
            match read_tail(&bytes, offset, part.size).map_err(MetadataError::Unusable)? {
                Tail::Found(text) => {
                    self.weigh(file, &bytes, offset);
                    return Ok(text);
                }
                Tail::Need(from, to) => {
                    self.weigh(file, &bytes, offset);
                    want = PartWant::Between(from, to);
                    tail = Some((bytes, offset));
                }
            }
        }
        Err(MetadataError::Unusable(
            "its zip directory is damaged".to_owned(),
        ))
    }

    /// Keeps what a wheel comes to unpacked, where what was read for its metadata tells.
    fn weigh(&self, file: &ColdFile, tail: &[u8], offset: u64) {
        if let Some(bytes) = unpacked_size(tail, offset) {
            // A file on this machine may change under its address.
            let lasts = folder::path_of(&file.file.url).is_none();
            let key = Shared::metadata_key(file);
            self.shared.cache.keep_unpacked(key, bytes, lasts);
        }
    }

    /// Understands a whole file that is at hand.
    fn understand(
        &self,
        name: &Name,
        version: &Version,
        file: &ColdFile,
        bytes: &[u8],
    ) -> Result<MetadataSlot, MetadataError> {
        if file.file.kind == FileKind::Wheel {
            self.weigh(file, bytes, 0);
            let text = wheel_metadata(bytes).map_err(MetadataError::Unusable)?;
            return Ok(MetadataSlot::Here(Arc::new(checked(&text, name, version)?)));
        }
        let members = Members::of_archive(&file.file.filename, bytes, None)
            .map_err(MetadataError::Unusable)?;
        if let Some(compiles) = members.compiles() {
            // A file on this machine may change under its address.
            let lasts = folder::path_of(&file.file.url).is_none();
            let key = Shared::metadata_key(file);
            self.shared.cache.keep_compiles(key, compiles, lasts);
        }
        match members
            .stated(Some((name, version)))
            .map_err(MetadataError::Unusable)?
        {
            Stated::Whole(metadata) => {
                if folder::path_of(&file.file.url).is_none() {
                    self.shared
                        .cache
                        .keep_metadata(&Shared::metadata_key(file), &metadata);
                }
                Ok(MetadataSlot::Here(Arc::new(*metadata)))
            }
            Stated::NeedsBuild(older) if self.shared.builds.is_none() => {
                let metadata = older
                    .ok_or_else(|| MetadataError::Unusable(ONLY_A_BUILD.to_owned()))
                    .inspect_err(|_| {
                        // A file on this machine may change under its address.
                        if folder::path_of(&file.file.url).is_none() {
                            let key = Shared::metadata_key(file);
                            self.shared.keep_refusal(&key, ONLY_A_BUILD);
                        }
                    })?;
                if folder::path_of(&file.file.url).is_none() {
                    let key = self.shared.second_hand(&Shared::metadata_key(file));
                    self.shared.cache.keep_metadata(&key, &metadata);
                }
                Ok(MetadataSlot::Here(Arc::new(*metadata)))
            }
            Stated::NeedsBuild(_) => {
                let dir = self.shared.files_dir().join(digest::short(bytes));
                let path = dir.join(&file.file.filename);
                fs::write_atomic(&path, bytes).map_err(|error| {
                    MetadataError::Unusable(format!(
                        "it cannot be kept for a build: {}",
                        error.source
                    ))
                })?;
                Ok(MetadataSlot::NeedsBuild { path })
            }
        }
    }
}

fn wrong(url: &Url, detail: &str) -> MetadataError {
    MetadataError::Index(IndexError::Integrity {
        url: redact(url.as_str()),
        detail: detail.to_owned(),
    })
}

/// The page lists a file that is not there: the index changed, or its parts disagree.
fn gone(url: &Url) -> MetadataError {
    MetadataError::Gone {
        url: redact(url.as_str()),
    }
}

fn check_hash(file: &ColdFile, bytes: &[u8]) -> Result<(), MetadataError> {
    match file.file.sha256() {
        Some(hash) if hash != digest::sha256(bytes) => Err(IndexError::Integrity {
            url: redact(&file.file.url),
            detail: "the file does not have the hash that the index states".to_owned(),
        }
        .into()),
        _ => Ok(()),
    }
}

fn checked(text: &str, name: &Name, version: &Version) -> Result<Metadata, MetadataError> {
    let metadata = Metadata::parse(text);
    if metadata.is_of(name, version) {
        return Ok(metadata);
    }
    let found =
        crate::package::artifact::printable(&format!("{} {}", metadata.name, metadata.version));
    Err(MetadataError::Unusable(format!(
        "its metadata is of `{found}`"
    )))
}

/// A page of an index that lies on this machine.
fn local_page(
    dir: &camino::Utf8Path,
    shown: &str,
    name: &Name,
) -> Result<Option<Page>, IndexError> {
    let dir = dir.join(name.as_str());
    let fail = |error: fs::FsError| IndexError::Unreachable {
        url: shown.to_owned(),
        detail: error.source.to_string(),
    };
    let index = dir.join("index.html");
    if let Some(body) = fs::find_bytes(&index).map_err(fail)? {
        let base = Url::from_file_path(&index).map_err(|()| IndexError::Unreachable {
            url: shown.to_owned(),
            detail: "not a path".to_owned(),
        })?;
        let files =
            parse_page("text/html", &body, &base).map_err(|detail| IndexError::Integrity {
                url: shown.to_owned(),
                detail,
            })?;
        return Ok(Some(Page::new(shown, name, files)));
    }
    if !fs::is_dir(&dir) {
        return Ok(None);
    }
    Ok(Some(Page::new(
        shown,
        name,
        folder::list(&dir).map_err(fail)?,
    )))
}
