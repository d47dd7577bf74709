//! Indexes over the network behind the blocking [`Index`] trait.
//!
//! While every answer is in the cache and fresh, nothing is started: no thread,
//! no runtime, no TLS. The first miss starts the fetcher, which from then on walks
//! ahead.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use rustc_hash::FxHashMap;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::cache::Cache;
use super::config::IndexConfig;
use super::fetcher;
use super::folder;
use super::page::{ColdFile, Page};
use super::simple::ListedFile;
use super::source::{Builder, Direct, Download, Index, IndexError, MetadataError, Scout, Want};
use super::thrift::{Purpose, Thrift};
use crate::host::digest;
use crate::package::{DistFile, Metadata, Name, Version, redact};
use crate::progress::{Cancel, Progress};

/// Counts of what was asked, for `-v` and for tests.
#[derive(Debug, Default)]
pub struct Stats {
    /// Requests for pages.
    pub pages: AtomicU64,
    /// Requests for metadata alone.
    pub metadata: AtomicU64,
    /// Requests for parts of wheels.
    pub ranges: AtomicU64,
    /// Requests for whole files.
    pub files: AtomicU64,
    /// Bytes received.
    pub bytes: AtomicU64,
    /// Answers that were in the cache.
    pub hits: AtomicU64,
    /// Milliseconds that the solver waited.
    pub blocked: AtomicU64,
    /// Builds of metadata.
    pub builds: AtomicU64,
}

impl Stats {
    /// Returns the counts by name.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        [
            ("page_requests", &self.pages),
            ("metadata_requests", &self.metadata),
            ("range_requests", &self.ranges),
            ("file_requests", &self.files),
            ("bytes_received", &self.bytes),
            ("cache_hits", &self.hits),
            ("blocked_ms", &self.blocked),
            ("builds", &self.builds),
        ]
        .into_iter()
        .map(|(name, value)| (name, value.load(Ordering::Relaxed)))
        .collect()
    }
}

type PageResult = Result<Option<Arc<Page>>, IndexError>;

#[derive(Debug, Clone)]
pub(super) enum MetadataSlot {
    Here(Arc<Metadata>),
    Failed(MetadataError),
    NeedsBuild { path: Utf8PathBuf },
}

/// How long a failed build is not tried again, in seconds: a day.
const REFUSED_FOR: i64 = 24 * 60 * 60;

/// Why an sdist is of no use where nobody can build.
pub(super) const ONLY_A_BUILD: &str =
    "only a build could tell its dependencies, and --build allow lets it run";

#[derive(Default)]
struct State {
    /// `None` while it is under way.
    pages: FxHashMap<Name, Option<PageResult>>,
    metadata: FxHashMap<String, Option<MetadataSlot>>,
    files: FxHashMap<String, Option<Result<Download, IndexError>>>,
    failed: Option<IndexError>,
}

pub(super) struct Shared {
    pub(super) config: IndexConfig,
    pub(super) cache: Cache,
    pub(super) stats: Stats,
    pub(super) scout: OnceLock<Arc<dyn Scout>>,
    /// Somebody can build metadata, and for what.
    pub(super) builds: Option<String>,
    /// The present time, in seconds since 1970.
    pub(super) now: i64,
    state: Mutex<State>,
    arrived: Condvar,
    scratch: OnceLock<Option<tempfile::TempDir>>,
}

impl Shared {
    pub(super) fn metadata_key(file: &ColdFile) -> String {
        Self::key_of(&file.file)
    }

    pub(super) fn key_of(file: &DistFile) -> String {
        let url = &file.url;
        match file.sha256() {
            Some(hash) => hash.to_owned(),
            // What is secret in an address does not lie in the cache.
            None if url.starts_with("http") && redact(url) != *url => {
                format!("url:{}", digest::sha256(url.as_bytes()))
            }
            None => url.clone(),
        }
    }

    /// Where metadata is kept that an sdist does not state itself: what a build told,
    /// or older evidence where nobody can build.
    pub(super) fn second_hand(&self, key: &str) -> String {
        match &self.builds {
            Some(tag) => format!("build {tag}:{key}"),
            None => format!("older:{key}"),
        }
    }

