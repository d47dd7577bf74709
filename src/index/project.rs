//! What a project's own files say about it: an sdist, an archive, a checkout or a
//! directory. Nothing is run and nothing is extracted to disk.

use std::io::{Cursor, Read};

use camino::Utf8Path;
use flate2::read::GzDecoder;

use super::archive::{LIMIT, unpack};
use crate::host::fs;
use crate::package::artifact::printable;
use crate::package::metadata::parse_egg_requires;
use crate::package::{Metadata, Name, Version};

/// What all telling members of an archive may have together.
const TOGETHER: usize = 64 << 20;
/// What an archive may unpack to: a few bytes may be packed gigabytes.
const UNPACKED: u64 = 4 << 30;
/// A member's name in a tar archive that is longer than this is none.
const LONG_NAME: u64 = 64 << 10;
/// An archive with more members than this is none of a project.
const MOST: usize = 200_000;

/// The files of a project that say something about it, by path from its directory.
#[derive(Debug, Default)]
pub struct Members {
    /// Those that say something about it, with their text.
    telling: Vec<(String, String)>,
    /// There is code that only a compiler understands.
    has_sources: bool,
}

/// What a build backend or a build's requirement is called that compiles.
const COMPILING: [&str; 14] = [
    "cffi",
    "cmake",
    "cython",
    "maturin",
    "meson-python",
    "mesonpy",
    "mypyc",
    "nanobind",
    "pybind11",
    "scikit-build",
    "scikit_build",
    "setuptools-rust",
    "setuptools_rust",
    "torch",
];

/// What a `setup.py` or the settings of setuptools say of what they compile.
const EXTENSIONS: [&str; 7] = [
    "Extension(",
    "cffi_modules",
    "cythonize",
    "ext-modules",
    "ext_modules",
    "mypycify",
    "rust_extensions",
];

/// What a project says about itself.
#[derive(Debug, PartialEq, Eq)]
pub enum Stated {
    /// It states its metadata, binding for any build.
    Whole(Box<Metadata>),
    /// Only a build can tell; here is older evidence, if there is any.
    NeedsBuild(Option<Box<Metadata>>),
}

impl Members {
    /// Reads the members of an archive; `subdirectory` is the project's directory
    /// below the archive's own one.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the archive.
    pub fn of_archive(
        filename: &str,
        bytes: &[u8],
        subdirectory: Option<&str>,
    ) -> Result<Self, String> {
        if filename.to_ascii_lowercase().ends_with(".zip") {
            zip_members(bytes, subdirectory)
        } else {
            tar_members(bytes, subdirectory)
        }
    }

    /// Reads a project's directory.
    pub fn of_directory(dir: &Utf8Path) -> Self {
        let mut found = Vec::new();
        let mut add = |name: String| {
            let path = dir.join(&name);
            // A link may lead to a device, which would be read forever.
            let fits = fs::is_file(&path) && fs::stamp(&path).is_ok_and(|(size, _)| size <= LIMIT);
            if fits && let Ok(bytes) = fs::read_bytes(&path) {
                found.push((name, String::from_utf8_lossy(&bytes).into_owned()));
            }
        };
        for name in ["PKG-INFO", "pyproject.toml", "setup.cfg", "setup.py"] {
            add(name.to_owned());
        }
        Self {
            telling: found,
            has_sources: false,
        }
    }

    /// Reports whether a build compiles something; `None` if that cannot be told. Nothing
    /// is run: what a `setup.py` asks for is looked for in its text.
    pub fn compiles(&self) -> Option<bool> {
        let project = self.get("pyproject.toml").and_then(parse_table);
        let system = project.as_ref().and_then(|table| table.get("build-system"));
        // As text: names of backends and of requirements alike.
        let system = system.map(|table| table.to_string().to_ascii_lowercase());
        if system.is_some_and(|text| COMPILING.iter().any(|word| text.contains(word))) {
            return Some(true);
        }
        let told = ["setup.py", "setup.cfg", "pyproject.toml"];
        let mut told = told.iter().filter_map(|name| self.get(name));
        if told.any(|text| EXTENSIONS.iter().any(|word| text.contains(word))) {
            return Some(true);
        }
        // A script may find its sources in a way of its own.
        let may = self.has_sources && self.get("setup.py").is_some();
        (!may).then_some(false)
    }

