//! What to answer: the page or file, in the way that options and faults ask for.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    Fault, Options, State,
    http::{Reply, Request, Slice},
    pages,
};
use crate::support::{normalised, sha256};

impl State {
    /// Returns what to send, or `None` to close the connection.
    pub(super) fn reply(&mut self, request: &Request, address: SocketAddr) -> Option<Reply> {
        let fault = self.due(&request.path);
        match fault {
            Some(Fault::Reset) => return None,
            Some(Fault::Status(status)) => return Some(Reply::text(status)),
            Some(Fault::RetryAfter(status, seconds)) => {
                return Some(Reply::text(status).header("Retry-After", seconds.to_string()));
            }
            Some(Fault::Garbage(format)) => {
                let (content_type, body) = pages::garbage(format);
                return Some(Reply::new(200, content_type, body));
            }
            Some(Fault::Stall(None)) => return Some(Reply::silence()),
            _ => {}
        }
        if let Some(location) = self.redirects.get(&request.path) {
            return Some(Reply::text(302).header("Location", location));
        }
        if !self.admits(request) {
            let realm = "Basic realm=\"index\"";
            return Some(Reply::text(401).header("WWW-Authenticate", realm));
        }
        let reply = match self.find(&request.path, address) {
            Some(reply) if reply.status == 200 => self.dressed(reply, request),
            Some(reply) => reply,
            None => Reply::text(404),
        };
        Some(spoilt(reply, fault))
    }

    /// Takes the earliest planned fault for the path.
    fn due(&mut self, path: &str) -> Option<Fault> {
        let matching = |(part, _, left): &&mut (String, Fault, usize)| {
            *left > 0 && path.contains(part.as_str())
        };
        let (_, fault, left) = self.faults.iter_mut().find(matching)?;
        *left -= usize::from(*left != usize::MAX);
        Some(*fault)
    }

    fn admits(&self, request: &Request) -> bool {
        let Some((user, password)) = &self.options.auth else {
            return true;
        };
        let wanted = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        request.headers.get("authorization") == Some(&wanted)
    }

    /// Finds the page or file at a path; anything it returns with 200 is whole and plain.
    fn find(&self, path: &str, address: SocketAddr) -> Option<Reply> {
        if let Some((content_type, packed, body)) = self.routes.get(path) {
            let reply = Reply::new(200, content_type, body.clone());
            return Some(match packed {
                Some(packed) => reply.header("Content-Encoding", *packed),
                None => reply,
            });
        }
        let path = path.split('?').next()?;
        let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let (index, kind, rest) = match parts[..] {
            [kind @ ("simple" | "files"), ref rest @ ..] => ("", kind, rest),
            [index, kind @ ("simple" | "files"), ref rest @ ..] => (index, kind, rest),
            _ => return None,
        };
        match (kind, rest) {
            ("files", [filename]) => self.file(index, filename),
            ("simple", [] | [""]) => Some(self.root(index)),
            ("simple", [name]) => Some(moved(index, name)),
            ("simple", [name, ""]) if normalised(name) != *name => Some(moved(index, name)),
            ("simple", [name, ""]) => self.project(index, name, address),
            _ => None,
        }
    }

    fn file(&self, index: &str, filename: &str) -> Option<Reply> {
        let files = self.indexes.get(index)?;
        if let Some(file) = files.get(filename) {
            let bytes = file.artifact.bytes.clone();
            return Some(Reply::new(200, "application/octet-stream", bytes));
        }
        let file = files.get(filename.strip_suffix(".metadata")?)?;
        let served = self.options.metadata && file.metadata;
        let metadata = file.artifact.metadata.clone();
        served.then(|| Reply::new(200, "application/octet-stream", metadata))
    }

    fn root(&self, index: &str) -> Reply {
        let files = self
            .indexes
            .get(index)
            .into_iter()
            .flat_map(BTreeMap::values);
        let mut projects: Vec<_> = files.map(|file| file.artifact.project.as_str()).collect();
        projects.sort_unstable();
        projects.dedup();
        let (content_type, body) = pages::root(projects.into_iter(), self.options.format);
        Reply::new(200, content_type, body)
    }

    fn project(&self, index: &str, name: &str, address: SocketAddr) -> Option<Reply> {
        let files = self.indexes.get(index)?.values();
        let files: Vec<_> = files.filter(|file| file.artifact.project == name).collect();
        if files.is_empty() {
            return None;
        }
        let base = if index.is_empty() {
            format!("http://{address}")
        } else {
            format!("http://{address}/{index}")
        };
        let url = format!("{base}/files");
        let Options {
            metadata, format, ..
        } = self.options;
        let (content_type, body) = pages::project(name, &files, &url, metadata, format);
        Some(Reply::new(200, content_type, body))
    }

    /// Adds caching headers to a good answer, and turns it into 206, 304 or 416 where asked to.
    fn dressed(&self, mut reply: Reply, request: &Request) -> Reply {
        if let Some(value) = &self.options.cache_control {
            reply = reply.header("Cache-Control", value);
        }
        if self.options.etag {
            let tag = format!("\"{}\"", &sha256(&reply.body)[..16]);
            let known = request.headers.get("if-none-match");
            let unchanged = known.is_some_and(|known| known.contains(&tag));
            reply = reply.header("ETag", tag);
            if unchanged {
                reply.status = 304;
                reply.body = Arc::default();
                return reply;
            }
        }
        if !self.options.ranges {
            return reply;
        }
        reply = reply.header("Accept-Ranges", "bytes");
        let length = reply.body.len() as u64;
        match Slice::of(request, length) {
            Slice::Whole => reply,
            Slice::Beyond => Reply::beyond(length),
            Slice::Part(start, end) => {
                let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
                reply.body = Arc::new(reply.body[at(start)..at(end)].to_vec());
                reply.part(start, end, length)
            }
        }
    }
}

/// Applies the faults that need an answer to spoil.
fn spoilt(mut reply: Reply, fault: Option<Fault>) -> Reply {
    match fault {
        Some(Fault::Truncate(bytes)) => reply.cut = Some(bytes),
        Some(Fault::Stall(bytes)) => {
            reply.cut = bytes;
            reply.stalls = true;
        }
        Some(Fault::RangeOff(by)) => reply.change("Content-Range", |text| {
            let (from, rest) = text["bytes ".len()..].split_once('-').unwrap();
            let from: i64 = from.parse().unwrap();
            format!("bytes {}-{rest}", from + by)
        }),
        Some(Fault::RangeSaid(said)) => reply.change("Content-Range", |_| said.to_owned()),
        Some(Fault::Corrupt) => {
            let middle = reply.body.len() / 2;
            if let Some(byte) = Arc::make_mut(&mut reply.body).get_mut(middle) {
                *byte ^= 1;
            }
        }
        _ => {}
    }
    reply
}

/// Redirects to the normalised name with a slash, as PyPI does.
fn moved(index: &str, name: &str) -> Reply {
    let prefix = if index.is_empty() {
        String::new()
    } else {
        format!("/{index}")
    };
    Reply::text(301).header("Location", format!("{prefix}/simple/{}/", normalised(name)))
}
