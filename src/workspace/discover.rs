//! Finds the installation a command is about.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::Serialize;

use super::extra_paths::{self, ExtraPaths, Note};
use super::node::{Core, Node, list_nodes, read_core};
use super::settings::{Settings, SettingsError};
use crate::host::fs::{self, FsError};

/// How an installation is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// The root is the ComfyUI checkout.
    Checkout,
    /// The root is a folder that holds `ComfyUI/` and a virtual environment.
    Folder,
    /// The official portable: `ComfyUI/` beside `python_embeded/`.
    Portable,
    /// Desktop 2.0: `ComfyUI/` beside `standalone-env/`, which is only a seed.
    #[serde(rename = "desktop-2")]
    Desktop,
    /// The root is a base directory without `main.py`.
    #[serde(rename = "base-directory")]
    Base,
}

impl Layout {
    /// Returns the layout's name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::Folder => "folder",
            Self::Portable => "portable",
            Self::Desktop => "desktop-2",
            Self::Base => "base-directory",
        }
    }

    /// Reports whether the root holds `ComfyUI/`.
    fn holds_checkout(self) -> bool {
        matches!(self, Self::Folder | Self::Portable | Self::Desktop)
    }
}

/// Why a core was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoreReason {
    /// Named on the command line.
    Flag,
    /// Named in `portenv.toml`.
    Settings,
    /// The root is the checkout.
    Root,
    /// It lies in the folder.
    Folder,
    /// There is none: a base directory whose core nobody named.
    None,
}

impl CoreReason {
    /// Returns the reason in words.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Flag => "named on the command line",
            Self::Settings => "named in portenv.toml",
            Self::Root => "the root is the checkout",
            Self::Folder => "it lies in the folder",
            Self::None => "a base directory has none of its own, and none is named",
        }
    }
}

/// An installation: root, core and directories of nodes.
#[derive(Debug, Clone)]
pub struct Installation {
    /// The root.
    pub root: Utf8PathBuf,
    /// How it is laid out.
    pub layout: Layout,
    /// The core's directory, if it is known.
    pub comfyui: Option<Utf8PathBuf>,
    /// Why this core.
    pub core_reason: CoreReason,
    /// The directories of nodes: new ones go to the first.
    pub custom_nodes: Vec<Utf8PathBuf>,
    /// `portenv.toml`.
    pub settings: Settings,
    /// What of the installation's files could not be used.
    pub notes: Vec<Note>,
}

/// Why there is no one installation to work on.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// None was found.
    #[error("no ComfyUI installation at or above `{start}`")]
    NotFound {
        /// Where the search began.
        start: Utf8PathBuf,
        /// Installations just below it.
        below: Vec<Utf8PathBuf>,
    },
    /// The directory named is none.
    #[error("`{root}` is not a ComfyUI installation: {missing}")]
    NotOne {
        /// The directory named.
        root: Utf8PathBuf,
        /// What it lacks.
        missing: String,
    },
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] FsError),
}

const PYTHONS: [&str; 6] = [
    "python_embeded",
    "python_embedded",
    "standalone-env",
    ".venv",
    "venv",
    "env",
];

fn is_checkout(dir: &Utf8Path) -> bool {
    fs::is_file(&dir.join("main.py"))
        && fs::is_dir(&dir.join("comfy"))
        && fs::is_file(&dir.join("requirements.txt"))
}

fn is_folder(dir: &Utf8Path) -> bool {
    is_checkout(&dir.join("ComfyUI")) && PYTHONS.iter().any(|name| fs::is_dir(&dir.join(name)))
}

fn is_base(dir: &Utf8Path) -> bool {
    fs::is_dir(&dir.join("custom_nodes"))
        && fs::is_dir(&dir.join("user"))
        && !fs::is_file(&dir.join("main.py"))
}

fn layout_of(dir: &Utf8Path) -> Option<Layout> {
    if is_folder(dir) {
        let has = |name: &str| fs::is_dir(&dir.join(name));
        Some(if has("standalone-env") {
            Layout::Desktop
        } else if has("python_embeded") || has("python_embedded") {
            Layout::Portable
        } else {
            Layout::Folder
        })
    } else if is_checkout(dir) {
        Some(Layout::Checkout)
    } else if is_base(dir)
        || (fs::is_file(&dir.join("portenv.toml")) && fs::is_dir(&dir.join("custom_nodes")))
    {
        Some(Layout::Base)
    } else {
        None
    }
}