    /// Finds metadata without asking the network or building.
    pub(super) fn kept_metadata(&self, key: &str) -> Option<Metadata> {
        let kept = self.cache.metadata(key);
        kept.or_else(|| self.cache.metadata(&self.second_hand(key)))
    }

    /// Finds why nothing can be learned of a project, if that was found out lately:
    /// builds that fail take long, and fail again.
    pub(super) fn kept_refusal(&self, key: &str) -> Option<MetadataError> {
        if self.config.refresh {
            return None;
        }
        let (when, reason) = self.cache.refusal(&self.second_hand(key))?;
        (when > self.now - REFUSED_FOR).then_some(MetadataError::Unusable(reason))
    }

    /// Keeps why nothing can be learned of a project.
    pub(super) fn keep_refusal(&self, key: &str, reason: &str) {
        if !self.config.offline {
            self.cache
                .keep_refusal(&self.second_hand(key), self.now, reason);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Marks a want as under way; `false` if it already is, or is here.
    pub(super) fn claim(&self, want: &Want) -> bool {
        let mut state = self.state();
        match want {
            Want::Page(name) => {
                let new = !state.pages.contains_key(name);
                if new {
                    state.pages.insert(name.clone(), None);
                }
                new
            }
            Want::Metadata(_, _, file) => {
                let key = Self::metadata_key(file);
                let new = !state.metadata.contains_key(&key);
                if new {
                    state.metadata.insert(key, None);
                }
                new
            }
            Want::File(url) => {
                let new = !state.files.contains_key(url);
                if new {
                    state.files.insert(url.clone(), None);
                }
                new
            }
        }
    }

    pub(super) fn put_file(&self, url: String, found: Result<Download, IndexError>) {
        self.state().files.insert(url, Some(found));
        self.arrived.notify_all();
    }

    pub(super) fn put_page(&self, name: Name, found: PageResult) {
        self.state().pages.insert(name, Some(found));
        self.arrived.notify_all();
    }

    pub(super) fn put_metadata(&self, key: String, slot: MetadataSlot) {
        self.state().metadata.insert(key, Some(slot));
        self.arrived.notify_all();
    }

    pub(super) fn fail_all(&self, error: &IndexError) {
        self.state().failed = Some(error.clone());
        self.arrived.notify_all();
    }

    /// Lists the files of find-links folders on this machine.
    pub(super) fn local_flat(&self) -> Result<Vec<ListedFile>, IndexError> {
        let mut files = Vec::new();
        for link in self
            .config
            .find_links
            .iter()
            .filter(|link| !link.starts_with("http"))
        {
            let dir = folder::path_of(link).unwrap_or_else(|| Utf8PathBuf::from(link));
            let found = folder::list(&dir).map_err(|error| IndexError::Unreachable {
                url: dir.to_string(),
                detail: error.source.to_string(),
            })?;
            files.extend(found);
        }
        Ok(files)
    }

    /// Joins the files of find-links to a page.
    pub(super) fn with_flat(
        &self,
        name: &Name,
        page: Option<Page>,
        flat: &[ListedFile],
    ) -> Option<Arc<Page>> {
        let ours: Vec<ListedFile> = flat
            .iter()
            .filter(|file| folder::is_of(&file.filename, name))
            .cloned()
            .collect();
        if ours.is_empty() {
            return page.map(Arc::new);
        }
        let (index, mut files) = match page {
            Some(page) => (page.index().to_owned(), page.listed()),
            None => (
                self.config
                    .find_links
                    .first()
                    .map(|link| redact(link))
                    .unwrap_or_default(),
                Vec::new(),
            ),
        };
        files.extend(ours);
        Some(Arc::new(Page::new(&index, name, files)))
    }

    /// Returns the directory for files that a build reads.
    pub(super) fn files_dir(&self) -> Utf8PathBuf {
        if let Some(dir) = self.cache.dir() {
            return dir.join("sdists");
        }
        let scratch = self.scratch.get_or_init(|| tempfile::tempdir().ok());
        scratch
            .as_ref()
            .and_then(|dir| Utf8PathBuf::from_path_buf(dir.path().to_owned()).ok())
            .unwrap_or_default()
    }

    /// Finds a page without asking the network.
    fn kept_page(&self, name: &Name) -> Option<PageResult> {
        if self
            .config
            .find_links
            .iter()
            .any(|link| link.starts_with("http"))
            && !self.config.offline
        {
            return None;
        }
        if self.config.refresh && !self.config.offline {
            return None;
        }
        let (mut found, mut unknown) = (None, false);
        for index in self.config.order(name) {
            if folder::path_of(&index.url).is_some() {
                return None;
            }
            match self.cache.page(&redact(&index.url), name.as_str()) {
                Some(kept) if kept.fresh_until > self.now || self.config.offline => {
                    if kept.page.is_some() {
                        found = kept.page;
                        break;
                    }
                }
                _ if self.config.offline => {
                    // A later index must not answer for one that was never asked.
                    unknown = true;
                    break;
                }
                _ => return None,
            }
        }
        let flat = match self.local_flat() {
            Ok(flat) => flat,
            Err(error) => return Some(Err(error)),
        };
        let page = self.with_flat(name, found, &flat);
        Some(if page.is_none() && unknown {
            Err(IndexError::Offline {
                what: name.to_string(),
            })
        } else {
            Ok(page)
        })
    }
}

/// Indexes over the network, with cache and fetcher.
pub struct RemoteIndex {
    pub(super) shared: Arc<Shared>,
    sender: OnceLock<UnboundedSender<Want>>,
    pub(super) builder: Option<Arc<dyn Builder>>,
    cancel: Cancel,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) thrift: Thrift,
    references: Mutex<References>,
    /// Guesses that wait for the network to be needed.
    held: Mutex<Vec<Want>>,
}

/// What direct references led to, by address and what they are meant from.
type References = FxHashMap<(String, Utf8PathBuf), Result<Direct, MetadataError>>;

impl std::fmt::Debug for RemoteIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteIndex")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

impl RemoteIndex {
    /// Opens the cache; nothing is asked yet. `now` is in seconds since 1970.
    pub fn new(config: IndexConfig, now: i64, cancel: Cancel, progress: Arc<dyn Progress>) -> Self {
        let cache = Cache::open(config.cache_dir.as_deref());
        let shared = Shared {
            config,
            cache,
            stats: Stats::default(),
            scout: OnceLock::new(),
            builds: None,
            now,
            state: Mutex::default(),
            arrived: Condvar::new(),
            scratch: OnceLock::new(),
        };
        Self {
            shared: Arc::new(shared),
            sender: OnceLock::new(),
            builder: None,
            cancel,
            progress,
            thrift: Thrift::default(),
            references: Mutex::default(),
            held: Mutex::default(),
        }
    }

