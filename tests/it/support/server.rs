//! A package index on this machine that does what indexes in the wild do, badly too.
//!
//! A real server and not a mocked client: keep-alive, ranges, redirects and broken connections
//! are where index clients go wrong, and a mock would agree with the client about all of them.

mod answer;
mod http;
mod pages;
mod recorded;

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use http::{Reply, Serving, Site, lock};

pub(crate) use http::Request;
pub(crate) use pages::Hosted;
pub(crate) use recorded::{Form, RecordedIndex, RecordedServer, facts::ProjectFacts};

/// Form of the pages; the server sends this one whatever a client accepts, as simple mirrors do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// PEP 691 with the sizes and upload times of PEP 700, and absolute URLs, as PyPI has.
    Json,
    /// PEP 503 with relative URLs, as download.pytorch.org has; no sizes, no times.
    Html,
}

/// What the index can do. Change it while running through [`IndexServer::set`].
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Form of the pages.
    pub(crate) format: Format,
    /// Whether metadata is advertised and served beside wheels (PEP 658).
    pub(crate) metadata: bool,
    /// Whether `Range` is honoured; without it every answer is whole, with status 200.
    pub(crate) ranges: bool,
    /// Wait before each answer, to make round trips count in a measurement.
    pub(crate) latency: Duration,
    /// Lets answers overtake each other, by this seed: before each the processor is yielded up to
    /// a few hundred times.
    pub(crate) shuffle: Option<u64>,
    /// Whether answers carry an `ETag`, and `If-None-Match` gets 304.
    pub(crate) etag: bool,
    /// `Cache-Control` of every answer.
    pub(crate) cache_control: Option<String>,
    /// User and password; anything else gets 401.
    pub(crate) auth: Option<(String, String)>,
}

impl Default for Options {
    /// The best of indexes: PyPI with everything on.
    fn default() -> Self {
        Self {
            format: Format::Json,
            metadata: true,
            ranges: true,
            latency: Duration::ZERO,
            shuffle: None,
            etag: true,
            cache_control: None,
            auth: None,
        }
    }
}

/// A way for one answer to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answers with this status and a short text.
    Status(u16),
    /// Answers with this status and `Retry-After` in seconds.
    RetryAfter(u16, u32),
    /// Closes the connection without an answer. Clients repeat such a request on their own when
    /// the connection had been used before, so plan it for more than one request.
    Reset,
    /// Promises the whole length, then closes after this many bytes of the body.
    Truncate(usize),
    /// Changes one byte in the middle of the body: the length is right, the hash is wrong.
    Corrupt,
    /// Answers 200 with a login page, or with JSON of another shape, as captive portals do.
    Garbage(Format),
    /// Promises the whole length, sends this many bytes of the body and then nothing more, until
    /// the client goes away; with `None` there is no answer at all.
    Stall(Option<usize>),
    /// Says of a part that it begins this many bytes from where it does.
    RangeOff(i64),
    /// Says this of a part instead of where it lies; nothing if it is empty.
    RangeSaid(&'static str),
}

/// A running index; it stops, and refuses connections, when dropped.
#[derive(Debug)]
pub(crate) struct IndexServer {
    serving: Serving,
    shared: Arc<Shared>,
}

/// What requests and tests reach.
#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    state: Mutex<State>,
}

impl Site for Shared {
    fn latency(&self) -> Duration {
        lock(&self.state).options.latency
    }

    fn answer(&self, request: &Request) -> Option<Reply> {
        let shuffle = lock(&self.state).options.shuffle;
        if let Some(seed) = shuffle {
            let mut hasher = DefaultHasher::new();
            (seed, &request.path).hash(&mut hasher);
            // Most answers leave at once, some let many others by.
            for _ in 0..(hasher.finish() % 8) * (hasher.finish() / 8 % 100) {
                thread::yield_now();
            }
        }
        let mut state = lock(&self.state);
        let reply = state.reply(request, self.address);
        let mut seen = request.clone();
        seen.status = reply.as_ref().map_or(0, |reply| reply.status);
        state.requests.push(seen);
        reply
    }
}

