//! HTTP: one client for all hosts, retries with back-off, credentials by host.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE, RETRY_AFTER,
};
use reqwest::{Response, StatusCode};
use url::Url;

use super::config::Patience;
use super::netrc;
use super::source::IndexError;
use crate::package::artifact::show_bytes;
use crate::package::redact;

const PAGES: &str = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";
const ATTEMPTS: u32 = 4;
/// How often an answer that breaks off is asked for.
const WHOLE: u32 = 2;
/// How often a host is asked that keeps silent: each time takes the whole patience.
const SILENT: u32 = 2;
/// No page is larger once it is unpacked: the largest of PyPI has a fifth of it.
const PAGE: u64 = 128 << 20;
/// What PyPI states; used where an index states nothing.
const FRESH: i64 = 600;

/// An answer to a request for a page.
#[derive(Debug)]
pub enum PageAnswer {
    /// A page.
    Body {
        /// Its content type.
        content_type: String,
        /// Its bytes.
        body: Vec<u8>,
        /// The address it came from, after redirects.
        url: Url,
        /// How long it stays fresh, in seconds.
        fresh: i64,
        /// The entity tag.
        etag: Option<String>,
        /// The time of change.
        last_modified: Option<String>,
    },
    /// It is as it was; the number of seconds it stays fresh.
    Unchanged(i64),
    /// There is no such page.
    Missing,
}

/// An answer to a request for a file.
#[derive(Debug)]
pub enum Fetched {
    /// All of it.
    Whole(Vec<u8>),
    /// There is no such file.
    Missing,
    /// It is larger than it may be.
    Large,
}

/// A part of a file, or all of it.
#[derive(Debug)]
pub struct Part {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where they begin in the file.
    pub offset: u64,
    /// How long the file is.
    pub size: u64,
}

/// The client. Lives on the background thread.
pub struct Client {
    http: reqwest::Client,
    netrc: Option<String>,
    pause: Duration,
    /// Credentials that stood in index URLs, by host and port.
    hosts: HashMap<String, (String, String)>,
    /// Hosts that answer a range with the whole file or an error.
    rangeless: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It holds passwords.
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// Returns the user and password that stand in an address; a lone user is a token.
fn user_info(url: &Url) -> Option<(String, String)> {
    let user = super::html::percent_decode(url.username());
    let password = super::html::percent_decode(url.password().unwrap_or(""));
    (!user.is_empty() || !password.is_empty()).then_some((user, password))
}

fn authority(url: &Url) -> String {
    format!(
        "{}:{}",
        url.host_str().unwrap_or(""),
        url.port_or_known_default().unwrap_or(0)
    )
}

impl Client {
    /// Makes a client; credentials in `index_urls` are used for their hosts.
    ///
    /// # Errors
    ///
    /// Fails if TLS cannot be set up, as with no certificates on the machine.
    pub fn new<'a>(
        index_urls: impl Iterator<Item = &'a str>,
        netrc: Option<String>,
        patience: Patience,
    ) -> Result<Self, IndexError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("portenv/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(8).min(patience.silence))
            .read_timeout(patience.silence)
            .pool_max_idle_per_host(64)
            .http2_initial_stream_window_size(8 << 20)
            .http2_initial_connection_window_size(64 << 20)
            .build()
            .map_err(|error| IndexError::Unreachable {
                url: "network".to_owned(),
                detail: causes(&error),
            })?;
        let mut hosts = HashMap::new();
        for url in index_urls.filter_map(|url| Url::parse(url).ok()) {
            if let Some(found) = user_info(&url) {
                hosts.insert(authority(&url), found);
            }
        }
        Ok(Self {
            http,
            netrc,
            pause: patience.pause,
            hosts,
            rangeless: Mutex::default(),
        })
    }