    /// Lends it a builder for sdists that do not state their metadata.
    pub fn with_builder(mut self, builder: Arc<dyn Builder>) -> Self {
        let shared = Arc::get_mut(&mut self.shared);
        shared
            .expect("BUG: a builder comes before the first question")
            .builds = Some(builder.tag());
        self.builder = Some(builder);
        self
    }

    /// Returns what was asked so far.
    pub fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    /// Writes new answers to the cache, now that the answer is out.
    pub fn flush(&self) {
        self.shared.cache.flush();
    }

    fn send(&self, want: Want) {
        let sender = self.sender.get_or_init(|| {
            let (sender, receiver) = unbounded_channel();
            fetcher::start(&self.shared, receiver);
            sender
        });
        let held = std::mem::take(&mut *self.held());
        let held = held.into_iter().filter(|want| self.shared.claim(want));
        for want in std::iter::once(want).chain(held) {
            // A dead fetcher has left its reason in the state.
            let _ = sender.send(want);
        }
    }

    fn held(&self) -> MutexGuard<'_, Vec<Want>> {
        self.held
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Waits until `look` finds something in the state.
    fn wait<T>(&self, what: &str, look: impl Fn(&State) -> Option<T>) -> Result<T, IndexError> {
        let began = Instant::now();
        let mut state = self.shared.state();
        loop {
            if let Some(found) = look(&state) {
                let waited = u64::try_from(began.elapsed().as_millis()).unwrap_or(0);
                self.shared
                    .stats
                    .blocked
                    .fetch_add(waited, Ordering::Relaxed);
                return Ok(found);
            }
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            if self.cancel.is_requested() {
                return Err(IndexError::Interrupted);
            }
            let waited = self
                .shared
                .arrived
                .wait_timeout(state, Duration::from_millis(100));
            state = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
            let here = state.pages.values().flatten().count() as u64;
            self.progress.at(here, what);
        }
    }

