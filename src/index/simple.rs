//! Index pages as JSON (PEP 691, PEP 700) or HTML (PEP 503) → files.

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::folder::is_distribution;
use super::html;
use crate::package::Hashes;

/// One file of a page, as the index states it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedFile {
    /// The file's name.
    pub filename: String,
    /// Its absolute URL, fragment removed.
    pub url: String,
    /// Its digests.
    pub hashes: Hashes,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// The Pythons it is for.
    pub requires_python: Option<String>,
    /// Withdrawn, with the reason (PEP 592).
    pub yanked: Option<String>,
    /// Seconds since 1970.
    pub upload_time: Option<i64>,
    /// Its metadata can be had alone (PEP 658), with its digest if told.
    pub metadata: Option<Option<String>>,
}

#[derive(Deserialize)]
struct JsonPage<'a> {
    #[serde(borrow)]
    files: Vec<JsonFile<'a>>,
    #[serde(default)]
    meta: JsonMeta,
}

#[derive(Deserialize, Default)]
struct JsonMeta {
    #[serde(rename = "api-version", default)]
    api_version: String,
}

#[derive(Deserialize)]
struct JsonFile<'a> {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: Hashes,
    #[serde(default)]
    size: Option<u64>,
    #[serde(rename = "requires-python", default)]
    requires_python: Option<String>,
    #[serde(default, borrow)]
    yanked: Option<&'a RawValue>,
    #[serde(rename = "upload-time", default)]
    upload_time: Option<String>,
    #[serde(rename = "core-metadata", default, borrow)]
    core_metadata: Option<&'a RawValue>,
    #[serde(rename = "dist-info-metadata", default, borrow)]
    dist_info_metadata: Option<&'a RawValue>,
}

/// Parses a page by its content type; `base` is the page's own URL.
///
/// # Errors
///
/// Returns what is wrong with the page as a whole. Single odd files are kept for
/// the caller to judge.
pub fn parse_page(content_type: &str, body: &[u8], base: &Url) -> Result<Vec<ListedFile>, String> {
    let kind = content_type
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase();
    if kind.ends_with("+json") || kind == "application/json" {
        return parse_json(body, base);
    }
    if kind.ends_with("+html") || kind == "text/html" || kind == "application/xhtml+xml" {
        let text = String::from_utf8_lossy(body);
        let files = html::parse(&text, base);
        let lists = |file: &ListedFile| is_distribution(&file.filename);
        if !files.iter().any(lists) {
            is_index_page(text.as_bytes(), files.is_empty())?;
        }
        return Ok(files);
    }
    Err(format!(
        "the content type `{}` is not an index page",
        crate::package::artifact::printable(&kind)
    ))
}

fn parse_json(body: &[u8], base: &Url) -> Result<Vec<ListedFile>, String> {
    let page: JsonPage<'_> = serde_json::from_slice(body)
        .map_err(|error| format!("the page is not the JSON of an index: {error}"))?;
    if !page.meta.api_version.is_empty() && !page.meta.api_version.starts_with("1.") {
        return Err(format!(
            "the page has API version {}, which is not known",
            crate::package::artifact::printable(&page.meta.api_version)
        ));
    }
    let files = page.files.into_iter().filter_map(|file| {
        let (url, _) = address(&file.url, base)?;
        let hashes = if file
            .hashes
            .iter()
            .all(|(kind, hex)| is_lower(kind) && is_lower(hex))
        {
            file.hashes
        } else {
            let lower = file.hashes.into_iter();
            lower
                .map(|(kind, hex)| (kind.to_ascii_lowercase(), hex.to_ascii_lowercase()))
                .collect()
        };
        Some(ListedFile {
            filename: file.filename,
            url,
            hashes,
            size: file.size,
            requires_python: file.requires_python.filter(|text| !text.trim().is_empty()),
            yanked: file.yanked.and_then(yanked),
            upload_time: file.upload_time.as_deref().and_then(parse_time),
            metadata: file
                .core_metadata
                .or(file.dist_info_metadata)
                .and_then(advertised),
        })
    });
    Ok(files.collect())
}