/// Finds the installation as [`find_installation_with`] does, with no variable known.
///
/// # Errors
///
/// Fails if there is none, or its `portenv.toml` cannot be used.
pub fn find_installation(
    start: &Utf8Path,
    named: Option<&Utf8Path>,
    core: Option<&Utf8Path>,
) -> Result<Installation, WorkspaceError> {
    find_installation_with(start, named, core, &BTreeMap::new())
}

/// Finds the installation: at `named`, else upwards from `start`.
///
/// A folder that holds the checkout and its Python wins over the checkout in it.
/// `variables` stand for `$NAME` and `~` in `extra_model_paths.yaml`.
///
/// # Errors
///
/// Fails if there is none, or its `portenv.toml` cannot be used.
pub fn find_installation_with(
    start: &Utf8Path,
    named: Option<&Utf8Path>,
    core: Option<&Utf8Path>,
    variables: &BTreeMap<String, String>,
) -> Result<Installation, WorkspaceError> {
    let (root, layout) = match named {
        Some(root) => {
            let real = fs::canonical(root).map_err(|error| WorkspaceError::NotOne {
                root: root.to_owned(),
                missing: error.source.to_string(),
            })?;
            let layout = layout_of(&real)
                .or_else(|| {
                    (core.is_some() && fs::is_dir(&real.join("custom_nodes")))
                        .then_some(Layout::Base)
                })
                .ok_or_else(|| WorkspaceError::NotOne {
                    root: root.to_owned(),
                    missing: missing_parts(&real),
                })?;
            (real, layout)
        }
        None => find_upwards(&fs::canonical(start)?)?,
    };
    let settings = Settings::read(&root)?;
    let of_layout = match layout {
        Layout::Checkout => CoreReason::Root,
        Layout::Folder | Layout::Portable | Layout::Desktop => CoreReason::Folder,
        Layout::Base => CoreReason::None,
    };
    let named_core = match (core, &settings.installation.comfyui) {
        (Some(path), _) => Some((path, CoreReason::Flag)),
        (None, Some(path)) => Some((path.as_path(), CoreReason::Settings)),
        (None, None) => None,
    };
    let core_reason = named_core.map_or(of_layout, |(_, reason)| reason);
    let comfyui = match named_core {
        Some((path, _)) => {
            let path = root.join(path);
            if !fs::is_file(&path.join("requirements.txt")) {
                return Err(WorkspaceError::NotOne {
                    root: path,
                    missing: "there is no `requirements.txt` of ComfyUI in it".to_owned(),
                });
            }
            Some(fs::canonical(&path)?)
        }
        None => match layout {
            Layout::Checkout => Some(root.clone()),
            Layout::Folder | Layout::Portable | Layout::Desktop => Some(root.join("ComfyUI")),
            Layout::Base => None,
        },
    };
    let mut notes = Vec::new();
    let custom_nodes = match &settings.installation.custom_nodes {
        Some(named) => named.iter().map(|path| root.join(path)).collect(),
        None => {
            let own = if layout.holds_checkout() {
                root.join("ComfyUI/custom_nodes")
            } else {
                root.join("custom_nodes")
            };
            let mut extra = match &comfyui {
                Some(core) => {
                    let file = core.join(extra_paths::FILE);
                    let shown = file.strip_prefix(&root).unwrap_or(&file);
                    let shown = shown.as_str().replace('\\', "/");
                    ExtraPaths::read(core, &shown, variables)
                }
                None => ExtraPaths::default(),
            };
            notes.append(&mut extra.notes);
            all_nodes_dirs(own, extra.dirs)
        }
    };
    Ok(Installation {
        root,
        layout,
        comfyui,
        core_reason,
        custom_nodes,
        settings,
        notes,
    })
}

/// Puts further directories of nodes behind the default one, each once, or before it
/// where the file says so, as ComfyUI does.
fn all_nodes_dirs(own: Utf8PathBuf, extra: Vec<(Utf8PathBuf, bool)>) -> Vec<Utf8PathBuf> {
    let mut dirs = vec![own];
    for (dir, first) in extra {
        let known = dirs.iter().position(|other| *other == dir);
        match known {
            Some(at) if first => {
                let dir = dirs.remove(at);
                dirs.insert(0, dir);
            }
            Some(_) => {}
            None if first => dirs.insert(0, dir),
            None => dirs.push(dir),
        }
    }
    dirs
}