    /// Keeps a member if it says something about the project.
    fn take(&mut self, path: &str, member: impl Read) -> Result<(), String> {
        self.has_sources |= is_source(path);
        if !is_telling(path) {
            return Ok(());
        }
        let bytes = unpack(member).map_err(|detail| {
            let path = printable(path);
            format!("its `{path}` {detail}")
        })?;
        let before: usize = self.telling.iter().map(|(_, text)| text.len()).sum();
        if before + bytes.len() > TOGETHER {
            return Err("it has too much metadata".to_owned());
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.telling.push((path.to_owned(), text));
        Ok(())
    }

    fn get(&self, path: &str) -> Option<&str> {
        self.telling
            .iter()
            .find(|(name, _)| name == path)
            .map(|(_, text)| text.as_str())
    }

    /// Says what the project states: PKG-INFO from 2.2 on, else a static `[project]`,
    /// else what older files say, which binds nobody.
    ///
    /// `expected` are name and version that the file's name promises. Without them the
    /// project's own are taken; a version that only a build can tell is `0` in the
    /// evidence.
    ///
    /// # Errors
    ///
    /// Fails if the project is another one than expected.
    pub fn stated(&self, expected: Option<(&Name, &Version)>) -> Result<Stated, String> {
        let info = self.get("PKG-INFO").map(Metadata::parse);
        let of_another = |info: &Metadata| {
            let found = printable(&format!("{} {}", info.name, info.version));
            format!("its PKG-INFO is of `{found}`")
        };
        if let (Some(info), Some((name, version))) = (&info, expected) {
            let named = !info.name.is_empty();
            if named && Name::parse(&info.name).as_ref() != Some(name)
                || info.is_static() && !info.is_of(name, version)
            {
                return Err(of_another(info));
            }
        }
        if let Some(info) = info.as_ref().filter(|info| info.is_static()) {
            return Ok(Stated::Whole(Box::new(info.clone())));
        }
        let project = self.get("pyproject.toml").and_then(parse_table);
        let declared = project.as_ref().and_then(declared);
        let mut older = match &declared {
            Some(metadata) => metadata.clone(),
            None => self.older(info),
        };
        if let Some((name, version)) = expected {
            older.name = name.to_string();
            older.version = version.to_string();
        } else {
            let told = self.name_and_version(project.as_ref());
            if older.name.is_empty() {
                older.name = told.0.unwrap_or_default();
            }
            if older.version.is_empty() {
                older.version = told.1.unwrap_or_default();
            }
        }
        let complete = !older.name.is_empty() && !older.version.is_empty();
        let declares_version =
            |table: &toml::Table| table.get("project")?.get("version")?.as_str().map(|_| ());
        if declared.is_some()
            && complete
            && (expected.is_some() || project.as_ref().and_then(declares_version).is_some())
        {
            return Ok(Stated::Whole(Box::new(older)));
        }
        if older.name.is_empty() {
            return Ok(Stated::NeedsBuild(None));
        }
        let has_egg = self
            .telling
            .iter()
            .any(|(path, _)| path.contains(".egg-info/"));
        let is_evidence = declared.is_some() || has_egg || !older.requires_dist.is_empty();
        if !is_evidence && expected.is_some() {
            return Ok(Stated::NeedsBuild(None));
        }
        if older.version.is_empty() {
            "0".clone_into(&mut older.version);
        }
        older.unverified = true;
        Ok(Stated::NeedsBuild(Some(Box::new(older))))
    }

    /// What PKG-INFO before 2.2 and the egg-info of an earlier build say.
    fn older(&self, info: Option<Metadata>) -> Metadata {
        let mut older = info.unwrap_or_default();
        if older.requires_dist.is_empty() {
            let egg = self
                .telling
                .iter()
                .find(|(path, _)| path.ends_with(".egg-info/requires.txt"));
            let (requires, extras) = parse_egg_requires(egg.map_or("", |(_, text)| text));
            older.requires_dist = requires;
            older.provides_extra = extras;
        }
        older
    }

    /// Looks for name and version in all files that may state them; `setup.py` is
    /// read as text and never run.
    fn name_and_version(&self, project: Option<&toml::Table>) -> (Option<String>, Option<String>) {
        let mut found: (Option<String>, Option<String>) = (None, None);
        let mut take = |key: &str, value: Option<String>| {
            let slot = if key == "name" {
                &mut found.0
            } else {
                &mut found.1
            };
            if slot.is_none() {
                *slot = value;
            }
        };
        let tables = project.into_iter().flat_map(|table| {
            let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
            [table.get("project"), poetry]
        });
        for table in tables.flatten() {
            for key in ["name", "version"] {
                let value = table.get(key).and_then(|value| value.as_str());
                take(key, value.map(str::to_owned));
            }
        }
        for key in ["name", "version"] {
            let of_cfg = self.get("setup.cfg").and_then(|text| cfg_value(text, key));
            take(key, of_cfg);
            take(
                key,
                self.get("setup.py").and_then(|text| literal(text, key)),
            );
        }
        let fits = |text: &String| Name::parse(text).is_some();
        let is_version = |text: &String| text.parse::<Version>().is_ok();
        (found.0.filter(fits), found.1.filter(is_version))
    }
}

fn parse_table(text: &str) -> Option<toml::Table> {
    text.trim_start_matches('\u{feff}').parse().ok()
}

/// Reads `[project]` if nothing that we need is dynamic (PEP 621).
fn declared(table: &toml::Table) -> Option<Metadata> {
    let project = table.get("project")?.as_table()?;
    let dynamic: Vec<&str> = project
        .get("dynamic")
        .and_then(|list| list.as_array())
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_str())
        .collect();
    if ["dependencies", "optional-dependencies", "requires-python"]
        .iter()
        .any(|field| dynamic.contains(field))
    {
        return None;
    }
    let texts = |value: &toml::Value| -> Option<Vec<String>> {
        value
            .as_array()?
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect()
    };
    let text = |key: &str| project.get(key).and_then(|text| text.as_str());
    let mut metadata = Metadata {
        name: text("name").unwrap_or_default().to_owned(),
        version: text("version").unwrap_or_default().to_owned(),
        metadata_version: "2.4".to_owned(),
        requires_python: text("requires-python").map(str::to_owned),
        ..Metadata::default()
    };
    if let Some(list) = project.get("dependencies") {
        metadata.requires_dist = texts(list)?;
    }
    if let Some(groups) = project
        .get("optional-dependencies")
        .and_then(|groups| groups.as_table())
    {
        for (extra, list) in groups {
            metadata.provides_extra.push(extra.clone());
            for text in texts(list)? {
                let (base, marker) = cut_marker(&text);
                let marker =
                    marker.map_or(String::new(), |marker| format!("({}) and ", marker.trim()));
                metadata
                    .requires_dist
                    .push(format!("{} ; {marker}extra == '{extra}'", base.trim()));
            }
        }
    }
    Some(metadata)
}

