//! Index pages in both forms, and what an index says about one file.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Format;
use crate::support::{Artifact, Sdist, Wheel, sha256};

/// A file with what only an index knows about it.
#[derive(Clone, Debug)]
pub(crate) struct Hosted {
    pub(super) artifact: Artifact,
    yanked: Option<String>,
    upload_time: Option<String>,
    pub(super) metadata: bool,
    hashes: bool,
}

impl Hosted {
    /// Marks the file as yanked (PEP 592); an empty reason is allowed and differs from not yanked.
    pub(crate) fn yanked(mut self, reason: &str) -> Self {
        self.yanked = Some(reason.into());
        self
    }

    /// Sets the time that `exclude-newer` goes by; only JSON pages show it.
    pub(crate) fn upload_time(mut self, time: &str) -> Self {
        self.upload_time = Some(time.into());
        self
    }

    /// Leaves the time out, as indexes without PEP 700 do for every file.
    pub(crate) fn without_upload_time(mut self) -> Self {
        self.upload_time = None;
        self
    }

    /// Neither advertises nor serves metadata for this file, whatever the server's option says.
    pub(crate) fn without_metadata(mut self) -> Self {
        self.metadata = false;
        self
    }

    /// Leaves the hash out of the page, as private indexes may.
    pub(crate) fn without_hash(mut self) -> Self {
        self.hashes = false;
        self
    }
}

impl From<Artifact> for Hosted {
    fn from(artifact: Artifact) -> Self {
        Self {
            metadata: artifact.is_wheel(),
            artifact,
            yanked: None,
            upload_time: Some("2026-01-01T00:00:00Z".into()),
            hashes: true,
        }
    }
}

impl From<Wheel> for Hosted {
    fn from(wheel: Wheel) -> Self {
        wheel.build().into()
    }
}

impl From<Sdist> for Hosted {
    fn from(sdist: Sdist) -> Self {
        sdist.build().into()
    }
}

/// Content type and body of a page.
pub(super) type Page = (&'static str, String);

/// Lists the projects of an index (`/simple/`), which resolvers should not need.
pub(super) fn root<'a>(projects: impl Iterator<Item = &'a str>, format: Format) -> Page {
    match format {
        Format::Json => {
            let projects: Vec<_> = projects.map(|name| json!({ "name": name })).collect();
            let page = json!({ "meta": { "api-version": "1.1" }, "projects": projects });
            (content_type(format), page.to_string())
        }
        Format::Html => {
            let links = projects.map(|name| format!("<a href=\"{name}/\">{name}</a><br/>\n"));
            (
                content_type(format),
                html("Simple index", &links.collect::<String>()),
            )
        }
    }
}

/// Lists the files of a project; `files_url` is where they lie, `metadata` the server's option.
pub(super) fn project(
    name: &str,
    files: &[&Hosted],
    files_url: &str,
    metadata: bool,
    format: Format,
) -> Page {
    match format {
        Format::Json => {
            let mut versions: Vec<_> = files.iter().map(|file| version(file)).collect();
            versions.sort_unstable();
            versions.dedup();
            let files: Vec<_> = files
                .iter()
                .map(|file| json_file(file, files_url, metadata))
                .collect();
            let page = json!({
                "meta": { "api-version": "1.1" },
                "name": name,
                "versions": versions,
                "files": files,
            });
            (content_type(format), page.to_string())
        }
        Format::Html => {
            // Relative to `<index>/simple/<name>/`, so a client must join and not concatenate.
            let links = files
                .iter()
                .map(|file| html_link(file, "../../files", metadata));
            let title = format!("Links for {name}");
            (
                content_type(format),
                html(&title, &links.collect::<String>()),
            )
        }
    }
}

/// Returns the content type of pages.
pub(super) fn content_type(format: Format) -> &'static str {
    match format {
        Format::Json => "application/vnd.pypi.simple.v1+json",
        Format::Html => "text/html; charset=utf-8",
    }
}

/// Returns what a network that wants a sign-in would answer: well-formed, and nothing to do with
/// packages.
pub(super) fn garbage(format: Format) -> Page {
    let body = match format {
        Format::Json => r#"{"meta": {"api-version": "1.1"}, "files": "please sign in"}"#.into(),
        Format::Html => "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>\n\
            <form method=\"post\"><input name=\"user\"><input type=\"password\" name=\"word\"></form>\n\
            <a href=\"/help\">Help</a>\n</body></html>\n"
            .into(),
    };
    (content_type(format), body)
}

fn json_file(file: &Hosted, files_url: &str, metadata: bool) -> Value {
    let artifact = &file.artifact;
    let mut entry = json!({
        "filename": artifact.filename,
        "url": format!("{files_url}/{}", in_url(&artifact.filename)),
        "hashes": {},
        "size": artifact.bytes.len(),
        "yanked": false,
    });
    if file.hashes {
        entry["hashes"] = json!({ "sha256": artifact.sha256 });
    }
    if let Some(specifier) = &artifact.requires_python {
        entry["requires-python"] = json!(specifier);
    }
    if let Some(time) = &file.upload_time {
        entry["upload-time"] = json!(time);
    }
    if let Some(reason) = &file.yanked {
        entry["yanked"] = if reason.is_empty() {
            json!(true)
        } else {
            json!(reason)
        };
    }
    if metadata && file.metadata {
        // The second name is from before PEP 714; PyPI sends both.
        let digest = json!({ "sha256": sha256(artifact.metadata.as_bytes()) });
        entry["core-metadata"] = digest.clone();
        entry["data-dist-info-metadata"] = digest;
    }
    entry
}

fn html_link(file: &Hosted, files_url: &str, metadata: bool) -> String {
    let artifact = &file.artifact;
    let mut link = format!("<a href=\"{files_url}/{}", in_url(&artifact.filename));
    if file.hashes {
        write!(link, "#sha256={}", artifact.sha256).unwrap();
    }
    link.push('"');
    let mut attribute = |name: &str, value: &str| {
        write!(link, " {name}=\"{}\"", in_html(value)).unwrap();
    };
    if let Some(specifier) = &artifact.requires_python {
        attribute("data-requires-python", specifier);
    }
    if let Some(reason) = &file.yanked {
        attribute("data-yanked", reason);
    }
    if metadata && file.metadata {
        let digest = format!("sha256={}", sha256(artifact.metadata.as_bytes()));
        attribute("data-core-metadata", &digest);
        attribute("data-dist-info-metadata", &digest);
    }
    writeln!(link, ">{}</a><br/>", in_html(&artifact.filename)).unwrap();
    link
}

fn html(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html>\n<head>\n\
         <meta name=\"pypi:repository-version\" content=\"1.1\">\n\
         <title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
    )
}

/// Escapes `<` and `>` of specifiers and quotes of yank reasons.
fn in_html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Escapes the `+` of local versions, as download.pytorch.org does; lists then hold both spellings.
fn in_url(filename: &str) -> String {
    filename.replace('%', "%25").replace('+', "%2B")
}

/// Returns the version as the file name has it.
fn version(file: &Hosted) -> String {
    let name = &file.artifact.filename;
    let stem = name.strip_suffix(".tar.gz").unwrap_or(name);
    stem.split('-').nth(1).unwrap_or_default().to_owned()
}