fn find_upwards(start: &Utf8Path) -> Result<(Utf8PathBuf, Layout), WorkspaceError> {
    for dir in start.ancestors() {
        if let Some(layout) = layout_of(dir) {
            // A checkout inside a portable folder belongs to the folder.
            if !layout.holds_checkout()
                && let Some(parent) = dir.parent()
                && dir.file_name() == Some("ComfyUI")
                && let Some(around) = layout_of(parent).filter(|around| around.holds_checkout())
            {
                return Ok((parent.to_owned(), around));
            }
            return Ok((dir.to_owned(), layout));
        }
    }
    let below = fs::find_dir(start)
        .unwrap_or_default()
        .into_iter()
        .map(|name| start.join(name))
        .filter(|dir| layout_of(dir).is_some())
        .collect();
    Err(WorkspaceError::NotFound {
        start: start.to_owned(),
        below,
    })
}

fn missing_parts(root: &Utf8Path) -> String {
    if !fs::is_dir(root) {
        return "it is not a directory".to_owned();
    }
    let missing: Vec<&str> = ["main.py", "comfy", "requirements.txt"]
        .into_iter()
        .filter(|name| !fs::exists(&root.join(name)))
        .collect();
    format!("it has no `{}`", missing.join("`, no `"))
}

impl Installation {
    /// Returns the core that the newest log of ComfyUI tells of, if it is there: a hint
    /// for a person, no decision.
    pub fn logged_core(&self) -> Option<Utf8PathBuf> {
        let told = super::python::logged(self, "ComfyUI Path:")?;
        let path = Utf8PathBuf::from(told);
        fs::is_file(&path.join("requirements.txt")).then_some(path)
    }

    /// Reads the core; a missing one is shown as a plain directory.
    pub fn core(&self) -> Option<Core> {
        self.comfyui
            .as_ref()
            .map(|path| read_core(&self.root, path))
    }

    /// Lists all nodes of all directories.
    ///
    /// # Errors
    ///
    /// Fails if a directory cannot be read.
    pub fn nodes(&self) -> Result<Vec<Node>, FsError> {
        let mut nodes = Vec::new();
        for dir in &self.custom_nodes {
            nodes.extend(list_nodes(&self.root, dir)?);
        }
        Ok(nodes)
    }

    /// Lists the enabled nodes with where they lie.
    ///
    /// # Errors
    ///
    /// Fails if a directory cannot be read.
    pub fn enabled_nodes(&self) -> Result<Vec<(Node, Utf8PathBuf)>, FsError> {
        let nodes = self.nodes()?.into_iter();
        let enabled = nodes.filter(|node| node.enabled);
        let placed = enabled.map(|node| {
            let path = self.root.join(&node.dir);
            (node, path)
        });
        Ok(placed.collect())
    }

    /// Returns the directory that new nodes go to.
    pub fn nodes_dir(&self) -> &Utf8Path {
        self.custom_nodes
            .first()
            .map_or(self.root.as_path(), Utf8PathBuf::as_path)
    }

    /// Returns portenv's own directory.
    pub fn own_dir(&self) -> Utf8PathBuf {
        self.root.join(".portenv")
    }

    /// Returns the lock's path.
    pub fn lock_path(&self) -> Utf8PathBuf {
        self.root.join("pylock.toml")
    }

    /// Lists what ComfyUI-Manager is to do at the next start, behind our back.
    pub fn startup_scripts(&self) -> Vec<String> {
        // A base directory holds `user/` itself, whatever core it uses.
        let home = match (self.layout, &self.comfyui) {
            (Layout::Base, _) | (_, None) => &self.root,
            (_, Some(core)) => core,
        };
        let mut found = Vec::new();
        for dir in [
            "user/__manager/startup-scripts",
            "user/default/ComfyUI-Manager/startup-scripts",
            "custom_nodes/ComfyUI-Manager/startup-scripts",
        ] {
            for name in fs::find_dir(&home.join(dir)).unwrap_or_default() {
                let path = home.join(dir).join(name);
                found.push(
                    path.strip_prefix(&self.root)
                        .unwrap_or(&path)
                        .as_str()
                        .replace('\\', "/"),
                );
            }
        }
        found
    }
}
