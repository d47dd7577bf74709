//! Small valid wheels, made in memory.

use std::io::{Cursor, Write};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::artifact::{Artifact, Core, escaped, normalised, sha256};

/// Builds a wheel that pip and uv install.
///
/// Without a file of its own it carries `<name>/__init__.py` with `__version__`, so a test can
/// ask Python itself which version it imports.
#[derive(Clone, Debug)]
pub(crate) struct Wheel {
    core: Core,
    tag: String,
    files: Vec<(String, Vec<u8>)>,
    raw_metadata: Option<String>,
}

impl Wheel {
    /// Starts a pure-Python wheel without dependencies.
    pub(crate) fn new(name: &str, version: &str) -> Self {
        Self {
            core: Core::new(name, version, "2.1"),
            tag: "py3-none-any".into(),
            files: Vec::new(),
            raw_metadata: None,
        }
    }

    /// Adds a `Requires-Dist`; the text may carry a marker, `extra == "gpu"` too.
    pub(crate) fn requires(mut self, requirement: &str) -> Self {
        self.core.requires.push(requirement.into());
        self
    }

    /// Sets `Requires-Python`, in the metadata and on the index page.
    pub(crate) fn requires_python(mut self, specifier: &str) -> Self {
        self.core.requires_python = Some(specifier.into());
        self
    }

    /// Declares an extra; what it brings is said by [`Wheel::requires`] with a marker.
    pub(crate) fn extra(mut self, name: &str) -> Self {
        self.core.extras.push(name.into());
        self
    }

    /// Sets the tag as it stands in the file name, with a build number (`1-py3-none-any`) if wanted.
    pub(crate) fn tag(mut self, tag: &str) -> Self {
        self.tag = tag.into();
        self
    }

    /// Adds a member. A path under the `.dist-info` directory is fine: `entry_points.txt` comes so.
    pub(crate) fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.push((path.into(), content.as_ref().to_vec()));
        self
    }

    /// Sets `Metadata-Version`.
    pub(crate) fn metadata_version(mut self, version: &str) -> Self {
        self.core.metadata_version = version.into();
        self
    }

    /// Replaces the whole `METADATA`, for wheels that lie about themselves or can't be read.
    pub(crate) fn raw_metadata(mut self, text: &str) -> Self {
        self.raw_metadata = Some(text.into());
        self
    }

    /// Builds the file. RECORD comes last, since a range request that reads the end then gets all
    /// of `.dist-info`, as with wheels in the wild.
    pub(crate) fn build(self) -> Artifact {
        let stem = format!(
            "{}-{}",
            escaped(&self.core.name),
            self.core.version.replace('-', "_")
        );
        let info = format!("{stem}.dist-info");
        let metadata = self.raw_metadata.unwrap_or_else(|| self.core.text());

        let mut members = self.files;
        if members.is_empty() {
            members.push((
                format!("{}/__init__.py", escaped(&self.core.name)),
                format!("__version__ = \"{}\"\n", self.core.version).into_bytes(),
            ));
        }
        members.push((format!("{info}/METADATA"), metadata.clone().into_bytes()));
        members.push((format!("{info}/WHEEL"), wheel_file(&self.tag).into_bytes()));
        let record = record(&members, &info);
        members.push((format!("{info}/RECORD"), record.into_bytes()));

        let bytes = zipped(&members);
        Artifact {
            project: normalised(&self.core.name),
            filename: format!("{stem}-{}.whl", self.tag),
            sha256: sha256(&bytes),
            bytes,
            metadata,
            requires_python: self.core.requires_python,
        }
    }
}

/// Prints `WHEEL`; a compressed tag such as `py2.py3-none-any` is one line for each tag it means.
fn wheel_file(tag: &str) -> String {
    let parts: Vec<&str> = tag.split('-').collect();
    let (build, [python, abi, platform]) = match parts[..] {
        [python, abi, platform] => (None, [python, abi, platform]),
        [build, python, abi, platform] => (Some(build), [python, abi, platform]),
        _ => panic!("a wheel tag has three parts, or four with a build number: {tag}"),
    };
    let mut lines = vec![
        "Wheel-Version: 1.0".to_owned(),
        "Generator: portenv-tests".to_owned(),
        format!("Root-Is-Purelib: {}", platform == "any"),
    ];
    for python in python.split('.') {
        for abi in abi.split('.') {
            for platform in platform.split('.') {
                lines.push(format!("Tag: {python}-{abi}-{platform}"));
            }
        }
    }
    lines.extend(build.map(|build| format!("Build: {build}")));
    lines.join("\n") + "\n"
}

/// Prints RECORD, itself included without a digest as the format demands.
fn record(members: &[(String, Vec<u8>)], info: &str) -> String {
    let lines = members.iter().map(|(path, content)| {
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(content));
        let path = if path.contains([',', '"']) {
            format!("\"{}\"", path.replace('"', "\"\""))
        } else {
            path.clone()
        };
        format!("{path},sha256={digest},{}\n", content.len())
    });
    lines.collect::<String>() + &format!("{info}/RECORD,,\n")
}

/// Packs members with the time zip counts from, as reproducible builds do.
fn zipped(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in members {
        zip.start_file(path.as_str(), options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}
