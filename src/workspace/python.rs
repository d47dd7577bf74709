//! Which Python is the installation's own.

use camino::{Utf8Path, Utf8PathBuf};

use super::discover::{Installation, Layout};
use super::evidence::{self, Evidence};
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
    /// What decided where several could be it, in words.
    pub decided: Option<&'static str>,
    /// What a person should know about the choice.
    pub warnings: Vec<String>,
}

impl PythonChoice {
    /// Returns why this one, in words.
    pub fn why(&self) -> String {
        match self.decided {
            Some(decided) => format!("{}; {decided}", self.reason.shown()),
            None => self.reason.shown().to_owned(),
        }
    }
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
    /// The one named is a seed that another program owns.
    #[error(
        "`{path}` lies in `standalone-env`, the seed that environments are made from, which is never changed"
    )]
    Seed {
        /// The path named.
        path: Utf8PathBuf,
    },
    /// Two are equally likely.
    #[error("two Pythons could be this installation's: `{first}` and `{second}`{}", .why.map_or(String::new(), |why| format!(" ({why})")))]
    Ambiguous {
        /// One.
        first: Utf8PathBuf,
        /// The other.
        second: Utf8PathBuf,
        /// What speaks for each, if they differ.
        why: Option<&'static str>,
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

/// A Python that could be the installation's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The environment's folder, or what the interpreter's `bin` lies in.
    pub(super) dir: Utf8PathBuf,
    /// The interpreter.
    pub(super) path: Utf8PathBuf,
    /// How it was found.
    pub(super) reason: PythonReason,
}

impl Candidate {
    fn of_dir(dir: &Utf8Path, reason: PythonReason) -> Option<Self> {
        Some(Self {
            path: interpreter_in(dir)?,
            dir: dir.to_owned(),
            reason,
        })
    }

    /// The name by which an error names it.
    fn shown(&self) -> Utf8PathBuf {
        match self.reason {
            PythonReason::Path => self.path.clone(),
            _ => self.dir.clone(),
        }
    }

    fn chosen(&self, decided: Option<&'static str>) -> PythonChoice {
        let outside = match self.reason {
            PythonReason::Environment => Some("the active environment"),
            PythonReason::Path => Some("the first on PATH"),
            _ => None,
        };
        let warning = outside.map(|which| {
            format!(
                "this installation has no Python of its own; `{}` is used, {which}",
                self.path
            )
        });
        PythonChoice {
            path: self.path.clone(),
            reason: self.reason,
            decided,
            warnings: warning.into_iter().collect(),
        }
    }
}

/// Chooses the Python by flag, settings, layout and surroundings, in this order.
///
/// An environment in the installation is taken even if another Python is active. Of
/// several, the one with torch; of several with torch, the one that a launcher's marker,
/// a start script or the newest log names. Only one that holds something else, and
/// nothing that the core asks for, gives way to a Python around it that has torch.
///
/// # Errors
///
/// Fails if the one named is missing, if there is none, or if two are equally likely
/// and nothing decides.
pub fn choose_python(
    installation: &Installation,
    flag: Option<&Utf8Path>,
    around: &Surroundings,
) -> Result<PythonChoice, PythonError> {
    if let Some(named) = named(installation, flag)? {
        return Ok(named);
    }
    let dirs = candidate_dirs(installation);
    let inside = each_once(
        dirs.iter()
            .filter_map(|dir| Candidate::of_dir(dir, PythonReason::Layout))
            .collect(),
    );
    let evidence = Evidence::new(installation);
    let owns_its_python = matches!(installation.layout, Layout::Portable | Layout::Desktop);
    let outside = if owns_its_python {
        Vec::new()
    } else {
        outside(around)
    };
    let chosen = if inside.is_empty() {
        of_equals(&evidence, &outside, false)?
    } else {
        let ordered = installation.layout == Layout::Desktop;
        of_own(&evidence, &inside, &outside, ordered)?
    };
    chosen.ok_or_else(|| {
        let mut looked: Vec<&str> = dirs.iter().map(|dir| dir.as_str()).collect();
        if !owns_its_python {
            looked.push("PATH");
        }
        let last = looked.pop().unwrap_or_default();
        PythonError::None {
            looked: match looked.as_slice() {
                [] => last.to_owned(),
                rest => format!("{} and {last}", rest.join(", ")),
            },
        }
    })
}

fn named(
    installation: &Installation,
    flag: Option<&Utf8Path>,
) -> Result<Option<PythonChoice>, PythonError> {
    let of_settings = || {
        let path = installation.settings.installation.python.as_ref()?;
        Some((installation.root.join(path), PythonReason::Settings))
    };
    let named = flag.map(|path| (path.to_owned(), PythonReason::Flag));
    let Some((path, reason)) = named.or_else(of_settings) else {
        return Ok(None);
    };
    let path = if fs::is_dir(&path) {
        interpreter_in(&path).unwrap_or(path)
    } else {
        path
    };
    let path = std::path::absolute(&path)
        .ok()
        .and_then(|path| Utf8PathBuf::from_path_buf(path).ok())
        .unwrap_or(path);
    if !fs::is_file(&path) {
        return Err(PythonError::Missing { path });
    }
    if path.starts_with(installation.root.join("standalone-env")) {
        return Err(PythonError::Seed { path });
    }
    Ok(Some(PythonChoice {
        path,
        reason,
        decided: None,
        warnings: Vec::new(),
    }))
}

