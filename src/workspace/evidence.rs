//! What speaks for one Python or another: torch, launchers, logs, what is installed.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::discover::{Installation, Layout};
use super::python::Candidate;
use crate::host::fs;
use crate::package::VenvConfig;

/// What an installation's files tell about its Python, read when it is asked for.
pub(super) struct Evidence<'a> {
    installation: &'a Installation,
}

/// Tools that say nothing about what an environment is for.
const TOOLS: [&str; 4] = ["pip", "setuptools", "wheel", "uv"];

impl<'a> Evidence<'a> {
    pub(super) fn new(installation: &'a Installation) -> Self {
        Self { installation }
    }

    /// Finds the one that ComfyUI is started with, and what says so: a launcher's own
    /// marker, the start scripts, the newest log.
    pub(super) fn launched<'c>(
        &self,
        list: &'c [Candidate],
    ) -> Option<(&'c Candidate, &'static str)> {
        let only = |is: &dyn Fn(&Candidate) -> bool| {
            let mut fitting = list.iter().filter(|candidate| is(candidate));
            fitting.next().filter(|_| fitting.next().is_none())
        };
        let marked = || only(&|one| fs::is_file(&one.dir.join(".comfy_environment")));
        let scripted = || {
            let scripts = self.start_scripts();
            only(&|one| scripts.iter().any(|script| script.names(&one.dir)))
        };
        let told = || {
            let path = logged(self.installation, "Python executable:")?;
            only(&|one| {
                path.starts_with(&format!("{}/", with_slashes(one.dir.as_str())))
                    || path == with_slashes(one.path.as_str())
            })
        };
        let found = |one: Option<&'c Candidate>, why| one.map(|one| (one, why));
        found(marked(), "a launcher's marker lies in it")
            .or_else(|| found(scripted(), "the start script names it"))
            .or_else(|| found(told(), "the newest log of ComfyUI names it"))
    }

    /// Reports whether the core's requirements have a line for this name.
    pub(super) fn core_asks(&self, name: &str) -> bool {
        self.core_names().contains(name)
    }

    /// Reports whether an environment holds nothing that the core asks for.
    pub(super) fn is_strange(&self, dir: &Utf8Path) -> bool {
        self.core_names().is_disjoint(&installed_names(dir))
    }

    /// Returns the names that the lines of the core's requirements begin with.
    fn core_names(&self) -> BTreeSet<String> {
        let Some(core) = &self.installation.comfyui else {
            return BTreeSet::new();
        };
        let text = read_lossily(&core.join("requirements.txt"));
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        text.lines()
            .map(str::trim)
            .filter(|line| !line.starts_with(['-', '#']))
            .map(|line| normal(&line[..line.find(|c| !is_part(c)).unwrap_or(line.len())]))
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// Reads the start scripts: at the root, in the core, and beside a checkout.
    fn start_scripts(&self) -> Vec<Script> {
        let root = &self.installation.root;
        let mut dirs = vec![root.as_path()];
        dirs.extend(self.installation.comfyui.as_deref());
        if self.installation.layout == Layout::Checkout {
            dirs.extend(root.parent());
        }
        dirs.dedup();
        let is_script = |name: &String| {
            let ending = Utf8Path::new(name).extension().unwrap_or("");
            matches!(
                ending,
                "bat" | "cmd" | "ps1" | "sh" | "command" | "fish" | "service" | "desktop"
            ) || matches!(
                name.as_str(),
                // Pinokio's, and what starts a container.
                "start.js" | "start.json" | "Dockerfile" | "Procfile"
            )
        };
        let mut scripts = Vec::new();
        for dir in dirs {
            for name in fs::find_dir(dir).unwrap_or_default() {
                if is_script(&name) {
                    scripts.push(Script {
                        text: read_lossily(&dir.join(&name)),
                        dir: dir.to_owned(),
                    });
                }
            }
        }
        scripts
    }
}

/// A start script, with `/` for every `\`.
struct Script {
    dir: Utf8PathBuf,
    text: String,
}

impl Script {
    /// Reports whether it names a directory: `venv/` does not stand in `.venv/`, and
    /// `../venv/` is not the one beside the script.
    fn names(&self, dir: &Utf8Path) -> bool {
        let near = dir.strip_prefix(&self.dir).ok();
        let above = self.dir.parent().and_then(|up| dir.strip_prefix(up).ok());
        let mut spelt = vec![with_slashes(dir.as_str())];
        spelt.extend(near.map(|path| with_slashes(path.as_str())));
        if near.is_none() {
            spelt.extend(above.map(|path| format!("../{}", with_slashes(path.as_str()))));
        }
        spelt.iter().any(|name| self.mentions(name))
    }