    /// Keeps metadata for when the solver asks for it by its file's key.
    pub(super) fn keep(&self, key: String, metadata: Metadata) {
        self.shared
            .put_metadata(key, MetadataSlot::Here(Arc::new(metadata)));
    }

    /// Returns the directory for what belongs to no single index.
    pub(super) fn cache_dir(&self) -> Utf8PathBuf {
        let files = self.shared.files_dir();
        files.parent().map_or(files.clone(), Utf8Path::to_owned)
    }

    pub(super) fn is_offline(&self) -> bool {
        self.shared.config.offline
    }
}

impl Drop for RemoteIndex {
    /// The background thread holds the cache too and may outlive us.
    fn drop(&mut self) {
        self.flush();
    }
}

impl Index for RemoteIndex {
    fn begin(&self, names: &[Name], scout: Arc<dyn Scout>) {
        if self.shared.scout.set(scout).is_err() || self.shared.config.offline {
            return;
        }
        // One miss means that there is network work: then all is asked at once.
        let look = |name: &Name| Some((name.clone(), Some(self.shared.kept_page(name)?)));
        if let Some(pages) = names.iter().map(look).collect::<Option<Vec<_>>>() {
            let hits = pages.len() as u64;
            self.shared.stats.hits.fetch_add(hits, Ordering::Relaxed);
            self.shared.state().pages.extend(pages);
            return;
        }
        for want in names.iter().cloned().map(Want::Page) {
            if self.shared.claim(&want) {
                self.send(want);
            }
        }
    }

    fn page(&self, name: &Name) -> PageResult {
        if let Some(Some(found)) = self.shared.state().pages.get(name) {
            return found.clone();
        }
        let want = Want::Page(name.clone());
        if self.shared.claim(&want) {
            if let Some(found) = self.shared.kept_page(name) {
                self.shared.stats.hits.fetch_add(1, Ordering::Relaxed);
                self.shared.put_page(name.clone(), found.clone());
                return found;
            }
            if !self.thrift.may_ask() {
                self.shared.state().pages.remove(name);
                return Err(Self::not_worth(name.as_str()));
            }
            self.send(want);
        }
        self.wait(name.as_str(), |state| state.pages.get(name)?.clone())?
    }

    fn metadata(
        &self,
        name: &Name,
        version: &Version,
        file: &ColdFile,
    ) -> Result<Arc<Metadata>, MetadataError> {
        let key = Shared::metadata_key(file);
        let want = Want::Metadata(name.clone(), version.clone(), Box::new(file.clone()));
        if self.shared.claim(&want) {
            if let Some(kept) = self.shared.kept_metadata(&key) {
                self.shared.stats.hits.fetch_add(1, Ordering::Relaxed);
                let kept = Arc::new(kept);
                self.shared
                    .put_metadata(key, MetadataSlot::Here(Arc::clone(&kept)));
                return Ok(kept);
            }
            if let Some(refusal) = self.shared.kept_refusal(&key) {
                self.shared
                    .put_metadata(key, MetadataSlot::Failed(refusal.clone()));
                return Err(refusal);
            }
            let is_local = folder::path_of(&file.file.url).is_some();
            if self.shared.config.offline && !is_local {
                let error = IndexError::Offline {
                    what: format!("{name} {version}"),
                };
                self.shared
                    .put_metadata(key, MetadataSlot::Failed(error.clone().into()));
                return Err(error.into());
            }
            if !self.thrift.may_ask() {
                self.shared.state().metadata.remove(&key);
                return Err(Self::not_worth(name.as_str()).into());
            }
            self.send(want);
        }
        match self.wait(name.as_str(), |state| state.metadata.get(&key)?.clone())? {
            MetadataSlot::Here(metadata) => Ok(metadata),
            MetadataSlot::Failed(error) => Err(error),
            MetadataSlot::NeedsBuild { path } => {
                let what = format!("{name} {version}");
                // A file on this machine may change under its address; the copy that a
                // build reads lies under the digest of what it holds.
                let content = match folder::path_of(&file.file.url) {
                    Some(_) if file.file.sha256().is_none() => path.as_str(),
                    _ => key.as_str(),
                };
                let built = self
                    .build(content, &what, &path, None)
                    .and_then(|metadata| {
                        if metadata.is_of(name, version) {
                            return Ok(Arc::new(metadata));
                        }
                        let found = format!("{} {}", metadata.name, metadata.version);
                        Err(MetadataError::Unusable(format!(
                            "its build made metadata of `{}`",
                            crate::package::artifact::printable(&found)
                        )))
                    });
                if matches!(built, Err(MetadataError::Index(_))) {
                    return Ok(Arc::new(Metadata::unknown(name, version)));
                }
                let slot = match &built {
                    Ok(metadata) => MetadataSlot::Here(Arc::clone(metadata)),
                    Err(error) => MetadataSlot::Failed(error.clone()),
                };
                self.shared.put_metadata(key, slot);
                built
            }
        }
    }

