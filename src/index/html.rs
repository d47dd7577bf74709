//! The anchors of an HTML page, found without a document tree.

use std::borrow::Cow;

use memchr::memchr;
use url::Url;

use super::simple::{ListedFile, address, parse_time};

/// Finds the files that a page links to. Malformed anchors are passed over.
pub fn parse(text: &str, base: &Url) -> Vec<ListedFile> {
    let mut base = base.clone();
    let mut files = Vec::new();
    let mut rest = text;
    while let Some(at) = memchr(b'<', rest.as_bytes()) {
        rest = &rest[at + 1..];
        let head = rest.as_bytes();
        let is = |word: &[u8]| {
            head.len() > word.len()
                && head[..word.len()].eq_ignore_ascii_case(word)
                && head[word.len()].is_ascii_whitespace()
        };
        if rest.starts_with("!--") {
            rest = rest.find("-->").map_or("", |end| &rest[end + 3..]);
        } else if is(b"base") {
            let (attributes, after) = attributes(&rest[4..]);
            if let Some(href) = find(&attributes, "href")
                && let Ok(joined) = base.join(href)
            {
                base = joined;
            }
            rest = after;
        } else if is(b"a") {
            let (attributes, after) = attributes(&rest[1..]);
            let shown = &after[..memchr(b'<', after.as_bytes()).unwrap_or(after.len())];
            files.extend(file(&attributes, shown, &base));
            rest = after;
        }
    }
    files
}

type Attributes<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// Reads attributes up to the `>` that ends the tag.
fn attributes(text: &str) -> (Attributes<'_>, &str) {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if rest.is_empty() {
            return (found, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (found, after);
        }
        let stop = |byte: u8| matches!(byte, b'=' | b'>') || byte.is_ascii_whitespace();
        let end = rest.bytes().position(stop).unwrap_or(rest.len());
        if end == 0 {
            // A stray `=`: pass it over.
            rest = rest[1..].trim_start();
            continue;
        }
        let name = &rest[..end];
        rest = rest[end..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let quote = after.bytes().next().filter(|c| matches!(c, b'"' | b'\''));
            (value, rest) = if let Some(quote) = quote {
                let inner = &after[1..];
                let close = memchr(quote, inner.as_bytes()).unwrap_or(inner.len());
                (&inner[..close], inner.get(close + 1..).unwrap_or(""))
            } else {
                let close = after
                    .find(|c: char| c == '>' || c.is_whitespace())
                    .unwrap_or(after.len());
                after.split_at(close)
            };
            rest = rest.trim_start();
        }
        found.push((name.trim_end_matches('/'), decode(value)));
    }
}

fn find<'a>(attributes: &'a Attributes<'_>, name: &str) -> Option<&'a str> {
    attributes
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_ref())
}

fn file(attributes: &Attributes<'_>, shown: &str, base: &Url) -> Option<ListedFile> {
    let (url, fragment) = address(find(attributes, "href")?.trim(), base)?;
    let (_, last) = url.split('?').next()?.rsplit_once('/')?;
    let filename = percent_decode(last);
    let filename = if filename.is_empty() {
        decode(shown.trim()).into_owned()
    } else {
        filename
    };
    let mut file = ListedFile {
        filename,
        requires_python: find(attributes, "data-requires-python")
            .map(str::to_owned)
            .filter(|text| !text.trim().is_empty()),
        yanked: find(attributes, "data-yanked").map(str::to_owned),
        upload_time: find(attributes, "data-upload-time").and_then(parse_time),
        size: None,
        ..ListedFile::default()
    };
    if let Some((algorithm, hex)) = fragment
        .as_deref()
        .and_then(|fragment| fragment.split('&').find_map(|pair| pair.split_once('=')))
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        file.hashes
            .insert(algorithm.to_ascii_lowercase(), hex.to_ascii_lowercase());
    }
    file.metadata = find(attributes, "data-core-metadata")
        .or_else(|| find(attributes, "data-dist-info-metadata"))
        .filter(|value| !value.eq_ignore_ascii_case("false"))
        .map(|value| value.strip_prefix("sha256=").map(str::to_ascii_lowercase));
    file.url = url;
    Some(file)
}

/// Decodes the entities that index pages use.
fn decode(text: &str) -> Cow<'_, str> {
    if memchr(b'&', text.as_bytes()).is_none() {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // No entity is longer, so that a text of `&` alone takes no quadratic time.
        let end = rest.bytes().take(11).position(|byte| byte == b';');
        let decoded = end.and_then(|end| {
            let entity = &rest[1..end];
            match entity {
                "gt" => Some('>'),
                "lt" => Some('<'),
                "amp" => Some('&'),
                "quot" => Some('"'),
                "apos" => Some('\''),
                _ => {
                    let number = entity.strip_prefix('#')?;
                    let code = match number.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                        None => number.parse().ok()?,
                    };
                    char::from_u32(code)
                }
            }
        });
        match (decoded, end) {
            (Some(c), Some(end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            _ => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out.into()
}

/// Decodes `%2B` and the like; a broken escape stays as it is.
pub(super) fn percent_decode(text: &str) -> String {
    if memchr(b'%', text.as_bytes()).is_none() {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .filter(|hex| !hex.starts_with('+'));
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
