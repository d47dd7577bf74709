//! The network's part of a recording: pages, what the pages leave out, metadata.

use std::collections::HashMap;
use std::sync::Arc;

use portenv::index::Patience;
use portenv::index::archive::{Tail, read_local, read_tail, wheel_metadata};
use portenv::index::cache::Cache;
use portenv::index::client::{Client, Fetched, PageAnswer, Want};
use portenv::index::page::ColdFile;
use portenv::index::project::{Stated, sdist_metadata};
use portenv::index::simple::{ListedFile, parse_page};
use portenv::package::{FileKind, Metadata, Name, Version};
use serde_json::Value;
use tokio::sync::Semaphore;
use url::Url;

/// A file larger than this is not read.
const LARGEST: u64 = 1 << 30;

/// The public index, asked with a bounded number of requests at once.
pub(crate) struct Origin {
    client: Client,
    cache: Cache,
    permits: Semaphore,
    base: String,
}

impl Origin {
    pub(crate) fn new(base: &str, cache: Cache) -> Arc<Self> {
        Arc::new(Self {
            client: Client::new(std::iter::once(base), None, Patience::default()).unwrap(),
            cache,
            permits: Semaphore::new(50),
            base: base.trim_end_matches('/').to_owned(),
        })
    }

    /// Returns the files of a package with size and time; `None` if there is no such package.
    pub(crate) async fn files(&self, name: &Name) -> Option<Vec<ListedFile>> {
        let _permit = self.permits.acquire().await.unwrap();
        let url = Url::parse(&format!("{}/{name}/", self.base)).unwrap();
        let answer = self.client.page(&url, None, None).await.unwrap();
        let PageAnswer::Body {
            content_type,
            body,
            url,
            ..
        } = answer
        else {
            return None;
        };
        let mut files = parse_page(&content_type, &body, &url).unwrap();
        if files.iter().all(|file| file.size.is_some()) {
            return Some(files);
        }
        // HTML states neither size nor time; PyPI's own document of a package has both.
        let base = self.base.strip_suffix("/simple").unwrap_or(&self.base);
        let url = Url::parse(&format!("{base}/pypi/{name}/json")).unwrap();
        let Fetched::Whole(body) = self.client.file(&url, LARGEST).await.unwrap() else {
            return None;
        };
        let document: Value = serde_json::from_slice(&body).unwrap();
        let mut facts = HashMap::new();
        for file in document["releases"].as_object()?.values().flat_map(list) {
            let time = file["upload_time_iso_8601"].as_str();
            let time = time.and_then(|text| text.parse::<jiff::Timestamp>().ok());
            let name = file["filename"].as_str().unwrap_or_default().to_owned();
            facts.insert(name, (file["size"].as_u64(), time));
        }
        for file in &mut files {
            if let Some((size, time)) = facts.get(&file.filename) {
                file.size = *size;
                file.upload_time = time.map(jiff::Timestamp::as_second);
            }
        }
        Some(files)
    }

    /// Returns metadata that an earlier run, or portenv itself, has read.
    pub(crate) fn kept(&self, file: &ColdFile) -> Option<Metadata> {
        let key = file.file.sha256()?;
        ["", "build:", "older:"]
            .iter()
            .find_map(|kind| self.cache.metadata(&format!("{kind}{key}")))
    }

    /// Reads the metadata of a file; of an sdist only what it states itself.
    pub(crate) async fn metadata(
        &self,
        name: &Name,
        version: &Version,
        file: &ColdFile,
    ) -> Result<Metadata, String> {
        let _permit = self.permits.acquire().await.unwrap();
        let url = Url::parse(&file.file.url).map_err(|error| error.to_string())?;
        let key = file.file.sha256().ok_or("it has no digest")?;
        if file.file.kind == FileKind::Sdist {
            let fetched = self.client.file(&url, LARGEST).await;
            let Fetched::Whole(bytes) = fetched.map_err(|error| error.to_string())? else {
                return Err("gone".to_owned());
            };
            return match sdist_metadata(&file.file.filename, &bytes, name, version)? {
                Stated::Whole(metadata) => {
                    self.cache.keep_metadata(key, &metadata);
                    Ok(*metadata)
                }
                Stated::NeedsBuild(Some(older)) => {
                    self.cache.keep_metadata(&format!("older:{key}"), &older);
                    Ok(*older)
                }
                Stated::NeedsBuild(None) => Err("only a build could tell".to_owned()),
            };
        }
        let metadata = Metadata::parse(&self.wheel(&url).await?);
        if !metadata.is_of(name, version) {
            return Err("its metadata is of another distribution".to_owned());
        }
        self.cache.keep_metadata(key, &metadata);
        Ok(metadata)
    }

    async fn wheel(&self, url: &Url) -> Result<String, String> {
        let mut want = Want::Last(64 << 10);
        let mut tail: Option<(Vec<u8>, u64)> = None;
        for _ in 0..4 {
            let part = self.client.part(url, want).await;
            let part = part.map_err(|error| error.to_string())?.ok_or("gone")?;
            if part.bytes.len() as u64 == part.size {
                return wheel_metadata(&part.bytes);
            }
            let (bytes, offset) = match tail.take() {
                None => (part.bytes, part.offset),
                Some((old, at)) if part.offset + part.bytes.len() as u64 == at => {
                    ([part.bytes, old].concat(), part.offset)
                }
                Some(_) => return read_local(&part.bytes),
            };
            match read_tail(&bytes, offset, part.size)? {
                Tail::Found(text) => return Ok(text),
                Tail::Need(from, to) => want = Want::Between(from, to),
            }
            tail = Some((bytes, offset));
        }
        Err("its zip directory is damaged".to_owned())
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