/// Cuts a requirement before its marker; a URL may hold a semicolon of its own.
fn cut_marker(text: &str) -> (&str, Option<&str>) {
    let mark = if text.contains("://") { " ;" } else { ";" };
    text.split_once(mark)
        .map_or((text, None), |(base, marker)| (base, Some(marker)))
}

/// Finds a plain value of `[metadata]` in setup.cfg; `attr:` and `file:` are none.
fn cfg_value(text: &str, key: &str) -> Option<String> {
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line.trim() == "[metadata]";
        } else if inside
            && !line.starts_with([' ', '\t'])
            && let Some((name, value)) = line.split_once(['=', ':'])
            && name.trim() == key
        {
            let value = value.trim();
            let plain = !value.is_empty() && !value.contains([':', ' ']);
            return plain.then(|| value.to_owned());
        }
    }
    None
}

/// Finds `key = "text"` in Python source, as an argument of `setup()` has it.
fn literal(text: &str, key: &str) -> Option<String> {
    text.match_indices(key).find_map(|(at, _)| {
        let starts_a_word = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let value = text[at + key.len()..].trim_start().strip_prefix('=')?;
        let value = value.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (inside, _) = value[1..].split_once(quote)?;
        (starts_a_word && !inside.is_empty()).then(|| inside.to_owned())
    })
}