    async fn get(&self, url: &Url, headers: &HeaderMap) -> Result<Response, IndexError> {
        let mut address = url.clone();
        let _ = address.set_password(None);
        let _ = address.set_username("");
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut request = self.http.get(address.clone()).headers(headers.clone());
            if let Some((user, password)) = self.credentials(url) {
                request = request.basic_auth(user, Some(password));
            }
            let mut last = ATTEMPTS;
            let failure = match request.send().await {
                Ok(response) => {
                    let status = response.status();
                    let again = status == StatusCode::TOO_MANY_REQUESTS
                        || status == StatusCode::REQUEST_TIMEOUT
                        || status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
                    if !again {
                        return Ok(response);
                    }
                    (
                        format!("the server answered {status}"),
                        retry_after(&response),
                    )
                }
                Err(error) if error.is_builder() || error.is_redirect() => {
                    return Err(unreachable_error(url, causes(&error)));
                }
                Err(error) => {
                    if error.is_timeout() {
                        last = SILENT;
                    }
                    (causes(&error), None)
                }
            };
            if attempt >= last {
                return Err(unreachable_error(
                    url,
                    format!("{} (tried {attempt} times)", failure.0),
                ));
            }
            let back_off = self.pause * (1 << (2 * (attempt - 1)));
            tokio::time::sleep(failure.1.unwrap_or(back_off).min(Duration::from_secs(10))).await;
        }
    }

    fn credentials(&self, url: &Url) -> Option<(String, String)> {
        user_info(url)
            .or_else(|| self.hosts.get(&authority(url)).cloned())
            .or_else(|| netrc::find(self.netrc.as_deref()?, url.host_str()?))
    }

    /// Asks for a page, conditionally if an older one is kept.
    ///
    /// # Errors
    ///
    /// Fails if the index cannot be reached or refuses.
    pub async fn page(
        &self,
        url: &Url,
        etag: Option<&str>,
        last_modified: Option<&str>,
    ) -> Result<PageAnswer, IndexError> {
        let mut headers = HeaderMap::new();
        let mut set = |name, value: &str| {
            if let Ok(value) = value.parse() {
                headers.insert(name, value);
            }
        };
        set(ACCEPT, PAGES);
        if let Some(etag) = etag {
            set(IF_NONE_MATCH, etag);
        } else if let Some(time) = last_modified {
            set(IF_MODIFIED_SINCE, time);
        }
        let mut last = String::new();
        for _ in 0..WHOLE {
            let response = self.get(url, &headers).await?;
            let fresh = fresh_for(response.headers());
            match response.status() {
                StatusCode::NOT_MODIFIED => return Ok(PageAnswer::Unchanged(fresh)),
                StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(PageAnswer::Missing),
                // PyTorch's index forbids what it does not have; uv reads it so too.
                StatusCode::FORBIDDEN if is_pytorch(url) => return Ok(PageAnswer::Missing),
                status if !status.is_success() => {
                    return Err(unreachable_error(url, refusal(status)));
                }
                _ => {}
            }
            let text = |name| {
                response
                    .headers()
                    .get(name)
                    .and_then(|value| value.to_str().ok())
                    .map(str::to_owned)
            };
            let (content_type, etag, last_modified) = (
                text(CONTENT_TYPE).unwrap_or_default(),
                text(ETAG),
                text(LAST_MODIFIED),
            );
            let final_url = response.url().clone();
            match whole(response, PAGE).await {
                Ok(body) => {
                    return Ok(PageAnswer::Body {
                        content_type,
                        body,
                        url: final_url,
                        fresh,
                        etag,
                        last_modified,
                    });
                }
                Err(Broken::Large) => {
                    let detail = format!("the page is larger than {}", show_bytes(PAGE));
                    return Err(integrity(url, detail));
                }
                Err(Broken::Cut(cause)) => last = cause,
            }
        }
        Err(unreachable_error(
            url,
            format!("the page did not arrive whole: {last}"),
        ))
    }

    /// Fetches a whole file of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be had whole.
    pub async fn file(&self, url: &Url, limit: u64) -> Result<Fetched, IndexError> {
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT_ENCODING,
            reqwest::header::HeaderValue::from_static("identity"),
        );
        let mut last = String::new();
        for _ in 0..WHOLE {
            let response = self.get(url, &headers).await?;
            match response.status() {
                StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(Fetched::Missing),
                status if !status.is_success() => {
                    return Err(unreachable_error(url, refusal(status)));
                }
                _ => {}
            }
            match whole(response, limit).await {
                Ok(bytes) => return Ok(Fetched::Whole(bytes)),
                Err(Broken::Large) => return Ok(Fetched::Large),
                Err(Broken::Cut(cause)) => last = cause,
            }
        }
        let detail = format!("the file did not arrive whole: {last}");
        Err(integrity(url, detail))
    }

    /// Fetches the last `length` bytes or the bytes `from..to`; a host without
    /// ranges sends the whole file, which is a part too. `None`: no such file.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be had.
    pub async fn part(&self, url: &Url, want: Want) -> Result<Option<Part>, IndexError> {
        let host = authority(url);
        let known = self
            .rangeless
            .lock()
            .is_ok_and(|hosts| hosts.contains(&host));
        if !known {
            let mut headers = HeaderMap::new();
            headers.insert(
                ACCEPT_ENCODING,
                reqwest::header::HeaderValue::from_static("identity"),
            );
            let range = match want {
                Want::Last(length) => format!("bytes=-{length}"),
                Want::Between(from, to) => format!("bytes={from}-{}", to.saturating_sub(1)),
            };
            if let Ok(value) = range.parse() {
                headers.insert(RANGE, value);
            }
            for _ in 0..WHOLE {
                let response = self.get(url, &headers).await?;
                let (limit, place) = match response.status() {
                    StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
                    StatusCode::PARTIAL_CONTENT => {
                        let header = response.headers().get(CONTENT_RANGE);
                        let told = header.and_then(|value| content_range(value.to_str().ok()?));
                        let Some(place) = told.filter(|place| want.is_met(*place)) else {
                            break;
                        };
                        (place.1 - place.0, Some(place))
                    }
                    StatusCode::OK => (u64::MAX, None),
                    // A file shorter than the range, or a host that knows no ranges.
                    StatusCode::RANGE_NOT_SATISFIABLE
                    | StatusCode::NOT_IMPLEMENTED
                    | StatusCode::METHOD_NOT_ALLOWED => break,
                    status => return Err(unreachable_error(url, refusal(status))),
                };
                // What breaks off is asked for again, and only then as a whole.
                let bytes = match whole(response, limit).await {
                    Ok(bytes) => bytes,
                    Err(Broken::Cut(_)) => continue,
                    Err(Broken::Large) => break,
                };
                let length = bytes.len() as u64;
                match place {
                    Some((from, to, _)) if to - from != length => break,
                    Some((offset, _, size)) => {
                        return Ok(Some(Part {
                            bytes,
                            offset,
                            size,
                        }));
                    }
                    None => {
                        return Ok(Some(Part {
                            bytes,
                            offset: 0,
                            size: length,
                        }));
                    }
                }
            }
            if let Ok(mut hosts) = self.rangeless.lock() {
                hosts.push(host);
            }
        }
        Ok(match self.file(url, u64::MAX).await? {
            Fetched::Whole(bytes) => Some(Part {
                size: bytes.len() as u64,
                bytes,
                offset: 0,
            }),
            Fetched::Missing | Fetched::Large => None,
        })
    }
}