    fn mentions(&self, name: &str) -> bool {
        let stands_alone = |at: usize| {
            let before = &self.text[..at];
            let part_of_word = before
                .chars()
                .next_back()
                .is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
            !part_of_word && !before.ends_with("../")
        };
        let as_path = format!("{name}/");
        let mut paths = self.text.match_indices(&as_path);
        // `venv: "env"` is how Pinokio says it.
        let mut lines = self.text.lines().filter(|line| line.contains("venv"));
        paths.any(|(at, _)| stands_alone(at))
            || lines.any(|line| {
                let after = line.split_once("venv").map_or("", |(_, after)| after);
                let value = after.trim_start_matches(['"', '\'', ' ']);
                value.strip_prefix(':').is_some_and(|value| {
                    let value = value.trim().trim_end_matches(',');
                    value.trim_matches(['"', '\'']) == name
                })
            })
    }
}

fn with_slashes(text: &str) -> String {
    text.replace('\\', "/")
}

fn read_lossily(path: &Utf8Path) -> String {
    let bytes = fs::find_bytes(path).ok().flatten().unwrap_or_default();
    with_slashes(&String::from_utf8_lossy(&bytes))
}

/// Returns what the newest log of ComfyUI says after a word, the last time it stands there.
pub(super) fn logged(installation: &Installation, word: &str) -> Option<String> {
    let root = &installation.root;
    let core = installation.comfyui.as_ref().unwrap_or(root);
    let mut dirs = vec![core.join("user"), core.clone()];
    if core != root {
        dirs.extend([root.join("user"), root.clone()]);
    }
    let is_log = |path: &Utf8PathBuf| {
        let named = path
            .file_name()
            .is_some_and(|name| name.starts_with("comfyui"));
        named && path.extension() == Some("log")
    };
    let (_, log) = dirs
        .iter()
        .flat_map(|dir| {
            let names = fs::find_dir(dir).unwrap_or_default();
            names.into_iter().map(|name| dir.join(name))
        })
        .filter(is_log)
        .filter_map(|path| Some((fs::stamp(&path).ok()?.1, path)))
        .max()?;
    let text = read_lossily(&log);
    let (_, told) = text.rsplit_once(word)?;
    Some(told.lines().next()?.trim().to_owned())
}

/// Reports whether torch lies in an environment, or in the base that it sees.
pub(super) fn carries_torch(dir: &Utf8Path) -> bool {
    site_dirs(dir)
        .iter()
        .any(|site| fs::is_dir(&site.join("torch")))
        || base_of(dir).is_some_and(|base| carries_torch(&base))
}

/// Reports whether an environment of its own holds nothing but tools.
pub(super) fn holds_nothing(dir: &Utf8Path) -> bool {
    let mut names = installed_names(dir);
    names.retain(|name| !TOOLS.contains(&name.as_str()));
    names.is_empty()
}

fn installed_names(dir: &Utf8Path) -> BTreeSet<String> {
    let entries = site_dirs(dir)
        .into_iter()
        .flat_map(|site| fs::find_dir(&site).unwrap_or_default());
    entries
        .filter_map(|entry| {
            let stem = entry
                .strip_suffix(".dist-info")
                .or_else(|| entry.strip_suffix(".egg-info"))?;
            Some(normal(stem.split('-').next().unwrap_or(stem)))
        })
        .collect()
}

fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

/// Returns the prefix whose packages a virtual environment sees beneath its own.
fn base_of(dir: &Utf8Path) -> Option<Utf8PathBuf> {
    let text = fs::find_text(&dir.join("pyvenv.cfg")).ok()??;
    let config = VenvConfig::parse(&text);
    let home = Utf8PathBuf::from(config.home.filter(|_| config.system_site)?);
    let base = match home.file_name() {
        Some("bin") => home.parent()?.to_owned(),
        _ => home,
    };
    // One that names itself would be asked for ever.
    (!fs::exists(&base.join("pyvenv.cfg"))).then_some(base)
}

/// Lists where packages of a prefix lie, on all systems, Debian's places included.
fn site_dirs(dir: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut dirs = vec![dir.join("Lib/site-packages")];
    for lib in ["lib", "lib64", "local/lib"] {
        let lib = dir.join(lib);
        let versions = fs::find_dir(&lib).unwrap_or_default();
        for version in versions.iter().filter(|name| name.starts_with("python")) {
            for name in ["site-packages", "dist-packages"] {
                dirs.push(lib.join(version).join(name));
            }
        }
    }
    dirs
}