    fn direct(
        &self,
        name: Option<&Name>,
        place: &str,
        base: &Utf8Path,
    ) -> Result<Direct, MetadataError> {
        let key = (place.to_owned(), base.to_owned());
        let known = |references: &References| references.get(&key).cloned();
        let lock = || {
            let guard = self.references.lock();
            guard.unwrap_or_else(std::sync::PoisonError::into_inner)
        };
        if let Some(found) = known(&lock()) {
            return found;
        }
        self.progress.at(0, &redact(place));
        let found = super::direct::find(self, name, place, base);
        // Asked for by another name it may be an answer.
        if name.is_none() || found.is_ok() {
            lock().insert(key, found.clone());
        }
        found
    }

    fn compiles(&self, file: &DistFile) -> Option<bool> {
        self.shared.cache.compiles(&Shared::key_of(file))
    }

    fn download(&self, file: &DistFile) -> Result<Download, IndexError> {
        let found = if let Some(path) = folder::path_of(&file.url) {
            let fail = |error: crate::host::FsError| IndexError::Unreachable {
                url: path.to_string(),
                detail: error.source.to_string(),
            };
            let sha256 = crate::host::digest::sha256_of_file(&path).map_err(fail)?;
            let size = crate::host::fs::stamp(&path).map_err(fail)?.0;
            Download { path, sha256, size }
        } else if self.shared.config.offline {
            return Err(IndexError::Offline {
                what: file.filename.clone(),
            });
        } else {
            let want = Want::File(file.url.clone());
            if self.shared.claim(&want) {
                self.send(want);
            }
            self.wait(&file.filename, |state| state.files.get(&file.url)?.clone())??
        };
        match file.sha256() {
            Some(hash) if hash != found.sha256 => Err(IndexError::Integrity {
                url: redact(&file.url),
                detail: "the file does not have the hash that is recorded".to_owned(),
            }),
            _ => Ok(found),
        }
    }

    fn builds(&self) -> bool {
        self.builder.is_some()
    }

    fn begin_for(&self, purpose: Purpose) {
        self.thrift.set(purpose);
    }

    fn prefetch(&self, wants: Vec<Want>) {
        if self.shared.config.offline || !self.thrift.may_guess() {
            return;
        }
        let missing = wants.into_iter().filter(|want| match want {
            Want::Metadata(_, _, file) => {
                let key = Shared::metadata_key(file);
                self.shared.kept_metadata(&key).is_none()
                    && self.shared.kept_refusal(&key).is_none()
            }
            Want::Page(_) | Want::File(_) => true,
        });
        // A guess alone starts nothing: it waits for something that is really needed.
        if self.sender.get().is_none() {
            self.held().extend(missing);
            return;
        }
        for want in missing {
            if self.shared.claim(&want) {
                self.send(want);
            }
        }
    }
}
