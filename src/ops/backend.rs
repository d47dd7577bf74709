//! The torch backend of an installation: which build it is, and which index it is from.
//!
//! torch's local label says it best (`+cu128`). Builds of PyPI have none, so the packages
//! beside it tell; builds by others have labels of their own, and nobody but the user knows
//! their index.

use camino::Utf8Path;
use schemars::JsonSchema;
use serde::Serialize;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, value};

use super::changes::ChangeInfo;
use super::context::Site;
use super::error::OpError;
use crate::environment::{Distribution, Installed, Origination};
use crate::host::fs;
use crate::index::IndexLocation;
use crate::index::config::PYPI;
use crate::package::target::{Arch, Os};
use crate::package::{Name, Platform, Source, Version, redact};
use crate::workspace::Settings;
use crate::workspace::settings::IndexTable;

/// Where PyTorch's own builds are, a folder for each backend.
const PYTORCH: &str = "https://download.pytorch.org/whl";

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// NVIDIA's.
    Cuda,
    /// AMD's.
    Rocm,
    /// Intel's.
    Xpu,
    /// The processor.
    Cpu,
    /// Apple's.
    Mps,
    /// Built by someone else than PyTorch; its label says for what.
    Vendor,
}

impl BackendKind {
    /// Returns the word that JSON has.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Rocm => "rocm",
            Self::Xpu => "xpu",
            Self::Cpu => "cpu",
            Self::Mps => "mps",
            Self::Vendor => "vendor",
        }
    }
}

/// The backend of an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Backend {
    /// What computes.
    pub kind: BackendKind,
    /// The version of CUDA or ROCm, as in `12.8`.
    pub version: Option<String>,
    /// torch's local label, as in `cu128`; none for a build of PyPI.
    pub tag: Option<String>,
    /// The tags of torch's wheel.
    pub wheel: Vec<String>,
    /// The index it is from, where that is known.
    pub index: Option<String>,
    /// What was concluded from, one sentence each.
    pub evidence: Vec<String>,
}

/// What was found about torch, and what does not fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The backend.
    pub backend: Backend,
    /// Things to be told: code and message.
    pub warnings: Vec<(&'static str, String)>,
}

/// An address of an index that a start or update script of the installation names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptIndex {
    /// The script, relative to the root.
    pub file: String,
    /// The address.
    pub url: String,
}

/// Looks for the backend; `None` without torch.
pub fn find_backend(
    installed: &Installed,
    platform: &Platform,
    scripts: &[ScriptIndex],
    settings: &Settings,
) -> Option<Found> {
    let torch = get(installed, "torch")?;
    let tag = local_label(&torch.version);
    let mut backend = Backend {
        kind: BackendKind::Vendor,
        version: None,
        tag: tag.clone(),
        wheel: torch.tags().to_vec(),
        index: None,
        evidence: vec![format!("torch {} is installed", torch.version)],
    };
    if let [first, ..] = torch.tags() {
        backend
            .evidence
            .push(format!("its wheel is tagged {first}"));
    }
    let direct = direct_url(torch);
    if let Some(url) = &direct {
        backend
            .evidence
            .push(format!("it was installed from {url}"));
    }
    let siblings = siblings(installed);
    let rocm_sdk = installed
        .iter()
        .find(|found| found.name.as_str() == "rocm" || found.name.as_str().starts_with("rocm-sdk"));
    match &tag {
        Some(label) => {
            (backend.kind, backend.version) = read_label(label);
            // PyTorch's wheels carry ROCm in them; AMD's ask for it as packages.
            if backend.kind == BackendKind::Rocm && rocm_sdk.is_some() {
                backend.kind = BackendKind::Vendor;
            }
            if backend.kind != BackendKind::Vendor {
                let channel = if torch.version.is_dev() {
                    "/nightly"
                } else {
                    ""
                };
                backend.index = Some(format!("{PYTORCH}{channel}/{}", folder_of(label)));
            }
        }
        None => plain(&mut backend, installed, platform),
    }
    backend.evidence.extend(siblings);
    let mut warnings = Vec::new();
    disagreements(installed, tag.as_deref(), backend.kind, &mut warnings);
    for script in scripts {
        let shown = redact(&script.url);
        backend
            .evidence
            .push(format!("{} names {shown}", script.file));
        let folder = pytorch_folder(&script.url);
        if let (Some(theirs), Some(index)) = (&folder, &backend.index)
            && pytorch_folder(index).as_ref() != Some(theirs)
            && tag.is_some()
        {
            warnings.push((
                "backend-conflict",
                format!(
                    "torch {} is not from {shown}, which {} installs from: running that script would replace it",
                    torch.version, script.file
                ),
            ));
        }
    }
    of_settings(&backend, torch, scripts, settings, &mut warnings);
    Some(Found { backend, warnings })
}