/// `yanked` is a bool or a reason.
fn yanked(raw: &RawValue) -> Option<String> {
    match serde_json::from_str(raw.get()) {
        Ok(serde_json::Value::Bool(true)) => Some(String::new()),
        Ok(serde_json::Value::String(reason)) => Some(reason),
        _ => None,
    }
}

/// `core-metadata` is a bool or a table of digests.
#[expect(
    clippy::option_option,
    reason = "told or not, and with a digest or without"
)]
fn advertised(raw: &RawValue) -> Option<Option<String>> {
    match serde_json::from_str(raw.get()) {
        Ok(serde_json::Value::Bool(true)) => Some(None),
        Ok(serde_json::Value::Object(hashes)) => Some(
            hashes
                .get("sha256")
                .and_then(|hex| hex.as_str())
                .map(str::to_ascii_lowercase),
        ),
        _ => None,
    }
}

/// Reads a time of the index; an unreadable one counts as not told.
pub(super) fn parse_time(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>()
        .ok()
        .map(jiff::Timestamp::as_second)
}

pub(super) fn bare(mut url: Url) -> String {
    url.set_fragment(None);
    url.into()
}

fn is_lower(text: &str) -> bool {
    !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// What pages of indexes and listings of directories say, were they never so empty.
const SIGNS: [&str; 5] = [
    "pypi:repository-version",
    "links for",
    "index of",
    "directory listing",
    "simple index",
];

/// Tells a page that lists no distribution from a sign-in page and the like, which a
/// network may put in place of any answer: that must not count as "no such version".
///
/// A page with a sign of an index is one. Without any, a page with a form is none, and
/// neither is one without links.
fn is_index_page(text: &[u8], no_links: bool) -> Result<(), String> {
    let holds = |word: &str| holds_ignoring_case(text, word.as_bytes());
    if !["<a ", "<html", "<!doctype"].into_iter().any(holds) {
        return Err("the answer says it is HTML but is not a page".to_owned());
    }
    let is_form = ["<form", "type=password", "type=\"password\""]
        .into_iter()
        .any(holds);
    if SIGNS.into_iter().any(holds) || !no_links && !is_form {
        return Ok(());
    }
    let what = if is_form {
        "asks to sign in or the like"
    } else {
        "has no links"
    };
    Err(format!("the answer is not a page of an index: it {what}"))
}

/// Reports whether a text holds a word in any case.
fn holds_ignoring_case(text: &[u8], word: &[u8]) -> bool {
    let (Some(&first), length) = (word.first(), word.len()) else {
        return true;
    };
    memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), text).any(|at| {
        text.get(at..at + length)
            .is_some_and(|found| found.eq_ignore_ascii_case(word))
    })
}

/// Returns the absolute address that a link means, and its fragment.
pub(super) fn address(link: &str, base: &Url) -> Option<(String, Option<String>)> {
    let (bare, fragment) = match link.split_once('#') {
        Some((bare, fragment)) => (bare, Some(fragment)),
        None => (link, None),
    };
    if is_normal(bare) && fragment.is_none_or(is_plain) {
        return Some((bare.to_owned(), fragment.map(str::to_owned)));
    }
    let mut url = base.join(link).ok()?;
    let fragment = url.fragment().map(str::to_owned);
    url.set_fragment(None);
    Some((url.into(), fragment))
}

fn is_plain(text: &str) -> bool {
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+' | b'=' | b'/');
    text.bytes().all(plain)
}

/// Reports whether parsing an address would leave it as it is. Most are so, and
/// a project has thousands.
fn is_normal(link: &str) -> bool {
    let Some((host, path)) = link
        .strip_prefix("https://")
        .and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    let by_name = |b: u8| b.is_ascii_lowercase() || b == b'.' || b == b'-';
    // A label of digits or beyond ASCII is parsed in ways of its own.
    host.starts_with(|c: char| c.is_ascii_lowercase())
        && host.ends_with(|c: char| c.is_ascii_lowercase())
        && !host.contains("xn--")
        && host.bytes().all(by_name)
        && is_plain(path)
        && !path.starts_with('.')
        && !path.contains("/.")
}
