//! As much of HTTP/1.1 as an index client can notice.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Mutex,
    thread,
};

use super::{State, lock};

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
pub(super) struct Reply {
    pub(super) status: u16,
    headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// Close after this many bytes of the body.
    pub(super) cut: Option<usize>,
    /// Send nothing more and wait for the client to go instead of closing.
    pub(super) stalls: bool,
}

impl Reply {
    pub(super) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", content_type.to_owned())],
            body: body.into(),
            cut: None,
            stalls: false,
        }
    }

    /// An answer that never comes; its status is that of a connection that was closed.
    pub(super) fn silence() -> Self {
        let mut reply = Self::text(0);
        reply.stalls = true;
        reply
    }

    /// Changes a header where it is there; an empty value takes it away.
    pub(super) fn change(&mut self, name: &str, change: impl Fn(&str) -> String) {
        for (_, value) in self.headers.iter_mut().filter(|(known, _)| *known == name) {
            *value = change(value);
        }
        self.headers.retain(|(_, value)| !value.is_empty());
    }

    pub(super) fn text(status: u16) -> Self {
        Self::new(
            status,
            "text/plain",
            format!("{status} {}\n", reason(status)),
        )
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Answers the requests of one connection until either side closes it.
pub(super) fn converse(stream: &TcpStream, address: SocketAddr, shared: &Mutex<State>) {
    let Ok(kept) = stream.try_clone() else { return };
    let id = {
        let mut state = lock(shared);
        if state.stopped {
            return;
        }
        state.accepted += 1;
        let id = state.accepted;
        state.open.insert(id, kept);
        id
    };
    // A client that goes away is its own matter; nothing here is an error of the test.
    answer_all(stream, address, shared).ok();
    // The clone above keeps the socket open, so dropping the stream alone would not end it.
    stream.shutdown(Shutdown::Both).ok();
    lock(shared).open.remove(&id);
}

fn answer_all(stream: &TcpStream, address: SocketAddr, shared: &Mutex<State>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(mut request) = read(&mut reader)? {
        let latency = lock(shared).options.latency;
        if !latency.is_zero() {
            thread::sleep(latency);
        }
        let reply = {
            let mut state = lock(shared);
            let reply = state.reply(&request, address);
            request.status = reply.as_ref().map_or(0, |reply| reply.status);
            state.requests.push(request.clone());
            reply
        };
        let Some(reply) = reply else { break };
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
        head.extend(["Content-Length: ", &reply.body.len().to_string(), "\r\n"]);
    }
    head.push_str("\r\n");
    let mut message = head.into_bytes();
    if request.method != "HEAD" && reply.status != 304 {
        let end = reply.cut.unwrap_or(usize::MAX).min(reply.body.len());
        message.extend_from_slice(&reply.body[..end]);
    }
    stream.write_all(&message)?;
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