fn get<'i>(installed: &'i Installed, name: &str) -> Option<&'i Distribution> {
    installed.get(&Name::parse(name)?)
}

/// Returns the text behind `+`.
pub fn local_label(version: &Version) -> Option<String> {
    let text = version.to_string();
    text.split_once('+').map(|(_, label)| label.to_owned())
}

/// Returns the local label of a version and PyTorch's index for it, if it is one of theirs.
pub fn index_of_label(version: &Version) -> Option<(String, String)> {
    let label = local_label(version)?;
    let (kind, _) = read_label(&label);
    let url = format!("{PYTORCH}/{}", folder_of(&label));
    (kind != BackendKind::Vendor).then_some((label, url))
}

/// Reads a local label of PyTorch's own: `cu128`, `rocm6.4`, `xpu`, `cpu`. Any other is
/// of somebody else, even if it begins alike.
fn read_label(label: &str) -> (BackendKind, Option<String>) {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    if label == "xpu" {
        return (BackendKind::Xpu, None);
    }
    if label == "cpu" || label == "cpu.cxx11.abi" {
        return (BackendKind::Cpu, None);
    }
    if let Some(digits) = label.strip_prefix("cu")
        && is_number(digits)
        && (2..=3).contains(&digits.len())
    {
        return (BackendKind::Cuda, Some(cuda_version(digits)));
    }
    if let Some(version) = label.strip_prefix("rocm") {
        let parts: Vec<&str> = version.split('.').collect();
        if (2..=3).contains(&parts.len()) && parts.iter().all(|part| is_number(part)) {
            return (BackendKind::Rocm, Some(version.to_owned()));
        }
    }
    (BackendKind::Vendor, None)
}

/// Puts the point back: the last digit is the minor version.
fn cuda_version(digits: &str) -> String {
    let (major, minor) = digits.split_at(digits.len() - 1);
    format!("{major}.{minor}")
}

fn folder_of(label: &str) -> String {
    label.replace(".cxx11.abi", "-cxx11-abi")
}

/// Returns the folder that an address of PyTorch's leads to, nightly ones told apart.
fn pytorch_folder(url: &str) -> Option<String> {
    let rest = url.split_once("download.pytorch.org/whl/")?.1;
    let mut parts = rest.split('/').filter(|part| !part.is_empty());
    match parts.next()? {
        channel @ ("nightly" | "test") => Some(format!("{channel}/{}", parts.next()?)),
        folder => Some(folder.to_owned()),
    }
}

fn direct_url(distribution: &Distribution) -> Option<String> {
    match &distribution.origination {
        Origination::Direct(Source::Url { url, .. }) => Some(redact(url)),
        Origination::Direct(Source::Git(vcs)) => Some(redact(&vcs.url)),
        _ => None,
    }
}

/// Judges a torch without a local label: PyPI has one build for each platform.
fn plain(backend: &mut Backend, installed: &Installed, platform: &Platform) {
    // PyPI takes no wheel for a Linux that it does not name.
    let homemade = backend.wheel.iter().any(|tags| {
        tags.rsplit('-')
            .next()
            .is_some_and(|platform| platform.starts_with("linux_"))
    });
    if homemade {
        let text = "a wheel for any Linux at all is not from PyPI";
        backend.evidence.push(text.to_owned());
        return;
    }
    backend.index = Some(PYPI.to_owned());
    let runtime = installed.iter().find(|found| {
        let name = found.name.as_str();
        name == "nvidia-cuda-runtime" || name.starts_with("nvidia-cuda-runtime-cu")
    });
    backend.kind = match (platform.os(), platform.arch()) {
        (Os::MacOs(..), Arch::Aarch64) => BackendKind::Mps,
        (Os::MacOs(..) | Os::Windows, _) => BackendKind::Cpu,
        (Os::Linux(..) | Os::Musl(..), arch) if runtime.is_some() || arch == Arch::X86_64 => {
            BackendKind::Cuda
        }
        (Os::Linux(..) | Os::Musl(..), _) => BackendKind::Cpu,
    };
    if backend.kind == BackendKind::Cuda
        && let Some(runtime) = runtime
    {
        let release = runtime.version.release();
        let numbers: Vec<String> = release.iter().take(2).map(ToString::to_string).collect();
        backend.version = Some(numbers.join("."));
    }
    let triple = platform.triple();
    backend.evidence.push(format!(
        "without a local label it is PyPI's build for {triple}"
    ));
}

