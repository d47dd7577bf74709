//! Finds uv: named, on PATH, in the environment, else fetched through the index.

use std::io::{Cursor, Read};
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};

use super::call::{Uv, UvError};
use crate::host::fs;
use crate::host::process::Call;
use crate::index::Index;
use crate::package::{Name, Target, Version};

/// The oldest uv that was tested; an older one is passed over.
pub const MINIMUM: [u64; 3] = [0, 13, 0];
/// The uv that is fetched when there is none.
pub const PINNED: [u64; 3] = [0, 13, 8];

/// Where to look.
pub struct Search<'a> {
    /// `--uv` or `PORTENV_UV`.
    pub named: Option<&'a Utf8Path>,
    /// The directories of PATH.
    pub path: &'a [Utf8PathBuf],
    /// The environment's Python, which may have uv as a module.
    pub python: Option<&'a Utf8Path>,
    /// Where a fetched one is kept.
    pub cache_dir: Option<&'a Utf8Path>,
    /// This machine, for the wheel to fetch.
    pub target: &'a Target,
    /// Where to fetch it from; looked at only if there is no other.
    pub index: &'a dyn Index,
}

/// Finds uv, fetching the pinned one if there is none that is new enough.
///
/// # Errors
///
/// Fails if the one named does not work, or none could be fetched.
pub fn find_uv(search: &Search<'_>) -> Result<Uv, UvError> {
    let found = look_for_uv(search.named, search.path, search.cache_dir, search.python)?;
    if let Some((uv, _)) = found {
        return Ok(uv);
    }
    let into = search.cache_dir.map(kept_path).ok_or_else(|| {
        UvError::missing("there is no uv, and without a cache none can be fetched".to_owned())
    })?;
    fetch(search, &into)?;
    Uv::at(into.as_str(), &[]).ok_or_else(|| {
        UvError::missing(format!("the uv that was fetched to `{into}` does not work"))
    })
}

/// Looks for a uv that is here and new enough; fetches none. Returns it, and why that one.
///
/// # Errors
///
/// Fails if the one named does not work.
pub fn look_for_uv(
    named: Option<&Utf8Path>,
    path: &[Utf8PathBuf],
    cache_dir: Option<&Utf8Path>,
    python: Option<&Utf8Path>,
) -> Result<Option<(Uv, &'static str)>, UvError> {
    if let Some(path) = named {
        let uv = Uv::at(path.as_str(), &[])
            .ok_or_else(|| UvError::missing(format!("`{path}` does not work as uv")))?;
        return if uv.version >= Version::new(MINIMUM) {
            Ok(Some((uv, "named by --uv or PORTENV_UV")))
        } else {
            Err(UvError::missing(format!(
                "`{path}` is uv {}, but {} or newer is needed",
                uv.version,
                Version::new(MINIMUM)
            )))
        };
    }
    let names = if cfg!(windows) { ["uv.exe"] } else { ["uv"] };
    let on_path = path
        .iter()
        .flat_map(|dir| names.iter().map(move |name| dir.join(name)));
    for path in on_path.filter(|path| fs::is_file(path)) {
        if let Some(uv) =
            Uv::at(path.as_str(), &[]).filter(|uv| uv.version >= Version::new(MINIMUM))
        {
            return Ok(Some((uv, "on PATH")));
        }
    }
    let kept = cache_dir.map(kept_path);
    if let Some(uv) = kept
        .as_ref()
        .filter(|path| fs::is_file(path))
        .and_then(|path| Uv::at(path.as_str(), &[]))
    {
        return Ok(Some((uv, "fetched before, in the cache")));
    }
    if let Some(python) = python
        && let Some(uv) =
            Uv::at(python.as_str(), &["-m", "uv"]).filter(|uv| uv.version >= Version::new(MINIMUM))
    {
        return Ok(Some((uv, "a module of the installation's Python")));
    }
    Ok(None)
}

fn kept_path(dir: &Utf8Path) -> Utf8PathBuf {
    let program = if cfg!(windows) { "uv.exe" } else { "uv" };
    dir.join("uv")
        .join(Version::new(PINNED).to_string())
        .join(program)
}

/// Fetches the pinned wheel, checks its hash, and takes the program out of it.
fn fetch(search: &Search<'_>, into: &Utf8Path) -> Result<(), UvError> {
    let name = Name::parse("uv").expect("BUG: uv is a package name");
    let version = Version::new(PINNED);
    let lacking = || {
        UvError::missing(format!(
            "there is no uv here, and the index has no uv {version} for this machine"
        ))
    };
    let page = search.index.page(&name)?.ok_or_else(lacking)?;
    let at = page.find(&version).ok_or_else(lacking)?;
    let tags = search.target.tags();
    let best = page
        .files(at)
        .iter()
        .filter(|file| file.kind() == crate::package::FileKind::Wheel)
        .filter_map(|file| Some((tags.rank(page.tag_sets().get(file.tags as usize)?)?, file)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, file)| *file)
        .and_then(|file| page.cold(file))
        .ok_or_else(lacking)?;
    if best.file.sha256().is_none() {
        return Err(UvError::missing(format!(
            "the index states no hash for uv {version}, so it is not fetched"
        )));
    }
    let wheel = search.index.download(&best.file)?;
    let bytes = fs::read_bytes(&wheel.path)?;
    let damaged =
        |detail: String| UvError::missing(format!("the wheel of uv cannot be unpacked: {detail}"));
    let mut archive =
        zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(error.to_string()))?;
    let program = into.file_name().unwrap_or("uv");
    for at in 0..archive.len() {
        let mut entry = archive
            .by_index(at)
            .map_err(|error| damaged(error.to_string()))?;
        let path = entry
            .name()
            .map_err(|error| damaged(error.to_string()))?
            .into_owned();
        if path.ends_with(&format!(".data/scripts/{program}")) {
            let mut content = Vec::new();
            entry
                .read_to_end(&mut content)
                .map_err(|error| damaged(error.to_string()))?;
            fs::write_atomic(into, &content)?;
            return Ok(fs::make_executable(into)?);
        }
    }
    Err(damaged(format!("there is no `{program}` in it")))
}

impl Uv {
    /// Asks a program for its version; `None` if it is not uv.
    pub fn at(program: &str, prefix: &[&str]) -> Option<Self> {
        let finished = Call::new(program)
            .args(prefix.iter().copied())
            .arg("--version")
            .run()
            .ok()?;
        let text = finished.ok().then(|| finished.text())?;
        let version = text.strip_prefix("uv ")?.split_whitespace().next()?;
        Some(Self {
            program: program.to_owned(),
            prefix: prefix.iter().map(|&word| word.to_owned()).collect(),
            version: Version::from_str(version).ok()?,
        })
    }
}
