//! As much of HTTP/1.1 as an index client can notice.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, IoSlice, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

/// What stands behind an address: it answers requests, each connection on a thread of its own.
pub(crate) trait Site: Send + Sync + 'static {
    /// Returns the wait before each answer. Requests of several connections wait at once.
    fn latency(&self) -> Duration;

    /// Answers a request; `None` closes the connection.
    fn answer(&self, request: &Request) -> Option<Reply>;
}

/// A site that is being served; it stops, and refuses connections, when dropped.
#[derive(Debug)]
pub(crate) struct Serving {
    address: SocketAddr,
    connections: Arc<Mutex<Connections>>,
    acceptor: Option<JoinHandle<()>>,
}

/// Open connections, so that stopping closes kept-alive ones too.
#[derive(Debug, Default)]
struct Connections {
    open: BTreeMap<u64, TcpStream>,
    accepted: u64,
    stopped: bool,
}

impl Serving {
    /// Serves on a port of this machine; the site is made when its address is known.
    pub(crate) fn start<S: Site>(site: impl FnOnce(SocketAddr) -> Arc<S>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let site = site(address);
        let connections = Arc::<Mutex<Connections>>::default();
        let ours = Arc::clone(&connections);
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming() {
                if lock(&ours).stopped {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let (site, ours) = (Arc::clone(&site), Arc::clone(&ours));
                thread::spawn(move || converse(&stream, site.as_ref(), &ours));
            }
        });
        Self {
            address,
            connections,
            acceptor: Some(acceptor),
        }
    }

    /// Returns host and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let mut connections = lock(&self.connections);
        connections.stopped = true;
        for stream in connections.open.values() {
            stream.shutdown(Shutdown::Both).ok();
        }
        drop(connections);
        // Wakes the thread that accepts; once it has ended, the port is closed for sure.
        TcpStream::connect(self.address).ok();
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().ok();
        }
    }
}

/// Locks even after a thread panicked with the lock held: the test then fails for that reason,
/// not for a poisoned lock.
pub(crate) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request as the server saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// `GET` or `HEAD`.
    pub(crate) method: String,
    /// Path and query, percent-decoded.
    pub(crate) path: String,
    /// Value of `Range`.
    pub(crate) range: Option<String>,
    /// Status of the answer; 0 where the connection was closed without one.
    pub(crate) status: u16,
    /// Headers by lower-case name: what a client must not send is tested here.
    pub(crate) headers: BTreeMap<String, String>,
}

/// An answer, with the ways in which sending it can fail.
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(&'static str, String)>,
    /// This many zeros come before the body: what fills a file that is only known by its size.
    pub(crate) zeros: u64,
    pub(crate) body: Arc<Vec<u8>>,
    /// Close after this many bytes of the body.
    pub(crate) cut: Option<usize>,
    /// Send nothing more and wait for the client to go instead of closing.
    pub(crate) stalls: bool,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::shared(status, content_type, Arc::new(body.into()))
    }

    /// Answers with bytes that are kept for more than one answer.
    pub(crate) fn shared(status: u16, content_type: &str, body: Arc<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", content_type.to_owned())],
            zeros: 0,
            body,
            cut: None,
            stalls: false,
        }
    }

    /// An answer that never comes; its status is that of a connection that was closed.
    pub(crate) fn silence() -> Self {
        let mut reply = Self::text(0);
        reply.stalls = true;
        reply
    }

    /// Changes a header where it is there; an empty value takes it away.
    pub(crate) fn change(&mut self, name: &str, change: impl Fn(&str) -> String) {
        for (_, value) in self.headers.iter_mut().filter(|(known, _)| *known == name) {
            *value = change(value);
        }
        self.headers.retain(|(_, value)| !value.is_empty());
    }

    pub(crate) fn text(status: u16) -> Self {
        Self::new(
            status,
            "text/plain",
            format!("{status} {}\n", reason(status)),
        )
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Reply {
    /// Makes it the answer to a range: `start..end` of a file of `length` bytes.
    pub(crate) fn part(mut self, start: u64, end: u64, length: u64) -> Self {
        self.status = 206;
        self.header(
            "Content-Range",
            format!("bytes {start}-{}/{length}", end - 1),
        )
    }

    /// Refuses a range that lies behind the end.
    pub(crate) fn beyond(length: u64) -> Self {
        Self::text(416).header("Content-Range", format!("bytes */{length}"))
    }
}

/// What a request wants of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slice {
    /// All of it.
    Whole,
    /// From, to (exclusive).
    Part(u64, u64),
    /// What the file does not have.
    Beyond,
}

