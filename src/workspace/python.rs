//! Which Python is the installation's own.

use camino::{Utf8Path, Utf8PathBuf};

use super::discover::{Installation, Layout};
use crate::host::fs;

/// Why a Python was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PythonReason {
    /// Named on the command line.
    Flag,
    /// Named in `portenv.toml`.
    Settings,
    /// It lies in the installation.
    Layout,
    /// `VIRTUAL_ENV` or `CONDA_PREFIX` names it.
    Environment,
    /// The first on PATH.
    Path,
}

impl PythonReason {
    /// Returns the reason in words.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Flag => "named on the command line",
            Self::Settings => "named in portenv.toml",
            Self::Layout => "it lies in the installation",
            Self::Environment => "the active environment",
            Self::Path => "the first on PATH",
        }
    }
}

/// A chosen Python.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonChoice {
    /// The interpreter.
    pub path: Utf8PathBuf,
    /// Why this one.
    pub reason: PythonReason,
}

/// Why no Python could be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PythonError {
    /// There is none.
    #[error("no Python for this installation: looked in {looked}")]
    None {
        /// Where it was looked for.
        looked: String,
    },
    /// The one named is not there.
    #[error("there is no Python at `{path}`")]
    Missing {
        /// The path named.
        path: Utf8PathBuf,
    },
    /// Two are equally likely.
    #[error("two Pythons could be this installation's: `{first}` and `{second}`")]
    Ambiguous {
        /// One.
        first: Utf8PathBuf,
        /// The other.
        second: Utf8PathBuf,
    },
}

/// What the machine's environment says about Pythons.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// `VIRTUAL_ENV`, else `CONDA_PREFIX`.
    pub active: Option<Utf8PathBuf>,
    /// The directories of `PATH`.
    pub path: Vec<Utf8PathBuf>,
}

/// Returns the interpreter of an environment's folder, if there is one.
pub fn interpreter_in(dir: &Utf8Path) -> Option<Utf8PathBuf> {
    [
        "bin/python",
        "bin/python3",
        "Scripts/python.exe",
        "python.exe",
        "python",
    ]
    .iter()
    .map(|name| dir.join(name))
    .find(|path| fs::is_file(path))
}

/// Chooses the Python by flag, settings, layout and surroundings, in this order.
///
/// # Errors
///
/// Fails if the one named is missing, if there is none, or if two environments of
/// the installation carry torch and nothing decides.
pub fn choose_python(
    installation: &Installation,
    flag: Option<&Utf8Path>,
    around: &Surroundings,
) -> Result<PythonChoice, PythonError> {
    let named = flag
        .map(|path| (path.to_owned(), PythonReason::Flag))
        .or_else(|| {
            let path = installation.settings.installation.python.as_ref()?;
            Some((installation.root.join(path), PythonReason::Settings))
        });
    if let Some((path, reason)) = named {
        let path = if fs::is_dir(&path) {
            interpreter_in(&path).unwrap_or(path)
        } else {
            path
        };
        let path = std::path::absolute(&path)
            .ok()
            .and_then(|p| Utf8PathBuf::from_path_buf(p).ok())
            .unwrap_or(path);
        return if fs::is_file(&path) {
            Ok(PythonChoice { path, reason })
        } else {
            Err(PythonError::Missing { path })
        };
    }
    let dirs = candidate_dirs(installation);
    let found: Vec<Utf8PathBuf> = dirs
        .iter()
        .filter(|dir| interpreter_in(dir).is_some())
        .cloned()
        .collect();
    let found = each_once(found);
    let chosen = match found.as_slice() {
        [] => None,
        [one] => Some(one),
        several => {
            let with_torch: Vec<&Utf8PathBuf> =
                several.iter().filter(|dir| carries_torch(dir)).collect();
            match with_torch.as_slice() {
                [first, second, ..] => match launched(installation, &with_torch) {
                    Some(dir) => Some(dir),
                    None => {
                        return Err(PythonError::Ambiguous {
                            first: (*first).clone(),
                            second: (*second).clone(),
                        });
                    }
                },
                [first, ..] => Some(*first),
                [] => several.first(),
            }
        }
    };
    if let Some(path) = chosen.and_then(|dir| interpreter_in(dir)) {
        return Ok(PythonChoice {
            path,
            reason: PythonReason::Layout,
        });
    }
    if let Some(path) = around.active.as_deref().and_then(interpreter_in) {
        return Ok(PythonChoice {
            path,
            reason: PythonReason::Environment,
        });
    }
    for dir in &around.path {
        for name in ["python3", "python", "python3.exe", "python.exe"] {
            let path = dir.join(name);
            if fs::is_file(&path) {
                return Ok(PythonChoice {
                    path,
                    reason: PythonReason::Path,
                });
            }
        }
    }
    let looked: Vec<&str> = dirs.iter().map(|dir| dir.as_str()).collect();
    Err(PythonError::None {
        looked: format!("{} and PATH", looked.join(", ")),
    })
}