/// What an answer to a request for the rest of a file holds.
pub(super) enum Rest {
    /// There is no such file.
    Missing,
    /// Nothing comes after what is here.
    Nothing,
    /// The file from a place on, which is the one asked for or the start.
    From {
        /// The place.
        start: u64,
        /// The tag by which a later request knows the same content.
        tag: Option<String>,
        /// The pieces to come.
        body: Response,
    },
}

impl Client {
    /// Asks for a file from a place on; `tag` is what an earlier answer named the content by.
    pub(super) async fn rest(
        &self,
        url: &Url,
        from: u64,
        tag: Option<&str>,
    ) -> Result<Rest, IndexError> {
        let mut headers = HeaderMap::new();
        let mut set = |name, value: &str| {
            if let Ok(value) = value.parse() {
                headers.insert(name, value);
            }
        };
        set(ACCEPT_ENCODING, "identity");
        if from > 0 {
            set(RANGE, &format!("bytes={from}-"));
            // Where the content is another by now, all of it is sent (RFC 9110, 13.1.5).
            if let Some(tag) = tag {
                set(IF_RANGE, tag);
            }
        }
        let response = self.get(url, &headers).await?;
        let start = match response.status() {
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(Rest::Missing),
            StatusCode::RANGE_NOT_SATISFIABLE => return Ok(Rest::Nothing),
            StatusCode::PARTIAL_CONTENT => {
                let told = response.headers().get(CONTENT_RANGE);
                let told = told.and_then(|value| content_range(value.to_str().ok()?));
                match told {
                    Some((start, _, _)) if start == from => from,
                    _ => {
                        let detail = "the server sent another part than was asked for";
                        return Err(integrity(url, detail.to_owned()));
                    }
                }
            }
            status if !status.is_success() => {
                return Err(unreachable_error(url, refusal(status)));
            }
            _ => 0,
        };
        let tag = response.headers().get(ETAG);
        let tag = tag.and_then(|value| value.to_str().ok());
        // A weak one does not promise the same bytes.
        let tag = tag.filter(|tag| !tag.starts_with("W/")).map(str::to_owned);
        Ok(Rest::From {
            start,
            tag,
            body: response,
        })
    }
}