/// The members that say something about a project, by path within its directory.
fn is_telling(path: &str) -> bool {
    matches!(
        path,
        "PKG-INFO" | "pyproject.toml" | "setup.cfg" | "setup.py"
    ) || path.ends_with(".egg-info/requires.txt")
        || path.ends_with(".egg-info/PKG-INFO")
}

/// Reports whether a member is code that only a compiler understands. Those of tests and
/// examples are not what a build compiles.
fn is_source(path: &str) -> bool {
    const ENDINGS: [&str; 9] = [
        ".c", ".cc", ".cpp", ".cu", ".cxx", ".f90", ".pyx", ".rs", ".swg",
    ];
    let aside = ["test", "tests", "doc", "docs", "example", "examples"];
    ENDINGS.iter().any(|ending| path.ends_with(ending))
        && !path.split('/').any(|part| aside.contains(&part))
}

/// Returns a member's path within the project, if it lies there.
fn inner<'p>(path: &'p str, subdirectory: Option<&str>) -> Option<&'p str> {
    let path = path.trim_start_matches("./");
    let rest = match path.split_once('/') {
        // A member that climbs or starts at the root is none of the project.
        Some(("" | "..", _)) => return None,
        Some((_, rest)) => rest,
        None => path,
    };
    match subdirectory {
        Some(dir) => rest.strip_prefix(dir.trim_matches('/'))?.strip_prefix('/'),
        None => Some(rest),
    }
}

/// Walks over the entries as they stand in the archive: the names that the tar crate
/// would read ahead by itself may be gigabytes long.
fn tar_members(bytes: &[u8], subdirectory: Option<&str>) -> Result<Members, String> {
    let damaged = |error: std::io::Error| format!("it cannot be unpacked: {error}");
    let mut archive = tar::Archive::new(GzDecoder::new(bytes).take(UNPACKED));
    let mut members = Members::default();
    let mut long_name = None;
    for (count, entry) in archive.entries().map_err(damaged)?.raw(true).enumerate() {
        if count > MOST {
            return Err("it has too many members".to_owned());
        }
        let mut entry = entry.map_err(damaged)?;
        let kind = entry.header().entry_type();
        if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
            if entry.size() > LONG_NAME {
                return Err("a name in it is too long".to_owned());
            }
            let mut header = Vec::new();
            entry.read_to_end(&mut header).map_err(damaged)?;
            long_name = if kind.is_gnu_longname() {
                header.truncate(
                    header
                        .iter()
                        .position(|&byte| byte == 0)
                        .unwrap_or(header.len()),
                );
                Some(header)
            } else {
                pax_path(&header).or(long_name)
            };
            continue;
        }
        let path = long_name
            .take()
            .unwrap_or_else(|| entry.path_bytes().into_owned());
        let path = String::from_utf8_lossy(&path).into_owned();
        if let Some(path) = inner(&path, subdirectory)
            && kind.is_file()
        {
            members.take(path, entry)?;
        }
    }
    Ok(members)
}

/// Finds the path among the records of an extended header, `LENGTH KEY=VALUE` each.
fn pax_path(header: &[u8]) -> Option<Vec<u8>> {
    let records = tar::PaxExtensions::new(header).flatten();
    let path = records
        .filter(|record| record.key_bytes() == b"path")
        .last()?;
    Some(path.value_bytes().to_vec())
}

fn zip_members(bytes: &[u8], subdirectory: Option<&str>) -> Result<Members, String> {
    let damaged = |error: zip::result::ZipError| format!("it cannot be unpacked: {error}");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    if archive.len() > MOST {
        return Err("it has too many members".to_owned());
    }
    let mut members = Members::default();
    for at in 0..archive.len() {
        let entry = archive.by_index(at).map_err(damaged)?;
        let path = entry.name().map_err(damaged)?.into_owned();
        if let Some(path) = inner(&path, subdirectory)
            && entry.is_file()
        {
            members.take(path, entry)?;
        }
    }
    Ok(members)
}

/// Reads what an sdist states about itself, given the name and version that its
/// file's name promises.
///
/// # Errors
///
/// Returns what is wrong with the archive.
pub fn sdist_metadata(
    filename: &str,
    bytes: &[u8],
    name: &Name,
    version: &Version,
) -> Result<Stated, String> {
    Members::of_archive(filename, bytes, None)?.stated(Some((name, version)))
}
