//! Answers from a recording: pages made once and kept, files made of zeros and metadata.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use super::super::http::{Reply, Request, Serving, Site, Slice, lock};
use super::{facts::ProjectFacts, files, pages};

/// What the index offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Pages in JSON, metadata beside each wheel (PEP 691, 700 and 658), as PyPI has.
    Json,
    /// Pages in HTML; metadata is read by range requests out of the wheels.
    Html,
}

/// A recording that is kept in memory once it was read; several servers can share it.
#[derive(Debug)]
pub(crate) struct RecordedIndex {
    dir: PathBuf,
    projects: Mutex<FxHashMap<String, Option<Arc<ProjectFacts>>>>,
}

impl RecordedIndex {
    /// Opens the recording in a directory; packages are read when they are asked for.
    pub(crate) fn open(dir: &Path) -> Arc<Self> {
        Arc::new(Self {
            dir: dir.to_owned(),
            projects: Mutex::default(),
        })
    }

    /// Returns the text of a page as a server on this machine would send it.
    pub(crate) fn page(&self, name: &str, form: Form) -> io::Result<Option<String>> {
        let project = self.project(name)?;
        Ok(project.map(|project| text_of(&project, form, "http://localhost")))
    }

    fn project(&self, name: &str) -> io::Result<Option<Arc<ProjectFacts>>> {
        if let Some(known) = lock(&self.projects).get(name) {
            return Ok(known.clone());
        }
        let found = ProjectFacts::read(&self.dir, name)?.map(Arc::new);
        lock(&self.projects).insert(name.to_owned(), found.clone());
        Ok(found)
    }
}

/// A running recorded index; it stops when dropped.
#[derive(Debug)]
pub(crate) struct RecordedServer {
    serving: Serving,
    shared: Arc<Shared>,
}

impl RecordedServer {
    /// Serves a recording.
    pub(crate) fn start(index: &Arc<RecordedIndex>, form: Form) -> Self {
        let mut shared = None;
        let serving = Serving::start(|address| {
            Arc::clone(shared.insert(Arc::new(Shared {
                address,
                form,
                index: Arc::clone(index),
                latency: AtomicU64::new(0),
                requests: AtomicU64::new(0),
                pages: Mutex::default(),
                files: Mutex::default(),
                tails: Mutex::default(),
            })))
        });
        let shared = shared.expect("the site was made above");
        Self { serving, shared }
    }

    /// Returns the URL of the index, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/simple", self.serving.address())
    }

    /// Sets the wait before each answer; requests of several connections wait at once.
    pub(crate) fn set_latency(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.shared.latency.store(micros, Relaxed);
    }

    /// Returns how many requests were answered.
    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Relaxed)
    }
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    form: Form,
    index: Arc<RecordedIndex>,
    /// Microseconds.
    latency: AtomicU64,
    requests: AtomicU64,
    pages: Mutex<FxHashMap<String, Arc<Page>>>,
    files: Mutex<FxHashMap<String, Place>>,
    tails: Mutex<FxHashMap<String, Arc<files::Tail>>>,
}

/// Where a file's facts are.
#[derive(Clone, Debug)]
struct Place {
    project: Arc<ProjectFacts>,
    version: usize,
    file: usize,
}

/// A page in both codings.
#[derive(Debug)]
struct Page {
    plain: Arc<Vec<u8>>,
    packed: Arc<Vec<u8>>,
    etag: String,
}

impl Site for Shared {
    fn latency(&self) -> Duration {
        Duration::from_micros(self.latency.load(Relaxed))
    }

    fn answer(&self, request: &Request) -> Option<Reply> {
        self.requests.fetch_add(1, Relaxed);
        let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        let reply = match parts[..] {
            ["simple", name, ""] => self.page(name, request),
            ["packages", _, _, _, filename] => Ok(self.file(filename, request)),
            _ => Ok(None),
        };
        Some(match reply {
            Ok(Some(reply)) => reply,
            Ok(None) => Reply::text(404),
            // A recording that cannot be read must not look like a package that is not there.
            Err(error) => Reply::new(500, "text/plain", error.to_string()),
        })
    }
}

