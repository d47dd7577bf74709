//! HTTP: one client for all hosts, retries with back-off, credentials by host.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RANGE, RETRY_AFTER,
};
use reqwest::{Response, StatusCode};
use url::Url;

use super::netrc;
use super::source::IndexError;
use crate::package::redact;

const PAGES: &str = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";
const ATTEMPTS: u32 = 4;
/// How often an answer that breaks off is asked for.
const WHOLE: u32 = 2;
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
    ) -> Result<Self, IndexError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("portenv/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(8))
            .read_timeout(Duration::from_secs(30))
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
                Err(error) => (causes(&error), None),
            };
            if attempt >= ATTEMPTS {
                return Err(unreachable_error(
                    url,
                    format!("{} (tried {attempt} times)", failure.0),
                ));
            }
            let back_off = Duration::from_millis(150 << (2 * (attempt - 1)));
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
            match response.bytes().await {
                Ok(body) => {
                    return Ok(PageAnswer::Body {
                        content_type,
                        body: body.into(),
                        url: final_url,
                        fresh,
                        etag,
                        last_modified,
                    });
                }
                Err(error) => last = causes(&error),
            }
        }
        Err(unreachable_error(
            url,
            format!("the page did not arrive whole: {last}"),
        ))
    }

    /// Fetches a whole file, if it is there.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be had whole.
    pub async fn file(&self, url: &Url) -> Result<Option<Vec<u8>>, IndexError> {
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT_ENCODING,
            reqwest::header::HeaderValue::from_static("identity"),
        );
        let mut last = String::new();
        for _ in 0..WHOLE {
            let response = self.get(url, &headers).await?;
            match response.status() {
                StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
                status if !status.is_success() => {
                    return Err(unreachable_error(url, refusal(status)));
                }
                _ => {}
            }
            match response.bytes().await {
                Ok(bytes) => return Ok(Some(bytes.into())),
                Err(error) => last = causes(&error),
            }
        }
        Err(IndexError::Integrity {
            url: redact(url.as_str()),
            detail: format!("the file did not arrive whole: {last}"),
        })
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
            let response = self.get(url, &headers).await?;
            match response.status() {
                StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
                StatusCode::PARTIAL_CONTENT => {
                    let place = response
                        .headers()
                        .get(CONTENT_RANGE)
                        .and_then(|value| content_range(value.to_str().ok()?));
                    if let Some((offset, size)) = place
                        && let Ok(bytes) = response.bytes().await
                    {
                        return Ok(Some(Part {
                            bytes: bytes.into(),
                            offset,
                            size,
                        }));
                    }
                }
                StatusCode::OK => {
                    if let Ok(bytes) = response.bytes().await {
                        return Ok(Some(Part {
                            size: bytes.len() as u64,
                            bytes: bytes.into(),
                            offset: 0,
                        }));
                    }
                }
                // A file shorter than the range, or a host that knows no ranges.
                StatusCode::RANGE_NOT_SATISFIABLE
                | StatusCode::NOT_IMPLEMENTED
                | StatusCode::METHOD_NOT_ALLOWED => {}
                status => return Err(unreachable_error(url, refusal(status))),
            }
            if let Ok(mut hosts) = self.rangeless.lock() {
                hosts.push(host);
            }
        }
        Ok(self.file(url).await?.map(|bytes| Part {
            size: bytes.len() as u64,
            bytes,
            offset: 0,
        }))
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

fn unreachable_error(url: &Url, detail: String) -> IndexError {
    IndexError::Unreachable {
        url: redact(url.as_str()),
        detail,
    }
}

/// Returns the innermost cause: "connection refused" says more than "error
/// sending request".
fn causes(error: &reqwest::Error) -> String {
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

/// `bytes 100-199/5000` → where it begins and how long the file is.
fn content_range(text: &str) -> Option<(u64, u64)> {
    let (range, size) = text.strip_prefix("bytes")?.trim().split_once('/')?;
    Some((
        range.split('-').next()?.trim().parse().ok()?,
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