/// Everything that requests read and tests change.
#[derive(Debug, Default)]
struct State {
    options: Options,
    /// By name of the index (`""` is the default one), then by file name.
    indexes: BTreeMap<String, BTreeMap<String, Hosted>>,
    /// Fixed answers by path: content type, content encoding and body.
    routes: BTreeMap<String, (String, Option<&'static str>, Vec<u8>)>,
    /// Where requests are sent instead, by path.
    redirects: BTreeMap<String, String>,
    /// Substring of the path, fault, and how often it is still due.
    faults: Vec<(String, Fault, usize)>,
    requests: Vec<Request>,
}

impl IndexServer {
    /// Starts with these files on the default index: wheels, sdists, artifacts or hosted files.
    pub(crate) fn start<I>(files: I) -> Self
    where
        I: IntoIterator<Item: Into<Hosted>>,
    {
        let mut shared = None;
        let serving = Serving::start(|address| {
            let state = Mutex::default();
            Arc::clone(shared.insert(Arc::new(Shared { address, state })))
        });
        let shared = shared.expect("the site was made above");
        let server = Self { serving, shared };
        for file in files {
            server.add(file);
        }
        server
    }

    /// Starts with an empty index.
    pub(crate) fn empty() -> Self {
        Self::start(Vec::<Hosted>::new())
    }

    /// Returns the URL of the default index, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("{}/simple", self.base())
    }

    /// Returns the URL of the index that [`IndexServer::add_to`] fills.
    pub(crate) fn url_of(&self, index: &str) -> String {
        format!("{}/{index}/simple", self.base())
    }

    /// Returns scheme, host and port.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.serving.address())
    }

    /// Returns host and port, which differ from run to run and so must be hidden in snapshots.
    pub(crate) fn host(&self) -> String {
        self.serving.address().to_string()
    }

    /// Puts a file on the default index, in place of one with the same name.
    pub(crate) fn add(&self, file: impl Into<Hosted>) {
        self.add_to("", file);
    }

    /// Puts a file on an index of its own; indexes may hold files of one name and other bytes.
    pub(crate) fn add_to(&self, index: &str, file: impl Into<Hosted>) {
        let file = file.into();
        let mut state = self.state();
        let files = state.indexes.entry(index.into()).or_default();
        files.insert(file.artifact.filename.clone(), file);
    }

    /// Takes a file off every index. A project without files has no page.
    pub(crate) fn remove(&self, filename: &str) {
        let mut state = self.state();
        for files in state.indexes.values_mut() {
            files.remove(filename);
        }
    }

    /// Answers this path with a fixed body, for what is no index: a registry, an archive.
    ///
    /// The path starts with a slash; a query string, if given, must match too.
    pub(crate) fn route(&self, path: &str, content_type: &str, body: impl AsRef<[u8]>) {
        let answer = (content_type.to_owned(), None, body.as_ref().to_vec());
        self.state().routes.insert(path.into(), answer);
    }

    /// Answers this path with a body that the client has to unpack.
    pub(crate) fn route_packed(&self, path: &str, content_type: &str, gzip: &[u8]) {
        let answer = (content_type.to_owned(), Some("gzip"), gzip.to_vec());
        self.state().routes.insert(path.into(), answer);
    }

    /// Sends requests for a path elsewhere (302), whatever credentials they carry.
    pub(crate) fn redirect(&self, path: &str, location: &str) {
        let mut state = self.state();
        state.redirects.insert(path.into(), location.into());
    }

    /// Changes options; the next request sees them.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Options)) {
        change(&mut self.state().options);
    }

    /// Plans a fault for the next `times` requests whose path contains `substring`
    /// (`usize::MAX`: for ever). Of several that match, the earliest planned comes first.
    pub(crate) fn fault(&self, substring: &str, fault: Fault, times: usize) {
        self.state().faults.push((substring.into(), fault, times));
    }

    /// Forgets planned faults that have not happened.
    pub(crate) fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Returns the requests so far, in the order in which they were answered.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// Forgets the requests so far: a test of a cache starts counting here.
    pub(crate) fn clear_requests(&self) {
        self.state().requests.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }
}