/// Which part of a file is wanted.
#[derive(Debug, Clone, Copy)]
pub enum Want {
    /// The last bytes.
    Last(u64),
    /// From, to (exclusive).
    Between(u64, u64),
}

impl Want {
    /// Reports whether an answer's own account of itself is what was asked for. One that
    /// is off by a byte would be taken for a damaged archive.
    fn is_met(self, (from, to, size): (u64, u64, u64)) -> bool {
        let plausible = from < to && to <= size;
        plausible
            && match self {
                Self::Last(length) => to == size && from == size.saturating_sub(length),
                Self::Between(first, end) => from == first && to == end.min(size),
            }
    }
}

/// Why a body is not there.
enum Broken {
    /// It broke off, and why.
    Cut(String),
    /// It is larger than it may be.
    Large,
}

/// Receives a body of at most `limit` bytes, counted after unpacking: what is a few
/// bytes on the way may be gigabytes here.
async fn whole(mut response: Response, limit: u64) -> Result<Vec<u8>, Broken> {
    let told = response.content_length().unwrap_or(0);
    if told > limit {
        return Err(Broken::Large);
    }
    // A length that is only claimed reserves no memory to speak of.
    let mut body = Vec::with_capacity(usize::try_from(told.min(1 << 20)).unwrap_or(0));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if (body.len() + chunk.len()) as u64 > limit => {
                return Err(Broken::Large);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(Broken::Cut(causes(&error))),
        }
    }
}

fn is_pytorch(url: &Url) -> bool {
    url.host_str()
        .is_some_and(|host| host == "pytorch.org" || host.ends_with(".pytorch.org"))
}

fn refusal(status: StatusCode) -> String {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => format!(
            "the server answered {status}: it wants credentials, which go into a netrc file"
        ),
        _ => format!("the server answered {status}"),
    }
}

pub(super) fn unreachable_error(url: &Url, detail: String) -> IndexError {
    IndexError::Unreachable {
        url: redact(url.as_str()),
        detail,
    }
}

pub(super) fn integrity(url: &Url, detail: String) -> IndexError {
    IndexError::Integrity {
        url: redact(url.as_str()),
        detail,
    }
}

/// Returns the innermost cause: "connection refused" says more than "error
/// sending request".
pub(super) fn causes(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    crate::package::artifact::printable(&cause.to_string())
}

fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    httpdate::parse_http_date(text)
        .ok()?
        .duration_since(std::time::SystemTime::now())
        .ok()
}

/// `bytes 100-199/5000` → from, to (exclusive) and how long the file is.
fn content_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, size) = text.strip_prefix("bytes")?.trim().split_once('/')?;
    let (from, last) = range.split_once('-')?;
    Some((
        from.trim().parse().ok()?,
        last.trim().parse::<u64>().ok()?.checked_add(1)?,
        size.trim().parse().ok()?,
    ))
}

fn fresh_for(headers: &HeaderMap) -> i64 {
    let Some(text) = headers
        .get(CACHE_CONTROL)
        .and_then(|value| value.to_str().ok())
    else {
        return FRESH;
    };
    let mut fresh = FRESH;
    for part in text.split(',').map(|part| part.trim().to_ascii_lowercase()) {
        if part == "no-store" || part == "no-cache" {
            return 0;
        }
        if let Some(seconds) = part
            .strip_prefix("max-age=")
            .and_then(|text| text.parse::<i64>().ok())
        {
            fresh = seconds;
        }
    }
    fresh
}