impl Shared {
    fn page(&self, name: &str, request: &Request) -> io::Result<Option<Reply>> {
        let known = lock(&self.pages).get(name).cloned();
        let page = match known {
            Some(page) => page,
            None => {
                let Some(project) = self.index.project(name)? else {
                    return Ok(None);
                };
                let page = Arc::new(self.made(&project)?);
                lock(&self.pages).insert(name.to_owned(), Arc::clone(&page));
                page
            }
        };
        let asks = |header: &str, value: &str| {
            let sent = request.headers.get(header);
            sent.is_some_and(|sent| sent.contains(value))
        };
        let content_type = match self.form {
            Form::Json => "application/vnd.pypi.simple.v1+json",
            Form::Html => "text/html",
        };
        let reply = if asks("if-none-match", &page.etag) {
            Reply::new(304, content_type, [])
        } else if asks("accept-encoding", "gzip") {
            Reply::shared(200, content_type, Arc::clone(&page.packed))
                .header("Content-Encoding", "gzip")
        } else {
            Reply::shared(200, content_type, Arc::clone(&page.plain))
        };
        Ok(Some(
            reply
                .header("ETag", &page.etag)
                .header("Cache-Control", "max-age=600, public")
                .header("Vary", "Accept, Accept-Encoding"),
        ))
    }

    fn made(&self, project: &Arc<ProjectFacts>) -> io::Result<Page> {
        let base = format!("http://{}", self.address);
        let text = text_of(project, self.form, &base);
        let mut files = lock(&self.files);
        for (version, facts) in project.versions.iter().enumerate() {
            for (file, facts) in facts.files.iter().enumerate() {
                let place = Place {
                    project: Arc::clone(project),
                    version,
                    file,
                };
                files.insert(facts.filename.clone(), place);
            }
        }
        drop(files);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(text.as_bytes())?;
        Ok(Page {
            etag: format!("\"{}\"", hex::encode(&Sha256::digest(&text)[..16])),
            packed: Arc::new(gzip.finish()?),
            plain: Arc::new(text.into_bytes()),
        })
    }

    fn file(&self, filename: &str, request: &Request) -> Option<Reply> {
        let advertised = filename.strip_suffix(".metadata");
        let wheel = advertised.unwrap_or(filename);
        // Addresses stand on pages only, so a file is known once its page was made.
        let place = lock(&self.files).get(wheel).cloned()?;
        let project = place.project.as_ref();
        let version = &project.versions[place.version];
        let file = &version.files[place.file];
        let reply = if advertised.is_some() {
            if self.form == Form::Html || !file.is_wheel() {
                return None;
            }
            let text = version.metadata_text(&project.name);
            Reply::new(200, "binary/octet-stream", text)
        } else if file.is_wheel() {
            let known = lock(&self.tails).get(wheel).cloned();
            let tail = known.unwrap_or_else(|| {
                let tail = Arc::new(files::wheel_tail(project, version, file));
                lock(&self.tails).insert(wheel.to_owned(), Arc::clone(&tail));
                tail
            });
            sliced(&tail, request)
        } else {
            let tail = files::Tail {
                start: 0,
                bytes: files::sdist(project, version, file),
            };
            sliced(&tail, request)
        };
        Some(
            reply
                .header("ETag", format!("\"{}\"", hex::encode(&file.sha256[..16])))
                .header("Cache-Control", "max-age=365000000, immutable, public")
                .header("Accept-Ranges", "bytes"),
        )
    }
}

fn text_of(project: &ProjectFacts, form: Form, base: &str) -> String {
    match form {
        Form::Json => pages::json(project, base),
        Form::Html => pages::html(project, base),
    }
}

/// Answers with the part of a file that is asked for, zeros before its tail.
fn sliced(tail: &files::Tail, request: &Request) -> Reply {
    let length = tail.start + tail.bytes.len() as u64;
    let (start, end, part) = match Slice::of(request, length) {
        Slice::Whole => (0, length, false),
        Slice::Part(start, end) => (start, end, true),
        Slice::Beyond => return Reply::beyond(length),
    };
    let within = |place: u64| usize::try_from(place.saturating_sub(tail.start)).unwrap_or(0);
    let bytes = tail.bytes[within(start)..within(end)].to_vec();
    let mut reply = Reply::new(200, "binary/octet-stream", bytes);
    reply.zeros = end.min(tail.start).saturating_sub(start);
    if part {
        return reply.part(start, end, length);
    }
    reply
}
