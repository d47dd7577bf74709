//! What is wrong with the metadata of an environment, whatever its files are.

use camino::{Utf8Path, Utf8PathBuf};

use super::installed::{Distribution, Installed};
use super::interpreter::Interpreter;
use crate::host::fs::{self, FsError};
use crate::package::{Metadata, Name, Version};

/// Something wrong with metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataFault {
    /// The package.
    pub package: Name,
    /// The file or directory, relative to site-packages.
    pub path: String,
    /// What is wrong, to follow the package's name.
    pub message: String,
    /// What was to be there is gone, and not only badly written.
    pub is_missing: bool,
}

/// What an installer that was cut short left: `~umpy`, which no import finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Its name.
    pub entry: String,
    /// Where it lies.
    pub path: Utf8PathBuf,
    /// The installed package that it seems to be of.
    pub of: Option<Name>,
}

/// What is wrong with the metadata of an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// By package.
    pub faults: Vec<MetadataFault>,
    /// Entries that say they are metadata and name no package and version.
    pub nameless: Vec<String>,
    /// By name.
    pub leftovers: Vec<Leftover>,
}

/// Looks at all metadata of the environment itself, not at a base beneath it.
///
/// # Errors
///
/// Fails if a site-packages directory cannot be listed.
pub fn check_metadata(interpreter: &Interpreter, installed: &Installed) -> Result<Health, FsError> {
    let mut health = Health::default();
    for dir in interpreter.site_packages() {
        for entry in fs::find_dir(&dir)? {
            let path = dir.join(&entry);
            if entry.starts_with('~') {
                let of = owner_of(&entry, installed);
                health.leftovers.push(Leftover { entry, path, of });
            } else if entry.ends_with(".dist-info") && !is_known(&path, installed) {
                health.nameless.push(entry);
            }
        }
    }
    for distribution in installed.iter().filter(|it| !it.is_fixed()) {
        let info = distribution.dir.file_name().unwrap_or_default();
        for (file, message, is_missing) in faults_of(distribution) {
            health.faults.push(MetadataFault {
                package: distribution.name.clone(),
                path: format!("{info}/{file}"),
                message,
                is_missing,
            });
        }
    }
    for (name, dir) in &installed.doubled {
        let other = dir.file_name().unwrap_or_default();
        let listed = installed.get(name);
        let listed = listed.and_then(|it| it.dir.file_name()).unwrap_or_default();
        health.faults.push(MetadataFault {
            package: name.clone(),
            path: other.to_owned(),
            message: format!("it is there twice: `{listed}` and `{other}`"),
            is_missing: false,
        });
    }
    health.faults.sort_by(|a, b| a.package.cmp(&b.package));
    Ok(health)
}

fn is_known(path: &Utf8Path, installed: &Installed) -> bool {
    installed.iter().any(|found| found.dir == path)
        || installed.doubled.iter().any(|(_, dir)| dir == path)
}

/// Returns what is wrong with one dist-info: the file in it, the words, and whether something
/// is gone. An egg-info was never made to be whole.
fn faults_of(distribution: &Distribution) -> Vec<(&'static str, String, bool)> {
    let mut faults = Vec::new();
    if distribution.dir.extension() != Some("dist-info") {
        return faults;
    }
    for part in &distribution.lacks {
        faults.push((*part, format!("its metadata lacks {part}"), false));
    }
    let lacks = |part| distribution.lacks.contains(&part);
    if !lacks("RECORD") && distribution.digest.is_none() {
        faults.push(("RECORD", "its RECORD names no file".to_owned(), false));
    }
    if !lacks("METADATA") {
        faults.extend(wrong_words(distribution).map(|words| ("METADATA", words, false)));
    }
    if let Ok(Some(bytes)) = fs::find_bytes(&distribution.dir.join("direct_url.json")) {
        let (words, is_missing) = match serde_json::from_slice::<serde_json::Value>(&bytes) {
            Err(_) => (Some("its direct_url.json is no JSON".to_owned()), false),
            Ok(value) if !value["url"].is_string() => (
                Some("its direct_url.json names no address".to_owned()),
                false,
            ),
            Ok(value) => (gone(&value), true),
        };
        faults.extend(words.map(|words| ("direct_url.json", words, is_missing)));
    }
    faults
}

/// Says how METADATA contradicts the directory that it lies in.
fn wrong_words(distribution: &Distribution) -> Option<String> {
    let metadata: Metadata = distribution.metadata();
    let name = Name::parse(&metadata.name);
    let version = metadata.version.parse::<Version>().ok();
    match (name, version) {
        (Some(name), Some(version))
            if name == distribution.name && version == distribution.version =>
        {
            None
        }
        (Some(name), Some(version)) => Some(format!("its METADATA is of {name} {version}")),
        _ => Some("its METADATA cannot be read".to_owned()),
    }
}

/// Says that the directory of an editable installation is gone.
fn gone(direct_url: &serde_json::Value) -> Option<String> {
    if direct_url["dir_info"]["editable"] != true {
        return None;
    }
    let url = url::Url::parse(direct_url["url"].as_str()?).ok()?;
    let path = Utf8PathBuf::from_path_buf(url.to_file_path().ok()?).ok()?;
    (!fs::exists(&path)).then(|| format!("it is installed in place from `{path}`, which is gone"))
}

/// Finds the installed package that a leftover is of. pip puts `~`, and where that is taken
/// further signs, in the place of as many letters of the name.
fn owner_of(entry: &str, installed: &Installed) -> Option<Name> {
    let stem = entry.strip_suffix(".dist-info").unwrap_or(entry);
    let name = stem.split_once('-').map_or(stem, |(name, version)| {
        let is_version = version.starts_with(|c: char| c.is_ascii_digit());
        if is_version { name } else { stem }
    });
    let rest = name.trim_start_matches(|c: char| "-~.=%".contains(c) || c.is_ascii_digit());
    let rest = rest.to_lowercase().replace(['_', '.'], "-");
    let mut fitting = installed.iter().map(|found| &found.name).filter(|name| {
        let text = name.as_str();
        !rest.is_empty() && text.len() > rest.len() && text.ends_with(&rest)
    });
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Some(one.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leftover_is_of_the_one_package_that_its_letters_fit() {
        let mut installed = Installed::default();
        for name in ["numpy", "opencv-python", "my-python"] {
            let dir = Utf8PathBuf::from(format!("/site/{name}-1.dist-info"));
            let name = Name::parse(name).expect("a name");
            let version = "1".parse().expect("a version");
            installed.add(Distribution::new(name, version, dir, Vec::new()));
        }
        let of = |entry: &str| owner_of(entry, &installed).map(|name| name.to_string());
        assert_eq!(of("~umpy-1.26.4.dist-info").as_deref(), Some("numpy"));
        assert_eq!(of("~-mpy").as_deref(), Some("numpy"));
        assert_eq!(
            of("~pencv_python-4.dist-info").as_deref(),
            Some("opencv-python")
        );
        assert_eq!(of("~-python"), None, "two packages end so");
        assert_eq!(of("~v2"), None);
        assert_eq!(of("~"), None);
    }
}