/// Chooses among the installation's own, of which there is at least one.
fn of_own(
    evidence: &Evidence<'_>,
    inside: &[Candidate],
    outside: &[Candidate],
    ordered: bool,
) -> Result<Option<PythonChoice>, PythonError> {
    let with_torch = |list: &[Candidate]| {
        let has = |candidate: &&Candidate| evidence::carries_torch(&candidate.dir);
        list.iter().filter(has).cloned().collect::<Vec<_>>()
    };
    if !with_torch(inside).is_empty() {
        return of_equals(evidence, inside, ordered);
    }
    let rivals = with_torch(outside);
    let (Some(own), Some(rival)) = (inside.first(), rivals.first()) else {
        return Ok(inside.first().map(|own| own.chosen(None)));
    };
    let both = [own.clone(), rival.clone()];
    if !evidence.core_asks("torch") {
        return Ok(Some(own.chosen(None)));
    }
    if let Some((found, decided)) = evidence.launched(&both) {
        return Ok(Some(found.chosen(Some(decided))));
    }
    if evidence::holds_nothing(&own.dir) {
        let mut choice = own.chosen(Some("it is still empty"));
        choice.warnings.push(format!(
            "`{}` is empty, while `{}` has torch: name that one with --python if it is meant",
            own.dir, rival.path
        ));
        return Ok(Some(choice));
    }
    if evidence.is_strange(&own.dir) {
        let mut choice = rival.chosen(Some("it has torch"));
        choice.warnings = vec![format!(
            "`{}` holds packages but none that ComfyUI asks for, so it is taken for another \
             project's; `{}` is used, {}",
            own.dir,
            rival.path,
            rival.reason.shown()
        )];
        return Ok(Some(choice));
    }
    Err(PythonError::Ambiguous {
        first: own.shown(),
        second: rival.shown(),
        why: Some("the first lies in the installation, only the second has torch"),
    })
}

/// Chooses among candidates of one rank: the one with torch, the one that is launched,
/// the first.
fn of_equals(
    evidence: &Evidence<'_>,
    list: &[Candidate],
    ordered: bool,
) -> Result<Option<PythonChoice>, PythonError> {
    let [_, _, ..] = list else {
        return Ok(list.first().map(|one| one.chosen(None)));
    };
    let with_torch: Vec<Candidate> = list
        .iter()
        .filter(|candidate| evidence::carries_torch(&candidate.dir))
        .cloned()
        .collect();
    Ok(match with_torch.as_slice() {
        [] => list.first().map(|first| first.chosen(None)),
        [one] => Some(one.chosen(Some("of several only it has torch"))),
        [first, ..] if ordered => Some(first.chosen(Some("it comes before the others"))),
        [first, second, ..] => match evidence.launched(&with_torch) {
            Some((found, decided)) => Some(found.chosen(Some(decided))),
            None => {
                return Err(PythonError::Ambiguous {
                    first: first.shown(),
                    second: second.shown(),
                    why: None,
                });
            }
        },
    })
}

/// Returns the active environment and the first Python on PATH, if they are two.
fn outside(around: &Surroundings) -> Vec<Candidate> {
    let active = around
        .active
        .as_deref()
        .and_then(|dir| Candidate::of_dir(dir, PythonReason::Environment));
    let names = ["python3", "python", "python3.exe", "python.exe"];
    let on_path = around
        .path
        .iter()
        .flat_map(|dir| names.iter().map(move |name| dir.join(name)))
        .find(|path| fs::is_file(path))
        .map(|path| Candidate {
            dir: home_of(&path),
            path,
            reason: PythonReason::Path,
        });
    each_once(active.into_iter().chain(on_path).collect())
}

/// Returns the folder that an interpreter belongs to.
fn home_of(path: &Utf8Path) -> Utf8PathBuf {
    let bin = path.parent().unwrap_or(Utf8Path::new(""));
    match (bin.file_name(), bin.parent()) {
        (Some("bin" | "Scripts"), Some(home)) => home.to_owned(),
        _ => bin.to_owned(),
    }
}

/// A link to another candidate is that candidate.
fn each_once(list: Vec<Candidate>) -> Vec<Candidate> {
    let mut seen = std::collections::BTreeSet::new();
    let real = |dir: &Utf8PathBuf| fs::canonical(dir).unwrap_or_else(|_| dir.clone());
    list.into_iter()
        .filter(|candidate| seen.insert(real(&candidate.dir)))
        .collect()
}

/// Returns what the newest log of ComfyUI says after a word, the last time it stands there.
pub(super) fn logged(installation: &Installation, word: &str) -> Option<String> {
    evidence::logged(installation, word)
}

fn candidate_dirs(installation: &Installation) -> Vec<Utf8PathBuf> {
    let root = &installation.root;
    if installation.layout == Layout::Desktop {
        return vec![root.join("ComfyUI/.venv"), root.join("envs/default")];
    }
    let mut dirs = vec![root.join("python_embeded"), root.join("python_embedded")];
    let mut homes = vec![root.clone()];
    // A core that another program owns has that program's Python.
    if let Some(core) = &installation.comfyui
        && core != root
        && core.starts_with(root)
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