impl Slice {
    /// Reads `bytes=a-b`, `bytes=a-` and `bytes=-n`; several ranges at once are ignored, as is
    /// allowed.
    pub(crate) fn of(request: &Request, length: u64) -> Self {
        let number = |text: &str| match text {
            "" => Some(None),
            _ => text.parse::<u64>().ok().map(Some),
        };
        let range = request.range.as_deref();
        let ends = range.and_then(|text| text.strip_prefix("bytes=")?.split_once('-'));
        let ends = ends.and_then(|(start, end)| Some((number(start)?, number(end)?)));
        let (start, end) = match ends {
            Some((Some(start), end)) => (start, end.map_or(length, |end| (end + 1).min(length))),
            Some((None, Some(last))) => (length.saturating_sub(last), length),
            Some((None, None)) | None => return Self::Whole,
        };
        if start < end {
            Self::Part(start, end)
        } else {
            Self::Beyond
        }
    }
}

/// Answers the requests of one connection until either side closes it.
fn converse(stream: &TcpStream, site: &impl Site, connections: &Mutex<Connections>) {
    let Ok(kept) = stream.try_clone() else { return };
    let id = {
        let mut connections = lock(connections);
        if connections.stopped {
            return;
        }
        connections.accepted += 1;
        let id = connections.accepted;
        connections.open.insert(id, kept);
        id
    };
    // A client that goes away is its own matter; nothing here is an error of the test.
    answer_all(stream, site).ok();
    // The clone above keeps the socket open, so dropping the stream alone would not end it.
    stream.shutdown(Shutdown::Both).ok();
    lock(connections).open.remove(&id);
}

fn answer_all(stream: &TcpStream, site: &impl Site) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        let latency = site.latency();
        if !latency.is_zero() {
            thread::sleep(latency);
        }
        let Some(reply) = site.answer(&request) else {
            break;
        };
        if reply.status != 0 {
            send(stream, &request, &reply)?;
        }
        if reply.stalls {
            // Until the client closes its side, or the server is stopped.
            io::copy(&mut reader, &mut io::sink())?;
            break;
        }
        let close = request.headers.get("connection").map(String::as_str) == Some("close");
        if close || reply.cut.is_some() {
            break;
        }
    }
    Ok(())
}

/// Reads one request with its body; `None` at the end of the connection.
fn read(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut request = Request {
        method: method.to_owned(),
        path: decoded(path),
        range: None,
        status: 0,
        headers: BTreeMap::new(),
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let name = name.to_lowercase();
        request.headers.insert(name, value.trim().to_owned());
    }
    request.range = request.headers.get("range").cloned();
    let length = request.headers.get("content-length");
    let length = length.and_then(|text| text.parse().ok()).unwrap_or(0);
    io::copy(&mut reader.take(length), &mut io::sink())?;
    Ok(Some(request))
}

fn send(mut stream: &TcpStream, request: &Request, reply: &Reply) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
    for (name, value) in &reply.headers {
        head.extend([*name, ": ", value, "\r\n"]);
    }
    // 304 has no body, and a length would tell the client to wait for one.
    if reply.status != 304 {
        let length = reply.zeros + reply.body.len() as u64;
        head.extend(["Content-Length: ", &length.to_string(), "\r\n"]);
    }
    head.push_str("\r\n");
    let mut body = &reply.body[..];
    if request.method == "HEAD" || reply.status == 304 {
        body = &[];
    } else if reply.zeros > 0 {
        stream.write_all(head.as_bytes())?;
        head.clear();
        io::copy(&mut io::repeat(0).take(reply.zeros), &mut stream)?;
    }
    body = &body[..reply.cut.unwrap_or(usize::MAX).min(body.len())];
    // Both at once, so that a small answer is one packet.
    let mut written =
        stream.write_vectored(&[IoSlice::new(head.as_bytes()), IoSlice::new(body)])?;
    if written < head.len() {
        stream.write_all(&head.as_bytes()[written..])?;
        written = head.len();
    }
    stream.write_all(&body[written - head.len()..])?;
    stream.flush()
}

fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = (*first == b'%').then(|| tail.get(..2)).flatten();
        if let Some([byte]) = code.and_then(|code| hex::decode(code).ok()).as_deref() {
            bytes.push(*byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