/// Lists the packages beside torch that tell its backend.
fn siblings(installed: &Installed) -> Vec<String> {
    let telling = |name: &str| {
        matches!(
            name,
            "torchvision" | "torchaudio" | "torch-directml" | "intel-extension-for-pytorch"
        ) || ["nvidia-cuda-runtime", "nvidia-cudnn", "rocm"]
            .iter()
            .any(|start| name.starts_with(start))
            || name.contains("triton")
    };
    installed
        .iter()
        .filter(|found| telling(found.name.as_str()))
        .map(|found| format!("beside it is {} {}", found.name, found.version))
        .collect()
}

/// Names the companions that were built for something else than torch was.
fn disagreements(
    installed: &Installed,
    tag: Option<&str>,
    kind: BackendKind,
    warnings: &mut Vec<(&'static str, String)>,
) {
    let shown = |tag: Option<&str>| match tag {
        Some(tag) => format!("for {tag}"),
        None => "without a label".to_owned(),
    };
    for name in ["torchvision", "torchaudio"] {
        let Some(found) = get(installed, name) else {
            continue;
        };
        let theirs = local_label(&found.version);
        let theirs = theirs.as_deref();
        let is_pytorch = theirs.is_some_and(|label| read_label(label).0 != BackendKind::Vendor);
        // Vendors label each package by its own commit, so that theirs differ means nothing.
        let differ = theirs != tag && (kind != BackendKind::Vendor || is_pytorch);
        if differ {
            let message = format!(
                "{name} {} was built {}, but torch {}: they do not work together",
                found.version,
                shown(theirs),
                shown(tag)
            );
            warnings.push(("backend-conflict", message));
        }
    }
}

/// Compares with what `portenv.toml` says, and asks for what only the user knows.
fn of_settings(
    backend: &Backend,
    torch: &Distribution,
    scripts: &[ScriptIndex],
    settings: &Settings,
    warnings: &mut Vec<(&'static str, String)>,
) {
    let version = &torch.version;
    match (assigned(settings), &backend.index) {
        (Some(table), Some(index)) => {
            let (theirs, ours) = (pytorch_folder(&table.url), pytorch_folder(index));
            // Of a mirror nothing is known, and it may well have these builds.
            if let (Some(theirs), Some(ours)) = (theirs, ours)
                && theirs != ours
            {
                let message = format!(
                    "portenv.toml takes torch from {theirs} (index `{}`), but torch {version} is of {ours}",
                    table.name
                );
                warnings.push(("backend-conflict", message));
            }
        }
        (Some(_), None) => {}
        (None, Some(_)) if backend.tag.is_none() => {}
        (None, Some(index)) => warnings.push((
            "backend-index",
            format!(
                "torch {version} is of {index}, which portenv.toml does not name; portenv init adds it"
            ),
        )),
        (None, None) => {
            let guess = scripts
                .iter()
                .map(|script| redact(&script.url))
                .find(|url| pytorch_folder(url).is_none());
            let guess = guess.as_deref().unwrap_or("URL");
            let message = format!(
                "torch {version} was built by a vendor whose index is not known, so it stays as it is installed; \
                 where it is from, write to portenv.toml: [[index]] name = \"torch-vendor\", url = \"{guess}\", packages = [\"@torch\"]"
            );
            warnings.push(("backend-index", message));
        }
    }
}

/// Returns the index that the settings assign torch to.
pub fn assigned(settings: &Settings) -> Option<&IndexTable> {
    let torch = Name::parse("torch")?;
    settings.index.iter().find(|table| {
        let location = IndexLocation {
            packages: table.packages.clone(),
            ..IndexLocation::general(&table.url)
        };
        location.claims(&torch)
    })
}

/// Looks for the backend of an installation.
pub fn of_site(site: &Site, installed: &Installed) -> Option<Found> {
    let installation = &site.installation;
    let scripts = script_indexes(&installation.root);
    let platform = &site.target.platform;
    find_backend(installed, platform, &scripts, &installation.settings)
}

/// Reads which indexes the batch files of a portable folder install from.
fn script_indexes(root: &Utf8Path) -> Vec<ScriptIndex> {
    const FLAGS: [&str; 3] = ["--extra-index-url", "--index-url", "-i"];
    let mut found: Vec<ScriptIndex> = Vec::new();
    for dir in ["", "update"] {
        for name in fs::find_dir(&root.join(dir)).unwrap_or_default() {
            if !name.to_ascii_lowercase().ends_with(".bat") {
                continue;
            }
            let file = Utf8Path::new(dir).join(&name);
            // One that cannot be read tells nothing.
            let Ok(Some(bytes)) = fs::find_bytes(&root.join(&file)) else {
                continue;
            };
            let text = String::from_utf8_lossy(&bytes).replace('=', " ");
            let lines = text.lines().filter(|line| line.contains("torch"));
            for line in lines {
                let words: Vec<&str> = line.split_whitespace().collect();
                for pair in words.windows(2) {
                    let url = pair[1].trim_matches(['"', '\'']);
                    if FLAGS.contains(&pair[0]) && url.starts_with("http") {
                        let index = ScriptIndex {
                            file: file.as_str().replace('\\', "/"),
                            url: url.to_owned(),
                        };
                        if !found.contains(&index) {
                            found.push(index);
                        }
                    }
                }
            }
        }
    }
    found
}

/// Returns the text of `portenv.toml` with the backend's index in it; `None` if there is
/// nothing to add: a build of PyPI, one by a vendor, or torch has an index already.
///
/// # Errors
///
/// Fails if the text is not TOML.
pub fn with_index(
    text: &str,
    settings: &Settings,
    backend: &Backend,
) -> Result<Option<String>, OpError> {
    let (Some(tag), Some(url)) = (&backend.tag, &backend.index) else {
        return Ok(None);
    };
    if assigned(settings).is_some() {
        return Ok(None);
    }
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error| OpError::Policy(format!("portenv.toml: {error}")))?;
    let taken = |name: &str| settings.index.iter().any(|table| table.name == name);
    let folder = folder_of(tag);
    let name = (1..=settings.index.len() + 1)
        .map(|count| match count {
            1 => format!("pytorch-{folder}"),
            count => format!("pytorch-{folder}-{count}"),
        })
        .find(|name| !taken(name))
        .unwrap_or_default();
    let packages = Array::from_iter(["@torch"]);
    // What stands last in the file stays before the table that comes behind it.
    let mut before = String::new();
    if document.get("index").is_none() {
        let last = document.trailing().as_str();
        last.unwrap_or_default().clone_into(&mut before);
        document.set_trailing("");
    }
    let index = document
        .entry("index")
        .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    match index {
        Item::ArrayOfTables(tables) => {
            let mut table = Table::new();
            table.insert("name", value(name));
            table.insert("url", value(url));
            table.insert("packages", value(packages));
            table.decor_mut().set_prefix(format!(
                "{before}\n# torch and its companions come from here and nowhere else.\n"
            ));
            tables.push(table);
        }
        Item::Value(toml_edit::Value::Array(array)) => {
            let mut table = InlineTable::new();
            table.insert("name", name.into());
            table.insert("url", url.as_str().into());
            table.insert("packages", packages.into());
            array.push(table);
        }
        _ => {
            let message = "portenv.toml: `index` is not a list of tables";
            return Err(OpError::Policy(message.to_owned()));
        }
    }
    let edited = document.to_string();
    Ok(Some(if text.contains("\r\n") {
        edited.replace("\r\n", "\n").replace('\n', "\r\n")
    } else {
        edited
    }))
}

/// Says of a plan that it would take another build of torch than the one that is there.
pub fn change_warnings(changes: &[ChangeInfo]) -> Vec<(&'static str, String)> {
    let label = |version: &Option<String>| {
        let version = version.as_deref()?;
        Some(
            version
                .split_once('+')
                .map_or("", |(_, label)| label)
                .to_owned(),
        )
    };
    let torch = changes
        .iter()
        .filter(|change| change.name.as_str() == "torch");
    let moved = torch.filter_map(|change| {
        let (from, to) = (label(&change.from)?, label(&change.to)?);
        let shown = |label: &str| match label {
            "" => "PyPI's build".to_owned(),
            label => format!("a build for {label}"),
        };
        (from != to).then(|| {
            let message = format!(
                "torch would become {} in place of {}; the accelerator may be lost with it",
                shown(&to),
                shown(&from)
            );
            ("backend-change", message)
        })
    });
    moved.collect()
}