/// A link to another candidate is that candidate.
fn each_once(dirs: Vec<Utf8PathBuf>) -> Vec<Utf8PathBuf> {
    let mut seen = std::collections::BTreeSet::new();
    let real = |dir: &Utf8PathBuf| fs::canonical(dir).unwrap_or_else(|_| dir.clone());
    dirs.into_iter()
        .filter(|dir| seen.insert(real(dir)))
        .collect()
}

/// Finds the one that ComfyUI is started with: by a launcher's own marker, by
/// the start scripts, by the newest log.
fn launched<'a>(installation: &Installation, dirs: &[&'a Utf8PathBuf]) -> Option<&'a Utf8PathBuf> {
    let only = |is: &dyn Fn(&Utf8Path) -> bool| {
        let mut fitting = dirs.iter().copied().filter(|dir| is(dir));
        fitting.next().filter(|_| fitting.next().is_none())
    };
    let scripts = start_scripts(&installation.root);
    let by_log = || {
        let path = logged_python(installation)?;
        only(&|dir| path.starts_with(&format!("{}/", with_slashes(dir.as_str()))))
    };
    only(&|dir| fs::is_file(&dir.join(".comfy_environment")))
        .or_else(|| only(&|dir| names_dir(&scripts, installation.root.as_path(), dir)))
        .or_else(by_log)
}

fn with_slashes(text: &str) -> String {
    text.replace('\\', "/")
}

fn read_lossily(path: &Utf8Path) -> String {
    let bytes = fs::find_bytes(path).ok().flatten().unwrap_or_default();
    with_slashes(&String::from_utf8_lossy(&bytes))
}

/// Returns the text of all start scripts at the root.
fn start_scripts(root: &Utf8Path) -> String {
    fs::find_dir(root)
        .unwrap_or_default()
        .iter()
        .filter(|name| {
            let ending = Utf8Path::new(name).extension().unwrap_or("");
            matches!(ending, "bat" | "cmd" | "ps1" | "sh" | "command")
        })
        .map(|name| read_lossily(&root.join(name)))
        .collect()
}

/// Reports whether a script names the directory: `venv/` does not stand in `.venv/`.
fn names_dir(scripts: &str, root: &Utf8Path, dir: &Utf8Path) -> bool {
    let shown = with_slashes(dir.strip_prefix(root).unwrap_or(dir).as_str());
    let name = format!("{shown}/");
    scripts.match_indices(&name).any(|(at, _)| {
        let before = scripts[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'))
    })
}

/// Returns the interpreter that the newest log of ComfyUI tells of.
fn logged_python(installation: &Installation) -> Option<String> {
    let core = installation.comfyui.as_ref().unwrap_or(&installation.root);
    let (_, log) = [core.join("user"), core.clone()]
        .iter()
        .flat_map(|dir| {
            let names = fs::find_dir(dir).unwrap_or_default();
            names.into_iter().map(|name| dir.join(name))
        })
        .filter(|path| {
            path.extension() == Some("log")
                && path
                    .file_name()
                    .is_some_and(|name| name.starts_with("comfyui"))
        })
        .filter_map(|path| Some((fs::stamp(&path).ok()?.1, path)))
        .max()?;
    let text = read_lossily(&log);
    let (_, told) = text.rsplit_once("Python executable:")?;
    Some(told.lines().next()?.trim().to_owned())
}

fn candidate_dirs(installation: &Installation) -> Vec<Utf8PathBuf> {
    let root = &installation.root;
    if fs::is_dir(&root.join("standalone-env")) {
        return vec![root.join("ComfyUI/.venv"), root.join("envs/default")];
    }
    let mut dirs = vec![root.join("python_embeded"), root.join("python_embedded")];
    let mut homes = vec![root.clone()];
    if let Some(core) = &installation.comfyui
        && core != root
    {
        homes.push(core.clone());
    }
    if installation.layout == Layout::Checkout
        && let Some(parent) = root.parent()
    {
        homes.push(parent.to_owned());
    }
    for home in homes {
        for name in [".venv", "venv", "env"] {
            dirs.push(home.join(name));
        }
    }
    dirs
}

fn carries_torch(dir: &Utf8Path) -> bool {
    let windows = dir.join("Lib/site-packages/torch");
    if fs::is_dir(&windows) {
        return true;
    }
    fs::find_dir(&dir.join("lib"))
        .unwrap_or_default()
        .iter()
        .any(|name| fs::is_dir(&dir.join("lib").join(name).join("site-packages/torch")))
}
