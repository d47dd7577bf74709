//! Pages of a recorded package, as PyPI prints them.

use std::fmt::Write as _;

use serde_json::to_string;
use sha2::{Digest, Sha256};

use super::{
    facts::{FileFacts, ProjectFacts, VersionFacts},
    files,
};

/// Clients read ends of up to 64 KiB; twice that leaves them room.
const WHOLE: u64 = 128 << 10;

/// Returns the page as JSON (PEP 691, PEP 700), metadata advertised beside each wheel (PEP 658).
pub(super) fn json(project: &ProjectFacts, base: &str) -> String {
    let mut page = String::from("{\"files\":[");
    let mut versions = Vec::new();
    for version in project.versions.iter().rev() {
        let text = version.metadata_text(&project.name);
        let digest = hex::encode(Sha256::digest(&text));
        versions.push(quoted(&version.version));
        for file in &version.files {
            if !page.ends_with('[') {
                page.push(',');
            }
            let file = as_served(project, version, file);
            let metadata = if file.is_wheel() {
                format!("{{\"sha256\":\"{digest}\"}}")
            } else {
                "false".to_owned()
            };
            let python = file
                .requires_python
                .as_deref()
                .map_or("null".into(), quoted);
            let yanked = match file.yanked.as_deref() {
                None => "false".to_owned(),
                Some("") => "true".to_owned(),
                Some(reason) => quoted(reason),
            };
            write!(
                page,
                "{{\"core-metadata\":{metadata},\"data-dist-info-metadata\":{metadata},\
                 \"filename\":\"{}\",\"hashes\":{{\"sha256\":\"{}\"}},\"provenance\":null,\
                 \"requires-python\":{python},\"size\":{},\"upload-time\":\"{}\",\
                 \"url\":\"{}\",\"yanked\":{yanked}}}",
                file.filename,
                hex::encode(file.sha256),
                file.size,
                jiff::Timestamp::from_second(file.uploaded).unwrap_or_default(),
                url(&file, base),
            )
            .unwrap();
        }
    }
    let versions = versions.join(",");
    let name = &project.name;
    page + "],\"meta\":{\"_last-serial\":1,\"api-version\":\"1.4\"},\"name\":\""
        + name
        + "\",\"versions\":["
        + &versions
        + "]}"
}

/// Returns the page as HTML (PEP 503) that advertises nothing, as mirrors do.
pub(super) fn html(project: &ProjectFacts, base: &str) -> String {
    let title = format!("Links for {}", project.name);
    let mut page = format!(
        "<!DOCTYPE html>\n<html>\n<head>\n\
         <meta name=\"pypi:repository-version\" content=\"1.1\">\n\
         <title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    for version in project.versions.iter().rev() {
        for file in &version.files {
            let file = as_served(project, version, file);
            let digest = hex::encode(file.sha256);
            write!(page, "<a href=\"{}#sha256={digest}\"", url(&file, base)).unwrap();
            for (name, value) in [
                ("requires-python", &file.requires_python),
                ("yanked", &file.yanked),
            ] {
                if let Some(value) = value {
                    write!(page, " data-{name}=\"{}\"", in_html(value)).unwrap();
                }
            }
            writeln!(page, ">{}</a><br />", file.filename).unwrap();
        }
    }
    page + "</body>\n</html>\n"
}

/// Returns the facts of a file that may be read whole, which clients check by its digest: an
/// sdist always, a wheel that is not much larger than what they read of its end.
fn as_served(project: &ProjectFacts, version: &VersionFacts, file: &FileFacts) -> FileFacts {
    let mut served = file.clone();
    if file.is_wheel() {
        if file.size <= WHOLE {
            let tail = files::wheel_tail(project, version, file);
            let mut digest = Sha256::new();
            digest.update(vec![0; usize::try_from(tail.start).unwrap_or(0)]);
            digest.update(&tail.bytes);
            served.sha256 = digest.finalize().into();
            served.size = tail.start + tail.bytes.len() as u64;
        }
    } else {
        let bytes = files::sdist(project, version, file);
        served.size = bytes.len() as u64;
        served.sha256 = Sha256::digest(&bytes).into();
    }
    served
}

/// Returns an address as long as PyPI's are, the digest in the path, so that pages weigh the same.
fn url(file: &FileFacts, base: &str) -> String {
    let digest = hex::encode(file.sha256);
    let (first, rest) = digest.split_at(2);
    let (second, rest) = rest.split_at(2);
    // A `+` of a local version is escaped in addresses.
    let name = file.filename.replace('+', "%2B");
    format!("{base}/packages/{first}/{second}/{rest}/{name}")
}

fn quoted(text: &str) -> String {
    to_string(text).expect("text is JSON")
}

fn in_html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
